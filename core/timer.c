/* Timers of the VMM: a function is called in the timer thread, at a time or later. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/timer.h"
#include <stddef.h>
#include "core/mm/pages.h"
#include "core/spinlock.h"
#include "core/thread.h"
#include "core/timer_list.h"
#include "core/x86/clock.h"

#define TIMER_STACK (16 * 1024)

struct timer {
	struct timer_link link; /* first: the list has these */
	void (*function)(void *);
	void *arg;
	struct timer *next_free;
	bool freed; /* while it was called */
};

static struct spinlock lock;      /* all below; then the run queue's */
static struct spinlock make_lock; /* one CPU makes the thread; outermost */
static struct timer_list list;
static struct timer *free_timers, *called;
static uint64_t next_due = UINT64_MAX; /* atomic: the list's, for a look without the lock */
static thread_t timer_thread;          /* atomic */

/* The list has changed. Context: lock. */
static void changed(void)
{
	uint64_t due = timer_list_due(&list);
	bool was_set = next_due != UINT64_MAX;

	__atomic_store_n(&next_due, due, __ATOMIC_RELAXED);
	if (was_set != (due != UINT64_MAX))
		runqueue_ask(&thread_queue, RUNQUEUE_POLL, due != UINT64_MAX);
}

static void release(struct timer *t)
{
	t->next_free = free_timers;
	free_timers = t;
}

struct timer *timer_new(void (*function)(void *arg), void *arg)
{
	struct timer *t, *page = NULL;

	spinlock_take(&lock);
	if (!free_timers)
		page = pages_alloc(1, PAGE_SIZE); /* kept for ever: there are few */
	for (size_t i = 0; page && i < PAGE_SIZE / sizeof(*page); i++)
		release(&page[i]);
	t = free_timers;
	if (t) {
		free_timers = t->next_free;
		*t = (struct timer){.function = function, .arg = arg};
	}
	spinlock_release(&lock);
	return t;
}

/* One timer that is due is called: a turn. True: there was one. */
static bool call_one(void)
{
	uint64_t now = clock_us();

	spinlock_take(&lock);
	/* struct timer_link is first in struct timer */
	struct timer *t = (struct timer *)(void *)timer_list_take(&list, now);

	called = t;
	changed();
	spinlock_release(&lock);
	if (!t)
		return false;
	t->function(t->arg);
	spinlock_take(&lock);
	called = NULL;
	if (t->freed)
		release(t);
	spinlock_release(&lock);
	return true;
}

static void run(void *arg)
{
	(void)arg;
	for (;;) {
		thread_will_stop();
		/* a timer that comes to be due behind this wakes it: see timer_look() */
		if (__atomic_load_n(&next_due, __ATOMIC_RELAXED) <= clock_us()) {
			thread_stay();
			call_one();
		}
		schedule();
	}
}

static int need_thread(void)
{
	thread_t made = 0;
	int err = 0;

	if (__atomic_load_n(&timer_thread, __ATOMIC_ACQUIRE))
		return 0;
	spinlock_take(&make_lock);
	if (!timer_thread) {
		err = thread_new(run, NULL, TIMER_STACK, &made);
		__atomic_store_n(&timer_thread, made, __ATOMIC_RELEASE);
	}
	spinlock_release(&make_lock);
	return err;
}

int timer_set(struct timer *t, uint64_t us)
{
	uint64_t due = clock_us() + us;
	int err = need_thread();

	if (err)
		return err;
	if (due < us || due == UINT64_MAX)
		due = UINT64_MAX - 1;
	spinlock_take(&lock);
	timer_list_remove(&list, &t->link);
	timer_list_add(&list, &t->link, due);
	changed();
	spinlock_release(&lock);
	return 0;
}

bool timer_cancel(struct timer *t)
{
	spinlock_take(&lock);
	bool was_set = timer_list_remove(&list, &t->link);

	changed();
	spinlock_release(&lock);
	return was_set;
}

void timer_free(struct timer *t)
{
	spinlock_take(&lock);
	timer_list_remove(&list, &t->link);
	changed();
	if (t == called)
		t->freed = true;
	else
		release(t);
	spinlock_release(&lock);
}

void timer_look(void)
{
	if (__atomic_load_n(&next_due, __ATOMIC_RELAXED) <= clock_us())
		thread_wake(__atomic_load_n(&timer_thread, __ATOMIC_ACQUIRE));
}

uint64_t timer_next(void)
{
	return __atomic_load_n(&next_due, __ATOMIC_RELAXED);
}

bool timer_thread_exists(void)
{
	return __atomic_load_n(&timer_thread, __ATOMIC_ACQUIRE) != 0;
}
