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

/*
 * Until the next turn. The turns of those that wait now are spread, and each comes in time although
 * threads behind the first one stop: the first one's so early that all others could follow as fast
 * as that is possible. The last of these steps is what the wake-up itself may take.
 */
static uint64_t until_turn(uint64_t bound_us, uint32_t queued, uint64_t waited)
{
	uint64_t others = (uint64_t)queued * WAKE_SHORTEST_US + waited,
		 left = bound_us > others ? bound_us - others : 0, even = bound_us / queued,
		 wait = even < left ? even : left;

	return wait < WAKE_SHORTEST_US ? WAKE_SHORTEST_US : wait;
}

uint64_t wake_plan_due(uint64_t now, uint64_t bound_us, uint32_t queued, uint64_t since,
		       uint64_t timer)
{
	uint64_t due = UINT64_MAX;

	if (bound_us == UINT64_MAX)
		return UINT64_MAX;
	if (queued) {
		due = now + until_turn(bound_us, queued, now > since ? now - since : 0);
		if (due < now)
			due = UINT64_MAX - 1;
	}
	if (timer != UINT64_MAX && timer < now + WAKE_SHORTEST_US)
		timer = now + WAKE_SHORTEST_US;
	return timer < due ? timer : due;
}
