/* The guest's memory types: its MTRRs, as EPT leaves must follow them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/mtrr.h"
#include "core/mm/pages.h"
#include "core/spinlock.h"
#include "core/vm/nested.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/mtrr.h"

#define CHANGES_MAX 16 /* ranges that get other types one by one */

static struct mtrr_state state;
/*
 * What the nested tables follow: `state` as it was when the MTRRs were on last. Who changes them
 * switches all off before and on behind it (SDM 3A 12.11.7.2), and caching as well, on each CPU:
 * that would be two changes of the types of all memory, and most often none in the end. While they
 * are off, memory keeps the types that it had; a guest that leaves them off for good has cached
 * memory where it should have none, which only its speed shows.
 */
static struct mtrr_state mapped;
static struct mtrr_state first; /* as firmware left the registers */
static bool woken;
static struct spinlock lock;

static const uint16_t fixed_msr[MTRR_FIXED_MAX] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
						   0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

void mtrr_guest_init(void)
{
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
		state.fixed[i] = rdmsr(fixed_msr[i]);
	first = mapped = state;
}

/*
 * The registers that the guest has are `next` now, and the nested tables follow. Takes the lock
 * held, and releases it.
 */
static void follow(const struct mtrr_state *next)
{
	struct mtrr_range range[CHANGES_MAX];
	unsigned n = 0;

	state = *next;
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
	spinlock_take(&lock);
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
		follow(&next);
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
