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

/* `size` is 1, 2, 4 or 8. */
static uint64_t mask_of(unsigned size)
{
	static const uint64_t masks[9] = {
	    [1] = 0xff, [2] = 0xffff, [4] = 0xffffffff, [8] = UINT64_MAX};

	return masks[size];
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

/* The part of a register that an operand is, and the register with another one in its place: parts
 * of 4 bytes clear the upper half, shorter ones keep the rest. */
static uint64_t part(uint64_t reg, unsigned size, bool high)
{
	return reg >> (high ? 8 : 0) & mask_of(size);
}

static uint64_t merge(uint64_t reg, unsigned size, bool high, uint64_t value)
{
	uint64_t mask = mask_of(size) << (high ? 8 : 0);

	return (value << (high ? 8 : 0) & mask) | (size < 4 ? reg & ~mask : 0);
}

static uint64_t reg_read(const struct insn_cpu *cpu, unsigned reg, unsigned size, bool high)
{
	return part(cpu->reg_get(cpu->arg, reg), size, high);
}

static void reg_write(const struct insn_cpu *cpu, unsigned reg, unsigned size, bool high,
		      uint64_t value)
{
	cpu->reg_set(cpu->arg, reg, merge(cpu->reg_get(cpu->arg, reg), size, high, value));
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

/* Carries out of each bit of a sum, borrows of a difference; with what came in. */
static uint64_t carries_of(uint64_t a, uint64_t b, uint64_t sum)
{
	return (a & b) | ((a | b) & ~sum);
}

static uint64_t borrows_of(uint64_t a, uint64_t b, uint64_t difference)
{
	return (~a & b) | ((~a | b) & difference);
}

/* SF, ZF and PF of a result; CF, AF and OF of its carries. Bits above the operands' size do not
 * count. */
static inline uint64_t flags_of(uint64_t r, uint64_t carries, unsigned size)
{
	unsigned top = 8 * size - 1;
	uint64_t even = !__builtin_parity((unsigned)(r & 0xff));

	return (carries >> top & 1) | even << 2 | (carries << 1 & AF) |
	       (uint64_t)((r & mask_of(size)) == 0) << 6 | (r >> top & 1) << 7 |
	       ((carries >> top ^ carries >> (top - 1)) & 1) << 11;
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
static inline __attribute__((always_inline)) uint64_t compute(unsigned op, uint64_t a, uint64_t b,
							      unsigned size, uint64_t *flags)
{
	uint64_t f = *flags, carry = f & CF, changed = STATUS, carries = 0, r, bit;

	switch (op) {
	case INSN_OP_ADC:
		r = a + b + carry;
		carries = carries_of(a, b, r);
		break;
	case INSN_OP_INC:
		b = 1;
		changed = STATUS & ~CF;
		__attribute__((fallthrough));
	case INSN_OP_ADD:
	case INSN_OP_XADD:
		r = a + b;
		carries = carries_of(a, b, r);
		break;
	case INSN_OP_SBB:
		r = a - b - carry;
		carries = borrows_of(a, b, r);
		break;
	case INSN_OP_NEG:
		r = 0 - a;
		carries = borrows_of(0, a, r);
		break;
	case INSN_OP_DEC:
		b = 1;
		changed = STATUS & ~CF;
		__attribute__((fallthrough));
	case INSN_OP_SUB:
	case INSN_OP_CMP:
		r = a - b;
		carries = borrows_of(a, b, r);
		break;
	case INSN_OP_AND:
	case INSN_OP_TEST:
		r = a & b;
		break;
	case INSN_OP_OR:
		r = a | b;
		break;
	case INSN_OP_XOR:
		r = a ^ b;
		break;
	case INSN_OP_NOT:
		return ~a & mask_of(size);
	case INSN_OP_XCHG:
		return b & mask_of(size);
	case INSN_OP_BT:
	case INSN_OP_BTS:
	case INSN_OP_BTR:
	case INSN_OP_BTC:
		bit = UINT64_C(1) << (b & (8 * size - 1));
		/* The other flags are undefined or unchanged: they stay. */
		*flags = (f & ~CF) | (a & bit ? CF : 0);
		return op == INSN_OP_BTS   ? a | bit
		       : op == INSN_OP_BTR ? a & ~bit
		       : op == INSN_OP_BTC ? a ^ bit
					   : a;
	default:
		return a;
	}
	*flags = (f & ~changed) | (flags_of(r, carries, size) & changed);
	return op == INSN_OP_CMP || op == INSN_OP_TEST ? a : r & mask_of(size);
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

#define LOAD   (INSN_READS | INSN_SETS_REG)
#define UPDATE (INSN_READS | INSN_WRITES)

/* By where the destination is. 0: performed by a function of its own, or there is no such form. */
static const struct {
	uint8_t memory, reg;
} effects[] = {
    [INSN_OP_MOV] = {INSN_WRITES, LOAD},
    [INSN_OP_MOVZX] = {0, LOAD},
    [INSN_OP_MOVSX] = {0, LOAD},
    [INSN_OP_MOVBE] = {INSN_WRITES, LOAD},
    [INSN_OP_ADD] = {UPDATE | INSN_SETS_FLAGS, LOAD | INSN_SETS_FLAGS},
    [INSN_OP_ADC] = {UPDATE | INSN_SETS_FLAGS, LOAD | INSN_SETS_FLAGS},
    [INSN_OP_SUB] = {UPDATE | INSN_SETS_FLAGS, LOAD | INSN_SETS_FLAGS},
    [INSN_OP_SBB] = {UPDATE | INSN_SETS_FLAGS, LOAD | INSN_SETS_FLAGS},
    [INSN_OP_CMP] = {INSN_READS | INSN_SETS_FLAGS, INSN_READS | INSN_SETS_FLAGS},
    [INSN_OP_AND] = {UPDATE | INSN_SETS_FLAGS, LOAD | INSN_SETS_FLAGS},
    [INSN_OP_OR] = {UPDATE | INSN_SETS_FLAGS, LOAD | INSN_SETS_FLAGS},
    [INSN_OP_XOR] = {UPDATE | INSN_SETS_FLAGS, LOAD | INSN_SETS_FLAGS},
    [INSN_OP_TEST] = {INSN_READS | INSN_SETS_FLAGS, INSN_READS | INSN_SETS_FLAGS},
    [INSN_OP_INC] = {UPDATE | INSN_SETS_FLAGS, 0},
    [INSN_OP_DEC] = {UPDATE | INSN_SETS_FLAGS, 0},
    [INSN_OP_NEG] = {UPDATE | INSN_SETS_FLAGS, 0},
    [INSN_OP_NOT] = {UPDATE, 0},
    [INSN_OP_XCHG] = {UPDATE | INSN_SETS_REG, 0},
    [INSN_OP_XADD] = {UPDATE | INSN_SETS_REG | INSN_SETS_FLAGS, 0},
    [INSN_OP_BT] = {INSN_READS | INSN_SETS_FLAGS, 0},
    [INSN_OP_BTS] = {UPDATE | INSN_SETS_FLAGS, 0},
    [INSN_OP_BTR] = {UPDATE | INSN_SETS_FLAGS, 0},
    [INSN_OP_BTC] = {UPDATE | INSN_SETS_FLAGS, 0},
    [INSN_OP_SETCC] = {INSN_WRITES, 0},
    [INSN_OP_CMOVCC] = {0, LOAD},
    [INSN_OP_SCAS] = {0, 0}, /* the last */
};

unsigned insn_effects(const struct insn *insn)
{
	return insn->dst.where == INSN_MEM   ? effects[insn->op].memory
	       : insn->src.where == INSN_MEM ? effects[insn->op].reg
					     : 0;
}

void insn_apply(const struct insn *insn, struct insn_values *x)
{
	bool to_memory = insn->dst.where == INSN_MEM;
	const struct insn_operand *other = to_memory ? &insn->src : &insn->dst;
	uint64_t value = other->where == INSN_REG ? part(x->reg, other->size, other->high)
						  : insn->imm & mask_of(insn->dst.size);
	uint64_t a = to_memory ? x->mem : value, b = to_memory ? value : x->mem, r = b;

	switch (insn->op) {
	case INSN_OP_MOV:
	case INSN_OP_MOVZX:
		break;
	case INSN_OP_MOVSX:
		r = sign_extend(b, insn->src.size);
		break;
	case INSN_OP_MOVBE:
		r = swap_bytes(b, insn->dst.size);
		break;
	case INSN_OP_SETCC:
		r = condition(insn->cond, x->flags);
		break;
	case INSN_OP_CMOVCC: /* a 32-bit destination is zero-extended in either case */
		r = condition(insn->cond, x->flags) ? b : a;
		break;
	default:
		r = compute(insn->op, a, b, insn->dst.size, &x->flags);
		break;
	}
	if (!to_memory) {
		x->reg = merge(x->reg, insn->dst.size, insn->dst.high, r);
		return;
	}
	x->mem = r & mask_of(insn->dst.size);
	if (effects[insn->op].memory & INSN_SETS_REG) /* the old value */
		x->reg = merge(x->reg, other->size, other->high, a);
}

/* The forms of the table; `offset` is that of the memory operand. */
static int simple(const struct insn *insn, const struct insn_cpu *cpu, uint64_t offset)
{
	const struct insn_operand *other = insn->dst.where == INSN_MEM ? &insn->src : &insn->dst;
	unsigned does = insn_effects(insn), size = insn_memory_size(insn);
	enum insn_seg seg = (enum insn_seg)insn->mem.seg;
	struct insn_values before = {.flags = cpu->rflags_get(cpu->arg)}, x;
	int r = 0;

	if (other->where == INSN_REG)
		before.reg = cpu->reg_get(cpu->arg, other->reg);
	if (does & INSN_READS && does & INSN_WRITES)
		r = check(cpu, seg, offset, size, true);
	if (r == 0 && does & INSN_READS)
		r = cpu->mem_read(cpu->arg, seg, offset, size, &before.mem);
	if (r)
		return r;
	for (unsigned i = 0;; i++) {
		x = before;
		insn_apply(insn, &x);
		if (!(does & INSN_WRITES))
			break;
		if (!insn->lock) {
			r = cpu->mem_write(cpu->arg, seg, offset, size, x.mem);
			break;
		}
		r = cpu->mem_cmpxchg(cpu->arg, seg, offset, size, &before.mem, x.mem);
		if (r <= 0)
			break;
		if (i == ATOMIC_TRIES)
			return -EBUSY;
	}
	if (r)
		return r;
	if (does & INSN_SETS_REG)
		cpu->reg_set(cpu->arg, other->reg, x.reg);
	if (does & INSN_SETS_FLAGS)
		cpu->rflags_set(cpu->arg, x.flags);
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
	return simple(insn, cpu, offset);
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
	default:
		return simple(insn, cpu, insn_offset(insn, cpu));
	}
}
