/* The guest's first code on a BIOS machine: where it lies, and what it is told. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/realmode/realmode.h"
#include "core/addr.h"
#include "core/errno.h"
#include "core/mm/memmap.h"
#include "core/mm/pages.h"
#include "core/panic.h"
#include "core/start.h"
#include "core/string.h"
#include "core/vm/gmem.h"
#include "core/vm/handover.h"
#include "core/x86/cpu.h"

#define STUB_MAX   0x800u /* code and data; the map follows */
#define E820_ENTRY 24u

extern const uint8_t realmode_stub[], realmode_stub_end[], realmode_data[];
extern const uint8_t realmode_native[], realmode_native_end[];
extern uint64_t boot_pml4[];

struct __attribute__((packed)) realmode_data {
	uint16_t map_count;
	uint16_t e801_ax, e801_bx, h88_ax;
	uint8_t load_drive, boot_drive, boot_active, swap_drive;
	uint32_t old_int13, old_int15;
	uint16_t map_offset;
};

int realmode_reserve(struct boot_info *bi)
{
	uintptr_t bda = 0x413; /* BIOS data area: KiB of base memory */

	__asm__("" : "+r"(bda)); /* the compiler takes objects in the first page for a mistake */
	uint16_t kib = *(volatile uint16_t *)bda;
	uint64_t top = align_down((uint64_t)kib << 10, PAGE_SIZE), end;

	if (top < 0x40000 || top > 0xa0000) /* nonsense: trust the map */
		top = 0x80000;
	bi->low_base = top - REALMODE_BYTES;
	end = (uint64_t)kib << 10;
	int err = memmap_reserve(bi->mmap, &bi->mmap_count, BOOT_MMAP_MAX, bi->low_base,
				 (end > top && end <= 0xa0000 ? end : top) - bi->low_base,
				 BOOT_MMAP_RESERVED);

	*(volatile uint16_t *)bda = (uint16_t)(bi->low_base >> 10);
	return err;
}

/* Code, data and map into the two pages at `page`, which the BIOS will see. */
static void install(uint8_t *page, const struct boot_info *bi)
{
	const struct config *c = start_config();
	size_t size = (size_t)(realmode_stub_end - realmode_stub);
	struct memmap_bios views;
	uint32_t count = bi->mmap_count;

	ASSERT(size <= STUB_MAX);
	if (count > (REALMODE_BYTES - PAGE_SIZE - STUB_MAX) / E820_ENTRY)
		panic("the memory map has %u entries, too many for INT 15h", count);
	memmap_bios_views(bi->mmap, bi->mmap_count, &views);
	memcpy(page, realmode_stub, size);
	memcpy(page + STUB_MAX, bi->mmap, count * E820_ENTRY);
	struct realmode_data d = {
	    .map_count = (uint16_t)count,
	    .e801_ax = views.e801_ax,
	    .e801_bx = views.e801_bx,
	    .h88_ax = views.h88_ax,
	    .load_drive = (uint8_t)bi->boot_drive,
	    .boot_drive = (uint8_t)c->boot_drive,
	    .boot_active = c->boot_active,
	    .map_offset = STUB_MAX,
	};

	memcpy(page + (realmode_data - realmode_stub), &d, sizeof(d));
}

void realmode_guest_state(struct vcpu_state *s)
{
	const struct boot_info *bi = start_boot_info();
	uint64_t base = bi->low_base + PAGE_SIZE;
	uint8_t *page = gmem_at(GPA(base), REALMODE_BYTES - PAGE_SIZE);

	ASSERT(page);
	install(page, bi);
	handover_real_mode(s, (uint16_t)(base >> 4), 0, 0);
}

void realmode_continue_native(const struct boot_info *bi)
{
	uint64_t low = bi->low_base, stub = low + PAGE_SIZE;

	write_cr3(virt_to_phys(boot_pml4).a); /* has the identity map */
	memcpy((void *)(uintptr_t)low, realmode_native,
	       (size_t)(realmode_native_end - realmode_native));
	install((uint8_t *)(uintptr_t)stub, bi);
	__asm__ volatile("jmp *%0" : : "r"(low), "D"(low), "S"(stub >> 4) : "memory");
	__builtin_unreachable();
}

_Static_assert(sizeof(struct boot_mmap_entry) == E820_ENTRY,
	       "an entry is an E820 entry with attributes");
