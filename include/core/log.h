/* The log: a ring in memory, and the sinks that show it: serial port, screen, firmware console. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_RING_SIZE 65536u
#define LOG_SIGNATURE "BitVisorLogRing1"

/* Lies page aligned in the region; the signature lets the next start find it after a warm reset. */
struct log_ring {
	char signature[16];
	uint32_t start; /* index of the oldest byte */
	uint32_t length; /* bytes held, at most LOG_RING_SIZE */
	char text[LOG_RING_SIZE];
};

/* Print; "\n" ends a line. Context: any CPU, not the NMI handler (panic excepted). Takes a lock. */
void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_vprintf(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));
/* From now on locks are ignored: a panicking CPU prints whatever the others do. */
void log_force(void);
/* Add a sink; bytes printed so far are replayed to it. Context: start-up. */
void log_add_sink(void (*put)(const char *text, size_t length));
void log_remove_sink(void (*put)(const char *text, size_t length));

/* C99 formatting: d i u x X p s c % with flags 0 - #, width, precision, l ll z h hh. Returns the full length. */
int log_vsnprintf(char *buffer, size_t size, const char *format, va_list ap) __attribute__((format(printf, 3, 0)));
int log_snprintf(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
