/* Tests of task switches: what is saved and loaded, and each check of SDM 3A table 7-1. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/taskswitch.h"
#include "core/vm/descriptor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* ---- a machine with two tasks ---- */

#define GDT_AT 0x1000u
#define LDT_AT 0x2000u
#define OLD_AT 0x3000u
#define NEW_AT 0x4000u
#define STACK  0x6000u /* of the new task: ESP */
#define MEMORY 0x8000u

/* Selectors. */
enum {
	CODE0 = 0x08,
	DATA0 = 0x10,
	CODE3 = 0x1b,
	DATA3 = 0x23,
	OLD = 0x28,
	NEW = 0x30,
	LDT = 0x38,
	CONF1 = 0x40,   /* conforming code, DPL 1, readable */
	XCODE0 = 0x48,  /* code that cannot be read */
	RODATA0 = 0x50, /* data that cannot be written */
	GATE0 = 0x58,   /* a call gate: a system descriptor */
	SMALL0 = 0x60,  /* data, limit 5fffh bytes, 16-bit */
	GDT_LIMIT = 0x7f,
	LDATA3 = 0x0f, /* in the LDT: data, DPL 3 */
	LCODE0 = 0x14, /* code, DPL 0 */
};

#define GDT(selector) (GDT_AT + ((selector) & ~7u))
#define IN_OLD(field) (OLD_AT + (field))
#define IN_NEW(field) (NEW_AT + (field))
#define ACCESS        5u /* byte of a descriptor */

struct world {
	uint8_t mem[MEMORY];
	struct vcpu_state s;
	uint32_t absent;       /* bit n: page n is not present */
	uint32_t read_only;    /* bit n: page n */
	uint32_t absent_after; /* the same, in the new task's address space */
	bool bad_pdptes, switched, user_access;
	uint64_t cr3; /* as told by switched() */
};

static void put(struct world *w, uint32_t at, unsigned n, uint32_t value)
{
	assert_true(at + n <= MEMORY);
	memcpy(w->mem + at, &value, n);
}

static uint32_t get(const struct world *w, uint32_t at, unsigned n)
{
	uint32_t value = 0;

	memcpy(&value, w->mem + at, n);
	return value;
}

/* SDM 3A figure 3-8; flags: G 8, D 4. */
static void descriptor(struct world *w, uint32_t at, uint32_t base, uint32_t limit, uint8_t access,
		       uint8_t flags)
{
	put(w, at, 2, limit & 0xffff);
	put(w, at + 2, 2, base & 0xffff);
	put(w, at + 4, 1, base >> 16 & 0xff);
	put(w, at + 5, 1, access);
	put(w, at + 6, 1, (limit >> 16 & 0xf) | (uint32_t)flags << 4);
	put(w, at + 7, 1, base >> 24);
}

static bool present(struct world *w, uint64_t la, unsigned n, bool write, struct task_fault *f)
{
	for (uint64_t a = la; a < la + n; a++) {
		uint32_t page = UINT32_C(1) << (a >> 12);

		assert_true(a < MEMORY);
		if ((w->switched ? w->absent_after : w->absent) & page) {
			*f = (struct task_fault){.vector = 14, .error = write ? 2 : 0, .cr2 = a};
			return false;
		}
		if (write && w->read_only & page) {
			*f = (struct task_fault){.vector = 14, .error = 3, .cr2 = a};
			return false;
		}
	}
	return true;
}

static bool w_read(void *arg, uint64_t la, void *to, unsigned n, bool implicit,
		   struct task_fault *f)
{
	struct world *w = arg;

	assert_true(implicit);
	if (!present(w, la, n, false, f))
		return false;
	memcpy(to, w->mem + la, n);
	return true;
}

static bool w_write(void *arg, uint64_t la, const void *from, unsigned n, bool implicit,
		    struct task_fault *f)
{
	struct world *w = arg;

	w->user_access |= !implicit;
	if (!present(w, la, n, true, f))
		return false;
	memcpy(w->mem + la, from, n);
	return true;
}

static bool w_check(void *arg, uint64_t la, unsigned n, bool write, struct task_fault *f)
{
	return present(arg, la, n, write, f);
}

static bool w_switched(void *arg, const struct vcpu_state *s)
{
	struct world *w = arg;

	w->switched = true;
	w->cr3 = s->cr3;
	return !w->bad_pdptes;
}

#define CR0_PG_PE UINT64_C(0x80000001)

static struct seg_state segment(struct world *w, uint16_t selector)
{
	return descriptor_segment(selector, w->mem + GDT(selector));
}

static const uint32_t old_gpr[8] = {0xa0000001, 0xa0000002, 0xa0000003, 0xa0000004,
				    0xa0000005, 0xa0000006, 0xa0000007, 0xa0000008};
static const uint32_t new_gpr[8] = {0xb0000001, 0xb0000002, 0xb0000003, 0xb0000004,
				    STACK,      0xb0000006, 0xb0000007, 0xb0000008};

