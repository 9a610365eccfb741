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

/*
 * An instruction in 64-bit mode whose one memory operand lies in one range (insn_effects()). It
 * does the same again when what decides about translation is the same, when every entry of the
 * walks to its bytes and to its operand is, and its bytes are. None of the entries has a flag to
 * set: the walks were fit for the cache of walks (core/vm/walkcache.h). Operands are aligned, so
 * there is no page to cross, and nothing to check alignment of. Changed under the lock.
 */
static struct again {
	uint64_t key; /* key_of(); atomic; 0: nothing is kept */
	uint64_t rip; /* NO_RIP then; or of none, all 0 */
	uint8_t does; /* insn_effects() */
	uint8_t size;
	bool plain;    /* a MOV that only copies, as drivers' accessors are */
	bool lean;     /* for a handler of lean exits */
	bool scratch;  /* with no other registers than those that are saved for these */
	uint64_t mask; /* of `size` bytes */
	uint8_t reg;   /* the other operand; INSN_REG_NONE: no register */
	struct insn insn;
	struct translation translation;
	const volatile uint8_t *code; /* 16 bytes of its page, the instruction among them */
	uint64_t bytes[2], mask_bytes[2];
	struct walk fetch, data;
	const struct mmio_range *range;
	uint64_t value; /* of the access that is performed just now */
} entries[ENTRIES + PROBES - 1];

bool mmio_again_has_lean;

/* Not canonical. */
#define NO_RIP (UINT64_C(1) << 63)

static void keep(struct again *a, uint64_t key, uint64_t rip)
{
	a->rip = rip;
	__atomic_store_n(&a->key, key, __ATOMIC_RELAXED);
}

static void forget(struct again *a)
{
	keep(a, 0, NO_RIP);
}

/*
 * What `rip` does in the page of `gpa` is found by this, and is proven to be that afterwards. Its
 * upper bits say where it may be kept: a driver has tens of such instructions, and functions that
 * access registers in several pages; two that took each other's place would be decoded anew each
 * time.
 */
