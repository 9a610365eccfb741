/* Audits of the debug image: the flush debt, and the VMM calls that break rules on purpose. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/audit.h"
#include "core/cas.h"
#include <stddef.h>
#include "core/boot.h"
#include "core/x86/percpu.h"

static uint64_t taken; /* atomic: rights taken so far */
static uint64_t due;   /* atomic: those that every CPU must have flushed by now */

static struct {
	uint64_t took;    /* number of the last right that this CPU took */
	uint64_t flushed; /* `taken` before its last flush */
} account[BOOT_MAX_CPUS];

static void raise_due(uint64_t number)
{
	uint64_t now = __atomic_load_n(&due, __ATOMIC_SEQ_CST);

	while (now < number && cas64(&due, &now, number))
		;
}

void audit_taken(void *arg)
{
	uint64_t number = __atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
	const struct cpu *cpu = cpu_current();

	(void)arg;
	if (cpu)
		account[cpu->index].took = number;
	else /* start-up: no CPU has entered its guest */
		raise_due(number);
}

void audit_flushed(void)
{
	account[this_cpu()->index].flushed = __atomic_load_n(&taken, __ATOMIC_SEQ_CST);
}

uint64_t audit_debt(void)
{
	uint32_t index = this_cpu()->index;
	uint64_t owed;

	raise_due(account[index].took);
	owed = __atomic_load_n(&due, __ATOMIC_SEQ_CST);
	return owed > account[index].flushed ? owed - account[index].flushed : 0;
}

#ifdef CONFIG_TEST_CALLS
#include "core/mm/pages.h"
#include "core/mm/pgtable.h"
#include "core/vm/nested.h"
#include "core/vm/vmcall.h"
#include "core/vmm_ops.h"

#define ROM_PAGE UINT64_C(0xf0000) /* the guest does not write there once it has booted */

/* For tests: RBX 1 takes the right to write to a page and flushes on this CPU only, 0 takes that to
 * execute as well and flushes nowhere. */
static void call_test_flush(struct vcpu *v)
{
	struct pt tables = {
	    .format = vmm_ops->nested_format,
	    .root = nested_root(),
	    .max_leaf_level = 1,
	    .alloc = pages_table_alloc,
	    .free = pages_table_free,
	    .at = pages_table_at,
	    .taken = audit_taken,
	};

	v->gpr[GPR_RAX] = 0;
	pt_map(&tables, ROM_PAGE, ROM_PAGE, PAGE_SIZE, v->gpr[GPR_RBX] ? PT_RX : PT_R, PT_WB);
	if (v->gpr[GPR_RBX])
		vmm_ops->flush(v);
}
VMCALL("test_flush", call_test_flush);
#endif
