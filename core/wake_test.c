/* Wake-ups for tests: the debug image's VMM call test_wake. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef CONFIG_TEST_CALLS
#include "core/errno.h"
#include "core/string.h"
#include "core/thread.h"
#include "core/timer.h"
#include "core/vm/nmi.h"
#include "core/vm/vmcall.h"
#include "core/wake.h"
#include "core/x86/clock.h"
#include "core/x86/percpu.h"

#define STACK 8192
/* Lateness is counted in steps of STEP_US; the last entry has all that is later. */
#define STEP_US 100
#define STEPS   64

struct lateness {
	uint64_t count[STEPS], most, sum;
};

static struct wake wake;
static struct timer *timer;
static struct lateness late, gaps; /* of timer calls; between turns of the thread */
static uint64_t due, period, last;
static bool stop, alive; /* atomic */

static void note(struct lateness *l, uint64_t us)
{
	l->count[us / STEP_US < STEPS ? us / STEP_US : STEPS - 1]++;
	l->sum++;
	if (us > l->most)
		l->most = us;
}

static void called(void *arg)
{
	uint64_t now = clock_us();

	(void)arg;
	note(&late, now - due);
	due = now + period;
	timer_set(timer, period);
}

static void work(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint64_t now = clock_us();

		if (last)
			note(&gaps, now - last);
		last = now;
		schedule();
	}
	__atomic_store_n(&alive, false, __ATOMIC_RELEASE);
}

static uint64_t exits_of_all(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < cpu_count; i++) {
		const struct vcpu *v = &cpus[i]->vcpu;

		for (unsigned j = 0; j < sizeof(v->exit_count) / sizeof(v->exit_count[0]); j++)
			n += v->exit_count[j];
	}
	return n;
}

static int set_timer(uint64_t us)
{
	if (!timer)
		timer = timer_new(called, NULL);
	if (!timer)
		return -ENOMEM;
	period = us;
	due = clock_us() + us;
	return timer_set(timer, us);
}

/*
 * For tests. RBX: operation. RAX: 0, or an error number of include/core/errno.h.
 *  1 ask for a bound of RCX microseconds
 *  2 ask no more
 *  3 a timer every RCX microseconds; 0: none
 *  4 a thread that runs at each turn; again: it ends
 *  5 forget what was counted
 *  6 RCX = timer calls, RDX = the latest of them in microseconds
 *  7 the same of the time between turns of the thread
 *  8 RCX = how many timer calls were less than RCX microseconds late, in steps of 100
 *  9 the same of the thread
 * 10 RCX = exits of all CPUs
 * 11 RCX = wake-ups so far, RDX = 1 when one is armed
 * 12 two kicks of the boot CPU at once, for nothing: their NMIs become one
 */
static void call_test_wake(struct vcpu *v)
{
	uint64_t *rcx = &v->gpr[GPR_RCX], *rdx = &v->gpr[GPR_RDX], operation = v->gpr[GPR_RBX];
	const struct lateness *l = operation % 2 ? &gaps : &late;
	struct wake_report r;
	uint64_t n = 0;
	int err = 0;

	switch (operation) {
	case 1:
		err = wake_ask(&wake, *rcx);
		break;
	case 2:
		wake_end(&wake);
		break;
	case 3:
		if (*rcx)
			err = set_timer(*rcx);
		else if (timer)
			timer_cancel(timer);
		break;
	case 4:
		stop = alive;
		if (alive)
			break;
		alive = true;
		last = 0;
		err = thread_new(work, NULL, STACK, NULL);
		break;
	case 5:
		memset(&late, 0, sizeof(late));
		memset(&gaps, 0, sizeof(gaps));
		last = 0;
		break;
	case 6:
	case 7:
		*rcx = l->sum;
		*rdx = l->most;
		break;
	case 8:
	case 9:
		for (uint64_t i = 0; i < *rcx / STEP_US && i < STEPS; i++)
			n += l->count[i];
		*rcx = n;
		break;
	case 10:
		*rcx = exits_of_all();
		break;
	case 11:
		wake_report(&r);
		*rcx = r.wakes;
		*rdx = r.armed_us != UINT64_MAX;
		break;
	case 12:
		nmi_kick(0, KICK_NMI);
		nmi_kick(0, KICK_WAKE);
		break;
	default:
		err = -EINVAL;
		break;
	}
	v->gpr[GPR_RAX] = (uint64_t)-err;
}
VMCALL("test_wake", call_test_wake);
#else
typedef int wake_test_empty; /* ISO C wants a declaration */
#endif
