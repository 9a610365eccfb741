/* Prints the MSR policy table as rows of Markdown, for the exit reference. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include "core/vm/msr_policy.h"

static const char *action(unsigned what)
{
	static const char *const names[] = {
	    [MSR_PASS] = "pass", [MSR_EMULATE] = "emulate", [MSR_DENY] = "#GP",
	    [MSR_ZERO] = "0",    [MSR_IGNORE] = "ignore",   [MSR_MASK] = "mask",
	};

	return what < sizeof(names) / sizeof(names[0]) && names[what] ? names[what] : "?";
}

/* A table cell: these would end it, or be markup. */
static void cell(const char *text)
{
	for (; *text; text++) {
		if (strchr("|*_<", *text))
			putchar('\\');
		putchar(*text);
	}
}

int main(void)
{
	for (size_t i = 0; i < msr_policy_count; i++) {
		const struct msr_policy *p = &msr_policy_table[i];
		bool is_conditional = p->condition != MSR_ALWAYS;

		printf("| %#x", p->first);
		if (p->last != p->first)
			printf(" to %#x", p->last);
		printf(" | ");
		cell(p->name);
		printf(" | %s | ", p->vendor == CPU_VENDOR_INTEL ? "Intel"
				   : p->vendor == CPU_VENDOR_AMD ? "AMD"
								 : "both");
		if (p->condition == MSR_IF_FEATURE)
			cell(features_table[p->feature].name);
		else if (p->condition == MSR_IF_STARTUP_ICR)
			printf("start-up by ICR");
		printf(" | %s", action(p->read));
		if (is_conditional && p->else_read != p->read)
			printf(", else %s", action(p->else_read));
		printf(" | %s", action(p->write));
		if (p->write == MSR_MASK)
			printf(" %#llx", (unsigned long long)p->write_mask);
		if (is_conditional && p->else_write != p->write)
			printf(", else %s", action(p->else_write));
		printf(" | ");
		cell(p->why);
		printf(" |\n");
	}
	return 0;
}
