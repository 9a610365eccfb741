/* Timers and the clock for tests: the debug image's VMM call test_timer. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef CONFIG_TEST_CALLS
#include "core/errno.h"
#include "core/spinlock.h"
#include "core/timer.h"
#include "core/vm/msr.h"
#include "core/vm/vmcall.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"

#define TIMERS 4

static struct test {
	struct timer *timer;
	uint64_t due, period, calls, early, latest;
} tests[TIMERS];

static void called(void *arg)
{
	struct test *t = arg;
	uint64_t now = clock_us();

	t->calls++;
	if (now < t->due)
		t->early++;
	else if (now - t->due > t->latest)
		t->latest = now - t->due;
	if (t->period) {
		t->due = now + t->period;
		timer_set(t->timer, t->period);
	}
}

static int set(struct test *t, uint64_t us, uint64_t period)
{
	if (!t->timer)
		t->timer = timer_new(called, t);
	if (!t->timer)
		return -ENOMEM;
	t->due = clock_us() + us;
	t->period = period;
	t->calls = t->early = t->latest = 0;
	return timer_set(t->timer, us);
}

/* Looks at the clock that must be in order although all CPUs look. */
static uint64_t backwards(uint64_t times)
{
	static struct spinlock lock;
	static uint64_t last;
	uint64_t wrong = 0;

	while (times--) {
		spinlock_take(&lock);
		uint64_t now = clock_us();

		wrong += now < last;
		last = now;
		spinlock_release(&lock);
	}
	return wrong;
}

/* The guest's WRMSR of its TSC, by `ticks` ahead. */
static void move_tsc(struct vcpu *v, uint64_t ticks)
{
	uint64_t value = rdtsc() + ticks;

	v->gpr[GPR_RCX] = MSR_TSC;
	v->gpr[GPR_RAX] = (uint32_t)value;
	v->gpr[GPR_RDX] = value >> 32;
	msr_write(v);
}

/*
 * For tests. RBX: operation, bits 7:0; timer 0 to 3, bits 15:8. RAX: 0, or an error number of
 * include/core/errno.h.
 *  1 set the timer: RCX microseconds from now, then each RDX (0: once)
 *  2 RCX = calls since, RDX = the most microseconds that one was late; RAX = calls that were early
 *  3 cancel it; RCX = 1 if it was set
 *  4 free it
 *  5 RCX = the clock, RDX = 1 if there is a timer thread
 *  6 look at the clock RCX times; RCX = how often it went back
 *  7 write this CPU's TSC as the guest would: RCX ticks ahead
 */
static void call_test_timer(struct vcpu *v)
{
	uint64_t *rcx = &v->gpr[GPR_RCX], *rdx = &v->gpr[GPR_RDX];
	struct test *t = &tests[v->gpr[GPR_RBX] >> 8 & (TIMERS - 1)];
	int err = 0;

	switch (v->gpr[GPR_RBX] & 0xff) {
	case 1:
		err = set(t, *rcx, *rdx);
		break;
	case 2:
		*rcx = t->calls;
		*rdx = t->latest;
		err = -(int)t->early;
		break;
	case 3:
		t->period = 0;
		*rcx = t->timer && timer_cancel(t->timer);
		break;
	case 4:
		if (t->timer)
			timer_free(t->timer);
		t->timer = NULL;
		break;
	case 5:
		*rcx = clock_us();
		*rdx = timer_thread_exists();
		break;
	case 6:
		*rcx = backwards(*rcx);
		break;
	case 7:
		move_tsc(v, *rcx);
		break;
	default:
		err = -EINVAL;
		break;
	}
	v->gpr[GPR_RAX] = (uint64_t)-err;
}
VMCALL("test_timer", call_test_timer);
#else
typedef int timer_test_empty; /* ISO C wants a declaration */
#endif
