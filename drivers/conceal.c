/* driver=conceal: a PCI function that the guest does not find. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/errno.h"
#include "core/log.h"
#include "drivers/pci.h"
#include "drivers/pci/config.h"
#include "drivers/pci/function.h"
#include "drivers/pci/options.h"

#define CLASS_STORAGE 0x01 /* PCI Code and ID Assignment 1.11, 1.2 */

/* Command register: PCI Local Bus 3.0, 6.2.2. */
#define COMMAND_INTX_OFF 0x0400u

/*
 * stub=1: what the guest finds in the place of function 0, so that it goes on to look for the other
 * functions. A class that no driver takes, and an identification that is nobody's.
 */
#define STUB_DEVICE  0xfffe
#define STUB_CLASS   0xff0000u
#define HEADER_MULTI 0x80u

/* ---- the registers behind it ---- */

/*
 * The hardware does not decode them any more. A guest that sees no device may use the addresses for
 * another one, and then the trap must not stand in its way.
 */
static bool yields(struct pci_device *dev, unsigned bar, uint64_t offset)
{
	if (!pci_region_taken(dev, bar, offset))
		return false;
	pci_give_way(dev, bar);
	return true;
}

static uint64_t region_read(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size)
{
	return yields(dev, bar, offset) ? pci_region_read(dev, bar, offset, size) : UINT64_MAX;
}

static void region_write(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size,
			 uint64_t value)
{
	if (yields(dev, bar, offset))
		pci_region_write(dev, bar, offset, size, value);
}

static const struct pci_region_ops region_ops = {
    .read = region_read, .write = region_write, .gives_way = true};

/* ---- configuration space ---- */

static enum pci_config_result config_read(struct pci_device *dev, unsigned size, uint16_t offset,
					  uint32_t *data)
{
	uint32_t word = 0;

	*data = UINT32_MAX;
	if (!dev->host)
		return PCI_CONFIG_DONE;
	switch (offset & ~3u) {
	case PCI_VENDOR:
		word = (uint32_t)STUB_DEVICE << 16 | dev->id.vendor;
		break;
	case PCI_REVISION:
		word = STUB_CLASS << 8;
		break;
	case PCI_HEADER_TYPE & ~3u:
		word = HEADER_MULTI << 16;
		break;
	default:
		break;
	}
	*data = word >> 8 * (offset & 3);
	(void)size; /* the core cuts it */
	return PCI_CONFIG_DONE;
}

static bool others_at_device(const struct pci_device *dev)
{
	const struct function *self = pci_function_of(dev);

	for (const struct function *f = pci_functions; f; f = f->next) {
		if (f != self && f->present && f->bus == self->bus &&
		    f->dev.id.address.segment == dev->id.address.segment &&
		    f->dev.id.address.device == dev->id.address.device)
			return true;
	}
	return false;
}

/* Nothing of it is decoded, it reaches no memory and interrupts nobody. */
static void silence(struct pci_device *dev)
{
	uint32_t command = pci_read(dev, PCI_COMMAND, 2);

	pci_write(
	    dev, PCI_COMMAND, 2,
	    (command & ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)) |
		COMMAND_INTX_OFF);
	if (pci_is_bridge(pci_function_of(dev))) {
		/* what is behind it goes with it: no bus number leads there */
		pci_write(dev, PCI_BRIDGE_BUSES, 2, 0);
		pci_write(dev, PCI_BRIDGE_BUSES + 2, 1, 0);
		pci_bridge_renumbered(pci_function_of(dev));
	}
}

static int conceal_new(struct pci_device *dev)
{
	bool stub = false;
	char name[PCI_NAME_MAX];
	int err = pci_option_bool(dev->driver_options[0], &stub);

	pci_name(dev, name);
	if (err) {
		log_printf("%s stub=%s is neither yes nor no\n", name, dev->driver_options[0]);
		return err;
	}
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		const struct pci_bar *bar = pci_bar(dev, i);

		if (bar && bar->size)
			err = pci_claim(dev, i, &region_ops);
		if (err) {
			log_printf("%s BAR%u cannot be watched\n", name, i);
			return err;
		}
	}
	silence(dev);
	dev->host = stub ? dev : NULL;
	if (dev->id.address.function == 0 && others_at_device(dev) && !stub)
		log_printf("%s is function 0: the guest will not find the other functions of the "
			   "device either (stub=1 shows it something there)\n",
			   name);
	if (dev->id.class_code >> 16 == CLASS_STORAGE)
		log_printf("%s is a disk controller: the firmware cannot read its disks any more, "
			   "nor start from them\n",
			   name);
	log_printf("%s concealed\n", name);
	return 0;
}

/* The traps stay where the guest may still look for its registers. */
static int conceal_wake(struct pci_device *dev)
{
	silence(dev);
	return 0;
}

PCI_DRIVER(conceal) = {
    .name = "conceal",
    .longname = "PCI device concealer",
    .driver_options = "stub",
    .new = conceal_new,
    .wake = conceal_wake,
    .config_read = config_read,
    .config_write = pci_drop_write,
};
