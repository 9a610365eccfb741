/* Instructions with a memory operand: performed through callbacks (AMD64 volume 3 and SDM volume 2,
 * Operation). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/insn/decode.h"
#include "core/errno.h"

#define CF     UINT64_C(0x001)
#define PF     UINT64_C(0x004)
#define AF     UINT64_C(0x010)
#define ZF     UINT64_C(0x040)
#define SF     UINT64_C(0x080)
#define DF     UINT64_C(0x400)
#define OF     UINT64_C(0x800)
#define STATUS (CF | PF | AF | ZF | SF | OF)

#define ATOMIC_TRIES 1000u

static uint64_t mask_of(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

static uint64_t sign_of(unsigned size)
{
	return UINT64_C(1) << (8 * size - 1);
}

static uint64_t sign_extend(uint64_t v, unsigned size)
{
	uint64_t sign = sign_of(size);

	v &= mask_of(size);
	return (v ^ sign) - sign;
}

static uint64_t reg_read(const struct insn_cpu *cpu, unsigned reg, unsigned size, bool high)
{
	return cpu->reg_get(cpu->arg, reg) >> (high ? 8 : 0) & mask_of(size);
}

/* 4-byte writes clear the upper half, shorter ones keep the rest. */
static void reg_write(const struct insn_cpu *cpu, unsigned reg, unsigned size, bool high,
		      uint64_t value)
{
	uint64_t mask = mask_of(size) << (high ? 8 : 0);

	value = value << (high ? 8 : 0) & mask;
	if (size < 4)
		value |= cpu->reg_get(cpu->arg, reg) & ~mask;
	cpu->reg_set(cpu->arg, reg, value);
}

static uint64_t offset_with_rsp(const struct insn *insn, const struct insn_cpu *cpu,
				uint64_t rsp_bias)
{
	const struct insn_mem *m = &insn->mem;
	uint64_t offset = (uint64_t)m->disp;

	if (m->base == INSN_RIP)
		offset += cpu->next_rip;
	else if (m->base != INSN_REG_NONE)
		offset += cpu->reg_get(cpu->arg, m->base) + (m->base == INSN_RSP ? rsp_bias : 0);
	if (m->index != INSN_REG_NONE)
		offset += cpu->reg_get(cpu->arg, m->index) * m->scale;
	return offset & mask_of(m->address_size);
}

uint64_t insn_offset(const struct insn *insn, const struct insn_cpu *cpu)
{
	return offset_with_rsp(insn, cpu, 0);
}

static uint64_t flags_szp(uint64_t result, unsigned size)
{
	uint64_t flags = 0;

	result &= mask_of(size);
	if (result == 0)
		flags |= ZF;
	if (result & sign_of(size))
		flags |= SF;
	if (!__builtin_parity((unsigned)(result & 0xff)))
		flags |= PF;
	return flags;
}

static uint64_t flags_add(uint64_t a, uint64_t b, uint64_t carry, unsigned size)
{
	uint64_t r = (a + b + carry) & mask_of(size);
	uint64_t flags = flags_szp(r, size);

	if (r < a || (carry && r == a))
		flags |= CF;
	if ((a ^ b ^ r) & 0x10)
		flags |= AF;
	if (~(a ^ b) & (a ^ r) & sign_of(size))
		flags |= OF;
	return flags;
}

static uint64_t flags_sub(uint64_t a, uint64_t b, uint64_t borrow, unsigned size)
{
	uint64_t r = (a - b - borrow) & mask_of(size);
	uint64_t flags = flags_szp(r, size);

	if (a < b || (borrow && a == b))
		flags |= CF;
	if ((a ^ b ^ r) & 0x10)
		flags |= AF;
	if ((a ^ b) & (a ^ r) & sign_of(size))
		flags |= OF;
	return flags;
}

