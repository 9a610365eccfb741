/* Tests of the instruction-length decoder: vectors from the manuals, and every prefix pair against
 * Zydis. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/insn/length.h"
#include "core/errno.h"
#include <Zydis/Decoder.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define M16 INSN_MODE16
#define M32 INSN_MODE32
#define M64 INSN_MODE64

/* Bytes from the SDM's and APM's opcode tables; lengths counted by hand. */
static const struct vector {
	enum insn_kind kind;
	enum insn_mode mode;
	const char *bytes;
	uint8_t n;
	int length;
} vectors[] = {
#define V(kind, mode, bytes, length)                                                               \
	{                                                                                          \
		kind, mode, bytes, sizeof bytes - 1, length                                        \
	}
    V(INSN_CPUID, M64, "\x0f\xa2", 2),
    V(INSN_CPUID, M16, "\x66\x0f\xa2", 3),
    V(INSN_RDMSR, M64, "\x0f\x32", 2),
    V(INSN_RDMSR, M64, "\x3e\x0f\x32", 3),
    V(INSN_RDMSR, M64, "\x66\x0f\x32", 3),
    V(INSN_RDMSR, M64, "\x48\x0f\x32", 3),
    V(INSN_RDMSR, M32, "\x48\x0f\x32", -EINVAL), /* DEC EAX */
    V(INSN_WRMSR, M64, "\xf2\xf3\xf0\x2e\x36\x3e\x26\x64\x65\x66\x67\x4f\x0f\x30", 14),
    V(INSN_WRMSR, M64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\x30", 15),
    V(INSN_WRMSR, M64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\x30", -EINVAL),
    V(INSN_WRMSR, M64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66", -EINVAL),
    V(INSN_WRMSR, M64, "\x66\x66\x66", -EFAULT),
    V(INSN_WRMSR, M64, "\x0f", -EFAULT),
    V(INSN_WRMSR, M64, "", -EFAULT),
    V(INSN_WRMSR, M64, "\x0f\x32", -EINVAL),
    V(INSN_RDTSC, M64, "\x0f\x31", 2),
    V(INSN_RDPMC, M64, "\x0f\x33", 2),
    V(INSN_RDTSCP, M64, "\x0f\x01\xf9", 3),
    V(INSN_RDTSCP, M64, "\x0f\x01", -EFAULT),
    V(INSN_VMCALL, M64, "\x0f\x01\xc1", 3),
    V(INSN_VMMCALL, M64, "\x0f\x01\xd9", 3),
    V(INSN_VMMCALL, M64, "\x0f\x01\xc1", -EINVAL),
    V(INSN_XSETBV, M64, "\x0f\x01\xd1", 3),
    V(INSN_MONITOR, M64, "\x0f\x01\xc8", 3),
    V(INSN_MONITOR, M64, "\x67\x0f\x01\xfa", 4),
    V(INSN_MWAIT, M64, "\x0f\x01\xc9", 3),
    V(INSN_MWAIT, M64, "\x0f\x01\xfb", 3),
    V(INSN_VMRUN, M64, "\x0f\x01\xd8", 3),
    V(INSN_VMLOAD, M64, "\x0f\x01\xda", 3),
    V(INSN_VMSAVE, M64, "\x0f\x01\xdb", 3),
    V(INSN_STGI, M64, "\x0f\x01\xdc", 3),
    V(INSN_CLGI, M64, "\x0f\x01\xdd", 3),
    V(INSN_SKINIT, M64, "\x0f\x01\xde", 3),
    V(INSN_INVLPGA, M64, "\x0f\x01\xdf", 3),
    V(INSN_INVD, M64, "\x0f\x08", 2),
    V(INSN_WBINVD, M64, "\x0f\x09", 2),
    V(INSN_WBINVD, M64, "\xf3\x0f\x09", 3),
    V(INSN_CLTS, M64, "\x0f\x06", 2),
    V(INSN_RSM, M64, "\x0f\xaa", 2),
    V(INSN_HLT, M64, "\xf4", 1),
    V(INSN_HLT, M16, "\xf0\xf4", 2),
    V(INSN_PAUSE, M64, "\xf3\x90", 2),
    V(INSN_PAUSE, M64, "\x90", -EINVAL),
    V(INSN_IN, M64, "\xe4\x60", 2),
    V(INSN_IN, M64, "\xe5\x60", 2),
    V(INSN_IN, M64, "\xe4", -EFAULT),
    V(INSN_IN, M64, "\xec", 1),
    V(INSN_IN, M16, "\x66\xed", 2),
    V(INSN_IN, M64, "\xee", -EINVAL),
    V(INSN_IN, M64, "\xf4", -EINVAL),
    V(INSN_OUT, M64, "\xe6\x80", 2),
    V(INSN_OUT, M64, "\xe7\x80", 2),
    V(INSN_OUT, M64, "\xee", 1),
    V(INSN_OUT, M64, "\xef", 1),
    V(INSN_INS, M64, "\xf3\x6c", 2),
    V(INSN_INS, M64, "\x6d", 1),
    V(INSN_OUTS, M64, "\x65\xf3\x6e", 3),
    V(INSN_OUTS, M64, "\x6f", 1),
    V(INSN_IRET, M64, "\x48\xcf", 2),
    V(INSN_INT3, M64, "\xcc", 1),
    V(INSN_ICEBP, M64, "\xf1", 1),
    V(INSN_INTN, M64, "\xcd\x80", 2),
    V(INSN_INTN, M64, "\xcd", -EFAULT),
    V(INSN_PUSHF, M64, "\x66\x9c", 2),
    V(INSN_POPF, M64, "\x9d", 1),
    V(INSN_MOV_FROM_CR, M64, "\x0f\x20\xc0", 3),
    V(INSN_MOV_TO_CR, M64, "\x0f\x22\xd8", 3),
    V(INSN_MOV_TO_CR, M64, "\x0f\x22\x18", 3), /* mod is ignored */
    V(INSN_MOV_TO_CR, M64, "\x44\x0f\x22\xc0", 4),
    V(INSN_MOV_TO_CR, M64, "\x0f\x22", -EFAULT),
    V(INSN_MOV_TO_CR, M64, "\x0f\x20\xc0", -EINVAL),
    V(INSN_MOV_FROM_DR, M64, "\x0f\x21\xf8", 3),
    V(INSN_MOV_TO_DR, M64, "\x0f\x23\xf8", 3),
    V(INSN_SMSW, M64, "\x0f\x01\xe0", 3),
    V(INSN_LMSW, M64, "\x0f\x01\xf0", 3),
    V(INSN_LMSW, M64, "\x0f\x01\x30", 3),
    V(INSN_LMSW, M64, "\x0f\x01\x34\x25\0\0\0\0", 8),
    V(INSN_LMSW, M16, "\x0f\x01\x36\x34\x12", 5),
    V(INSN_LMSW, M64, "\x0f\x01\xe0", -EINVAL),
    V(INSN_INVLPG, M64, "\x0f\x01\x3f", 3),
    V(INSN_INVLPG, M64, "\x41\x0f\x01\x7c\x24\x08", 6),
    V(INSN_INVLPG, M64, "\x0f\x01\x3d\0\0\0\0", 7),
    V(INSN_INVLPG, M64, "\x0f\x01\x3d\0\0\0", -EFAULT),
    V(INSN_INVLPG, M64, "\x0f\x01\x3c", -EFAULT),
    V(INSN_INVLPG, M64, "\x0f\x01\xf8", -EINVAL), /* SWAPGS */
    V(INSN_INVLPG, M16, "\x67\x0f\x01\x3d\0\0\0\0", 8),
    V(INSN_SGDT, M64, "\x0f\x01\x00", 3),
    V(INSN_SIDT, M64, "\x0f\x01\x08", 3),
    V(INSN_LGDT, M32, "\x0f\x01\x15\0\0\0\0", 7),
    V(INSN_LIDT, M32, "\x0f\x01\x98\0\0\0\0", 7),
    V(INSN_LGDT, M64, "\x0f\x01\xd1", -EINVAL), /* XSETBV */
    V(INSN_SLDT, M64, "\x0f\x00\xc0", 3),
    V(INSN_STR, M64, "\x0f\x00\xc8", 3),
    V(INSN_LLDT, M64, "\x0f\x00\xd0", 3),
    V(INSN_LTR, M64, "\x0f\x00\xd8", 3),
    V(INSN_KIND_COUNT, M64, "\x0f\x00\xd8", -EINVAL),
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const struct vector *v = &vectors[i];
		/* A block of exactly n bytes: reading beyond is caught. */
		uint8_t *b = malloc(v->n ? v->n : 1);

		memcpy(b, v->bytes, v->n);
		int r = insn_length(v->kind, b, v->n, v->mode, NULL);
		if (r != v->length)
			fail_msg("vector %zu: %d, expected %d", i, r, v->length);
		/* Cut anywhere, it must ask for more and never guess. */
		for (int n = 0; v->length > 0 && n < v->length; n++) {
			uint8_t *cut = malloc(n ? (size_t)n : 1);

			memcpy(cut, v->bytes, (size_t)n);
			assert_int_equal(insn_length(v->kind, cut, (size_t)n, v->mode, NULL),
					 -EFAULT);
			free(cut);
		}
		free(b);
	}
}

static struct insn_fields fields(enum insn_kind kind, enum insn_mode mode, const char *bytes,
				 size_t n)
{
	struct insn_fields f;

	assert_int_equal(insn_length(kind, (const uint8_t *)bytes, n, mode, &f), n);
	assert_int_equal(f.length, n);
	return f;
}
#define F(kind, mode, bytes) fields(kind, mode, bytes, sizeof bytes - 1)

static void test_fields(void **state)
{
	struct insn_fields f;

	(void)state;
	f = F(INSN_MOV_TO_CR, M64, "\x0f\x22\xd8"); /* mov %rax, %cr3 */
	assert_int_equal(f.reg, 3);
	assert_int_equal(f.rm, INSN_RAX);
	assert_int_equal(f.operand_size, 8);
	f = F(INSN_MOV_TO_CR, M64, "\x45\x0f\x22\xc7"); /* mov %r15, %cr8 */
	assert_int_equal(f.reg, 8);
	assert_int_equal(f.rm, 15);
	f = F(INSN_MOV_FROM_CR, M32, "\xf0\x0f\x20\xc1"); /* lock mov %cr0, %ecx = CR8 */
	assert_int_equal(f.reg, 8);
	assert_int_equal(f.rm, INSN_RCX);
	assert_int_equal(f.operand_size, 4);
	f = F(INSN_MOV_TO_CR, M64, "\x44\x66\x0f\x22\xc0"); /* REX before 66 does not count */
	assert_int_equal(f.reg, 0);
	f = F(INSN_MOV_FROM_DR, M64, "\x0f\x21\xfb"); /* mov %dr7, %rbx */
	assert_int_equal(f.reg, 7);
	assert_int_equal(f.rm, INSN_RBX);
	f = F(INSN_INTN, M64, "\xcd\x2e");
	assert_int_equal(f.imm, 0x2e);
	f = F(INSN_IN, M64, "\xe5\x71");
	assert_int_equal(f.imm, 0x71);
	assert_int_equal(f.operand_size, 4);
	assert_int_equal(f.opcode, 0xe5);
	f = F(INSN_IN, M64, "\xec");
	assert_int_equal(f.operand_size, 1);
	f = F(INSN_OUT, M64, "\x66\xef");
	assert_int_equal(f.operand_size, 2);
	f = F(INSN_OUT, M64, "\x48\xef"); /* REX.W changes nothing here */
	assert_int_equal(f.operand_size, 4);
	f = F(INSN_OUT, M16, "\xef");
	assert_int_equal(f.operand_size, 2);
	f = F(INSN_OUTS, M64, "\x67\x65\xf3\x6f");
	assert_int_equal(f.segment, INSN_GS);
	assert_true(f.rep);
	assert_int_equal(f.address_size, 4);
	f = F(INSN_OUTS, M32, "\x26\x6e");
	assert_int_equal(f.segment, INSN_ES);
	assert_false(f.rep);
	assert_int_equal(f.address_size, 4);
	f = F(INSN_OUTS, M16, "\x2e\x6e");
	assert_int_equal(f.segment, INSN_CS);
	assert_int_equal(f.address_size, 2);
	f = F(INSN_OUTS, M16, "\x36\x67\x6e");
	assert_int_equal(f.segment, INSN_SS);
	assert_int_equal(f.address_size, 4);
	f = F(INSN_OUTS, M16, "\x64\x3e\x6e"); /* the last one */
	assert_int_equal(f.segment, INSN_DS);
	f = F(INSN_LMSW, M64, "\x41\x0f\x01\xf1"); /* lmsw %r9w */
	assert_int_equal(f.rm, 9);
	assert_int_equal(f.operand_size, 2);
	f = F(INSN_LMSW, M64, "\x0f\x01\x33"); /* lmsw (%rbx) */
	assert_int_equal(f.rm, INSN_REG_NONE);
	f = F(INSN_PUSHF, M64, "\x9c");
	assert_int_equal(f.operand_size, 8);
	f = F(INSN_PUSHF, M64, "\x66\x9c");
	assert_int_equal(f.operand_size, 2);
	f = F(INSN_IRET, M64, "\x48\xcf");
	assert_int_equal(f.operand_size, 8);
	f = F(INSN_IRET, M64, "\xcf");
	assert_int_equal(f.operand_size, 4);
	f = F(INSN_HLT, M64, "\xf4");
	assert_int_equal(f.segment, 0xff);
}

/* Opcode bytes without prefixes; ModRM operands follow in the loop. */
static const struct {
	enum insn_kind kind;
	uint8_t n;
	uint8_t b[3];
	bool modrm;
} samples[] = {
    {INSN_CPUID, 2, {0x0f, 0xa2}, 0},
    {INSN_RDMSR, 2, {0x0f, 0x32}, 0},
    {INSN_WRMSR, 2, {0x0f, 0x30}, 0},
    {INSN_RDTSC, 2, {0x0f, 0x31}, 0},
    {INSN_RDPMC, 2, {0x0f, 0x33}, 0},
    {INSN_RDTSCP, 3, {0x0f, 1, 0xf9}, 0},
    {INSN_VMCALL, 3, {0x0f, 1, 0xc1}, 0},
    {INSN_VMMCALL, 3, {0x0f, 1, 0xd9}, 0},
    {INSN_XSETBV, 3, {0x0f, 1, 0xd1}, 0},
    {INSN_MONITOR, 3, {0x0f, 1, 0xc8}, 0},
    {INSN_MWAIT, 3, {0x0f, 1, 0xc9}, 0},
    {INSN_VMRUN, 3, {0x0f, 1, 0xd8}, 0},
    {INSN_VMLOAD, 3, {0x0f, 1, 0xda}, 0},
    {INSN_VMSAVE, 3, {0x0f, 1, 0xdb}, 0},
    {INSN_STGI, 3, {0x0f, 1, 0xdc}, 0},
    {INSN_CLGI, 3, {0x0f, 1, 0xdd}, 0},
    {INSN_SKINIT, 3, {0x0f, 1, 0xde}, 0},
    {INSN_INVLPGA, 3, {0x0f, 1, 0xdf}, 0},
    {INSN_INVD, 2, {0x0f, 8}, 0},
    {INSN_WBINVD, 2, {0x0f, 9}, 0},
    {INSN_CLTS, 2, {0x0f, 6}, 0},
    {INSN_RSM, 2, {0x0f, 0xaa}, 0},
    {INSN_HLT, 1, {0xf4}, 0},
    {INSN_PAUSE, 2, {0xf3, 0x90}, 0},
    {INSN_IN, 2, {0xe4, 0x12}, 0},
    {INSN_IN, 2, {0xe5, 0x12}, 0},
    {INSN_IN, 1, {0xec}, 0},
    {INSN_IN, 1, {0xed}, 0},
    {INSN_OUT, 2, {0xe6, 0x12}, 0},
    {INSN_OUT, 2, {0xe7, 0x12}, 0},
    {INSN_OUT, 1, {0xee}, 0},
    {INSN_OUT, 1, {0xef}, 0},
    {INSN_INS, 1, {0x6c}, 0},
    {INSN_INS, 1, {0x6d}, 0},
    {INSN_OUTS, 1, {0x6e}, 0},
    {INSN_OUTS, 1, {0x6f}, 0},
    {INSN_IRET, 1, {0xcf}, 0},
    {INSN_INT3, 1, {0xcc}, 0},
    {INSN_ICEBP, 1, {0xf1}, 0},
    {INSN_INTN, 2, {0xcd, 0x80}, 0},
    {INSN_PUSHF, 1, {0x9c}, 0},
    {INSN_POPF, 1, {0x9d}, 0},
    {INSN_MOV_FROM_CR, 2, {0x0f, 0x20}, 1},
    {INSN_MOV_TO_CR, 2, {0x0f, 0x22}, 1},
    {INSN_MOV_FROM_DR, 2, {0x0f, 0x21}, 1},
    {INSN_MOV_TO_DR, 2, {0x0f, 0x23}, 1},
    {INSN_SMSW, 2, {0x0f, 1}, 1},
    {INSN_LMSW, 2, {0x0f, 1}, 1},
    {INSN_INVLPG, 2, {0x0f, 1}, 1},
    {INSN_SGDT, 2, {0x0f, 1}, 1},
    {INSN_SIDT, 2, {0x0f, 1}, 1},
    {INSN_LGDT, 2, {0x0f, 1}, 1},
    {INSN_LIDT, 2, {0x0f, 1}, 1},
    {INSN_SLDT, 2, {0x0f, 0}, 1},
    {INSN_STR, 2, {0x0f, 0}, 1},
    {INSN_LLDT, 2, {0x0f, 0}, 1},
    {INSN_LTR, 2, {0x0f, 0}, 1},
};

static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36,
				   0x3e, 0x64, 0x65, 0x40, 0x41, 0x44, 0x48, 0x4f};
#define PREFIXES (sizeof prefixes)

static unsigned long compared;

static void compare(enum insn_kind kind, const uint8_t *b, enum insn_mode mode)
{
	static const ZydisMachineMode modes[] = {
	    ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_MACHINE_MODE_LONG_64};
	static const ZydisStackWidth stacks[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
						 ZYDIS_STACK_WIDTH_64};
	ZydisDecoder d;
	ZydisDecodedInstruction z;
	int r = insn_length(kind, b, 15, mode, NULL);

	ZydisDecoderInit(&d, modes[mode], stacks[mode]);
	/* Zydis refuses what would be #UD; where it accepts the lengths must agree. */
	if (r < 0 || ZYAN_FAILED(ZydisDecoderDecodeInstruction(&d, NULL, b, 15, &z)))
		return;
	compared++;
	if (r != z.length)
		fail_msg("kind %d mode %d %02x %02x %02x %02x %02x: %d, Zydis %d", kind, mode, b[0],
			 b[1], b[2], b[3], b[4], r, z.length);
}

static void with_modrm(size_t s, const uint8_t *prefix, size_t np, enum insn_mode mode)
{
	uint8_t b[15 + 4] = {0};

	if (np)
		memcpy(b, prefix, np);
	memcpy(b + np, samples[s].b, samples[s].n);
	if (!samples[s].modrm) {
		assert_int_equal(insn_length(samples[s].kind, b, 15, mode, NULL),
				 np + samples[s].n);
		compare(samples[s].kind, b, mode);
		return;
	}
	for (unsigned modrm = 0; modrm < 256; modrm++) {
		bool sib = modrm < 0xc0 && (modrm & 7) == 4;

		b[np + samples[s].n] = (uint8_t)modrm;
		for (unsigned x = 0; x < (sib ? 8u : 1u);
		     x++) { /* only the base matters for length */
			b[np + samples[s].n + 1] = (uint8_t)x;
			compare(samples[s].kind, b, mode);
		}
	}
}

static void test_against_zydis(void **state)
{
	(void)state;
	for (int mode = INSN_MODE16; mode <= INSN_MODE64; mode++) {
		size_t count = mode == INSN_MODE64 ? PREFIXES : PREFIXES - 5;

		for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
			with_modrm(s, NULL, 0, (enum insn_mode)mode);
			for (size_t i = 0; i < count; i++) {
				with_modrm(s, &prefixes[i], 1, (enum insn_mode)mode);
				for (size_t k = 0; k < count; k++) {
					uint8_t two[2] = {prefixes[i], prefixes[k]};

					with_modrm(s, two, 2, (enum insn_mode)mode);
				}
			}
		}
	}
	assert_true(compared > 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_against_zydis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
