/* VMX control words for the capability MSRs of real CPUs; VMCS fields and exit reasons as lists. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/vt/controls.h"
#include "core/x86/vt/vmcs.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "core/vm/features.h"

#define NEED(x) FEATURE_NEED_BIT(FEATURE_NEED_##x)

/* In the order of the MSRs 480h..490h, from public listings of the machines. */
struct cpu {
	const char *name;
	uint64_t msr[17];
};

/* clang-format off */
static const struct cpu cpus[] = {
	{"Core 2 T7600 (Merom)", {0x1a040000000007, 0x1f00000016, 0x77b9fffe0401e172, 0x3efff00036dff, 0x1fff000011ff,
		0x403c0, 0x80000021, 0xffffffff, 0x2000, 0x27ff, 0x2c}},
	{"Core 2 T9600 (Penryn)", {0x5a08000000000d, 0x3f00000016, 0xf7f9fffe0401e172, 0x3ffff00036dff, 0x3fff000011ff,
		0x403c0, 0x80000021, 0xffffffff, 0x2000, 0x467ff, 0x2c, 0x4100000000}},
	/* as Arrandale, with the secondary controls of the emulator's model */
	{"Core i5-750 (Lynnfield)", {0xda04000000000f, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff, 0xffff000011ff,
		0x401e5, 0x80000021, 0xffffffff, 0x2000, 0x67ff, 0x2a, 0x7700000000, 0xf0106114141,
		0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb}},
	{"Core i5-520M (Arrandale)", {0xda04000000000f, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff, 0xffff000011ff,
		0x401e5, 0x80000021, 0xffffffff, 0x2000, 0x67ff, 0x2a, 0xff00000000, 0xf0106114141,
		0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb}},
	{"Core i7-2600K (Sandy Bridge)", {0xda040000000010, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff, 0xffff000011ff,
		0x100401e5, 0x80000021, 0xffffffff, 0x2000, 0x627ff, 0x2a, 0xff00000000, 0xf0106114141,
		0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb}},
	{"Core i5-3570 (Ivy Bridge)", {0xda040000000010, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff, 0xffff000011ff,
		0x100401e5, 0x80000021, 0xffffffff, 0x2000, 0x1767ff, 0x2a, 0x8ff00000000, 0xf0106114141,
		0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb}},
	{"Atom (Silvermont)", {0xda040000000002, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff, 0xffff000011ff,
		0x481e6, 0x80000021, 0xffffffff, 0x2000, 0x1027ff, 0x2e, 0x28ef00000000, 0xf0106114141,
		0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb}},
	{"Core (Broadwell-U)", {0xda040000000012, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff, 0xffff000011ff,
		0x300481e5, 0x80000021, 0xffffffff, 0x2000, 0x3767ff, 0x2a, 0x57cff00000000, 0xf0106334141,
		0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb}},
	{"Core i7 (Skylake-X)", {0xda040000000004, 0xff00000016, 0xfff9fffe0401e172, 0x1ffffff00036dff, 0x3ffff000011ff,
		0x7004c1e7, 0x80000021, 0xffffffff, 0x2000, 0x3727ff, 0x2e, 0x25d3fff00000000, 0xf0106734141,
		0xff00000016, 0xfff9fffe04006172, 0x1ffffff00036dfb, 0x3ffff000011fb}},
	{"Core i3 (Cannon Lake)", {0xda040000000004, 0xff00000016, 0xfff9fffe0401e172, 0x1ffffff00036dff, 0x3ffff000011ff,
		0x7004c1e7, 0x80000021, 0xffffffff, 0x2000, 0x372fff, 0x2e, 0x25f3cff00000000, 0xf0106734141,
		0x7f00000016, 0xfff9fffe04006172, 0x1ffffff00036dfb, 0x3ffff000011fb}},
	/* not a machine: every control that the manual defines */
	{"everything", {0xda040000000004, 0xff00000016, 0xfffbfffe0401e172, 0xffffffff00036dff, 0x7fffff000011ff,
		0x7004c1e7, 0x80000021, 0xffffffff, 0x2000, 0x1ff7fff, 0x2e, 0xdfffffff00000000, 0xf0106734141,
		0xff00000016, 0xfffbfffe04006172, 0xffffffff00036dfb, 0x7fffff000011fb}},
};
/* clang-format on */

