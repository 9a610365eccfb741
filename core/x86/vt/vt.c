/* VT-x: switching it on and off, the guest's state, and the operations of the vendor contract. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/vt/vt.h"
#include "core/addr.h"
#include "core/audit.h"
#include "core/errno.h"
#include "core/mm/pages.h"
#include "core/mm/vmmap.h"
#include "core/string.h"
#include "core/vm/a20.h"
#include "core/vm/cpuid.h"
#include "core/vm/gmem.h"
#include "core/vm/gwalk.h"
#include "core/vm/mmio.h"
#include "core/vm/msr.h"
#include "core/vm/nested.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/trap.h"
#include "core/x86/vt/bochs.h"

#define FEATURE_CONTROL_LOCKED UINT64_C(1)
#define FEATURE_CONTROL_VMXON  UINT64_C(4) /* outside SMX */
#define CPUID1_ECX_VMX         (1u << 5)
#define MSR_S_CET              0x6a2u

/* Bitmaps, shared by all CPUs: SDM 3C 25.6.4 and 25.6.9. */
#define IO_BITMAP_PAGES 2

#define EPTP_WALK_4 (UINT64_C(3) << 3) /* length less one (25.6.11) */
#define VPID        1                  /* each CPU has one guest CPU; 0 is the host's */

