/*
 * A descriptor table in the VMM's memory: descriptors of ones are code segments that may be read,
 * for all rings, and none of a system type; nothing is written there as an accessed flag.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

GUEST_CASE(region_gdt, "SDM 3A 3.4.5, SDM 2A LAR, LSL, LLDT, LTR; Documentation/memory-map.md")
{
	struct table_pointer kernel = gdt_now();
	struct region r = region_like();
	uint32_t rights = 0, limit = 0, selector = 0x1008; /* the second page of the table */
	uint8_t *own = page_alloc();
	unsigned data, task, local, zf;

	/* the kernel's own table in the first page, the VMM's memory behind it */
	gdt_copy(own);
	gdt_load(region_behind(own, r.base + 0x7000, 1), 0x1fff);
	__asm__ volatile("lar %2, %0; setz %b1" : "+r"(rights), "=q"(zf) : "r"(selector) : "cc");
	CHECK(zf & 1, "LAR ZF");
	CHECK_EQ(rights & 0xf0ff00, 0xf0ff00, "LAR");
	__asm__ volatile("lsl %2, %0; setz %b1" : "+r"(limit), "=q"(zf) : "r"(selector) : "cc");
	CHECK(zf & 1, "LSL ZF");
	CHECK_EQ(limit, 0xffffffff, "LSL");
	__asm__ volatile(TRY("movl %0, %%fs") : : "r"(selector) : "memory");
	data = tried();
	__asm__ volatile("movl %0, %%fs" : : "r"(0));
	__asm__ volatile(TRY("ltr %w0") : : "r"(selector) : "memory");
	task = tried();
	CHECK_EQ(tried_error(), selector, "LTR error");
	__asm__ volatile(TRY("lldt %w0") : : "r"(selector) : "memory");
	local = tried();
	CHECK_EQ(tried_error(), selector, "LLDT error");
	gdt_load(kernel.base, kernel.limit);
	CHECK_EQ(data, VECTOR_NONE, "MOV FS");
	CHECK_EQ(task, VECTOR_GP, "LTR");
	CHECK_EQ(local, VECTOR_GP, "LLDT");
	region_check(&r, "end");
}
