/* The page-table engine: each single write leaves every address mapped as before or as asked. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/host/random.h"

static void journal_store(uint64_t *entry, uint64_t value);
static bool leads_to(uint64_t from, unsigned at, uint64_t table);

/* The engine's one way to change a table that the CPU can see goes through the journal. */
#define __atomic_store_n(entry, value, order) journal_store(entry, value)
#include "core/mm/pgtable.c"
#undef __atomic_store_n

/* ---- memory ---- */

#define TABLES  640
#define BASE    UINT64_C(0x123400000000) /* where the tables lie */
#define POISON  UINT64_C(0xdeadbeefdeadbeef)
#define PA_BITS UINT64_C(0x0000fffffffff000) /* of a CPU with 48 physical address bits */

static uint64_t memory[TABLES][ENTRIES];
static uint64_t shadow[TABLES][ENTRIES]; /* what the journal says that live tables hold */
static enum { FREE, PRIVATE, LIVE } use[TABLES];
static unsigned level[TABLES]; /* of live tables */
static struct pt tables;
static int allowed; /* tables that may still be handed out; negative: no limit */
static unsigned taken, writes;

static unsigned table_number(uint64_t pa)
{
	assert_true(pa >= BASE && pa < BASE + TABLES * PAGE_SIZE);
	assert_int_equal(pa & PAGE_MASK, 0);
	return (unsigned)((pa - BASE) / PAGE_SIZE);
}

static uint64_t table_alloc(void *arg)
{
	(void)arg;
	if (allowed == 0)
		return 0;
	if (allowed > 0)
		allowed--;
	for (unsigned i = 0; i < TABLES; i++) {
		if (use[i] != FREE)
			continue;
		use[i] = PRIVATE;
		memset(memory[i], 0, sizeof(memory[i]));
		taken++;
		return BASE + i * PAGE_SIZE;
	}
	return 0;
}

static void table_free(void *arg, uint64_t pa)
{
	unsigned n = table_number(pa);

	(void)arg;
	assert_int_not_equal(use[n], FREE);
	assert_false(leads_to(tables.root, 4, pa)); /* the CPU no longer gets here */
	use[n] = FREE;
	for (unsigned k = 0; k < ENTRIES; k++)
		memory[n][k] = POISON;
	taken--;
}

static uint64_t *table_at(void *arg, uint64_t pa)
{
	unsigned n = table_number(pa);

	(void)arg;
	assert_int_not_equal(use[n], FREE);
	return memory[n];
}

static void start(const struct pt_format *format, unsigned max_leaf_level)
{
	memset(use, 0, sizeof(use));
	allowed = -1;
	taken = 0;
	tables = (struct pt){
	    .format = format,
	    .max_leaf_level = max_leaf_level,
	    .alloc = table_alloc,
	    .free = table_free,
	    .at = table_at,
	};
	tables.root = table_alloc(NULL);
	use[table_number(tables.root)] = LIVE;
	level[table_number(tables.root)] = 4;
	memset(shadow, 0, sizeof(shadow));
}

/* ---- the CPU: a walk written from the manuals, with every reserved bit checked ---- */

struct translation {
	bool present;
	uint64_t pa, size;
	unsigned perm;
	unsigned type;
};

#define BITS(high, low) ((UINT64_C(2) << (high)) - (UINT64_C(1) << (low)))

/* SDM 3A 4.5.4 and tables 4-15 to 4-20; APM 2 5.4.1. NPT: user at each level (APM 2 15.25.5). */
static struct translation walk_x86(uint64_t va, bool nested)
{
	static const unsigned type_of_pat[4] = {PT_WB, PT_WT, 7 /* UC- */,
						PT_UC}; /* SDM 3A 12.12.4 */
	struct translation t = {.perm = PT_RWX};
	uint64_t table = tables.root;

