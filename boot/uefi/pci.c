/* PCI functions that the VMM will take: before it starts, the firmware's drivers let go of them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader.h"
#include <efipciio.h>
#include "boot/uefi/devpath.h"
#include "boot/uefi/pcidrivers.h"
#include "boot/uefi/pciscan.h"
#include "drivers/pci/compat.h"
#include "drivers/pci/config.h"
#include "drivers/pci/text.h"

#define FUNCTIONS_MAX 256
#define BRIDGES_MAX   256
#define CLASS_BRIDGE  0x06 /* base class; PCI Code and ID Assignment 1.11, 1.7 */
#define ASK_SECONDS   30

static EFI_GUID root_bridge_guid = EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL_GUID;

/* One function that a rule takes. */
struct function {
	EFI_HANDLE handle; /* NULL: no PCI_IO handle, so no driver of the firmware can have it */
	bool was_master;   /* bus mastering was on */
	bool was_driven;   /* a driver of the firmware had it */
	uint8_t left;      /* enum boot_pci_reason, 0: taken */
};

static EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL *bridges[BRIDGES_MAX];
static UINTN bridge_count;
static struct pciscan_taken taken[FUNCTIONS_MAX];
static struct function functions[FUNCTIONS_MAX];
static UINTN count;

/* --- configuration space --- */

static EFI_STATUS access_config(struct pci_address a, uint16_t offset, unsigned size,
				uint32_t *value, bool write)
{
	EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL_WIDTH width = size == 4   ? EfiPciIoWidthUint32
						      : size == 2 ? EfiPciIoWidthUint16
								  : EfiPciIoWidthUint8;
	/* UEFI 2.10, table 14.1: EFI_PCI_ADDRESS */
	UINT64 address =
	    (UINT64)a.bus << 24 | (UINT64)a.device << 16 | (UINT64)a.function << 8 | offset;
	EFI_STATUS s = EFI_NOT_FOUND;
	/* A root bridge refuses the buses of others. */
	for (UINTN i = 0; EFI_ERROR(s) && i < bridge_count; i++) {
		if (bridges[i]->SegmentNumber == a.segment)
			s = (write ? bridges[i]->Pci.Write
				   : bridges[i]->Pci.Read)(bridges[i], width, address, 1, value);
	}
	return s;
}

static uint32_t read_config(void *arg, struct pci_address a, uint16_t offset, unsigned size)
{
	uint32_t value = 0;
	(void)arg;
	if (EFI_ERROR(access_config(a, offset, size, &value, false)))
		return size == 4 ? 0xffffffff : size == 2 ? 0xffff : 0xff;
	return value;
}

/* The root bridges, and their segments in ascending order. Returns the number of segments. */
static UINTN find_bridges(uint16_t *segments)
{
	EFI_HANDLE *handles;
	UINTN n = 0, segment_count = 0;
	bridge_count = 0;
	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &root_bridge_guid, NULL, &n, &handles)))
		return 0;
	for (UINTN i = 0; i < n && bridge_count < BRIDGES_MAX; i++) {
		void *p;
		/* The firmware's bus driver numbers the buses and makes the functions' handles. */
		BS->ConnectController(handles[i], NULL, NULL, FALSE);
		if (EFI_ERROR(BS->HandleProtocol(handles[i], &root_bridge_guid, &p)))
			continue;
		bridges[bridge_count++] = p;
		uint16_t segment = (uint16_t)((EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL *)p)->SegmentNumber;
		UINTN at = 0;
		while (at < segment_count && segments[at] < segment)
			at++;
		if (at < segment_count && segments[at] == segment)
			continue;
		for (UINTN j = segment_count++; j > at; j--)
			segments[j] = segments[j - 1];
		segments[at] = segment;
	}
	BS->FreePool(handles);
	return segment_count;
}

/* Bridges keep it: functions behind them, which are none of the rule's, need it. */
static bool is_bridge(UINTN i)
{
	return taken[i].id.class_code >> 16 == CLASS_BRIDGE;
}

