/* A driver of the firmware, for QEMU's `edu` device, that does not let go of it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <efi.h>
#include <efilib.h>
#include <efipciio.h>

#define EDU_ID 0x11e81234 /* QEMU, docs/specs/edu.txt */

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

static EFI_GUID binding_guid = EFI_DRIVER_BINDING_PROTOCOL_GUID;

static EFI_STATUS EFIAPI supported(EFI_DRIVER_BINDING *this, EFI_HANDLE handle,
				   EFI_DEVICE_PATH *rest)
{
	UINT32 id = 0;
	void *p;
	(void)this;
	(void)rest;
	if (EFI_ERROR(BS->HandleProtocol(handle, &gEfiPciIoProtocolGuid, &p)))
		return EFI_UNSUPPORTED;
	EFI_PCI_IO_PROTOCOL *io = p;
	io->Pci.Read(io, EfiPciIoWidthUint32, 0, 1, &id);
	return id == EDU_ID ? EFI_SUCCESS : EFI_UNSUPPORTED;
}

static EFI_STATUS EFIAPI start(EFI_DRIVER_BINDING *this, EFI_HANDLE handle, EFI_DEVICE_PATH *rest)
{
	void *p;
	(void)rest;
	EFI_STATUS s =
	    BS->OpenProtocol(handle, &gEfiPciIoProtocolGuid, &p, this->DriverBindingHandle, handle,
			     EFI_OPEN_PROTOCOL_BY_DRIVER);
	if (EFI_ERROR(s))
		return s;
	EFI_PCI_IO_PROTOCOL *io = p;
	return io->Attributes(io, EfiPciIoAttributeOperationEnable,
			      EFI_PCI_IO_ATTRIBUTE_MEMORY | EFI_PCI_IO_ATTRIBUTE_BUS_MASTER, NULL);
}

static EFI_STATUS EFIAPI stop(EFI_DRIVER_BINDING *this, EFI_HANDLE handle, UINTN children,
			      EFI_HANDLE *child)
{
	(void)this;
	(void)handle;
	(void)children;
	(void)child;
	return EFI_DEVICE_ERROR;
}

static EFI_STATUS EFIAPI driver_name(struct _EFI_COMPONENT_NAME2_PROTOCOL *this, CHAR8 *language,
				     CHAR16 **name)
{
	static CHAR16 text[] = L"Never Let Go";
	(void)this;
	(void)language;
	*name = text;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI no_name(struct _EFI_COMPONENT_NAME2_PROTOCOL *this, EFI_HANDLE handle,
				 EFI_HANDLE child, CHAR8 *language, CHAR16 **name)
{
	(void)this;
	(void)handle;
	(void)child;
	(void)language;
	(void)name;
	return EFI_UNSUPPORTED;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	static EFI_DRIVER_BINDING binding = {
	    .Supported = supported, .Start = start, .Stop = stop, .Version = 0x10};
	static CHAR8 english[] = "en";
	static EFI_COMPONENT_NAME2_PROTOCOL names = {.GetDriverName = driver_name,
						     .GetControllerName = no_name,
						     .SupportedLanguages = english};
	InitializeLib(image, table);
	binding.ImageHandle = image;
	binding.DriverBindingHandle = image;
	EFI_STATUS s =
	    BS->InstallProtocolInterface(&image, &binding_guid, EFI_NATIVE_INTERFACE, &binding);
	if (!EFI_ERROR(s))
		s = BS->InstallProtocolInterface(&image, &gEfiComponentName2ProtocolGuid,
						 EFI_NATIVE_INTERFACE, &names);
	return s;
}
