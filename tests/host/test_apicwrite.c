/* Tests of the APIC-page store decoder: assembled vectors, and all ModRM/SIB forms with prefixes
 * against Zydis. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/insn/apicwrite.h"
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
#define IMM INSN_REG_NONE

/* Bytes as GNU as makes them from the text beside. op -1: not decoded. */
static const struct vector {
	enum insn_mode mode;
	const char *bytes;
	uint8_t n;
	int op;
	uint8_t size, reg;
	uint64_t imm;
} vectors[] = {
#define V(mode, bytes, op, size, reg, imm)                                                         \
	{                                                                                          \
		mode, bytes, sizeof bytes - 1, op, size, reg, imm                                  \
	}
    V(M64, "\x89\x87\x00\xd0\x5f\xff", APICWRITE_MOV, 4, 0, 0), /* mov %eax,-0xa03000(%rdi) */
    V(M64, "\x89\x34\x25\xb0\xb0\x5f\xff", APICWRITE_MOV, 4, 6,
      0), /* mov %esi,0xffffffffff5fb0b0 */
    V(M64, "\x44\x89\x8e\xb0\x00\x00\x00", APICWRITE_MOV, 4, 9, 0), /* mov %r9d,0xb0(%rsi) */
    V(M64, "\x48\x89\x03", APICWRITE_MOV, 8, 0, 0),                 /* mov %rax,(%rbx) */
    V(M64, "\x66\x89\x03", APICWRITE_MOV, 2, 0, 0),                 /* mov %ax,(%rbx) */
    V(M64, "\x41\x89\x54\x24\x10", APICWRITE_MOV, 4, 2, 0),         /* mov %edx,0x10(%r12) */
    V(M64, "\x89\x05\x00\x01\x00\x00", APICWRITE_MOV, 4, 0, 0),     /* mov %eax,0x100(%rip) */
    V(M64, "\xc7\x04\x25\xb0\xb0\x5f\xff\x00\x00\x00\x00", APICWRITE_MOV, 4, IMM,
      0), /* movl $0,0xffffffffff5fb0b0 */
    V(M64, "\xc7\x80\x00\x03\x00\x00\xfd\x00\x0c\x00", APICWRITE_MOV, 4, IMM,
      0xc00fd), /* movl $0xc00fd,0x300(%rax) */
    V(M64, "\xc7\x00\xff\xff\xff\xff", APICWRITE_MOV, 4, IMM, UINT64_MAX), /* movl $-1,(%rax) */
    V(M64, "\x48\xc7\x40\x08\xfe\xff\xff\xff", APICWRITE_MOV, 8, IMM,
      UINT64_MAX - 1), /* movq $-2,8(%rax) */
    V(M64, "\x49\xc7\x84\xc4\x00\x01\x00\x00\x01\x00\x00\x00", APICWRITE_MOV, 8, IMM,
      1), /* movq $1,0x100(%r12,%rax,8) */
    V(M64, "\x66\xc7\x00\x34\x82", APICWRITE_MOV, 2, IMM,
      UINT64_C(0xffffffffffff8234)),                             /* movw $0x8234,(%rax) */
    V(M64, "\x87\x87\x00\xd0\x5f\xff", APICWRITE_XCHG, 4, 0, 0), /* xchg %eax,-0xa03000(%rdi) */
    V(M64, "\xf0\x44\x87\x07", APICWRITE_XCHG, 4, 8, 0),         /* lock xchg %r8d,(%rdi) */
    V(M64, "\xa3\x80\x00\xe0\xfe\x00\x00\x00\x00", APICWRITE_MOV, 4, 0,
      0),                                                           /* movabs %eax,0xfee00080 */
    V(M64, "\x67\xa3\x80\x00\xe0\xfe", APICWRITE_MOV, 4, 0, 0),     /* addr32 mov %eax,0xfee00080 */
    V(M32, "\xa3\x80\x00\xe0\xfe", APICWRITE_MOV, 4, 0, 0),         /* mov %eax,0xfee00080 */
    V(M16, "\x67\x66\xa3\x80\x00\xe0\xfe", APICWRITE_MOV, 4, 0, 0), /* the same in 16-bit code */
    V(M16, "\xa3\x80\x00", APICWRITE_MOV, 2, 0, 0),                 /* mov %ax,0x80 */
    V(M16, "\x66\x67\x89\x83\x00\x03\x00\x00", APICWRITE_MOV, 4, 0, 0), /* mov %eax,0x300(%ebx) */
    V(M16, "\x66\x89\x87\x00\x03", APICWRITE_MOV, 4, 0, 0),             /* mov %eax,0x300(%bx) */
    V(M32, "\x89\x1d\xb0\x00\xe0\xfe", APICWRITE_MOV, 4, 3, 0),         /* mov %ebx,0xfee000b0 */
    V(M32, "\x64\x89\x1d\xb0\x00\xe0\xfe", APICWRITE_MOV, 4, 3, 0),    /* mov %ebx,%fs:0xfee000b0 */
    V(M64, "\x81\x8f\xf0\x00\x00\x00\x00\x01\x00\x00", -1, 0, 0, 0),   /* orl $0x100,0xf0(%rdi) */
    V(M64, "\x83\x67\x10\xfe", -1, 0, 0, 0),                           /* andl $-2,0x10(%rdi) */
    V(M64, "\xf0\x83\x37\x01", -1, 0, 0, 0),                           /* lock xorl $1,(%rdi) */
    V(M64, "\x21\x07", -1, 0, 0, 0),                                   /* and %eax,(%rdi) */
    V(M64, "\x09\x0f", -1, 0, 0, 0),                                   /* or %ecx,(%rdi) */
    V(M64, "\x4c\x31\x3f", -1, 0, 0, 0),                               /* xor %r15,(%rdi) */
    V(M64, "\x44\x66\x89\x03", APICWRITE_MOV, 2, 0, 0),                /* REX before 66: ignored */
    V(M32, "\x44\x89\x03", -1, 0, 0, 0),                               /* inc %esp */
    V(M64, "\x89\xc3", -1, 0, 0, 0),                                   /* mov %eax,%ebx */
    V(M64, "\xc7\xc0\x00\x00\x00\x00", -1, 0, 0, 0),                   /* mov $0,%eax */
    V(M64, "\xc7\xf8\x00\x00\x00\x00", -1, 0, 0, 0),                   /* xbegin */
    V(M64, "\xc7\x48\x00\x00\x00\x00\x00\0\0\0\0\0\0\0", -1, 0, 0, 0), /* C7 /1 */
    V(M64, "\x83\x07\x01", -1, 0, 0, 0),                               /* addl $1,(%rdi) */
    V(M64, "\x81\x3f\x01\0\0\0", -1, 0, 0, 0),                         /* cmpl $1,(%rdi) */
    V(M64, "\x88\x07", -1, 0, 0, 0),                                   /* mov %al,(%rdi) */
    V(M64, "\x8b\x07", -1, 0, 0, 0),                                   /* mov (%rdi),%eax */
    V(M64, "\xf0\x89\x07", -1, 0, 0, 0),                               /* lock mov: #UD */
    V(M64, "\xf0\xc7\x07\0\0\0\0", -1, 0, 0, 0),
    V(M64, "\xab", -1, 0, 0, 0), /* stos */
    V(M64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x89\x07", APICWRITE_MOV, 2, 0,
      0), /* 15 bytes */
    V(M64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x89\x07", -1, 0, 0,
      0), /* 16 */
    V(M64, "", -1, 0, 0, 0),
};

