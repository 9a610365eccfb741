/* Tests of the guest page walk: fixed cases from the manual, and random tables against a second
 * reading of it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/gwalk.h"
#include "core/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/host/random.h"

#define PG   (UINT64_C(1) << 31)
#define WP   (UINT64_C(1) << 16)
#define PSE  (UINT64_C(1) << 4)
#define PAE  (UINT64_C(1) << 5)
#define LA57 (UINT64_C(1) << 12)
#define SMEP (UINT64_C(1) << 20)
#define SMAP (UINT64_C(1) << 21)
#define PKE  (UINT64_C(1) << 22)
#define PKS  (UINT64_C(1) << 24)
#define LMA  (UINT64_C(1) << 10)
#define NXE  (UINT64_C(1) << 11)
#define XD   (UINT64_C(1) << 63)

#define MAX_SLOT 16

/* Guest memory that holds nothing but the entries of one walk: a wrong address is an error. */
struct memory {
	struct {
		uint64_t at, value;
		unsigned size;
	} slot[MAX_SLOT];
	unsigned slots;
	unsigned updates;
	unsigned conflicts; /* so many updates find another value, with the ignored bit 9 flipped */
};

static int mem_read(void *arg, gpa_t entry, unsigned size, uint64_t *value)
{
	struct memory *m = arg;

	for (unsigned i = m->slots; i-- > 0;) {
		if (m->slot[i].at == entry.a && m->slot[i].size == size) {
			*value = m->slot[i].value;
			return 0;
		}
	}
	return -EFAULT;
}

static int mem_update(void *arg, gpa_t entry, unsigned size, uint64_t old, uint64_t value)
{
	struct memory *m = arg;

	for (unsigned i = m->slots; i-- > 0;) {
		if (m->slot[i].at != entry.a || m->slot[i].size != size)
			continue;
		if (m->conflicts) {
			m->conflicts--;
			m->slot[i].value ^= 0x200;
		}
		if (m->slot[i].value != old)
			return 1;
		m->slot[i].value = value;
		m->updates++;
		return 0;
	}
	return -EFAULT;
}

static const struct gwalk_ops read_only = {.read = mem_read};
static const struct gwalk_ops read_write = {.read = mem_read, .update = mem_update};

static void add(struct memory *m, uint64_t at, unsigned size, uint64_t value)
{
	assert_true(m->slots < MAX_SLOT);
	m->slot[m->slots].at = at;
	m->slot[m->slots].size = size;
	m->slot[m->slots++].value = value;
}

/* ---- the second reading: SDM 3A 4.2 to 4.7, bit by bit ---- */

static bool ref_reserved(int mode, int level, uint64_t e, const struct gwalk_cpu *c)
{
	bool ps = e >> 7 & 1;

	for (int b = 0; b < 64; b++) {
		bool reserved = false;

		if (!(e >> b & 1))
			continue;
		if (mode == 2) { /* table 4-4; tables 4-5 and 4-6 have no reserved bits */
			if (level == 2 && ps && (c->cr4 & PSE)) {
				int m = c->maxphyaddr < 40 ? c->maxphyaddr : 40;

				reserved =
				    b == 21 || (b >= 13 && b <= 20 && (!c->pse36 || b + 19 >= m));
			}
		} else if (mode == 3 && level == 3) { /* table 4-8 */
			reserved = b == 1 || b == 2 || (b >= 6 && b <= 8) || b >= c->maxphyaddr;
		} else {
			if (b >= c->maxphyaddr)
				reserved = mode == 3 ? b <= 62 : b <= 51;
			if (b == 63)
				reserved = !(c->efer & NXE);
			if (b == 7)
				reserved = level >= 4 || (level == 3 && !c->gb_pages);
			if (ps && level == 2)
				reserved |= b >= 13 && b <= 20;
			if (ps && level == 3 && c->gb_pages)
				reserved |= b >= 13 && b <= 29;
		}
		if (reserved)
			return true;
	}
	return false;
}

