/* The status text: what the VMM has done so far, one key=value a line (VMM call get_status2). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include "core/addr.h"
#include "core/section.h"
#include "core/vm/vcpu.h"

/* The text while it is made; it goes to the guest's buffer piece by piece. */
struct status {
	struct vcpu *v; /* who asks */
	gva_t to;
	uint64_t size, length; /* of the buffer; of the text so far */
	bool fault;            /* the buffer cannot be written */
};

/* A part of the text: `print` is called once for each request. Context: exit handler, any CPU. */
struct status_part {
	void (*print)(struct status *s);
};

#define STATUS(print_)                                                                             \
	static const struct status_part status_##print_ SECTION_RECORD(status) = {.print = print_}

/* Add to the text; whole lines of less than 160 characters. Context: a part's `print`. */
void status_printf(struct status *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Exits of a vendor by name: `number` is the manual's. */
struct status_exit {
	int16_t number;
	const char *name;
};

#define STATUS_NO_ROW UINT32_MAX

/*
 * Lines exits.cpuN.NAME=count for all CPUs and all exits that have been; `row` leads from a number
 * to the index in struct vcpu.exit_count, or to STATUS_NO_ROW. Context: a part's `print`.
 */
void status_exits(struct status *s, const struct status_exit *exits, unsigned count,
		  uint32_t (*row)(int16_t number));
