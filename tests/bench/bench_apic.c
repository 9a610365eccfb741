/* The local APIC's page: registers, and interrupts that this CPU sends itself. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"

#define SVR_ENABLE 0x1ffu
#define VECTOR     0x40u
#define TO_SELF    0x40000u

static bool taken(struct frame *f)
{
	(void)f;
	apic_write(APIC_EOI, 0);
	return true;
}

static inline void send_to_self(void)
{
	apic_write(APIC_ICR_LOW, TO_SELF | APIC_ICR_FIXED | VECTOR);
}

GUEST_CASE(bench_apic, "")
{
	apic_write(APIC_SVR, SVR_ENABLE);
	BENCH("apic-read", apic_read(APIC_ID));
	BENCH("apic-eoi", apic_write(APIC_EOI, 0));
	BENCH("apic-tpr", apic_write(APIC_TPR, 0));
	BENCH("apic-icr-self", send_to_self()); /* interrupts are off: it waits */
	trap_set(VECTOR, taken);
	BENCH("self-ipi", send_to_self(); __asm__ volatile("sti; nop; nop; cli" : : : "memory"));
	/* STI holds the interrupt back until HLT has begun (SDM 2B STI) */
	BENCH("hlt", send_to_self(); __asm__ volatile("sti; hlt; cli" : : : "memory"));
	trap_set(VECTOR, NULL);
}
