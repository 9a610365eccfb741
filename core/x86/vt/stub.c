/* placeholder until the VT-x back end lands */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vmm_ops.h"
#include "core/errno.h"
static int probe(const char **reason)
{
	*reason = "VT-x support in this build";
	return -ENODEV;
}
const struct vmm_ops vmm_ops_vt = { .probe = probe };
