/* The one table of configuration keys, from which parser, defaults and documents come. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Value names, one list a line: N(enumerator, value, "name"). The first of two names with the same
 * value is the one that is printed.
 */
/* clang-format off */
#define CONFIG_NAMES_STARTUP(N) \
	N(CONFIG_STARTUP_AUTO, 0, "auto") \
	N(CONFIG_STARTUP_SIPI, 1, "sipi") \
	N(CONFIG_STARTUP_ICR, 2, "icr")
#define CONFIG_NAMES_APIC(N) \
	N(CONFIG_APIC_AUTO, 0, "auto") \
	N(CONFIG_APIC_TRAP, 1, "trap") \
	N(CONFIG_APIC_PASS, 2, "pass")
#define CONFIG_NAMES_ON_ERROR(N) \
	N(CONFIG_ON_ERROR_AUTO, 0, "auto") \
	N(CONFIG_ON_ERROR_STOP, 1, "stop") \
	N(CONFIG_ON_ERROR_CONTINUE, 2, "continue")
#define CONFIG_NAMES_CPUID_UNKNOWN(N) \
	N(CONFIG_CPUID_UNKNOWN_HIDE, 0, "hide") \
	N(CONFIG_CPUID_UNKNOWN_SHOW, 1, "show")
#define CONFIG_NAMES_IOMMU(N) \
	N(CONFIG_IOMMU_ON, 0, "on") \
	N(CONFIG_IOMMU_GUEST, 1, "guest")
#define CONFIG_NAMES_MITIGATIONS(N) \
	N(CONFIG_MITIGATIONS_AUTO, 0, "auto") \
	N(CONFIG_MITIGATIONS_OFF, 1, "off")
#define CONFIG_NAMES_PCI_BOOT(N) \
	N(CONFIG_PCI_BOOT_ASK, 0, "ask") \
	N(CONFIG_PCI_BOOT_TAKE, 1, "take") \
	N(CONFIG_PCI_BOOT_LEAVE, 2, "leave")
/* I/O ports of the four serial ports of a PC (the usual contents of the BIOS data area, 0040:0000) */
#define CONFIG_NAMES_SERIAL(N) \
	N(CONFIG_SERIAL_NONE, 0, "none") \
	N(CONFIG_SERIAL_COM1, 0x3f8, "com1") \
	N(CONFIG_SERIAL_COM2, 0x2f8, "com2") \
	N(CONFIG_SERIAL_COM3, 0x3e8, "com3") \
	N(CONFIG_SERIAL_COM4, 0x2e8, "com4")
#define CONFIG_NAMES_BOOT_DRIVE(N) \
	N(CONFIG_BOOT_DRIVE_AUTO, 0, "auto")
#define CONFIG_NAMES_MEMORY(N) \
	N(CONFIG_MEMORY_AUTO, 0, "auto")

/* The lists that become an enum config_<name>; the others only give names to some numbers. */
#define CONFIG_NAME_LISTS(L) \
	L(startup, CONFIG_NAMES_STARTUP) \
	L(apic, CONFIG_NAMES_APIC) \
	L(on_error, CONFIG_NAMES_ON_ERROR) \
	L(cpuid_unknown, CONFIG_NAMES_CPUID_UNKNOWN) \
	L(iommu, CONFIG_NAMES_IOMMU) \
	L(pci_boot, CONFIG_NAMES_PCI_BOOT) \
	L(mitigations, CONFIG_NAMES_MITIGATIONS) \
	L(serial, CONFIG_NAMES_SERIAL) \
	L(boot_drive, CONFIG_NAMES_BOOT_DRIVE) \
	L(memory, CONFIG_NAMES_MEMORY)

/*
 * The keys, in the order in which they are documented:
 *	BOOL(key, field, default, help)
 *	INT(key, field, min, max, default, help)              C numbers, base by prefix
 *	NAMED(key, field, list, min, max, default, help)      a name of the list, or a number of the range
 *	SIZE(key, field, list, unit, min, max, default, help) a name of the list, or a size; a bare number
 *	                                                      counts units; min, max, default and the field: bytes
 *	ENUM(key, field, list, default, help)                 a name of the list and nothing else
 *	STRING(key, field, max, default, help)                at most max characters
 */
