/* Protection keys: user pages whose key is closed in PKRU cannot be read, or written, at CPL 3. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

#define CR4_PKE BIT(22)

SNIPPET(pku_read, 64, "wrpkru; movq (%rdi), %rbx");
SNIPPET(pku_write, 64, "wrpkru; movq %rbx, (%rdi)");

static void one(uint64_t virt, uint32_t pkru, bool write, unsigned error)
{
	struct snippet s = {.mode = MODE_USER64,
			    .code = write ? pku_write : pku_read,
			    .code_end = write ? pku_write_end : pku_read_end};

	s.in.rax = pkru;
	s.in.rdi = virt;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, error ? VECTOR_PF : VECTOR_END, "PKRU %#x %u vector", pkru, write);
	if (error)
		CHECK_EQ(s.out.error, error, "PKRU %#x %u error", pkru, write);
}

GUEST_CASE(walk_pku, "SDM 3A 4.6.2, APM 2 5.6.7")
{
	uint64_t virt = page_space(), key = 3;

	if (!(cpuid(7, 0).ecx & BIT(3)))
		case_skip("no PKU");
	CHECK_EQ(cpuid(7, 0).ecx >> 4 & 1, 0, "OSPKE off");
	write_cr4(read_cr4() | CR4_PKE);
	CHECK_EQ(cpuid(7, 0).ecx >> 4 & 1, 1, "OSPKE on");
	page_map(virt, (uintptr_t)page_alloc(), PAGE_P | PAGE_W | PAGE_U | key << 59);
	one(virt, 0, false, 0);
	one(virt, 0, true, 0);
	one(virt, 1 << 6, false, 0x25); /* AD */
	one(virt, 1 << 6, true, 0x27);
	one(virt, 2 << 6, false, 0); /* WD */
	one(virt, 2 << 6, true, 0x27);
	one(virt, 3 << 8, true, 0); /* another key */
	__asm__ volatile("wrpkru" : : "a"(0), "c"(0), "d"(0));
}