	for (unsigned depth = 4; depth >= 1; depth--) {
		unsigned shift = 12 + 9 * (depth - 1);
		uint64_t e = memory[table_number(table)][va >> shift & 511];

		if (!(e & 1))
			return (struct translation){0};
		assert_int_equal(e & BITS(51, 48), 0); /* beyond MAXPHYADDR */
		if (nested)
			assert_true(e & 4);
		else
			assert_false(e &
				     4); /* supervisor only: what else would SMEP and SMAP be for */
		t.perm &= ~(e & 2 ? 0u : (unsigned)PT_W);
		t.perm &= ~(e >> 63 ? (unsigned)PT_X : 0u);
		if (depth == 4)
			assert_false(e & 0x80);
		if (depth == 1 || e & 0x80) {
			/* bit 7 of a PTE and bit 12 of larger leaves are PAT */
			assert_int_equal(e & (depth == 1 ? 0x80 : 0x1000), 0);
			assert_int_equal(e & 0x60, 0x60); /* the CPU need not set A and D */
			assert_int_equal(e & 0x100,
					 0); /* G: pages of the root would outlive a CR3 load */
			assert_int_equal(e & BITS(62, 52), 0); /* protection keys, ignored bits */
			if (depth > 1)
				assert_int_equal(e & BITS(shift - 1, 13), 0);
			t.present = true;
			t.size = UINT64_C(1) << shift;
			t.pa = (e & PA_BITS & ~(t.size - 1)) + (va & (t.size - 1));
			t.type = type_of_pat[e >> 3 & 3];
			return t;
		}
		table = e & PA_BITS;
	}
	return t;
}

/* SDM 3C 29.3.2 and 29.3.3.1 (misconfigurations), tables 29-1 to 29-7 */
static struct translation walk_ept(uint64_t va)
{
	struct translation t = {.perm = PT_RWX};
	uint64_t table = tables.root;

	for (unsigned depth = 4; depth >= 1; depth--) {
		unsigned shift = 12 + 9 * (depth - 1);
		uint64_t e = memory[table_number(table)][va >> shift & 511];

		if (!(e & 7))
			return (struct translation){0};
		assert_int_equal(e & BITS(51, 48), 0);
		assert_int_not_equal(e & 3, 2);        /* writable but not readable */
		assert_int_equal(e & BITS(63, 52), 0); /* shadow stacks, #VE suppression, ignored */
		assert_int_equal(e & BITS(11, 8),
				 0); /* A, D (not enabled), user execute, ignored */
		t.perm &= (unsigned)e & 7;
		if (depth == 4)
			assert_int_equal(e & BITS(7, 3), 0);
		if (depth == 1 || e & 0x80) {
			unsigned type = e >> 3 & 7;

			assert_true(type == 0 || type == 1 || (type >= 4 && type <= 6));
			assert_int_equal(e & 0x40, 0); /* the guest's PAT still counts */
			assert_int_equal(depth == 1 ? e & 0x80 : 0, 0);
			if (depth > 1)
				assert_int_equal(e & BITS(shift - 1, 12), 0);
			t.present = true;
			t.size = UINT64_C(1) << shift;
			t.pa = (e & PA_BITS & ~(t.size - 1)) + (va & (t.size - 1));
			t.type = type;
			return t;
		}
		assert_int_equal(e & BITS(6, 3), 0);
		table = e & PA_BITS;
	}
	return t;
}

static struct translation walk(uint64_t va)
{
	if (tables.format == &pt_format_ept)
		return walk_ept(va);
	return walk_x86(va, tables.format == &pt_format_npt);
}

/* ---- what should be mapped: the last request that covers an address ---- */

#define REQUESTS 48
#define PROBES   48

static struct request {
	uint64_t va, pa, size;
	unsigned perm;
	enum pt_type type;
} requests[REQUESTS];
static unsigned request_count;
static uint64_t probes[PROBES];

static struct translation wanted(uint64_t va, unsigned count)
{
	while (count--) {
		const struct request *r = &requests[count];

		if (va - r->va >= r->size)
			continue;
		if (r->perm == 0)
			break;
		return (struct translation){true, r->pa + (va - r->va), 0, r->perm, r->type};
	}
	return (struct translation){0};
}

static bool same(const struct translation *a, const struct translation *b)
{
	if (a->present != b->present)
		return false;
	return !a->present || (a->pa == b->pa && a->perm == b->perm &&
			       (a->type == b->type || tables.format == &pt_format_npt));
}

/* `in_work`: the last request is being carried out, and may be seen or not. */
static void check_probes(bool in_work)
{
	for (unsigned i = 0; i < PROBES; i++) {
		struct translation is = walk(probes[i]), new = wanted(probes[i], request_count);
		struct translation old = wanted(probes[i], request_count - in_work);

		if (!same(&is, &new) && !(in_work && same(&is, &old)))
			fail_msg(
			    "%#lx -> %d %#lx perm %u type %u, request %u: %d %#lx perm %u type %u",
			    probes[i], is.present, is.pa, is.perm, is.type, request_count,
			    new.present, new.pa, new.perm, new.type);
	}
}