/* 0 with *gpa and *size, GWALK_FAULT with *code, or a negative error. */
static int ref_walk(const struct gwalk_cpu *c, struct memory *m, uint64_t la, enum gwalk_access acc,
		    bool implicit, uint64_t *gpa, uint64_t *size, uint32_t *code)
{
	int mode = !(c->cr0 & PG)  ? 0
		   : c->efer & LMA ? (c->cr4 & LA57 ? 5 : 4)
		   : c->cr4 & PAE  ? 3
				   : 2;
	bool user_access = c->cpl == 3 && !implicit;
	bool all_user = true, all_write = true, any_xd = false, present = true, rsvd = false;
	uint64_t leaf = 0;

	if (mode < 4)
		la %= UINT64_C(1) << 32;
	if (mode == 0) {
		*gpa = la;
		*size = 4096;
		return 0;
	}
	if (mode >= 4) {
		unsigned width = mode == 5 ? 57 : 48;
		int64_t extended = (int64_t)(la << (64 - width)) >> (64 - width);

		if ((uint64_t)extended != la)
			return GWALK_NONCANONICAL;
	}
	uint64_t phys_limit = UINT64_C(1) << c->maxphyaddr;
	uint64_t table = mode == 2   ? c->cr3 % (UINT64_C(1) << 32) / 4096 * 4096
			 : mode == 3 ? c->cr3 % (UINT64_C(1) << 32) / 32 * 32
				     : c->cr3 % phys_limit / 4096 * 4096;
	uint64_t entries = mode == 2 ? 1024 : 512, bytes = mode == 2 ? 4 : 8;
	for (int level = mode;; level--) {
		uint64_t coverage = 4096;

		for (int i = 1; i < level; i++)
			coverage *= entries;
		uint64_t index = la / coverage % (mode == 3 && level == 3 ? 4 : entries);
		uint64_t e;
		int r = mem_read(m, GPA(table + index * bytes), (unsigned)bytes, &e);

		if (r)
			return r;
		if (e % 2 == 0) {
			present = false;
			break;
		}
		if (ref_reserved(mode, level, e, c)) {
			rsvd = true;
			break;
		}
		if (!(mode == 3 && level == 3)) {
			all_write = all_write && (e & 2);
			all_user = all_user && (e & 4);
			any_xd = any_xd || (bytes == 8 && (e & XD));
		}
		bool page = level == 1 || ((e & 0x80) && (mode != 2 || (c->cr4 & PSE)) &&
					   !(mode == 3 && level == 3));
		if (page) {
			uint64_t frame =
			    e % (mode == 2 ? UINT64_C(1) << 32 : phys_limit) / coverage * coverage;

			if (mode == 2 && level == 2)
				frame += (e >> 13 & 0xff) << 32;
			*gpa = frame + la % coverage;
			*size = coverage;
			leaf = e;
			break;
		}
		table = e % (mode == 2 ? UINT64_C(1) << 32 : phys_limit) / 4096 * 4096;
	}

	bool ok = present && !rsvd, pk = false;
	if (ok && mode >= 4 && acc != GWALK_FETCH && (c->cr4 & (all_user ? PKE : PKS))) {
		unsigned key = leaf >> 59 & 15;
		uint32_t reg = all_user ? c->pkru : c->pkrs;
		bool ad = reg >> (2 * key) & 1, wd = reg >> (2 * key + 1) & 1;

		pk = ad || (wd && acc == GWALK_WRITE && (user_access || (c->cr0 & WP)));
	}
	if (ok) {
		bool allowed;

		if (user_access) {
			allowed = all_user && (acc != GWALK_WRITE || all_write) &&
				  (acc != GWALK_FETCH || !any_xd);
		} else if (acc == GWALK_FETCH) {
			allowed = !any_xd && !(all_user && (c->cr4 & SMEP));
		} else {
			bool smap = all_user && (c->cr4 & SMAP) && !(c->ac && !implicit);

			allowed = !smap && (acc == GWALK_READ || !(c->cr0 & WP) || all_write);
		}
		if (allowed && !pk)
			return 0;
	}
	*code =
	    (present ? 1u : 0) | (acc == GWALK_WRITE ? 2u : 0) | (user_access ? 4u : 0) |
	    (rsvd ? 8u : 0) |
	    (acc == GWALK_FETCH && ((c->cr4 & SMEP) || ((c->cr4 & PAE) && (c->efer & NXE))) ? 16u
											    : 0) |
	    (pk ? 32u : 0);
	return GWALK_FAULT;
}

