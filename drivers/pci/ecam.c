/* Configuration space in memory (ECAM): which pages of the windows are trapped, and windows that
 * move. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/ecam.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "core/mm/pgtable.h"
#include "core/vm/mmio.h"
#include "drivers/pci/assign.h"
#include "drivers/pci/claim.h"
#include "drivers/pci/guest.h"
#include "drivers/pci/space.h"

/*
 * PCIEXBAR of Intel's host bridges, 8 bytes in function 00:00.0 (Intel 3 Series Express Chipset
 * Family datasheet, 5.1.16; the same place and layout in its successors).
 */
#define PCIEXBAR        0x60
#define PCIEXBAR_ENABLE UINT64_C(0x1)
#define PCIEXBAR_LENGTH UINT64_C(0x6) /* 0: 256 MiB, 2: 128, 4: 64 */
#define PCIEXBAR_BASE   UINT64_C(0x7ffc000000)

#define VENDOR_INTEL 0x8086
#define CLASS_HOST   0x060000

static struct window {
	struct pci_ecam *ecam; /* NULL: not there */
	int trap;
	bool off; /* switched off by the guest */
	/* a bit for each function of 256 buses: a rule could give it to a driver when it comes */
	uint8_t (*possible)[32];
} windows[PCI_WINDOWS];
static unsigned moved; /* the window that the register moves */

static uint64_t first_byte(const struct pci_ecam *e)
{
	return e->base + ((uint64_t)e->first_bus << 20);
}

static uint64_t bytes(const struct pci_ecam *e)
{
	return ((uint64_t)e->last_bus - e->first_bus + 1) << 20;
}

/* ---- what is trapped ---- */

static bool above(const struct function *bridge, const struct function *f)
{
	while (f && f != bridge)
		f = f->bridge;
	return f == bridge;
}

/* A function below the bridge has a driver, or one that comes there may get it. */
static bool leads_to_rule(const struct window *w, const struct function *bridge)
{
	for (const struct function *f = pci_functions; f; f = f->next) {
		if (f->present && f->dev.driver && f != bridge && above(bridge, f))
			return true;
	}
	if (!bridge->secondary)
		return true; /* nowhere yet: it may be any bus */
	for (unsigned bus = bridge->secondary; bus <= bridge->subordinate; bus++) {
		struct pci_address at = {w->ecam->segment, (uint8_t)bus, 0, 0};

		at = pci_boot_address(at);
		for (unsigned i = 0; i < 32; i++) {
			if (w->possible[at.bus][i])
				return true;
		}
	}
	return false;
}

/* The rules do not change: asked once. */
static void ask_rules(struct window *w)
{
	for (unsigned i = 0; i < 0x10000; i++) {
		struct pci_address at = {w->ecam->segment, (uint8_t)(i >> 8), i >> 3 & 31, i & 7};

		if (pci_assign_possible(at))
			w->possible[i >> 8][i >> 3 & 31] |= (uint8_t)(1u << (i & 7));
	}
}

static bool may_come(const struct window *w, struct pci_address at)
{
	at = pci_boot_address(at);
	return w->possible[at.bus][at.device] >> at.function & 1;
}

/* With what it is on: a slot may take a card with bridges of its own. */
static bool exchangeable(const struct function *f)
{
	for (const struct function *bridge = f->bridge; bridge; bridge = bridge->bridge) {
		if (bridge->hot_plug)
			return true;
	}
	return false;
}

static unsigned page(void *arg, uint64_t offset)
{
	const struct window *w = arg;
	struct pci_address at = {
	    .segment = w->ecam->segment,
	    .bus = (uint8_t)(w->ecam->first_bus + (offset >> 20)),
	    .device = offset >> 15 & 31,
	    .function = offset >> 12 & 7,
	};
	struct pci_address first = at;

	if (w->off)
		return PT_RWX;
	first.function = 0;
	const struct function *f = pci_function_at(at),
			      *zero = at.function ? pci_function_at(first) : NULL;

	if (f && f->dev.driver)
		return 0;
	if (f && exchangeable(f) && may_come(w, at))
		return 0;
	if (f && (f->is_window_register || (pci_is_bridge(f) && leads_to_rule(w, f))))
		return PT_RX;
	if (f)
		return PT_RWX;
	if (zero && !pci_is_multi(zero))
		return zero->dev.driver ? 0 : PT_RWX;
	return may_come(w, at) ? 0 : PT_RWX;
}

void pci_ecam_refresh(void)
{
	for (unsigned i = 0; i < pci_window_count; i++) {
		if (windows[i].trap && mmio_refresh(windows[i].trap) != 0)
			log_printf("PCI: no memory to trap configuration space at %#lx as wanted\n",
				   first_byte(windows[i].ecam));
	}
}

/* ---- accesses ---- */

static int window_read(void *arg, uint64_t offset, unsigned size, uint64_t *value)
{
	const struct window *w = arg;
	struct pci_access parts[PCI_ACCESS_PARTS];
	unsigned count = pci_ecam_access(w->ecam, first_byte(w->ecam) + offset, size, parts);

	*value = UINT64_MAX;
	for (unsigned i = 0; i < count; i++)
		*value = pci_access_put(
		    &parts[i], *value,
		    pci_guest_read(parts[i].address, parts[i].offset, parts[i].size));
	return 0;
}

