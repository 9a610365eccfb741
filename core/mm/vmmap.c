/* The VMM's own address space: image, region, the window on guest memory, and device registers. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/mm/vmmap.h"
#include "core/errno.h"
#include "core/mm/pages.h"
#include "core/mm/pgtable.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "core/x86/cpu.h"

/* Of device mappings: for each CPU the window, and its APIC when that is not where all are. */
#define WINDOW_PAGES 4 /* a driver goes back and forth between a few pages of its device */
#define CPU_PAGES    ((WINDOW_PAGES + 1) * BOOT_MAX_CPUS * PAGE_SIZE)

extern char image_start[], image_text_end[], image_rodata_end[], image_end[];
extern uint64_t boot_pml4[512];

static struct spinlock lock;
static uint64_t device_next = VMMAP_DEVICE_BASE;
static uint64_t
    window_holds[BOOT_MAX_CPUS * WINDOW_PAGES]; /* address of the page, and 1; 0: none */

static struct pt vmm_pt = {
    .format = &pt_format_host,
    .max_leaf_level = 2,
    .alloc = pages_table_alloc,
    .free = pages_table_free,
    .at = pages_table_at,
};

static int map_image(const char *from, const char *to, unsigned perm)
{
	return pt_map(&vmm_pt, (uintptr_t)from, virt_to_phys(from).a, (uintptr_t)(to - from), perm,
		      PT_WB);
}

/* What of the window is mapped, in no order; constant after start-up. */
static struct {
	uint64_t base, end;
} guest_ram[BOOT_MMAP_MAX + 2];
static uint32_t guest_ram_count;

static int note_guest_ram(uint64_t base, uint64_t end)
{
	for (uint32_t i = 0; i < guest_ram_count; i++) {
		if (guest_ram[i].end == base) {
			guest_ram[i].end = end;
			return 0;
		}
	}
	if (guest_ram_count == sizeof(guest_ram) / sizeof(guest_ram[0]))
		return -ENOSPC;
	guest_ram[guest_ram_count].base = base;
	guest_ram[guest_ram_count++].end = end;
	return 0;
}

/* RAM of the guest, without the VMM's region. */
static int map_guest(uint64_t base, uint64_t end)
{
	uint64_t region_end = region_base + region_size;
	int err = 0;

	if (base >= end)
		return 0;
	if (base < region_end && end > region_base) {
		err = map_guest(base, region_base < end ? region_base : end);
		return err ? err : map_guest(region_end > base ? region_end : base, end);
	}
	err = pt_map(&vmm_pt, VMMAP_GUEST_BASE + base, base, end - base, PT_RW, PT_WB);
	return err ? err : note_guest_ram(base, end);
}

static void check_leaf(void *arg, uint64_t va, const struct pt_leaf *leaf)
{
	(void)arg;
	(void)va;
	ASSERT(!(leaf->perm & PT_W) || !(leaf->perm & PT_X));
}

int vmmap_init(const struct boot_mmap_entry *map, uint32_t count)
{
	const char *region_end = (const char *)image_start + region_size;
	int err;

	vmm_pt.root = pages_table_alloc(NULL);
	if (!vmm_pt.root)
		return -ENOMEM;
	if (cpuid(0x80000001u, 0).edx & (1u << 26))
		vmm_pt.max_leaf_level = 3;
	if ((err = map_image(image_start, image_text_end, PT_RX)) != 0 ||
	    (err = map_image(image_text_end, image_rodata_end, PT_R)) != 0 ||
	    (err = map_image(image_rodata_end, region_end, PT_RW)) != 0)
		return err;
	/* The first MiB holds what the BIOS left there, whatever the map says of it. */
	err = map_guest(0, 0x100000);
	for (uint32_t i = 0; i < count && !err; i++) {
		uint64_t base = align_up(map[i].base, PAGE_SIZE),
			 end = align_down(map[i].base + map[i].size, PAGE_SIZE);

		if (map[i].type == BOOT_MMAP_RAM && end <= VMMAP_GUEST_SIZE && end > 0x100000)
			err = map_guest(base < 0x100000 ? 0x100000 : base, end);
	}
	if (err)
		return err;
	/* Device mappings come and go in tables that exist from now on, so that every CR3 sees
	 * them. First the pages of each CPU, then what stays. */
	err = pt_map(&vmm_pt, VMMAP_DEVICE_BASE, 0, CPU_PAGES, PT_R, PT_UC);
	device_next += CPU_PAGES + PAGE_SIZE;
	pt_for_each(&vmm_pt, check_leaf, NULL); /* nothing is both writable and executable */
	const uint64_t *top = phys_to_virt(HPA(vmm_pt.root));

	for (unsigned i = 256; i < 511; i++)
		boot_pml4[i] = top[i];
	return err;
}

uint64_t vmmap_root(void)
{
	return vmm_pt.root;
}

void vmmap_load(void)
{
	write_cr3(vmm_pt.root);
}

uint64_t vmmap_low_root(uint64_t low)
{
	static struct pt low_pt = {
	    .format = &pt_format_host,
	    .max_leaf_level = 1,
	    .alloc = pages_table_alloc,
	    .free = pages_table_free,
	    .at = pages_table_at,
	};
	const uint64_t *top = phys_to_virt(HPA(vmm_pt.root));
	uint64_t *low_top;

	low_pt.root = pages_table_alloc(NULL);
	if (!low_pt.root || pt_map(&low_pt, low, low, PAGE_SIZE, PT_RX, PT_WB) != 0)
		return 0;
	low_top = phys_to_virt(HPA(low_pt.root));
	for (unsigned i = 256; i < 512; i++)
		low_top[i] = top[i];
	return low_pt.root;
}

