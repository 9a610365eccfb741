/* The CPU feature table against the CPUID of real CPUs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/features.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "cpu_models.h"

#define BIT64(n) (UINT64_C(1) << (n))
#define NEED(x)  FEATURE_NEED_BIT(FEATURE_NEED_##x)

/* Sets of needs: none, what generations of CPUs can give, everything. */
static const uint64_t need_sets[] = {
    0,
    NEED(RDTSCP),
    NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES),
    NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(BNDCFGS),
    NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(USER_WAIT) | NEED(CET_STATE) |
	NEED(PKRS_STATE),
    UINT64_MAX,
};
#define NEED_SETS (sizeof(need_sets) / sizeof(need_sets[0]))

static struct features resolve(const struct cpu_model *m, uint64_t needs, bool show)
{
	struct cpu_model copy = *m;
	struct cpu_caps caps = {
	    .vendor = m->amd ? CPU_VENDOR_AMD : CPU_VENDOR_INTEL,
	    .cpuid = cpu_model_cpuid,
	    .arg = &copy,
	    .needs = needs,
	};
	struct features f;

	features_resolve(&f, &caps, show);
	return f;
}

static uint32_t raw(const struct cpu_model *m, uint32_t leaf, uint32_t sub, unsigned int reg)
{
	struct cpu_model copy = *m;
	uint32_t out[4];

	cpu_model_cpuid(&copy, leaf, sub, out);
	return out[reg];
}

static uint32_t seen(const struct features *f, const struct cpu_model *m, uint32_t leaf,
		     uint32_t sub, unsigned int reg)
{
	return raw(m, leaf, sub, reg) & features_cpuid_mask(f, leaf, sub)[reg];
}

static void table_is_sorted(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *f = &features_table[i];

		assert_true(f->bit < 32);
		assert_true(f->need < FEATURE_NEED_COUNT);
		assert_true((f->leaf & 0x7fffffff) < FEATURES_LEAVES);
		if (i == 0)
			continue;
		const struct feature *p = &features_table[i - 1];
		uint64_t a = ((uint64_t)p->leaf << 20) | (p->subleaf << 8) |
			     (uint32_t)(p->reg << 5) | p->bit;
		uint64_t b = ((uint64_t)f->leaf << 20) | (f->subleaf << 8) |
			     (uint32_t)(f->reg << 5) | f->bit;
		assert_true(a < b);
	}
}

/* Each feature of each CPU: seen exactly when its need is met. */
static void shown_when_need_is_met(void **state)
{
	(void)state;
	for (size_t c = 0; c < CPU_MODEL_COUNT; c++) {
		for (size_t n = 0; n < 2 * NEED_SETS; n++) {
			const struct cpu_model *m = &cpu_models[c];
			uint64_t needs = need_sets[n / 2];
			struct features f = resolve(m, needs, n % 2 != 0);

			for (unsigned int i = 0; i < FEATURE_COUNT; i++) {
				const struct feature *t = &features_table[i];
				bool has =
				    ((raw(m, t->leaf, t->subleaf, t->reg) >> t->bit) & 1) != 0;
				bool met = t->need == FEATURE_NEED_NONE ||
					   (t->need != FEATURE_NEED_NEVER &&
					    ((needs >> t->need) & 1) != 0);
				bool visible =
				    ((seen(&f, m, t->leaf, t->subleaf, t->reg) >> t->bit) & 1) != 0;

				if (visible != (has && met) ||
				    features_shown(&f, (enum feature_id)i) != (has && met))
					fail_msg("%s: %s", m->name, t->name);
			}
		}
	}
}

