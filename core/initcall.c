/* Running the initialisation calls. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/initcall.h"
#include "core/panic.h"

extern const struct initcall section_initcall_start[], section_initcall_end[];

#define INITCALL_MAX 128

int initcall_run(enum initcall_stage stage)
{
	static const struct initcall *sorted[INITCALL_MAX];
	static size_t count;

	if (count == 0) {
		ASSERT(section_initcall_end - section_initcall_start <= INITCALL_MAX);
		for (const struct initcall *c = section_initcall_start; c < section_initcall_end;
		     c++)
			sorted[count++] = c;
		initcall_sort(sorted, count);
	}
	for (size_t i = 0; i < count; i++) {
		int err = sorted[i]->stage == stage ? sorted[i]->function() : 0;

		if (err)
			return err;
	}
	return 0;
}
