/* Instructions with a memory operand: from Zydis' description to the neutral record. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/insn/decode.h"
#include "core/errno.h"
#include <Zydis/Decoder.h>

/* Mnemonics whose operands are taken as they are. */
static bool plain_op(ZydisMnemonic m, uint8_t *op)
{
	static const struct {
		uint16_t mnemonic;
		uint8_t op;
	} map[] = {
	    {ZYDIS_MNEMONIC_MOV, INSN_OP_MOV},      {ZYDIS_MNEMONIC_MOVNTI, INSN_OP_MOV},
	    {ZYDIS_MNEMONIC_MOVZX, INSN_OP_MOVZX},  {ZYDIS_MNEMONIC_MOVSX, INSN_OP_MOVSX},
	    {ZYDIS_MNEMONIC_MOVSXD, INSN_OP_MOVSX}, {ZYDIS_MNEMONIC_MOVBE, INSN_OP_MOVBE},
	    {ZYDIS_MNEMONIC_ADD, INSN_OP_ADD},      {ZYDIS_MNEMONIC_ADC, INSN_OP_ADC},
	    {ZYDIS_MNEMONIC_SUB, INSN_OP_SUB},      {ZYDIS_MNEMONIC_SBB, INSN_OP_SBB},
	    {ZYDIS_MNEMONIC_CMP, INSN_OP_CMP},      {ZYDIS_MNEMONIC_AND, INSN_OP_AND},
	    {ZYDIS_MNEMONIC_OR, INSN_OP_OR},        {ZYDIS_MNEMONIC_XOR, INSN_OP_XOR},
	    {ZYDIS_MNEMONIC_TEST, INSN_OP_TEST},    {ZYDIS_MNEMONIC_INC, INSN_OP_INC},
	    {ZYDIS_MNEMONIC_DEC, INSN_OP_DEC},      {ZYDIS_MNEMONIC_NEG, INSN_OP_NEG},
	    {ZYDIS_MNEMONIC_NOT, INSN_OP_NOT},      {ZYDIS_MNEMONIC_XCHG, INSN_OP_XCHG},
	    {ZYDIS_MNEMONIC_XADD, INSN_OP_XADD},    {ZYDIS_MNEMONIC_CMPXCHG, INSN_OP_CMPXCHG},
	    {ZYDIS_MNEMONIC_BT, INSN_OP_BT},        {ZYDIS_MNEMONIC_BTS, INSN_OP_BTS},
	    {ZYDIS_MNEMONIC_BTR, INSN_OP_BTR},      {ZYDIS_MNEMONIC_BTC, INSN_OP_BTC},
	    {ZYDIS_MNEMONIC_PUSH, INSN_OP_PUSH},    {ZYDIS_MNEMONIC_POP, INSN_OP_POP},
	};

	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
		if (map[i].mnemonic == m) {
			*op = map[i].op;
			return true;
		}
	}
	return false;
}

/* String instructions by opcode: MOVSD and CMPSD are names of SSE instructions, too. */
static bool string_op(uint8_t opcode, uint8_t *op)
{
	switch (opcode & 0xfe) {
	case 0xa4:
		*op = INSN_OP_MOVS;
		return true;
	case 0xa6:
		*op = INSN_OP_CMPS;
		return true;
	case 0xaa:
		*op = INSN_OP_STOS;
		return true;
	case 0xac:
		*op = INSN_OP_LODS;
		return true;
	case 0xae:
		*op = INSN_OP_SCAS;
		return true;
	default:
		return false;
	}
}

static bool general_register(ZydisRegister r, uint8_t *number, bool *high)
{
	*high = false;
	if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_R15B) {
		unsigned i = (unsigned)r - ZYDIS_REGISTER_AL; /* AL.., AH CH DH BH, SPL.. */

		*high = i >= 4 && i < 8;
		*number = (uint8_t)(i < 4 ? i : i - 4);
		return true;
	}
	if (r >= ZYDIS_REGISTER_AX && r <= ZYDIS_REGISTER_R15W)
		*number = (uint8_t)(r - ZYDIS_REGISTER_AX);
	else if (r >= ZYDIS_REGISTER_EAX && r <= ZYDIS_REGISTER_R15D)
		*number = (uint8_t)(r - ZYDIS_REGISTER_EAX);
	else if (r >= ZYDIS_REGISTER_RAX && r <= ZYDIS_REGISTER_R15)
		*number = (uint8_t)(r - ZYDIS_REGISTER_RAX);
	else
		return false;
	return true;
}

/* Base or index. */
static bool address_register(ZydisRegister r, uint8_t *number)
{
	bool high;

	if (r == ZYDIS_REGISTER_NONE)
		*number = INSN_REG_NONE;
	else if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
		*number = INSN_RIP;
	else
		return general_register(r, number, &high);
	return true;
}

static bool segment_register(ZydisRegister r, uint8_t *seg)
{
	if (r < ZYDIS_REGISTER_ES || r > ZYDIS_REGISTER_GS)
		return false;
	*seg = (uint8_t)(r - ZYDIS_REGISTER_ES);
	return true;
}

static bool memory(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *o,
		   struct insn_mem *mem)
{
	if (o->mem.type != ZYDIS_MEMOP_TYPE_MEM || !segment_register(o->mem.segment, &mem->seg) ||
	    !address_register(o->mem.base, &mem->base) ||
	    !address_register(o->mem.index, &mem->index))
		return false;
	mem->scale = o->mem.scale ? o->mem.scale : 1;
	mem->disp = o->mem.disp.has_displacement ? o->mem.disp.value : 0;
	mem->address_size = z->address_width / 8;
	return true;
}

