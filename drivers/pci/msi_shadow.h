/* The MSI and MSI-X registers that a guest programs in the place of a mediated function's own. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "drivers/msi.h"
#include "drivers/pci/caps.h"

/*
 * Pure: what the guest reads, what its writes mean for the hardware, and which message a raised
 * vector gives. Source of all: PCI Local Bus 3.0, 6.8; offsets are those of chapter 6.8.1 (MSI
 * capability) and 6.8.2 (MSI-X capability, table, pending-bit array).
 *
 * In the hardware, by mode:
 *
 *	pass     The guest's message, if it is allowed; else the vector is kept masked (MSI: the
 *	         capability off).
 *	take     The VMM's message, unmasked from when the guest's message is allowed, whatever the
 *	         guest's mask bits say: they hold back only what goes on to the guest.
 *	virtual  Masked (MSI: off).
 *
 * MSI has one message for all vectors of a function, and therefore one mode. What the guest enables
 * is enabled, so a function that is told to use INTx does.
 */

#define MSI_SHADOW_NMI_DATA 0x400u /* delivery mode 100b; the vector has no meaning */

struct msi_message {
	uint64_t address;
	uint32_t data;
};

enum msi_space {
	MSI_CONFIG,  /* configuration space */
	MSI_TABLE,   /* from the start of the MSI-X table */
	MSI_PENDING, /* from the start of the pending-bit array */
};

/* Callbacks of the owner. */
struct msi_hw {
	/* `size` is 1, 2 or 4, `offset` a multiple of it; 4 but in configuration space. */
	uint32_t (*read)(void *arg, enum msi_space space, uint32_t offset, unsigned size);
	void (*write)(void *arg, enum msi_space space, uint32_t offset, unsigned size,
		      uint32_t value);
	/* The guest gets this message: allowed by msi_message_allowed(). */
	void (*send)(void *arg, const struct msi_message *message);
	void *arg;
};

struct msi_entry {
	uint32_t word[4]; /* address, its upper half, data, vector control; 6.8.2.6-9 */
	uint8_t mode;     /* enum msi_mode */
	bool pending;
};

struct msi_shadow {
	struct msi_hw hw;
	struct pci_msi msi;
	struct pci_msix msix;
	struct msi_message vmm; /* what vectors that are taken send */
	/* MSI; registers as the guest sees them */
	uint16_t control;
	uint16_t hw_control; /* as last written */
	uint32_t address, upper, data, mask, pending;
	enum msi_mode mode;
	/* MSI-X */
	uint16_t x_control, x_hw_control;
	uint16_t others; /* vectors that are not MSI_PASS */
	uint16_t takes;  /* vectors that are MSI_TAKE */
	uint16_t held;   /* vectors that are pending */
	struct msi_entry *entry;
};

/*
 * May a function send this message? Addresses FEExxxxxh, delivery modes fixed, lowest priority, SMI
 * and NMI: a CPU of the guest may send these by its local APIC as well. INIT would take a CPU out
 * of the VMM; ExtINT is never needed; an address elsewhere is a write to memory. SDM 3A, 10.11.
 */
bool msi_message_allowed(const struct msi_message *message);

/*
 * The IPI that is the same as the message: destination as the ICR of the APIC's mode has it, and
 * the ICR's low half. Destination mode and delivery mode stay, but a redirection hint on a logical
 * destination, which means one of its CPUs, becomes lowest priority. False: there is none, because
 * the message has no effect (level-triggered and deasserted; vectors below 16, 10.5.2), is in the
 * remappable format, or is not allowed. SDM 3A, 10.6.1, 10.11, 10.12.9.
 */
bool msi_to_icr(const struct msi_message *message, bool x2apic, uint32_t *destination,
		uint32_t *icr);

/*
 * Begin: the registers are as after a reset, in the hardware too. `entry` has room for
 * caps->msix.vectors entries and stays. All vectors are in `mode`.
 */
void msi_shadow_init(struct msi_shadow *s, const struct pci_caps *caps, const struct msi_hw *hw,
		     const struct msi_message *vmm, struct msi_entry *entry, enum msi_mode mode);

/* A vector gets another mode; MSI: all do. False: no such vector. */
bool msi_shadow_set_mode(struct msi_shadow *s, unsigned vector, enum msi_mode mode);

/* True when the hardware may interrupt the VMM now. */
bool msi_shadow_takes(const struct msi_shadow *s);

/* Bytes of the table and of the pending-bit array. */
uint32_t msi_shadow_table_size(const struct msi_shadow *s);
uint32_t msi_shadow_pending_size(const struct msi_shadow *s);

/* True when some of the bytes in configuration space are shadowed. */
bool msi_shadow_covers(const struct msi_shadow *s, unsigned offset, unsigned size);

/*
 * The guest's accesses of 1 to 8 bytes at any offset within the space. Other bytes: configuration
 * space is the hardware's, elsewhere reads give 0 and writes do nothing.
 */
uint64_t msi_shadow_read(struct msi_shadow *s, enum msi_space space, uint32_t offset,
			 unsigned size);
void msi_shadow_write(struct msi_shadow *s, enum msi_space space, uint32_t offset, unsigned size,
		      uint64_t value);

/*
 * The vector has something for the guest; deliver() sends what may be sent. A vector beyond those
 * that the guest has enabled for MSI means the one of its lower bits. Without MSI or MSI-X enabled
 * nothing happens: false.
 */
bool msi_shadow_post(struct msi_shadow *s, unsigned vector);
void msi_shadow_deliver(struct msi_shadow *s);
/* The vector has nothing any more: 6.8.3.5 wants the pending bit to go. */
void msi_shadow_withdraw(struct msi_shadow *s, unsigned vector);

/* A function that was reset, by whatever way, has everything disabled and knows no messages: if it
 * was, so does the shadow. */
void msi_shadow_notice_reset(struct msi_shadow *s);
/* Write the hardware's table anew: it could not be reached, or the function was reset. */
void msi_shadow_refresh(struct msi_shadow *s);
