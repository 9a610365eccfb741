/* Text of bounded length, put together piece by piece. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "drivers/pci_driver.h"

/* Always terminated; what does not fit is dropped. */
struct text {
	char *at;
	size_t left; /* with the NUL */
};

static inline void put_char(struct text *t, char c)
{
	if (t->left > 1) {
		*t->at++ = c;
		*t->at = 0;
		t->left--;
	}
}

static inline void put(struct text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

static inline void put_hex(struct text *t, uint32_t value, unsigned digits)
{
	while (digits-- > 0)
		put_char(t, "0123456789abcdef"[value >> (4 * digits) & 15]);
}

static inline void put_decimal(struct text *t, uint32_t value)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (n > 0)
		put_char(t, digits[--n]);
}

/* bb:dd.f, the text of slot=; in front of it ssss: outside segment 0. */
static inline void put_address(struct text *t, const struct pci_address *a)
{
	if (a->segment) {
		put_hex(t, a->segment, 4);
		put_char(t, ':');
	}
	put_hex(t, a->bus, 2);
	put_char(t, ':');
	put_hex(t, a->device, 2);
	put_char(t, '.');
	put_decimal(t, a->function);
}
