/* The MSR policy table: sorted, one row for each register that does not simply pass. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/msr_policy.h"

#define I CPU_VENDOR_INTEL
#define A CPU_VENDOR_AMD
#define B (CPU_VENDOR_INTEL | CPU_VENDOR_AMD)

#define MISC_ENABLE_NO_BTS_PEBS (UINT64_C(3) << 11) /* read-only bits */
#define MISC_ENABLE_LIMIT_CPUID (UINT64_C(1) << 22)
#define MISC_ENABLE_XD_DISABLE  (UINT64_C(1) << 34)

/* HWCR bits an operating system has business with: MonMwaitUserEn, McStatusWrEn, CpbDis,
 * EffFreqCntMwait, IRPerfEn, CpuidUserDis. */
#define HWCR_GUEST                                                                                 \
	(UINT64_C(1) << 10 | UINT64_C(1) << 18 | UINT64_C(1) << 25 | UINT64_C(1) << 26 |           \
	 UINT64_C(1) << 30 | UINT64_C(1) << 35)

/* Rows that hold always; rows that hold when a feature is shown and pass or deny both ways
 * otherwise. */
#define ROW(first, last, name, vendor, read, write, why)                                           \
	{                                                                                          \
		first, last, name, vendor, MSR_ALWAYS, FEATURE_NO, MSR_##read, MSR_##write,        \
		    MSR_##read, MSR_##write, MSR_EMU_NONE, 0, why                                  \
	}
#define ROW_EMU(first, last, name, vendor, read, write, emulation, why)                            \
	{                                                                                          \
		first, last, name, vendor, MSR_ALWAYS, FEATURE_NO, MSR_##read, MSR_##write,        \
		    MSR_##read, MSR_##write, MSR_EMU_##emulation, 0, why                           \
	}
#define ROW_MASK(first, last, name, vendor, mask, why)                                             \
	{                                                                                          \
		first, last, name, vendor, MSR_ALWAYS, FEATURE_NO, MSR_PASS, MSR_MASK, MSR_PASS,   \
		    MSR_MASK, MSR_EMU_NONE, mask, why                                              \
	}
#define ROW_IF(first, last, name, vendor, feature, why)                                            \
	{                                                                                          \
		first, last, name, vendor, MSR_IF_FEATURE, FEATURE_##feature, MSR_PASS, MSR_PASS,  \
		    MSR_DENY, MSR_DENY, MSR_EMU_NONE, 0, why                                       \
	}

/*
 * Sorted by `first`. Two rows may cover the same register only for different vendors, with the same
 * range. How a refused write looks: Intel registers that firmware locks, or that do not exist
 * without the hidden feature, give #GP as they do on a locked machine. AMD routing registers have
 * no lock on real hardware, so a #GP there would be news to the guest: writes have no effect. Reads
 * pass wherever the value is the machine's and not the VMM's.
 */
