/*
 * The clocks of the machine agree, as operating systems measure them at start: HPET against the
 * ACPI PM timer, and the local APIC's timer against it twice (bug class 18).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PM_HZ     3579545u /* ACPI 4.8.3.3 */
#define PM_TICKS  (PM_HZ / 20)
#define LVT_TIMER 0x320u
#define INITIAL   0x380u
#define CURRENT   0x390u
#define DIVIDE    0x3e0u

static uint16_t pm_port;
static volatile uint64_t *hpet;

static uint32_t pm(void)
{
	uint32_t value;

	__asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(pm_port));
	return value & 0xffffff;
}

/* Within `percent` of each other? */
static bool near(uint64_t a, uint64_t b, unsigned percent)
{
	return a * 100 <= b * (100 + percent) && b * 100 <= a * (100 + percent);
}

/* Ticks of the HPET and of the APIC's timer in PM_TICKS of the PM timer. */
static void measure(uint64_t *hpet_ticks, uint64_t *apic_ticks)
{
	uint32_t from = pm(), now;
	uint64_t h = hpet ? hpet[0xf0 / 8] : 0;
	uint32_t a;

	apic_write(INITIAL, 0xffffffff);
	a = apic_read(CURRENT);
	do
		now = (pm() - from) & 0xffffff;
	while (now < PM_TICKS);
	*apic_ticks = (uint64_t)(a - apic_read(CURRENT)) * PM_TICKS / now;
	*hpet_ticks = hpet ? (hpet[0xf0 / 8] - h) * PM_TICKS / now : 0;
	apic_write(INITIAL, 0);
}

GUEST_CASE(clocks, "HPET 1.0a 2.3.4 and 2.3.7, ACPI 4.8.3.3, SDM 3A 11.5.4")
{
	const uint8_t *fadt = acpi_table("FACP"), *table = acpi_table("HPET");
	uint64_t hpet_ticks, apic_ticks, again, unused;
	uint32_t port, pm_before;

	if (!fadt)
		case_skip("no FADT");
	memcpy(&port, fadt + 76, sizeof(port));
	if (!port)
		case_skip("no PM timer");
	pm_port = (uint16_t)port;
	if (table) {
		uint64_t base;

		memcpy(&base, table + 44, sizeof(base));
		hpet = (volatile uint64_t *)base;
		hpet[0x10 / 8] |= 1; /* it counts */
	}
	pm_before = pm();
	for (unsigned n = 0; n < 1000 && pm() == pm_before; n++)
		cpuid(0, 0);
	CHECK(pm() != pm_before, "PM timer counts");
	apic_write(DIVIDE, 0xb);
	apic_write(LVT_TIMER, 0x10000);
	measure(&hpet_ticks, &apic_ticks);
	measure(&unused, &again);
	CHECK(apic_ticks, "APIC timer counts");
	CHECK(near(apic_ticks, again, 10), "APIC timer twice");
	if (hpet) {
		uint64_t period = hpet[0] >> 32, want; /* femtoseconds */

		CHECK(period && period <= 100000000, "HPET period");
		want = UINT64_C(1000000000000000) / period * PM_TICKS / PM_HZ;
		CHECK(near(hpet_ticks, want, 10), "HPET against PM timer");
	}
}
