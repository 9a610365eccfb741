/* Timers that are set, the earliest first. Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/timer_list.h"
#include <stddef.h>

uint64_t timer_list_due(const struct timer_list *l)
{
	return l->first ? l->first->due : UINT64_MAX;
}

/* From the end: most timers are set for later than those before them, and there are few. */
void timer_list_add(struct timer_list *l, struct timer_link *t, uint64_t due)
{
	struct timer_link *before = l->last;

	while (before && before->due > due)
		before = before->previous;
	t->due = due;
	t->set = true;
	t->previous = before;
	t->next = before ? before->next : l->first;
	if (t->next)
		t->next->previous = t;
	else
		l->last = t;
	if (before)
		before->next = t;
	else
		l->first = t;
}

bool timer_list_remove(struct timer_list *l, struct timer_link *t)
{
	if (!t->set)
		return false;
	if (t->next)
		t->next->previous = t->previous;
	else
		l->last = t->previous;
	if (t->previous)
		t->previous->next = t->next;
	else
		l->first = t->next;
	*t = (struct timer_link){.due = t->due};
	return true;
}

struct timer_link *timer_list_take(struct timer_list *l, uint64_t now)
{
	struct timer_link *t = l->first;

	if (!t || t->due > now)
		return NULL;
	timer_list_remove(l, t);
	return t;
}
