/*
 * Loading LDTR and TR with what is no descriptor of theirs, and asking for rights: the exceptions
 * with their selectors. Some hypervisors watch these instructions; this one must not notice.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static unsigned try_ltr(uint32_t selector)
{
	__asm__ volatile(TRY("ltr %w0") : : "r"(selector) : "memory");
	return tried();
}

static unsigned try_lldt(uint32_t selector)
{
	__asm__ volatile(TRY("lldt %w0") : : "r"(selector) : "memory");
	return tried();
}

GUEST_CASE(op_descriptors, "SDM 2A LLDT, LTR, LAR, LSL, SDM 2D VERR; APM 3")
{
	uint32_t tr, rights, limit, flag;

	__asm__("str %0" : "=r"(tr));
	CHECK_EQ(try_lldt(0), VECTOR_NONE, "LLDT null");
	CHECK_EQ(try_lldt(0x10), VECTOR_GP, "LLDT of data");
	CHECK_EQ(tried_error(), 0x10, "LLDT of data error");
	CHECK_EQ(try_lldt(tr), VECTOR_GP, "LLDT of a TSS");
	CHECK_EQ(try_lldt(0xfff8), VECTOR_GP, "LLDT beyond");
	CHECK_EQ(tried_error(), 0xfff8, "LLDT beyond error");
	CHECK_EQ(try_ltr(0x08), VECTOR_GP, "LTR of code");
	CHECK_EQ(tried_error(), 0x08, "LTR of code error");
	CHECK_EQ(try_ltr(tr), VECTOR_GP, "LTR of a busy TSS");
	CHECK_EQ(tried_error(), tr, "LTR of a busy TSS error");
	CHECK_EQ(try_ltr(tr | 4), VECTOR_GP, "LTR in the LDT");
	__asm__("lar %2, %0; movl $0, %1; setz %b1" : "=r"(rights), "=q"(flag) : "r"(0x08) : "cc");
	CHECK_EQ(flag, 1, "LAR ZF");
	CHECK_EQ(rights & 0xf0ff00, 0xa09b00, "LAR of code");
	__asm__("lsl %2, %0; movl $0, %1; setz %b1" : "=r"(limit), "=q"(flag) : "r"(0x10) : "cc");
	CHECK_EQ(flag, 1, "LSL ZF");
	CHECK_EQ(limit, 0xffffffff, "LSL of data");
	__asm__("verw %w1; movl $0, %0; setz %b0" : "=q"(flag) : "r"(0x08) : "cc");
	CHECK_EQ(flag, 0, "VERW of code");
	__asm__("verr %w1; movl $0, %0; setz %b0" : "=q"(flag) : "r"(0x10) : "cc");
	CHECK_EQ(flag, 1, "VERR of data");
	__asm__("lar %1, %0; movl $0, %0; setz %b0" : "=q"(flag) : "r"(0xfff8) : "cc");
	CHECK_EQ(flag, 0, "LAR beyond");
}