/* Tables that the entry leads to are seen by the CPU from now on. */
static void becomes_live(uint64_t entry, unsigned at)
{
	if (!tables.format->is_present(entry) || tables.format->is_leaf(entry, at))
		return;
	unsigned n = table_number(entry & PA_BITS);

	assert_int_not_equal(use[n], FREE);
	if (use[n] == LIVE)
		return;
	use[n] = LIVE;
	level[n] = at - 1;
	memcpy(shadow[n], memory[n], sizeof(shadow[n]));
	for (unsigned i = 0; i < ENTRIES; i++)
		becomes_live(memory[n][i], at - 1);
}

static void check_shadow(void)
{
	for (unsigned i = 0; i < TABLES; i++) {
		if (use[i] == LIVE)
			assert_memory_equal(memory[i], shadow[i], sizeof(shadow[i]));
	}
}

static void journal_store(uint64_t *entry, uint64_t value)
{
	size_t at = (size_t)(entry - memory[0]);
	unsigned n = (unsigned)(at / ENTRIES), k = (unsigned)(at % ENTRIES);

	assert_true(at < (size_t)TABLES * ENTRIES);
	assert_int_not_equal(use[n], FREE);
	*entry = value;
	writes++;
	if (use[n] != LIVE)
		return;
	shadow[n][k] = value;
	if (level[n] > 1)
		becomes_live(value, level[n]);
	if (writes % 16 == 0)
		check_shadow();
	check_probes(true);
}

static bool leads_to(uint64_t from, unsigned at, uint64_t table)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t e = memory[table_number(from)][i];

		if (!tables.format->is_present(e) || tables.format->is_leaf(e, at))
			continue;
		if ((e & PA_BITS) == table || (at > 2 && leads_to(e & PA_BITS, at - 1, table)))
			return true;
	}
	return false;
}

static unsigned reachable(uint64_t table, unsigned at)
{
	unsigned n = 1;

	for (unsigned i = 0; i < ENTRIES && at > 1; i++) {
		uint64_t e = memory[table_number(table)][i];

		if (tables.format->is_present(e) && !tables.format->is_leaf(e, at))
			n += reachable(e & PA_BITS, at - 1);
	}
	return n;
}

static void choose_probes(const struct request *r)
{
	const uint64_t at[] = {r->va,
			       r->va + r->size - 1,
			       r->va - 1,
			       r->va + r->size,
			       r->va & ~(SIZE_1G - 1),
			       r->va | (SIZE_1G - 1),
			       (r->va + r->size) & ~(SIZE_2M - 1),
			       ((r->va + r->size) & ~(SIZE_2M - 1)) - 1,
			       (r->va & ~(SIZE_2M - 1)) + SIZE_2M,
			       r->va & ~(SIZE_2M - 1)};
	unsigned n = 0;

	for (; n < sizeof(at) / sizeof(at[0]); n++)
		probes[n] = at[n] & BITS(47, 0);
	for (; n < 24; n++)
		probes[n] = r->va + random64() % r->size;
	for (; n < PROBES; n++) {
		const struct request *o = &requests[random64() % request_count];

		probes[n] =
		    (o->va + random64() % (o->size + 2 * PAGE_SIZE) - PAGE_SIZE) & BITS(47, 0);
	}
}

/* Carry out one request; the journal judges every step. With `limit` >= 0 memory ends on the way
 * first. */
static void map(struct request r, int limit)
{
	assert_true(request_count < REQUESTS);
	requests[request_count++] = r;
	choose_probes(&r);
	if (limit >= 0) {
		unsigned before = taken;

		allowed = limit;
		int err = pt_map(&tables, r.va, r.pa, r.size, r.perm, r.type);

		assert_true(err == 0 || err == -ENOMEM);
		if (err) {
			assert_int_equal(allowed, 0);
			assert_true(taken <= before + (unsigned)limit);
		}
		check_probes(err != 0);
		assert_int_equal(reachable(tables.root, 4), taken);
		allowed = -1;
	}
	assert_int_equal(pt_map(&tables, r.va, r.pa, r.size, r.perm, r.type), 0);
	check_shadow();
	check_probes(false);
	assert_int_equal(reachable(tables.root, 4), taken); /* nothing lost */

	for (unsigned i = 0; i < PROBES; i++) { /* the engine's own reading agrees with the CPU's */
		struct pt_leaf leaf;
		struct translation is = walk(probes[i]);

		assert_int_equal(pt_lookup(&tables, probes[i], &leaf), is.present);
		if (!is.present)
			continue;
		assert_int_equal(leaf.pa, is.pa);
		assert_int_equal(leaf.page_size, is.size);
		assert_int_equal(leaf.perm, is.perm);
		if (tables.format != &pt_format_npt)
			assert_int_equal(leaf.type, is.type);
	}
}

