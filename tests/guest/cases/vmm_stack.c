/* A stack in the VMM's memory: what is pushed is lost, and so is the frame of an exception; the CPU
 * goes on. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(stack_push, 64,
	"movq %rsp, %rcx; movq %rbx, %rsp; pushq $1; movq %rsp, %rax; movq %rcx, %rsp");

GUEST_CASE(vmm_stack, "the VMM's promise: Documentation/memory-map.md")
{
	uint64_t end, hole = memory_missing(&end);
	struct snippet s = {.code = stack_push, .code_end = stack_push_end};

	if (!hole)
		case_skip("no memory is missing");
	s.in.rbx = hole + 0x1008;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "PUSH vector");
	CHECK_EQ(s.out.rax, hole + 0x1000, "PUSH RSP");
	CHECK_EQ(*(volatile uint64_t *)(hole + 0x1000), ~UINT64_C(0), "PUSH");
}
