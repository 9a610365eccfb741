/* Switching from one stack of the VMM to another. */
/* SPDX-License-Identifier: BSD-3-Clause */
	.text
/*
 * void thread_switch(uint64_t *save, uint64_t load): save the stack pointer at *save, go on with the one
 * `load`. Only what a called function keeps (System V ABI) is on the stacks: the rest of the host's state is
 * the same for all threads and for the CPU itself.
 */
	.globl	thread_switch
thread_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
