/* Start-up of the VMM, from the boot code's hand-over to the guest's first instruction. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/boot.h"
#include "core/config.h"
#include "core/acpi/acpi.h"

/* Settings in force. Constant after start_early(). */
const struct config *start_config(void);
/* What the boot code told, with the guest's memory map. */
const struct boot_info *start_boot_info(void);
/* ACPI tables of the machine; NULL when there are none. */
const struct acpi *start_acpi(void);

/*
 * First part, in the loader's address space: log, configuration, and where the VMM will live (boot
 * info's region is set). Returns 0 or negative errno after telling the user. Context: boot CPU.
 */
int start_early(const struct boot_info *bi);
/* Second part, at the final place: everything up to but without entering a guest. As start_early().
 */
int start_init(void);
/*
 * Tell the user why the VMM does not start, and ask: true = continue without; reboot and stop do
 * not return. On UEFI returns true at once: the loader asks. Context: boot CPU, screen still open.
 */
bool start_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Start the other CPUs from a start-up IPI: each waits for the guest's under the VMM. Returns how
 * many did not come (logged). Context: boot CPU, natively.
 */
uint32_t start_others(void);
/*
 * BIOS: start the other CPUs and the guest. When one of them cannot run the VMM, the user is asked,
 * and all go on natively with the memory map of `native`.
 */
_Noreturn void start_bios_guest(const struct boot_info *native);