static void window_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	const struct window *w = arg;
	struct pci_access parts[PCI_ACCESS_PARTS];
	unsigned count = pci_ecam_access(w->ecam, first_byte(w->ecam) + offset, size, parts);

	for (unsigned i = 0; i < count; i++)
		pci_guest_write(parts[i].address, parts[i].offset, parts[i].size,
				pci_access_take(&parts[i], value));
}

static const struct mmio_ops ops = {.read = window_read, .write = window_write, .page = page};

/* ---- the window that moves ---- */

static uint64_t read_register(const struct function *f)
{
	return pci_read(&f->dev, PCIEXBAR, 4) | (uint64_t)pci_read(&f->dev, PCIEXBAR + 4, 4) << 32;
}

static uint64_t window_bytes(uint64_t value)
{
	return UINT64_C(0x10000000) >> ((value & PCIEXBAR_LENGTH) >> 1);
}

static uint64_t window_base(uint64_t value)
{
	return value & PCIEXBAR_BASE & ~(window_bytes(value) - 1);
}

/* The register is known by what it says: it names a window of the MCFG. */
static void find_register(void)
{
	struct function *f = pci_function_at((struct pci_address){0});

	if (!f || f->dev.id.vendor != VENDOR_INTEL || f->dev.id.class_code != CLASS_HOST)
		return;
	uint64_t value = read_register(f);

	for (unsigned i = 0; i < pci_window_count; i++) {
		const struct pci_ecam *e = &pci_windows[i];

		if (e->segment == 0 && value & PCIEXBAR_ENABLE && e->base == window_base(value)) {
			f->is_window_register = f->follows_writes = true;
			moved = i;
		}
	}
}

static int trap(struct window *w)
{
	return mmio_register(GPA(first_byte(w->ecam)), bytes(w->ecam), MMIO_READS_AND_WRITES, &ops,
			     w);
}

/* Trap the window at its next place. The old trap stays, unless the two overlap. */
static bool watch(struct window *w, const struct pci_ecam *next)
{
	struct pci_ecam old = *w->ecam;

	if (next->base == old.base && next->last_bus == old.last_bus)
		return true;
	if (next->base < region_base + region_size && next->base + bytes(next) > region_base)
		return false;
	/* the same base with another length: there is a moment without a trap, and no other way */
	bool overlap = next->base < old.base + bytes(&old) && old.base < next->base + bytes(next);

	if (overlap) {
		mmio_unregister(w->trap);
		w->trap = 0;
	}
	*w->ecam = *next;
	pci_claims_yield(next->base, next->base + bytes(next));
	int id = trap(w);

	if (id < 0) {
		*w->ecam = old;
		if (overlap)
			w->trap = trap(w);
		return false;
	}
	w->trap = id;
	return true;
}

/*
 * Bring the window to where the register's new value puts it: its new place is trapped before the
 * write, and its old place opened behind it. False: it cannot be watched there.
 */
static bool move(struct function *f, uint64_t value, uint16_t offset, unsigned size, uint32_t data)
{
	struct window *w = &windows[moved];
	struct pci_ecam *e = w->ecam, old = *e, next = old;
	int old_trap = w->trap;
	bool off = !(value & PCIEXBAR_ENABLE), was_off = w->off;

	next.base = window_base(value);
	next.last_bus = (uint8_t)((window_bytes(value) >> 20) - 1);
	if (!off) {
		w->off = false; /* trapped before it is there */
		if (!watch(w, &next)) {
			w->off = was_off;
			return false;
		}
		if (was_off && w->trap == old_trap)
			pci_ecam_refresh();
	}
	pci_write(&f->dev, offset, size, data);
	if (w->trap != old_trap && old_trap)
		mmio_unregister(old_trap);
	if (off && !was_off) {
		w->off = true;
		pci_ecam_refresh();
	}
	return true;
}

int pci_ecam_wake(void)
{
	const struct function *f = pci_function_at((struct pci_address){0});

	if (f && f->is_window_register) {
		struct window *w = &windows[moved];
		uint64_t value = read_register(f);
		struct pci_ecam next = *w->ecam;
		int old_trap = w->trap;

		w->off = !(value & PCIEXBAR_ENABLE);
		next.base = window_base(value);
		next.last_bus = (uint8_t)((window_bytes(value) >> 20) - 1);
		if (!w->off && !watch(w, &next))
			return -ENOSPC;
		if (w->trap != old_trap && old_trap)
			mmio_unregister(old_trap);
	}
	pci_ecam_refresh();
	return 0;
}

bool pci_ecam_write(struct function *f, uint16_t offset, unsigned size, uint32_t value)
{
	uint64_t new = read_register(f), old = new;

	if (offset >= PCIEXBAR + 8 || offset + size <= PCIEXBAR)
		return false;
	for (unsigned i = 0; i < size; i++) {
		unsigned at = offset + i - PCIEXBAR;

		if (at < 8)
			new = (new & ~(UINT64_C(0xff) << 8 * at)) |
			      (uint64_t)(value >> 8 * i & 0xff) << 8 * at;
	}
	if (!move(f, new, offset, size, value))
		log_printf("PCI: the guest may not move configuration space from %#lx to %#lx\n",
			   window_base(old), window_base(new));
	return true;
}

int pci_ecam_init(void)
{
	find_register();
	for (unsigned i = 0; i < pci_window_count; i++) {
		struct window *w = &windows[i];

		w->ecam = &pci_windows[i];
		w->possible = pci_memory(256 * sizeof(*w->possible));
		if (!w->possible)
			return -ENOMEM;
		ask_rules(w);
		int id = trap(w);

		if (id < 0)
			return id;
		w->trap = id;
	}
	return 0;
}
