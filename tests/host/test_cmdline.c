/* Tests of core/cmdline.c: splitting command lines as boot loaders write them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/cmdline.h"

struct row {
	const char *line;
	const char *words[6];
};

/*
 * Right-hand sides written down from the rules of core/cmdline.h. The rows marked GRUB are what
 * GRUB 2's loader writes: '"' around a word with a space, '\' before '\', '"' and '\''.
 */
static const struct row rows[] = {
    {"", {NULL}},
    {"   \t ", {NULL}},
    {"a", {"a"}},
    {" a ", {"a"}},
    {"a b", {"a", "b"}},
    {"a\tb\r\nc", {"a", "b", "c"}},
    {"vmm.serial=com1 vmm.probe=1", {"vmm.serial=com1", "vmm.probe=1"}},
    /* GRUB: vmm.driver.pci=class=02*, driver=conceal */
    {"\"vmm.driver.pci=class=02*, driver=conceal\" x=1",
     {"vmm.driver.pci=class=02*, driver=conceal", "x=1"}},
    /* GRUB: k=a "b c" */
    {"\"k=a \\\"b c\\\"\"", {"k=a \"b c\""}},
    /* GRUB: k="v" without a space */
    {"k=\\\"v\\\"", {"k=\"v\""}},
    /* GRUB: \EFI\BOOT\BOOTX64.EFI */
    {"p=\\\\EFI\\\\BOOT\\\\BOOTX64.EFI", {"p=\\EFI\\BOOT\\BOOTX64.EFI"}},
    /* GRUB: it's */
    {"it\\'s", {"it's"}},
    /* GRUB: "a \ b" */
    {"\"a \\\\ b\"", {"a \\ b"}},
    /* by hand, as loaders that copy the text pass it */
    {"p=\\EFI\\BOOT\\BOOTX64.EFI", {"p=\\EFI\\BOOT\\BOOTX64.EFI"}},
    {"k=\"a b\" c", {"k=a b", "c"}},
    {"k='a b' c", {"k=a b", "c"}},
    {"k='a \"b\" c'", {"k=a \"b\" c"}},
    {"k=\"it's\"", {"k=it's"}},
    {"k=a\\ b c", {"k=a b", "c"}},
    {"k=\"a\"'b'c", {"k=abc"}},
    {"\"\"", {""}},
    {"'' a", {"", "a"}},
    {"a \"\"", {"a", ""}},
    {"\"a", {"a"}},
    {"'a b", {"a b"}},
    {"a\\", {"a\\"}},
    {"\\", {"\\"}},
    {"\\\\", {"\\"}},
    {"\\n\\t", {"\\n\\t"}},
    {"\"\\\"\"", {"\""}},
    {"'\\''", {"'"}},
    {"#x y", {"#x", "y"}},
    {"a=b=c", {"a=b=c"}},
};

static void test_words(void **state)
{
	size_t i, n, offset;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cmdline_word word;
		char buf[256];

		offset = 0;
		for (n = 0; cmdline_next(rows[i].line, strlen(rows[i].line), &offset, &word); n++) {
			if (!rows[i].words[n])
				fail_msg("row %zu: too many words", i);
			assert_int_equal(cmdline_copy(&word, buf, sizeof(buf)),
					 strlen(rows[i].words[n]));
			assert_string_equal(buf, rows[i].words[n]);
			assert_ptr_equal(word.raw, rows[i].line + word.offset);
		}
		if (rows[i].words[n])
			fail_msg("row %zu: word %zu is missing", i, n);
		assert_int_equal(offset, strlen(rows[i].line));
	}
}

/* What GRUB 2 writes for a word must be read back as that word, whatever it contains. */
static size_t grub_writes(const char *word, char *out)
{
	const char *start = out;
	int space = strchr(word, ' ') != NULL;

	if (space)
		*out++ = '"';
	for (; *word; word++) {
		if (strchr("\\\"'", *word))
			*out++ = '\\';
		*out++ = *word;
	}
	if (space)
		*out++ = '"';
	*out = 0;
	return (size_t)(out - start);
}

static void test_grub_round_trip(void **state)
{
	static const char alphabet[] = "ab=\\\"' ,#*";
	uint32_t seed = 1;
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		char words[3][12], line[128], buf[64];
		size_t at = 0, offset = 0, i, j;
		struct cmdline_word word;

		for (i = 0; i < 3; i++) {
			size_t len;

			seed = seed * 1664525 + 1013904223;
			len = 1 + (seed >> 16) % 10;
			for (j = 0; j < len; j++) {
				seed = seed * 1664525 + 1013904223;
				words[i][j] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
			}
			words[i][len] = 0;
			if (i)
				line[at++] = ' ';
			at += grub_writes(words[i], line + at);
		}
		for (i = 0; i < 3; i++) {
			assert_true(cmdline_next(line, at, &offset, &word));
			assert_false(word.open);
			cmdline_copy(&word, buf, sizeof(buf));
			assert_string_equal(buf, words[i]);
		}
		assert_false(cmdline_next(line, at, &offset, &word));
	}
}

static void test_open_and_bounds(void **state)
{
	static const struct {
		const char *line;
		bool open;
	} open_rows[] = {{"\"a b", true}, {"'a", true},   {"a\"", true},     {"\"a\"", false},
			 {"a", false},    {"\"a'", true}, {"\"a\\\"", true}, {"\\\"a", false}};
	struct cmdline_word word;
	size_t i, offset;
	char buf[4];

	(void)state;
	for (i = 0; i < sizeof(open_rows) / sizeof(open_rows[0]); i++) {
		offset = 0;
		assert_true(
		    cmdline_next(open_rows[i].line, strlen(open_rows[i].line), &offset, &word));
		assert_int_equal(word.open, open_rows[i].open);
	}

	/* The length ends the line before its NUL, and a NUL before its length. */
	offset = 0;
	assert_true(cmdline_next("abcdef", 3, &offset, &word));
	assert_int_equal(cmdline_copy(&word, buf, sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
	assert_false(cmdline_next("abcdef", 3, &offset, &word));
	offset = 0;
	assert_true(cmdline_next("ab\0cd", 5, &offset, &word));
	assert_int_equal(word.raw_len, 2);
	assert_false(cmdline_next("ab\0cd", 5, &offset, &word));

	/* Cut copies are terminated and tell the whole length. */
	offset = 0;
	assert_true(cmdline_next("\"a b c\"", 7, &offset, &word));
	assert_int_equal(cmdline_copy(&word, buf, sizeof(buf)), 5);
	assert_string_equal(buf, "a b");
	assert_int_equal(cmdline_copy(&word, buf, 1), 5);
	assert_string_equal(buf, "");
	assert_int_equal(cmdline_copy(&word, NULL, 0), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_grub_round_trip),
	    cmocka_unit_test(test_open_and_bounds),
	};

	return cmocka_run_group_tests_name("cmdline", tests, NULL, NULL);
}