static bool size_ok(uint8_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static uint64_t sign_extend(uint64_t v, unsigned bits)
{
	unsigned shift = 64 - bits;

	return bits == 0 || bits >= 64 ? v : (uint64_t)((int64_t)(v << shift) >> shift);
}

static bool operand(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *o,
		    struct insn *insn, struct insn_operand *out)
{
	out->size = (uint8_t)(o->size / 8);
	switch (o->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		out->where = INSN_REG;
		if (!general_register(o->reg.value, &out->reg, &out->high))
			return false;
		break;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		out->where = INSN_MEM;
		if (o->size > 64 || !memory(z, o, &insn->mem))
			return false;
		break;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		out->where = INSN_IMM;
		insn->imm = sign_extend(z->raw.imm[0].value.u, z->raw.imm[0].size);
		break;
	default:
		return false;
	}
	return size_ok(out->size);
}

static int decode_string(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops,
			 struct insn *insn)
{
	/* The last of F2 and F3 counts; before strings that compare nothing both mean REP. */
	for (unsigned i = 0; i < z->raw.prefix_count; i++) {
		if (z->raw.prefixes[i].value == 0xf3)
			insn->rep = INSN_REP;
		else if (z->raw.prefixes[i].value == 0xf2)
			insn->rep = INSN_REPNE;
	}
	insn->dst.size = insn->src.size = z->opcode & 1 ? z->operand_width / 8 : 1;
	if (!size_ok(insn->dst.size))
		return -ENOSYS;
	insn->mem = (struct insn_mem){
	    .seg = INSN_ES,
	    .base = INSN_REG_NONE,
	    .index = INSN_REG_NONE,
	    .scale = 1,
	    .address_size = z->address_width / 8,
	};
	for (unsigned i = 0; i < z->operand_count; i++) {
		ZydisRegister base = ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY ? ops[i].mem.base
									      : ZYDIS_REGISTER_NONE;

		if ((base == ZYDIS_REGISTER_SI || base == ZYDIS_REGISTER_ESI ||
		     base == ZYDIS_REGISTER_RSI) &&
		    !segment_register(ops[i].mem.segment, &insn->mem.seg))
			return -ENOSYS;
	}
	return 0;
}

static int decode_operands(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops,
			   struct insn *insn)
{
	unsigned count = z->operand_count_visible;

	if (count == 0 || count > 2)
		return -ENOSYS;
	struct insn_operand *first = insn->op == INSN_OP_PUSH ? &insn->src : &insn->dst;
	if (!operand(z, &ops[0], insn, first) ||
	    (count == 2 && !operand(z, &ops[1], insn, &insn->src)))
		return -ENOSYS;
	if (insn->op == INSN_OP_PUSH || insn->op == INSN_OP_POP) {
		/* the other operand is on the stack; an immediate one is extended to that size */
		if (insn->src.where == INSN_IMM)
			insn->src.size = z->operand_width / 8;
		return 0;
	}
	if (insn->dst.where != INSN_MEM && insn->src.where != INSN_MEM)
		return -ENOSYS;
	if (insn->op == INSN_OP_XCHG && insn->src.where == INSN_MEM) {
		struct insn_operand swap = insn->src;

		insn->src = insn->dst;
		insn->dst = swap;
	}
	if (insn->src.where == INSN_IMM)
		insn->src.size = insn->dst.size;
	insn->lock = (z->attributes & ZYDIS_ATTRIB_HAS_LOCK) || insn->op == INSN_OP_XCHG;
	return 0;
}

int insn_decode(const uint8_t *bytes, size_t n, enum insn_mode mode, struct insn *insn)
{
	ZydisDecoder decoder;
	ZydisDecodedInstruction z;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];

	if (n > INSN_MAX_LENGTH)
		n = INSN_MAX_LENGTH;
	*insn = (struct insn){
	    .mode = (uint8_t)mode,
	    .dst = {.reg = INSN_REG_NONE},
	    .src = {.reg = INSN_REG_NONE},
	    .mem = {.base = INSN_REG_NONE, .index = INSN_REG_NONE, .scale = 1},
	};
	if (ZYAN_FAILED(ZydisDecoderInit(&decoder,
					 mode == INSN_MODE64   ? ZYDIS_MACHINE_MODE_LONG_64
					 : mode == INSN_MODE32 ? ZYDIS_MACHINE_MODE_LEGACY_32
							       : ZYDIS_MACHINE_MODE_LEGACY_16,
					 mode == INSN_MODE64   ? ZYDIS_STACK_WIDTH_64
					 : mode == INSN_MODE32 ? ZYDIS_STACK_WIDTH_32
							       : ZYDIS_STACK_WIDTH_16)))
		return -EINVAL;
	ZyanStatus status = ZydisDecoderDecodeFull(&decoder, bytes, n, &z, ops);
	if (status == ZYDIS_STATUS_NO_MORE_DATA && n < INSN_MAX_LENGTH)
		return -EFAULT;
	if (ZYAN_FAILED(status))
		return -EINVAL;
	insn->length = z.length;
	for (unsigned i = 0; i < z.operand_count; i++)
		insn->accesses |= ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY;
	if (z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return -ENOSYS;

	if (z.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && string_op(z.opcode, &insn->op))
		return decode_string(&z, ops, insn);
	if (z.opcode_map == ZYDIS_OPCODE_MAP_0F && (z.opcode & 0xf0) == 0x90) {
		insn->op = INSN_OP_SETCC;
		insn->cond = z.opcode & 0xf;
	} else if (z.opcode_map == ZYDIS_OPCODE_MAP_0F && (z.opcode & 0xf0) == 0x40) {
		insn->op = INSN_OP_CMOVCC;
		insn->cond = z.opcode & 0xf;
	} else if (!plain_op(z.mnemonic, &insn->op)) {
		return -ENOSYS;
	}
	return decode_operands(&z, ops, insn);
}
