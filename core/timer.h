/* Timers of the VMM: a function is called in the timer thread, at a time or later. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * A callback is one turn of a thread, with that contract (core/thread.h): short, no lock kept, it
 * may set, cancel and free timers, its own among them, and call schedule(). Callbacks run one after
 * the other. They run at exits: when none comes, they are late, unless a service asks to be woken
 * (core/wake.h). The timer thread is made by the first timer_set(). While no timer is set, timers
 * cost nothing; while one is, each exit that is not lean reads the clock.
 */
struct timer;

/* A timer that is not set. NULL: out of memory. Context: any CPU, start-up, threads; takes locks.
 */
struct timer *timer_new(void (*function)(void *arg), void *arg);
/*
 * Call the function once, `us` microseconds from now or later; a timer that is set is set anew. 0,
 * or an error of thread_new() when the timer thread cannot be made. Context: as timer_new().
 */
int timer_set(struct timer *t, uint64_t us);
/*
 * Do not call it. True: it was set, and will not be called. False: it was not set, or is being
 * called now. Context: as timer_new().
 */
bool timer_cancel(struct timer *t);
/* Cancel and forget; when it is being called, behind that. Context: as timer_new(). */
void timer_free(struct timer *t);

/* From schedule(): wake the timer thread when a timer is due. Context: a CPU's own code. */
void timer_look(void);
/* When the earliest is due, by clock_us(); UINT64_MAX: none is set. Context: any. */
uint64_t timer_next(void);
/* Is there a timer thread? For tests. */
bool timer_thread_exists(void);
