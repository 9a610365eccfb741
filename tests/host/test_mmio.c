/* Emulated memory: segments, ranges, and every form of instruction with and without ranges. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/errno.h"
#include "core/mm/pgtable.h"
#include "core/vm/mmio_access.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define M16 INSN_MODE16
#define M32 INSN_MODE32
#define M64 INSN_MODE64
#define SS  12u
#define GP  13u
#define PF  14u
#define AC  17u

#define DATA_RW      0xc93u /* flat: G, D/B, P, S, type 3 */
#define DATA_RO      0xc91u
#define DATA_DOWN    0xc97u /* expand-down, writable, upper bound 4 GiB */
#define DATA_DOWN_16 0x897u /* upper bound 64 KiB */
#define CODE_RX      0xc9bu
#define CODE_X       0xc99u
#define ABSENT       0xc13u

/* ---- segments: SDM 3A 3.4.5.1, 5.3, 5.4.1; SDM 1 3.3.7.1 ---- */

static void test_segment(void **state)
{
	static const struct {
		uint8_t mode;
		bool rights;
		uint8_t la_bits;
		uint8_t seg;
		uint16_t attr;
		uint32_t limit;
		uint64_t base, offset;
		uint8_t size;
		bool write;
		unsigned vector;
		uint64_t la;
	} rows[] = {
	    {M32, true, 0, INSN_DS, DATA_RW, 0xffffffff, 0, 0x1000, 4, true, 0, 0x1000},
	    {M32, true, 0, INSN_DS, DATA_RW, 0xffffffff, 0xfffff000, 0x2000, 4, true, 0, 0x1000},
	    /* limits count bytes that may be accessed less one */
	    {M32, true, 0, INSN_DS, DATA_RW, 0xfff, 0x5000, 0xffc, 4, false, 0, 0x5ffc},
	    {M32, true, 0, INSN_DS, DATA_RW, 0xfff, 0x5000, 0xffd, 4, false, GP, 0},
	    {M32, true, 0, INSN_SS, DATA_RW, 0xfff, 0x5000, 0xffd, 4, false, SS, 0},
	    {M32, true, 0, INSN_DS, DATA_RW, 0xfff, 0x5000, 0xfff, 1, false, 0, 0x5fff},
	    {M32, true, 0, INSN_DS, DATA_RW, 0xfffffffe, 0, 0xffffffff, 1, false, GP, 0},
	    {M32, true, 0, INSN_FS, DATA_RW, 0xfff, 0x5000, 0xffffffff, 4, false, GP, 0},
	    /* expand-down: from limit + 1 up */
	    {M32, true, 0, INSN_DS, DATA_DOWN, 0xfff, 0, 0x1000, 4, true, 0, 0x1000},
	    {M32, true, 0, INSN_DS, DATA_DOWN, 0xfff, 0, 0xfff, 4, true, GP, 0},
	    {M32, true, 0, INSN_SS, DATA_DOWN, 0xfff, 0, 0, 4, true, SS, 0},
	    {M32, true, 0, INSN_SS, DATA_DOWN, 0xfff, 0, 0xfffffffe, 4, true, SS, 0},
	    {M32, true, 0, INSN_DS, DATA_DOWN_16, 0xfff, 0x10000, 0xfffe, 2, true, 0, 0x1fffe},
	    {M32, true, 0, INSN_DS, DATA_DOWN_16, 0xfff, 0x10000, 0xfffe, 4, true, GP, 0},
	    /* rights */
	    {M32, true, 0, INSN_DS, DATA_RO, 0xffffffff, 0, 0, 4, false, 0, 0},
	    {M32, true, 0, INSN_DS, DATA_RO, 0xffffffff, 0, 0, 4, true, GP, 0},
	    {M32, true, 0, INSN_CS, CODE_RX, 0xffffffff, 0, 0, 4, false, 0, 0},
	    {M32, true, 0, INSN_CS, CODE_RX, 0xffffffff, 0, 0, 4, true, GP, 0},
	    {M32, true, 0, INSN_CS, CODE_X, 0xffffffff, 0, 0, 4, false, GP, 0},
	    {M32, true, 0, INSN_ES, 0, 0, 0, 0, 4, false, GP, 0}, /* null selector */
	    {M32, true, 0, INSN_SS, 0, 0, 0, 0, 4, false, SS, 0},
	    {M32, true, 0, INSN_DS, ABSENT, 0xffffffff, 0, 0, 4, false, GP, 0},
	    {M16, true, 0, INSN_DS, 0x93, 0xffff, 0, 0xfffe, 2, true, 0, 0xfffe},
	    {M16, true, 0, INSN_DS, 0x93, 0xffff, 0, 0xffff, 2, true, GP, 0},
	    /* real and virtual-8086 mode: limits only */
	    {M16, false, 0, INSN_CS, 0x9b, 0xffff, 0xf0000, 0x10, 2, true, 0, 0xf0010},
	    {M16, false, 0, INSN_DS, 0x93, 0xffff, 0xffff0, 0xffff, 1, true, 0, 0x10ffef},
	    {M16, false, 0, INSN_DS, 0x93, 0xffff, 0, 0xffff, 2, true, GP, 0},
	    {M16, false, 0, INSN_SS, 0x93, 0xffff, 0, 0xffff, 2, true, SS, 0},
	    {M16, false, 0, INSN_DS, 0x93, 0xffffffff, 0, 0xfee00000, 4, true, 0, 0xfee00000},
	    /* 64-bit mode: bases of FS and GS, canonical addresses, nothing else */
	    {M64, true, 48, INSN_DS, 0, 0, 0x5000, 0x1000, 8, true, 0, 0x1000},
	    {M64, true, 48, INSN_ES, DATA_RO, 0, 0, 0x1000, 8, true, 0, 0x1000},
	    {M64, true, 48, INSN_GS, 0, 0, 0x5000, 0x1000, 8, true, 0, 0x6000},
	    {M64, true, 48, INSN_FS, 0, 0, 0x5000, UINT64_C(-0x1000), 8, true, 0, 0x4000},
	    {M64, true, 48, INSN_DS, 0, 0, 0, UINT64_C(0x7ffffffffff8), 8, true, 0,
	     UINT64_C(0x7ffffffffff8)},
	    {M64, true, 48, INSN_DS, 0, 0, 0, UINT64_C(0x7ffffffffff9), 8, true, GP, 0},
	    {M64, true, 48, INSN_SS, 0, 0, 0, UINT64_C(0x800000000000), 1, false, SS, 0},
	    {M64, true, 48, INSN_DS, 0, 0, 0, UINT64_C(0xffff7fffffffffff), 1, false, GP, 0},
	    {M64, true, 48, INSN_DS, 0, 0, 0, UINT64_C(0xffff7fffffffffff), 2, false, GP, 0},
	    {M64, true, 48, INSN_DS, 0, 0, 0, UINT64_C(0xffff800000000000), 1, false, 0,
	     UINT64_C(0xffff800000000000)},
	    {M64, true, 57, INSN_DS, 0, 0, 0, UINT64_C(0xff7fffffffffff), 1, false, 0,
	     UINT64_C(0xff7fffffffffff)},
	    {M64, true, 57, INSN_DS, 0, 0, 0, UINT64_C(0x100000000000000), 1, false, GP, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct segment_cpu cpu = {(enum insn_mode)rows[i].mode, rows[i].rights,
					  rows[i].la_bits};
		struct seg_state s = {0, rows[i].attr, rows[i].limit, rows[i].base};
		uint64_t la = 0;
		unsigned vector = segment_linear(&cpu, (enum insn_seg)rows[i].seg, &s,
						 rows[i].offset, rows[i].size, rows[i].write, &la);

		if (vector != rows[i].vector || (vector == 0 && la != rows[i].la))
			fail_msg("row %zu: vector %u, address %#lx", i, vector, la);
	}
}

/* ---- ranges ---- */

static int no_read(void *arg, uint64_t offset, unsigned size, uint64_t *value)
{
	(void)arg;
	(void)offset;
	(void)size;
	(void)value;
	return -EIO;
}

static void no_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	(void)arg;
	(void)offset;
	(void)size;
	(void)value;
}

