/* Instructions with a memory operand: decoded (by Zydis) into a neutral record, and performed
 * through callbacks. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/vm/insn/mode.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum insn_op {
	INSN_OP_MOV, /* MOV, MOVNTI */
	INSN_OP_MOVZX,
	INSN_OP_MOVSX, /* MOVSX, MOVSXD */
	INSN_OP_MOVBE,
	INSN_OP_ADD,
	INSN_OP_ADC,
	INSN_OP_SUB,
	INSN_OP_SBB,
	INSN_OP_CMP,
	INSN_OP_AND,
	INSN_OP_OR,
	INSN_OP_XOR,
	INSN_OP_TEST,
	INSN_OP_INC,
	INSN_OP_DEC,
	INSN_OP_NEG,
	INSN_OP_NOT,
	INSN_OP_XCHG,
	INSN_OP_XADD,
	INSN_OP_CMPXCHG,
	INSN_OP_BT,
	INSN_OP_BTS,
	INSN_OP_BTR,
	INSN_OP_BTC,
	INSN_OP_SETCC,  /* cond */
	INSN_OP_CMOVCC, /* cond */
	INSN_OP_PUSH,
	INSN_OP_POP,
	INSN_OP_MOVS,
	INSN_OP_STOS,
	INSN_OP_LODS,
	INSN_OP_CMPS,
	INSN_OP_SCAS,
};

enum insn_where { INSN_NONE, INSN_REG, INSN_MEM, INSN_IMM };
enum insn_rep { INSN_REP_NONE, INSN_REP, INSN_REPNE };

struct insn_operand {
	uint8_t where; /* enum insn_where */
	uint8_t size;  /* bytes: 1, 2, 4, 8 */
	uint8_t reg;   /* INSN_REG: number */
	bool high;     /* INSN_REG: AH, CH, DH, BH (reg is 0..3) */
};

/* seg : base + index * scale + disp, modulo the address size. Strings: seg and address_size only.
 */
struct insn_mem {
	uint8_t seg;   /* enum insn_seg; defaults are filled in */
	uint8_t base;  /* register, INSN_RIP (address of the next instruction), or INSN_REG_NONE */
	uint8_t index; /* register or INSN_REG_NONE */
	uint8_t scale; /* 1, 2, 4, 8 */
	uint8_t address_size; /* bytes: 2, 4, 8 */
	int64_t disp;
};

struct insn {
	uint8_t op;              /* enum insn_op */
	uint8_t length;          /* bytes */
	uint8_t rep;             /* enum insn_rep; strings only */
	uint8_t cond;            /* SETCC, CMOVCC: low four bits of the opcode */
	bool lock;               /* LOCK, or XCHG with memory */
	bool accesses;           /* touches memory, stack included; told with -ENOSYS as well */
	uint8_t mode;            /* enum insn_mode it was decoded in */
	struct insn_operand dst; /* for CMP, TEST, BT: the first operand; PUSH: none */
	struct insn_operand
	    src; /* CMPXCHG: the register; POP: none. Strings: sizes only. PUSH and
		    POP of a register or immediate have no explicit memory operand */
	struct insn_mem
	    mem;      /* the explicit memory operand. MOVS, LODS, CMPS: seg of the rSI side */
	uint64_t imm; /* sign-extended to 64 bits */
};

/*
 * Decodes bytes[0..n-1] (n at most 15 are looked at). Returns 0; -ENOSYS for an instruction without
 * memory operand (the stack is one) or not in enum insn_op; -EINVAL for bytes that are no
 * instruction (#UD); -EFAULT when n bytes are too few.
 */
int insn_decode(const uint8_t *bytes, size_t n, enum insn_mode mode, struct insn *insn);

/* The CPU an instruction is performed on. Callbacks return 0 or a negative error, which ends
 * insn_exec(). */
struct insn_cpu {
	void *arg;
	uint64_t next_rip;  /* address after the instruction, for INSN_RIP */
	uint8_t stack_size; /* bytes of the stack pointer in use: 8 in 64-bit mode, else 4 or 2 by
			       SS.B; PUSH and POP only */
	uint64_t (*reg_get)(void *arg, unsigned reg);             /* INSN_RAX..15, all 64 bits */
	void (*reg_set)(void *arg, unsigned reg, uint64_t value); /* all 64 bits */
	uint64_t (*rflags_get)(void *arg);
	void (*rflags_set)(void *arg, uint64_t value);
	/* Offsets are within the segment, truncated to the address size; size 1, 2, 4, 8; value
	 * zero-extended. */
	int (*mem_read)(void *arg, enum insn_seg seg, uint64_t offset, unsigned size,
			uint64_t *value);
	int (*mem_write)(void *arg, enum insn_seg seg, uint64_t offset, unsigned size,
			 uint64_t value);
	/*
	 * Atomic: if memory equals *expected store `value` and return 0; else put what was there
	 * into *expected and return 1. Used for LOCK and XCHG only. On device memory do what the
	 * device allows.
	 */
	int (*mem_cmpxchg)(void *arg, enum insn_seg seg, uint64_t offset, unsigned size,
			   uint64_t *expected, uint64_t value);
	/*
	 * Would the access fault? Asked before the first access of an instruction that makes
	 * several, for the accesses in the order the CPU makes them; one place that is read and
	 * written counts as written. Optional.
	 */
	int (*mem_check)(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, bool write);
};

#define INSN_AGAIN 1

/*
 * Performs the instruction. Registers and flags change only when all memory accesses have
 * succeeded, for repeated strings after each element. `limit`: at most so many elements of a
 * repeated string (0 counts as 1). Returns 0 = complete, RIP can advance; INSN_AGAIN = a repeated
 * string is not finished, RIP stays; a negative error of a callback; -EBUSY when an atomic update
 * lost the race too often (start again).
 */
int insn_exec(const struct insn *insn, const struct insn_cpu *cpu, unsigned limit);

/*
 * The forms of one memory operand and at most one other, which are all but CMPXCHG, PUSH, POP and
 * strings: what they do, and their effect on values that the caller reads before and writes behind.
 * Bits of insn_effects(); 0: none of these forms.
 */
#define INSN_READS      1u /* memory */
#define INSN_WRITES     2u
#define INSN_SETS_REG   4u /* the other operand */
#define INSN_SETS_FLAGS 8u

struct insn_values {
	uint64_t mem;   /* the memory operand, zero-extended; it begins as 0 where it is not read */
	uint64_t reg;   /* the whole register that the other operand is, or is a part of */
	uint64_t flags; /* RFLAGS */
};

unsigned insn_effects(const struct insn *insn);
void insn_apply(const struct insn *insn, struct insn_values *x);
/* Bytes of the memory operand. */
static inline unsigned insn_memory_size(const struct insn *insn)
{
	return insn->dst.where == INSN_MEM ? insn->dst.size : insn->src.size;
}

/* Offset of the explicit memory operand for insn->mem, truncated to the address size (BT with a
 * register: without the bit offset). */
uint64_t insn_offset(const struct insn *insn, const struct insn_cpu *cpu);
