/* loadvmm.efi: loads bitvisor.elf, brings every CPU under it, returns as a guest. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader.h"
#include "boot/uefi/bootopt.h"
#include "boot/uefi/elf.h"
#include "core/addr.h"
#include "core/errno.h"
#include "core/mm/memmap.h"

#define ELF_NAME    "bitvisor.elf"
#define CONFIG_NAME "bitvisor.conf"
#define PROBE_NAME  "bitvisor.txt"

#define ELF_SIZE_MAX   (UINTN)0x8000000
#define PROBE_SIZE_MAX 0x40000
#define WAIT_SECONDS   30
#define POLLS_A_SECOND 20

static EFI_GUID shell_parameters_guid = EFI_SHELL_PARAMETERS_PROTOCOL_GUID;

/* What one start holds: freed as a whole when it fails. */
struct start {
	struct loader loader;
	struct boot_info *info;
	void *config;
	UINTN config_size;
	bool config_is_known; /* else nobody knows what protection was asked for */
	UINT64 region_base, region_size, low_base;
	UINT64 entry;
	struct elf_plan plan; /* of the loaded image */
	bool is_answered;     /* the user wants to go on without the VMM */
	char *probe;          /* not NULL: print, start nothing */
};

/*
 * Started by a shell or by a boot manager? A UEFI shell puts its parameters protocol on the handle
 * of what it starts (UEFI Shell 2.2, section 3.3); boot managers and other boot loaders do not.
 */
static bool is_from_shell(EFI_HANDLE image)
{
	void *p;
	return !EFI_ERROR(BS->HandleProtocol(image, &shell_parameters_guid, &p));
}

static EFI_STATUS fill_cmdline(struct start *start)
{
	struct loader *loader = &start->loader;
	const EFI_LOADED_IMAGE *self = loader->self;
	if (self->LoadOptions == NULL || self->LoadOptionsSize == 0)
		return EFI_SUCCESS;
	int r = bootopt_words(self->LoadOptions, self->LoadOptionsSize, loader->from_shell,
			      start->info->cmdline, BOOT_CMDLINE_MAX);
	if (r == 0)
		return EFI_SUCCESS;
	/* Boot managers mark entries that they made themselves with binary data: that sets no key.
	 */
	const UINT8 *bytes = self->LoadOptions;
	bool has_key = loader->from_shell || r == -ENOSPC;
	for (UINT32 i = 0; i < self->LoadOptionsSize; i++)
		has_key = has_key || bytes[i] == '=';
	if (!has_key)
		return EFI_SUCCESS;
	say("command line: %a", r == -ENOSPC ? "too long" : "not ASCII text");
	return EFI_INVALID_PARAMETER;
}

/*
 * Reads the values over the defaults, the command line last so that it goes before the file. The
 * core reads both again and reports what is wrong in them: here a bad entry only keeps its default.
 */
static EFI_STATUS load_config(struct start *start)
{
	struct config *config = &start->loader.config;
	EFI_STATUS s = file_read(&start->loader, CONFIG_NAME, BOOT_CONFIG_MAX, &start->config,
				 &start->config_size);
	start->config_is_known = s == EFI_SUCCESS || s == EFI_NOT_FOUND;
	if (s == EFI_SUCCESS) {
		start->info->config = (UINT64)start->config;
		start->info->config_size = start->config_size;
		config_parse_text(config, CONFIG_NAME, start->config, start->config_size, NULL,
				  NULL);
	} else {
		start->config = NULL;
	}
	config_parse_cmdline(config, start->info->cmdline, NULL, NULL);
	return start->config_is_known ? EFI_SUCCESS : s;
}