void vmmap_unmap_page(void *p)
{
	pt_map(&vmm_pt, (uintptr_t)p, 0, PAGE_SIZE, 0, PT_WB);
	invlpg(p);
}

int vmmap_add_page(uint64_t va)
{
	void *page = pages_alloc(1, PAGE_SIZE);
	int err;

	if (!page)
		return -ENOMEM;
	spinlock_take(&lock);
	err = pt_map(&vmm_pt, va, virt_to_phys(page).a, PAGE_SIZE, PT_RW, PT_WB);
	spinlock_release(&lock);
	if (err)
		pages_free(page, 1);
	return err;
}

bool vmmap_is_guest_ram(uint64_t pa, uint64_t len)
{
	uint64_t end = pa + len;

	if (end < pa)
		return false;
	/* ranges that touch are one, but for those that came in another order */
	for (uint32_t i = 0; i < guest_ram_count; i++) {
		if (pa < guest_ram[i].base || pa >= guest_ram[i].end)
			continue;
		if (end <= guest_ram[i].end)
			return true;
		pa = guest_ram[i].end;
		i = UINT32_MAX; /* from the beginning, with what is left */
	}
	return pa >= end;
}

#define LEGACY_HOLE     UINT64_C(0xa0000)
#define LEGACY_HOLE_END UINT64_C(0x100000)

bool vmmap_ram_around(uint64_t pa, uint64_t *base, uint64_t *end)
{
	if (pa >= LEGACY_HOLE && pa < LEGACY_HOLE_END)
		return false;
	if (pa >= region_base && pa < region_base + region_size) {
		*base = region_base;
		*end = region_base + region_size;
		return true;
	}
	for (uint32_t i = 0; i < guest_ram_count; i++) {
		if (pa < guest_ram[i].base || pa >= guest_ram[i].end)
			continue;
		*base = guest_ram[i].base;
		*end = guest_ram[i].end;
		if (*end > LEGACY_HOLE && pa < LEGACY_HOLE)
			*end = LEGACY_HOLE;
		if (pa >= LEGACY_HOLE_END && *base < LEGACY_HOLE_END)
			*base = LEGACY_HOLE_END;
		return true;
	}
	return false;
}

bool vmmap_has_ram(uint64_t base, uint64_t end)
{
	if (base < region_base + region_size && end > region_base)
		return true;
	for (uint32_t i = 0; i < guest_ram_count; i++) {
		uint64_t from = base > guest_ram[i].base ? base : guest_ram[i].base,
			 to = end < guest_ram[i].end ? end : guest_ram[i].end;

		if (from < to && !(from >= LEGACY_HOLE && to <= LEGACY_HOLE_END))
			return true;
	}
	return false;
}

static void *map_at_next(uint64_t pa, size_t len, unsigned perm, enum pt_type type)
{
	uint64_t base = align_down(pa, PAGE_SIZE), size = align_up(pa + len, PAGE_SIZE) - base;
	void *p = NULL;

	spinlock_take(&lock);
	if (pt_map(&vmm_pt, device_next, base, size, perm, type) == 0) {
		p = (void *)(uintptr_t)(device_next + (pa - base));
		device_next += size + PAGE_SIZE;
	}
	spinlock_release(&lock);
	return p;
}

void *vmmap_device(uint64_t pa, size_t len)
{
	return map_at_next(pa, len, PT_RW, PT_UC);
}

/* The table is there, and this entry of it is one CPU's: no lock, no failure. */
static __attribute__((noinline)) void *map_own(uint32_t entry, uint64_t pa)
{
	uint64_t at = VMMAP_DEVICE_BASE + entry * PAGE_SIZE;

	pt_map(&vmm_pt, at, align_down(pa, PAGE_SIZE), PAGE_SIZE, PT_RW, PT_UC);
	invlpg((void *)(uintptr_t)at);
	return (void *)(uintptr_t)(at + (pa & PAGE_MASK));
}

void *vmmap_window(uint32_t cpu, uint64_t pa)
{
	uint32_t entry = cpu * WINDOW_PAGES + pa / PAGE_SIZE % WINDOW_PAGES;
	uint64_t page = align_down(pa, PAGE_SIZE) | 1;

	if (window_holds[entry] == page)
		return (void *)(uintptr_t)(VMMAP_DEVICE_BASE + entry * PAGE_SIZE +
					   (pa & PAGE_MASK));
	window_holds[entry] = page;
	return map_own(entry, pa);
}

void *vmmap_apic(uint32_t cpu, uint64_t pa)
{
	return map_own(WINDOW_PAGES * BOOT_MAX_CPUS + cpu, pa);
}

static void *map_table(uint64_t pa, size_t len, unsigned perm)
{
	if (pa + len < pa || pa >> cpu_phys_bits())
		return NULL;
	if (vmmap_is_guest_ram(pa, len))
		return (void *)(uintptr_t)(VMMAP_GUEST_BASE + pa);
	if (pa < region_base + region_size && pa + len > region_base)
		return NULL;
	return map_at_next(pa, len, perm, PT_WB);
}

const void *vmmap_firmware(uint64_t pa, size_t len)
{
	return map_table(pa, len, PT_R);
}

void *vmmap_shared(uint64_t pa, size_t len)
{
	return map_table(pa, len, PT_RW);
}
