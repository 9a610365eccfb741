/* The MSR policy: table, lookup and bitmap agree; what must never pass does not. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/msr_policy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "cpu_models.h"

#define RANGES 3
static const uint32_t range_base[RANGES] = {0, 0xc0000000, 0xc0010000};

/* The bitmap as the callback leaves it: bit 0 read, bit 1 write, for 2000h registers in three
 * ranges. */
struct bitmap {
	uint8_t bits[RANGES][0x2000];
	unsigned int outside; /* calls for registers that no bitmap has */
};

static void set(void *arg, uint32_t index, bool read, bool write)
{
	struct bitmap *b = arg;

	for (int r = 0; r < RANGES; r++) {
		if (index - range_base[r] < 0x2000) {
			b->bits[r][index - range_base[r]] |= (uint8_t)(read | write << 1);
			return;
		}
	}
	b->outside++;
}

static void features_of(struct features *f, const char *cpu, uint64_t needs)
{
	struct cpu_model copy = *cpu_model_named(cpu);
	struct cpu_caps caps = {
	    .vendor = copy.amd ? CPU_VENDOR_AMD : CPU_VENDOR_INTEL,
	    .cpuid = cpu_model_cpuid,
	    .arg = &copy,
	    .needs = needs,
	};

	features_resolve(f, &caps, false);
}

/* Without the table's search: every row that applies to the vendor and holds the register. */
static const struct msr_policy *row_linear(enum cpu_vendor vendor, uint32_t index, int *count)
{
	const struct msr_policy *found = NULL;

	*count = 0;
	for (size_t i = 0; i < msr_policy_count; i++) {
		const struct msr_policy *row = &msr_policy_table[i];
		if ((row->vendor & vendor) != 0 && index >= row->first && index <= row->last) {
			found = row;
			(*count)++;
		}
	}
	return found;
}

static void table_is_sorted(void **state)
{
	(void)state;
	for (size_t i = 0; i < msr_policy_count; i++) {
		const struct msr_policy *row = &msr_policy_table[i];

		assert_true(row->first <= row->last);
		assert_true(row->vendor == 1 || row->vendor == 2 || row->vendor == 3);
		assert_non_null(row->name);
		assert_true(row->why != NULL && row->why[0] != '\0');
		assert_true(row->feature <= FEATURE_COUNT);
		if (row->condition == MSR_IF_FEATURE)
			assert_true(row->feature < FEATURE_COUNT);
		bool emulates = row->read == MSR_EMULATE || row->write == MSR_EMULATE ||
				row->else_read == MSR_EMULATE || row->else_write == MSR_EMULATE;
		assert_int_equal(emulates, row->emulation != MSR_EMU_NONE);
		bool masks = row->write == MSR_MASK || row->else_write == MSR_MASK;
		assert_int_equal(masks, row->write_mask != 0);
		/* Actions of one direction only */
		assert_true(row->read != MSR_IGNORE && row->read != MSR_MASK);
		assert_true(row->write != MSR_ZERO);
		if (i == 0)
			continue;
		const struct msr_policy *p = &msr_policy_table[i - 1];
		if (p->first == row->first)
			assert_true(p->last == row->last && (p->vendor & row->vendor) == 0);
		else
			assert_true(p->last < row->first);
	}
}

static void walk(const struct msr_policy_env *env)
{
	static struct bitmap b;
	bool amd = env->vendor == CPU_VENDOR_AMD;

	memset(&b, 0, sizeof(b));
	msr_policy_fill(env, set, &b);
	assert_int_equal(b.outside, 0);
	for (int r = 0; r < RANGES; r++) {
		for (uint32_t i = 0; i < 0x2000; i++) {
			uint32_t index = range_base[r] + i;
			struct msr_verdict v = msr_policy_find(env, index);
			int count;
			const struct msr_policy *row = row_linear(env->vendor, index, &count);

			assert_true(count <= 1);
			assert_ptr_equal(v.row, row);
			if (row == NULL)
				assert_true(v.read == MSR_PASS && v.write == MSR_PASS);
			bool covered = r < 2 || amd;
			assert_int_equal(msr_policy_in_bitmap(env->vendor, index), covered);
			unsigned int expected =
			    (v.read != MSR_PASS ? 1U : 0U) | (v.write != MSR_PASS ? 2U : 0U);
			assert_int_equal(b.bits[r][i], covered ? expected : 0);
		}
	}
	assert_false(msr_policy_in_bitmap(env->vendor, 0x2000));
	assert_false(msr_policy_in_bitmap(env->vendor, 0xbfffffff));
	assert_false(msr_policy_in_bitmap(env->vendor, 0xc0002000));
	assert_false(msr_policy_in_bitmap(env->vendor, 0xc0012000));
}

