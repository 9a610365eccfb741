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
static unsigned flushes, given_back, skipped, refused, handled;

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

enum exit_result emulate_gp(struct vcpu *v)
{
	(void)v;
	fail(); /* no exit hits a delivery here */
	return EXIT_RESUME;
}

bool mmio_again(struct vcpu *v, const struct mem_fault *f)
{
	(void)v;
	(void)f;
	return false;
}

enum exit_result mmio_no_memory(struct vcpu *v)
{
	(void)v;
	skipped++;
	return EXIT_ADVANCE;
}

/* Types in pieces of 64 KiB, from a number that changes. */
static uint64_t types;
static struct mtrr_range other; /* where another number holds, in whole pieces */
static uint64_t other_types;

static enum pt_type type_of(uint64_t a)
{
	static const enum pt_type list[] = {PT_WB, PT_WB, PT_UC, PT_WT};
	uint64_t piece = types & 1 ? a >> 16 : a >> 26,
		 number = a >= other.base && a < other.end ? other_types : types;

	return list[(piece * 0x9e3779b97f4a7c15 + number) >> 61 & 3];
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
	handled++;
	return EXIT_ADVANCE;
}

/* Trapped pages, as the test asked for them. */
static struct {
	uint64_t page;
	unsigned perm;
} asked[32];
static uint32_t asked_count;

static unsigned asked_perm(uint64_t a)
{
	for (uint32_t i = 0; i < asked_count; i++) {
		if (asked[i].page == align_down(a, PAGE_SIZE))
			return asked[i].perm;
	}
	return PT_RWX;
}

