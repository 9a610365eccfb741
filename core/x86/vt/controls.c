/* The requirement table of the VMX control words, and its resolution against one CPU. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/vt/controls.h"
#include "core/errno.h"
#include "core/string.h"
#include "core/vm/features.h"

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_PG (UINT64_C(1) << 31)

enum word { PIN, PROC, PROC2, EXIT, ENTRY, WORDS };

enum kind {
	MUST,   /* set, or the CPU cannot be used */
	CLEAR,  /* must be able to be 0, and is */
	TOGGLE, /* must be able to be 0 and 1: set and cleared while the guest runs; starts as 0 */
	WANT,   /* set when the CPU has it */
};

struct requirement {
	uint8_t word;
	uint8_t kind;
	uint8_t need; /* WANT: rows of one need are set together or not at all, and then meet it */
	uint32_t bit;
	const char *name;
};

/*
 * What is not here stays as the CPU demands: 0, or 1 where it cannot be cleared. Order: the first
 * row that fails names the reason, so what tells CPU generations apart comes first.
 */
static const struct requirement requirements[] = {
    {PROC2, MUST, 0, VT_PROC2_EPT, "EPT"},
    {PROC2, MUST, 0, VT_PROC2_UNRESTRICTED_GUEST, "unrestricted guest"},
    {PROC, MUST, 0, VT_PROC_SECONDARY, "secondary processor-based controls"},
    {PROC, MUST, 0, VT_PROC_MSR_BITMAPS, "MSR bitmaps"},
    {PIN, MUST, 0, VT_PIN_NMI, "NMI exiting"},
    {PIN, MUST, 0, VT_PIN_VIRTUAL_NMI, "virtual NMIs"},
    {PIN, TOGGLE, 0, VT_PIN_PREEMPTION_TIMER, "preemption timer"},
    {PIN, TOGGLE, 0, VT_PIN_EXT_INT, "external-interrupt exiting"},
    {PROC, TOGGLE, 0, VT_PROC_INTERRUPT_WINDOW, "interrupt-window exiting"},
    {PROC, TOGGLE, 0, VT_PROC_NMI_WINDOW, "NMI-window exiting"},
    {EXIT, MUST, 0, VT_EXIT_HOST_64, "64-bit host"},
    {ENTRY, TOGGLE, 0, VT_ENTRY_IA32E_GUEST, "64-bit guest"},
    {EXIT, MUST, 0, VT_EXIT_SAVE_EFER, "saving EFER on exit"},
    {EXIT, MUST, 0, VT_EXIT_LOAD_EFER, "loading EFER on exit"},
    {ENTRY, MUST, 0, VT_ENTRY_LOAD_EFER, "loading EFER on entry"},
    {EXIT, MUST, 0, VT_EXIT_SAVE_PAT, "saving PAT on exit"},
    {EXIT, MUST, 0, VT_EXIT_LOAD_PAT, "loading PAT on exit"},
    {ENTRY, MUST, 0, VT_ENTRY_LOAD_PAT, "loading PAT on entry"},
    /* DR7 and DEBUGCTL of the guest: the exit clears the CPU's */
    {EXIT, MUST, 0, VT_EXIT_SAVE_DEBUG, "saving debug controls on exit"},
    {ENTRY, MUST, 0, VT_ENTRY_LOAD_DEBUG, "loading debug controls on entry"},
    {PROC, CLEAR, 0, VT_PROC_CR3_LOAD, "CR3-load exiting that can be off (true controls)"},
    {PROC, CLEAR, 0, VT_PROC_CR3_STORE, "CR3-store exiting that can be off (true controls)"},
    {PROC, CLEAR, 0, VT_PROC_TSC_OFFSETTING, "TSC offsetting that can be off"},
    {PROC, TOGGLE, 0, VT_PROC_HLT, "HLT exiting that can be off"},
    {PROC, CLEAR, 0, VT_PROC_INVLPG, "INVLPG exiting that can be off"},
    {PROC, TOGGLE, 0, VT_PROC_MWAIT, "MWAIT exiting that can be off"},
    {PROC, CLEAR, 0, VT_PROC_RDPMC, "RDPMC exiting that can be off"},
    {PROC, CLEAR, 0, VT_PROC_RDTSC, "RDTSC exiting that can be off"},
    {PROC, CLEAR, 0, VT_PROC_CR8_LOAD, "CR8-load exiting that can be off"},
    {PROC, CLEAR, 0, VT_PROC_CR8_STORE, "CR8-store exiting that can be off"},
    {PROC, CLEAR, 0, VT_PROC_TPR_SHADOW, "TPR shadow that can be off"},
    {PROC, CLEAR, 0, VT_PROC_MOV_DR, "MOV-DR exiting that can be off"},
    {PROC, CLEAR, 0, VT_PROC_UNCOND_IO, "unconditional I/O exiting that can be off"},
    {PROC, CLEAR, 0, VT_PROC_MTF, "monitor trap flag that can be off"},
    {PROC, CLEAR, 0, VT_PROC_MONITOR, "MONITOR exiting that can be off"},
    {PROC, CLEAR, 0, VT_PROC_PAUSE, "PAUSE exiting that can be off"},
    {PROC2, CLEAR, 0, VT_PROC2_WBINVD, "WBINVD exiting that can be off"},
    {PROC2, CLEAR, 0, VT_PROC2_DESCRIPTOR_TABLE, "descriptor-table exiting that can be off"},
    {PROC2, CLEAR, 0, VT_PROC2_RDRAND, "RDRAND exiting that can be off"},
    {PROC2, CLEAR, 0, VT_PROC2_RDSEED, "RDSEED exiting that can be off"},
    {EXIT, CLEAR, 0, VT_EXIT_ACK_INTERRUPT, "acknowledging interrupts on exit that can be off"},
    {ENTRY, CLEAR, 0, VT_ENTRY_TO_SMM, "entry to SMM that can be off"},
    {ENTRY, CLEAR, 0, VT_ENTRY_DEACTIVATE_DUAL_MONITOR, "dual-monitor treatment that can be off"},
    {PROC2, WANT, FEATURE_NEED_RDTSCP, VT_PROC2_RDTSCP, "RDTSCP"},
    {PROC2, WANT, FEATURE_NEED_INVPCID, VT_PROC2_INVPCID, "INVPCID"},
    {PROC2, WANT, FEATURE_NEED_XSAVES, VT_PROC2_XSAVES, "XSAVES"},
    {PROC2, WANT, FEATURE_NEED_USER_WAIT, VT_PROC2_USER_WAIT, "user wait and pause"},
    {EXIT, WANT, FEATURE_NEED_CET_STATE, VT_EXIT_LOAD_CET, "loading CET state on exit"},
    {ENTRY, WANT, FEATURE_NEED_CET_STATE, VT_ENTRY_LOAD_CET, "loading CET state on entry"},
    {EXIT, WANT, FEATURE_NEED_PKRS_STATE, VT_EXIT_LOAD_PKRS, "loading PKRS on exit"},
    {ENTRY, WANT, FEATURE_NEED_PKRS_STATE, VT_ENTRY_LOAD_PKRS, "loading PKRS on entry"},
    {EXIT, WANT, FEATURE_NEED_BNDCFGS, VT_EXIT_CLEAR_BNDCFGS, "clearing BNDCFGS on exit"},
    {ENTRY, WANT, FEATURE_NEED_BNDCFGS, VT_ENTRY_LOAD_BNDCFGS, "loading BNDCFGS on entry"},
    {EXIT, WANT, FEATURE_NEED_LBR_CTL, VT_EXIT_CLEAR_LBR_CTL, "clearing LBR_CTL on exit"},
    {ENTRY, WANT, FEATURE_NEED_LBR_CTL, VT_ENTRY_LOAD_LBR_CTL, "loading LBR_CTL on entry"},
    {EXIT, WANT, FEATURE_NEED_PERF_GLOBAL_CTRL, VT_EXIT_LOAD_PERF_GLOBAL_CTRL,
     "loading PERF_GLOBAL_CTRL on exit"},
    {EXIT, WANT, FEATURE_NEED_PERF_GLOBAL_CTRL, VT_EXIT_SAVE_PERF_GLOBAL_CTRL,
     "saving PERF_GLOBAL_CTRL on exit"},
    {ENTRY, WANT, FEATURE_NEED_PERF_GLOBAL_CTRL, VT_ENTRY_LOAD_PERF_GLOBAL_CTRL,
     "loading PERF_GLOBAL_CTRL on entry"},
};

