/* What causes no exit, by the VMM's own counters: MSRs that pass, CR0, CR3, CR4, and the like. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"

#define TIMES   100u
#define CR4_TSD BIT(2)

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
	static const uint32_t msrs[] = {0x174,      0x175,      0x176,      0x277,     0xc0000081,
					0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102};
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
	EXITS("CR0.TS", 0, write_cr0(i & 1 ? cr0 : cr0 ^ CR0_TS));
	EXITS("CR0.WP", 0, write_cr0(i & 1 ? cr0 : cr0 ^ CR0_WP));
	EXITS("CR0.AM", 0, write_cr0(i & 1 ? cr0 : cr0 ^ CR0_AM));
	write_cr0(cr0);
	EXITS("CLTS", 0, __asm__ volatile("clts"));
	EXITS("CR0 read", 0, read_cr0());
	EXITS("CR3 read", 0, read_cr3());
	EXITS("CR3 write", 0, write_cr3(cr3));
	EXITS("CR4.PGE", 0, write_cr4(i & 1 ? cr4 : cr4 ^ CR4_PGE));
	EXITS("CR4.TSD", 0, write_cr4(i & 1 ? cr4 : cr4 ^ CR4_TSD));
	write_cr4(cr4);
	EXITS("CR4 read", 0, read_cr4());
	EXITS("INVLPG", 0, __asm__ volatile("invlpg (%0)" : : "r"(text) : "memory"));
	EXITS("RDTSC", 0, bench_ticks());
	EXITS("UD2", 0, __asm__ volatile(TRY("ud2")); tried());
	tell();
}
