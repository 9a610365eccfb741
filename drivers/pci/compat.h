/* Old configuration keys that gave devices to drivers, as rules of vmm.driver.pci. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "core/config.h"

/*
 * The keys that are on. vmm.driver.pci_conceal is a string and comes before them; it has a dialect
 * of its own (PCI_MATCH_CONCEAL).
 */
struct pci_compat_keys {
	bool uhci;            /* vmm.driver.usb.uhci */
	bool conceal_ehci;    /* vmm.driver.concealEHCI */
	bool ehci;            /* vmm.driver.usb.ehci */
	bool vga_intel;       /* vmm.driver.vga_intel */
	bool conceal_1394;    /* vmm.driver.conceal1394 */
	bool ata;             /* vmm.driver.ata */
	bool conceal_pro1000; /* vmm.driver.concealPRO1000 */
	bool vpn_pro1000;     /* vmm.driver.vpn.PRO1000 */
	bool vpn_pro100;      /* vmm.driver.vpn.PRO100 */
	bool vpn_rtl8169;     /* vmm.driver.vpn.RTL8169 */
	bool tty_pro1000;     /* vmm.tty_pro1000 */
	bool tty_rtl8169;     /* vmm.tty_rtl8169 */
	bool tty_ieee1394;    /* vmm.tty_ieee1394 */
	bool tty_x540;        /* vmm.tty_x540 */
};

/* The keys that are on in a configuration. */
void pci_compat_read(const struct config *config, struct pci_compat_keys *keys);

#define PCI_COMPAT_MAX 512 /* bytes of the longest string, with its NUL */

/*
 * Writes the rules that these keys stand for, in the order in which they were looked at, to be used
 * behind vmm.driver.pci and vmm.driver.pci_conceal (pci_match_first()). Returns the length; like
 * snprintf the string is cut to `size` and terminated when size > 0.
 */
int pci_compat_rules(const struct pci_compat_keys *keys, char *out, size_t size);
