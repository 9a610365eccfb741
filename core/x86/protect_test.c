/* What the VMM's own tables and registers forbid it, tried: the debug image's call test_protect. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef CONFIG_TEST_CALLS
#include "core/errno.h"
#include "core/mm/vmmap.h"
#include "core/vm/vmcall.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

#define EXTABLE(from, to)                                                                          \
	".pushsection .section.extable, \"a\"; .quad " from ", " to "; .popsection"

/* A function of one RET in memory that is data. */
extern uint8_t protect_data_ret[], protect_rodata_ret[];
__asm__(".pushsection .data; protect_data_ret: ret; .popsection\n"
	".pushsection .rodata; protect_rodata_ret: ret; .popsection\n");

static bool write_faults(uintptr_t p)
{
	bool faults;

	__asm__ volatile("movb (%1), %%al\n1: movb %%al, (%1)\n\txorl %k0, %k0\n\tjmp 3f\n"
			 "2: movl $1, %k0\n3:\n" EXTABLE("1b", "2b")
			 : "=&r"(faults)
			 : "r"(p)
			 : "rax", "memory");
	return faults;
}

static bool read_faults(uintptr_t p)
{
	bool faults;

	__asm__ volatile("1: movb (%1), %%al\n\txorl %k0, %k0\n\tjmp 3f\n"
			 "2: movl $1, %k0\n3:\n" EXTABLE("1b", "2b")
			 : "=&r"(faults)
			 : "r"(p)
			 : "rax", "memory");
	return faults;
}

/* The fault is at the callee's first byte, with the return address on the stack. */
#define CALL_FAULTS(symbol, faults)                                                                \
	__asm__ volatile("call " #symbol "\n\txorl %k0, %k0\n\tjmp 3f\n"                           \
			 "2: addq $8, %%rsp\n\tmovl $1, %k0\n3:\n" EXTABLE(#symbol, "2b")          \
			 : "=&r"(faults)                                                           \
			 :                                                                         \
			 : "memory")

static uint64_t may(void)
{
	uintptr_t block = (uintptr_t)this_cpu() - CPU_STRUCT;
	bool data, rodata;

	CALL_FAULTS(protect_data_ret, data);
	CALL_FAULTS(protect_rodata_ret, rodata);
	const bool faults[] = {
	    write_faults((uintptr_t)read_faults), /* text */
	    write_faults((uintptr_t)protect_rodata_ret),
	    data,
	    rodata,
	    read_faults(0),
	    read_faults(block),
	    read_faults(block + CPU_DF_STACK),
	    read_faults(block + CPU_MC_STACK),
	    read_faults(block + CPU_NMI_STACK),
	};
	uint64_t mask = 0;

	for (unsigned i = 0; i < sizeof(faults); i++)
		mask |= (uint64_t)!faults[i] << i;
	return mask;
}

/*
 * For tests. RBX: operation. RAX: 0, or an error number of include/core/errno.h.
 *  1 do what must fault; RCX = a bit for each that did not: write code, write a constant, run data,
 *    run a constant, read address 0, read below the stacks of #DF, #MC, NMI and below the main one
 *  2 RCX = CR0, RDX = CR4
 *  3 RCX = EFER, RDX = how many of the three stacks of the TSS lie elsewhere than the block says
 */
static void call_test_protect(struct vcpu *v)
{
	struct cpu *cpu = this_cpu();
	uintptr_t block = (uintptr_t)cpu - CPU_STRUCT;

	v->gpr[GPR_RAX] = 0;
	switch (v->gpr[GPR_RBX]) {
	case 1:
		v->gpr[GPR_RCX] = may();
		break;
	case 2:
		v->gpr[GPR_RCX] = read_cr0();
		v->gpr[GPR_RDX] = read_cr4();
		break;
	case 3:
		v->gpr[GPR_RCX] = rdmsr(MSR_EFER);
		v->gpr[GPR_RDX] = (uint64_t)(cpu->tss.ist[IST_DF - 1] != block + CPU_DF_STACK) +
				  (cpu->tss.ist[IST_MC - 1] != block + CPU_MC_STACK) +
				  (cpu->tss.ist[IST_NMI - 1] != block + CPU_NMI_STACK);
		break;
	default:
		v->gpr[GPR_RAX] = EINVAL;
		break;
	}
}
VMCALL("test_protect", call_test_protect);
#else
typedef int protect_test_empty; /* ISO C wants a declaration */
#endif