static void check(size_t i, const struct vector *v, const uint8_t *b, size_t n)
{
	struct apicwrite a;
	int r = apicwrite_decode(b, n, v->mode, &a);

	if (r != (v->op < 0 ? -ENOSYS : 0))
		fail_msg("vector %zu with %zu bytes: %d", i, n, r);
	if (r)
		return;
	if (a.length != v->n || a.op != v->op || a.size != v->size || a.reg != v->reg ||
	    (a.reg == IMM && a.imm != v->imm))
		fail_msg("vector %zu with %zu bytes: length %u op %u size %u reg %u imm %llx", i, n,
			 a.length, a.op, a.size, a.reg, (unsigned long long)a.imm);
}

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const struct vector *v = &vectors[i];
		struct apicwrite a;

		/* Exactly the instruction, and with 15 bytes at hand (the fast path). */
		size_t with[2] = {v->n, v->n < 15 ? 15 : v->n};
		for (size_t k = 0; k < 2; k++) {
			uint8_t *b = calloc(1, with[k] ? with[k] : 1);

			memcpy(b, v->bytes, v->n);
			if (v->n)
				check(i, v, b, with[k]);
			free(b);
		}
		for (size_t n = 0; n < v->n; n++) {
			uint8_t *b = malloc(n ? n : 1);

			memcpy(b, v->bytes, n);
			if (v->op >= 0 && apicwrite_decode(b, n, v->mode, &a) != -ENOSYS)
				fail_msg("vector %zu cut to %zu bytes was decoded", i, n);
			free(b);
		}
	}
}