static struct vt_caps caps_from(const uint64_t msr[17])
{
	return (struct vt_caps){
	    .basic = msr[0],
	    .pin = msr[1],
	    .proc = msr[2],
	    .exit = msr[3],
	    .entry = msr[4],
	    .misc = msr[5],
	    .cr0_fixed0 = msr[6],
	    .cr0_fixed1 = msr[7],
	    .cr4_fixed0 = msr[8],
	    .cr4_fixed1 = msr[9],
	    .vmcs_enum = msr[10],
	    .proc2 = msr[11],
	    .ept_vpid = msr[12],
	    .true_pin = msr[13],
	    .true_proc = msr[14],
	    .true_exit = msr[15],
	    .true_entry = msr[16],
	};
}

static struct vt_caps caps_named(const char *start)
{
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		if (strstr(cpus[i].name, start) != NULL)
			return caps_from(cpus[i].msr);
	}
	fail();
	return (struct vt_caps){0};
}

/* Words worked out by hand from the listings; `missing` set: the CPU cannot be used. */
static void words_of_real_cpus(void **state)
{
	static const struct {
		const char *cpu, *missing;
		uint32_t pin, proc, proc2, exit, entry;
		uint64_t needs;
		bool ept_1g, ept_ad;
		unsigned int timer_shift;
	} cases[] = {
	    {"Merom", "EPT", 0, 0, 0, 0, 0, 0, false, false, 0},
	    {"Penryn", "EPT", 0, 0, 0, 0, 0, 0, false, false, 0},
	    {"Lynnfield", "unrestricted guest", 0, 0, 0, 0, 0, 0, false, false, 0},
	    {"Arrandale", NULL, 0x3e, 0x94006172, 0xaa, 0x3f6fff, 0xd1ff, NEED(RDTSCP), false,
	     false, 5},
	    {"Sandy", NULL, 0x3e, 0x94006172, 0xaa, 0x3f6fff, 0xd1ff, NEED(RDTSCP), false, false,
	     5},
	    {"Ivy", NULL, 0x3e, 0x94006172, 0xaa, 0x3f6fff, 0xd1ff, NEED(RDTSCP), false, false, 5},
	    {"Silvermont", NULL, 0x3e, 0x94006172, 0xaa, 0x3f6fff, 0xd1ff, NEED(RDTSCP), false,
	     false, 6},
	    {"Broadwell", NULL, 0x3e, 0x94006172, 0x10aa, 0x3f6fff, 0xd1ff,
	     NEED(RDTSCP) | NEED(INVPCID), true, true, 5},
	    {"Skylake-X", NULL, 0x3e, 0x94006172, 0x1010aa, 0xbf6fff, 0x1d1ff,
	     NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(BNDCFGS), true, true, 7},
	    {"Cannon", NULL, 0x3e, 0x94006172, 0x1010aa, 0xbf6fff, 0x1d1ff,
	     NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(BNDCFGS), true, true, 7},
	    {"everything", NULL, 0x3e, 0x94006172, 0x41010aa, 0x74bf7fff, 0x71f1ff,
	     NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(BNDCFGS) | NEED(USER_WAIT) |
		 NEED(CET_STATE) | NEED(PKRS_STATE) | NEED(LBR_CTL) | NEED(PERF_GLOBAL_CTRL),
	     true, true, 7},
	};
	const struct vt_wants wants = {0};

	(void)state;
	assert_int_equal(sizeof(cases) / sizeof(cases[0]), sizeof(cpus) / sizeof(cpus[0]));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vt_caps caps = caps_named(cases[i].cpu);
		struct vt_controls c;
		const char *missing = NULL;
		int r = vt_controls_resolve(&caps, &wants, &c, &missing);

		if (cases[i].missing != NULL) {
			assert_int_equal(r, -ENODEV);
			assert_string_equal(missing, cases[i].missing);
			continue;
		}
		if (r != 0)
			fail_msg("%s: no %s", cases[i].cpu, missing);
		assert_int_equal(c.pin, cases[i].pin);
		assert_int_equal(c.proc, cases[i].proc);
		assert_int_equal(c.proc2, cases[i].proc2);
		assert_int_equal(c.exit, cases[i].exit);
		assert_int_equal(c.entry, cases[i].entry);
		assert_int_equal(c.needs, cases[i].needs);
		assert_int_equal(c.ept_1g, cases[i].ept_1g);
		assert_int_equal(c.ept_ad, cases[i].ept_ad);
		assert_int_equal(c.timer_shift, cases[i].timer_shift);
		assert_true(c.ept_2m && c.vpid && c.invept_single && c.invept_all &&
			    c.invvpid_single && c.invvpid_all);
		assert_true(c.timer_save && c.wait_sipi);
		assert_int_equal(c.cr0_fixed0, 0x20); /* NE; PE and PG are free */
		assert_int_equal(c.cr0_fixed1, 0xffffffff);
		assert_int_equal(c.cr4_fixed0, 0x2000);
		assert_int_equal(vt_controls_check(&caps, &c, &missing), 0);
	}
}

