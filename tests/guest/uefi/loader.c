/* The guest micro-kernel as a UEFI program: fills its boot block and leaves the firmware. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <efi.h>
#include <efilib.h>
#include "tests/guest/kernel/guest.h"

#define WORDS_FILE L"\\EFI\\BOOT\\guest.txt" /* the command line, on the program's own volume */

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

/* The image as it is loaded (image.S), and what its Multiboot header says: guest.lds, boot.S. */
extern const UINT8 guest_image[], guest_image_end[];
struct header {
	UINT32 magic, flags, sum, header, start, file_end, end, entry;
	UINT64 entry64;
};

static struct boot_block block;
static UINT8 map[64 * 1024];

static bool same(const EFI_GUID *a, const EFI_GUID *b)
{
	return CompareGuid((EFI_GUID *)a, (EFI_GUID *)b) == 0;
}

static UINT64 rsdp(EFI_SYSTEM_TABLE *table)
{
	static const EFI_GUID acpi20 = ACPI_20_TABLE_GUID, acpi10 = ACPI_TABLE_GUID;
	UINT64 old = 0;

	for (UINTN i = 0; i < table->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *t = &table->ConfigurationTable[i];

		if (same(&t->VendorGuid, &acpi20))
			return (UINTN)t->VendorTable;
		if (same(&t->VendorGuid, &acpi10))
			old = (UINTN)t->VendorTable;
	}
	return old;
}

/* The words, if there is such a file; its end is that of the line. */
static void read_words(EFI_HANDLE image)
{
	static CHAR16 name[] = WORDS_FILE;
	EFI_LOADED_IMAGE *self;
	EFI_FILE_IO_INTERFACE *volume;
	EFI_FILE_HANDLE root, file;
	UINTN size = sizeof(block.words) - 1;
	void *p;

	if (EFI_ERROR(BS->HandleProtocol(image, &LoadedImageProtocol, &p)))
		return;
	self = p;
	if (EFI_ERROR(BS->HandleProtocol(self->DeviceHandle, &FileSystemProtocol, &p)))
		return;
	volume = p;
	if (EFI_ERROR(volume->OpenVolume(volume, &root)) ||
	    EFI_ERROR(root->Open(root, &file, name, EFI_FILE_MODE_READ, 0)))
		return;
	if (EFI_ERROR(file->Read(file, &size, block.words)))
		size = 0;
	while (size && (UINT8)block.words[size - 1] <= ' ')
		size--;
	block.words[size] = 0;
}

/* What is free once the firmware is left (UEFI 2.10, table 7.6). */
static bool is_ram(UINT32 type)
{
	return type == EfiConventionalMemory || type == EfiBootServicesCode ||
	       type == EfiBootServicesData || type == EfiLoaderCode || type == EfiLoaderData;
}

/* Neighbours of one kind become one range: the kernel has room for few. */
static void take_map(UINTN size, UINTN step)
{
	for (UINTN at = 0; at + step <= size; at += step) {
		const EFI_MEMORY_DESCRIPTOR *d = (const void *)(map + at);
		UINT64 length = d->NumberOfPages * 4096;
		UINT32 type = is_ram(d->Type) ? MEMORY_RAM : 2;
		struct memory_range *last = block.count ? &block.memory[block.count - 1] : NULL;

		if (last && last->type == type && last->base + last->length == d->PhysicalStart)
			last->length += length;
		else if (block.count < BOOT_RANGES_MAX)
			block.memory[block.count++] = (struct memory_range){
			    .base = d->PhysicalStart, .length = length, .type = type};
	}
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	const struct header *h = (const void *)guest_image;
	UINTN size, key, step;
	UINT32 version;
	UINT64 start = h->start;

	InitializeLib(image, table);
	read_words(image);
	block.rsdp = rsdp(table);
	/* its place must be free; the page tables of the firmware and this program are elsewhere
	 * then */
	if (EFI_ERROR(BS->AllocatePages(AllocateAddress, EfiLoaderData,
					(h->end - h->start + 4095) / 4096, &start))) {
		Print(L"guest: no memory at %x\n", h->start);
		return EFI_OUT_OF_RESOURCES;
	}
	do {
		size = sizeof(map);
		if (EFI_ERROR(BS->GetMemoryMap(&size, (void *)map, &key, &step, &version)))
			return EFI_BUFFER_TOO_SMALL;
	} while (EFI_ERROR(BS->ExitBootServices(image, key)));
	__asm__ volatile("cli");
	take_map(size, step);

	UINTN length = (UINTN)(guest_image_end - guest_image);
	void *to = (void *)start, *from = (void *)guest_image, *rest = (UINT8 *)to + length;
	UINTN zeros = h->end - h->start - length;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
	__asm__ volatile("rep stosb" : "+D"(rest), "+c"(zeros) : "a"(0) : "memory");
	__asm__ volatile("jmp *%0" : : "r"(h->entry64), "D"(&block) : "memory");
	__builtin_unreachable();
}
