/*
 * What Linux and Windows read and write back at start without asking CPUID first: each gives what
 * it gives without the VMM, a value or #GP, and the CPU goes on.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(msr_probes, "SDM 4, APM 2 appendix A")
{
	static const uint32_t list[] = {
	    0x17,       0x2a,       0x2c,       0x34,       0x3a,       0x4e,       0x54,
	    0x8b,       0xcd,       0xce,       0xe2,       0x10a,      0x119,      0x11e,
	    0x122,      0x13c,      0x140,      0x17b,      0x179,      0x198,      0x199,
	    0x19a,      0x1a0,      0x1a2,      0x1a4,      0x1aa,      0x1ac,      0x1ad,
	    0x1b0,      0x1c8,      0x1d9,      0x1fc,      0x345,      0x38d,      0x38f,
	    0x391,      0x3f1,      0x3fd,      0x601,      0x606,      0x610,      0x611,
	    0x614,      0x641,      0x648,      0x770,      0x771,      0xc0000081, 0xc0000084,
	    0xc00000e7, 0xc0000108, 0xc0010010, 0xc0010015, 0xc001001a, 0xc001001d, 0xc001001f,
	    0xc0010055, 0xc0010058, 0xc0010061, 0xc0010062, 0xc0010063, 0xc0010064, 0xc0010114,
	    0xc0010117, 0xc0010140, 0xc0010141, 0xc001100c, 0xc0011020, 0xc0011021, 0xc0011022,
	    0xc0011023, 0xc0011029, 0xc001102a, 0xc001102d, 0xc0011030};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		uint64_t value = 0, again = 0;
		unsigned vector = rdmsr_try(list[i], &value);

		CHECK(vector == VECTOR_NONE || vector == VECTOR_GP, "%#x vector", list[i]);
		CHECK_EQ(rdmsr_try(list[i], &again), vector, "%#x again", list[i]);
		if (vector == VECTOR_NONE)
			vector = wrmsr_try(list[i], value);
		CHECK(vector == VECTOR_NONE || vector == VECTOR_GP, "%#x write", list[i]);
		rdmsr_try(list[i], &again);
		if (list[i] != 0xc00000e7 && list[i] != 0x611 && list[i] != 0x641)
			CHECK_EQ(again, value, "%#x as before", list[i]);
	}
	/* the EFER of the boot code of Windows and Linux: NXE tried, kept or not */
	CHECK_EQ(rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA, "EFER");
}