static const struct mmio_ops no_ops = {.read = no_read, .write = no_write};
static struct mmio_ranges set;

static int add(uint64_t base, uint64_t size, enum mmio_mode mode)
{
	struct mmio_range r = {.base = base, .size = size, .ops = &no_ops, .mode = (uint8_t)mode};
	int err = mmio_range_add(&set, &r);

	return err ? err : (int)r.id;
}

static enum exit_result first_look(struct vcpu *v, const struct mem_fault *f)
{
	(void)v;
	(void)f;
	return EXIT_RESUME;
}

static unsigned paged[8] = {0, 0, PT_RWX, PT_RX, PT_RWX, PT_RWX, PT_RWX, PT_RWX};

static unsigned paged_page(void *arg, uint64_t offset)
{
	return ((const unsigned *)arg)[offset / PAGE_SIZE];
}

static const struct mmio_ops paged_ops = {.read = no_read, .write = no_write, .page = paged_page};

static void test_ranges(void **state)
{
	const struct mmio_range *r;
	int a, b, c;

	(void)state;
	memset(&set, 0, sizeof set);
	assert_null(mmio_range_at(&set, 0));
	a = add(0x1004, 0x10, MMIO_READS_AND_WRITES);
	c = add(0x3000, 0x2800, MMIO_READS_AND_WRITES);
	b = add(0x1014, 0x100c, MMIO_WRITES); /* follows the first at once, to 0x2020 */
	assert_true(a > 0 && b > 0 && c > 0 && a != b && b != c);
	assert_int_equal(add(0x1000, 5, MMIO_WRITES), -EEXIST);
	assert_int_equal(add(0x57ff, 1, MMIO_WRITES), -EEXIST);
	assert_int_equal(add(0, 0x10000, MMIO_WRITES), -EEXIST);
	assert_int_equal(add(0x6000, 0, MMIO_WRITES), -EINVAL);
	assert_int_equal(add(UINT64_MAX, 2, MMIO_WRITES), -EINVAL);
	assert_int_equal(add((UINT64_C(1) << 48) - 1, 2, MMIO_WRITES), -EINVAL);
	assert_null(mmio_range_at(&set, 0x1003));
	assert_int_equal(mmio_range_at(&set, 0x1004)->id, a);
	assert_int_equal(mmio_range_at(&set, 0x1013)->id, a);
	assert_int_equal(mmio_range_at(&set, 0x1014)->id, b);
	assert_null(mmio_range_at(&set, 0x2020));
	assert_int_equal(mmio_range_at(&set, 0x57ff)->id, c);

	/* pieces */
	static const struct {
		uint64_t gpa;
		uint8_t size, piece;
		int8_t range; /* 0 none, 1..3 */
	} pieces[] = {
	    {0x1000, 8, 4, 0}, {0x1000, 4, 4, 0}, {0x1001, 3, 3, 0}, {0x1004, 8, 4, 1},
	    {0x1008, 8, 8, 1}, {0x1006, 8, 2, 1}, {0x1007, 2, 1, 1}, {0x1010, 8, 4, 1},
	    {0x1012, 4, 2, 1}, {0x1014, 8, 4, 2}, {0x1018, 8, 8, 2}, {0x1018, 7, 4, 2},
	    {0x1018, 3, 2, 2}, {0x201f, 8, 1, 2}, {0x2020, 8, 8, 0}, {0x2ffc, 8, 4, 0},
	    {0x57fc, 8, 4, 3}, {0x5800, 8, 8, 0},
	};
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		unsigned n = mmio_range_piece(&set, pieces[i].gpa, pieces[i].size, &r);
		int id = pieces[i].range == 1 ? a : pieces[i].range == 2 ? b : c;

		if (n != pieces[i].piece || (r != NULL) != (pieces[i].range != 0) ||
		    (r && (int)r->id != id))
			fail_msg("piece %zu: %u", i, n);
	}

	/* what is trapped */
	static const struct {
		uint64_t page, end, until;
		unsigned perm;
	} runs[] = {
	    {0, 0x10000, 0x1000, PT_RWX},     {0x1000, 0x10000, 0x2000, 0},
	    {0x2000, 0x10000, 0x3000, PT_RX}, {0x3000, 0x10000, 0x6000, 0},
	    {0x3000, 0x4000, 0x4000, 0},      {0x6000, 0x10000, 0x10000, PT_RWX},
	};
	for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
		unsigned perm;
		mmio_first first;
		uint64_t until = mmio_range_run(&set, runs[i].page, runs[i].end, &perm, &first);

		if (until != runs[i].until || perm != runs[i].perm || first)
			fail_msg("run %zu: to %#lx, %u", i, until, perm);
	}

	/* moves: over its own place, next to others, not over them */
	assert_int_equal(mmio_range_move(&set, (uint32_t)c, 0x3800), 0);
	assert_int_equal(mmio_range_at(&set, 0x5fff)->id, c);
	assert_null(mmio_range_at(&set, 0x37ff));
	assert_int_equal(mmio_range_move(&set, (uint32_t)c, 0x201f), -EEXIST);
	assert_int_equal(mmio_range_at(&set, 0x5fff)->id, c);
	assert_int_equal(mmio_range_move(&set, (uint32_t)c, 0x2020), 0);
	assert_int_equal(mmio_range_at(&set, 0x2020)->id, c);
	assert_int_equal(mmio_range_move(&set, 77, 0), -ENOENT);
	assert_int_equal(mmio_range_set_mode(&set, (uint32_t)c, MMIO_WRITES),
			 MMIO_READS_AND_WRITES);
	assert_int_equal(mmio_range_get(&set, (uint32_t)c)->mode, MMIO_WRITES);
	assert_int_equal(mmio_range_set_mode(&set, (uint32_t)c, MMIO_READS_AND_WRITES),
			 MMIO_WRITES);
	assert_int_equal(mmio_range_set_mode(&set, 77, MMIO_WRITES), -ENOENT);
	assert_int_equal(mmio_range_remove(&set, (uint32_t)a), 0);
	assert_int_equal(mmio_range_remove(&set, (uint32_t)a), -ENOENT);
	assert_int_equal(mmio_range_at(&set, 0x2020)->id, c);
	assert_int_equal(mmio_range_at(&set, 0x1014)->id, b);

	/* whole pages with a first look of their own are a run of their own */
	struct mmio_range apic = {.base = 0xfee00000,
				  .size = PAGE_SIZE,
				  .ops = &no_ops,
				  .mode = MMIO_WRITES,
				  .first = first_look};
	unsigned perm;
	mmio_first first;

	assert_int_equal(mmio_range_add(&set, &apic), 0);
	assert_true(add(0xfee01000, PAGE_SIZE, MMIO_WRITES) > 0);
	assert_true(mmio_range_run(&set, 0xfee00000, 0xfee02000, &perm, &first) == 0xfee01000);
	assert_ptr_equal(first, first_look);
	assert_int_equal(perm, PT_RX);
	assert_true(mmio_range_run(&set, 0xfee01000, 0xfee02000, &perm, &first) == 0xfee02000);
	assert_null(first);
	apic.base = 0xfed00800;
	assert_int_equal(mmio_range_add(&set, &apic), -EINVAL);

	/* a range that says for each of its pages what is trapped */
	struct mmio_range window = {
	    .base = 0xe0000000, .size = 0x8000, .ops = &paged_ops, .arg = &paged};

	assert_int_equal(mmio_range_add(&set, &window), 0);
	assert_true(mmio_range_run(&set, 0xe0000000, 0xe0008000, &perm, &first) == 0xe0002000);
	assert_int_equal(perm, 0);
	assert_true(mmio_range_run(&set, 0xe0002000, 0xe0008000, &perm, &first) == 0xe0003000);
	assert_int_equal(perm, PT_RWX);
	assert_true(mmio_range_run(&set, 0xe0003000, 0xe0008000, &perm, &first) == 0xe0004000);
	assert_int_equal(perm, PT_RX);
	assert_true(mmio_range_run(&set, 0xe0004000, 0xe0008000, &perm, &first) == 0xe0008000);
	assert_int_equal(perm, PT_RWX);
	paged[5] = 0; /* the answer may change */
	assert_true(mmio_range_run(&set, 0xe0004000, 0xe0008000, &perm, &first) == 0xe0005000);
	window.base = 0xd0000800;
	assert_int_equal(mmio_range_add(&set, &window), -EINVAL);

	/* a page may be stepped on when all of its ranges say so, and there is one */
	static const struct mmio_ops step_ops = {.read = no_read, .write = no_write, .step = true};
	struct mmio_range step = {.base = 0xfed00800, .size = 0x1000, .ops = &step_ops};

	assert_int_equal(mmio_range_add(&set, &step), 0);
	assert_true(mmio_range_may_step(&set, 0xfed00010));
	assert_true(mmio_range_may_step(&set, 0xfed01fff));
	assert_false(mmio_range_may_step(&set, 0xfed02000));
	assert_true(add(0xfed01ff0, 4, MMIO_WRITES) > 0);
	assert_true(mmio_range_may_step(&set, 0xfed00010));
	assert_false(mmio_range_may_step(&set, 0xfed01800));

	/* full */
	uint64_t at = 0x100000;

	while (set.count < MMIO_RANGES)
		assert_true(add(at += 0x10, 8, MMIO_WRITES) > 0);
	assert_int_equal(add(at += 0x10, 8, MMIO_WRITES), -ENOSPC);
}

