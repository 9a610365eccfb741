/* RDMSR and WRMSR of the guest that exit. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/msr.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "core/vm/cpuid.h"
#include "core/vm/emulate.h"
#include "core/vm/mtrr.h"
#include "core/vm/startup.h"
#include "core/vmm_ops.h"
#include "core/x86/apic.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/svm/controls.h"

struct msr_policy_env msr_env;

void msr_init(void)
{
	msr_env.vendor = vmm_ops == &vmm_ops_vt ? CPU_VENDOR_INTEL : CPU_VENDOR_AMD;
	msr_env.features = &guest_features;
	msr_env.startup_icr = startup_uses_icr();
}

static enum exit_result read_done(struct vcpu *v, uint64_t value)
{
	v->gpr[GPR_RAX] = (uint32_t)value;
	v->gpr[GPR_RDX] = value >> 32;
	return EXIT_ADVANCE;
}

/* What the guest finds, where the machine has `value`. */
static inline uint64_t shown(enum msr_emulation emulation, uint64_t value)
{
	switch (emulation) {
	case MSR_EMU_FEATURE_CONTROL: /* locked; VMX, SMX, SGX off (SDM 3C 24.7) */
		return (value | 1) & ~UINT64_C(0x7ff06);
	case MSR_EMU_MISC_ENABLE: /* PEBS unavailable, and BTS */
		value |= 1 << 12;
		return features_shown(&guest_features, FEATURE_DS) ? value : value | 1 << 11;
	case MSR_EMU_PERF_CAPABILITIES: /* SDM 3B 20.8.4: PEBS_TRAP, SAVE_ARCH_REGS, REC_FMT,
					   BASELINE, METRICS.. */
		return value & ~UINT64_C(0x14fc0);
	case MSR_EMU_VM_CR:
		/* SVMDIS and LOCK; not DPD, R_INIT and DIS_A20M, which would be the VMM's */
		return (value & ~UINT64_C(7)) | 0x18;
	default:
		return value;
	}
}

/* Registers that each CPU of the vendor has, and whose rows emulate what exits. */
struct msr_value msr_read_lean(uint32_t index)
{
	if (msr_env.vendor == CPU_VENDOR_AMD) {
		if (index == MSR_VM_CR)
			return (struct msr_value){shown(MSR_EMU_VM_CR, rdmsr(index)), true};
	} else if (index == MSR_FEATURE_CONTROL) {
		return (struct msr_value){shown(MSR_EMU_FEATURE_CONTROL, rdmsr(index)), true};
	} else if (index == MSR_MISC_ENABLE) {
		return (struct msr_value){shown(MSR_EMU_MISC_ENABLE, rdmsr(index)), true};
	} else {
		return mtrr_guest_value(index);
	}
	return (struct msr_value){0, false};
}

static enum exit_result emulate_read(struct vcpu *v, uint32_t index, enum msr_emulation emulation)
{
	uint64_t value = 0;

	if (emulation == MSR_EMU_EFER)
		return read_done(v, vmm_ops->reg(v, REG_EFER));
	if (emulation == MSR_EMU_MTRR)
		return mtrr_guest_read(index, &value) ? read_done(v, value) : emulate_gp(v);
	if (!rdmsr_safe(index, &value) && emulation != MSR_EMU_VM_CR)
		return emulate_gp(v);
	return read_done(v, shown(emulation, value));
}

enum exit_result msr_read(struct vcpu *v)
{
	uint32_t index = (uint32_t)v->gpr[GPR_RCX];
	struct msr_verdict verdict = msr_policy_find(&msr_env, index);
	uint64_t value;

	switch (verdict.read) {
	case MSR_EMULATE:
		return emulate_read(v, index, verdict.emulation);
	case MSR_ZERO:
		return read_done(v, 0);
	case MSR_PASS:
		return rdmsr_safe(index, &value) ? read_done(v, value) : emulate_gp(v);
	default:
		return emulate_gp(v);
	}
}

static enum exit_result write_done(struct vcpu *v, bool ok)
{
	return ok ? EXIT_ADVANCE : emulate_gp(v);
}

static enum exit_result write_efer(struct vcpu *v, uint64_t value)
{
	uint64_t old = vmm_ops->reg(v, REG_EFER);

	if (value & ~guest_features.efer_allowed)
		return emulate_gp(v);
	if ((value ^ old) & EFER_LME && vmm_ops->cr(v, 0) & CR0_PG) /* SDM 3A 4.1.1 */
		return emulate_gp(v);
	vmm_ops->set_reg(v, REG_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	return EXIT_ADVANCE;
}

static enum exit_result write_apic_base(struct vcpu *v, uint64_t value)
{
	uint64_t base = value & APIC_BASE_ADDRESS, old = v->apic_base;

