/* Resetting the machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Reset: ACPI reset register where the FADT names one, port CF9h, keyboard controller, triple
 * fault. */
_Noreturn void reset_machine(void);
