/* The PCI functions of the machine: the list, the buses they are on now, and who has them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/function.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "drivers/pci/claim.h"
#include "drivers/pci/space.h"

/* PCI Express Base 3.0, 7.8.2 and 7.8.9. */
#define PCIE_FLAGS_SLOT   0x0100u
#define PCIE_SLOT_CAPS    0x14
#define PCIE_SLOT_HOTPLUG 0x00000040u

struct function *pci_functions;
static struct function **last = &pci_functions;

/* By current address. A bus without functions has no table. */
static struct {
	uint16_t segment;
	struct function **bus[256]; /* of 256 places each */
	uint8_t boot_bus[256];
} segments[PCI_WINDOWS + 1];
static unsigned segment_count;
static struct function *nobody[256]; /* of a bus without functions */
static struct function **no_bus[256] = {[0 ... 255] = nobody};
struct function ***pci_ports_bus = no_bus;

void *pci_memory(size_t size)
{
	static uint8_t *at;
	static size_t left;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (size > left) {
		size_t pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
		uint8_t *fresh = pages_alloc(pages, PAGE_SIZE);

		if (!fresh)
			return NULL;
		at = fresh;
		left = pages * PAGE_SIZE;
	}
	p = at;
	at += size;
	left -= size;
	return p;
}

static struct function **place(struct pci_address at, bool make)
{
	unsigned i = 0;

	while (i < segment_count && segments[i].segment != at.segment)
		i++;
	if (i == segment_count) {
		if (!make || i == sizeof(segments) / sizeof(segments[0]))
			return NULL;
		segments[segment_count++].segment = at.segment;
		if (at.segment == 0)
			pci_ports_bus = segments[i].bus;
		for (unsigned bus = 0; bus < 256; bus++) {
			segments[i].boot_bus[bus] = (uint8_t)bus;
			segments[i].bus[bus] = nobody;
		}
	}
	struct function ***bus = &segments[i].bus[at.bus];

	if (*bus == nobody && make) {
		struct function **fresh = pci_memory(256 * sizeof(*fresh));

		*bus = fresh ? fresh : nobody;
	}
	return *bus != nobody ? &(*bus)[at.device << 3 | at.function] : NULL;
}

struct function *pci_function_at(struct pci_address at)
{
	struct function **p = place(at, false);

	return p ? *p : NULL;
}

struct pci_address pci_boot_address(struct pci_address at)
{
	for (unsigned i = 0; i < segment_count; i++) {
		if (segments[i].segment == at.segment)
			at.bus = segments[i].boot_bus[at.bus];
	}
	return at;
}

/* The numbers of a bridge have changed. */
static void name_buses(uint16_t segment)
{
	for (unsigned i = 0; i < segment_count; i++) {
		if (segments[i].segment != segment)
			continue;
		for (unsigned bus = 0; bus < 256; bus++)
			segments[i].boot_bus[bus] = (uint8_t)bus;
		for (const struct function *f = pci_functions; f; f = f->next) {
			if (f->present && pci_is_bridge(f) && f->secondary &&
			    f->dev.id.address.segment == segment)
				segments[i].boot_bus[f->secondary] = f->boot_secondary;
		}
	}
}

struct pci_address pci_function_address(const struct function *f)
{
	struct pci_address at = f->dev.id.address;

	at.bus = f->bus;
	return at;
}

static uint32_t read_hardware(void *arg, uint16_t offset, unsigned size)
{
	return pci_read(&((const struct function *)arg)->dev, offset, size);
}

static void write_hardware(void *arg, uint16_t offset, unsigned size, uint32_t value)
{
	pci_write(&((const struct function *)arg)->dev, offset, size, value);
}

struct pci_config pci_function_config(const struct function *f)
{
	return (struct pci_config){read_hardware, write_hardware, (void *)(uintptr_t)f};
}

static uint32_t buses(const struct function *f)
{
	return pci_read(&f->dev, PCI_BRIDGE_BUSES, 4);
}

static void read_bridge(struct function *f)
{
	struct pci_config config = pci_function_config(f);
	uint32_t numbers = buses(f);
	uint16_t express = pci_cap_find(&config, PCI_CAP_PCIE);

	f->secondary = (uint8_t)(numbers >> 8);
	f->subordinate = (uint8_t)(numbers >> 16);
	if (!f->boot_secondary)
		f->boot_secondary = f->secondary;
	name_buses(f->dev.id.address.segment);
	/* a slot of a conventional bridge is exchanged through ACPI, and no register tells */
	f->hot_plug = !express ||
		      ((pci_config_read(&config, express + 2u, 2) & PCIE_FLAGS_SLOT) &&
		       (pci_config_read(&config, express + PCIE_SLOT_CAPS, 4) & PCIE_SLOT_HOTPLUG));
}

static bool above(const struct function *bridge, const struct function *f)
{
	while (f && f != bridge)
		f = f->bridge;
	return f == bridge;
}

/*
 * The bridge that leads to where `f` is. Numbers are what firmware, the guest, or a function that
 * was here before wrote, and may say that a bridge is behind itself: the chains must have an end.
 */