static uint64_t rnd(void)
{
	return random64() * UINT64_C(0x2545F4914F6CDD1D);
}

static bool chance(unsigned percent)
{
	return (rnd() >> 33) % 100 < percent;
}

/* An entry that points somewhere, mostly in order, sometimes with a random bit. */
static uint64_t rnd_entry(int mode, int level, const struct gwalk_cpu *c)
{
	uint64_t phys = mode == 2 ? UINT64_C(1) << 32 : UINT64_C(1) << c->maxphyaddr;
	uint64_t e = (rnd() % phys & ~UINT64_C(0xfff)) | (rnd() & 0x278);

	if (mode == 3 && level == 3)
		e &= ~UINT64_C(0x1e6);
	else {
		e |= (chance(85) ? 2u : 0) | (chance(70) ? 4u : 0);
		if (mode != 2 && (c->efer & NXE) && chance(15))
			e |= XD;
		if (mode >= 4)
			e |= rnd() & UINT64_C(0x7ff0000000000000);
		if ((level == 2 || (level == 3 && c->gb_pages)) && chance(35)) {
			e |= 0x80;
			if (chance(80)) /* clean the low address bits of a large page, PSE-36
					   included */
				e &= ~(level == 3 ? UINT64_C(0x3fffe000) : UINT64_C(0x1fe000)) &
				     ~(mode == 2 ? UINT64_C(0x200000) : 0);
		}
	}
	if (chance(95))
		e |= 1;
	if (chance(12))
		e ^= UINT64_C(1) << rnd() % (mode == 2 ? 32 : 64);
	return mode == 2 ? e & 0xffffffff : e;
}

static unsigned seen[8][64], translated[8][8];

static void random_walk(int mode)
{
	struct memory m = {0};
	struct gwalk_cpu c = {
	    .cr0 = (chance(70) ? WP : 0) | (mode ? PG : 0) | 1,
	    .cr4 = (chance(70) ? PSE : 0) | (chance(30) ? SMEP : 0) | (chance(30) ? SMAP : 0) |
		   (chance(30) ? PKE : 0) | (chance(20) ? PKS : 0) | (mode >= 3 ? PAE : 0) |
		   (mode == 5 ? LA57 : 0),
	    .efer = (chance(60) ? NXE : 0) | (mode >= 4 ? LMA : 0),
	    .cr3 = rnd(),
	    .pkru = (uint32_t)(rnd() & rnd()),
	    .pkrs = (uint32_t)(rnd() & rnd()),
	    .cpl = chance(50) ? 3 : (uint8_t)(rnd() % 3),
	    .ac = chance(50),
	    .maxphyaddr = (uint8_t)(32 + rnd() % 21),
	    .gb_pages = chance(70),
	    .pse36 = chance(80),
	};
	uint64_t la = rnd();
	enum gwalk_access access = (enum gwalk_access)(rnd() % 3);
	bool implicit = chance(20);

	if (mode >= 4 && chance(95)) {
		unsigned width = mode == 5 ? 57 : 48;

		la = (uint64_t)((int64_t)(la << (64 - width)) >> (64 - width));
	}
	/* The path is laid where the reference will look; it must not be looked for elsewhere. */
	uint64_t table = c.cr3, entries = mode == 2 ? 1024 : 512, bytes = mode == 2 ? 4 : 8;
	uint64_t phys = mode == 2 || mode == 3 ? UINT64_C(1) << 32 : UINT64_C(1) << c.maxphyaddr;
	uint64_t low = mode < 4 ? la & 0xffffffff : la;
	for (int level = mode; level >= 1; level--) {
		uint64_t coverage = 4096;

		for (int i = 1; i < level; i++)
			coverage *= entries;
		table = table % phys & (mode == 3 && level == 3 ? ~UINT64_C(31) : ~UINT64_C(4095));
		uint64_t e = rnd_entry(mode, level, &c);
		add(&m, table + low / coverage % (mode == 3 && level == 3 ? 4 : entries) * bytes,
		    (unsigned)bytes, e);
		table = e;
		phys = mode == 2 ? UINT64_C(1) << 32 : UINT64_C(1) << c.maxphyaddr;
	}

	uint64_t gpa = 0, size = 0;
	uint32_t code = 0;
	struct gwalk_out out;
	int want = ref_walk(&c, &m, la, access, implicit, &gpa, &size, &code);
	int got = gwalk(&c, &read_only, &m, GVA(la), access, implicit, &out);
	if (got != want || (want == GWALK_FAULT && out.error_code != code) ||
	    (want == 0 && (out.gpa.a != gpa || out.page_size != size)))
		fail_msg("mode %d la %llx cr0 %llx cr4 %llx efer %llx access %d: %d code %x gpa "
			 "%llx, expected %d %x %llx",
			 mode, (unsigned long long)la, (unsigned long long)c.cr0,
			 (unsigned long long)c.cr4, (unsigned long long)c.efer, access, got,
			 out.error_code, (unsigned long long)out.gpa.a, want, code,
			 (unsigned long long)gpa);
	if (want == GWALK_FAULT)
		seen[mode][code]++;
	else if (want == 0)
		translated[mode][out.level]++;
}