static bool is_master(UINTN i)
{
	uint32_t command = read_config(NULL, taken[i].id.address, PCI_COMMAND, 2);
	return command != 0xffff && (command & PCI_COMMAND_MASTER) != 0;
}

static void set_master(UINTN i, bool on)
{
	struct pci_address a = taken[i].id.address;
	void *p;
	if (is_bridge(i) || is_master(i) == on)
		return;
	/* By way of the firmware's own record of the function where there is one. */
	if (functions[i].handle != NULL &&
	    !EFI_ERROR(BS->HandleProtocol(functions[i].handle, &gEfiPciIoProtocolGuid, &p)))
		((EFI_PCI_IO_PROTOCOL *)p)
		    ->Attributes(p,
				 on ? EfiPciIoAttributeOperationEnable
				    : EfiPciIoAttributeOperationDisable,
				 EFI_PCI_IO_ATTRIBUTE_BUS_MASTER, NULL);
	if (is_master(i) == on)
		return;
	uint32_t command = read_config(NULL, a, PCI_COMMAND, 2) ^ PCI_COMMAND_MASTER;
	access_config(a, PCI_COMMAND, 2, &command, true);
}

/* --- the firmware's view --- */

static void find_handles(void)
{
	EFI_HANDLE *handles;
	UINTN n = 0;
	if (EFI_ERROR(
		BS->LocateHandleBuffer(ByProtocol, &gEfiPciIoProtocolGuid, NULL, &n, &handles)))
		return;
	for (UINTN h = 0; h < n; h++) {
		UINTN segment, bus, device, function;
		void *p;
		if (EFI_ERROR(BS->HandleProtocol(handles[h], &gEfiPciIoProtocolGuid, &p)))
			continue;
		EFI_PCI_IO_PROTOCOL *io = p;
		if (EFI_ERROR(io->GetLocation(io, &segment, &bus, &device, &function)))
			continue;
		for (UINTN i = 0; i < count; i++) {
			const struct pci_address a = taken[i].id.address;
			if (a.segment == segment && a.bus == bus && a.device == device &&
			    a.function == function)
				functions[i].handle = handles[h];
		}
	}
	BS->FreePool(handles);
}

/* The firmware's driver that has opened a protocol of the handle to manage it; NULL: none. */
static EFI_HANDLE find_driver(EFI_HANDLE handle)
{
	EFI_GUID **protocols;
	UINTN n = 0;
	EFI_HANDLE driver = NULL;
	if (handle == NULL || EFI_ERROR(BS->ProtocolsPerHandle(handle, &protocols, &n)))
		return NULL;
	for (UINTN i = 0; i < n && driver == NULL; i++) {
		EFI_OPEN_PROTOCOL_INFORMATION_ENTRY *entries;
		UINTN entry_count = 0;
		if (EFI_ERROR(
			BS->OpenProtocolInformation(handle, protocols[i], &entries, &entry_count)))
			continue;
		for (UINTN e = 0; e < entry_count; e++) {
			if ((entries[e].Attributes & EFI_OPEN_PROTOCOL_BY_DRIVER) != 0)
				driver = entries[e].AgentHandle;
		}
		BS->FreePool(entries);
	}
	BS->FreePool(protocols);
	return driver;
}

static const CHAR16 *driver_name(EFI_HANDLE driver)
{
	static CHAR8 english[] = "en";
	CHAR16 *name = NULL;
	void *p;
	if (!EFI_ERROR(BS->HandleProtocol(driver, &gEfiComponentName2ProtocolGuid, &p))) {
		EFI_COMPONENT_NAME2_PROTOCOL *names = p;
		if (!EFI_ERROR(names->GetDriverName(names, english, &name)) && name != NULL)
			return name;
	}
	return L"without a name";
}

/* True when the loader was read through the function: it, or a bridge above it. */
static bool is_below(EFI_HANDLE handle, const void *device_path)
{
	UINTN size;
	const void *path = handle != NULL ? file_device_path(handle, &size) : NULL;
	return path != NULL && device_path != NULL &&
	       devpath_starts_with(device_path, path, size - DEVPATH_END_SIZE);
}