/* ---- instructions ---- */

#define PAGES 6
#define BYTES (PAGES * 0x1000)

struct machine {
	uint64_t reg[16], flags;
	uint8_t mem[BYTES];
	struct seg_state seg[6];
	uint8_t present, writable; /* bit a page */
	uint8_t accessed, dirty;
	unsigned reads, writes, outside; /* handler calls; accesses outside of the ranges */
	unsigned last_size;
	uint64_t last_offset;
	unsigned atomics;
	bool nothing;  /* handlers have nothing */
	unsigned move; /* a write moves this range by a page */
};

static struct machine *current; /* handlers have the range's base as their argument */

static int dev_read(void *arg, uint64_t offset, unsigned size, uint64_t *value)
{
	uint64_t at = (uint64_t)(uintptr_t)arg + offset;

	assert_true(size == 1 || size == 2 || size == 4 || size == 8);
	assert_int_equal(at & (size - 1), 0);
	assert_true(at + size <= BYTES);
	assert_non_null(mmio_range_at(&set, at));
	assert_ptr_equal(mmio_range_at(&set, at), mmio_range_at(&set, at + size - 1));
	assert_int_equal(mmio_range_at(&set, at)->base, (uint64_t)(uintptr_t)arg);
	current->reads++;
	current->last_size = size;
	current->last_offset = offset;
	*value = UINT64_C(0x5e5e5e5e5e5e5e5e); /* bits above the size do not count */
	if (current->nothing)
		return -EIO;
	memcpy(value, current->mem + at, size);
	return 0;
}