static EFI_STATUS load_image(struct start *start)
{
	struct elf_plan *plan = &start->plan;
	void *file;
	UINTN size;
	EFI_STATUS s = file_read(&start->loader, ELF_NAME, ELF_SIZE_MAX, &file, &size);
	if (s == EFI_NOT_FOUND)
		say(ELF_NAME ": not found in the directory of loadvmm.efi");
	if (EFI_ERROR(s))
		return s;
	enum elf_status status = elf_plan(file, size, plan);
	start->region_size =
	    memmap_region_size(start->loader.config.memory, start->info->cpu_count);
	if (status != ELF_OK) {
		say(ELF_NAME ": %a", elf_status_text(status));
		s = EFI_LOAD_ERROR;
	} else if (plan->image_size > start->region_size) {
		say(ELF_NAME ": needs %ld KiB, but only %ld KiB are set aside (vmm.memory)",
		    plan->image_size >> 10, start->region_size >> 10);
		s = EFI_OUT_OF_RESOURCES;
	} else {
		start->region_base = region_reserve(start->region_size);
		if (start->region_base == 0) {
			say(ELF_NAME ": no %ld MiB of free memory below 4 GiB",
			    start->region_size >> 20);
			s = EFI_OUT_OF_RESOURCES;
		}
	}
	if (!EFI_ERROR(s)) {
		elf_load(file, plan, (void *)start->region_base);
		start->entry = start->region_base + plan->entry;
		start->low_base = region_reserve_low();
		start->info->region_base = start->region_base;
		start->info->region_size = start->region_size;
		start->info->image_size = plan->image_size;
		start->info->low_base = start->low_base;
	}
	file_free(file, size);
	return s;
}

static EFI_STATUS write_probe(struct start *start)
{
	UINTN size = say_capture(NULL, 0);
	EFI_STATUS s = file_write(&start->loader, PROBE_NAME, start->probe, size);
	if (!EFI_ERROR(s))
		say("vmm.probe=1: nothing started, report is in " PROBE_NAME);
	return s;
}

/* Success: the VMM runs on all CPUs (or the report is written). `*in_use`: its memory must stay. */
static EFI_STATUS run(struct start *start, bool *in_use)
{
	cpus_entry_t entry = (cpus_entry_t)start->entry;
	if (start->probe != NULL)
		say_capture(start->probe, PROBE_SIZE_MAX);
	int r = entry(BOOT_OP_INIT, start->info);
	if (start->probe != NULL)
		return write_probe(start);
	if (r != 0) {
		say(ELF_NAME ": does not start (error %d)", r);
		return EFI_LOAD_ERROR;
	}
	bool left;
	if (!cpus_enter(entry, start->info, &left)) {
		*in_use = !left;
		return EFI_LOAD_ERROR;
	}
	*in_use = true;
	r = loader_vmm_call("boot_start") ? 0 : entry(BOOT_OP_START, start->info);
	if (r != 0)
		say(ELF_NAME ": start is not complete (error %d)", r);
	return EFI_SUCCESS;
}

static void release(struct start *start)
{
	region_free(start->region_base, start->region_size);
	region_free(start->low_base, PAGE_SIZE);
}

/*
 * CR4.LA57 (SDM 3A 4.5): the VMM's entry extends the firmware's tables, and knows those of 4
 * levels. The bit cannot be changed in 64-bit mode, so the VMM could not switch to its own tables
 * either.
 */
static bool paging_is_known(void)
{
	uint64_t cr4;
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if ((cr4 & (1 << 12)) == 0)
		return true;
	say("BitVisor is not started: the firmware uses 5-level paging; switch it off in its "
	    "set-up");
	return false;
}

