/* MTRR memory types against a page-by-page reference, and guest writes. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/mtrr.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/host/random.h"

#define E  MTRR_DEF_TYPE_E
#define FE MTRR_DEF_TYPE_FE
#define V  MTRR_PHYSMASK_VALID

/*
 * The reference: SDM 3A 12.11.4.1 read literally for one address, with a set of the types that
 * match. It shares nothing with the code under test and knows nothing about runs.
 */
static unsigned int reference(const struct mtrr_state *m, uint64_t a)
{
	unsigned int set = 0;

	if (!(m->def_type & E))
		return MTRR_UC;
	if (a < 0x100000 && (m->cap & MTRR_CAP_FIX) && (m->def_type & FE)) {
		unsigned int byte;
		if (a < 0x80000)
			byte = (unsigned int)(a / 0x10000);
		else if (a < 0xc0000)
			byte = 8 + (unsigned int)((a - 0x80000) / 0x4000);
		else
			byte = 24 + (unsigned int)((a - 0xc0000) / 0x1000);
		return ((const uint8_t *)m->fixed)[byte];
	}
	for (unsigned int i = 0; i < (m->cap & 0xff) && i < MTRR_VAR_MAX; i++) {
		bool match = (m->var[i].mask & V) != 0;
		for (unsigned int bit = 12; bit < m->phys_bits && match; bit++) {
			if ((m->var[i].mask >> bit) & 1)
				match = ((m->var[i].base >> bit) & 1) == ((a >> bit) & 1);
		}
		if (match)
			set |= 1U << (m->var[i].base & 0xff);
	}
	if (set == 0)
		return (unsigned int)(m->def_type & 0xff);
	if (set & (1U << MTRR_UC))
		return MTRR_UC;
	if (set == (1U << MTRR_WT | 1U << MTRR_WB))
		return MTRR_WT;
	for (unsigned int t = 0; t < 8; t++) {
		if (set == 1U << t)
			return t;
	}
	return MTRR_UC;
}

static uint64_t random_type(void)
{
	static const uint64_t types[] = {MTRR_UC, MTRR_WC, MTRR_WT, MTRR_WP,
					 MTRR_WB, MTRR_WB, MTRR_WB};

	return types[random64() % 7];
}

/* A state of 32-bit addresses, so that 2^20 pages are all there is. `holes`: masks of any bits. */
static struct mtrr_state random_state(bool holes)
{
	struct mtrr_state m = {.phys_bits = 32};

	m.cap = (random64() % 11) | MTRR_CAP_FIX | MTRR_CAP_WC;
	m.def_type = random_type() | (random64() % 16 ? E : 0) | (random64() % 3 ? FE : 0);
	for (unsigned int i = 0; i < MTRR_FIXED_MAX; i++) {
		for (unsigned int b = 0; b < 8; b++)
			m.fixed[i] |= random_type() << (b * 8);
	}
	for (unsigned int i = 0; i < MTRR_VAR_MAX; i++) {
		unsigned int order = 12 + (unsigned int)(random64() % 20);
		uint64_t mask = 0xfffff000 & ~((UINT64_C(1) << order) - 1);

		if (holes)
			mask = random64() & random64() & 0xfffff000;
		m.var[i].base = (random64() & 0xfffff000) | random_type();
		if (random64() % 2)
			m.var[i].base &= ~mask | 0xf00fffff; /* crowd them together */
		m.var[i].mask = mask | (random64() % 4 ? V : 0);
	}
	return m;
}

static void types_match_reference(void **state)
{
	(void)state;
	for (int round = 0; round < 400; round++) {
		struct mtrr_state m = random_state(round % 3 == 2);

		for (int i = 0; i < 300; i++) {
			uint64_t a = i % 3 ? random64() & 0xffffffff : random64() & 0x1fffff;
			assert_int_equal(mtrr_type_of(&m, GPA(a)), reference(&m, a));
		}
	}
}

/* Sane masks: the run is exactly the longest one. Found by walking pages. */
static void runs_are_longest(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		struct mtrr_state m = random_state(false);

		for (int i = 0; i < 20; i++) {
			uint64_t a = i % 2 ? random64() & 0xffffffff : random64() & 0x1fffff;
			uint64_t limit = (a & ~UINT64_C(0xfff)) + 0x1000 * (1 + random64() % 3000);
			enum mtrr_type type = MTRR_WP;
			uint64_t got = mtrr_uniform_range(&m, GPA(a), GPA(limit), &type);
			uint64_t end = a;

			assert_int_equal(type, reference(&m, a));
			while (end < limit && reference(&m, end) == type)
				end = (end & ~UINT64_C(0xfff)) + 0x1000;
			if (end > limit)
				end = limit;
			assert_int_equal(got, end - a);
		}
	}
}