enum invept_type { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
enum invvpid_type { INVVPID_SINGLE = 1, INVVPID_ALL = 2 };

/* Pages of a CPU's block that belong to the vendor. */
enum { PAGE_VMCS, PAGE_VMXON, PAGE_PRIVATE };

struct vt_controls vt_controls;
uint64_t vt_cr0_mask, vt_cr4_mask;
static uint8_t *io_bitmap, *msr_bitmap;

/* ---- instructions ---- */

static bool vmxon(uint64_t pa)
{
	bool fail;

	__asm__ volatile("vmxon %1" : "=@ccbe"(fail) : "m"(pa) : "memory");
	return !fail;
}

static bool vmclear(uint64_t pa)
{
	bool fail;

	__asm__ volatile("vmclear %1" : "=@ccbe"(fail) : "m"(pa) : "memory");
	return !fail;
}

static bool vmptrld(uint64_t pa)
{
	bool fail;

	__asm__ volatile("vmptrld %1" : "=@ccbe"(fail) : "m"(pa) : "memory");
	return !fail;
}

static void invept(enum invept_type type, uint64_t eptp)
{
	const uint64_t descriptor[2] = {eptp, 0};

	__asm__ volatile("invept %0, %1" : : "m"(descriptor), "r"((uint64_t)type) : "cc", "memory");
}

static void invvpid(enum invvpid_type type, uint16_t vpid)
{
	const uint64_t descriptor[2] = {vpid, 0};

	__asm__ volatile("invvpid %0, %1"
			 :
			 : "m"(descriptor), "r"((uint64_t)type)
			 : "cc", "memory");
}

/* ---- capabilities ---- */

static uint64_t caps_rdmsr(void *arg, uint32_t index)
{
	(void)arg;
	return rdmsr(index);
}

static const struct vt_wants wants = {.io_bitmaps = true};

/* Does the CPU have VT-x, and has the firmware left it usable? */
static int available(const char **reason)
{
	uint64_t control;

	*reason = "VT-x";
	if (!(cpuid(1, 0).ecx & CPUID1_ECX_VMX))
		return -ENODEV;
	control = rdmsr(MSR_FEATURE_CONTROL);
	*reason = "VT-x (switched off by the firmware)";
	return (control & FEATURE_CONTROL_LOCKED) && !(control & FEATURE_CONTROL_VMXON) ? -ENODEV
											: 0;
}

static int vt_probe(const char **reason)
{
	struct vt_caps caps;
	int err = available(reason);

	if (err)
		return err;
	vt_caps_read(&caps, caps_rdmsr, NULL);
	err = vt_controls_resolve(&caps, &wants, &vt_controls, reason);
	if (!err && !vt_controls.wait_sipi) {
		*reason = "activity state wait-for-SIPI";
		err = -ENODEV;
	}
	return err;
}

static int vt_init(void)
{
	io_bitmap = pages_alloc(IO_BITMAP_PAGES, PAGE_SIZE);
	msr_bitmap = pages_alloc(1, PAGE_SIZE);
	bochs_detect();
	return io_bitmap && msr_bitmap ? 0 : -ENOMEM;
}

/* A bit a register: reads of 0..1fff, reads of c0000000..c0001fff, then writes; 1 KiB each. */
static void msr_bitmap_set(void *arg, uint32_t index, bool read, bool write)
{
	uint32_t bit = (index >= 0xc0000000u ? 0x2000 : 0) + (index & 0x1fff);

	(void)arg;
	if (read)
		msr_bitmap[bit / 8] |= (uint8_t)(1u << (bit % 8));
	if (write)
		msr_bitmap[2048 + bit / 8] |= (uint8_t)(1u << (bit % 8));
}

/*
 * CR0: the host owns the bits that VMX fixes (NE: real mode runs without it), and CD and NW, which
 * an entry does not load. PE and PG are the guest's: with "unrestricted guest" the CPU switches
 * modes by itself, loads PDPTEs, and keeps EFER.LMA and the "IA-32e mode guest" control right (SDM
 * 3C 28.3.2). CR4: the host owns what VMX fixes (VMXE) and what the CPU takes but the guest must
 * not have.
 */
static void vt_policy_ready(void)
{
	msr_policy_fill(&msr_env, msr_bitmap_set, NULL);
	if (bochs_obeys_a20())
		a20_watch();
	vt_cr0_mask = vt_controls.cr0_fixed0 | CR0_CD | CR0_NW;
	vt_cr4_mask =
	    vt_controls.cr4_fixed0 | (vt_controls.cr4_fixed1 & ~guest_features.cr4_allowed);
}

static uint64_t vt_feature_needs(void)
{
	return vt_controls.needs;
}

static unsigned vt_nested_max_leaf(void)
{
	return vt_controls.ept_1g ? 3 : vt_controls.ept_2m ? 2 : 1;
}

/* ---- on and off ---- */

static uint64_t eptp(void)
{
	return nested_root() | EPTP_WALK_4 | PT_WB;
}

static void write_controls(void)
{
	vt_write(VMCS_PIN_CONTROLS, vt_controls.pin);
	vt_write(VMCS_PROC_CONTROLS, vt_controls.proc);
	vt_write(VMCS_SECONDARY_PROC_CONTROLS, vt_controls.proc2);
	vt_write(VMCS_EXIT_CONTROLS, vt_controls.exit);
	vt_write(VMCS_ENTRY_CONTROLS, vt_controls.entry);
	vt_write(VMCS_EXCEPTION_BITMAP, 1u << VECTOR_DB | 1u << VECTOR_AC);
	vt_write(VMCS_PAGE_FAULT_ERROR_MASK, 0);
	vt_write(VMCS_PAGE_FAULT_ERROR_MATCH, 0);
	vt_write(VMCS_CR3_TARGET_COUNT, 0);
	vt_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vt_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vt_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vt_write(VMCS_IO_BITMAP_A, virt_to_phys(io_bitmap).a);
	vt_write(VMCS_IO_BITMAP_B, virt_to_phys(io_bitmap + PAGE_SIZE).a);
	vt_write(VMCS_MSR_BITMAPS, virt_to_phys(msr_bitmap).a);
	vt_write(VMCS_EPT_POINTER, eptp());
	if (vt_controls.vpid)
		vt_write(VMCS_VPID, VPID);
	if (vt_controls.proc2 & VT_PROC2_XSAVES)
		vt_write(VMCS_XSS_EXITING_BITMAP, 0);
	vt_write(VMCS_CR0_MASK, vt_cr0_mask);
	vt_write(VMCS_CR4_MASK, vt_cr4_mask);
	vt_write(VMCS_VMCS_LINK_POINTER, UINT64_MAX);
}

/* The host's state is that of the CPU now: percpu_load() has made it. */
static void write_host(struct vcpu *v)
{
	struct cpu *cpu = (struct cpu *)(void *)v; /* struct vcpu is first in struct cpu */

	vt_write(VMCS_HOST_CR0, read_cr0() & ~(CR0_CD | CR0_NW));
	vt_write(VMCS_HOST_CR3, vmmap_root());
	vt_write(VMCS_HOST_CR4, read_cr4());
	vt_write(VMCS_HOST_ES_SELECTOR, HOST_DS);
	vt_write(VMCS_HOST_CS_SELECTOR, HOST_CS);
	vt_write(VMCS_HOST_SS_SELECTOR, HOST_DS);
	vt_write(VMCS_HOST_DS_SELECTOR, HOST_DS);
	vt_write(VMCS_HOST_FS_SELECTOR, 0);
	vt_write(VMCS_HOST_GS_SELECTOR, 0);
	vt_write(VMCS_HOST_TR_SELECTOR, HOST_TR);
	vt_write(VMCS_HOST_FS_BASE, 0);
	vt_write(VMCS_HOST_GS_BASE, 0);
	vt_write(VMCS_HOST_TR_BASE, (uintptr_t)&cpu->tss);
	vt_write(VMCS_HOST_GDTR_BASE, (uintptr_t)cpu->gdt);
	vt_write(VMCS_HOST_IDTR_BASE, sidt().base);
	vt_write(VMCS_HOST_SYSENTER_CS, 0);
	vt_write(VMCS_HOST_SYSENTER_ESP, 0);
	vt_write(VMCS_HOST_SYSENTER_EIP, 0);
	vt_write(VMCS_HOST_PAT, rdmsr(MSR_PAT));
	vt_write(VMCS_HOST_EFER, rdmsr(MSR_EFER));
	if (vt_controls.exit & VT_EXIT_LOAD_PERF_GLOBAL_CTRL)
		vt_write(VMCS_HOST_PERF_GLOBAL_CTRL, 0);
	if (vt_controls.exit & VT_EXIT_LOAD_CET) {
		vt_write(VMCS_HOST_S_CET, 0);
		vt_write(VMCS_HOST_SSP, 0);
		vt_write(VMCS_HOST_INTERRUPT_SSP_TABLE, 0);
	}
	if (vt_controls.exit & VT_EXIT_LOAD_PKRS)
		vt_write(VMCS_HOST_PKRS, 0);
	vt_write(VMCS_HOST_RSP, (uintptr_t)v);
	vt_write(VMCS_HOST_RIP, (uintptr_t)vt_exit_entry);
}

/* Guest state that entries load because a control says so, and that struct vcpu_state does not
 * hold. */
static void write_guest_rest(void)
{
	uint64_t value = 0;

	if (vt_controls.entry & VT_ENTRY_LOAD_PERF_GLOBAL_CTRL)
		vt_write(VMCS_GUEST_PERF_GLOBAL_CTRL, rdmsr_safe(0x38f, &value) ? value : 0);
	if (vt_controls.entry & VT_ENTRY_LOAD_BNDCFGS)
		vt_write(VMCS_GUEST_BNDCFGS, rdmsr_safe(0xd90, &value) ? value : 0);
	if (vt_controls.entry & VT_ENTRY_LOAD_CET) {
		vt_write(VMCS_GUEST_S_CET, rdmsr_safe(MSR_S_CET, &value) ? value : 0);
		vt_write(VMCS_GUEST_SSP, 0);
		vt_write(VMCS_GUEST_INTERRUPT_SSP_TABLE, rdmsr_safe(0x6a8, &value) ? value : 0);
	}
	if (vt_controls.entry & VT_ENTRY_LOAD_LBR_CTL)
		vt_write(VMCS_GUEST_LBR_CTL, rdmsr_safe(0x14ce, &value) ? value : 0);
	if (vt_controls.entry & VT_ENTRY_LOAD_PKRS)
		vt_write(VMCS_GUEST_PKRS, rdmsr_safe(0x6e1, &value) ? value : 0);
}

static void vmx_off(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
	write_cr4(read_cr4() & ~CR4_VMXE);
}

static int vt_cpu_on(struct vcpu *v, const char **reason)
{
	uint8_t *pages =
	    (uint8_t *)v - CPU_STRUCT + CPU_VENDOR_PAGES; /* struct vcpu is first in struct cpu */
	uint8_t *region = pages + PAGE_VMXON * PAGE_SIZE;
	struct vt_caps caps;
	uint32_t revision;
	int err = available(reason);

	if (err)
		return err;
	vt_caps_read(&caps, caps_rdmsr, NULL);
	err = vt_controls_check(&caps, &vt_controls, reason);
	if (err)
		return err;
	if (!(rdmsr(MSR_FEATURE_CONTROL) &
	      FEATURE_CONTROL_LOCKED)) /* not every firmware sets it up */
		wrmsr_safe(MSR_FEATURE_CONTROL, FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMXON);
	write_cr0((read_cr0() | caps.cr0_fixed0) & caps.cr0_fixed1);
	write_cr4((read_cr4() | caps.cr4_fixed0) & caps.cr4_fixed1);
	revision = (uint32_t)(caps.basic & VT_BASIC_REVISION);
	memset(pages, 0, (PAGE_PRIVATE + 1) * PAGE_SIZE);
	memcpy(pages, &revision, sizeof(revision));
	memcpy(region, &revision, sizeof(revision));
	v->vendor = pages + PAGE_PRIVATE * PAGE_SIZE;
	v->vendor_pa = virt_to_phys(pages).a;
	v->launched = 0;
	*reason = "VT-x that can be switched on";
	if (!vmxon(virt_to_phys(region).a)) {
		write_cr4(read_cr4() & ~CR4_VMXE);
		return -ENODEV;
	}
	if (!vmclear(v->vendor_pa) || !vmptrld(v->vendor_pa)) {
		vmx_off();
		return -ENODEV;
	}
	write_controls();
	write_host(v);
	write_guest_rest();
	/* translations that an earlier user of VT-x left (SDM 3C 29.4.3.3) */
	invept(vt_controls.invept_all ? INVEPT_ALL : INVEPT_SINGLE, eptp());
	vt_flush_linear();
	vt_cpu(v)->current = true;
	v->apic_base = rdmsr(MSR_APIC_BASE);
	return 0;
}

static void vt_cpu_off(struct vcpu *v)
{
	vt_cpu(v)->current = false;
	__asm__ volatile("" : : : "memory"); /* an NMI from here on leaves the VMCS alone */
	vmclear(v->vendor_pa);
	vmx_off();
}

static _Noreturn void vt_run(struct vcpu *v)
{
	v->active = true;
	bochs_run(v);
	vt_activity_update(v);
	audit_vt_flush(); /* in cpu_on(); no guest has run since */
	audit_vt_entry(v);
	vt_run_loop(v);
}

/* ---- state ---- */

/* In the VMCS the fields of a segment stand in the order of enum seg, 2 apart. */
static enum vmcs_field seg_field(enum vmcs_field es, enum seg i)
{
	return (enum vmcs_field)(es + 2 * i);
}

/* Access rights: as in a descriptor, bit 16 unusable (SDM 3C table 25-2). */
#define AR_UNUSABLE 0x10000u

static uint32_t ar_of(const struct seg_state *s, enum seg i)
{
	uint32_t attr = s->attr;

	if (!(attr & SEG_ATTR_P)) /* SS holds CPL all the same (SDM 3C 25.4.1) */
		return AR_UNUSABLE | (attr & 0x60);
	if (i <= SEG_GS)
		attr |= 1; /* a GDT in ROM may not have it, the CPU's register does: accessed */
	return (attr & 0xff) | (attr & 0xf00) << 4;
}

static void vt_seg(const struct vcpu *v, enum seg i, struct seg_state *s)
{
	uint32_t ar = vt_read32(seg_field(VMCS_GUEST_ES_ACCESS_RIGHTS, i));

	(void)v;
	*s = (struct seg_state){
	    .selector = (uint16_t)vt_read(seg_field(VMCS_GUEST_ES_SELECTOR, i)),
	    .attr = ar & AR_UNUSABLE ? 0 : (uint16_t)((ar & 0xff) | (ar >> 4 & 0xf00)),
	    .limit = vt_read32(seg_field(VMCS_GUEST_ES_LIMIT, i)),
	    .base = vt_read(seg_field(VMCS_GUEST_ES_BASE, i)),
	};
}

/* The masks of CR0 and CR4 are constant, so what the guest sees of them needs no look. */
static void vt_translation(const struct vcpu *v, struct translation *t)
{
	(void)v;
	t->rip = vt_read(VMCS_GUEST_RIP);
	t->rflags = vt_read(VMCS_GUEST_RFLAGS);
	t->cr0 = vt_read(VMCS_GUEST_CR0);
	t->cr3 = vt_read(VMCS_GUEST_CR3);
	t->cr4 = vt_read(VMCS_GUEST_CR4);
	t->efer = vt_read(VMCS_GUEST_EFER);
	t->cs = vt_read32(VMCS_GUEST_CS_ACCESS_RIGHTS);
	t->cpl = vt_read32(VMCS_GUEST_SS_ACCESS_RIGHTS);
}

static bool vt_translates_as(const struct vcpu *v, const struct translation *t)
{
	(void)v;
	return !((vt_read(VMCS_GUEST_CR0) ^ t->cr0) | (vt_read(VMCS_GUEST_CR4) ^ t->cr4) |
		 (vt_read(VMCS_GUEST_EFER) ^ t->efer) |
		 ((vt_read(VMCS_GUEST_RFLAGS) ^ t->rflags) & RFLAGS_AC) |
		 (vt_read32(VMCS_GUEST_CS_ACCESS_RIGHTS) ^ t->cs) |
		 (vt_read32(VMCS_GUEST_SS_ACCESS_RIGHTS) ^ t->cpl));
}

static void seg_write(enum seg i, const struct seg_state *s)
{
	vt_write(seg_field(VMCS_GUEST_ES_SELECTOR, i), s->selector);
	vt_write(seg_field(VMCS_GUEST_ES_ACCESS_RIGHTS, i), ar_of(s, i));
	vt_write(seg_field(VMCS_GUEST_ES_LIMIT, i), s->limit);
	vt_write(seg_field(VMCS_GUEST_ES_BASE, i), s->base);
}

static uint64_t vt_cr(const struct vcpu *v, unsigned n)
{
	(void)v;
	switch (n) {
	case 0:
		return (vt_read(VMCS_GUEST_CR0) & ~vt_cr0_mask) |
		       (vt_read(VMCS_CR0_READ_SHADOW) & vt_cr0_mask);
	case 2:
		return read_cr2(); /* stays in the CPU: the VMM does not fault */
	case 3:
		return vt_read(VMCS_GUEST_CR3);
	default:
		return (vt_read(VMCS_GUEST_CR4) & ~vt_cr4_mask) |
		       (vt_read(VMCS_CR4_READ_SHADOW) & vt_cr4_mask);
	}
}

void vt_flush_linear(void)
{
	if (vt_controls.vpid)
		invvpid(vt_controls.invvpid_single ? INVVPID_SINGLE : INVVPID_ALL, VPID);
}

bool vt_load_pdptes(uint64_t cr3)
{
	/* bits 2:1 and 8:5 are reserved, and those beyond the physical address (SDM 3A table 4-8)
	 */
	uint64_t reserved = UINT64_C(0x1e6) | ~((UINT64_C(1) << cpu_phys_bits()) - 1),
		 pdpte[4] = {0};

	gmem_read(GPA(cr3 & UINT64_C(0xffffffe0)), pdpte, sizeof(pdpte));
	for (unsigned i = 0; i < 4; i++) {
		if (pdpte[i] & 1 && pdpte[i] & reserved)
			return false;
	}
	for (unsigned i = 0; i < 4; i++)
		vt_write((enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i), pdpte[i]);
	return true;
}

void vt_cr0_set(uint64_t value)
{
	uint64_t efer = vt_read(VMCS_GUEST_EFER) & ~EFER_LMA, cache = CR0_CD | CR0_NW,
		 own = read_cr0();
	uint32_t entry = vt_read32(VMCS_ENTRY_CONTROLS) & ~VT_ENTRY_IA32E_GUEST;

	if (value & CR0_PG && efer & EFER_LME) {
		efer |= EFER_LMA;
		entry |= VT_ENTRY_IA32E_GUEST;
	}
	vt_write(VMCS_GUEST_EFER, efer);
	vt_write(VMCS_ENTRY_CONTROLS, entry);
	vt_write(VMCS_GUEST_CR0, value | CR0_ET | vt_controls.cr0_fixed0);
	vt_write(VMCS_CR0_READ_SHADOW, value | CR0_ET);
	/* entries and exits leave CD and NW as they are (SDM 3C 27.3.2.1, 28.5.1): the CPU's own
	 * bits are the guest's */
	if ((own ^ value) & cache) {
		write_cr0((own & ~cache) | (value & cache));
		if (value & CR0_CD)
			__asm__ volatile("wbinvd" : : : "memory");
	}
}

static void vt_state_get(struct vcpu *v, struct vcpu_state *s)
{
	memset(s, 0, sizeof(*s));
	if (!v->vendor || !vt_cpu(v)->current)
		return;
	memcpy(s->gpr, v->gpr, sizeof(s->gpr));
	s->gpr[GPR_RSP] = vt_read(VMCS_GUEST_RSP);
	s->rip = vt_read(VMCS_GUEST_RIP);
	s->rflags = vt_read(VMCS_GUEST_RFLAGS);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		vt_seg(v, (enum seg)i, &s->seg[i]);
	s->gdtr =
	    (struct table_state){vt_read(VMCS_GUEST_GDTR_BASE), vt_read32(VMCS_GUEST_GDTR_LIMIT)};
	s->idtr =
	    (struct table_state){vt_read(VMCS_GUEST_IDTR_BASE), vt_read32(VMCS_GUEST_IDTR_LIMIT)};
	s->cr0 = vt_cr(v, 0);
	s->cr2 = vt_cr(v, 2);
	s->cr3 = vt_cr(v, 3);
	s->cr4 = vt_cr(v, 4);
	s->efer = vt_read(VMCS_GUEST_EFER);
	s->dr6 = read_dr6();
	s->dr7 = vt_read(VMCS_GUEST_DR7);
	s->pat = vt_read(VMCS_GUEST_PAT);
	s->debugctl = vt_read(VMCS_GUEST_DEBUGCTL);
	s->sysenter_cs = vt_read(VMCS_GUEST_SYSENTER_CS);
	s->sysenter_esp = vt_read(VMCS_GUEST_SYSENTER_ESP);
	s->sysenter_eip = vt_read(VMCS_GUEST_SYSENTER_EIP);
	s->star = rdmsr(MSR_STAR);
	s->lstar = rdmsr(MSR_LSTAR);
	s->cstar = rdmsr(MSR_CSTAR);
	s->sfmask = rdmsr(MSR_SFMASK);
	s->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
}

static void vt_state_set(struct vcpu *v, const struct vcpu_state *s)
{
	memcpy(v->gpr, s->gpr, sizeof(v->gpr));
	vt_write(VMCS_GUEST_RSP, s->gpr[GPR_RSP]);
	vt_write(VMCS_GUEST_RIP, s->rip);
	vt_write(VMCS_GUEST_RFLAGS, s->rflags);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		seg_write((enum seg)i, &s->seg[i]);
	vt_write(VMCS_GUEST_GDTR_BASE, s->gdtr.base);
	vt_write(VMCS_GUEST_GDTR_LIMIT, s->gdtr.limit);
	vt_write(VMCS_GUEST_IDTR_BASE, s->idtr.base);
	vt_write(VMCS_GUEST_IDTR_LIMIT, s->idtr.limit);
	vt_write(VMCS_GUEST_EFER, s->efer);
	vt_cr0_set(s->cr0);
	write_cr2(s->cr2);
	vt_write(VMCS_GUEST_CR3, s->cr3);
	vt_write(VMCS_GUEST_CR4, s->cr4 | vt_controls.cr4_fixed0);
	vt_write(VMCS_CR4_READ_SHADOW, s->cr4);
	if (s->cr0 & CR0_PG && s->cr4 & CR4_PAE && !(s->efer & EFER_LME))
		vt_load_pdptes(s->cr3);
	write_dr6(s->dr6);
	vt_write(VMCS_GUEST_DR7, s->dr7);
	vt_write(VMCS_GUEST_PAT, s->pat);
	vt_write(VMCS_GUEST_DEBUGCTL, s->debugctl);
	vt_write(VMCS_GUEST_SYSENTER_CS, s->sysenter_cs);
	vt_write(VMCS_GUEST_SYSENTER_ESP, s->sysenter_esp);
	vt_write(VMCS_GUEST_SYSENTER_EIP, s->sysenter_eip);
	wrmsr(MSR_STAR, s->star);
	wrmsr(MSR_LSTAR, s->lstar);
	wrmsr(MSR_CSTAR, s->cstar);
	wrmsr(MSR_SFMASK, s->sfmask);
	wrmsr(MSR_KERNEL_GS_BASE, s->kernel_gs_base);
	vt_write(VMCS_PROC_CONTROLS, vt_controls.proc);
	if (v->step.active) {
		v->step.active = false;
		mmio_step_end(v);
	}
	vt_write(VMCS_ENTRY_INTERRUPTION_INFO, 0);
	/*
	 * All of it, blocking by SMI included: the VMM never runs in SMM. Bochs 2.7 sets that bit
	 * on exits from wait-for-SIPI and refuses it on the next entry.
	 */
	vt_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vt_write(VMCS_GUEST_ACTIVITY, VT_ACTIVE);
	vt_write(VMCS_GUEST_PENDING_DEBUG, 0);
	vt_flush_linear();
}

void vt_activity_update(struct vcpu *v)
{
	if (v->run_state == RUN_WAIT_FOR_SIPI) /* else it stays: active, or halted */
		vt_write(VMCS_GUEST_ACTIVITY, VT_WAIT_FOR_SIPI);
}

static uint32_t reg_field(enum vcpu_reg reg)
{
	static const uint16_t fields[] = {
	    [REG_RIP] = VMCS_GUEST_RIP,
	    [REG_RSP] = VMCS_GUEST_RSP,
	    [REG_RFLAGS] = VMCS_GUEST_RFLAGS,
	    [REG_EFER] = VMCS_GUEST_EFER,
	};

	return fields[reg];
}

static uint64_t vt_reg(const struct vcpu *v, enum vcpu_reg reg)
{
	(void)v;
	return vt_read(reg_field(reg));
}

static void vt_set_reg(struct vcpu *v, enum vcpu_reg reg, uint64_t value)
{
	(void)v;
	vt_write(reg_field(reg), value);
}

/* CPL is the DPL of SS, also where SS is unusable; real mode has 0 there (SDM 3C 25.4.1, 27.3.1.2).
 */
static unsigned vt_cpl(const struct vcpu *v)
{
	if (!(vt_cr(v, 0) & CR0_PE))
		return 0;
	if (vt_read(VMCS_GUEST_RFLAGS) & RFLAGS_VM)
		return 3;
	return vt_read32(VMCS_GUEST_SS_ACCESS_RIGHTS) >> 5 & 3;
}

/* In PAE paging walks use the PDPTEs that MOV to CR3 loaded (SDM 3A 4.4.1). */
static void vt_paging(const struct vcpu *v, struct gwalk_cpu *cpu, uint64_t buffer[4])
{
	cpu->cr0 = vt_cr(v, 0);
	cpu->cr3 = vt_cr(v, 3);
	cpu->cr4 = vt_cr(v, 4);
	cpu->efer = vt_read(VMCS_GUEST_EFER);
	cpu->cpl = (uint8_t)vt_cpl(v);
	if (vt_controls.entry & VT_ENTRY_LOAD_PKRS)
		cpu->pkrs = (uint32_t)vt_read(VMCS_GUEST_PKRS);
	if (cpu->cr0 & CR0_PG && cpu->cr4 & CR4_PAE && !(cpu->efer & EFER_LMA)) {
		for (unsigned i = 0; i < 4; i++)
			buffer[i] = vt_read((enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i));
		cpu->pdpte = buffer;
	}
}

static void vt_flush(struct vcpu *v)
{
	(void)v;
	audit_vt_flush();
	invept(vt_controls.invept_single ? INVEPT_SINGLE : INVEPT_ALL, eptp());
}

static void vt_io_intercept(uint16_t port, bool on)
{
	if (on)
		io_bitmap[port / 8] |= (uint8_t)(1u << (port % 8));
	else
		io_bitmap[port / 8] &= (uint8_t) ~(1u << (port % 8));
}

static void vt_wait(struct vcpu *v, const uint32_t *word)
{
	(void)v;
	cpu_wait(word);
}

const struct vmm_ops vmm_ops_vt = {
    .name = "VT-x",
    .probe = vt_probe,
    .init = vt_init,
    .policy_ready = vt_policy_ready,
    .feature_needs = vt_feature_needs,
    .nested_format = &pt_format_ept,
    .nested_max_leaf = vt_nested_max_leaf,
    .nested_has_types = true,
    .cpu_on = vt_cpu_on,
    .cpu_off = vt_cpu_off,
    .run = vt_run,
    .state_get = vt_state_get,
    .state_set = vt_state_set,
    .reg = vt_reg,
    .set_reg = vt_set_reg,
    .cr = vt_cr,
    .cpl = vt_cpl,
    .seg = vt_seg,
    .translation = vt_translation,
    .translates_as = vt_translates_as,
    .paging = vt_paging,
    .inject = vt_inject,
    .pending_event = vt_pending_event,
    .advance = vt_advance,
    .inject_nmi = vt_inject_nmi,
    .flush = vt_flush,
    .io_intercept = vt_io_intercept,
    .wait = vt_wait,
    .force_exit = vt_force_exit,
    .wake_is_timer = true,
    .wake = vt_wake,
};
