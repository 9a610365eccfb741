/*
 * INIT and start-up IPIs by logical destinations, flat and in clusters: just the CPUs that are
 * named start again, whatever the VMM knows of their LDR and DFR (bug class 25).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define LOGICAL 0x800u
#define FLAT    0xffffffffu
#define CLUSTER 0x0fffffffu

static uint32_t format;

static void name_self(void *arg)
{
	(void)arg;
	apic_write(APIC_DFR, format);
	apic_write(APIC_LDR, (format == FLAT ? 1u << cpu_index() : 0x10u | 1u << cpu_index())
				 << 24);
}

static void restart(uint32_t destination, uint32_t who, const char *how)
{
	uint32_t before[CPUS_MAX];

	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		/* INIT has cleared the names of those that were started */
		cpu_call(cpu, name_self, NULL);
		before[cpu] = cpu_state(cpu)->started;
	}
	apic_send(destination, LOGICAL | APIC_ICR_INIT);
	apic_send(destination, LOGICAL | APIC_ICR_SIPI | 8); /* they have no name any more */
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		apic_send(cpu, APIC_ICR_SIPI | 8);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		bool named = who >> cpu & 1;

		CHECK(cpu_wait_for(&cpu_state(cpu)->started, before[cpu] + named), "%s: CPU %u",
		      how, cpu);
		cpu_call(cpu, name_self, NULL); /* it runs */
		CHECK_EQ(cpu_state(cpu)->started, before[cpu] + named, "%s: CPU %u once", how, cpu);
	}
}

GUEST_CASE(startup_logical, "SDM 3A 11.6.2.2, APM 2 16.6.1", .cpus = 2)
{
	cpu_copy_start(0x8000);
	format = FLAT;
	name_self(NULL);
	restart(2, 2, "flat one");
	restart(0xfe, 0xfe, "flat all others");
	restart(0x80, 0, "flat none");
	format = CLUSTER;
	name_self(NULL);
	restart(0x12, 2, "cluster one");
	restart(0x1e, 0xe, "cluster all others");
	restart(0x2e, 0, "another cluster");
	format = FLAT;
	name_self(NULL);
}
