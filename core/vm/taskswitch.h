/* Task switches by the rules of SDM 3A 7.3, for CPUs that leave them to the VMM. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"

/* What asked for the switch; numbers as in the exit qualification (SDM 3C table 28-2). */
enum task_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE /* in the IDT */ };

struct task_switch {
	uint16_t selector; /* of the new TSS */
	uint8_t source;    /* enum task_source */
	/* Bytes of the instruction, which the old task will find done. 0: RIP is what the old task
	 * goes on with, as for interrupts and faults. */
	uint8_t length;
	bool external;  /* not by the program: EXT in selector error codes */
	bool has_error; /* the event at a task gate has an error code for the new stack */
	uint32_t error;
};

struct task_fault {
	uint8_t vector;
	uint32_t error;
	uint64_t cr2; /* with #PF */
};

/* Guest memory by linear addresses. Each returns true, or false with *f set, nothing copied. */
struct task_memory {
	void *arg;
	/* `implicit`: supervisor access whatever CPL is, for descriptors and TSSs. */
	bool (*read)(void *arg, uint64_t la, void *to, unsigned n, bool implicit,
		     struct task_fault *f);
	bool (*write)(void *arg, uint64_t la, const void *from, unsigned n, bool implicit,
		      struct task_fault *f);
	/* Would it succeed? */
	bool (*check)(void *arg, uint64_t la, unsigned n, bool write, struct task_fault *f);
	/*
	 * From now on CR3, CPL (the DPL of SS) and EFLAGS are those in `s`. False: the PDPTEs at
	 * CR3 are not valid; the old CR3 stays.
	 */
	bool (*switched)(void *arg, const struct vcpu_state *s);
};

struct task_result {
	bool switched; /* the state is that of the new task */
	bool fault;    /* f is to be delivered, in the task that the state is of */
	bool debug;    /* #DB is to be delivered: T of the new TSS; DR6.BT is set in the state */
	struct task_fault f;
};

/*
 * Switches tasks: *s is the guest's state before, and after. Outside of IA-32e mode, with CR0.PE.
 * All checks are made anew, also those that the CPU makes before its exit: memory may have changed.
 * Checks follow the order of SDM 3A table 7-1; up to "registers are loaded" a fault leaves the
 * state and memory as they were. A segment whose load faults keeps its selector, unusable; CS then
 * has limit 0.
 *
 * Not defined by the manual, and as Bochs has it: a 16-bit TSS gives FS and GS null selectors and
 * clears the upper half of EFLAGS and EIP; general registers: upper halves 0.
 */
void taskswitch_run(const struct task_switch *t, struct vcpu_state *s, const struct task_memory *m,
		    struct task_result *r);