static EFI_STATUS start_vmm(struct start *start)
{
	struct boot_info *info = start->info;
	bool in_use = false;
	EFI_STATUS s = load_config(start);
	if (!EFI_ERROR(s) && !paging_is_known())
		s = EFI_UNSUPPORTED;
	if (!EFI_ERROR(s)) {
		info_fill(info);
		s = cpus_find(&info->cpu_count, info->rsdp) ? EFI_SUCCESS : EFI_UNSUPPORTED;
	}
	if (!EFI_ERROR(s) && start->loader.config.probe) {
		void *p;
		s = BS->AllocatePool(EfiLoaderData, PROBE_SIZE_MAX, &p);
		if (EFI_ERROR(s))
			say(PROBE_NAME ": no memory");
		else
			start->probe = p;
	}
	if (!EFI_ERROR(s))
		s = load_image(start);
	if (!EFI_ERROR(s) && !start->loader.from_shell && start->probe == NULL)
		next_prepare(&start->loader);
	if (!EFI_ERROR(s) && start->probe == NULL) {
		s = pci_take(&start->loader, (void *)start->region_base, &start->plan, info);
		start->is_answered = s == EFI_ABORTED;
	}
	if (!EFI_ERROR(s) && !info_fill_mmap(info))
		s = EFI_OUT_OF_RESOURCES;
	if (!EFI_ERROR(s))
		s = run(start, &in_use);
	if (EFI_ERROR(s))
		pci_give_back();
	else
		pci_started();
	if (!in_use)
		release(start);
	if (EFI_ERROR(s) || start->probe != NULL || start->loader.from_shell)
		return s;
	return next_boot(&start->loader);
}

/* Without what these keys ask for nothing may go on by itself; nor when nobody knows what they ask
 * for. */
static bool is_stop(const struct start *start)
{
	const struct config *config = &start->loader.config;
	return config_stop_on_error(config) ||
	       (!start->config_is_known && config->on_error == CONFIG_ON_ERROR_AUTO);
}

/*
 * A boot option that failed: the firmware would start the next one without a word. In a shell the
 * user sees the message, and a script the status.
 */
static void ask(bool stop)
{
	say("press c to continue without the VMM, r to reboot%a",
	    stop ? "" : "; continues after 30 seconds");
	loader_ask("c", stop ? 0 : WAIT_SECONDS);
}

char loader_ask(const char *keys, UINTN seconds)
{
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	for (UINTN polls = 0; seconds == 0 || polls < seconds * POLLS_A_SECOND; polls++) {
		EFI_INPUT_KEY key = {0};
		BS->Stall(1000000 / POLLS_A_SECOND);
		/* Without a keyboard to stop means to stop. */
		if (ST->ConIn == NULL || EFI_ERROR(ST->ConIn->ReadKeyStroke(ST->ConIn, &key)))
			continue;
		CHAR16 c = key.UnicodeChar | 0x20; /* lower case */
		if (c == L'r')
			RT->ResetSystem(EfiResetCold, EFI_SUCCESS, 0, NULL);
		for (const char *k = keys; *k != '\0'; k++) {
			if (c == (CHAR16)*k)
				return *k;
		}
	}
	return 0;
}

/* What a failed start returns: errors of files all mean that nothing was loaded. */
static EFI_STATUS status_of(EFI_STATUS s)
{
	switch (s) {
	case EFI_SUCCESS:
	case EFI_UNSUPPORTED:
	case EFI_OUT_OF_RESOURCES:
	case EFI_INVALID_PARAMETER:
		return s;
	default:
		return EFI_LOAD_ERROR;
	}
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	static struct start start;
	void *p;
	InitializeLib(image, table);
	start.loader.image = image;
	start.loader.from_shell = is_from_shell(image);
	if (loader_vmm_running()) {
		say("BitVisor is already running");
		return EFI_ALREADY_STARTED;
	}
	if (EFI_ERROR(BS->AllocatePool(EfiLoaderData, sizeof(*start.info), &p))) {
		say("no memory");
		return EFI_OUT_OF_RESOURCES;
	}
	ZeroMem(p, sizeof(*start.info));
	start.info = p;
	config_init(&start.loader.config);
	EFI_STATUS s = EFI_LOAD_ERROR;
	if (file_find_self(&start.loader))
		s = fill_cmdline(&start);
	if (!EFI_ERROR(s))
		s = start_vmm(&start);
	if (EFI_ERROR(s) && !start.loader.from_shell && start.probe == NULL && !start.is_answered)
		ask(is_stop(&start));
	if (start.probe != NULL)
		BS->FreePool(start.probe);
	if (start.config != NULL)
		file_free(start.config, start.config_size);
	BS->FreePool(start.info);
	return status_of(s);
}