/* Take one ability away from a CPU that has them all: the message names it. */
static void each_lack_is_named(void **state)
{
	static const struct {
		unsigned int msr; /* offset from 480h */
		uint64_t clear, set;
		const char *missing;
	} cases[] = {
	    {0xb, UINT64_C(1) << 33, 0, "EPT"},
	    {0xb, UINT64_C(1) << 39, 0, "unrestricted guest"},
	    {0xe, UINT64_C(1) << 63, 0, "EPT"}, /* no secondary controls: EPT is what is missed */
	    {0xe, UINT64_C(1) << 60, 0, "MSR bitmaps"},
	    {0xd, UINT64_C(1) << 35, 0, "NMI exiting"},
	    {0xd, UINT64_C(1) << 37, 0, "virtual NMIs"},
	    {0xd, UINT64_C(1) << 38, 0, "preemption timer"},
	    {0xd, 0, 1, "external-interrupt exiting"},
	    {0xe, UINT64_C(1) << 34, 0, "interrupt-window exiting"},
	    {0xe, UINT64_C(1) << 54, 0, "NMI-window exiting"},
	    {0xf, UINT64_C(1) << 41, 0, "64-bit host"},
	    {0x10, UINT64_C(1) << 41, 0, "64-bit guest"},
	    {0xf, UINT64_C(1) << 52, 0, "saving EFER on exit"},
	    {0xf, UINT64_C(1) << 53, 0, "loading EFER on exit"},
	    {0x10, UINT64_C(1) << 47, 0, "loading EFER on entry"},
	    {0xf, UINT64_C(1) << 50, 0, "saving PAT on exit"},
	    {0xf, UINT64_C(1) << 51, 0, "loading PAT on exit"},
	    {0x10, UINT64_C(1) << 46, 0, "loading PAT on entry"},
	    {0xf, UINT64_C(1) << 34, 0, "saving debug controls on exit"},
	    {0x10, UINT64_C(1) << 34, 0, "loading debug controls on entry"},
	    {0xe, 0, UINT64_C(1) << 15, "CR3-load exiting that can be off (true controls)"},
	    {0xe, 0, UINT64_C(1) << 16, "CR3-store exiting that can be off (true controls)"},
	    {0, UINT64_C(1) << 55, 0, "CR3-load exiting that can be off (true controls)"},
	    {0xe, 0, UINT64_C(1) << 7, "HLT exiting that can be off"},
	    {0xe, UINT64_C(1) << 39, 0, "HLT exiting that can be off"},
	    {0xe, 0, UINT64_C(1) << 9, "INVLPG exiting that can be off"},
	    {0xe, 0, UINT64_C(1) << 12, "RDTSC exiting that can be off"},
	    {0xe, 0, UINT64_C(1) << 27, "monitor trap flag that can be off"},
	    {0xb, 0, UINT64_C(1) << 6, "WBINVD exiting that can be off"},
	    {0xc, UINT64_C(1) << 6, 0, "EPT page walks of four levels"},
	    {0xc, UINT64_C(1) << 14, 0, "write-back EPT structures"},
	    {0xc, UINT64_C(1) << 20, 0, "INVEPT"},
	    {0xc, UINT64_C(3) << 25, 0, "INVEPT"},
	};
	const struct vt_wants wants = {0};
	struct vt_caps good = caps_named("everything");
	struct vt_controls resolved;
	const char *missing = NULL;

	(void)state;
	assert_int_equal(vt_controls_resolve(&good, &wants, &resolved, &missing), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t msr[17];
		struct vt_controls c;

		memcpy(msr, cpus[sizeof(cpus) / sizeof(cpus[0]) - 1].msr, sizeof(msr));
		msr[cases[i].msr] = (msr[cases[i].msr] & ~cases[i].clear) | cases[i].set;
		struct vt_caps caps = caps_from(msr);
		missing = NULL;
		assert_int_equal(vt_controls_resolve(&caps, &wants, &c, &missing), -ENODEV);
		assert_string_equal(missing, cases[i].missing);
		/* Another CPU of the machine that lacks it is refused, too. */
		assert_int_equal(vt_controls_check(&caps, &resolved, &missing), -ENODEV);
	}
}

