/* MOV to CR0 leaves neither protected mode with paging on, nor paging in 64-bit mode. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(cr0_modes, "SDM 3A 2.5, SDM 3A 9.8.5.4, APM 2 3.1.1")
{
	uint64_t now = read_cr0();

	__asm__ volatile(TRY("movq %0, %%cr0") : : "r"(now & ~CR0_PE) : "memory");
	CHECK_EQ(tried(), VECTOR_GP, "PG without PE");
	__asm__ volatile(TRY("movq %0, %%cr0") : : "r"(now & ~CR0_PG) : "memory");
	CHECK_EQ(tried(), VECTOR_GP, "PG off");
	CHECK_EQ(read_cr0(), now, "unchanged");
}
