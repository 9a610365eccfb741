/* vmm.probe=1: start nothing, and say what the machine can do. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Write the report to the log. Then, on BIOS machines, let the user page through it, until `c` is
 * pressed (returns) or `r` (reboots); on UEFI machines return at once, loadvmm.efi puts it in a
 * file. Reads only: no register is written but the PCI configuration address (CF8h), which is
 * restored. Context: boot CPU, start_init(), after the address space was built; MSRs are read only
 * where CPUID says that they exist, since on UEFI machines an exception would be the firmware's.
 */
void probe_run(void);
