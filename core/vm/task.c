/* Task switches that exit: the pure core's rules on the guest's registers and memory. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/task.h"
#include "core/mm/pages.h"
#include "core/string.h"
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"

#define PDPTE_P        UINT64_C(1)
#define PDPTE_RESERVED UINT64_C(0x1e6) /* SDM 3A table 4-8; and all beyond the physical address */

struct space {
	struct gwalk_cpu cpu;
	uint64_t pdpte[4];
};

static bool translate(const struct space *s, uint64_t la, bool write, bool implicit, bool update,
		      gpa_t *gpa, struct task_fault *f)
{
	struct gwalk_out out;
	int err = gmem_walk_as(&s->cpu, GVA(la), write ? GWALK_WRITE : GWALK_READ, implicit, update,
			       &out);

	*gpa = out.gpa;
	if (err == 0)
		return true;
	/* page tables where there is no memory read as ones, reserved bits included */
	*f = (struct task_fault){
	    .vector = VECTOR_PF,
	    .error = err == GWALK_FAULT ? out.error_code
					: GWALK_PF_P | GWALK_PF_RSVD | (write ? GWALK_PF_W : 0),
	    .cr2 = la,
	};
	return false;
}

static unsigned part_of(uint64_t la, unsigned n)
{
	uint64_t part = PAGE_SIZE - (la & PAGE_MASK);

	return part < n ? (unsigned)part : n;
}

/* Linear addresses have 32 bits here. */
static bool check(void *arg, uint64_t la, unsigned n, bool write, struct task_fault *f)
{
	for (unsigned part; n; la = (uint32_t)(la + part), n -= part) {
		gpa_t gpa;

		part = part_of(la, n);
		if (!translate(arg, la, write, true, false, &gpa, f))
			return false;
	}
	return true;
}

/* At most 8 bytes at a time, none of them across a page. */
static bool copy(struct space *s, uint64_t la, uint8_t *p, unsigned n, bool write, bool implicit,
		 struct task_fault *f)
{
	for (unsigned part; n; la = (uint32_t)(la + part), p += part, n -= part) {
		uint64_t value = 0;
		gpa_t gpa;

		part = part_of(la, n < 8 ? n : 8);
		if (!translate(s, la, write, implicit, true, &gpa, f))
			return false;
		if (write) {
			memcpy(&value, p, part);
			gmem_open_write(gpa, part, value);
		} else {
			gmem_open_read(gpa, part, &value);
			memcpy(p, &value, part);
		}
	}
	return true;
}

static bool read(void *arg, uint64_t la, void *to, unsigned n, bool implicit, struct task_fault *f)
{
	return copy(arg, la, to, n, false, implicit, f);
}

static bool write(void *arg, uint64_t la, const void *from, unsigned n, bool implicit,
		  struct task_fault *f)
{
	uint8_t bytes[128];

	memcpy(bytes, from, n);
	return copy(arg, la, bytes, n, true, implicit, f);
}

static bool switched(void *arg, const struct vcpu_state *state)
{
	struct space *s = arg;
	uint64_t pdpte[4];

	if (s->cpu.cr0 & CR0_PG && s->cpu.cr4 & CR4_PAE) {
		for (unsigned i = 0; i < 4; i++) {
			gmem_open_read(GPA((state->cr3 & UINT64_C(0xffffffe0)) + 8 * i), 8,
				       &pdpte[i]);
			if (pdpte[i] & PDPTE_P &&
			    (pdpte[i] & PDPTE_RESERVED || pdpte[i] >> s->cpu.maxphyaddr))
				return false;
		}
		memcpy(s->pdpte, pdpte, sizeof(s->pdpte));
		s->cpu.pdpte = s->pdpte;
	}
	s->cpu.cr3 = state->cr3;
	s->cpu.cpl = state->seg[SEG_SS].attr >> 5 & 3;
	s->cpu.ac = state->rflags & RFLAGS_AC;
	return true;
}

void task_exit(struct vcpu *v, const struct task_switch *t, struct task_result *r)
{
	struct space space;
	const struct task_memory memory = {&space, read, write, check, switched};
	struct vcpu_state state;
	struct event at_gate;
	bool pending = vmm_ops->pending_event(v, &at_gate);

	vmm_ops->state_get(v, &state);
	gmem_paging(v, &space.cpu, space.pdpte);
	taskswitch_run(t, &state, &memory, r);
	if (r->switched) {
		vmm_ops->state_set(v, &state);
		vmm_ops->inject(v, r->fault && pending ? &at_gate : NULL);
	}
	if (r->fault)
		emulate_fault(v, r->f.vector, r->f.error, r->f.cr2);
	else if (r->debug)
		emulate_exception(v, VECTOR_DB, 0);
}
