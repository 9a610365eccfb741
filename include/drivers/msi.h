/* Message-signalled interrupts of a mediated function: the VMM's in the hardware, a shadow for the
 * guest. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include "drivers/pci_driver.h"

enum msi_mode {
	MSI_PASS,    /* the guest's message is in the hardware, after a check */
	MSI_TAKE,    /* the hardware interrupts the VMM; what the driver raises goes to the guest */
	MSI_VIRTUAL, /* the hardware sends nothing; what the driver raises goes to the guest */
};

/*
 * All calls: from where drivers/pci.h says, or with mmio_lock() held in an exit.
 *
 * From msi_own() on the guest programs a shadow of the MSI and MSI-X registers: those in
 * configuration space by way of pci_default_read() and pci_default_write(), the MSI-X table and its
 * pending bits wherever they are behind a BAR, also when the driver claims that BAR itself: its
 * handlers do not see them, nor do reads of a claim with `writes_only` go to the hardware then. The
 * registers begin as after a reset, with everything disabled. (PCI Local Bus 3.0, 6.8.)
 *
 * All vectors are in `mode`. With MSI_TAKE the function's interrupts are NMIs of the boot CPU,
 * which do not say whose they are. While the guest has MSI or MSI-X enabled, `taken` is called at
 * each NMI of the boot CPU, also for others: it looks at the device, does its work, and calls
 * msi_raise() for each vector that it has found a reason for. True: the device has wanted attention
 * since the last call. NMIs that have come by then are explained by that. Those vectors are
 * forwarded when it has returned: the guest's handler finds all that it wrote. A vector that the
 * guest masks is held, and forwarded when it is unmasked; the VMM is interrupted all the same. The
 * forwarded interrupt has the guest's destination, destination mode, vector and delivery mode.
 *
 * `taken` may be NULL without MSI_TAKE. While the guest has neither MSI nor MSI-X enabled, nothing
 * is taken or raised: the function may use INTx, unless the driver keeps it from that.
 *
 * 0; -ENODEV: the function has neither MSI nor MSI-X; -EBUSY: owned already; -EINVAL: MSI_TAKE
 * without `taken`; -ERANGE: MSI_TAKE and a boot CPU whose APIC ID has no place in a message;
 * -ENOMEM; and what pci_claim() gives for the table of MSI-X.
 */
int msi_own(struct pci_device *dev, enum msi_mode mode, bool (*taken)(struct pci_device *dev));
/*
 * Another mode for one vector of MSI-X; with vector 0 also for MSI, which has one for all. 0;
 * -EINVAL: no such vector, or MSI_TAKE where msi_own() was given no `taken`.
 */
int msi_set_mode(struct pci_device *dev, unsigned vector, enum msi_mode mode);
/*
 * The guest gets an interrupt: at once, or from within `taken` when that has returned, or when it
 * unmasks the vector. False: neither MSI nor MSI-X is enabled, and nothing was done.
 */
bool msi_raise(struct pci_device *dev, unsigned vector);
/* What the vector stood for is over: if it is held because the guest masks it, it is not sent. */
void msi_withdraw(struct pci_device *dev, unsigned vector);
/*
 * MSI_TAKE: the guest has just ended a cause that `taken` has not seen. The device's message for it
 * may be on its way, and finds nothing then.
 */
void msi_ended_unseen(struct pci_device *dev);
