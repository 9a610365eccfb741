/* Tests of the guest fuzzer's generator and of its table of what is not compared. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "tests/guest/fuzz/fuzz.h"
#include "tests/guest/fuzz/insn.h"

#define OPS 200000u
#define ALL ((1u << FUZZ_KINDS) - 1)
#define PM1 0x604 /* as on QEMU's "pc" */

static struct fuzz_env env_of(uint64_t seed)
{
	return (struct fuzz_env){.seed = seed, .kinds = ALL, .pm1 = PM1, .cpus = 4};
}

/* The same arguments give the same operation, whatever was made before. */
static void repeats(void **state)
{
	struct fuzz_env env = env_of(7);
	struct fuzz_op a, b;

	(void)state;
	for (uint64_t n = 0; n < 1000; n++) {
		memset(&a, 0x55, sizeof(a));
		memset(&b, 0xaa, sizeof(b));
		fuzz_make(&env, 2, n, &a);
		fuzz_make(&env, 1, 999 - n, &b);
		fuzz_make(&env, 2, n, &b);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

/* Seed, CPU and number each make another sequence. */
static void differs(void **state)
{
	struct fuzz_env env = env_of(7), other = env_of(8);
	unsigned same[3] = {0};
	struct fuzz_op a, b;

	(void)state;
	for (uint64_t n = 0; n < 1000; n++) {
		fuzz_make(&env, 0, n, &a);
		fuzz_make(&other, 0, n, &b);
		same[0] += !memcmp(&a, &b, sizeof(a));
		fuzz_make(&env, 1, n, &b);
		same[1] += !memcmp(&a, &b, sizeof(a));
		fuzz_make(&env, 0, n + 1, &b);
		same[2] += !memcmp(&a, &b, sizeof(a));
	}
	assert_int_equal(same[0] + same[1] + same[2], 0);
}

/* Every kind comes, and with kinds= no other. */
static void kinds(void **state)
{
	struct fuzz_env env = env_of(1);
	unsigned count[FUZZ_KINDS] = {0};
	struct fuzz_op op;

	(void)state;
	for (uint64_t n = 0; n < OPS; n++) {
		fuzz_make(&env, 0, n, &op);
		assert_in_range(op.kind, 0, FUZZ_KINDS - 1);
		count[op.kind]++;
	}
	for (unsigned k = 0; k < FUZZ_KINDS; k++)
		assert_true(count[k] > 0);
	for (unsigned k = 0; k < FUZZ_KINDS; k++) {
		env.kinds = 1u << k | 1u << FUZZ_MSR;
		for (uint64_t n = 0; n < 1000; n++) {
			fuzz_make(&env, 0, n, &op);
			assert_true(op.kind == k || op.kind == FUZZ_MSR);
		}
	}
}

/* Ports that may be written without harm: of the ISA DMA controller's pages those that no channel
 * uses, and where POST codes go. */
static bool harmless(uint32_t port)
{
	static const uint16_t list[] = {0x80, 0x84, 0x85, 0x86, 0x88, 0xed};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (list[i] == port)
			return true;
	}
	return false;
}

/* Nothing is written that would end the machine. */
static void ports(void **state)
{
	struct fuzz_env env = env_of(3);
	unsigned writes = 0, strings = 0;
	struct fuzz_op op;

	(void)state;
	env.kinds = 1u << FUZZ_IO;
	for (uint64_t n = 0; n < OPS; n++) {
		fuzz_make(&env, 0, n, &op);
		assert_true(op.size == 1 || op.size == 2 || op.size == 4);
		strings += op.what >= 6;
		if (op.what < 4 || op.what == 6)
			continue;
		writes++;
		if (op.what == 5) {
			/* SLP_EN: ACPI 4.8.3.2.1, bit 13; written only where it is 0 */
			int shift = 13 - 8 * ((int)op.number - PM1);

			assert_in_range(op.number, PM1, PM1 + 2);
			if (shift >= 0 && shift < 8 * op.size)
				assert_false(op.value & BIT(shift));
		} else {
			assert_true(harmless(op.number));
			if (op.number != 0x80)
				assert_int_equal(op.size, 1);
		}
	}
	assert_true(writes > OPS / 10 && strings > OPS / 10);
}

/* An access of 4 bytes may begin below a port that is written; one of 4 bytes there ends above. */
static void written_ports(void **state)
{
	static const struct {
		uint32_t port;
		bool written;
	} rows[] = {{0x7c, false}, {0x7d, true},   {0x80, true},  {0x8b, true},  {0x8c, false},
		    {0x21, false}, {0x600, false}, {0x601, true}, {0x609, true}, {0x60a, false}};
	struct fuzz_env env = env_of(1);

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(fuzz_port_is_written(&env, rows[i].port), rows[i].written);
	env.pm1 = 0;
	assert_false(fuzz_port_is_written(&env, 0x604));
}

/* The APIC stays on and in its mode, and the time is not changed. */
static void msrs(void **state)
{
	struct fuzz_env env = env_of(4);
	unsigned base = 0;
	struct fuzz_op op;

	(void)state;
	env.kinds = 1u << FUZZ_MSR;
	for (uint64_t n = 0; n < OPS; n++) {
		fuzz_make(&env, 0, n, &op);
		if (op.number == 0x10 || op.number == 0x3b || op.number == 0x6e0 ||
		    (op.number >= 0x800 && op.number <= 0x8ff))
			assert_true(op.what < 2);
		if (op.number == 0x1b && op.what == 3) {
			/* XORed with: EN is bit 11, EXTD 10, BSP 8 (SDM 3A 11.4.4) */
			assert_int_equal(op.value & 0xd00, 0);
			base++;
		}
	}
	assert_true(base > 0);
}

/* A snippet fits, and has only what may run in its mode. */
static void snippets(void **state)
{
	static const struct {
		enum fuzz_kind kind;
		uint8_t needs;
	} rows[] = {{FUZZ_INSN, INSN_KERNEL},
		    {FUZZ_STEP, INSN_KERNEL},
		    {FUZZ_USER, 0},
		    {FUZZ_MODE, INSN_LEGACY}};
	struct fuzz_env env = env_of(5);
	struct fuzz_op op;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned longest = 0;

		env.kinds = 1u << rows[i].kind;
		for (uint64_t n = 0; n < OPS; n++) {
			fuzz_make(&env, 0, n, &op);
			assert_in_range(op.length, 1, sizeof(op.code));
			assert_int_equal(op.pass & rows[i].needs, rows[i].needs);
			longest = op.length > longest ? op.length : longest;
			if (rows[i].kind == FUZZ_MODE)
				assert_true(MODE_REAL + op.what < MODE_COUNT);
		}
		assert_true(longest > 12); /* several instructions */
	}
}

