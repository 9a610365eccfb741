/* The flush debt: the engine reports each right that is taken, and no CPU enters its guest with a
 * part of the debt that is due. */
/* SPDX-License-Identifier: BSD-3-Clause */
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

/* As in the debug image, but for the VMM calls. */
#define CONFIG_TEST_CALLS
#include "core/audit.h"
#include "core/mm/pgtable.c"
#undef CONFIG_TEST_CALLS
#define this_cpu percpu_this_cpu
#include "core/x86/percpu.h"
#undef this_cpu

static struct cpu machine[3] = {{.index = 0}, {.index = 1}, {.index = 2}};
static struct cpu *self; /* NULL: start-up */

struct cpu *cpu_current(void)
{
	return self;
}

static struct cpu *this_cpu(void)
{
	return self;
}

#include "core/audit.c"

static void on(unsigned i)
{
	self = &machine[i];
}

static void start(void)
{
	taken = due = 0;
	memset(account, 0, sizeof(account));
	self = NULL;
}

static bool may_enter(unsigned i)
{
	on(i);
	return audit_debt() == 0;
}

static void take(unsigned i)
{
	on(i);
	audit_taken(NULL);
}

static void flush(unsigned i)
{
	on(i);
	audit_flushed();
}

static void nobody_flushes(void **state)
{
	(void)state;
	start();
	for (unsigned i = 0; i < 3; i++)
		assert_true(may_enter(i));
	take(0);
	take(0);
	assert_false(may_enter(0));
	assert_int_equal(audit_debt(), 2);
	assert_false(may_enter(1));
	assert_false(may_enter(2));
	flush(1);
	assert_true(may_enter(1));
	assert_false(may_enter(0));
	assert_false(may_enter(2));
}

/* The debt is due when the CPU that took the right goes on, not before: others are told meanwhile.
 */
static void due_when_taker_enters(void **state)
{
	(void)state;
	start();
	take(1);
	assert_true(may_enter(0)); /* its kick is under way */
	flush(0);
	flush(1);
	assert_true(may_enter(1));
	assert_true(may_enter(0));
	assert_false(may_enter(2)); /* was forgotten */
	flush(2);
	assert_true(may_enter(2));
}

/* A flush does not close what is taken behind it. */
static void flush_comes_too_early(void **state)
{
	(void)state;
	start();
	take(0);
	for (unsigned i = 0; i < 3; i++)
		flush(i);
	take(0);
	flush(0);
	assert_true(may_enter(0));
	assert_false(may_enter(1));
	flush(1);
	assert_true(may_enter(1));
	assert_false(may_enter(2));
}

/* Two CPUs take rights; the one that is done first makes its own part due only. */
static void two_takers(void **state)
{
	(void)state;
	start();
	take(0);
	for (unsigned i = 0; i < 3; i++)
		flush(i);
	take(1);
	assert_true(may_enter(0));
	assert_true(may_enter(2));
	flush(1);
	assert_true(may_enter(1));
	assert_false(may_enter(0));
	assert_false(may_enter(2));
}

/* Tables change during start-up: each CPU flushes before its first entry. */
static void start_up(void **state)
{
	(void)state;
	start();
	audit_taken(NULL);
	assert_false(may_enter(0));
	flush(0);
	assert_true(may_enter(0));
	assert_false(may_enter(2));
}

/* ---- the engine's reports ---- */

#define TABLES 64
#define SPAN   (UINT64_C(4) << 20) /* 4 MiB from 0 */

static uint64_t memory[TABLES + 1][512];
static bool used[TABLES + 1];
static unsigned reports, freed;

static uint64_t table_alloc(void *arg)
{
	(void)arg;
	for (unsigned i = 1; i <= TABLES; i++) {
		if (used[i])
			continue;
		used[i] = true;
		memset(memory[i], 0, sizeof(memory[i]));
		return i * PAGE_SIZE;
	}
	return 0;
}

static void table_free(void *arg, uint64_t pa)
{
	(void)arg;
	freed++;
	used[pa / PAGE_SIZE] = false;
}

static uint64_t *table_at(void *arg, uint64_t pa)
{
	(void)arg;
	return memory[pa / PAGE_SIZE];
}

static void report(void *arg)
{
	(void)arg;
	reports++;
}

struct page {
	bool is_mapped;
	struct pt_leaf leaf;
};

static void look(const struct pt *pt, struct page *pages)
{
	for (uint64_t i = 0; i < SPAN / PAGE_SIZE; i++)
		pages[i].is_mapped = pt_lookup(pt, i * PAGE_SIZE, &pages[i].leaf);
}

static bool lost(const struct page *old, const struct page *new)
{
	return old->is_mapped &&
	       (!new->is_mapped || old->leaf.pa != new->leaf.pa ||
		(old->leaf.perm & ~new->leaf.perm) || old->leaf.type != new->leaf.type);
}

/* Whatever is mapped over whatever: reported when any page lost a right or a table went, else not.
 */
static void engine_reports(void **state)
{
	static struct page before[SPAN / PAGE_SIZE], after[SPAN / PAGE_SIZE];
	static const unsigned perms[] = {0, PT_R, PT_RX, PT_RWX, PT_RWX};
	unsigned with = 0, without = 0;

	(void)state;
	for (unsigned format = 0; format < 2; format++) {
		struct pt pt = {
		    .format = format ? &pt_format_ept : &pt_format_npt,
		    .max_leaf_level = 2,
		    .alloc = table_alloc,
		    .free = table_free,
		    .at = table_at,
		    .taken = report,
		};

		memset(used, 0, sizeof(used));
		pt.root = table_alloc(NULL);
		look(&pt, before);
		for (unsigned step = 0; step < 1500; step++) {
			bool large = random64() & 1;
			uint64_t unit = large ? SIZE_2M : PAGE_SIZE;
			uint64_t va = random64() % (SPAN / unit) * unit;
			uint64_t pa = random64() % 8 ? va : va + SIZE_1G;
			uint64_t size = large ? unit : (1 + random64() % 4) * unit;
			bool is_lost = false;

			if (va + size > SPAN)
				size = SPAN - va;
			reports = freed = 0;
			assert_int_equal(pt_map(&pt, va, pa, size, perms[random64() % 5],
						random64() % 8 ? PT_WB : PT_UC),
					 0);
			look(&pt, after);
			for (uint64_t i = 0; i < SPAN / PAGE_SIZE; i++)
				is_lost |= lost(&before[i], &after[i]);
			assert_int_equal(reports != 0, is_lost || freed);
			with += reports != 0;
			without += reports == 0;
			memcpy(before, after, sizeof(before));
		}
	}
	assert_true(with > 300 && without > 300);
	print_message("%u changes take a right, %u do not\n", with, without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_flushes),
	    cmocka_unit_test(due_when_taker_enters),
	    cmocka_unit_test(flush_comes_too_early),
	    cmocka_unit_test(two_takers),
	    cmocka_unit_test(start_up),
	    cmocka_unit_test(engine_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
