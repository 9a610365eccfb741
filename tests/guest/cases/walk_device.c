/*
 * Large pages that hold RAM and devices: the local APIC and RAM through one page of 1 GiB each, and
 * of 2 MiB; the VMM's nested tables have other borders than the guest's (bug class 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define APIC UINT64_C(0xfee00000)

static void look(uint64_t apic, uint64_t ram, volatile uint64_t *own, const char *name)
{
	CHECK_EQ(*(volatile uint32_t *)(apic + APIC_ID), apic_read(APIC_ID), "%s ID", name);
	*(volatile uint32_t *)(apic + APIC_TPR) = 0x40;
	CHECK_EQ(apic_read(APIC_TPR), 0x40, "%s TPR", name);
	CHECK_EQ(read_cr8(), 4, "%s CR8", name);
	apic_write(APIC_TPR, 0);
	*(volatile uint64_t *)ram = 0x1122334455667788;
	CHECK_EQ(*own, 0x1122334455667788, "%s RAM", name);
	*own = 5;
	CHECK_EQ(*(volatile uint64_t *)ram, 5, "%s RAM read", name);
}

GUEST_CASE(walk_device, "SDM 3A 4.5 and 11.4.1, APM 2 5.3.4")
{
	volatile uint64_t *own = page_alloc();
	uint64_t virt = page_space(), at = (uintptr_t)own;

	page_map_large(virt, APIC, 2, PAGE_P | PAGE_W | BIT(4));
	page_map_large(virt + BIT(21), at & ~(BIT(21) - 1), 2, PAGE_P | PAGE_W);
	look(virt, virt + BIT(21) + (at & (BIT(21) - 1)), own, "2 MiB");
	if (!(cpuid(0x80000001, 0).edx & BIT(26)))
		return;
	virt = page_space();
	page_map_large(virt, 3 * BIT(30), 3, PAGE_P | PAGE_W | BIT(4));
	page_map_large(virt + BIT(30), 0, 3, PAGE_P | PAGE_W);
	look(virt + APIC - 3 * BIT(30), virt + BIT(30) + at, own, "1 GiB");
}
