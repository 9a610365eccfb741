/* The ring that keeps the log's text, and what a later start can make of one that it finds. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/logring.h"
#include "core/string.h"

_Static_assert(sizeof(((struct log_ring *)0)->signature) == sizeof(LOG_SIGNATURE) - 1, "signature");
_Static_assert(sizeof(struct log_ring) <= LOG_RING_PAGES * 4096, "ring fits its pages");

static bool is_text(char c)
{
	return (c >= ' ' && c <= '~') || c == '\n' || c == '\t';
}

void logring_init(struct log_ring *r)
{
	r->start = r->length = 0;
	memcpy(r->signature, LOG_SIGNATURE, sizeof(r->signature));
}

void logring_put(struct log_ring *r, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		r->text[(r->start + r->length) % LOG_RING_SIZE] = is_text(text[i]) ? text[i] : '?';
		if (r->length < LOG_RING_SIZE)
			r->length++;
		else
			r->start = (r->start + 1) % LOG_RING_SIZE;
	}
}

bool logring_valid(const struct log_ring *r)
{
	if (memcmp(r->signature, LOG_SIGNATURE, sizeof(r->signature)) != 0)
		return false;
	if (r->length > LOG_RING_SIZE || r->start >= LOG_RING_SIZE)
		return false;
	if (r->length < LOG_RING_SIZE && r->start != 0) /* it moves only when the ring is full */
		return false;
	for (uint32_t i = 0; i < r->length; i++) {
		if (!is_text(logring_at(r, i)))
			return false;
	}
	return true;
}

bool logring_line(const struct log_ring *r, uint32_t *pos, char *line, size_t size)
{
	size_t n = 0;

	if (*pos >= r->length)
		return false;
	while (*pos < r->length) {
		char c = logring_at(r, (*pos)++);

		if (c == '\n')
			break;
		if (n + 1 < size)
			line[n++] = c;
	}
	line[n] = '\0';
	return true;
}
