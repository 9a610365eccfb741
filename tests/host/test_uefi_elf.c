/* Host tests of the UEFI loader's ELF check (boot/uefi/elf.c). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <elf.h>
#include <cmocka.h>
#include "boot/uefi/elf.h"
#include "core/boot.h"

/* An image of two segments: header and text at 0, data with bss at 0x3000; sections' table at the
 * end. */
struct file {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3];
	uint64_t fill[3];
	struct boot_image image;
	uint8_t text[0x100];
	uint8_t data[0x40];
	Elf64_Shdr sh[2];
};

static struct file good(void)
{
	struct file f;
	memset(&f, 0, sizeof(f));
	memcpy(f.eh.e_ident, ELFMAG, SELFMAG);
	f.eh.e_ident[4] = ELFCLASS64;
	f.eh.e_ident[5] = ELFDATA2LSB;
	f.eh.e_ident[6] = EV_CURRENT;
	f.eh.e_type = ET_EXEC;
	f.eh.e_machine = EM_X86_64;
	f.eh.e_version = EV_CURRENT;
	f.eh.e_phoff = offsetof(struct file, ph);
	f.eh.e_phentsize = sizeof(Elf64_Phdr);
	f.eh.e_phnum = 3;
	f.eh.e_shoff = offsetof(struct file, sh);
	f.eh.e_shentsize = sizeof(Elf64_Shdr);
	f.eh.e_shnum = 2;
	f.ph[0] = (Elf64_Phdr){.p_type = PT_LOAD,
			       .p_offset = offsetof(struct file, image),
			       .p_paddr = BOOT_IMAGE_PHYS,
			       .p_filesz = sizeof(f.image) + sizeof(f.text),
			       .p_memsz = 0x2000};
	f.ph[1] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = ~UINT64_C(0), .p_filesz = 5};
	f.ph[2] = (Elf64_Phdr){.p_type = PT_LOAD,
			       .p_offset = offsetof(struct file, data),
			       .p_vaddr = BOOT_IMAGE_VIRT + 0x3000,
			       .p_paddr = BOOT_IMAGE_PHYS + 0x3000,
			       .p_filesz = sizeof(f.data),
			       .p_memsz = 0x1000};
	f.image = (struct boot_image){.magic = BOOT_IMAGE_MAGIC,
				      .uefi_entry = 0x20,
				      .image_size = 0x4000,
				      .pci_drivers = 0x80,
				      .pci_drivers_end = 0xb8};
	memset(f.text, 0xcc, sizeof(f.text));
	memset(f.data, 0xdd, sizeof(f.data));
	return f;
}

/* On the heap, so that ASan sees a read beyond the end. */
static enum elf_status plan(const struct file *f, size_t size, struct elf_plan *p)
{
	void *copy = malloc(size != 0 ? size : 1);
	assert_non_null(copy);
	memcpy(copy, f, size);
	enum elf_status s = elf_plan(copy, size, p);
	free(copy);
	return s;
}

static void test_good(void **state)
{
	(void)state;
	struct file f = good();
	struct elf_plan p;
	assert_int_equal(plan(&f, sizeof(f), &p), ELF_OK);
	assert_int_equal(p.segment_count, 2);
	assert_int_equal(p.image_size, 0x4000);
	assert_int_equal(p.entry, 0x20);
	assert_int_equal(p.segments[1].offset, 0x3000);
	assert_int_equal(p.segments[1].mem_size, 0x1000);
	assert_int_equal(p.segments[1].address, BOOT_IMAGE_VIRT + 0x3000);
	assert_int_equal(p.drivers, 0x80);
	assert_int_equal(p.drivers_end, 0xb8);

	uint8_t *image = malloc(p.image_size);
	assert_non_null(image);
	memset(image, 0x55, p.image_size);
	elf_load(&f, &p, image);
	assert_memory_equal(image, &f.image, sizeof(f.image));
	assert_int_equal(image[sizeof(f.image)], 0xcc);
	assert_int_equal(image[sizeof(f.image) + 0xff], 0xcc);
	assert_int_equal(image[sizeof(f.image) + 0x100], 0);
	assert_int_equal(image[0x2fff], 0);
	assert_int_equal(image[0x3000], 0xdd);
	assert_int_equal(image[0x303f], 0xdd);
	assert_int_equal(image[0x3040], 0);
	assert_int_equal(image[0x3fff], 0);
	free(image);
}

static void test_truncated(void **state)
{
	(void)state;
	struct file f = good();
	struct elf_plan p;
	for (size_t n = 0; n < sizeof(f); n++)
		assert_int_equal(plan(&f, n, &p), n < 4 ? ELF_NOT_ELF : ELF_TRUNCATED);
}

#define CASE(name_, want_, change_)                                                                \
	static void name_(void **state)                                                            \
	{                                                                                          \
		(void)state;                                                                       \
		struct file f = good();                                                            \
		struct elf_plan p;                                                                 \
		change_;                                                                           \
		assert_int_equal(plan(&f, sizeof(f), &p), want_);                                  \
	}

