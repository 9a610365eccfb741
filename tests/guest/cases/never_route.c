/*
 * Registers that say where physical addresses lead: top of memory, I/O ranges, memory encryption,
 * the PCI configuration window, the trace hub.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(never_route, "APM 2 7.9, appendix A; BKDG MMIO_CFG_BASE")
{
	static const struct msr_range list[] = {
	    {0xc0010010, 0xc0010010, 0},
	    {0xc0010016, 0xc001001a, 0},
	    {0xc001001d, 0xc001001d, 0},
	    {0xc0010058, 0xc0010058, 0},
	    {0x80, 0x80, 0},
	    {0x981, 0x984, 0},
	    {0x1400, 0x1401, 0},
	    {0xc0010130, 0xc001013f, 0},
	};

	msr_never(list, sizeof(list) / sizeof(list[0]));
}
