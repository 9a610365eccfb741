/* When the VMM wants to run next: who asks for it, and what waits. Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Shortest time between two wake-ups, in microseconds: more of them would leave the guest none. */
#define WAKE_SHORTEST_US 50

/* One who asks. Zero: does not. */
struct wake {
	struct wake *next;
	uint64_t bound_us;
	bool asks;
};

struct wake_plan {
	struct wake *first;
};

/* Ask, or ask for another bound. */
void wake_plan_ask(struct wake_plan *p, struct wake *w, uint64_t bound_us);
/* Ask no more. False: it did not. */
bool wake_plan_end(struct wake_plan *p, struct wake *w);
/* The shortest bound; UINT64_MAX: nobody asks. */
uint64_t wake_plan_bound(const struct wake_plan *p);
/*
 * When to wake at the latest, at time `now`: each of `queued` threads, of which the first one waits
 * since `since`, gets its turn within the bound, and a timer that is due at `timer` (UINT64_MAX:
 * none) is called then. One turn a wake-up: where these are WAKE_SHORTEST_US apart and that is too
 * much for so many threads, they are late. UINT64_MAX: nothing waits, or nobody asks.
 */
uint64_t wake_plan_due(uint64_t now, uint64_t bound_us, uint32_t queued, uint64_t since,
		       uint64_t timer);
