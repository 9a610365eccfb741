/* The log: a ring in memory, and the sinks that show it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/log.h"
#include "core/spinlock.h"
#include "core/string.h"

#define SINK_MAX 4

static struct log_ring ring __attribute__((aligned(4096), section(".data"))) = { .signature = LOG_SIGNATURE };
static void (*sinks[SINK_MAX])(const char *text, size_t length);
static struct spinlock lock;
static bool forced;

static void ring_put(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		ring.text[(ring.start + ring.length) % LOG_RING_SIZE] = text[i];
		if (ring.length < LOG_RING_SIZE)
			ring.length++;
		else
			ring.start = (ring.start + 1) % LOG_RING_SIZE;
	}
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
	ring_put(line, length);
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

void log_add_sink(void (*put)(const char *text, size_t length))
{
	for (unsigned i = 0; i < SINK_MAX; i++) {
		if (sinks[i])
			continue;
		sinks[i] = put;
		for (uint32_t k = 0; k < ring.length; k++)
			put(&ring.text[(ring.start + k) % LOG_RING_SIZE], 1);
		return;
	}
}

void log_remove_sink(void (*put)(const char *text, size_t length))
{
	for (unsigned i = 0; i < SINK_MAX; i++) {
		if (sinks[i] == put)
			sinks[i] = NULL;
	}
}
