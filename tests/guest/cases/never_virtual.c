/*
 * Virtualisation, which the guest does not have: it can neither be switched on nor looked at, and
 * the page that VMRUN saves the host to cannot be moved.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(never_virtual, "SDM 3C 23.7, A.1; APM 2 15.4, 15.30")
{
	static const struct msr_range list[] = {
	    {0x3a, 0x3a, 0},
	    {0x480, 0x493, 0},
	    {0x8c, 0x8f, 0},
	    {0xc0010114, 0xc0010114, 0},
	    {0xc0010117, 0xc0010118, 0},
	    {0xc001011b, 0xc001011b, 0},
	    {0xc0000104, 0xc0000104, 0},
	};

	msr_never(list, sizeof(list) / sizeof(list[0]));
}