const struct msr_policy msr_policy_table[] = {
    ROW_EMU(0x10, 0x10, "IA32_TIME_STAMP_COUNTER", B, PASS, EMULATE, TSC,
	    "the guest's, and RDTSC does not exit; the VMM's clock does not follow a write"),
    ROW_EMU(0x1b, 0x1b, "IA32_APIC_BASE", B, PASS, EMULATE, APIC_BASE,
	    "the VMM follows base and x2APIC mode for its own IPIs and traps; EN stays 1"),
    ROW_EMU(0x3a, 0x3a, "IA32_FEATURE_CONTROL", I, EMULATE, DENY, FEATURE_CONTROL,
	    "locked with VMX, SMX and SGX off, as firmware without these leaves it; a locked "
	    "register gives #GP"),
    ROW_EMU(0x3b, 0x3b, "IA32_TSC_ADJUST", B, PASS, EMULATE, TSC, "as IA32_TIME_STAMP_COUNTER"),
    ROW(0x48, 0x49, "IA32_SPEC_CTRL, IA32_PRED_CMD", B, PASS, PASS, "the guest's own mitigations"),
    ROW(0x79, 0x79, "IA32_BIOS_UPDT_TRIG", I, PASS, IGNORE,
	"an update from a guest-linear address would run in the VMM's address space; the revision "
	"stays the same"),
    ROW(0x80, 0x80, "IA32_TRACE_HUB_STH_ACPIBAR_BASE", I, PASS, DENY,
	"routes a window of physical memory to the trace hub; firmware locks it"),
    ROW(0x87, 0x87, "IA32_MKTME_KEYID_PARTITIONING", I, DENY, DENY, "TME and TDX are hidden"),
    ROW(0x8c, 0x8f, "IA32_SGXLEPUBKEYHASH0", I, DENY, DENY, "SGX is hidden"),
    ROW(0x9b, 0x9b, "IA32_SMM_MONITOR_CTL", I, DENY, DENY,
	"exists with VMX or SMX only; holds MSEG's address"),
    ROW(0x10b, 0x10b, "IA32_FLUSH_CMD", I, PASS, PASS, "the guest's own mitigations"),
    ROW(0x13c, 0x13c, "MSR_FEATURE_CONFIG", I, PASS, DENY,
	"switches AES-NI off, which the VMM uses; firmware locks it"),
    {0x1a0, 0x1a0, "IA32_MISC_ENABLE", I, MSR_IF_FEATURE, FEATURE_DS, MSR_PASS, MSR_MASK,
     MSR_EMULATE, MSR_MASK, MSR_EMU_MISC_ENABLE,
     ~(MISC_ENABLE_NO_BTS_PEBS | MISC_ENABLE_LIMIT_CPUID | MISC_ENABLE_XD_DISABLE),
     "XD disable would fault the VMM's own EFER, the CPUID limit would hide leaves from the VMM; "
     "reads show BTS "
     "and PEBS unavailable when DS is hidden"},
    ROW_IF(0x1cc, 0x1d4, "IA32_FRED_RSP0", I, FRED, "FRED is hidden"),
    ROW(0x1d9, 0x1d9, "IA32_DEBUGCTL", B, PASS, PASS,
	"VT-x saves, clears and loads it with the debug controls; branch records stop at the exit"),
    ROW(0x1f2, 0x1f5, "IA32_SMRR_PHYSBASE", I, DENY, DENY,
	"SMRR and PRMRR re-route memory for SMM and SGX; #GP outside SMM"),
    ROW_EMU(0x200, 0x20f, "IA32_MTRR_PHYSBASE0", I, EMULATE, EMULATE, MTRR,
	    "the guest's copy gives the EPT types; the VMM keeps the machine's"),
    ROW_EMU(0x200, 0x20f, "MtrrVarBase0", A, PASS, EMULATE, MTRR,
	    "the VMM's region stays write-back"),
    ROW_EMU(0x210, 0x23f, "IA32_MTRR_PHYSBASE8", I, EMULATE, EMULATE, MTRR,
	    "more pairs; #GP beyond VCNT"),
    ROW_EMU(0x250, 0x250, "IA32_MTRR_FIX64K_00000", I, EMULATE, EMULATE, MTRR, "as PHYSBASE0"),
    ROW_EMU(0x250, 0x250, "MtrrFix_64K", A, PASS, EMULATE, MTRR,
	    "AMD's RdMem and WrMem bits route the first megabyte, where the VMM has a page"),
    ROW_EMU(0x258, 0x259, "IA32_MTRR_FIX16K_80000", I, EMULATE, EMULATE, MTRR, "as PHYSBASE0"),
    ROW_EMU(0x258, 0x259, "MtrrFix_16K", A, PASS, EMULATE, MTRR, "as MtrrFix_64K"),
    ROW_EMU(0x268, 0x26f, "IA32_MTRR_FIX4K_C0000", I, EMULATE, EMULATE, MTRR, "as PHYSBASE0"),
    ROW_EMU(0x268, 0x26f, "MtrrFix_4K", A, PASS, EMULATE, MTRR, "as MtrrFix_64K"),
    ROW(0x277, 0x277, "IA32_PAT", B, PASS, PASS,
	"switched by VT-x entry and exit controls; on AMD-V the guest has G_PAT"),
    ROW(0x2e0, 0x2e0, "MSR_NO_EVICT_MODE", I, PASS, DENY,
	"cache as RAM: dirty lines would never reach memory"),
    ROW_EMU(0x2ff, 0x2ff, "IA32_MTRR_DEF_TYPE", I, EMULATE, EMULATE, MTRR, "as PHYSBASE0"),
    ROW_EMU(0x2ff, 0x2ff, "MtrrDefType", A, PASS, EMULATE, MTRR,
	    "the VMM's region stays write-back"),
    ROW(0x300, 0x301, "MSR_SGXOWNEREPOCH0", I, DENY, DENY, "SGX is hidden"),
    {0x345, 0x345, "IA32_PERF_CAPABILITIES", I, MSR_IF_FEATURE, FEATURE_DS, MSR_PASS, MSR_PASS,
     MSR_EMULATE, MSR_PASS, MSR_EMU_PERF_CAPABILITIES, 0, "PEBS fields read 0 when PEBS is hidden"},
    ROW(0x38f, 0x38f, "IA32_PERF_GLOBAL_CTRL", I, PASS, PASS,
	"switched by entry and exit when PEBS is shown; otherwise counting goes on, which harms "
	"nobody"),
    ROW_IF(0x3f1, 0x3f2, "IA32_PEBS_ENABLE", I, DS,
	   "PEBS writes memory: only with PERF_GLOBAL_CTRL switched"),
    ROW_IF(0x3f6, 0x3f7, "MSR_PEBS_LD_LAT_THRESHOLD", I, DS, "as PEBS_ENABLE"),
    ROW_IF(0x480, 0x493, "IA32_VMX_BASIC", I, VMX, "VMX is hidden"),
    ROW(0x500, 0x500, "IA32_SGX_SVN_STATUS", I, DENY, DENY, "SGX is hidden"),
    ROW_IF(0x560, 0x587, "IA32_RTIT_OUTPUT_BASE", I, PT,
	   "PT writes physical memory, also in VMM mode"),
    ROW_IF(0x600, 0x600, "IA32_DS_AREA", I, DS, "as PEBS_ENABLE"),
    ROW_IF(0x6a0, 0x6a8, "IA32_U_CET", B, CET_SS, "CET passes only with its state switched"),
    ROW_IF(0x6e1, 0x6e1, "IA32_PKRS", I, PKS, "PKS passes only with its state switched"),
    {0x830, 0x830, "IA32_X2APIC_ICR", B, MSR_IF_STARTUP_ICR, FEATURE_NO, MSR_PASS, MSR_EMULATE,
     MSR_PASS, MSR_PASS, MSR_EMU_X2APIC_ICR, 0,
     "INIT and start-up messages must reach the VMM when the CPU does not report them"},
    ROW(0x981, 0x984, "IA32_TME_CAPABILITY", I, DENY, DENY,
	"TME is hidden; the activation is locked by firmware"),
    ROW_IF(0x985, 0x98a, "IA32_UINTR_RR", I, UINTR, "user interrupts write a descriptor in memory"),
    ROW_IF(0x990, 0x991, "IA32_COPY_STATUS", I, KEY_LOCKER, "Key Locker is hidden"),
    ROW(0x9fb, 0x9fb, "IA32_TME_CLEAR_SAVED_KEY", I, DENY, DENY, "TME is hidden"),
    ROW(0xc80, 0xc80, "IA32_DEBUG_INTERFACE", I, PASS, DENY,
	"opens the machine to a debugger; firmware locks it"),
    ROW_IF(0xd90, 0xd90, "IA32_BNDCFGS", I, MPX, "MPX passes only with BNDCFGS switched"),
    ROW_IF(0xd91, 0xd92, "IA32_COPY_LOCAL_TO_PLATFORM", I, KEY_LOCKER, "Key Locker is hidden"),
    ROW_IF(0xd93, 0xd93, "IA32_PASID", I, ENQCMD, "work submission needs the guest's own IOMMU"),
    {0xda0, 0xda0, "IA32_XSS", B, MSR_IF_FEATURE, FEATURE_XSAVES, MSR_PASS, MSR_EMULATE, MSR_DENY,
     MSR_DENY, MSR_EMU_XSS, 0, "only components whose state is safe to enable"},
    ROW_IF(0x1200, 0x121f, "IA32_LBR_0_INFO", I, ARCH_LBR, "would hold the VMM's branches"),
    ROW(0x1400, 0x1401, "IA32_SEAMRR_PHYS_BASE", I, DENY, DENY,
	"re-routes memory for TDX; firmware locks it"),
    ROW_IF(0x14ce, 0x14cf, "IA32_LBR_CTL", I, ARCH_LBR, "as LBR_0_INFO"),
    ROW_IF(0x1500, 0x151f, "IA32_LBR_0_FROM_IP", I, ARCH_LBR, "as LBR_0_INFO"),
    ROW_IF(0x1600, 0x161f, "IA32_LBR_0_TO_IP", I, ARCH_LBR, "as LBR_0_INFO"),
    ROW_IF(0x17d0, 0x17da, "IA32_HW_FEEDBACK_PTR", I, HFI,
	   "HFI writes physical memory at any time"),
    ROW_IF(0x1b00, 0x1b00, "IA32_UINTR_TIMER", I, UINTR, "user interrupts are hidden"),
    ROW(0x40000000, 0x400000ff, "hypervisor", B, DENY, DENY,
	"synthetic registers: a bare machine has none"),
    ROW_EMU(0xc0000080, 0xc0000080, "IA32_EFER", I, PASS, EMULATE, EFER,
	    "entry and exit controls switch it, so reads pass; writes are rare and the VMM tracks "
	    "LME for CR0.PG"),
    ROW_EMU(0xc0000080, 0xc0000080, "EFER", A, EMULATE, EMULATE, EFER,
	    "SVME must be 1 and is hidden"),
    ROW(0xc0000104, 0xc0000104, "TscRateMsr", A, DENY, DENY, "exists with SVM only"),
    ROW_IF(0xc0000105, 0xc0000106, "LWP_CFG", A, LWP, "LWP is hidden"),
    ROW_IF(0xc000010e, 0xc000010f, "LBR_SELECT", A, LBR_STACK, "would hold the VMM's branches"),
    ROW(0xc0010010, 0xc0010010, "SYSCFG", A, PASS, IGNORE,
	"switches memory routing and encryption; firmware has set it up"),
    ROW_MASK(0xc0010015, 0xc0010015, "HWCR", A, HWCR_GUEST,
	     "SMM lock, INVDWBINVD, TLB and CPUID limits stay the machine's"),
    ROW(0xc0010016, 0xc001001a, "IORR_BASE0", A, PASS, IGNORE, "IORR and TOP_MEM route memory"),
    ROW(0xc001001d, 0xc001001d, "TOP_MEM2", A, PASS, IGNORE, "routes memory"),
    ROW(0xc0010020, 0xc0010020, "PATCH_LOADER", A, PASS, IGNORE,
	"microcode: as IA32_BIOS_UPDT_TRIG"),
    ROW(0xc0010022, 0xc0010022, "MC_EXP_REDIR", A, PASS, IGNORE,
	"would take machine checks from the VMM"),
    ROW(0xc0010050, 0xc0010054, "SMI_ON_IO_TRAP_0", A, PASS, IGNORE,
	"which ports raise SMIs is firmware's"),
    ROW_EMU(0xc0010058, 0xc0010058, "MMIO_CFG_BASE", A, PASS, EMULATE, MMIO_CFG_BASE,
	    "moves PCI configuration space, in which the VMM traps pages"),
    ROW(0xc0010111, 0xc0010113, "SMM_BASE", A, PASS, IGNORE,
	"SMM_BASE, SMM_ADDR, SMM_MASK: routing; locked by firmware"),
    ROW_EMU(0xc0010114, 0xc0010114, "VM_CR", A, EMULATE, IGNORE, VM_CR,
	    "SVM looks disabled and locked"),
    ROW(0xc0010115, 0xc0010115, "IGNNE", A, PASS, PASS, "state of the FERR pin"),
    ROW(0xc0010116, 0xc0010116, "SMM_CTL", A, DENY, DENY, "write-only; #GP when SMM is locked"),
    ROW(0xc0010117, 0xc0010117, "VM_HSAVE_PA", A, DENY, DENY,
	"a physical address that VMRUN writes to; SVM is hidden"),
    ROW(0xc0010118, 0xc0010119, "SVM_KEY", A, DENY, DENY,
	"SVM_KEY and SMM_KEY: unlock VM_CR and SMM"),
    ROW(0xc001011b, 0xc001011b, "AVIC_DOORBELL", A, DENY, DENY, "exists with SVM only"),
    ROW(0xc001011e, 0xc001011e, "VM_PAGE_FLUSH", A, DENY, DENY, "exists with SEV only"),
    ROW(0xc0010130, 0xc001013f, "SEV_ES_GHCB", A, DENY, DENY,
	"SEV, SNP and RMP_BASE, RMP_END: hidden; the RMP routes and protects memory"),
    ROW_IF(0xc0011030, 0xc001103f, "IBS_FETCH_CTL", A, IBS,
	   "samples would show the VMM's addresses"),
};

