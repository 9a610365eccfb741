/* What a VM entry demands of the guest's state and of the event it delivers, as a pure function. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/vt/check.h"
#include <stddef.h>
#include "core/x86/cpu.h"
#include "core/x86/vt/controls.h"
#include "core/x86/vt/vt.h"

#define CR4_CET         (UINT64_C(1) << 23)
#define DEBUGCTL_BTF    (UINT64_C(1) << 1)
#define RFLAGS_RESERVED (~UINT64_C(0x3fffff) | 0x8028) /* 63:22, 15, 5, 3 */

#define AR_TYPE(ar)  ((ar)&15u)
#define AR_S         0x10u
#define AR_DPL(ar)   ((ar) >> 5 & 3u)
#define AR_P         0x80u
#define AR_L         0x2000u
#define AR_DB        0x4000u
#define AR_G         0x8000u
#define AR_UNUSABLE  0x10000u
#define AR_RESERVED  0xfffe0f00u
#define AR_V8086     0xf3u
#define SELECTOR_TI  4u
#define SELECTOR_RPL 3u

/* Vectors that push an error code (SDM 3C 27.2.1.3): 8, 10 to 14, 17; 21 with CET (SDM 3A 6-1). */
#define HAS_ERROR UINT32_C(0x227d00)

#define RULE(broken, text)                                                                         \
	do {                                                                                       \
		if (broken)                                                                        \
			return text;                                                               \
	} while (0)

static bool canonical(uint64_t a, const struct vt_check_limits *limits)
{
	uint64_t high = ~UINT64_C(0) << (limits->linear_bits - 1);

	return (a & high) == 0 || (a & high) == high;
}

static bool is_long(const struct vt_check_state *s)
{
	return s->entry & VT_ENTRY_IA32E_GUEST;
}

static bool is_unrestricted(const struct vt_check_state *s)
{
	return s->proc2 & VT_PROC2_UNRESTRICTED_GUEST;
}

/* 27.3.1.1 */
static const char *check_registers(const struct vt_check_state *s,
				   const struct vt_check_limits *limits)
{
	RULE(~s->cr0 & limits->cr0_fixed0 || s->cr0 & ~limits->cr0_fixed1,
	     "CR0: a bit is not as VMX fixes it");
	RULE(s->cr0 & CR0_PG && !(s->cr0 & CR0_PE), "CR0.PG is 1 and PE is 0");
	RULE(~s->cr4 & limits->cr4_fixed0 || s->cr4 & ~limits->cr4_fixed1,
	     "CR4: a bit is not as VMX fixes it");
	RULE(s->cr4 & CR4_CET && !(s->cr0 & CR0_WP), "CR4.CET is 1 and CR0.WP is 0");
	RULE(is_long(s) && !(s->cr0 & CR0_PG && s->cr4 & CR4_PAE),
	     "IA-32e mode guest without CR0.PG or CR4.PAE");
	RULE(!is_long(s) && s->cr4 & CR4_PCIDE, "CR4.PCIDE is 1 outside IA-32e mode");
	RULE(s->cr3 >> limits->phys_bits, "CR3: bits beyond the physical address are set");
	RULE(!canonical(s->sysenter_esp, limits) || !canonical(s->sysenter_eip, limits),
	     "SYSENTER_ESP or SYSENTER_EIP is not canonical");
	if (s->entry & VT_ENTRY_LOAD_DEBUG) {
		RULE(s->debugctl & ~UINT64_C(0xffc7), "IA32_DEBUGCTL: reserved bits are set");
		RULE(s->dr7 >> 32, "DR7 63:32 are not 0");
	}
	if (s->entry & VT_ENTRY_LOAD_CET) {
		RULE((s->s_cet & 0x3c0) || (s->s_cet & 0xc00) == 0xc00 ||
			 !canonical(s->s_cet, limits),
		     "IA32_S_CET: reserved bits are set, or it is not canonical");
		RULE(s->ssp & 3 || !canonical(s->ssp, limits), "SSP is not aligned or canonical");
		RULE(!canonical(s->isst, limits), "IA32_INTERRUPT_SSP_TABLE_ADDR is not canonical");
	}
	for (unsigned i = 0; i < 8 && s->entry & VT_ENTRY_LOAD_PAT; i++) {
		uint8_t type = (uint8_t)(s->pat >> (8 * i));

		RULE(type == 2 || type == 3 || type > 7, "IA32_PAT: a type is reserved");
	}
	if (s->entry & VT_ENTRY_LOAD_EFER) {
		RULE(s->efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE),
		     "IA32_EFER: reserved bits are set");
		RULE(!(s->efer & EFER_LMA) != !is_long(s),
		     "IA32_EFER.LMA is not as \"IA-32e mode guest\"");
		RULE(s->cr0 & CR0_PG && !(s->efer & EFER_LME) != !(s->efer & EFER_LMA),
		     "IA32_EFER.LMA is not LME with CR0.PG");
	}
	if (s->entry & VT_ENTRY_LOAD_BNDCFGS)
		RULE(s->bndcfgs & 0xffc || !canonical(s->bndcfgs, limits),
		     "IA32_BNDCFGS: reserved bits are set, or it is not canonical");
	if (s->entry & VT_ENTRY_LOAD_PKRS)
		RULE(s->pkrs >> 32, "IA32_PKRS 63:32 are not 0");
	return NULL;
}

