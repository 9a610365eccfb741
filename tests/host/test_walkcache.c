/* The cache of page walks: a hit only when registers, page, access and every entry are as before.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "core/vm/walkcache.h"

#define LA   UINT64_C(0xffff888012345678)
#define PAGE UINT64_C(0x7654000)

/* P, RW, A; the leaf has D as well: SDM 3A table 4-20 */
static uint64_t tables[4];

static struct gwalk_cpu long_mode(void)
{
	struct gwalk_cpu cpu = {.cr0 = 0x80010031,
				.cr3 = 0x1000,
				.cr4 = 0x20,
				.efer = 0xd00,
				.maxphyaddr = 40,
				.gb_pages = true,
				.pse36 = true};

	return cpu;
}

static struct gwalk_out result(void)
{
	return (struct gwalk_out){
	    .gpa = GPA(PAGE | (LA & 0xfff)), .page_size = 4096, .writable = true, .level = 1};
}

/* A walk of four entries, as gwalk() would make it. */
static void walk_to(struct walkcache *c, uint64_t la, enum gwalk_access access)
{
	struct gwalk_cpu cpu = long_mode();
	struct gwalk_out out = result();
	struct walkcache_walk *w = walkcache_begin(c, GVA(la), access);

	for (unsigned i = 0; i < 4; i++)
		walkcache_note(w, &tables[i], 8, tables[i]);
	walkcache_keep(w, &cpu, GVA(la), access, &out);
}

static void walk(struct walkcache *c, enum gwalk_access access)
{
	walk_to(c, LA, access);
}

static int setup(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		tables[i] = 0x23 | (i + 2) << 12;
	tables[3] |= 0x40;
	return 0;
}

static bool hit(const struct walkcache *c, const struct gwalk_cpu *cpu, uint64_t la,
		enum gwalk_access access)
{
	struct gwalk_out out;

	memset(&out, 0xee, sizeof(out));
	if (!walkcache_find(c, cpu, GVA(la), access, &out))
		return false;
	assert_int_equal(out.gpa.a, PAGE | (la & 0xfff));
	assert_int_equal(out.page_size, 4096);
	assert_true(out.writable);
	return true;
}

static void test_hit(void **state)
{
	struct walkcache c = {0};
	struct gwalk_cpu cpu = long_mode();

	(void)state;
	assert_false(hit(&c, &cpu, LA, GWALK_READ));
	walk(&c, GWALK_READ);
	assert_true(hit(&c, &cpu, LA, GWALK_READ));
	assert_true(hit(&c, &cpu, LA ^ 0xabc, GWALK_READ)); /* another byte of the page */
	assert_false(hit(&c, &cpu, LA + 0x1000, GWALK_READ));
	assert_false(hit(&c, &cpu, LA + 0x1000 * WALKCACHE_ENTRIES, GWALK_READ));
	assert_false(hit(&c, &cpu, LA, GWALK_WRITE));
	assert_false(hit(&c, &cpu, LA, GWALK_FETCH));
}

static void test_entries(void **state)
{
	struct gwalk_cpu cpu = long_mode();

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned bit = 0; bit < 64; bit++) {
			struct walkcache c = {0};

			walk(&c, GWALK_WRITE);
			assert_true(hit(&c, &cpu, LA, GWALK_WRITE));
			tables[i] ^= UINT64_C(1) << bit;
			assert_false(hit(&c, &cpu, LA, GWALK_WRITE));
			tables[i] ^= UINT64_C(1) << bit;
			assert_true(hit(&c, &cpu, LA, GWALK_WRITE));
		}
	}
}

/* Those of one instruction are all kept, wherever it and its operand lie: across pages as well. */
static void test_instruction(void **state)
{
	struct gwalk_cpu cpu = long_mode();

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		struct walkcache c = {0};
		uint64_t code = LA + (i & 7) * 0x1000, data = LA + (i >> 3) * 0x1000;
		enum gwalk_access access = i & 1 ? GWALK_READ : GWALK_WRITE;

		walk_to(&c, code, GWALK_FETCH);
		walk_to(&c, code + 0x1000, GWALK_FETCH);
		walk_to(&c, data, access);
		walk_to(&c, data + 0x1000, access);
		assert_true(hit(&c, &cpu, code, GWALK_FETCH));
		assert_true(hit(&c, &cpu, code + 0x1000, GWALK_FETCH));
		assert_true(hit(&c, &cpu, data, access));
		assert_true(hit(&c, &cpu, data + 0x1000, access));
	}
}