static struct function *bridge_to(const struct function *f)
{
	if (f->bus == 0)
		return NULL;
	for (struct function *b = pci_functions; b; b = b->next) {
		if (b->present && pci_is_bridge(b) && b->secondary == f->bus &&
		    b->dev.id.address.segment == f->dev.id.address.segment && !above(f, b))
			return b;
	}
	return NULL;
}

static bool same(const struct pci_function *a, const struct pci_function *b)
{
	return a->vendor == b->vendor && a->device == b->device && a->sub_vendor == b->sub_vendor &&
	       a->sub_device == b->sub_device && a->class_code == b->class_code &&
	       a->revision == b->revision && a->header_type == b->header_type;
}

/* Fills *f, at f->bus, from the hardware; false when nothing is there. */
static bool identify(struct function *f, struct pci_address at)
{
	struct pci_config config = pci_function_config(f);
	struct pci_function before = f->dev.id;

	f->dev.id.address = pci_boot_address(at);
	f->bus = at.bus;
	f->reachable = true;
	if (pci_function_read(&config, f->dev.id.address, &f->dev.id) != 0)
		return false;
	f->present = true;
	f->returned = same(&before, &f->dev.id);
	f->dev.driver = NULL;
	f->dev.driver_options = NULL;
	if (!f->returned)
		f->dev.host = NULL;
	f->bridge = bridge_to(f);
	f->bars.sized = false; /* nobody has its masks: the guest finds them by itself */
	pci_bars_read(&f->bars, &config);
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
		f->boot_bars[i] = f->bars.value[i];
	f->follows_writes = f->is_window_register || pci_is_bridge(f);
	if (pci_is_bridge(f))
		read_bridge(f);
	return true;
}

struct function *pci_function_find(struct pci_address at)
{
	struct function *f;

	if ((pci_space_read(at, PCI_VENDOR, 4) & 0xffff) == 0xffff)
		return NULL;
	/* the record of what was there before is used again: a driver may still look at it */
	for (f = pci_functions; f; f = f->next) {
		struct pci_address old = pci_function_address(f);

		if (!f->present && old.segment == at.segment && old.bus == at.bus &&
		    old.device == at.device && old.function == at.function)
			break;
	}
	struct function **p = place(at, true);

	if (!f && p) {
		f = pci_memory(sizeof(*f));
		if (f) {
			*last = f;
			last = &f->next;
		}
	}
	if (!f || !p) {
		log_printf("PCI: no memory for %02X:%02X.%X\n", at.bus, at.device, at.function);
		return NULL;
	}
	if (!identify(f, at))
		return NULL;
	*p = f;
	return f;
}

static void scan_bus(uint16_t segment, unsigned bus)
{
	for (unsigned device = 0; device < 32; device++) {
		unsigned count = 1;

		for (unsigned i = 0; i < count; i++) {
			struct pci_address at = {segment, (uint8_t)bus, (uint8_t)device,
						 (uint8_t)i};
			const struct function *f = pci_function_find(at);

			if (i == 0 && f && pci_is_multi(f))
				count = 8;
		}
	}
}

void pci_functions_scan(void)
{
	unsigned count = 0;

	for (unsigned bus = 0; bus < 256; bus++)
		scan_bus(0, bus);
	/* the MCFG's order is the firmware's; segments in ascending order whatever it is */
	for (unsigned segment = 1; segment < 0x10000; segment++) {
		bool found = false;

		for (unsigned i = 0; i < pci_window_count; i++) {
			if (pci_windows[i].segment != segment)
				continue;
			found = true;
			for (unsigned bus = pci_windows[i].first_bus;
			     bus <= pci_windows[i].last_bus; bus++)
				scan_bus((uint16_t)segment, bus);
		}
		if (!found && pci_window_count < 2)
			break;
	}
	for (struct function *f = pci_functions; f; f = f->next) {
		f->bridge = bridge_to(f);
		count++;
	}
	log_printf("PCI: %u devices found\n", count);
}

void pci_function_gone(struct function *f)
{
	struct function **p = place(pci_function_address(f), false);

	pci_claims_end(f);
	f->present = false;
	if (p && *p == f)
		*p = NULL;
}

bool pci_bridge_renumbered(struct function *bridge)
{
	uint32_t numbers = buses(bridge);
	uint8_t secondary = (uint8_t)(numbers >> 8), subordinate = (uint8_t)(numbers >> 16);

	if (secondary == bridge->secondary && subordinate == bridge->subordinate)
		return false;
	bool moved = secondary != bridge->secondary;

	bridge->secondary = secondary;
	bridge->subordinate = subordinate;
	if (!bridge->boot_secondary)
		bridge->boot_secondary = secondary;
	name_buses(bridge->dev.id.address.segment);
	/* first all leave, then all come: two buses may change places */
	for (struct function *f = pci_functions; f && moved; f = f->next) {
		struct function **p = f->bridge == bridge && f->reachable
					  ? place(pci_function_address(f), false)
					  : NULL;

		if (p && *p == f)
			*p = NULL;
	}
	for (struct function *f = pci_functions; f && moved; f = f->next) {
		if (f->bridge != bridge)
			continue;
		/* one that has gone as well: it is known again where it comes back */
		f->bus = secondary;
		f->reachable = secondary != 0;
		struct function **p =
		    secondary && f->present ? place(pci_function_address(f), true) : NULL;

		if (p)
			*p = f;
	}
	return true;
}
