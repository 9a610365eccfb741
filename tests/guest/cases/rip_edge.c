/*
 * An exiting instruction at the very end of what can be addressed: its next RIP is not canonical,
 * and the entry that follows must neither fail nor lose the exception (bug class 27, XSA-170).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define EDGE UINT64_C(0x800000000000)

static void at_edge(const char *name, const uint8_t *bytes, unsigned length, unsigned vector,
		    uint64_t rip)
{
	static const uint8_t jump[] = {0x41, 0xff, 0xe0}; /* jmp *%r8 */
	struct snippet s = {.mode = MODE_64, .in = {.r8 = EDGE - length}};
	uint8_t *page = page_alloc();

	memcpy(page + 4096 - length, bytes, length);
	page_map(EDGE - 4096, (uintptr_t)page, PAGE_P | PAGE_W);
	snippet_bytes(&s, jump, sizeof(jump));
	snippet_run(&s);
	page_map(EDGE - 4096, 0, 0);
	CHECK_EQ(s.out.vector, vector, "%s vector", name);
	CHECK_EQ(s.out.rip, rip, "%s RIP", name);
	CHECK_EQ(s.out.error, 0, "%s error", name);
}

GUEST_CASE(rip_edge, "SDM 1 3.3.7.1, SDM 3C 27.3.1.4, APM 2 15.5.1")
{
	static const uint8_t cpuid_code[] = {0x0f, 0xa2}, nop[] = {0x90},
			     xsetbv[] = {0x0f, 0x01, 0xd1}, int3[] = {0xcc}, ud[] = {0x0f, 0x0b};

	at_edge("NOP", nop, sizeof(nop), VECTOR_GP, EDGE);
	at_edge("CPUID", cpuid_code, sizeof(cpuid_code), VECTOR_GP, EDGE);
	at_edge("INT3", int3, sizeof(int3), VECTOR_BP, EDGE);
	at_edge("UD2", ud, sizeof(ud), VECTOR_UD, EDGE - 2);
	/* CR4.OSXSAVE is off */
	at_edge("XSETBV", xsetbv, sizeof(xsetbv), VECTOR_UD, EDGE - 3);
}