/* Condition codes, SDM volume 1, appendix B. */
static bool condition(unsigned cond, uint64_t f)
{
	bool less = !(f & SF) != !(f & OF);
	bool r;

	switch (cond >> 1) {
	case 0:
		r = f & OF;
		break;
	case 1:
		r = f & CF;
		break;
	case 2:
		r = f & ZF;
		break;
	case 3:
		r = f & (CF | ZF);
		break;
	case 4:
		r = f & SF;
		break;
	case 5:
		r = f & PF;
		break;
	case 6:
		r = less;
		break;
	default:
		r = less || (f & ZF);
		break;
	}
	return r != (cond & 1);
}

static uint64_t swap_bytes(uint64_t v, unsigned size)
{
	return __builtin_bswap64(v) >> (64 - 8 * size);
}

/* Result of an operation on the destination's old value `a` and `b`; the new RFLAGS go to *flags.
 */
static uint64_t compute(unsigned op, uint64_t a, uint64_t b, unsigned size, uint64_t *flags)
{
	uint64_t f = *flags, carry = f & CF ? 1 : 0;
	uint64_t changed = STATUS, set = 0, r = a;

	switch (op) {
	case INSN_OP_ADD:
	case INSN_OP_XADD:
		r = a + b;
		set = flags_add(a, b, 0, size);
		break;
	case INSN_OP_ADC:
		r = a + b + carry;
		set = flags_add(a, b, carry, size);
		break;
	case INSN_OP_SUB:
		r = a - b;
		set = flags_sub(a, b, 0, size);
		break;
	case INSN_OP_CMP:
		set = flags_sub(a, b, 0, size);
		break;
	case INSN_OP_SBB:
		r = a - b - carry;
		set = flags_sub(a, b, carry, size);
		break;
	case INSN_OP_AND:
		r = a & b;
		set = flags_szp(r, size);
		break;
	case INSN_OP_TEST:
		set = flags_szp(a & b, size);
		break;
	case INSN_OP_OR:
		r = a | b;
		set = flags_szp(r, size);
		break;
	case INSN_OP_XOR:
		r = a ^ b;
		set = flags_szp(r, size);
		break;
	case INSN_OP_INC:
		r = a + 1;
		set = flags_add(a, 1, 0, size);
		changed &= ~CF;
		break;
	case INSN_OP_DEC:
		r = a - 1;
		set = flags_sub(a, 1, 0, size);
		changed &= ~CF;
		break;
	case INSN_OP_NEG:
		r = 0 - a;
		set = flags_sub(0, a, 0, size);
		break;
	case INSN_OP_NOT:
		r = ~a;
		changed = 0;
		break;
	case INSN_OP_XCHG:
		r = b;
		changed = 0;
		break;
	case INSN_OP_BT:
	case INSN_OP_BTS:
	case INSN_OP_BTR:
	case INSN_OP_BTC: {
		uint64_t bit = UINT64_C(1) << (b & (8 * size - 1));

		/* The other flags are undefined or unchanged: they stay. */
		changed = CF;
		set = a & bit ? CF : 0;
		if (op == INSN_OP_BTS)
			r = a | bit;
		else if (op == INSN_OP_BTR)
			r = a & ~bit;
		else if (op == INSN_OP_BTC)
			r = a ^ bit;
		break;
	}
	default:
		changed = 0;
		break;
	}
	*flags = (f & ~changed) | (set & changed);
	return r & mask_of(size);
}

static uint64_t source(const struct insn *insn, const struct insn_cpu *cpu)
{
	const struct insn_operand *s = &insn->src;

	if (s->where == INSN_REG)
		return reg_read(cpu, s->reg, s->size, s->high);
	return insn->imm & mask_of(s->size ? s->size : insn->dst.size);
}

/* Ask before the first access, so that none is made when a later one faults. */
static int check(const struct insn_cpu *cpu, enum insn_seg seg, uint64_t offset, unsigned size,
		 bool write)
{
	return cpu->mem_check ? cpu->mem_check(cpu->arg, seg, offset, size, write) : 0;
}

/* Destination in memory, new value a function of the old one; register operand exchanged by XCHG
 * and XADD. */