static void table_is_bitmap(void **state)
{
	static const struct {
		const char *cpu;
		uint64_t needs;
	} cpus[] = {{"nehalem", 0},
		    {"skylake", 0},
		    {"sapphire-rapids", UINT64_MAX},
		    {"zen", 0},
		    {"zen5-1", UINT64_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		for (int icr = 0; icr < 2; icr++) {
			struct features f;
			struct msr_policy_env env = {
			    .vendor = cpu_model_named(cpus[i].cpu)->amd ? CPU_VENDOR_AMD
									: CPU_VENDOR_INTEL,
			    .features = &f,
			    .startup_icr = icr != 0,
			};

			features_of(&f, cpus[i].cpu, cpus[i].needs);
			walk(&env);
		}
	}
}

struct expected {
	uint32_t first, last;
	enum msr_action read, write;
};

static void check(const struct msr_policy_env *env, const struct expected *e, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (uint32_t index = e[i].first; index <= e[i].last; index++) {
			struct msr_verdict v = msr_policy_find(env, index);
			if (v.read != e[i].read || v.write != e[i].write)
				fail_msg("%x: read %d write %d", index, v.read, v.write);
		}
	}
}

#define P        MSR_PASS
#define E        MSR_EMULATE
#define D        MSR_DENY
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What is never passed, and what lean operation needs to pass: numbers from SDM 4 chapter 2.
 */
static void intel_expected(void **state)
{
	static const struct expected all[] = {
	    {0x10, 0x10, P, E},
	    {0x1b, 0x1b, P, E},
	    {0x3a, 0x3a, E, D},
	    {0x3b, 0x3b, P, E},
	    {0x48, 0x49, P, P},
	    {0x79, 0x79, P, MSR_IGNORE},
	    {0x80, 0x80, P, D},
	    {0x1b00, 0x1b00, D, D},
	    {0x8b, 0x8b, P, P},
	    {0x8c, 0x8f, D, D},
	    {0x9b, 0x9b, D, D},
	    {0x10b, 0x10b, P, P},
	    {0xfe, 0xfe, P, P},
	    {0x174, 0x176, P, P},
	    {0x1d9, 0x1d9, P, P},
	    {0x1f2, 0x1f3, D, D},
	    {0x200, 0x213, E, E},
	    {0x250, 0x250, E, E},
	    {0x258, 0x259, E, E},
	    {0x268, 0x26f, E, E},
	    {0x277, 0x277, P, P},
	    {0x2ff, 0x2ff, E, E},
	    {0x38f, 0x38f, P, P},
	    {0x480, 0x491, D, D},
	    {0x560, 0x561, D, D},
	    {0x570, 0x572, D, D},
	    {0x580, 0x587, D, D},
	    {0x6e0, 0x6e0, P, P},
	    {0x800, 0x82f, P, P},
	    {0x981, 0x984, D, D},
	    {0x985, 0x98a, D, D},
	    {0xd91, 0xd92, D, D},
	    {0x17d0, 0x17d1, D, D},
	    {0xc0000080, 0xc0000080, P, E},
	    {0xc0000081, 0xc0000084, P, P},
	    {0xc0000100, 0xc0000103, P, P},
	    {0x40000000, 0x400000ff, D, D},
	};
	static const struct expected hidden[] = {
	    {0x3f1, 0x3f2, D, D},   {0x3f6, 0x3f6, D, D}, {0x600, 0x600, D, D},
	    {0x6a0, 0x6a8, D, D},   {0x6e1, 0x6e1, D, D}, {0xd90, 0xd90, D, D},
	    {0xd93, 0xd93, D, D},   {0xda0, 0xda0, D, D}, {0x14ce, 0x14cf, D, D},
	    {0x1500, 0x151f, D, D}, {0x345, 0x345, E, P}, {0x1a0, 0x1a0, E, MSR_MASK},
	    {0x830, 0x830, P, P},
	};
	static const struct expected shown[] = {
	    {0x3f1, 0x3f2, P, P}, {0x3f6, 0x3f6, P, P},        {0x600, 0x600, P, P},
	    {0x6a0, 0x6a8, P, P}, {0x6e1, 0x6e1, P, P},        {0xd93, 0xd93, P, P},
	    {0xda0, 0xda0, P, E}, {0x14ce, 0x14cf, P, P},      {0x1500, 0x151f, P, P},
	    {0x345, 0x345, P, P}, {0x1a0, 0x1a0, P, MSR_MASK}, {0x830, 0x830, P, E},
	};
	struct features f;
	struct msr_policy_env env = {.vendor = CPU_VENDOR_INTEL, .features = &f};

	(void)state;
	features_of(&f, "sapphire-rapids", 0);
	check(&env, all, COUNT(all));
	check(&env, hidden, COUNT(hidden));
	features_of(&f, "sapphire-rapids", UINT64_MAX);
	env.startup_icr = true;
	check(&env, all, COUNT(all));
	check(&env, shown, COUNT(shown));
	/* Unavailable bits 11 and 12, CPUID limit 22, XD disable 34, which would fault the VMM's
	 * EFER */
	assert_int_equal(msr_policy_find(&env, 0x1a0).write_mask, ~UINT64_C(0x400401800));
	assert_int_equal(msr_policy_find(&env, 0x3a).emulation, MSR_EMU_FEATURE_CONTROL);
	/* AMD's routing registers do not exist here: executed, and the CPU's own #GP reflected */
	assert_null(msr_policy_find(&env, 0xc001001a).row);
}