/* ---- tests ---- */

static const struct pt_format *const formats[] = {&pt_format_host, &pt_format_npt, &pt_format_ept};

/* SDM 3A tables 4-15 to 4-20, APM 2 figures 5-18 to 5-26, SDM 3C tables 29-1 to 29-7 */
static void entries_of_each_format(void **state)
{
	static const struct {
		const struct pt_format *format;
		uint64_t pa;
		unsigned level, perm;
		enum pt_type type;
		uint64_t entry;
	} cases[] = {
	    /* P 0, R/W 1, A 5, D 6, PS 7, NX 63; PWT 3, PCD 4 select PAT entries */
	    {&pt_format_host, 0x1000, 1, PT_R, PT_WB, 0x8000000000001061},
	    {&pt_format_host, 0x1000, 1, PT_RW, PT_WB, 0x8000000000001063},
	    {&pt_format_host, 0x1000, 1, PT_RX, PT_WB, 0x1061},
	    {&pt_format_host, 0x1000, 1, PT_RWX, PT_WB, 0x1063},
	    {&pt_format_host, 0x1000, 1, PT_RW, PT_UC, 0x800000000000107b},
	    {&pt_format_host, 0x1000, 1, PT_RW, PT_WT, 0x800000000000106b},
	    {&pt_format_host, 0x200000, 2, PT_RW, PT_WB, 0x80000000002000e3},
	    {&pt_format_host, 0x200000, 2, PT_RX, PT_WB, 0x2000e1},
	    {&pt_format_host, 0x40000000, 3, PT_RW, PT_UC, 0x80000000400000fb},
	    {&pt_format_host, 0xfffffffff000, 1, PT_RW, PT_WB, 0x8000fffffffff063},
	    /* the same with U/S 2; the type is the guest's affair */
	    {&pt_format_npt, 0x1000, 1, PT_RWX, PT_WB, 0x1067},
	    {&pt_format_npt, 0x1000, 1, PT_RX, PT_WB, 0x1065},
	    {&pt_format_npt, 0x1000, 1, PT_R, PT_WB, 0x8000000000001065},
	    {&pt_format_npt, 0x1000, 1, PT_RWX, PT_UC, 0x1067},
	    {&pt_format_npt, 0x200000, 2, PT_RWX, PT_WB, 0x2000e7},
	    {&pt_format_npt, 0x40000000, 3, PT_RWX, PT_WB, 0x400000e7},
	    /* R 0, W 1, X 2, type 5:3, large 7 */
	    {&pt_format_ept, 0x1000, 1, PT_RWX, PT_WB, 0x1037},
	    {&pt_format_ept, 0x1000, 1, PT_RX, PT_WB, 0x1035},
	    {&pt_format_ept, 0x1000, 1, PT_R, PT_WB, 0x1031},
	    {&pt_format_ept, 0x1000, 1, PT_RW, PT_WB, 0x1033},
	    {&pt_format_ept, 0x1000, 1, PT_RWX, PT_UC, 0x1007},
	    {&pt_format_ept, 0x1000, 1, PT_RWX, PT_WC, 0x100f},
	    {&pt_format_ept, 0x1000, 1, PT_RWX, PT_WT, 0x1027},
	    {&pt_format_ept, 0x1000, 1, PT_RWX, PT_WP, 0x102f},
	    {&pt_format_ept, 0x200000, 2, PT_RWX, PT_WB, 0x2000b7},
	    {&pt_format_ept, 0x40000000, 3, PT_RWX, PT_UC, 0x40000087},
	    {&pt_format_ept, 0xfffffffff000, 1, PT_RWX, PT_WB, 0xfffffffff037},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct pt_format *f = cases[i].format;
		uint64_t e = f->leaf(cases[i].pa, cases[i].level, cases[i].perm, cases[i].type);

		if (e != cases[i].entry)
			fail_msg("case %zu: %#lx, not %#lx", i, e, cases[i].entry);
		assert_true(f->is_present(e));
		assert_true(f->is_leaf(e, cases[i].level));
		assert_int_equal(f->perm(e), cases[i].perm);
		if (f != &pt_format_npt)
			assert_int_equal(f->type(e), cases[i].type);
	}
	/* tables allow everything, leaves decide */
	assert_int_equal(pt_format_host.table(0x7000), 0x7063);
	assert_int_equal(pt_format_npt.table(0x7000), 0x7067);
	assert_int_equal(pt_format_ept.table(0x7000), 0x7007);
	for (size_t i = 0; i < 3; i++) {
		assert_false(formats[i]->is_present(0));
		for (unsigned k = 2; k <= 4; k++)
			assert_false(formats[i]->is_leaf(formats[i]->table(0x7000), k));
	}
}