/* What is always hidden, by the manuals' bit numbers and not by the table. */
static void hidden_always(void **state)
{
	static const struct {
		uint32_t leaf, sub;
		unsigned int reg, bit;
	} bits[] = {
	    {1, 0, 2, 5} /* VMX */,
	    {1, 0, 2, 6} /* SMX */,
	    {1, 0, 2, 31} /* hypervisor */,
	    {6, 0, 0, 19} /* HFI */,
	    {6, 0, 0, 23} /* thread director */,
	    {7, 0, 1, 2} /* SGX */,
	    {7, 0, 1, 25} /* PT */,
	    {7, 0, 2, 13} /* TME */,
	    {7, 0, 2, 23} /* KL */,
	    {7, 0, 2, 30} /* SGX_LC */,
	    {7, 0, 3, 1} /* SGX-KEYS */,
	    {7, 0, 3, 5} /* UINTR */,
	    {7, 0, 3, 18} /* PCONFIG */,
	    {7, 1, 0, 17} /* FRED */,
	    {7, 1, 0, 22} /* HRESET */,
	    {7, 1, 0, 27} /* MSRLIST */,
	    {7, 1, 3, 15} /* USER_MSR */,
	    {7, 1, 3, 13} /* UTMR */,
	    {7, 1, 2, 5} /* MSR_IMM */,
	    {7, 1, 3, 21} /* APX */,
	    {0x80000001, 0, 2, 2} /* SVM */,
	    {0x80000001, 0, 2, 12} /* SKINIT */,
	    {0x80000001, 0, 2, 15} /* LWP */,
	};
	static const uint32_t leaves[] = {0x12,       0x14,       0x19,       0x1b,
					  0x20,       0x21,       0x8000000a, 0x8000001b,
					  0x8000001c, 0x8000001f, 0x80000023, 0x80000025};

	(void)state;
	for (size_t c = 0; c < CPU_MODEL_COUNT; c++) {
		for (int show = 0; show < 2; show++) {
			struct features f = resolve(&cpu_models[c], UINT64_MAX, show != 0);

			for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
				uint32_t mask =
				    features_cpuid_mask(&f, bits[i].leaf, bits[i].sub)[bits[i].reg];
				assert_int_equal((mask >> bits[i].bit) & 1, 0);
			}
			for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
				for (uint32_t sub = 0; sub < 8; sub++) {
					for (unsigned int reg = 0; reg < 4; reg++)
						assert_int_equal(
						    features_cpuid_mask(&f, leaves[i], sub)[reg],
						    0);
				}
			}
			/* XSS: PT, user interrupts. XCR0: APX, LWP. CR4: VMXE, SMXE, KL, UINTR,
			 * FRED. EFER: SVME */
			assert_int_equal(f.xss_allowed & (BIT64(8) | BIT64(14)), 0);
			assert_int_equal(f.xcr0_allowed & (BIT64(19) | BIT64(62)), 0);
			assert_int_equal(f.cr4_allowed & (BIT64(13) | BIT64(14) | BIT64(19) |
							  BIT64(25) | BIT64(32)),
					 0);
			assert_int_equal(f.efer_allowed & BIT64(12), 0);
			assert_int_equal(features_cpuid_mask(&f, 6, 0)[3], 0);
		}
	}
}

/* CR4 bits and the CPUID bits that announce them (SDM 3A 2.5), as the guest sees both. */
static void cr4_follows_cpuid(void **state)
{
	static const struct {
		unsigned int cr4;
		uint32_t leaf, sub;
		unsigned int reg, bit;
	} rules[] = {
	    {0, 1, 0, 3, 1},   {1, 1, 0, 3, 1},   {2, 1, 0, 3, 4},   {3, 1, 0, 3, 2},
	    {4, 1, 0, 3, 3},   {5, 1, 0, 3, 6},   {6, 1, 0, 3, 7},   {7, 1, 0, 3, 13},
	    {9, 1, 0, 3, 24},  {10, 1, 0, 3, 25}, {11, 7, 0, 2, 2},  {12, 7, 0, 2, 16},
	    {16, 7, 0, 1, 0},  {17, 1, 0, 2, 17}, {18, 1, 0, 2, 26}, {20, 7, 0, 1, 7},
	    {21, 7, 0, 1, 20}, {22, 7, 0, 2, 3},  {24, 7, 0, 2, 31}, {27, 7, 1, 0, 6},
	    {28, 7, 1, 0, 26},
	};

	(void)state;
	for (size_t c = 0; c < CPU_MODEL_COUNT; c++) {
		for (size_t n = 0; n < NEED_SETS; n++) {
			const struct cpu_model *m = &cpu_models[c];
			struct features f = resolve(m, need_sets[n], false);
			uint64_t expected = BIT64(8); /* PCE */

			for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
				if ((seen(&f, m, rules[i].leaf, rules[i].sub, rules[i].reg) >>
				     rules[i].bit) &
				    1)
					expected |= BIT64(rules[i].cr4);
			}
			/* CET: shadow stacks or branch tracking */
			if (((seen(&f, m, 7, 0, 2) >> 7) & 1) != 0 ||
			    ((seen(&f, m, 7, 0, 3) >> 20) & 1) != 0)
				expected |= BIT64(23);
			assert_int_equal(f.cr4_allowed, expected);
		}
	}
}