static inline uint64_t key_of(uint64_t rip, uint64_t gpa)
{
	return (rip + (gpa >> PAGE_SHIFT)) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static inline struct again *first_place(uint64_t key)
{
	return &entries[key / (UINT64_MAX / ENTRIES + 1)];
}

/* Behind an empty place nothing is looked for: at worst it is kept twice. */
static __attribute__((noinline)) struct again *find_behind(struct again *first, uint64_t key)
{
	for (struct again *a = first; a < first + PROBES; a++) {
		uint64_t is = __atomic_load_n(&a->key, __ATOMIC_RELAXED);

		if (!is)
			break;
		if (is == key)
			return a;
	}
	return NULL;
}

static inline struct again *find(uint64_t key)
{
	struct again *a = first_place(key);

	if (__builtin_expect(__atomic_load_n(&a->key, __ATOMIC_RELAXED) == key, 1))
		return a;
	return find_behind(a, key);
}

/* Where to keep it: where it is, or where nothing is, or in place of one of the others, in turn. */
static struct again *find_room(uint64_t key)
{
	static unsigned turn;
	struct again *first = first_place(key);

	for (struct again *a = first; a < first + PROBES; a++) {
		if (!a->key || a->key == key)
			return a;
	}
	return &first[turn++ % PROBES];
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
static __attribute__((noinline)) bool follow_cr3(struct again *a, uint64_t rip, uint64_t cr3)
{
	const volatile uint64_t *top = gmem_at(GPA(cr3 & CR3_TABLE), PAGE_SIZE);

	/* the bits below the table's address decide about caches only */
	if (!top || (cr3 ^ a->translation.cr3) >> 52)
		return false;
	a->fetch.at[0] = top + top_index(&a->translation, rip);
	a->data.at[0] = top + top_index(&a->translation, a->data.page);
	a->translation.cr3 = cr3;
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

/* All else that the entry depends on is as it was. Then the operand is at *offset of its range.
 * Under the lock. */
static inline __attribute__((always_inline)) bool
stands(struct vcpu *v, struct again *a, uint64_t rip, uint64_t cr3, uint64_t gpa, uint64_t *offset)
{
	uint64_t la;

	if (a->rip != rip || a->data.gpa != align_down(gpa, PAGE_SIZE) || v->step.active)
		return false;
	if (__builtin_expect(cr3 != a->translation.cr3, 0) && !follow_cr3(a, rip, cr3))
		return false;
	la = operand_at(v, &a->insn.mem, rip + a->insn.length);
	if (align_down(la, PAGE_SIZE) != a->data.page || la & (a->size - 1u) ||
	    (walk_differs(&a->fetch) | walk_differs(&a->data) | code_differs(a)))
		return false;
	*offset = (a->data.gpa | (la & PAGE_MASK)) - a->range->base;
	return *offset <= a->range->size - a->size; /* also when it lies below */
}

/* As vmm_ops->translates_as(), for registers that are read already. */
static inline bool translates_as(const struct translation *now, const struct translation *t)
{
	return !((now->cr0 ^ t->cr0) | (now->cr4 ^ t->cr4) | (now->efer ^ t->efer) |
		 ((now->rflags ^ t->rflags) & RFLAGS_AC) | (now->cs ^ t->cs) | (now->cpl ^ t->cpl));
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

/* A plain MOV, by the handler of lean exits. */
static inline bool copy_lean(struct vcpu *v, struct again *a, uint64_t offset)
{
	bool write = a->does & INSN_WRITES;

	if (write)
		a->value = stored(v, a);
	return a->range->ops->lean(a->range->arg, offset, a->size, write, &a->value);
}

static void copy(struct vcpu *v, struct again *a, uint64_t offset)
{
	const struct mmio_ops *ops = a->range->ops;
	void *arg = a->range->arg;

	if (ops->lean && copy_lean(v, a, offset))
		;
	else if (a->does & INSN_WRITES)
		ops->write(arg, offset, a->size, stored(v, a));
	else if (ops->read(arg, offset, a->size, &a->value) != 0)
		a->value = UINT64_MAX;
	if (!(a->does & INSN_WRITES))
		emulate_set_gpr(v, a->reg, a->value & a->mask);
}

static inline bool again(struct vcpu *v, const struct mem_fault *f, struct again *a,
			 const struct translation *now)
{
	uint64_t offset;

	if (f->delivery || f->walk || !translates_as(now, &a->translation) ||
	    !stands(v, a, now->rip, now->cr3, f->gpa.a, &offset))
		return false;
	if (a->plain)
		copy(v, a, offset);
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
	a = find(key_of(now.rip, f->gpa.a));
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

static bool is_scratch(uint8_t reg)
{
	return reg == INSN_REG_NONE || reg == INSN_RIP || GPRS_SCRATCH >> reg & 1;
}

/* Ever found in struct vcpu: the vendor has RSP. */
static bool is_saved(uint8_t reg)
{
	return reg != GPR_RSP;
}

struct again *mmio_again_lean_find(uint64_t rip, uint64_t gpa, bool all)
{
	struct again *a = find(key_of(rip, gpa));

	return a && a->lean && (all || a->scratch) && !runqueue_has_work(&thread_queue) ? a : NULL;
}

uint64_t mmio_again_lean(struct vcpu *v, struct again *a, uint64_t rip, uint64_t cr3, uint64_t gpa)
{
	uint64_t offset, next = 0;

	if (!mmio_lock_try())
		return 0;
	if (a->lean && vmm_ops->translates_as(v, &a->translation) &&
	    stands(v, a, rip, cr3, gpa, &offset) && copy_lean(v, a, offset)) {
		if (!(a->does & INSN_WRITES))
			v->gpr[a->reg] = a->value & a->mask;
		v->stuck.count = 0;
		next = rip + a->insn.length;
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
		w->at[i] = from->at[i];
		w->entry[i] = from->entry[i];
	}
	for (unsigned i = from->depth; i < LEVELS; i++) {
		w->at[i] = &nothing;
		w->entry[i] = 0;
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
	unsigned __int128 text, mask = ((unsigned __int128)1 << 8 * insn->length) - 1;

	if (before + insn->length > sizeof(a->bytes))
		return false;
	a->code = gmem_at(GPA((a->fetch.gpa | in_page) - before), sizeof(a->bytes));
	if (mmio_range_in_page(ranges, a->fetch.gpa) || !a->code)
		return false;
	__builtin_memcpy(&text, bytes, sizeof(text));
	text = (text & mask) << 8 * before;
	mask <<= 8 * before;
	__builtin_memcpy(a->bytes, &text, sizeof(a->bytes));
	__builtin_memcpy(a->mask_bytes, &mask, sizeof(a->mask_bytes));
	return true;
}

/* Fill in a new entry. False: this one cannot be kept. */
static bool learn(struct again *a, struct vcpu *v, const struct insn *insn, const uint8_t bytes[16],
		  uint64_t rip, uint64_t la, uint64_t gpa, struct mmio_ranges *ranges)
{
	const struct walkcache *walks = &this_cpu()->walks;
	const struct insn_operand *other = insn->dst.where == INSN_MEM ? &insn->src : &insn->dst;
	unsigned size = insn_memory_size(insn), does = insn_effects(insn);
	const struct walkcache_walk *fetch = walkcache_get(walks, GVA(rip), GWALK_FETCH),
				    *data = walkcache_get(walks, GVA(la),
							  does & INSN_WRITES ? GWALK_WRITE
									     : GWALK_READ);
	uint64_t pdpte[4];
	struct gwalk_cpu now = {.ac = vmm_ops->reg(v, REG_RFLAGS) & RFLAGS_AC};

	vmm_ops->paging(v, &now, pdpte);
	if (!(now.efer & EFER_LMA) || !walk_learn(&a->fetch, fetch, &now) ||
	    !walk_learn(&a->data, data, &now) || !code_learn(a, insn, bytes, rip, ranges))
		return false;
	if (now.cr4 & (data->out.user ? CR4_PKE : CR4_PKS))
		return false; /* the rights of its key are more to compare */
	if (a->data.gpa != align_down(gpa, PAGE_SIZE))
		return false; /* what exited was not the operand */
	gpa = a->data.gpa | (la & PAGE_MASK);
	a->range = mmio_range_at(ranges, gpa);
	if (!a->range || a->range->first || a->range->size < size ||
	    gpa - a->range->base > a->range->size - size ||
	    (does & INSN_READS && a->range->mode == MMIO_WRITES))
		return false;
	a->insn = *insn;
	a->does = (uint8_t)does;
	a->size = (uint8_t)size;
	a->mask = UINT64_MAX >> (64 - 8 * size);
	a->reg = other->where == INSN_REG ? other->reg : INSN_REG_NONE;
	/* a load of 4 bytes clears the upper half of the register, and one of 8 fills it */
	a->plain = insn->op == INSN_OP_MOV && !other->high && (size >= 4 || does & INSN_WRITES);
	a->lean = a->plain && a->range->ops->lean && is_saved(a->reg) && is_saved(insn->mem.base) &&
		  is_saved(insn->mem.index);
	a->scratch =
	    is_scratch(a->reg) && is_scratch(insn->mem.base) && is_scratch(insn->mem.index);
	vmm_ops->translation(v, &a->translation);
	return true;
}

void mmio_again_learn(struct vcpu *v, const struct insn *insn, const uint8_t bytes[16],
		      uint64_t rip, uint64_t la, uint64_t gpa, struct mmio_ranges *ranges)
{
	uint64_t key = key_of(rip, gpa);
	struct again *a = find_room(key);

	forget(a);
	if (!learn(a, v, insn, bytes, rip, la, gpa, ranges))
		return;
	keep(a, key, rip);
	if (a->lean)
		mmio_again_has_lean = true;
}

void mmio_again_forget(void)
{
	for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		forget(&entries[i]);
	mmio_again_has_lean = false;
}
