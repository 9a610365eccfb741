/* The log: a ring in memory, and the sinks that show it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/log.h"
#include "core/logring.h"
#include "core/spinlock.h"
#include "core/string.h"

#define SINK_MAX   4
#define EARLY_SIZE 8192u
#define SHOWN_SIZE 16384u /* of an earlier log: its end; a serial port takes 1.4 s for that */
#define OLD        "| "

static struct log_ring *ring;  /* NULL until the region is known */
static char early[EARLY_SIZE]; /* the log until then */
static uint32_t early_length;
static void (*sinks[SINK_MAX])(const char *text, size_t length);
static struct spinlock lock;
static bool forced;

/* A reset throws away what is only in the cache. CLFLUSH is there on every CPU with 64-bit mode. */
static void write_back(const void *p, size_t length)
{
	uintptr_t end = (uintptr_t)p + length;

	for (uintptr_t a = (uintptr_t)p & ~(uintptr_t)63; a < end; a += 64)
		__asm__ volatile("clflush (%0)" : : "r"(a) : "memory");
}

static void keep(const char *text, size_t length)
{
	if (!ring) {
		for (size_t i = 0; i < length && early_length < EARLY_SIZE; i++)
			early[early_length++] = text[i];
		return;
	}
	uint32_t at = (ring->start + ring->length) % LOG_RING_SIZE;

	logring_put(ring, text, length);
	if (at + length <= LOG_RING_SIZE)
		write_back(&ring->text[at], length);
	else
		write_back(ring->text, LOG_RING_SIZE);
	write_back(ring, offsetof(struct log_ring, text));
}

void log_force(void)
{
	forced = true;
}

void log_vprintf(const char *format, va_list ap)
{
	char line[512];
	int n = log_vsnprintf(line, sizeof(line), format, ap);
	size_t length = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;

	if (!forced)
		spinlock_take(&lock);
	keep(line, length);
	for (unsigned i = 0; i < SINK_MAX; i++) {
		if (sinks[i])
			sinks[i](line, length);
	}
	if (!forced)
		spinlock_release(&lock);
}

void log_printf(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_vprintf(format, ap);
	va_end(ap);
}

static void show_old(const char *line)
{
	for (unsigned i = 0; i < SINK_MAX; i++) {
		if (!sinks[i])
			continue;
		sinks[i](OLD, sizeof(OLD) - 1);
		sinks[i](line, strlen(line));
		sinks[i]("\n", 1);
	}
}

void log_keep_in(struct log_ring *memory)
{
	static char line[512];
	bool left = logring_valid(memory) && memory->length > 0;
	uint32_t pos = 0;

	if (left) {
		log_printf("Log of the run before this one%s:\n",
			   memory->length > SHOWN_SIZE ? " (its end)" : "");
		if (memory->length > SHOWN_SIZE) {
			pos = memory->length - SHOWN_SIZE;
			logring_line(memory, &pos, line,
				     sizeof(line)); /* most likely not a whole one */
		}
		while (logring_line(memory, &pos, line, sizeof(line)))
			show_old(line);
		log_printf("End of the log of the run before this one.\n");
	}
	logring_init(memory);
	ring = memory;
	keep(early, early_length);
}

uint32_t log_page(uint32_t pos, unsigned columns, unsigned rows,
		  void (*put)(const char *text, size_t length))
{
	static char line[512];
	unsigned used = 0;

	while (used < rows && logring_line(ring, &pos, line, sizeof(line))) {
		size_t n = strlen(line);

		put(line, n);
		put("\n", 1);
		used += (unsigned)(n / columns) + 1;
	}
	return pos < ring->length ? pos : 0;
}

void log_forget(void)
{
	memset(ring->signature, 0, sizeof(ring->signature));
	write_back(ring, sizeof(ring->signature));
}

void log_add_sink_quiet(void (*put)(const char *text, size_t length))
{
	for (unsigned i = 0; i < SINK_MAX; i++) {
		if (!sinks[i]) {
			sinks[i] = put;
			return;
		}
	}
}

void log_add_sink(void (*put)(const char *text, size_t length))
{
	log_add_sink_quiet(put);
	if (!ring)
		put(early, early_length);
	for (uint32_t k = 0; ring && k < ring->length; k++) {
		char c = logring_at(ring, k);

		put(&c, 1);
	}
}

void log_remove_sink(void (*put)(const char *text, size_t length))
{
	for (unsigned i = 0; i < SINK_MAX; i++) {
		if (sinks[i] == put)
			sinks[i] = NULL;
	}
}
