/* The VMM's own address space: image, region, the window on guest memory, and device registers. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/addr.h"
#include "core/boot.h"

#define VMMAP_GUEST_BASE                                                                           \
	UINT64_C(0xffff800000000000) /* guest RAM, only core/vm/gmem.c addresses it */
#define VMMAP_GUEST_SIZE  (UINT64_C(1) << 46)
#define VMMAP_DEVICE_BASE UINT64_C(0xffffd00000000000)
/* Stacks of threads: behind the devices, in the same entry of the top table, which all CR3s share
 */
#define VMMAP_STACK_BASE (VMMAP_DEVICE_BASE + (UINT64_C(1) << 38))

/* Build the tables: W^X for the image, NX for all else. 0 or -ENOMEM. Context: boot CPU, once. */
int vmmap_init(const struct boot_mmap_entry *map, uint32_t count);
/* Physical address of the top table. */
uint64_t vmmap_root(void);
/* Make the calling CPU use the tables. */
void vmmap_load(void);
/*
 * Top table of other page tables, for the way from real mode: all that belongs to the VMM, and the
 * page at `low` one to one, executable. 0: no memory. Context: boot CPU, once.
 */
uint64_t vmmap_low_root(uint64_t low);
/* Take one page of the region out of the map (guard pages). Context: boot CPU. */
void vmmap_unmap_page(void *p);
/*
 * Map a fresh zeroed page at `va`, where nothing has been mapped before: no CPU has to flush. The
 * page stays. 0 or -ENOMEM. Context: any CPU, once vmmap_init() is done; takes a lock.
 */
int vmmap_add_page(uint64_t va);
/* True when [pa, pa + len) lies in the window on guest memory. */
bool vmmap_is_guest_ram(uint64_t pa, uint64_t len);
/*
 * RAM, the guest's or the VMM's, that holds the byte at `pa`: a PC's memory controller takes
 * accesses to it before they reach a bus. False: none does, and *base and *end are as before; so
 * it is from 640 KiB to 1 MiB, where it depends on the chipset.
 */
bool vmmap_ram_around(uint64_t pa, uint64_t *base, uint64_t *end);
/* Some byte of [base, end) is such RAM. */
bool vmmap_has_ram(uint64_t base, uint64_t end);
/*
 * Map physical memory that is not RAM: registers (uncached) or firmware tables (cached, read only).
 * The mapping stays. NULL when tables or addresses run out. Context: any CPU; takes a lock.
 */
void *vmmap_device(uint64_t pa, size_t len);
/*
 * The byte at `pa`, which is not RAM, uncached, for the calling CPU alone and until its next call;
 * the rest of its page is there, too. Never fails. A few pages stay mapped, so that coming back to
 * one of them is cheap. `cpu`: its index. Context: exit handler.
 */
void *vmmap_window(uint32_t cpu, uint64_t pa);
/* The page at `pa`, uncached, for the calling CPU alone and until its next call of this. Never
 * fails. Context: exit handler. */
void *vmmap_apic(uint32_t cpu, uint64_t pa);
const void *vmmap_firmware(uint64_t pa, size_t len);
/* The same to write to: a table that firmware and guest share, cached as theirs. */
void *vmmap_shared(uint64_t pa, size_t len);

/* One access of 1, 2, 4 or 8 bytes, as a register of a device needs it. */
static inline uint64_t memory_load(const volatile void *at, unsigned size)
{
	switch (size) {
	case 1:
		return *(const volatile uint8_t *)at;
	case 2:
		return *(const volatile uint16_t *)at;
	case 4:
		return *(const volatile uint32_t *)at;
	default:
		return *(const volatile uint64_t *)at;
	}
}

static inline void memory_store(volatile void *at, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)at = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)at = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)at = value;
	}
}
