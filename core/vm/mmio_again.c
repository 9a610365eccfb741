/* Loads and stores to emulated memory that were performed before: performed without decoding anew.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/mmio_again.h"
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/vm/insn/decode.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

#define ENTRIES 16
#define LEVELS  4

/* A page walk: the entries that it read. Those that are not there are a 0 that stays. */
struct walk {
	const volatile uint64_t *at[LEVELS];
	uint64_t entry[LEVELS];
	uint64_t page, gpa; /* of the page's first byte: linear, guest-physical */
};

/*
 * A MOV of 4 or 8 bytes in 64-bit mode, between a register (or from an immediate) and one range. It
 * does the same again when the guest's registers of paging are the same, when every entry of the
 * walks to its bytes and to its operand is, and its bytes are. None of the entries has a flag to
 * set: the walks were fit for the cache of walks (core/vm/walkcache.h). Operands are aligned, so
 * there is no page to cross, and nothing to check alignment of.
 */
static struct again {
	uint64_t rip;
	bool kept;
	bool write, ac;
	uint8_t size, length;
	uint8_t reg; /* INSN_REG_NONE: the immediate */
	uint8_t cpl;
	uint32_t cs; /* attributes, as the vendor has them */
	uint64_t imm;
	struct insn_mem mem;
	uint64_t cr0, cr3, cr4, efer;
	const volatile uint8_t *code;
	uint64_t bytes[2];
	struct walk fetch, data;
	const struct mmio_range *range;
} entries[ENTRIES];

static struct again *place_of(uint64_t rip)
{
	return &entries[(rip ^ rip >> 4) % ENTRIES];
}

static inline uint64_t word_at(const volatile uint8_t *p)
{
	uint64_t value;

	__asm__ volatile("movq %1, %0" : "=r"(value) : "m"(*(const volatile uint8_t(*)[8])p));
	return value;
}

/* The last byte of the second word is none of the instruction's. */
static inline uint64_t code_differs(const struct again *a)
{
	return (word_at(a->code) ^ a->bytes[0]) | (word_at(a->code + 8) ^ a->bytes[1]) << 8;
}

static inline uint64_t walk_differs(const struct walk *w)
{
	return (*w->at[0] ^ w->entry[0]) | (*w->at[1] ^ w->entry[1]) | (*w->at[2] ^ w->entry[2]) |
	       (*w->at[3] ^ w->entry[3]);
}

/* FS and GS are left out; the other segments begin at 0 in 64-bit mode. */
static inline uint64_t operand_at(struct vcpu *v, const struct insn_mem *m, uint64_t next_rip)
{
	uint64_t la = (uint64_t)m->disp;

	if (m->base == INSN_RIP)
		la += next_rip;
	else if (m->base != INSN_REG_NONE)
		la += emulate_gpr(v, m->base);
	if (m->index != INSN_REG_NONE)
		la += emulate_gpr(v, m->index) * m->scale;
	return la;
}

bool mmio_again(struct vcpu *v, const struct mem_fault *f)
{
	uint64_t rip = vmm_ops->reg(v, REG_RIP), rflags, la, value;
	const struct again *a = place_of(rip);
	struct gwalk_cpu now;
	uint64_t pdpte[4];

	__asm__("" : "+r"(a)); /* one register, not an address worked out at each use */
	if (!a->kept || a->rip != rip || f->delivery || f->walk || v->step.active)
		return false;
	rflags = vmm_ops->reg(v, REG_RFLAGS);
	vmm_ops->paging(v, &now, pdpte);
	if (((now.cr0 ^ a->cr0) | (now.cr3 ^ a->cr3) | (now.cr4 ^ a->cr4) | (now.efer ^ a->efer) |
	     (now.cpl ^ a->cpl) | (vmm_ops->cs_attributes(v) ^ a->cs) | (rflags & RFLAGS_RF)) ||
	    !(rflags & RFLAGS_AC) == a->ac)
		return false;
	la = operand_at(v, &a->mem, rip + a->length);
	if (align_down(la, PAGE_SIZE) != a->data.page || la & (a->size - 1u) ||
	    align_down(f->gpa.a, PAGE_SIZE) != a->data.gpa ||
	    (walk_differs(&a->fetch) | walk_differs(&a->data) | code_differs(a)))
		return false;
	const struct mmio_range *r = a->range;
	uint64_t gpa = a->data.gpa | (la & PAGE_MASK);
	unsigned length = a->length, size = a->size;

	if (gpa - r->base > r->size - size) /* also when it lies below */
		return false;
	/* a handler may move the range, and with it this entry is gone */
	if (a->write) {
		value = a->reg == INSN_REG_NONE ? a->imm : emulate_gpr(v, a->reg);
		r->ops->write(r->arg, gpa - r->base, size, size == 4 ? (uint32_t)value : value);
	} else {
		unsigned reg = a->reg;

		if (r->ops->read(r->arg, gpa - r->base, size, &value) != 0)
			value = UINT64_MAX;
		emulate_set_gpr(v, reg, size == 4 ? (uint32_t)value : value);
	}
	vmm_ops->advance(v, length);
	return true;
}

