/*
 * Loads and stores of the general registers in the VMM's memory, by every form of MOV and at every
 * offset in a line: ones are read, nothing is written, the other registers stay (bug class 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static const struct form {
	const char *name;
	unsigned length;
	uint8_t bytes[10]; /* register RAX, memory at RDI */
	uint64_t rax;      /* of a load; RAX was 0 */
} forms[] = {
    {"mov-8", 2, {0x8a, 0x07}, 0xff},
    {"mov-16", 3, {0x66, 0x8b, 0x07}, 0xffff},
    {"mov-32", 2, {0x8b, 0x07}, 0xffffffff},
    {"mov-64", 3, {0x48, 0x8b, 0x07}, REGION_ONES},
    {"movzx-8", 4, {0x48, 0x0f, 0xb6, 0x07}, 0xff},
    {"movzx-16", 4, {0x48, 0x0f, 0xb7, 0x07}, 0xffff},
    {"movsx-8", 4, {0x48, 0x0f, 0xbe, 0x07}, REGION_ONES},
    {"movsx-16", 3, {0x0f, 0xbf, 0x07}, 0xffffffff},
    {"movsxd", 3, {0x48, 0x63, 0x07}, REGION_ONES},
    {"lods", 2, {0x48, 0xad}, REGION_ONES}, /* from RSI, which is RDI */
    {"store-8", 2, {0x88, 0x07}, 0},
    {"store-16", 3, {0x66, 0x89, 0x07}, 0},
    {"store-32", 2, {0x89, 0x07}, 0},
    {"store-64", 3, {0x48, 0x89, 0x07}, 0},
    {"store-imm8", 3, {0xc6, 0x07, 0x12}, 0},
    {"store-imm16", 5, {0x66, 0xc7, 0x07, 0x34, 0x12}, 0},
    {"store-imm32", 7, {0x48, 0xc7, 0x07, 0x78, 0x56, 0x34, 0x12}, 0},
    {"movnti", 4, {0x48, 0x0f, 0xc3, 0x07}, 0},
    {"stos", 2, {0x48, 0xab}, 0},
    {"setz", 3, {0x0f, 0x94, 0x07}, 0},
    {"mov-from-segment", 2, {0x8c, 0x1f}, 0},
};

GUEST_CASE(region_sizes, "the VMM's promise: Documentation/memory-map.md")
{
	struct region r = region_get();

	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		for (unsigned offset = 0; offset < 16; offset++) {
			uint64_t at = r.base + 0x2340 + offset;
			struct snippet s = {.in = {.rdi = at, .rsi = at, .rbx = 1, .rcx = 2}};

			snippet_bytes(&s, forms[i].bytes, forms[i].length);
			snippet_run(&s);
			CHECK_EQ(s.out.vector, VECTOR_END, "%s+%u vector", forms[i].name, offset);
			CHECK_EQ(s.out.rip, forms[i].length + 2, "%s+%u RIP", forms[i].name,
				 offset);
			CHECK_EQ(s.out.rax, forms[i].rax, "%s+%u RAX", forms[i].name, offset);
			CHECK_EQ(s.out.rbx << 8 | s.out.rcx, 0x102, "%s+%u others", forms[i].name,
				 offset);
		}
	}
	region_check(&r, "end");
}
