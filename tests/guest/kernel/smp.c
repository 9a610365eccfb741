/* The other CPUs and the local APIC. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

static struct {
	uint32_t apic_id;
} others[CPUS_MAX];
static unsigned count = 1;

uint32_t apic_read(unsigned reg)
{
	return *(volatile uint32_t *)(uintptr_t)(0xfee00000u + reg);
}

void apic_write(unsigned reg, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)(0xfee00000u + reg) = value;
}

void apic_send(uint32_t destination, uint32_t low)
{
	apic_write(APIC_ICR_HIGH, destination << 24);
	apic_write(APIC_ICR_LOW, low);
	while (apic_read(APIC_ICR_LOW) & BIT(12))
		cpu_relax();
}

unsigned cpu_count(void)
{
	return count;
}

uint32_t cpu_apic_id(unsigned cpu)
{
	return others[cpu].apic_id;
}

void smp_init(void)
{
}

void cpu_call(unsigned cpu, void (*f)(void *arg), void *arg)
{
	cpu_start(cpu, f, arg);
	cpu_wait(cpu);
}

void cpu_start(unsigned cpu, void (*f)(void *arg), void *arg)
{
	(void)f;
	(void)arg;
	case_error("CPU %u does not run", cpu);
}

void cpu_wait(unsigned cpu)
{
	(void)cpu;
}