CASE(test_magic, ELF_NOT_ELF, f.eh.e_ident[1] = 'F')
CASE(test_class32, ELF_NOT_X86_64, f.eh.e_ident[4] = ELFCLASS32)
CASE(test_big_endian, ELF_NOT_X86_64, f.eh.e_ident[5] = ELFDATA2MSB)
CASE(test_machine, ELF_NOT_X86_64, f.eh.e_machine = EM_AARCH64)
CASE(test_dyn, ELF_NOT_EXEC, f.eh.e_type = ET_DYN)
CASE(test_phentsize, ELF_NOT_EXEC, f.eh.e_phentsize = 32)
CASE(test_no_headers, ELF_NO_SEGMENT, f.eh.e_phnum = 0)
CASE(test_no_load, ELF_NO_SEGMENT, (f.ph[0].p_type = PT_NOTE, f.ph[2].p_type = PT_NULL))
CASE(test_phoff_wraps, ELF_TRUNCATED, f.eh.e_phoff = ~UINT64_C(0) - 7)
CASE(test_offset_wraps, ELF_TRUNCATED, f.ph[2].p_offset = ~UINT64_C(0) - 7)
CASE(test_file_above_mem, ELF_BAD_SEGMENT, f.ph[2].p_memsz = sizeof(f.data) - 1)
CASE(test_paddr_wraps, ELF_BAD_SEGMENT, f.ph[2].p_paddr = ~UINT64_C(0) - 0xff)
CASE(test_below, ELF_OUTSIDE, f.ph[2].p_paddr = BOOT_IMAGE_PHYS - 0x1000)
CASE(test_above, ELF_OUTSIDE, f.ph[2].p_memsz = 0x1001)
CASE(test_far_above, ELF_OUTSIDE, f.ph[2].p_paddr = UINT64_C(1) << 40)
CASE(test_overlap, ELF_OVERLAP, f.ph[2].p_paddr = BOOT_IMAGE_PHYS + 0x1fff)
CASE(test_touching, ELF_OK, f.ph[2].p_paddr = BOOT_IMAGE_PHYS + 0x2000)
CASE(test_image_magic, ELF_BAD_MAGIC, f.image.magic ^= 1)
CASE(test_no_image, ELF_BAD_MAGIC, f.ph[0].p_paddr += 0x1000)
CASE(test_short_image, ELF_BAD_MAGIC, f.ph[0].p_filesz = sizeof(f.image) - 1)
CASE(test_entry, ELF_BAD_ENTRY, f.image.uefi_entry = 0x4000)
CASE(test_vaddr_wraps, ELF_BAD_SEGMENT, f.ph[2].p_vaddr = ~UINT64_C(0) - 0xff)
CASE(test_drivers_order, ELF_BAD_DRIVERS, f.image.pci_drivers = 0xb9)
CASE(test_drivers_above, ELF_BAD_DRIVERS, f.image.pci_drivers_end = 0x4001)
CASE(test_drivers_last, ELF_OK, f.image.pci_drivers_end = 0x4000)
CASE(test_entry_last, ELF_OK, f.image.uefi_entry = 0x3fff)

static void test_many(void **state)
{
	(void)state;
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[ELF_SEGMENTS_MAX + 1];
		struct boot_image image;
	} f;
	struct elf_plan p;
	memset(&f, 0, sizeof(f));
	struct file g = good();
	f.eh = g.eh;
	f.eh.e_shoff = 0;
	f.image = g.image;
	f.image.image_size = (ELF_SEGMENTS_MAX + 1) * 0x1000;
	for (size_t i = 0; i <= ELF_SEGMENTS_MAX; i++)
		f.ph[i] = (Elf64_Phdr){.p_type = PT_LOAD,
				       .p_offset = (uint64_t)((char *)&f.image - (char *)&f),
				       .p_paddr = BOOT_IMAGE_PHYS + i * 0x1000,
				       .p_filesz = i == 0 ? sizeof(f.image) : 0,
				       .p_memsz = 0x1000};
	f.eh.e_phnum = ELF_SEGMENTS_MAX;
	assert_int_equal(elf_plan(&f, sizeof(f), &p), ELF_OK);
	f.eh.e_phnum++;
	assert_int_equal(elf_plan(&f, sizeof(f), &p), ELF_TOO_MANY_SEGMENTS);
}

static void test_texts(void **state)
{
	(void)state;
	for (int i = 0; i < ELF_STATUS_COUNT; i++)
		assert_non_null(elf_status_text((enum elf_status)i));
	assert_string_equal(elf_status_text(ELF_TRUNCATED), "truncated ELF file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_magic),
	    cmocka_unit_test(test_class32),
	    cmocka_unit_test(test_big_endian),
	    cmocka_unit_test(test_machine),
	    cmocka_unit_test(test_dyn),
	    cmocka_unit_test(test_phentsize),
	    cmocka_unit_test(test_no_headers),
	    cmocka_unit_test(test_no_load),
	    cmocka_unit_test(test_phoff_wraps),
	    cmocka_unit_test(test_offset_wraps),
	    cmocka_unit_test(test_file_above_mem),
	    cmocka_unit_test(test_paddr_wraps),
	    cmocka_unit_test(test_below),
	    cmocka_unit_test(test_above),
	    cmocka_unit_test(test_far_above),
	    cmocka_unit_test(test_overlap),
	    cmocka_unit_test(test_touching),
	    cmocka_unit_test(test_image_magic),
	    cmocka_unit_test(test_no_image),
	    cmocka_unit_test(test_short_image),
	    cmocka_unit_test(test_entry),
	    cmocka_unit_test(test_vaddr_wraps),
	    cmocka_unit_test(test_drivers_order),
	    cmocka_unit_test(test_drivers_above),
	    cmocka_unit_test(test_drivers_last),
	    cmocka_unit_test(test_entry_last),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
