/* Waking the VMM without the guest's help, while a service asks for it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/wake.h"
#include <stddef.h>
#include "core/errno.h"
#include "core/log.h"
#include "core/spinlock.h"
#include "core/thread.h"
#include "core/timer.h"
#include "core/vm/nmi.h"
#include "core/vmm_ops.h"
#include "core/x86/clock.h"
#include "core/x86/percpu.h"

#define WAKE_CPU 0
#define NEVER    UINT64_MAX
/* The boot CPU is told of an earlier time only when it is this much earlier. */
#define SLACK_US 20
#define SAID_MAX 32 /* lines in the log */
/* The timer is tried with wake-ups after TRIAL_US. One must come, not earlier than half of that,
 * before TRIAL_LATE_US are over. */
#define TRIAL_US      1000u
#define TRIAL_LATE_US 50000u

static struct spinlock lock; /* the plan; then the run queue's */
static struct wake_plan plan;
static uint64_t bound = NEVER;    /* atomic: the plan's */
static uint64_t armed_us = NEVER; /* atomic: the boot CPU wakes then, or earlier */

/* ---- how: the boot CPU's own, from here on ---- */

static const char *means = ""; /* what wakes it, in words */
static bool failed;            /* the timer */
static bool proven;
static uint64_t trial_us; /* when the trial of the timer began; 0: none is under way */
static uint64_t wakes;

/* A guest that makes it change again and again does not fill the log. */
static void say(const char *text)
{
	static unsigned said;

	if (text == means)
		return;
	means = text;
	if (said < SAID_MAX)
		log_printf("Wake-up: %s%s\n", text,
			   ++said < SAID_MAX ? "" : "; no more is said of that");
}

/* A timer that always has to come is tried. Where interrupts of the guest do as well, what comes
 * first is good. */
static void try_timer(uint64_t now)
{
	if (proven || failed)
		return;
	if (!vmm_ops->wake_is_timer) {
		proven = true;
	} else if (!trial_us) {
		trial_us = now;
	} else if (now - trial_us > TRIAL_LATE_US) {
		failed = true;
		trial_us = 0;
		say("only with exits of the guest, the preemption timer does not come");
	}
}

/* Wake the boot CPU, which runs this, at `due`. */
static void arm(struct vcpu *v, uint64_t due, uint64_t now)
{
	if (due == NEVER)
		trial_us = 0; /* it begins anew when there is something to wait for */
	else
		try_timer(now);
	if (due != NEVER && trial_us) {
		uint64_t first = trial_us + TRIAL_US, next = now + TRIAL_US / 4;

		next = now < first ? first : next;
		due = due < next ? due : next;
	}
	if (failed)
		due = NEVER;

	const char *by = vmm_ops->wake(v, due == NEVER ? NEVER : due > now ? due - now : 0);

	if (due != NEVER && proven)
		say(by);
	__atomic_store_n(&armed_us, due, __ATOMIC_RELAXED);
}

void wake_stop(void)
{
	arm(&this_cpu()->vcpu, NEVER, 0);
	if (vmm_ops->wake_end)
		vmm_ops->wake_end();
}

/* Nobody asks any more: as if nobody ever had. */
static void end(void)
{
	wake_stop();
	spinlock_take(&lock);
	if (wake_plan_bound(&plan) == NEVER)
		runqueue_ask(&thread_queue, RUNQUEUE_WAKE, false);
	spinlock_release(&lock);
}

/* ---- when ---- */

void wake_next(void)
{
	struct cpu *self = this_cpu();
	uint64_t now = clock_us(), limit = __atomic_load_n(&bound, __ATOMIC_RELAXED),
		 armed = __atomic_load_n(&armed_us, __ATOMIC_RELAXED),
		 due = wake_plan_due(now, limit, runqueue_queued(&thread_queue),
				     thread_waits_since(), timer_next());

	if (self->index == WAKE_CPU) {
		if (limit == NEVER)
			end();
		else
			arm(&self->vcpu, due, now);
	} else if ((limit == NEVER || (due < armed && armed - due > SLACK_US)) &&
		   cpus[WAKE_CPU]->vcpu.run_state == RUN_GUEST) {
		nmi_kick(WAKE_CPU, KICK_WAKE); /* it comes here */
	}
}

void wake_came(void)
{
	wakes++;
	if (trial_us && clock_us() - trial_us >= TRIAL_US / 2) {
		trial_us = 0;
		proven = true;
	}
}

/* ---- who asks ---- */

static void changed(void)
{
	__atomic_store_n(&bound, wake_plan_bound(&plan), __ATOMIC_RELAXED);
	runqueue_ask(&thread_queue, RUNQUEUE_WAKE, true); /* also to end: see wake_next() */
}

int wake_ask(struct wake *w, uint64_t bound_us)
{
	if (bound_us < WAKE_SHORTEST_US || bound_us == NEVER)
		return -EINVAL;
	spinlock_take(&lock);
	wake_plan_ask(&plan, w, bound_us);
	changed();
	spinlock_release(&lock);
	return 0;
}

void wake_end(struct wake *w)
{
	spinlock_take(&lock);
	if (wake_plan_end(&plan, w))
		changed();
	spinlock_release(&lock);
}

void wake_report(struct wake_report *r)
{
	*r = (struct wake_report){
	    .means = means,
	    .bound_us = __atomic_load_n(&bound, __ATOMIC_RELAXED),
	    .armed_us = __atomic_load_n(&armed_us, __ATOMIC_RELAXED),
	    .wakes = wakes,
	};
}
