/* Nested tables as nested.c makes them: whatever a guest does, none shows the VMM's memory. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/mm/pages.h"
#include "core/vmm_ops.h"
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

#define REGION_BASE UINT64_C(0x7ec00000)
#define REGION_SIZE UINT64_C(0x800000)
#define POOL_FIRST  1024 /* page of the region where the pool starts; below lies the image */

/* The region's memory lies somewhere else here than on a machine. */
static uint8_t pool[REGION_SIZE / PAGE_SIZE - POOL_FIRST][PAGE_SIZE] __attribute__((aligned(4096)));

static hpa_t test_virt_to_phys(const volatile void *p)
{
	return HPA((uint64_t)((const volatile uint8_t *)p - (const uint8_t *)pool) + REGION_BASE +
		   POOL_FIRST * PAGE_SIZE);
}

static void *test_phys_to_virt(hpa_t pa)
{
	assert_in_range(pa.a, REGION_BASE + POOL_FIRST * PAGE_SIZE, REGION_BASE + REGION_SIZE - 1);
	return (uint8_t *)pool + (pa.a - REGION_BASE - POOL_FIRST * PAGE_SIZE);
}

#define virt_to_phys test_virt_to_phys
#define phys_to_virt test_phys_to_virt
#include "core/vm/nested.c"

/* ---- what nested.c calls ---- */

uint64_t region_base = REGION_BASE, region_size = REGION_SIZE;
const struct vmm_ops *vmm_ops;

enum { FREE, USED, STALE };
static uint8_t use[sizeof(pool) / sizeof(pool[0])];
static uint32_t pool_size; /* pages that may be used */
static unsigned flushes, given_back, skipped, refused;

void *pages_alloc(size_t count, uint64_t align)
{
	assert_int_equal(count, 1);
	assert_int_equal(align, PAGE_SIZE);
	for (uint32_t i = 0; i < pool_size; i++) {
		if (use[i] == FREE) {
			use[i] = USED;
			return memset(pool[i], 0, PAGE_SIZE);
		}
	}
	return NULL;
}

uint64_t pages_table_alloc(void *arg)
{
	void *p = pages_alloc(1, PAGE_SIZE);

	(void)arg;
	return p ? virt_to_phys(p).a : 0;
}

uint64_t *pages_table_at(void *arg, uint64_t pa)
{
	(void)arg;
	return phys_to_virt(HPA(pa));
}

/* A table may be anything else only after every CPU forgot it: a flush since it was taken out. */
static unsigned flushes_at_change;

void pages_table_free(void *arg, uint64_t pa)
{
	uint8_t *p = phys_to_virt(HPA(pa));
	size_t i = (size_t)(p - (uint8_t *)pool) / PAGE_SIZE;

	assert_null(arg);
	assert_int_equal(use[i], USED);
	assert_int_not_equal(flushes, flushes_at_change);
	assert_int_equal(lock.next, lock.owner);
	use[i] = FREE;
	given_back++;
	memset(p, 0xa5, PAGE_SIZE);
}

/*
 * The flush debt: what CPUs may hold of the tables, which is what these said at the last flush and
 * since. Whoever takes a right away must flush behind that, and before he is done.
 */
static struct held {
	uint64_t va;
	struct pt_leaf leaf;
} held[1 << 16];
static size_t held_count;

static void hold(void *arg, uint64_t va, const struct pt_leaf *leaf)
{
	(void)arg;
	assert_true(held_count < sizeof(held) / sizeof(held[0]));
	held[held_count++] = (struct held){va, *leaf};
}

static void hold_all(void)
{
	held_count = 0;
	pt_for_each(&nested, hold, NULL);
}

/* Each right that is held is still given by the tables, maybe in other pages. */
static void check_debt(void)
{
	for (size_t i = 0; i < held_count; i++) {
		const struct held *h = &held[i];
		uint64_t end = h->va + h->leaf.page_size;
		struct pt_leaf now;

		for (uint64_t va = h->va; va < end;
		     va = align_down(va, now.page_size) + now.page_size) {
			if (!pt_lookup(&nested, va, &now) || now.pa != h->leaf.pa + (va - h->va) ||
			    (h->leaf.perm & ~now.perm) || now.type != h->leaf.type)
				fail_msg("%#lx: a right was taken without a flush", va);
		}
	}
	hold_all();
}