/* What comes in pairs is set whole or not at all; VPID only when it can be flushed. */
static void pairs_and_vpid(void **state)
{
	static const struct {
		unsigned int msr;
		uint64_t clear;
		uint64_t need;
		uint32_t exit_bits, entry_bits;
	} cases[] = {
	    {0xf, UINT64_C(1) << 60, NEED(CET_STATE), 0x10000000, 0x100000},
	    {0x10, UINT64_C(1) << 52, NEED(CET_STATE), 0x10000000, 0x100000},
	    {0xf, UINT64_C(1) << 61, NEED(PKRS_STATE), 0x20000000, 0x400000},
	    {0x10, UINT64_C(1) << 54, NEED(PKRS_STATE), 0x20000000, 0x400000},
	    {0xf, UINT64_C(1) << 55, NEED(BNDCFGS), 0x800000, 0x10000},
	    {0x10, UINT64_C(1) << 53, NEED(LBR_CTL), 0x4000000, 0x200000},
	    {0xf, UINT64_C(1) << 62, NEED(PERF_GLOBAL_CTRL), 0x40001000, 0x2000},
	    {0xf, UINT64_C(1) << 44, NEED(PERF_GLOBAL_CTRL), 0x40001000, 0x2000},
	    {0x10, UINT64_C(1) << 45, NEED(PERF_GLOBAL_CTRL), 0x40001000, 0x2000},
	};
	const struct vt_wants wants = {0};
	struct vt_controls all, c;
	const char *missing = NULL;
	struct vt_caps caps = caps_named("everything");

	(void)state;
	assert_int_equal(vt_controls_resolve(&caps, &wants, &all, &missing), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t msr[17];

		memcpy(msr, cpus[sizeof(cpus) / sizeof(cpus[0]) - 1].msr, sizeof(msr));
		msr[cases[i].msr] &= ~cases[i].clear;
		caps = caps_from(msr);
		assert_int_equal(vt_controls_resolve(&caps, &wants, &c, &missing), 0);
		assert_int_equal(c.needs, all.needs & ~cases[i].need);
		assert_int_equal(c.exit, all.exit & ~cases[i].exit_bits);
		assert_int_equal(c.entry, all.entry & ~cases[i].entry_bits);
		/* Words with the feature do not fit a CPU without it. */
		assert_int_equal(vt_controls_check(&caps, &all, &missing), -ENODEV);
		assert_int_equal(vt_controls_check(&caps, &c, &missing), 0);
	}
	caps = caps_named("Sandy");
	caps.ept_vpid &= ~(UINT64_C(1) << 32);
	assert_int_equal(vt_controls_resolve(&caps, &wants, &c, &missing), 0);
	assert_false(c.vpid);
	assert_int_equal(c.proc2, 0x8a);
}