/* The granularity bit agrees with the limit. */
static bool limit_ok(const struct vt_check_seg *g)
{
	return g->ar & AR_G ? (g->limit & 0xfff) == 0xfff : g->limit >> 20 == 0;
}

static const char *check_v8086(const struct vt_check_state *s)
{
	for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
		const struct vt_check_seg *g = &s->seg[i];

		RULE(g->base != (uint64_t)g->selector << 4,
		     "virtual-8086 mode: a segment's base is not its selector * 16");
		RULE(g->limit != 0xffff, "virtual-8086 mode: a segment's limit is not FFFFH");
		RULE(g->ar != AR_V8086, "virtual-8086 mode: a segment's rights are not F3H");
	}
	return NULL;
}

static const char *check_cs_ss(const struct vt_check_state *s)
{
	const struct vt_check_seg *cs = &s->seg[SEG_CS], *ss = &s->seg[SEG_SS];
	unsigned type = AR_TYPE(cs->ar), dpl = AR_DPL(cs->ar), ss_dpl = AR_DPL(ss->ar);

	RULE(cs->ar & AR_UNUSABLE, "CS is unusable");
	RULE(cs->base >> 32, "CS: base 63:32 are not 0");
	RULE((type < 9 || !(type & 1)) && !(is_unrestricted(s) && type == 3),
	     "CS: the type is no accessed code segment");
	RULE(!(cs->ar & AR_S), "CS: S is 0");
	RULE(type == 3 && dpl != 0, "CS: a data segment whose DPL is not 0");
	RULE((type == 9 || type == 11) && dpl != ss_dpl, "CS: DPL is not that of SS");
	RULE((type == 13 || type == 15) && dpl > ss_dpl, "CS: conforming, DPL above that of SS");
	RULE(!(cs->ar & AR_P), "CS: P is 0");
	RULE(is_long(s) && cs->ar & AR_L && cs->ar & AR_DB, "CS: L and D/B are 1");
	RULE(!is_unrestricted(s) && (ss->selector ^ cs->selector) & SELECTOR_RPL,
	     "SS: RPL is not that of CS");
	RULE(!is_unrestricted(s) && ss_dpl != (ss->selector & SELECTOR_RPL), "SS: DPL is not RPL");
	RULE((type == 3 || !(s->cr0 & CR0_PE)) && ss_dpl != 0,
	     "SS: DPL is not 0 in real mode or with data in CS");
	RULE(!(ss->ar & AR_UNUSABLE) && AR_TYPE(ss->ar) != 3 && AR_TYPE(ss->ar) != 7,
	     "SS: the type is no accessed writable data segment");
	return NULL;
}

static const char *check_data(const struct vt_check_state *s)
{
	for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
		const struct vt_check_seg *g = &s->seg[i];
		unsigned type = AR_TYPE(g->ar);

		if (g->ar & AR_UNUSABLE)
			continue;
		RULE(g->ar & AR_RESERVED, "a segment: reserved rights are set");
		RULE(!limit_ok(g), "a segment: G does not agree with the limit");
		if (i == SEG_CS)
			continue;
		RULE(!(g->ar & AR_S), "a segment: S is 0");
		RULE(!(g->ar & AR_P), "a segment: P is 0");
		if (i <= SEG_DS)
			RULE(g->base >> 32, "ES, SS or DS: base 63:32 are not 0");
		if (i == SEG_SS)
			continue;
		RULE(!(type & 1), "a data segment is not accessed");
		RULE(type & 8 && !(type & 2), "a data segment is code that cannot be read");
		RULE(!is_unrestricted(s) && type < 12 &&
			 AR_DPL(g->ar) < (g->selector & SELECTOR_RPL),
		     "a data segment: DPL is below RPL");
	}
	return NULL;
}

