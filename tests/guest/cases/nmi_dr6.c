/*
 * A guest whose DR6 holds causes, from before or because it has written them, takes NMIs: no debug
 * exception comes of it, and DR6 stays. The VMM steps over the IRET of the NMI's handler.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static volatile uint32_t nmis;

static bool on_nmi(struct frame *f)
{
	(void)f;
	nmis++;
	return true;
}

GUEST_CASE(nmi_dr6, "SDM 3B 18.2.3, APM 2 13.1.1.3")
{
	static const uint64_t values[] = {1, 0xf, BIT(14), 0x400f};

	trap_set(VECTOR_NMI, on_nmi);
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint64_t dr6 = DR6_CLEAR | values[i];
		uint32_t before = nmis;

		write_dr6(dr6);
		apic_send(0, APIC_ICR_NMI);
		for (unsigned n = 0; n < 1000000 && nmis == before; n++)
			cpu_relax();
		CHECK_EQ(nmis, before + 1, "NMI %u", i);
		CHECK_EQ(read_dr6(), dr6, "DR6 %u", i);
	}
	write_dr6(DR6_CLEAR);
}
