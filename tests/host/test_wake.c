/* When the VMM wakes: the shortest bound of those who ask, turns for all threads, timers. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/wake_plan.h"
#include "tests/host/random.h"

#define NEVER UINT64_MAX
#define ASK   16

static void test_bound(void **state)
{
	struct wake_plan p = {0};
	struct wake a = {0}, b = {0}, c = {0};

	(void)state;
	assert_true(wake_plan_bound(&p) == NEVER);
	wake_plan_ask(&p, &a, 1000);
	wake_plan_ask(&p, &b, 300);
	wake_plan_ask(&p, &c, 5000);
	assert_int_equal(wake_plan_bound(&p), 300);
	wake_plan_ask(&p, &b, 7000); /* another bound */
	assert_int_equal(wake_plan_bound(&p), 1000);
	assert_true(wake_plan_end(&p, &a));
	assert_false(wake_plan_end(&p, &a));
	assert_int_equal(wake_plan_bound(&p), 5000);
	assert_true(wake_plan_end(&p, &c));
	assert_int_equal(wake_plan_bound(&p), 7000);
	wake_plan_ask(&p, &a, 50);
	assert_int_equal(wake_plan_bound(&p), 50);
	assert_true(wake_plan_end(&p, &b));
	assert_true(wake_plan_end(&p, &a));
	assert_true(wake_plan_bound(&p) == NEVER);
	assert_null(p.first);
}

/* Against a plain array. */
static void test_random_asks(void **state)
{
	struct wake_plan p = {0};
	struct wake w[ASK] = {0};
	uint64_t bound[ASK];

	(void)state;
	for (unsigned i = 0; i < ASK; i++)
		bound[i] = NEVER;
	for (unsigned n = 0; n < 20000; n++) {
		unsigned i = (unsigned)(random64() % ASK);
		uint64_t shortest = NEVER;

		if (random64() & 1) {
			assert_int_equal(wake_plan_end(&p, &w[i]), bound[i] != NEVER);
			bound[i] = NEVER;
		} else {
			bound[i] = random64() % 100000;
			wake_plan_ask(&p, &w[i], bound[i]);
		}
		for (unsigned j = 0; j < ASK; j++)
			shortest = bound[j] < shortest ? bound[j] : shortest;
		assert_true(wake_plan_bound(&p) == shortest);
	}
}

static void test_due(void **state)
{
	static const struct {
		uint64_t now, bound;
		uint32_t queued;
		uint64_t waits, timer, due; /* the first thread waits so long */
	} rows[] = {
	    /* nobody asks, whatever waits */
	    {1000, NEVER, 5, 0, 2000, NEVER},
	    /* nothing waits */
	    {1000, 500, 0, 0, NEVER, NEVER},
	    /* one thread, which has its turn within the bound */
	    {1000, 500, 1, 0, NEVER, 1500 - WAKE_SHORTEST_US},
	    {1000, 500, 1, 100, NEVER, 1400 - WAKE_SHORTEST_US},
	    /* four, and four whose first one waits already */
	    {1000, 500, 4, 0, NEVER, 1125},
	    {1000, 1000, 4, 600, NEVER, 1400 - 4 * WAKE_SHORTEST_US},
	    /* never more often than this */
	    {1000, 500, 200, 0, NEVER, 1000 + WAKE_SHORTEST_US},
	    {1000, WAKE_SHORTEST_US, 1, 0, NEVER, 1000 + WAKE_SHORTEST_US},
	    {1000, 500, 1, 480, NEVER, 1000 + WAKE_SHORTEST_US},
	    {1000, 500, 1, 1000, NEVER, 1000 + WAKE_SHORTEST_US},
	    /* a timer, due now or in the past, soon, and later */
	    {1000, 500, 0, 0, 10, 1000 + WAKE_SHORTEST_US},
	    {1000, 500, 0, 0, 1000 + WAKE_SHORTEST_US - 1, 1000 + WAKE_SHORTEST_US},
	    {1000, 500, 0, 0, 1400, 1400},
	    {1000, 500, 0, 0, 90000, 90000},
	    /* both: the earlier one */
	    {1000, 500, 1, 0, 1400, 1400},
	    {1000, 500, 1, 0, 1600, 1500 - WAKE_SHORTEST_US},
	    /* the end of time is not in the past */
	    {NEVER - 10, 500, 1, 0, NEVER, NEVER - 1},
	    {1000, NEVER - 1, 1, 0, NEVER, NEVER - 1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(wake_plan_due(rows[i].now, rows[i].bound, rows[i].queued,
					  rows[i].now - rows[i].waits,
					  rows[i].timer) == rows[i].due);
}

/* Threads that stop and are made to run again as they like: who waits has its turn within BOUND,
 * less one step, though each wake-up gives one turn. */
static void test_turns(void **state)
{
	enum { THREADS = 8, BOUND = 1000 };
	uint64_t since[THREADS] = {0}, now = 0, longest = 0;
	unsigned queue[THREADS], queued = 0;
	bool waits[THREADS] = {false};

	(void)state;
	for (unsigned n = 0; n < 100000; n++) {
		unsigned i = (unsigned)(random64() % THREADS);

		if (!waits[i] && random64() % 4 == 0) {
			waits[i] = true;
			since[i] = now;
			queue[queued++] = i;
		}
		if (!queued)
			continue;
		now = wake_plan_due(now, BOUND, queued, since[queue[0]],
				    now + random64() % (4 * BOUND));
		i = queue[0];
		longest = now - since[i] > longest ? now - since[i] : longest;
		queued--;
		for (unsigned j = 0; j < queued; j++)
			queue[j] = queue[j + 1];
		waits[i] = random64() % 3 != 0;
		since[i] = now;
		if (waits[i])
			queue[queued++] = i;
	}
	assert_in_range(longest, BOUND / 2, BOUND - WAKE_SHORTEST_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bound),
	    cmocka_unit_test(test_random_asks),
	    cmocka_unit_test(test_due),
	    cmocka_unit_test(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
