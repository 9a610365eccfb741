/* Time in microseconds, and delays. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/clock.h"
#include "core/acpi/fadt.h"
#include "core/cas.h"
#include "core/clock_count.h"
#include "core/initcall.h"
#include "core/log.h"
#include "core/mm/vmmap.h"
#include "core/spinlock.h"
#include "core/start.h"
#include "core/x86/cpu.h"
#include "core/x86/hpet.h"
#include "core/x86/percpu.h"

/* 8254 (data sheet): channel 2, gated by port 61h bit 0, output readable at bit 5. */
#define PIT_HZ      1193182u
#define PIT_CH2     0x42
#define PIT_COMMAND 0x43
#define PORT_61     0x61
#define GATE2       1
#define SPEAKER     2
#define OUT2        0x20

#define PM_TIMER_HZ      3579545u  /* ACPI 6.5, 4.8.3.3 */
#define INVARIANT_TSC    (1u << 8) /* CPUID 80000007h, EDX */
#define WAKE_LOOK_US     100       /* some hundred ticks */
#define STATED_TOLERANCE 64        /* 1 / 64 of the measured frequency */

static uint64_t tsc_hz = 1000000000, tsc_factor; /* until measured */
static uint64_t tsc_start, start_us;             /* at the TSC's `tsc_start` it was `start_us` */
static bool tsc_written;                         /* the guest has moved the TSC of some CPU */
static uint64_t newest; /* atomic: what clock_us() has said, where the TSC is the source */

/* Where it is not: the counter that is, and how it is read. */
static uint64_t (*read_counter)(void);
static struct clock_counter counter; /* under counter_lock */
static unsigned counter_bits;
static struct spinlock counter_lock;
static const char *source = "TSC, not known to be invariant";
static uint16_t pm_timer_port;
static const struct hpet_block *hpet;

static uint64_t measure_by_pit(void)
{
	const uint32_t us = 20000;
	uint32_t count = (uint32_t)((uint64_t)PIT_HZ * us / 1000000);
	uint8_t old = inb(PORT_61);

	outb(PORT_61, (uint8_t)((old & ~SPEAKER) | GATE2));
	outb(PIT_COMMAND, 0xb0); /* channel 2, low then high byte, mode 0 */
	outb(PIT_CH2, (uint8_t)count);
	outb(PIT_CH2, (uint8_t)(count >> 8));
	uint64_t start = rdtsc();

	while (!(inb(PORT_61) & OUT2)) {
		if (rdtsc() - start > UINT64_C(2000000000)) /* no PIT: more than 0.4 s at 5 GHz */
			break;
	}
	uint64_t ticks = rdtsc() - start;

	outb(PORT_61, old);
	return ticks * 1000000 / us;
}

static uint64_t stated_by_cpu(void)
{
	struct cpuid_regs r;

	if (!cpu_is_intel() || cpuid(0, 0).eax < 0x15)
		return 0;
	r = cpuid(0x15, 0);
	return clock_stated_hz(r.eax, r.ebx, r.ecx);
}

void clock_init(void)
{
	uint64_t stated = stated_by_cpu(), difference;

	tsc_hz = measure_by_pit();
	if (tsc_hz < 2000000)
		tsc_hz = 2000000;
	difference = stated > tsc_hz ? stated - tsc_hz : tsc_hz - stated;
	if (difference < tsc_hz / STATED_TOLERANCE)
		tsc_hz = stated;
	tsc_factor = clock_factor(tsc_hz);
	tsc_start = rdtsc();
}

uint64_t clock_tsc_hz(void)
{
	return tsc_hz;
}

const char *clock_source(void)
{
	return source;
}

/* ---- counters beside the TSC ---- */

static uint64_t read_pm_timer(void)
{
	return inl(pm_timer_port);
}

static uint64_t read_hpet(void)
{
	return hpet_counter(hpet);
}

static const void *acpi_named(const char *signature, uint32_t *len)
{
	uint64_t pa;

	if (!start_acpi() || acpi_find(start_acpi(), signature, 0, &pa, len) != 0)
		return NULL;
	return acpi_table(start_acpi(), pa, signature, len);
}

