/* What the guest finds in configuration space, by ports and by memory alike. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/guest.h"
#include "core/log.h"
#include "drivers/pci/assign.h"
#include "drivers/pci/claim.h"
#include "drivers/pci/ecam.h"
#include "drivers/pci/msi.h"
#include "drivers/pci/space.h"

#define DECODE (PCI_COMMAND_IO | PCI_COMMAND_MEMORY)

static uint32_t ones(unsigned size)
{
	return UINT32_MAX >> (32 - 8 * size);
}

static bool overlaps(uint16_t offset, unsigned size, unsigned first, unsigned end)
{
	return offset < end && offset + size > first;
}

/* ---- services for drivers ---- */

uint32_t pci_read(const struct pci_device *dev, uint16_t offset, unsigned size)
{
	const struct function *f = pci_function_of(dev);

	return f->reachable ? pci_space_read(pci_function_address(f), offset, size) : ones(size);
}

void pci_write(const struct pci_device *dev, uint16_t offset, unsigned size, uint32_t value)
{
	const struct function *f = pci_function_of(dev);

	if (f->reachable)
		pci_space_write(pci_function_address(f), offset, size, value);
}

enum pci_config_result pci_drop_write(struct pci_device *dev, unsigned size, uint16_t offset,
				      uint32_t data)
{
	(void)dev;
	(void)size;
	(void)offset;
	(void)data;
	return PCI_CONFIG_DONE;
}

uint16_t pci_find_capability(const struct pci_device *dev, uint8_t id)
{
	struct pci_config config = pci_function_config(pci_function_of(dev));

	return pci_cap_find(&config, id);
}

const char *pci_name(const struct pci_device *dev, char text[PCI_NAME_MAX])
{
	const struct pci_function *id = &dev->id;
	int n = 0;

	if (id->address.segment)
		n = log_snprintf(text, PCI_NAME_MAX, "[%04X:", id->address.segment);
	log_snprintf(text + n, PCI_NAME_MAX - (size_t)n, "%s%02X:%02X.%X/%04X:%04X]", n ? "" : "[",
		     id->address.bus, id->address.device, id->address.function, id->vendor,
		     id->device);
	return text;
}

const struct pci_bar *pci_bar(const struct pci_device *dev, unsigned number)
{
	return pci_bars_get(&pci_function_of(dev)->bars, number);
}

uint32_t pci_default_read(struct pci_device *dev, uint16_t offset, unsigned size)
{
	struct function *f = pci_function_of(dev);
	struct pci_config config = pci_function_config(f);

	if (f->bars.sized && pci_bars_touched(&f->bars, offset, size))
		return (uint32_t)pci_bars_guest_read(&f->bars, &config, offset, size);
	if (pci_msi_covers(f, offset, size))
		return pci_msi_config_read(f, offset, size);
	/* an access that ends in its register begins there: it is aligned, and not larger */
	if (offset == PCI_COMMAND)
		return pci_read(dev, offset, size) | f->held;
	return pci_read(dev, offset, size);
}

static bool has_claims(const struct function *f)
{
	for (unsigned i = 0; i < CLAIM_COUNT; i++) {
		if (f->claims[i].ops)
			return true;
	}
	return false;
}

/* What the guest has in the command register. */
static uint16_t command_of(const struct function *f)
{
	return (uint16_t)pci_read(&f->dev, PCI_COMMAND, 2) | f->held;
}

/* Something was moved: perhaps what could not be watched now can. */
static void release_held(const struct function *moved)
{
	for (struct function *f = pci_functions; f; f = f->next) {
		if (!f->held || f == moved || !f->reachable)
			continue;
		uint16_t command = command_of(f);

		f->held &= pci_claims_follow(f, command);
		pci_write(&f->dev, PCI_COMMAND, 2, command & ~(uint32_t)f->held);
	}
}

/*
 * Traps and registers cannot change in the same moment. Nothing is decoded in between, so no CPU
 * reaches the registers at a place that is not watched.
 */
static void write_bars(struct function *f, uint16_t offset, unsigned size, uint32_t value)
{
	struct pci_config config = pci_function_config(f);
	uint16_t command = command_of(f);
	bool off = (command & DECODE) && has_claims(f);
	struct pci_bar_write w;

	pci_bars_write(&f->bars, &config, offset, size, value, &w);
	if (!w.writes)
		return;
	if (off) {
		pci_write(&f->dev, PCI_COMMAND, 2, command & ~(uint32_t)DECODE);
		f->held = pci_claims_follow(f, command) & command;
	}
	for (unsigned i = 0; i < w.writes; i++)
		pci_write(&f->dev, w.write[i].offset, 4, w.write[i].value);
	if (off) {
		pci_write(&f->dev, PCI_COMMAND, 2, command & ~(uint32_t)f->held);
		release_held(f);
	}
}