bool mmio_again_fits(struct vcpu *v, const struct insn *insn, uint64_t *la)
{
	const struct insn_operand *other = insn->dst.where == INSN_MEM ? &insn->src : &insn->dst;

	if (insn->op != INSN_OP_MOV || insn->mode != INSN_MODE64 || insn->rep || insn->lock ||
	    (insn->dst.where != INSN_MEM && insn->src.where != INSN_MEM) ||
	    (other->where != INSN_REG && other->where != INSN_IMM) ||
	    (insn->dst.size != 4 && insn->dst.size != 8) || insn->dst.size != insn->src.size ||
	    insn->mem.address_size != 8 || insn->mem.seg >= INSN_FS)
		return false;
	*la = operand_at(v, &insn->mem, vmm_ops->reg(v, REG_RIP) + insn->length);
	return !(*la & (insn->dst.size - 1u));
}

/* One that was made with other registers is of no use. */
static bool walk_learn(struct walk *w, const struct walkcache_walk *from,
		       const struct gwalk_cpu *now)
{
	static const uint64_t nothing;

	if (!from || from->depth > LEVELS ||
	    ((from->cpu.cr0 ^ now->cr0) | (from->cpu.cr3 ^ now->cr3) | (from->cpu.cr4 ^ now->cr4) |
	     (from->cpu.efer ^ now->efer) | (from->cpu.cpl ^ now->cpl)) ||
	    from->cpu.ac != now->ac)
		return false;
	for (unsigned i = 0; i < LEVELS; i++) {
		w->at[i] = i < from->depth ? from->at[i] : &nothing;
		w->entry[i] = i < from->depth ? from->entry[i] : 0;
	}
	w->page = from->page;
	w->gpa = from->out.gpa.a;
	return true;
}

void mmio_again_learn(struct vcpu *v, const struct insn *insn, const uint8_t bytes[16],
		      uint64_t rip, uint64_t la, struct mmio_ranges *ranges)
{
	const struct walkcache *walks = &this_cpu()->walks;
	bool write = insn->dst.where == INSN_MEM;
	const struct insn_operand *other = write ? &insn->src : &insn->dst;
	unsigned size = insn->dst.size;
	struct again *a = place_of(rip);
	struct gwalk_cpu now = {.ac = vmm_ops->reg(v, REG_RFLAGS) & RFLAGS_AC};
	uint64_t pdpte[4], gpa;

	a->kept = false;
	vmm_ops->paging(v, &now, pdpte);
	if (!(now.efer & EFER_LMA) || now.cr4 & (CR4_PKE | CR4_PKS))
		return; /* keys are more to compare */
	if (!walk_learn(&a->fetch, walkcache_get(walks, GVA(rip), GWALK_FETCH), &now) ||
	    !walk_learn(&a->data, walkcache_get(walks, GVA(la), write ? GWALK_WRITE : GWALK_READ),
			&now))
		return;
	gpa = a->fetch.gpa | (rip & PAGE_MASK);
	a->code = gmem_at(GPA(gpa), sizeof(a->bytes));
	if ((rip & PAGE_MASK) > PAGE_SIZE - sizeof(a->bytes) || mmio_range_in_page(ranges, gpa) ||
	    !a->code)
		return;
	__builtin_memcpy(a->bytes, bytes, sizeof(a->bytes));
	gpa = a->data.gpa | (la & PAGE_MASK);
	a->range = mmio_range_at(ranges, gpa);
	if (!a->range || a->range->first || a->range->size < size ||
	    gpa - a->range->base > a->range->size - size ||
	    (!write && a->range->mode == MMIO_WRITES))
		return;
	a->write = write;
	a->ac = now.ac;
	a->size = (uint8_t)size;
	a->length = insn->length;
	a->reg = other->where == INSN_REG ? other->reg : INSN_REG_NONE;
	a->imm = insn->imm;
	a->mem = insn->mem;
	a->cpl = now.cpl;
	a->cs = vmm_ops->cs_attributes(v);
	a->cr0 = now.cr0;
	a->cr3 = now.cr3;
	a->cr4 = now.cr4;
	a->efer = now.efer;
	a->rip = rip;
	a->kept = true;
}

void mmio_again_forget(void)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		entries[i].kept = false;
}
