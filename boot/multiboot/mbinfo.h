/* Multiboot 1 and 2 information: what the boot loader left, turned into struct boot_info. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/boot.h"

#define MBINFO_MAGIC1   UINT32_C(0x2badb002) /* EAX at entry, Multiboot 0.6.96, 3.2 */
#define MBINFO_MAGIC2   UINT32_C(0x36d76289) /* EAX at entry, Multiboot2 2.0, 3.3 */
#define MBINFO_RSDP_MAX 36                   /* bytes of an ACPI 2.0 RSDP */

/* A problem that was found. Those marked (fatal) make mbinfo_parse() fail. */
enum mbinfo_issue {
	MBINFO_BAD_MAGIC = 1,      /* (fatal) value: the magic */
	MBINFO_UNREADABLE,         /* (fatal) value: address of the information */
	MBINFO_CORRUPT,            /* (fatal) value: offset at which sizes do not fit */
	MBINFO_NO_MEMORY_MAP,      /* (fatal) neither a map nor the two sizes */
	MBINFO_MEMORY_MAP_CORRUPT, /* (fatal) value: address or offset of the bad part */
	MBINFO_MEMORY_MAP_LARGE,   /* (fatal) more than BOOT_MMAP_MAX ranges */
	MBINFO_MEMORY_MAP_SIMPLE,  /* no map, only the sizes below and above 1 MiB; value: KiB above
				    */
	MBINFO_CMDLINE_LONG,       /* cut between two words; value: characters kept */
	MBINFO_CMDLINE_UNREADABLE, /* value: address */
	MBINFO_CONFIG_LARGE,       /* not used; value: its size */
	MBINFO_MODULE_BAD,         /* unreadable, or ends before it starts; value: number, from 0 */
	MBINFO_MODULE_UNUSED,      /* value: number, from 0 */
	MBINFO_FRAMEBUFFER_BAD,    /* not used; value: its address */
	MBINFO_RSDP_BAD,           /* not used: signature or checksum; value: tag type */
	MBINFO_EFI,                /* entered by Multiboot on an EFI machine; value: tag type */
};

struct mbinfo_io {
	/* Pointer to `size` readable bytes at physical address `phys`, valid until mbinfo_parse()
	 * returns; NULL: no */
	const void *(*read)(void *arg, uint64_t phys, size_t size);
	/*
	 * Told of each problem, with an English text that names it; may be NULL. `detail` is the
	 * module's first word or "".
	 */
	void (*report)(void *arg, enum mbinfo_issue issue, uint64_t value, const char *text,
		       const char *detail);
	void *arg;
};

/* What does not fit into struct boot_info. */
struct mbinfo_extra {
	bool multiboot2;
	bool efi;               /* an EFI machine: chainload loadvmm.efi instead */
	bool efi_boot_services; /* with boot services still alive */
	bool cmdline_lost;      /* a part of the command line is missing: protection may be, too */
	bool config_lost;       /* a configuration file was there and cannot be used: likewise */
	uint32_t modules;       /* all that were named */
	uint32_t rsdp_size;     /* bytes of the loader's copy of the RSDP: 20, 36, or 0 for none */
	uint8_t rsdp[MBINFO_RSDP_MAX]; /* checked copy; the original's address is not told */
	char loader[64];               /* name of the boot loader, "" when not told */
};

/*
 * Reads the information at `info` (EBX at entry), whose kind `magic` (EAX at entry) says.
 *
 * Fills `boot` completely: magic, size, firmware = BOOT_BIOS, boot_drive (0xff: not told), the
 * memory map (normal, see core/mm/memmap.h), the command line without the image's file name, the
 * configuration file (physical address and size; the first module whose first word ends in
 * ".conf"), the frame buffer (direct colour only), the EFI system table. Region, low page, RSDP
 * address and CPU count are 0.
 *
 * GRUB 2 passes no file name; others do: the first word of the command line is dropped when it has
 * no '=' and begins with '/', or is `image_name`, or ends in '/' and `image_name`.
 *
 * On an EFI machine with boot services alive there may be no memory map: extra->efi is set whatever
 * is returned, and should be looked at first.
 *
 * 0; -EINVAL (magic, corrupt), -EFAULT (unreadable), -ENOENT (no memory map), -ENOSPC (map too
 * large). Never reads but through io->read. `boot` and `extra` are defined after each return.
 */
int mbinfo_parse(uint32_t magic, uint64_t info, const char *image_name, const struct mbinfo_io *io,
		 struct boot_info *boot, struct mbinfo_extra *extra);
