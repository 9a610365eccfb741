/* The requirement table of SVM, and its resolution against one CPU. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/svm/controls.h"
#include "core/errno.h"
#include "core/string.h"
#include "core/vm/features.h"
#include "core/x86/svm/vmcb.h"

#define EXCEPTION_SX 30 /* with VM_CR.R_INIT an INIT arrives as this */

/*
 * Exits that always are on. VMRUN must be (APM 2 15.5.1); the other SVM instructions are hidden and
 * get their #UD from the VMM. XSETBV guards XCR0; INVD becomes WBINVD. CR0 never exits: VMRUN loads
 * the guest's CD and #VMEXIT the host's, so caching follows by itself, and a selective intercept
 * would exit on every change of PE as well (APM 2 15.9).
 */
static const uint16_t must_exit[] = {
    SVM_EXIT_NMI,    SVM_EXIT_CPUID,    SVM_EXIT_INVD,  SVM_EXIT_INVLPGA,
    SVM_EXIT_MSR,    SVM_EXIT_SHUTDOWN, SVM_EXIT_VMRUN, SVM_EXIT_VMMCALL,
    SVM_EXIT_VMLOAD, SVM_EXIT_VMSAVE,   SVM_EXIT_STGI,  SVM_EXIT_CLGI,
    SVM_EXIT_SKINIT, SVM_EXIT_XSETBV,   SVM_EXIT_EXCP1, SVM_EXIT_EXCP17,
};

static void intercept_set(struct svm_controls *out, unsigned int code)
{
	out->intercept[SVM_INTERCEPT_WORD(code)] |= SVM_INTERCEPT_BIT(code);
}

static const char *lack_of(const struct svm_caps *caps)
{
	if (!caps->svm)
		return "AMD-V";
	if ((caps->vm_cr & SVM_VM_CR_SVMDIS) != 0)
		return "AMD-V (disabled by the firmware)";
	if ((caps->features & SVM_FEATURE_NP) == 0)
		return "nested paging";
	if (caps->asids < 2) /* ASID 0 is the host's */
		return "ASID";
	return NULL;
}

int svm_controls_resolve(const struct svm_caps *caps, const struct svm_wants *wants,
			 struct svm_controls *out, const char **missing)
{
	const char *lack = lack_of(caps);

	memset(out, 0, sizeof(*out));
	if (lack != NULL) {
		*missing = lack;
		return -ENODEV;
	}
	for (size_t i = 0; i < sizeof(must_exit) / sizeof(must_exit[0]); i++)
		intercept_set(out, must_exit[i]);
	if (wants->io)
		intercept_set(out, SVM_EXIT_IOIO);
	if (wants->r_init)
		intercept_set(out, SVM_EXIT_EXCP0 + EXCEPTION_SX);
	out->nrips = (caps->features & SVM_FEATURE_NRIPS) != 0;
	out->decode_assists = (caps->features & SVM_FEATURE_DECODE_ASSISTS) != 0;
	out->flush_by_asid = (caps->features & SVM_FEATURE_FLUSH_BY_ASID) != 0;
	out->lbr = (caps->features & SVM_FEATURE_LBR) != 0;
	out->sss = (caps->features & SVM_FEATURE_SSS) != 0;
	if (caps->features & SVM_FEATURE_VMCB_CLEAN)
		out->clean = out->sss ? SVM_CLEAN_ALL : SVM_CLEAN_ALL & ~SVM_CLEAN_CET;
	/* These run in an SVM guest without any control; the LBR stack has no documented switch of
	 * its own. */
	out->needs = FEATURE_NEED_BIT(FEATURE_NEED_RDTSCP) |
		     FEATURE_NEED_BIT(FEATURE_NEED_INVPCID) | FEATURE_NEED_BIT(FEATURE_NEED_XSAVES);
	if (out->sss)
		out->needs |= FEATURE_NEED_BIT(FEATURE_NEED_CET_STATE);
	return 0;
}
