/* Text formatting against the C library's, and what it does with small buffers. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/log.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/host/random.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int ours(char *buffer, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = log_vsnprintf(buffer, size, format, ap);

	va_end(ap);
	return n;
}

/* The same arguments to both; every size of buffer around the full length. */
#define SAME(...)                                                                                  \
	do {                                                                                       \
		char want_[600], got_[600];                                                        \
		int full_ = snprintf(want_, sizeof(want_), __VA_ARGS__);                           \
		for (size_t size_ = 0; size_ <= (size_t)full_ + 2; size_++) {                      \
			memset(want_, 0x7e, sizeof(want_));                                        \
			memset(got_, 0x7e, sizeof(got_));                                          \
			(void)!snprintf(want_, size_, __VA_ARGS__);                                \
			int n_ = ours(got_, size_, __VA_ARGS__);                                   \
			if (n_ != full_ || memcmp(want_, got_, sizeof(want_)) != 0)                \
				fail_msg("line %d size %zu: \"%.99s\" %d, not \"%.99s\" %d",       \
					 __LINE__, size_, got_, n_, want_, full_);                 \
		}                                                                                  \
	} while (0)

static void table(void **state)
{
	(void)state;
	/* C17 7.21.6.1; the first column is what the standard says, so that both could not be wrong
	 * alike */
	static const struct {
		const char *text, *format;
		int value;
	} ints[] = {
	    {"0", "%d", 0},
	    {"-2147483648", "%d", INT_MIN},
	    {"2147483647", "%i", INT_MAX},
	    {"   42", "%5d", 42},
	    {"42   ", "%-5d", 42},
	    {"00042", "%05d", 42},
	    {"-0042", "%05d", -42},
	    {"  042", "%5.3d", 42},
	    {"  042", "%05.3d", 42},
	    {"-042 ", "%-5.3d", -42},
	    {"", "%.0d", 0},
	    {"   ", "%3.0d", 0},
	    {"1", "%.0d", 1},
	    {"ff", "%x", 255},
	    {"0xff", "%#x", 255},
	    {"0", "%#x", 0},
	    {"0XFF", "%#X", 255},
	    {"0x00ff", "%#06x", 255},
	    {"  0xff", "%#6x", 255},
	    {"0x00ff", "%#.4x", 255},
	    {"4294967295", "%u", -1},
	    {"ffffffff", "%x", -1},
	    {"80000000", "%x", INT_MIN},
	    {"A", "%c", 'A'},
	    {"    A", "%5c", 'A'},
	    {"A    ", "%-5c", 'A'},
	    {"-128", "%hhd", 128},
	    {"-32768", "%hd", 0x8000},
	    {"ff", "%hhx", -1},
	    {"65535", "%hu", -1},
	    {"7%", "%d%%", 7},
	    {"42 ", "%-03d", 42},
	};

	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		char text[64];

		ours(text, sizeof(text), ints[i].format, ints[i].value);
		assert_string_equal(text, ints[i].text);
		SAME(ints[i].format, ints[i].value);
	}
	SAME("%ld", LONG_MIN);
	SAME("%ld", LONG_MAX);
	SAME("%lld", LLONG_MIN);
	SAME("%lu", ULONG_MAX);
	SAME("%#llx", ULLONG_MAX);
	SAME("%zu", SIZE_MAX);
	SAME("%zd", (ptrdiff_t)-5);
	SAME("%d%d%d", INT_MIN, 0, INT_MAX);
	SAME("%*d|%-*d|%.*d", 7, 42, 7, 42, 3, 5);
	SAME("%*d", -7, 42); /* a negative width: left */
	SAME("%.*d", -3, 0); /* a negative precision: none */
	SAME("%.*s", -3, "text");
	SAME("%0*x", 16, 0x123u);
	SAME("%s", "");
	SAME("%s", "text");
	SAME("%10s|%-10s|%.2s|%10.2s|%-10.2s", "text", "text", "text", "text", "text");
	SAME("%.0s", "text");
	SAME("%p", (void *)(uintptr_t)0xdeadbeef);
	SAME("%20p|%-20p", (void *)(uintptr_t)16, (void *)(uintptr_t)16);
	SAME("plain, %%, and %s%c%d", "x", 'y', 3);
	SAME("%c", 0);
	SAME("%3c|%-3c", 0, 0);
	SAME("%120d|%-120d|%0120d", 1, 2, 3);
	SAME("%.60d", -1);
	SAME("%.60x", 1u);
}