/* --- messages --- */

/* "00:1f.2 (8086:2922, driver=conceal)" */
static const char *name_of(UINTN i)
{
	static char buffer[128];
	struct text t = {buffer, sizeof(buffer)};
	const struct pci_function *f = &taken[i].id;

	put_address(&t, &f->address);
	put(&t, " (");
	put_hex(&t, f->vendor, 4);
	put_char(&t, ':');
	put_hex(&t, f->device, 4);
	put(&t, ", driver=");
	put(&t, taken[i].driver->name);
	put_char(&t, ')');
	return buffer;
}

/* What to do with functions that the firmware boots from. False: the VMM is not started. */
static bool decide_boot(const struct loader *loader)
{
	UINTN size, found = 0;
	enum config_pci_boot decision = loader->config.driver_pci_boot;
	const void *own = file_device_path(loader->self->DeviceHandle, &size);
	const void *next = next_device_path(loader);
	for (UINTN i = 0; i < count; i++) {
		bool from = is_below(functions[i].handle, own);
		if (!from && !is_below(functions[i].handle, next))
			continue;
		functions[i].left = BOOT_PCI_BOOT;
		found++;
		say("%a: %a", name_of(i),
		    from ? "the firmware has loaded loadvmm.efi from it"
			 : "the firmware boots the next system from it");
	}
	if (found == 0)
		return true;
	if (decision == CONFIG_PCI_BOOT_ASK) {
		bool stop = !loader->from_shell && config_stop_on_error(&loader->config);
		say("press t to take it all the same, l to leave it to the operating system, c to "
		    "continue without the VMM, r to reboot%a",
		    stop ? "" : "; continues without the VMM after 30 seconds");
		switch (loader_ask("tlc", stop ? 0 : ASK_SECONDS)) {
		case 't':
			decision = CONFIG_PCI_BOOT_TAKE;
			break;
		case 'l':
			decision = CONFIG_PCI_BOOT_LEAVE;
			break;
		default:
			return false;
		}
	}
	say("%a", decision == CONFIG_PCI_BOOT_TAKE ? "taken all the same"
						   : "left to the operating system");
	if (decision == CONFIG_PCI_BOOT_TAKE) {
		for (UINTN i = 0; i < count; i++)
			functions[i].left = 0;
	}
	return true;
}

/* --- taking and giving back --- */

static void disconnect(UINTN i)
{
	struct function *f = &functions[i];
	EFI_HANDLE driver = find_driver(f->handle);
	EFI_STATUS s = EFI_SUCCESS;
	f->was_driven = driver != NULL;
	f->was_master = is_master(i);
	/*
	 * The status says little: some drivers go and yet return an error. Twice, because the
	 * first error ends the firmware's round.
	 */
	for (UINTN tries = 0; driver != NULL && tries < 2; tries++) {
		s = BS->DisconnectController(f->handle, NULL, NULL);
		driver = find_driver(f->handle);
	}
	if (driver != NULL) {
		f->left = BOOT_PCI_HELD;
		say("%a: the firmware's driver %s does not let go of it (%r): left to the "
		    "operating system",
		    name_of(i), driver_name(driver), s);
		/* Some of several may have gone. */
		BS->ConnectController(f->handle, NULL, NULL, TRUE);
		return;
	}
	set_master(i, false);
}

/* The strings that give functions to drivers, in the order in which they decide. */
enum { NEW_STRING, OLD_CONCEAL, OLD_KEYS, STRINGS };

static struct pci_match_rules rules[STRINGS];
static struct pci_match_state states[STRINGS];
static const struct pci_match_rules *const rule_sets[STRINGS] = {
    &rules[NEW_STRING], &rules[OLD_CONCEAL], &rules[OLD_KEYS]};
static struct pci_match_state *const state_sets[STRINGS] = {
    &states[NEW_STRING], &states[OLD_CONCEAL], &states[OLD_KEYS]};