static void dev_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	uint64_t at = (uint64_t)(uintptr_t)arg + offset;

	assert_int_equal(at & (size - 1), 0);
	assert_true(at + size <= BYTES);
	assert_non_null(mmio_range_at(&set, at + size - 1));
	assert_true(size == 8 || value >> (8 * size) == 0);
	current->writes++;
	current->last_size = size;
	current->last_offset = offset;
	memcpy(current->mem + at, &value, size);
	if (current->move) {
		assert_int_equal(mmio_range_move(&set, current->move, at + 0x1000), 0);
		current->move = 0;
	}
}

static const struct mmio_ops dev_ops = {.read = dev_read, .write = dev_write};

static uint32_t device(uint64_t base, uint64_t size, enum mmio_mode mode)
{
	struct mmio_range r = {.base = base,
			       .size = size,
			       .ops = &dev_ops,
			       .arg = (void *)(uintptr_t)base,
			       .mode = (uint8_t)mode};

	assert_int_equal(mmio_range_add(&set, &r), 0);
	return r.id;
}

static uint64_t reg_get(void *arg, unsigned reg)
{
	return ((struct machine *)arg)->reg[reg];
}

static void reg_set(void *arg, unsigned reg, uint64_t value)
{
	((struct machine *)arg)->reg[reg] = value;
}

static uint64_t rflags_get(void *arg)
{
	return ((struct machine *)arg)->flags;
}

static void rflags_set(void *arg, uint64_t value)
{
	((struct machine *)arg)->flags = value;
}

static void seg_get(void *arg, enum insn_seg seg, struct seg_state *s)
{
	*s = ((struct machine *)arg)->seg[seg];
}

/* Linear equals physical; a few pages, user mode, error codes as in SDM 3A 4.7. */
static int translate(void *arg, gva_t la, enum gwalk_access access, struct gwalk_out *out)
{
	struct machine *m = arg;
	uint64_t page = la.a >> 12;

	if (page == 0xfffff) /* the last below 4 GiB */
		page = PAGES - 1;
	memset(out, 0x5a, sizeof *out);
	out->error_code = 4u | (access == GWALK_WRITE ? 2u : 0u);
	if (page >= PAGES || !(m->present >> page & 1))
		return GWALK_FAULT;
	out->error_code |= 1;
	if (access == GWALK_WRITE && !(m->writable >> page & 1))
		return GWALK_FAULT;
	m->accessed |= (uint8_t)(1u << page);
	if (access == GWALK_WRITE)
		m->dirty |= (uint8_t)(1u << page);
	out->gpa = GPA(page << 12 | (la.a & 0xfff));
	return 0;
}

static void check_outside(struct machine *m, gpa_t gpa, unsigned size, bool write)
{
	assert_true(size >= 1 && size <= 8);
	assert_true((gpa.a & 0xfff) + size <= 0x1000 && gpa.a + size <= BYTES);
	for (unsigned i = 0; i < size; i++) {
		const struct mmio_range *r = mmio_range_at(&set, gpa.a + i);

		assert_true(!r || (!write && r->mode == MMIO_WRITES));
	}
	m->outside++;
}

static void mem_read(void *arg, gpa_t gpa, unsigned size, uint64_t *value)
{
	struct machine *m = arg;

	check_outside(m, gpa, size, false);
	*value = 0;
	memcpy(value, m->mem + gpa.a, size);
}

static void mem_write(void *arg, gpa_t gpa, unsigned size, uint64_t value)
{
	struct machine *m = arg;

	check_outside(m, gpa, size, true);
	memcpy(m->mem + gpa.a, &value, size);
}

static int mem_cmpxchg(void *arg, gpa_t gpa, unsigned size, uint64_t *expected, uint64_t value)
{
	struct machine *m = arg;
	uint64_t now = 0;

	check_outside(m, gpa, size, true);
	m->atomics++;
	memcpy(&now, m->mem + gpa.a, size);
	if (now != *expected) {
		*expected = now;
		return 1;
	}
	memcpy(m->mem + gpa.a, &value, size);
	return 0;
}

static const struct mmio_env env = {
    .reg_get = reg_get,
    .reg_set = reg_set,
    .rflags_get = rflags_get,
    .rflags_set = rflags_set,
    .seg = seg_get,
    .translate = translate,
    .read = mem_read,
    .write = mem_write,
    .cmpxchg = mem_cmpxchg,
};

