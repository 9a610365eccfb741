/* CPU hand-over: the three ways in which a CPU comes under the VMM or leaves it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/handover.h"
#include "core/console.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/string.h"
#include "core/mm/vmmap.h"
#include "core/start.h"
#include "core/thread.h"
#include "core/vm/dma.h"
#include "core/vm/hide.h"
#include "core/vm/nmi.h"
#include "core/vm/sleep.h"
#include "core/vm/startup.h"
#include "core/vm/vmcall.h"
#include "core/vmm_ops.h"
#include "core/wake.h"
#include "core/x86/apic.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/trap.h"

#define RETIRE_TIMEOUT_US 100000
#define RETIRE_POLL_US    1000
#define INIT_DELAY_US     10000 /* SDM 3A 9.4.4.1 */

static bool started; /* the guest owns the machine: no way back */

/* uefi_entry.S, as handover_on_stack() */
extern _Noreturn void handover_restore(const struct vcpu_state *s);

void handover_real_mode(struct vcpu_state *s, uint16_t segment, uint16_t offset, uint8_t dl)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < SEG_LDTR; i++)
		s->seg[i] = (struct seg_state){0, 0x93, 0xffff, 0};
	s->seg[SEG_CS] = (struct seg_state){segment, 0x9b, 0xffff, (uint64_t)segment << 4};
	s->seg[SEG_LDTR] = (struct seg_state){0, 0x82, 0xffff, 0};
	s->seg[SEG_TR] = (struct seg_state){0, 0x8b, 0xffff, 0};
	s->idtr.limit = 0x3ff;
	s->gdtr.limit = 0xffff;
	s->rip = offset;
	s->rflags = RFLAGS_FIXED;
	s->gpr[GPR_RDX] = dl;
	s->gpr[GPR_RSP] = 0x1000;
	s->cr0 = CR0_ET;
	s->dr6 = 0xffff0ff0;
	s->dr7 = 0x400;
	s->pat = rdmsr(MSR_PAT);
	s->star = rdmsr(MSR_STAR);
	s->lstar = rdmsr(MSR_LSTAR);
	s->cstar = rdmsr(MSR_CSTAR);
	s->sfmask = rdmsr(MSR_SFMASK);
	s->sysenter_cs = rdmsr(MSR_SYSENTER_CS);
	s->sysenter_esp = rdmsr(MSR_SYSENTER_ESP);
	s->sysenter_eip = rdmsr(MSR_SYSENTER_EIP);
}

/* A segment register from its selector and the descriptor in memory (SDM 3A 3.4.5). */
static struct seg_state segment_of(const struct desc_ptr *gdt, uint16_t selector)
{
	struct seg_state s = {.selector = selector};
	uint32_t offset = selector & 0xfff8u;
	const uint32_t *d;

	if (offset == 0 || (selector & 4) || offset + 7 > gdt->limit)
		return s;
	d = (const uint32_t *)(uintptr_t)(gdt->base + offset);
	s.attr = (uint16_t)((d[1] >> 8 & 0xff) | (d[1] >> 12 & 0xf00));
	s.limit = (d[0] & 0xffff) | (d[1] & 0xf0000);
	if (s.attr & 0x800)
		s.limit = s.limit << 12 | 0xfff;
	s.base = d[0] >> 16 | (uint64_t)(d[1] & 0xff) << 16 | (d[1] & 0xff000000u);
	if (!(s.attr & 0x10) &&
	    offset + 15 <= gdt->limit) /* system descriptors have 16 bytes in long mode */
		s.base |= (uint64_t)d[2] << 32;
	return s;
}