#define CONFIG_KEYS(BOOL, INT, NAMED, SIZE, ENUM, STRING) \
	STRING("vmm.driver.pci", driver_pci, 2048, "", \
		"Which PCI functions the VMM takes, and the driver for each: rules of the form " \
		"selection, driver=name, option=value, joined by \", and, \". Empty: none.") \
	STRING("vmm.driver.pci_conceal", old_pci_conceal, 1024, "", \
		"Old form of vmm.driver.pci: items, then action=deny (conceal) or action=allow (leave).") \
	BOOL("vmm.driver.usb.uhci", old_uhci, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=uhci.") \
	BOOL("vmm.driver.concealEHCI", old_conceal_ehci, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=ehci_conceal.") \
	BOOL("vmm.driver.usb.ehci", old_ehci, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=ehci.") \
	BOOL("vmm.driver.vga_intel", old_vga_intel, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=vga_intel.") \
	BOOL("vmm.driver.conceal1394", old_conceal_1394, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=ieee1394, without vmm.tty_ieee1394.") \
	BOOL("vmm.driver.ata", old_ata, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=ata, ahci and raid.") \
	BOOL("vmm.driver.concealPRO1000", old_conceal_pro1000, 0, \
		"Old key, behind all rules of vmm.driver.pci: device=pro1000, driver=conceal.") \
	BOOL("vmm.driver.vpn.PRO1000", old_vpn_pro1000, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=pro1000, net=vpn.") \
	BOOL("vmm.driver.vpn.PRO100", old_vpn_pro100, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=pro100, net=vpn.") \
	BOOL("vmm.driver.vpn.RTL8169", old_vpn_rtl8169, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=rtl8169, net=vpn.") \
	BOOL("vmm.tty_pro1000", old_tty_pro1000, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=pro1000, tty=1.") \
	BOOL("vmm.tty_rtl8169", old_tty_rtl8169, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=rtl8169, tty=1.") \
	BOOL("vmm.tty_ieee1394", old_tty_ieee1394, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=ieee1394log, and, driver=thunderbolt_conceal.") \
	BOOL("vmm.tty_x540", old_tty_x540, 0, \
		"Old key, behind all rules of vmm.driver.pci: driver=x540.") \
	INT("vmm.dump_pci_timeout", dump_pci_timeout, 0, 3600, 30, \
		"Seconds without a key after which the list of PCI functions (build option " \
		"DUMP_PCI_DEV_LIST) ends by itself. 0: it waits.") \
	ENUM("vmm.driver.pci_boot", driver_pci_boot, pci_boot, CONFIG_PCI_BOOT_ASK, \
		"UEFI: what happens to a function that the firmware boots from when a rule of " \
		"vmm.driver.pci takes it. leave: the rule has no effect on it.") \
	ENUM("vmm.iommu", iommu, iommu, CONFIG_IOMMU_ON, \
		"Who owns DMA remapping: the VMM, or the guest (then DMA of devices can reach the VMM).") \
	ENUM("vmm.on_error", on_error, on_error, CONFIG_ON_ERROR_AUTO, \
		"What happens when the question after a start-up error is not answered. auto: stop when " \
		"vmm.driver.pci, vmm.iommu, storage.* or vpn.* is set, else continue without the VMM.") \
	BOOL("vmm.config_strict", config_strict, 0, \
		"Treat each bad entry of the configuration like one of a protective key: stop and ask.") \
	NAMED("vmm.serial", serial, serial, 0x100, 0xfff8, CONFIG_SERIAL_NONE, \
		"Serial port for messages, or its I/O port number. On BIOS machines it takes the keys that " \
		"answer questions of the start as well; on UEFI the firmware's console does.") \
	BOOL("vmm.probe", probe, 0, \
		"Start nothing; write what the machine can do and why the VMM would or would not start.") \
	SIZE("vmm.memory", memory, memory, 1048576, 8 * 1048576, 2048 * UINT64_C(1048576), CONFIG_MEMORY_AUTO, \
		"Memory that the VMM takes for itself. A number without suffix counts MiB.") \
	NAMED("vmm.boot_drive", boot_drive, boot_drive, 0x80, 0xff, CONFIG_BOOT_DRIVE_AUTO, \
		"BIOS: INT 13h number of the drive that the guest starts from. auto: the first hard disk " \
		"that the VMM was not loaded from.") \
	BOOL("vmm.status", status, 0, \
		"1: programs of the guest may read what the VMM counts (VMM call get_status2).") \
	BOOL("vmm.boot_active", boot_active, 0, \
		"BIOS: start the active partition of the boot drive instead of its first sector.") \
	STRING("vmm.boot_next", boot_next, 255, "auto", \
		"UEFI: what loadvmm.efi starts as a boot option. auto: the next entry of BootOrder that is " \
		"not on its own device. menu: the firmware's menu. Or the path of an EFI program.") \
	ENUM("vmm.startup", startup, startup, CONFIG_STARTUP_AUTO, \
		"How INIT and start-up messages are followed. sipi: by VT-x exits; icr: by the guest's " \
		"writes of the interrupt command register.") \
	ENUM("vmm.apic", apic, apic, CONFIG_APIC_AUTO, \
		"AMD-V: whether writes to the local APIC's page are trapped. auto: with several CPUs. pass: " \
		"CPUs that the guest starts leave the VMM, or stand still where VM_CR.R_INIT holds INITs.") \
	ENUM("vmm.cpuid_unknown", cpuid_unknown, cpuid_unknown, CONFIG_CPUID_UNKNOWN_HIDE, \
		"What happens to CPUID feature bits that the VMM does not know.") \
	BOOL("vmm.cpuid_hypervisor", cpuid_hypervisor, 0, \
		"Show the guest the CPUID bit that says that a hypervisor is present.") \
	ENUM("vmm.mitigations", mitigations, mitigations, CONFIG_MITIGATIONS_AUTO, \
		"Guards against speculative execution around code that handles keys. auto: what the CPU needs.") \
	INT("vmm.auto_reboot", auto_reboot, 0, 60, 1, \
		"What ends a panic. 0: the machine stays stopped, with the report on the screen; other " \
		"numbers: it is reset after 5 seconds.")

/*
 * Keys that protect: a bad entry under one of these names, known or not, must stop the boot with a
 * question, because a guest without the protection would start otherwise. P("prefix"), lower case. All of
 * vmm.driver. counts: the keys of old configuration files that conceal or mediate devices are there.
 */
#define CONFIG_PROTECTIVE(P) \
	P("vmm.driver.") \
	P("vmm.iommu") \
	P("storage.") \
	P("vpn.")
/* clang-format on */
