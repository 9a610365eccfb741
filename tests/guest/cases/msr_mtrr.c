/*
 * MTRRs: reserved types and bits are refused in the variable, fixed and default registers, valid
 * values read back; the VMM carries all of them out itself.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(msr_mtrr, "SDM 3A 12.11.2, APM 2 7.7.2")
{
	static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x26b, 0x26f};
	unsigned bits = cpuid(0x80000008, 0).eax & 0xff, count;
	uint64_t cap, type;

	if (!(cpuid(1, 0).edx & BIT(12)))
		case_skip("no MTRRs");
	cap = rdmsr(0xfe);
	type = rdmsr(0x2ff);
	count = cap & 0xff;
	CHECK_EQ(wrmsr_try(0xfe, cap), VECTOR_GP, "MTRRCAP is read-only");
	for (uint32_t i = 0; i<count; i += count> 1 ? count - 1 : 1) {
		/* reserved types, bits of a base that no address has, bits below the page */
		msr_refused(0x200 + 2 * i, 0x100000 | 2, "base type");
		msr_refused(0x200 + 2 * i, 0x100000 | 7, "base type");
		msr_refused(0x200 + 2 * i, 0x100000 | BIT(8), "base low");
		msr_refused(0x200 + 2 * i, BIT(bits), "base high");
		msr_refused(0x200 + 2 * i, BIT(63), "base high");
		msr_refused(0x201 + 2 * i, BIT(10), "mask low");
		msr_refused(0x201 + 2 * i, BIT(bits), "mask high");
		msr_taken(0x200 + 2 * i, 0xe0000000 | 1, "base");
		msr_taken(0x201 + 2 * i, 0xff0000000 & (BIT(bits) - 1), "mask");
	}
	msr_refused(0x2ff, type | BIT(9), "default low");
	msr_refused(0x2ff, type | BIT(12), "default high");
	msr_refused(0x2ff, (type & ~UINT64_C(0xff)) | 2, "default type");
	msr_refused(0x2ff, (type & ~UINT64_C(0xff)) | 7, "default type");
	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]) && cap & BIT(8); i++) {
		for (unsigned byte = 0; byte < 8; byte += 7) {
			msr_refused(fixed[i], UINT64_C(2) << byte * 8, "fixed type");
			msr_refused(fixed[i], UINT64_C(7) << byte * 8, "fixed type");
			msr_refused(fixed[i], UINT64_C(0x86) << byte * 8, "fixed type");
		}
	}
	CHECK_EQ(rdmsr(0x2ff), type, "default as before");
}
