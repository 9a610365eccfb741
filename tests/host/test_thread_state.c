/* A thread's states: every operation in every state. Races are the model's: tests/spin. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/thread_state.h"

#define USE 0x700u /* some use of the slot */

enum op { WILL_STOP, STAY, EXIT, OUT, FREE, WAKE, WAKE_STALE };

/* Wanted: the state after it, and the result where there is one. */
static const struct {
	enum op op;
	enum thread_state from, to;
	int result;
} rows[] = {
    {WILL_STOP, THREAD_RUN, THREAD_WILL_STOP, 0},
    {WILL_STOP, THREAD_WILL_STOP, THREAD_WILL_STOP, 0},
    {STAY, THREAD_WILL_STOP, THREAD_RUN, 0},
    {STAY, THREAD_RUN, THREAD_RUN, 0},
    {EXIT, THREAD_RUN, THREAD_EXITED, 0},
    {EXIT, THREAD_WILL_STOP, THREAD_EXITED, 0},
    {OUT, THREAD_RUN, THREAD_RUN, THREAD_OUT_QUEUE},
    {OUT, THREAD_WILL_STOP, THREAD_STOPPED, THREAD_OUT_STOPPED},
    {OUT, THREAD_EXITED, THREAD_EXITED, THREAD_OUT_ENDED},
    {FREE, THREAD_EXITED, THREAD_FREE, 0},
    {FREE, THREAD_RUN, THREAD_RUN, 0},
    {WAKE, THREAD_FREE, THREAD_FREE, THREAD_WAKE_GONE},
    {WAKE, THREAD_RUN, THREAD_RUN, THREAD_WAKE_RUNS},
    {WAKE, THREAD_WILL_STOP, THREAD_RUN, THREAD_WAKE_CANCEL},
    {WAKE, THREAD_STOPPED, THREAD_RUN, THREAD_WAKE_QUEUE},
    {WAKE, THREAD_EXITED, THREAD_EXITED, THREAD_WAKE_GONE},
    {WAKE_STALE, THREAD_RUN, THREAD_RUN, THREAD_WAKE_GONE},
    {WAKE_STALE, THREAD_WILL_STOP, THREAD_WILL_STOP, THREAD_WAKE_GONE},
    {WAKE_STALE, THREAD_STOPPED, THREAD_STOPPED, THREAD_WAKE_GONE},
};

static int run(enum op op, uint32_t *word)
{
	switch (op) {
	case WILL_STOP:
		thread_state_will_stop(word);
		return 0;
	case STAY:
		thread_state_stay(word);
		return 0;
	case EXIT:
		thread_state_exit(word);
		return 0;
	case OUT:
		return (int)thread_state_switched_out(word);
	case FREE:
		thread_state_free(word);
		return 0;
	case WAKE:
		return (int)thread_state_wake(word, USE | THREAD_RUN);
	default:
		return (int)thread_state_wake(word, (USE - 0x100) | THREAD_RUN);
	}
}

static void test_moves(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t word = USE | rows[i].from;

		assert_int_equal(run(rows[i].op, &word), rows[i].result);
		assert_int_equal(word, USE | rows[i].to);
	}
}

/* A slot's next thread has another handle. */
static void test_new(void **state)
{
	uint32_t word = 0, first;

	(void)state;
	assert_true(thread_state_new(&word));
	first = word;
	assert_int_equal(thread_state_of(word), THREAD_RUN);
	assert_false(thread_state_new(&word));
	thread_state_exit(&word);
	assert_false(thread_state_new(&word)); /* its stack may still be in use */
	thread_state_free(&word);
	assert_true(thread_state_new(&word));
	assert_int_not_equal(word, first);
	thread_state_will_stop(&word);
	assert_int_equal(thread_state_wake(&word, first), THREAD_WAKE_GONE);
	assert_int_equal(thread_state_wake(&word, word), THREAD_WAKE_CANCEL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_moves),
	    cmocka_unit_test(test_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