static void test_random(void **state)
{
	(void)state;
	for (int i = 0; i < 400000; i++) {
		static const int modes[] = {0, 2, 3, 4, 5};

		random_walk(modes[i % 5]);
	}
	/* The draw must have met every kind of page and of fault. */
	static const int paged[] = {2, 3, 4, 5};
	for (int i = 0; i < 4; i++) {
		int mode = paged[i];

		assert_true(translated[mode][1] > 100 && translated[mode][2] > 100);
		assert_true(seen[mode][0] && seen[mode][2] && seen[mode][4] &&
			    seen[mode][6]); /* not present */
		assert_true(seen[mode][1] && seen[mode][3] && seen[mode][5] &&
			    seen[mode][7]); /* rights */
		assert_true(seen[mode][9] && seen[mode][11] && seen[mode][13] &&
			    seen[mode][15]); /* reserved */
		assert_true(seen[mode][16] && seen[mode][17] && seen[mode][25] &&
			    seen[mode][21]); /* fetch */
	}
	for (int mode = 4; mode <= 5; mode++) {
		assert_true(translated[mode][3] > 100);
		assert_true(seen[mode][33] && seen[mode][35] && seen[mode][37] &&
			    seen[mode][39]); /* keys */
	}
}

/* ---- fixed cases, worked out by hand ---- */

static struct gwalk_cpu cpu64(void)
{
	return (struct gwalk_cpu){.cr0 = PG | WP | 1,
				  .cr3 = 0x1000,
				  .cr4 = PAE,
				  .efer = LMA | NXE,
				  .cpl = 0,
				  .maxphyaddr = 46,
				  .gb_pages = true,
				  .pse36 = true};
}

/* Linear address 0xffff8123456789ab: indices 0x102, 0x08d, 0x02b, 0x078. */
#define LA_64 UINT64_C(0xffff8123456789ab)

static void tables64(struct memory *m, uint64_t pml4e, uint64_t pdpte, uint64_t pde, uint64_t pte)
{
	*m = (struct memory){0};
	add(m, 0x1000 + 0x102 * 8, 8, pml4e);
	add(m, 0x2000 + 0x08d * 8, 8, pdpte);
	add(m, 0x3000 + 0x02b * 8, 8, pde);
	add(m, 0x4000 + 0x078 * 8, 8, pte);
}