static int modify(const struct insn *insn, const struct insn_cpu *cpu, uint64_t offset, uint64_t b)
{
	unsigned size = insn->dst.size;
	enum insn_seg seg = (enum insn_seg)insn->mem.seg;
	uint64_t old, value, flags, before = cpu->rflags_get(cpu->arg);
	int r = check(cpu, seg, offset, size, true);

	if (r == 0)
		r = cpu->mem_read(cpu->arg, seg, offset, size, &old);
	if (r)
		return r;
	for (unsigned i = 0;; i++) {
		flags = before;
		value = compute(insn->op, old, b, size, &flags);
		if (!insn->lock) {
			r = cpu->mem_write(cpu->arg, seg, offset, size, value);
			break;
		}
		r = cpu->mem_cmpxchg(cpu->arg, seg, offset, size, &old, value);
		if (r <= 0)
			break;
		if (i == ATOMIC_TRIES)
			return -EBUSY;
	}
	if (r)
		return r;
	if (insn->op == INSN_OP_XCHG || insn->op == INSN_OP_XADD)
		reg_write(cpu, insn->src.reg, size, insn->src.high, old);
	cpu->rflags_set(cpu->arg, flags);
	return 0;
}

static int bit_op(const struct insn *insn, const struct insn_cpu *cpu)
{
	unsigned size = insn->dst.size;
	uint64_t offset = insn_offset(insn, cpu), bit = source(insn, cpu);

	/* A bit number from a register is signed and reaches beyond the operand. */
	if (insn->src.where == INSN_REG) {
		int64_t words = (int64_t)sign_extend(bit, size) >> (size == 2   ? 4
								    : size == 4 ? 5
										: 6);

		offset = (offset + (uint64_t)words * size) & mask_of(insn->mem.address_size);
	}
	if (insn->op != INSN_OP_BT)
		return modify(insn, cpu, offset, bit);

	uint64_t a, flags = cpu->rflags_get(cpu->arg);
	int r = cpu->mem_read(cpu->arg, (enum insn_seg)insn->mem.seg, offset, size, &a);
	if (r)
		return r;
	compute(INSN_OP_BT, a, bit, size, &flags);
	cpu->rflags_set(cpu->arg, flags);
	return 0;
}

static int compare_exchange(const struct insn *insn, const struct insn_cpu *cpu)
{
	unsigned size = insn->dst.size;
	enum insn_seg seg = (enum insn_seg)insn->mem.seg;
	uint64_t offset = insn_offset(insn, cpu);
	uint64_t accumulator = reg_read(cpu, INSN_RAX, size, false);
	uint64_t desired = source(insn, cpu), old = accumulator;
	uint64_t flags = cpu->rflags_get(cpu->arg);
	int r;

	if (insn->lock) {
		r = cpu->mem_cmpxchg(cpu->arg, seg, offset, size, &old, desired);
		if (r == 0)
			old = accumulator;
	} else {
		r = check(cpu, seg, offset, size, true);
		if (r == 0)
			r = cpu->mem_read(cpu->arg, seg, offset, size, &old);
		/* The destination is written whatever the comparison says. */
		if (r == 0)
			r = cpu->mem_write(cpu->arg, seg, offset, size,
					   old == accumulator ? desired : old);
	}
	if (r < 0)
		return r;
	if (old != accumulator)
		reg_write(cpu, INSN_RAX, size, false, old);
	compute(INSN_OP_CMP, accumulator, old, size, &flags);
	cpu->rflags_set(cpu->arg, flags);
	return 0;
}

static int push(const struct insn *insn, const struct insn_cpu *cpu)
{
	unsigned size = insn->src.size;
	uint64_t mask = mask_of(cpu->stack_size), rsp = cpu->reg_get(cpu->arg, INSN_RSP);
	uint64_t moved = (rsp - size) & mask, offset = insn_offset(insn, cpu), value;
	enum insn_seg seg = (enum insn_seg)insn->mem.seg;
	int r = 0;

	if (insn->src.where == INSN_MEM) {
		r = check(cpu, seg, offset, size, false);
		if (r == 0)
			r = check(cpu, INSN_SS, moved, size, true);
		if (r == 0)
			r = cpu->mem_read(cpu->arg, seg, offset, size, &value);
	} else {
		value = source(insn, cpu);
	}
	if (r == 0)
		r = cpu->mem_write(cpu->arg, INSN_SS, moved, size, value);
	if (r == 0)
		reg_write(cpu, INSN_RSP, cpu->stack_size, false, moved);
	return r;
}

