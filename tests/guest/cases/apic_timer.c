/*
 * The local APIC's timer: it ends in time, sends one interrupt for each time that it was started,
 * and its registers read as they were written. With the word calls=1 the VMM wants to run all the
 * while, for which it shares the timer where nothing else wakes it; it has to in time where time is
 * what instructions take (counted=1), in MWAIT (mwait=1) and with interrupts off (off=1), too, and
 * no NMI that the guest sends itself meanwhile is lost or comes twice (bug classes 18, 24 and 29).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define MCG_STATUS 0x17au /* of 4: MCIP */
#define LVT        0x320u
#define LINT0      0x350u
#define INITIAL    0x380u
#define CURRENT    0x390u
#define DIVIDE     0x3e0u
#define IRR        0x200u
#define BY_1       0xbu
#define BY_16      3u
#define MASKED     0x10000u
#define PERIODIC   0x20000u
#define VECTOR     0x51u
#define OTHER      0x61u
#define SPURIOUS   0xffu
#define ROUNDS     300u
#define LONG       2000u /* times SPAN: does not end here */

/* Operations of test_wake. */
enum {
	ASK = 1,
	END = 2,
	TIMER = 3,
	THREAD = 4,
	FORGET = 5,
	CALLS = 6,
	TURNS = 7,
	CALLS_WITHIN = 8,
	TURNS_WITHIN = 9,
	WAKES = 11
};

static volatile uint32_t timers, others, spurious, nmis;
static uint64_t number; /* of the VMM's call; 0: it is not asked to wake */

#define SPAN UINT64_C(1000000) /* of the TSC */

static uint32_t span; /* in it the timer counts so many, by 1 */

static uint64_t call(uint64_t operation, uint64_t rcx)
{
	uint64_t value = rcx;

	return vmm_call(number, operation, &value, 0) ? UINT64_MAX : value;
}

static bool on_timer(struct frame *f)
{
	(void)f;
	timers++;
	apic_write(APIC_EOI, 0);
	return true;
}

static bool on_other(struct frame *f)
{
	(void)f;
	others++;
	apic_write(APIC_EOI, 0);
	return true;
}

static bool on_nmi(struct frame *f)
{
	(void)f;
	nmis++;
	return true;
}

static bool on_spurious(struct frame *f)
{
	(void)f;
	spurious++;
	return true;
}

static void start(uint32_t lvt, uint32_t count)
{
	timers = 0;
	apic_write(LVT, lvt);
	apic_write(INITIAL, count);
}

/* Interrupts on for so long. */
static void run(uint64_t tsc)
{
	uint64_t from = rdtsc();

	__asm__ volatile("sti" : : : "memory");
	while (rdtsc() - from < tsc)
		cpu_relax();
	__asm__ volatile("cli" : : : "memory");
}

static void spin(uint64_t tsc)
{
	uint64_t from = rdtsc();

	while (rdtsc() - from < tsc)
		cpu_relax();
}

/* Interrupts on until *count is `n`, for LONG at most; and some time more, for what comes behind.
 */
static void await(const volatile uint32_t *count, uint32_t n)
{
	uint64_t from = rdtsc();

	__asm__ volatile("sti" : : : "memory");
	while (*count < n && rdtsc() - from < LONG * SPAN)
		cpu_relax();
	__asm__ volatile("cli" : : : "memory");
	run(2 * SPAN);
}

static bool requested(unsigned vector)
{
	return apic_read(IRR + vector / 32 * 0x10) >> (vector % 32) & 1;
}

/* Both clocks at about the same time, whatever the host does between two instructions. */
static void both(uint64_t *tsc, uint32_t *count)
{
	do {
		*tsc = rdtsc();
		*count = apic_read(CURRENT);
	} while (rdtsc() - *tsc > SPAN / 20);
}