/* nested_trap(), and note it; `perm` PT_RWX: none. */
static void trap(uint64_t page, uint64_t pages, unsigned perm)
{
	assert_int_equal(
	    nested_trap(GPA(page), pages * PAGE_SIZE, perm, perm == PT_RWX ? NULL : handler_called),
	    0);
	for (uint64_t p = page; p < page + pages * PAGE_SIZE; p += PAGE_SIZE) {
		uint32_t i = 0;

		while (i < asked_count && asked[i].page != p)
			i++;
		if (i == asked_count)
			asked[asked_count++].page = p;
		asked[i].perm = perm;
		if (perm == PT_RWX)
			asked[i] = asked[--asked_count];
	}
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
	unsigned perm = PT_RWX;

	for (uint32_t i = 0; i < asked_count; i++) {
		if (asked[i].page < va || asked[i].page >= va + leaf->page_size)
			continue;
		assert_int_equal(leaf->page_size, PAGE_SIZE);
		perm = asked[i].perm;
	}
	assert_int_equal(leaf->perm, perm);
	if (vmm_ops->nested_has_types) {
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

static const struct boot_mmap_entry map[] = {
    {.base = 0, .size = 0x9fc00, .type = BOOT_MMAP_RAM},
    {.base = 0x100000, .size = REGION_BASE - 0x100000, .type = BOOT_MMAP_RAM},
    {.base = REGION_BASE, .size = REGION_SIZE, .type = BOOT_MMAP_RESERVED},
    {.base = REGION_BASE + REGION_SIZE, .size = 0x200000, .type = BOOT_MMAP_RAM},
    {.base = SIZE_4G, .size = SIZE_1G, .type = BOOT_MMAP_RAM},
};
static const struct vmm_ops all_ops[] = {
    {.nested_format = &pt_format_npt, .nested_max_leaf = max_leaf},
    {.nested_format = &pt_format_ept, .nested_max_leaf = max_leaf, .nested_has_types = true},
};

/* A machine of its own for each round. */
static void begin(unsigned round)
{
	vmm_ops = &all_ops[round & 1];
	max_leaf_level = round & 2 ? 2 : 3;
	types = 0x1234567890 & ~UINT64_C(1);
	ram_count = asked_count = 0;
	traps->count = 0;
	memset(use, FREE, sizeof(use));
	pool_size = sizeof(pool) / sizeof(pool[0]);
	flushes_at_change = flushes - 1;
	assert_int_equal(nested_init(map, sizeof(map) / sizeof(map[0])), 0);
	check();
	hold_all();
}

static void guest_does_anything(void **state)
{
	struct vcpu v = {.refused_writes = 0};

	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		begin(round);
		/* little is left for what is mapped on first touch */
		uint32_t used = used_pages();

		pool_size = used + (round & 4 ? 60 : 20);
		for (int step = 0; step < 300; step++) {
			uint64_t a = random_address(), page = align_down(a, PAGE_SIZE);
			struct mem_fault f = {.gpa = GPA(a), .write = random64() & 1};

			flushes_at_change = flushes;
			switch (random64() % 16) {
			case 0: /* as when the guest moves a device, wherever it likes */
				if ((page >= 0xfffff000 && page >> 48 == 0) || page < 0x1000 ||
				    (page >= 0xfd000 && page < REGION_BASE) ||
				    (page >= REGION_BASE + REGION_SIZE - 0x3000 &&
				     page < 0x7f600000))
					break; /* RAM: splits the pool does not provide for */
				if (page >> 48) {
					assert_int_equal(nested_trap(GPA(page), PAGE_SIZE, PT_RX,
								     handler_called),
							 -EINVAL);
					break;
				}
				if (asked_count > 4)
					trap(asked[random64() % asked_count].page, 1, PT_RWX);
				else
					trap(page, 1 + random64() % 3, random64() & 1 ? PT_RX : 0);
				assert_int_not_equal(flushes, flushes_at_change);
				break;
			case 1:
				types = random64() & ~UINT64_C(1);
				nested_types_changed(&(struct mtrr_range){0, ADDRESS_END}, 1);
				break;
			case 2: { /* only there, and where they were others before */
				struct mtrr_range range[2] = {other};

				other_types = random64() & ~UINT64_C(1);
				other.base = align_down(a, 0x4000000);
				other.end = other.base + (1 + random64() % 40) * 0x4000000;
				range[1] = other;
				nested_types_changed(range, 2);
				break;
			}
			default: {
				unsigned perm = asked_perm(a), before = handled;

				nested_fault(&v, &f);
				assert_int_equal(handled - before,
						 perm == 0 || (perm == PT_RX && f.write));
				break;
			}
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

static bool leaf_at(uint64_t a, struct pt_leaf *leaf)
{
	return pt_lookup(&nested, a, leaf);
}

/*
 * Tables were dropped and could not be made again: a trapped page is not mapped when it is read.
 * It comes back as a trapped page, alone, and writes to it still exit.
 */
static void trapped_page_is_read_while_unmapped(void **state)
{
	static const uint64_t bases[] = {0xfee00000, 0xe0200000, UINT64_C(0x240000000)};

	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		struct vcpu v = {.refused_writes = 0};
		struct pt_leaf leaf;

		begin(round);
		for (unsigned i = 0; i < 3; i++) {
			uint64_t base = bases[i];
			struct mem_fault read = {.gpa = GPA(base + 0x1234)};
			struct mem_fault write = {.gpa = GPA(base + 0x1234), .write = true};

			trap(base + PAGE_SIZE, 1, PT_RX);
			flushes_at_change = flushes - 1;
			spinlock_take(&lock);
			assert_int_equal(drop_touched(0, ADDRESS_END), 0);
			release_and_flush(true);
			assert_false(leaf_at(base + PAGE_SIZE, &leaf));
			handled = 0;
			assert_int_equal(nested_fault(&v, &read), EXIT_RESUME);
			assert_int_equal(handled, 0);
			assert_true(leaf_at(base + PAGE_SIZE, &leaf));
			assert_int_equal(leaf.perm, PT_RX);
			assert_int_equal(leaf.page_size, PAGE_SIZE);
			assert_int_equal(nested_fault(&v, &write), EXIT_ADVANCE);
			assert_int_equal(handled, 1);
			check();
		}
	}
}

/* A change of one part leaves the rest as it was; neighbours that are alike become one. */
static void traps_overlap(void **state)
{
	const uint64_t base = 0xd4000000, page = PAGE_SIZE;
	struct pt_leaf leaf;

	(void)state;
	begin(0);
	trap(base, 10, PT_RX);
	assert_int_equal(traps->count, 1);
	trap(base + 3 * page, 2, 0);
	assert_int_equal(traps->count, 3);
	check();
	trap(base + 2 * page, 4, 0);
	assert_int_equal(traps->count, 3);
	trap(base + 4 * page, 1, PT_RWX);
	assert_int_equal(traps->count, 4);
	check();
	trap(base + 4 * page, 1, 0);
	assert_int_equal(traps->count, 3);
	trap(base + page, 9, PT_RX);
	assert_int_equal(traps->count, 1);
	trap(base - 2 * page, 2, PT_RX);
	trap(base + 10 * page, 2, PT_RX);
	assert_int_equal(traps->count, 1);
	assert_true(traps->trap[0].base == base - 2 * page);
	assert_true(traps->trap[0].end == base + 12 * page);
	check();
	/* a large one takes no table a page */
	uint32_t used = used_pages();

	assert_int_equal(nested_trap(GPA(0xc0000000), 0x10000000, PT_RX, handler_called), 0);
	assert_true(used_pages() <= used + 1);
	assert_true(leaf_at(0xc0000000, &leaf));
	assert_int_equal(leaf.perm, PT_RX);
	assert_int_equal(leaf.page_size, SIZE_2M);
	assert_int_equal(nested_trap(GPA(0xc0000000), 0x10000000, 0, handler_called), 0);
	assert_false(leaf_at(0xc0000000, &leaf));
	/* RAM can be trapped: it is not open while all is mapped anew either */
	assert_int_equal(nested_trap(GPA(0xc0000000), 0x10000000, 0, NULL), 0);
	trap(0x1000000, 2, 0);
	trap(0x1002000, 1, PT_RX);
	check();
	assert_int_equal(nested_trap(GPA(0x1000800), page, 0, handler_called), -EINVAL);
	assert_int_equal(nested_trap(GPA(0x1000000), 0, 0, handler_called), -EINVAL);
	assert_int_equal(nested_trap(GPA((UINT64_C(1) << 48) - page), 2 * page, 0, handler_called),
			 -EINVAL);
	assert_int_equal(nested_trap(GPA(UINT64_MAX - PAGE_SIZE + 1), page, 0, handler_called),
			 -EINVAL);
	/* the list is full: nothing changes */
	uint32_t count = traps->count;

	for (uint64_t a = 0xc0000000; traps->count < TRAP_MAX; a += 2 * page)
		assert_int_equal(nested_trap(GPA(a), page, PT_RX, handler_called), 0);
	assert_int_equal(nested_trap(GPA(0xd8000000), page, PT_RX, handler_called), -ENOSPC);
	assert_int_equal(traps->count, TRAP_MAX);
	for (uint64_t a = 0xc0000000; traps->count > count; a += 2 * page)
		assert_int_equal(nested_trap(GPA(a), page, PT_RX, NULL), 0);
	check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(guest_does_anything),
	    cmocka_unit_test(trapped_page_is_read_while_unmapped),
	    cmocka_unit_test(traps_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
