/* When the VMM wants to run next: who asks for it, and what waits. Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/wake_plan.h"
#include <stddef.h>

void wake_plan_ask(struct wake_plan *p, struct wake *w, uint64_t bound_us)
{
	w->bound_us = bound_us;
	if (w->asks)
		return;
	w->asks = true;
	w->next = p->first;
	p->first = w;
}

bool wake_plan_end(struct wake_plan *p, struct wake *w)
{
	if (!w->asks)
		return false;
	for (struct wake **link = &p->first; *link; link = &(*link)->next) {
		if (*link == w) {
			*link = w->next;
			break;
		}
	}
	w->asks = false;
	return true;
}

uint64_t wake_plan_bound(const struct wake_plan *p)
{
	uint64_t shortest = UINT64_MAX;

	for (const struct wake *w = p->first; w; w = w->next) {
		if (w->bound_us < shortest)
			shortest = w->bound_us;
	}
	return shortest;
}

uint64_t wake_plan_due(uint64_t now, uint64_t bound_us, uint32_t queued, uint64_t timer)
{
	uint64_t due = UINT64_MAX, wait;

	if (bound_us == UINT64_MAX)
		return UINT64_MAX;
	if (queued) { /* one turn a wake-up */
		wait = bound_us / queued;
		due = now + (wait < WAKE_SHORTEST_US ? WAKE_SHORTEST_US : wait);
		if (due < now)
			due = UINT64_MAX - 1;
	}
	if (timer != UINT64_MAX && timer < now + WAKE_SHORTEST_US)
		timer = now + WAKE_SHORTEST_US;
	return timer < due ? timer : due;
}