/* CPUs of one machine may differ where the guest loses nothing by it. */
static void other_cpus(void **state)
{
	const struct vt_wants wants = {0};
	struct vt_caps sandy = caps_named("Sandy"), ivy = caps_named("Ivy"), broadwell;
	struct vt_controls c;
	const char *missing = NULL;

	(void)state;
	assert_int_equal(vt_controls_resolve(&sandy, &wants, &c, &missing), 0);
	assert_int_equal(vt_controls_check(&ivy, &c, &missing), 0); /* may set more CR4 bits */
	assert_int_equal(vt_controls_resolve(&ivy, &wants, &c, &missing), 0);
	assert_int_equal(vt_controls_check(&sandy, &c, &missing), -ENODEV);
	assert_string_equal(missing, "the boot CPU's fixed CR0 and CR4 bits");
	broadwell = caps_named("Broadwell");
	assert_int_equal(vt_controls_resolve(&broadwell, &wants, &c, &missing), 0);
	broadwell.ept_vpid &= ~(UINT64_C(1) << 17);
	assert_int_equal(vt_controls_check(&broadwell, &c, &missing), -ENODEV);
	assert_string_equal(missing, "the boot CPU's EPT capabilities");
}

/* A CPU that meets each requirement, but cannot have a word as the boot CPU has it. */
static void words_of_other_cpus(void **state)
{
	static const struct {
		unsigned int msr; /* offset from 480h */
		uint64_t clear, set;
		const char *missing;
	} cases[] = {
	    {0, 0, 0, NULL},
	    /* posted interrupts, bit 7, that cannot be off */
	    {0xd, 0, UINT64_C(0x8000000080), "the boot CPU's pin-based controls"},
	    /* I/O bitmaps */
	    {0xe, UINT64_C(1) << 57, 0, "the boot CPU's processor-based controls"},
	    /* RDTSCP, XSAVES */
	    {0xb, UINT64_C(1) << 35, 0, "the boot CPU's secondary controls"},
	    {0xb, UINT64_C(1) << 52, 0, "the boot CPU's secondary controls"},
	    /* BNDCFGS: cleared on exit, loaded on entry */
	    {0xf, UINT64_C(1) << 55, 0, "the boot CPU's VM-exit controls"},
	    {0x10, UINT64_C(1) << 48, 0, "the boot CPU's VM-entry controls"},
	    /* SDM 3D A.10: 2-MByte pages; INVVPID for one context, for all */
	    {0xc, UINT64_C(1) << 16, 0, "the boot CPU's EPT capabilities"},
	    {0xc, UINT64_C(1) << 41, 0, "the boot CPU's EPT capabilities"},
	    {0xc, UINT64_C(1) << 42, 0, "the boot CPU's EPT capabilities"},
	};
	const struct vt_wants wants = {.io_bitmaps = true};
	struct vt_caps boot = caps_named("Skylake-X");
	struct vt_controls c;
	const char *missing = NULL;

	(void)state;
	assert_int_equal(vt_controls_resolve(&boot, &wants, &c, &missing), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t msr[17];

		memcpy(msr, cpus[8].msr, sizeof(msr));
		assert_string_equal(cpus[8].name, "Core i7 (Skylake-X)");
		msr[cases[i].msr] = (msr[cases[i].msr] & ~cases[i].clear) | cases[i].set;
		struct vt_caps caps = caps_from(msr);
		missing = NULL;
		assert_int_equal(vt_controls_check(&caps, &c, &missing),
				 cases[i].missing ? -ENODEV : 0);
		if (cases[i].missing)
			assert_string_equal(missing, cases[i].missing);
	}
}

