/* Builds ACPI tables byte by byte for tests. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t data[8192];
	uint32_t size;
};

static inline void put_byte(struct bytes *b, uint64_t v)
{
	b->data[b->size++] = (uint8_t)v;
}

/* `count` bytes of a number, the lowest first. */
static inline void put(struct bytes *b, unsigned count, uint64_t v)
{
	for (unsigned i = 0; i < count; i++)
		put_byte(b, i < 8 ? v >> (8 * i) : 0);
}

/* Overwrite two bytes. */
static inline void patch16(struct bytes *b, uint32_t at, uint64_t v)
{
	b->data[at] = (uint8_t)v;
	b->data[at + 1] = (uint8_t)(v >> 8);
}

/* The 36 bytes of a header; table_end() puts length and checksum in. */
static inline void table_begin(struct bytes *b, const char *signature)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->data, signature, 4);
	b->data[8] = 1;
	b->size = 36;
}

static inline void table_end(struct bytes *b)
{
	uint8_t sum = 0;

	patch16(b, 4, b->size);
	b->data[9] = 0;
	for (uint32_t i = 0; i < b->size; i++)
		sum = (uint8_t)(sum + b->data[i]);
	b->data[9] = (uint8_t)(0 - sum);
}

/* A copy of exact size, so that a sanitizer sees any step outside. The caller frees it. */
static inline uint8_t *exact(const struct bytes *b)
{
	uint8_t *p = malloc(b->size);

	memcpy(p, b->data, b->size);
	return p;
}
