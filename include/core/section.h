/* Registries: const records that the linker collects; the section's name is the registry's. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Put a const record into registry `name`; its array is section_<name>_start .. section_<name>_end.
 */
#define SECTION_RECORD(name) __attribute__((used, section(".section." #name), aligned(8)))
