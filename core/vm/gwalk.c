/* Guest page-table walk: linear to guest-physical in every paging mode (SDM volume 3A, chapter 4).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/gwalk.h"
#include "core/errno.h"

#define CR0_WP   (UINT64_C(1) << 16)
#define CR0_PG   (UINT64_C(1) << 31)
#define CR4_PSE  (UINT64_C(1) << 4)
#define CR4_PAE  (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)
#define CR4_PKE  (UINT64_C(1) << 22)
#define CR4_PKS  (UINT64_C(1) << 24)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)

#define PTE_P       (UINT64_C(1) << 0)
#define PTE_RW      (UINT64_C(1) << 1)
#define PTE_US      (UINT64_C(1) << 2)
#define PTE_PWT     (UINT64_C(1) << 3)
#define PTE_PCD     (UINT64_C(1) << 4)
#define PTE_A       (UINT64_C(1) << 5)
#define PTE_D       (UINT64_C(1) << 6)
#define PTE_PS      (UINT64_C(1) << 7)
#define PTE_PAT_4K  (UINT64_C(1) << 7)
#define PTE_PAT_BIG (UINT64_C(1) << 12)
#define PTE_XD      (UINT64_C(1) << 63)
#define PTE_KEY(e)  ((unsigned)((e) >> 59 & 15))

/*
 * PAE PDPTE, SDM 3A table 4-8: 2:1 and 8:5 are reserved, as is everything from MAXPHYADDR up. Bit 5
 * is let pass: QEMU's TCG sets it, as accessed flag. A CPU that loads PDPTEs refuses it before.
 */
#define PDPTE_RSVD UINT64_C(0x1c6)

#define MAX_LEVELS  5
#define MAX_RETRIES 64
#define WALK_AGAIN  3 /* an entry changed under the walk; not seen by callers */

/* Bits hi..lo, inclusive; none when hi < lo. */
static uint64_t bits(unsigned hi, unsigned lo)
{
	if (hi < lo)
		return 0;
	return (UINT64_MAX >> (63 - hi)) & (UINT64_MAX << lo);
}

/* Entries used so far, for the accessed and dirty flags. */
struct trail {
	gpa_t at;
	uint64_t entry;
};

struct walk {
	const struct gwalk_cpu *cpu;
	const struct gwalk_ops *ops;
	void *arg;
	uint64_t la;
	enum gwalk_access access;
	bool user; /* user-mode access */
	bool implicit;
	bool keys; /* protection keys apply: IA-32e paging */
	unsigned entry_size;
	unsigned depth; /* entries in trail */
	struct trail trail[MAX_LEVELS];
	struct gwalk_out *out;
};

static bool nx_enabled(const struct walk *w)
{
	return (w->cpu->efer & EFER_NXE) && (w->cpu->cr4 & CR4_PAE);
}

/* SDM 3A 4.7: the bits that depend on the access alone, and those of the reason. */
static int fault(struct walk *w, uint32_t reason)
{
	uint32_t code = reason;

	if (w->access == GWALK_WRITE)
		code |= GWALK_PF_W;
	if (w->user)
		code |= GWALK_PF_U;
	if (w->access == GWALK_FETCH && ((w->cpu->cr4 & CR4_SMEP) || nx_enabled(w)))
		code |= GWALK_PF_I;
	w->out->error_code = code;
	return GWALK_FAULT;
}

/* SDM 3A 4.6.2: true when the key of the page forbids the data access. */
static bool key_denies(const struct walk *w, uint64_t leaf)
{
	const struct gwalk_cpu *c = w->cpu;

	if (!w->keys || w->access == GWALK_FETCH)
		return false;
	if (!(c->cr4 & (w->out->user ? CR4_PKE : CR4_PKS)))
		return false;
	uint32_t rights = (w->out->user ? c->pkru : c->pkrs) >> (2 * PTE_KEY(leaf));
	if (rights & 1)
		return true;
	return (rights & 2) && w->access == GWALK_WRITE && (w->user || (c->cr0 & CR0_WP));
}

