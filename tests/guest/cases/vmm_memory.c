/*
 * The VMM's own memory, found as what the memory map lacks (the host tells what it was without the
 * VMM): reads give ones, writes have no effect, and the CPU goes on as with a ROM (bug class 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ONES ~UINT64_C(0)

static void look(uint64_t at, const char *where)
{
	volatile void *b = (volatile void *)at;
	uint64_t value, rdi = at, rcx = 3;

	CHECK_EQ(*(volatile uint8_t *)b, 0xff, "%s read 1", where);
	CHECK_EQ(*(volatile uint16_t *)b, 0xffff, "%s read 2", where);
	CHECK_EQ(*(volatile uint32_t *)b, 0xffffffff, "%s read 4", where);
	CHECK_EQ(*(volatile uint64_t *)b, ONES, "%s read 8", where);
	*(volatile uint8_t *)b = 0;
	CHECK_EQ(*(volatile uint8_t *)b, 0xff, "%s write 1", where);
	*(volatile uint16_t *)b = 0x1234;
	CHECK_EQ(*(volatile uint16_t *)b, 0xffff, "%s write 2", where);
	*(volatile uint32_t *)b = 0x12345678;
	CHECK_EQ(*(volatile uint32_t *)b, 0xffffffff, "%s write 4", where);
	*(volatile uint64_t *)b = 0x123456789abcdef0;
	CHECK_EQ(*(volatile uint64_t *)b, ONES, "%s write 8", where);
	__asm__ volatile("rep stosb" : "+D"(rdi), "+c"(rcx) : "a"(0) : "memory");
	CHECK_EQ(rdi, at + 3, "%s STOS RDI", where);
	CHECK_EQ(rcx, 0, "%s STOS RCX", where);
	CHECK_EQ(*(volatile uint64_t *)b, ONES, "%s STOS", where);
	value = 5;
	__asm__ volatile("xchgq %0, (%1)" : "+r"(value) : "r"(at) : "memory");
	CHECK_EQ(value, ONES, "%s XCHG", where);
	value = 5;
	__asm__ volatile("lock xaddq %0, (%1)" : "+r"(value) : "r"(at) : "memory");
	CHECK_EQ(value, ONES, "%s XADD", where);
	value = 0;
	__asm__ volatile("addl $1, (%1); setc %b0" : "+r"(value) : "r"(at) : "memory", "cc");
	CHECK_EQ(value, 1, "%s ADD CF", where);
	/* not equal: the accumulator gets what is there */
	value = 7;
	__asm__ volatile("lock cmpxchgq %2, (%1)"
			 : "+a"(value)
			 : "r"(at), "r"(UINT64_C(9))
			 : "memory", "cc");
	CHECK_EQ(value, ONES, "%s CMPXCHG", where);
}

GUEST_CASE(vmm_memory, "the VMM's promise: Documentation/memory-map.md")
{
	uint64_t end, hole = memory_missing(&end);

	if (!hole)
		case_skip("no memory is missing");
	CHECK(end - hole >= 8 << 20, "size");
	look(hole, "first");
	look(hole + 0xff8, "first-page-end");
	look(hole + (end - hole) / 2, "middle");
	look(end - 16, "last");
	for (uint64_t at = hole; at < end; at += 4096) {
		if (*(volatile uint64_t *)at != ONES) {
			CHECK_EQ(*(volatile uint64_t *)at, ONES, "sweep");
			break;
		}
	}
}
