/* What a benchmark measures with: pairs of RDTSC around one operation, and the median of them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "tests/guest/kernel/guest.h"

#define BENCH_SAMPLES 101u

static inline uint64_t bench_ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

extern uint64_t bench_samples[BENCH_SAMPLES];

/* Report the median of the first `count` samples as row `name`. */
void bench_report(const char *name, unsigned count);

/* Is this the row that word trace= names? */
bool bench_traced(const char *name);

/*
 * Measure a statement. `i` counts the samples. What the compiler puts around it is the same bare
 * and under the VMM, so it drops out of the difference.
 */
#define BENCH_COUNT(name, count, ...)                                                              \
	do {                                                                                       \
		bool bench_trace = bench_traced(name);                                             \
                                                                                                   \
		for (unsigned i = 0; i < (count); i++) {                                           \
			if (bench_trace && i + 1 == (count))                                       \
				__asm__ volatile("xchgw %bx, %bx"); /* stops in Bochs' debugger */ \
			uint64_t bench_begin = bench_ticks();                                      \
			__VA_ARGS__;                                                               \
			bench_samples[i] = bench_ticks() - bench_begin;                            \
		}                                                                                  \
		bench_report(name, count);                                                         \
	} while (0)
#define BENCH(name, ...) BENCH_COUNT(name, BENCH_SAMPLES, __VA_ARGS__)

/* Does this run under the VMM? The host says so: word vmm=1. */
bool bench_under_vmm(void);
/* Is the CPU Intel's? */
bool bench_is_intel(void);
/* A call to the VMM: RAX is the number, then the result; RBX, RCX, RDX go in. Only under the VMM.
 */
uint64_t bench_vmcall(uint64_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx);
/* Number of the VMM call with this name; leaves the case when there is none. */
uint64_t bench_vmcall_number(const char *name);