/* `old16`, `new16`: 16-bit TSSs. The old task runs at CPL 0, the new one at CPL 0 as well. */
static void build(struct world *w, bool old16, bool new16)
{
	memset(w, 0, sizeof(*w));
	descriptor(w, GDT(CODE0), 0, 0xfffff, 0x9b, 0xc);
	descriptor(w, GDT(DATA0), 0, 0xfffff, 0x93, 0xc);
	descriptor(w, GDT(CODE3), 0, 0xfffff, 0xfb, 0xc);
	descriptor(w, GDT(DATA3), 0, 0xfffff, 0xf2, 0xc); /* not accessed yet */
	descriptor(w, GDT(OLD), OLD_AT, 0x67, old16 ? 0x83 : 0x8b, 0);
	descriptor(w, GDT(NEW), NEW_AT, new16 ? 0x2b : 0x67, new16 ? 0x81 : 0x89, 0);
	descriptor(w, GDT(LDT), LDT_AT, 0x1f, 0x82, 0);
	descriptor(w, GDT(CONF1), 0, 0xfffff, 0xbf, 0xc);
	descriptor(w, GDT(XCODE0), 0, 0xfffff, 0x99, 0xc);
	descriptor(w, GDT(RODATA0), 0, 0xfffff, 0x91, 0xc);
	descriptor(w, GDT(GATE0), 0, 0, 0x8c, 0);
	descriptor(w, GDT(SMALL0), 0, 0x5fff, 0x93, 0);
	descriptor(w, LDT_AT + 8, 0x10000, 0xfff, 0xf3, 4);
	descriptor(w, LDT_AT + 16, 0x20000, 0xffff, 0x9b, 4);

	struct vcpu_state *s = &w->s;

	for (unsigned i = 0; i < 8; i++)
		s->gpr[i] = old_gpr[i];
	s->rip = 0x12345678;
	s->rflags = 0x00004246 | 0x3000; /* NT, IOPL 3 */
	s->cr0 = CR0_PG_PE;
	s->cr3 = 0x111000;
	s->dr6 = 0xffff0ff0;
	s->dr7 = 0x7ff;
	s->gdtr = (struct table_state){GDT_AT, GDT_LIMIT};
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		s->seg[i] = segment(w, i == SEG_CS ? CODE0 : DATA0);
	s->seg[SEG_TR] = segment(w, OLD);
	put(w, IN_OLD(0), 4, NEW);       /* link, for IRET */
	put(w, IN_OLD(0x4a), 2, 0x7777); /* reserved halves stay */

	if (new16) {
		put(w, IN_NEW(0x0e), 2, 0x4321);
		put(w, IN_NEW(0x10), 2, 0x0202);
		for (unsigned i = 0; i < 8; i++)
			put(w, IN_NEW(0x12 + 2 * i), 2, new_gpr[i] & 0xffff);
		put(w, IN_NEW(0x22), 2, DATA0);
		put(w, IN_NEW(0x24), 2, CODE0);
		put(w, IN_NEW(0x26), 2, DATA0);
		put(w, IN_NEW(0x28), 2, DATA3);
		put(w, IN_NEW(0x2a), 2, LDT);
		return;
	}
	put(w, IN_NEW(0x1c), 4, 0x222000);
	put(w, IN_NEW(0x20), 4, 0x87654321);
	put(w, IN_NEW(0x24), 4, 0xffc08202 | 0x40000); /* undefined bits 15, 22-31 as well; AC */
	for (unsigned i = 0; i < 8; i++)
		put(w, IN_NEW(0x28 + 4 * i), 4, new_gpr[i]);
	put(w, IN_NEW(0x48), 4, DATA0);
	put(w, IN_NEW(0x4c), 4, CODE0);
	put(w, IN_NEW(0x50), 4, DATA0);
	put(w, IN_NEW(0x54), 4, DATA3);
	put(w, IN_NEW(0x58), 4, 0);
	put(w, IN_NEW(0x5c), 4, LDATA3);
	put(w, IN_NEW(0x60), 4, LDT);
}

static struct task_result run(struct world *w, const struct task_switch *t)
{
	const struct task_memory m = {w, w_read, w_write, w_check, w_switched};
	struct task_result r;

	/* an IRET goes to a task that is busy */
	if (t->source == TASK_IRET && !(get(w, GDT(NEW) + ACCESS, 1) & 2))
		put(w, GDT(NEW) + ACCESS, 1, get(w, GDT(NEW) + ACCESS, 1) | 2);
	taskswitch_run(t, &w->s, &m, &r);
	return r;
}

static struct world world, before;

/* ---- what is saved and loaded ---- */