static void capture(struct vcpu_state *s, const struct handover_frame *f)
{
	struct desc_ptr gdt = sgdt(), idt = sidt();

	memset(s, 0, sizeof(*s));
	memcpy(s->gpr, f->gpr, sizeof(s->gpr));
	s->gpr[GPR_RAX] = 0;
	s->gpr[GPR_RSP] = (uintptr_t)&f->return_rip + 8;
	s->rip = f->return_rip;
	s->rflags = f->rflags;
	s->gdtr = (struct table_state){gdt.base, gdt.limit};
	s->idtr = (struct table_state){idt.base, idt.limit};
	const uint16_t selectors[SEG_COUNT] = {read_es(), read_cs(), read_ss(),   read_ds(),
					       read_fs(), read_gs(), read_ldtr(), read_tr()};

	for (unsigned i = 0; i < SEG_COUNT; i++)
		s->seg[i] = segment_of(&gdt, selectors[i]);
	s->seg[SEG_FS].base = rdmsr(MSR_FS_BASE);
	s->seg[SEG_GS].base = rdmsr(MSR_GS_BASE);
	if (!s->seg[SEG_TR].attr) /* firmware may run without a TSS; a guest must have one */
		s->seg[SEG_TR] = (struct seg_state){0, 0x8b, 0xffff, 0};
	s->cr0 = read_cr0();
	s->cr2 = read_cr2();
	s->cr3 = f->cr3;
	s->cr4 = read_cr4();
	s->efer = f->efer;
	s->dr6 = read_dr6();
	s->dr7 = read_dr7();
	s->pat = rdmsr(MSR_PAT);
	s->debugctl = rdmsr(MSR_DEBUGCTL);
	s->sysenter_cs = rdmsr(MSR_SYSENTER_CS);
	s->sysenter_esp = rdmsr(MSR_SYSENTER_ESP);
	s->sysenter_eip = rdmsr(MSR_SYSENTER_EIP);
	s->star = rdmsr(MSR_STAR);
	s->lstar = rdmsr(MSR_LSTAR);
	s->cstar = rdmsr(MSR_CSTAR);
	s->sfmask = rdmsr(MSR_SFMASK);
	s->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
}

static void enter_on_block(struct cpu *cpu)
{
	vmmap_load();
	percpu_load(cpu);
	cpu->error = vcpu_enter_at(&cpu->state, RUN_GUEST);
	/* refused: back to where the caller came from, with the error as its result */
	cpu->state.gpr[GPR_RAX] = (uint32_t)cpu->error;
	handover_restore(&cpu->state);
}

int vcpu_enter_here(const struct handover_frame *f)
{
	uint32_t id = apic_id();

	for (uint32_t i = 0; i < cpu_count; i++) {
		if (cpus[i]->apic_id != id)
			continue;
		if (cpus[i]->online)
			return -EBUSY;
		capture(&cpus[i]->state, f);
		handover_on_stack(cpus[i], enter_on_block);
	}
	return -ENODEV;
}

#ifdef CONFIG_TEST_CALLS
/* For tests: the index of a CPU that is refused, to be set in the file. */
static volatile uint32_t test_refused_cpu = UINT32_MAX;
#endif

static int cpu_on(struct cpu *cpu, const char **reason)
{
#ifdef CONFIG_TEST_CALLS
	if (cpu->index == test_refused_cpu) {
		*reason = "leave of the test";
		return -ENODEV;
	}
#endif
	return vmm_ops->cpu_on(&cpu->vcpu, reason);
}

int vcpu_enter_at(const struct vcpu_state *s, enum run_state run_state)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v = &cpu->vcpu;
	const char *reason = "";
	bool last = cpu->index == 0; /* the boot CPU enters when all others have */
	int err = last ? dma_start() : 0;

	if (!err && (err = cpu_on(cpu, &reason)) != 0) {
		log_printf("CPU%u: not started: the CPU has no %s\n", cpu->index, reason);
		if (last)
			dma_stop();
	}
	if (err) {
		__atomic_store_n(&cpu->online, 2, __ATOMIC_RELEASE);
		return err;
	}
	vmm_ops->state_set(v, s);
	v->run_state = run_state;
	v->active = true;
	log_printf("Processor %u (%s)\n", cpu->index, cpu->index ? "AP" : "BSP");
	__atomic_store_n(&cpu->online, 1, __ATOMIC_RELEASE);
	if (last && !started && start_boot_info()->firmware == BOOT_BIOS) { /* no way back */
		sleep_hide();
		hide_apply();
		console_release();
		started = true;
	}
	if (last) /* a service may ask for wake-ups, from before S3 even */
		thread_arm();
	startup_check(v);
	vmm_ops->run(v);
	__builtin_unreachable(); /* no attribute on a pointer suits both compilers */
}

