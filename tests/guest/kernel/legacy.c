/* Snippets in the modes that exist without long mode only. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

void legacy_run(struct snippet *s, uint32_t base, uint32_t stack)
{
	(void)base;
	(void)stack;
	case_error("mode %s is missing", mode_name[s->mode]);
}
