/* AMD-V: switching it on and off, the guest's state, and the operations of the vendor contract. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/svm/svm.h"
#include "core/audit.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "core/string.h"
#include "core/vm/a20.h"
#include "core/vm/apictimer.h"
#include "core/vm/gwalk.h"
#include "core/vm/mmio.h"
#include "core/vm/msr.h"
#include "core/vm/nested.h"
#include "core/vm/cpuid.h"
#include "core/vm/startup.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/trap.h"

#define MSR_VM_HSAVE_PA UINT32_C(0xc0010117)
#define VM_CR_R_INIT    (UINT64_C(1) << 1)
#define VM_CR_DIS_A20M  (UINT64_C(1) << 2)

/* Bitmaps, shared by all CPUs: APM 2 15.10.1 and 15.11. */
#define IOPM_PAGES  3
#define MSRPM_PAGES 2

struct svm_controls svm_controls;
static uint8_t *iopm, *msrpm;

static struct svm_caps caps_read(void)
{
	struct svm_caps c = {0};

	if (cpuid(0x80000000u, 0).eax < 0x8000000au)
		return c;
	c.svm = cpuid(0x80000001u, 0).ecx & 4;
	if (!c.svm)
		return c;
	struct cpuid_regs r = cpuid(0x8000000au, 0);

	c.asids = r.ebx;
	c.features = r.edx;
	c.vm_cr = rdmsr(MSR_VM_CR);
	return c;
}

static int svm_probe(const char **reason)
{
	static const struct svm_wants wants = {.io = true};
	struct svm_caps caps = caps_read();

	int err = svm_controls_resolve(&caps, &wants, &svm_controls, reason);

	if (AUDIT) /* also where the CPU ignores them, so that they are audited */
		svm_controls.clean = SVM_CLEAN_ALL;
	return err;
}

/* Two bits a register, read then write; ranges of 2000h registers, 2 KiB each (APM 2 15.11). */
static void msrpm_set(void *arg, uint32_t index, bool read, bool write)
{
	uint32_t range = index >= 0xc0010000u ? 2 : index >= 0xc0000000u ? 1 : 0;
	uint32_t bit = range * 0x4000 + (index & 0x1fff) * 2;

	(void)arg;
	if (read)
		msrpm[bit / 8] |= (uint8_t)(1u << (bit % 8));
	if (write)
		msrpm[bit / 8] |= (uint8_t)(2u << (bit % 8));
}

static int svm_init(void)
{
	iopm = pages_alloc(IOPM_PAGES, PAGE_SIZE);
	msrpm = pages_alloc(MSRPM_PAGES, PAGE_SIZE);
	return iopm && msrpm ? 0 : -ENOMEM;
}

/*
 * Does this CPU take a bit of VM_CR? R_INIT makes an INIT an exception (APM 2 15.28.1), DIS_A20M
 * keeps A20 from being masked (APM 2 15.30.1).
 */
static bool holds(uint64_t bit)
{
	uint64_t old = rdmsr(MSR_VM_CR);
	bool taken = wrmsr_safe(MSR_VM_CR, old | bit) && (rdmsr(MSR_VM_CR) & bit);

	wrmsr_safe(MSR_VM_CR, old);
	return taken;
}

static void svm_policy_ready(void)
{
	if (!startup_uses_icr()) {
		if (!holds(VM_CR_R_INIT))
			log_printf("VM_CR.R_INIT does not hold: a CPU that gets an INIT leaves the "
				   "VMM\n");
		else if (cpu_count > 1)
			log_printf("VM_CR.R_INIT holds INITs: the guest cannot start the other "
				   "CPUs\n");
	}
	if (!holds(VM_CR_DIS_A20M))
		a20_watch();
	msr_policy_fill(&msr_env, msrpm_set, NULL);
}

static uint64_t svm_feature_needs(void)
{
	return svm_controls.needs;
}

static unsigned svm_nested_max_leaf(void)
{
	return cpuid(0x80000001u, 0).edx & (1u << 26) ? 3 : 2;
}

