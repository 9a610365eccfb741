/*
 * CR4 in 64-bit mode: each bit is taken exactly where CPUID shows the feature to the guest, and
 * refused everywhere else, with CR4 as before (bug classes 14, 15).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

enum { ECX1, EDX1, EBX7, ECX7, NEVER };

/* CR4's bits and the CPUID bit that each belongs to: SDM 3A 2.5, APM 2 3.1.3. */
static const struct {
	uint8_t bit, reg, feature;
} table[] = {
    {0, EDX1, 1},   {1, EDX1, 1},   {2, EDX1, 2},   {3, EDX1, 3},   {4, EDX1, 4},   {6, EDX1, 7},
    {7, EDX1, 13},  {8, EDX1, 5},   {9, EDX1, 24},  {10, EDX1, 25}, {11, ECX7, 2},  {13, ECX1, 5},
    {14, ECX1, 6},  {15, NEVER, 0}, {16, EBX7, 0},  {17, ECX1, 17}, {18, ECX1, 26}, {20, EBX7, 7},
    {21, EBX7, 20}, {22, ECX7, 3},  {26, NEVER, 0}, {27, NEVER, 0}, {30, NEVER, 0}, {31, NEVER, 0},
    {33, NEVER, 0}, {40, NEVER, 0}, {62, NEVER, 0}, {63, NEVER, 0},
};

GUEST_CASE(cr4_bits, "SDM 3A 2.5, APM 2 3.1.3")
{
	struct cpuid one = cpuid(1, 0),
		     seven = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid){0};
	uint32_t features[] = {one.ecx, one.edx, seven.ebx, seven.ecx, 0};
	uint64_t now = read_cr4();

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		unsigned bit = table[i].bit;

		/* the kernel's pages are user pages: SMEP and SMAP only where they are refused */
		if (features[table[i].reg] >> table[i].feature & 1 && bit != 20 && bit != 21) {
			CHECK_EQ(try_cr4(now | BIT(bit)), VECTOR_NONE, "CR4 bit-%u", bit);
			CHECK_EQ(read_cr4(), now | BIT(bit), "CR4 bit-%u reads back", bit);
			CHECK_EQ(try_cr4(now), VECTOR_NONE, "CR4 bit-%u off", bit);
		} else if (!(features[table[i].reg] >> table[i].feature & 1)) {
			CHECK_EQ(try_cr4(now | BIT(bit)), VECTOR_GP, "CR4 bit-%u", bit);
			CHECK_EQ(read_cr4(), now, "CR4 bit-%u unchanged", bit);
			CHECK_EQ(try_cr4(now), VECTOR_NONE, "CR4 bit-%u off", bit);
		}
	}
}
