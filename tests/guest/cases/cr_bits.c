/*
 * CR0, CR4, XCR0, CR8, DR7: each reserved bit alone is refused, every other value is taken and
 * reads back, whatever the VMM keeps fixed or hidden in the real registers (bug classes 14, 15).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static unsigned try_cr0(uint64_t value)
{
	__asm__ volatile(TRY("movq %0, %%cr0") : : "r"(value) : "memory");
	return tried();
}

static unsigned try_cr4(uint64_t value)
{
	__asm__ volatile(TRY("movq %0, %%cr4") : : "r"(value) : "memory");
	return tried();
}

static unsigned try_cr3(uint64_t value)
{
	__asm__ volatile(TRY("movq %0, %%cr3") : : "r"(value) : "memory");
	return tried();
}

static unsigned try_cr8(uint64_t value)
{
	__asm__ volatile(TRY("movq %0, %%cr8") : : "r"(value) : "memory");
	return tried();
}

static unsigned try_xsetbv(uint32_t index, uint64_t value)
{
	__asm__ volatile(TRY("xsetbv")
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
	return tried();
}

static uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

/* SDM 3A 2.5: high half and combinations that do not exist give #GP. */
static void cr0(void)
{
	static const uint64_t bits[] = {CR0_MP, CR0_EM, CR0_TS, CR0_NE, CR0_WP, CR0_AM, CR0_CD};
	uint64_t now = read_cr0();

	for (unsigned bit = 32; bit < 64; bit++)
		CHECK_EQ(try_cr0(now | BIT(bit)), VECTOR_GP, "CR0 bit-%u", bit);
	CHECK_EQ(try_cr0(now | CR0_NW), VECTOR_GP, "CR0 NW without CD");
	CHECK_EQ(read_cr0(), now, "CR0 unchanged");
	for (unsigned n = 0; n < 128; n++) {
		uint64_t value = CR0_PE | CR0_PG | CR0_ET;

		for (unsigned i = 0; i < 7; i++)
			value |= n >> i & 1 ? bits[i] : 0;
		CHECK_EQ(try_cr0(value), VECTOR_NONE, "CR0 %#lx", value);
		CHECK_EQ(read_cr0(), value, "CR0 %#lx reads back", value);
	}
	write_cr0(now);
}

/* LMSW sets PE, MP, EM, TS, and never clears PE; SMSW shows CR0; CLTS (SDM 2A, 2B). */
static void machine_status(void)
{
	uint64_t now = read_cr0(), word;

	for (uint32_t n = 0; n < 16; n++) {
		__asm__ volatile("lmsw %w0" : : "r"(n));
		CHECK_EQ(read_cr0(), (now & ~UINT64_C(0xe)) | n | CR0_PE, "LMSW %#x", n);
		__asm__ volatile("smsw %0" : "=r"(word));
		CHECK_EQ(word & 0xffff, read_cr0() & 0xffff, "SMSW %#x", n);
		__asm__ volatile("clts");
		CHECK_EQ(read_cr0(), (now & ~UINT64_C(0xe)) | (n & ~8u) | CR0_PE, "CLTS %#x", n);
	}
	write_cr0(now);
}

