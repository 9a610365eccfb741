/* What the VMM must know of the firmware: tables, frame buffer, memory map. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader.h"
#include "core/errno.h"
#include "core/mm/memmap.h"

static EFI_GUID acpi_20_guid = ACPI_20_TABLE_GUID;
static EFI_GUID acpi_10_guid = ACPI_TABLE_GUID;

static UINT64 find_table(EFI_GUID *guid)
{
	for (UINTN i = 0; i < ST->NumberOfTableEntries; i++) {
		if (CompareGuid(&ST->ConfigurationTable[i].VendorGuid, guid) == 0)
			return (UINT64)ST->ConfigurationTable[i].VendorTable;
	}
	return 0;
}

static UINT32 bits_of(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info)
{
	if (info->PixelFormat != PixelBitMask)
		return 32;
	UINT32 mask = info->PixelInformation.RedMask | info->PixelInformation.GreenMask |
		      info->PixelInformation.BlueMask | info->PixelInformation.ReservedMask;
	UINT32 bits = 0;
	for (; mask != 0; mask >>= 1)
		bits++;
	return (bits + 7) & ~7U;
}

/* The console splitter's own GOP may have no frame buffer, so all are looked at. */
static void fill_framebuffer(struct boot_framebuffer *fb)
{
	EFI_HANDLE *handles;
	UINTN count = 0;
	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &gEfiGraphicsOutputProtocolGuid, NULL,
					     &count, &handles)))
		return;
	for (UINTN i = 0; i < count && fb->base == 0; i++) {
		void *p;
		if (EFI_ERROR(BS->HandleProtocol(handles[i], &gEfiGraphicsOutputProtocolGuid, &p)))
			continue;
		EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode = ((EFI_GRAPHICS_OUTPUT_PROTOCOL *)p)->Mode;
		if (mode == NULL || mode->Info == NULL || mode->Info->PixelFormat >= PixelBltOnly)
			continue;
		fb->base = mode->FrameBufferBase;
		fb->width = mode->Info->HorizontalResolution;
		fb->height = mode->Info->VerticalResolution;
		fb->bpp = bits_of(mode->Info);
		fb->pitch = mode->Info->PixelsPerScanLine * (fb->bpp / 8);
	}
	FreePool(handles);
}

void info_fill(struct boot_info *info)
{
	info->magic = BOOT_INFO_MAGIC;
	info->size = sizeof(*info);
	info->firmware = BOOT_UEFI;
	info->boot_drive = 0xff;
	info->rsdp = find_table(&acpi_20_guid);
	if (info->rsdp == 0)
		info->rsdp = find_table(&acpi_10_guid);
	info->efi_system_table = (UINT64)ST;
	info->conout = (UINT64)say_conout;
	info->conout_this = (UINT64)ST->ConOut;
	info->conin = (UINT64)say_conin;
	info->conin_this = (UINT64)ST->ConIn;
	fill_framebuffer(&info->fb);
}

bool info_fill_mmap(struct boot_info *info)
{
	EFI_STATUS s;
	void *map = NULL;
	UINTN size = 0, key, desc_size = 0;
	UINT32 version;

	while ((s = BS->GetMemoryMap(&size, map, &key, &desc_size, &version)) ==
	       EFI_BUFFER_TOO_SMALL) {
		if (map != NULL)
			BS->FreePool(map);
		map = NULL;
		size += 8 * desc_size; /* the buffer itself makes the map longer */
		s = BS->AllocatePool(EfiLoaderData, size, &map);
		if (EFI_ERROR(s)) {
			map = NULL;
			break;
		}
	}
	if (EFI_ERROR(s)) {
		if (map != NULL)
			BS->FreePool(map);
		say("no memory map: %r", s);
		return false;
	}
	int err =
	    memmap_from_efi(map, size, desc_size, info->mmap, &info->mmap_count, BOOT_MMAP_MAX);
	BS->FreePool(map);
	if (err)
		say("the firmware's memory map %a",
		    err == -ENOSPC ? "has too many ranges" : "is bad");
	return err == 0;
}
