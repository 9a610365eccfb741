/* The local APIC, as far as the VMM itself uses it: it belongs to the guest. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/apic.h"
#include "core/addr.h"
#include "core/errno.h"
#include "core/mm/vmmap.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

#define SEND_POLLS 1000000u /* about 0.1 s */

static volatile uint32_t *page; /* of all CPUs whose guest has not moved it */
static uint64_t page_base;

/* This CPU's page. */
static volatile uint32_t *own(void)
{
	const struct cpu *cpu = cpu_current();

	return cpu && cpu->vcpu.apic_registers ? cpu->vcpu.apic_registers : page;
}

int apic_init(void)
{
	page_base = rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDRESS;
	page = vmmap_device(page_base, PAGE_SIZE);
	return page ? 0 : -ENOMEM;
}

uint64_t apic_first_base(void)
{
	return page_base;
}

volatile uint32_t *apic_first_registers(void)
{
	return page;
}

void apic_follow(uint64_t base)
{
	struct cpu *cpu = this_cpu();

	cpu->vcpu.apic_registers = page;
	/* QEMU leaves the registers where they were; otherwise nothing is there now. Versions: SDM
	 * 3A 11.4.8 */
	if (base == page_base || ((page[APIC_VERSION / 4] & 0xf0) == 0x10 &&
				  page[APIC_ID / 4] >> 24 == (cpu->apic_id & 0xff)))
		return;
	cpu->vcpu.apic_registers = vmmap_apic(cpu->index, base);
}

void apic_wake(void)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		cpus[i]->vcpu.apic_registers = page;
}

uint32_t apic_id(void)
{
	if (cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx)
		return cpuid(0xb, 0).edx;
	return cpuid(1, 0).ebx >> 24;
}

uint32_t apic_read(uint32_t offset)
{
	return own()[offset / 4];
}

void apic_write(uint32_t offset, uint32_t value)
{
	if (offset % 16 == 0 && offset != APIC_ID)
		own()[offset / 4] = value;
}

void apic_hide(bool hidden)
{
	for (uint32_t reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += 16)
		apic_write(reg, APIC_LVT_MASKED);
	apic_write(APIC_TPR, hidden ? 0xff : 0); /* what has come and was not taken */
	apic_write(APIC_SVR, hidden ? APIC_SVR_ENABLE | 0xff : 0xff);
	if (!hidden)
		return;
	if (rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP)
		apic_write(APIC_LVT_LINT0, APIC_LVT_EXTINT);
	apic_write(APIC_LVT_LINT1, APIC_LVT_NMI);
}

bool apic_is_x2apic(void)
{
	return (rdmsr(MSR_APIC_BASE) & (APIC_BASE_EN | APIC_BASE_EXTD)) ==
	       (APIC_BASE_EN | APIC_BASE_EXTD);
}

/* Bounded: the page of an APIC that is switched off reads as ones. */
static void wait_sent(void)
{
	for (unsigned i = 0; i < SEND_POLLS && apic_read(APIC_ICR_LOW) & APIC_ICR_PENDING; i++)
		cpu_pause();
}

void apic_send(uint32_t destination, uint32_t icr_low)
{
	if (apic_is_x2apic()) {
		wrmsr(MSR_X2APIC_ICR, (uint64_t)destination << 32 | icr_low);
		return;
	}
	wait_sent();
	uint32_t guest_high = apic_read(APIC_ICR_HIGH);

	apic_write(APIC_ICR_HIGH, destination << 24);
	apic_write(APIC_ICR_LOW, icr_low);
	wait_sent();
	apic_write(APIC_ICR_HIGH, guest_high);
}

void apic_forward(uint32_t destination, uint32_t icr_low)
{
	if (!(rdmsr(MSR_APIC_BASE) & APIC_BASE_EN))
		return;
	/* in x2APIC mode the ICR is written before earlier stores are seen: SDM 3A, 10.12.3 */
	__asm__ volatile("mfence; lfence" ::: "memory");
	apic_send(destination, icr_low);
}

void apic_send_self(uint32_t vector)
{
	apic_send(0, (uint32_t)APIC_TO_SELF << 18 | APIC_ICR_ASSERT | vector);
}

void apic_send_nmi(uint32_t id)
{
	apic_send(id, APIC_MODE_NMI << 8 | APIC_ICR_ASSERT);
}
