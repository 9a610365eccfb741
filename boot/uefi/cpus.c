/* The other CPUs: counted, and brought under the VMM where they are. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader.h"
#include "core/acpi/acpi.h"
#include "core/acpi/madt.h"
#include <cpuid.h>

/* EFI_MP_SERVICES_PROTOCOL, PI 1.8, volume 2, section 13.4; GNU-EFI does not have it. */
struct mp_processor_info {
	UINT64 processor_id; /* local APIC ID */
	UINT32 status;
	UINT32 package, core, thread;
	UINT32 extended[6]; /* newer versions of the protocol may fill these */
};
#define MP_STATUS_ENABLED 2

#define CPUID_1_EDX_HTT                                                                            \
	(1U << 28) /* SDM volume 2, CPUID, table 3-11: more than one logical processor */

typedef void(EFIAPI *mp_procedure_t)(void *argument);

struct mp_services {
	EFI_STATUS(EFIAPI *get_number_of_processors)
	(struct mp_services *this, UINTN *total, UINTN *enabled);
	EFI_STATUS(EFIAPI *get_processor_info)
	(struct mp_services *this, UINTN number, struct mp_processor_info *info);
	EFI_STATUS(EFIAPI *startup_all_aps)
	(struct mp_services *this, mp_procedure_t procedure, BOOLEAN single_thread,
	 EFI_EVENT wait_event, UINTN timeout_us, void *argument, UINTN **failed);
	void *startup_this_ap;
	void *switch_bsp;
	void *enable_disable_ap;
	EFI_STATUS(EFIAPI *who_am_i)(struct mp_services *this, UINTN *number);
};
static EFI_GUID mp_services_guid = {
    0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}};

static struct mp_services *mp; /* NULL: one CPU only */
static UINTN cpu_total;

#define NOT_CALLED 1 /* the entry returns 0 or less */

/* Shared with the other CPUs while they run: each writes its own element only. */
struct call {
	cpus_entry_t entry;
	struct boot_info *info;
	uint32_t op;
	bool entered[BOOT_MAX_CPUS];
	int result[BOOT_MAX_CPUS];
};

/* Firmware maps all memory one to one. */
static const void *map_table(void *arg, uint64_t pa, size_t size)
{
	(void)arg;
	(void)size;
	return (const void *)pa;
}

/* Enabled CPUs by ACPI; 0 when there are no such tables. */
static uint32_t count_by_acpi(uint64_t rsdp)
{
	static struct madt madt; /* too large for the stack */
	struct acpi acpi;
	uint64_t pa;
	uint32_t size;
	if (rsdp == 0 || acpi_init(&acpi, map_table, NULL, rsdp) != 0 ||
	    acpi_find(&acpi, "APIC", 0, &pa, &size) != 0 ||
	    madt_parse((const void *)pa, size, &madt) != 0)
		return 0;
	return madt.cpus_enabled;
}

/* Without MP services nobody but this CPU can be reached: fine only when there is nobody else. */
static bool find_alone(uint32_t *count, uint64_t rsdp)
{
	uint32_t eax, ebx, ecx, edx = 0;
	uint32_t n = count_by_acpi(rsdp);
	__get_cpuid(1, &eax, &ebx, &ecx, &edx);
	if (n == 0 && (edx & CPUID_1_EDX_HTT) == 0)
		n = 1;
	if (n != 1) {
		say("the firmware has no MP services to reach the other CPUs (%d by ACPI)", n);
		return false;
	}
	*count = 1;
	return true;
}

bool cpus_find(uint32_t *count, uint64_t rsdp)
{
	void *p;
	UINTN enabled;
	if (EFI_ERROR(BS->LocateProtocol(&mp_services_guid, NULL, &p))) {
		mp = NULL;
		return find_alone(count, rsdp);
	}
	mp = p;
	EFI_STATUS s = mp->get_number_of_processors(mp, &cpu_total, &enabled);
	if (EFI_ERROR(s)) {
		say("the firmware does not tell the number of CPUs: %r", s);
		return false;
	}
	if (cpu_total > BOOT_MAX_CPUS) {
		say("%d CPUs, more than the %d that are possible", (int)cpu_total, BOOT_MAX_CPUS);
		return false;
	}
	for (UINTN i = 0; enabled != cpu_total && i < cpu_total; i++) {
		struct mp_processor_info info = {0};
		s = mp->get_processor_info(mp, i, &info);
		if (EFI_ERROR(s) || (info.status & MP_STATUS_ENABLED) == 0)
			say("CPU %d (APIC ID %ld) is disabled by the firmware and would stay "
			    "outside "
			    "the VMM",
			    (int)i, info.processor_id);
	}
	*count = (uint32_t)cpu_total;
	return enabled == cpu_total;
}

static void EFIAPI run_here(void *argument)
{
	struct call *call = argument;
	UINTN me = 0;
	if (mp != NULL && EFI_ERROR(mp->who_am_i(mp, &me)))
		return;
	if (me >= BOOT_MAX_CPUS || (call->op == BOOT_OP_LEAVE && !call->entered[me]))
		return;
	/* A guest cannot reach the VMM's image, so it leaves by a call; a CPU that was reset is
	 * native already. */
	if (call->op == BOOT_OP_LEAVE && loader_vmm_call("boot_leave"))
		call->result[me] = 0;
	else
		call->result[me] = call->entry(call->op, call->info);
}

/* Runs an operation on all other CPUs at once and waits for them. */
static void run_others(struct call *call, uint32_t op)
{
	call->op = op;
	for (UINTN i = 0; i < BOOT_MAX_CPUS; i++)
		call->result[i] = NOT_CALLED;
	if (mp == NULL || cpu_total <= 1)
		return;
	EFI_STATUS s = mp->startup_all_aps(mp, run_here, FALSE, NULL, 0, call, NULL);
	if (EFI_ERROR(s))
		say("the firmware does not start the other CPUs: %r", s);
}

static bool leave_all(struct call *call)
{
	bool all = true;
	run_others(call, BOOT_OP_LEAVE);
	for (UINTN i = 0; i < cpu_total; i++) {
		if (call->entered[i] && call->result[i] != 0) {
			say("CPU %d does not leave the VMM (error %d)", (int)i, call->result[i]);
			all = false;
		}
	}
	return all;
}

bool cpus_enter(cpus_entry_t entry, struct boot_info *info, bool *left)
{
	static struct call call; /* too large for the stack */
	UINTN me = 0;
	bool ok = true;

	*left = true;
	call.entry = entry;
	call.info = info;
	if (mp != NULL && EFI_ERROR(mp->who_am_i(mp, &me))) {
		say("the firmware does not tell which CPU this is");
		return false;
	}
	run_others(&call, BOOT_OP_ENTER);
	for (UINTN i = 0; i < cpu_total; i++) {
		if (i == me)
			continue;
		call.entered[i] = call.result[i] == 0;
		if (call.entered[i])
			continue;
		ok = false;
		if (call.result[i] == NOT_CALLED)
			say("CPU %d was not started by the firmware", (int)i);
		else
			say("CPU %d cannot run the VMM (error %d)", (int)i, call.result[i]);
	}
	if (ok) {
		int r = entry(BOOT_OP_ENTER, info);
		if (r == 0)
			return true;
		say("CPU %d cannot run the VMM (error %d)", (int)me, r);
	}
	*left = leave_all(&call);
	return false;
}