#define REQUIREMENTS (sizeof(requirements) / sizeof(requirements[0]))

/* A control word's freedom: bits of `one` cannot be 0, bits outside `may` cannot be 1. */
struct freedom {
	uint32_t one, may;
};

static struct freedom freedom_from(uint64_t cap)
{
	return (struct freedom){.one = (uint32_t)cap, .may = (uint32_t)(cap >> 32)};
}

static void freedoms(const struct vt_caps *caps, struct freedom f[WORDS])
{
	bool true_controls = (caps->basic & VT_BASIC_TRUE_CONTROLS) != 0;

	f[PIN] = freedom_from(true_controls ? caps->true_pin : caps->pin);
	f[PROC] = freedom_from(true_controls ? caps->true_proc : caps->proc);
	f[EXIT] = freedom_from(true_controls ? caps->true_exit : caps->exit);
	f[ENTRY] = freedom_from(true_controls ? caps->true_entry : caps->entry);
	f[PROC2] = freedom_from((f[PROC].may & VT_PROC_SECONDARY) != 0 ? caps->proc2 : 0);
}

static bool requirement_holds(const struct requirement *q, const struct freedom *f)
{
	bool can_be_1 = (f->may & q->bit) == q->bit;
	bool can_be_0 = (f->one & q->bit) == 0;

	switch (q->kind) {
	case MUST:
		return can_be_1;
	case CLEAR:
		return can_be_0;
	case TOGGLE:
		return can_be_0 && can_be_1;
	default:
		return true;
	}
}

