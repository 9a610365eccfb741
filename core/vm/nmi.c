/* NMI ownership: the VMM takes every NMI, finds its cause, and gives the guest what is the guest's.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/nmi.h"
#include "core/boot.h"
#include "core/cas.h"
#include "core/errno.h"
#include "core/panic.h"
#include "core/string.h"
#include "core/thread.h"
#include "core/vm/handover.h"
#include "core/vm/startup.h"
#include "core/vm/sysmsr.h"
#include "core/vm/emulate.h"
#include "core/vmm_ops.h"
#include "core/x86/apic.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

#define STOP_TIMEOUT_US 100000

/*
 * A kick sets its bits before it sends its NMI. NMIs on their way to a CPU are counted, and each
 * NMI that is seen there claims one before any goes to the guest, so a kick never becomes an NMI
 * that the guest did not get. NMIs merge in the hardware, so a claim may be left over; it is given
 * up, else it would swallow an NMI of the guest's (is_claimed_nmi_here()).
 */
static struct {
	uint32_t sent;    /* atomic; kicks whose NMI is or will be on its way */
	uint32_t landed;  /* atomic; those of them that the sender's local APIC has sent */
	uint32_t claimed; /* those that an NMI was taken for; the target's own */
} kicks_under_way[BOOT_MAX_CPUS];

/* An NMI that has left its sender's local APIC reaches its target sooner. */
#define FLIGHT_US 10

/* Devices of the VMM's own whose interrupts are NMIs; all go to the boot CPU. */
#define SOURCE_MAX 64
#define SOURCE_CPU 0

static struct {
	enum nmi_cause (*look)(void *arg);
	void *arg;
} sources[SOURCE_MAX];
static unsigned source_count;

/* NMIs that are explained before they are seen: the boot CPU's own. They expire. */
#define EARLY_EXPIRES_US 1000000

static struct {
	uint32_t count;
	uint64_t last_us;
} early;

/* When a cause was ended whose NMI has not been seen; 0: none. Atomic. */
static uint64_t gone_us;

/* Looks at the sources in one exit. A device that interrupts all the time gets no more. */
#define LOOKS_MAX 4

int nmi_add_source(enum nmi_cause (*look)(void *arg), void *arg)
{
	if (source_count == SOURCE_MAX)
		return -ENOSPC;
	sources[source_count].look = look;
	sources[source_count++].arg = arg;
	return 0;
}

void nmi_cause_gone(void)
{
	__atomic_store_n(&gone_us, clock_us() | 1, __ATOMIC_RELEASE);
}

static bool has_sources(void)
{
	return this_cpu()->index == SOURCE_CPU && source_count;
}

static bool served; /* the boot CPU's own: has a look found something, lately? */

/* Serve the devices of the VMM's own, after `seen` NMIs; true: one of them had a cause. */
static bool look_at_sources(uint32_t seen)
{
	bool found = false;
	uint32_t to_come = 0;

	for (unsigned i = 0; has_sources() && i < source_count; i++) {
		enum nmi_cause cause = sources[i].look(sources[i].arg);

		found = found || cause != NMI_NO_CAUSE;
		to_come += cause == NMI_MAY_COME;
	}
	if (to_come > seen) {
		early.count += to_come - seen;
		early.last_us = clock_us();
	}
	if (found)
		served = true;
	return found;
}

/* One NMI without a cause: is it known why? */
static bool claim_early(void)
{
	uint64_t since;

	if (!has_sources())
		return false;
	if (early.count && clock_us() - early.last_us > EARLY_EXPIRES_US)
		early.count = 0;
	if (early.count) {
		early.count--;
		return true;
	}
	since = __atomic_exchange_n(&gone_us, 0, __ATOMIC_ACQUIRE);
	return since && clock_us() <= since + EARLY_EXPIRES_US;
}

void nmi_host(void)
{
	struct vcpu *v = &this_cpu()->vcpu;

	__atomic_fetch_add(&v->host_nmi, 1, __ATOMIC_RELAXED);
	if (v->active && vmm_ops->force_exit)
		vmm_ops->force_exit(v);
	if (__atomic_load_n(&v->kick, __ATOMIC_RELAXED) & KICK_STOP)
		panic_stop();
}

void nmi_host_machine_check(void)
{
	struct vcpu *v = &this_cpu()->vcpu;

	v->mc_pending = 1;
	if (v->active && vmm_ops->force_exit)
		vmm_ops->force_exit(v);
}

/* Requests to flush so far. A CPU notes which it has seen before it flushes: requests may overlap.
 */
static uint32_t flushes_wanted; /* atomic */

void nmi_flush_self(struct vcpu *v)
{
	uint32_t wanted = __atomic_load_n(&flushes_wanted, __ATOMIC_SEQ_CST);

	vmm_ops->flush(v);
	__atomic_store_n(&v->flushes_done, wanted, __ATOMIC_RELEASE);
}