static void check_new(const struct world *w, bool new16, uint32_t nt)
{
	const struct vcpu_state *s = &w->s;

	assert_int_equal(s->rip, new16 ? 0x4321 : 0x87654321);
	/* SDM 3A figure 2-5: bit 1 is 1; 3, 5, 15 and 22 up are 0 */
	assert_int_equal(s->rflags, (new16 ? 0x0202 : 0x00040202) | nt);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(s->gpr[i], new16 ? new_gpr[i] & 0xffff : new_gpr[i]);
	assert_int_equal(s->seg[SEG_ES].selector, DATA0);
	assert_int_equal(s->seg[SEG_CS].selector, CODE0);
	assert_int_equal(s->seg[SEG_CS].attr, 0xc9b);
	assert_int_equal(s->seg[SEG_CS].limit, 0xffffffff);
	assert_int_equal(s->seg[SEG_SS].selector, DATA0);
	assert_int_equal(s->seg[SEG_SS].attr, 0xc93);
	assert_int_equal(s->seg[SEG_DS].selector, DATA3);
	assert_int_equal(s->seg[SEG_DS].attr, 0xcf3); /* accessed now */
	assert_int_equal(get(w, GDT(DATA3) + ACCESS, 1), 0xf3);
	assert_int_equal(s->seg[SEG_FS].selector, 0);
	assert_int_equal(s->seg[SEG_FS].attr, 0);
	assert_int_equal(s->seg[SEG_GS].selector, new16 ? 0 : LDATA3);
	if (!new16) {
		assert_int_equal(s->seg[SEG_GS].base, 0x10000);
		assert_int_equal(s->seg[SEG_GS].limit, 0xfff);
		assert_int_equal(s->seg[SEG_GS].attr, 0x4f3);
	}
	assert_int_equal(s->seg[SEG_LDTR].selector, LDT);
	assert_int_equal(s->seg[SEG_LDTR].base, LDT_AT);
	assert_int_equal(s->seg[SEG_LDTR].limit, 0x1f);
	assert_int_equal(s->seg[SEG_LDTR].attr, 0x82);
	assert_int_equal(s->seg[SEG_TR].selector, NEW);
	assert_int_equal(s->seg[SEG_TR].base, NEW_AT);
	assert_int_equal(s->seg[SEG_TR].limit, new16 ? 0x2b : 0x67);
	assert_int_equal(s->seg[SEG_TR].attr, new16 ? 0x83 : 0x8b);
	assert_int_equal(s->cr3, new16 ? 0x111000 : 0x222000);
	assert_int_equal(w->cr3, s->cr3);
	assert_int_equal(s->cr0, CR0_PG_PE | 8); /* TS */
	assert_int_equal(s->dr7, 0x6aa);         /* L0-L3 and LE are cleared */
	assert_int_equal(get(w, GDT(NEW) + ACCESS, 1), new16 ? 0x83 : 0x8b);
}

static void check_old(const struct world *w, bool old16, uint32_t eip, uint32_t flags)
{
	if (old16) {
		assert_int_equal(get(w, IN_OLD(0x0e), 2), eip & 0xffff);
		assert_int_equal(get(w, IN_OLD(0x10), 2), flags & 0xffff);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(get(w, IN_OLD(0x12 + 2 * i), 2), old_gpr[i] & 0xffff);
		assert_int_equal(get(w, IN_OLD(0x22), 2), DATA0);
		assert_int_equal(get(w, IN_OLD(0x24), 2), CODE0);
		assert_int_equal(get(w, IN_OLD(0x26), 2), DATA0);
		assert_int_equal(get(w, IN_OLD(0x28), 2), DATA0);
		assert_int_equal(get(w, IN_OLD(0x2a), 4), 0); /* LDT is not written */
		return;
	}
	assert_int_equal(get(w, IN_OLD(0x1c), 4), 0); /* nor is CR3 */
	assert_int_equal(get(w, IN_OLD(0x20), 4), eip);
	assert_int_equal(get(w, IN_OLD(0x24), 4), flags);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(get(w, IN_OLD(0x28 + 4 * i), 4), old_gpr[i]);
	assert_int_equal(get(w, IN_OLD(0x48), 4), 0x77770000 | DATA0);
	for (unsigned i = 1; i < 6; i++)
		assert_int_equal(get(w, IN_OLD(0x48 + 4 * i), 4), i == 1 ? CODE0 : DATA0);
	assert_int_equal(get(w, IN_OLD(0x60), 4), 0);
}

/* SDM 3A table 7-2: busy bits, NT and link by what asked for the switch. */
static void test_switch(void **state)
{
	static const struct {
		uint8_t source, length;
		uint32_t old_flags; /* in memory; NT is 4000h */
		uint32_t nt;        /* in the new EFLAGS */
		bool old_busy, link;
	} rows[] = {
	    {TASK_CALL, 7, 0x7246, 0x4000, true, true}, {TASK_JMP, 7, 0x7246, 0, false, false},
	    {TASK_IRET, 1, 0x3246, 0, false, false},    {TASK_GATE, 2, 0x7246, 0x4000, true, true},
	    {TASK_GATE, 0, 0x7246, 0x4000, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned widths = 0; widths < 4; widths++) {
			bool old16 = widths & 1, new16 = widths & 2;
			struct task_switch t = {
			    .selector = NEW, .source = rows[i].source, .length = rows[i].length};

			build(&world, old16, new16);
			put(&world, IN_NEW(0), 2, 0x1234);
			struct task_result r = run(&world, &t);

			assert_true(r.switched);
			assert_false(r.fault);
			assert_false(r.debug);
			check_new(&world, new16, rows[i].nt);
			check_old(&world, old16, 0x12345678 + rows[i].length, rows[i].old_flags);
			assert_int_equal(get(&world, GDT(OLD) + ACCESS, 1),
					 (old16 ? 0x81 : 0x89) | (rows[i].old_busy ? 2 : 0));
			assert_int_equal(get(&world, IN_NEW(0), 2), rows[i].link ? OLD : 0x1234);
			assert_false(world.user_access);
		}
	}
}

/* ---- checks ---- */

struct patch {
	uint32_t at;
	uint8_t n;
	uint32_t value;
};

#define NONE     0xffu
#define FIRST    false
#define SWITCHED true

