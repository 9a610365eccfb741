/*
 * Which of the calls that word names= lists this VMM has: the host knows which it should. The calls
 * behind them are none.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(vmm_calls, "the VMM's promise: Documentation/threat-model.md")
{
	const char *s = word_text("names");
	uint64_t unused = 0, number, known = 0, last = 0;

	if (!s)
		case_skip("the names are not on the command line: test_guest_alone.py");
	vmm_only("asks the VMM");
	while (*s && *s != ' ') {
		static char name[64];
		size_t n = 0;

		while (*s && *s != ' ' && *s != ',' && n < sizeof(name) - 1)
			name[n++] = *s++;
		name[n] = 0;
		s += *s == ',';
		number = vmm_call(0, (uintptr_t)name, &unused, 0);
		case_value("%s %lu", name, number);
		known += number != 0;
		last = number > last ? number : last;
	}
	CHECK_EQ(known, last, "calls that have no name here");
	for (number = last + 1; number < last + 32; number++)
		CHECK_EQ(vmm_call(number, 0, &unused, 0), 0, "a call behind the last");
}
