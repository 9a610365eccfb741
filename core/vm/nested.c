/* Nested page tables: what guest-physical memory the guest sees, and where accesses exit. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/nested.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "core/mm/pgtable.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "core/string.h"
#include "core/vm/emulate.h"
#include "core/vm/mtrr.h"
#include "core/vm/nmi.h"
#include "core/vmm_ops.h"

#define TRAP_MAX    64
#define ADDRESS_END (UINT64_C(1) << 48) /* what tables of four levels translate */

static struct spinlock lock; /* the tables and the list of traps */
static struct boot_mmap_entry ram[BOOT_MMAP_MAX];
static uint32_t ram_count;
static uint8_t *ones; /* what the guest reads where the VMM lives */

static struct {
	uint64_t page;
	nested_handler handler;
} traps[TRAP_MAX];
static uint32_t trap_count;

/*
 * Tables taken out, each with the next one's address in its first entry, which is a not-present one
 * in every format. CPUs may hold pointers to them in their paging-structure caches (SDM 3C 29.4,
 * APM 2 15.25.13): as anything else than a table of their level, above all as the guest's memory,
 * they would open the machine. So they are given back behind a flush only.
 */
static uint64_t stale;

static void table_free(void *arg, uint64_t pa)
{
	__atomic_store_n(pages_table_at(arg, pa), stale, __ATOMIC_RELEASE);
	stale = pa;
}

/*
 * Release the lock, then flush if `flush` or if tables were taken out, and give those back. A CPU
 * that waits for the lock answers no flush, so it cannot be held meanwhile.
 */
static void release_and_flush(bool flush)
{
	uint64_t tables = stale;

	stale = 0;
	spinlock_release(&lock);
	if (flush || tables)
		nmi_flush_all();
	while (tables) {
		uint64_t next = *pages_table_at(NULL, tables);

		pages_table_free(NULL, tables);
		tables = next;
	}
}

static struct pt nested = {.alloc = pages_table_alloc, .free = table_free, .at = pages_table_at};

static bool in_region(uint64_t gpa, uint64_t size)
{
	return gpa < region_base + region_size && gpa + size > region_base;
}

/* Map [base, end), which holds nothing of the VMM, each run of one memory type by itself. */
static int map_typed(uint64_t base, uint64_t end)
{
	while (base < end) {
		enum pt_type type = PT_WB;
		uint64_t size = end - base;

		if (vmm_ops->nested_has_types)
			size = mtrr_guest_run(base, end, &type);
		int err = pt_map(&nested, base, base, size, PT_RWX, type);

		if (err)
			return err;
		base += size;
	}
	return 0;
}

static int map_around_region(uint64_t base, uint64_t end)
{
	int err = 0;

	if (in_region(base, end - base)) {
		if (base < region_base)
			err = map_typed(base, region_base);
		if (!err && end > region_base + region_size)
			err = map_typed(region_base + region_size, end);
		return err;
	}
	return map_typed(base, end);
}

static bool is_trapped(uint64_t page)
{
	for (uint32_t i = 0; i < trap_count; i++) {
		if (traps[i].page == page)
			return true;
	}
	return false;
}

static int trap_apply(uint64_t page)
{
	struct pt_leaf leaf = {.type = PT_UC};

	if (in_region(page, PAGE_SIZE))
		return 0; /* ones, and writes exit as it is */
	pt_lookup(&nested, page, &leaf);
	return pt_map(&nested, page, page, PAGE_SIZE, PT_RX, leaf.type);
}

static int map_all(void)
{
	int err = 0;

	for (uint32_t i = 0; i < ram_count && !err; i++)
		err = map_around_region(ram[i].base, ram[i].base + ram[i].size);
	for (uint64_t a = region_base; a < region_base + region_size && !err; a += PAGE_SIZE)
		err = pt_map(&nested, a, virt_to_phys(ones).a, PAGE_SIZE, PT_RX, PT_WB);
	for (uint32_t i = 0; i < trap_count && !err; i++)
		err = trap_apply(traps[i].page);
	return err;
}

int nested_init(const struct boot_mmap_entry *map, uint32_t count)
{
	nested.format = vmm_ops->nested_format;
	nested.max_leaf_level = vmm_ops->nested_max_leaf();
	nested.root = pages_table_alloc(NULL);
	ones = pages_alloc(1, PAGE_SIZE);
	if (!nested.root || !ones)
		return -ENOMEM;
	memset(ones, 0xff, PAGE_SIZE);
	ram[ram_count++] = (struct boot_mmap_entry){.base = 0, .size = 0x100000};
	for (uint32_t i = 0; i < count; i++) {
		uint64_t base = align_up(map[i].base, PAGE_SIZE),
			 end = align_down(map[i].base + map[i].size, PAGE_SIZE);

		if (map[i].type != BOOT_MMAP_RAM || end <= 0x100000)
			continue;
		if (base < 0x100000)
			base = 0x100000;
		if (base < end && ram_count < BOOT_MMAP_MAX)
			ram[ram_count++] =
			    (struct boot_mmap_entry){.base = base, .size = end - base};
	}
	return map_all();
}