/* All with 32-bit TSSs; FIRST: in the old task, nothing has changed. */
static const struct row {
	const char *what;
	uint8_t source;
	uint16_t selector;
	bool switched;
	uint8_t vector; /* NONE: no fault */
	uint32_t error;
	struct patch patch[3];
} rows[] = {
#define CALL TASK_CALL
#define IRET TASK_IRET
    /* rows 1 to 4 of table 7-1 */
    {"TSS in the LDT", CALL, NEW | 4, FIRST, 13, NEW | 4, {{0}}},
    {"TSS in the LDT, IRET", IRET, NEW | 4, FIRST, 10, NEW | 4, {{0}}},
    {"null TSS", CALL, 0, FIRST, 13, 0, {{0}}},
    {"null TSS, IRET", IRET, 3, FIRST, 10, 0, {{0}}},
    {"TSS beyond the GDT", CALL, 0x80, FIRST, 13, 0x80, {{0}}},
    {"TSS beyond the GDT, IRET", IRET, 0x80, FIRST, 10, 0x80, {{0}}},
    {"RPL is no part of the error", CALL, 0x83, FIRST, 13, 0x80, {{0}}},
    {"busy", CALL, NEW, FIRST, 13, NEW, {{GDT(NEW) + 5, 1, 0x8b}}},
    {"busy, JMP", TASK_JMP, NEW, FIRST, 13, NEW, {{GDT(NEW) + 5, 1, 0x8b}}},
    {"busy, gate", TASK_GATE, NEW, FIRST, 13, NEW, {{GDT(NEW) + 5, 1, 0x8b}}},
    {"no TSS", CALL, LDT, FIRST, 13, LDT, {{0}}},
    {"no TSS, IRET", IRET, GATE0, FIRST, 10, GATE0, {{0}}},
    {"data", CALL, DATA0, FIRST, 13, DATA0, {{0}}},
    {"code of a TSS's type", CALL, XCODE0, FIRST, 13, XCODE0, {{0}}},
    {"TSS not present", CALL, NEW, FIRST, 11, NEW, {{GDT(NEW) + 5, 1, 0x09}}},
    {"TSS not present, IRET", IRET, NEW, FIRST, 11, NEW, {{GDT(NEW) + 5, 1, 0x0b}}},
    {"busy before not present", CALL, NEW, FIRST, 13, NEW, {{GDT(NEW) + 5, 1, 0x0b}}},
    {"TSS too short", CALL, NEW, FIRST, 10, NEW, {{GDT(NEW), 2, 0x66}}},
    {"TSS too short, IRET", IRET, NEW, FIRST, 10, NEW, {{GDT(NEW), 2, 0x66}}},
    {"16-bit TSS too short",
     CALL,
     NEW,
     FIRST,
     10,
     NEW,
     {{GDT(NEW), 2, 0x2a}, {GDT(NEW) + 5, 1, 0x81}}},
    /* the LDT */
    {"no LDT, none used",
     CALL,
     NEW,
     SWITCHED,
     NONE,
     0,
     {{IN_NEW(0x60), 2, 0}, {IN_NEW(0x5c), 2, 0}}},
    {"null LDT with RPL",
     CALL,
     NEW,
     SWITCHED,
     NONE,
     0,
     {{IN_NEW(0x60), 2, 3}, {IN_NEW(0x5c), 2, 0}}},
    {"no LDT, GS in it", CALL, NEW, SWITCHED, 10, 0x0c, {{IN_NEW(0x60), 2, 0}}},
    {"LDT in the LDT", CALL, NEW, SWITCHED, 10, LDT | 4, {{IN_NEW(0x60), 2, LDT | 4}}},
    {"LDT beyond the GDT", CALL, NEW, SWITCHED, 10, 0x80, {{IN_NEW(0x60), 2, 0x80}}},
    {"LDT of another type", CALL, NEW, SWITCHED, 10, DATA0, {{IN_NEW(0x60), 2, DATA0}}},
    {"LDT not present", CALL, NEW, SWITCHED, 10, LDT, {{GDT(LDT) + 5, 1, 0x02}}},
    {"GS beyond the LDT", CALL, NEW, SWITCHED, 10, 0x24, {{IN_NEW(0x5c), 2, 0x27}}},
    /* CS */
    {"CS null", CALL, NEW, SWITCHED, 10, 0, {{IN_NEW(0x4c), 2, 0}}},
    {"CS beyond the GDT", CALL, NEW, SWITCHED, 10, 0x80, {{IN_NEW(0x4c), 2, 0x80}}},
    {"CS data", CALL, NEW, SWITCHED, 10, DATA0, {{IN_NEW(0x4c), 2, DATA0}}},
    {"CS a system descriptor", CALL, NEW, SWITCHED, 10, GATE0, {{IN_NEW(0x4c), 2, GATE0}}},
    {"CS DPL 3, RPL 0", CALL, NEW, SWITCHED, 10, 0x18, {{IN_NEW(0x4c), 2, 0x18}}},
    {"CS DPL 0, RPL 3", CALL, NEW, SWITCHED, 10, CODE0, {{IN_NEW(0x4c), 2, CODE0 | 3}}},
    {"CS conforming, DPL 1, RPL 0", CALL, NEW, SWITCHED, 10, CONF1, {{IN_NEW(0x4c), 2, CONF1}}},
    {"CS conforming, DPL 1, RPL 3",
     CALL,
     NEW,
     SWITCHED,
     NONE,
     0,
     {{IN_NEW(0x4c), 2, CONF1 | 3}, {IN_NEW(0x50), 2, DATA3}, {IN_NEW(0x48), 2, DATA3}}},
    {"CS not present", CALL, NEW, SWITCHED, 11, CODE0, {{GDT(CODE0) + 5, 1, 0x1b}}},
    {"CS execute-only", CALL, NEW, SWITCHED, NONE, 0, {{IN_NEW(0x4c), 2, XCODE0}}},
    {"CS in the LDT, EIP beyond its limit",
     CALL,
     NEW,
     SWITCHED,
     13,
     0,
     {{IN_NEW(0x4c), 2, LCODE0}}},
    {"CS in the LDT, EIP at its limit",
     CALL,
     NEW,
     SWITCHED,
     NONE,
     0,
     {{IN_NEW(0x4c), 2, LCODE0}, {IN_NEW(0x20), 4, 0xffff}}},
    {"CS in the LDT, EIP one beyond",
     CALL,
     NEW,
     SWITCHED,
     13,
     0,
     {{IN_NEW(0x4c), 2, LCODE0}, {IN_NEW(0x20), 4, 0x10000}}},
    /* SS */
    {"SS null", CALL, NEW, SWITCHED, 10, 0, {{IN_NEW(0x50), 2, 0}}},
    {"SS beyond the GDT", CALL, NEW, SWITCHED, 10, 0x80, {{IN_NEW(0x50), 2, 0x80}}},
    {"SS code", CALL, NEW, SWITCHED, 10, CODE0, {{IN_NEW(0x50), 2, CODE0}}},
    {"SS read-only", CALL, NEW, SWITCHED, 10, RODATA0, {{IN_NEW(0x50), 2, RODATA0}}},
    {"SS not present",
     CALL,
     NEW,
     SWITCHED,
     12,
     SMALL0,
     {{IN_NEW(0x50), 2, SMALL0}, {GDT(SMALL0) + 5, 1, 0x13}}},
    {"SS DPL 3", CALL, NEW, SWITCHED, 10, 0x20, {{IN_NEW(0x50), 2, 0x20}}},
    {"SS RPL 3", CALL, NEW, SWITCHED, 10, DATA0, {{IN_NEW(0x50), 2, DATA0 | 3}}},
    {"SS DPL 0, CPL 3",
     CALL,
     NEW,
     SWITCHED,
     10,
     DATA0,
     {{IN_NEW(0x4c), 2, CODE3}, {IN_NEW(0x50), 2, DATA0}}},
    {"SS before CS not present",
     CALL,
     NEW,
     SWITCHED,
     10,
     RODATA0,
     {{GDT(CODE0) + 5, 1, 0x1b}, {IN_NEW(0x50), 2, RODATA0}}},
    /* data segments */
    {"DS beyond the GDT", CALL, NEW, SWITCHED, 10, 0x80, {{IN_NEW(0x54), 2, 0x80}}},
    {"DS a system descriptor", CALL, NEW, SWITCHED, 10, GATE0, {{IN_NEW(0x54), 2, GATE0}}},
    {"DS execute-only", CALL, NEW, SWITCHED, 10, XCODE0, {{IN_NEW(0x54), 2, XCODE0}}},
    {"DS read-only", CALL, NEW, SWITCHED, NONE, 0, {{IN_NEW(0x54), 2, RODATA0}}},
    {"DS readable code", CALL, NEW, SWITCHED, NONE, 0, {{IN_NEW(0x54), 2, CODE0}}},
    {"DS not present",
     CALL,
     NEW,
     SWITCHED,
     11,
     SMALL0,
     {{IN_NEW(0x54), 2, SMALL0}, {GDT(SMALL0) + 5, 1, 0x13}}},
    {"ES RPL above DPL", CALL, NEW, SWITCHED, 10, DATA0, {{IN_NEW(0x48), 2, DATA0 | 3}}},
    {"ES conforming code, RPL above DPL",
     CALL,
     NEW,
     SWITCHED,
     NONE,
     0,
     {{IN_NEW(0x48), 2, CONF1 | 3}}},
    {"ES DPL below CPL",
     CALL,
     NEW,
     SWITCHED,
     10,
     DATA0,
     {{IN_NEW(0x4c), 2, CODE3}, {IN_NEW(0x50), 2, DATA3}}},
    {"ES code of DPL 0 at CPL 3",
     CALL,
     NEW,
     SWITCHED,
     10,
     CODE0,
     {{IN_NEW(0x4c), 2, CODE3}, {IN_NEW(0x50), 4, DATA3}, {IN_NEW(0x48), 2, CODE0}}},
    {"GS not present", CALL, NEW, SWITCHED, 11, 0x0c, {{LDT_AT + 13, 1, 0x73}}},
    {"null with RPL", CALL, NEW, SWITCHED, NONE, 0, {{IN_NEW(0x48), 2, 3}, {IN_NEW(0x58), 2, 2}}},
#undef CALL
#undef IRET
};

