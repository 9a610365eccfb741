/* Order of the initialisation calls. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/initcall.h"
#include "core/string.h"

static int compare(const struct initcall *a, const struct initcall *b)
{
	if (a->stage != b->stage)
		return a->stage < b->stage ? -1 : 1;
	return strcmp(a->file, b->file);
}

void initcall_sort(const struct initcall **calls, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		const struct initcall *c = calls[i];
		size_t j = i;

		for (; j > 0 && compare(calls[j - 1], c) > 0; j--)
			calls[j] = calls[j - 1];
		calls[j] = c;
	}
}
