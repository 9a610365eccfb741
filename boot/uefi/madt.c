/* Number of CPUs in the ACPI MADT, for firmware without MP services (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/madt.h"
#include "core/string.h"

#define MADT_FIRST     44 /* offset of the first structure, ACPI 6.5, table 5.19 */
#define LOCAL_APIC     0
#define LOCAL_X2APIC   9
#define CPU_IS_ENABLED 1

uint32_t madt_cpu_count(const void *table, size_t size)
{
	const uint8_t *p = table;
	uint32_t count = 0;
	if (size < MADT_FIRST || memcmp(p, "APIC", 4) != 0)
		return 0;
	for (size_t at = MADT_FIRST; size - at >= 2; at += p[at + 1]) {
		size_t length = p[at + 1];
		if (length < 2 || length > size - at)
			break;
		if (p[at] == LOCAL_APIC && length >= 8)
			count += p[at + 4] & CPU_IS_ENABLED;
		else if (p[at] == LOCAL_X2APIC && length >= 16)
			count += p[at + 8] & CPU_IS_ENABLED;
	}
	return count;
}
