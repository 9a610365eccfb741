/* The TSC against the PM timer, twice, as Windows calibrates it: the same both times, with exits
 * all the while as without them (bug class 18). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PM_HZ    3579545u /* ACPI 4.8.3.3 */
#define PM_TICKS (PM_HZ / 20)

static uint16_t port;

static uint32_t pm(void)
{
	return inl(port) & 0xffffff;
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* TSC ticks in PM_TICKS. */
static uint64_t measure(bool exits)
{
	uint64_t t;
	uint32_t from = pm(), now;

	do
		now = pm();
	while (now == from);
	from = now;
	t = tsc();
	do {
		if (exits)
			cpuid(0xd, 1);
		now = (pm() - from) & 0xffffff;
	} while (now < PM_TICKS);
	return (tsc() - t) * PM_TICKS / now;
}

static bool near(uint64_t a, uint64_t b, unsigned percent)
{
	return a * 100 <= b * (100 + percent) && b * 100 <= a * (100 + percent);
}

GUEST_CASE(clock_tsc, "ACPI 4.8.3.3, SDM 3B 18.17")
{
	const uint8_t *fadt = acpi_table("FACP");
	uint32_t word = 0;
	uint64_t first, second, third;

	if (fadt)
		memcpy(&word, fadt + 76, sizeof(word));
	if (!word)
		case_skip("no PM timer");
	port = (uint16_t)word;
	first = measure(false);
	second = measure(false);
	third = measure(true);
	CHECK(first > PM_TICKS / 100, "the TSC counts");
	CHECK(near(first, second, 10), "twice");
	CHECK(near(first, third, 10), "with exits");
}
