/* For real machines: cycles of CPUID leaf 0, as a guest's program sees them; the smallest so far.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	uint64_t least = UINT64_MAX;

	for (unsigned long i = 0; i < rounds; i++) {
		uint32_t a = 0, b, c = 0, d;
		uint64_t begin = tsc();

		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));

		uint64_t cycles = tsc() - begin;

		if (cycles < least) {
			least = cycles;
			printf("%llu\n", (unsigned long long)cycles);
		}
	}
	return 0;
}
