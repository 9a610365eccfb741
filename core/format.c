/* Text formatting: the part of printf that the VMM uses. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/log.h"
#include "core/string.h"
#include <stdbool.h>

struct out {
	char *buffer;
	size_t size, length;
};

static void put(struct out *o, char c)
{
	if (o->length + 1 < o->size)
		o->buffer[o->length] = c;
	o->length++;
}

struct spec {
	bool left, zero, alternate;
	int width, precision; /* precision below 0: none */
};

static void put_field(struct out *o, const struct spec *s, const char *prefix, const char *text,
		      int length)
{
	int prefix_length = (int)strlen(prefix);
	int zeros = s->precision > length ? s->precision - length : 0;
	int pad = s->width - prefix_length - zeros - length;

	if (s->zero && !s->left && s->precision < 0 && pad > 0) {
		zeros = pad;
		pad = 0;
	}
	if (!s->left)
		while (pad-- > 0)
			put(o, ' ');
	while (*prefix)
		put(o, *prefix++);
	while (zeros-- > 0)
		put(o, '0');
	for (int i = 0; i < length; i++)
		put(o, text[i]);
	if (s->left)
		while (pad-- > 0)
			put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, const char *prefix,
		       unsigned base, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[20]; /* 2^64 - 1 in decimal */
	int i = (int)sizeof(text);

	for (; v || (i == (int)sizeof(text) && s->precision != 0); v /= base)
		text[--i] = digits[v % base];
	put_field(o, s, prefix, text + i, (int)sizeof(text) - i);
}

/* What the argument of an integer conversion is converted to: h and hh promise less than is passed.
 */
static uint64_t narrow(uint64_t v, int halves, bool is_signed)
{
	if (halves == 0)
		return v;
	if (halves == 1)
		return is_signed ? (uint64_t)(int16_t)v : (uint16_t)v;
	return is_signed ? (uint64_t)(int8_t)v : (uint8_t)v;
}

int log_vsnprintf(char *buffer, size_t size, const char *f, va_list ap)
{
	struct out o = {buffer, size, 0};

	for (; *f; f++) {
		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		struct spec s = {.precision = -1};
		int longs = 0, halves = 0;

		for (f++;; f++) {
			if (*f == '-')
				s.left = true;
			else if (*f == '0')
				s.zero = true;
			else if (*f == '#')
				s.alternate = true;
			else
				break;
		}
		if (*f == '*') {
			s.width = va_arg(ap, int);
			if (s.width < 0) {
				s.left = true;
				s.width = -s.width;
			}
			f++;
		}
		while (*f >= '0' && *f <= '9')
			s.width = s.width * 10 + (*f++ - '0');
		if (*f == '.') {
			s.precision = 0;
			f++;
			if (*f == '*') {
				s.precision = va_arg(ap, int);
				f++;
			}
			while (*f >= '0' && *f <= '9')
				s.precision = s.precision * 10 + (*f++ - '0');
		}
		for (; *f == 'l' || *f == 'z' || *f == 'h'; f++) {
			longs += *f != 'h';
			halves += *f == 'h';
		}
		switch (*f) {
		case 'd':
		case 'i': {
			int64_t v = longs ? va_arg(ap, long) : va_arg(ap, int);

			v = (int64_t)narrow((uint64_t)v, halves, true);
			put_number(&o, &s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0 ? "-" : "",
				   10, false);
			break;
		}
		case 'u':
		case 'x':
		case 'X': {
			uint64_t v = longs ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);
			const char *prefix = "";

			v = narrow(v, halves, false);
			if (s.alternate && v && *f != 'u')
				prefix = *f == 'X' ? "0X" : "0x";
			put_number(&o, &s, v, prefix, *f == 'u' ? 10 : 16, *f == 'X');
			break;
		}
		case 'p':
			put_number(&o, &s, (uintptr_t)va_arg(ap, void *), "0x", 16, false);
			break;
		case 's': {
			const char *t = va_arg(ap, const char *);
			int n = 0;

			if (!t)
				t = "(null)";
			while ((s.precision < 0 || n < s.precision) && t[n])
				n++;
			s.precision = -1;
			s.zero = false;
			put_field(&o, &s, "", t, n);
			break;
		}
		case 'c': {
			char c = (char)va_arg(ap, int);

			put_field(&o, &s, "", &c, 1);
			break;
		}
		case '%':
			put(&o, '%');
			break;
		default: /* a mistake the compiler's format check lets no caller make */
			put(&o, '%');
			if (!*f)
				f--;
			break;
		}
	}
	if (size)
		buffer[o.length < size ? o.length : size - 1] = '\0';
	return (int)o.length;
}

int log_snprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = log_vsnprintf(buffer, size, format, ap);

	va_end(ap);
	return n;
}
