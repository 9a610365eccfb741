/* Instructions of the CPU: CPUID, MSRs, control registers, calls, exceptions. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"

#define MSR_FEATURE_CONTROL 0x3au
#define MSR_MISC_ENABLE     0x1a0u
#define MSR_MTRR_FIX64K     0x250u
#define MSR_VM_CR           0xc0010114u
#define MSR_MTRR_PHYSBASE0  0x200u
#define MSR_MTRRCAP         0xfeu
#define MSR_MTRR_DEF_TYPE   0x2ffu
#define MTRR_MASK_V         BIT(11)
#define MTRR_DEF_TYPE_E     BIT(11)
#define MTRR_ELSEWHERE      UINT64_C(0xe00000000) /* 56 GiB */
#define MTRR_IN_RAM         UINT64_C(0x2005000)
#define CPUID1_XSAVE        BIT(26)

static void measure_cpuid(void)
{
	BENCH("cpuid-0", cpuid(0, 0));
	BENCH("cpuid-1", cpuid(1, 0));
	BENCH("cpuid-7", cpuid(7, 0));
	BENCH("cpuid-d", cpuid(0xd, 0));
	BENCH("cpuid-80000001", cpuid(0x80000001, 0));
	BENCH("cpuid-80000002", cpuid(0x80000002, 0));
}

/* SYSENTER_CS: nobody's business but the guest's. EFER: written with what it holds. */
static void measure_msrs(void)
{
	uint64_t efer = rdmsr(MSR_EFER), base = rdmsr(MSR_MTRR_PHYSBASE0),
		 apic = rdmsr(MSR_APIC_BASE);

	BENCH("rdmsr-sysenter-cs", rdmsr(MSR_SYSENTER_CS));
	BENCH("wrmsr-sysenter-cs", wrmsr(MSR_SYSENTER_CS, 8));
	BENCH("rdmsr-efer", rdmsr(MSR_EFER));
	BENCH("wrmsr-efer-same", wrmsr(MSR_EFER, efer));
	BENCH("rdmsr-mtrr", rdmsr(MSR_MTRR_PHYSBASE0));
	BENCH("rdmsr-mtrr-fixed", rdmsr(MSR_MTRR_FIX64K));
	BENCH("rdmsr-mtrr-def-type", rdmsr(MSR_MTRR_DEF_TYPE));
	BENCH("wrmsr-mtrr-same", wrmsr(MSR_MTRR_PHYSBASE0, base));
	BENCH("rdmsr-apic-base", rdmsr(MSR_APIC_BASE));
	BENCH("wrmsr-apic-base-same", wrmsr(MSR_APIC_BASE, apic));
	if (bench_is_intel()) {
		BENCH("rdmsr-feature-control", rdmsr(MSR_FEATURE_CONTROL));
		BENCH("rdmsr-misc-enable", rdmsr(MSR_MISC_ENABLE));
	} else {
		BENCH("rdmsr-vm-cr", rdmsr(MSR_VM_CR));
	}
}

/*
 * A register that is not in use, all of them off and on, and one page that is uncached and is not,
 * where nothing is, and in RAM. Under EPT memory types follow.
 */
static void measure_mtrrs(void)
{
	uint32_t last = MSR_MTRR_PHYSBASE0 + 2 * ((uint32_t)rdmsr(MSR_MTRRCAP) & 0xff) - 2;
	uint64_t base = rdmsr(last), mask = rdmsr(last + 1), all = rdmsr(MSR_MTRR_DEF_TYPE);

	uint64_t one_page =
	    ((UINT64_C(1) << (cpuid(0x80000008, 0).eax & 0xff)) - 1) & ~UINT64_C(0xfff);

	if (mask & MTRR_MASK_V)
		return;
	BENCH_COUNT("wrmsr-mtrr-unused", 9, wrmsr(last, i & 1 ? base : base ^ 1));
	BENCH_COUNT("wrmsr-mtrr-def-type", 9,
		    wrmsr(MSR_MTRR_DEF_TYPE, i & 1 ? all : all ^ MTRR_DEF_TYPE_E));
	wrmsr(MSR_MTRR_DEF_TYPE, all);
	wrmsr(last, MTRR_ELSEWHERE);
	BENCH_COUNT("wrmsr-mtrr-elsewhere", 9,
		    wrmsr(last + 1, one_page | (i & 1 ? 0 : MTRR_MASK_V)));
	wrmsr(last + 1, 0);
	wrmsr(last, MTRR_IN_RAM);
	BENCH_COUNT("wrmsr-mtrr-ram", 9, wrmsr(last + 1, one_page | (i & 1 ? 0 : MTRR_MASK_V)));
	wrmsr(last + 1, mask);
	wrmsr(last, base);
}