/* SDM 3A 4.6.1: rights of the whole walk, which are in out by now. */
static bool rights_deny(const struct walk *w)
{
	const struct gwalk_cpu *c = w->cpu;
	const struct gwalk_out *o = w->out;

	if (w->user && !o->user)
		return true;
	if (w->access == GWALK_FETCH)
		return !o->executable || (!w->user && o->user && (c->cr4 & CR4_SMEP));
	if (!w->user && o->user && (c->cr4 & CR4_SMAP) && (w->implicit || !c->ac))
		return true;
	return w->access == GWALK_WRITE && !o->writable && (w->user || (c->cr0 & CR0_WP));
}

/* Reads the entry at `table` + index, and does the tests that are the same for all. 0, GWALK_FAULT
 * or an error. */
static int fetch(struct walk *w, uint64_t table, unsigned shift, uint64_t *entry)
{
	unsigned index_bits = w->entry_size == 4 ? 10 : 9;
	uint64_t index = w->la >> shift & ((UINT64_C(1) << index_bits) - 1);
	gpa_t at = GPA(table + index * w->entry_size);
	int r = w->ops->read(w->arg, at, w->entry_size, entry);

	if (r)
		return r;
	if (!(*entry & PTE_P))
		return fault(w, 0);
	w->trail[w->depth].at = at;
	w->trail[w->depth++].entry = *entry;
	w->out->writable &= (*entry & PTE_RW) != 0;
	w->out->user &= (*entry & PTE_US) != 0;
	if (w->entry_size == 8 && nx_enabled(w))
		w->out->executable &= !(*entry & PTE_XD);
	return 0;
}

/* Reached the leaf: the rights, then the flags, then the address. */
static int finish(struct walk *w, uint64_t frame, unsigned shift, unsigned level)
{
	struct gwalk_out *o = w->out;
	uint64_t leaf = w->trail[w->depth - 1].entry;
	uint64_t offset = (UINT64_C(1) << shift) - 1;
	bool denied_by_key = key_denies(w, leaf);

	if (denied_by_key || rights_deny(w))
		return fault(w, GWALK_PF_P | (denied_by_key ? GWALK_PF_PK : 0));

	for (unsigned i = 0; w->ops->update && i < w->depth; i++) {
		const struct trail *t = &w->trail[i];
		uint64_t set = PTE_A;

		if (i == w->depth - 1 && w->access == GWALK_WRITE)
			set |= PTE_D;
		if ((t->entry & set) == set)
			continue;
		int r = w->ops->update(w->arg, t->at, w->entry_size, t->entry, t->entry | set);
		if (r < 0)
			return r;
		if (r > 0)
			return WALK_AGAIN;
		if (i == w->depth - 1)
			leaf |= set;
	}

	uint64_t pat_bit = level == 1 ? PTE_PAT_4K : PTE_PAT_BIG;
	o->pat = (uint8_t)((leaf & pat_bit ? 4 : 0) | (leaf & PTE_PCD ? 2 : 0) |
			   (leaf & PTE_PWT ? 1 : 0));
	o->level = (uint8_t)level;
	o->leaf = leaf;
	o->page_size = offset + 1;
	o->gpa = GPA((frame & ~offset) | (w->la & offset));
	return 0;
}

/* 32-bit paging, SDM 3A 4.3. */
static int walk32(struct walk *w)
{
	uint64_t entry;

	w->entry_size = 4;
	int r = fetch(w, w->cpu->cr3 & bits(31, 12), 22, &entry);
	if (r)
		return r;
	if ((entry & PTE_PS) && (w->cpu->cr4 & CR4_PSE)) {
		/* PSE-36: bits 20:13 are address bits 39:32, as far as the CPU has them (table
		 * 4-4). */
		unsigned m = w->cpu->maxphyaddr < 40 ? w->cpu->maxphyaddr : 40;
		uint64_t reserved = w->cpu->pse36 ? bits(21, m - 19) : bits(21, 13);

		if (entry & reserved)
			return fault(w, GWALK_PF_P | GWALK_PF_RSVD);
		return finish(w, (entry & bits(31, 22)) | (entry & bits(20, 13)) << 19, 22, 2);
	}
	r = fetch(w, entry & bits(31, 12), 12, &entry);
	if (r)
		return r;
	return finish(w, entry & bits(31, 12), 12, 1);
}