static void test_4level(void **state)
{
	struct gwalk_cpu c = cpu64();
	struct gwalk_out o;
	struct memory m;

	(void)state;
	tables64(&m, 0x2003, 0x3003, 0x4003, 0x3fff12345000 | XD | 0x9b);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_WRITE, false, &o), 0);
	assert_true(o.gpa.a == UINT64_C(0x3fff123459ab));
	assert_true(o.page_size == 4096 && o.level == 1 && o.writable && !o.user && !o.executable);
	assert_int_equal(o.pat, 7); /* PAT, PCD and PWT set */
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_FETCH, false, &o),
			 GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_I);
	c.cpl = 3;
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o), GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_U);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, true, &o), 0);
	c.cpl = 0;
	assert_int_equal(
	    gwalk(&c, &read_only, &m, GVA(UINT64_C(0x800000000000)), GWALK_READ, false, &o),
	    GWALK_NONCANONICAL);
	/* Without NXE bit 63 is reserved. */
	c.efer = LMA;
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o), GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_RSVD);
	c.efer = LMA | NXE;
	/* Bit 46 with a MAXPHYADDR of 46. */
	tables64(&m, 0x2003, 0x3003 | UINT64_C(1) << 46, 0x4003, 0x5003);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_WRITE, false, &o),
			 GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_W | GWALK_PF_RSVD);
	/* 2 MiB and 1 GiB pages, their reserved bits, and 1 GiB pages on a CPU without them. */
	tables64(&m, 0x2003, 0x3003, 0x40001083, 0);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o), 0);
	assert_true(o.gpa.a == 0x400789ab && o.page_size == SIZE_2M && o.pat == 4 && o.level == 2);
	tables64(&m, 0x2003, 0x3003, 0x40002083, 0);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o), GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_RSVD);
	tables64(&m, 0x2003, 0x80000083, 0, 0);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o), 0);
	assert_true(o.gpa.a == 0x856789ab && o.page_size == SIZE_1G && o.level == 3);
	c.gb_pages = false;
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o), GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_RSVD);
	/* PS in a PML4E is reserved. An entry that is not present has no reserved bits. */
	tables64(&m, 0x2083, 0, 0, 0);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o), GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_RSVD);
	tables64(&m, UINT64_MAX & ~UINT64_C(1), 0, 0, 0);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o), GWALK_FAULT);
	assert_int_equal(o.error_code, 0);
	/* A table outside of memory: the callback's error comes through. */
	tables64(&m, 0x9003, 0, 0, 0);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o), -EFAULT);
}

static void test_32bit(void **state)
{
	struct gwalk_cpu c = {
	    .cr0 = PG | 1, .cr3 = 0x1fff, .cr4 = PSE, .cpl = 3, .maxphyaddr = 40, .pse36 = true};
	struct gwalk_out o;
	struct memory m = {0};

	(void)state;
	/* 0x12345678: directory index 0x48, table index 0x345. */
	add(&m, 0x1000 + 0x48 * 4, 4, 0x5007);
	add(&m, 0x5000 + 0x345 * 4, 4, 0xabcde007);
	assert_int_equal(
	    gwalk(&c, &read_only, &m, GVA(UINT64_C(0xdeadbeef12345678)), GWALK_WRITE, false, &o),
	    0);
	assert_true(o.gpa.a == 0xabcde678 && o.page_size == 4096);
	/* PSE-36: bits 20:13 = 0xff are address bits 39:32. */
	m.slots = 0;
	add(&m, 0x1000 + 0x48 * 4, 4, 0xc01fe087);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0x12345678), GWALK_READ, false, &o), 0);
	assert_true(o.gpa.a == UINT64_C(0xffc0345678) && o.page_size == 0x400000);
	c.maxphyaddr = 39;
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0x12345678), GWALK_READ, false, &o),
			 GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_U | GWALK_PF_RSVD);
	/* Without CR4.PSE the bit is ignored: a page table at 0xc01fe000. */
	c.cr4 = 0;
	add(&m, 0xc01fe000 + 0x345 * 4, 4, 0x7005);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0x12345678), GWALK_READ, false, &o), 0);
	assert_true(o.gpa.a == 0x7678);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0x12345678), GWALK_WRITE, false, &o),
			 GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_W | GWALK_PF_U);
	/* CR0.WP = 0: the supervisor writes where it wants. No I bit without SMEP or NXE. */
	c.cpl = 0;
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0x12345678), GWALK_WRITE, false, &o), 0);
	m.slots--;
	add(&m, 0xc01fe000 + 0x345 * 4, 4, 0);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0x12345678), GWALK_FETCH, false, &o),
			 GWALK_FAULT);
	assert_int_equal(o.error_code, 0);
	/* Paging off. */
	c.cr0 = 1;
	assert_int_equal(
	    gwalk(&c, &read_only, &m, GVA(UINT64_C(0x1fffffff0)), GWALK_WRITE, false, &o), 0);
	assert_true(o.gpa.a == 0xfffffff0 && o.page_size == 4096);
}

