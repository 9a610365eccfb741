/* ASSERT evaluates its expression exactly once; test_assert_off.c: with assertions off. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/panic.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#ifdef CONFIG_NO_ASSERT
enum { ASSERTIONS_ON = 0 };
#else
enum { ASSERTIONS_ON = 1 };

static jmp_buf failed;
static const char *failed_text;

_Noreturn void assert_failed(const char *expression, const char *function, const char *file,
			     unsigned line)
{
	assert_non_null(function);
	assert_non_null(strstr(file, "test_assert.c"));
	assert_true(line > 1);
	failed_text = expression;
	longjmp(failed, 1);
}
#endif

static int evaluations;

static int evaluate(int value)
{
	evaluations++;
	return value;
}

static void true_ones(void **state)
{
	const void *pointer = &evaluations;

	(void)state;
	evaluations = 0;
	ASSERT(evaluate(1) == 1);
	assert_int_equal(evaluations, 1);
	if (evaluate(0)) /* a statement of its own: the else is this if's */
		ASSERT(evaluate(1));
	else
		evaluations += 10;
	assert_int_equal(evaluations, 12);
	ASSERT(evaluate(0) || evaluate(1)); /* no comma, no lost operator */
	assert_int_equal(evaluations, 14);
	(void)(ASSERT(evaluate(5)), evaluate(6));
	assert_int_equal(evaluations, 16);
	ASSERT(pointer);
}

static void false_one(void **state)
{
	(void)state;
	evaluations = 0;
#ifdef CONFIG_NO_ASSERT
	ASSERT(evaluate(0) == 1);
	evaluations += 100; /* it goes on */
#else
	if (setjmp(failed) == 0) {
		ASSERT(evaluate(0) == 1);
		fail_msg("a false assertion went on");
	}
	assert_string_equal(failed_text, "evaluate(0) == 1");
#endif
	assert_int_equal(evaluations, ASSERTIONS_ON ? 1 : 101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(true_ones),
	    cmocka_unit_test(false_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
