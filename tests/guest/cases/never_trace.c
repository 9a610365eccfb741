/*
 * Units that write physical memory while the guest, or the VMM, runs: processor trace, hardware
 * feedback, branch records, user interrupts. None can be set up.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(never_trace, "SDM 3C 33.2.7 (PT), SDM 3B 15.6 (HFI), 20 (architectural LBR)")
{
	static const struct msr_range list[] = {
	    {0x560, 0x588, 0},   {0x17d0, 0x17da, 0}, {0x1200, 0x1210, 0},
	    {0x14ce, 0x14cf, 0}, {0x985, 0x98a, 0},   {0xd91, 0xd93, 0},
	};

	msr_never(list, sizeof(list) / sizeof(list[0]));
}
