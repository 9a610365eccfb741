/* Events in protected mode without and with paging whose stack is memory that the VMM has not
 * mapped yet: frames of 32 bits, error codes as well (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

SNIPPET(prot32_ud, 32, "ud2");
SNIPPET(prot32_gp, 32, "movl %eax, %ds");
SNIPPET(prot32_de, 32, "divl %ecx");
SNIPPET(prot32_int3, 32, "int3");
SNIPPET(prot32_into, 32, "into");
SNIPPET(prot32_int, 32, "int $0x90");
SNIPPET(prot32_tf, 32, "nop");

static const struct {
	const char *name;
	const uint8_t *code, *end;
	uint32_t vector, error, rip, rflags;
} events[] = {
    {"UD", prot32_ud, prot32_ud_end, VECTOR_UD, 0, 0, 0},
    {"GP", prot32_gp, prot32_gp_end, VECTOR_GP, 0xfffc, 0, 0},
    {"DE", prot32_de, prot32_de_end, VECTOR_DE, 0, 0, 0},
    {"INT3", prot32_int3, prot32_int3_end, VECTOR_BP, 0, 1, 0},
    {"INTO", prot32_into, prot32_into_end, VECTOR_OF, 0, 1, RFLAGS_OF},
    {"INT", prot32_int, prot32_int_end, 0x90, 0, 2, 0},
    {"TF", prot32_tf, prot32_tf_end, VECTOR_DB, 0, 1, RFLAGS_TF},
};

GUEST_CASE(deliver_prot32, "SDM 3A 6.12.1, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	for (enum mode mode = MODE_PROT32; mode <= MODE_PAE32; mode++) {
		uint64_t base = (uintptr_t)fresh_move();

		for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
			struct snippet s = {
			    .mode = mode, .code = events[i].code, .code_end = events[i].end};
			const char *name = events[i].name, *in = mode_name[mode];

			if (events[i].vector == 0x90 && !event_in_exit(EVENT_INT))
				continue;
			s.in.rsp = base + (i + 1) * FRESH_PIECE;
			s.in.rax = 0xffff;
			s.in.rflags = events[i].rflags;
			snippet_run(&s);
			CHECK_EQ(s.out.vector, events[i].vector, "%s %s vector", in, name);
			CHECK_EQ(s.out.error, events[i].error, "%s %s error", in, name);
			CHECK_EQ(s.out.rip, events[i].rip, "%s %s RIP", in, name);
			CHECK_EQ(s.out.rsp, s.in.rsp, "%s %s RSP", in, name);
		}
	}
}