void vcpu_retire(struct vcpu *v)
{
	v->active = false;
	vmm_ops->cpu_off(v);
	__atomic_store_n(&this_cpu()->online, 0, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* False when the CPU stays. */
static bool retire_other(uint32_t index)
{
	struct cpu *c = cpus[index];

	if (__atomic_load_n(&c->online, __ATOMIC_ACQUIRE) != 1)
		return true;
	nmi_kick(index, KICK_RETIRE);
	for (unsigned us = 0; us < RETIRE_TIMEOUT_US; us += RETIRE_POLL_US) {
		/* as guest in wait-for-SIPI it hears nothing else, and sees the kick behind this */
		if (startup_waits_in_cpu(&c->vcpu))
			apic_send(c->apic_id, APIC_ICR_ASSERT | APIC_MODE_STARTUP << 8);
		clock_delay_us(RETIRE_POLL_US);
		if (__atomic_load_n(&c->online, __ATOMIC_ACQUIRE) != 1)
			return true;
	}
	return false;
}

void handover_retire_others(void)
{
	for (uint32_t i = 1; i < cpu_count; i++) {
		if (!retire_other(i))
			panic("CPU%u does not leave the VMM", i);
	}
	/* those that stopped would be lost with the memory that their code is in */
	for (uint32_t i = 1; i < cpu_count; i++) {
		apic_send(cpus[i]->apic_id, APIC_ICR_ASSERT | APIC_MODE_INIT << 8);
		clock_delay_us(INIT_DELAY_US);
	}
}

static void call_start(struct vcpu *v)
{
	v->gpr[GPR_RAX] = 0;
	if (started || start_boot_info()->firmware != BOOT_UEFI || vmm_ops->cpl(v) != 0)
		return;
	sleep_hide();
	hide_apply();
	started = true;
}
VMCALL("boot_start", call_start);

static void call_leave(struct vcpu *v)
{
	v->gpr[GPR_RAX] = 0;
	if (started || start_boot_info()->firmware != BOOT_UEFI || vmm_ops->cpl(v) != 0)
		return;
	vmm_ops->set_reg(v, REG_RIP, vmm_ops->reg(v, REG_RIP) + VMCALL_LENGTH);
	vcpu_leave(v);
}
VMCALL("boot_leave", call_leave);

/* What an exit has changed in the CPU and handover_restore() does not load. */
static void load_rest(const struct vcpu_state *s)
{
	wrmsr(MSR_PAT, s->pat);
	wrmsr(MSR_SYSENTER_CS, s->sysenter_cs);
	wrmsr(MSR_SYSENTER_ESP, s->sysenter_esp);
	wrmsr(MSR_SYSENTER_EIP, s->sysenter_eip);
	wrmsr_safe(MSR_DEBUGCTL, s->debugctl);
	write_dr6(s->dr6);
	write_dr7(s->dr7);
}

void vcpu_leave(struct vcpu *v)
{
	struct cpu *cpu = this_cpu();

	if (cpu->index == 0)
		wake_stop();
	vmm_ops->state_get(v, &cpu->state);
	v->active = false;
	vmm_ops->cpu_off(v);
	if (cpu->index == 0)
		dma_stop();
	load_rest(&cpu->state);
	__atomic_store_n(&cpu->online, 0, __ATOMIC_RELEASE);
	handover_restore(&cpu->state);
}
