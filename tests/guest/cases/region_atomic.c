/*
 * Instructions that read and write: in the VMM's memory they see ones and leave ones, with the
 * flags and registers that follow from that (bug classes 2, 10, 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define CF BIT(0)
#define ZF BIT(6)
#define SF BIT(7)

static const struct form {
	const char *name;
	unsigned length;
	uint8_t bytes[8];
	uint64_t rax;   /* behind it; RAX was 5, RBX 1, RCX 0, RDX 7 */
	uint64_t flags; /* of CF and ZF */
} forms[] = {
    {"add", 3, {0x48, 0x01, 0x1f}, 5, CF | ZF},
    {"lock-add", 4, {0xf0, 0x48, 0x01, 0x1f}, 5, CF | ZF},
    {"adc", 3, {0x48, 0x11, 0x1f}, 5, CF | ZF},
    {"sub", 3, {0x48, 0x29, 0x1f}, 5, 0},
    {"sbb", 3, {0x48, 0x19, 0x1f}, 5, 0},
    {"or", 3, {0x48, 0x09, 0x1f}, 5, 0},
    {"and", 3, {0x48, 0x21, 0x0f}, 5, ZF},
    {"lock-and", 4, {0xf0, 0x48, 0x21, 0x0f}, 5, ZF},
    {"xor", 3, {0x48, 0x31, 0x1f}, 5, 0},
    {"cmp", 3, {0x48, 0x39, 0x1f}, 5, 0},
    {"test", 3, {0x48, 0x85, 0x0f}, 5, ZF},
    {"inc", 3, {0x48, 0xff, 0x07}, 5, ZF},
    {"lock-dec", 4, {0xf0, 0x48, 0xff, 0x0f}, 5, 0},
    {"neg", 3, {0x48, 0xf7, 0x1f}, 5, CF},
    {"not", 3, {0x48, 0xf7, 0x17}, 5, 0},
    {"xchg", 3, {0x48, 0x87, 0x07}, REGION_ONES, 0},
    {"xchg-8", 2, {0x86, 0x07}, 0xff, 0},
    {"xadd", 4, {0x48, 0x0f, 0xc1, 0x07}, REGION_ONES, CF},
    {"lock-cmpxchg", 5, {0xf0, 0x48, 0x0f, 0xb1, 0x1f}, REGION_ONES, CF},
    {"lock-cmpxchg8b", 4, {0xf0, 0x0f, 0xc7, 0x0f}, 5, 0}, /* none that the VMM performs */
    {"bts", 5, {0x48, 0x0f, 0xba, 0x2f, 3}, 5, CF},
    {"lock-btr", 6, {0xf0, 0x48, 0x0f, 0xba, 0x37, 3}, 5, CF},
    {"btc-register", 4, {0x48, 0x0f, 0xbb, 0x1f}, 5, CF},
};

GUEST_CASE(region_atomic, "SDM 2, each instruction; the VMM's promise: Documentation/memory-map.md")
{
	struct region r = region_get();

	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct snippet s = {.in = {.rdi = r.base + 0x4008, .rax = 5, .rbx = 1, .rdx = 7}};

		snippet_bytes(&s, forms[i].bytes, forms[i].length);
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", forms[i].name);
		CHECK_EQ(s.out.rax, forms[i].rax, "%s RAX", forms[i].name);
		/* the bit instructions leave ZF as it was, which was 0 */
		CHECK_EQ(s.out.rflags & (CF | ZF), forms[i].flags, "%s flags", forms[i].name);
		CHECK_EQ(*(volatile uint64_t *)(r.base + 0x4008), REGION_ONES, "%s", forms[i].name);
	}
	/* 16 bytes, which must be aligned */
	for (unsigned offset = 0; offset < 16 && cpuid(1, 0).ecx & BIT(13); offset += 8) {
		static const uint8_t bytes[] = {0xf0, 0x48, 0x0f, 0xc7, 0x0f};
		struct snippet s = {.in = {.rdi = r.base + 0x4010 + offset}};

		snippet_bytes(&s, bytes, sizeof(bytes));
		snippet_run(&s);
		CHECK_EQ(s.out.vector, offset ? VECTOR_GP : VECTOR_END, "cmpxchg16b+%u vector",
			 offset);
	}
	region_check(&r, "end");
}
