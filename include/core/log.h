/* The log: a ring in memory, and the sinks that show it: serial port, screen, firmware console. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

/* Print; "\n" ends a line. Context: any CPU, not the NMI handler (panic excepted). Takes a lock. */
void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_vprintf(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));
/* From now on locks are ignored: a panicking CPU prints whatever the others do. */
void log_force(void);
struct log_ring;
/*
 * Keep the log in `memory`, LOG_RING_PAGES pages at the end of the VMM's region, from now on. If a
 * run before a warm reset left its log there, that is shown first, each line after "| ", and is
 * then forgotten: it is shown once. It is shown however that run ended, because the VMM does not
 * see most resets. Context: start-up, once.
 */
void log_keep_in(struct log_ring *memory);
/*
 * Show lines of the log from byte `pos` (0: the oldest) on, as many as fit on `rows` of `columns`.
 * Returns where to go on, 0 behind the last line. Context: start-up, after log_keep_in().
 */
uint32_t log_page(uint32_t pos, unsigned columns, unsigned rows,
		  void (*put)(const char *text, size_t length));
/* Nothing started: let no later start take this log for one of a run. Context: as log_keep_in(),
 * after it. */
void log_forget(void);
/* Add a sink; what was printed so far is replayed to it (before log_keep_in() its first 8 KiB).
 * Context: start-up. */
void log_add_sink(void (*put)(const char *text, size_t length));
/* The same without what was printed so far. Context: start-up, or a panic. */
void log_add_sink_quiet(void (*put)(const char *text, size_t length));
void log_remove_sink(void (*put)(const char *text, size_t length));

/* C99 formatting: d i u x X p s c % with flags 0 - #, width, precision, l ll z h hh. Returns the
 * full length. */
int log_vsnprintf(char *buffer, size_t size, const char *format, va_list ap)
    __attribute__((format(printf, 3, 0)));
int log_snprintf(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
