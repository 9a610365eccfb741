/* Text on COM1, and the library functions that the compiler calls. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define COM1     0x3f8
#define LSR_THRE 0x20u

void *memcpy(void *to, const void *from, size_t n)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return start;
}

void *memset(void *to, int value, size_t n)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	for (; n > 0; n--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

struct buffer {
	char *at, *end;
};

static void put(struct buffer *b, char c)
{
	if (b->at < b->end)
		*b->at++ = c;
}

static void put_number(struct buffer *b, uint64_t n, unsigned base, unsigned width, char fill)
{
	char digits[20];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n > 0);
	for (; width > count; width--)
		put(b, fill);
	while (count > 0)
		put(b, digits[--count]);
}

static uint64_t number_of(const char *f, bool is_long, __builtin_va_list *args)
{
	if (is_long)
		return __builtin_va_arg(*args, uint64_t);
	if (*f == 'd')
		return (uint64_t)(int64_t) __builtin_va_arg(*args, int);
	return __builtin_va_arg(*args, unsigned);
}

void format_text(char *out, size_t size, const char *f, __builtin_va_list list)
{
	struct buffer b = {out, out + size - 1};
	__builtin_va_list args;

	__builtin_va_copy(args, list);
	for (; *f; f++) {
		unsigned width = 0;
		bool is_long = false, prefix = false;
		char fill = ' ';

		if (*f != '%') {
			put(&b, *f);
			continue;
		}
		for (f++; *f == '#' || *f == '0'; f++) {
			prefix |= *f == '#';
			fill = *f == '0' ? '0' : fill;
		}
		for (; *f >= '0' && *f <= '9'; f++)
			width = width * 10 + (unsigned)(*f - '0');
		for (; *f == 'l' || *f == 'z'; f++)
			is_long = true;
		switch (*f) {
		case 's':
			for (const char *s = __builtin_va_arg(args, const char *); *s; s++)
				put(&b, *s);
			break;
		case 'c':
			put(&b, (char)__builtin_va_arg(args, int));
			break;
		case 'd':
		case 'u':
		case 'x': {
			uint64_t n = number_of(f, is_long, &args);

			if (*f == 'd' && (int64_t)n < 0) {
				put(&b, '-');
				n = -n;
			}
			if (prefix) {
				put(&b, '0');
				put(&b, 'x');
			}
			put_number(&b, n, *f == 'x' ? 16 : 10, width, fill);
			break;
		}
		default:
			put(&b, *f);
		}
	}
	*b.at = 0;
	__builtin_va_end(args);
}

void print(const char *format, ...)
{
	char text[400];
	__builtin_va_list args;

	__builtin_va_start(args, format);
	format_text(text, sizeof(text), format, args);
	__builtin_va_end(args);
	for (const char *s = text; *s; s++) {
		while (!(inb(COM1 + 5) & LSR_THRE))
			cpu_relax();
		outb(COM1, (uint8_t)*s);
	}
}