const size_t msr_policy_count = sizeof(msr_policy_table) / sizeof(msr_policy_table[0]);

/* The ranges of the hardware's bitmaps; the last is AMD's only (SDM 3C 25.6.9, APM 2 15.11). */
static const struct {
	uint32_t first, last;
	uint8_t vendor;
} bitmap_ranges[] = {
    {0x0, 0x1fff, B},
    {0xc0000000, 0xc0001fff, B},
    {0xc0010000, 0xc0011fff, A},
};

#define BITMAP_RANGES (sizeof(bitmap_ranges) / sizeof(bitmap_ranges[0]))

bool msr_policy_in_bitmap(enum cpu_vendor vendor, uint32_t index)
{
	for (size_t i = 0; i < BITMAP_RANGES; i++) {
		if ((bitmap_ranges[i].vendor & vendor) != 0 && index >= bitmap_ranges[i].first &&
		    index <= bitmap_ranges[i].last)
			return true;
	}
	return false;
}

static bool condition_holds(const struct msr_policy_env *env, const struct msr_policy *row)
{
	switch (row->condition) {
	case MSR_IF_FEATURE:
		return features_shown(env->features, (enum feature_id)row->feature);
	case MSR_IF_STARTUP_ICR:
		return env->startup_icr;
	default:
		return true;
	}
}

