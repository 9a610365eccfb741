/* NMIs of two CPUs to a third that writes its local APIC all the while, which may be watched (bug
 * class 24). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static void turn(void)
{
	for (unsigned n = 0; n < 8; n++)
		apic_write(APIC_TPR, 0);
}

GUEST_CASE(nmi_storm_apic, "SDM 3A 6.7.1, APM 2 8.2.3", .cpus = 3)
{
	nmi_storm(1, turn);
}