static void wants_are_applied(void **state)
{
	struct vt_caps caps = caps_named("Broadwell");
	struct vt_wants wants = {.io_bitmaps = true,
				 .pml = true,
				 .mtf = true,
				 .proc_exiting = VT_PROC_MWAIT | VT_PROC_HLT};
	struct vt_controls c;
	const char *missing = NULL;

	(void)state;
	assert_int_equal(vt_controls_resolve(&caps, &wants, &c, &missing), 0);
	assert_int_equal(c.proc, 0x96006172);
	assert_int_equal(c.proc2, 0x10aa); /* no PML on this one */
	caps.true_proc &= ~(UINT64_C(1) << 57);
	assert_int_equal(vt_controls_resolve(&caps, &wants, &c, &missing), -ENODEV);
	assert_string_equal(missing, "I/O bitmaps");
	caps = caps_named("Broadwell");
	caps.true_proc &= ~(UINT64_C(1) << 59);
	assert_int_equal(vt_controls_resolve(&caps, &wants, &c, &missing), -ENODEV);
	assert_string_equal(missing, "monitor trap flag");
	wants.mtf = false;
	assert_int_equal(vt_controls_resolve(&caps, &wants, &c, &missing), 0);
	/* SDM 3C table 25-6: bit 18 is reserved and 0, so no CPU can set it. */
	wants.proc_exiting |= 1u << 18;
	assert_int_equal(vt_controls_resolve(&caps, &wants, &c, &missing), -ENODEV);
	assert_string_equal(missing, "an exit control that the configuration needs");
	wants.proc_exiting = VT_PROC_MWAIT;
	caps = caps_named("Skylake-X");
	caps.proc2 |= UINT64_C(1) << 49;
	assert_int_equal(vt_controls_resolve(&caps, &wants, &c, &missing), 0);
	assert_int_equal(c.proc2, 0x1210aa);
}

/* MSRs that do not exist must not be read: #GP before there is anyone to catch it. */
static uint64_t fake_rdmsr(void *arg, uint32_t index)
{
	const struct cpu *cpu = arg;
	bool secondary = (cpu->msr[2] >> 63) != 0;
	bool ept_or_vpid = (cpu->msr[11] >> 32 & 0x22) != 0;
	bool true_controls = (cpu->msr[0] >> 55 & 1) != 0;

	assert_true(index >= 0x480 && index <= 0x490);
	if (index == 0x48b)
		assert_true(secondary);
	if (index == 0x48c)
		assert_true(secondary && ept_or_vpid);
	if (index >= 0x48d)
		assert_true(true_controls);
	return cpu->msr[index - 0x480];
}

static void reads_only_what_exists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		struct cpu copy = cpus[i];
		struct vt_caps got, expected = caps_from(cpus[i].msr);

		vt_caps_read(&got, fake_rdmsr, &copy);
		assert_memory_equal(&got, &expected, sizeof(got));
	}
}

/* The list of VMCS fields, expanded once more with everything it says. */
static const struct {
	const char *name;
	uint32_t encoding;
	unsigned int width, area;
} fields[] = {
#define VMCS_FIELD(name, encoding, width, area)                                                    \
	{#name, encoding, VMCS_WIDTH_##width, VMCS_AREA_##area},
#include "core/x86/vt/vmcs_fields.h"
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static void vmcs_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELDS; i++) {
		const char *name = fields[i].name;

		/* SDM 3C table 25-21: bits 0, 12 and 31:15 are 0 in a full-width encoding */
		assert_int_equal(fields[i].encoding & ~0x6ffeU, 0);
		assert_int_equal(fields[i].encoding >> 13, fields[i].width);
		assert_int_equal(fields[i].encoding >> 10 & 3, fields[i].area);
		assert_true((strncmp(name, "HOST_", 5) == 0) == (fields[i].area == VMCS_AREA_HOST));
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(name, fields[j].name);
			assert_int_not_equal(fields[i].encoding, fields[j].encoding);
		}
	}
	/* Within each group of appendix B the list is in ascending order. */
	for (size_t i = 1; i < FIELDS; i++) {
		if (fields[i].encoding >> 10 == fields[i - 1].encoding >> 10)
			assert_true(fields[i].encoding > fields[i - 1].encoding);
		else
			assert_int_equal(fields[i].encoding & 0x3fe, 0);
	}
}

