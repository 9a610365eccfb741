/* NMIs of two CPUs to a third that reads a watched port all the while (bug class 24). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static uint16_t port;

static void turn(void)
{
	for (unsigned n = 0; n < 8; n++)
		inb(port);
}

GUEST_CASE(nmi_storm_port, "SDM 3A 6.7.1, APM 2 8.2.3", .cpus = 3)
{
	port = acpi_pm1_port();
	nmi_storm(1, turn);
}
