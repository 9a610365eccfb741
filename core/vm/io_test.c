/* A trapped port for tests: the VMM call test_io of images with CONFIG_TEST_CALLS. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef CONFIG_TEST_CALLS
#include <stddef.h>
#include "core/vm/io.h"
#include "core/vm/vmcall.h"

static void nothing(void *arg, const struct io_access *io, uint32_t *value)
{
	(void)arg;
	(void)io;
	(void)value;
}

static uint64_t nothing_lean(void *arg, const struct io_access *io, uint32_t value)
{
	(void)arg;
	(void)io;
	return value;
}

/* For tests. RCX: a port, which reads as RAX was and takes nothing from now on. RBX: 1 with a lean
 * handler. RAX: 0, or an error number of include/core/errno.h. */
static void call_test_io(struct vcpu *v)
{
	io_lean lean = v->gpr[GPR_RBX] ? nothing_lean : NULL;
	int id = io_trap_lean((uint16_t)v->gpr[GPR_RCX], 1, nothing, lean, lean, NULL);

	v->gpr[GPR_RAX] = id < 0 ? (uint64_t)-id : 0;
}
VMCALL("test_io", call_test_io);
#else
typedef int io_test_empty; /* ISO C wants a declaration */
#endif
