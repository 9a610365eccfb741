/* ELF64 image of the VMM: what must be checked before it is loaded, and what goes where (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/elf.h"
#include "core/boot.h"
#include "core/string.h"
#include <stdbool.h>

/* ELF-64 object file format, figures 2 and 6. */
struct elf64_ehdr {
	uint8_t e_ident[16];
	uint16_t e_type;
	uint16_t e_machine;
	uint32_t e_version;
	uint64_t e_entry;
	uint64_t e_phoff;
	uint64_t e_shoff;
	uint32_t e_flags;
	uint16_t e_ehsize;
	uint16_t e_phentsize;
	uint16_t e_phnum;
	uint16_t e_shentsize;
	uint16_t e_shnum;
	uint16_t e_shstrndx;
};
_Static_assert(sizeof(struct elf64_ehdr) == 64, "ELF-64 object file format, figure 2");

struct elf64_phdr {
	uint32_t p_type;
	uint32_t p_flags;
	uint64_t p_offset;
	uint64_t p_vaddr;
	uint64_t p_paddr;
	uint64_t p_filesz;
	uint64_t p_memsz;
	uint64_t p_align;
};
_Static_assert(sizeof(struct elf64_phdr) == 56, "ELF-64 object file format, figure 6");

#define EI_CLASS    4
#define EI_DATA     5
#define ELFCLASS64  2
#define ELFDATA2LSB 1
#define ET_EXEC     2
#define EM_X86_64   62
#define PT_LOAD     1

static bool range_fits(uint64_t offset, uint64_t length, uint64_t total)
{
	return offset <= total && length <= total - offset;
}

static enum elf_status check_header(const struct elf64_ehdr *eh, uint64_t size)
{
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB ||
	    eh->e_machine != EM_X86_64)
		return ELF_NOT_X86_64;
	if (eh->e_type != ET_EXEC || eh->e_phentsize != sizeof(struct elf64_phdr))
		return ELF_NOT_EXEC;
	if (eh->e_phnum == 0)
		return ELF_NO_SEGMENT;
	if (!range_fits(eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(struct elf64_phdr), size))
		return ELF_TRUNCATED;
	/* Nothing of the section table is used, but it is the end of most files: a cut one shows
	 * here. */
	if (eh->e_shoff != 0 &&
	    !range_fits(eh->e_shoff, (uint64_t)eh->e_shnum * eh->e_shentsize, size))
		return ELF_TRUNCATED;
	return ELF_OK;
}

static enum elf_status add_segment(const struct elf64_phdr *ph, uint64_t size,
				   struct elf_plan *plan)
{
	if (ph->p_memsz < ph->p_filesz || ph->p_paddr + ph->p_memsz < ph->p_paddr ||
	    ph->p_vaddr + ph->p_memsz < ph->p_vaddr)
		return ELF_BAD_SEGMENT;
	if (!range_fits(ph->p_offset, ph->p_filesz, size))
		return ELF_TRUNCATED;
	if (ph->p_paddr < BOOT_IMAGE_PHYS)
		return ELF_OUTSIDE;
	if (plan->segment_count == ELF_SEGMENTS_MAX)
		return ELF_TOO_MANY_SEGMENTS;
	struct elf_segment seg = {.file_offset = ph->p_offset,
				  .file_size = ph->p_filesz,
				  .offset = ph->p_paddr - BOOT_IMAGE_PHYS,
				  .mem_size = ph->p_memsz,
				  .address = ph->p_vaddr};
	for (uint32_t i = 0; i < plan->segment_count; i++) {
		const struct elf_segment *other = &plan->segments[i];
		if (seg.offset < other->offset + other->mem_size &&
		    other->offset < seg.offset + seg.mem_size)
			return ELF_OVERLAP;
	}
	plan->segments[plan->segment_count++] = seg;
	return ELF_OK;
}

static enum elf_status check_image(const uint8_t *file, struct elf_plan *plan)
{
	struct boot_image image = {0};
	for (uint32_t i = 0; i < plan->segment_count; i++) {
		const struct elf_segment *seg = &plan->segments[i];
		if (seg->offset == 0 && seg->file_size >= sizeof(image))
			memcpy(&image, file + seg->file_offset, sizeof(image));
	}
	if (image.magic != BOOT_IMAGE_MAGIC)
		return ELF_BAD_MAGIC;
	for (uint32_t i = 0; i < plan->segment_count; i++) {
		const struct elf_segment *seg = &plan->segments[i];
		if (!range_fits(seg->offset, seg->mem_size, image.image_size))
			return ELF_OUTSIDE;
	}
	if (image.uefi_entry >= image.image_size)
		return ELF_BAD_ENTRY;
	if (image.pci_drivers > image.pci_drivers_end || image.pci_drivers_end > image.image_size)
		return ELF_BAD_DRIVERS;
	plan->image_size = image.image_size;
	plan->entry = image.uefi_entry;
	plan->drivers = image.pci_drivers;
	plan->drivers_end = image.pci_drivers_end;
	return ELF_OK;
}

enum elf_status elf_plan(const void *file, size_t size, struct elf_plan *plan)
{
	const uint8_t *bytes = file;
	struct elf64_ehdr eh;

	*plan = (struct elf_plan){0};
	if (size < 4 || memcmp(bytes, "\177ELF", 4) != 0)
		return ELF_NOT_ELF;
	if (size < sizeof(eh))
		return ELF_TRUNCATED;
	memcpy(&eh, bytes, sizeof(eh));
	enum elf_status status = check_header(&eh, size);
	for (uint16_t i = 0; status == ELF_OK && i < eh.e_phnum; i++) {
		struct elf64_phdr ph;
		memcpy(&ph, bytes + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_LOAD && ph.p_memsz != 0)
			status = add_segment(&ph, size, plan);
	}
	if (status != ELF_OK)
		return status;
	if (plan->segment_count == 0)
		return ELF_NO_SEGMENT;
	return check_image(bytes, plan);
}

void elf_load(const void *file, const struct elf_plan *plan, void *image)
{
	memset(image, 0, plan->image_size);
	for (uint32_t i = 0; i < plan->segment_count; i++) {
		const struct elf_segment *seg = &plan->segments[i];
		if (seg->file_size != 0)
			memcpy((uint8_t *)image + seg->offset,
			       (const uint8_t *)file + seg->file_offset, seg->file_size);
	}
}

const char *elf_status_text(enum elf_status status)
{
	static const char *const text[ELF_STATUS_COUNT] = {
	    [ELF_OK] = "valid",
	    [ELF_TRUNCATED] = "truncated ELF file",
	    [ELF_NOT_ELF] = "not an ELF file",
	    [ELF_NOT_X86_64] = "not an ELF64 file for x86-64",
	    [ELF_NOT_EXEC] = "not an ELF executable",
	    [ELF_NO_SEGMENT] = "no segment to load",
	    [ELF_TOO_MANY_SEGMENTS] = "too many segments to load",
	    [ELF_BAD_SEGMENT] = "bad segment",
	    [ELF_OUTSIDE] = "segment outside the image",
	    [ELF_OVERLAP] = "segments overlap",
	    [ELF_BAD_MAGIC] = "not a BitVisor image (bad magic)",
	    [ELF_BAD_ENTRY] = "entry outside the image",
	    [ELF_BAD_DRIVERS] = "table of PCI drivers outside the image",
	};
	return status < ELF_STATUS_COUNT ? text[status] : "unknown error";
}