/* A string whose end cannot be read: precision bounds what is looked at. */
static void no_terminator(void **state)
{
	char *s = malloc(3), text[16];

	(void)state;
	memcpy(s, "abc", 3);
	assert_int_equal(ours(text, sizeof(text), "%.3s", s), 3);
	assert_string_equal(text, "abc");
	free(s);
}

static void random_formats(void **state)
{
	(void)state;
	for (int round = 0; round < 60000; round++) {
		static const char *const conversions[] = {
		    "d",   "i",  "u",  "x",  "X",  "ld", "li", "lu",  "lx",  "lX",  "lld", "llu",
		    "llx", "zu", "zd", "zx", "hd", "hu", "hx", "hhd", "hhu", "hhx", "c",   "s"};
		const char *c =
		    conversions[random64() % (sizeof(conversions) / sizeof(conversions[0]))];
		bool is_text = *c == 's' || *c == 'c';
		char format[32], width[8] = "", precision[8] = "";
		char flags[4] = "";
		size_t n = 0;

		if (random64() % 3 == 0)
			flags[n++] = '-';
		if (random64() % 3 == 0 && !is_text)
			flags[n++] = '0';
		if (random64() % 3 == 0 && (c[strlen(c) - 1] == 'x' || c[strlen(c) - 1] == 'X'))
			flags[n++] = '#';
		if (random64() & 1)
			snprintf(width, sizeof(width), "%u", 1 + (unsigned)(random64() % 40));
		if (random64() & 1 && *c != 'c')
			snprintf(precision, sizeof(precision), random64() % 8 ? ".%u" : ".",
				 (unsigned)(random64() % 30));
		snprintf(format, sizeof(format), "<%%%s%s%s%s>", flags, width, precision, c);
		char want[128], got[128];
		size_t size = random64() % 2 ? sizeof(want) : random64() % 24;
		uint64_t v = random64() >> (random64() % 64);
		const char *text = &"a text of some length"[random64() % 22];
		int a, b;

		if (random64() & 1)
			v = 0 - v;
		memset(want, 1, sizeof(want));
		memset(got, 1, sizeof(got));
		if (*c == 's') {
			a = snprintf(want, size, format, text);
			b = ours(got, size, format, text);
		} else if (*c == 'l' || *c == 'z') {
			a = snprintf(want, size, format, v);
			b = ours(got, size, format, v);
		} else {
			a = snprintf(want, size, format, (unsigned)v);
			b = ours(got, size, format, (unsigned)v);
		}
		if (a != b || memcmp(want, got, sizeof(want)) != 0)
			fail_msg("\"%s\" of %#lx: \"%.99s\" %d, not \"%.99s\" %d", format, v, got,
				 b, want, a);
	}
}

/* No conversion, or one that is not known: text, and no read past the end of the format. */
static void mistakes(void **state)
{
	static const char *const formats[] = {"%",   "%-", "%0",  "%#", "%5", "%.",
					      "%.3", "%l", "%ll", "%h", "%z", "%y"};

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		char *f = strdup(formats[i]), text[16];

		assert_in_range(ours(text, sizeof(text), f), 1, 4);
		assert_int_equal(text[0], '%');
		free(f);
	}
	char text[16];

	assert_int_equal(ours(text, sizeof(text), "%s", (const char *)NULL), 6);
	assert_string_equal(text, "(null)");
	assert_int_equal(log_snprintf(text, sizeof(text), "%d-%s", 12, "x"), 4);
	assert_string_equal(text, "12-x");
	assert_int_equal(log_snprintf(NULL, 0, "%d-%s", 12, "x"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table),
	    cmocka_unit_test(no_terminator),
	    cmocka_unit_test(random_formats),
	    cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
