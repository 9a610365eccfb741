/* The ring that keeps the log's text, and what a later start can make of one that it finds. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_RING_SIZE  65536u
#define LOG_SIGNATURE  "BitVisorLogRing1" /* 16 bytes, no NUL in memory */
#define LOG_RING_PAGES 17                 /* pages that struct log_ring fills */

/*
 * Lies page aligned in the last LOG_RING_PAGES pages of the VMM's region, where nothing is loaded:
 * a warm reset leaves it there, and the next start finds it by its signature.
 */
struct log_ring {
	char signature[16];
	uint32_t start;  /* index of the oldest byte */
	uint32_t length; /* bytes held, at most LOG_RING_SIZE */
	char text[LOG_RING_SIZE];
};

/* Make it empty and valid. */
void logring_init(struct log_ring *r);
/* Append; the oldest bytes go. What is not printable ASCII, tab or newline is kept as '?'. */
void logring_put(struct log_ring *r, const char *text, size_t length);
/*
 * Can memory that anybody may have written be read as a ring? True when the signature is there, the
 * indices are in range and agree, and every byte held is one that logring_put() writes.
 */
bool logring_valid(const struct log_ring *r);
/* Byte `i` < length, counted from the oldest. */
static inline char logring_at(const struct log_ring *r, uint32_t i)
{
	return r->text[(r->start + i) % LOG_RING_SIZE];
}
/*
 * Copy the line that begins at byte *pos (counted from the oldest), without its newline, cut to
 * size - 1 bytes, NUL-terminated, and move *pos behind it. False at the end.
 */
bool logring_line(const struct log_ring *r, uint32_t *pos, char *line, size_t size);
