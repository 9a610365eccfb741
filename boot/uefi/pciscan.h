/* Which PCI functions the VMM will take: the scan and the rules, as the VMM does both (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "drivers/pci/match.h"
#include "drivers/pci_driver.h"

/*
 * Configuration space of the machine. `size` is 1, 2 or 4 and `offset`, below 256, a multiple of
 * it; what is not there reads as ones.
 */
struct pciscan_machine {
	uint32_t (*read)(void *arg, struct pci_address address, uint16_t offset, unsigned size);
	void *arg;
};

/* All strings that give functions to drivers, as pci_match_first() wants them. */
struct pciscan_rules {
	const struct pci_match_rules *const *rules;
	struct pci_match_state *const *states; /* all 0 */
	size_t count;
};

struct pciscan_taken {
	struct pci_function id;
	const struct pci_driver *driver; /* never NULL */
};

/*
 * Looks at all functions of the segments, which must be in ascending order: bus by bus, device by
 * device, function by function, because number= counts them in this order. Functions 1 to 7 are
 * looked for where function 0 says so (PCI Local Bus 3.0, 3.2.2.3.4). Fills taken[] with those that
 * a rule gives to a driver and returns their number, or -ENOSPC when they are more than `max`.
 */
int pciscan_find(const struct pciscan_machine *machine, const uint16_t *segments,
		 size_t segment_count, const struct pciscan_rules *rules,
		 struct pciscan_taken *taken, size_t max);
