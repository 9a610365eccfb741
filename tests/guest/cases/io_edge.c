/* Accesses at the last ports of all: they do what the machine does, and no more than there is. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(edge_inb, 64, "inb %dx, %al");
SNIPPET(edge_inw, 64, "inw %dx, %ax");
SNIPPET(edge_inl, 64, "inl %dx, %eax");

#define RAX UINT64_C(0x1122334455667788)

static const struct {
	const char *name;
	const uint8_t *code, *end;
	uint64_t rdx, keeps; /* bits of RAX */
} forms[] = {
    {"INB", edge_inb, edge_inb_end, UINT64_C(0xabcd0000ffff), ~UINT64_C(0xff)}, /* only DX counts */
    {"INW", edge_inw, edge_inw_end, 0xfffe, ~UINT64_C(0xffff)},
    {"INL", edge_inl, edge_inl_end, 0xfffc, 0}, /* clears the high half */
};

GUEST_CASE(io_edge, "SDM 1 19.3, SDM 2A IN")
{
	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct snippet s = {.code = forms[i].code,
				    .code_end = forms[i].end,
				    .in = {.rax = RAX, .rdx = forms[i].rdx}};
		uint64_t read = forms[i].keeps ? ~forms[i].keeps : 0xffffffff;

		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", forms[i].name);
		CHECK_EQ(s.out.rax & ~read, RAX & forms[i].keeps, "%s RAX", forms[i].name);
		case_value("%s %#lx", forms[i].name, s.out.rax & read);
	}
}
