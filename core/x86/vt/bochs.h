/* Bochs 2.7 keeps an INIT pending after the exit for it: found here, and worked around. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/vm/vcpu.h"

/* Is this Bochs? By the OEM name that its BIOS gives the ACPI tables, and no hypervisor bit in
 * CPUID. */
void bochs_detect(void);
/* Does the A20 gate hold in VMX operation, where hardware blocks it (SDM 3C, VMXON)? Fixed
 * after 2.7. */
bool bochs_obeys_a20(void);
/*
 * Instead of handling an INIT exit. Returns when this is not Bochs. Else the CPU leaves VMX
 * operation, where the INIT resets it at last, and the boot CPU starts it again, into wait-for-SIPI
 * as guest; an INIT to the boot CPU resets the machine. Context: exit handler.
 */
void bochs_take_init(struct vcpu *v);
/* A start-up IPI was taken: when the exit for an INIT follows at once, the INIT came first.
 * Context: exit handler. */
void bochs_note_sipi(struct vcpu *v, uint8_t vector);
/* Before the first entry: what a CPU that was started again has to go on with, and what an entry
 * there would not take. */
void bochs_run(struct vcpu *v);
/*
 * Before an entry: a CPU that has waited for its SIPI as guest reports blocking by SMI on each exit
 * from then on, which entries outside of SMM refuse. Context: exit handler.
 */
void bochs_unblock_smi(void);
/* On the boot CPU, after its NMI was looked at: start a CPU again that asked for it. */
void bochs_help(void);
