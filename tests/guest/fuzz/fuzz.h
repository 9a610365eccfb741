/* The guest fuzzer: random operations as bytecode, made from a seed, run alike bare and under the
 * VMM. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "tests/guest/kernel/kernel.h"

/* Kinds of operation; their names for kinds=LIST and the output are in gen.c. */
enum fuzz_kind {
	FUZZ_IO,    /* IN, OUT, INS, OUTS */
	FUZZ_PCI,   /* configuration space by ports */
	FUZZ_MSR,   /* RDMSR, WRMSR */
	FUZZ_CR,    /* control and debug registers, XCR0, LMSW, CLTS */
	FUZZ_CPUID, /* any leaf */
	FUZZ_APIC,  /* the local APIC's registers */
	FUZZ_IPI,   /* fixed interrupts, and windows where they arrive */
	FUZZ_NMI,   /* to this CPU and to others */
	FUZZ_START, /* INIT and start-up of the last CPU, which is parked */
	FUZZ_PAGE,  /* page-table entries, INVLPG, accesses through them */
	FUZZ_VMM,   /* accesses to the VMM's memory */
	FUZZ_DESC,  /* descriptor tables and segment loads */
	FUZZ_INSN,  /* snippets of one to three instructions, CPL 0 */
	FUZZ_USER,  /* the same at CPL 3 */
	FUZZ_MODE,  /* the same without long mode */
	FUZZ_STEP,  /* the same with RFLAGS.TF */
	FUZZ_FAULT, /* faults while an event is delivered */
	FUZZ_KINDS
};

extern const char *const fuzz_names[FUZZ_KINDS];

/* One operation. What the members mean is the kind's: see exec.c. */
struct fuzz_op {
	uint8_t kind, what, size, how;
	uint32_t number;
	uint64_t value, extra;
	uint8_t code[40], length; /* of a snippet */
	uint8_t varies;           /* FUZZ_VARIES_*: what is not compared */
	uint8_t pass;             /* INSN_* of all instructions of the snippet */
};

#define FUZZ_VARIES_REGS 1u /* RAX, RBX, RCX, RDX */
#define FUZZ_VARIES_ALL  2u

/* What the generator may know: the same bare and under the VMM. */
struct fuzz_env {
	uint64_t seed;
	uint32_t kinds; /* bit per kind */
	uint16_t pm1;   /* port of PM1a_CNT, 0: none */
	uint8_t cpus;   /* that fuzz */
	uint8_t parked; /* number of the parked CPU, 0: none */
};

/* Make operation `index` of CPU `cpu`: a function of its arguments alone. */
void fuzz_make(const struct fuzz_env *env, unsigned cpu, uint64_t index, struct fuzz_op *op);
/* False: what this operation gives may differ bare and under the VMM; *reason says why (mask.c). */
bool fuzz_compared(const struct fuzz_op *op, const char **reason);
/* Does an access of up to 4 bytes at `port` see what another CPU's operation may have written? */
bool fuzz_port_is_written(const struct fuzz_env *env, uint32_t port);
/* Bits of CPUID's register `reg` (0: EAX) that may differ. */
uint32_t fuzz_cpuid_mask(uint32_t leaf, uint32_t subleaf, unsigned reg);

#define FUZZ_VALUES 24

/* What an operation gave. */
struct fuzz_result {
	unsigned count;
	bool skip; /* do not compare */
	uint64_t value[FUZZ_VALUES];
};

/* Tables and pages for `count` CPUs. Context: CPU 0, once. */
void fuzz_prepare(const struct fuzz_env *env, unsigned count);
/* Load this CPU's. */
void fuzz_load(void);
void fuzz_execute(const struct fuzz_env *env, const struct fuzz_op *op, struct fuzz_result *r);
/* Something that must not be, whatever the emulator. */
void fuzz_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* After the last operation: everything sent has arrived. */
void fuzz_finish(const struct fuzz_env *env);
