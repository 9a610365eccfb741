/* Threads for tests: the debug image's VMM call test_thread. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef CONFIG_TEST_CALLS
#include "core/errno.h"
#include "core/thread.h"
#include "core/vm/vmcall.h"
#include "core/x86/cpu.h"
#include "core/x86/clock.h"
#include "core/x86/percpu.h"

#define WORKERS 16
#define STACK   8192
#define WORDS   32

static struct worker {
	thread_t thread;
	bool alive; /* atomic */
	uint64_t turns, cpus, wrong;
} workers[WORKERS];
static bool stop; /* atomic */

/* Each turn: what is on the stack is still there, and this CPU is one that exists. */
static void work(void *arg)
{
	struct worker *w = arg;
	volatile uint64_t mine[WORDS];

	for (unsigned i = 0; i < WORDS; i++)
		mine[i] = (uintptr_t)w * (i + 1);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		const struct cpu *cpu = this_cpu();

		w->cpus |= UINT64_C(1) << cpu->index;
		if (cpus[cpu->index] != cpu || thread_self() != w->thread || cpu_current() != cpu)
			w->wrong++;
		for (unsigned i = 0; i < WORDS; i++)
			w->wrong += mine[i] != (uintptr_t)w * (i + 1);
		w->turns++;
		schedule();
	}
	__atomic_store_n(&w->alive, false, __ATOMIC_RELEASE);
}

static int start(uint64_t count)
{
	int err = count > WORKERS ? -EINVAL : 0;

	stop = false;
	for (uint64_t i = 0; i < count && !err; i++) {
		workers[i] = (struct worker){.alive = true};
		err = thread_new(work, &workers[i], STACK, &workers[i].thread);
	}
	return err;
}

static uint64_t alive(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		n += __atomic_load_n(&workers[i].alive, __ATOMIC_ACQUIRE);
	return n;
}

/* A thread that waits for what is given to it. */
static thread_t waiter;
static uint64_t given, done; /* given: atomic */

static bool is_given(void *arg)
{
	(void)arg;
	return __atomic_load_n(&given, __ATOMIC_RELAXED) != done;
}

static void wait_for_work(void *arg)
{
	for (;;) {
		thread_wait(is_given, arg);
		done++;
	}
}

static __attribute__((noinline)) void use_up_stack(void *arg)
{
	volatile uint8_t page[4000];

	page[0] = 0;
	if (arg) /* always */
		use_up_stack((void *)&page);
	page[1] = *(uint8_t *)arg; /* no tail call */
}

static void nothing(void)
{
}

static void after_exit(void)
{
	thread_after_exit();
}

/* TSC ticks of `n` calls. */
static uint64_t cost(uint64_t n, void (*function)(void))
{
	uint64_t start = rdtsc();

	for (uint64_t i = 0; i < n; i++) {
		__asm__ volatile("" : "+r"(function)); /* a call, and each time */
		function();
	}
	return rdtsc() - start;
}

/*
 * For tests. RBX: operation. RAX: 0, or an error number of include/core/errno.h.
 *  1 start RCX threads, each counts its turns
 *  2 thread RCX: RCX = turns, RDX = mask of the CPUs it ran on; RAX = faults that it saw
 *  3 stop them; RCX = how many have not ended yet
 *  4 schedule() without pause for RCX microseconds; RCX = calls
 *  5 take and release the queue's lock without pause for RCX microseconds; RCX = how often,
 *    RDX = longest wait in microseconds
 *  6 start a thread that waits
 *  7 give it work RCX times, and wake it each time; RCX = done so far, RDX = given so far
 *  8 use up a thread's stack
 *  9 longest turn of thread RCX so far: RCX = TSC ticks
 * 10 RCX = turns of the thread that has had fewest of the first RCX, RDX = most
 * 11 schedule() RCX times, and what each exit does instead RCX times: RCX, RDX = TSC ticks of all,
 *    without those of the loop
 */
static void call_test_thread(struct vcpu *v)
{
	uint64_t *rcx = &v->gpr[GPR_RCX], *rdx = &v->gpr[GPR_RDX];
	uint64_t end = clock_us() + *rcx, n = 0, longest = 0;
	struct worker *w = &workers[*rcx % WORKERS];
	struct thread_use use;
	int err = 0;

	switch (v->gpr[GPR_RBX]) {
	case 1:
		err = start(*rcx);
		break;
	case 2:
		*rcx = w->turns;
		*rdx = w->cpus;
		err = -(int)w->wrong;
		break;
	case 3:
		__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		*rcx = alive();
		break;
	case 4:
		for (; clock_us() < end; n++)
			schedule();
		*rcx = n;
		break;
	case 5:
		for (uint64_t now = clock_us(), got; now < end; now = clock_us(), n++) {
			spinlock_take(&thread_queue.lock);
			got = clock_us();
			spinlock_release(&thread_queue.lock);
			longest = got - now > longest ? got - now : longest;
		}
		*rcx = n;
		*rdx = longest;
		break;
	case 6:
		err = thread_new(wait_for_work, NULL, STACK, &waiter);
		break;
	case 7:
		for (; n < *rcx; n++) {
			__atomic_fetch_add(&given, 1, __ATOMIC_RELAXED);
			thread_wake(waiter);
		}
		*rcx = done;
		*rdx = __atomic_load_n(&given, __ATOMIC_RELAXED);
		break;
	case 8:
		err = thread_new(use_up_stack, &stop, THREAD_STACK_MAX, NULL);
		break;
	case 9:
		*rcx = thread_use(w->thread, &use) ? use.longest_tsc : 0;
		break;
	case 10:
		n = *rcx % (WORKERS + 1);
		*rcx = *rdx = workers[0].turns;
		for (uint64_t i = 1; i < n; i++) {
			*rcx = workers[i].turns < *rcx ? workers[i].turns : *rcx;
			*rdx = workers[i].turns > *rdx ? workers[i].turns : *rdx;
		}
		break;
	case 11:
		n = *rcx;
		*rcx = cost(n, schedule) - cost(n, nothing);
		*rdx = cost(n, after_exit) - cost(n, nothing);
		break;
	default:
		err = -EINVAL;
		break;
	}
	v->gpr[GPR_RAX] = (uint64_t)-err;
}
VMCALL("test_thread", call_test_thread);
#else
typedef int thread_test_empty; /* ISO C wants a declaration */
#endif
