/* Accesses to emulated memory that were performed before: performed without decoding anew. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/mmio_again.h"
#include "core/thread.h"
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/vm/insn/decode.h"
#include "core/vm/mmio.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

#define ENTRIES 64 /* a power of two */
#define PROBES  4  /* places where one may be kept */
#define LEVELS  4

/* A page walk: the entries that it read. Those that are not there are a 0 that stays. */
struct walk {
	const volatile uint64_t *at[LEVELS];
	uint64_t entry[LEVELS];
	uint64_t page, gpa; /* of the page's first byte: linear, guest-physical */
};

/* What an entry is found by. 0 stands for none, and for an address that is not canonical. */
#define KEY(rip) ((rip) ^ UINT64_C(1) << 63)

/*
 * An instruction in 64-bit mode whose one memory operand lies in one range (insn_effects()). It
 * does the same again when what decides about translation is the same, when every entry of the
 * walks to its bytes and to its operand is, and its bytes are. None of the entries has a flag to
 * set: the walks were fit for the cache of walks (core/vm/walkcache.h). Operands are aligned, so
 * there is no page to cross, and nothing to check alignment of. Changed under the lock.
 */
static struct again {
	uint64_t key; /* atomic; 0: nothing is kept */
	uint8_t does; /* insn_effects() */
	uint8_t size;
	bool plain; /* a MOV that only copies, as drivers' accessors are */
	bool lean;  /* for a handler of lean exits, and with registers that are saved for these */
	uint64_t mask; /* of `size` bytes */
	uint8_t reg;   /* the other operand; INSN_REG_NONE: no register */
	struct insn insn;
	struct translation translation;
	const volatile uint8_t *code; /* 16 bytes of its page, the instruction among them */
	uint64_t bytes[2], mask_bytes[2];
	struct walk fetch, data;
	const struct mmio_range *range;
} entries[ENTRIES + PROBES - 1];

static void keep(struct again *a, uint64_t key)
{
	__atomic_store_n(&a->key, key, __ATOMIC_RELAXED);
}

/*
 * The first of the places where what `rip` does in the page of `gpa` may be kept. A driver has tens
 * of such instructions, and functions that access registers in several pages; two that took each
 * other's place would be decoded anew each time.
 */
static struct again *first_place(uint64_t rip, uint64_t gpa)
{
	uint32_t mixed = ((uint32_t)rip + (uint32_t)(gpa >> PAGE_SHIFT)) * 0x9e3779b1u;

	return &entries[mixed / (UINT32_MAX / ENTRIES + 1)];
}

static inline bool is_for(const struct again *a, uint64_t rip, uint64_t gpa)
{
	return __atomic_load_n(&a->key, __ATOMIC_RELAXED) == KEY(rip) &&
	       __atomic_load_n(&a->data.gpa, __ATOMIC_RELAXED) == align_down(gpa, PAGE_SIZE);
}

static inline struct again *find(uint64_t rip, uint64_t gpa)
{
	struct again *a = first_place(rip, gpa), *end = a + PROBES;

	for (; a < end; a++) {
		if (__builtin_expect(is_for(a, rip, gpa), 1))
			return a;
	}
	return NULL;
}

/* Where to keep it: where it is, or where nothing is, or in place of one of the others, in turn. */
static struct again *find_room(uint64_t rip, uint64_t gpa)
{
	static unsigned turn;
	struct again *first = first_place(rip, gpa), *a = find(rip, gpa);

	for (unsigned i = 0; i < PROBES && !a; i++) {
		if (!first[i].key)
			a = &first[i];
	}
	return a ? a : &first[turn++ % PROBES];
}

static inline uint64_t word_at(const volatile uint8_t *p)
{
	uint64_t value;

	__asm__ volatile("movq %1, %0" : "=r"(value) : "m"(*(const volatile uint8_t(*)[8])p));
	return value;
}

static inline uint64_t code_differs(const struct again *a)
{
	return ((word_at(a->code) ^ a->bytes[0]) & a->mask_bytes[0]) |
	       ((word_at(a->code + 8) ^ a->bytes[1]) & a->mask_bytes[1]);
}

static inline uint64_t walk_differs(const struct walk *w)
{
	return (*w->at[0] ^ w->entry[0]) | (*w->at[1] ^ w->entry[1]) | (*w->at[2] ^ w->entry[2]) |
	       (*w->at[3] ^ w->entry[3]);
}

/* The top table of the walks: in long mode, and with four levels, as paging was when it was kept.
 */
#define CR3_TABLE UINT64_C(0x000ffffffffff000)

static unsigned top_index(const struct translation *t, uint64_t la)
{
	return la >> (t->cr4 & CR4_LA57 ? 48 : 39) & 511;
}