static int svm_cpu_on(struct vcpu *v, const char **reason)
{
	uint8_t *pages =
	    (uint8_t *)v - CPU_STRUCT + CPU_VENDOR_PAGES; /* struct vcpu is first in struct cpu */
	struct vmcb *vmcb = (struct vmcb *)(void *)pages;
	struct svm_caps caps = caps_read();
	struct svm_controls own;
	static const struct svm_wants wants = {.io = true};
	int err = svm_controls_resolve(&caps, &wants, &own, reason);

	if (err)
		return err;
	if (memcmp(own.intercept, svm_controls.intercept, sizeof(own.intercept)) != 0) {
		*reason = "the same controls as the boot CPU";
		return -ENODEV;
	}
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, virt_to_phys(pages + PAGE_SIZE).a);
	wrmsr_safe(MSR_VM_CR, caps.vm_cr | VM_CR_R_INIT); /* a backstop: INIT arrives as #SX */
	wrmsr_safe(MSR_VM_CR, rdmsr(MSR_VM_CR) | VM_CR_DIS_A20M);
	svm_clgi();
	memset(vmcb, 0, sizeof(*vmcb));
	v->vendor = vmcb;
	v->vendor_pa = virt_to_phys(vmcb).a;
	v->vendor_host_pa = virt_to_phys(pages + 2 * PAGE_SIZE).a;
	svm_vmsave(v->vendor_host_pa);
	struct vmcb_control *c = &vmcb->control;

	memcpy(c->intercept, svm_controls.intercept, sizeof(c->intercept));
	if (rdmsr(MSR_VM_CR) & VM_CR_R_INIT)
		c->intercept[2] |= 1u << VECTOR_SX;
	/* CR4 bits that the CPU has and the guest must not set can only be refused by looking at
	 * each write */
	if (cpuid_cr4_hidden)
		c->intercept[0] |= 1u << (16 + 4);
	c->iopm_base_pa = virt_to_phys(iopm).a;
	c->msrpm_base_pa = virt_to_phys(msrpm).a;
	c->guest_asid = 1;
	c->tlb_control = SVM_TLB_FLUSH_ALL;
	c->nested_control = SVM_NESTED_NP_ENABLE;
	c->n_cr3 = nested_root();
	v->apic_base = rdmsr(MSR_APIC_BASE);
	return 0;
}

static void svm_cpu_off(struct vcpu *v)
{
	svm_vmload(
	    v->vendor_pa); /* SYSCALL, SYSENTER registers and the like are the guest's again */
	/* an INIT is an INIT again before GIF lets one in */
	wrmsr_safe(MSR_VM_CR, rdmsr(MSR_VM_CR) & ~(VM_CR_R_INIT | VM_CR_DIS_A20M));
	svm_stgi();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, 0);
}

static _Noreturn void svm_run(struct vcpu *v)
{
	v->active = true;
	svm_vmcb(v)->save.rax = v->gpr[GPR_RAX];
	svm_vmload(v->vendor_pa);
	audit_svm_start(v);
	svm_run_loop(v);
}

static struct vmcb_segment *vmcb_seg(struct vmcb *b, enum seg i)
{
	struct vmcb_segment *const seg[SEG_COUNT] = {
	    [SEG_ES] = &b->save.es,     [SEG_CS] = &b->save.cs, [SEG_SS] = &b->save.ss,
	    [SEG_DS] = &b->save.ds,     [SEG_FS] = &b->save.fs, [SEG_GS] = &b->save.gs,
	    [SEG_LDTR] = &b->save.ldtr, [SEG_TR] = &b->save.tr,
	};

	return seg[i];
}

static void svm_seg(const struct vcpu *v, enum seg i, struct seg_state *s)
{
	const struct vmcb_segment *g = vmcb_seg(svm_vmcb(v), i);

	*s = (struct seg_state){g->selector, g->attrib, g->limit, g->base};
}

