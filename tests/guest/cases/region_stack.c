/*
 * A stack in the VMM's memory, by each instruction that uses one: what is pushed is lost, what is
 * popped is ones, RSP moves as always but for instructions that have no effect.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

/* RSP into RBX's place, the instruction, RSP to RSI, and back */
#define STACK(name, text)                                                                          \
	SNIPPET(stack_##name, 64,                                                                  \
		"movq %rsp, %rcx; movq %rbx, %rsp; " text "; movq %rsp, %rsi; movq %rcx, %rsp")
STACK(push, "pushq $5");
STACK(push_16, "pushw $5");
STACK(push_memory, "pushq (%rdi)");
STACK(pop, "popq %rax");
STACK(pop_16, "popw %ax");
STACK(pop_memory, "popq (%rdi)");
STACK(call, "call 1f; 1:");
STACK(enter, "enter $16, $0");
STACK(leave, "movq %rsp, %rbp; leave");
STACK(pushf, "pushfq");
SNIPPET(stack_ret, 64, "movq %rbx, %rsp; ret");

static uint64_t word;

static void one(const struct region *r, const char *name, const uint8_t *code, const uint8_t *end,
		int move, uint64_t rax)
{
	struct snippet s = {.code = code, .code_end = end};

	s.in.rbx = r->base + 0x5008;
	s.in.rdi = (uintptr_t)&word;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", name);
	CHECK_EQ(s.out.rsi, s.in.rbx + (uint64_t)(int64_t)move, "%s RSP", name);
	CHECK_EQ(s.out.rax, rax, "%s RAX", name);
}

#define ONE(name, move, rax) one(&r, #name, stack_##name, stack_##name##_end, move, rax)

GUEST_CASE(region_stack, "SDM 2 PUSH, POP, CALL, ENTER, LEAVE; Documentation/memory-map.md")
{
	struct region r = region_get();
	struct snippet s = {.code = stack_ret, .code_end = stack_ret_end};

	ONE(push, -8, 0);
	ONE(push_16, -2, 0);
	ONE(push_memory, -8, 0);
	ONE(pop, 8, REGION_ONES);
	ONE(pop_16, 2, 0xffff);
	word = 0;
	ONE(pop_memory, 8, 0);
	CHECK_EQ(word, REGION_ONES, "pop_memory");
	ONE(leave, 8, 0);
	/* none that the VMM performs: they have no effect at all */
	ONE(call, 0, 0);
	ONE(enter, 0, 0);
	ONE(pushf, 0, 0);
	/* to the last byte of the address space, where nothing is; the page fault has no stack */
	s.in.rbx = r.base + 0x5008;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_DF, "ret vector");
	region_check(&r, "end");
}