static void measure_control_registers(void)
{
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();

	BENCH("cr0-read", read_cr0());
	BENCH("cr0-same", write_cr0(cr0));
	BENCH("cr0-ts", write_cr0(i & 1 ? cr0 : cr0 | CR0_TS));
	BENCH("cr0-wp", write_cr0(i & 1 ? cr0 : cr0 ^ CR0_WP));
	write_cr0(cr0);
	if (bench_is_intel()) { /* where they exit */
		BENCH("cr0-ne", write_cr0(i & 1 ? cr0 : cr0 ^ CR0_NE));
		BENCH("cr0-cd", write_cr0(i & 1 ? cr0 : cr0 | CR0_CD));
		write_cr0(cr0);
	}
	BENCH("clts", __asm__ volatile("clts"));
	BENCH("cr3-read", read_cr3());
	BENCH("cr3-same", write_cr3(cr3));
	BENCH("cr4-same", write_cr4(cr4));
	BENCH("cr4-pge", write_cr4(i & 1 ? cr4 : cr4 ^ CR4_PGE));
	BENCH("cr4-tsd", write_cr4(i & 1 ? cr4 : cr4 ^ CR4_TSD));
	write_cr4(cr4);
	BENCH("dr7-same", write_dr7(DR7_CLEAR));
}

static void measure_xsetbv(void)
{
	uint64_t cr4 = read_cr4();
	uint32_t low, high;

	if (!(cpuid(1, 0).ecx & CPUID1_XSAVE))
		return;
	write_cr4(cr4 | CR4_OSXSAVE);
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	BENCH("xsetbv-same", __asm__ volatile("xsetbv" : : "a"(low), "d"(high), "c"(0)));
	write_cr4(cr4);
}

static bool pass_by(struct frame *f)
{
	(void)f;
	return true; /* INT3 is a trap: RIP is behind it */
}

/* #DB behind an instruction that is stepped over; the next one is not. */
static bool step_over(struct frame *f)
{
	f->rflags &= ~(uint64_t)RFLAGS_TF;
	return true;
}

/* A call that does not exist. Without the VMM there is nobody to call: nothing stands in its place.
 */
static void measure_call(void)
{
	if (!bench_under_vmm())
		BENCH("vmcall", __asm__ volatile("" : : "a"(UINT32_MAX)));
	else if (bench_is_intel())
		BENCH("vmcall", __asm__ volatile("vmcall" : : "a"(UINT32_MAX)));
	else
		BENCH("vmcall", __asm__ volatile("vmmcall" : : "a"(UINT32_MAX)));
}

GUEST_CASE(bench_cpu, "")
{
	static uint8_t byte;

	BENCH("nothing", (void)0);
	measure_cpuid();
	measure_msrs();
	measure_mtrrs();
	measure_control_registers();
	measure_xsetbv();
	BENCH("rdtsc", bench_ticks());
	BENCH("invlpg", __asm__ volatile("invlpg %0" : : "m"(byte) : "memory"));
	BENCH("wbinvd", __asm__ volatile("wbinvd" : : : "memory"));
	BENCH("invd", __asm__ volatile("invd" : : : "memory"));
	trap_set(VECTOR_BP, pass_by);
	trap_set(VECTOR_DB, step_over);
	BENCH("exception-bp", __asm__ volatile("int3"));
	BENCH("exception-db", __asm__ volatile("pushf; pushf; orl $0x100, (%%rsp); popf; nop; popf"
					       :
					       :
					       : "memory", "cc"));
	trap_set(VECTOR_BP, NULL);
	trap_set(VECTOR_DB, NULL);
	BENCH("exception-ud", __asm__ volatile(TRY("ud2")));
	BENCH("exception-pf", __asm__ volatile(TRY("movb (%0), %%al")
					       :
					       : "r"(BIT(36))
					       : "rax", "memory"));
	tried();
	measure_call();
}