/* Reads all strings; false when one has an error. *any: there is something to do. */
static bool read_rules(const struct config *config, const struct pci_driver *drivers,
		       size_t driver_count, bool *any)
{
	static char old_keys[PCI_COMPAT_MAX];
	struct pci_compat_keys keys;
	uint32_t errors;
	pci_compat_read(config, &keys);
	pci_compat_rules(&keys, old_keys, sizeof(old_keys));
	errors = pci_match_parse(&rules[NEW_STRING], PCI_MATCH_RULES, config->driver_pci, drivers,
				 driver_count, NULL, NULL);
	errors += pci_match_parse(&rules[OLD_CONCEAL], PCI_MATCH_CONCEAL, config->old_pci_conceal,
				  drivers, driver_count, NULL, NULL);
	errors += pci_match_parse(&rules[OLD_KEYS], PCI_MATCH_RULES, old_keys, drivers,
				  driver_count, NULL, NULL);
	*any = rules[NEW_STRING].rule_count != 0 || rules[OLD_CONCEAL].rule_count != 0 ||
	       rules[OLD_KEYS].rule_count != 0;
	return errors == 0;
}

/* The functions that rules take; false after a message. */
static bool find_functions(const struct loader *loader, const void *image,
			   const struct elf_plan *plan)
{
	static struct pci_driver drivers[PCIDRIVERS_MAX];
	static uint16_t segments[BRIDGES_MAX];
	const struct pciscan_rules all = {rule_sets, state_sets, STRINGS};
	const struct pciscan_machine machine = {.read = read_config};
	bool any;
	int n = pcidrivers_read(image, plan, drivers, PCIDRIVERS_MAX);
	if (n < 0) {
		say("bitvisor.elf: the records of its PCI drivers cannot be read (error %d)", n);
		return false;
	}
	/* A bad entry makes the VMM refuse the start, and it says why: nothing is touched then. */
	if (config_must_ask(&loader->config) ||
	    !read_rules(&loader->config, drivers, (size_t)n, &any) || !any)
		return true;
	n = pciscan_find(&machine, segments, find_bridges(segments), &all, taken, FUNCTIONS_MAX);
	if (n < 0) {
		say("vmm.driver.pci takes more than %d functions", FUNCTIONS_MAX);
		return false;
	}
	count = (UINTN)n;
	return true;
}

EFI_STATUS pci_take(const struct loader *loader, const void *image, const struct elf_plan *plan,
		    struct boot_info *info)
{
	count = 0;
	if (!find_functions(loader, image, plan))
		return EFI_LOAD_ERROR;
	find_handles();
	/* Asked before anything is disconnected: the keyboard may be behind one of these. */
	if (!decide_boot(loader)) {
		count = 0;
		return EFI_ABORTED;
	}
	for (UINTN i = 0; i < count; i++) {
		if (functions[i].left == 0)
			disconnect(i);
		if (functions[i].left == 0)
			continue;
		if (info->pci_left_count == BOOT_PCI_MAX) {
			say("more than %d functions cannot be taken", BOOT_PCI_MAX);
			return EFI_OUT_OF_RESOURCES;
		}
		const struct pci_address a = taken[i].id.address;
		info->pci_left[info->pci_left_count++] =
		    (struct boot_pci_left){.segment = a.segment,
					   .bus = a.bus,
					   .device = a.device,
					   .function = a.function,
					   .reason = functions[i].left};
	}
	return EFI_SUCCESS;
}

void pci_give_back(void)
{
	for (UINTN i = 0; i < count; i++) {
		const struct function *f = &functions[i];
		if (f->left != 0)
			continue;
		if (f->was_master)
			set_master(i, true);
		if (f->was_driven)
			BS->ConnectController(f->handle, NULL, NULL, TRUE);
	}
	count = 0;
}

void pci_started(void)
{
	for (UINTN i = 0; i < count; i++) {
		const struct function *f = &functions[i];
		if (f->left == 0 && f->was_driven &&
		    read_config(NULL, taken[i].id.address, PCI_VENDOR, 2) != 0xffff)
			BS->ConnectController(f->handle, NULL, NULL, TRUE);
	}
	count = 0;
}