static void machine_reset(struct machine *m)
{
	memset(m, 0, sizeof *m);
	for (unsigned i = 0; i < BYTES; i++)
		m->mem[i] = (uint8_t)(i * 7 + (i >> 8));
	for (unsigned i = 0; i < 6; i++)
		m->seg[i] = (struct seg_state){8, DATA_RW, UINT32_MAX, 0};
	m->present = m->writable = 0xff;
	m->flags = 2;
	current = m;
}

static struct mmio_access access_of(struct machine *m, enum insn_mode mode)
{
	return (struct mmio_access){
	    .ranges = &set,
	    .env = &env,
	    .arg = m,
	    .segment = {mode, true, 48},
	    .stack_size = mode == M64   ? 8
			  : mode == M32 ? 4
					: 2,
	    .next_rip = 0x1700,
	};
}

static int run_bytes(struct machine *m, struct mmio_access *a, const char *bytes, size_t n,
		     unsigned limit)
{
	struct insn insn;
	int r = insn_decode((const uint8_t *)bytes, n, a->segment.mode, &insn);

	if (r)
		fail_msg("%02x %02x: not decoded, %d", (uint8_t)bytes[0], (uint8_t)bytes[1], r);
	current = m;
	return mmio_access(a, &insn, limit);
}
#define X(m, a, bytes) run_bytes(m, a, bytes, sizeof bytes - 1, 64)

/* The reference: the same instruction on memory without pages, ranges or segments. */

static int flat_read(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, uint64_t *value)
{
	struct machine *m = arg;

	(void)seg;
	if (offset > BYTES - size)
		return -EFAULT;
	*value = 0;
	memcpy(value, m->mem + offset, size);
	return 0;
}

static int flat_write(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, uint64_t value)
{
	struct machine *m = arg;

	(void)seg;
	if (offset > BYTES - size)
		return -EFAULT;
	memcpy(m->mem + offset, &value, size);
	return 0;
}

static int flat_cmpxchg(void *arg, enum insn_seg seg, uint64_t offset, unsigned size,
			uint64_t *expected, uint64_t value)
{
	uint64_t now;
	int r = flat_read(arg, seg, offset, size, &now);

	if (r)
		return r;
	if (now != *expected) {
		*expected = now;
		return 1;
	}
	return flat_write(arg, seg, offset, size, value);
}

static int flat(struct machine *m, const struct insn *insn, uint64_t next_rip, uint8_t stack_size)
{
	struct insn_cpu cpu = {
	    .arg = m,
	    .next_rip = next_rip,
	    .stack_size = stack_size,
	    .reg_get = reg_get,
	    .reg_set = reg_set,
	    .rflags_get = rflags_get,
	    .rflags_set = rflags_set,
	    .mem_read = flat_read,
	    .mem_write = flat_write,
	    .mem_cmpxchg = flat_cmpxchg,
	};

	return insn_exec(insn, &cpu, 64);
}

static uint64_t seed = 88172645463325252u;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Opcodes of all forms, one- and two-byte; the rest of the bytes is random. */
static const uint8_t one_byte[] = {
    0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x18, 0x19,
    0x1a, 0x1b, 0x20, 0x21, 0x22, 0x23, 0x28, 0x29, 0x2a, 0x2b, 0x30, 0x31, 0x32, 0x33,
    0x38, 0x39, 0x3a, 0x3b, 0x50, 0x58, 0x63, 0x68, 0x6a, 0x80, 0x81, 0x83, 0x84, 0x85,
    0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8f, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6,
    0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xc6, 0xc7, 0xf6, 0xf7, 0xfe, 0xff};
static const uint8_t two_byte[] = {0x40, 0x45, 0x4e, 0x90, 0x95, 0x9e, 0xa3, 0xab, 0xb0, 0xb1,
				   0xb3, 0xb6, 0xb7, 0xba, 0xbb, 0xbe, 0xbf, 0xc0, 0xc1, 0xc3};

static size_t random_insn(uint8_t b[15])
{
	static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x26};
	size_t n = 0;

	for (unsigned k = (unsigned)(rnd() % 3); k > 0; k--)
		b[n++] = prefixes[rnd() % 8];
	if (rnd() % 2)
		b[n++] = (uint8_t)(0x40 | rnd() % 16);
	switch (rnd() % 8) {
	case 0:
	case 1:
	case 2:
		b[n++] = 0x0f;
		b[n++] = two_byte[rnd() % sizeof two_byte];
		break;
	case 3:
		b[n++] = 0x0f;
		b[n++] = 0x38;
		b[n++] = (uint8_t)(0xf0 | rnd() % 2);
		break;
	default:
		b[n++] = one_byte[rnd() % sizeof one_byte];
		break;
	}
	b[n++] = (uint8_t)rnd();
	while (n < 15)
		b[n++] = (uint8_t)(rnd() % 4 ? 0 : rnd());
	return n;
}

/* Ranges of every kind in pages 1 to 4: odd borders, neighbours, both modes, gaps. */
static void random_ranges(void)
{
	memset(&set, 0, sizeof set);
	for (uint64_t at = 0x1000 + rnd() % 0x1000; at < 0x5000;) {
		uint64_t size = rnd() % 4 ? 1 + rnd() % 12 : 1 + rnd() % 0x1800;

		if (at + size > BYTES - 0x100 || set.count + 2 > MMIO_RANGES)
			break;
		device(at, size, rnd() % 3 ? MMIO_READS_AND_WRITES : MMIO_WRITES);
		at += size + (rnd() % 2 ? 0 : rnd() % 0x40);
	}
}

/* An address near a border of a page or a range. */
static uint64_t random_place(void)
{
	uint64_t at = (1 + rnd() % 4) << 12;

	if (rnd() % 2 && set.count) {
		const struct mmio_range *r = &set.range[rnd() % set.count];

		at = rnd() % 2 ? r->base : r->base + r->size;
	}
	return at + rnd() % 24 - 12;
}

