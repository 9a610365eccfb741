/* PCI: what the core does for a driver that has a function. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "drivers/pci_driver.h"

/*
 * All calls: from a driver's `new`, its config_read and config_write, and from handlers of claimed
 * regions. The core holds its lock there (core/vm/mmio.h): a driver needs none of its own.
 */

/* ---- configuration space ---- */

/* The hardware's own, whatever the guest is shown. `size` 1, 2 or 4, `offset` a multiple of it. */
uint32_t pci_read(const struct pci_device *dev, uint16_t offset, unsigned size);
void pci_write(const struct pci_device *dev, uint16_t offset, unsigned size, uint32_t value);

/*
 * The guest's access as the core carries it out after PCI_CONFIG_DEFAULT: base address registers
 * are followed, and answer to sizing without reaching the hardware; the rest is the hardware's.
 */
uint32_t pci_default_read(struct pci_device *dev, uint16_t offset, unsigned size);
void pci_default_write(struct pci_device *dev, uint16_t offset, unsigned size, uint32_t value);

/* A config_write for a function that takes nothing from the guest. */
enum pci_config_result pci_drop_write(struct pci_device *dev, unsigned size, uint16_t offset,
				      uint32_t data);
/*
 * For `wake`: base address registers and the messages of msi_own() are what the reset has left, and
 * traps follow.
 */
void pci_follow_reset(struct pci_device *dev);

/* Offset of the first capability with this id, 0: none. PCI Local Bus 3.0, 6.7. */
uint16_t pci_find_capability(const struct pci_device *dev, uint8_t id);

/* "[BB:DD.F/VVVV:DDDD]" for the log, upper-case; segments other than 0 come before the bus. */
#define PCI_NAME_MAX 32
const char *pci_name(const struct pci_device *dev, char text[PCI_NAME_MAX]);

/* ---- base address registers ---- */

#define PCI_BAR_ROM   6 /* index of the expansion ROM */
#define PCI_BAR_COUNT 7

/* PCI Local Bus 3.0, 6.2.5. */
enum pci_bar_type { PCI_BAR_NONE, PCI_BAR_MEMORY, PCI_BAR_IO };

struct pci_bar {
	enum pci_bar_type type; /* NONE also for upper halves, and for 0 while no size is known */
	bool wide;              /* 64 bits: the next register holds the upper half */
	bool prefetchable;
	bool enabled; /* the ROM's own enable bit; true for the others */
	uint64_t base;
	uint64_t size; /* bytes; 0: not known (bridges) */
};

/* BAR `number` < PCI_BAR_COUNT as the guest has set it, or NULL when there is none. */
const struct pci_bar *pci_bar(const struct pci_device *dev, unsigned number);

/*
 * The guest's accesses to a claimed region: registers behind a BAR, memory or ports alike. `size`
 * is 1, 2, 4 or 8 (ports: 4 at most), `offset` a multiple of it for memory; ports come as the guest
 * wrote them, but never beyond the end.
 */
struct pci_region_ops {
	uint64_t (*read)(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size);
	void (*write)(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size,
		      uint64_t value);
	/*
	 * For drivers that only look: asked before each access to memory that is frequent and
	 * plain. True: the access goes to the hardware as it is, and none of the two above is
	 * called. NULL: never. Lean: see io_trap_lean() in core/vm/io.h.
	 */
	bool (*pass)(struct pci_device *dev, unsigned bar, bool write);
	/* Memory: reads go to the hardware without an exit, and `read` is not called for plain
	 * ones. */
	bool writes_only;
	/* The function never decodes again what is behind the BAR (driver=conceal): the claim ends
	 * when the guest puts there what the VMM traps as well. */
	bool gives_way;
};

/*
 * Take the guest's accesses to a BAR. The trap is there while the function decodes the BAR, and
 * moves along when the guest moves it. 0; -ENODEV: no such BAR, or of unknown size; -EBUSY: claimed
 * already; -ENOSPC, -ENOMEM: no room for the trap.
 */
int pci_claim(struct pci_device *dev, unsigned bar, const struct pci_region_ops *ops);
void pci_release(struct pci_device *dev, unsigned bar);

/* The guest's access to a claimed region on the hardware itself. */
uint64_t pci_region_read(const struct pci_device *dev, unsigned bar, uint64_t offset,
			 unsigned size);
void pci_region_write(const struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size,
		      uint64_t value);

/*
 * For a region whose device does not decode any more (driver=conceal): the guest may have put
 * another device there since start-up, as it may where it sees nothing. True: another function's
 * BAR has come to where it may cover the byte. Slow: reads the registers of all functions.
 */
bool pci_region_taken(const struct pci_device *dev, unsigned bar, uint64_t offset);
/* Then: the claim ends, which the log tells. */
void pci_give_way(struct pci_device *dev, unsigned bar);
