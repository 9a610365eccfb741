/* The UEFI loader's parts, which share one state. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <efi.h>
#include <efilib.h>
#include <stdbool.h>
#include "boot/uefi/elf.h"
#include "core/boot.h"
#include "core/config.h"

#define LOADER_PATH_MAX 512 /* characters of a file's path */

struct loader {
	EFI_HANDLE image;
	EFI_LOADED_IMAGE *self;
	bool from_shell; /* else the firmware's boot manager (or another loader) started this */
	CHAR16 path[LOADER_PATH_MAX]; /* own file */
	UINTN dir_length;     /* characters of `path` up to the last backslash, that one included */
	struct config config; /* bitvisor.conf and command line */
};

/* --- loader.c --- */

/*
 * Waits for one of `keys` (lower case) and returns it; 0 when `seconds` are over (0: waits for
 * ever). An 'r' resets the machine.
 */
char loader_ask(const char *keys, UINTN seconds);

/* --- say.c: messages --- */

/* Prints a line of ASCII text on ConOut; formats as AsciiPrint of GNU-EFI (%a ASCII, %s UCS-2, %r
 * status, %d, %x). */
void say(const char *format, ...);

/* Text that the VMM prints through boot_info.conout; `this` is the ConOut protocol. */
void EFIAPI say_conout(EFI_SIMPLE_TEXT_OUT_PROTOCOL *this, const char *text);
/* And the function that gives the VMM keys: of ConIn, in ASCII; 0: none. */
UINT8 EFIAPI say_conin(SIMPLE_INPUT_INTERFACE *this);

/* From now on what say_conout() gets is kept as well, up to `size` bytes at `buffer`; NULL ends it.
 * Returns the bytes kept. */
UINTN say_capture(char *buffer, UINTN size);

/* --- file.c: files beside the loader --- */

/* Fills self, path and dir_length. False after a message when the loader does not know where it
 * came from. */
bool file_find_self(struct loader *loader);

/* The device path of a handle, and its bytes with the node that ends it; NULL: it has none. */
const void *file_device_path(EFI_HANDLE handle, UINTN *size);

/*
 * Reads a whole file of at most `max` bytes from the loader's directory into pages. EFI_NOT_FOUND
 * is returned without a message, any other failure with one. Freed with file_free().
 */
EFI_STATUS file_read(const struct loader *loader, const char *name, UINTN max, void **data,
		     UINTN *size);
void file_free(void *data, UINTN size);

/* Replaces a file in the loader's directory. Says why when it fails. */
EFI_STATUS file_write(const struct loader *loader, const char *name, const void *data, UINTN size);

/* --- region.c: the VMM's memory --- */

/* `size` (a multiple of 2 MiB) bytes of reserved memory below 4 GiB, 2 MiB aligned, as high as
 * possible; 0: none. */
UINT64 region_reserve(UINT64 size);
void region_free(UINT64 base, UINT64 size);

/* One reserved page below 1 MiB; 0: none. */
UINT64 region_reserve_low(void);

/* --- info.c: what the firmware knows --- */

/* Everything in `info` that comes from tables and protocols, but for the memory map. */
void info_fill(struct boot_info *info);

/* The memory map: to be called after the last reservation. False after a message. */
bool info_fill_mmap(struct boot_info *info);

/* --- pci.c: PCI functions that the VMM will take --- */

/*
 * Asks the rules of the configuration which functions the loaded image will take, makes the
 * firmware's drivers let go of these, and switches off their bus mastering. What is left is in
 * info->pci_left, and the user has been told. Nothing is done when the configuration has an error,
 * because the VMM will refuse the start.
 *
 * EFI_ABORTED: a function that the firmware boots from would be taken, and the user, who has been
 * asked, does not want to start. Other errors come with a message. pci_give_back() is to be called
 * in any case when the VMM is not started, pci_started() when it is.
 */
EFI_STATUS pci_take(const struct loader *loader, const void *image, const struct elf_plan *plan,
		    struct boot_info *info);

/* The firmware's drivers take back what they had. */
void pci_give_back(void);

/* What the VMM's drivers do not hide gets the firmware's drivers again, now as drivers of the
 * guest. */
void pci_started(void);

/* --- cpus.c: the other CPUs --- */

typedef int __attribute__((sysv_abi)) (*cpus_entry_t)(uint32_t op, struct boot_info *info);

/* Counts CPUs; false after a message when one could not be brought under the VMM. */
bool cpus_find(uint32_t *count, uint64_t rsdp);

/*
 * All CPUs become guests, this one last. On failure those that already are leave again, and the
 * message is out. `*left` tells whether all of them did: if not, the VMM's memory is still in use.
 */
bool cpus_enter(cpus_entry_t entry, struct boot_info *info, bool *left);

/* --- running.c --- */

/* True when this machine already runs under the VMM. Other hypervisors and bare machines answer no.
 */
bool loader_vmm_running(void);
/* Make a call of the VMM by its name; false when no VMM runs on this CPU or it does not know the
 * name. Any CPU. */
bool loader_vmm_call(const char *name);

/* --- next.c: the operating system --- */

/* To be called before the VMM starts: connects all devices, so that next_boot() finds their file
 * systems. */
void next_prepare(const struct loader *loader);

/* The device path of the file system that the next system comes from, as far as is known before:
 * NULL otherwise, and when a shell has started the loader. */
const void *next_device_path(const struct loader *loader);

/* Starts what vmm.boot_next says; returns when that returned, or when the boot manager shall go on
 * (EFI_SUCCESS). */
EFI_STATUS next_boot(const struct loader *loader);