void nmi_flush_all(void)
{
	assert_int_equal(lock.next, lock.owner); /* a CPU that waits for it would never answer */
	flushes++;
	hold_all();
}

void log_printf(const char *format, ...)
{
	(void)format;
}

void emulate_exception(struct vcpu *v, uint8_t vector, uint32_t error)
{
	(void)v;
	assert_int_equal(vector, 13);
	assert_int_equal(error, 0);
	refused++;
}

enum exit_result emulate_skip(struct vcpu *v)
{
	(void)v;
	skipped++;
	return EXIT_ADVANCE;
}

/* Types in pieces of 64 KiB, from a number that changes. */
static uint64_t types;

static enum pt_type type_of(uint64_t a)
{
	static const enum pt_type list[] = {PT_WB, PT_WB, PT_UC, PT_WT};
	uint64_t piece = types & 1 ? a >> 16 : a >> 26;

	return list[(piece * 0x9e3779b97f4a7c15 + types) >> 61 & 3];
}

uint64_t mtrr_guest_run(uint64_t base, uint64_t end, enum pt_type *type)
{
	uint64_t at = base;

	*type = type_of(base);
	while (at < end && type_of(at) == *type)
		at = align_down(at, types & 1 ? 0x10000 : 0x4000000) +
		     (types & 1 ? 0x10000 : 0x4000000);
	return (at < end ? at : end) - base;
}

/* ---- the checks ---- */

static unsigned max_leaf_level;

static unsigned max_leaf(void)
{
	return max_leaf_level;
}

static enum exit_result handler_called(struct vcpu *v, const struct mem_fault *f)
{
	(void)v;
	(void)f;
	return EXIT_ADVANCE;
}

static void check_leaf(void *arg, uint64_t va, const struct pt_leaf *leaf)
{
	uint64_t end = REGION_BASE + REGION_SIZE, *region_pages = arg;

	if (va >= REGION_BASE && va < end) {
		assert_int_equal(leaf->pa, test_virt_to_phys(ones).a);
		assert_int_equal(leaf->page_size, PAGE_SIZE);
		assert_int_equal(leaf->perm & PT_W, 0);
		++*region_pages;
		return;
	}
	assert_int_equal(leaf->pa, va); /* guest-physical is host-physical */
	if (leaf->pa < end && leaf->pa + leaf->page_size > REGION_BASE)
		fail_msg("%#lx maps the VMM: %#lx, %#lx bytes", va, leaf->pa, leaf->page_size);
	bool trapped = false;

	for (uint32_t i = 0; i < trap_count; i++)
		trapped |= traps[i].page >= va && traps[i].page < va + leaf->page_size;
	if (trapped)
		assert_int_equal(leaf->page_size, PAGE_SIZE);
	assert_int_equal(leaf->perm, trapped ? PT_RX : PT_RWX);
	if (vmm_ops->nested_has_types && !trapped) {
		assert_int_equal(leaf->type, type_of(va));
		assert_int_equal(leaf->type, type_of(va + leaf->page_size - 1));
	}
}

static uint32_t used_pages(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < pool_size; i++)
		n += use[i] == USED;
	return n;
}

static uint32_t count_tables(uint64_t table, unsigned level)
{
	uint32_t n = 1;

	for (unsigned i = 0; i < 512 && level > 1; i++) {
		uint64_t e = pages_table_at(NULL, table)[i];

		if (nested.format->is_present(e) && !nested.format->is_leaf(e, level))
			n += count_tables(e & UINT64_C(0xffffffffff000), level - 1);
	}
	return n;
}

