/*
 * The guest's own page tables come first: where they forbid an access to the VMM's memory, it is a
 * page fault with its error code, as everywhere, and not a write that is dropped (bug class 8).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

SNIPPET(rights_read, 64, "movq (%rdi), %rax");
SNIPPET(rights_write, 64, "movq %rax, (%rdi)");

static const struct row {
	const char *name;
	uint64_t flags;
	unsigned supervisor_read, supervisor_write, user_read, user_write; /* error code, NONE */
} rows[] = {
#define NONE 0x100
    {"absent", 0, 0, 2, 4, 6},
    {"read-only", PAGE_P | PAGE_U, NONE, 3, NONE, 7},
    {"supervisor", PAGE_P | PAGE_W, NONE, NONE, 5, 7},
    {"supervisor-read-only", PAGE_P, NONE, 3, 5, 7},
    {"all", PAGE_P | PAGE_W | PAGE_U, NONE, NONE, NONE, NONE},
};

static void one(const struct row *row, enum mode mode, bool write, uint64_t at, unsigned want)
{
	struct snippet s = {.mode = mode,
			    .code = write ? rights_write : rights_read,
			    .code_end = write ? rights_write_end : rights_read_end,
			    .in = {.rdi = at}};
	const char *access = write ? "write" : "read";

	snippet_run(&s);
	CHECK_EQ(s.out.vector, want == NONE ? VECTOR_END : VECTOR_PF, "%s %s %s vector", row->name,
		 mode_name[mode], access);
	if (want != NONE && s.out.vector == VECTOR_PF) {
		CHECK_EQ(s.out.error, want, "%s %s %s error", row->name, mode_name[mode], access);
		CHECK_EQ(s.cr2, at, "%s %s %s CR2", row->name, mode_name[mode], access);
	}
	if (want == NONE && !write)
		CHECK_EQ(s.out.rax, REGION_ONES, "%s %s RAX", row->name, mode_name[mode]);
}

GUEST_CASE(region_rights, "SDM 3A 4.6 and 4.7, APM 2 5.6; Documentation/memory-map.md")
{
	struct region r = region_get();
	uint64_t virt = page_space(), at = virt + 0x128;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		page_map(virt, r.base + 0x2000, rows[i].flags);
		one(&rows[i], MODE_64, false, at, rows[i].supervisor_read);
		one(&rows[i], MODE_64, true, at, rows[i].supervisor_write);
		one(&rows[i], MODE_USER64, false, at, rows[i].user_read);
		one(&rows[i], MODE_USER64, true, at, rows[i].user_write);
	}
	region_check(&r, "end");
}
