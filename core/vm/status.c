/* The status text: what the VMM has done so far, one key=value a line (VMM call get_status2). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/status.h"
#include "core/config.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "core/start.h"
#include "core/vm/gmem.h"
#include "core/vm/nested.h"
#include "core/vm/vmcall.h"
#include "core/vmm_ops.h"
#include "core/x86/percpu.h"

#define LINE_MAX 160

extern const struct status_part section_status_start[], section_status_end[];

void status_printf(struct status *s, const char *format, ...)
{
	char line[LINE_MAX];
	va_list ap;

	va_start(ap, format);
	uint64_t n = (uint64_t)log_vsnprintf(line, sizeof(line), format, ap);

	va_end(ap);
	if (n >= sizeof(line))
		n = sizeof(line) - 1;
	if (s->length + n <= s->size && !s->fault)
		s->fault = gmem_write_linear(s->v, GVA(s->to.a + s->length), line, n) != 0;
	s->length += n;
}

void status_exits(struct status *s, const struct status_exit *exits, unsigned count,
		  uint32_t (*row)(int16_t number))
{
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		for (unsigned i = 0; i < count; i++) {
			uint32_t r = row(exits[i].number), n;

			if (r == STATUS_NO_ROW)
				continue;
			n = __atomic_load_n(&cpus[cpu]->vcpu.exit_count[r], __ATOMIC_RELAXED);
			if (n)
				status_printf(s, "exits.cpu%u.%s=%u\n", cpu, exits[i].name, n);
		}
	}
}

static void print_machine(struct status *s)
{
	struct nested_use use;
	uint64_t refused = 0;

	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		refused += cpus[cpu]->vcpu.refused_writes;
	nested_use(&use);
	status_printf(s, "vendor=%s\ncpus=%u\n", vmm_ops->name, cpu_count);
	status_printf(s, "memory.size=%lu\nmemory.free=%lu\n", region_size,
		      pages_available() * PAGE_SIZE);
	status_printf(s, "nested.tables=%u\nnested.splits=%u\n", use.tables, use.splits);
	status_printf(s, "refused_writes=%lu\n", refused);
}
STATUS(print_machine);

/*
 * RBX: buffer (linear), RCX: its size. RCX: length of the text; RAX: 0 copied, 1 too small, or not
 * to be written. Without vmm.status=1 no register changes: programs of all rights can call.
 */
static void call_get_status2(struct vcpu *v)
{
	struct status s = {.v = v, .to = GVA(v->gpr[GPR_RBX]), .size = v->gpr[GPR_RCX]};

	if (!start_config()->status)
		return;
	for (const struct status_part *p = section_status_start; p < section_status_end; p++)
		p->print(&s);
	v->gpr[GPR_RCX] = s.length;
	v->gpr[GPR_RAX] = s.fault || s.length > s.size;
}
VMCALL("get_status2", call_get_status2);