static void test_pae(void **state)
{
	static const uint64_t loaded[4] = {0, 0, 0, 0x7001};
	struct gwalk_cpu c = {
	    .cr0 = PG | 1, .cr3 = 0x12345020, .cr4 = PAE, .cpl = 3, .maxphyaddr = 36};
	struct gwalk_out o;
	struct memory m = {0};

	(void)state;
	/* 0xc0801234: PDPTE 3, PDE 4, PTE 1. CR3 points to 32-byte steps. */
	add(&m, 0x12345020 + 24, 8, 0x6001);
	add(&m, 0x6000 + 4 * 8, 8, 0x8007);
	add(&m, 0x8000 + 8, 8, 0xfffff1007);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0xc0801234), GWALK_WRITE, false, &o), 0);
	assert_true(o.gpa.a == UINT64_C(0xfffff1234) && o.page_size == 4096);
	/* The reserved bits of a PDPTE in memory, but for bit 5, which QEMU sets by itself. */
	for (unsigned bit = 1; bit < 64; bit++) {
		bool reserved = bit <= 2 || (bit >= 6 && bit <= 8) || bit >= c.maxphyaddr;
		struct memory n = {0};

		if (!reserved && bit != 5)
			continue;
		add(&n, 0x12345020 + 24, 8, 0x6001 | UINT64_C(1) << bit);
		add(&n, 0x6000 + 4 * 8, 8, 0x8007);
		add(&n, 0x8000 + 8, 8, 0xfffff1007);
		assert_int_equal(gwalk(&c, &read_only, &n, GVA(0xc0801234), GWALK_READ, false, &o),
				 reserved ? GWALK_FAULT : 0);
	}
	/* PDPTEs that the CPU has loaded come first. */
	c.pdpte = loaded;
	add(&m, 0x7000 + 4 * 8, 8, 0x600087);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0xc0801234), GWALK_WRITE, false, &o), 0);
	assert_true(o.gpa.a == 0x601234 && o.page_size == SIZE_2M);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0x40801234), GWALK_WRITE, false, &o),
			 GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_W | GWALK_PF_U);
	/* Bits 62:52 are reserved here, unlike in 4-level paging. */
	m.slots--;
	add(&m, 0x7000 + 4 * 8, 8, 0x600087 | UINT64_C(1) << 52);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(0xc0801234), GWALK_READ, false, &o),
			 GWALK_FAULT);
	assert_int_equal(o.error_code, GWALK_PF_P | GWALK_PF_U | GWALK_PF_RSVD);
}

