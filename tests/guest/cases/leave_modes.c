/* MOV to CR0 and CR4 leaves neither protected mode with paging on, nor the paging of 64-bit mode.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(leave_modes, "SDM 3A 2.5, SDM 3A 9.8.5.4, APM 2 3.1")
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();

	__asm__ volatile(TRY("movq %0, %%cr0") : : "r"(cr0 & ~CR0_PE) : "memory");
	CHECK_EQ(tried(), VECTOR_GP, "PG without PE");
	__asm__ volatile(TRY("movq %0, %%cr0") : : "r"(cr0 & ~CR0_PG) : "memory");
	CHECK_EQ(tried(), VECTOR_GP, "PG off");
	CHECK_EQ(read_cr0(), cr0, "CR0 unchanged");
	__asm__ volatile(TRY("movq %0, %%cr4") : : "r"(cr4 & ~CR4_PAE) : "memory");
	CHECK_EQ(tried(), VECTOR_GP, "PAE off");
	__asm__ volatile(TRY("movq %0, %%cr4") : : "r"(cr4 | BIT(12)) : "memory");
	CHECK_EQ(tried(), VECTOR_GP, "LA57");
	CHECK_EQ(read_cr4(), cr4, "CR4 unchanged");
}
