/* Sleep states of the machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Watch PM1 control: S3 goes by way of the VMM, or is refused where the VMM could not come back.
 * Context: boot CPU, start-up.
 */
void sleep_init(void);
/* The VMM could not come back from S3: why, for the user. Context: start-up, or mmio_lock() held.
 */
void sleep_cannot(const char *reason);
/*
 * Where S3 is refused, take it out of the guest's ACPI tables, which must not offer it. Once, when
 * nothing can make the VMM give up any more: without it S3 works. Context: boot CPU, after
 * sleep_init().
 */
void sleep_hide(void);