/*
 * Another address space, such as that of the process that an interrupt hits: the walks begin in
 * another table. What they read there is compared as before, and what stands behind it is the same,
 * as that of a kernel is.
 */
static __attribute__((noinline)) bool follow_cr3(struct again *a, const struct translation *now)
{
	const volatile uint64_t *top = gmem_at(GPA(now->cr3 & CR3_TABLE), PAGE_SIZE);

	/* the bits below the table's address decide about caches only */
	if (!top || (now->cr3 ^ a->translation.cr3) >> 52)
		return false;
	a->fetch.at[0] = top + top_index(now, now->rip);
	a->data.at[0] = top + top_index(now, a->data.page);
	a->translation.cr3 = now->cr3;
	return true;
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

/* All that the entry depends on is as it was. Then the operand is at *offset of its range. Under
 * the lock. */
static inline __attribute__((always_inline)) bool stands(struct vcpu *v, struct again *a,
							 uint64_t gpa,
							 const struct translation *now,
							 uint64_t *offset)
{
	uint64_t la;

	if (!is_for(a, now->rip, gpa))
		return false;
	if (((now->cr0 ^ a->translation.cr0) | (now->cr4 ^ a->translation.cr4) |
	     (now->efer ^ a->translation.efer) | (now->cs ^ a->translation.cs) |
	     (now->cpl ^ a->translation.cpl) |
	     ((now->rflags ^ a->translation.rflags) & (RFLAGS_AC | RFLAGS_RF))))
		return false;
	if (__builtin_expect(now->cr3 != a->translation.cr3, 0) && !follow_cr3(a, now))
		return false;
	la = operand_at(v, &a->insn.mem, now->rip + a->insn.length);
	if (align_down(la, PAGE_SIZE) != a->data.page || la & (a->size - 1u) ||
	    (walk_differs(&a->fetch) | walk_differs(&a->data) | code_differs(a)))
		return false;
	*offset = (a->data.gpa | (la & PAGE_MASK)) - a->range->base;
	return *offset <= a->range->size - a->size; /* also when it lies below */
}

/* What a MOV to memory stores. Under the lock, as what follows. */
static inline uint64_t stored(struct vcpu *v, const struct again *a)
{
	return (a->reg != INSN_REG_NONE ? emulate_gpr(v, a->reg) : a->insn.imm) & a->mask;
}

/*
 * A handler may move the range, and with it the entry is gone; both accesses belong to one
 * instruction, and go to the same device.
 */
static void apply(struct vcpu *v, const struct again *a, const struct mmio_ops *ops, void *arg,
		  uint64_t offset, uint64_t rflags)
{
	struct insn_values x = {.flags = rflags};

	if (a->does & INSN_READS) {
		if (ops->read(arg, offset, a->size, &x.mem) != 0)
			x.mem = UINT64_MAX;
		x.mem &= a->mask;
	}
	if (a->reg != INSN_REG_NONE)
		x.reg = emulate_gpr(v, a->reg);
	insn_apply(&a->insn, &x);
	if (a->does & INSN_WRITES)
		ops->write(arg, offset, a->size, x.mem);
	if (a->does & INSN_SETS_REG)
		emulate_set_gpr(v, a->reg, x.reg);
	if (a->does & INSN_SETS_FLAGS)
		vmm_ops->set_reg(v, REG_RFLAGS, x.flags);
}

static void copy(struct vcpu *v, const struct again *a, const struct mmio_ops *ops, void *arg,
		 uint64_t offset)
{
	bool write = a->does & INSN_WRITES;
	uint64_t value = write ? stored(v, a) : 0;
	bool done = ops->lean && ops->lean(arg, offset, a->size, write, &value);

	if (!done && write)
		ops->write(arg, offset, a->size, value);
	else if (!done && ops->read(arg, offset, a->size, &value) != 0)
		value = UINT64_MAX;
	if (!write)
		emulate_set_gpr(v, a->reg, value & a->mask);
}

static inline bool again(struct vcpu *v, const struct mem_fault *f, struct again *a,
			 const struct translation *now)
{
	uint64_t offset;

	if (f->delivery || f->walk || v->step.active || !stands(v, a, f->gpa.a, now, &offset))
		return false;
	if (a->plain)
		copy(v, a, a->range->ops, a->range->arg, offset);
	else
		apply(v, a, a->range->ops, a->range->arg, offset, now->rflags);
	vmm_ops->advance(v, a->insn.length);
	return true;
}

bool mmio_again(struct vcpu *v, const struct mem_fault *f)
{
	struct translation now;
	struct again *a;
	bool done;

	vmm_ops->translation(v, &now);
	a = find(now.rip, f->gpa.a);
	__asm__("" : "+r"(a)); /* one register, not an address worked out at each use */
	if (!a)
		return false;
	if (!mmio_lock_if_free(this_cpu()))
		mmio_lock(this_cpu()); /* waiting is cheaper than decoding */
	done = again(v, f, a, &now);
	if (done)
		v->stuck.count = 0;
	mmio_unlock();
	return done;
}

/*
 * Registers that are saved for a lean exit (gprs_scratch in core/x86/gprs.inc, and RAX): the others
 * are still in the CPU, and what struct vcpu holds of them is old.
 */
#define SCRATCH                                                                                    \
	(1u << GPR_RAX | 1u << GPR_RCX | 1u << GPR_RDX | 1u << GPR_RBX | 1u << GPR_RSI |           \
	 1u << GPR_RDI | 0xfu << GPR_R8)

static bool is_scratch(uint8_t reg)
{
	return reg == INSN_REG_NONE || reg == INSN_RIP || SCRATCH >> reg & 1;
}

struct again *mmio_again_lean_find(uint64_t rip, uint64_t gpa)
{
	struct again *a = find(rip, gpa);

	return a && a->lean && !runqueue_has_work(&thread_queue) ? a : NULL;
}

uint64_t mmio_again_lean(struct vcpu *v, struct again *a, uint64_t gpa,
			 const struct translation *now)
{
	uint64_t offset, next = 0;

	if (!mmio_lock_try())
		return 0;
	if (a->lean && stands(v, a, gpa, now, &offset)) {
		bool write = a->does & INSN_WRITES;
		uint64_t value = write ? stored(v, a) : 0;

		if (a->range->ops->lean(a->range->arg, offset, a->size, write, &value)) {
			if (!write)
				v->gpr[a->reg] = value & a->mask;
			v->stuck.count = 0;
			next = now->rip + a->insn.length;
		}
	}
	mmio_unlock_tried();
	return next;
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

/* The instruction's bytes, which lie in one page: compared are no others. */
static bool code_learn(struct again *a, const struct insn *insn, const uint8_t bytes[16],
		       uint64_t rip, struct mmio_ranges *ranges)
{
	unsigned in_page = (unsigned)(rip & PAGE_MASK), last = PAGE_SIZE - sizeof(a->bytes);
	unsigned before = in_page > last ? in_page - last : 0; /* bytes of others in front */
	uint8_t *to = (uint8_t *)a->bytes, *mask = (uint8_t *)a->mask_bytes;

	if (before + insn->length > sizeof(a->bytes))
		return false;
	a->code = gmem_at(GPA((a->fetch.gpa | in_page) - before), sizeof(a->bytes));
	if (mmio_range_in_page(ranges, a->fetch.gpa) || !a->code)
		return false;
	for (unsigned i = 0; i < sizeof(a->bytes); i++) {
		bool own = i >= before && i < before + insn->length;

		to[i] = own ? bytes[i - before] : 0;
		mask[i] = own ? 0xff : 0;
	}
	return true;
}

void mmio_again_learn(struct vcpu *v, const struct insn *insn, const uint8_t bytes[16],
		      uint64_t rip, uint64_t la, uint64_t gpa, struct mmio_ranges *ranges)
{
	const struct walkcache *walks = &this_cpu()->walks;
	const struct insn_operand *other = insn->dst.where == INSN_MEM ? &insn->src : &insn->dst;
	unsigned size = insn_memory_size(insn), does = insn_effects(insn);
	uint64_t rflags = vmm_ops->reg(v, REG_RFLAGS), pdpte[4];
	struct again *a = find_room(rip, gpa);
	struct gwalk_cpu now = {.ac = rflags & RFLAGS_AC};

	keep(a, 0);
	vmm_ops->paging(v, &now, pdpte);
	if (!(now.efer & EFER_LMA) || now.cr4 & (CR4_PKE | CR4_PKS))
		return; /* keys are more to compare */
	if (!walk_learn(&a->fetch, walkcache_get(walks, GVA(rip), GWALK_FETCH), &now) ||
	    !walk_learn(
		&a->data,
		walkcache_get(walks, GVA(la), does & INSN_WRITES ? GWALK_WRITE : GWALK_READ),
		&now) ||
	    !code_learn(a, insn, bytes, rip, ranges))
		return;
	if (a->data.gpa != align_down(gpa, PAGE_SIZE))
		return; /* what exited was not the operand */
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
	/* a load of 4 bytes clears the upper half of the register, and one of 8 fills it */
	a->plain = insn->op == INSN_OP_MOV && !other->high && (size >= 4 || does & INSN_WRITES);
	a->lean = a->plain && a->range->ops->lean && is_scratch(a->reg) &&
		  is_scratch(insn->mem.base) && is_scratch(insn->mem.index);
	vmm_ops->translation(v, &a->translation);
	a->translation.rflags = rflags & RFLAGS_AC; /* without RF */
	keep(a, KEY(rip));
}

void mmio_again_forget(void)
{
	for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		keep(&entries[i], 0);
}
