/* Audits of the debug image, VT-x: consistency of the VMCS and flush debt before each entry. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/audit.h"
#include "core/panic.h"
#include "core/vm/startup.h"
#include "core/x86/cpu.h"
#include "core/x86/vt/check.h"
#include "core/x86/vt/vt.h"

/* Fields of a segment, by enum seg: 2 apart. */
static uint64_t seg_read(enum vmcs_field es, unsigned i)
{
	return vt_read((enum vmcs_field)(es + 2 * i));
}

static uint64_t read_if(bool control, enum vmcs_field field)
{
	return control ? vt_read(field) : 0;
}

static void state_read(struct vt_check_state *s)
{
	uint32_t entry = vt_read32(VMCS_ENTRY_CONTROLS);

	*s = (struct vt_check_state){
	    .pin = vt_read32(VMCS_PIN_CONTROLS),
	    .proc = vt_read32(VMCS_PROC_CONTROLS),
	    .proc2 = vt_read32(VMCS_SECONDARY_PROC_CONTROLS),
	    .entry = entry,
	    .cr0 = vt_read(VMCS_GUEST_CR0),
	    .cr3 = vt_read(VMCS_GUEST_CR3),
	    .cr4 = vt_read(VMCS_GUEST_CR4),
	    .dr7 = vt_read(VMCS_GUEST_DR7),
	    .debugctl = vt_read(VMCS_GUEST_DEBUGCTL),
	    .sysenter_esp = vt_read(VMCS_GUEST_SYSENTER_ESP),
	    .sysenter_eip = vt_read(VMCS_GUEST_SYSENTER_EIP),
	    .pat = vt_read(VMCS_GUEST_PAT),
	    .efer = vt_read(VMCS_GUEST_EFER),
	    .bndcfgs = read_if(entry & VT_ENTRY_LOAD_BNDCFGS, VMCS_GUEST_BNDCFGS),
	    .s_cet = read_if(entry & VT_ENTRY_LOAD_CET, VMCS_GUEST_S_CET),
	    .ssp = read_if(entry & VT_ENTRY_LOAD_CET, VMCS_GUEST_SSP),
	    .isst = read_if(entry & VT_ENTRY_LOAD_CET, VMCS_GUEST_INTERRUPT_SSP_TABLE),
	    .pkrs = read_if(entry & VT_ENTRY_LOAD_PKRS, VMCS_GUEST_PKRS),
	    .gdtr = {vt_read(VMCS_GUEST_GDTR_BASE), vt_read32(VMCS_GUEST_GDTR_LIMIT)},
	    .idtr = {vt_read(VMCS_GUEST_IDTR_BASE), vt_read32(VMCS_GUEST_IDTR_LIMIT)},
	    .rip = vt_read(VMCS_GUEST_RIP),
	    .rflags = vt_read(VMCS_GUEST_RFLAGS),
	    .activity = vt_read32(VMCS_GUEST_ACTIVITY),
	    .interruptibility = vt_read32(VMCS_GUEST_INTERRUPTIBILITY),
	    .pending_debug = vt_read(VMCS_GUEST_PENDING_DEBUG),
	    .link_pointer = vt_read(VMCS_VMCS_LINK_POINTER),
	    .event = vt_read32(VMCS_ENTRY_INTERRUPTION_INFO),
	    .event_error = vt_read32(VMCS_ENTRY_EXCEPTION_ERROR_CODE),
	    .event_length = vt_read32(VMCS_ENTRY_INSTRUCTION_LENGTH),
	    .exit_msr_store = vt_read32(VMCS_EXIT_MSR_STORE_COUNT),
	    .exit_msr_load = vt_read32(VMCS_EXIT_MSR_LOAD_COUNT),
	    .entry_msr_load = vt_read32(VMCS_ENTRY_MSR_LOAD_COUNT),
	};
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		s->seg[i] = (struct vt_check_seg){
		    .selector = (uint16_t)seg_read(VMCS_GUEST_ES_SELECTOR, i),
		    .limit = (uint32_t)seg_read(VMCS_GUEST_ES_LIMIT, i),
		    .ar = (uint32_t)seg_read(VMCS_GUEST_ES_ACCESS_RIGHTS, i),
		    .base = seg_read(VMCS_GUEST_ES_BASE, i),
		};
	}
	for (unsigned i = 0; i < 4; i++)
		s->pdpte[i] = seg_read(VMCS_GUEST_PDPTE0, i);
}

void vt_audit_entry(struct vcpu *v)
{
	struct vt_check_limits limits = {
	    .phys_bits = cpu_phys_bits(),
	    .linear_bits = cpuid(0x80000008u, 0).eax >> 8 & 0xff,
	    .cr0_fixed0 = vt_controls.cr0_fixed0,
	    .cr0_fixed1 = vt_controls.cr0_fixed1,
	    .cr4_fixed0 = vt_controls.cr4_fixed0,
	    .cr4_fixed1 = vt_controls.cr4_fixed1,
	};
	struct vt_check_state s;
	const char *broken;

	state_read(&s);
	broken = vt_check(&s, &limits);
	if (broken)
		panic("audit: VMCS: %s", broken);
	/* a CPU that waits for its start-up IPI runs nothing, and flushes when that comes */
	if (!startup_waits_in_cpu(v) && audit_debt())
		panic("audit: %lu rights taken from the nested tables are not flushed here",
		      audit_debt());
}

#ifdef CONFIG_TEST_CALLS
#include "core/vm/vmcall.h"
#include "core/vmm_ops.h"

/* For tests: makes the state illegal; RBX 0 a register, 1 a segment, 2 an event, 3 an MSR list. */
static void call_test_vmcs(struct vcpu *v)
{
	v->gpr[GPR_RAX] = 0;
	if (vmm_ops != &vmm_ops_vt)
		return;
	switch (v->gpr[GPR_RBX]) {
	case 1:
		vt_write(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x89); /* an available TSS */
		break;
	case 2:
		vt_write(VMCS_ENTRY_INTERRUPTION_INFO, VT_EVENT_VALID | 1u << 8);
		break;
	case 3:
		vt_write(VMCS_ENTRY_MSR_LOAD_COUNT, 1);
		break;
	default:
		vt_write(VMCS_GUEST_DR7, vt_read(VMCS_GUEST_DR7) | UINT64_C(1) << 32);
	}
}
VMCALL("test_vmcs", call_test_vmcs);
#endif