/*
 * Two kicks stay. What KICK_STARTUP stands for waits for startup_check(), until no lock is held;
 * KICK_SYSMSR for sysmsr_release(): this may be a thread's turn still.
 */
#define KICKS_THAT_STAY ((uint32_t)KICK_STARTUP | KICK_SYSMSR)

void nmi_take_kicks(struct vcpu *v)
{
	uint32_t kicks = __atomic_load_n(&v->kick, __ATOMIC_RELAXED);

	if (kicks == 0)
		return;
	kicks = __atomic_exchange_n(&v->kick, 0, __ATOMIC_SEQ_CST);
	if (kicks & KICKS_THAT_STAY)
		__atomic_fetch_or(&v->kick, kicks & KICKS_THAT_STAY, __ATOMIC_SEQ_CST);
	if (kicks & KICK_STOP)
		panic_stop();
	if (kicks & KICK_RETIRE)
		vcpu_retire(v);
	if (kicks & KICK_FLUSH) {
		nmi_flush_self(v);
	}
}

/* Claim one NMI for a kick that was sent to this CPU. */
static bool claim_kick(uint32_t index)
{
	uint32_t sent = __atomic_load_n(&kicks_under_way[index].sent, __ATOMIC_ACQUIRE);

	if (kicks_under_way[index].claimed == sent)
		return false;
	kicks_under_way[index].claimed++;
	return true;
}

/*
 * A device has sent an NMI, and a kick may have been taken for its cause: the claims of those that
 * have not landed yet stand, for theirs come later.
 */
static void give_claims_back(uint32_t index)
{
	uint32_t landed = __atomic_load_n(&kicks_under_way[index].landed, __ATOMIC_ACQUIRE);

	if ((int32_t)(kicks_under_way[index].claimed - landed) > 0)
		kicks_under_way[index].claimed = landed;
}

/*
 * A kick's work is done, and its NMI has not been seen: it comes now, when NMIs may, and the answer
 * is true. Or it has become one with another, which is certain when it has been sent and none
 * comes: its claim is given up. Rare: where two kicks meet, and where the work was seen before the
 * NMI. tests/spin/nmi_claims.pml is a model of this.
 */
static bool is_claimed_nmi_here(struct vcpu *v)
{
	static const uint32_t at_once = 1;
	uint32_t index = this_cpu()->index,
		 sent = __atomic_load_n(&kicks_under_way[index].sent, __ATOMIC_ACQUIRE);
	uint64_t landed_us = 0, now = 0; /* 0: not seen to have landed */

	/* behind work that has just been asked for an NMI comes, and this again */
	if (kicks_under_way[index].claimed == sent ||
	    __atomic_load_n(&v->kick, __ATOMIC_RELAXED) & ~KICKS_THAT_STAY)
		return false;
	do {
		/* the time first: an SMI may take long, and NMIs wait for its end */
		if (landed_us)
			now = clock_rough_us();
		else if (__atomic_load_n(&kicks_under_way[index].landed, __ATOMIC_ACQUIRE) == sent)
			now = landed_us = clock_rough_us() | 1;
		else
			cpu_pause(); /* lets the sender go on; later it would only be slow */
		vmm_ops->wait(v, &at_once);
		if (__atomic_load_n(&v->host_nmi, __ATOMIC_RELAXED))
			return true;
		if (__atomic_load_n(&kicks_under_way[index].sent, __ATOMIC_ACQUIRE) != sent)
			return false;
	} while (now < landed_us + FLIGHT_US);
	kicks_under_way[index].claimed = sent;
	return false;
}

void nmi_forget(struct vcpu *v)
{
	static const uint32_t at_once = 1;
	uint32_t index = this_cpu()->index, sent;
	bool landed;

	do {
		sent = __atomic_load_n(&kicks_under_way[index].sent, __ATOMIC_ACQUIRE);
		landed = __atomic_load_n(&kicks_under_way[index].landed, __ATOMIC_ACQUIRE) == sent;
		vmm_ops->wait(v, &at_once); /* NMIs that have landed are taken here */
	} while (!landed ||
		 __atomic_load_n(&kicks_under_way[index].sent, __ATOMIC_ACQUIRE) != sent);
	kicks_under_way[index].claimed = sent;
	look_at_sources(0);
	early.count = 0;
	__atomic_store_n(&v->host_nmi, 0, __ATOMIC_RELAXED);
}

/* Make the coming entry exit at once. */
static void come_back(struct vcpu *v)
{
	if (vmm_ops->force_exit)
		vmm_ops->force_exit(v);
	else
		nmi_kick(this_cpu()->index, KICK_NMI);
}

/*
 * Take the NMIs that have come, and serve their causes; returns how many are the guest's.
 *
 * A look at a device serves all causes that it has by then, be they told by one NMI or by several,
 * and what it has told by then has landed (NMI_CAUSE). So behind a look that found something NMIs
 * that have landed are taken, and explained by it as those before it are; from then on an NMI
 * without a cause is the guest's again. Only one of the guest's that coincides is lost.
 */
