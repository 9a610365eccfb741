/* ELF64 image of the VMM: what must be checked before it is loaded, and what goes where (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 16

enum elf_status {
	ELF_OK = 0,
	ELF_TRUNCATED, /* a header, a segment or the section table ends beyond the file */
	ELF_NOT_ELF,
	ELF_NOT_X86_64, /* not 64-bit, not little-endian or not for x86-64 */
	ELF_NOT_EXEC,   /* not an executable of fixed addresses, or a program header of odd size */
	ELF_NO_SEGMENT,
	ELF_TOO_MANY_SEGMENTS,
	ELF_BAD_SEGMENT, /* more bytes in the file than in memory, or an address that wraps */
	ELF_OUTSIDE,     /* a segment lies outside the image */
	ELF_OVERLAP,     /* two segments share memory */
	ELF_BAD_MAGIC,   /* no struct boot_image at BOOT_IMAGE_PHYS */
	ELF_BAD_ENTRY,   /* the UEFI entry is not in the image */
	ELF_BAD_DRIVERS, /* the records of PCI drivers are not in the image */
	ELF_STATUS_COUNT
};

struct elf_segment {
	uint64_t file_offset; /* bytes from the file's start */
	uint64_t file_size;   /* bytes to copy, may be 0 */
	uint64_t offset;      /* bytes from the image's start */
	uint64_t mem_size;    /* bytes taken there, file_size or more; the rest is zero */
	uint64_t address;     /* where it runs: what pointers in the image mean */
};

struct elf_plan {
	uint64_t
	    image_size; /* bytes from the image's start, bss included, as the image itself says */
	uint64_t entry; /* UEFI entry, bytes from the image's start */
	uint64_t drivers, drivers_end; /* records of PCI drivers, bytes from the image's start */
	uint32_t segment_count;
	struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/*
 * Checks a whole image file and says what to copy where. The image's start is BOOT_IMAGE_PHYS and
 * holds struct boot_image. `file` needs no alignment. On ELF_OK every range in `plan` lies within
 * the file and within image_size, and ranges in the image do not overlap; else `plan` is undefined.
 * Source: System V ABI, AMD64 supplement; ELF-64 object file format 1.5, sections 4, 5 and 8.
 */
enum elf_status elf_plan(const void *file, size_t size, struct elf_plan *plan);

/* Copies a checked image to `image`, which has room for plan->image_size bytes; all other bytes
 * become zero. */
void elf_load(const void *file, const struct elf_plan *plan, void *image);

/* The reason in words, for "bitvisor.elf: %s". Never NULL. */
const char *elf_status_text(enum elf_status status);