/* Needs all of whose rows the CPU can set. */
static uint64_t needs_met(const struct freedom f[WORDS])
{
	uint64_t wanted = 0, lacking = 0;

	for (size_t i = 0; i < REQUIREMENTS; i++) {
		const struct requirement *q = &requirements[i];

		if (q->kind != WANT)
			continue;
		wanted |= FEATURE_NEED_BIT(q->need);
		if ((f[q->word].may & q->bit) == 0)
			lacking |= FEATURE_NEED_BIT(q->need);
	}
	return wanted & ~lacking;
}

/* What EPT must be able to do, beyond the control bit (SDM 3C 29.3.2, 29.4.3). */
static const char *ept_lack(uint64_t ept_vpid)
{
	if ((ept_vpid & VT_EPT_CAP_WALK_4) == 0)
		return "EPT page walks of four levels";
	if ((ept_vpid & VT_EPT_CAP_WB) == 0)
		return "write-back EPT structures";
	if ((ept_vpid & VT_EPT_CAP_INVEPT) == 0 ||
	    (ept_vpid & (VT_EPT_CAP_INVEPT_SINGLE | VT_EPT_CAP_INVEPT_ALL)) == 0)
		return "INVEPT";
	return NULL;
}

static const char *wants_lack(const struct vt_wants *wants, const struct freedom f[WORDS])
{
	if (wants->io_bitmaps && (f[PROC].may & VT_PROC_IO_BITMAPS) == 0)
		return "I/O bitmaps";
	if (wants->mtf && (f[PROC].may & VT_PROC_MTF) == 0)
		return "monitor trap flag";
	if ((wants->proc_exiting & ~f[PROC].may) != 0)
		return "an exit control that the configuration needs";
	return NULL;
}

