/* After the VMM: starts the operating system that is next in the firmware's boot order. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader.h"
#include "boot/uefi/bootopt.h"
#include "boot/uefi/devpath.h"

#define PATH_MAX_BYTES   4096
#define WATCHDOG_SECONDS 300 /* UEFI 2.10, section 3.1.2: what a boot manager sets */
#define DEFAULT_FILE     "\\EFI\\BOOT\\BOOTX64.EFI" /* UEFI 2.10, section 3.5.1.1 */

/* One thing to start. Several may come from one boot option, when its path is a short form. */
struct target {
	const char *name;  /* for messages */
	const UINT8 *data; /* load options */
	UINT32 data_size;
	EFI_STATUS status; /* of the last one that was started; EFI_NOT_FOUND: none yet */
};

/* The disk (not only the partition) that this loader came from. */
static bool is_own_device(const struct loader *loader, const void *path)
{
	UINTN size;
	const void *own = file_device_path(loader->self->DeviceHandle, &size);
	size_t disk = own != NULL ? devpath_disk_size(own) : 0;
	return disk != 0 && devpath_starts_with(path, own, disk);
}

static void set_boot_current(UINT16 number)
{
	static CHAR16 name[] = L"BootCurrent";
	RT->SetVariable(name, &gEfiGlobalVariableGuid,
			EFI_VARIABLE_BOOTSERVICE_ACCESS | EFI_VARIABLE_RUNTIME_ACCESS,
			sizeof(number), &number);
}

/* Returns true when the program ran and returned EFI_SUCCESS: then nothing else is started. */
static bool start(const struct loader *loader, struct target *target, void *path)
{
	EFI_HANDLE image = NULL;
	void *p;
	EFI_STATUS s = BS->LoadImage(TRUE, loader->image, path, NULL, 0, &image);
	if (EFI_ERROR(s)) {
		/* A forbidden image is loaded all the same, to be started once the user agrees: no.
		 */
		if (s == EFI_SECURITY_VIOLATION && image != NULL)
			BS->UnloadImage(image);
		if (s != EFI_NOT_FOUND) {
			say("%a: cannot be loaded: %r", target->name, s);
			target->status = s;
		}
		return false;
	}
	if (!EFI_ERROR(BS->HandleProtocol(image, &gEfiLoadedImageProtocolGuid, &p)) &&
	    target->data_size != 0) {
		EFI_LOADED_IMAGE *loaded = p;
		loaded->LoadOptions = (void *)(UINTN)target->data;
		loaded->LoadOptionsSize = target->data_size;
	}
	say("starting %a", target->name);
	BS->SetWatchdogTimer(WATCHDOG_SECONDS, 0, 0, NULL);
	target->status = BS->StartImage(image, NULL, NULL);
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	if (EFI_ERROR(target->status))
		say("%a: returned %r", target->name, target->status);
	return !EFI_ERROR(target->status);
}

/* Which file systems a target may be on. */
struct place {
	bool (*fits)(const void *fs_path, const void *want);
	const void *want;
};

static bool fits_any(const void *fs_path, const void *want)
{
	(void)fs_path;
	(void)want;
	return true;
}

static bool fits_partition(const void *fs_path, const void *want)
{
	struct devpath_partition partition;
	return devpath_partition(fs_path, &partition) && devpath_partition_same(&partition, want);
}

static bool fits_head(const void *fs_path, const void *want)
{
	return devpath_starts_with(fs_path, want,
				   devpath_size(want, PATH_MAX_BYTES) - DEVPATH_END_SIZE);
}

/* Starts `rest` (a path; NULL: the default file) on each file system in turn that is at a place,
 * own device or others only. */
static bool start_on(const struct loader *loader, struct target *target, const struct place *place,
		     const void *rest, const char *file, bool own)
{
	static UINT8 path[PATH_MAX_BYTES];
	EFI_HANDLE *handles;
	UINTN count = 0;
	bool done = false;
	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &gEfiSimpleFileSystemProtocolGuid, NULL,
					     &count, &handles)))
		return false;
	for (UINTN i = 0; i < count && !done; i++) {
		UINTN size;
		const void *fs = file_device_path(handles[i], &size);
		if (fs == NULL || is_own_device(loader, fs) != own || !place->fits(fs, place->want))
			continue;
		size -= DEVPATH_END_SIZE;
		if (rest != NULL)
			size = devpath_join(fs, size, rest, devpath_size(rest, PATH_MAX_BYTES),
					    path, sizeof(path));
		else
			size = devpath_make_file(fs, size, file, path, sizeof(path));
		if (size != 0)
			done = start(loader, target, path);
	}
	BS->FreePool(handles);
	return done;
}

