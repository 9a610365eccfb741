/*
 * System instructions with an operand in the VMM's memory: those that store a register leave it as
 * it is, those that load one get ones and do with them what the manual says.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define STORE(text)                                                                                \
	do {                                                                                       \
		__asm__ volatile(TRY(text) : : "r"(at) : "memory");                                \
		CHECK_EQ(tried(), VECTOR_NONE, "%s vector", text);                                 \
		CHECK_EQ(*(volatile uint64_t *)at, REGION_ONES, "%s", text);                       \
		CHECK_EQ(*(volatile uint64_t *)(at + 8), REGION_ONES, "%s end", text);             \
	} while (0)

/* A selector or a value of ones. */
#define REFUSED(text, vector, error)                                                               \
	do {                                                                                       \
		__asm__ volatile(TRY(text) : : "r"(at) : "memory");                                \
		CHECK_EQ(tried(), vector, "%s vector", text);                                      \
		CHECK_EQ(tried_error(), error, "%s error", text);                                  \
	} while (0)

GUEST_CASE(region_system, "SDM 2, each instruction; Documentation/memory-map.md")
{
	struct region r = region_get();
	uint64_t at = r.base + 0x9ff9;
	struct table_pointer gdt, seen;

	STORE("sgdt (%0)");
	STORE("sidt (%0)");
	STORE("sldt (%0)");
	STORE("str (%0)");
	STORE("smsw (%0)");
	STORE("movw %%cs, (%0)");
	REFUSED("movw (%0), %%ds", VECTOR_GP, 0xfffc);
	REFUSED("movw (%0), %%ss", VECTOR_GP, 0xfffc);
	REFUSED("lldt (%0)", VECTOR_GP, 0xfffc);
	REFUSED("ltr (%0)", VECTOR_GP, 0xfffc);
	REFUSED("lss (%0), %%eax", VECTOR_GP, 0xfffc);
	REFUSED("lfs (%0), %%eax", VECTOR_GP, 0xfffc);
	REFUSED("ljmpl *(%0)", VECTOR_GP, 0xfffc);
	REFUSED("lcalll *(%0)", VECTOR_GP, 0xfffc);
	__asm__ volatile("sgdt %0; lgdt (%2); sgdt %1; lgdt %0"
			 : "+m"(gdt), "=m"(seen)
			 : "r"(at)
			 : "memory");
	CHECK_EQ(seen.base, REGION_ONES, "LGDT base");
	CHECK_EQ(seen.limit, 0xffff, "LGDT limit");
	region_check(&r, "end");
}