/* Masks with holes: never a wrong byte, always some progress, and longest while the work is
 * bounded. */
static void runs_with_holes(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		struct mtrr_state m = random_state(true);

		for (int i = 0; i < 10; i++) {
			uint64_t a = random64() & 0xfffff000;
			uint64_t limit =
			    a + 0x1000 * 200; /* fewer pages than runs that are joined */
			enum mtrr_type type;
			uint64_t got = mtrr_uniform_range(&m, GPA(a), GPA(limit), &type);
			uint64_t end = a;

			while (end < limit && reference(&m, end) == reference(&m, a))
				end += 0x1000;
			assert_int_equal(type, reference(&m, a));
			assert_int_equal(got, end - a);
		}
		enum mtrr_type type;
		uint64_t got = mtrr_uniform_range(&m, GPA(0x100000), GPA(UINT64_C(1) << 32), &type);
		assert_true(got > 0);
		for (uint64_t a = 0x100000; a < 0x100000 + got; a += 0x1000)
			assert_int_equal(reference(&m, a), type);
	}
}

/* "The same" is never said of states that differ somewhere; it is said of what has no effect. */
static void same_types(void **state)
{
	unsigned int said = 0;

	(void)state;
	for (int round = 0; round < 4000; round++) {
		struct mtrr_state a = random_state(false), b = a, other = random_state(false);
		unsigned int i = (unsigned int)(random64() % MTRR_VAR_MAX);

		switch (random64() % 4) {
		case 0:
			b.var[i].base = other.var[i].base;
			break;
		case 1:
			b.var[i].mask = other.var[i].mask;
			break;
		case 2:
			b.fixed[i % MTRR_FIXED_MAX] = other.fixed[0];
			break;
		default:
			b.def_type = other.def_type;
			break;
		}
		if (!mtrr_same_types(&a, &b))
			continue;
		said++;
		for (int k = 0; k < 50; k++) {
			uint64_t at = k % 2 ? random64() & 0xffffffff : random64() & 0xfffff;

			assert_int_equal(reference(&a, at), reference(&b, at));
		}
	}
	assert_true(said > 500);
	struct mtrr_state a = {.cap = 2 | MTRR_CAP_FIX, .def_type = MTRR_WB | E, .phys_bits = 36},
			  b = a;

	b.var[1].base = 0x12345000 | MTRR_WC; /* not valid */
	b.fixed[3] = 0x0606060606060606;      /* off */
	assert_true(mtrr_same_types(&a, &b));
	b.var[1].mask = 0xffffff000 | V;
	assert_false(mtrr_same_types(&a, &b));
	b = a;
	b.def_type = MTRR_WB | E | FE;
	assert_false(mtrr_same_types(&a, &b));
	b.def_type = MTRR_UC; /* all are off, which is UC as well: not looked into */
	assert_false(mtrr_same_types(&a, &b));
	a.def_type = 0;
	b.var[0].mask = V;
	assert_true(mtrr_same_types(&a, &b));
}

/* Outside of the ranges nothing differs; inside something does, until there are too many. */
static void differences(void **state)
{
	unsigned int ranges = 0, full = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		bool holes = round % 8 == 7;
		struct mtrr_state a = random_state(holes), b = a, other = random_state(holes);
		unsigned int i = (unsigned int)(random64() % 10),
			     max = 1 + (unsigned int)(random64() % 8);
		struct mtrr_range r[8];

		if (round % 3 == 0)
			b.fixed[i] = other.fixed[i];
		if (round % 3 == 1)
			b.var[i] = other.var[i];
		if (round % 5 == 0)
			b.def_type = other.def_type;
		unsigned int n = mtrr_differences(&a, &b, r, max);

		assert_in_range(n, 0, max);
		if (mtrr_same_types(&a, &b))
			assert_int_equal(n, 0);
		for (unsigned int k = 0; k < n; k++) {
			assert_true(r[k].base < r[k].end && (k == 0 || r[k - 1].end < r[k].base));
			assert_int_equal((r[k].base | r[k].end) % PAGE_SIZE, 0);
			if (!holes)
				assert_int_not_equal(reference(&a, r[k].base),
						     reference(&b, r[k].base));
		}
		ranges += n;
		full += n == max;
		for (unsigned int k = 0; k < 200; k++) {
			uint64_t at = k % 4 == 0 ? random64() & 0xfffff : random64() & 0xffffffff;
			bool inside = false;

			if (n && k % 4 == 1) /* around a border */
				at = (r[k % n].base + (uint64_t)(k % 3) * PAGE_SIZE - PAGE_SIZE) &
				     0xffffffff;
			if (n && k % 4 == 2)
				at = (r[k % n].end + (uint64_t)(k % 3) * PAGE_SIZE - PAGE_SIZE) &
				     0xffffffff;
			for (unsigned int j = 0; j < n; j++)
				inside = inside || (at >= r[j].base && at < r[j].end);
			if (!inside)
				assert_int_equal(reference(&a, at), reference(&b, at));
			else if (!holes && n < max)
				assert_int_not_equal(reference(&a, at), reference(&b, at));
		}
	}
	assert_true(ranges > 3000 && full > 500);
}

