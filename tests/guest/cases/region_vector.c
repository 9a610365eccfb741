/*
 * 16 and 32 bytes at once, x87, and the instructions that store whole states, none of which the VMM
 * performs itself: loads give ones, stores have no effect, registers stay (bug classes 4, 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static uint8_t image[32] __attribute__((aligned(32)));

/* Loads with `load` what is at `at` into register 1, and looks at it. */
#define LOAD(load, size)                                                                           \
	do {                                                                                       \
		memset(image, 0, sizeof(image));                                                   \
		__asm__ volatile(load "; movups %%xmm1, (%1)" : : "r"(at), "r"(image) : "memory"); \
		for (unsigned n = 0; n < (size); n++)                                              \
			CHECK_EQ(image[n], 0xff, "%s byte %u", load, n);                           \
	} while (0)

#define STORE(store)                                                                               \
	do {                                                                                       \
		__asm__ volatile(TRY(store) : : "r"(at), "a"(7), "d"(0) : "memory");               \
		CHECK_EQ(tried(), VECTOR_NONE, "%s vector", store);                                \
		CHECK_EQ(*(volatile uint64_t *)at, REGION_ONES, "%s", store);                      \
		CHECK_EQ(*(volatile uint64_t *)(at + 24), REGION_ONES, "%s end", store);           \
	} while (0)

GUEST_CASE(region_vector, "the VMM's promise: Documentation/memory-map.md")
{
	struct region r = region_get();
	uint64_t at = r.base + 0x5640;
	bool avx = cpuid(1, 0).ecx & BIT(28);

	write_cr4(read_cr4() | BIT(9) | (avx ? CR4_OSXSAVE : 0));
	__asm__ volatile("fninit; pxor %xmm0, %xmm0; pxor %xmm1, %xmm1");
	LOAD("movups (%0), %%xmm1", 16);
	LOAD("movaps (%0), %%xmm1", 16);
	LOAD("movdqu 3(%0), %%xmm1", 16);
	LOAD("lddqu 1(%0), %%xmm1", 16);
	LOAD("movq (%0), %%xmm1", 8);
	LOAD("movd (%0), %%xmm1", 4);
	STORE("movups %%xmm0, (%0)");
	STORE("movaps %%xmm0, 16(%0)");
	STORE("movdqu %%xmm0, 9(%0)");
	STORE("movntdq %%xmm0, (%0)");
	STORE("movntps %%xmm0, (%0)");
	STORE("movq %%xmm0, (%0)");
	STORE("movd %%xmm0, (%0)");
	STORE("movlps %%xmm0, (%0)");
	STORE("fldz; fstpl (%0)");
	STORE("fldz; fstpt (%0)");
	STORE("fldz; fistpll (%0)");
	STORE("fnstcw (%0)");
	STORE("fnstenv (%0)");
	STORE("fnsave (%0)");
	STORE("stmxcsr (%0)");
	STORE("fxsave (%0)");
	if (avx) {
		__asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
		LOAD("vmovdqu (%0), %%ymm1; vextractf128 $1, %%ymm1, %%xmm1", 16);
		STORE("vmovdqu %%ymm0, (%0)");
		STORE("vmovntdq %%ymm0, (%0)");
		STORE("xsave (%0)");
		__asm__ volatile("vzeroall; xsetbv" : : "a"(1), "d"(0), "c"(0));
	}
	__asm__ volatile("fninit");
	region_check(&r, "end");
}
