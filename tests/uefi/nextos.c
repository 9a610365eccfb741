/* A stand-in for an operating system's loader: says where it came from, what it was given, and
 * whether the CPU shows AMD-V, then switches off. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <efi.h>
#include <efilib.h>

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	static CHAR16 current_name[] = L"BootCurrent";
	void *p;
	UINT16 current = 0xffff;
	UINTN size = sizeof(current);
	InitializeLib(image, table);
	BS->HandleProtocol(image, &gEfiLoadedImageProtocolGuid, &p);
	EFI_LOADED_IMAGE *self = p;
	RT->GetVariable(current_name, &gEfiGlobalVariableGuid, NULL, &size, &current);
	CHAR16 *device = DevicePathToStr(DevicePathFromHandle(self->DeviceHandle));
	CHAR16 *file = DevicePathToStr(self->FilePath);
	CHAR16 *options = self->LoadOptionsSize >= 2 ? self->LoadOptions : NULL;
	Print(L"NEXTOS device=%s\nNEXTOS file=%s\nNEXTOS options=%s\nNEXTOS current=%x\n", device,
	      file, options != NULL ? options : L"", current);
	UINT32 eax = 0x80000001, ebx, ecx = 0, edx;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	Print(L"NEXTOS svm=%d\n", ecx >> 2 & 1);
	if (options != NULL && options[0] == L'f')
		return EFI_DEVICE_ERROR;
	RT->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
	return EFI_SUCCESS;
}