static void write_command(struct function *f, uint16_t offset, unsigned size, uint32_t value)
{
	uint16_t old = command_of(f), new = old;

	for (unsigned i = 0; i < size; i++) {
		unsigned at = offset + i - PCI_COMMAND;

		if (at < 2)
			new = (uint16_t)((new & ~(0xffu << 8 * at)) | (value >> 8 * i & 0xff)
									  << 8 * at);
	}
	if (((old ^ new) | f->held) & DECODE) {
		f->held = pci_claims_follow(f, old | new) & new;
		/* these are in its lowest byte */
		if (offset == PCI_COMMAND)
			value &= ~(uint32_t)f->held;
	}
	pci_write(&f->dev, offset, size, value);
	if ((old ^ new) & DECODE) {
		pci_claims_follow(f, new);
		release_held(f);
	}
	if (new & ~old & PCI_COMMAND_MEMORY)
		pci_msi_reachable(f);
}

static void write_bridge(struct function *f, uint16_t offset, unsigned size, uint32_t value)
{
	pci_write(&f->dev, offset, size, value);
	if (overlaps(offset, size, PCI_BRIDGE_BUSES, PCI_BRIDGE_BUSES + 3) &&
	    pci_bridge_renumbered(f))
		pci_ecam_refresh();
}

void pci_default_write(struct pci_device *dev, uint16_t offset, unsigned size, uint32_t value)
{
	struct function *f = pci_function_of(dev);

	if (f->is_window_register && pci_ecam_write(f, offset, size, value))
		return;
	if (f->bars.sized && pci_bars_touched(&f->bars, offset, size))
		write_bars(f, offset, size, value);
	else if (pci_msi_covers(f, offset, size))
		pci_msi_config_write(f, offset, size, value);
	else if (has_claims(f) && overlaps(offset, size, PCI_COMMAND, PCI_COMMAND + 2))
		write_command(f, offset, size, value);
	else if (pci_is_bridge(f))
		write_bridge(f, offset, size, value);
	else
		pci_write(dev, offset, size, value);
}

void pci_follow_reset(struct pci_device *dev)
{
	struct function *f = pci_function_of(dev);
	struct pci_config config = pci_function_config(f);

	if (!f->reachable)
		return; /* its bridge leads nowhere until the guest says so: nothing is decoded */
	pci_bars_read(&f->bars, &config);
	uint16_t command = (uint16_t)pci_read(dev, PCI_COMMAND, 2);

	f->held = pci_claims_follow(f, command) & command;
	if (f->held)
		pci_write(dev, PCI_COMMAND, 2, command & ~(uint32_t)f->held);
	pci_msi_follow_reset(f);
}

/* ---- the guest ---- */

static bool is_shadow(struct pci_address at)
{
	struct pci_address first = at;

	first.function = 0;
	return at.function != 0 && pci_has_shadows(pci_function_at(first));
}

/* Somebody asks for a function that was not there: has it come? */
static struct function *look_again(struct pci_address at)
{
	struct pci_address first = at;
	char name[PCI_NAME_MAX];

	first.function = 0;
	const struct function *zero = at.function ? pci_function_at(first) : NULL;

	if (!pci_assign_possible(pci_boot_address(at)) || (zero && !pci_is_multi(zero)))
		return NULL;
	struct function *f = pci_function_find(at);

	if (!f)
		return NULL;
	log_printf("%s new device\n", pci_name(&f->dev, name));
	pci_assign(f);
	pci_ecam_refresh();
	return f;
}

/* What answers at the address now, found out anew where that may have changed. */
static struct function *current(struct pci_address at, uint16_t offset)
{
	struct function *f = pci_function_at(at);

	if (f && (offset < 4 || pci_replaceable(f)) &&
	    pci_read(&f->dev, PCI_VENDOR, 4) != pci_id_of(f)) {
		pci_function_gone(f);
		release_held(f);
		pci_ecam_refresh();
		f = NULL;
	}
	return f ? f : look_again(at);
}

bool pci_guest_wants(struct pci_address at, uint16_t offset, bool write)
{
	const struct function *f = pci_function_at(at);

	if (!f || f->dev.driver || pci_replaceable(f))
		return true;
	return write ? f->follows_writes : offset < 4;
}

uint32_t pci_guest_read(struct pci_address at, uint16_t offset, unsigned size)
{
	uint32_t value = UINT32_MAX;

	if (is_shadow(at))
		return ones(size);
	struct function *f = current(at, offset);

	if (!f || !f->dev.driver)
		return pci_space_read(at, offset, size);
	if (f->dev.driver->config_read &&
	    f->dev.driver->config_read(&f->dev, size, offset, &value) == PCI_CONFIG_DONE)
		return value & ones(size);
	return pci_default_read(&f->dev, offset, size);
}

void pci_guest_write(struct pci_address at, uint16_t offset, unsigned size, uint32_t value)
{
	if (is_shadow(at))
		return;
	struct function *f = current(at, offset);

	if (!f) {
		pci_space_write(at, offset, size, value);
		return;
	}
	if (f->dev.driver && f->dev.driver->config_write &&
	    f->dev.driver->config_write(&f->dev, size, offset, value) == PCI_CONFIG_DONE)
		return;
	pci_default_write(&f->dev, offset, size, value);
}