/* Expands the path of a boot option as UEFI 2.10, section 3.1.2 says, and starts what it names. */
static bool start_option(const struct loader *loader, struct target *target,
			 const struct bootopt *option)
{
	static UINT8 path[PATH_MAX_BYTES];
	struct devpath_partition partition;
	struct place place = {.fits = fits_any};
	const UINT8 *rest;

	if (option->path_size > sizeof(path))
		return false;
	CopyMem(path, (void *)(UINTN)option->path, option->path_size);
	rest = path + devpath_first_size(path);
	switch (devpath_kind(path)) {
	case DEVPATH_PARTITION:
		if (!devpath_partition(path, &partition))
			return false;
		place = (struct place){.fits = fits_partition, .want = &partition};
		return start_on(loader, target, &place, devpath_names_file(rest) ? rest : NULL,
				DEFAULT_FILE, false);
	case DEVPATH_FILE:
		return start_on(loader, target, &place, path, NULL, false);
	default:
		if (is_own_device(loader, path))
			return false;
		if (devpath_names_file(path))
			return start(loader, target, path);
		place = (struct place){.fits = fits_head, .want = path};
		if (start_on(loader, target, &place, NULL, DEFAULT_FILE, false))
			return true;
		/* No file system there: a network card, or a short form that the firmware expands.
		 */
		return target->status == EFI_NOT_FOUND && start(loader, target, path);
	}
}

static void *get_variable(CHAR16 *name, UINTN *size)
{
	void *data;
	*size = 0;
	if (RT->GetVariable(name, &gEfiGlobalVariableGuid, NULL, size, NULL) !=
		EFI_BUFFER_TOO_SMALL ||
	    EFI_ERROR(BS->AllocatePool(EfiBootServicesData, *size, &data)))
		return NULL;
	if (EFI_ERROR(RT->GetVariable(name, &gEfiGlobalVariableGuid, NULL, size, data))) {
		BS->FreePool(data);
		return NULL;
	}
	return data;
}

/* The variable of a boot option; NULL: there is none. To be freed. */
static void *get_number(UINT16 number, UINTN *size)
{
	CHAR16 name[] = L"Boot0000";
	for (UINTN i = 0; i < 4; i++)
		name[4 + i] = L"0123456789ABCDEF"[number >> (12 - 4 * i) & 15];
	return get_variable(name, size);
}

static bool start_number(const struct loader *loader, UINT16 number, EFI_STATUS *status)
{
	char text[64];
	UINTN size;
	struct bootopt option;
	bool done = false;
	void *data = get_number(number, &size);

	if (data == NULL)
		return false;
	if (bootopt_parse(data, size, &option) == 0 && bootopt_is_bootable(&option)) {
		UINTN n = 0;
		const UINT8 *d = option.description;
		for (; n < 4; n++)
			text[n] = "0123456789ABCDEF"[number >> (12 - 4 * n) & 15];
		text[n++] = ' ';
		for (; n < sizeof(text) - 1 && (d[0] != 0 || d[1] != 0); d += 2)
			text[n++] = d[1] == 0 && d[0] >= ' ' && d[0] <= '~' ? (char)d[0] : '?';
		text[n] = '\0';
		struct target target = {.name = text,
					.data = option.data,
					.data_size = (UINT32)option.data_size,
					.status = EFI_NOT_FOUND};
		set_boot_current(number);
		done = start_option(loader, &target, &option);
		*status = target.status;
	}
	BS->FreePool(data);
	return done;
}

/* The numbers of the boot options to try, in turn; NULL: none. To be freed. */
static UINT16 *boot_list(UINTN *count, bool *has_current, UINT16 *own)
{
	static CHAR16 order_name[] = L"BootOrder", current_name[] = L"BootCurrent";
	UINTN order_size, current_size;
	UINT16 *order = get_variable(order_name, &order_size);
	UINT16 *current = get_variable(current_name, &current_size);
	void *list = NULL;

	*has_current = current != NULL && current_size >= sizeof(*current);
	*own = *has_current ? *current : 0;
	*count = 0;
	if (order != NULL && !EFI_ERROR(BS->AllocatePool(EfiBootServicesData, order_size, &list)))
		*count =
		    bootopt_order(order, order_size / sizeof(*order), *has_current, *own, list);
	if (order != NULL)
		BS->FreePool(order);
	if (current != NULL)
		BS->FreePool(current);
	return list;
}