static const uint8_t opcodes[] = {0x89, 0xc7, 0x87, 0x21, 0x09, 0x31, 0x81, 0x83};
static const char *const prefix_sets[] = {
    "",         "\x66",     "\x67",     "\xf0",     "\xf2",         "\xf3",     "\x2e",
    "\x65",     "\x66\x67", "\x67\x66", "\x64\x67", "\x66\xf0", /* all modes up to here */
    "\x40",     "\x41",     "\x44",     "\x48",     "\x4f",         "\x66\x44", "\x44\x66",
    "\x67\x4d", "\xf0\x45", "\x66\x48", "\x48\x41", "\x65\x67\x42",
};
#define LEGACY_SETS 12

static unsigned long seen, decoded;

static int expected_op(ZydisMnemonic m)
{
	switch (m) {
	case ZYDIS_MNEMONIC_MOV:
		return APICWRITE_MOV;
	case ZYDIS_MNEMONIC_XCHG:
		return APICWRITE_XCHG;
	default:
		return -1;
	}
}

static unsigned register_number(ZydisRegister r)
{
	if (r >= ZYDIS_REGISTER_RAX && r <= ZYDIS_REGISTER_R15)
		return (unsigned)r - ZYDIS_REGISTER_RAX;
	if (r >= ZYDIS_REGISTER_EAX && r <= ZYDIS_REGISTER_R15D)
		return (unsigned)r - ZYDIS_REGISTER_EAX;
	return (unsigned)r - ZYDIS_REGISTER_AX;
}

static void compare(const ZydisDecoder *d, const uint8_t *b, enum insn_mode mode)
{
	ZydisDecodedInstruction z;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	struct apicwrite a;
	int r = apicwrite_decode(b, 15, mode, &a);
	bool ok = ZYAN_SUCCESS(ZydisDecoderDecodeFull(d, b, 15, &z, ops));
	bool want = ok && expected_op(z.mnemonic) >= 0 && ops[0].type == ZYDIS_OPERAND_TYPE_MEMORY;

	seen++;
	decoded += r == 0;
	if (!ok && r == 0)
		fail_msg("decoded what Zydis refuses: %02x %02x %02x %02x", b[0], b[1], b[2], b[3]);
	if (want != (r == 0))
		fail_msg("%02x %02x %02x %02x mode %d: %d", b[0], b[1], b[2], b[3], mode, r);
	if (!want)
		return;
	bool imm = ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	uint64_t mask = a.size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * a.size)) - 1;
	if (a.length != z.length || a.op != expected_op(z.mnemonic) || a.size * 8 != ops[0].size ||
	    imm != (a.reg == IMM) || (imm && ((a.imm ^ ops[1].imm.value.u) & mask)) ||
	    (!imm && a.reg != register_number(ops[1].reg.value)))
		fail_msg("%02x %02x %02x %02x mode %d: length %u op %u size %u reg %u imm %llx",
			 b[0], b[1], b[2], b[3], mode, a.length, a.op, a.size, a.reg,
			 (unsigned long long)a.imm);
}

static void test_against_zydis(void **state)
{
	static const ZydisMachineMode modes[] = {
	    ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_MACHINE_MODE_LONG_64};
	static const ZydisStackWidth stacks[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
						 ZYDIS_STACK_WIDTH_64};

	(void)state;
	for (int mode = INSN_MODE16; mode <= INSN_MODE64; mode++) {
		ZydisDecoder d;
		size_t sets =
		    mode == INSN_MODE64 ? sizeof prefix_sets / sizeof prefix_sets[0] : LEGACY_SETS;

		ZydisDecoderInit(&d, modes[mode], stacks[mode]);
		for (size_t set = 0; set < sets; set++) {
			size_t np = strlen(prefix_sets[set]);

			for (size_t o = 0; o < sizeof opcodes; o++) {
				/* Last bytes with the sign set, all different. */
				uint8_t b[16] = {0,    0,    0,    0,    0,    0x85, 0x96, 0xa7,
						 0xb8, 0xc9, 0xda, 0xeb, 0xfc, 0x8d, 0x9e};

				memcpy(b, prefix_sets[set], np);
				b[np] = opcodes[o];
				for (unsigned modrm = 0; modrm < 256; modrm++) {
					unsigned sibs = modrm < 0xc0 && (modrm & 7) == 4 ? 256 : 1;

					b[np + 1] = (uint8_t)modrm;
					for (unsigned sib = 0; sib < sibs; sib++) {
						b[np + 2] = (uint8_t)sib;
						compare(&d, b, (enum insn_mode)mode);
					}
				}
			}
			uint8_t moffs[16] = {0};
			memcpy(moffs, prefix_sets[set], np);
			moffs[np] = 0xa3;
			compare(&d, moffs, (enum insn_mode)mode);
		}
	}
	assert_true(seen > 1000000);
	assert_true(decoded > 500000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_against_zydis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
