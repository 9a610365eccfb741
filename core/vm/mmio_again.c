/* Accesses to emulated memory that were performed before: performed without decoding anew. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/mmio_again.h"
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/vm/insn/decode.h"
#include "core/vm/mmio.h"
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

#define NO_RIP (UINT64_C(1) << 63) /* not canonical */

/*
 * An instruction in 64-bit mode whose one memory operand lies in one range (insn_effects()). It
 * does the same again when what decides about translation is the same, when every entry of the
 * walks to its bytes and to its operand is, and its bytes are. None of the entries has a flag to
 * set: the walks were fit for the cache of walks (core/vm/walkcache.h). Operands are aligned, so
 * there is no page to cross, and nothing to check alignment of. Changed under the lock.
 */
static struct again {
	uint64_t rip; /* atomic; NO_RIP: nothing is kept */
	uint8_t does; /* insn_effects() */
	uint8_t size;
	uint64_t mask; /* of `size` bytes */
	uint8_t reg;   /* the other operand; INSN_REG_NONE: no register */
	struct insn insn;
	struct translation translation;
	const volatile uint8_t *code;
	uint64_t bytes[2];
	struct walk fetch, data;
	const struct mmio_range *range;
} entries[ENTRIES] = {[0 ... ENTRIES - 1] = {.rip = NO_RIP}};

static struct again *place_of(uint64_t rip)
{
	return &entries[(rip ^ rip >> 4) % ENTRIES];
}

static void keep(struct again *a, uint64_t rip)
{
	__atomic_store_n(&a->rip, rip, __ATOMIC_RELAXED);
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

/* Under the lock. */
static inline bool again(struct vcpu *v, const struct mem_fault *f, const struct again *a,
			 const struct translation *now)
{
	struct insn_values x = {.flags = now->rflags};
	uint64_t la;

	if (a->rip != now->rip || f->delivery || f->walk || v->step.active)
		return false;
	if (((now->cr0 ^ a->translation.cr0) | (now->cr3 ^ a->translation.cr3) |
	     (now->cr4 ^ a->translation.cr4) | (now->efer ^ a->translation.efer) |
	     (now->cs ^ a->translation.cs) | (now->cpl ^ a->translation.cpl) |
	     ((now->rflags ^ a->translation.rflags) & (RFLAGS_AC | RFLAGS_RF))))
		return false;
	la = operand_at(v, &a->insn.mem, now->rip + a->insn.length);
	if (align_down(la, PAGE_SIZE) != a->data.page || la & (a->size - 1u) ||
	    align_down(f->gpa.a, PAGE_SIZE) != a->data.gpa ||
	    (walk_differs(&a->fetch) | walk_differs(&a->data) | code_differs(a)))
		return false;
	const struct mmio_range *r = a->range;
	uint64_t offset = (a->data.gpa | (la & PAGE_MASK)) - r->base;
	unsigned size = a->size;

	if (offset > r->size - size) /* also when it lies below */
		return false;
	/* a handler may move the range, and with it this entry is gone; both accesses belong to one
	 * instruction, and go to the same device */
	const struct mmio_ops *ops = r->ops;
	void *arg = r->arg;

	if (a->does & INSN_READS) {
		if (ops->read(arg, offset, size, &x.mem) != 0)
			x.mem = UINT64_MAX;
		x.mem &= a->mask;
	}
	if (a->reg != INSN_REG_NONE)
		x.reg = emulate_gpr(v, a->reg);
	insn_apply(&a->insn, &x);
	if (a->does & INSN_WRITES)
		ops->write(arg, offset, size, x.mem);
	if (a->does & INSN_SETS_REG)
		emulate_set_gpr(v, a->reg, x.reg);
	if (a->does & INSN_SETS_FLAGS)
		vmm_ops->set_reg(v, REG_RFLAGS, x.flags);
	vmm_ops->advance(v, a->insn.length);
	return true;
}

bool mmio_again(struct vcpu *v, const struct mem_fault *f)
{
	struct translation now;
	struct again *a;
	bool done;

	vmm_ops->translation(v, &now);
	a = place_of(now.rip);
	__asm__("" : "+r"(a)); /* one register, not an address worked out at each use */
	if (__atomic_load_n(&a->rip, __ATOMIC_RELAXED) != now.rip || !mmio_lock_if_free(this_cpu()))
		return false;
	done = again(v, f, a, &now);
	if (done)
		v->stuck.count = 0;
	mmio_unlock();
	return done;
}

bool mmio_again_fits(struct vcpu *v, const struct insn *insn, uint64_t *la)
{
	const struct insn_operand *other = insn->dst.where == INSN_MEM ? &insn->src : &insn->dst;
	bool elsewhere = insn->op >= INSN_OP_BT && insn->op <= INSN_OP_BTC &&
			 other->where == INSN_REG; /* the bit's number is part of the address */

	if (insn->mode != INSN_MODE64 || !insn_effects(insn) || elsewhere ||
	    insn->mem.address_size != 8 || insn->mem.seg >= INSN_FS)
		return false;
	*la = operand_at(v, &insn->mem, vmm_ops->reg(v, REG_RIP) + insn->length);
	return !(*la & (insn_memory_size(insn) - 1u));
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
	const struct insn_operand *other = insn->dst.where == INSN_MEM ? &insn->src : &insn->dst;
	unsigned size = insn_memory_size(insn), does = insn_effects(insn);
	uint64_t rflags = vmm_ops->reg(v, REG_RFLAGS), pdpte[4], gpa;
	struct again *a = place_of(rip);
	struct gwalk_cpu now = {.ac = rflags & RFLAGS_AC};

	keep(a, NO_RIP);
	vmm_ops->paging(v, &now, pdpte);
	if (!(now.efer & EFER_LMA) || now.cr4 & (CR4_PKE | CR4_PKS))
		return; /* keys are more to compare */
	if (!walk_learn(&a->fetch, walkcache_get(walks, GVA(rip), GWALK_FETCH), &now) ||
	    !walk_learn(
		&a->data,
		walkcache_get(walks, GVA(la), does & INSN_WRITES ? GWALK_WRITE : GWALK_READ), &now))
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
	    (does & INSN_READS && a->range->mode == MMIO_WRITES))
		return;
	a->insn = *insn;
	a->does = (uint8_t)does;
	a->size = (uint8_t)size;
	a->mask = UINT64_MAX >> (64 - 8 * size);
	a->reg = other->where == INSN_REG ? other->reg : INSN_REG_NONE;
	vmm_ops->translation(v, &a->translation);
	a->translation.rflags = rflags & RFLAGS_AC; /* without RF */
	keep(a, rip);
}

void mmio_again_forget(void)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		keep(&entries[i], NO_RIP);
}