/*
 * The levels that PAE and IA-32e paging share, from `level` (5..2) down to 1. `reserved_high`:
 * address bits that no entry may have.
 */
static int walk64(struct walk *w, uint64_t table, unsigned level, uint64_t reserved_high)
{
	uint64_t address = bits(w->cpu->maxphyaddr - 1u, 12);
	uint64_t entry;

	if (!nx_enabled(w))
		reserved_high |= PTE_XD;
	for (;; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t reserved = reserved_high;
		bool leaf = level == 1;
		int r = fetch(w, table, shift, &entry);

		if (r)
			return r;
		if (level > 1 && (entry & PTE_PS)) {
			leaf = level == 2 || (level == 3 && w->cpu->gb_pages);
			reserved |= leaf ? bits(shift - 1, 13) : PTE_PS;
		}
		if (entry & reserved)
			return fault(w, GWALK_PF_P | GWALK_PF_RSVD);
		if (leaf)
			return finish(w, entry & address, shift, level);
		table = entry & address;
	}
}

/* PAE paging, SDM 3A 4.4. */
static int walk_pae(struct walk *w)
{
	unsigned m = w->cpu->maxphyaddr;
	unsigned index = (unsigned)(w->la >> 30 & 3);
	uint64_t entry;

	w->entry_size = 8;
	if (w->cpu->pdpte) {
		entry = w->cpu->pdpte[index];
	} else {
		gpa_t at = GPA((w->cpu->cr3 & bits(31, 5)) + index * 8u);
		int r = w->ops->read(w->arg, at, 8, &entry);

		if (r)
			return r;
	}
	/* No rights and no accessed flag at this level. */
	if (!(entry & PTE_P))
		return fault(w, 0);
	if (entry & (PDPTE_RSVD | bits(63, m)))
		return fault(w, GWALK_PF_P | GWALK_PF_RSVD);
	return walk64(w, entry & bits(m - 1, 12), 2, bits(62, m));
}

/* 4-level and 5-level paging, SDM 3A 4.5. */
static int walk_long(struct walk *w)
{
	unsigned m = w->cpu->maxphyaddr;
	unsigned levels = w->cpu->cr4 & CR4_LA57 ? 5 : 4;
	uint64_t sign = bits(63, 12 + 9 * levels - 1);

	if ((w->la & sign) != 0 && (w->la & sign) != sign)
		return GWALK_NONCANONICAL;
	w->entry_size = 8;
	w->keys = true;
	return walk64(w, w->cpu->cr3 & bits(m - 1, 12), levels, bits(51, m));
}

int gwalk(const struct gwalk_cpu *cpu, const struct gwalk_ops *ops, void *arg, gva_t la,
	  enum gwalk_access access, bool implicit, struct gwalk_out *out)
{
	bool is_long = cpu->efer & EFER_LMA;

	if (!(cpu->cr0 & CR0_PG)) {
		*out = (struct gwalk_out){
		    .gpa = GPA(la.a & bits(31, 0)),
		    .page_size = PAGE_SIZE,
		    .writable = true,
		    .user = true,
		    .executable = true,
		};
		return 0;
	}
	for (unsigned i = 0; i < MAX_RETRIES; i++) {
		struct walk w = {
		    .cpu = cpu,
		    .ops = ops,
		    .arg = arg,
		    .la = is_long ? la.a : la.a & bits(31, 0),
		    .access = access,
		    .user = cpu->cpl == 3 && !implicit,
		    .implicit = implicit,
		    .out = out,
		};
		int r;

		*out = (struct gwalk_out){.writable = true, .user = true, .executable = true};
		if (is_long)
			r = walk_long(&w);
		else if (cpu->cr4 & CR4_PAE)
			r = walk_pae(&w);
		else
			r = walk32(&w);
		if (r != WALK_AGAIN)
			return r;
	}
	return -EBUSY;
}
