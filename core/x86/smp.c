/* Starting CPUs from real mode: the others of a BIOS machine, and all behind S3. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/smp.h"
#include "core/errno.h"
#include "core/mm/vmmap.h"
#include "core/string.h"
#include "core/vm/gmem.h"
#include "core/x86/apic.h"
#include "core/x86/clock.h"
#include "core/x86/percpu.h"

extern const uint8_t trampoline_start[], trampoline_end[], trampoline_pml4[], trampoline_stack[],
    trampoline_entry[];

/* SDM 3A 9.4.4.1: INIT, 10 ms, start-up IPI, 200 us, a second one if the CPU has not come */
#define INIT_DELAY_US   10000
#define SIPI_DELAY_US   200
#define ANSWER_DELAY_US 200000

static void field_set(uint8_t *page, const uint8_t *field, uint64_t value)
{
	memcpy(page + (field - trampoline_start), &value, sizeof(value));
}

static uint64_t trampoline_page, trampoline_root;
static void (*trampoline_function)(void);

int smp_init(uint64_t low_page)
{
	trampoline_page = low_page;
	trampoline_root = vmmap_low_root(low_page);
	return trampoline_root ? 0 : -ENOMEM;
}

void smp_prepare(struct cpu *cpu, void (*entry)(void))
{
	uint8_t *page = gmem_at(GPA(trampoline_page), PAGE_SIZE);

	memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	field_set(page, trampoline_pml4, trampoline_root);
	field_set(page, trampoline_entry, (uintptr_t)entry);
	field_set(page, trampoline_stack, (uintptr_t)cpu); /* the stack ends below struct cpu */
}

/* Send start-up IPIs to a CPU that waits for one; true when it came online. */
static bool wake(struct cpu *c)
{
	uint32_t icr = APIC_ICR_ASSERT | APIC_MODE_STARTUP << 8 | (uint32_t)(trampoline_page >> 12);

	smp_prepare(c, trampoline_function);
	apic_send(c->apic_id, icr);
	clock_delay_us(SIPI_DELAY_US);
	if (!c->online)
		apic_send(c->apic_id, icr);
	for (unsigned us = 0;
	     us < ANSWER_DELAY_US && !__atomic_load_n(&c->online, __ATOMIC_ACQUIRE); us += 100)
		clock_delay_us(100);
	return c->online == 1;
}

uint32_t smp_start(void (*entry)(void))
{
	uint32_t missing = 0;

	trampoline_function = entry;
	for (uint32_t i = 1; i < cpu_count; i++) {
		apic_send(cpus[i]->apic_id, APIC_ICR_ASSERT | APIC_MODE_INIT << 8);
		clock_delay_us(INIT_DELAY_US);
		if (!wake(cpus[i]))
			missing++;
	}
	return missing;
}

bool smp_restart(uint32_t index)
{
	return trampoline_function && wake(cpus[index]);
}