/* XCR0 and XSS components and the features that use them (SDM 1, 13.1), as the guest sees both. */
static void xsave_follows_cpuid(void **state)
{
	static const struct {
		uint64_t components;
		uint32_t leaf;
		unsigned int reg, bit;
	} xcr0_rules[] =
	    {
		{3, 1, 2, 26},
		{BIT64(2), 1, 2, 28},
		{UINT64_C(3) << 3, 7, 1, 14},
		{UINT64_C(7) << 5, 7, 1, 16},
		{BIT64(9), 7, 2, 3},
		{UINT64_C(3) << 17, 7, 3, 24},
	    },
	  xss_rules[] = {
	      {BIT64(10), 7, 2, 29}, {UINT64_C(3) << 11, 7, 2, 7}, {UINT64_C(3) << 11, 7, 3, 20},
	      {BIT64(13), 6, 0, 13}, {BIT64(15), 7, 3, 19},        {BIT64(16), 6, 0, 7},
	  };

	(void)state;
	for (size_t c = 0; c < CPU_MODEL_COUNT; c++) {
		for (size_t n = 0; n < NEED_SETS; n++) {
			const struct cpu_model *m = &cpu_models[c];
			struct features f = resolve(m, need_sets[n], false);
			uint64_t xcr0 = 0, xss = 0;

			for (size_t i = 0; i < sizeof(xcr0_rules) / sizeof(xcr0_rules[0]); i++) {
				if ((seen(&f, m, xcr0_rules[i].leaf, 0, xcr0_rules[i].reg) >>
				     xcr0_rules[i].bit) &
				    1)
					xcr0 |= xcr0_rules[i].components;
			}
			for (size_t i = 0; i < sizeof(xss_rules) / sizeof(xss_rules[0]); i++) {
				if ((seen(&f, m, xss_rules[i].leaf, 0, xss_rules[i].reg) >>
				     xss_rules[i].bit) &
				    1)
					xss |= xss_rules[i].components;
			}
			xcr0 &= raw(m, 0xd, 0, 0) | (uint64_t)raw(m, 0xd, 0, 3) << 32;
			xss &= raw(m, 0xd, 1, 2) | (uint64_t)raw(m, 0xd, 1, 3) << 32;
			if (((seen(&f, m, 0xd, 1, 0) >> 3) & 1) == 0)
				xss = 0;
			assert_int_equal(f.xcr0_allowed, xcr0);
			assert_int_equal(f.xss_allowed, xss);
			assert_int_equal(seen(&f, m, 0xd, 0, 0), (uint32_t)xcr0);
			assert_int_equal(seen(&f, m, 0xd, 1, 2), (uint32_t)xss);
			for (uint32_t sub = 2; sub < 70; sub++) {
				bool used = sub < 64 && (((xcr0 | xss) >> sub) & 1) != 0;
				assert_int_equal(features_cpuid_mask(&f, 0xd, sub)[0],
						 used ? UINT32_MAX : 0);
			}
		}
	}
}

/* In registers made of feature bits, nothing passes that the table does not name, unless asked for.
 */
static void unknown_bits_are_hidden(void **state)
{
	static const struct {
		uint32_t leaf, sub;
		unsigned int reg;
	} words[] = {{1, 0, 2},          {1, 0, 3},          {6, 0, 0},          {6, 0, 2},
		     {7, 0, 1},          {7, 0, 2},          {7, 0, 3},          {7, 1, 0},
		     {7, 1, 1},          {7, 1, 2},          {7, 1, 3},          {7, 2, 0},
		     {7, 2, 3},          {7, 3, 0},          {0xd, 1, 0},        {0x80000001, 0, 2},
		     {0x80000001, 0, 3}, {0x80000007, 0, 1}, {0x80000007, 0, 3}, {0x80000008, 0, 1},
		     {0x80000021, 0, 0}, {0x80000021, 0, 2}, {0x80000022, 0, 0}};

	(void)state;
	for (size_t c = 0; c < CPU_MODEL_COUNT; c++) {
		struct features hide = resolve(&cpu_models[c], UINT64_MAX, false);
		struct features show = resolve(&cpu_models[c], UINT64_MAX, true);

		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
			uint32_t known = 0;

			if ((words[w].leaf & 0x7fffffff) > hide.max[words[w].leaf >> 31])
				continue;
			for (unsigned int i = 0; i < FEATURE_COUNT; i++) {
				const struct feature *t = &features_table[i];
				if (t->leaf == words[w].leaf && t->subleaf == words[w].sub &&
				    t->reg == words[w].reg)
					known |= UINT32_C(1) << t->bit;
			}
			uint32_t h =
			    features_cpuid_mask(&hide, words[w].leaf, words[w].sub)[words[w].reg];
			uint32_t s =
			    features_cpuid_mask(&show, words[w].leaf, words[w].sub)[words[w].reg];
			assert_int_equal(h & ~known, 0);
			if (words[w].leaf != 6) /* there ECX 15:8 stay hidden */
				assert_int_equal(s | known, UINT32_MAX);
			assert_int_equal(h & known, s & known);
		}
	}
}

