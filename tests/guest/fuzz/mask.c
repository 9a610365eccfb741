/* What the guest fuzzer does not compare, bare with VMM, and why. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/fuzz/fuzz.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* MSRs: rows as in Documentation/exit-reference.md, which says more. */
static const struct {
	uint32_t first, last;
	const char *reason;
} msrs[] = {
    {0x10, 0x10, "time"},
    {0x1b, 0x1b, "the VMM follows the base: reserved bits are its decision"},
    {0x3a, 0x3b, "FEATURE_CONTROL is shown locked; TSC_ADJUST"},
    {0x79, 0x80, "microcode, trace hub: writes are ignored or refused"},
    {0x87, 0x9b, "TME, SGX, SMM monitor: hidden"},
    {0xe7, 0xe8, "time: MPERF, APERF"},
    {0x13c, 0x13c, "refused: AES-NI off"},
    {0x1a0, 0x1a0, "MISC_ENABLE: bits are kept"},
    {0x1cc, 0x1d4, "FRED is hidden"},
    {0x1d9, 0x1de, "DEBUGCTL and last branches: the hypervisor instructions' own"},
    {0x1f2, 0x1f5, "SMRR, PRMRR"},
    {0x200, 0x26f, "MTRRs: the guest has its copy, or the VMM's region stays write-back"},
    {0x2e0, 0x2ff, "no-evict mode is refused; MTRR default type"},
    {0x300, 0x301, "SGX is hidden"},
    {0x345, 0x345, "PEBS is hidden"},
    {0x3f1, 0x3f7, "PEBS is hidden"},
    {0x480, 0x493, "VMX is hidden"},
    {0x500, 0x500, "SGX is hidden"},
    {0x560, 0x587, "PT is hidden"},
    {0x600, 0x600, "DS is hidden"},
    {0x6a0, 0x6a8, "CET is hidden"},
    {0x6e0, 0x6e1, "time; PKS is hidden"},
    {0x800, 0x8ff, "x2APIC: time, and start-up messages"},
    {0x981, 0x991, "TME, user interrupts, Key Locker: hidden"},
    {0x9fb, 0x9fb, "TME is hidden"},
    {0xc80, 0xc80, "debug interface: refused"},
    {0xd90, 0xda0, "MPX, Key Locker, PASID, XSS: hidden"},
    {0x1200, 0x121f, "last branches are hidden"},
    {0x1400, 0x1401, "SEAMRR"},
    {0x14ce, 0x14cf, "last branches are hidden"},
    {0x1500, 0x151f, "last branches are hidden"},
    {0x1600, 0x161f, "last branches are hidden"},
    {0x17d0, 0x17da, "HFI is hidden"},
    {0x1b00, 0x1b00, "user interrupts are hidden"},
    {0x40000000, 0x400000ff, "a hypervisor's: a bare machine has none"},
    {0xc0000080, 0xc0000080, "EFER.SVME is hidden"},
    {0xc0000104, 0xc0000106, "TSC ratio, LWP: hidden"},
    {0xc000010e, 0xc000010f, "last branches are hidden"},
    {0xc0010010, 0xc0010010, "writes are ignored: memory routing"},
    {0xc0010015, 0xc0010022, "HWCR bits are kept; IORR, TOP_MEM, microcode: ignored"},
    {0xc0010050, 0xc0010058, "SMI traps: ignored; MMIO_CFG_BASE"},
    {0xc0010111, 0xc001011e, "SMM, SVM: hidden"},
    {0xc0010130, 0xc001013f, "SEV is hidden"},
    {0xc0011030, 0xc001103f, "IBS is hidden"},
};

/* CPUID bits: as `HIDDEN` in tests/system/guest_values.py; subleaf -1 is all. */
static const struct {
	uint32_t leaf;
	int subleaf;
	uint32_t mask[4];
	const char *reason;
} leaves[] = {
    {0x1, -1, {0, 0, 0x80000074, 0x200000}, "VMX, SMX, DS, hypervisor"},
    {0x7, 0, {0, 0x2000004, 0xe0802080, 0x1c0020}, "SGX, PT, CET, TME, Key Locker, PKS"},
    {0x80000001, -1, {0, 0, 0x9404, 0}, "SVM, IBS, SKINIT, LWP"},
    {0x8000000a, -1, {~0u, ~0u, ~0u, ~0u}, "of SVM"},
    {0x8000001b, -1, {~0u, ~0u, ~0u, ~0u}, "of IBS"},
    {0x8000001f, -1, {~0u, ~0u, ~0u, ~0u}, "of SEV"},
    {0xd, 1, {~0u, ~0u, ~0u, 0}, "XSAVES"},
};

static bool port_varies(uint32_t port, unsigned size)
{
	/* reaches the data port of fw_cfg, or of PCI, whose address another CPU may have written */
	if ((port == 0x510 || port == 0xcf9) && size > 1)
		return true;
	/* time, or what another device has done since */
	return port == 0x40 || port == 0x42 || port == 0x61 || port == 0x64 || port == 0x70 ||
	       port == 0x71 || port == 0x3da || port == 0x1f7 || port < 0x10 || port == 0x2e8 ||
	       port == 0x278 || port == 0x20 || port == 0xa0;
}

bool fuzz_compared(const struct fuzz_op *op, const char **reason)
{
	*reason = NULL;
	switch ((enum fuzz_kind)op->kind) {
	case FUZZ_MSR:
		for (unsigned i = 0; i < COUNT(msrs); i++) {
			if (op->number >= msrs[i].first && op->number <= msrs[i].last)
				*reason = msrs[i].reason;
		}
		break;
	case FUZZ_IO:
		if (port_varies(op->number, op->size))
			*reason = "time, or a device's state";
		break;
	case FUZZ_PAGE:
		if (op->what == 4)
			*reason = "the firmware's data among its code";
		break;
	case FUZZ_IPI:
	case FUZZ_NMI:
	case FUZZ_START:
		*reason = "when it arrives";
		break;
	case FUZZ_VMM:
		*reason = "RAM without the VMM; with it the result is checked at once";
		break;
	default:
		if (op->varies & FUZZ_VARIES_ALL)
			*reason = "a call that the VMM answers, or one of AMD-V (#GP before #UD)";
		break;
	}
	return !*reason;
}

uint32_t fuzz_cpuid_mask(uint32_t leaf, uint32_t subleaf, unsigned reg)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < COUNT(leaves); i++) {
		if (leaves[i].leaf == leaf &&
		    (leaves[i].subleaf < 0 || (uint32_t)leaves[i].subleaf == subleaf))
			mask |= leaves[i].mask[reg];
	}
	return mask;
}
