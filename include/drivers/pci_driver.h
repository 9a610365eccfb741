/* PCI drivers: the record that each one registers, and the device that it is given. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/section.h"

/*
 * A driver is one const record, made with PCI_DRIVER(). It is always registered: whether it gets a
 * device is decided by vmm.driver.pci alone (drivers/pci/match.h). A whole driver:
 *
 *	struct uhci { uint64_t registers; bool quiet; };
 *
 *	static int uhci_new(struct pci_device *dev)
 *	{
 *		struct uhci *u = ...;
 *		int err = pci_option_bool(dev->driver_options[1], &u->quiet); // stays when not
 *given
 *
 *		if (err)
 *			return err; // the device is left to the guest
 *		dev->host = u;
 *		return 0;
 *	}
 *
 *	PCI_DRIVER(uhci) = {
 *		.name = "uhci",                    // driver=uhci, device=uhci
 *		.longname = "UHCI para pass-through driver 1.0",
 *		.device = "class_code=0c0300",     // what device=uhci means, and driver=uhci alone
 *		.driver_options = "ports,quiet",   // values: dev->driver_options[0] and [1]
 *		.new = uhci_new,
 *	};
 *
 * Several kinds of devices: .device = "class_code=020000, id=8086:100e|8086:10d3". A comma is AND,
 * a bar is OR. ".device = "id=:"" accepts nothing: such a driver must be named with a selection.
 */

struct pci_address {
	uint16_t segment;
	uint8_t bus;      /* as found at boot: a guest that renumbers bridges changes no rule */
	uint8_t device;   /* 0-31 */
	uint8_t function; /* 0-7 */
};

/* What the selection keys of a rule can see of a function. PCI Local Bus 3.0, chapter 6.1. */
struct pci_function {
	struct pci_address address;
	uint16_t vendor, device;
	uint16_t sub_vendor, sub_device; /* 0 where the header has none (bridges) */
	uint32_t class_code;             /* 24 bits: base class, subclass, programming interface */
	uint8_t revision;
	uint8_t header_type; /* with the multi-function bit 7 */
};

struct pci_driver;

struct pci_device {
	struct pci_function id;
	const struct pci_driver *driver; /* NULL: none, the guest's alone */
	/*
	 * One value for each name of driver->driver_options, in that order; NULL when the option is
	 * not given. The array is there even when no option is. Helpers: drivers/pci/options.h.
	 */
	char **driver_options;
	void *host; /* the driver's own */
};

enum pci_config_result {
	PCI_CONFIG_DEFAULT, /* the core carries the access out */
	PCI_CONFIG_DONE,    /* the driver did; for reads, *data is what the guest gets */
};

struct pci_driver {
	const char *name;     /* unique and not "none"; NULL: no rule can name this driver */
	const char *longname; /* "<longname> registered" is logged; NULL: nothing is */
	/*
	 * Devices that this driver accepts: the selection part of a rule, without the keys device,
	 * number and driver. NULL: none.
	 */
	const char *device;
	const char *driver_options; /* names of options, separated by commas; NULL: none */
	/*
	 * Called once, when a rule gives the device to this driver, before the guest's first
	 * instruction, or when the guest makes the device appear. A negative errno leaves the
	 * device to the guest; the reason must have been logged.
	 */
	int (*new)(struct pci_device *dev);
	/*
	 * Called behind suspend to RAM, before the guest goes on: the function has been reset, and
	 * firmware may have set it up again. A bridge may lead nowhere: configuration space then
	 * reads as ones and takes nothing. NULL: the driver cannot go on then, and S3 is refused
	 * from when it has a device. A negative errno, logged, is a panic.
	 */
	int (*wake)(struct pci_device *dev);
	/*
	 * Accesses of the guest to configuration space; `size` is 1, 2 or 4, and no access crosses
	 * a multiple of 4. NULL: all by default. Context: an exit, no locks held.
	 */
	enum pci_config_result (*config_read)(struct pci_device *dev, unsigned size,
					      uint16_t offset, uint32_t *data);
	enum pci_config_result (*config_write)(struct pci_device *dev, unsigned size,
					       uint16_t offset, uint32_t data);
};

/*
 * Registers a driver. The order of the records, which DUMP_PCI_DEV_LIST shows, is that of the file
 * names.
 */
#define PCI_DRIVER(id) static const struct pci_driver pci_driver_##id SECTION_RECORD(pci_driver)

/* The records (core/image.lds). */
extern const struct pci_driver section_pci_driver_start[], section_pci_driver_end[];
