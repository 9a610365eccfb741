/* What VMRUN demands of a VMCB, and some rules of our own, as a pure function. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/svm/check.h"
#include <stddef.h>
#include "core/addr.h"
#include "core/vm/vcpu.h"
#include "core/x86/cpu.h"
#include "core/x86/svm/clean.h"

#define CR4_CET         (UINT64_C(1) << 23)
#define RFLAGS_RESERVED (~UINT64_C(0x3fffff) | 0x8028) /* 63:22, 15, 5, 3 */
#define IOPM_SIZE       UINT64_C(0x3000)
#define MSRPM_SIZE      UINT64_C(0x2000)

/* Vectors of APM 2 table 8-1 that no exception has: 2 (NMI), 9, 15, 20, 22 to 27, 31. */
#define NO_EXCEPTION UINT32_C(0x8fd08204)
/* Those that push an error code: 8, 10 to 14, 17, 21, 29, 30. */
#define HAS_ERROR UINT32_C(0x60227d00)

#define RULE(broken, text)                                                                         \
	do {                                                                                       \
		if (broken)                                                                        \
			return text;                                                               \
	} while (0)

static const char *check_event(const struct vmcb *b, bool long_mode)
{
	uint64_t info = b->control.eventinj, type = info & SVM_EVENT_TYPE_MASK;
	uint32_t vector = (uint32_t)info & 0xff;
	bool error = info & SVM_EVENT_ERROR_VALID;

	if (!(info & SVM_EVENT_VALID))
		return NULL;
	RULE(type != SVM_EVENT_TYPE_INTR && type != SVM_EVENT_TYPE_NMI &&
		 type != SVM_EVENT_TYPE_EXCP && type != SVM_EVENT_TYPE_SOFT,
	     "EVENTINJ: the type is reserved");
	RULE(info & UINT64_C(0x7ffff000), "EVENTINJ: reserved bits are set");
	RULE(error && type != SVM_EVENT_TYPE_EXCP, "EVENTINJ: an error code without an exception");
	if (type != SVM_EVENT_TYPE_EXCP)
		return NULL;
	RULE(vector >= 32 || NO_EXCEPTION >> vector & 1,
	     "EVENTINJ: the vector is that of no exception");
	RULE(long_mode && b->save.cs.attrib & SEG_ATTR_L && (vector == 4 || vector == 5),
	     "EVENTINJ: #OF or #BR in 64-bit mode");
	RULE(error != ((b->save.cr0 & CR0_PE) && HAS_ERROR >> vector & 1),
	     "EVENTINJ: an error code that the exception does not have, or none");
	return NULL;
}

static const char *check_registers(const struct vmcb_save *g, const struct svm_check_limits *limits,
				   bool long_mode)
{
	RULE(!(g->efer & EFER_SVME), "EFER.SVME is 0");
	RULE(g->cr0 & CR0_NW && !(g->cr0 & CR0_CD), "CR0.NW is 1 and CD is 0");
	RULE(g->cr0 >> 32, "CR0 63:32 are not 0");
	/* outside long mode only the low half counts */
	RULE(long_mode && g->cr3 >> limits->phys_bits, "CR3: reserved bits are set");
	RULE(g->cr4 & ~limits->cr4_allowed, "CR4: reserved bits are set");
	RULE(g->dr6 >> 32, "DR6 63:32 are not 0");
	RULE(g->dr7 >> 32, "DR7 63:32 are not 0");
	RULE(g->efer & ~limits->efer_allowed, "EFER: reserved bits are set");
	RULE(long_mode && !(g->cr4 & CR4_PAE), "EFER.LME and CR0.PG are 1 and CR4.PAE is 0");
	RULE(g->efer & EFER_LME && g->cr0 & CR0_PG && !(g->cr0 & CR0_PE),
	     "EFER.LME and CR0.PG are 1 and PE is 0");
	RULE(long_mode && g->cs.attrib & SEG_ATTR_L && g->cs.attrib & SEG_ATTR_DB,
	     "CS.L and CS.D are 1 in long mode");
	RULE(g->cr4 & CR4_CET && !(g->cr0 & CR0_WP), "CR4.CET is 1 and CR0.WP is 0");
	for (unsigned i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(g->g_pat >> (8 * i));

		RULE(type == 2 || type == 3 || type > 7, "G_PAT: a type is reserved");
	}
	/* of our own */
	RULE(!(g->efer & EFER_LMA) != !long_mode, "EFER.LMA is not LME and CR0.PG");
	RULE(g->cr0 & CR0_PG && !(g->cr0 & CR0_PE), "CR0.PG is 1 and PE is 0");
	RULE(g->rflags & RFLAGS_RESERVED || !(g->rflags & RFLAGS_FIXED),
	     "RFLAGS: reserved bits are wrong");
	RULE(!(g->cr0 & CR0_PE) && g->cpl != 0, "CPL is not 0 in real mode");
	RULE(g->cr0 & CR0_PE && g->rflags & RFLAGS_VM && g->cpl != 3,
	     "CPL is not 3 in virtual-8086 mode");
	RULE(g->cpl > 3, "CPL is more than 3");
	return NULL;
}

const char *svm_check(const struct vmcb *b, const struct svm_check_limits *limits)
{
	const struct vmcb_control *c = &b->control;
	uint64_t end = UINT64_C(1) << limits->phys_bits;
	bool long_mode = b->save.efer & EFER_LME && b->save.cr0 & CR0_PG;
	const char *broken = check_registers(&b->save, limits, long_mode);

	if (broken)
		return broken;
	RULE(!(c->intercept[4] & SVM_INTERCEPT_VMRUN), "VMRUN is not intercepted");
	/* the CPU takes the low 12 bits as 0 */
	RULE(align_down(c->iopm_base_pa, PAGE_SIZE) + IOPM_SIZE > end,
	     "the IOPM lies beyond the physical address space");
	RULE(align_down(c->msrpm_base_pa, PAGE_SIZE) + MSRPM_SIZE > end,
	     "the MSRPM lies beyond the physical address space");
	RULE(c->guest_asid == 0, "the ASID is 0");
	RULE(c->guest_asid >= limits->asids, "the ASID is one that the CPU does not have");
	RULE(!(c->nested_control & SVM_NESTED_NP_ENABLE), "nested paging is off");
	RULE(c->n_cr3 >= end || c->n_cr3 & PAGE_MASK, "N_CR3: reserved bits are set");
	RULE(c->tlb_control != SVM_TLB_NOTHING && c->tlb_control != SVM_TLB_FLUSH_ALL &&
		 !(limits->flush_by_asid && (c->tlb_control == SVM_TLB_FLUSH_ASID ||
					     c->tlb_control == SVM_TLB_FLUSH_ASID_LOCAL)),
	     "TLB_CONTROL: the encoding is reserved");
	/* of our own */
	RULE((c->iopm_base_pa | c->msrpm_base_pa) & PAGE_MASK, "the IOPM or MSRPM is not aligned");
	RULE(c->interrupt_shadow & ~(SVM_SHADOW_INTERRUPT | SVM_SHADOW_GUEST_IF),
	     "the interrupt shadow has reserved bits set");
	RULE(c->clean & ~SVM_CLEAN_ALL, "the clean field has reserved bits set");
	return check_event(b, long_mode);
}