static void test_all_forms(void **state)
{
	static struct machine m, ref, before;
	unsigned done = 0, ranged = 0, seen[64] = {0}, faults = 0;

	(void)state;
	for (unsigned round = 0; round < 60000; round++) {
		static const enum insn_mode modes[] = {M64, M64, M32, M16};
		enum insn_mode mode = modes[rnd() % 4];
		struct insn insn;
		uint8_t bytes[15];
		size_t n = random_insn(bytes);

		if (insn_decode(bytes, n, mode, &insn) != 0)
			continue;
		if (round % 50 == 0)
			random_ranges();
		machine_reset(&m);
		for (unsigned i = 0; i < 16; i++)
			m.reg[i] = rnd() % 4 ? random_place() : rnd();
		if (insn.rep)
			m.reg[INSN_RCX] = rnd() % 40;
		m.flags = 2 | (rnd() & 0xcd5);
		/* bring the operand to where it is interesting */
		if (insn.mem.base < 16 && insn.mem.base != insn.mem.index) {
			struct insn_cpu cpu = {.arg = &m, .next_rip = 0x1700, .reg_get = reg_get};

			m.reg[insn.mem.base] += random_place() - insn_offset(&insn, &cpu);
		}
		ref = before = m;

		struct mmio_access a = access_of(&m, mode);
		current = &m;
		int r = mmio_access(&a, &insn, 64);
		int wanted = flat(&ref, &insn, a.next_rip, a.stack_size);

		if (wanted == -EFAULT) {
			/* outside of memory: a #PF, or #GP and #SS where the address is none */
			assert_int_equal(r, MMIO_FAULT);
			assert_true(a.vector == PF || a.vector == GP || a.vector == SS);
			faults++;
			if (!insn.rep) {
				assert_memory_equal(m.reg, before.reg, sizeof m.reg);
				assert_memory_equal(m.mem, before.mem, BYTES);
				assert_int_equal(m.reads + m.writes, 0);
			}
			continue;
		}
		if (mode != M64 && r == MMIO_FAULT && (a.vector == GP || a.vector == SS))
			continue; /* beyond 4 GiB or 64 KiB, where the reference wraps */
		if (r != wanted || memcmp(m.reg, ref.reg, sizeof m.reg) != 0 ||
		    m.flags != ref.flags || memcmp(m.mem, ref.mem, BYTES) != 0)
			fail_msg("op %u mode %u, %02x %02x %02x %02x: %d, not %d", insn.op, mode,
				 bytes[0], bytes[1], bytes[2], bytes[3], r, wanted);
		done++;
		ranged += m.reads + m.writes > 0;
		seen[insn.op]++;
	}
	for (unsigned op = 0; op <= INSN_OP_SCAS; op++) {
		if (seen[op] < 20)
			fail_msg("op %u: %u only", op, seen[op]);
	}
	assert_true(ranged > 5000 && faults > 100);
	print_message("%u instructions, %u of them with ranges, %u faults\n", done, ranged, faults);
}

static void test_pieces(void **state)
{
	static struct machine m;

	(void)state;
	/* every size at every offset around both ends of a range that shares its pages */
	for (unsigned size = 1; size <= 8; size *= 2) {
		static const char *const load[] = {"\x8a\x03", "\x66\x8b\x03", 0, "\x8b\x03", 0, 0,
						   0,          "\x48\x8b\x03"};
		static const char *const store[] = {"\x88\x03", "\x66\x89\x03", 0, "\x89\x03", 0, 0,
						    0,          "\x48\x89\x03"};
		size_t n = size == 1 || size == 4 ? 2 : 3;

		for (uint64_t at = 0x1fe8; at < 0x2018; at++) {
			struct mmio_access a = access_of(&m, M64);
			uint64_t expected = 0;

			memset(&set, 0, sizeof set);
			device(0x1ff3, 0x19, MMIO_READS_AND_WRITES); /* to 0x200c */
			machine_reset(&m);
			m.reg[INSN_RBX] = at;
			memcpy(&expected, m.mem + at, size);
			m.reg[INSN_RAX] = 0;
			assert_int_equal(run_bytes(&m, &a, load[size - 1], n, 1), 0);
			assert_true(m.reg[INSN_RAX] == expected);
			m.reg[INSN_RAX] = UINT64_C(0xf1e2d3c4b5a69788);
			assert_int_equal(run_bytes(&m, &a, store[size - 1], n, 1), 0);
			assert_memory_equal(m.mem + at, &m.reg[INSN_RAX], size);
			for (uint64_t i = 0x1fd0; i < 0x2030; i++) {
				if (i < at || i >= at + size)
					assert_int_equal(m.mem[i], (uint8_t)(i * 7 + (i >> 8)));
			}
			bool inside = at + size > 0x1ff3 && at < 0x200c;

			assert_int_equal(m.reads > 0, inside);
			assert_int_equal(m.writes, m.reads);
		}
	}
	/* an aligned access is one */
	struct mmio_access a = access_of(&m, M64);

	machine_reset(&m);
	m.reg[INSN_RBX] = 0x1ff8;
	assert_int_equal(X(&m, &a, "\x48\x8b\x03"), 0);
	assert_int_equal(m.reads, 1);
	assert_int_equal(m.last_size, 8);
	assert_int_equal(m.last_offset, 5);
	/* nothing there: ones, and only as many as were asked for */
	m.nothing = true;
	m.reg[INSN_RAX] = 0;
	assert_int_equal(X(&m, &a, "\x66\x8b\x03"), 0);
	assert_int_equal(m.reg[INSN_RAX], 0xffff);
	assert_int_equal(X(&m, &a, "\x0f\xb6\x03"), 0); /* movzbl */
	assert_int_equal(m.reg[INSN_RAX], 0xff);
	/* half of it is memory */
	m.reg[INSN_RBX] = 0x2008;
	assert_int_equal(X(&m, &a, "\x48\x8b\x03"), 0);
	assert_true((uint32_t)m.reg[INSN_RAX] == UINT32_MAX);
	assert_memory_equal((uint8_t *)&m.reg[INSN_RAX] + 4, m.mem + 0x200c, 4);
}

