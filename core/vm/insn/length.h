/* Length of an instruction that is known from its exit: prefixes of any kind, then the expected
 * opcode. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/vm/insn/mode.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum insn_kind {
	INSN_CPUID,       /* 0F A2 */
	INSN_RDMSR,       /* 0F 32 */
	INSN_WRMSR,       /* 0F 30 */
	INSN_RDTSC,       /* 0F 31 */
	INSN_RDPMC,       /* 0F 33 */
	INSN_RDTSCP,      /* 0F 01 F9 */
	INSN_VMCALL,      /* 0F 01 C1 */
	INSN_VMMCALL,     /* 0F 01 D9 */
	INSN_XSETBV,      /* 0F 01 D1 */
	INSN_MONITOR,     /* 0F 01 C8, 0F 01 FA (MONITORX) */
	INSN_MWAIT,       /* 0F 01 C9, 0F 01 FB (MWAITX) */
	INSN_VMRUN,       /* 0F 01 D8 */
	INSN_VMLOAD,      /* 0F 01 DA */
	INSN_VMSAVE,      /* 0F 01 DB */
	INSN_STGI,        /* 0F 01 DC */
	INSN_CLGI,        /* 0F 01 DD */
	INSN_SKINIT,      /* 0F 01 DE */
	INSN_INVLPGA,     /* 0F 01 DF */
	INSN_INVD,        /* 0F 08 */
	INSN_WBINVD,      /* 0F 09, with or without F3 (WBNOINVD) */
	INSN_CLTS,        /* 0F 06 */
	INSN_RSM,         /* 0F AA */
	INSN_HLT,         /* F4 */
	INSN_PAUSE,       /* F3 90 */
	INSN_IN,          /* E4 ib, E5 ib, EC, ED */
	INSN_OUT,         /* E6 ib, E7 ib, EE, EF */
	INSN_INS,         /* 6C, 6D */
	INSN_OUTS,        /* 6E, 6F */
	INSN_IRET,        /* CF */
	INSN_INT3,        /* CC */
	INSN_ICEBP,       /* F1 */
	INSN_INTN,        /* CD ib */
	INSN_PUSHF,       /* 9C */
	INSN_POPF,        /* 9D */
	INSN_MOV_FROM_CR, /* 0F 20 /r */
	INSN_MOV_TO_CR,   /* 0F 22 /r */
	INSN_MOV_FROM_DR, /* 0F 21 /r */
	INSN_MOV_TO_DR,   /* 0F 23 /r */
	INSN_SMSW,        /* 0F 01 /4, register or memory */
	INSN_LMSW,        /* 0F 01 /6, register or memory */
	INSN_INVLPG,      /* 0F 01 /7, memory */
	INSN_SGDT,        /* 0F 01 /0, memory */
	INSN_SIDT,        /* 0F 01 /1, memory */
	INSN_LGDT,        /* 0F 01 /2, memory */
	INSN_LIDT,        /* 0F 01 /3, memory */
	INSN_SLDT,        /* 0F 00 /0, register or memory */
	INSN_STR,         /* 0F 00 /1, register or memory */
	INSN_LLDT,        /* 0F 00 /2, register or memory */
	INSN_LTR,         /* 0F 00 /3, register or memory */
	INSN_KIND_COUNT
};

/* What a CPU without decode assists does not tell. */
struct insn_fields {
	uint8_t length;       /* bytes, 1..15 */
	uint8_t opcode;       /* last opcode byte, e.g. 0xE4 or 0xEC for IN, 0xFA for MONITORX */
	uint8_t operand_size; /* bytes the prefixes give: 2, 4, 8 (1 for the byte forms of IN, OUT,
				 INS, OUTS) */
	uint8_t address_size; /* 2, 4, 8 */
	uint8_t reg; /* MOV CR/DR: control or debug register, LOCK with CR0 counted as CR8 (AMD) */
	uint8_t rm;  /* register operand (INSN_RAX...), INSN_REG_NONE: memory or none */
	uint8_t imm; /* INT n: vector; IN/OUT ib: port */
	uint8_t segment; /* last segment prefix, enum insn_seg; 0xff: none */
	bool rep;        /* F2 or F3 */
};

/*
 * Returns the length in bytes (1..15) of the instruction of that kind at bytes[0..n-1]; -EINVAL
 * when something else stands there or it would be longer than 15 bytes; -EFAULT when n bytes are
 * too few to tell. LOCK and other prefixes that would make the instruction #UD are accepted: the
 * CPU has already taken it as valid. `fields` may be NULL; it is written on success only.
 */
int insn_length(enum insn_kind kind, const uint8_t *bytes, size_t n, enum insn_mode mode,
		struct insn_fields *fields);
