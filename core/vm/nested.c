/* Nested page tables: what guest-physical memory the guest sees, and where accesses exit. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/nested.h"
#include "core/audit.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "core/mm/pgtable.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "core/string.h"
#include "core/vm/emulate.h"
#include "core/vm/mmio.h"
#include "core/vm/mmio_again.h"
#include "core/vm/mtrr.h"
#include "core/vm/nmi.h"
#include "core/vmm_ops.h"

#define TRAP_MAX    256
#define ADDRESS_END (UINT64_C(1) << 48) /* what tables of four levels translate */

static struct spinlock lock; /* the tables, and the next list of traps */
static struct boot_mmap_entry ram[BOOT_MMAP_MAX];
static uint32_t ram_count;
static uint8_t *ones; /* what the guest reads where the VMM lives */

/* Trapped pages [base, end), and what the guest may do there without an exit. */
struct trap {
	uint64_t base, end;
	unsigned perm; /* PT_RX or 0 */
	nested_handler handler;
};

/* Sorted by address, without overlap. */
struct trap_list {
	uint32_t count;
	struct trap trap[TRAP_MAX];
};

/*
 * The list in use is never changed: a change makes the other one and puts it in place. A CPU that
 * looks up a trap needs no lock, then: before the next change could touch the list it reads, it has
 * answered the flush of this one, and it answers none while it looks.
 */
static struct trap_list trap_lists[2];
static struct trap_list *traps = &trap_lists[0]; /* atomic */

/*
 * Tables taken out, each with the next one's address in its first entry, which is a not-present one
 * in every format. CPUs may hold pointers to them in their paging-structure caches (SDM 3C 29.4,
 * APM 2 15.25.13): as anything else than a table of their level, above all as the guest's memory,
 * they would open the machine. So they are given back behind a flush only.
 */
static uint64_t stale;

static uint32_t tables_used;

static uint64_t table_alloc(void *arg)
{
	uint64_t pa = pages_table_alloc(arg);

	tables_used += pa != 0;
	return pa;
}

static void table_free(void *arg, uint64_t pa)
{
	tables_used--;
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

static struct pt nested = {.alloc = table_alloc,
			   .free = table_free,
			   .at = pages_table_at,
			   .taken = AUDIT ? audit_taken : NULL};

static bool in_region(uint64_t gpa, uint64_t size)
{
	return gpa < region_base + region_size && gpa + size > region_base;
}

/* Map [base, end), which holds nothing of the VMM, each run of one memory type by itself. */
static int map_typed(uint64_t base, uint64_t end, unsigned perm)
{
	while (base < end) {
		enum pt_type type = PT_WB;
		uint64_t size = end - base;

		if (vmm_ops->nested_has_types && perm)
			size = mtrr_guest_run(base, end, &type);
		int err = pt_map(&nested, base, base, size, perm, type);

		if (err)
			return err;
		base += size;
	}
	return 0;
}

static int map_around_region(uint64_t base, uint64_t end, unsigned perm)
{
	int err = 0;

	if (in_region(base, end - base)) {
		if (base < region_base)
			err = map_typed(base, region_base, perm);
		if (!err && end > region_base + region_size)
			err = map_typed(region_base + region_size, end, perm);
		return err;
	}
	return map_typed(base, end, perm);
}

/* The first trap that ends behind `gpa`; NULL: none. */
static const struct trap *trap_behind(const struct trap_list *list, uint64_t gpa)
{
	uint32_t low = 0, high = list->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (list->trap[middle].end > gpa)
			high = middle;
		else
			low = middle + 1;
	}
	return low < list->count ? &list->trap[low] : NULL;
}

static const struct trap *trap_at(const struct trap_list *list, uint64_t gpa)
{
	const struct trap *t = trap_behind(list, gpa);

	return t && t->base <= gpa ? t : NULL;
}

static int trap_append(struct trap_list *list, const struct trap *t)
{
	struct trap *last = list->count ? &list->trap[list->count - 1] : NULL;

	if (last && last->end == t->base && last->perm == t->perm && last->handler == t->handler) {
		last->end = t->end;
		return 0;
	}
	if (list->count == TRAP_MAX)
		return -ENOSPC;
	list->trap[list->count++] = *t;
	return 0;
}

