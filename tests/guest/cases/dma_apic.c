/* DMA to where CPUs have their APIC: what a device writes there is a message or nothing, never a
 * register; a CPU's ICR, TPR and base stay, nobody is started, and a fixed message is an interrupt
 * (bug class 35). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/edu.h"

static volatile uint32_t seen;

static bool handler(struct frame *f)
{
	(void)f;
	seen++;
	apic_write(APIC_EOI, 0);
	return true;
}

GUEST_CASE(dma_apic, "SDM 3A 11.11.1, APM 2 16.3", .cpus = 2)
{
	unsigned last = cpu_count() - 1;
	uint32_t started = cpu_state(last)->started;

	edu_find();
	trap_set(0x71, handler);
	seen = 0;
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_TPR, 0x20);
	apic_write(APIC_ICR_HIGH, 0x5a000000);
	edu_dma_write(ADDRESS + APIC_TPR, 0xf0);
	CHECK_EQ(apic_read(APIC_TPR), 0x20, "TPR");
	apic_write(APIC_TPR, 0);
	edu_dma_write(ADDRESS + APIC_ICR_HIGH, last << 24);
	CHECK_EQ(apic_read(APIC_ICR_HIGH), 0x5a000000, "ICR");
	edu_dma_write(ADDRESS + APIC_ICR_LOW, APIC_ICR_INIT | APIC_ICR_OTHERS);
	CHECK(cpu_beats(last), "INIT into the ICR");
	CHECK_EQ(cpu_state(last)->started, started, "not started");
	edu_dma_write(ADDRESS, 0x71);
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	CHECK_EQ(seen, 1, "message");
}
