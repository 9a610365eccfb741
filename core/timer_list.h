/* Timers that are set, the earliest first. Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Part of a timer. Zero: not set. */
struct timer_link {
	struct timer_link *next, *previous;
	uint64_t due; /* microseconds; any 64-bit times, compared as they are */
	bool set;
};

struct timer_list {
	struct timer_link *first, *last;
};

/* When the earliest is due; UINT64_MAX: none is set. */
uint64_t timer_list_due(const struct timer_list *l);
/* Set one that is not set. Of those due at one time the one set first comes first. */
void timer_list_add(struct timer_list *l, struct timer_link *t, uint64_t due);
/* Clear it. False: it was not set. */
bool timer_list_remove(struct timer_list *l, struct timer_link *t);
/* Clear and return the earliest if it is due at `now`, or NULL. */
struct timer_link *timer_list_take(struct timer_list *l, uint64_t now);