/* A hostile pair of masks alternates page by page over all addresses: work is bounded. */
static void differences_without_end(void **state)
{
	struct mtrr_state a = {.cap = 1, .def_type = MTRR_WB | E, .phys_bits = 52}, b = a;
	struct mtrr_range r[4];

	(void)state;
	b.var[0].base = MTRR_UC;
	b.var[0].mask = 0x1000 | V;
	assert_int_equal(mtrr_differences(&a, &b, r, 4), 4);
	assert_int_equal(r[0].base, 0);
	assert_int_equal(r[0].end, 0x1000);
	assert_int_equal(r[3].base, 0x6000);
	assert_int_equal(r[3].end, UINT64_C(1) << 52);
}

/* A PC with 8 GiB as firmware sets it up: WB below 2 GiB and above 4 GiB, UC between. */
static void typical_pc(void **state)
{
	struct mtrr_state m = {.phys_bits = 39, .cap = 0xd0a, .def_type = E | FE | MTRR_UC};
	enum mtrr_type type;

	(void)state;
	memset(m.fixed, 0x06, 3 * 8); /* 00000..bffff; the next lines make a0000 UC again */
	m.fixed[2] = 0;
	memset(&m.fixed[3], 0x05, 8 * 8);
	m.var[0].base = 0 | MTRR_WB;
	m.var[0].mask = UINT64_C(0x7f80000000) | V;
	m.var[1].base = UINT64_C(0x100000000) | MTRR_WB;
	m.var[1].mask = UINT64_C(0x7f00000000) | V;
	m.var[2].base = UINT64_C(0x200000000) | MTRR_WB;
	m.var[2].mask = UINT64_C(0x7f80000000) | V;

	assert_int_equal(mtrr_uniform_range(&m, GPA(0), GPA(SIZE_1G), &type), 0xa0000);
	assert_int_equal(type, MTRR_WB);
	assert_int_equal(mtrr_uniform_range(&m, GPA(0xa0000), GPA(SIZE_1G), &type), 0x20000);
	assert_int_equal(type, MTRR_UC);
	assert_int_equal(mtrr_uniform_range(&m, GPA(0xc0000), GPA(SIZE_1G), &type), 0x40000);
	assert_int_equal(type, MTRR_WP);
	assert_int_equal(mtrr_uniform_range(&m, GPA(0x100000), GPA(8 * SIZE_1G), &type),
			 0x7ff00000);
	assert_int_equal(type, MTRR_WB);
	assert_int_equal(mtrr_uniform_range(&m, GPA(0x80000000), GPA(64 * SIZE_1G), &type),
			 0x80000000);
	assert_int_equal(type, MTRR_UC);
	assert_int_equal(mtrr_uniform_range(&m, GPA(4 * SIZE_1G), GPA(64 * SIZE_1G), &type),
			 6 * SIZE_1G);
	assert_int_equal(type, MTRR_WB);
	assert_int_equal(mtrr_uniform_range(&m, GPA(10 * SIZE_1G), GPA(64 * SIZE_1G), &type),
			 54 * SIZE_1G);
	assert_int_equal(type, MTRR_UC);
	assert_int_equal(mtrr_uniform_range(&m, GPA(0x1000), GPA(0x1000), &type), 0);
	m.def_type &= ~E; /* all off: UC (12.11.2.1) */
	assert_int_equal(mtrr_uniform_range(&m, GPA(0), GPA(64 * SIZE_1G), &type), 64 * SIZE_1G);
	assert_int_equal(type, MTRR_UC);
}

