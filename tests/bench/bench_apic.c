/* The local APIC's page. Interrupts stay off: what is sent here waits for ever. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"

#define SVR_ENABLE 0x1ffu
#define VECTOR     0x40u
#define TO_SELF    0x40000u

GUEST_CASE(bench_apic, "")
{
	apic_write(APIC_SVR, SVR_ENABLE);
	BENCH("apic-read", apic_read(APIC_ID));
	BENCH("apic-eoi", apic_write(APIC_EOI, 0));
	BENCH("apic-tpr", apic_write(APIC_TPR, 0));
	BENCH("apic-icr-self", apic_write(APIC_ICR_LOW, TO_SELF | APIC_ICR_FIXED | VECTOR));
}
