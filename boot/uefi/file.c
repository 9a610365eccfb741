/* Files beside the UEFI loader. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader.h"
#include "boot/uefi/devpath.h"

#define READ_CHUNK 0x100000 /* some firmware does not read more at once */

bool file_find_self(struct loader *loader)
{
	void *self;
	EFI_STATUS s = BS->HandleProtocol(loader->image, &gEfiLoadedImageProtocolGuid, &self);
	if (EFI_ERROR(s)) {
		say("no Loaded Image protocol: %r", s);
		return false;
	}
	loader->self = self;
	EFI_DEVICE_PATH *path = loader->self->FilePath;
	int length = -1;
	if (path != NULL && devpath_size(path, 0x10000) != 0)
		length = devpath_file_text(path, loader->path, LOADER_PATH_MAX);
	if (length < 0 || loader->self->DeviceHandle == NULL) {
		say("the firmware does not say where loadvmm.efi was loaded from");
		return false;
	}
	for (int i = 0; i < length; i++) {
		if (loader->path[i] == L'\\')
			loader->dir_length = (UINTN)i + 1;
	}
	return true;
}

const void *file_device_path(EFI_HANDLE handle, UINTN *size)
{
	void *path;
	*size = 0;
	if (EFI_ERROR(BS->HandleProtocol(handle, &gEfiDevicePathProtocolGuid, &path)))
		return NULL;
	*size = devpath_size(path, 0x10000);
	return *size != 0 ? path : NULL;
}

static EFI_STATUS open_beside(const struct loader *loader, const char *name, UINT64 mode,
			      EFI_FILE_HANDLE *file)
{
	CHAR16 path[LOADER_PATH_MAX + 16];
	UINTN n = 0;
	void *fs;
	EFI_FILE_HANDLE root;
	EFI_STATUS s =
	    BS->HandleProtocol(loader->self->DeviceHandle, &gEfiSimpleFileSystemProtocolGuid, &fs);
	if (!EFI_ERROR(s))
		s = ((EFI_FILE_IO_INTERFACE *)fs)->OpenVolume(fs, &root);
	if (EFI_ERROR(s)) {
		say("%a: cannot read files from the device loadvmm.efi came from: %r", name, s);
		return EFI_ABORTED;
	}
	for (; n < loader->dir_length; n++)
		path[n] = loader->path[n];
	for (; *name != '\0'; name++)
		path[n++] = (CHAR16)*name;
	path[n] = 0;
	s = root->Open(root, file, path, mode, 0);
	root->Close(root);
	return s;
}

static EFI_STATUS file_size(EFI_FILE_HANDLE file, UINTN *size)
{
	union {
		EFI_FILE_INFO info;
		UINT8 room[sizeof(EFI_FILE_INFO) + 2 * LOADER_PATH_MAX];
	} u;
	UINTN n = sizeof(u);
	EFI_STATUS s = file->GetInfo(file, &gEfiFileInfoGuid, &n, &u);
	if (!EFI_ERROR(s) && (u.info.Attribute & EFI_FILE_DIRECTORY) != 0)
		s = EFI_INVALID_PARAMETER;
	*size = EFI_ERROR(s) ? 0 : u.info.FileSize;
	return s;
}

static EFI_STATUS read_all(EFI_FILE_HANDLE file, UINT8 *data, UINTN size)
{
	UINTN at = 0;
	while (at < size) {
		UINTN n = size - at < READ_CHUNK ? size - at : READ_CHUNK;
		EFI_STATUS s = file->Read(file, &n, data + at);
		if (EFI_ERROR(s))
			return s;
		if (n == 0)
			return EFI_END_OF_FILE;
		at += n;
	}
	return EFI_SUCCESS;
}

EFI_STATUS file_read(const struct loader *loader, const char *name, UINTN max, void **data,
		     UINTN *size)
{
	EFI_FILE_HANDLE file;
	EFI_PHYSICAL_ADDRESS pages = 0;
	EFI_STATUS s = open_beside(loader, name, EFI_FILE_MODE_READ, &file);
	if (s == EFI_NOT_FOUND || s == EFI_ABORTED)
		return s;
	if (EFI_ERROR(s)) {
		say("%a: cannot open: %r", name, s);
		return s;
	}
	s = file_size(file, size);
	if (EFI_ERROR(s)) {
		say("%a: cannot be read: %r", name, s);
	} else if (*size > max) {
		s = EFI_BAD_BUFFER_SIZE;
		say("%a: %ld bytes, more than the %ld that are possible", name, *size, max);
	} else {
		s = BS->AllocatePages(AllocateAnyPages, EfiLoaderData, EFI_SIZE_TO_PAGES(*size) + 1,
				      &pages);
		if (EFI_ERROR(s))
			say("%a: no memory for %ld bytes", name, *size);
	}
	if (!EFI_ERROR(s)) {
		*data = (void *)pages;
		s = read_all(file, *data, *size);
		if (EFI_ERROR(s)) {
			say("%a: cannot be read: %r", name, s);
			file_free(*data, *size);
		}
	}
	file->Close(file);
	return s;
}

void file_free(void *data, UINTN size)
{
	BS->FreePages((EFI_PHYSICAL_ADDRESS)data, EFI_SIZE_TO_PAGES(size) + 1);
}

EFI_STATUS file_write(const struct loader *loader, const char *name, const void *data, UINTN size)
{
	UINT64 mode = EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE;
	EFI_FILE_HANDLE file;
	EFI_STATUS s = open_beside(loader, name, mode, &file);
	/* Deleted first: an older, longer file would keep its end. */
	if (!EFI_ERROR(s))
		file->Delete(file);
	if (s != EFI_ABORTED)
		s = open_beside(loader, name, mode | EFI_FILE_MODE_CREATE, &file);
	if (s == EFI_ABORTED)
		return s;
	if (!EFI_ERROR(s)) {
		UINTN n = size;
		s = file->Write(file, &n, (void *)(UINTN)data);
		file->Close(file);
	}
	if (EFI_ERROR(s))
		say("%a: cannot be written: %r", name, s);
	return s;
}
