/* The other CPUs and the local APIC. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

#define AP_PAGE    0x8000u
#define WAIT_LIMIT 30000000u /* turns of a waiting loop */
#define SOME_TURNS 20000u    /* enough for what must not happen to happen */

static struct cpu_state cpu_states[CPUS_MAX];
static unsigned count = 1;
static uint64_t vmm_memory; /* an address in it; 0: there is no VMM */

extern const uint8_t ap_code[], ap_code_end[];
_Noreturn void ap_main(unsigned index, uint32_t cs); /* ap.S */

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

volatile struct cpu_state *cpu_state(unsigned cpu)
{
	return &cpu_states[cpu];
}

bool cpu_wait_for(const volatile uint32_t *word, uint32_t value)
{
	for (unsigned n = 0; n < WAIT_LIMIT; n++) {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
			return true;
		cpu_relax();
	}
	return false;
}

bool cpu_beats(unsigned cpu)
{
	uint32_t before = cpu_state(cpu)->beats;

	for (unsigned n = 0; n < 100 * SOME_TURNS; n++) {
		if (cpu_state(cpu)->beats != before)
			return true;
		cpu_relax();
	}
	return false;
}

bool cpu_stands(unsigned cpu)
{
	uint32_t before;

	for (unsigned n = 0; n < SOME_TURNS; n++) /* it may just be stopping */
		cpu_relax();
	before = cpu_state(cpu)->beats;
	for (unsigned n = 0; n < SOME_TURNS; n++)
		cpu_relax();
	return cpu_state(cpu)->beats == before;
}

/*
 * A CPU that has left the VMM reads the VMM's memory, where the guest has ones, and has its own
 * CPUID, in which the VMM hides VMX and SVM (SDM 2A, APM 3 E.4.2).
 */
static void look(void *arg)
{
	struct cpu_state *s = arg;

	if (vmm_memory && (*(volatile uint64_t *)(uintptr_t)vmm_memory != REGION_ONES ||
			   (cpuid(1, 0).ecx & BIT(5)) || (cpuid(0x80000001, 0).ecx & BIT(2))))
		s->outside = true;
}

uint32_t cpus_outside(void)
{
	uint32_t found = 0;

	for (unsigned cpu = 0; vmm_memory && cpu < count; cpu++) {
		struct cpu_state *s = &cpu_states[cpu];

		if (cpu == 0)
			look(s);
		else if (!__atomic_load_n(&s->work, __ATOMIC_ACQUIRE) && cpu_beats(cpu))
			cpu_call(cpu, look, s);
		found |= (uint32_t)s->outside << cpu;
	}
	return found;
}

void ap_main(unsigned index, uint32_t cs)
{
	struct cpu_state *s = &cpu_states[index];

	trap_init(index);
	look(s);
	s->start_cs = cs;
	s->work = NULL;
	__atomic_add_fetch(&s->started, 1, __ATOMIC_RELEASE);
	for (;;) {
		void (*work)(void *) = __atomic_load_n(&s->work, __ATOMIC_ACQUIRE);

		if (work) {
			work(s->arg);
			__atomic_store_n(&s->work, NULL, __ATOMIC_RELEASE);
		}
		s->beats++;
		cpu_relax();
	}
}

/* Enabled local APICs of the MADT: ACPI 5.2.12.2. */
static unsigned madt_cpus(void)
{
	const uint8_t *madt = acpi_table("APIC");
	uint32_t length;
	unsigned n = 0;

	if (!madt)
		return 1;
	memcpy(&length, madt + 4, sizeof(length));
	for (uint32_t at = 44; at + 2 <= length && madt[at + 1] >= 2; at += madt[at + 1])
		n += madt[at] == 0 && (madt[at + 4] & 1) && madt[at + 3] < CPUS_MAX;
	return n ? n : 1;
}

void cpu_copy_start(uint32_t page)
{
	memcpy((void *)(uintptr_t)page, ap_code, (size_t)(ap_code_end - ap_code));
}

void smp_init(void)
{
	unsigned wanted = madt_cpus();
	uint64_t end;

	vmm_memory = memory_missing(&end);
	if (apic_read(APIC_ID) >> 24 != 0)
		return; /* numbers are APIC IDs, and this CPU is 0 */
	apic_write(APIC_SVR, 0x1ff);
	if (wanted == 1)
		return;
	cpu_copy_start(AP_PAGE);
	apic_send(0, APIC_ICR_OTHERS | APIC_ICR_INIT);
	apic_send(0, APIC_ICR_OTHERS | APIC_ICR_SIPI | AP_PAGE >> 12);
	for (unsigned i = 1; i < wanted; i++) {
		if (!cpu_wait_for(&cpu_states[i].started, 1)) {
			print("error: CPU %u does not start\n", i);
			return;
		}
		count++;
	}
}

void cpu_start(unsigned cpu, void (*f)(void *arg), void *arg)
{
	struct cpu_state *s = &cpu_states[cpu];

	s->arg = arg;
	__atomic_store_n(&s->work, f, __ATOMIC_RELEASE);
}

void cpu_wait(unsigned cpu)
{
	for (unsigned n = 0; n < WAIT_LIMIT; n++) {
		if (!__atomic_load_n(&cpu_states[cpu].work, __ATOMIC_ACQUIRE))
			return;
		cpu_relax();
	}
	case_error("CPU %u does not end", cpu);
}

void cpu_call(unsigned cpu, void (*f)(void *arg), void *arg)
{
	cpu_start(cpu, f, arg);
	cpu_wait(cpu);
}
