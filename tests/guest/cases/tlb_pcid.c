/*
 * PCIDs: each has translations of its own, MOV to CR3 with bit 63 keeps them, without it drops
 * them; INVPCID's four types, and what it refuses; PCIDE goes on only from PCID 0.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

#define PCIDE BIT(17)

static unsigned try_invpcid(uint64_t type, uint64_t pcid, uint64_t address)
{
	uint64_t descriptor[2] = {pcid, address};

	__asm__ volatile(TRY("invpcid (%1), %0")
			 :
			 : "r"(type), "r"(descriptor), "m"(descriptor)
			 : "memory");
	return tried();
}

GUEST_CASE(tlb_pcid, "SDM 3A 4.10.1, SDM 2A INVPCID, APM 2 5.5.1")
{
	uint64_t cr3 = read_cr3(), cr4 = read_cr4(), virt = page_space();
	volatile uint64_t *first = page_alloc(), *second = page_alloc();

	if (!(cpuid(1, 0).ecx & BIT(17)))
		case_skip("no PCIDs");
	*first = 1;
	*second = 2;
	write_cr3(cr3 | BIT(3)); /* PCID 8, as it were */
	CHECK_EQ(try_cr4(cr4 | PCIDE), VECTOR_GP, "PCIDE with a PCID");
	write_cr3(cr3);
	CHECK_EQ(try_cr4(cr4 | PCIDE), VECTOR_NONE, "PCIDE");
	CHECK_EQ(try_cr3(cr3 | 5), VECTOR_NONE, "PCID 5");
	CHECK_EQ(read_cr3(), cr3 | 5, "PCID 5 reads back");
	CHECK_EQ(try_cr3(cr3 | 6 | BIT(63)), VECTOR_NONE, "PCID 6, kept");
	CHECK_EQ(read_cr3(), cr3 | 6, "bit 63 does not read back");
	CHECK_EQ(try_cr3(cr3 | BIT(62)), VECTOR_GP, "bit 62");
	page_map(virt, (uintptr_t)first, PAGE_P | PAGE_W);
	CHECK_EQ(*(volatile uint64_t *)virt, 1, "PCID 6 first");
	*page_entry(virt, 1) = (uintptr_t)second | PAGE_P | PAGE_W;
	write_cr3(cr3 | 7);
	CHECK_EQ(*(volatile uint64_t *)virt, 2, "PCID 7 has nothing of PCID 6");
	write_cr3(cr3 | 6);
	CHECK_EQ(*(volatile uint64_t *)virt, 2, "PCID 6 anew");
	if (cpuid(7, 0).ebx & BIT(10)) {
		for (uint64_t type = 0; type < 4; type++) {
			bool to_first = type & 1;

			(void)*(volatile uint64_t *)virt;
			*page_entry(virt, 1) =
			    (uintptr_t)(to_first ? first : second) | PAGE_P | PAGE_W;
			CHECK_EQ(try_invpcid(type, 6, virt), VECTOR_NONE, "INVPCID-%lu", type);
			CHECK_EQ(*(volatile uint64_t *)virt, to_first ? 1 : 2, "INVPCID-%lu new",
				 type);
		}
		CHECK_EQ(try_invpcid(4, 6, virt), VECTOR_GP, "INVPCID type 4");
		CHECK_EQ(try_invpcid(0, 0x1000, virt), VECTOR_GP, "INVPCID reserved");
		CHECK_EQ(try_invpcid(0, 6, BIT(60)), VECTOR_GP, "INVPCID not canonical");
	}
	write_cr3(cr3);
	write_cr4(cr4);
}
