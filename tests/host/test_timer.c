/* The list of timers: order, and times around 2^32 microseconds, with a fake clock. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/timer_list.h"
#include "tests/host/random.h"

#define N 64

static void test_order(void **state)
{
	static const uint64_t due[] = {50, 10, 30, 10, 20, 30, 0, 50};
	static const unsigned want[] = {6, 1, 3, 4, 2, 5, 0, 7}; /* equal ones as they were set */
	struct timer_list l = {0};
	struct timer_link t[8] = {0};

	(void)state;
	assert_int_equal(timer_list_due(&l), UINT64_MAX);
	for (unsigned i = 0; i < 8; i++)
		timer_list_add(&l, &t[i], due[i]);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(timer_list_due(&l), due[want[i]]);
		assert_ptr_equal(timer_list_take(&l, 100), &t[want[i]]);
		assert_false(t[want[i]].set);
	}
	assert_null(timer_list_take(&l, UINT64_MAX));
}

static void test_due(void **state)
{
	struct timer_list l = {0};
	struct timer_link a = {0}, b = {0};

	(void)state;
	timer_list_add(&l, &a, 100);
	timer_list_add(&l, &b, 101);
	assert_null(timer_list_take(&l, 99));
	assert_ptr_equal(timer_list_take(&l, 100), &a);
	assert_null(timer_list_take(&l, 100));
	assert_true(timer_list_remove(&l, &b));
	assert_false(timer_list_remove(&l, &b));
	assert_int_equal(timer_list_due(&l), UINT64_MAX);
}

/*
 * The clock starts 5 s before 2^32 us. A wait of 10 s that begins before the wrap, and one behind
 * it, end when they should; neither ends at once, and neither hangs.
 */
static void test_32_bit_wrap(void **state)
{
	struct timer_list l = {0};
	struct timer_link t = {0};
	uint64_t now = UINT64_C(4289967296), start;

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		start = now;
		timer_list_add(&l, &t, now + 10000000);
		while (!timer_list_take(&l, now)) {
			now += 1000;
			assert_true(now - start <= 10000000);
		}
		assert_int_equal(now - start, 10000000);
		assert_true(now > UINT32_MAX);
	}
}

/* Against a plain model: an array that is searched. */
static void test_random(void **state)
{
	struct timer_list l = {0};
	struct timer_link t[N] = {0};
	uint64_t due[N] = {0}, order[N] = {0}, now = 0, sequence = 0, taken = 0;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		unsigned i = (unsigned)(random64() % N), best = N;

		switch (random64() % 4) {
		case 0:
		case 1:
			timer_list_remove(&l, &t[i]);
			due[i] = now + random64() % 1000;
			order[i] = ++sequence;
			timer_list_add(&l, &t[i], due[i]);
			break;
		case 2:
			assert_int_equal(timer_list_remove(&l, &t[i]), order[i] != 0);
			order[i] = 0;
			break;
		default:
			now += random64() % 100;
			for (unsigned k = 0; k < N; k++) {
				if (order[k] && (best == N || due[k] < due[best] ||
						 (due[k] == due[best] && order[k] < order[best])))
					best = k;
			}
			assert_int_equal(timer_list_due(&l), best < N ? due[best] : UINT64_MAX);
			if (best < N && due[best] <= now) {
				assert_ptr_equal(timer_list_take(&l, now), &t[best]);
				order[best] = 0;
				taken++;
			} else {
				assert_null(timer_list_take(&l, now));
			}
			break;
		}
	}
	assert_true(taken > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_due),
	    cmocka_unit_test(test_32_bit_wrap),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
