/*
 * REP INS and REP OUTS over the border to a page that is not there: what was done is done, and the
 * fault leaves the registers at the element that faulted; with the page present it goes on from
 * there. A port that the VMM watches, and one that it does not (bug class 6).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(page_ins, 64, "rep insw");
SNIPPET(page_outs, 64, "rep outsb");
SNIPPET(page_ins_down, 64, "std; rep insw; cld");

GUEST_CASE(io_string_page, "SDM 2A INS, SDM 2B OUTS, REP; SDM 3A 6.15 (#PF)")
{
	uint16_t ports[] = {acpi_pm1_port(), 0x21}, now;
	uint64_t virt = page_space(), border = virt + 4096;

	for (unsigned i = 0; i < 2; i++) {
		struct snippet s = {.code = page_ins, .code_end = page_ins_end};
		uint8_t *own = page_alloc();

		page_map(virt, (uintptr_t)own, PAGE_P | PAGE_W);
		page_map(border, 0, 0);
		__asm__ volatile("inw %1, %0" : "=a"(now) : "Nd"(ports[i]));
		memset(own, 0x5a, 4096);
		s.in.rdx = ports[i];
		s.in.rdi = border - 6;
		s.in.rcx = 5;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_PF, "INS %u vector", i);
		CHECK_EQ(s.out.error, 2, "INS %u error", i);
		CHECK_EQ(s.cr2, border, "INS %u CR2", i);
		CHECK_EQ(s.out.rip, 0, "INS %u RIP", i);
		CHECK_EQ(s.out.rcx, 2, "INS %u RCX", i);
		CHECK_EQ(s.out.rdi, border, "INS %u RDI", i);
		CHECK_EQ(own[4094] | own[4095] << 8, now, "INS %u last", i);
		CHECK_EQ(own[4089], 0x5a, "INS %u in front", i);
		/* the element itself over the border: nothing of it */
		s.in.rdi = border - 3;
		s.in.rcx = 2;
		memset(own, 0x5a, 4096);
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_PF, "INS over %u vector", i);
		CHECK_EQ(s.out.rcx, 1, "INS over %u RCX", i);
		CHECK_EQ(own[4095], 0x5a, "INS over %u", i);
		s.code = page_ins_down;
		s.code_end = page_ins_down_end;
		s.in.rdi = virt + 4;
		s.in.rcx = 4;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_PF, "INS down %u vector", i);
		CHECK_EQ(s.out.rcx, 1, "INS down %u RCX", i);
		CHECK_EQ(s.out.rdi, virt - 2, "INS down %u RDI", i);
	}
	{
		struct snippet s = {.code = page_outs, .code_end = page_outs_end};

		memset((void *)virt, 0xff, 4096);
		s.in.rdx = 0x21;
		s.in.rsi = border - 2;
		s.in.rcx = 4;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_PF, "OUTS vector");
		CHECK_EQ(s.out.error, 0, "OUTS error");
		CHECK_EQ(s.out.rcx, 2, "OUTS RCX");
		CHECK_EQ(s.out.rsi, border, "OUTS RSI");
	}
}
