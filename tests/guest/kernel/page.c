/* Pages of RAM, and mappings of single pages from 4 GiB on. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

#define PAGE       4096u
#define POOL_START 0x600000u /* below is the kernel, and what firmware may still use */
#define POOL_SIZE  0x400000u

extern uint64_t boot_pml4[512];
static uint64_t next, end;
static unsigned spaces;

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

static uint64_t *level_below(uint64_t *entry)
{
	if (!(*entry & PAGE_P))
		*entry = (uintptr_t)page_alloc() | PAGE_P | PAGE_W | PAGE_U;
	return (uint64_t *)(*entry & PAGE_ADDRESS);
}

uint64_t page_space(void)
{
	if (spaces == 255)
		case_error("no more addresses");
	return (uint64_t)++spaces << 39;
}

void page_reset(void)
{
	while (spaces)
		boot_pml4[spaces--] = 0;
}

void page_flush(uint64_t virt)
{
	__asm__ volatile("invlpg (%0)" : : "r"(virt) : "memory");
}

uint64_t *page_entry(uint64_t virt, unsigned level)
{
	uint64_t *table = boot_pml4;

	for (unsigned at = 4; at > level; at--)
		table = level_below(&table[virt >> (9 * at + 3) & 511]);
	return &table[virt >> (9 * level + 3) & 511];
}

void page_map_large(uint64_t virt, uint64_t phys, unsigned level, uint64_t flags)
{
	if (virt < BIT(32))
		case_error("%#lx is mapped in large pages", virt);
	*page_entry(virt, level) = flags ? phys | flags | (level > 1 ? PAGE_LARGE : 0) : 0;
	page_flush(virt);
}

void page_map(uint64_t virt, uint64_t phys, uint64_t flags)
{
	page_map_large(virt, phys, 1, flags);
}
