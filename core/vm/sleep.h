/* Sleep states of the machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Watch PM1 control: S3 is refused and hidden until the VMM can resume. Context: boot CPU,
 * start-up. */
void sleep_init(void);