/* With interrupts off, until one waits; the host of an emulator may let it be late. */
static void ends(void)
{
	uint64_t from = rdtsc();

	spin(2 * SPAN);
	while (!requested(VECTOR) && rdtsc() - from < LONG * SPAN)
		cpu_relax();
}

static void measure(void)
{
	uint64_t from, to;
	uint32_t first, last;

	start(MASKED | VECTOR, 0xffffffff);
	both(&from, &first);
	spin(20 * SPAN);
	both(&to, &last);
	span = (uint32_t)((first - last) * SPAN / (to - from));
	apic_write(INITIAL, 0);
}

/* How long a count takes, against the TSC. */
static void in_time(void)
{
	for (unsigned n = 1; n <= 8; n++) {
		uint64_t from = rdtsc(), took;

		start(VECTOR, n * span);
		__asm__ volatile("sti" : : : "memory");
		for (took = 0; !timers && took < LONG * SPAN; took = rdtsc() - from)
			cpu_relax();
		__asm__ volatile("cli" : : : "memory");
		CHECK(took >= n * SPAN - n * SPAN / 50 - SPAN / 20, "%u: not early", n);
		CHECK_EQ(apic_read(CURRENT), 0, "%u: has ended", n);
		run(2 * SPAN);
		CHECK_EQ(timers, 1, "%u: once", n);
	}
}

static void registers(void)
{
	uint32_t last, now, wrong = 0;

	start(VECTOR, LONG * span);
	CHECK_EQ(apic_read(INITIAL), LONG * span, "initial count");
	CHECK_EQ(apic_read(LVT), VECTOR, "LVT");
	CHECK_EQ(apic_read(DIVIDE), BY_1, "divide");
	last = apic_read(CURRENT);
	wrong += last > LONG * span;
	for (unsigned n = 0; n < 200; n++) {
		now = apic_read(CURRENT);
		wrong += now > last;
		last = now;
		run(SPAN / 20);
	}
	CHECK_EQ(wrong, 0, "current count");
	CHECK(last <= (LONG - 9) * span, "it has counted");
	CHECK_EQ(timers, 0, "before the end");
	start(MASKED | VECTOR, span);
	run(4 * SPAN);
	CHECK_EQ(timers, 0, "masked");
	CHECK_EQ(apic_read(CURRENT), 0, "masked, the end");
	CHECK_EQ(apic_read(LVT), MASKED | VECTOR, "masked LVT");
	CHECK_EQ(apic_read(INITIAL), span, "initial count at the end");
	start(VECTOR, LONG * span);
	apic_write(INITIAL, 0);
	CHECK_EQ(apic_read(CURRENT), 0, "stopped");
	run(4 * SPAN);
	CHECK_EQ(timers, 0, "stopped, no interrupt");
	start(VECTOR, LONG * span);
	apic_write(INITIAL, span);
	await(&timers, 1);
	CHECK_EQ(timers, 1, "started again");
	start(VECTOR, 50 * span);
	apic_write(LVT, OTHER);
	others = 0;
	await(&others, 1);
	CHECK_EQ(timers, 0, "the old vector");
	CHECK_EQ(others, 1, "another vector while it counts");
}

static void interrupts_off(void)
{
	static const uint8_t low[] = {0x12, 0x13, 0x16, 0x1f}; /* of exceptions, or reserved */

	start(VECTOR, span);
	ends();
	CHECK(requested(VECTOR), "waits");
	CHECK(!requested(SPURIOUS), "nothing else waits");
	CHECK_EQ(timers, 0, "not taken");
	run(2 * SPAN);
	CHECK_EQ(timers, 1, "taken");
	start(VECTOR, span);
	ends();
	apic_write(INITIAL, LONG * span); /* the old one's interrupt waits still */
	run(2 * SPAN);
	CHECK_EQ(timers, 1, "the old one");
	apic_write(INITIAL, span);
	await(&timers, 2);
	CHECK_EQ(timers, 2, "and the new one");
	/* a vector of a machine check is none, though the guest says that it handles one */
	__asm__ volatile(TRY("wrmsr") : : "a"(4), "c"(MCG_STATUS), "d"(0) : "memory");
	tried();
	for (unsigned n = 0; n < sizeof(low) / sizeof(low[0]); n++) {
		others = 0;
		trap_set(low[n], on_other);
		apic_send(0, APIC_ICR_FIXED | low[n]);
		await(&others, 1);
		CHECK_EQ(others, 1, "vector %u", low[n]);
	}
	__asm__ volatile(TRY("wrmsr") : : "a"(0), "c"(MCG_STATUS), "d"(0) : "memory");
	tried();
}