static void test_faults(void **state)
{
	static struct machine m;
	struct mmio_access a;

	(void)state;
	memset(&set, 0, sizeof set);
	device(0x1000, 0x2000, MMIO_READS_AND_WRITES);
	machine_reset(&m);
	m.writable = 0xff & ~(1u << 2);
	m.present = 0xff & ~(1u << 3);

	/* read and written: counts as a write, and nothing is read before (SDM 3A 4.7) */
	static const char *const rmw[] = {"\x01\x03",     "\x0f\xc1\x03", "\x87\x03",
					  "\x0f\xb1\x03", "\x0f\xab\x03", "\xf0\xff\x03"};
	static const uint8_t length[] = {2, 3, 2, 3, 3, 3};

	for (unsigned i = 0; i < 6; i++) {
		a = access_of(&m, M64);
		m.reg[INSN_RBX] = 0x2010;
		m.reg[INSN_RAX] = 1;
		assert_int_equal(run_bytes(&m, &a, rmw[i], length[i], 1), MMIO_FAULT);
		assert_int_equal(a.vector, PF);
		assert_int_equal(a.error_code, 7);
		assert_int_equal(a.cr2, 0x2010);
		assert_int_equal(m.reads + m.writes, 0);
		assert_int_equal(m.reg[INSN_RAX], 1);
		/* in the second page: CR2 is its first byte, and the first page is not written */
		m.reg[INSN_RBX] = 0x1ffe;
		assert_int_equal(run_bytes(&m, &a, rmw[i], length[i], 1), MMIO_FAULT);
		assert_int_equal(a.cr2, 0x2000);
		assert_int_equal(m.reads + m.writes, 0);
	}
	/* CMP only reads */
	m.reg[INSN_RBX] = 0x2010;
	assert_int_equal(X(&m, &a, "\x39\x03"), 0);
	assert_int_equal(m.reads, 1);
	m.reads = 0;
	/* MOVS, PUSH, POP: the target is looked at before the source is read */
	m.reg[INSN_RSI] = 0x1100;
	m.reg[INSN_RDI] = 0x3004;
	assert_int_equal(X(&m, &a, "\xa5"), MMIO_FAULT);
	assert_int_equal(a.error_code, 6);
	assert_int_equal(a.cr2, 0x3004);
	assert_int_equal(m.reg[INSN_RSI], 0x1100);
	m.reg[INSN_RBX] = 0x1100;
	m.reg[INSN_RSP] = 0x3010;
	assert_int_equal(X(&m, &a, "\xff\x33"), MMIO_FAULT);
	assert_int_equal(a.cr2, 0x3008);
	m.reg[INSN_RSP] = 0x1100;
	m.reg[INSN_RBX] = 0x3020;
	assert_int_equal(X(&m, &a, "\x8f\x03"), MMIO_FAULT);
	assert_int_equal(a.cr2, 0x3020);
	assert_int_equal(m.reg[INSN_RSP], 0x1100);
	assert_int_equal(m.reads + m.writes, 0);
	/* both fault: the source first */
	m.reg[INSN_RSI] = 0x3100;
	m.reg[INSN_RDI] = 0x2000;
	assert_int_equal(X(&m, &a, "\xa4"), MMIO_FAULT);
	assert_int_equal(a.cr2, 0x3100);
	assert_int_equal(a.error_code, 4);
	/* a page that was read may still not be written */
	m.reg[INSN_RSI] = 0x2010;
	m.reg[INSN_RDI] = 0x2020;
	assert_int_equal(X(&m, &a, "\xa4"), MMIO_FAULT);
	assert_int_equal(a.cr2, 0x2020);
	assert_int_equal(a.error_code, 7);
	/* POP: the stack first */
	m.reg[INSN_RSP] = 0x3100;
	m.reg[INSN_RBX] = 0x2020;
	assert_int_equal(X(&m, &a, "\x8f\x03"), MMIO_FAULT);
	assert_int_equal(a.cr2, 0x3100);
	assert_int_equal(m.reads + m.writes, 0);
	/* a repeated string stops at the element that faults, the rest is done */
	m.reg[INSN_RAX] = 0x5a;
	m.reg[INSN_RCX] = 9;
	m.reg[INSN_RDI] = 0x1ffc;
	assert_int_equal(X(&m, &a, "\xf3\xaa"), MMIO_FAULT);
	assert_int_equal(m.reg[INSN_RCX], 5);
	assert_int_equal(m.reg[INSN_RDI], 0x2000);
	assert_int_equal(a.cr2, 0x2000);
	assert_memory_equal(m.mem + 0x1ffc, "\x5a\x5a\x5a\x5a", 4);
	/* accessed and dirty: only what was used */
	m.accessed = m.dirty = 0;
	m.reg[INSN_RBX] = 0x1000;
	a = access_of(&m, M64);
	assert_int_equal(X(&m, &a, "\x8b\x03"), 0);
	assert_int_equal(m.accessed, 2);
	assert_int_equal(m.dirty, 0);
	assert_int_equal(X(&m, &a, "\x09\x03"), 0);
	assert_int_equal(m.dirty, 2);
	/* alignment check, at the end */
	a.alignment = true;
	m.reg[INSN_RBX] = 0x1001;
	m.reads = m.writes = 0;
	assert_int_equal(X(&m, &a, "\x8b\x03"), MMIO_FAULT);
	assert_int_equal(a.vector, AC);
	assert_int_equal(a.error_code, 0);
	assert_int_equal(X(&m, &a, "\x8a\x03"), 0);
	m.reg[INSN_RBX] = 0x3001;
	assert_int_equal(X(&m, &a, "\x8b\x03"), MMIO_FAULT);
	assert_int_equal(a.vector, PF);
	/* limits */
	a = access_of(&m, M32);
	m.seg[INSN_DS].limit = 0x1002;
	m.reg[INSN_RBX] = 0x1000;
	m.reads = m.writes = 0;
	assert_int_equal(X(&m, &a, "\x8b\x03"), MMIO_FAULT);
	assert_int_equal(a.vector, GP);
	m.seg[INSN_SS].limit = 0xfff;
	m.reg[INSN_RBP] = 0x1000;
	assert_int_equal(X(&m, &a, "\x8b\x45\x00"), MMIO_FAULT); /* mov (%ebp),%eax */
	assert_int_equal(a.vector, SS);
	assert_int_equal(m.reads + m.writes, 0);
	/* 32 bits of address wrap to page 0 between two pages */
	m.seg[INSN_FS] = (struct seg_state){8, DATA_RW, UINT32_MAX, 0xffffffff};
	m.reg[INSN_RBX] = 0x1001;
	assert_int_equal(X(&m, &a, "\x64\x8b\x03"), 0);
	assert_int_equal(m.last_offset, 0);
	m.seg[INSN_FS].base = 0xfffff000;
	m.reg[INSN_RBX] = 0xffe;
	assert_int_equal(X(&m, &a, "\x64\x8b\x03"), 0);
	assert_memory_equal(&m.reg[INSN_RAX], m.mem + BYTES - 2, 2);
	assert_memory_equal((uint8_t *)&m.reg[INSN_RAX] + 2, m.mem, 2);
	/* not canonical */
	a = access_of(&m, M64);
	m.reg[INSN_RBX] = m.reg[INSN_RBP] = UINT64_C(0x800000000000);
	assert_int_equal(X(&m, &a, "\x8b\x03"), MMIO_FAULT);
	assert_int_equal(a.vector, GP);
	assert_int_equal(X(&m, &a, "\x8b\x45\x00"), MMIO_FAULT);
	assert_int_equal(a.vector, SS);
}

