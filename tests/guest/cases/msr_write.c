/*
 * WRMSR: what must be refused, the VMM must refuse, or its own WRMSR faults, or the next VM entry
 * fails (CVE-2014-3610). Values that are there already can be written again.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static void refused(uint32_t msr, uint64_t value, const char *name)
{
	uint64_t before, after;

	if (rdmsr_try(msr, &before) != VECTOR_NONE)
		return;
	CHECK_EQ(wrmsr_try(msr, value), VECTOR_GP, "%s %#lx", name, value);
	rdmsr_try(msr, &after);
	CHECK_EQ(after, before, "%s %#lx unchanged", name, value);
	wrmsr_try(msr, before);
}

static void taken(uint32_t msr, uint64_t value, const char *name)
{
	uint64_t before, after;

	if (rdmsr_try(msr, &before) != VECTOR_NONE)
		return;
	CHECK_EQ(wrmsr_try(msr, value), VECTOR_NONE, "%s %#lx", name, value);
	rdmsr_try(msr, &after);
	CHECK_EQ(after, value, "%s %#lx reads back", name, value);
	wrmsr_try(msr, before);
}

/* Addresses: SDM 4 table 2-2, APM 2 appendix A; must be canonical. */
static void addresses(void)
{
	static const struct {
		uint32_t msr;
		const char *name;
	} list[] = {
	    {MSR_FS_BASE, "FS_BASE"},
	    {MSR_GS_BASE, "GS_BASE"},
	    {MSR_KERNEL_GS_BASE, "KERNEL_GS_BASE"},
	    {MSR_LSTAR, "LSTAR"},
	    {0xc0000083, "CSTAR"},
	};
	static const uint64_t bad[] = {0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000,
				       0x1000000000000},
			      good[] = {0x00007fffffffffff, 0xffff800000000000, ~UINT64_C(0), 0};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		for (unsigned n = 0; n < 4; n++)
			refused(list[i].msr, bad[n], list[i].name);
		for (unsigned n = 0; n < 4; n++)
			taken(list[i].msr, good[n], list[i].name);
	}
}

/* EFER: APM 2 3.1.7, SDM 3A 2.2.1. */
static void efer(void)
{
	uint32_t ext_ecx = cpuid(0x80000001, 0).ecx, ext_edx = cpuid(0x80000001, 0).edx;
	uint64_t now = rdmsr(MSR_EFER), may = EFER_LME | EFER_LMA;

	if (ext_edx & BIT(11))
		may |= EFER_SCE;
	if (ext_edx & BIT(20))
		may |= EFER_NXE;
	if (ext_edx & BIT(25))
		may |= BIT(14); /* FFXSR */
	if (ext_ecx & BIT(2))
		may |= EFER_SVME;
	if (ext_ecx & BIT(17))
		may |= BIT(15); /* TCE */
	for (unsigned bit = 0; bit < 64; bit++) {
		/* AMD has further ones, LMSLE among them, that leaves elsewhere announce */
		if (bit == 13 || (bit >= 16 && bit <= 21) || bit == 12)
			continue;
		if (!(may >> bit & 1))
			refused(MSR_EFER, now | BIT(bit), "EFER");
		else if (!(now >> bit & 1))
			taken(MSR_EFER, now | BIT(bit), "EFER");
	}
	/* paging is on: LME stays */
	refused(MSR_EFER, now & ~EFER_LME, "EFER without LME");
	if (may & EFER_SVME)
		taken(MSR_EFER, now | EFER_SVME, "EFER SVME");
	else
		refused(MSR_EFER, now | EFER_SVME, "EFER SVME");
}

GUEST_CASE(msr_write, "SDM 2C WRMSR, SDM 4, APM 2 appendix A")
{
	uint64_t pat = rdmsr(MSR_PAT), base = rdmsr(MSR_APIC_BASE);

	addresses();
	efer();
	/* PAT: types 2, 3 and from 8 on are reserved (SDM 3A 12.12.2) */
	for (unsigned byte = 0; byte < 8; byte++) {
		static const uint8_t reserved[] = {2, 3, 8, 0x10, 0x80};

		for (unsigned n = 0; n < sizeof(reserved); n++)
			refused(MSR_PAT,
				(pat & ~(UINT64_C(0xff) << byte * 8)) | (uint64_t)reserved[n]
									    << byte * 8,
				"PAT");
	}
	taken(MSR_PAT, UINT64_C(0x0007040600010506), "PAT");
	/* IA32_APIC_BASE: bits 0 to 7 and those above the physical addresses (SDM 3A 11.4.4) */
	refused(MSR_APIC_BASE, base | 1, "APIC_BASE");
	refused(MSR_APIC_BASE, base | BIT(63), "APIC_BASE");
	refused(MSR_APIC_BASE, base | BIT(52), "APIC_BASE");
	taken(MSR_APIC_BASE, base, "APIC_BASE");
	taken(MSR_SYSENTER_CS, 8, "SYSENTER_CS");
	taken(0x175, 0x123456789000, "SYSENTER_ESP");
	taken(0x176, 0xffffffff80000000, "SYSENTER_EIP");
}
