/* The local APIC, as far as the VMM itself uses it: it belongs to the guest. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define APIC_DEFAULT_BASE 0xfee00000u
#define APIC_BASE_ADDRESS UINT64_C(0x000ffffffffff000) /* of IA32_APIC_BASE */

/* Registers (SDM 3A table 11-1): offsets in the page. */
enum {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_LDR = 0xd0,
	APIC_DFR = 0xe0,
	APIC_SVR = 0xf0,
	APIC_ISR = 0x100, /* eight words, 10h apart */
	APIC_IRR = 0x200,
	APIC_ICR_LOW = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0
};

#define APIC_SVR_ENABLE     (1u << 8)
#define APIC_LVT_VECTOR     0xffu
#define APIC_LVT_MODE       (7u << 8)
#define APIC_LVT_NMI        (APIC_MODE_NMI << 8)
#define APIC_LVT_EXTINT     (7u << 8)
#define APIC_LVT_MASKED     (1u << 16)
#define APIC_LVT_TIMER_MODE (3u << 17) /* 0: one-shot */

#define APIC_ICR_VECTOR         0xffu
#define APIC_ICR_MODE(icr)      ((icr) >> 8 & 7)
#define APIC_MODE_NMI           4u
#define APIC_MODE_INIT          5u
#define APIC_MODE_STARTUP       6u
#define APIC_ICR_LOGICAL        (1u << 11)
#define APIC_ICR_PENDING        (1u << 12)
#define APIC_ICR_ASSERT         (1u << 14)
#define APIC_ICR_LEVEL          (1u << 15)
#define X2APIC_ICR_RESERVED     0xfff33000u /* of the low half */
#define APIC_ICR_SHORTHAND(icr) ((icr) >> 18 & 3)
enum { APIC_TO_DEST, APIC_TO_SELF, APIC_TO_ALL, APIC_TO_OTHERS };

/* Map the page where firmware left the APICs of all CPUs; 0 or -ENOMEM. Context: boot CPU, once. */
int apic_init(void);
/* Its physical address. */
uint64_t apic_first_base(void);
/* Its registers, where apic_init() has mapped them. */
volatile uint32_t *apic_first_registers(void);
/* The guest has moved this CPU's APIC to `base`, page-aligned. Context: exit handler. */
void apic_follow(uint64_t base);
/* Behind S3: every CPU's APIC is where apic_init() found it. Context: boot CPU, no other runs. */
void apic_wake(void);
/* This CPU's APIC ID, from CPUID (works with the APIC disabled). */
uint32_t apic_id(void);
/*
 * Registers of this CPU's xAPIC page; not in x2APIC mode. Two kinds of writes have no effect, as
 * the guest's come here: between registers, which are 16 bytes apart, where QEMU finds the one
 * below; and to the ID, which some models take (SDM 3A 11.4.6), and by which the VMM's own messages
 * find the CPU.
 */
uint32_t apic_read(uint32_t offset);
void apic_write(uint32_t offset, uint32_t value);
/*
 * Set this CPU's APIC up as if there were none, though it is on: the 8259 interrupts the boot CPU,
 * NMIs come, and nothing else does (MP specification 3.6.2.2, virtual wire mode). Or, not `hidden`,
 * as behind a reset. Not in x2APIC mode.
 */
void apic_hide(bool hidden);
/* True when this CPU's APIC is in x2APIC mode. */
bool apic_is_x2apic(void);
/* Write the ICR as given (destination as the mode has it), keeping the guest's destination
 * register. */
void apic_send(uint32_t destination, uint32_t icr_low);
/*
 * The same for an interrupt in a device's place: whoever takes it finds all that this CPU has
 * written. Nothing is sent when the APIC is switched off.
 */
void apic_forward(uint32_t destination, uint32_t icr_low);
/* Send an interrupt to this CPU. */
void apic_send_self(uint32_t vector);
/* Send an NMI to the CPU with this APIC ID. */
void apic_send_nmi(uint32_t id);
