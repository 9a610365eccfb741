/* The guest's memory types: its MTRRs, as EPT leaves must follow them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/mtrr.h"
#include "core/mm/pages.h"
#include "core/spinlock.h"
#include "core/vm/nested.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/mtrr.h"

static struct mtrr_state state;
static struct spinlock lock;

void mtrr_guest_init(void)
{
	static const uint16_t fixed[MTRR_FIXED_MAX] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
						       0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

	state.phys_bits = cpu_phys_bits();
	if (!(cpuid(1, 0).edx & (1u << 12)))
		return; /* no MTRRs: everything is uncached, as on hardware */
	state.cap = rdmsr(MSR_MTRRCAP);
	state.def_type = rdmsr(MSR_MTRR_DEF_TYPE);
	for (unsigned i = 0; i < (state.cap & MTRR_CAP_VCNT) && i < MTRR_VAR_MAX; i++) {
		state.var[i].base = rdmsr(MSR_MTRR_PHYSBASE + 2 * i);
		state.var[i].mask = rdmsr(MSR_MTRR_PHYSBASE + 2 * i + 1);
	}
	for (unsigned i = 0; state.cap & MTRR_CAP_FIX && i < MTRR_FIXED_MAX; i++)
		state.fixed[i] = rdmsr(fixed[i]);
}

uint64_t mtrr_guest_run(uint64_t base, uint64_t end, enum pt_type *type)
{
	enum mtrr_type t = MTRR_UC;
	uint64_t size;

	spinlock_take(&lock);
	size = mtrr_uniform_range(&state, GPA(base), GPA(end), &t);
	spinlock_release(&lock);
	*type = (enum pt_type)t;
	return size & ~PAGE_MASK ? size & ~PAGE_MASK : PAGE_SIZE;
}

bool mtrr_guest_read(uint32_t index, uint64_t *value)
{
	spinlock_take(&lock);
	int err = mtrr_msr_read(&state, index, value);

	spinlock_release(&lock);
	return err == 0;
}

bool mtrr_guest_read_lean(uint32_t index, uint64_t *value)
{
	uint32_t i = index - MSR_MTRR_PHYSBASE;

	if (i >= 2 * MTRR_VAR_MAX || i >= 2 * (state.cap & MTRR_CAP_VCNT) || !spinlock_try(&lock))
		return false;
	*value = i & 1 ? state.var[i / 2].mask : state.var[i / 2].base;
	spinlock_release(&lock);
	return true;
}

bool mtrr_guest_write(uint32_t index, uint64_t value)
{
	struct mtrr_state next;
	enum mtrr_type type;

	spinlock_take(&lock);
	next = state;
	if (mtrr_msr_write(&next, index, value) != 0) {
		spinlock_release(&lock);
		return false;
	}
	if (vmm_ops->nested_has_types) {
		/* the registers stay the VMM's; the guest's types come from the nested tables */
		bool same = mtrr_same_types(&state, &next);

		state = next;
		spinlock_release(&lock);
		if (!same)
			nested_types_changed();
		return true;
	}
	/* On AMD-V the registers work under nested paging: theirs is the guest's, but the VMM's
	 * memory stays cached. */
	uint64_t run =
	    mtrr_uniform_range(&next, GPA(region_base), GPA(region_base + region_size), &type);
	bool harmless =
	    (run == region_size && type == MTRR_WB) || !(next.def_type & MTRR_DEF_TYPE_E);

	if (harmless)
		state = next;
	spinlock_release(&lock);
	return harmless ? wrmsr_safe(index, value) : true;
}