/* Overlaps, one pair of types each (12.11.4.1). */
static void overlaps(void **state)
{
	static const struct {
		enum mtrr_type a, b, result;
	} cases[] = {
	    {MTRR_UC, MTRR_UC, MTRR_UC}, {MTRR_UC, MTRR_WB, MTRR_UC}, {MTRR_UC, MTRR_WC, MTRR_UC},
	    {MTRR_WT, MTRR_WB, MTRR_WT}, {MTRR_WB, MTRR_WT, MTRR_WT}, {MTRR_WB, MTRR_WB, MTRR_WB},
	    {MTRR_WC, MTRR_WC, MTRR_WC}, {MTRR_WP, MTRR_WP, MTRR_WP}, {MTRR_WC, MTRR_WB, MTRR_UC},
	    {MTRR_WP, MTRR_WB, MTRR_UC}, {MTRR_WP, MTRR_WT, MTRR_UC},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mtrr_state m = {.phys_bits = 36, .cap = 0x508, .def_type = E | MTRR_WB};

		m.var[1].base = 0x10000000U | cases[i].a;
		m.var[1].mask = UINT64_C(0xff0000000) | V;
		m.var[5].base = 0x18000000U | cases[i].b;
		m.var[5].mask = UINT64_C(0xff8000000) | V;
		assert_int_equal(mtrr_type_of(&m, GPA(0x10000000)), cases[i].a);
		assert_int_equal(mtrr_type_of(&m, GPA(0x18000000)), cases[i].result);
	}
}

static void guest_writes(void **state)
{
	static const struct {
		uint32_t index;
		uint64_t value;
		int result;
	} cases[] = {
	    {0xfe, 0, -EINVAL}, /* MTRRCAP is read-only */
	    {0x2ff, 0xc06, 0},
	    {0x2ff, 0x806, 0},
	    {0x2ff, 0xc02, -EINVAL}, /* type 2 */
	    {0x2ff, 0x1c06, -EINVAL},
	    {0x2ff, 0x106, -EINVAL},
	    {0x250, UINT64_C(0x0606060606060606), 0},
	    {0x250, UINT64_C(0x0606060606060607), -EINVAL},
	    {0x251, 0, -EINVAL},
	    {0x258, UINT64_C(0x0001040506060606), 0},
	    {0x259, 0, 0},
	    {0x25a, 0, -EINVAL},
	    {0x26f, UINT64_C(0x0505050505050505), 0},
	    {0x26f, UINT64_C(0x1e00000000000000), -EINVAL}, /* AMD's RdMem/WrMem bits */
	    {0x270, 0, -EINVAL},
	    {0x200, UINT64_C(0x80000006), 0},
	    {0x200, UINT64_C(0x80000106), -EINVAL},
	    {0x200, UINT64_C(0x8000000006), -EINVAL}, /* bit 39 of 39 */
	    {0x200, UINT64_C(0x80000003), -EINVAL},
	    {0x201, UINT64_C(0x7f80000800), 0},
	    {0x201, UINT64_C(0x7f80000801), -EINVAL},
	    {0x201, UINT64_C(0xff80000800), -EINVAL},
	    {0x213, UINT64_C(0x7ffffff800), 0},
	    {0x214, 0, -EINVAL}, /* pair 10 of 10 */
	};
	struct mtrr_state m = {.phys_bits = 39, .cap = 0x50a};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t before = 0, after = 0;
		int known = mtrr_msr_read(&m, cases[i].index, &before);
		int result = mtrr_msr_write(&m, cases[i].index, cases[i].value);

		if (result != cases[i].result)
			fail_msg("case %zu: %d", i, result);
		assert_int_equal(mtrr_msr_known(&m, cases[i].index), known == 0);
		if (known == 0) {
			assert_int_equal(mtrr_msr_read(&m, cases[i].index, &after), 0);
			assert_int_equal(after, result == 0 ? cases[i].value : before);
		}
	}
	m.cap = 10; /* neither fixed ranges nor WC */
	assert_int_equal(mtrr_msr_write(&m, 0x250, 0), -EINVAL);
	assert_int_equal(mtrr_msr_write(&m, 0x200, MTRR_WC), -EINVAL);
	assert_int_equal(mtrr_msr_write(&m, 0x200, MTRR_WT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(types_match_reference),
	    cmocka_unit_test(runs_are_longest),
	    cmocka_unit_test(runs_with_holes),
	    cmocka_unit_test(same_types),
	    cmocka_unit_test(differences),
	    cmocka_unit_test(differences_without_end),
	    cmocka_unit_test(typical_pc),
	    cmocka_unit_test(overlaps),
	    cmocka_unit_test(guest_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
