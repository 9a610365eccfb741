/* Old configuration keys that gave devices to drivers, as rules of vmm.driver.pci. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/compat.h"

struct out {
	char *at;
	size_t size, length;
};

static void put(struct out *o, const char *s)
{
	for (; *s; s++, o->length++) {
		if (o->length + 1 < o->size)
			o->at[o->length] = *s;
	}
}

static void rule(struct out *o, bool on, const char *text)
{
	if (!on)
		return;
	if (o->length > 0)
		put(o, ", and, ");
	put(o, text);
}

void pci_compat_read(const struct config *c, struct pci_compat_keys *keys)
{
	*keys = (struct pci_compat_keys){
	    .uhci = c->old_uhci,
	    .conceal_ehci = c->old_conceal_ehci,
	    .ehci = c->old_ehci,
	    .vga_intel = c->old_vga_intel,
	    .conceal_1394 = c->old_conceal_1394,
	    .ata = c->old_ata,
	    .conceal_pro1000 = c->old_conceal_pro1000,
	    .vpn_pro1000 = c->old_vpn_pro1000,
	    .vpn_pro100 = c->old_vpn_pro100,
	    .vpn_rtl8169 = c->old_vpn_rtl8169,
	    .tty_pro1000 = c->old_tty_pro1000,
	    .tty_rtl8169 = c->old_tty_rtl8169,
	    .tty_ieee1394 = c->old_tty_ieee1394,
	    .tty_x540 = c->old_tty_x540,
	};
}

int pci_compat_rules(const struct pci_compat_keys *k, char *out, size_t size)
{
	struct out o = {out, size, 0};

	rule(&o, k->uhci, "driver=uhci");
	rule(&o, k->conceal_ehci, "driver=ehci_conceal");
	rule(&o, k->ehci, "driver=ehci");
	rule(&o, k->vga_intel, "driver=vga_intel");
	rule(&o, k->conceal_1394 && !k->tty_ieee1394, "driver=ieee1394");
	rule(&o, k->ata, "driver=ata, and, driver=ahci, and, driver=raid");
	if (k->conceal_pro1000 && !k->tty_pro1000) {
		rule(&o, true, "device=pro1000, driver=conceal");
	} else if (k->conceal_pro1000 || k->vpn_pro1000 || k->tty_pro1000) {
		rule(&o, true, "driver=pro1000");
		put(&o, k->vpn_pro1000 && !k->conceal_pro1000 ? ", net=vpn" : "");
		put(&o, k->tty_pro1000 ? ", tty=1" : "");
	}
	rule(&o, k->vpn_pro100, "driver=pro100, net=vpn");
	if (k->vpn_rtl8169 || k->tty_rtl8169) {
		rule(&o, true, "driver=rtl8169");
		put(&o, k->vpn_rtl8169 ? ", net=vpn" : "");
		put(&o, k->tty_rtl8169 ? ", tty=1" : "");
	}
	rule(&o, k->tty_ieee1394, "driver=ieee1394log, and, driver=thunderbolt_conceal");
	rule(&o, k->tty_x540, "driver=x540");
	if (size > 0)
		out[o.length < size ? o.length : size - 1] = 0;
	return (int)o.length;
}