/* CR4's bits and the CPUID bit that each belongs to: SDM 3A 2.5, APM 2 3.1.3. */
static void cr4(void)
{
	enum { ECX1, EDX1, EBX7, ECX7, NEVER };
	static const struct {
		uint8_t bit, reg, feature;
	} table[] = {
	    {0, EDX1, 1},   {1, EDX1, 1},   {2, EDX1, 2},   {3, EDX1, 3},   {4, EDX1, 4},
	    {6, EDX1, 7},   {7, EDX1, 13},  {8, EDX1, 5},   {9, EDX1, 24},  {10, EDX1, 25},
	    {11, ECX7, 2},  {13, ECX1, 5},  {14, ECX1, 6},  {15, NEVER, 0}, {16, EBX7, 0},
	    {17, ECX1, 17}, {18, ECX1, 26}, {22, ECX7, 3},  {26, NEVER, 0}, {27, NEVER, 0},
	    {30, NEVER, 0}, {31, NEVER, 0}, {33, NEVER, 0}, {40, NEVER, 0}, {62, NEVER, 0},
	    {63, NEVER, 0},
	};
	struct cpuid one = cpuid(1, 0),
		     seven = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid){0};
	uint32_t features[] = {one.ecx, one.edx, seven.ebx, seven.ecx, 0};
	uint64_t now = read_cr4();

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		unsigned bit = table[i].bit;

		/* performance counters at CPL 3 have no bit of their own */
		if (features[table[i].reg] >> table[i].feature & 1 && table[i].reg != NEVER) {
			CHECK_EQ(try_cr4(now | BIT(bit)), VECTOR_NONE, "CR4 bit-%u", bit);
			CHECK_EQ(read_cr4(), now | BIT(bit), "CR4 bit-%u reads back", bit);
			CHECK_EQ(try_cr4(now), VECTOR_NONE, "CR4 bit-%u off", bit);
		} else {
			CHECK_EQ(try_cr4(now | BIT(bit)), VECTOR_GP, "CR4 bit-%u", bit);
			CHECK_EQ(read_cr4(), now, "CR4 bit-%u unchanged", bit);
			CHECK_EQ(try_cr4(now), VECTOR_NONE, "CR4 bit-%u off", bit);
		}
	}
}

/* XCR0: SDM 1 13.3, APM 2 11.5.2. */
static void xcr0(void)
{
	uint32_t known = cpuid(0xd, 0).eax;

	if (!(cpuid(1, 0).ecx & BIT(26)))
		return;
	CHECK_EQ(try_xsetbv(0, 1), VECTOR_UD, "XSETBV without OSXSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	CHECK_EQ(try_xsetbv(0, 0), VECTOR_GP, "XCR0 without x87");
	CHECK_EQ(try_xsetbv(0, 2), VECTOR_GP, "XCR0 SSE without x87");
	CHECK_EQ(try_xsetbv(0, 5), VECTOR_GP, "XCR0 AVX without SSE");
	CHECK_EQ(try_xsetbv(1, 1), VECTOR_GP, "XCR1");
	CHECK_EQ(try_xsetbv(0x80000000, 1), VECTOR_GP, "XCR 80000000");
	for (unsigned bit = 0; bit < 64; bit++) {
		if (bit >= 32 || !(known >> bit & 1))
			CHECK_EQ(try_xsetbv(0, 3 | BIT(bit)), VECTOR_GP, "XCR0 bit-%u", bit);
	}
	for (uint64_t value = 1; value <= 7; value += value + 1) {
		if ((value & ~(uint64_t)known) == 0) {
			CHECK_EQ(try_xsetbv(0, value), VECTOR_NONE, "XCR0 %#lx", value);
			CHECK_EQ(read_xcr0(), value, "XCR0 %#lx reads back", value);
		}
	}
	try_xsetbv(0, 1);
}

GUEST_CASE(cr_bits, "SDM 3A 2.5, SDM 1 13.3, APM 2 3.1")
{
	uint64_t cr3 = read_cr3();

	cr0();
	machine_status();
	cr4();
	xcr0();
	for (unsigned n = 0; n < 16; n++) {
		CHECK_EQ(try_cr8(n), VECTOR_NONE, "CR8 %u", n);
		CHECK_EQ(read_cr8(), n, "CR8 %u reads back", n);
		CHECK_EQ(apic_read(APIC_TPR), n << 4, "CR8 %u as TPR", n);
	}
	write_cr8(0);
	for (unsigned bit = 4; bit < 64; bit++)
		CHECK_EQ(try_cr8(BIT(bit)), VECTOR_GP, "CR8 bit-%u", bit);
	for (unsigned bit = cpuid(0x80000008, 0).eax & 0xff; bit < 63; bit++)
		CHECK_EQ(try_cr3(cr3 | BIT(bit)), VECTOR_GP, "CR3 bit-%u", bit);
	for (unsigned bit = 32; bit < 64; bit++) {
		__asm__ volatile(TRY("movq %0, %%dr7") : : "r"(DR7_CLEAR | BIT(bit)));
		CHECK_EQ(tried(), VECTOR_GP, "DR7 bit-%u", bit);
		__asm__ volatile(TRY("movq %0, %%dr6") : : "r"(DR6_CLEAR | BIT(bit)));
		CHECK_EQ(tried(), VECTOR_GP, "DR6 bit-%u", bit);
	}
}