static int pop(const struct insn *insn, const struct insn_cpu *cpu)
{
	unsigned size = insn->dst.size;
	uint64_t mask = mask_of(cpu->stack_size), rsp = cpu->reg_get(cpu->arg, INSN_RSP) & mask;
	/* POP to memory based on rSP uses the value after the increment. */
	uint64_t offset = offset_with_rsp(insn, cpu, size), value;
	enum insn_seg seg = (enum insn_seg)insn->mem.seg;
	bool to_memory = insn->dst.where == INSN_MEM;
	int r = 0;

	if (to_memory) {
		r = check(cpu, INSN_SS, rsp, size, false);
		if (r == 0)
			r = check(cpu, seg, offset, size, true);
	}
	if (r == 0)
		r = cpu->mem_read(cpu->arg, INSN_SS, rsp, size, &value);
	if (r == 0 && to_memory)
		r = cpu->mem_write(cpu->arg, seg, offset, size, value);
	if (r)
		return r;
	reg_write(cpu, INSN_RSP, cpu->stack_size, false, (rsp + size) & mask);
	if (!to_memory) /* POP of rSP itself: the value stays */
		reg_write(cpu, insn->dst.reg, size, false, value);
	return 0;
}

/* One element of a string. */
static int string_element(const struct insn *insn, const struct insn_cpu *cpu)
{
	unsigned size = insn->dst.size, asize = insn->mem.address_size;
	enum insn_seg seg = (enum insn_seg)insn->mem.seg;
	uint64_t flags = cpu->rflags_get(cpu->arg);
	uint64_t step = flags & DF ? (uint64_t)0 - size : size;
	uint64_t si = reg_read(cpu, INSN_RSI, asize, false);
	uint64_t di = reg_read(cpu, INSN_RDI, asize, false);
	uint64_t a = reg_read(cpu, INSN_RAX, size, false), b;
	bool uses_si = insn->op != INSN_OP_STOS && insn->op != INSN_OP_SCAS;
	bool uses_di = insn->op != INSN_OP_LODS;
	int r = 0;

	if (uses_si && uses_di) {
		r = check(cpu, seg, si, size, false);
		if (r == 0)
			r = check(cpu, INSN_ES, di, size, insn->op == INSN_OP_MOVS);
	}
	if (uses_si && r == 0)
		r = cpu->mem_read(cpu->arg, seg, si, size, &a);
	if (r)
		return r;
	switch (insn->op) {
	case INSN_OP_MOVS:
	case INSN_OP_STOS:
		r = cpu->mem_write(cpu->arg, INSN_ES, di, size, a);
		break;
	case INSN_OP_LODS:
		reg_write(cpu, INSN_RAX, size, false, a);
		break;
	default: /* CMPS, SCAS */
		r = cpu->mem_read(cpu->arg, INSN_ES, di, size, &b);
		if (r)
			return r;
		compute(INSN_OP_CMP, a, b, size, &flags);
		cpu->rflags_set(cpu->arg, flags);
		break;
	}
	if (r)
		return r;
	if (uses_si)
		reg_write(cpu, INSN_RSI, asize, false, si + step);
	if (uses_di)
		reg_write(cpu, INSN_RDI, asize, false, di + step);
	return 0;
}

