/*
 * Registers that an entry does not load are the guest's alone: x87, vector and debug registers hold
 * what they held over exits of every cheap kind, and over those that leave the lean path (bug class
 * 16).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define TURNS 500u

static uint8_t before[512] __attribute__((aligned(64))), after[512] __attribute__((aligned(64)));
static uint8_t high[16][32] __attribute__((aligned(32))),
    high_after[16][32] __attribute__((aligned(32)));

static void set_dr(uint64_t seed)
{
	write_dr0(seed);
	write_dr1(seed + 8);
	__asm__ volatile("movq %0, %%dr2; movq %1, %%dr3" : : "r"(seed + 16), "r"(seed + 24));
}

#define EACH(f)                                                                                    \
	f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15)

static void load_avx(void)
{
#define LOAD(n) "vmovdqa 32*" #n "(%0), %%ymm" #n ";"
	__asm__ volatile(EACH(LOAD) : : "r"(high) : "memory");
}

static void store_avx(void)
{
#define STORE(n) "vmovdqa %%ymm" #n ", 32*" #n "(%0);"
	__asm__ volatile(EACH(STORE) : : "r"(high_after) : "memory");
}

/* CPUID that goes the lean way, one that does not; an MSR; a watched port; the APIC; no RAM. */
static void exits(uint16_t port)
{
	for (unsigned n = 0; n < TURNS; n++) {
		cpuid(0, 0);
		cpuid(0xd, 1);
		rdmsr(MSR_EFER);
		if (port)
			inb(port);
		apic_write(APIC_TPR, 0);
		if (n % 64 == 0)
			(void)*(volatile uint32_t *)(uintptr_t)0xfed40000;
	}
}

GUEST_CASE(exit_state, "SDM 3C 28.3 and 25.4, APM 2 15.5")
{
	const uint64_t mark = UINT64_C(0x1122334455667788);
	uint16_t port = 0;
	uint64_t dr2, dr3, cr4 = read_cr4(), cr0 = read_cr0();
	bool avx = cpuid(1, 0).ecx & BIT(28);

	if (acpi_table("FACP"))
		port = acpi_pm1_port();
	write_cr0(cr0 & ~(CR0_EM | CR0_TS));
	write_cr4(cr4 | BIT(9) | (avx ? CR4_OSXSAVE : 0)); /* OSFXSR */
	/* x87 and XMM: registers with a pattern of their own, MXCSR and the control word not as at
	 * reset */
	__asm__ volatile("fninit; fxsave (%0)" : : "r"(before) : "memory");
	before[0] = 0x7f;
	before[1] = 0x0e;
	before[4] = 0xff;
	before[24] = 0x80;
	before[25] = 0x5f;
	for (unsigned n = 32; n < 416; n++)
		before[n] = n >= 160 || n % 16 < 10 ? (uint8_t)(n * 37 + 11) : 0;
	__asm__ volatile("fxrstor (%0)" : : "r"(before) : "memory");
	set_dr(mark);
	exits(port);
	memset(after, 0, sizeof(after));
	__asm__ volatile("fxsave (%0)" : : "r"(after) : "memory");
	CHECK_EQ(memcmp(before, after, 5), 0, "x87 control");
	CHECK_EQ(memcmp(before + 24, after + 24, 4), 0, "MXCSR");
	CHECK_EQ(memcmp(before + 32, after + 32, 128), 0, "x87 registers");
	CHECK_EQ(memcmp(before + 160, after + 160, 256), 0, "XMM registers");
	__asm__ volatile("movq %%dr2, %0; movq %%dr3, %1" : "=r"(dr2), "=r"(dr3));
	CHECK_EQ(read_dr0(), mark, "DR0");
	CHECK_EQ(read_dr1(), mark + 8, "DR1");
	CHECK_EQ(dr2, mark + 16, "DR2");
	CHECK_EQ(dr3, mark + 24, "DR3");
	CHECK_EQ(read_dr7(), DR7_CLEAR, "DR7");
	if (avx) {
		uint32_t low, top;

		__asm__ volatile("xgetbv" : "=a"(low), "=d"(top) : "c"(0));
		__asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
		for (unsigned n = 0; n < sizeof(high); n++)
			high[n / 32][n % 32] = (uint8_t)(n * 29 + 5);
		load_avx();
		exits(port);
		memset(high_after, 0, sizeof(high_after));
		store_avx();
		CHECK_EQ(memcmp(high, high_after, sizeof(high)), 0, "YMM registers");
		__asm__ volatile("vzeroall; xsetbv" : : "a"(low), "d"(top), "c"(0));
	}
	__asm__ volatile("fninit");
	set_dr(0);
	write_cr4(cr4);
	write_cr0(cr0);
}
