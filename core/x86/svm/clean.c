/* VMCB clean bits: which field belongs to which group. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/svm/clean.h"
#include <stddef.h>

#define ALWAYS UINT32_C(0) /* loaded by each VMRUN, or not read by it at all */

#define CONTROL(first, last, bits)                                                                 \
	{                                                                                          \
		offsetof(struct vmcb_control, first),                                              \
		    offsetof(struct vmcb_control, last) +                                          \
			sizeof(((struct vmcb_control *)0)->last),                                  \
		    bits                                                                           \
	}
#define SAVE(first, last, bits)                                                                    \
	{                                                                                          \
		offsetof(struct vmcb, save) + offsetof(struct vmcb_save, first),                   \
		    offsetof(struct vmcb, save) + offsetof(struct vmcb_save, last) +               \
			sizeof(((struct vmcb_save *)0)->last),                                     \
		    bits                                                                           \
	}

/*
 * Sorted by offset. Groups: APM 2 15.15.3, table 15-9. Never cached, by the same section:
 * TLB_CONTROL, the interrupt shadow, event injection, what #VMEXIT writes, RFLAGS, RIP, RSP, RAX.
 * FS to KERNEL_GS_BASE and the SYSENTER registers belong to VMLOAD and VMSAVE (15.5.2).
 */
static const struct {
	uint16_t begin, end;
	uint32_t bits;
} groups[] = {
    CONTROL(intercept, intercept, SVM_CLEAN_I),
    CONTROL(pause_filter_threshold, pause_filter_count, SVM_CLEAN_I),
    CONTROL(iopm_base_pa, msrpm_base_pa, SVM_CLEAN_IOPM),
    CONTROL(tsc_offset, tsc_offset, SVM_CLEAN_I),
    CONTROL(guest_asid, guest_asid, SVM_CLEAN_ASID),
    CONTROL(tlb_control, tlb_control, ALWAYS),
    CONTROL(vintr, vintr, SVM_CLEAN_TPR),
    CONTROL(interrupt_shadow, exitintinfo, ALWAYS),
    CONTROL(nested_control, nested_control, SVM_CLEAN_NP),
    CONTROL(avic_apic_bar, avic_apic_bar, SVM_CLEAN_AVIC),
    CONTROL(eventinj, eventinj, ALWAYS),
    CONTROL(n_cr3, n_cr3, SVM_CLEAN_NP),
    CONTROL(clean, clean, ALWAYS),
    CONTROL(nrip, guest_instruction_bytes, ALWAYS),
    CONTROL(avic_backing_page, avic_backing_page, SVM_CLEAN_AVIC),
    CONTROL(avic_logical_table, avic_physical_table, SVM_CLEAN_AVIC),
    CONTROL(host_reserved, host_reserved, ALWAYS),
    SAVE(es, ds, SVM_CLEAN_SEG),
    SAVE(fs, gs, ALWAYS),
    SAVE(gdtr, gdtr, SVM_CLEAN_DT),
    SAVE(ldtr, ldtr, ALWAYS),
    SAVE(idtr, idtr, SVM_CLEAN_DT),
    SAVE(tr, tr, ALWAYS),
    SAVE(cpl, cpl, SVM_CLEAN_SEG),
    SAVE(efer, efer, SVM_CLEAN_CRX),
    SAVE(cr4, cr0, SVM_CLEAN_CRX),
    SAVE(dr7, dr6, SVM_CLEAN_DRX),
    SAVE(rflags, rip, ALWAYS),
    SAVE(rsp, rsp, ALWAYS),
    SAVE(s_cet, isst_addr, SVM_CLEAN_CET),
    SAVE(rax, rax, ALWAYS),
    SAVE(star, sysenter_eip, ALWAYS),
    SAVE(cr2, cr2, SVM_CLEAN_CR2),
    SAVE(g_pat, g_pat, SVM_CLEAN_NP),
    SAVE(dbgctl, lastexcpto, SVM_CLEAN_LBR),
};

uint32_t svm_clean_group(unsigned offset)
{
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (offset >= groups[i].begin && offset < groups[i].end)
			return groups[i].bits;
	}
	return SVM_CLEAN_ALL;
}

int svm_clean_broken(const struct vmcb *b, const struct vmcb *copy, uint32_t *group)
{
	const uint8_t *now = (const uint8_t *)b, *then = (const uint8_t *)copy;

	for (unsigned i = 0; i < sizeof(*b); i++) {
		if (now[i] == then[i])
			continue;
		*group = svm_clean_group(i);
		if (b->control.clean & *group)
			return (int)i;
	}
	return -1;
}

const char *svm_clean_name(uint32_t bits)
{
	static const char *const names[] = {"I",  "IOPM", "ASID", "TPR", "NP",   "CRx", "DRx",
					    "DT", "SEG",  "CR2",  "LBR", "AVIC", "CET"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (bits & 1u << i)
			return bits == SVM_CLEAN_ALL ? "all" : names[i];
	}
	return "none";
}