/* Everything but the words: flags, fixed bits. */
static void resolve_rest(const struct vt_caps *caps, const struct freedom f[WORDS],
			 struct vt_controls *out)
{
	uint64_t ev = caps->ept_vpid;

	out->invvpid_single =
	    (ev & VT_EPT_CAP_INVVPID) != 0 && (ev & VT_EPT_CAP_INVVPID_SINGLE) != 0;
	out->invvpid_all = (ev & VT_EPT_CAP_INVVPID) != 0 && (ev & VT_EPT_CAP_INVVPID_ALL) != 0;
	/* A VPID that cannot be flushed is worse than none. */
	out->vpid =
	    (f[PROC2].may & VT_PROC2_VPID) != 0 && (out->invvpid_single || out->invvpid_all);
	if (out->vpid)
		out->proc2 |= VT_PROC2_VPID;
	out->invept_single = (ev & VT_EPT_CAP_INVEPT_SINGLE) != 0;
	out->invept_all = (ev & VT_EPT_CAP_INVEPT_ALL) != 0;
	out->ept_1g = (ev & VT_EPT_CAP_1G) != 0;
	out->ept_2m = (ev & VT_EPT_CAP_2M) != 0;
	out->ept_ad = (ev & VT_EPT_CAP_AD) != 0;
	out->timer_shift = VT_MISC_TIMER_SHIFT(caps->misc);
	out->timer_save = (f[EXIT].may & VT_EXIT_SAVE_PREEMPTION_TIMER) != 0;
	out->wait_sipi = (caps->misc & VT_MISC_ACTIVITY_WAIT_SIPI) != 0;
	/* SDM 3C 24.8: with "unrestricted guest" the guest's PE and PG are free. */
	out->cr0_fixed0 = caps->cr0_fixed0 & ~(CR0_PE | CR0_PG);
	out->cr0_fixed1 = caps->cr0_fixed1;
	out->cr4_fixed0 = caps->cr4_fixed0;
	out->cr4_fixed1 = caps->cr4_fixed1;
}

int vt_controls_resolve(const struct vt_caps *caps, const struct vt_wants *wants,
			struct vt_controls *out, const char **missing)
{
	struct freedom f[WORDS];
	uint32_t word[WORDS];
	const char *lack = NULL;

	freedoms(caps, f);
	memset(out, 0, sizeof(*out));
	out->needs = needs_met(f);
	for (unsigned int w = 0; w < WORDS; w++)
		word[w] = f[w].one;
	for (size_t i = 0; i < REQUIREMENTS && lack == NULL; i++) {
		const struct requirement *q = &requirements[i];

		if (!requirement_holds(q, &f[q->word]))
			lack = q->name;
		if (q->kind == MUST ||
		    (q->kind == WANT && (out->needs & FEATURE_NEED_BIT(q->need)) != 0))
			word[q->word] |= q->bit;
	}
	if (lack == NULL)
		lack = ept_lack(caps->ept_vpid);
	if (lack == NULL)
		lack = wants_lack(wants, f);
	if (lack != NULL) {
		*missing = lack;
		return -ENODEV;
	}
	if (wants->io_bitmaps)
		word[PROC] |= VT_PROC_IO_BITMAPS;
	if (wants->pml)
		word[PROC2] |= f[PROC2].may & VT_PROC2_PML;
	out->pin = word[PIN];
	out->proc = word[PROC];
	out->proc2 = word[PROC2];
	out->exit = word[EXIT];
	out->entry = word[ENTRY];
	resolve_rest(caps, f, out);
	return 0;
}

static bool word_fits(uint32_t word, const struct freedom *f)
{
	return (word & ~f->may) == 0 && (f->one & ~word) == 0;
}

