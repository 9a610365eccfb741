/* Changes what the firmware says of its CPUs: last character of the command line a digit: disable
 * that one; else no MP services. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <efi.h>
#include <efilib.h>

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

/* EFI_MP_SERVICES_PROTOCOL, PI 1.8, volume 2, section 13.4. */
struct mp_services {
	void *unused[5];
	EFI_STATUS(EFIAPI *enable_disable_ap)
	(struct mp_services *this, UINTN number, BOOLEAN enable, UINT32 *health);
};
static EFI_GUID mp_services_guid = {
    0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}};

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	EFI_HANDLE *handles;
	UINTN count;
	void *p;
	InitializeLib(image, table);
	BS->HandleProtocol(image, &gEfiLoadedImageProtocolGuid, &p);
	EFI_LOADED_IMAGE *self = p;
	CHAR16 *words = self->LoadOptions;
	CHAR16 last = 0;
	for (UINTN i = 0; i < self->LoadOptionsSize / 2 && words[i] != 0; i++)
		last = words[i];
	EFI_STATUS s =
	    BS->LocateHandleBuffer(ByProtocol, &mp_services_guid, NULL, &count, &handles);
	if (!EFI_ERROR(s))
		s = BS->HandleProtocol(handles[0], &mp_services_guid, &p);
	if (EFI_ERROR(s))
		return s;
	struct mp_services *mp = p;
	if (last >= L'0' && last <= L'9')
		return mp->enable_disable_ap(mp, (UINTN)(last - L'0'), FALSE, NULL);
	return BS->UninstallProtocolInterface(handles[0], &mp_services_guid, mp);
}
