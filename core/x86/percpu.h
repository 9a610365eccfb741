/* Per-CPU block: stacks, descriptor tables and the guest's CPU, found from the stack pointer. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/apicstore.h"
#include "core/vm/vcpu.h"
#include "core/vm/walkcache.h"

/*
 * One block of 64 KiB, aligned to its size, so that any stack pointer inside it leads to the block:
 *   0x0000 guard   0x1000 #DF stack   0x2000 guard   0x3000 #MC stack   0x4000 guard   0x5000 NMI
 * stack 0x6000 guard   0x7000 main stack, 16 KiB         0xb000 struct cpu  0xc000 four pages of
 * the vendor's
 * Guard pages are not mapped. The host stack pointer of an entry is the address of struct cpu, so
 * assembly addresses struct vcpu, its first member, from it. The last word of struct cpu's page
 * leads to struct cpu; a thread's block (core/thread.c) has it at the same place, for the CPU that
 * runs the thread.
 */
#define CPU_BLOCK_SIZE   0x10000
#define CPU_DF_STACK     0x2000
#define CPU_MC_STACK     0x4000
#define CPU_NMI_STACK    0x6000
#define CPU_STACK_BOTTOM 0x7000
#define CPU_STRUCT       0xb000
#define CPU_SELF         0xbff8
#define CPU_VENDOR_PAGES 0xc000

#ifndef __ASSEMBLY__
enum { IST_DF = 1, IST_NMI = 2, IST_MC = 3 };

struct __attribute__((packed)) tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
};

#define HOST_CS 0x08
#define HOST_DS 0x10
/*
 * TR cannot be emptied again, so a CPU that goes back to firmware without a TSS keeps this
 * selector. It lies behind the end of the GDTs that firmware has: EDK II loads what it finds in TR
 * once more when it lies inside.
 */
#define HOST_TR     0x400
#define GDT_ENTRIES (HOST_TR / 8 + 2)

struct cpu {
	struct vcpu vcpu; /* first: see above */
	uint32_t index;   /* 0 = boot CPU */
	uint32_t apic_id;
	volatile uint32_t online; /* 1: initialised, 2: refused */
	int error;                /* why the CPU refused */
	bool stopped; /* atomic: told to stop by a panic, and `state` holds its guest's registers if
			 `vcpu.active` */
	uint64_t tsc_moved;       /* ticks by which the guest has moved this CPU's TSC */
	struct mtrr_state *mtrrs; /* as this CPU's guest has written them: core/vm/mtrr.c */
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
	struct vcpu_state state; /* captured or to be entered */
	struct walkcache walks;  /* of this CPU's guest */
	struct apicstore stores[APICSTORE_ENTRIES];
};

extern struct cpu *cpus[]; /* by index; cpu_count of them */
extern uint32_t cpu_count; /* all CPUs of the machine that will be used; set before they start */
extern bool cpu_on_block;  /* start-up is over: whoever runs has a block, this_cpu() is right */

static inline struct cpu **cpu_self(uint64_t block)
{
	return (struct cpu **)(uintptr_t)(block + CPU_SELF);
}

/*
 * This CPU's block. In a thread it may be another one behind schedule(). Context: any, once the CPU
 * runs on a stack of its block.
 */
static inline struct cpu *this_cpu(void)
{
	uint64_t rsp;

	__asm__("mov %%rsp, %0" : "=r"(rsp));
	return *cpu_self(rsp & ~(uint64_t)(CPU_BLOCK_SIZE - 1));
}

/*
 * The same where the stack may be another one (start-up, a broken stack pointer): NULL unless the
 * stack pointer leads to the block of a CPU that is known, or of a thread. Context: any, panic
 * included.
 */
struct cpu *cpu_current(void);
/* Allocate the block of CPU `index`; 0 or -ENOMEM. Context: boot CPU, start-up. */
int percpu_alloc(uint32_t index, uint32_t apic_id);
/* Load GDT, IDT, TSS and the host's control registers on the calling CPU, which runs on its block.
 */
void percpu_load(struct cpu *cpu);
/* The host's CR0 and CR4 (SMEP, SMAP, MCE...) as percpu_load() sets them. */
uint64_t percpu_host_cr4(void);
#endif