	/* the CPU's own page would cover the VMM's memory; or bits are reserved, which QEMU takes;
	 * or no nested table reaches there */
	if ((base < region_base + region_size && base + PAGE_SIZE > region_base) ||
	    base >> cpu_phys_bits() || base >> 48)
		return emulate_gp(v);
	/* no CPU takes x2APIC mode without the APIC, or where it has none; QEMU does */
	if (value & APIC_BASE_EXTD && (!(value & APIC_BASE_EN) || !(cpuid(1, 0).ecx >> 21 & 1)))
		return emulate_gp(v);
	/* A CPU without its APIC takes no message of the VMM's: nothing could stop it, and who
	 * waits for its flush would wait for ever. So it stays on, as if it were not there. */
	bool off = !(value & APIC_BASE_EN);

	if (v->apic_off && value & APIC_BASE_EXTD)
		return emulate_gp(v); /* SDM 3A 11.12.5: xAPIC mode comes first */
	if (startup_apic_base(v, value | APIC_BASE_EN) != 0)
		return emulate_gp(v);
	/* from x2APIC mode to the other the way is by the APIC switched off */
	if ((off && old & APIC_BASE_EXTD && !wrmsr_safe(MSR_APIC_BASE, value)) ||
	    !wrmsr_safe(MSR_APIC_BASE, value | APIC_BASE_EN)) {
		startup_apic_base(v, old);
		return emulate_gp(v);
	}
	apic_follow(base);
	if (off || v->apic_off)
		apic_hide(off);
	v->apic_off = off;
	return EXIT_ADVANCE;
}

#define TSC_WRITE_TICKS (1u << 24) /* more than WRMSR takes */

/* IA32_TIME_STAMP_COUNTER, IA32_TSC_ADJUST: either moves the other by the same (SDM 3B 18.17.3). */
static bool write_tsc(uint32_t index, uint64_t value)
{
	uint64_t before, moved, old = 0;

	if (index != MSR_TSC && !rdmsr_safe(index, &old))
		return false;
	before = rdtsc();
	if (!wrmsr_safe(index, value))
		return false;
	moved = value - (index == MSR_TSC ? before : old);
	if (rdtsc() - before - moved < TSC_WRITE_TICKS) /* else without effect, as in QEMU 7.2 */
		clock_tsc_moved(moved);
	return true;
}

static enum exit_result emulate_write(struct vcpu *v, uint32_t index, uint64_t value,
				      enum msr_emulation emulation)
{
	uint64_t old;

	switch (emulation) {
	case MSR_EMU_EFER:
		return write_efer(v, value);
	case MSR_EMU_APIC_BASE:
		return write_apic_base(v, value);
	case MSR_EMU_MTRR:
		return write_done(v, mtrr_guest_write(index, value));
	case MSR_EMU_XSS:
		if (value & ~guest_features.xss_allowed)
			return emulate_gp(v);
		return write_done(v, wrmsr_safe(index, value));
	case MSR_EMU_X2APIC_ICR:
		if (startup_x2apic_faults(v, value))
			return emulate_gp(v);
		if (startup_icr(v, (uint32_t)(value >> 32), (uint32_t)value))
			return EXIT_ADVANCE;
		return write_done(v, wrmsr_safe(index, value));
	case MSR_EMU_TSC:
		return write_done(v, write_tsc(index, value));
	case MSR_EMU_MMIO_CFG_BASE: /* nobody follows the window yet */
		return write_done(v, rdmsr_safe(index, &old) && value == old);
	default:
		return emulate_gp(v);
	}
}

static void log_ignored(uint32_t index, const struct msr_policy *row)
{
	static const struct msr_policy *last;

	if (row && row != last)
		log_printf("Guest write to MSR %#x (%s) ignored\n", index, row->name);
	last = row;
}

enum exit_result msr_write(struct vcpu *v)
{
	uint32_t index = (uint32_t)v->gpr[GPR_RCX];
	uint64_t value = v->gpr[GPR_RDX] << 32 | (uint32_t)v->gpr[GPR_RAX], old;
	struct msr_verdict verdict = msr_policy_find(&msr_env, index);

	switch (verdict.write) {
	case MSR_EMULATE:
		return emulate_write(v, index, value, verdict.emulation);
	case MSR_IGNORE:
		log_ignored(index, verdict.row);
		return EXIT_ADVANCE;
	case MSR_MASK:
		if (!rdmsr_safe(index, &old))
			return emulate_gp(v);
		value = (old & ~verdict.write_mask) | (value & verdict.write_mask);
		return write_done(v, wrmsr_safe(index, value));
	case MSR_PASS:
		return write_done(v, wrmsr_safe(index, value));
	default:
		return emulate_gp(v);
	}
}