int vt_controls_check(const struct vt_caps *caps, const struct vt_controls *resolved,
		      const char **missing)
{
	struct freedom f[WORDS];
	struct vt_controls own = {0};
	const char *lack = ept_lack(caps->ept_vpid);

	freedoms(caps, f);
	resolve_rest(caps, f, &own);
	for (size_t i = 0; i < REQUIREMENTS && lack == NULL; i++) {
		if (!requirement_holds(&requirements[i], &f[requirements[i].word]))
			lack = requirements[i].name;
	}
	if (lack == NULL && !word_fits(resolved->pin, &f[PIN]))
		lack = "the boot CPU's pin-based controls";
	if (lack == NULL && !word_fits(resolved->proc, &f[PROC]))
		lack = "the boot CPU's processor-based controls";
	if (lack == NULL && !word_fits(resolved->proc2, &f[PROC2]))
		lack = "the boot CPU's secondary controls";
	if (lack == NULL && !word_fits(resolved->exit, &f[EXIT]))
		lack = "the boot CPU's VM-exit controls";
	if (lack == NULL && !word_fits(resolved->entry, &f[ENTRY]))
		lack = "the boot CPU's VM-entry controls";
	if (lack == NULL &&
	    ((resolved->ept_1g && !own.ept_1g) || (resolved->ept_2m && !own.ept_2m) ||
	     (resolved->invept_single && !own.invept_single) ||
	     (resolved->invept_all && !own.invept_all) ||
	     (resolved->invvpid_single && !own.invvpid_single) ||
	     (resolved->invvpid_all && !own.invvpid_all)))
		lack = "the boot CPU's EPT capabilities";
	/* More freedom here is fine: what the boot CPU demands and forbids is what guests are held
	 * to. */
	if (lack == NULL && ((own.cr0_fixed0 & ~resolved->cr0_fixed0) != 0 ||
			     (resolved->cr0_fixed1 & ~own.cr0_fixed1) != 0 ||
			     (own.cr4_fixed0 & ~resolved->cr4_fixed0) != 0 ||
			     (resolved->cr4_fixed1 & ~own.cr4_fixed1) != 0))
		lack = "the boot CPU's fixed CR0 and CR4 bits";
	if (lack == NULL)
		return 0;
	*missing = lack;
	return -ENODEV;
}

void vt_caps_read(struct vt_caps *caps, uint64_t (*rdmsr)(void *arg, uint32_t index), void *arg)
{
	memset(caps, 0, sizeof(*caps));
	caps->basic = rdmsr(arg, 0x480);
	caps->pin = rdmsr(arg, 0x481);
	caps->proc = rdmsr(arg, 0x482);
	caps->exit = rdmsr(arg, 0x483);
	caps->entry = rdmsr(arg, 0x484);
	caps->misc = rdmsr(arg, 0x485);
	caps->cr0_fixed0 = rdmsr(arg, 0x486);
	caps->cr0_fixed1 = rdmsr(arg, 0x487);
	caps->cr4_fixed0 = rdmsr(arg, 0x488);
	caps->cr4_fixed1 = rdmsr(arg, 0x489);
	caps->vmcs_enum = rdmsr(arg, 0x48a);
	if ((caps->proc >> 32 & VT_PROC_SECONDARY) != 0)
		caps->proc2 = rdmsr(arg, 0x48b);
	if ((caps->proc2 >> 32 & (VT_PROC2_EPT | VT_PROC2_VPID)) != 0)
		caps->ept_vpid = rdmsr(arg, 0x48c);
	if ((caps->basic & VT_BASIC_TRUE_CONTROLS) == 0)
		return;
	caps->true_pin = rdmsr(arg, 0x48d);
	caps->true_proc = rdmsr(arg, 0x48e);
	caps->true_exit = rdmsr(arg, 0x48f);
	caps->true_entry = rdmsr(arg, 0x490);
}
