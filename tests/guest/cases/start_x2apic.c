/*
 * INIT and start-up IPIs by the x2APIC's ICR: physical, logical and by shorthand, single and
 * double; to all, and to the sender itself, who runs on. A CPU cannot leave this mode but by
 * switching its APIC off, so this runs alone, with x2apic=1 (bug class 25).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ICR     0x830u
#define LOGICAL 0x800u
#define TO_SELF 0x40000u
#define TO_ALL  UINT32_MAX

static volatile uint32_t nmis;

static bool handler(struct frame *f)
{
	(void)f;
	nmis++;
	return true;
}

static void send(uint32_t destination, uint32_t low)
{
	wrmsr(ICR, (uint64_t)destination << 32 | low);
}

static void enable(void *arg)
{
	(void)arg;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | BIT(10));
}

static void restart(const char *how, unsigned rounds, uint32_t init_to, uint32_t init,
		    uint32_t sipi_to, uint32_t sipi)
{
	volatile struct cpu_state *s = cpu_state(1);
	uint32_t started = s->started;

	for (unsigned n = 0; n < rounds; n++) {
		send(init_to, init | APIC_ICR_INIT);
		/* Bochs forgets a SIPI that comes before the CPU has taken the INIT */
		CHECK(cpu_stands(1), "%s %u stands", how, n);
		send(sipi_to, sipi | APIC_ICR_SIPI | 8);
		if (n & 1)
			send(sipi_to, sipi | APIC_ICR_SIPI | 8);
		CHECK(cpu_wait_for(&s->started, started + n + 1), "%s %u starts", how, n);
		CHECK_EQ(s->start_cs, 0x800, "%s %u CS", how, n);
		CHECK(cpu_beats(1), "%s %u beats", how, n);
		CHECK_EQ(s->started, started + n + 1, "%s %u once", how, n);
	}
}

GUEST_CASE(start_x2apic, "SDM 3A 11.12.9, 11.12.10 and 9.4.3; APM 2 16.13", .cpus = 2)
{
	uint32_t started;

	if (!word_number("x2apic", 0))
		case_skip("runs with x2apic=1");
	if (!(cpuid(1, 0).ecx & BIT(21)))
		case_skip("no x2APIC");
	cpu_copy_start(0x8000);
	trap_set(VECTOR_NMI, handler);
	cpu_call(1, enable, NULL);
	enable(NULL);
	if (word_number("logical", 1)) /* the LDR is the APIC ID's; Bochs' stays 0, bare */
		restart("logical", 4, 2, LOGICAL, 2, LOGICAL);
	restart("physical", 4, 1, 0, 1, 0);
	restart("others", 4, 0, APIC_ICR_OTHERS, 0, APIC_ICR_OTHERS);
	restart("all", 4, 1, 0, TO_ALL, 0);
	started = cpu_state(1)->started;
	send(1, APIC_ICR_SIPI | 8);
	send(0, TO_SELF | APIC_ICR_SIPI | 8);
	send(4, LOGICAL | APIC_ICR_INIT); /* nobody */
	CHECK(cpu_beats(1), "not waiting");
	CHECK_EQ(cpu_state(1)->started, started, "not waiting: not started");
	send(1, APIC_ICR_INIT);
	CHECK(cpu_stands(1), "INIT");
	send(1, APIC_ICR_NMI);
	CHECK(cpu_stands(1), "NMI while it waits");
	send(1, APIC_ICR_SIPI | 8);
	CHECK(cpu_wait_for(&cpu_state(1)->started, started + 1), "late");
	CHECK(cpu_beats(1), "late beats");
	CHECK_EQ(nmis, 0, "no NMI");
	send(1, APIC_ICR_NMI);
	CHECK(cpu_wait_for(&nmis, 1), "NMI when it runs");
}