/* Fill `to` with `from`, but for [n->base, n->end), where `n` holds. 0 or -ENOSPC. */
static int trap_list_set(struct trap_list *to, const struct trap_list *from, const struct trap *n)
{
	bool done = !n->handler;
	int err = 0;

	to->count = 0;
	for (uint32_t i = 0; i < from->count && !err; i++) {
		const struct trap *t = &from->trap[i];
		struct trap left = *t, right = *t;

		if (left.end > n->base)
			left.end = n->base;
		if (right.base < n->end)
			right.base = n->end;
		if (left.base < left.end)
			err = trap_append(to, &left);
		if (!err && !done && t->end > n->base) {
			err = trap_append(to, n);
			done = true;
		}
		if (!err && right.base < right.end)
			err = trap_append(to, &right);
	}
	return err || done ? err : trap_append(to, n);
}

/* Map [base, end) as the traps in it allow. A trapped page is never more open meanwhile. */
static int map_guest(uint64_t base, uint64_t end)
{
	int err = 0;

	while (base < end && !err) {
		const struct trap *t = trap_behind(traps, base);
		unsigned perm = PT_RWX;
		uint64_t part = end;

		if (t && t->base <= base) {
			perm = t->perm;
			part = t->end;
		} else if (t) {
			part = t->base;
		}
		if (part > end)
			part = end;
		err = map_around_region(base, part, perm);
		base = part;
	}
	return err;
}

/* The RAM in [base, end). */
static int map_ram(uint64_t base, uint64_t end)
{
	int err = 0;

	for (uint32_t i = 0; i < ram_count && !err; i++) {
		uint64_t from = ram[i].base, to = ram[i].base + ram[i].size;

		err = map_guest(from > base ? from : base, to < end ? to : end);
	}
	return err;
}

/* The VMM's region, once: nothing else is ever mapped there. */
static int map_region(void)
{
	int err = 0;

	for (uint64_t a = region_base; a < region_base + region_size && !err; a += PAGE_SIZE)
		err = pt_map(&nested, a, virt_to_phys(ones).a, PAGE_SIZE, PT_RX, PT_WB);
	return err;
}

int nested_init(const struct boot_mmap_entry *map, uint32_t count)
{
	nested.format = vmm_ops->nested_format;
	nested.max_leaf_level = vmm_ops->nested_max_leaf();
	nested.root = table_alloc(NULL);
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
	int err = map_ram(0, ADDRESS_END);

	return err ? err : map_region();
}

uint64_t nested_root(void)
{
	return nested.root;
}

void nested_use(struct nested_use *use)
{
	use->tables = __atomic_load_n(&tables_used, __ATOMIC_RELAXED);
	use->splits = __atomic_load_n(&nested.splits, __ATOMIC_RELAXED);
}

/* Unmap [base, end) but for the VMM's region, which always reads as ones. */
static int unmap(uint64_t base, uint64_t end)
{
	if (base < end && in_region(base, end - base)) {
		int err = unmap(base, region_base);

		return err ? err : unmap(region_base + region_size, end);
	}
	return base < end ? pt_map(&nested, base, 0, end - base, 0, PT_UC) : 0;
}

/* Forget what of [base, end) was mapped on first touch. 0, or -ENOMEM where a page had to be split.
 */
static int drop_touched(uint64_t base, uint64_t end)
{
	uint64_t at = base;
	int err = 0;

	for (uint32_t i = 0; i < ram_count && !err; i++) {
		uint64_t ram_end = ram[i].base + ram[i].size;

		err = unmap(at, ram[i].base < end ? ram[i].base : end);
		if (ram_end > at)
			at = ram_end;
	}
	return err ? err : unmap(at, end);
}

/*
 * Map only what must be mapped; the pool has room again for what is touched. The lock is held on
 * entry and return, and free in between: others see a table where less is mapped, and come here.
 */
