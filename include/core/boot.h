/* What the boot code hands to the core: one block, the same for BIOS and UEFI. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>

#define BOOT_INFO_MAGIC  UINT32_C(0x42564249) /* "IBVB" */
#define BOOT_MMAP_MAX    256
#define BOOT_CMDLINE_MAX 2048
#define BOOT_CONFIG_MAX  16384
#ifndef BOOT_MAX_CPUS /* check-cpus builds with others */
#define BOOT_MAX_CPUS 256
#endif
#define BOOT_PCI_MAX     64
#define BOOT_IMAGE_MAGIC UINT64_C(0x31303056424d4956) /* first eight bytes of struct boot_image */

enum boot_firmware { BOOT_BIOS = 1, BOOT_UEFI = 2 };

/* E820 types (ACPI specification, table 15-374). BOOT_MMAP_MMIO is ours: UEFI's memory-mapped I/O.
 */
enum boot_mmap_type {
	BOOT_MMAP_RAM = 1,
	BOOT_MMAP_RESERVED = 2,
	BOOT_MMAP_ACPI = 3,
	BOOT_MMAP_NVS = 4,
	BOOT_MMAP_UNUSABLE = 5,
	BOOT_MMAP_PMEM = 7,
	BOOT_MMAP_MMIO = 100,
};

struct boot_mmap_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;       /* enum boot_mmap_type, or a value of the firmware's own */
	uint32_t attributes; /* E820 extended attributes; 1 when the firmware gave none */
};

/* A PCI function that a rule of vmm.driver.pci gives to a driver, and that the VMM must not take.
 */
struct boot_pci_left {
	uint16_t segment;
	uint8_t bus;
	uint8_t device;   /* 0-31 */
	uint8_t function; /* 0-7 */
	uint8_t reason;   /* enum boot_pci_reason */
};

enum boot_pci_reason {
	BOOT_PCI_HELD = 1, /* a driver of the firmware does not let go of it */
	BOOT_PCI_BOOT = 2, /* the firmware boots from it, and the user left it to the guest */
};

struct boot_framebuffer {
	uint64_t base;          /* physical; 0: none */
	uint32_t width, height; /* pixels */
	uint32_t pitch;         /* bytes per line */
	uint32_t bpp;           /* bits per pixel: 15, 16, 24 and 32 can be drawn to */
};

/*
 * All addresses are physical. The block is copied by the core before the first entry returns;
 * nothing in it is referenced later except `config`, `conout`, `conin` and their arguments,
 * which live until the guest starts.
 */
struct boot_info {
	uint32_t magic;       /* BOOT_INFO_MAGIC */
	uint32_t size;        /* sizeof(struct boot_info) of the loader: must be equal */
	uint32_t firmware;    /* enum boot_firmware */
	uint32_t boot_drive;  /* BIOS: INT 13h number of the medium the VMM came from, or 0xFF */
	uint64_t region_base; /* UEFI: the VMM's memory, image at its start, 2 MiB aligned. BIOS: 0
				 = not chosen yet */
	uint64_t region_size; /* bytes, a multiple of 2 MiB */
	uint64_t image_size;  /* bytes from region_base that hold the loaded image, bss included */
	uint64_t low_base;    /* one reserved page below 1 MiB for starting CPUs; 0: none */
	uint64_t rsdp;        /* ACPI RSDP; 0: search the BIOS areas */
	uint64_t efi_system_table; /* UEFI only */
	uint64_t config;           /* text of bitvisor.conf, not terminated; 0: none */
	uint64_t config_size;      /* bytes, at most BOOT_CONFIG_MAX */
	/* UEFI: void conout(void *conout_this, const char *ascii), Microsoft ABI, boot CPU, only
	 * during BOOT_OP_INIT */
	uint64_t conout;
	uint64_t conout_this;
	/* The same: uint8_t conin(void *conin_this) takes a key that was pressed, in ASCII; 0: none
	 */
	uint64_t conin;
	uint64_t conin_this;
	struct boot_framebuffer fb;
	uint32_t mmap_count;
	uint32_t cpu_count; /* UEFI: enabled CPUs that MP services report; BIOS: 0 = ask the MADT */
	char cmdline[BOOT_CMDLINE_MAX]; /* without the file name; NUL-terminated */
	/*
	 * UEFI: functions that stay with the firmware and the guest whatever vmm.driver.pci says,
	 * in the order of the scan (segment, bus, device, function). The user has been told why.
	 * All others that its rules take have no firmware driver any more, and but for bridges
	 * their bus mastering is off.
	 */
	uint32_t pci_left_count;
	struct boot_pci_left pci_left[BOOT_PCI_MAX];
	struct boot_mmap_entry mmap[BOOT_MMAP_MAX];
};

/*
 * Operations of the image's UEFI entry: int entry(uint32_t op, struct boot_info *), System V ABI,
 * at its physical address. A guest cannot call it, because it cannot reach the image: once a CPU
 * has entered, LEAVE and START are the VMM calls "boot_leave" and "boot_start" (core/vm/vmcall.h).
 */
enum boot_op {
	BOOT_OP_INIT =
	    0, /* boot CPU, once: prepares everything, starts nothing. Returns natively */
	BOOT_OP_ENTER = 1, /* each CPU: the caller becomes the guest. Returns 0 as guest, or an
			      error natively */
	BOOT_OP_LEAVE = 2, /* each CPU: natively nothing to do, 0. As call: the guest's state
			      becomes the CPU's */
	BOOT_OP_START = 3, /* boot CPU, after all have entered: no CPU can leave any more */
};

/* Lies at the start of the loaded image (and so of the region): lets a loader check what it loaded.
 */
struct boot_image {
	uint64_t magic;      /* BOOT_IMAGE_MAGIC */
	uint64_t uefi_entry; /* offset of the entry from the image's start */
	uint64_t image_size; /* bytes, bss included */
	/* The records of PCI drivers (include/drivers/pci_driver.h), with the pointers of the VMM's
	 * own addresses: offsets of the first, and behind the last. Both 0: none. */
	uint32_t pci_drivers;
	uint32_t pci_drivers_end;
};

#define BOOT_IMAGE_PHYS                                                                            \
	UINT64_C(0x200000) /* the ELF's p_paddr of its first byte (BIOS load address) */
#define BOOT_IMAGE_VIRT UINT64_C(0xffffffff80000000) /* where that byte runs */
