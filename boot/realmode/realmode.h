/* The guest's first code on a BIOS machine: hooks of the BIOS, and the boot sector. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include "core/boot.h"

struct vcpu_state;

#define REALMODE_BYTES                                                                             \
	0x3000u /* of base memory: one page for starting CPUs, two for the hooks and the map */

/*
 * Take REALMODE_BYTES below the top of base memory: sets bi->low_base, reserves it in the map and
 * lowers the BIOS's own count. 0 or negative errno. Context: boot CPU, low memory addressable at
 * its address.
 */
int realmode_reserve(struct boot_info *bi);
/* Put the code there and make the state in which the guest begins. Context: boot CPU, start_init()
 * done. */
void realmode_guest_state(struct vcpu_state *s);
/*
 * Go on without a VMM: put the code there and run it natively, with the memory map in `bi`.
 * Context: boot CPU, nothing of VMX or SVM on, no other CPU started.
 */
_Noreturn void realmode_continue_native(const struct boot_info *bi);