/* The largest pages that address, physical address, size and CPU allow; and what tables that takes.
 */
static void page_sizes(void **state)
{
	static const struct {
		struct request r;
		unsigned max_leaf, tables; /* beside the root */
		uint64_t at, size;
	} cases[] = {
	    {{0, 0, SIZE_1G, PT_RW, PT_WB}, 3, 1, 0x12345678, SIZE_1G},
	    {{0, 0, SIZE_1G, PT_RW, PT_WB}, 2, 2, 0x12345678, SIZE_2M},
	    {{0, 0, SIZE_2M, PT_RW, PT_WB}, 1, 3, 0x5000, PAGE_SIZE},
	    {{0, SIZE_2M, SIZE_1G, PT_RW, PT_WB}, 3, 2, 0x12345678, SIZE_2M},
	    {{0, PAGE_SIZE, SIZE_2M, PT_RW, PT_WB}, 3, 3, 0, PAGE_SIZE},
	    {{0, 0, SIZE_1G + SIZE_2M + PAGE_SIZE, PT_RW, PT_WB}, 3, 3, SIZE_1G, SIZE_2M},
	    {{0, 0, SIZE_1G + SIZE_2M + PAGE_SIZE, PT_RW, PT_WB},
	     3,
	     3,
	     SIZE_1G + SIZE_2M,
	     PAGE_SIZE},
	    {{SIZE_1G - PAGE_SIZE, SIZE_1G - PAGE_SIZE, SIZE_1G + PAGE_SIZE, PT_RW, PT_WB},
	     3,
	     3,
	     SIZE_1G,
	     SIZE_1G},
	    {{SIZE_2M, 5 * SIZE_2M, 3 * SIZE_2M, PT_RW, PT_WB}, 3, 2, 2 * SIZE_2M, SIZE_2M},
	    {{UINT64_C(0x7fffffe00000), 0, SIZE_2M, PT_RW, PT_WB},
	     3,
	     2,
	     UINT64_C(0x7fffffffffff),
	     SIZE_2M},
	    /* more than one entry of the top table */
	    {{UINT64_C(511) << 30, 0, 2 * SIZE_1G, PT_RW, PT_WB},
	     3,
	     2,
	     UINT64_C(512) << 30,
	     SIZE_1G},
	};

	(void)state;
	for (size_t f = 0; f < 3; f++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct pt_leaf leaf;

			start(formats[f], cases[i].max_leaf);
			request_count = 0;
			map(cases[i].r, -1);
			if (taken - 1 != cases[i].tables)
				fail_msg("case %zu: %u tables", i, taken - 1);
			assert_true(pt_lookup(&tables, cases[i].at, &leaf));
			if (leaf.page_size != cases[i].size)
				fail_msg("case %zu: pages of %#lx", i, leaf.page_size);
			assert_int_equal(leaf.pa, cases[i].r.pa + cases[i].at - cases[i].r.va);
		}
	}
}

