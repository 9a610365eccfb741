/* The log's ring: order, wrap-around, and what is refused when memory is not one. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "core/logring.h"

static struct log_ring ring;

static void put(const char *text)
{
	logring_put(&ring, text, strlen(text));
}

static void test_lines(void **state)
{
	char line[8];
	uint32_t pos = 0;

	(void)state;
	logring_init(&ring);
	assert_true(logring_valid(&ring));
	assert_false(logring_line(&ring, &pos, line, sizeof(line)));
	put("one\n\ntwo thousand\nlast");
	assert_true(logring_line(&ring, &pos, line, sizeof(line)));
	assert_string_equal(line, "one");
	assert_true(logring_line(&ring, &pos, line, sizeof(line)));
	assert_string_equal(line, "");
	assert_true(logring_line(&ring, &pos, line, sizeof(line)));
	assert_string_equal(line, "two tho");
	assert_true(logring_line(&ring, &pos, line, sizeof(line)));
	assert_string_equal(line, "last");
	assert_false(logring_line(&ring, &pos, line, sizeof(line)));
}

static void test_wrap(void **state)
{
	char line[16];
	uint32_t pos = 0;

	(void)state;
	logring_init(&ring);
	/* 8192 lines of 8 bytes fill it; one more and the oldest is gone */
	for (unsigned i = 0; i <= LOG_RING_SIZE / 8; i++) {
		char text[9] = {(char)('0' + i / 1000 % 10),
				(char)('0' + i / 100 % 10),
				(char)('0' + i / 10 % 10),
				(char)('0' + i % 10),
				' ',
				' ',
				'.',
				'\n'};

		put(text);
		assert_true(ring.length <= LOG_RING_SIZE);
	}
	assert_int_equal(ring.length, LOG_RING_SIZE);
	assert_int_equal(ring.start, 8);
	assert_true(logring_valid(&ring));
	assert_true(logring_line(&ring, &pos, line, sizeof(line)));
	assert_string_equal(line, "0001  .");
	while (logring_line(&ring, &pos, line, sizeof(line)))
		;
	assert_string_equal(line, "8192  .");
	assert_int_equal(pos, LOG_RING_SIZE);
}

static void test_not_text(void **state)
{
	char line[16];
	uint32_t pos = 0;

	(void)state;
	logring_init(&ring);
	logring_put(&ring, "a\0\x1b\x7f\xff\tb\n", 8);
	assert_true(logring_valid(&ring));
	assert_true(logring_line(&ring, &pos, line, sizeof(line)));
	assert_string_equal(line, "a????\tb");
}

static void test_invalid(void **state)
{
	(void)state;
	memset(&ring, 0, sizeof(ring));
	assert_false(logring_valid(&ring));
	logring_init(&ring);
	put("text");
	ring.signature[15] ^= 1;
	assert_false(logring_valid(&ring));
	ring.signature[15] ^= 1;
	assert_true(logring_valid(&ring));
	ring.length = LOG_RING_SIZE + 1;
	assert_false(logring_valid(&ring));
	ring.length = UINT32_MAX;
	assert_false(logring_valid(&ring));
	ring.length = 4;
	ring.start = 1; /* a ring that is not full starts at 0 */
	assert_false(logring_valid(&ring));
	ring.start = 0;
	ring.text[3] = (char)0x80;
	assert_false(logring_valid(&ring));
	ring.text[3] = '\r';
	assert_false(logring_valid(&ring));
	ring.text[3] = '~';
	assert_true(logring_valid(&ring));
	memset(ring.text, ' ', sizeof(ring.text));
	ring.length = LOG_RING_SIZE;
	ring.start = LOG_RING_SIZE - 1;
	assert_true(logring_valid(&ring));
	ring.start = LOG_RING_SIZE;
	assert_false(logring_valid(&ring));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_wrap),
	    cmocka_unit_test(test_not_text),
	    cmocka_unit_test(test_invalid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
