/* Whether devices are kept out of the VMM's memory: the seam to whoever drives the IOMMU. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct dma_guard {
	const char *name; /* of the units, for the user */
	/*
	 * Confine DMA. 0, or negative errno, and then everything is as it was or off. Context: boot
	 * CPU; all other CPUs have entered, and the guest has not begun.
	 */
	int (*start)(void);
	/* Undo that: the VMM does not start after all, and its memory is going to be the guest's.
	 * Context: boot CPU. */
	void (*stop)(void);
	/* As dma_pass_nmi(); NULL: nothing is in the way of NMIs. */
	void (*pass_nmi)(uint16_t segment, uint16_t requester);
};

/* Somebody can confine DMA. Context: INITCALL_DRIVERS, at most once. */
void dma_provide(const struct dma_guard *guard);
/* Why nobody can, for the user. The last reason counts. Context: INITCALL_DRIVERS. */
void dma_cannot(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Tell the user whether DMA will be confined. False: vmm.iommu=on was asked for by name and cannot
 * be done, and the user has been asked. Context: start-up, after INITCALL_DRIVERS.
 */
bool dma_report(void);
/*
 * Confine it if somebody can. 0, or negative errno: the VMM must not start, because that was asked
 * for by name, or must not go on behind S3, because it was so before. Context: as dma_guard.start.
 */
int dma_start(void);
/* Undo it. Context: as dma_guard.stop. */
void dma_stop(void);
/*
 * A function's messages are NMIs of the VMM's: let them through, where those of other functions are
 * stopped. `requester`: bus, device, function as in a transaction. Context: INITCALL_DRIVERS, or
 * mmio_lock() held.
 */
void dma_pass_nmi(uint16_t segment, uint16_t requester);