/* A page taken out of 1 GiB, put back, and the whole made one page again. */
static void split_and_merge(void **state)
{
	const uint64_t g = 7 * SIZE_1G, hole = g + 3 * SIZE_2M + 5 * PAGE_SIZE;

	(void)state;
	for (size_t f = 0; f < 3; f++) {
		struct pt_leaf leaf;

		start(formats[f], 3);
		request_count = 0;
		map((struct request){g, g, SIZE_1G, PT_RWX, PT_WB}, -1);
		assert_int_equal(taken, 2);
		map((struct request){hole, hole, PAGE_SIZE, PT_RX, PT_WB},
		    1); /* the second split has no memory */
		assert_int_equal(taken, 4);
		assert_true(pt_lookup(&tables, hole - 1, &leaf));
		assert_int_equal(leaf.page_size, PAGE_SIZE);
		assert_int_equal(leaf.perm, PT_RWX);
		assert_true(pt_lookup(&tables, g, &leaf));
		assert_int_equal(leaf.page_size, SIZE_2M);
		map((struct request){g + 3 * SIZE_2M, g + 3 * SIZE_2M, SIZE_2M, PT_RWX, PT_WB}, 0);
		assert_int_equal(taken, 3);
		map((struct request){g, g, SIZE_1G, PT_RWX, PT_WB}, 0);
		assert_int_equal(taken, 2);
		/* unmapping what was never mapped takes no memory */
		map((struct request){0, 0, 5 * SIZE_1G + PAGE_SIZE, 0, PT_WB}, 0);
		assert_int_equal(taken, 2);
		map((struct request){hole, 0, PAGE_SIZE, 0, PT_WB}, 2);
		assert_false(pt_lookup(&tables, hole, &leaf));
		map((struct request){0, 0, UINT64_C(1) << 47, 0, PT_WB}, 0);
		assert_false(pt_lookup(&tables, g, &leaf));
		assert_int_equal(taken, 1); /* the root */
	}
}

static struct request random_request(void)
{
	static const unsigned perms[] = {0, PT_R, PT_RW, PT_RX, PT_RWX, PT_RWX};
	static const enum pt_type types[] = {PT_UC, PT_WT, PT_WB};
	static const struct {
		uint64_t unit,
		    loose; /* what is aligned to less than its size still fits the memory */
	} kinds[] = {
	    {PAGE_SIZE, PAGE_SIZE}, {PAGE_SIZE, PAGE_SIZE}, {SIZE_2M, PAGE_SIZE},
	    {SIZE_2M, SIZE_2M},     {SIZE_1G, SIZE_2M},
	};
	unsigned k = (unsigned)(random64() % 5);
	struct request r = {.perm = perms[random64() % 6], .type = types[random64() % 3]};

	r.va = random64() % 4 * SIZE_1G + random64() % 4 * SIZE_2M + random64() % 512 * PAGE_SIZE;
	r.va = align_down(r.va, random64() & 1 ? kinds[k].unit : kinds[k].loose);
	r.pa = random64() % 3 ? r.va : random64() & BITS(46, 12);
	r.pa = align_down(r.pa, random64() & 1 ? kinds[k].unit : kinds[k].loose);
	r.size = kinds[k].unit * (1 + random64() % 3);
	if (random64() % 4 == 0)
		r.va += UINT64_C(0x7f) << 39;
	return r;
}

static void random_requests(void **state)
{
	(void)state;
	for (size_t f = 0; f < 3; f++) {
		for (unsigned round = 0; round < 24; round++) {
			start(formats[f], round % 4 ? 3 : 2);
			request_count = 0;
			while (request_count < 24)
				map(random_request(), (int)(random64() % 8) - 3);
		}
	}
	assert_true(writes > 1000);
}

struct seen {
	uint64_t next, bytes;
};

static void see(void *arg, uint64_t va, const struct pt_leaf *leaf)
{
	struct seen *s = arg;
	struct translation want = wanted(va, request_count), is = walk(va);

	assert_true(va >= s->next); /* in order, no overlap */
	assert_true(want.present && is.present);
	assert_int_equal(leaf->pa, want.pa);
	assert_int_equal(leaf->perm, want.perm);
	assert_int_equal(leaf->page_size, is.size);
	s->next = va + leaf->page_size;
	s->bytes += leaf->page_size;
}

static void for_each_sees_all(void **state)
{
	struct seen s = {0, 0};

	(void)state;
	start(&pt_format_ept, 3);
	request_count = 0;
	map((struct request){0x1000, 0x1000, SIZE_1G - 0x1000, PT_RWX, PT_WB}, -1);
	map((struct request){5 * SIZE_1G, 0, 2 * SIZE_1G, PT_RX, PT_UC}, -1);
	map((struct request){0x400000, 0, 0x3000, 0, PT_UC}, -1);
	map((struct request){UINT64_C(0x7fff00000000), 0x5000, 0x5000, PT_R, PT_WT}, -1);
	pt_for_each(&tables, see, &s);
	assert_int_equal(s.bytes, SIZE_1G - 0x1000 + 2 * SIZE_1G - 0x3000 + 0x5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_of_each_format), cmocka_unit_test(page_sizes),
	    cmocka_unit_test(split_and_merge),        cmocka_unit_test(random_requests),
	    cmocka_unit_test(for_each_sees_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