static void apply(struct world *w, const struct patch *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i].n)
			put(w, p[i].at, p[i].n, p[i].value);
	}
}

/* After the commit point: what table 7-1's "registers are loaded" means for a VM entry as well. */
static void check_committed(const struct world *w)
{
	const struct vcpu_state *s = &w->s;
	unsigned cpl = get(w, IN_NEW(0x4c), 2) & 3;

	assert_int_equal(s->seg[SEG_TR].selector, NEW);
	assert_int_equal(s->seg[SEG_TR].attr & 0xff, 0x8b);
	assert_int_equal(s->cr3, 0x222000);
	assert_true(s->cr0 & 8);
	assert_int_equal(s->rip, get(w, IN_NEW(0x20), 4));
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		assert_int_equal(s->seg[i].selector, get(w, IN_NEW(0x48 + 4 * i), 2));
	/* CS is code and present, its DPL and that of SS are CPL (SDM 3C 27.3.1.2) */
	assert_int_equal(s->seg[SEG_CS].attr & 0x99, 0x99);
	if ((s->seg[SEG_CS].attr & 0xc) != 0xc)
		assert_int_equal(descriptor_dpl(&s->seg[SEG_CS]), cpl);
	assert_int_equal(descriptor_dpl(&s->seg[SEG_SS]), cpl);
}

