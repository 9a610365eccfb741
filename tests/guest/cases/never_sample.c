/*
 * Sampling units that write to memory or would show the VMM's addresses: debug store, PEBS, IBS.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(never_sample, "SDM 3B 20.6.2, SDM 3B 18.4.9; APM 2 13.3")
{
	static const struct msr_range list[] = {
	    {0x600, 0x600, 0},           {0x3f1, 0x3f2, 0},           {0x3f6, 0x3f7, 0},
	    {0xc0011030, 0xc001103f, 0}, {0xc0000105, 0xc0000106, 0}, {0xc000010e, 0xc000010f, 0},
	};

	msr_never(list, sizeof(list) / sizeof(list[0]));
}
