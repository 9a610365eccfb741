/* The boot CPU's local APIC timer, shared by the guest and the VMM. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/apictimer.h"
#include "core/vm/startup.h"
#include "core/wake.h"
#include "core/x86/apic.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/trap.h"

#define NEVER        UINT64_MAX
#define MARGIN_US    20      /* what is armed is good enough when it comes so little later */
#define LONGEST_US   1000000 /* that is armed at once */
#define LOOK_US      10000   /* how often it is asked whether the timer can be had */
#define IDLE_US      20000   /* so long after the last wake-up the guest's accesses still exit */
#define MEASURE_US   2000
#define HZ_MIN       100000 /* slower ones are no good; as slow as that is none */
#define PAUSE_US     20     /* longer ones between two instructions spoil what is measured */
#define PAUSES_MAX   100
#define SENDS_US     500 /* so long after its end QEMU's timer has sent its interrupt */
#define VECTOR_FIRST 16  /* that an APIC sends */

/*
 * Of the APIC while the timer is shared. A vector that is the spurious one and is in service as
 * well is none that the manuals speak of, and Bochs does not end it. A spurious interrupt is not in
 * service, which tells it from one with this vector.
 */
#define OWN_SPURIOUS 0xefu

static bool shared;
static uint64_t hz;     /* of the timer, with the divisor `divide`; 0: not measured yet */
static uint32_t divide; /* divide configuration register */
static uint64_t look_us, used_us;

/* The guest's registers. */
static struct {
	uint32_t lvt, initial, svr;
	uint32_t left;     /* ticks, at left_us; 0: it has ended */
	uint32_t returned; /* what it was given back with, as initial count */
} guest;

static uint64_t left_us; /* when the timer was programmed last, or stopped */

/* What the timer counts to. */
static enum { NOTHING, GUESTS_END, WAKE } goal;
static uint32_t programmed; /* ticks */
static uint64_t end_us;
/* An interrupt of the guest's timer waited already when this was programmed for the guest. */
static bool waited;
/* It has sent the VMM's interrupt, or might have, and that has not been acknowledged. */
static bool owes;

