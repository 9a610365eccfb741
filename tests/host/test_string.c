/* The image's memory and string functions, under other names, against plain loops and libc. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Not the library's, and not what the sanitizer puts in their place. */
#define memcpy  our_memcpy
#define memmove our_memmove
#define memset  our_memset
#define memcmp  our_memcmp
#define strlen  our_strlen
#define strcmp  our_strcmp
#define strncmp our_strncmp
#define strchr  our_strchr
void *our_memcpy(void *restrict dst, const void *restrict src, size_t n);
void *our_memmove(void *dst, const void *src, size_t n);
void *our_memset(void *dst, int c, size_t n);
int our_memcmp(const void *a, const void *b, size_t n);
size_t our_strlen(const char *s);
int our_strcmp(const char *a, const char *b);
int our_strncmp(const char *a, const char *b, size_t n);
char *our_strchr(const char *s, int c);
#include "core/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp
#undef strchr

#define SIZE 64

static void fill(uint8_t *b)
{
	for (unsigned i = 0; i < SIZE; i++)
		b[i] = (uint8_t)(i * 7 + 1);
}

/* Every place, every length, overlapping either way or not at all. */
static void memmove_overlaps(void **state)
{
	(void)state;
	for (unsigned to = 0; to <= SIZE; to++) {
		for (unsigned from = 0; from <= SIZE; from++) {
			for (unsigned n = 0; n <= SIZE - (to > from ? to : from); n++) {
				uint8_t want[SIZE], got[SIZE], copy[SIZE];

				fill(want);
				fill(got);
				fill(copy);
				for (unsigned i = 0; i < n; i++)
					want[to + i] = copy[from + i];
				assert_ptr_equal(our_memmove(got + to, got + from, n), got + to);
				if (memcmp(want, got, SIZE) != 0)
					fail_msg("%u bytes from %u to %u", n, from, to);
			}
		}
	}
	/* the direction flag is clear again (System V ABI 3.2.1) */
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	assert_int_equal(flags & 0x400, 0);
}

static void copy_and_set(void **state)
{
	(void)state;
	for (unsigned at = 0; at < 16; at++) {
		for (unsigned n = 0; n <= SIZE - 16; n++) {
			uint8_t from[SIZE], want[SIZE], got[SIZE];

			fill(from);
			memset(want, 0xee, SIZE);
			memset(got, 0xee, SIZE);
			for (unsigned i = 0; i < n; i++)
				want[at + i] = from[i];
			assert_ptr_equal(our_memcpy(got + at, from, n), got + at);
			assert_memory_equal(want, got, SIZE);
			for (unsigned i = 0; i < n; i++)
				want[at + i] = 0x5a;
			assert_ptr_equal(our_memset(got + at, 0x35a, n), got + at);
			assert_memory_equal(want, got, SIZE);
		}
	}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void compare(void **state)
{
	static const char *const texts[] = {"",   "a",    "b",    "ab",    "abc",   "abd",
					    "aB", "\x80", "\xff", "a\xff", "a\x01", "ab c"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *a = texts[i];

		assert_int_equal(our_strlen(a), strlen(a));
		for (int c = 0; c < 256; c++)
			assert_ptr_equal(our_strchr(a, c), strchr(a, c));
		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
			const char *b = texts[k];
			size_t shorter = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

			assert_int_equal(sign(our_strcmp(a, b)), sign(strcmp(a, b)));
			for (size_t n = 0; n < 6; n++)
				assert_int_equal(sign(our_strncmp(a, b, n)),
						 sign(strncmp(a, b, n)));
			for (size_t n = 0; n <= shorter + 1; n++)
				assert_int_equal(sign(our_memcmp(a, b, n)), sign(memcmp(a, b, n)));
		}
	}
	/* strncmp looks at no more than n bytes */
	char *end = malloc(2);

	memcpy(end, "ab", 2);
	assert_int_equal(our_strncmp(end, "abc", 2), 0);
	free(end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memmove_overlaps),
	    cmocka_unit_test(copy_and_set),
	    cmocka_unit_test(compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
