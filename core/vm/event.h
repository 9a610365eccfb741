/* Events on top of events: what an exception becomes that is raised while another event is being
 * delivered. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"

enum event_verdict {
	EVENT_DELIVER, /* *out goes to the guest */
	EVENT_SHUTDOWN /* the CPU would enter shutdown: "triple fault" */
};

/* Is an exception with this vector a fault: its frame names the instruction, with RF set? #DB may
 * be one, and counts as trap. Context: any. */
bool event_is_fault(uint8_t vector);
/* Exceptions that push an error code in protected mode (SDM 3A table 6-1); real mode pushes none.
 */
bool event_has_error(uint8_t vector);
/*
 * `second` is an exception that occurred during the delivery of `first`. Sets *out to what the
 * guest gets: #DF(0) where the two cannot be handled one after the other, else `second`, with EXT
 * in a selector error code when `first` came from outside of the program (SDM 3A table 6-5 and
 * 6.13, APM 2 8.2.9).
 *
 * Handled "serially" means that `first` is gone: an external interrupt has been acknowledged, and
 * no CPU keeps it over a fault of its delivery (SDM 3C 31.7.1.1: handle nested events as a physical
 * processor would, and reflect the exception whenever the first event is no hardware exception).
 * An exception comes again by itself when its instruction runs again.
 */
enum event_verdict event_merge(const struct event *first, const struct event *second,
			       struct event *out);
