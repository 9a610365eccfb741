/* Compare-and-swap: its truth table (SDM 2A, CMPXCHG). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/cas.h"

static void test_truth_table(void **state)
{
	static const struct {
		uint64_t there, expected, value;
		bool failed;
		uint64_t there_after, expected_after;
	} rows[] = {
	    {1, 1, 2, false, 2, 1}, {1, 2, 3, true, 1, 1},
	    {0, 0, 0, false, 0, 0}, {5, 5, 5, false, 5, 5},
	    {5, 0, 5, true, 5, 5},  {UINT32_MAX, UINT32_MAX, 0, false, 0, UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t p = (uint32_t)rows[i].there, e = (uint32_t)rows[i].expected;
		uint64_t p64 = rows[i].there, e64 = rows[i].expected;

		assert_int_equal(cas32(&p, &e, (uint32_t)rows[i].value), rows[i].failed);
		assert_int_equal(p, rows[i].there_after);
		assert_int_equal(e, rows[i].expected_after);
		assert_int_equal(cas64(&p64, &e64, rows[i].value), rows[i].failed);
		assert_int_equal(p64, rows[i].there_after);
		assert_int_equal(e64, rows[i].expected_after);
	}
}

/* All 64 bits count, and all are stored. */
static void test_upper_half(void **state)
{
	uint64_t p = UINT64_C(1) << 63 | 7, e = 7;

	(void)state;
	assert_true(cas64(&p, &e, 1));
	assert_int_equal(e, UINT64_C(1) << 63 | 7);
	assert_false(cas64(&p, &e, UINT64_C(0x123456789abcdef0)));
	assert_int_equal(p, UINT64_C(0x123456789abcdef0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_truth_table),
	    cmocka_unit_test(test_upper_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
