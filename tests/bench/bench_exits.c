/* What causes no exit, by the VMM's own counters: MSRs that pass, CR0, CR3, CR4, and the like. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"

#define TIMES 100u

static char text[8192];
static uint64_t call;
static bool is_intel; /* asked once: CPUID exits */

/* Sum of all lines exits.cpuN.NAME=count: exits so far, those of this call with them. */
static uint64_t exits_so_far(void)
{
	uint64_t size = sizeof(text), sum = 0;

	if (is_intel)
		__asm__ volatile("vmcall"
				 : "+c"(size)
				 : "a"(call), "b"((uintptr_t)text)
				 : "memory");
	else
		__asm__ volatile("vmmcall"
				 : "+c"(size)
				 : "a"(call), "b"((uintptr_t)text)
				 : "memory");
	for (const char *s = text; s < text + size; s++) {
		bool counts = memcmp(s, "exits.", 6) == 0;
		uint64_t n = 0;

		while (s < text + size && *s != '\n' && *s++ != '=')
			;
		for (; s < text + size && *s != '\n'; s++)
			n = n * 10 + (uint64_t)(*s - '0');
		if (counts)
			sum += n;
	}
	return sum;
}

/* Tell the host what the counters hold. */
static void tell(void)
{
	exits_so_far();
	for (char *s = text, *end; *s; s = end + 1) {
		for (end = s; *end && *end != '\n'; end++)
			;
		*end = 0;
		if (memcmp(s, "exits.", 6) == 0)
			case_value("%s", s);
	}
}

/* Exits of TIMES statements. */
#define EXITS(name, want, ...)                                                                     \
	do {                                                                                       \
		uint64_t before = exits_so_far();                                                  \
                                                                                                   \
		for (unsigned i = 0; i < TIMES; i++) {                                             \
			__VA_ARGS__;                                                               \
		}                                                                                  \
		CHECK_EQ(exits_so_far() - before - 1, want, "exits of %s", name);                  \
	} while (0)

GUEST_CASE(bench_exits, "architecture.md: what exits")
{
	static const uint32_t msrs[] = {0x174,      0x175,      0x176,      0x277,
					0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
					0xc0000100, 0xc0000101, 0xc0000102};
	static const struct {
		const char *name;
		uint64_t bit;
	} cr0_bits[] = {{"MP", CR0_MP},
			{"EM", CR0_EM},
			{"TS", CR0_TS},
			{"WP", CR0_WP},
			{"AM", CR0_AM}},
	  cr4_bits[] = {{"VME", CR4_VME}, {"PVI", CR4_PVI},       {"TSD", CR4_TSD},
			{"DE", CR4_DE},   {"MCE", CR4_MCE},       {"PGE", CR4_PGE},
			{"PCE", CR4_PCE}, {"OSFXSR", CR4_OSFXSR}, {"OSXMMEXCPT", CR4_OSXMMEXCPT}};
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), value;

	if (!word_number("status", 0))
		case_skip("the VMM does not tell its counters");
	is_intel = bench_is_intel();
	call = bench_vmcall_number("get_status2");
	EXITS("CPUID", TIMES, cpuid(0, 0)); /* the counters count */
	for (unsigned k = 0; k < sizeof(msrs) / sizeof(msrs[0]); k++) {
		value = rdmsr(msrs[k]);
		EXITS("RDMSR", 0, rdmsr(msrs[k]));
		EXITS("WRMSR", 0, wrmsr(msrs[k], value));
	}
	value = rdmsr(MSR_EFER);
	EXITS("RDMSR of EFER", is_intel ? 0 : TIMES, rdmsr(MSR_EFER));
	EXITS("WRMSR of EFER", TIMES, wrmsr(MSR_EFER, value));
	for (unsigned k = 0; k < sizeof(cr0_bits) / sizeof(cr0_bits[0]); k++)
		EXITS(cr0_bits[k].name, 0, write_cr0(i & 1 ? cr0 : cr0 ^ cr0_bits[k].bit));
	write_cr0(cr0);
	EXITS("CLTS", 0, __asm__ volatile("clts"));
	EXITS("CR0 read", 0, read_cr0());
	EXITS("CR3 read", 0, read_cr3());
	EXITS("CR3 write", 0, write_cr3(cr3));
	for (unsigned k = 0; k < sizeof(cr4_bits) / sizeof(cr4_bits[0]); k++)
		EXITS(cr4_bits[k].name, 0, write_cr4(i & 1 ? cr4 : cr4 ^ cr4_bits[k].bit));
	write_cr4(cr4);
	EXITS("CR4 read", 0, read_cr4());
	EXITS("INVLPG", 0, __asm__ volatile("invlpg (%0)" : : "r"(text) : "memory"));
	EXITS("RDTSC", 0, bench_ticks());
	EXITS("UD2", 0, __asm__ volatile(TRY("ud2")); tried());
	tell();
}