static void test_updates(void **state)
{
	static struct machine m;
	struct mmio_access a = access_of(&m, M64);

	(void)state;
	memset(&set, 0, sizeof set);
	device(0x1000, 0x800, MMIO_READS_AND_WRITES);
	device(0x2000, 0x800, MMIO_WRITES);
	machine_reset(&m);
	/* one read and one write, as a device sees a locked update */
	m.reg[INSN_RBX] = 0x1000;
	m.reg[INSN_RAX] = 3;
	assert_int_equal(X(&m, &a, "\xf0\x0f\xc1\x03"), 0); /* lock xadd %eax,(%rbx) */
	assert_int_equal(m.reads, 1);
	assert_int_equal(m.writes, 1);
	assert_int_equal(m.atomics, 0);
	/* CMPXCHG that fails writes what it has read (SDM 2A) */
	m.reg[INSN_RAX] = 0x12345678;
	m.reads = m.writes = 0;
	assert_int_equal(X(&m, &a, "\xf0\x0f\xb1\x13"), 0);
	assert_int_equal(m.reads, 1);
	assert_int_equal(m.writes, 1);
	assert_memory_equal(&m.reg[INSN_RAX], m.mem + 0x1000, 4);
	m.reg[INSN_RDX] = 0x99;
	assert_int_equal(X(&m, &a, "\xf0\x0f\xb1\x13"), 0); /* now it succeeds */
	assert_int_equal(m.mem[0x1000], 0x99);
	/* only writes are trapped: reads go to what is there */
	m.reads = m.writes = m.outside = 0;
	m.reg[INSN_RBX] = 0x2000;
	assert_int_equal(X(&m, &a, "\xf0\x0f\xc1\x03"), 0);
	assert_int_equal(m.reads, 0);
	assert_int_equal(m.writes, 1);
	assert_int_equal(m.outside, 1);
	/* beside the ranges the CPU's own atomic update is used */
	m.reg[INSN_RBX] = 0x1800;
	m.writes = 0;
	assert_int_equal(X(&m, &a, "\xf0\x0f\xc1\x03"), 0);
	assert_int_equal(m.atomics, 1);
	assert_int_equal(m.reads + m.writes, 0);
	/* between two ranges, and memory on either side of a string */
	m.reg[INSN_RSI] = 0x1000;
	m.reg[INSN_RDI] = 0x2010;
	m.reg[INSN_RCX] = 2;
	assert_int_equal(X(&m, &a, "\xf3\x48\xa5"), 0);
	assert_int_equal(m.reads, 2);
	assert_int_equal(m.writes, 2);
	assert_memory_equal(m.mem + 0x2010, m.mem + 0x1000, 16);
	/* so many elements at once, then again */
	m.reg[INSN_RDI] = 0x1000;
	m.reg[INSN_RCX] = 100;
	assert_int_equal(X(&m, &a, "\xf3\xaa"), INSN_AGAIN);
	assert_int_equal(m.reg[INSN_RCX], 36);
	assert_int_equal(X(&m, &a, "\xf3\xaa"), 0);
	assert_int_equal(m.reg[INSN_RDI], 0x1064);
	/* a handler moves its range while the rest of the access is still to come */
	memset(&set, 0, sizeof set);
	m.move = device(0x1000, 2, MMIO_READS_AND_WRITES);
	m.reg[INSN_RBX] = 0x1000;
	m.reg[INSN_RAX] = 0x44332211;
	m.writes = 0;
	assert_int_equal(X(&m, &a, "\x89\x03"), 0);
	assert_int_equal(m.writes, 1);
	assert_memory_equal(m.mem + 0x1000, "\x11\x22\x33\x44", 4);
	assert_non_null(mmio_range_at(&set, 0x2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_segment), cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_pieces),  cmocka_unit_test(test_faults),
	    cmocka_unit_test(test_updates), cmocka_unit_test(test_all_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