static int string(const struct insn *insn, const struct insn_cpu *cpu, unsigned limit)
{
	unsigned asize = insn->mem.address_size;
	bool compares = insn->op == INSN_OP_CMPS || insn->op == INSN_OP_SCAS;

	if (insn->rep == INSN_REP_NONE)
		return string_element(insn, cpu);
	for (unsigned i = 0;; i++) {
		uint64_t count = reg_read(cpu, INSN_RCX, asize, false);

		if (count == 0)
			return 0;
		if (i > 0 && i >= limit)
			return INSN_AGAIN;
		int r = string_element(insn, cpu);
		if (r)
			return r;
		reg_write(cpu, INSN_RCX, asize, false, count - 1);
		bool equal = cpu->rflags_get(cpu->arg) & ZF;
		if (compares && equal != (insn->rep == INSN_REP))
			return 0;
	}
}

/* The forms that only read memory: the value ends in a register or in the flags. */
static int load(const struct insn *insn, const struct insn_cpu *cpu)
{
	const struct insn_operand *d = &insn->dst, *s = &insn->src;
	bool from_memory = s->where == INSN_MEM;
	unsigned size = from_memory ? s->size : d->size;
	uint64_t flags = cpu->rflags_get(cpu->arg), m, a;
	int r =
	    cpu->mem_read(cpu->arg, (enum insn_seg)insn->mem.seg, insn_offset(insn, cpu), size, &m);

	if (r)
		return r;
	if (!from_memory) { /* CMP and TEST with memory first */
		compute(insn->op, m, source(insn, cpu), size, &flags);
		cpu->rflags_set(cpu->arg, flags);
		return 0;
	}
	switch (insn->op) {
	case INSN_OP_MOV:
	case INSN_OP_MOVZX:
		break;
	case INSN_OP_MOVSX:
		m = sign_extend(m, size);
		break;
	case INSN_OP_MOVBE:
		m = swap_bytes(m, size);
		break;
	case INSN_OP_CMOVCC:
		/* A 32-bit destination is zero-extended in either case. */
		if (!condition(insn->cond, flags))
			m = reg_read(cpu, d->reg, d->size, false);
		break;
	default:
		a = reg_read(cpu, d->reg, d->size, d->high);
		m = compute(insn->op, a, m, size, &flags);
		cpu->rflags_set(cpu->arg, flags);
		if (insn->op == INSN_OP_CMP || insn->op == INSN_OP_TEST)
			return 0;
		break;
	}
	reg_write(cpu, d->reg, d->size, d->high, m);
	return 0;
}

static int store(const struct insn *insn, const struct insn_cpu *cpu, uint64_t value)
{
	return cpu->mem_write(cpu->arg, (enum insn_seg)insn->mem.seg, insn_offset(insn, cpu),
			      insn->dst.size, value & mask_of(insn->dst.size));
}

int insn_exec(const struct insn *insn, const struct insn_cpu *cpu, unsigned limit)
{
	switch (insn->op) {
	case INSN_OP_MOVS:
	case INSN_OP_STOS:
	case INSN_OP_LODS:
	case INSN_OP_CMPS:
	case INSN_OP_SCAS:
		return string(insn, cpu, limit);
	case INSN_OP_PUSH:
		return push(insn, cpu);
	case INSN_OP_POP:
		return pop(insn, cpu);
	case INSN_OP_CMPXCHG:
		return compare_exchange(insn, cpu);
	case INSN_OP_BT:
	case INSN_OP_BTS:
	case INSN_OP_BTR:
	case INSN_OP_BTC:
		return bit_op(insn, cpu);
	case INSN_OP_SETCC:
		return store(insn, cpu, condition(insn->cond, cpu->rflags_get(cpu->arg)) ? 1 : 0);
	case INSN_OP_CMP:
	case INSN_OP_TEST:
		return load(insn, cpu);
	case INSN_OP_MOV:
	case INSN_OP_MOVBE:
		if (insn->dst.where == INSN_MEM) {
			uint64_t value = source(insn, cpu);

			if (insn->op == INSN_OP_MOVBE)
				value = swap_bytes(value, insn->dst.size);
			return store(insn, cpu, value);
		}
		return load(insn, cpu);
	default:
		if (insn->dst.where == INSN_MEM)
			return modify(insn, cpu, insn_offset(insn, cpu), source(insn, cpu));
		return load(insn, cpu);
	}
}