/* 27.3.1.2 */
static const char *check_system(const struct vt_check_state *s,
				const struct vt_check_limits *limits)
{
	const struct vt_check_seg *tr = &s->seg[SEG_TR], *ldtr = &s->seg[SEG_LDTR];
	unsigned type = AR_TYPE(tr->ar);

	RULE(!canonical(s->seg[SEG_FS].base, limits) || !canonical(s->seg[SEG_GS].base, limits),
	     "FS or GS: the base is not canonical");
	RULE(tr->ar & AR_UNUSABLE, "TR is unusable");
	RULE(tr->selector & SELECTOR_TI, "TR: TI is 1");
	RULE(!canonical(tr->base, limits), "TR: the base is not canonical");
	RULE(type != 11 && (is_long(s) || type != 3), "TR: the type is no busy TSS");
	RULE(tr->ar & AR_S, "TR: S is 1");
	RULE(!(tr->ar & AR_P), "TR: P is 0");
	RULE(tr->ar & AR_RESERVED, "TR: reserved rights are set");
	RULE(!limit_ok(tr), "TR: G does not agree with the limit");
	if (ldtr->ar & AR_UNUSABLE)
		return NULL;
	RULE(ldtr->selector & SELECTOR_TI, "LDTR: TI is 1");
	RULE(!canonical(ldtr->base, limits), "LDTR: the base is not canonical");
	RULE(AR_TYPE(ldtr->ar) != 2, "LDTR: the type is no LDT");
	RULE(ldtr->ar & AR_S, "LDTR: S is 1");
	RULE(!(ldtr->ar & AR_P), "LDTR: P is 0");
	RULE(ldtr->ar & AR_RESERVED, "LDTR: reserved rights are set");
	RULE(!limit_ok(ldtr), "LDTR: G does not agree with the limit");
	return NULL;
}

/* 27.3.1.3 and 27.3.1.4 */
static const char *check_tables_rip(const struct vt_check_state *s,
				    const struct vt_check_limits *limits)
{
	bool is_64bit = is_long(s) && s->seg[SEG_CS].ar & AR_L;
	/* all of the bits above the linear address, and not as canonical() */
	uint64_t high = s->rip >> limits->linear_bits;

	RULE(!canonical(s->gdtr.base, limits) || !canonical(s->idtr.base, limits),
	     "GDTR or IDTR: the base is not canonical");
	RULE(s->gdtr.limit >> 16 || s->idtr.limit >> 16, "GDTR or IDTR: limit 31:16 are not 0");
	RULE(!is_64bit && s->rip >> 32, "RIP 63:32 are not 0 outside 64-bit mode");
	RULE(is_64bit && high != 0 && high != UINT64_MAX >> limits->linear_bits,
	     "RIP: the bits above the linear address are not equal");
	RULE(s->rflags & RFLAGS_RESERVED || !(s->rflags & RFLAGS_FIXED),
	     "RFLAGS: reserved bits are wrong");
	RULE(s->rflags & RFLAGS_VM && (is_long(s) || !(s->cr0 & CR0_PE)),
	     "RFLAGS.VM is 1 in IA-32e or real mode");
	return NULL;
}

/* 27.3.1.5 and 27.3.1.6 */
static const char *check_rest(const struct vt_check_state *s, const struct vt_check_limits *limits)
{
	uint32_t blocked = s->interruptibility, shadow = VT_BLOCKED_STI | VT_BLOCKED_MOV_SS;
	bool step = s->rflags & RFLAGS_TF && !(s->debugctl & DEBUGCTL_BTF);
	/* bits 1 and 2 of a PDPTE, 8:5, and those beyond the physical address (SDM 3A table 4-8) */
	uint64_t pdpte_reserved = UINT64_C(0x1e6) | ~UINT64_C(0) << limits->phys_bits;

	RULE(s->activity > VT_WAIT_FOR_SIPI, "the activity state is reserved");
	RULE(s->activity == VT_HLT && AR_DPL(s->seg[SEG_SS].ar) != 0,
	     "activity state HLT, and CPL is not 0");
	RULE(s->activity != VT_ACTIVE && blocked & shadow,
	     "blocking by STI or MOV SS in an inactive state");
	RULE(blocked & ~UINT32_C(0xf), "interruptibility: reserved bits are set");
	RULE((blocked & shadow) == shadow, "blocking by STI and by MOV SS");
	RULE(blocked & VT_BLOCKED_STI && !(s->rflags & RFLAGS_IF), "blocking by STI with IF = 0");
	RULE(blocked & VT_BLOCKED_SMI, "blocking by SMI outside SMM");
	RULE(s->pending_debug & ~UINT64_C(0x1580f), "pending debug: reserved bits are set");
	if (blocked & shadow || s->activity == VT_HLT)
		RULE(step != ((s->pending_debug & VT_PENDING_BS) != 0),
		     "pending debug: BS is not as TF and BTF say");
	RULE(s->link_pointer != UINT64_MAX, "the VMCS link pointer is used");
	RULE(s->exit_msr_store || s->exit_msr_load || s->entry_msr_load,
	     "an MSR list is not empty");
	for (unsigned i = 0; i < 4; i++) {
		if (!(s->cr0 & CR0_PG) || !(s->cr4 & CR4_PAE) || is_long(s) ||
		    !(s->proc2 & VT_PROC2_EPT))
			break;
		RULE(s->pdpte[i] & 1 && s->pdpte[i] & pdpte_reserved,
		     "a PDPTE has reserved bits set");
	}
	return NULL;
}