static void test_accessed_dirty(void **state)
{
	struct gwalk_cpu c = cpu64();
	struct gwalk_out o;
	struct memory m;

	(void)state;
	tables64(&m, 0x2003, 0x3023, 0x4003, 0x5003);
	assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_WRITE, false, &o), 0);
	assert_true(m.slot[0].value == 0x2003 && m.slot[3].value == 0x5003);
	assert_int_equal(gwalk(&c, &read_write, &m, GVA(LA_64), GWALK_READ, false, &o), 0);
	assert_true(m.slot[0].value == 0x2023 && m.slot[1].value == 0x3023 &&
		    m.slot[2].value == 0x4023 && m.slot[3].value == 0x5023);
	assert_int_equal(m.updates, 3);
	assert_true(o.leaf == 0x5023);
	assert_int_equal(gwalk(&c, &read_write, &m, GVA(LA_64), GWALK_WRITE, false, &o), 0);
	assert_true(m.slot[2].value == 0x4023 && m.slot[3].value == 0x5063);
	assert_int_equal(m.updates, 4);
	/* Nothing left to set. */
	assert_int_equal(gwalk(&c, &read_write, &m, GVA(LA_64), GWALK_WRITE, false, &o), 0);
	assert_int_equal(m.updates, 4);
	/* A walk that faults sets nothing. */
	tables64(&m, 0x2003, 0x3003, 0x4003, 0x5001);
	assert_int_equal(gwalk(&c, &read_write, &m, GVA(LA_64), GWALK_WRITE, false, &o),
			 GWALK_FAULT);
	assert_int_equal(m.updates, 0);
	/* An entry that changes in between is read again. */
	tables64(&m, 0x2003, 0x3003, 0x4003, 0x5003);
	m.conflicts = 3;
	assert_int_equal(gwalk(&c, &read_write, &m, GVA(LA_64), GWALK_WRITE, false, &o), 0);
	assert_true(m.slot[0].value == 0x2223 && m.slot[3].value == 0x5063);
	tables64(&m, 0x2003, 0x3003, 0x4003, 0x5003);
	m.conflicts = 1000;
	assert_int_equal(gwalk(&c, &read_write, &m, GVA(LA_64), GWALK_WRITE, false, &o), -EBUSY);
}

static int no_update(void *arg, gpa_t entry, unsigned size, uint64_t old, uint64_t value)
{
	(void)arg, (void)entry, (void)size, (void)old, (void)value;
	return -EACCES;
}

/* What a callback says ends the walk, at each entry that it reads or would change. */
static void test_callback_errors(void **state)
{
	static const struct gwalk_ops refusing = {.read = mem_read, .update = no_update};
	struct gwalk_cpu c = cpu64();
	struct gwalk_cpu pae = {
	    .cr0 = PG | 1, .cr3 = 0x12345020, .cr4 = PAE, .cpl = 3, .maxphyaddr = 36};
	struct gwalk_cpu two = {.cr0 = PG | 1, .cr3 = 0x1000, .cpl = 3, .maxphyaddr = 36};
	struct gwalk_out o;
	struct memory m;

	(void)state;
	tables64(&m, 0x2003, 0x3003, 0x4003, 0x5003);
	assert_int_equal(gwalk(&c, &refusing, &m, GVA(LA_64), GWALK_READ, false, &o), -EACCES);
	/* Nothing to set, nothing to ask. */
	tables64(&m, 0x2023, 0x3023, 0x4023, 0x5023);
	assert_int_equal(gwalk(&c, &refusing, &m, GVA(LA_64), GWALK_READ, false, &o), 0);
	assert_int_equal(gwalk(&c, &refusing, &m, GVA(LA_64), GWALK_WRITE, false, &o), -EACCES);
	for (unsigned slots = 0; slots < 4; slots++) {
		tables64(&m, 0x2003, 0x3003, 0x4003, 0x5003);
		m.slots = slots;
		assert_int_equal(gwalk(&c, &read_only, &m, GVA(LA_64), GWALK_READ, false, &o),
				 -EFAULT);
	}
	for (unsigned slots = 0; slots < 3; slots++) {
		m.slots = 0;
		add(&m, 0x12345020 + 24, 8, 0x6001);
		add(&m, 0x6000 + 4 * 8, 8, 0x8007);
		add(&m, 0x8000 + 8, 8, 0xfffff1007);
		m.slots = slots;
		assert_int_equal(
		    gwalk(&pae, &read_only, &m, GVA(0xc0801234), GWALK_READ, false, &o), -EFAULT);
	}
	for (unsigned slots = 0; slots < 2; slots++) {
		m.slots = 0;
		add(&m, 0x1000 + 0x48 * 4, 4, 0x5007);
		add(&m, 0x5000 + 0x345 * 4, 4, 0xabcde007);
		m.slots = slots;
		assert_int_equal(
		    gwalk(&two, &read_only, &m, GVA(0x12345678), GWALK_READ, false, &o), -EFAULT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_4level),
	    cmocka_unit_test(test_32bit),
	    cmocka_unit_test(test_pae),
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_accessed_dirty),
	    cmocka_unit_test(test_callback_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