static void other_modes(void)
{
	uint64_t from;

	start(VECTOR | PERIODIC, span);
	await(&timers, 20);
	CHECK(timers >= 20, "periodic");
	CHECK_EQ(apic_read(LVT), VECTOR | PERIODIC, "LVT, periodic");
	apic_write(INITIAL, 0);
	run(SPAN); /* one may wait */
	apic_write(DIVIDE, BY_16);
	from = rdtsc();
	start(VECTOR, span);
	await(&timers, 1);
	CHECK(rdtsc() - from >= 15 * SPAN, "by 16, not early");
	CHECK_EQ(timers, 1, "by 16");
	apic_write(DIVIDE, BY_1);
	start(VECTOR, 2 * span);
	apic_write(APIC_SVR, 0x1e0 | 0xf);
	await(&timers, 1);
	CHECK_EQ(timers, 1, "another spurious vector");
	start(VECTOR, LONG * span);
	apic_write(APIC_SVR, SPURIOUS); /* off */
	CHECK_EQ(apic_read(LVT), MASKED | VECTOR, "switched off");
	apic_write(INITIAL, 0);
	apic_write(APIC_SVR, 0x100 | SPURIOUS);
}

/* Many, with messages to itself between them. */
static void rate(void)
{
	uint32_t lost = 0, random = 1;

	others = 0;
	for (unsigned n = 0; n < ROUNDS; n++) {
		random = random * 1664525 + 1013904223;
		start(VECTOR, 1 + random % (span / 4));
		if (n % 3)
			apic_send(0, APIC_ICR_FIXED | OTHER);
		if (n % 2)
			run(SPAN / 8);
		else
			while (!timers)
				__asm__ volatile("sti; hlt; cli" : : : "memory");
		if (n % 7 == 0 || !timers)
			await(&timers, 1);
		lost += timers != 1;
	}
	CHECK_EQ(lost, 0, "one for each start");
	CHECK_EQ(others, ROUNDS / 3 * 2, "messages");
}

/*
 * NMIs to itself, more than 10 us apart, with interrupts off, on, and in HLT: each comes once, at
 * once, and no other, whatever interrupts come meanwhile.
 */
static void nonmaskable(void)
{
	uint32_t wrong = 0, random = 1;

	nmis = 0;
	for (unsigned n = 0; n < ROUNDS; n++) {
		uint32_t before = nmis;

		random = random * 1664525 + 1013904223;
		start(VECTOR, 1 + random % (span / 4));
		apic_send(0, APIC_ICR_NMI);
		if (n % 3 == 0)
			spin(SPAN / 100 + (random >> 8) % (SPAN / 10));
		else if (n % 3 == 1)
			run(SPAN / 100 + (random >> 8) % (SPAN / 10));
		else
			while (!timers)
				__asm__ volatile("sti; hlt; cli" : : : "memory");
		spin(SPAN / 50);
		wrong += nmis != before + 1;
	}
	CHECK_EQ(wrong, 0, "one NMI for each sent");
	run(4 * SPAN);
	CHECK_EQ(nmis, ROUNDS, "NMIs");
}

/* What a guest does while the VMM wants to run: for WHILE, until the timer. */
#define WHILE 20u

static void computes(void)
{
	await(&timers, 1);
}