static struct msr_verdict verdict_of(const struct msr_policy_env *env, const struct msr_policy *row)
{
	bool holds = condition_holds(env, row);
	struct msr_verdict v = {
	    .read = (enum msr_action)(holds ? row->read : row->else_read),
	    .write = (enum msr_action)(holds ? row->write : row->else_write),
	    .emulation = (enum msr_emulation)row->emulation,
	    .write_mask = row->write_mask,
	    .row = row,
	};

	return v;
}

struct msr_verdict msr_policy_find(const struct msr_policy_env *env, uint32_t index)
{
	size_t low = 0, high = msr_policy_count;

	/* low: first row that starts above index. The match is before it, among the rows with one
	 * start. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (msr_policy_table[middle].first <= index)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low > 0; low--) {
		const struct msr_policy *row = &msr_policy_table[low - 1];

		if (index > row->last)
			break;
		if ((row->vendor & env->vendor) != 0)
			return verdict_of(env, row);
	}
	return (struct msr_verdict){.read = MSR_PASS, .write = MSR_PASS};
}

void msr_policy_fill(const struct msr_policy_env *env, msr_policy_set_fn set, void *arg)
{
	for (size_t i = 0; i < msr_policy_count; i++) {
		const struct msr_policy *row = &msr_policy_table[i];
		struct msr_verdict v = verdict_of(env, row);

		if ((row->vendor & env->vendor) == 0 || (v.read == MSR_PASS && v.write == MSR_PASS))
			continue;
		for (uint32_t index = row->first; index <= row->last; index++) {
			if (msr_policy_in_bitmap(env->vendor, index))
				set(arg, index, v.read != MSR_PASS, v.write != MSR_PASS);
		}
	}
}
