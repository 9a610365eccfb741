/* The PCI functions of the machine: the list, the buses they are on now, and who has them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "drivers/pci.h"
#include "drivers/pci/bar.h"
#include "drivers/pci/caps.h"
#include "drivers/pci/config.h"

/* Context of all: start-up, or mmio_lock() held. */

struct function;

struct claim {
	const struct pci_region_ops *ops; /* NULL: not claimed */
	struct function *function;
	uint8_t bar;
	bool io;
	uint64_t first, size;         /* bytes of the BAR */
	uint64_t trap_base, trap_end; /* where its trap is: not on RAM that the BAR lies over */
	bool registers;               /* the CPU can reach all of it, and no RAM lies between */
	int trap; /* number of the trap in core/vm/io.h or core/vm/mmio.h; 0: none now */
};

/* Claims of drivers have the number of their BAR. Then come parts of BARs; see claim.h. */
enum { CLAIM_MSIX_TABLE = PCI_BAR_COUNT, CLAIM_MSIX_PENDING, CLAIM_COUNT };

struct function {
	struct pci_device dev;   /* what drivers see; id.address.bus is the one at boot */
	uint8_t bus;             /* where it answers now */
	bool present;            /* false: taken out while the guest ran */
	bool reachable;          /* false: the bridge above leads to no bus now */
	bool is_window_register; /* the host bridge whose register moves a window (ecam.c) */
	bool follows_writes;     /* it, and bridges: what is written is looked at, whoever has it */
	struct function *bridge; /* above it; NULL: on a root bus */
	/* of a bridge */
	uint8_t secondary, subordinate;
	uint8_t boot_secondary; /* the first one that led anywhere: what rules call the bus */
	bool hot_plug;          /* what is behind it may be exchanged */

	struct pci_bars bars;
	uint32_t boot_bars[PCI_BAR_COUNT]; /* registers as found; see pci_region_taken() */
	struct claim claims[CLAIM_COUNT];
	/*
	 * Bits of the command register that the guest has set and the hardware has not: where the
	 * guest has put a BAR, it could not be watched.
	 */
	uint16_t held;
	struct msi *msi; /* drivers/pci/msi.c; NULL: nobody has asked for its messages */
	/* what the rules said; stays when the function goes, for the case that it comes back */
	bool assignable; /* some rule could name a function at this address */
	bool returned;   /* it is the one that was here before */
	const struct pci_driver *assigned;
	char **assigned_options;
	struct function *next; /* in the order of the scan, new ones last */
};

/* The list; use next. */
extern struct function *pci_functions;

static inline bool pci_is_bridge(const struct function *f)
{
	return (f->dev.id.header_type & PCI_HEADER_MASK) == PCI_HEADER_BRIDGE;
}

static inline bool pci_is_multi(const struct function *f)
{
	return f->dev.id.header_type & 0x80;
}

static inline struct function *pci_function_of(const struct pci_device *dev)
{
	return (struct function *)(uintptr_t)dev; /* its first member */
}

/* What answers at an address now, or NULL; one that was taken out is not found. */
struct function *pci_function_at(struct pci_address at);
/* The same by what stands in the register at CF8. */
extern struct function ***pci_ports_bus; /* the buses of segment 0 */

static inline struct function *pci_function_by_ports(uint32_t address)
{
	return pci_ports_bus[address >> 16 & 0xff][address >> 8 & 0xff];
}
/* Where it answers now. */
struct pci_address pci_function_address(const struct function *f);
/*
 * What rules call the address: by the bus number that the bridge above had at boot, for functions
 * that come later as well.
 */
struct pci_address pci_boot_address(struct pci_address at);
/* Its configuration space in the hardware; `f` stays in use. */
struct pci_config pci_function_config(const struct function *f);
/*
 * Read what stands at the address and put it on the list: NULL when nothing does, or (logged) when
 * memory ran out.
 */
struct function *pci_function_find(struct pci_address at);
/* Find all functions: segment, bus, device, function ascending. Context: start-up, once. */
void pci_functions_scan(void);
/* It does not answer any more. Its claims end. */
void pci_function_gone(struct function *f);
/*
 * A bridge's bus numbers have been written: follow with what is behind it. True when something
 * changed.
 */
bool pci_bridge_renumbered(struct function *bridge);
/* Memory of a few bytes that stays; NULL when there is none. */
void *pci_memory(size_t size);