static void svm_translation(const struct vcpu *v, struct translation *t)
{
	const struct vmcb_save *g = &svm_vmcb(v)->save;

	*t = (struct translation){.rip = g->rip,
				  .rflags = g->rflags,
				  .cr0 = g->cr0,
				  .cr3 = g->cr3,
				  .cr4 = g->cr4,
				  .efer = g->efer,
				  .cs = g->cs.attrib,
				  .cpl = g->cpl};
}

static bool svm_translates_as(const struct vcpu *v, const struct translation *t)
{
	const struct vmcb_save *g = &svm_vmcb(v)->save;

	return !((g->cr0 ^ t->cr0) | (g->cr4 ^ t->cr4) | (g->efer ^ t->efer) |
		 ((g->rflags ^ t->rflags) & RFLAGS_AC) | (g->cs.attrib ^ t->cs) |
		 (g->cpl ^ t->cpl));
}

static void svm_state_get(struct vcpu *v, struct vcpu_state *s)
{
	const struct vmcb_save *g = &svm_vmcb(v)->save;

	memcpy(s->gpr, v->gpr, sizeof(s->gpr));
	s->gpr[GPR_RSP] = g->rsp;
	s->rip = g->rip;
	s->rflags = g->rflags;
	for (unsigned i = 0; i < SEG_COUNT; i++)
		svm_seg(v, i, &s->seg[i]);
	s->gdtr = (struct table_state){g->gdtr.base, g->gdtr.limit};
	s->idtr = (struct table_state){g->idtr.base, g->idtr.limit};
	s->cr0 = g->cr0;
	s->cr2 = g->cr2;
	s->cr3 = g->cr3;
	s->cr4 = g->cr4;
	s->efer = g->efer & ~EFER_SVME;
	s->dr6 = g->dr6;
	s->dr7 = g->dr7;
	s->pat = g->g_pat;
	s->debugctl = g->dbgctl;
	s->sysenter_cs = g->sysenter_cs;
	s->sysenter_esp = g->sysenter_esp;
	s->sysenter_eip = g->sysenter_eip;
	s->star = g->star;
	s->lstar = g->lstar;
	s->cstar = g->cstar;
	s->sfmask = g->sfmask;
	s->kernel_gs_base = g->kernel_gs_base;
}

static void svm_state_set(struct vcpu *v, const struct vcpu_state *s)
{
	struct vmcb *b = svm_vmcb(v);
	struct vmcb_save *g = &b->save;

	memcpy(v->gpr, s->gpr, sizeof(v->gpr));
	g->rsp = s->gpr[GPR_RSP];
	g->rip = s->rip;
	g->rflags = s->rflags;
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		const struct seg_state *t = &s->seg[i];

		*vmcb_seg(b, i) = (struct vmcb_segment){t->selector, t->attr, t->limit, t->base};
	}
	g->cpl = s->cr0 & CR0_PE
		     ? (s->rflags & RFLAGS_VM ? 3 : (uint8_t)(s->seg[SEG_SS].attr >> 5 & 3))
		     : 0;
	g->gdtr = (struct vmcb_segment){.limit = s->gdtr.limit, .base = s->gdtr.base};
	g->idtr = (struct vmcb_segment){.limit = s->idtr.limit, .base = s->idtr.base};
	g->cr0 = s->cr0;
	g->cr2 = s->cr2;
	g->cr3 = s->cr3;
	g->cr4 = s->cr4;
	g->efer = s->efer | EFER_SVME;
	g->dr6 = s->dr6;
	g->dr7 = s->dr7;
	g->g_pat = s->pat;
	g->dbgctl = s->debugctl;
	g->sysenter_cs = s->sysenter_cs;
	g->sysenter_esp = s->sysenter_esp;
	g->sysenter_eip = s->sysenter_eip;
	g->star = s->star;
	g->lstar = s->lstar;
	g->cstar = s->cstar;
	g->sfmask = s->sfmask;
	g->kernel_gs_base = s->kernel_gs_base;
	b->control.interrupt_shadow = 0;
	b->control.eventinj = 0;
	b->control.vintr = 0;
	if (v->step.active) {
		v->step.active = false;
		b->control.intercept[2] = v->step.exceptions;
		mmio_step_end(v);
	}
	/* what waits for the end of an NMI's handler: its IRET, and the trap behind that */
	b->control.intercept[3] &= ~SVM_INTERCEPT_IRET;
	v->step.iret = false;
	v->halted = false;
	b->control.clean = 0;
}

