/* What the instruction decoders have in common: CPU mode, register and segment numbers. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Default operand and address size: CS.L, then CS.D. */
enum insn_mode { INSN_MODE16, INSN_MODE32, INSN_MODE64 };

#define INSN_MAX_LENGTH 15 /* SDM volume 2A, 2.3.11 */

/* Registers are numbered as in ModRM with REX: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15. */
#define INSN_RAX      0
#define INSN_RCX      1
#define INSN_RDX      2
#define INSN_RBX      3
#define INSN_RSP      4
#define INSN_RBP      5
#define INSN_RSI      6
#define INSN_RDI      7
#define INSN_RIP      16
#define INSN_REG_NONE 0xff

/* Segments in the order of the sreg field. */
enum insn_seg { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS };
