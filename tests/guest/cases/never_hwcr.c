/*
 * HWCR: SMM lock, the meaning of INVD, and the speed of the CPU's clocks stay the machine's; what
 * is an operating system's own business in it may change.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(never_hwcr, "APM 2 appendix A (HWCR), 3.2.10")
{
	static const struct msr_range list[] = {
	    {0xc0010015, 0xc0010015, 0x846040400},
	    {0xc0010022, 0xc0010022, 0},
	    {0x13c, 0x13c, 0},
	    {0x2e0, 0x2e0, 0},
	    {0xc80, 0xc80, 0},
	};

	msr_never(list, sizeof(list) / sizeof(list[0]));
}