/* Whole registers of single CPUs, worked out by hand from the dumps and the manuals. */
static void golden(void **state)
{
	static const struct {
		const char *cpu;
		uint64_t needs;
		uint32_t leaf, sub;
		unsigned int reg;
		uint32_t value;
	} cases[] = {
	    /* i5-6400T: without DTES64, DS-CPL, VMX, SMX; without DS; without SGX and PT */
	    {"skylake", NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(BNDCFGS), 1, 0, 2,
	     0x7ffafb8b},
	    {"skylake", NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(BNDCFGS), 1, 0, 3,
	     0xbfcbfbff},
	    {"skylake", NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(BNDCFGS), 7, 0, 1,
	     0x009c67ab},
	    /* ... also without INVPCID and MPX */
	    {"skylake", 0, 7, 0, 1, 0x009c23ab},
	    {"skylake", 0, 0xd, 0, 0, 0x7},
	    {"skylake", NEED(BNDCFGS), 0xd, 0, 0, 0x1f},
	    {"skylake", 0, 0xd, 1, 0, 0x7},
	    {"skylake", 0, 0x80000001, 0, 3, 0x24100000},
	    {"skylake", NEED(RDTSCP), 0x80000001, 0, 3, 0x2c100000},
	    /* opaque: signature, performance monitoring, address sizes */
	    {"skylake", 0, 1, 0, 0, 0x000506e3},
	    {"skylake", 0, 0xa, 0, 0, 0x07300804},
	    {"skylake", 0, 0x80000008, 0, 0, 0x00003027},
	    /* Xeon 4th generation: all but SGX, PT | TME, SGX_LC, ENQCMD | UINTR, PCONFIG */
	    {"sapphire-rapids", UINT64_MAX & ~NEED(GUEST_IOMMU), 7, 0, 1, 0xf1bfbffb},
	    {"sapphire-rapids", UINT64_MAX & ~NEED(GUEST_IOMMU), 7, 0, 2, 0x9b415fee},
	    {"sapphire-rapids", UINT64_MAX & ~NEED(GUEST_IOMMU), 7, 0, 3, 0xffd94410},
	    {"sapphire-rapids", UINT64_MAX, 0xd, 1, 2, 0x00009c00},
	    {"sapphire-rapids", 0, 0xd, 0, 0, 0x000602e7},
	    /* EPYC 9004: without IBS, SVM, SKINIT; RDTSCP as the need says */
	    {"zen4-genoa", NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES), 0x80000001, 0, 2,
	     0x75c223fb},
	    {"zen4-genoa", NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES), 0x80000001, 0, 3,
	     0x2fd3fbff},
	    /* without INVLPGB and INVLPGB_NESTED */
	    {"zen4-genoa", NEED(XSAVES), 0x80000008, 0, 1, 0x799ef257},
	    /* without upper-address-ignore */
	    {"zen4-genoa", 0, 0x80000021, 0, 0, 0x00062f4f},
	    {"zen4-genoa", 0, 0x80000021, 0, 1, 0x0000015c},
	    {"zen3-milan", NEED(XSAVES) | NEED(CET_STATE), 0xd, 1, 2, 0x00001800},
	    {"zen3-milan", NEED(XSAVES), 0xd, 1, 2, 0},
	    {"zen3-milan", NEED(XSAVES), 7, 0, 2, 0x0000060c},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cpu_model *m = cpu_model_named(cases[i].cpu);
		struct features f = resolve(m, cases[i].needs, false);
		uint32_t got = seen(&f, m, cases[i].leaf, cases[i].sub, cases[i].reg);

		if (got != cases[i].value)
			fail_msg("%s %x.%x reg %u: %08x, expected %08x", m->name, cases[i].leaf,
				 cases[i].sub, cases[i].reg, got, cases[i].value);
	}
}