static bool has_pm_timer(unsigned *bits)
{
	struct fadt fadt;
	uint32_t len;
	const void *table = acpi_named("FACP", &len);

	if (!table || fadt_parse(table, len, &fadt) != 0 || !fadt.pm_tmr_bits ||
	    fadt.pm_tmr.space != ACPI_SPACE_IO || fadt.pm_tmr.address > 0xffff)
		return false;
	pm_timer_port = (uint16_t)fadt.pm_tmr.address;
	*bits = fadt.pm_tmr_bits;
	return true;
}

static void use(const char *name, uint64_t (*read)(void), unsigned bits, uint64_t hz,
		bool guest_writes)
{
	uint64_t now = clock_us();

	counter_bits = bits;
	clock_counter_init(&counter, bits, hz, guest_writes, tsc_hz, read(), rdtsc(), now);
	read_counter = read;
	source = name;
}

/*
 * The PM timer before the HPET: it cannot be written, while the HPET is the guest's, and Linux sets
 * its counter to 0 as it starts.
 */
static int clock_choose(void)
{
	unsigned bits;

	if (cpuid(0x80000000u, 0).eax >= 0x80000007u && (cpuid(0x80000007u, 0).edx & INVARIANT_TSC))
		source = "invariant TSC";
	else if (has_pm_timer(&bits))
		use("ACPI PM timer", read_pm_timer, bits, PM_TIMER_HZ, false);
	else if ((hpet = hpet_find()) != NULL && hpet_runs(hpet))
		use("HPET", read_hpet, hpet->is_64 ? 64 : 32, hpet->hz, true);
	log_printf("Clock: %s\n", source);
	return 0;
}
INITCALL(INITCALL_PLATFORM, clock_choose);

/* ---- time ---- */

/* The TSC without what the guest has written to it. */
static uint64_t own_tsc(void)
{
	uint64_t tsc = rdtsc();

	/* this_cpu() is asked only when guests have run: before, the stack may lead nowhere */
	return __atomic_load_n(&tsc_written, __ATOMIC_RELAXED) ? tsc - this_cpu()->tsc_moved : tsc;
}

void clock_tsc_moved(uint64_t ticks)
{
	this_cpu()->tsc_moved += ticks;
	__atomic_store_n(&tsc_written, true, __ATOMIC_RELAXED);
}

uint64_t clock_rough_us(void)
{
	return start_us + clock_ticks_us(tsc_factor, own_tsc() - tsc_start);
}

uint64_t clock_us(void)
{
	uint64_t now, said;

	if (read_counter) {
		spinlock_take(&counter_lock);
		now = read_counter();
		now = clock_counter_us(&counter, now, own_tsc());
		spinlock_release(&counter_lock);
		return now;
	}
	now = clock_rough_us();
	said = __atomic_load_n(&newest, __ATOMIC_RELAXED);
	do {
		if (now <= said) /* another CPU's TSC is ahead */
			return said;
	} while (cas64(&newest, &said, now));
	return now;
}

static uint64_t asleep_us;

void clock_sleep(void)
{
	asleep_us = clock_us();
}

void clock_wake(void)
{
	/* all TSCs begin anew, without what guests have added */
	__atomic_store_n(&tsc_written, false, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < cpu_count; i++)
		cpus[i]->tsc_moved = 0;
	tsc_start = rdtsc();
	start_us = asleep_us;
	if (!read_counter)
		return;
	uint64_t raw = read_counter(), now = rdtsc();

	clock_delay_us(WAKE_LOOK_US);
	/* one that stands still, as the PM timer of q35 with SeaBIOS, is not to be believed alone
	 */
	clock_counter_init(&counter, counter_bits, counter.hz,
			   counter.guest_writes || read_counter() == raw, tsc_hz, raw, now,
			   asleep_us);
}

void clock_delay_us(uint64_t us)
{
	uint64_t start = rdtsc(), ticks = us * (tsc_hz / 1000) / 1000;

	while (rdtsc() - start < ticks)
		cpu_pause();
}