/* Spot checks from the tables of appendix B, one of each kind and those easily off by one. */
static void vmcs_spot_checks(void **state)
{
	(void)state;
	assert_int_equal(VMCS_GUEST_TR_SELECTOR, 0x80e);
	assert_int_equal(VMCS_HOST_TR_SELECTOR, 0xc0c);
	assert_int_equal(VMCS_MSR_BITMAPS, 0x2004);
	assert_int_equal(VMCS_EPT_POINTER, 0x201a);
	assert_int_equal(VMCS_XSS_EXITING_BITMAP, 0x202c);
	assert_int_equal(VMCS_TSC_MULTIPLIER, 0x2032);
	assert_int_equal(VMCS_SECONDARY_EXIT_CONTROLS, 0x2044);
	assert_int_equal(VMCS_GUEST_PHYSICAL_ADDRESS, 0x2400);
	assert_int_equal(VMCS_GUEST_PERF_GLOBAL_CTRL, 0x2808);
	assert_int_equal(VMCS_GUEST_PDPTE0, 0x280a);
	assert_int_equal(VMCS_GUEST_PKRS, 0x2818);
	assert_int_equal(VMCS_HOST_EFER, 0x2c02);
	assert_int_equal(VMCS_EXIT_CONTROLS, 0x400c);
	assert_int_equal(VMCS_SECONDARY_PROC_CONTROLS, 0x401e);
	assert_int_equal(VMCS_EXIT_REASON, 0x4402);
	assert_int_equal(VMCS_EXIT_INSTRUCTION_INFO, 0x440e);
	assert_int_equal(VMCS_GUEST_ES_ACCESS_RIGHTS, 0x4814);
	assert_int_equal(VMCS_GUEST_SYSENTER_CS, 0x482a);
	assert_int_equal(VMCS_PREEMPTION_TIMER_VALUE, 0x482e);
	assert_int_equal(VMCS_HOST_SYSENTER_CS, 0x4c00);
	assert_int_equal(VMCS_EXIT_QUALIFICATION, 0x6400);
	assert_int_equal(VMCS_GUEST_LINEAR_ADDRESS, 0x640a);
	assert_int_equal(VMCS_GUEST_RIP, 0x681e);
	assert_int_equal(VMCS_GUEST_RFLAGS, 0x6820);
	assert_int_equal(VMCS_GUEST_INTERRUPT_SSP_TABLE, 0x682c);
	assert_int_equal(VMCS_HOST_RIP, 0x6c16);
	assert_int_equal(VMCS_HOST_INTERRUPT_SSP_TABLE, 0x6c1c);
}

static void exit_reasons(void **state)
{
	static const char *const names[] = {
#define VT_REASON(number, name) [number] = #name,
#include "core/x86/vt/exit_reasons.h"
	};

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(names[0]), VT_REASON_COUNT);
	for (int i = 0; i < VT_REASON_COUNT; i++) {
		assert_non_null(names[i]);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
	}
	/* SDM 3D appendix C */
	assert_int_equal(VT_REASON_INIT, 3);
	assert_int_equal(VT_REASON_CPUID, 10);
	assert_int_equal(VT_REASON_CR_ACCESS, 28);
	assert_int_equal(VT_REASON_RDMSR, 31);
	assert_int_equal(VT_REASON_MWAIT, 36);
	assert_int_equal(VT_REASON_EPT_VIOLATION, 48);
	assert_int_equal(VT_REASON_PREEMPTION_TIMER, 52);
	assert_int_equal(VT_REASON_XSETBV, 55);
	assert_int_equal(VT_REASON_XRSTORS, 64);
	assert_int_equal(VT_REASON_TPAUSE, 68);
	assert_int_equal(VT_REASON_TDCALL, 77);
	assert_string_equal(names[35], "RESERVED_35");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_of_real_cpus),
	    cmocka_unit_test(each_lack_is_named),
	    cmocka_unit_test(pairs_and_vpid),
	    cmocka_unit_test(wants_are_applied),
	    cmocka_unit_test(other_cpus),
	    cmocka_unit_test(words_of_other_cpus),
	    cmocka_unit_test(reads_only_what_exists),
	    cmocka_unit_test(vmcs_fields),
	    cmocka_unit_test(vmcs_spot_checks),
	    cmocka_unit_test(exit_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
