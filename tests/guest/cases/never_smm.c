/*
 * What is SMM's: its memory ranges, its base and its locks. The guest can neither move nor open it.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(never_smm, "SDM 3C 32.4.2.1 (SMRR), APM 2 10.2.1, appendix A")
{
	static const struct msr_range list[] = {
	    {0x1f2, 0x1f5, 0},           {0x9b, 0x9b, 0},
	    {0xc0010050, 0xc0010054, 0}, {0xc0010111, 0xc0010113, 0},
	    {0xc0010116, 0xc0010116, 0}, {0xc0010119, 0xc0010119, 0},
	};

	msr_never(list, sizeof(list) / sizeof(list[0]));
}