static uint32_t ticks(uint64_t us)
{
	uint64_t n = (us < UINT32_MAX ? us : UINT32_MAX) * hz / 1000000 + 1;

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static uint32_t bit_of(unsigned first, unsigned vector)
{
	return apic_read(first + vector / 32 * 0x10) >> (vector % 32) & 1;
}

/* End the VMM's interrupt, if it is in service; the guest may have changed to x2APIC mode before it
 * was taken. */
static bool end_own(void)
{
	bool x2 = apic_is_x2apic();

	if (!(x2 ? rdmsr(MSR_X2APIC_ISR + VECTOR_WAKE / 32) >> VECTOR_WAKE % 32 & 1
		 : bit_of(APIC_ISR, VECTOR_WAKE)))
		return false;
	if (x2)
		wrmsr(MSR_X2APIC_EOI, 0);
	else
		apic_write(APIC_EOI, 0);
	return true;
}

/* ---- the timer itself ---- */

static void program(uint32_t lvt, uint32_t count)
{
	apic_write(APIC_LVT_TIMER, lvt);
	apic_write(APIC_TIMER_INITIAL, count);
	programmed = count;
	left_us = clock_us();
}

/* The guest's time has run out, and not by its own interrupt. */
static void send_end(void)
{
	uint32_t vector = guest.lvt & APIC_LVT_VECTOR;

	if (!(guest.lvt & APIC_LVT_MASKED) && vector >= VECTOR_FIRST && !bit_of(APIC_IRR, vector))
		apic_send_self(vector);
}

/* Its time goes on while the timer stands still. */
static void settle(void)
{
	uint64_t now = clock_us(), gone = (now - left_us) * hz / 1000000;

	left_us = now;
	if (!guest.left)
		return;
	guest.left = gone < guest.left ? guest.left - (uint32_t)gone : 0;
	if (!guest.left)
		send_end();
}

/*
 * The count of the guest's own time has ended, and it is not known whether its interrupt has been
 * sent: let it be. In QEMU, in real time, there is some time between the two, in which a timer that
 * is programmed forgets the interrupt. A CPU has none (SDM 3A 11.5.4).
 */
static void let_send(uint32_t lvt)
{
	uint64_t from = clock_us();

	while (!(lvt & APIC_LVT_MASKED) && !bit_of(APIC_IRR, lvt & APIC_LVT_VECTOR) &&
	       clock_us() - from < SENDS_US)
		cpu_pause();
}

/* What is left of the guest's time. */
static uint32_t guest_left(void)
{
	uint32_t count = apic_read(APIC_TIMER_CURRENT), past = programmed - count;

	if (guest.left == 0 || goal != WAKE)
		return guest.left ? count : 0;
	if (count == 0) {
		uint32_t by_clock = ticks(clock_us() - left_us);

		past = past > by_clock ? past : by_clock;
	}
	return past < guest.left ? guest.left - past : 0;
}

/*
 * Stop it. It sends nothing once it is masked; what the guest's time, when that has run out, has
 * sent before is seen in the APIC, or was acknowledged in apictimer_accept(). Else it is sent now.
 */
static void stop(void)
{
	uint32_t left;
	bool ended;

	apic_write(APIC_LVT_TIMER, (goal == WAKE ? VECTOR_WAKE : guest.lvt) | APIC_LVT_MASKED);
	left = guest_left();
	left_us = clock_us();
	ended = guest.left && !left;
	apic_write(APIC_TIMER_INITIAL, 0);
	guest.left = left;
	if (ended)
		send_end();
	if (goal == WAKE && bit_of(APIC_IRR, VECTOR_WAKE))
		owes = true;
	goal = NOTHING;
}

/* Count to what comes first. */
static void start(uint64_t us)
{
	settle();

	bool counts = guest.left && !(guest.lvt & APIC_LVT_MASKED);
	uint32_t wake = us == NEVER ? UINT32_MAX : ticks(us < LONGEST_US ? us : LONGEST_US);

	if (us == NEVER || owes || (counts && guest.left <= wake)) {
		waited = bit_of(APIC_IRR, guest.lvt & APIC_LVT_VECTOR);
		program(guest.lvt, guest.left);
		goal = guest.left ? GUESTS_END : NOTHING;
	} else {
		program(VECTOR_WAKE, wake);
		goal = WAKE;
		end_us = left_us + us;
	}
}

/* ---- whose it is ---- */

static bool can_share(void)
{
	uint32_t lint0, svr;

	if (!startup_apic_is_first())
		return false;
	svr = apic_read(APIC_SVR);
	lint0 = apic_read(APIC_LVT_LINT0);
	return svr & APIC_SVR_ENABLE && (svr & APIC_LVT_VECTOR) == VECTOR_WAKE &&
	       !(apic_read(APIC_LVT_TIMER) & APIC_LVT_TIMER_MODE) &&
	       (lint0 & APIC_LVT_MASKED || (lint0 & APIC_LVT_MODE) != APIC_LVT_EXTINT);
}

/* The guest's registers as they are; its time goes on. */
static void adopt(void)
{
	guest.svr = apic_read(APIC_SVR);
	apic_write(APIC_SVR, (guest.svr & ~APIC_LVT_VECTOR) | OWN_SPURIOUS);
	guest.lvt = apic_read(APIC_LVT_TIMER);
	guest.left = apic_read(APIC_TIMER_CURRENT);
	divide = apic_read(APIC_TIMER_DIVIDE);
	programmed = guest.left;
	left_us = clock_us();
	goal = guest.left ? GUESTS_END : NOTHING;
	waited = bit_of(APIC_IRR, guest.lvt & APIC_LVT_VECTOR);
}

/* The count and the time at once, whatever SMIs do. */
static uint32_t sample(uint64_t *us)
{
	for (unsigned n = 0;; n++) {
		uint64_t before = clock_us();
		uint32_t count = apic_read(APIC_TIMER_CURRENT);

		*us = clock_us();
		if (*us - before <= PAUSE_US || n == PAUSES_MAX)
			return count;
	}
}

/* How fast it counts, in an exit that takes longer than others once. */
static void measure(void)
{
	uint64_t from, to;
	uint32_t first, last;

	adopt();
	stop();
	program(APIC_LVT_MASKED, UINT32_MAX);
	goal = WAKE; /* which is never */
	first = sample(&from);
	do
		last = sample(&to);
	while (to - from < MEASURE_US);
	hz = (uint64_t)(first - last) * 1000000 / (to - from);
	stop();
	start(NEVER);
}

/*
 * Take the VMM's interrupt out of the APIC, so that it does not become the guest's. That cannot be
 * while one of its class is in service; then it is still owed.
 */
static void drain(void)
{
	uint32_t tpr = apic_read(APIC_TPR);

	if (!owes)
		return;
	apic_write(APIC_TPR, 0);
	if (trap_accept_interrupt() == VECTOR_WAKE && end_own())
		owes = false;
	apic_write(APIC_TPR, tpr);
}

static void give_back(void)
{
	stop();
	drain();
	apic_write(APIC_SVR, guest.svr);
	settle();
	program(guest.lvt, guest.left);
	guest.returned = guest.left;
	goal = NOTHING;
}

static bool take(void)
{
	uint32_t initial;

	if (!can_share() || startup_share(true) != 0)
		return false;
	if (!can_share()) { /* now that the guest cannot change it any more */
		startup_share(false);
		return false;
	}
	initial = apic_read(APIC_TIMER_INITIAL);
	if (initial && apic_read(APIC_TIMER_CURRENT) == 0)
		let_send(apic_read(APIC_LVT_TIMER));
	if (initial != guest.returned)
		guest.initial = initial;
	owes = owes && bit_of(APIC_IRR, VECTOR_WAKE);
	if (hz == 0 || divide != apic_read(APIC_TIMER_DIVIDE))
		measure();
	else
		adopt();
	shared = hz >= HZ_MIN;
	if (!shared) {
		give_back();
		startup_share(false);
	}
	return shared;
}

void apictimer_end(void)
{
	if (!shared)
		return;
	give_back();
	shared = false;
	startup_share(false);
}

void apictimer_forget(void)
{
	shared = owes = false;
	goal = NOTHING;
	guest.initial = guest.left = guest.returned = 0;
	startup_share(false);
}

bool apictimer_needs_exits(void)
{
	return shared || owes;
}

/* ---- waking ---- */

bool apictimer_wake(uint64_t us)
{
	uint64_t now = clock_us();
	uint32_t left;

	if (us == NEVER) {
		if (shared && now - used_us > IDLE_US)
			apictimer_end();
		else if (shared && goal == WAKE) {
			stop();
			start(NEVER);
		}
		return false;
	}
	if (!shared) {
		if (now < look_us)
			return false;
		look_us = now + LOOK_US;
		if (!take())
			return false;
	}
	used_us = now;
	if (owes || (goal == WAKE && now < end_us && end_us <= now + us + MARGIN_US))
		return true;
	left = guest_left();
	if (goal == GUESTS_END && !(guest.lvt & APIC_LVT_MASKED) && left && left <= ticks(us))
		return true;
	stop();
	start(us);
	return true;
}

int apictimer_accept(void)
{
	int vector;

	if (!shared && !owes)
		return APICTIMER_NOT_NOW;
	vector = trap_accept_interrupt();
	if (vector < 0)
		return APICTIMER_NONE;
	if (vector == VECTOR_WAKE && (owes || goal == WAKE) && end_own()) {
		owes = false;
		if (goal == WAKE) {
			stop();
			start(NEVER);
		}
		wake_came();
		return APICTIMER_NONE;
	}
	if (goal == GUESTS_END && (uint32_t)vector == (guest.lvt & APIC_LVT_VECTOR)) {
		if (apic_read(APIC_TIMER_CURRENT) == 0) {
			if (waited) /* this may be the one before */
				let_send(guest.lvt);
			guest.left = 0;
			goal = NOTHING;
		}
		waited = false;
	}
	if (shared && vector == OWN_SPURIOUS && !bit_of(APIC_ISR, OWN_SPURIOUS))
		return VECTOR_WAKE; /* the guest's spurious one; see can_share() */
	return vector;
}

/* ---- the guest's accesses ---- */

bool apictimer_load(uint32_t offset, uint32_t *value)
{
	if (!shared)
		return false;
	switch (offset) {
	case APIC_SVR:
		*value = guest.svr;
		return true;
	case APIC_LVT_TIMER:
		*value = guest.lvt;
		return true;
	case APIC_TIMER_INITIAL:
		*value = guest.initial;
		return true;
	case APIC_TIMER_CURRENT:
		*value = guest_left();
		return true;
	default:
		if (offset - APIC_IRR >= 0x80)
			return false;
		/* with interrupts off the VMM has not seen the end of the guest's time */
		if (goal == WAKE && guest.left && !guest_left()) {
			stop();
			start(NEVER);
		}
		*value = apic_read(offset);
		if (offset == APIC_IRR + VECTOR_WAKE / 32 * 0x10 && (owes || goal == WAKE))
			*value &= ~(1u << VECTOR_WAKE % 32);
		return true;
	}
}

bool apictimer_store(uint32_t offset, uint32_t value)
{
	if (!shared)
		return false;
	switch (offset) {
	case APIC_TIMER_INITIAL:
		stop();
		guest.initial = guest.left = value;
		left_us = clock_us();
		start(NEVER);
		return true;
	case APIC_SVR:
	case APIC_LVT_TIMER:
	case APIC_LVT_LINT0:
	case APIC_TIMER_DIVIDE:
		give_back();
		apic_write(offset, value);
		if (offset == APIC_LVT_TIMER && value & APIC_LVT_TIMER_MODE && guest.left)
			apic_write(APIC_TIMER_INITIAL, guest.initial); /* is its period */
		if (can_share() && apic_read(APIC_TIMER_DIVIDE) == divide) {
			adopt();
		} else {
			shared = false;
			startup_share(false);
		}
		return true;
	default:
		return false;
	}
}
