/* NMIs of two CPUs to a third that exits all the while by the leanest exit there is (bug class 24).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static void turn(void)
{
	for (unsigned n = 0; n < 8; n++)
		cpuid(0, 0);
}

GUEST_CASE(nmi_storm_cpuid, "SDM 3A 6.7.1, APM 2 8.2.3", .cpus = 3)
{
	nmi_storm(1, turn);
}
