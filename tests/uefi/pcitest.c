/* Says of each PCI function that the firmware knows: ids, command register, and how many of the
 * firmware's drivers manage it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <efi.h>
#include <efilib.h>
#include <efipciio.h>

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

static UINTN drivers_of(EFI_HANDLE handle)
{
	EFI_GUID **protocols;
	UINTN count = 0, drivers = 0;
	if (EFI_ERROR(BS->ProtocolsPerHandle(handle, &protocols, &count)))
		return 0;
	for (UINTN i = 0; i < count; i++) {
		EFI_OPEN_PROTOCOL_INFORMATION_ENTRY *entries;
		UINTN n = 0;
		if (EFI_ERROR(BS->OpenProtocolInformation(handle, protocols[i], &entries, &n)))
			continue;
		for (UINTN e = 0; e < n; e++)
			drivers += (entries[e].Attributes & EFI_OPEN_PROTOCOL_BY_DRIVER) != 0;
		BS->FreePool(entries);
	}
	BS->FreePool(protocols);
	return drivers;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	EFI_HANDLE *handles;
	UINTN count = 0;
	InitializeLib(image, table);
	EFI_STATUS s =
	    BS->LocateHandleBuffer(ByProtocol, &gEfiPciIoProtocolGuid, NULL, &count, &handles);
	for (UINTN i = 0; !EFI_ERROR(s) && i < count; i++) {
		UINTN segment, bus, device, function;
		UINT16 words[4]; /* vendor, device, command, status */
		void *p;
		BS->HandleProtocol(handles[i], &gEfiPciIoProtocolGuid, &p);
		EFI_PCI_IO_PROTOCOL *io = p;
		io->GetLocation(io, &segment, &bus, &device, &function);
		io->Pci.Read(io, EfiPciIoWidthUint16, 0, 4, words);
		Print(L"PCITEST %02x:%02x.%x %04x:%04x command %04x drivers %d\n", bus, device,
		      function, words[0], words[1], words[2], drivers_of(handles[i]));
	}
	return s;
}
