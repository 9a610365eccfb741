/* What the parts of the micro-kernel say to each other. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "tests/guest/kernel/guest.h"

/* Segments: the tables are in trap.c. */
#define SEL_CODE64   0x08u
#define SEL_DATA     0x10u
#define SEL_CODE32   0x18u
#define SEL_CODE16   0x20u
#define SEL_USER32   0x2bu
#define SEL_USERDATA 0x33u /* DS and ES at all times */
#define SEL_USER64   0x3bu
#define SEL_TSS      0x40u /* of CPU 0; 16 bytes each */

/* One CPU's own. */
struct cpu {
	uint64_t case_stack; /* where protected_call() came from, 0: none */
	uint64_t snippet_stack;
	struct snippet *snippet; /* that runs */
	unsigned tried;
	uint64_t tried_error;
};

extern struct cpu cpus[CPUS_MAX];

/* 64-bit entry, after boot.S: runs the cases. */
_Noreturn void guest_start(const struct boot_block *block);
_Noreturn void multiboot_start(const void *information);

/* GDT, IDT and TSS of CPU `index`, which is this one. */
void trap_init(unsigned index);
/* Load them (again) on CPU `index`, which is this one. */
void trap_load(unsigned index);
/* Forget handlers, restore the control registers and the IDT. Context: between cases. */
void trap_reset(void);
void trap_handle(struct frame *f);
void snippet_enter(struct frame *f, uint64_t *stack);
uint64_t protected_call(void (*f)(void), uint64_t *stack);
_Noreturn void protected_leave(uint64_t stack, uint64_t value);
/* Run a snippet of a mode without long mode. */
void legacy_run(struct snippet *s, uint32_t base, uint32_t stack);

/* An exception that nobody waits for. */
_Noreturn void case_unexpected(const struct frame *f);

void page_init(void);
/* Give back what page_space() gave. Context: between cases, CR3 is loaded afterwards. */
void page_reset(void);
void smp_init(void);
/* The CPUs (bit N: CPU N) that have been seen outside of the VMM, at a start of theirs or now; 0
 * without the VMM. One that stands still or is busy is not asked now. Context: CPU 0. */
uint32_t cpus_outside(void);

/* Word fuzz= of the command line (tests/guest/fuzz): run it; returns the number of errors. */
unsigned fuzz_run(void);