static void test_checks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		for (unsigned external = 0; external < 2; external++) {
			struct task_switch t = {
			    .selector = row->selector, .source = row->source, .external = external};

			build(&world, false, false);
			if (row->source == TASK_IRET)
				put(&world, GDT(NEW) + ACCESS, 1, 0x8b);
			apply(&world, row->patch, 3);
			before = world;
			struct task_result r = run(&world, &t);

			if (r.switched != row->switched || r.fault != (row->vector != NONE) ||
			    (r.fault &&
			     (r.f.vector != row->vector || r.f.error != (row->error | external))))
				fail_msg("%s: switched %d, fault %d, vector %u, error %x",
					 row->what, r.switched, r.fault, r.f.vector, r.f.error);
			if (row->switched)
				check_committed(&world);
			else
				assert_memory_equal(&world, &before, sizeof(world));
		}
	}
}

/* IRET to a task that is not busy (run() would make it so). */
static void test_iret_not_busy(void **state)
{
	const struct task_memory m = {&world, w_read, w_write, w_check, w_switched};
	struct task_switch t = {.selector = NEW, .source = TASK_IRET};
	struct task_result r;

	(void)state;
	build(&world, false, false);
	taskswitch_run(&t, &world.s, &m, &r);
	assert_true(r.fault);
	assert_false(r.switched);
	assert_int_equal(r.f.vector, 10);
	assert_int_equal(r.f.error, NEW);
}

/* The old TSS must take what is written to it. */
static void test_old_tss_short(void **state)
{
	(void)state;
	for (unsigned old16 = 0; old16 < 2; old16++) {
		struct task_switch t = {.selector = NEW, .source = TASK_CALL};
		uint32_t needed = old16 ? 0x29 : 0x5f;

		build(&world, old16, false);
		world.s.seg[SEG_TR].limit = needed - 1;
		struct task_result r = run(&world, &t);

		assert_true(r.fault);
		assert_false(r.switched);
		assert_int_equal(r.f.vector, 10);
		assert_int_equal(r.f.error, OLD);
		build(&world, old16, false);
		world.s.seg[SEG_TR].limit = needed;
		assert_false(run(&world, &t).fault);
	}
}

/* ---- page faults ---- */

#define PAGE(at) (UINT32_C(1) << ((at) >> 12))

