/* Fast decoder for the stores that are used on the local-APIC page. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/vm/insn/mode.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum apicwrite_op {
	APICWRITE_MOV,  /* 89 /r, C7 /0, A3 */
	APICWRITE_XCHG, /* 87 /r: the register gets the old value */
};

struct apicwrite {
	uint8_t op;     /* enum apicwrite_op */
	uint8_t length; /* bytes, 1..15 */
	uint8_t size; /* of the operand in bytes: 2, 4 or 8; a caller that wants 4 only checks it */
	uint8_t reg;  /* source register, INSN_RAX..15; INSN_REG_NONE: the source is imm */
	uint64_t imm; /* with INSN_REG_NONE only: sign-extended, use the low `size` bytes */
};

/*
 * Decodes the instruction at bytes[0..n-1] whose destination is memory; where in memory the
 * hardware has told. Returns 0, or -ENOSYS for everything else (other opcodes, register
 * destinations, too few bytes): use insn_decode().
 */
int apicwrite_decode(const uint8_t *bytes, size_t n, enum insn_mode mode, struct apicwrite *out);