/* What an inactive CPU may be delivered (27.3.1.5). */
static bool event_wakes(uint32_t activity, uint32_t type, uint32_t vector)
{
	switch (activity) {
	case VT_ACTIVE:
		return true;
	case VT_HLT:
		return type == VT_EVENT_INTR || type == VT_EVENT_NMI ||
		       (type == VT_EVENT_EXCEPTION && (vector == VECTOR_DB || vector == VECTOR_MC));
	case VT_SHUTDOWN:
		return type == VT_EVENT_NMI || (type == VT_EVENT_EXCEPTION && vector == VECTOR_MC);
	default:
		return false;
	}
}

/* 27.2.1.3, and what 27.3.1.4 and 27.3.1.5 say of the event */
static const char *check_event(const struct vt_check_state *s)
{
	uint32_t type = VT_EVENT_TYPE(s->event), vector = VT_EVENT_VECTOR(s->event);
	bool error = s->event & VT_EVENT_ERROR_VALID;
	bool wanted = (s->cr0 & CR0_PE || !is_unrestricted(s)) && type == VT_EVENT_EXCEPTION &&
		      vector < 32 && HAS_ERROR >> vector & 1;

	if (!(s->event & VT_EVENT_VALID))
		return NULL;
	RULE(type == 1 || type == 7, "the event's type is reserved");
	RULE(s->event & UINT32_C(0x7ffff000), "the event has reserved bits set");
	RULE(type == VT_EVENT_NMI && vector != VECTOR_NMI, "an NMI whose vector is not 2");
	RULE(type == VT_EVENT_EXCEPTION && vector > 31, "an exception whose vector is above 31");
	RULE(error != wanted, "an error code that the event does not have, or none");
	RULE(error && s->event_error >> 16, "the error code's bits 31:16 are not 0");
	RULE(type >= VT_EVENT_SOFT_INT && (s->event_length < 1 || s->event_length > 15),
	     "the length of the event's instruction is not 1 to 15");
	RULE(type == VT_EVENT_INTR && !(s->rflags & RFLAGS_IF), "an interrupt with IF = 0");
	RULE(type == VT_EVENT_INTR && s->interruptibility & (VT_BLOCKED_STI | VT_BLOCKED_MOV_SS),
	     "an interrupt while blocked by STI or MOV SS");
	RULE(type == VT_EVENT_NMI && s->interruptibility & (VT_BLOCKED_STI | VT_BLOCKED_MOV_SS),
	     "an NMI while blocked by STI or MOV SS");
	RULE(type == VT_EVENT_NMI && s->pin & VT_PIN_VIRTUAL_NMI &&
		 s->interruptibility & VT_BLOCKED_NMI,
	     "an NMI while blocked by NMI");
	RULE(!event_wakes(s->activity, type, vector), "the event does not end the activity state");
	return NULL;
}

const char *vt_check(const struct vt_check_state *s, const struct vt_check_limits *limits)
{
	const char *broken = check_registers(s, limits);

	if (!broken && s->rflags & RFLAGS_VM)
		broken = check_v8086(s);
	else if (!broken && !(broken = check_cs_ss(s)))
		broken = check_data(s);
	if (!broken)
		broken = check_system(s, limits);
	if (!broken)
		broken = check_tables_rip(s, limits);
	if (!broken)
		broken = check_rest(s, limits);
	return broken ? broken : check_event(s);
}