static void halts(void)
{
	while (!timers)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static void waits_deep(void)
{
	while (!timers)
		__asm__ volatile("monitor; mov %1, %%eax; sti; mwait; cli"
				 :
				 : "a"(&timers), "i"(0x60), "c"(0), "d"(0) /* a hint: C7 */
				 : "memory");
}

static void computes_uninterrupted(void)
{
	spin((WHILE + 1) * SPAN);
	await(&timers, 1);
}

static const struct doing {
	const char *name;
	void (*work)(void);
	const char *word; /* needed */
} idle[] = {{"computes", computes, "counted"},
	    {"in HLT", halts, "counted"},
	    {"in MWAIT", waits_deep, "mwait"},
	    {"with interrupts off", computes_uninterrupted, "off"}};

/* The VMM's timer is called and its thread has its turns, both within the bound. */
static void vmm_in_time(const struct doing *d, uint64_t bound)
{
	uint64_t calls, calls_within, turns, turns_within;

	if (!word_number(d->word, 0))
		return;
	call(FORGET, 0);
	start(VECTOR, WHILE * span);
	d->work();
	call(TIMER, 0); /* both stand still */
	call(THREAD, 0);
	run(5 * SPAN);
	calls_within = call(CALLS_WITHIN, bound < 1000 ? 1000 : bound);
	calls = call(CALLS, 0);
	turns_within = call(TURNS_WITHIN, bound < 1000 ? 1000 : bound);
	turns = call(TURNS, 0);
	CHECK(calls >= 20, "%s: the VMM runs", d->name);
	CHECK_EQ(calls_within, calls, "%s: in time", d->name);
	CHECK(turns >= 20, "%s: its thread runs", d->name);
	CHECK_EQ(turns_within, turns, "%s: its thread in time", d->name);
	call(TIMER, bound);
	call(THREAD, 0);
}

GUEST_CASE(apic_timer, "SDM 3A 11.5.1 and 11.5.4, APM 2 16.4.1")
{
	uint32_t lint0 = apic_read(LINT0);
	uint64_t bound = word_number("bound", 100); /* microseconds */
	uint64_t wakes = 0;

	number = 0;
	spurious = 0;
	trap_set(VECTOR, on_timer);
	trap_set(OTHER, on_other);
	trap_set(VECTOR_NMI, on_nmi);
	trap_set(SPURIOUS, on_spurious);
	apic_write(APIC_SVR, 0x100 | SPURIOUS);
	apic_write(APIC_TPR, 0);
	apic_write(LINT0, lint0 | MASKED);
	apic_write(DIVIDE, BY_1);
	measure();
	CHECK(span > 1000, "it counts");
	if (word_number("calls", 0)) {
		uint64_t nothing = 0;

		number = vmm_call(0, (uintptr_t) "test_wake", &nothing, 0);
		CHECK(number, "the VMM's call");
		CHECK_EQ(call(ASK, bound), bound, "asked");
		call(TIMER, bound);
		call(THREAD, 0);
		run(50 * SPAN); /* it is tried, or measured */
		wakes = call(WAKES, 0);
		CHECK(wakes, "wakes");
	}
	in_time();
	registers();
	interrupts_off();
	rate();
	nonmaskable();
	if (number) {
		call(FORGET, 0);
		run(50 * SPAN);
		CHECK(call(CALLS, 0) >= 20, "the VMM runs meanwhile");
		CHECK(call(WAKES, 0) - wakes >= 20, "by wake-ups");
	}
	for (unsigned n = 0; number && n < sizeof(idle) / sizeof(idle[0]); n++)
		vmm_in_time(&idle[n], bound);
	other_modes();
	in_time();
	if (number) {
		call(TIMER, 0);
		call(THREAD, 0);
		call(END, 0);
		run(50 * SPAN);
		in_time();
	}
	CHECK_EQ(spurious, 0, "spurious interrupts");
	apic_write(LVT, MASKED);
	apic_write(LINT0, lint0);
}
