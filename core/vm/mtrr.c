/* The guest's memory types: its MTRRs, as EPT leaves must follow them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/mtrr.h"
#include "core/errno.h"
#include "core/mm/pages.h"
#include "core/spinlock.h"
#include "core/vm/nested.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/mtrr.h"
#include "core/x86/percpu.h"

#define CHANGES_MAX 16 /* ranges that get other types one by one */

/*
 * Each CPU has registers of its own (struct cpu.mtrrs), which it alone reads and writes. All CPUs
 * change theirs at once, each at its own pace (SDM 3A 12.11.8): in registers of all together one
 * would find another's MTRRs switched off, and leave them so.
 */

/*
 * What the nested tables follow: a CPU's registers as they were when its MTRRs were on last. Who
 * changes them switches all off before and on behind it (SDM 3A 12.11.7.2), and caching as well, on
 * each CPU: that would be two changes of the types of all memory, and most often none in the end.
 * While they are off, memory keeps the types that it had; a guest that leaves them off for good has
 * cached memory where it should have none, which only its speed shows. Of CPUs that differ, which
 * no guest means, the last one to write counts for all.
 */
static struct mtrr_state mapped; /* under the lock */
static struct mtrr_state first;  /* as firmware left the registers */
static bool woken;
static struct spinlock lock;

static const uint16_t fixed_msr[MTRR_FIXED_MAX] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
						   0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

static void read_first(void)
{
	first.phys_bits = cpu_phys_bits();
	if (!(cpuid(1, 0).edx & (1u << 12)))
		return; /* no MTRRs: everything is uncached, as on hardware */
	first.cap = rdmsr(MSR_MTRRCAP);
	first.def_type = rdmsr(MSR_MTRR_DEF_TYPE);
	for (unsigned i = 0; i < (first.cap & MTRR_CAP_VCNT) && i < MTRR_VAR_MAX; i++) {
		first.var[i].base = rdmsr(MSR_MTRR_PHYSBASE + 2 * i);
		first.var[i].mask = rdmsr(MSR_MTRR_PHYSBASE + 2 * i + 1);
	}
	for (unsigned i = 0; first.cap & MTRR_CAP_FIX && i < MTRR_FIXED_MAX; i++)
		first.fixed[i] = rdmsr(fixed_msr[i]);
}

static void all_as_first(void)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		*cpus[i]->mtrrs = first;
}

int mtrr_guest_init(void)
{
	uint64_t size = cpu_count * sizeof(struct mtrr_state);
	struct mtrr_state *each = pages_alloc(align_up(size, PAGE_SIZE) / PAGE_SIZE, PAGE_SIZE);

	if (!each)
		return -ENOMEM;
	for (uint32_t i = 0; i < cpu_count; i++)
		cpus[i]->mtrrs = each++;
	read_first();
	mapped = first;
	all_as_first();
	return 0;
}

/* A CPU's registers are `next` now, and the nested tables follow. */
static void follow(const struct mtrr_state *next)
{
	struct mtrr_range range[CHANGES_MAX];
	unsigned n = 0;

	spinlock_take(&lock);
	if (next->def_type & MTRR_DEF_TYPE_E) {
		n = mtrr_differences(&mapped, next, range, CHANGES_MAX);
		if (n)
			mapped = *next;
	}
	spinlock_release(&lock);
	nested_types_changed(range, n);
}

/* Calls `f` for each register but IA32_MTRR_DEF_TYPE, with what firmware had in it. */
static bool for_each_first(bool (*f)(uint32_t index, uint64_t value))
{
	bool all = true;

	for (unsigned i = 0; i < (first.cap & MTRR_CAP_VCNT) && i < MTRR_VAR_MAX; i++) {
		all &= f(MSR_MTRR_PHYSBASE + 2 * i, first.var[i].base);
		all &= f(MSR_MTRR_PHYSBASE + 2 * i + 1, first.var[i].mask);
	}
	for (unsigned i = 0; first.cap & MTRR_CAP_FIX && i < MTRR_FIXED_MAX; i++)
		all &= f(fixed_msr[i], first.fixed[i]);
	return all;
}

static bool is_equal(uint32_t index, uint64_t value)
{
	return rdmsr(index) == value;
}

void mtrr_cpu_wake(void)
{
	uint64_t cr0 = read_cr0();

	if (!woken || !(cpuid(1, 0).edx & (1u << 12)) ||
	    (rdmsr(MSR_MTRR_DEF_TYPE) == first.def_type && for_each_first(is_equal)))
		return;
	/* SDM 3A 12.11.8; the host has no global pages */
	write_cr0((cr0 | CR0_CD) & ~(uint64_t)CR0_NW);
	__asm__ volatile("wbinvd" : : : "memory");
	write_cr3(read_cr3());
	wrmsr(MSR_MTRR_DEF_TYPE, first.def_type & ~MTRR_DEF_TYPE_E);
	for_each_first(wrmsr_safe);
	wrmsr(MSR_MTRR_DEF_TYPE, first.def_type);
	__asm__ volatile("wbinvd" : : : "memory");
	write_cr3(read_cr3());
	write_cr0(cr0);
}

void mtrr_guest_wake(void)
{
	woken = true;
	all_as_first();
	follow(&first);
}

uint64_t mtrr_guest_run(uint64_t base, uint64_t end, enum pt_type *type)
{
	enum mtrr_type t = MTRR_UC;
	uint64_t size;

	spinlock_take(&lock);
	size = mtrr_uniform_range(&mapped, GPA(base), GPA(end), &t);
	spinlock_release(&lock);
	*type = (enum pt_type)t;
	return size & ~PAGE_MASK ? size & ~PAGE_MASK : PAGE_SIZE;
}

bool mtrr_guest_read(uint32_t index, uint64_t *value)
{
	return mtrr_msr_read(this_cpu()->mtrrs, index, value) == 0;
}

struct msr_value mtrr_guest_value(uint32_t index)
{
	const struct mtrr_state *own = this_cpu()->mtrrs;
	uint32_t i = index - MSR_MTRR_PHYSBASE;

	if (i < 2 * MTRR_VAR_MAX && i < 2 * (own->cap & MTRR_CAP_VCNT))
		return (struct msr_value){i & 1 ? own->var[i / 2].mask : own->var[i / 2].base,
					  true};
	if (index == MSR_MTRR_DEF_TYPE)
		return (struct msr_value){own->def_type, true};
	int fixed = mtrr_fixed_index(own, index);

	if (fixed >= 0)
		return (struct msr_value){own->fixed[fixed], true};
	return (struct msr_value){0, false};
}

bool mtrr_guest_write(uint32_t index, uint64_t value)
{
	struct mtrr_state *own = this_cpu()->mtrrs, next = *own;
	enum mtrr_type type;

	if (mtrr_msr_write(&next, index, value) != 0)
		return false;
	if (vmm_ops->nested_has_types) {
		/* the registers stay the VMM's; the guest's types come from the nested tables */
		*own = next;
		follow(own);
		return true;
	}
	/* On AMD-V the registers work under nested paging: theirs is the guest's, but the VMM's
	 * memory stays cached. */
	uint64_t run =
	    mtrr_uniform_range(&next, GPA(region_base), GPA(region_base + region_size), &type);

	if (!(run == region_size && type == MTRR_WB) && next.def_type & MTRR_DEF_TYPE_E)
		return true;
	if (!wrmsr_safe(index, value))
		return false;
	*own = next;
	return true;
}
