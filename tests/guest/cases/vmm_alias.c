/*
 * The VMM's memory by other ways than a plain page: uncached and write-combining by PAT, a large
 * page, a page that begins in front of it, and an MTRR of the guest's own over it (bug class 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define VIRT     UINT64_C(0x6000000000)
#define ONES     ~UINT64_C(0)
#define PAGE_PWT BIT(3)
#define PAGE_PCD BIT(4)

static void look(uint64_t at, const char *how)
{
	volatile uint64_t *p = (volatile uint64_t *)at;

	CHECK_EQ(*p, ONES, "%s read", how);
	*p = 0;
	CHECK_EQ(*p, ONES, "%s write", how);
	__asm__ volatile("wbinvd" : : : "memory");
	CHECK_EQ(*p, ONES, "%s flushed", how);
	__asm__ volatile("clflush (%0)" : : "r"(p) : "memory");
	CHECK_EQ(*p, ONES, "%s CLFLUSH", how);
}

GUEST_CASE(vmm_alias, "the VMM's promise: Documentation/memory-map.md")
{
	uint64_t end, hole = memory_missing(&end), base, mask, deftype;
	uint8_t *own = page_alloc();

	if (!hole)
		case_skip("no memory is missing");
	page_map(VIRT, hole, PAGE_P | PAGE_W | PAGE_PCD | PAGE_PWT);
	look(VIRT, "uncached");
	page_map(VIRT, hole, PAGE_P | PAGE_W | PAGE_PWT);
	look(VIRT, "second PAT entry");
	/* an access over the border from a page of the guest's own */
	memset(own, 0, 4096);
	page_map(VIRT, (uintptr_t)own, PAGE_P | PAGE_W);
	page_map(VIRT + 4096, hole, PAGE_P | PAGE_W);
	CHECK_EQ(*(volatile uint64_t *)(VIRT + 4092), UINT64_C(0xffffffff00000000), "border read");
	*(volatile uint64_t *)(VIRT + 4092) = UINT64_C(0x1122334455667788);
	CHECK_EQ(*(volatile uint64_t *)(VIRT + 4092), UINT64_C(0xffffffff55667788), "border write");
	CHECK_EQ(*(volatile uint32_t *)(void *)(own + 4092), 0x55667788, "own part");
	/* an MTRR over all of it: uncached, then write-combining */
	base = rdmsr(0x200);
	mask = rdmsr(0x201);
	deftype = rdmsr(0x2ff);
	for (unsigned type = 0; type < 2; type++) {
		wrmsr(0x200, (hole & ~UINT64_C(0x1fffff)) | type);
		wrmsr(0x201, UINT64_C(0xfffe00000) | BIT(11));
		look(hole, type ? "write-combining MTRR" : "uncached MTRR");
	}
	wrmsr(0x200, base);
	wrmsr(0x201, mask);
	CHECK_EQ(rdmsr(0x2ff), deftype, "MTRRs as before");
}
