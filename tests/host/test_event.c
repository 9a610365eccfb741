/* Tests of exceptions on top of events: every pair of vectors against SDM 3A tables 6-4 and 6-5. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/event.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* Table 6-4, row by row (2019), and #CP (21), which CET added to the contributory ones. */
static const uint8_t contributory[] = {0, 10, 11, 12, 13, 21};
static const uint8_t page_faults[] = {14, 20};
/* Table 6-1, column "error code" */
static const uint8_t with_error[] = {8, 10, 11, 12, 13, 14, 17, 21};

static bool is_one_of(const uint8_t *list, size_t n, unsigned vector)
{
	return vector < 256 && memchr(list, (int)vector, n) != NULL;
}

#define IS(list, vector) is_one_of(list, sizeof(list), vector)

static struct event exception(unsigned vector)
{
	return (struct event){.vector = (uint8_t)vector,
			      .type = EVENT_EXCEPTION,
			      .has_error = IS(with_error, vector),
			      .error = IS(with_error, vector) ? 0x58 : 0};
}

enum want { SERIAL, DOUBLE, SHUTDOWN };

/* Table 6-5, read as its text. */
static enum want want_of(unsigned first, unsigned second)
{
	bool bad = IS(contributory, second) || second == 8, page = IS(page_faults, second);

	if (first == 8)
		return bad || page ? SHUTDOWN : SERIAL;
	if (IS(page_faults, first))
		return bad || page ? DOUBLE : SERIAL;
	if (IS(contributory, first))
		return bad ? DOUBLE : SERIAL;
	return SERIAL;
}

static void check(const struct event *first, const struct event *second, enum want want, bool ext)
{
	struct event out;
	enum event_verdict verdict = event_merge(first, second, &out);

	assert_int_equal(verdict, want == SHUTDOWN ? EVENT_SHUTDOWN : EVENT_DELIVER);
	if (want == DOUBLE) {
		assert_int_equal(out.vector, 8);
		assert_int_equal(out.type, EVENT_EXCEPTION);
		assert_true(out.has_error);
		assert_int_equal(out.error, 0);
	} else if (want == SERIAL) {
		assert_int_equal(out.vector, second->vector);
		assert_int_equal(out.type, second->type);
		assert_int_equal(out.has_error, second->has_error);
		assert_int_equal(out.error, second->error | (ext && second->vector >= 10 &&
							     second->vector <= 13));
	}
}

static void test_exception_on_exception(void **state)
{
	unsigned counts[3] = {0};

	(void)state;
	for (unsigned first = 0; first < 32; first++) {
		for (unsigned second = 0; second < 32; second++) {
			struct event a = exception(first), b = exception(second);
			enum want want = want_of(first, second);

			check(&a, &b, want, true);
			counts[want]++;
		}
	}
	/* 6 contributory and 2 page faults: 6*(6+1) + 2*(6+1+2) doubles, 6+1+2 shutdowns */
	assert_int_equal(counts[DOUBLE], 60);
	assert_int_equal(counts[SHUTDOWN], 9);
}

/* Interrupts, NMIs, INT n and the like are benign whatever number they have. */
static void test_exception_on_others(void **state)
{
	static const struct {
		uint8_t type;
		bool ext;
	} types[] = {
	    {EVENT_INTR, true},
	    {EVENT_NMI, true},
	    {EVENT_SOFT_INT, false},
	    {EVENT_PRIVILEGED, true},
	    {EVENT_SOFT_EXCEPTION, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (unsigned first = 0; first < 256; first++) {
			for (unsigned second = 0; second < 32; second++) {
				struct event a = {.vector = (uint8_t)first, .type = types[i].type};
				struct event b = exception(second);

				check(&a, &b, SERIAL, types[i].ext);
			}
		}
	}
}

/* Rows of table 6-5 spelled out, so that the two readings above are not the same mistake. */
static void test_examples(void **state)
{
	static const struct {
		uint8_t first, second;
		enum want want;
	} rows[] = {
	    {13, 13, DOUBLE}, {11, 10, DOUBLE},  {0, 12, DOUBLE},   {13, 14, SERIAL},
	    {14, 14, DOUBLE}, {14, 13, DOUBLE},  {14, 6, SERIAL},   {6, 13, SERIAL},
	    {6, 14, SERIAL},  {8, 13, SHUTDOWN}, {8, 14, SHUTDOWN}, {8, 6, SERIAL},
	    {1, 14, SERIAL},  {17, 13, SERIAL},  {18, 14, SERIAL},  {13, 6, SERIAL},
	    {21, 13, DOUBLE}, {13, 21, DOUBLE},  {20, 14, DOUBLE},  {19, 12, SERIAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event a = exception(rows[i].first), b = exception(rows[i].second);

		check(&a, &b, rows[i].want, true);
	}
}

static void test_no_error_code_no_ext(void **state)
{
	struct event first = {.vector = 0x30, .type = EVENT_INTR};
	struct event second = {.vector = 13, .type = EVENT_EXCEPTION, .has_error = false}, out;

	(void)state;
	assert_int_equal(event_merge(&first, &second, &out), EVENT_DELIVER);
	assert_false(out.has_error);
	assert_int_equal(out.error, 0);
}

static void test_has_error(void **state)
{
	(void)state;
	for (unsigned vector = 0; vector < 256; vector++)
		assert_int_equal(event_has_error((uint8_t)vector), IS(with_error, vector));
}

/* SDM 3A table 6-1: traps, aborts and the NMI are none; what is no exception neither. */
static void test_is_fault(void **state)
{
	static const uint8_t no[] = {1, 2, 3, 4, 8, 18};

	(void)state;
	for (unsigned vector = 0; vector < 256; vector++) {
		bool fault = vector < 32;

		for (unsigned i = 0; i < sizeof(no); i++)
			fault = fault && vector != no[i];
		assert_int_equal(event_is_fault((uint8_t)vector), fault);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exception_on_exception),
	    cmocka_unit_test(test_exception_on_others),
	    cmocka_unit_test(test_examples),
	    cmocka_unit_test(test_no_error_code_no_ext),
	    cmocka_unit_test(test_has_error),
	    cmocka_unit_test(test_is_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
