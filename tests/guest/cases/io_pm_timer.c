/*
 * The ACPI PM timer, which the VMM uses as its clock as well: reads of every size agree, it moves
 * forward modulo 24 or 32 bits on every CPU, and the VMM's own reads disturb nobody's.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define READS 2000u

static uint16_t port;
static uint32_t mask;
static volatile uint32_t backwards;

static void watch(void *arg)
{
	uint32_t last = inl(port) & mask;

	(void)arg;
	for (unsigned n = 0; n < READS; n++) {
		uint32_t now = inl(port) & mask;

		if (((now - last) & mask) > mask / 2)
			__atomic_add_fetch(&backwards, 1, __ATOMIC_SEQ_CST);
		last = now;
	}
}

GUEST_CASE(io_pm_timer, "ACPI 4.8.3.3")
{
	const uint8_t *fadt = acpi_table("FACP");
	uint32_t block = 0, flags;

	if (fadt)
		memcpy(&block, fadt + 76, sizeof(block));
	if (!block)
		case_skip("no PM timer");
	memcpy(&flags, fadt + 112, sizeof(flags));
	port = (uint16_t)block;
	mask = flags & BIT(8) ? 0xffffffff : 0xffffff;
	backwards = 0;
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		cpu_start(cpu, watch, NULL);
	watch(NULL);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		cpu_wait(cpu);
	CHECK_EQ(backwards, 0, "backwards");
	/* without 32 bits the high byte is 0 */
	CHECK_EQ(inl(port) & ~mask, 0, "bits beyond");
}
