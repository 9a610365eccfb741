/* Length of an instruction that is known from its exit: prefixes of any kind, then the expected
 * opcode. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/insn/length.h"
#include "core/vm/insn/modrm.h"
#include "core/errno.h"

/* What follows the prefixes. */
enum form {
	FORM_ONE,   /* opcode */
	FORM_IMM8,  /* opcode, ib */
	FORM_PORT,  /* opcode, ib for E4-E7 */
	FORM_0F,    /* 0F opcode */
	FORM_0F01,  /* 0F 01 opcode */
	FORM_CR,    /* 0F opcode ModRM, register form whatever mod says (SDM volume 2, MOV CRn) */
	FORM_GROUP, /* 0F opcode ModRM with reg = ext, register or memory */
	FORM_GROUP_MEM, /* the same, memory only */
};

struct shape {
	uint8_t form;
	uint8_t opcode, mask; /* matches when (byte & mask) == opcode */
	uint8_t also;         /* a second opcode, or the same again */
	uint8_t ext;          /* FORM_GROUP*: the reg field */
};

#define ONE(op)                                                                                    \
	{                                                                                          \
		FORM_ONE, op, 0xff, op, 0                                                          \
	}
#define ONE_PAIR(op)                                                                               \
	{                                                                                          \
		FORM_ONE, op, 0xfe, op, 0                                                          \
	} /* op and op + 1 */
#define TWO(op)                                                                                    \
	{                                                                                          \
		FORM_0F, op, 0xff, op, 0                                                           \
	}
#define THREE(op)                                                                                  \
	{                                                                                          \
		FORM_0F01, op, 0xff, op, 0                                                         \
	}
#define THREE_OR(op, other)                                                                        \
	{                                                                                          \
		FORM_0F01, op, 0xff, other, 0                                                      \
	}
#define CR(op)                                                                                     \
	{                                                                                          \
		FORM_CR, op, 0xff, op, 0                                                           \
	}
#define GROUP(op, ext)                                                                             \
	{                                                                                          \
		FORM_GROUP, op, 0xff, op, ext                                                      \
	}
#define GROUP_MEM(op, ext)                                                                         \
	{                                                                                          \
		FORM_GROUP_MEM, op, 0xff, op, ext                                                  \
	}

static const struct shape shapes[INSN_KIND_COUNT] = {
    [INSN_CPUID] = TWO(0xa2),
    [INSN_RDMSR] = TWO(0x32),
    [INSN_WRMSR] = TWO(0x30),
    [INSN_RDTSC] = TWO(0x31),
    [INSN_RDPMC] = TWO(0x33),
    [INSN_RDTSCP] = THREE(0xf9),
    [INSN_VMCALL] = THREE(0xc1),
    [INSN_VMMCALL] = THREE(0xd9),
    [INSN_XSETBV] = THREE(0xd1),
    [INSN_MONITOR] = THREE_OR(0xc8, 0xfa),
    [INSN_MWAIT] = THREE_OR(0xc9, 0xfb),
    [INSN_VMRUN] = THREE(0xd8),
    [INSN_VMLOAD] = THREE(0xda),
    [INSN_VMSAVE] = THREE(0xdb),
    [INSN_STGI] = THREE(0xdc),
    [INSN_CLGI] = THREE(0xdd),
    [INSN_SKINIT] = THREE(0xde),
    [INSN_INVLPGA] = THREE(0xdf),
    [INSN_INVD] = TWO(0x08),
    [INSN_WBINVD] = TWO(0x09),
    [INSN_CLTS] = TWO(0x06),
    [INSN_RSM] = TWO(0xaa),
    [INSN_HLT] = ONE(0xf4),
    [INSN_PAUSE] = ONE(0x90),
    [INSN_IN] = {FORM_PORT, 0xe4, 0xf6, 0xe4, 0},
    [INSN_OUT] = {FORM_PORT, 0xe6, 0xf6, 0xe6, 0},
    [INSN_INS] = ONE_PAIR(0x6c),
    [INSN_OUTS] = ONE_PAIR(0x6e),
    [INSN_IRET] = ONE(0xcf),
    [INSN_INT3] = ONE(0xcc),
    [INSN_ICEBP] = ONE(0xf1),
    [INSN_INTN] = {FORM_IMM8, 0xcd, 0xff, 0xcd, 0},
    [INSN_PUSHF] = ONE(0x9c),
    [INSN_POPF] = ONE(0x9d),
    [INSN_MOV_FROM_CR] = CR(0x20),
    [INSN_MOV_TO_CR] = CR(0x22),
    [INSN_MOV_FROM_DR] = CR(0x21),
    [INSN_MOV_TO_DR] = CR(0x23),
    [INSN_SMSW] = GROUP(0x01, 4),
    [INSN_LMSW] = GROUP(0x01, 6),
    [INSN_INVLPG] = GROUP_MEM(0x01, 7),
    [INSN_SGDT] = GROUP_MEM(0x01, 0),
    [INSN_SIDT] = GROUP_MEM(0x01, 1),
    [INSN_LGDT] = GROUP_MEM(0x01, 2),
    [INSN_LIDT] = GROUP_MEM(0x01, 3),
    [INSN_SLDT] = GROUP(0x00, 0),
    [INSN_STR] = GROUP(0x00, 1),
    [INSN_LLDT] = GROUP(0x00, 2),
    [INSN_LTR] = GROUP(0x00, 3),
};

