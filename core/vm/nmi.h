/* NMI ownership: the VMM takes every NMI, finds its cause, and gives the guest what is the guest's.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"

/*
 * From the IDT: an NMI in host mode. Only records it and, where hardware does not hold it back,
 * makes the coming entry exit at once.
 */
void nmi_host(void);
/* From the IDT: a machine check in host mode from which execution can go on; the guest gets it at
 * its next entry. */
void nmi_host_machine_check(void);
/*
 * The exit for an NMI, or an exit forced by nmi_host(): decide whose it is. Kicks are taken first;
 * what nobody claims is injected. `from_guest` is true when this exit itself stands for one more
 * NMI. Context: exit handler of `v`.
 */
void nmi_exit(struct vcpu *v, bool from_guest);
/*
 * The same when threads have had their turn in this exit: a device that wants attention so late
 * makes the coming entry exit at once, for their next one. Context: as nmi_exit().
 */
void nmi_before_entry(struct vcpu *v);
/*
 * This CPU has ignored all NMIs until now: take those of kicks that are still under way, and owe
 * the guest none. Waits for senders that are between their count and their message. Context: exit
 * handler of `v`, where vmm_ops->wait() may be called.
 */
void nmi_forget(struct vcpu *v);
/* What a look at a device has found, since the last look. */
enum nmi_cause {
	NMI_NO_CAUSE,
	NMI_CAUSE,    /* and it was served; NMIs that the device has sent for it have landed */
	NMI_MAY_COME, /* as NMI_CAUSE, but its NMI may come later */
};
/*
 * A device of the VMM's sends its interrupts to the boot CPU as NMIs (delivery mode 100b). `look`
 * looks at the device's cause register, and serves what it finds. It is called at each NMI exit of
 * the boot CPU, also for NMIs of others: two NMIs may have become one. Context: start-up
 * (INITCALL_DRIVERS). 0 or -ENOSPC.
 */
int nmi_add_source(enum nmi_cause (*look)(void *arg), void *arg);
/*
 * A cause is gone that no look has seen: the guest has served it itself, or its source was switched
 * off. An NMI that comes without a cause within a second is no guest's; one, for they merge.
 * Context: behind the access that ended it, on any CPU.
 */
void nmi_cause_gone(void);
/* Behind S3: nothing is under way any more. Context: boot CPU; no other CPU is under the VMM. */
void nmi_wake(void);
/* Run what the kick word asks for. Context: exit handler, or a CPU that waits in the VMM. */
void nmi_take_kicks(struct vcpu *v);
/*
 * Ask CPU `index` for `kicks` (enum kick bits) and make it exit. Returns at once. The guest's ICR
 * is preserved. Context: any but the NMI handler.
 */
void nmi_kick(uint32_t index, uint32_t kicks);
/* Flush this CPU's nested translations, and answer all requests for that so far. Context: exit
 * handler of `v`. */
void nmi_flush_self(struct vcpu *v);
/*
 * Make every active CPU flush its nested translations, this one included, and wait until all did.
 * Nothing bounds the wait: who goes on without an answer hands out memory that the other still
 * reaches. Each CPU answers soon, whatever its guest does:
 * - Guest code comes to an exit. An NMI ends HLT and MWAIT; deliveries without end are #DB and #AC,
 *   which exit (SDM 3C 26.2, APM 2 15.12). The guest cannot switch the APIC off that the NMI comes
 *   by (apic_hide()), nor change its ID where the page is watched (apic_write()). On VT-x with
 *   exits for start-up IPIs it is not: a model that takes another ID (SDM 3A 11.4.6) is not known.
 * - An exit ends. Whoever waits in one for longer takes kicks meanwhile: for the mmio lock, for a
 *   start-up IPI, for suspend to RAM, for flushes of its own. Other locks are not held here, or by
 *   anybody who waits. The longest exits write a line to a serial port that the guest has made
 *   slow: less than 10 ms for each character, or 10 ms in all.
 * - A CPU that waits for its start-up IPI in the CPU runs nothing, and flushes before it does.
 * - A CPU that panics stops this one in its NMI handler. One that an INIT of a device has taken out
 *   of the VMM (Documentation/threat-model.md, AMD-V without VM_CR.R_INIT) does not answer: the
 *   guest stands then.
 */
void nmi_flush_all(void);
/* Panic: tell the other CPUs to stop; then wait, 100 ms each, until each has (struct cpu.stopped).
 */
void nmi_stop_others(void);
void nmi_stop_wait(void);