static uint32_t take(struct vcpu *v, uint32_t seen)
{
	static const uint32_t at_once = 1;
	bool found = false, before;

	for (unsigned i = 0; i < LOOKS_MAX; i++) {
		seen += __atomic_exchange_n(&v->host_nmi, 0, __ATOMIC_ACQ_REL);
		nmi_take_kicks(v);
		while (seen && claim_kick(this_cpu()->index))
			seen--;
		before = found;
		found = look_at_sources(seen);
		while (seen && !found && claim_early())
			seen--;
		if (found || before)
			seen = 0;
		if (!found)
			return seen;
		give_claims_back(this_cpu()->index);
		vmm_ops->wait(v, &at_once);
		if (!__atomic_load_n(&v->host_nmi, __ATOMIC_RELAXED))
			return seen;
	}
	early.count += __atomic_load_n(&v->host_nmi, __ATOMIC_RELAXED);
	early.last_us = clock_us();
	come_back(v);
	return seen;
}

void nmi_wake(void)
{
	memset(kicks_under_way, 0, sizeof(kicks_under_way));
	memset(&early, 0, sizeof(early));
}

void nmi_exit(struct vcpu *v, bool from_guest)
{
	struct event first;
	uint32_t guests;

	sysmsr_release(v);
	guests = take(v, from_guest ? 1 : 0);
	while (is_claimed_nmi_here(v))
		guests += take(v, 0);

	if (v->mc_pending && vmm_ops->pending_event(v, &first)) {
		/* no part of its delivery: it goes first, and the CPU comes back right behind it */
		come_back(v);
	} else if (v->mc_pending) {
		v->mc_pending = 0;
		emulate_exception(v, VECTOR_MC, 0);
	}
	if (guests || v->nmi_pending)
		vmm_ops->inject_nmi(v);
}

void nmi_before_entry(struct vcpu *v)
{
	bool boot = this_cpu()->index == SOURCE_CPU;

	if (boot)
		served = false;
	nmi_exit(v, false);
	if (boot && served && runqueue_has_work(&thread_queue))
		come_back(v);
}

void nmi_kick(uint32_t index, uint32_t kicks)
{
	struct cpu *c = cpus[index];

	uint32_t before = __atomic_load_n(&c->vcpu.kick, __ATOMIC_RELAXED);

	while (cas32(&c->vcpu.kick, &before, before | kicks))
		;
	if (before & kicks & ~(uint32_t)KICK_STOP)
		return; /* the same is already under way */
	__atomic_fetch_add(&kicks_under_way[index].sent, 1, __ATOMIC_RELEASE);
	apic_send_nmi(c->apic_id);
	__atomic_fetch_add(&kicks_under_way[index].landed, 1, __ATOMIC_RELEASE);
}

/* Does CPU `index` run guest code with nested translations of its own? */
static bool may_hold_translations(uint32_t index)
{
	const struct vcpu *v = &cpus[index]->vcpu;

	return __atomic_load_n(&v->active, __ATOMIC_ACQUIRE) && !startup_waits_in_cpu(v);
}

void nmi_flush_all(void)
{
	struct cpu *self = cpu_current(); /* NULL during start-up: then no CPU is active */
	uint32_t mine = __atomic_add_fetch(&flushes_wanted, 1, __ATOMIC_SEQ_CST);

	for (uint32_t i = 0; i < cpu_count; i++) {
		if (!may_hold_translations(i))
			continue;
		if (cpus[i] == self) {
			nmi_flush_self(&self->vcpu);
			continue;
		}
		nmi_kick(i, KICK_FLUSH);
	}
	for (uint32_t i = 0; i < cpu_count; i++) {
		if (cpus[i] == self)
			continue;
		while (may_hold_translations(i) &&
		       (int32_t)(__atomic_load_n(&cpus[i]->vcpu.flushes_done, __ATOMIC_ACQUIRE) -
				 mine) < 0) {
			nmi_take_kicks(&self->vcpu); /* the other one may be waiting for this one */
			cpu_pause();
		}
	}
}

void nmi_stop_others(void)
{
	const struct cpu *self = cpu_current();

	for (uint32_t i = 0; i < cpu_count; i++) {
		if (cpus[i] != self && __atomic_load_n(&cpus[i]->online, __ATOMIC_ACQUIRE) == 1)
			nmi_kick(i, KICK_STOP);
	}
}

void nmi_stop_wait(void)
{
	const struct cpu *self = cpu_current();

	for (uint32_t i = 0; i < cpu_count; i++) {
		if (cpus[i] == self || __atomic_load_n(&cpus[i]->online, __ATOMIC_ACQUIRE) != 1)
			continue;
		for (unsigned us = 0;
		     us < STOP_TIMEOUT_US && !__atomic_load_n(&cpus[i]->stopped, __ATOMIC_ACQUIRE);
		     us += 100)
			clock_delay_us(100);
	}
}
