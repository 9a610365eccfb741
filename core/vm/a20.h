/* The A20 gate, which the guest must not close. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Watch port 92h and let the gate stay open: on CPUs that obey it where the VMM runs. Context: boot
 * CPU, start-up, once the vendor's init() is done.
 */
void a20_watch(void);