static void table_of_instructions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < INSNS; i++)
		assert_in_range(insns[i].length, 1, sizeof(insns[i].bytes));
	/* HLT at CPL 0 would wait for ever: F4, SDM 2A */
	for (unsigned i = 0; i < INSNS; i++) {
		if (insns[i].bytes[0] == 0xf4)
			assert_int_equal(insns[i].flags & (INSN_KERNEL | INSN_LEGACY), 0);
	}
}

static void masks(void **state)
{
	static const struct {
		struct fuzz_op op;
		bool compared;
	} rows[] = {
	    {{.kind = FUZZ_MSR, .number = 0x10}, false},       /* time-stamp counter */
	    {{.kind = FUZZ_MSR, .number = 0x277}, true},       /* PAT */
	    {{.kind = FUZZ_MSR, .number = 0xc0000080}, false}, /* EFER */
	    {{.kind = FUZZ_MSR, .number = 0xc0000082}, true},  /* LSTAR */
	    {{.kind = FUZZ_MSR, .number = 0x480}, false},      /* VMX_BASIC */
	    {{.kind = FUZZ_IO, .number = 0x71}, false},        /* CMOS: time */
	    {{.kind = FUZZ_IO, .number = 0x21}, true},         /* interrupt mask */
	    {{.kind = FUZZ_IO, .number = PM1, .what = 6}, true},
	    {{.kind = FUZZ_IO, .number = 0xcf9, .size = 1}, true},
	    {{.kind = FUZZ_IO, .number = 0xcf9, .size = 4}, false}, /* CFC is PCI data */
	    {{.kind = FUZZ_VMM}, false},
	    {{.kind = FUZZ_NMI}, false},
	    {{.kind = FUZZ_INSN}, true},
	    {{.kind = FUZZ_INSN, .varies = FUZZ_VARIES_ALL}, false},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *reason = "";

		assert_int_equal(fuzz_compared(&rows[i].op, &reason), rows[i].compared);
		assert_true(!reason == rows[i].compared); /* what is left out has a reason */
	}
	/* CPUID: SDM 2A, APM 3 appendix E */
	assert_true(fuzz_cpuid_mask(1, 0, 2) & BIT(5));          /* VMX */
	assert_true(fuzz_cpuid_mask(1, 0, 2) & BIT(31));         /* a hypervisor is there */
	assert_true(fuzz_cpuid_mask(0x80000001, 3, 2) & BIT(2)); /* SVM */
	assert_true(fuzz_cpuid_mask(7, 0, 1) & BIT(2));          /* SGX */
	assert_int_equal(fuzz_cpuid_mask(7, 1, 1), 0);
	assert_int_equal(fuzz_cpuid_mask(1, 0, 3) & BIT(9), 0); /* APIC */
	assert_int_equal(fuzz_cpuid_mask(0, 0, 1), 0);          /* vendor */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(repeats),
	    cmocka_unit_test(differs),
	    cmocka_unit_test(kinds),
	    cmocka_unit_test(ports),
	    cmocka_unit_test(msrs),
	    cmocka_unit_test(snippets),
	    cmocka_unit_test(masks),
	    cmocka_unit_test(written_ports),
	    cmocka_unit_test(table_of_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