static void control_registers(void **state)
{
	(void)state;
	struct features skl =
	    resolve(cpu_model_named("skylake"),
		    NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES) | NEED(BNDCFGS), false);
	/* VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT | FSGSBASE PCIDE OSXSAVE | SMEP SMAP
	 */
	assert_int_equal(skl.cr4_allowed, 0x3707ff);
	assert_int_equal(skl.efer_allowed, 0xd01); /* SCE LME LMA NXE */
	assert_int_equal(skl.cr0_allowed, 0xe005003f);
	assert_int_equal(skl.xss_allowed, 0); /* PT was its only component */
	assert_int_equal(skl.xsave_bytes, 0x440);

	struct features old = resolve(cpu_model_named("skylake"), 0, false);
	assert_int_equal(old.xsave_bytes, 0x340); /* AVX ends there; MPX is hidden */

	struct features nehalem = resolve(cpu_model_named("nehalem"), UINT64_MAX, false);
	assert_int_equal(nehalem.cr4_allowed, 0x7ff);
	assert_int_equal(nehalem.xcr0_allowed, 0);
	assert_int_equal(nehalem.xsave_bytes, 0);

	struct features genoa = resolve(cpu_model_named("zen4-genoa"),
					NEED(RDTSCP) | NEED(INVPCID) | NEED(XSAVES), false);
	/* SCE LME LMA NXE FFXSR TCE, INTWB, AIBRSE; no LMSLE: 80000008 EBX bit 20 */
	assert_int_equal(genoa.efer_allowed, 0xcd01 | 0x40000 | 0x200000);
	struct features zen = resolve(cpu_model_named("zen"), NEED(RDTSCP), false);
	assert_int_equal(zen.efer_allowed & 0x2000, 0x2000); /* LMSLE */
	assert_int_equal(skl.efer_allowed & 0x2000, 0);

	struct features spr = resolve(cpu_model_named("sapphire-rapids"), UINT64_MAX, false);
	assert_int_equal(spr.cr4_allowed & BIT64(23), BIT64(23)); /* CET */
	assert_int_equal(spr.cr4_allowed & BIT64(24), BIT64(24)); /* PKS */
	assert_int_equal(spr.xsave_bytes, 0x2b00);
}

static void lookups_beyond(void **state)
{
	const struct cpu_model *m = cpu_model_named("skylake");

	(void)state;
	for (int show = 0; show < 2; show++) {
		struct features f = resolve(m, UINT64_MAX, show != 0);
		static const uint32_t absent[] = {0x17,       0x30,       0x1000,     0x40000000,
						  0x7fffffff, 0x80000009, 0xc0000000, 0xffffffff};

		assert_true(f.repeats_last && f.max[0] == 0x16); /* Intel */
		for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
			assert_true(features_leaf_beyond(&f, absent[i]));
			assert_int_equal(features_cpuid_mask(&f, absent[i], 0)[0], 0);
		}
		assert_false(features_leaf_beyond(&f, 0x16) ||
			     features_leaf_beyond(&f, 0x80000008));
		/* 11h exists on this CPU and is in no list */
		assert_int_equal(features_cpuid_mask(&f, 0x11, 0)[0], show != 0 ? UINT32_MAX : 0);
		assert_int_equal(features_cpuid_mask(&f, 7, 3)[1], show != 0 ? UINT32_MAX : 0);
		assert_int_equal(features_cpuid_mask(&f, 7, UINT32_MAX)[1],
				 show != 0 ? UINT32_MAX : 0);
		assert_int_equal(features_cpuid_mask(&f, 4, 77)[3], UINT32_MAX);
	}
}

/* SDM 2D XSETBV: the combinations that give #GP. */
static void xcr0_values(void **state)
{
	static const struct {
		const char *cpu;
		uint64_t value;
		bool valid;
	} cases[] = {
	    {"skylake", 1, true},
	    {"skylake", 0, false},
	    {"skylake", 2, false},
	    {"skylake", 3, true},
	    {"skylake", 7, true},
	    {"skylake", 5, false},
	    {"skylake", 0x1f, true},
	    {"skylake", 0xf, false},
	    {"skylake", 0x17, false},
	    {"skylake", 0xe7, false},
	    {"skylake", 0x207, false},
	    {"sapphire-rapids", 0xe7, true},
	    {"sapphire-rapids", 0xe3, false},
	    {"sapphire-rapids", 0x67, false},
	    {"sapphire-rapids", 0x602e7, true},
	    {"sapphire-rapids", 0x202e7, false},
	    {"sapphire-rapids", 0x402e7, false},
	    {"sapphire-rapids", UINT64_C(1) << 63 | 7, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct features f = resolve(cpu_model_named(cases[i].cpu), UINT64_MAX, false);
		if (features_xcr0_valid(&f, cases[i].value) != cases[i].valid)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_is_sorted),
	    cmocka_unit_test(shown_when_need_is_met),
	    cmocka_unit_test(hidden_always),
	    cmocka_unit_test(cr4_follows_cpuid),
	    cmocka_unit_test(xsave_follows_cpuid),
	    cmocka_unit_test(unknown_bits_are_hidden),
	    cmocka_unit_test(golden),
	    cmocka_unit_test(control_registers),
	    cmocka_unit_test(lookups_beyond),
	    cmocka_unit_test(xcr0_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
