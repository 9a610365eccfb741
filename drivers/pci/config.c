/* What rules can see of a PCI function, from its configuration space. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/config.h"
#include "core/errno.h"

int pci_function_read(const struct pci_config *config, struct pci_address address,
		      struct pci_function *function)
{
	uint32_t id = pci_config_read(config, PCI_VENDOR, 4), class, subsystem = 0;
	uint8_t header;

	if ((id & 0xffff) == 0xffff)
		return -ENODEV;
	class = pci_config_read(config, PCI_REVISION, 4);
	header = (uint8_t)pci_config_read(config, PCI_HEADER_TYPE, 1);
	if ((header & PCI_HEADER_MASK) == PCI_HEADER_NORMAL)
		subsystem = pci_config_read(config, PCI_SUBSYSTEM, 4);
	else if ((header & PCI_HEADER_MASK) == PCI_HEADER_CARDBUS)
		subsystem = pci_config_read(config, PCI_CARDBUS_SUBSYSTEM, 4);
	*function = (struct pci_function){
	    .address = address,
	    .vendor = (uint16_t)id,
	    .device = (uint16_t)(id >> 16),
	    .sub_vendor = (uint16_t)subsystem,
	    .sub_device = (uint16_t)(subsystem >> 16),
	    .class_code = class >> 8,
	    .revision = (uint8_t) class,
	    .header_type = header,
	};
	return 0;
}