static void test_page_faults(void **state)
{
	static const struct {
		uint8_t source;
		uint32_t absent, read_only, absent_after;
		bool fault, switched;
		uint32_t error;
		uint64_t cr2;
	} pages[] = {
	    {TASK_CALL, PAGE(GDT_AT), 0, 0, true, FIRST, 0, GDT(NEW)},
	    {TASK_CALL, PAGE(OLD_AT), 0, 0, true, FIRST, 2, IN_OLD(0x20)},
	    {TASK_CALL, PAGE(NEW_AT), 0, 0, true, FIRST, 0, NEW_AT},
	    {TASK_CALL, 0, PAGE(OLD_AT), 0, true, FIRST, 3, IN_OLD(0x20)},
	    {TASK_CALL, 0, PAGE(NEW_AT), 0, true, FIRST, 3, NEW_AT},        /* the link */
	    {TASK_GATE, 0, PAGE(NEW_AT), 0, true, FIRST, 3, NEW_AT},        /* the same */
	    {TASK_JMP, 0, PAGE(NEW_AT), 0, false, SWITCHED, 0, 0},          /* no link */
	    {TASK_IRET, 0, PAGE(NEW_AT), 0, false, SWITCHED, 0, 0},         /* no link */
	    {TASK_CALL, 0, PAGE(GDT_AT), 0, true, FIRST, 3, GDT(NEW) + 5},  /* busy */
	    {TASK_JMP, 0, PAGE(GDT_AT), 0, true, FIRST, 3, GDT(OLD) + 5},   /* not busy */
	    {TASK_IRET, 0, PAGE(GDT_AT), 0, true, FIRST, 3, GDT(OLD) + 5},  /* the same */
	    {TASK_CALL, 0, 0, PAGE(GDT_AT), true, SWITCHED, 0, GDT(LDT)},   /* descriptors */
	    {TASK_CALL, 0, 0, PAGE(LDT_AT), true, SWITCHED, 0, LDT_AT + 8}, /* GS */
	    {TASK_CALL, 0, 0, PAGE(OLD_AT) | PAGE(NEW_AT), false, SWITCHED, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct task_switch t = {
		    .selector = NEW, .source = pages[i].source, .external = true};

		build(&world, false, false);
		if (t.source == TASK_IRET)
			put(&world, GDT(NEW) + ACCESS, 1, 0x8b);
		world.absent = pages[i].absent;
		world.read_only = pages[i].read_only;
		world.absent_after = pages[i].absent_after;
		/* DS is accessed already: nothing is written in the new task */
		put(&world, GDT(DATA3) + ACCESS, 1, 0xf3);
		before = world;
		struct task_result r = run(&world, &t);

		assert_int_equal(r.switched, pages[i].switched);
		assert_int_equal(r.fault, pages[i].fault);
		if (r.fault) {
			assert_int_equal(r.f.vector, 14);
			assert_int_equal(r.f.error, pages[i].error); /* never EXT */
			assert_int_equal(r.f.cr2, pages[i].cr2);
		}
		if (!r.switched)
			assert_memory_equal(&world, &before, sizeof(world));
	}
}

/* The accessed bit cannot be set: that is the new task's fault, too. */
static void test_accessed_page_fault(void **state)
{
	struct task_switch t = {.selector = NEW, .source = TASK_CALL};

	(void)state;
	build(&world, false, false);
	descriptor(&world, GDT(OLD), OLD_AT, 0x67, 0x8b, 0);
	world.s.gdtr.base = GDT_AT;
	put(&world, IN_NEW(0x54), 2, LDATA3);
	put(&world, LDT_AT + 13, 1, 0xf2);
	world.read_only = PAGE(LDT_AT);
	struct task_result r = run(&world, &t);

	assert_true(r.switched);
	assert_true(r.fault);
	assert_int_equal(r.f.vector, 14);
	assert_int_equal(r.f.error, 3);
	assert_int_equal(r.f.cr2, LDT_AT + 13);
	assert_int_equal(world.s.seg[SEG_DS].selector, LDATA3);
	assert_int_equal(world.s.seg[SEG_DS].attr, 0);
}

static void test_pdptes(void **state)
{
	struct task_switch t = {.selector = NEW, .source = TASK_CALL};

	(void)state;
	build(&world, false, false);
	world.bad_pdptes = true;
	struct task_result r = run(&world, &t);

	assert_true(r.switched);
	assert_true(r.fault);
	assert_int_equal(r.f.vector, 13);
	assert_int_equal(r.f.error, 0);
	assert_int_equal(world.s.cr3, 0x111000);
}

/* Without paging CR3 stays. */
static void test_no_paging(void **state)
{
	struct task_switch t = {.selector = NEW, .source = TASK_CALL};

	(void)state;
	build(&world, false, false);
	world.s.cr0 = 1;
	assert_false(run(&world, &t).fault);
	assert_int_equal(world.s.cr3, 0x111000);
}

/* ---- the error code of an event at a task gate ---- */

static void test_error_code(void **state)
{
	static const struct {
		bool new16;
		uint16_t ss;
		uint32_t esp, esp_after;
		uint8_t vector; /* NONE: no fault */
		uint32_t at;    /* linear */
	} stacks[] = {
	    {false, DATA0, 0x6000, 0x5ffc, NONE, 0x5ffc},
	    {true, DATA0, 0x6000, 0x5ffe, NONE, 0x5ffe},
	    {false, SMALL0, 0x6000, 0x5ffc, NONE, 0x5ffc},
	    /* a 16-bit stack leaves the upper half of ESP alone */
	    {false, SMALL0, 0xabcd6000, 0xabcd5ffc, NONE, 0x5ffc},
	    {false, SMALL0, 0x6001, 0x6001, 12, 0}, /* 5ffd-6000 reach the limit 5fff */
	    {false, SMALL0, 2, 2, 12, 0},           /* wraps to fffe */
	    {true, SMALL0, 2, 0, NONE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		struct task_switch t = {.selector = NEW,
					.source = TASK_GATE,
					.external = true,
					.has_error = true,
					.error = 0x00abcdef};
		bool new16 = stacks[i].new16;

		build(&world, false, new16);
		if (new16) {
			put(&world, IN_NEW(0x1a), 2, stacks[i].esp);
			put(&world, IN_NEW(0x26), 2, stacks[i].ss);
		} else {
			put(&world, IN_NEW(0x38), 4, stacks[i].esp);
			put(&world, IN_NEW(0x50), 2, stacks[i].ss);
		}
		struct task_result r = run(&world, &t);

		assert_true(r.switched);
		assert_int_equal(world.s.gpr[GPR_RSP], stacks[i].esp_after);
		assert_int_equal(r.fault, stacks[i].vector != NONE);
		if (r.fault) {
			assert_int_equal(r.f.vector, stacks[i].vector);
			assert_int_equal(r.f.error, 1); /* EXT */
			continue;
		}
		assert_true(world.user_access); /* not implicit: CPL and AC count */
		assert_int_equal(get(&world, stacks[i].at, new16 ? 2 : 4),
				 new16 ? 0xcdef : 0x00abcdef);
		/* no other event has one, and nobody but a gate pushes it */
		t.source = TASK_CALL;
		build(&world, false, false);
		assert_false(run(&world, &t).fault);
		assert_int_equal(world.s.gpr[GPR_RSP], STACK);
	}
}

static void test_error_code_page_fault(void **state)
{
	struct task_switch t = {.selector = NEW, .source = TASK_GATE, .has_error = true};

	(void)state;
	build(&world, false, false);
	world.absent_after = PAGE(STACK - 4);
	struct task_result r = run(&world, &t);

	assert_true(r.switched);
	assert_true(r.fault);
	assert_int_equal(r.f.vector, 14);
	assert_int_equal(r.f.cr2, STACK - 4);
	assert_int_equal(world.s.gpr[GPR_RSP], STACK);
}

/* ---- the rest ---- */

static void test_v86(void **state)
{
	struct task_switch t = {.selector = NEW, .source = TASK_IRET};

	(void)state;
	build(&world, false, false);
	put(&world, IN_NEW(0x20), 4, 0x1234);
	put(&world, IN_NEW(0x24), 4, 0x23202);
	for (unsigned i = 0; i < 6; i++)
		put(&world, IN_NEW(0x48 + 4 * i), 2, 0x1000 + i);
	struct task_result r = run(&world, &t);

	assert_true(r.switched);
	assert_false(r.fault);
	assert_int_equal(world.s.rflags, 0x23202);
	/* SDM 3C 27.3.1.2: what an entry to virtual-8086 mode wants */
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(world.s.seg[i].selector, 0x1000 + i);
		assert_int_equal(world.s.seg[i].base, (0x1000 + i) << 4);
		assert_int_equal(world.s.seg[i].limit, 0xffff);
		assert_int_equal(world.s.seg[i].attr, 0xf3);
	}
	/* EIP beyond the limit */
	build(&world, false, false);
	put(&world, IN_NEW(0x24), 4, 0x23202);
	r = run(&world, &t);
	assert_true(r.switched);
	assert_true(r.fault);
	assert_int_equal(r.f.vector, 13);
	assert_int_equal(r.f.error, 0);
}

/* T: #DB behind the switch, with DR6.BT (SDM 3B 18.3.1.5). */
static void test_debug_trap(void **state)
{
	struct task_switch t = {.selector = NEW, .source = TASK_CALL};
	struct task_result r;

	(void)state;
	build(&world, false, false);
	put(&world, IN_NEW(0x64), 2, 1);
	r = run(&world, &t);
	assert_true(r.debug);
	assert_false(r.fault);
	assert_int_equal(world.s.dr6, 0xffff0ff0 | 0x8000);
	/* a fault in the new task comes first */
	build(&world, false, false);
	put(&world, IN_NEW(0x64), 2, 1);
	put(&world, IN_NEW(0x54), 2, 0x80);
	r = run(&world, &t);
	assert_true(r.fault);
	assert_false(r.debug);
	assert_int_equal(world.s.dr6, 0xffff0ff0);
	/* the bits above are reserved */
	build(&world, false, false);
	put(&world, IN_NEW(0x64), 2, 0xfffe);
	assert_false(run(&world, &t).debug);
}

/* Without a handler a segment that could not be loaded is unusable: it does not keep the old one.
 */
static void test_unloaded_segments(void **state)
{
	struct task_switch t = {.selector = NEW, .source = TASK_CALL};

	(void)state;
	build(&world, false, false);
	put(&world, IN_NEW(0x4c), 2, 0x83);
	assert_true(run(&world, &t).fault);
	assert_int_equal(world.s.seg[SEG_CS].selector, 0x83);
	assert_int_equal(world.s.seg[SEG_CS].attr, 0xfb); /* CPL 3 */
	assert_int_equal(world.s.seg[SEG_CS].limit, 0);
	assert_int_equal(world.s.seg[SEG_SS].attr, 0x60);
	assert_int_equal(world.s.seg[SEG_DS].attr, 0);
	assert_int_equal(world.s.seg[SEG_DS].selector, DATA3);
}

/* ---- descriptors ---- */

static void test_descriptors(void **state)
{
	/* SDM 3A figure 3-8: limit 0x12345, base 0x89abcdef, access 0x93, AVL L D G from bit 52 */
	static const uint8_t bytes[] = {0x45, 0x23, 0xef, 0xcd, 0xab, 0x93, 0x51, 0x89};
	static const uint8_t big[] = {0x45, 0x23, 0xef, 0xcd, 0xab, 0x93, 0xe1, 0x89};
	struct seg_state s = descriptor_segment(0x2b, bytes);

	(void)state;
	assert_int_equal(s.selector, 0x2b);
	assert_int_equal(s.base, 0x89abcdef);
	assert_int_equal(s.limit, 0x12345);
	assert_int_equal(s.attr, 0x593);
	s = descriptor_segment(0x2b, big);
	assert_int_equal(s.limit, 0x12345fff);
	assert_int_equal(s.attr, 0xc93); /* L is dropped */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_switch),
	    cmocka_unit_test(test_checks),
	    cmocka_unit_test(test_iret_not_busy),
	    cmocka_unit_test(test_old_tss_short),
	    cmocka_unit_test(test_page_faults),
	    cmocka_unit_test(test_accessed_page_fault),
	    cmocka_unit_test(test_pdptes),
	    cmocka_unit_test(test_no_paging),
	    cmocka_unit_test(test_error_code),
	    cmocka_unit_test(test_error_code_page_fault),
	    cmocka_unit_test(test_v86),
	    cmocka_unit_test(test_debug_trap),
	    cmocka_unit_test(test_unloaded_segments),
	    cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
