/* PCI at start-up: find the functions, give them to drivers, watch configuration space. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/initcall.h"
#include "core/start.h"
#include "core/vm/mmio.h"
#include "core/x86/percpu.h"
#include "drivers/pci/assign.h"
#include "drivers/pci/ecam.h"
#include "drivers/pci/function.h"
#include "drivers/pci/list.h"
#include "drivers/pci/msi.h"
#include "drivers/pci/ports.h"
#include "drivers/pci/space.h"

static int pci_init(void)
{
	int err;

	pci_space_init();
	pci_functions_scan();
	if ((err = pci_assign_init()) != 0 || (err = pci_msi_init()) != 0)
		return err;
	for (struct function *f = pci_functions; f; f = f->next) {
		char name[PCI_NAME_MAX];

		if ((err = pci_assign(f)) != 0) {
			start_refuse("%s is not taken as vmm.driver.pci says (see above)",
				     pci_name(&f->dev, name));
			return err;
		}
	}
	pci_list();
	if (!pci_assign_any())
		return 0; /* nothing exits */
	if ((err = pci_ports_init()) != 0 || (err = pci_ecam_init()) != 0)
		start_refuse("configuration space cannot be watched: error %d", -err);
	return err;
}
INITCALL(INITCALL_DRIVERS, pci_init);

/* All functions have been reset, and the guest has not yet seen any. */
static int pci_wake(void)
{
	int err;

	mmio_lock(this_cpu());
	pci_space_wake();
	for (struct function *f = pci_functions; f; f = f->next) {
		if (f->present && pci_is_bridge(f))
			pci_bridge_renumbered(f);
	}
	err = pci_assign_any() ? pci_ecam_wake() : 0;
	for (struct function *f = pci_functions; f && !err; f = f->next) {
		if (f->present && f->dev.driver)
			err = f->dev.driver->wake(&f->dev);
	}
	mmio_unlock();
	return err;
}
INITCALL(INITCALL_WAKE, pci_wake);
