/* Threads of the VMM: cooperative, on any CPU, in the time between an exit and the next entry. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/runqueue.h"

/*
 * The contract of a thread:
 * - It runs only while the guest's CPU has exited, for one turn: from where schedule() returns to
 *   where it is called next. Then the guest goes on, and the next exit of whatever CPU gives the
 *   next thread its turn. A turn is 50,000 instructions at most; longer work is cut into pieces.
 *   Nothing interrupts a turn but NMIs and machine checks.
 * - Behind schedule() the CPU may be another one. What belongs to a CPU (this_cpu(), a window of
 *   vmmap_window(), registers of the guest) does not live across it, and no lock is held across it.
 * - It never touches the guest's registers: the exit of this CPU is done with, others run.
 * - Without exits no thread runs. A guest that is idle, or one that causes no exits, stops them,
 *   unless a service asks to be woken (core/wake.h). CPUID and other exits that are kept lean give
 *   no turns.
 */

/* Names a thread for its whole life and never another one. 0: none. */
typedef uint32_t thread_t;

#define THREAD_MAX       RUNQUEUE_SLOTS
#define THREAD_STACK_MAX (40 * 1024u)

/*
 * A new thread calls function(arg) and ends when that returns. `stack`: bytes, rounded up to pages,
 * THREAD_STACK_MAX at most; below it is a guard page. 0, -EINVAL, -ENOMEM (no page), -ENOSPC
 * (THREAD_MAX threads). `thread` may be NULL. Memory of stacks is kept for later threads. Context:
 * any CPU, start-up (then it runs behind the guest's first exit) and threads; takes locks.
 */
int thread_new(void (*function)(void *), void *arg, size_t stack, thread_t *thread);
/* The calling thread ends. Context: thread. */
_Noreturn void thread_exit(void);
/* The calling thread; 0 when a CPU's own code runs. Context: any. */
thread_t thread_self(void);

/*
 * In a thread: let the guest and the other threads run, come back for the next turn, or not before
 * thread_wake() when thread_will_stop() was called. In a CPU's own code: give the thread that has
 * waited longest one turn, if there is one. Context: thread, or exit handler; no lock held.
 */
void schedule(void);

/*
 * Waiting, so that no wake-up is lost:
 *	thread_will_stop();
 *	if (what is waited for is there)
 *		thread_stay();
 *	schedule();
 * Context: thread.
 */
void thread_will_stop(void);
void thread_stay(void);
/* The same in one: returns when ready(arg) is true. Context: thread. */
void thread_wait(bool (*ready)(void *arg), void *arg);
/*
 * Let a thread that has stopped, or is about to, go on. What the caller wrote before, the thread
 * sees. Returns false when it runs anyway, or has ended. Context: any CPU but the NMI handler.
 */
bool thread_wake(thread_t thread);

extern struct runqueue thread_queue;

/* At the end of an exit: one load and one branch when there is nothing to do. Context: exit. */
static inline void thread_after_exit(void)
{
	if (__builtin_expect(runqueue_has_work(&thread_queue), 0))
		schedule();
}

/* The wake-ups that a service asks for are armed, as behind a turn. Context: boot CPU's own code.
 */
void thread_arm(void);

/*
 * From when the thread that has waited longest waits, by clock_us(): its last turn began then, or
 * it was made to run. 0: from before somebody asked for wake-ups; UINT64_MAX: none waits. Context:
 * a CPU's own code.
 */
uint64_t thread_waits_since(void);

/* How much a thread has run: for tests and reports. False: there is no such thread. */
struct thread_use {
	uint64_t turns;
	uint64_t longest_tsc; /* its longest turn */
	size_t stack;         /* bytes */
};
bool thread_use(thread_t thread, struct thread_use *use);

/* True when `sp` lies in a thread's stack block; *cpu is then who runs it. Context: any, panic. */
struct cpu;
bool thread_stack_of(uint64_t sp, struct cpu **cpu, uint64_t *bottom, uint64_t *top);