static int start_anew(void)
{
	drop_touched(0, ADDRESS_END); /* nothing is split: whole pages go */
	release_and_flush(true);
	spinlock_take(&lock);
	return map_ram(0, ADDRESS_END);
}

/* The largest aligned block around `gpa` that is free of the VMM, of traps and of anything mapped.
 */
static uint64_t block_size(uint64_t gpa)
{
	static const uint64_t sizes[] = {SIZE_1G, SIZE_2M};

	for (unsigned i = 3 - nested.max_leaf_level; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t base = align_down(gpa, sizes[i]), size = sizes[i];
		const struct trap *t = trap_behind(traps, base);
		bool is_free = !in_region(base, size) && !(t && t->base < base + size);

		for (uint32_t k = 0; k < ram_count; k++)
			is_free = is_free &&
				  (ram[k].base >= base + size || ram[k].base + ram[k].size <= base);
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
	err = map_guest(base, base + size);
	if (err == -ENOMEM) {
		err = start_anew();
		if (!err)
			err = map_guest(page, page + PAGE_SIZE);
	}
	release_and_flush(false);
	return err;
}

int nested_trap(gpa_t base, uint64_t size, unsigned perm, nested_handler handler)
{
	const struct trap n = {base.a, base.a + size, handler ? perm : PT_RWX, handler};
	struct trap_list *old, *new;
	int err;

	if ((n.base | size) & PAGE_MASK || size == 0 || n.end < n.base || n.end > ADDRESS_END)
		return -EINVAL;
	spinlock_take(&lock);
	old = traps;
	new = old == &trap_lists[0] ? &trap_lists[1] : &trap_lists[0];
	err = trap_list_set(new, old, &n);
	if (err) {
		spinlock_release(&lock);
		return err;
	}
	__atomic_store_n(&traps, new, __ATOMIC_RELEASE);
	err = map_guest(n.base, n.end);
	if (err == -ENOMEM) {
		err = start_anew();
		if (!err)
			err = map_guest(n.base, n.end);
	}
	if (err && !handler) {
		err = 0; /* what is not open yet is opened when it is touched */
	} else if (err) {
		__atomic_store_n(&traps, old, __ATOMIC_RELEASE);
		unmap(n.base, n.end); /* mapped on first touch, as the old list says */
	}
	release_and_flush(true);
	return err;
}

bool nested_is_open(gpa_t gpa, bool write)
{
	const struct trap *t = trap_at(__atomic_load_n(&traps, __ATOMIC_ACQUIRE), gpa.a);

	return !t || (!write && t->perm & PT_R);
}

static __attribute__((noinline)) enum exit_result fault(struct vcpu *v, const struct mem_fault *f)
{
	const struct trap *t = trap_at(__atomic_load_n(&traps, __ATOMIC_ACQUIRE), f->gpa.a);

	if (t && (f->write || !(t->perm & PT_R)))
		return t->handler(v, f);
	if (in_region(f->gpa.a, 1)) {
		/* the region looks like memory that is not there: ones are read, writes are dropped
		 */
		v->refused_writes++;
		/* a stack there holds no frame: no handler could be entered, ever */
		return f->delivery ? emulate_gp(v) : mmio_no_memory(v);
	}
	if (map_touched(f->gpa.a) != 0) {
		log_printf("No memory to map guest-physical %#lx\n", f->gpa.a);
		emulate_exception(v, 13, 0);
	}
	return EXIT_RESUME;
}

/* An instruction that was performed before was trapped then, and is again. */
enum exit_result nested_fault(struct vcpu *v, const struct mem_fault *f)
{
	return mmio_again(v, f) ? EXIT_RESUME : fault(v, f);
}

void nested_types_changed(const struct mtrr_range *range, unsigned count)
{
	int err = 0;

	if (!vmm_ops->nested_has_types || count == 0)
		return;
	spinlock_take(&lock);
	for (unsigned i = 0; i < count && !err; i++) {
		err = drop_touched(range[i].base, range[i].end);
		if (!err)
			err = map_ram(range[i].base, range[i].end);
	}
	if (err && start_anew() != 0)
		log_printf("No memory to map all of RAM: the rest follows on first touch\n");
	release_and_flush(true);
}
