/* Pages of RAM, and mappings of single pages from 4 GiB on. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

#define PAGE       4096u
#define POOL_START 0x600000u /* below is the kernel, and what firmware may still use */
#define POOL_SIZE  0x400000u
#define ADDRESS    UINT64_C(0xffffffffff000)

extern uint64_t boot_pml4[512];
static uint64_t next, end;

void page_init(void)
{
	/* as UEFI needs it: some memory in one piece that is RAM, below 4 GiB */
	for (uint32_t i = 0; i < boot_block.count; i++) {
		const struct memory_range *m = &boot_block.memory[i];
		uint64_t from = m->base > POOL_START ? m->base : POOL_START;

		from = (from + PAGE - 1) & ~(uint64_t)(PAGE - 1);
		if (m->type == MEMORY_RAM && m->base + m->length >= from + POOL_SIZE &&
		    from + POOL_SIZE < BIT(32)) {
			next = from;
			end = from + POOL_SIZE;
			return;
		}
	}
	print("error: no memory for pages\n");
}

void *page_alloc(void)
{
	void *page = (void *)next;

	if (next >= end)
		case_error("no more pages");
	next += PAGE;
	return memset(page, 0, PAGE);
}

static uint64_t *level(uint64_t *entry)
{
	if (!(*entry & PAGE_P))
		*entry = (uintptr_t)page_alloc() | PAGE_P | PAGE_W | PAGE_U;
	return (uint64_t *)(*entry & ADDRESS);
}

void page_map(uint64_t virt, uint64_t phys, uint64_t flags)
{
	uint64_t *table = boot_pml4;

	if (virt < BIT(32))
		case_error("%#lx is mapped in large pages", virt);
	for (unsigned shift = 39; shift > 12; shift -= 9)
		table = level(&table[virt >> shift & 511]);
	table[virt >> 12 & 511] = flags ? phys | flags : 0;
	__asm__ volatile("invlpg (%0)" : : "r"(virt) : "memory");
}
