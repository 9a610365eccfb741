/* CPU start-up: INIT and start-up IPIs, so that no CPU ever leaves the VMM; and the guest's NMIs.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"
#include "core/x86/apic.h"
#include "core/x86/cpu.h"

/*
 * Decide from vmm.startup and vmm.apic how start-up messages are seen, and set the traps.
 * `has_sipi_exits`: the CPUs report INIT and start-up IPIs by exits (VT-x). Context: boot CPU,
 * after nested_init().
 */
int startup_init(bool has_sipi_exits);
/*
 * The CPU waits for its start-up IPI as guest, which blocks NMIs: it can be asked for nothing, and
 * drops its nested translations when it goes on. Context: any CPU.
 */
bool startup_waits_in_cpu(const struct vcpu *v);
/* True when start-up messages are taken from writes to the ICR. */
bool startup_uses_icr(void);
/*
 * The guest writes its ICR: `destination` as the APIC's mode has it, `icr` the low half. Returns
 * true when the message was an INIT, start-up IPI or NMI and has been carried out; else the caller
 * sends it. What this CPU has sent itself is looked at by startup_check().
 */
bool startup_icr(struct vcpu *v, uint32_t destination, uint32_t icr);
/* This CPU got an INIT (exit, mailbox, or #SX): state as after INIT; all but the boot CPU then wait
 * for a SIPI. */
void startup_take_init(struct vcpu *v);
/* This CPU got a start-up IPI while waiting for one. */
void startup_take_sipi(struct vcpu *v, uint8_t vector);
/* Before an entry: carry out what the mailbox holds; waits in the VMM while the CPU waits for its
 * SIPI, unless the vendor's entry does (startup_waits_in_cpu()). */
void startup_check(struct vcpu *v);
/* Behind S3: all CPUs have their APIC where it was at first. 0, or -ENODEV: firmware has put it
 * elsewhere. Context: boot CPU; no CPU is under the VMM. */
int startup_wake(void);
/* From the trap handler: an INIT arrived while the host ran (#SX of AMD-V). */
void startup_host_init(void);
/* The guest moves its APIC or changes its mode: IA32_APIC_BASE is about to become `value`. 0, or
 * negative errno when the new page cannot be watched. Context: exit handler. */
int startup_apic_base(struct vcpu *v, uint64_t value);

/* Is the boot CPU's APIC where startup_share() can show its guest another one: an xAPIC, switched
 * on, where firmware left it? */
bool startup_apic_is_first(void);
/*
 * From now on, or no longer, all of the boot CPU's accesses to the registers of core/vm/apictimer.h
 * exit. 0, or negative errno, and nothing has changed. Context: its exit handler; no lock held, or
 * a handler of emulated memory.
 */
int startup_share(bool on);

/* Is a message with this ICR one that the VMM carries out itself? */
static inline bool startup_icr_is_own(uint32_t icr)
{
	unsigned mode = APIC_ICR_MODE(icr);

	return mode == APIC_MODE_INIT || mode == APIC_MODE_STARTUP || mode == APIC_MODE_NMI;
}

/* May this value go to the xAPIC register at `offset` without more ado? */
static inline bool startup_store_is_plain(uint32_t offset, uint32_t value)
{
	/* not the ID, LDR and DFR, nor what nobody writes in a hurry */
	if (offset <= APIC_DFR)
		return offset == APIC_EOI || offset == APIC_TPR;
	return !(offset & 0xf) && (offset != APIC_ICR_LOW || !startup_icr_is_own(value));
}

/* Does WRMSR of the x2APIC's ICR fault with this value? Reserved bits and mode: SDM 3A 11.12.1. */
static inline bool startup_x2apic_faults(const struct vcpu *v, uint64_t value)
{
	return value & X2APIC_ICR_RESERVED ||
	       (v->apic_base & (APIC_BASE_EN | APIC_BASE_EXTD)) != (APIC_BASE_EN | APIC_BASE_EXTD);
}

/*
 * May this value go to the x2APIC's ICR without more ado? It cannot fault then: a fixed message
 * without a reserved bit (SDM 3A figure 11-28).
 */
static inline bool startup_x2apic_is_plain(const struct vcpu *v, uint64_t value)
{
	return APIC_ICR_MODE((uint32_t)value) == 0 && !startup_x2apic_faults(v, value);
}