static EFI_STATUS boot_auto(const struct loader *loader)
{
	EFI_STATUS status = EFI_NOT_FOUND;
	bool has_current, done = false;
	UINT16 own;
	UINTN count;
	UINT16 *list = boot_list(&count, &has_current, &own);

	if (list == NULL)
		return status;
	for (UINTN i = 0; i < count && !done; i++)
		done = start_number(loader, list[i], &status);
	if (!done && has_current)
		set_boot_current(own);
	BS->FreePool(list);
	return done ? EFI_SUCCESS : status;
}

/* Can the file system be the one that a boot option means? Paths of files end in it, paths of disks
 * go on with it. */
static bool fits_option(const void *fs_path, const void *path)
{
	struct devpath_partition partition;
	switch (devpath_kind(path)) {
	case DEVPATH_PARTITION:
		return devpath_partition(path, &partition) && fits_partition(fs_path, &partition);
	case DEVPATH_FILE:
		return true;
	default:
		return fits_head(fs_path, path) || fits_head(path, fs_path);
	}
}

/* The first file system, but for those on the own device, that the boot option means. */
static const void *option_file_system(const struct loader *loader, UINT16 number)
{
	static UINT8 path[PATH_MAX_BYTES];
	struct bootopt option;
	EFI_HANDLE *handles;
	UINTN size, count = 0;
	const void *found = NULL;
	void *data = get_number(number, &size);

	if (data == NULL)
		return NULL;
	bool usable = bootopt_parse(data, size, &option) == 0 && bootopt_is_bootable(&option) &&
		      option.path_size <= sizeof(path);
	if (usable)
		CopyMem(path, (void *)(UINTN)option.path, option.path_size);
	BS->FreePool(data);
	if (!usable || EFI_ERROR(BS->LocateHandleBuffer(
			   ByProtocol, &gEfiSimpleFileSystemProtocolGuid, NULL, &count, &handles)))
		return NULL;
	for (UINTN i = 0; i < count && found == NULL; i++) {
		const void *fs = file_device_path(handles[i], &size);
		if (fs != NULL && size <= PATH_MAX_BYTES && !is_own_device(loader, fs) &&
		    fits_option(fs, path))
			found = fs;
	}
	BS->FreePool(handles);
	return found;
}

static EFI_STATUS boot_path(const struct loader *loader, const char *file)
{
	const struct place place = {.fits = fits_any};
	struct target target = {.name = file, .status = EFI_NOT_FOUND};
	if (start_on(loader, &target, &place, NULL, file, false) ||
	    start_on(loader, &target, &place, NULL, file, true))
		return EFI_SUCCESS;
	return target.status;
}

/* vmm.boot_next; empty means auto. */
static const char *get_choice(const struct loader *loader)
{
	const char *choice = loader->config.boot_next;
	return choice[0] != '\0' ? choice : "auto";
}

static bool is_word(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

void next_prepare(const struct loader *loader)
{
	const char *choice = get_choice(loader);
	EFI_HANDLE *handles;
	UINTN count = 0;
	/*
	 * Firmware that boots fast connects only what its first boot option needs. This is done
	 * before the VMM starts, because afterwards some functions belong to it and must not get a
	 * firmware driver again.
	 */
	if (is_word(choice, "menu") ||
	    EFI_ERROR(BS->LocateHandleBuffer(AllHandles, NULL, NULL, &count, &handles)))
		return;
	for (UINTN i = 0; i < count; i++)
		BS->ConnectController(handles[i], NULL, NULL, TRUE);
	BS->FreePool(handles);
}

const void *next_device_path(const struct loader *loader)
{
	const void *path = NULL;
	bool has_current;
	UINT16 own;
	UINTN count;

	if (loader->from_shell || !is_word(get_choice(loader), "auto"))
		return NULL;
	UINT16 *list = boot_list(&count, &has_current, &own);
	if (list == NULL)
		return NULL;
	for (UINTN i = 0; i < count && path == NULL; i++)
		path = option_file_system(loader, list[i]);
	BS->FreePool(list);
	return path;
}

EFI_STATUS next_boot(const struct loader *loader)
{
	const char *choice = get_choice(loader);
	if (is_word(choice, "menu"))
		return EFI_SUCCESS;
	EFI_STATUS s = is_word(choice, "auto") ? boot_auto(loader) : boot_path(loader, choice);
	if (EFI_ERROR(s))
		say("vmm.boot_next=%a: nothing could be started: %r", choice, s);
	/* The VMM runs; success makes the firmware show its boot manager instead of trying the next
	 * entry by itself. */
	return EFI_SUCCESS;
}
