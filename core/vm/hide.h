/* ACPI tables that the guest must not find. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Remember all tables of this signature. Context: start-up (INITCALL_DRIVERS). */
void hide_table(const char signature[4]);
/* Make the remembered ones unfindable. Context: no CPU can leave the VMM any more. */
void hide_apply(void);
