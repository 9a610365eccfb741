/*
 * What flushes translations flushes them under nested paging, too: INVLPG, MOV to CR3, a change of
 * CR4.PGE for global pages, of CR0.WP and of EFER.NXE. A page is moved each time behind its back.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

static uint64_t virt;
static volatile uint64_t *first, *second;
static bool there;

/* Move the page to the other place, without a flush. */
static void move(uint64_t flags)
{
	(void)*(volatile uint64_t *)virt; /* the translation is cached */
	there = !there;
	*page_entry(virt, 1) = (uintptr_t)(there ? second : first) | PAGE_P | PAGE_W | flags;
}

static void moved(const char *name)
{
	CHECK_EQ(*(volatile uint64_t *)virt, there ? 2 : 1, "%s", name);
}

GUEST_CASE(tlb_control, "SDM 3A 4.10.4.1, APM 2 5.5.2")
{
	uint64_t cr4 = read_cr4();

	virt = page_space();
	first = page_alloc();
	second = page_alloc();
	*first = 1;
	*second = 2;
	there = false;
	page_map(virt, (uintptr_t)first, PAGE_P | PAGE_W);
	moved("first");
	move(0);
	page_flush(virt);
	moved("INVLPG");
	move(0);
	write_cr3(read_cr3());
	moved("CR3");
	write_cr4(cr4 | CR4_PGE);
	move(PAGE_GLOBAL);
	page_flush(virt);
	moved("INVLPG of a global page");
	move(PAGE_GLOBAL);
	write_cr4(cr4);
	moved("PGE off");
	move(PAGE_GLOBAL);
	write_cr4(cr4 | CR4_PGE);
	moved("PGE on");
	move(0);
	write_cr4(cr4);
	moved("PGE off again");
	/* a right that goes away: with WP writes at CPL 0 obey it */
	*page_entry(virt, 1) &= ~PAGE_W;
	page_flush(virt);
	write_cr0(read_cr0() & ~CR0_WP);
	CHECK_EQ(try_write(virt, 1), VECTOR_NONE, "without WP");
	write_cr0(read_cr0() | CR0_WP);
	CHECK_EQ(try_write(virt, 1), VECTOR_PF, "with WP");
	CHECK_EQ(tried_error(), 3, "with WP error");
}