uint64_t nested_root(void)
{
	return nested.root;
}

/* Unmap [base, end) but for the VMM's region, which always reads as ones. */
static void unmap(uint64_t base, uint64_t end)
{
	if (base < end && in_region(base, end - base)) {
		unmap(base, region_base);
		unmap(region_base + region_size, end);
	} else if (base < end) {
		pt_map(&nested, base, 0, end - base, 0, PT_UC);
	}
}

/* Forget everything that was mapped on first touch. */
static void drop_touched(void)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i <= ram_count; i++) {
		uint64_t end = i < ram_count ? ram[i].base : ADDRESS_END;

		unmap(at, end);
		if (i < ram_count)
			at = ram[i].base + ram[i].size;
	}
}

/*
 * Map only what must be mapped; the pool has room again for what is touched. The lock is held on
 * entry and return, and free in between: others see a table where less is mapped, and come here.
 */
static int start_anew(void)
{
	drop_touched();
	release_and_flush(true);
	spinlock_take(&lock);
	return map_all();
}

/* The largest aligned block around `gpa` that is free of the VMM, of traps and of anything mapped.
 */
static uint64_t block_size(uint64_t gpa)
{
	static const uint64_t sizes[] = {SIZE_1G, SIZE_2M};

	for (unsigned i = 3 - nested.max_leaf_level; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t base = align_down(gpa, sizes[i]), size = sizes[i];
		bool is_free = !in_region(base, size);

		for (uint32_t k = 0; k < ram_count; k++)
			is_free = is_free &&
				  (ram[k].base >= base + size || ram[k].base + ram[k].size <= base);
		for (uint32_t k = 0; k < trap_count; k++)
			is_free = is_free && (traps[k].page < base || traps[k].page >= base + size);
		if (is_free)
			return size;
	}
	return PAGE_SIZE;
}

static int map_touched(uint64_t gpa)
{
	uint64_t page = align_down(gpa, PAGE_SIZE), size, base;
	int err;

	if (gpa >= ADDRESS_END)
		return -EINVAL; /* would become the entry of a lower address */
	spinlock_take(&lock);
	size = block_size(gpa);
	base = align_down(gpa, size);
	err = is_trapped(page) ? trap_apply(page) : map_around_region(base, base + size);
	if (err == -ENOMEM) {
		err = start_anew();
		if (!err && !is_trapped(page))
			err = map_around_region(page, page + PAGE_SIZE);
	}
	release_and_flush(false);
	return err;
}

int nested_trap_writes(gpa_t page, nested_handler handler)
{
	int err = 0;
	uint32_t i;

	if (page.a >= ADDRESS_END)
		return -EINVAL;
	spinlock_take(&lock);
	for (i = 0; i < trap_count && traps[i].page != page.a; i++)
		;
	if (handler && i == TRAP_MAX) {
		err = -ENOSPC;
	} else if (handler) {
		traps[i].page = page.a;
		traps[i].handler = handler;
		if (i == trap_count)
			trap_count++;
		err = trap_apply(page.a);
	} else if (i < trap_count) {
		traps[i] = traps[--trap_count];
		err = map_around_region(page.a, page.a + PAGE_SIZE);
	}
	if (err == -ENOMEM)
		err = start_anew();
	release_and_flush(true);
	return err;
}

enum exit_result nested_fault(struct vcpu *v, const struct mem_fault *f)
{
	uint64_t page = align_down(f->gpa.a, PAGE_SIZE);

	for (uint32_t i = 0; i < trap_count; i++) {
		if (traps[i].page == page && f->write)
			return traps[i].handler(v, f);
	}
	if (in_region(page, PAGE_SIZE)) {
		/* the region looks like memory that is not there: ones are read, writes are dropped
		 */
		v->refused_writes++;
		return emulate_skip(v);
	}
	if (map_touched(f->gpa.a) != 0) {
		log_printf("No memory to map guest-physical %#lx\n", f->gpa.a);
		emulate_exception(v, 13, 0);
	}
	return EXIT_RESUME;
}

void nested_types_changed(void)
{
	if (!vmm_ops->nested_has_types)
		return;
	spinlock_take(&lock);
	if (start_anew() != 0)
		log_printf("No memory to map all of RAM: the rest follows on first touch\n");
	release_and_flush(true);
}
