/* CPU features: the table, and what it makes of one machine's CPUID. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/features.h"
#include "core/string.h"

#define CR4_PCE     (UINT64_C(1) << 8)   /* RDPMC has no CPUID bit: every 64-bit CPU has it */
#define EFER_LMSLE  (UINT64_C(1) << 13)  /* no bit says it exists; one says it does not */
#define CR0_DEFINED UINT64_C(0xe005003f) /* PE MP EM TS ET NE WP AM NW CD PG */

#define XCR0_X87    (UINT64_C(1) << 0)
#define XCR0_SSE    (UINT64_C(1) << 1)
#define XCR0_AVX    (UINT64_C(1) << 2)
#define XCR0_MPX    (UINT64_C(3) << 3)
#define XCR0_AVX512 (UINT64_C(7) << 5)
#define XCR0_AMX    (UINT64_C(3) << 17)

#define XSAVE_LEGACY_BYTES                                                                         \
	576 /* FXSAVE area and XSAVE header: the standard format's least size                      \
	     */
#define LEAF_7       0x7
#define LEAF_D       0xd
#define LEAF_23      0x23
#define LEAF_23_PEBS UINT32_C(0x30) /* subleaves 4 and 5 of leaf 23h describe PEBS */

const struct feature features_table[FEATURE_COUNT] = {
#define FEATURE(name, leaf, subleaf, reg, bit, need, cr4, xcr0, xss, efer)                         \
	{#name, leaf, subleaf, FEATURE_##reg, bit, FEATURE_NEED_##need, cr4, xcr0, xss, efer},
#include "core/vm/features_table.h"
};

/*
 * What the table of bits does not say: leaves that only enumerate (caches, topology, frequencies,
 * names) and registers that hold numbers pass whole; leaves of hidden features read as zeros.
 * `gate`: the leaf is all zeros unless this feature is shown. Leaves in neither table are unknown.
 */
struct leaf_policy {
	uint32_t leaf;
	uint16_t subleaves; /* this many have rows of the table; the ones after them are unknown. 0:
			       as in opaque */
	uint16_t gate;
	uint32_t
	    opaque[4];     /* bits that pass in each subleaf, or in subleaf 0 when there are rows */
	uint32_t never[4]; /* bits that stay hidden even with show_unknown */
};

#define ALL UINT32_MAX

static const struct leaf_policy leaves[] = {
    {0x0, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* vendor, last leaf */
    {0x1, 0, FEATURE_NO, {ALL, ALL, 0, 0}, {0}}, /* EAX signature, EBX brand, CLFLUSH, APIC id */
    {0x2, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* cache descriptors */
    {0x3, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* serial number */
    {0x4, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* caches */
    {0x5, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* MONITOR */
    /* EBX: thresholds. ECX 15:8 and EDX: thread director classes and HFI table */
    {0x6, 0, FEATURE_NO, {0, ALL, 0, 0}, {0, 0, 0xff00, ALL}},
    {LEAF_7, 3, FEATURE_NO, {ALL, 0, 0, 0}, {0}},     /* EAX: last subleaf */
    {0x9, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},  /* DCA */
    {0xa, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},  /* architectural performance monitoring */
    {0xb, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},  /* topology */
    {0xf, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},  /* RDT monitoring */
    {0x10, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* RDT allocation */
    {0x12, 0, FEATURE_SGX, {ALL, ALL, ALL, ALL}, {0}},
    {0x14, 0, FEATURE_PT, {ALL, ALL, ALL, ALL}, {0}},
    {0x15, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* TSC and crystal */
    {0x16, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* frequencies */
    {0x17, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* SoC vendor */
    {0x18, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* TLBs */
    {0x19, 0, FEATURE_KEY_LOCKER, {ALL, ALL, ALL, ALL}, {0}},
    {0x1a, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* core type */
    {0x1b, 0, FEATURE_PCONFIG, {ALL, ALL, ALL, ALL}, {0}},
    {0x1c, 0, FEATURE_ARCH_LBR, {ALL, ALL, ALL, ALL}, {0}},
    {0x1d, 0, FEATURE_AMX_TILE, {ALL, ALL, ALL, ALL}, {0}}, /* tile palettes */
    {0x1e, 0, FEATURE_AMX_TILE, {ALL, ALL, ALL, ALL}, {0}}, /* tile multiplication */
    {0x1f, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},       /* topology, version 2 */
    {0x20, 0, FEATURE_HRESET, {ALL, ALL, ALL, ALL}, {0}},
    {0x21, 0, FEATURE_VMX, {ALL, ALL, ALL, ALL}, {0}}, /* TDX: this is a trust domain */
    {LEAF_23, 0, FEATURE_ARCH_PERFMON_EXT, {ALL, ALL, ALL, ALL}, {0}},
    {0x24, 0, FEATURE_AVX10, {ALL, ALL, ALL, ALL}, {0}},
    {0x80000000, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},
    {0x80000001, 0, FEATURE_NO, {ALL, ALL, 0, 0}, {0}}, /* EAX signature, EBX brand, package type */
    {0x80000002, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* name */
    {0x80000003, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},
    {0x80000004, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},
    {0x80000005, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* L1 */
    {0x80000006, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* L2, L3 */
    {0x80000007, 0, FEATURE_NO, {ALL, 0, ALL, 0}, {0}},
    {0x80000008, 0, FEATURE_NO, {ALL, 0, ALL, ALL}, {0}}, /* address sizes, core count, limits */
    {0x8000000a, 0, FEATURE_SVM, {ALL, ALL, ALL, ALL}, {0}},
    {0x80000019, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* TLBs of 1 GiB pages */
    {0x8000001a, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}}, /* widths of the FPU */
    {0x8000001b, 0, FEATURE_IBS, {ALL, ALL, ALL, ALL}, {0}},
    {0x8000001c, 0, FEATURE_LWP, {ALL, ALL, ALL, ALL}, {0}},
    {0x8000001d, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},  /* caches */
    {0x8000001e, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},  /* topology */
    {0x8000001f, 0, FEATURE_SVM, {ALL, ALL, ALL, ALL}, {0}}, /* SME, SEV, SNP */
    {0x80000020, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},  /* platform QoS */
    /* EBX 15:0 size of microcode patches; 23:16 return stack size, which is ERAPS' */
    {0x80000021, 0, FEATURE_NO, {0, 0xffff, 0, 0}, {0, 0xff0000, 0, 0}},
    {0x80000022, 0, FEATURE_NO, {0, ALL, 0, 0}, {0}},        /* EBX: counters */
    {0x80000023, 0, FEATURE_SVM, {ALL, ALL, ALL, ALL}, {0}}, /* memory encryption keys */
    {0x80000024, 0, FEATURE_SVM, {ALL, ALL, ALL, ALL}, {0}}, /* SEV */
    {0x80000025, 0, FEATURE_SVM, {ALL, ALL, ALL, ALL}, {0}}, /* SNP */
    {0x80000026, 0, FEATURE_NO, {ALL, ALL, ALL, ALL}, {0}},  /* topology, version 2 */
};

/* Working state of one resolution. */
struct resolver {
	struct features *out;
	const struct cpu_caps *caps;
	unsigned int rows; /* rows in use */
	uint64_t xcr0_hw, xss_hw;
};

static bool need_met(const struct cpu_caps *caps, unsigned int need)
{
	if (need == FEATURE_NEED_NONE)
		return true;
	if (need == FEATURE_NEED_NEVER)
		return false;
	return (caps->needs & FEATURE_NEED_BIT(need)) != 0;
}

/* CPUID with the range checks that software has to make: absent leaves and subleaves give zeros. */
static void cpuid_checked(const struct resolver *r, uint32_t leaf, uint32_t subleaf,
			  uint32_t out[4])
{
	memset(out, 0, 4 * sizeof(out[0]));
	if ((leaf & UINT32_C(0x7fffffff)) > r->out->max[leaf >> 31])
		return;
	if (leaf == LEAF_7 && subleaf != 0) {
		r->caps->cpuid(r->caps->arg, leaf, 0, out);
		uint32_t last = out[FEATURE_EAX];
		memset(out, 0, 4 * sizeof(out[0]));
		if (subleaf > last)
			return;
	}
	r->caps->cpuid(r->caps->arg, leaf, subleaf, out);
}

/* Which features are shown, and the register bits that come with them. */
static void resolve_features(struct resolver *r)
{
	struct features *out = r->out;
	uint64_t cr4_known = CR4_PCE, xcr0_known = 0, xss_known = 0, xcr0 = 0, xss = 0;
	uint32_t regs[4] = {0};

	out->cr4_allowed = CR4_PCE;
	for (unsigned int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *f = &features_table[i];

		if (i == 0 || f->leaf != f[-1].leaf || f->subleaf != f[-1].subleaf)
			cpuid_checked(r, f->leaf, f->subleaf, regs);
		cr4_known |= f->cr4;
		xcr0_known |= f->xcr0;
		xss_known |= f->xss;
		if (((regs[f->reg] >> f->bit) & 1) == 0 || !need_met(r->caps, f->need))
			continue;
		out->shown[i / 64] |= UINT64_C(1) << (i % 64);
		out->cr4_allowed |= f->cr4;
		out->efer_allowed |= f->efer;
		xcr0 |= f->xcr0;
		xss |= f->xss;
	}
	if (out->show_unknown) {
		out->cr4_allowed |= ~cr4_known;
		xcr0 |= ~xcr0_known;
		xss |= ~xss_known;
	}
	if (r->caps->vendor == CPU_VENDOR_AMD && features_shown(out, FEATURE_LM) &&
	    !features_shown(out, FEATURE_EFER_LMSLE_UNSUPPORTED))
		out->efer_allowed |= EFER_LMSLE;
	out->cr0_allowed = CR0_DEFINED;
	if (features_shown(out, FEATURE_XSAVE))
		out->xcr0_allowed = xcr0 & r->xcr0_hw;
	if (features_shown(out, FEATURE_XSAVES))
		out->xss_allowed = xss & r->xss_hw;
}

static uint32_t *row_new(struct resolver *r)
{
	return r->out->rows[r->rows++];
}

/* The row of one subleaf from the bits of the table; `opaque` and `never` as in struct leaf_policy.
 */
static void row_fill(struct resolver *r, uint32_t leaf, uint32_t subleaf, const uint32_t opaque[4],
		     const uint32_t never[4])
{
	uint32_t *row = row_new(r);

	for (unsigned int reg = 0; reg < 4; reg++)
		row[reg] = r->out->show_unknown ? ~never[reg] : opaque[reg];
	for (unsigned int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *f = &features_table[i];
		uint32_t bit = UINT32_C(1) << f->bit;

		if (f->leaf != leaf || f->subleaf != subleaf)
			continue;
		if (need_met(r->caps, f->need))
			row[f->reg] |= bit;
		else
			row[f->reg] &= ~bit;
	}
}

static void row_const(struct resolver *r, uint32_t value)
{
	uint32_t *row = row_new(r);

	for (unsigned int reg = 0; reg < 4; reg++)
		row[reg] = value;
}

static uint32_t unknown(const struct resolver *r)
{
	return r->out->show_unknown ? UINT32_MAX : 0;
}

/* Leaf 0xd: subleaf 0 shows XCR0, 1 the extensions and XSS, n the component n. */
static void resolve_xsave_leaf(struct resolver *r)
{
	static const uint32_t none[4];
	static const uint32_t sizes0[4] = {0, UINT32_MAX, UINT32_MAX, 0},
			      sizes1[4] = {0, UINT32_MAX, 0, 0};
	const struct features *out = r->out;
	struct features_leaf *l = &r->out->leaf[0][LEAF_D];
	uint64_t components = out->xcr0_allowed | out->xss_allowed;
	uint32_t *row;

	if (!features_shown(out, FEATURE_XSAVE))
		return;
	l->first = (uint8_t)r->rows;
	l->last = 64;
	row = r->out->rows[r->rows];
	row_fill(r, LEAF_D, 0, sizes0, none);
	row[FEATURE_EAX] = (uint32_t)out->xcr0_allowed;
	row[FEATURE_EDX] = (uint32_t)(out->xcr0_allowed >> 32);
	row = r->out->rows[r->rows];
	row_fill(r, LEAF_D, 1, sizes1, none);
	row[FEATURE_ECX] = (uint32_t)out->xss_allowed;
	row[FEATURE_EDX] = (uint32_t)(out->xss_allowed >> 32);
	for (unsigned int n = 2; n < 64; n++)
		row_const(r, ((components >> n) & 1) != 0 ? UINT32_MAX : 0);
	row_const(r, 0);
}

/* Leaf 23h: valid subleaves in EAX of subleaf 0; the two about PEBS only with DS. */
static void resolve_perfmon_leaf(struct resolver *r)
{
	struct features_leaf *l = &r->out->leaf[0][LEAF_23];
	bool pebs = features_shown(r->out, FEATURE_DS);

	if (!features_shown(r->out, FEATURE_ARCH_PERFMON_EXT))
		return;
	l->first = (uint8_t)r->rows;
	l->last = 6;
	row_const(r, UINT32_MAX);
	if (!pebs)
		r->out->rows[l->first][FEATURE_EAX] &= ~LEAF_23_PEBS;
	for (unsigned int n = 1; n < 4; n++)
		row_const(r, UINT32_MAX);
	row_const(r, pebs ? UINT32_MAX : 0);
	row_const(r, pebs ? UINT32_MAX : 0);
	row_const(r, unknown(r));
}

static void resolve_leaf(struct resolver *r, const struct leaf_policy *p)
{
	static const uint32_t none[4];
	struct features_leaf *l = &r->out->leaf[p->leaf >> 31][p->leaf & 0xff];

	l->first = FEATURES_ROW_ZERO;
	l->last = 0;
	if (!features_shown(r->out, (enum feature_id)p->gate))
		return;
	if ((p->opaque[0] & p->opaque[1] & p->opaque[2] & p->opaque[3]) == UINT32_MAX) {
		l->first = FEATURES_ROW_ONES;
		return;
	}
	l->first = (uint8_t)r->rows;
	row_fill(r, p->leaf, 0, p->opaque, p->never);
	if (p->subleaves == 0)
		return;
	for (uint32_t sub = 1; sub < p->subleaves; sub++)
		row_fill(r, p->leaf, sub, none, none);
	row_const(r, unknown(r));
	l->last = (uint8_t)p->subleaves;
}

/* Size of the standard-format area for everything the guest may enable. */
static uint32_t xsave_bytes(const struct resolver *r)
{
	uint32_t bytes = XSAVE_LEGACY_BYTES;
	uint32_t regs[4];

	if (r->out->xcr0_allowed == 0)
		return 0;
	for (uint32_t n = 2; n < 63; n++) {
		if (((r->out->xcr0_allowed >> n) & 1) == 0)
			continue;
		cpuid_checked(r, LEAF_D, n, regs);
		if (regs[FEATURE_EAX] + regs[FEATURE_EBX] > bytes)
			bytes = regs[FEATURE_EAX] + regs[FEATURE_EBX];
	}
	return bytes;
}

void features_resolve(struct features *out, const struct cpu_caps *caps, bool show_unknown)
{
	struct resolver r = {.out = out, .caps = caps, .rows = 2};
	uint32_t regs[4];

	memset(out, 0, sizeof(*out));
	out->show_unknown = show_unknown;
	out->repeats_last = caps->vendor == CPU_VENDOR_INTEL;
	memset(out->rows[FEATURES_ROW_ONES], 0xff, sizeof(out->rows[0]));
	caps->cpuid(caps->arg, 0, 0, regs);
	out->max[0] = regs[FEATURE_EAX];
	caps->cpuid(caps->arg, UINT32_C(0x80000000), 0, regs);
	if (regs[FEATURE_EAX] >> 16 == 0x8000)
		out->max[1] = regs[FEATURE_EAX] & UINT32_C(0x7fffffff);
	cpuid_checked(&r, LEAF_D, 0, regs);
	r.xcr0_hw = regs[FEATURE_EAX] | (uint64_t)regs[FEATURE_EDX] << 32;
	cpuid_checked(&r, LEAF_D, 1, regs);
	r.xss_hw = regs[FEATURE_ECX] | (uint64_t)regs[FEATURE_EDX] << 32;

	resolve_features(&r);
	for (unsigned int ext = 0; ext < 2; ext++) {
		for (unsigned int i = 0; i < FEATURES_LEAVES; i++)
			out->leaf[ext][i].first =
			    show_unknown ? FEATURES_ROW_ONES : FEATURES_ROW_ZERO;
	}
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		if (leaves[i].leaf != LEAF_23)
			resolve_leaf(&r, &leaves[i]);
	}
	out->leaf[0][LEAF_D].first = FEATURES_ROW_ZERO;
	out->leaf[0][LEAF_23].first = FEATURES_ROW_ZERO;
	resolve_xsave_leaf(&r);
	resolve_perfmon_leaf(&r);
	out->xsave_bytes = xsave_bytes(&r);
}

const uint32_t *features_cpuid_mask_beyond(const struct features *f, uint32_t leaf)
{
	bool shown = f->show_unknown && !features_leaf_beyond(f, leaf);

	return f->rows[shown ? FEATURES_ROW_ONES : FEATURES_ROW_ZERO];
}

bool features_xcr0_valid(const struct features *f, uint64_t value)
{
	if ((value & ~f->xcr0_allowed) != 0 || (value & XCR0_X87) == 0)
		return false;
	if ((value & XCR0_AVX) != 0 && (value & XCR0_SSE) == 0)
		return false;
	if ((value & XCR0_MPX) != 0 && (value & XCR0_MPX) != XCR0_MPX)
		return false;
	if ((value & XCR0_AVX512) != 0 &&
	    ((value & XCR0_AVX512) != XCR0_AVX512 || (value & XCR0_AVX) == 0))
		return false;
	return (value & XCR0_AMX) == 0 || (value & XCR0_AMX) == XCR0_AMX;
}