/* Every register that gwalk() looks at. */
static void test_registers(void **state)
{
	struct walkcache c = {0};
	uint64_t pdpte[4] = {0};
	struct gwalk_cpu cpu;

	(void)state;
	walk(&c, GWALK_READ);
#define DIFFERENT(member, value)                                                                   \
	do {                                                                                       \
		cpu = long_mode();                                                                 \
		cpu.member = (value);                                                              \
		assert_false(hit(&c, &cpu, LA, GWALK_READ));                                       \
	} while (0)
	DIFFERENT(cr0, 0x80000031);
	DIFFERENT(cr3, 0x2000);
	DIFFERENT(cr4, 0x200020);
	DIFFERENT(efer, 0x500);
	DIFFERENT(pkru, 1);
	DIFFERENT(pkrs, 1);
	DIFFERENT(cpl, 3);
	DIFFERENT(ac, true);
	DIFFERENT(maxphyaddr, 36);
	DIFFERENT(gb_pages, false);
	DIFFERENT(pse36, false);
	DIFFERENT(pdpte, pdpte);
#undef DIFFERENT
	cpu = long_mode();
	assert_true(hit(&c, &cpu, LA, GWALK_READ));
}

/* Accessed or dirty flags that are clear, changed ones, other formats, and a walk that began again.
 */
static void test_unfit(void **state)
{
	struct gwalk_cpu cpu = long_mode();
	struct gwalk_out out = result();

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct walkcache c = {0};

		tables[i] &= ~UINT64_C(0x20);
		walk(&c, GWALK_READ);
		assert_false(hit(&c, &cpu, LA, GWALK_READ));
		tables[i] |= 0x20;
	}
	tables[3] &= ~UINT64_C(0x40);
	struct walkcache c = {0};

	walk(&c, GWALK_READ);
	assert_true(hit(&c, &cpu, LA, GWALK_READ)); /* a read leaves the dirty flag */
	walk(&c, GWALK_WRITE);
	assert_false(hit(&c, &cpu, LA, GWALK_WRITE));

	struct walkcache_walk *w = walkcache_begin(&c, GVA(LA), GWALK_READ);

	assert_false(hit(&c, &cpu, LA, GWALK_READ)); /* a walk that faults leaves nothing */
	walkcache_note(w, &tables[0], 8, tables[0]);
	walkcache_unfit(w);
	walkcache_keep(w, &cpu, GVA(LA), GWALK_READ, &out);
	assert_false(hit(&c, &cpu, LA, GWALK_READ));

	w = walkcache_begin(&c, GVA(LA), GWALK_READ);
	walkcache_note(w, &tables[0], 4, 0x23);
	walkcache_keep(w, &cpu, GVA(LA), GWALK_READ, &out);
	assert_false(hit(&c, &cpu, LA, GWALK_READ));

	w = walkcache_begin(&c, GVA(LA), GWALK_READ);
	for (unsigned i = 0; i < WALKCACHE_LEVELS + 1; i++)
		walkcache_note(w, &tables[0], 8, tables[0]);
	walkcache_keep(w, &cpu, GVA(LA), GWALK_READ, &out);
	assert_false(hit(&c, &cpu, LA, GWALK_READ));

	w = walkcache_begin(&c, GVA(LA), GWALK_READ); /* without paging nothing is read */
	walkcache_keep(w, &cpu, GVA(LA), GWALK_READ, &out);
	assert_false(hit(&c, &cpu, LA, GWALK_READ));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_hit, setup),
	    cmocka_unit_test_setup(test_entries, setup),
	    cmocka_unit_test_setup(test_instruction, setup),
	    cmocka_unit_test_setup(test_registers, setup),
	    cmocka_unit_test_setup(test_unfit, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
