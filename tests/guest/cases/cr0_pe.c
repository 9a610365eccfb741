/* MOV to CR0 may not leave protected mode with paging on; a VM entry with such a CR0 would be
 * refused. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(cr0_pe, "SDM 3A 2.5, APM 2 3.1.1")
{
	uint64_t now = read_cr0();

	__asm__ volatile(TRY("movq %0, %%cr0") : : "r"(now & ~CR0_PE) : "memory");
	CHECK_EQ(tried(), VECTOR_GP, "PG without PE");
	CHECK_EQ(read_cr0(), now, "unchanged");
}
