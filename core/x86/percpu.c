/* Per-CPU blocks: allocation, descriptor tables, and the host's control registers. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/percpu.h"
#include <stddef.h>
#include "core/boot.h"
#include "core/errno.h"
#include "core/mm/pages.h"
#include "core/mm/vmmap.h"
#include "core/string.h"
#include "core/thread.h"
#include "core/x86/cpu.h"
#include "core/x86/trap.h"

struct cpu *cpus[BOOT_MAX_CPUS];
uint32_t cpu_count;
bool cpu_on_block;

_Static_assert(sizeof(struct cpu) <= CPU_SELF - CPU_STRUCT, "struct cpu fits its page");

struct cpu *cpu_current(void)
{
	uint64_t rsp, bottom, top;
	struct cpu *cpu;

	__asm__("mov %%rsp, %0" : "=r"(rsp));
	if (thread_stack_of(rsp, &cpu, &bottom, &top))
		return cpu;
	cpu = (struct cpu *)(uintptr_t)((rsp & ~(uint64_t)(CPU_BLOCK_SIZE - 1)) + CPU_STRUCT);
	for (uint32_t i = 0; i < cpu_count; i++) {
		if (cpus[i] == cpu)
			return cpu;
	}
	return NULL;
}

int percpu_alloc(uint32_t index, uint32_t apic_id)
{
	static const uint32_t guards[] = {0, 0x2000, 0x4000, 0x6000};
	uint8_t *block = pages_alloc(CPU_BLOCK_SIZE / PAGE_SIZE, CPU_BLOCK_SIZE);
	struct cpu *cpu;

	if (!block)
		return -ENOMEM;
	for (unsigned i = 0; i < sizeof(guards) / sizeof(guards[0]); i++)
		vmmap_unmap_page(block + guards[i]);
	cpu = (struct cpu *)(void *)(block + CPU_STRUCT);
	*cpu_self((uintptr_t)block) = cpu;
	cpu->index = index;
	cpu->apic_id = apic_id;
	cpus[index] = cpu;
	return 0;
}

uint64_t percpu_host_cr4(void)
{
	uint64_t cr4 = CR4_PAE | CR4_MCE | (1 << 9) |
		       (1 << 10); /* OSFXSR, OSXMMEXCPT: for later vector code */
	struct cpuid_regs r = cpuid(0, 0);

	if (r.eax >= 7) {
		r = cpuid(7, 0);
		if (r.ebx & (1u << 7))
			cr4 |= CR4_SMEP;
		if (r.ebx & (1u << 20))
			cr4 |= CR4_SMAP;
	}
	if (cpuid(1, 0).ecx & (1u << 26))
		cr4 |= CR4_OSXSAVE; /* XSETBV on the guest's behalf needs it */
	return cr4;
}

void percpu_load(struct cpu *cpu)
{
	uint8_t *block = (uint8_t *)cpu - CPU_STRUCT;
	uint64_t base = (uintptr_t)&cpu->tss;
	uint32_t limit = sizeof(struct tss) - 1;
	struct desc_ptr d = {sizeof(cpu->gdt) - 1, (uintptr_t)cpu->gdt};

	__atomic_store_n(&cpu_on_block, true, __ATOMIC_RELAXED);
	memset(&cpu->tss, 0, sizeof(cpu->tss));
	cpu->tss.ist[IST_DF - 1] = (uintptr_t)(block + CPU_DF_STACK);
	cpu->tss.ist[IST_NMI - 1] = (uintptr_t)(block + CPU_NMI_STACK);
	cpu->tss.ist[IST_MC - 1] = (uintptr_t)(block + CPU_MC_STACK);
	cpu->tss.iomap = sizeof(struct tss);
	cpu->gdt[0] = 0;
	cpu->gdt[1] = UINT64_C(0x00af9b000000ffff);
	cpu->gdt[2] = UINT64_C(0x00cf93000000ffff);
	cpu->gdt[HOST_TR / 8] = UINT64_C(0x0000890000000000) | limit | (base & 0xffffff) << 16 |
				(base >> 24 & 0xff) << 56;
	cpu->gdt[HOST_TR / 8 + 1] = base >> 32;
	lgdt(&d);
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %1, %%fs; mov %1, %%gs\n\t"
			 "pushq %2; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:\n\t"
			 "lldt %w1; ltr %w3"
			 :
			 : "r"(HOST_DS), "r"(0), "i"(HOST_CS), "r"(HOST_TR)
			 : "rax", "memory");
	trap_load();
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
	write_cr4(percpu_host_cr4());
}