struct prefixes {
	bool opsize, adsize, lock, rep;
	uint8_t rex;
	uint8_t segment;
	size_t count; /* bytes */
};

#define REX_W      8u
#define REX_R      4u
#define REX_B      1u
#define SEGMENT_NO 0xffu

/* Returns false when only prefixes are in the n bytes. */
static bool scan_prefixes(const uint8_t *b, size_t n, enum insn_mode mode, struct prefixes *p)
{
	*p = (struct prefixes){.segment = SEGMENT_NO};
	for (; p->count < n; p->count++) {
		uint8_t c = b[p->count];
		uint8_t rex = 0;

		if (c == 0x66)
			p->opsize = true;
		else if (c == 0x67)
			p->adsize = true;
		else if (c == 0xf0)
			p->lock = true;
		else if (c == 0xf2 || c == 0xf3)
			p->rep = true;
		else if ((c & 0xe7) == 0x26)
			p->segment = c >> 3 & 3;
		else if (c == 0x64 || c == 0x65)
			p->segment = (uint8_t)(INSN_FS + (c & 1));
		else if (mode == INSN_MODE64 && (c & 0xf0) == 0x40)
			rex = c;
		else
			return true;
		p->rex = rex; /* counts only when it comes last (SDM volume 2A, 2.2.1) */
	}
	return false;
}

static uint8_t address_size(enum insn_mode mode, bool prefix)
{
	if (mode == INSN_MODE64)
		return prefix ? 4 : 8;
	return (mode == INSN_MODE32) != prefix ? 4 : 2;
}

static uint8_t operand_size(enum insn_kind kind, enum insn_mode mode, const struct prefixes *p,
			    uint8_t opcode)
{
	bool wide = p->rex & REX_W;
	uint8_t size;

	if (mode == INSN_MODE64)
		size = wide ? 8 : p->opsize ? 2 : 4;
	else
		size = (mode == INSN_MODE32) != p->opsize ? 4 : 2;

	switch (kind) {
	case INSN_IN:
	case INSN_OUT:
	case INSN_INS:
	case INSN_OUTS:
		if (!(opcode & 1))
			return 1;
		return size == 8 ? 4 : size;
	case INSN_PUSHF:
	case INSN_POPF:
		return mode == INSN_MODE64 && size == 4 ? 8 : size;
	case INSN_MOV_FROM_CR:
	case INSN_MOV_TO_CR:
	case INSN_MOV_FROM_DR:
	case INSN_MOV_TO_DR:
		return mode == INSN_MODE64 ? 8 : 4;
	case INSN_LMSW:
	case INSN_LLDT:
	case INSN_LTR:
		return 2;
	default:
		return size;
	}
}

int insn_length(enum insn_kind kind, const uint8_t *bytes, size_t n, enum insn_mode mode,
		struct insn_fields *fields)
{
	if ((unsigned)kind >= INSN_KIND_COUNT)
		return -EINVAL;
	if (n > INSN_MAX_LENGTH)
		n = INSN_MAX_LENGTH;

	const struct shape *s = &shapes[kind];
	const int too_few = n < INSN_MAX_LENGTH ? -EFAULT : -EINVAL;
	struct prefixes p;

	if (!scan_prefixes(bytes, n, mode, &p))
		return too_few;

	struct insn_fields f = {
	    .rm = INSN_REG_NONE,
	    .segment = p.segment,
	    .rep = p.rep,
	    .address_size = address_size(mode, p.adsize),
	};
	size_t at = p.count;
	if (s->form >= FORM_0F) {
		if (bytes[at++] != 0x0f)
			return -EINVAL;
		if (at == n)
			return too_few;
	}
	if (s->form == FORM_0F01) {
		if (bytes[at++] != 0x01)
			return -EINVAL;
		if (at == n)
			return too_few;
	}
	f.opcode = bytes[at++];
	if ((f.opcode & s->mask) != s->opcode && f.opcode != s->also)
		return -EINVAL;
	if (kind == INSN_PAUSE && !p.rep)
		return -EINVAL;

	if (s->form >= FORM_CR) {
		if (at == n)
			return too_few;
		uint8_t modrm = bytes[at];

		f.reg = modrm >> 3 & 7;
		if (s->form != FORM_CR && f.reg != s->ext)
			return -EINVAL;
		if (s->form == FORM_CR) {
			f.reg = (uint8_t)(f.reg | (p.rex & REX_R) << 1);
			/* AMD64 volume 3, MOV CRn: LOCK gives 32-bit code a way to CR8. */
			if (p.lock && f.reg == 0 &&
			    (kind == INSN_MOV_FROM_CR || kind == INSN_MOV_TO_CR))
				f.reg = 8;
		}
		if (s->form == FORM_CR || modrm >= 0xc0) {
			if (s->form == FORM_GROUP_MEM)
				return -EINVAL;
			f.rm = (uint8_t)((modrm & 7) | (p.rex & REX_B) << 3);
			at++;
		} else {
			unsigned length = modrm_length(bytes + at, n - at, f.address_size);

			if (length == 0)
				return too_few;
			at += length;
		}
	} else if (s->form == FORM_IMM8 || (s->form == FORM_PORT && !(f.opcode & 8))) {
		if (at == n)
			return too_few;
		f.imm = bytes[at++];
	}
	f.length = (uint8_t)at;
	f.operand_size = operand_size(kind, mode, &p, f.opcode);
	if (fields)
		*fields = f;
	return (int)at;
}
