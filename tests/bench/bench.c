/* Samples and their median; calls to the VMM. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"

uint64_t bench_samples[BENCH_SAMPLES];

void bench_report(const char *name, unsigned count)
{
	uint64_t *s = bench_samples;

	for (unsigned i = 1; i < count; i++) {
		uint64_t x = s[i];
		unsigned at = i;

		for (; at > 0 && s[at - 1] > x; at--)
			s[at] = s[at - 1];
		s[at] = x;
	}
	case_value("%s %lu %lu %lu", name, s[count / 2], s[0], s[count - 1]);
}

bool bench_traced(const char *name)
{
	const char *word = word_text("trace");
	size_t n = strlen(name);

	return word && !memcmp(word, name, n) && (word[n] == ' ' || !word[n]);
}

bool bench_under_vmm(void)
{
	return word_number("vmm", 0) != 0;
}

bool bench_is_intel(void)
{
	return cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */
}

uint64_t bench_vmcall(uint64_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx)
{
	return vmm_call(number, rbx, &rcx, rdx);
}

uint64_t bench_vmcall_number(const char *name)
{
	uint64_t number = bench_vmcall(0, (uintptr_t)name, 0, 0);

	if (!number)
		case_error("no VMM call %s", name);
	return number;
}