static uint64_t *reg_in(struct vmcb_save *g, enum vcpu_reg reg)
{
	return reg == REG_RIP ? &g->rip : reg == REG_RSP ? &g->rsp : &g->rflags;
}

static uint64_t svm_reg(const struct vcpu *v, enum vcpu_reg reg)
{
	struct vmcb_save *g = &svm_vmcb(v)->save;

	return reg == REG_EFER ? g->efer & ~EFER_SVME : *reg_in(g, reg);
}

static void svm_set_reg(struct vcpu *v, enum vcpu_reg reg, uint64_t value)
{
	struct vmcb *b = svm_vmcb(v);

	if (reg == REG_EFER) {
		b->save.efer = value | EFER_SVME;
		b->control.clean &= ~SVM_CLEAN_CRX;
	} else {
		*reg_in(&b->save, reg) = value;
	}
}

static uint64_t svm_cr(const struct vcpu *v, unsigned n)
{
	const struct vmcb_save *g = &svm_vmcb(v)->save;

	return n == 0 ? g->cr0 : n == 3 ? g->cr3 : n == 4 ? g->cr4 : g->cr2;
}

static unsigned svm_cpl(const struct vcpu *v)
{
	return svm_vmcb(v)->save.cpl;
}

/* PDPTEs are read anew in each walk (APM 2 15.25.10). */
static void svm_paging(const struct vcpu *v, struct gwalk_cpu *cpu, uint64_t buffer[4])
{
	const struct vmcb_save *g = &svm_vmcb(v)->save;

	(void)buffer;
	cpu->cr0 = g->cr0;
	cpu->cr3 = g->cr3;
	cpu->cr4 = g->cr4;
	cpu->efer = svm_reg(v, REG_EFER);
	cpu->cpl = g->cpl;
}

static void svm_flush(struct vcpu *v)
{
	svm_vmcb(v)->control.tlb_control = SVM_TLB_FLUSH_ALL;
}

static void svm_io_intercept(uint16_t port, bool on)
{
	if (on)
		iopm[port / 8] |= (uint8_t)(1u << (port % 8));
	else
		iopm[port / 8] &= (uint8_t) ~(1u << (port % 8));
}

static void svm_wait(struct vcpu *v, const uint32_t *word)
{
	(void)v; /* called between host_begin() and host_end(): the host's TR is loaded */
	svm_stgi();
	cpu_wait(word);
	svm_clgi();
}

const struct vmm_ops vmm_ops_svm = {
    .name = "AMD-V",
    .probe = svm_probe,
    .init = svm_init,
    .policy_ready = svm_policy_ready,
    .feature_needs = svm_feature_needs,
    .nested_format = &pt_format_npt,
    .nested_max_leaf = svm_nested_max_leaf,
    .cpu_on = svm_cpu_on,
    .cpu_off = svm_cpu_off,
    .run = svm_run,
    .state_get = svm_state_get,
    .state_set = svm_state_set,
    .reg = svm_reg,
    .set_reg = svm_set_reg,
    .cr = svm_cr,
    .cpl = svm_cpl,
    .seg = svm_seg,
    .translation = svm_translation,
    .translates_as = svm_translates_as,
    .paging = svm_paging,
    .inject = svm_inject,
    .pending_event = svm_pending_event,
    .advance = svm_advance,
    .inject_nmi = svm_inject_nmi,
    .flush = svm_flush,
    .io_intercept = svm_io_intercept,
    .wait = svm_wait,
    .wake = svm_wake,
    .wake_end = apictimer_end,
};