/* Numbers from APM 2 appendix A and the processor programming references. */
static void amd_expected(void **state)
{
	static const struct expected all[] = {
	    {0x10, 0x10, P, E},
	    {0x1b, 0x1b, P, E},
	    {0x200, 0x20f, P, E},
	    {0x250, 0x250, P, E},
	    {0x258, 0x259, P, E},
	    {0x268, 0x26f, P, E},
	    {0x277, 0x277, P, P},
	    {0x2ff, 0x2ff, P, E},
	    {0xc0000080, 0xc0000080, E, E},
	    {0xc0000081, 0xc0000084, P, P},
	    {0xc0000100, 0xc0000103, P, P},
	    {0xc0000104, 0xc0000104, D, D},          /* TSC ratio: SVM only */
	    {0xc0010010, 0xc0010010, P, MSR_IGNORE}, /* SYSCFG */
	    {0xc0010015, 0xc0010015, P, MSR_MASK},   /* HWCR */
	    {0xc0010016, 0xc0010019, P, MSR_IGNORE}, /* IORR */
	    {0xc001001a, 0xc001001a, P, MSR_IGNORE}, /* TOP_MEM */
	    {0xc001001d, 0xc001001d, P, MSR_IGNORE}, /* TOP_MEM2 */
	    {0xc0010020, 0xc0010020, P, MSR_IGNORE}, /* microcode */
	    {0xc0010058, 0xc0010058, P, E},          /* MMIO_CFG_BASE */
	    {0xc0010061, 0xc0010066, P, P},          /* P-states */
	    {0xc0010111, 0xc0010113, P, MSR_IGNORE}, /* SMM */
	    {0xc0010114, 0xc0010114, E, MSR_IGNORE}, /* VM_CR */
	    {0xc0010116, 0xc0010119, D, D},          /* SMM_CTL, VM_HSAVE_PA, SVM_KEY, SMM_KEY */
	    {0xc001011b, 0xc001011b, D, D},          /* doorbell */
	    {0xc0010130, 0xc0010133, D, D},          /* SEV, RMP */
	    {0xc0010140, 0xc0010141, P, P},          /* OSVW */
	    {0xc0011029, 0xc0011029, P, P},          /* DE_CFG: LFENCE, errata */
	    {0xc0011030, 0xc001103d, D, D},          /* IBS */
	};
	struct features f;
	struct msr_policy_env env = {.vendor = CPU_VENDOR_AMD, .features = &f};

	(void)state;
	features_of(&f, "zen3-milan", FEATURE_NEED_BIT(FEATURE_NEED_XSAVES));
	check(&env, all, COUNT(all));
	assert_int_equal(msr_policy_find(&env, 0x6a2).read, D);
	assert_int_equal(msr_policy_find(&env, 0xda0).write, E);
	assert_int_equal(msr_policy_find(&env, 0x830).write, P);
	features_of(&f, "zen3-milan", UINT64_MAX);
	env.startup_icr = true;
	check(&env, all, COUNT(all));
	assert_int_equal(msr_policy_find(&env, 0x6a2).read, P);
	assert_int_equal(msr_policy_find(&env, 0x830).write, E);
	/* HWCR: SmmLock 0, INVDWBINVD 4, SmmBaseLock 31, SmmPgCfgLock 33 stay the machine's */
	assert_int_equal(msr_policy_find(&env, 0xc0010015).write_mask & UINT64_C(0x280000011), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_is_sorted),
	    cmocka_unit_test(table_is_bitmap),
	    cmocka_unit_test(intel_expected),
	    cmocka_unit_test(amd_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
