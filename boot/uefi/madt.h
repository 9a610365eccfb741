/* Number of CPUs in the ACPI MADT, for firmware without MP services (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * Enabled CPUs in a MADT of `size` bytes, header included: local APIC and local x2APIC structures
 * with the flag "Enabled" (ACPI 6.5, sections 5.2.12.2 and 5.2.12.12). 0 when it is no MADT. A
 * damaged end is ignored.
 */
uint32_t madt_cpu_count(const void *table, size_t size);
