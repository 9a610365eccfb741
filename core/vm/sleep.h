/* Sleep states of the machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Watch PM1 control: S3 is refused until the VMM can resume. Context: boot CPU, start-up. */
void sleep_init(void);
/*
 * Take S3 out of the guest's ACPI tables, which must not offer what is refused. Once, when nothing
 * can make the VMM give up any more: without it S3 works. Context: boot CPU, after sleep_init().
 */
void sleep_hide(void);
