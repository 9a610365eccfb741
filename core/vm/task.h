/* Task switches that exit: the pure core's rules on the guest's registers and memory. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/vm/taskswitch.h"
#include "core/vm/vcpu.h"

/*
 * Carries out the switch that the exiting guest asked for, and tells in *r how it went. What has to
 * be delivered next is queued: a fault, merged with the event that came to a task gate, or #DB. An
 * event that a task gate has delivered is not queued any more. Blocking of NMIs is the caller's,
 * who knows how the CPU tracks it: it is gone after a switch. Context: exit handler, outside of
 * IA-32e mode.
 */
void task_exit(struct vcpu *v, const struct task_switch *t, struct task_result *r);