static void check(void)
{
	uint64_t region_pages = 0;

	pt_for_each(&nested, check_leaf, &region_pages);
	assert_int_equal(region_pages, REGION_SIZE / PAGE_SIZE); /* never unmapped */
	assert_int_equal(stale, 0);
	assert_int_equal(used_pages(), count_tables(nested.root, 4) + 1); /* and the page of ones */
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(ones[i], 0xff);
	assert_int_equal(lock.next, lock.owner);
}

static uint64_t random_address(void)
{
	static const uint64_t near[] = {
	    REGION_BASE, REGION_BASE + REGION_SIZE, 0xfee00000, 0xa0000, 0x100000, 0x7e000000};

	switch (random64() % 4) {
	case 0:
		return near[random64() % 6] + random64() % 0x400000 - 0x200000;
	case 1:
		return random64() % (UINT64_C(9) << 45); /* some beyond what the tables cover */
	case 2:
		return 0xe0000000 + random64() % 0x20000000;
	default:
		return random64() % UINT64_C(0x140000000);
	}
}

static void guest_does_anything(void **state)
{
	static const struct boot_mmap_entry map[] = {
	    {.base = 0, .size = 0x9fc00, .type = BOOT_MMAP_RAM},
	    {.base = 0x100000, .size = REGION_BASE - 0x100000, .type = BOOT_MMAP_RAM},
	    {.base = REGION_BASE, .size = REGION_SIZE, .type = BOOT_MMAP_RESERVED},
	    {.base = REGION_BASE + REGION_SIZE, .size = 0x200000, .type = BOOT_MMAP_RAM},
	    {.base = SIZE_4G, .size = SIZE_1G, .type = BOOT_MMAP_RAM},
	};
	static const struct vmm_ops all_ops[] = {
	    {.nested_format = &pt_format_npt, .nested_max_leaf = max_leaf},
	    {.nested_format = &pt_format_ept,
	     .nested_max_leaf = max_leaf,
	     .nested_has_types = true},
	};
	struct vcpu v = {.refused_writes = 0};

	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		vmm_ops = &all_ops[round & 1];
		max_leaf_level = round & 2 ? 2 : 3;
		types = 0x1234567890 & ~UINT64_C(1);
		ram_count = trap_count = 0;
		memset(use, FREE, sizeof(use));
		pool_size = sizeof(pool) / sizeof(pool[0]);
		flushes_at_change = flushes - 1;
		assert_int_equal(nested_init(map, sizeof(map) / sizeof(map[0])), 0);
		check();
		hold_all();
		/* little is left for what is mapped on first touch */
		uint32_t used = used_pages();

		pool_size = used + (round & 4 ? 60 : 20);
		for (int step = 0; step < 300; step++) {
			uint64_t a = random_address(), page = align_down(a, PAGE_SIZE);
			struct mem_fault f = {.gpa = GPA(a), .write = random64() & 1};

			flushes_at_change = flushes;
			switch (random64() % 16) {
			case 0: /* as when the guest moves its APIC, wherever it likes */
				if ((page >= 0x100000000 && page >> 48 == 0) || page < 0x1000 ||
				    (page >= 0x100000 && page < REGION_BASE) ||
				    (page >= REGION_BASE + REGION_SIZE && page < 0x7f600000))
					break; /* RAM: splits the pool does not provide for */
				if (trap_count > 4)
					nested_trap_writes(GPA(traps[random64() % trap_count].page),
							   NULL);
				else
					assert_int_equal(
					    nested_trap_writes(GPA(page), handler_called),
					    page >> 48 ? -EINVAL : 0);
				if (page >> 48 == 0 || trap_count > 4)
					assert_int_not_equal(flushes, flushes_at_change);
				break;
			case 1:
				types = random64() & ~UINT64_C(1);
				nested_types_changed();
				break;
			default:
				nested_fault(&v, &f);
				break;
			}
			check();
			check_debt();
		}
	}
	assert_true(given_back > 100);
	assert_true(refused > 10);
	assert_true(skipped > 30);
	print_message("%u tables given back, %u accesses skipped, %u refused\n", given_back,
		      skipped, refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(guest_does_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
