/* Tests of memory-operand decoding and execution: assembled bytes, and results and flags of the CPU
 * running the test. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/insn/decode.h"
#include "core/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/host/random.h"

#define M16  INSN_MODE16
#define M32  INSN_MODE32
#define M64  INSN_MODE64
#define NONE INSN_REG_NONE

#define CF     0x001u
#define PF     0x004u
#define AF     0x010u
#define ZF     0x040u
#define SF     0x080u
#define DF     0x400u
#define OF     0x800u
#define STATUS (CF | PF | AF | ZF | SF | OF)

/* ---- decoding ---- */

static struct insn decoded(const char *bytes, size_t n, enum insn_mode mode)
{
	struct insn i;
	uint8_t *b = malloc(n);

	memcpy(b, bytes, n);
	int r = insn_decode(b, n, mode, &i);
	if (r)
		fail_msg("%02x %02x %02x: %d", b[0], n > 1 ? b[1] : 0, n > 2 ? b[2] : 0, r);
	assert_int_equal(i.length, n);
	for (size_t k = 1; k < n; k++) {
		uint8_t *cut = malloc(k);
		struct insn other;

		memcpy(cut, bytes, k);
		r = insn_decode(cut, k, mode, &other);
		assert_true(r == -EFAULT ||
			    r == 0); /* 0: a shorter instruction, of a prefix of the bytes */
		assert_true(r != 0 || other.length <= k);
		free(cut);
	}
	free(b);
	return i;
}
#define D(mode, bytes) decoded(bytes, sizeof bytes - 1, mode)

#define CHECK_MEM(i, s, b, x, sc, d, as)                                                           \
	do {                                                                                       \
		assert_int_equal((i).mem.seg, s);                                                  \
		assert_int_equal((i).mem.base, b);                                                 \
		assert_int_equal((i).mem.index, x);                                                \
		assert_int_equal((i).mem.scale, sc);                                               \
		assert_true((i).mem.disp == (d));                                                  \
		assert_int_equal((i).mem.address_size, as);                                        \
	} while (0)

static void test_decode(void **state)
{
	struct insn i;

	(void)state;
	i = D(M64, "\x42\x89\x84\x8d\x78\x56\x34\x12"); /* mov %eax,0x12345678(%rbp,%r9,4) */
	assert_int_equal(i.op, INSN_OP_MOV);
	assert_int_equal(i.dst.where, INSN_MEM);
	assert_int_equal(i.dst.size, 4);
	assert_int_equal(i.src.where, INSN_REG);
	assert_int_equal(i.src.reg, INSN_RAX);
	CHECK_MEM(i, INSN_SS, INSN_RBP, 9, 4, 0x12345678, 8);
	assert_false(i.lock);

	i = D(M64, "\x88\x27"); /* mov %ah,(%rdi) */
	assert_int_equal(i.src.reg, INSN_RAX);
	assert_true(i.src.high);
	assert_int_equal(i.dst.size, 1);
	CHECK_MEM(i, INSN_DS, INSN_RDI, NONE, 1, 0, 8);

	i = D(M64, "\x40\x88\x27"); /* mov %spl,(%rdi) */
	assert_int_equal(i.src.reg, INSN_RSP);
	assert_false(i.src.high);

	i = D(M64, "\x44\x8a\x38"); /* mov (%rax),%r15b */
	assert_int_equal(i.dst.where, INSN_REG);
	assert_int_equal(i.dst.reg, 15);
	assert_int_equal(i.src.where, INSN_MEM);
	assert_int_equal(i.src.size, 1);

	i = D(M64, "\x48\xc7\x05\xf0\xff\xff\xff\xfe\xff\xff\xff"); /* movq $-2,-0x10(%rip) */
	CHECK_MEM(i, INSN_DS, INSN_RIP, NONE, 1, -0x10, 8);
	assert_int_equal(i.src.where, INSN_IMM);
	assert_true(i.imm == UINT64_MAX - 1);
	assert_int_equal(i.dst.size, 8);

	i = D(M64, "\x67\x65\x8b\x03"); /* mov %gs:(%ebx),%eax */
	CHECK_MEM(i, INSN_GS, INSN_RBX, NONE, 1, 0, 4);
	i = D(M64, "\x26\x8b\x03"); /* ES override has no effect in 64-bit mode */
	CHECK_MEM(i, INSN_DS, INSN_RBX, NONE, 1, 0, 8);
	i = D(M32, "\x26\x8b\x03");
	CHECK_MEM(i, INSN_ES, INSN_RBX, NONE, 1, 0, 4);
	i = D(M16, "\x8b\x42\xfe"); /* mov -2(%bp,%si),%ax */
	CHECK_MEM(i, INSN_SS, INSN_RBP, INSN_RSI, 1, -2, 2);
	assert_int_equal(i.dst.size, 2);
	i = D(M16, "\xa1\x34\x12"); /* mov 0x1234,%ax */
	CHECK_MEM(i, INSN_DS, NONE, NONE, 1, 0x1234, 2);
	i = D(M64, "\x48\xa3\x88\x77\x66\x55\x44\x33\x22\x11"); /* movabs %rax,0x1122334455667788 */
	CHECK_MEM(i, INSN_DS, NONE, NONE, 1, INT64_C(0x1122334455667788), 8);

	i = D(M64, "\x0f\xb6\x07"); /* movzbl (%rdi),%eax */
	assert_int_equal(i.op, INSN_OP_MOVZX);
	assert_int_equal(i.dst.size, 4);
	assert_int_equal(i.src.size, 1);
	i = D(M64, "\x48\x0f\xbf\x07"); /* movswq (%rdi),%rax */
	assert_int_equal(i.op, INSN_OP_MOVSX);
	assert_int_equal(i.dst.size, 8);
	assert_int_equal(i.src.size, 2);
	i = D(M64, "\x48\x63\x07"); /* movslq (%rdi),%rax */
	assert_int_equal(i.op, INSN_OP_MOVSX);
	assert_int_equal(i.src.size, 4);

	i = D(M64, "\x83\x0f\xf0"); /* orl $-16,(%rdi) */
	assert_int_equal(i.op, INSN_OP_OR);
	assert_true(i.imm == (uint64_t)-16);
	i = D(M64, "\xf0\x0f\xc1\x07"); /* lock xadd %eax,(%rdi) */
	assert_int_equal(i.op, INSN_OP_XADD);
	assert_true(i.lock);
	i = D(M64, "\x0f\xc1\x07");
	assert_false(i.lock);
	i = D(M64, "\x87\x0f"); /* xchg %ecx,(%rdi): locked without saying so */
	assert_int_equal(i.op, INSN_OP_XCHG);
	assert_true(i.lock);
	assert_int_equal(i.dst.where, INSN_MEM);
	assert_int_equal(i.src.reg, INSN_RCX);
	i = D(M64, "\xf0\x0f\xb1\x17"); /* lock cmpxchg %edx,(%rdi) */
	assert_int_equal(i.op, INSN_OP_CMPXCHG);
	assert_int_equal(i.src.reg, INSN_RDX);
	i = D(M64, "\x0f\xba\x2f\x23"); /* btsl $0x23,(%rdi) */
	assert_int_equal(i.op, INSN_OP_BTS);
	assert_int_equal(i.imm, 0x23);
	i = D(M64, "\x0f\x94\x07"); /* sete (%rdi) */
	assert_int_equal(i.op, INSN_OP_SETCC);
	assert_int_equal(i.cond, 4);
	i = D(M64, "\x0f\x4f\x07"); /* cmovg (%rdi),%eax */
	assert_int_equal(i.op, INSN_OP_CMOVCC);
	assert_int_equal(i.cond, 15);
	i = D(M64, "\x0f\x38\xf1\x07"); /* movbe %eax,(%rdi) */
	assert_int_equal(i.op, INSN_OP_MOVBE);
	i = D(M64, "\xff\x37"); /* push (%rdi) */
	assert_int_equal(i.op, INSN_OP_PUSH);
	assert_int_equal(i.src.size, 8);
	i = D(M64, "\x8f\x07"); /* pop (%rdi) */
	assert_int_equal(i.op, INSN_OP_POP);
	assert_int_equal(i.dst.size, 8);

	i = D(M64, "\xf3\x48\xa5"); /* rep movsq */
	assert_int_equal(i.op, INSN_OP_MOVS);
	assert_int_equal(i.dst.size, 8);
	assert_int_equal(i.rep, INSN_REP);
	assert_int_equal(i.mem.seg, INSN_DS);
	i = D(M32, "\x64\x66\xa5"); /* movsw %fs:(%esi),%es:(%edi) */
	assert_int_equal(i.dst.size, 2);
	assert_int_equal(i.mem.seg, INSN_FS);
	assert_int_equal(i.mem.address_size, 4);
	assert_int_equal(i.rep, INSN_REP_NONE);
	i = D(M16, "\x67\xf2\xaa"); /* repne stos: the same as rep */
	assert_int_equal(i.op, INSN_OP_STOS);
	assert_int_equal(i.dst.size, 1);
	assert_int_equal(i.rep, INSN_REPNE);
	assert_int_equal(i.mem.address_size, 4);
	i = D(M64, "\xf3\xa6"); /* repe cmpsb */
	assert_int_equal(i.op, INSN_OP_CMPS);
	i = D(M64, "\xac"); /* lodsb */
	assert_int_equal(i.op, INSN_OP_LODS);
	i = D(M64, "\xf2\xae"); /* repne scasb */
	assert_int_equal(i.op, INSN_OP_SCAS);
}

static void test_refused(void **state)
{
	static const struct {
		const char *bytes;
		uint8_t n;
		uint8_t mode;
		int result;
	} v[] = {
#define R(mode, bytes, result) {bytes, sizeof bytes - 1, mode, result}
	    R(M64, "\x89\xc3", -ENOSYS),             /* mov %eax,%ebx */
	    R(M64, "\x0f\x11\x07", -ENOSYS),         /* movups %xmm0,(%rdi) */
	    R(M64, "\xf2\x0f\x11\x07", -ENOSYS),     /* movsd %xmm0,(%rdi) */
	    R(M64, "\xf2\x0f\xc2\x07\x00", -ENOSYS), /* cmpeqsd (%rdi),%xmm0 */
	    R(M64, "\x0f\x7f\x07", -ENOSYS),         /* movq %mm0,(%rdi) */
	    R(M64, "\xc5\xfc\x11\x07", -ENOSYS),     /* vmovups %ymm0,(%rdi) */
	    R(M64, "\xc5\xf8\x91\x07", -ENOSYS),     /* kmovw %k0,(%rdi) */
	    R(M64, "\x8c\x07", -ENOSYS),             /* mov %es,(%rdi) */
	    R(M64, "\x8e\x07", -ENOSYS),             /* mov (%rdi),%es */
	    R(M64, "\x0f\x20\xc0", -ENOSYS),         /* mov %cr0,%rax */
	    R(M64, "\xff\x17", -ENOSYS),             /* call *(%rdi) */
	    R(M32, "\x0e", -ENOSYS),                 /* push %cs */
	    R(M64, "\x9c", -ENOSYS),                 /* pushf */
	    R(M64, "\x8d\x07", -ENOSYS),             /* lea (%rdi),%eax */
	    R(M64, "\x0f\x18\x07", -ENOSYS),         /* prefetch */
	    R(M64, "\xd1\x27", -ENOSYS),             /* shll (%rdi) */
	    R(M64, "\x0f\xc7\x0f", -ENOSYS),         /* cmpxchg8b (%rdi) */
	    R(M64, "\x6c", -ENOSYS),                 /* insb */
	    R(M64, "\x0f\x0b", -ENOSYS),             /* ud2 */
	    R(M64, "\x06", -EINVAL),                 /* push %es does not exist in 64-bit mode */
	    R(M64, "\xf0\x89\x07", -EINVAL),         /* lock mov */
	    R(M64, "\xf0\xf0", -EFAULT),
	    R(M64, "\x89", -EFAULT),
	    R(M64, "", -EFAULT),
	    R(M64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x89\x07", -EINVAL),
	};
	struct insn i;

	(void)state;
	for (size_t k = 0; k < sizeof v / sizeof v[0]; k++) {
		int r =
		    insn_decode((const uint8_t *)v[k].bytes, v[k].n, (enum insn_mode)v[k].mode, &i);

		if (r != v[k].result)
			fail_msg("row %zu: %d", k, r);
	}
}

/* ---- execution ---- */

struct access {
	bool write;
	enum insn_seg seg;
	uint64_t offset;
	unsigned size;
};

struct cpu {
	uint64_t reg[16];
	uint64_t flags;
	uint8_t mem[4096];
	struct access log[64];
	unsigned accesses;
	unsigned fail_at;   /* this access fails (from 1); 0: none */
	unsigned interfere; /* so many atomic updates find the memory changed */
	unsigned atomics;
};

static uint64_t reg_get(void *arg, unsigned reg)
{
	assert_true(reg < 16);
	return ((struct cpu *)arg)->reg[reg];
}

/* Memory is told of instructions that are not supported as well: one without cannot have caused an
 * exit. */
static void test_accesses(void **state)
{
	static const struct {
		const char *bytes;
		unsigned n;
		bool accesses;
	} rows[] = {
	    {"\x90", 1, false},            /* nop */
	    {"\x89\xc3", 2, false},        /* mov %eax,%ebx */
	    {"\x0f\xa2", 2, false},        /* cpuid */
	    {"\x0f\x11\x07", 3, true},     /* movups %xmm0,(%rdi) */
	    {"\x89\x03", 2, true},         /* mov %eax,(%rbx) */
	    {"\x9c", 1, true},             /* pushf: the stack */
	    {"\x0f\xae\x07", 3, true},     /* fxsave (%rdi) */
	    {"\x66\x0f\xf7\xc1", 4, true}, /* maskmovdqu %xmm1,%xmm0: (%rdi) */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct insn insn;

		insn_decode((const uint8_t *)rows[i].bytes, rows[i].n, INSN_MODE64, &insn);
		if (insn.accesses != rows[i].accesses)
			fail_msg("row %zu", i);
	}
}

static void reg_set(void *arg, unsigned reg, uint64_t value)
{
	assert_true(reg < 16);
	((struct cpu *)arg)->reg[reg] = value;
}

static uint64_t flags_get(void *arg)
{
	return ((struct cpu *)arg)->flags;
}

static void flags_set(void *arg, uint64_t value)
{
	((struct cpu *)arg)->flags = value;
}

static int note(struct cpu *c, bool write, enum insn_seg seg, uint64_t offset, unsigned size)
{
	assert_true(offset <= sizeof c->mem - size);
	if (c->accesses < 64)
		c->log[c->accesses] = (struct access){write, seg, offset, size};
	return ++c->accesses == c->fail_at ? -EFAULT : 0;
}

static int mem_read(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, uint64_t *value)
{
	struct cpu *c = arg;
	int r = note(c, false, seg, offset, size);

	*value = 0;
	if (r == 0)
		memcpy(value, c->mem + offset, size);
	return r;
}

static int mem_write(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, uint64_t value)
{
	struct cpu *c = arg;
	int r = note(c, true, seg, offset, size);

	assert_true(size == 8 || value >> (8 * size) == 0);
	if (r == 0)
		memcpy(c->mem + offset, &value, size);
	return r;
}

static int mem_cmpxchg(void *arg, enum insn_seg seg, uint64_t offset, unsigned size,
		       uint64_t *expected, uint64_t value)
{
	struct cpu *c = arg;
	uint64_t now = 0;
	int r = note(c, true, seg, offset, size);

	if (r)
		return r;
	c->atomics++;
	if (c->interfere) {
		c->interfere--;
		c->mem[offset]++;
	}
	memcpy(&now, c->mem + offset, size);
	if (now != *expected) {
		*expected = now;
		return 1;
	}
	memcpy(c->mem + offset, &value, size);
	return 0;
}

static int run(struct cpu *c, const uint8_t *bytes, size_t n, enum insn_mode mode, unsigned limit)
{
	struct insn i;
	struct insn_cpu cpu = {
	    .arg = c,
	    .next_rip = 0x700,
	    .stack_size = mode == M64   ? 8
			  : mode == M32 ? 4
					: 2,
	    .reg_get = reg_get,
	    .reg_set = reg_set,
	    .rflags_get = flags_get,
	    .rflags_set = flags_set,
	    .mem_read = mem_read,
	    .mem_write = mem_write,
	    .mem_cmpxchg = mem_cmpxchg,
	};
	int r = insn_decode(bytes, n, mode, &i);

	if (r)
		fail_msg("%02x %02x %02x %02x: not decoded, %d", bytes[0], bytes[1], bytes[2],
			 bytes[3], r);
	return insn_exec(&i, &cpu, limit);
}
#define X(c, mode, bytes) run(c, (const uint8_t *)bytes "\0\0\0", sizeof bytes - 1, mode, 1000)

static uint64_t get(const struct cpu *c, uint64_t offset, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, c->mem + offset, size);
	return v;
}

static void put(struct cpu *c, uint64_t offset, unsigned size, uint64_t v)
{
	memcpy(c->mem + offset, &v, size);
}

/* Values near the borders, where flags change, and any. */
static uint64_t rnd_value(void)
{
	static const uint64_t border[] = {0,
					  1,
					  0x7f,
					  0x80,
					  0xff,
					  0x7fff,
					  0x8000,
					  0xffff,
					  0x7fffffff,
					  0x80000000,
					  0xffffffff,
					  INT64_MAX,
					  (uint64_t)INT64_MAX + 1,
					  UINT64_MAX};
	uint64_t r = random64();

	return r % 3 ? border[r / 3 % 14] + (r >> 60 & 1) : random64();
}

/*
 * The reference: the CPU that runs this test. a = a op b with the flags given, on registers.
 */
#define NATIVE2(name, text)                                                                        \
	static void native_##name(unsigned size, uint64_t *a, uint64_t *b, uint64_t *f,            \
				  uint64_t *acc)                                                   \
	{                                                                                          \
		uint64_t x = *a, y = *b, fl = *f, z = *acc;                                        \
		switch (size) {                                                                    \
		case 1:                                                                            \
			ASM2(text "b %b[y], %b[x]");                                               \
			break;                                                                     \
		case 2:                                                                            \
			ASM2(text "w %w[y], %w[x]");                                               \
			break;                                                                     \
		case 4:                                                                            \
			ASM2(text "l %k[y], %k[x]");                                               \
			break;                                                                     \
		default:                                                                           \
			ASM2(text "q %q[y], %q[x]");                                               \
			break;                                                                     \
		}                                                                                  \
		*a = x, *b = y, *f = fl, *acc = z;                                                 \
	}
#define ASM2(line)                                                                                 \
	__asm__ volatile("lea -128(%%rsp), %%rsp; push %[f]; popf; " line                          \
			 "; pushf; pop %[f]; lea 128(%%rsp), %%rsp"                                \
			 : [x] "+&q"(x), [y] "+&q"(y), [f] "+&r"(fl), "+&a"(z)                     \
			 :                                                                         \
			 : "cc", "memory")
#define NATIVE1(name, text)                                                                        \
	static void native_##name(unsigned size, uint64_t *a, uint64_t *b, uint64_t *f,            \
				  uint64_t *acc)                                                   \
	{                                                                                          \
		uint64_t x = *a, y = *b, fl = *f, z = *acc;                                        \
		switch (size) {                                                                    \
		case 1:                                                                            \
			ASM2(text "b %b[x]");                                                      \
			break;                                                                     \
		case 2:                                                                            \
			ASM2(text "w %w[x]");                                                      \
			break;                                                                     \
		case 4:                                                                            \
			ASM2(text "l %k[x]");                                                      \
			break;                                                                     \
		default:                                                                           \
			ASM2(text "q %q[x]");                                                      \
			break;                                                                     \
		}                                                                                  \
		*a = x, *b = y, *f = fl, *acc = z;                                                 \
	}
/* Bit tests have no byte form. */
#define NATIVEB(name, text)                                                                        \
	static void native_##name(unsigned size, uint64_t *a, uint64_t *b, uint64_t *f,            \
				  uint64_t *acc)                                                   \
	{                                                                                          \
		uint64_t x = *a, y = *b, fl = *f, z = *acc;                                        \
		switch (size) {                                                                    \
		case 2:                                                                            \
			ASM2(text "w %w[y], %w[x]");                                               \
			break;                                                                     \
		case 4:                                                                            \
			ASM2(text "l %k[y], %k[x]");                                               \
			break;                                                                     \
		default:                                                                           \
			ASM2(text "q %q[y], %q[x]");                                               \
			break;                                                                     \
		}                                                                                  \
		*a = x, *b = y, *f = fl, *acc = z;                                                 \
	}

NATIVE2(add, "add")
NATIVE2(or, "or")
NATIVE2(adc, "adc")
NATIVE2(sbb, "sbb")
NATIVE2(and, "and")
NATIVE2(sub, "sub")
NATIVE2(xor, "xor")
NATIVE2(cmp, "cmp")
NATIVE2(test, "test")
NATIVE2(xadd, "xadd")
NATIVE2(xchg, "xchg")
NATIVE2(cmpxchg, "cmpxchg")
NATIVE1(inc, "inc")
NATIVE1(dec, "dec")
NATIVE1(neg, "neg")
NATIVE1(not, "not")
NATIVEB(bt, "bt")
NATIVEB(bts, "bts")
NATIVEB(btr, "btr")
NATIVEB(btc, "btc")

/* Opcode bytes of the form `op %rdx, (%rbx)` or `op (%rbx)`; for size 1 the first opcode, else the
 * second. */
static const struct {
	const char *name;
	void (*native)(unsigned, uint64_t *, uint64_t *, uint64_t *, uint64_t *);
	uint8_t ext; /* 0F before the opcode */
	uint8_t op8, op;
	uint8_t modrm;      /* (%rbx) with the register or the /digit */
	unsigned undefined; /* flags not compared */
	bool load_form;     /* opcode + 2 is `op (%rbx), %rdx` */
	bool bits;
	bool can_lock;
} alu[] = {
    {"add", native_add, 0, 0x00, 0x01, 0x13, 0, true, false, true},
    {"or", native_or, 0, 0x08, 0x09, 0x13, AF, true, false, true},
    {"adc", native_adc, 0, 0x10, 0x11, 0x13, 0, true, false, true},
    {"sbb", native_sbb, 0, 0x18, 0x19, 0x13, 0, true, false, true},
    {"and", native_and, 0, 0x20, 0x21, 0x13, AF, true, false, true},
    {"sub", native_sub, 0, 0x28, 0x29, 0x13, 0, true, false, true},
    {"xor", native_xor, 0, 0x30, 0x31, 0x13, AF, true, false, true},
    {"cmp", native_cmp, 0, 0x38, 0x39, 0x13, 0, true, false, false},
    {"test", native_test, 0, 0x84, 0x85, 0x13, AF, false, false, false},
    {"xadd", native_xadd, 1, 0xc0, 0xc1, 0x13, 0, false, false, true},
    {"xchg", native_xchg, 0, 0x86, 0x87, 0x13, 0, false, false, true},
    {"cmpxchg", native_cmpxchg, 1, 0xb0, 0xb1, 0x13, 0, false, false, true},
    {"inc", native_inc, 0, 0xfe, 0xff, 0x03, 0, false, false, true},
    {"dec", native_dec, 0, 0xfe, 0xff, 0x0b, 0, false, false, true},
    {"neg", native_neg, 0, 0xf6, 0xf7, 0x1b, 0, false, false, true},
    {"not", native_not, 0, 0xf6, 0xf7, 0x13, 0, false, false, true},
    {"bt", native_bt, 1, 0, 0xa3, 0x13, OF | SF | AF | PF, false, true, false},
    {"bts", native_bts, 1, 0, 0xab, 0x13, OF | SF | AF | PF, false, true, true},
    {"btr", native_btr, 1, 0, 0xb3, 0x13, OF | SF | AF | PF, false, true, true},
    {"btc", native_btc, 1, 0, 0xbb, 0x13, OF | SF | AF | PF, false, true, true},
};

static uint64_t mask(unsigned size)
{
	return size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

static void one(size_t k, unsigned size, bool lock, bool load)
{
	uint64_t a = rnd_value(), b = rnd_value(), acc = random64() & 1 ? a : rnd_value();
	uint64_t f = 2 | (random64() & STATUS), f0 = f;
	static struct cpu c;
	uint8_t bytes[8];
	size_t n = 0;

	if (alu[k].bits)
		b &= 8 * size - 1;
	c.accesses = c.atomics = c.fail_at = c.interfere = 0;
	c.reg[INSN_RBX] = 0x800;
	c.reg[INSN_RDX] = load ? a : b;
	c.reg[INSN_RAX] = acc;
	c.flags = f | 0x200;
	put(&c, 0x7f8, 8, UINT64_C(0x5555555555555555));
	put(&c, 0x800, 8, UINT64_C(0xaaaaaaaaaaaaaaaa));
	put(&c, 0x800, size, load ? b : a);

	if (lock)
		bytes[n++] = 0xf0;
	if (size == 2)
		bytes[n++] = 0x66;
	if (size == 8)
		bytes[n++] = 0x48;
	if (alu[k].ext)
		bytes[n++] = 0x0f;
	bytes[n++] = (uint8_t)((size == 1 ? alu[k].op8 : alu[k].op) + (load ? 2 : 0));
	bytes[n++] = alu[k].modrm;
	assert_int_equal(run(&c, bytes, n, M64, 1), 0);

	alu[k].native(size, &a, &b, &f, &acc);
	uint64_t memory = load ? b : a, reg = load ? a : b;
	if (get(&c, 0x800, size) != (memory & mask(size)) || c.reg[INSN_RDX] != reg ||
	    c.reg[INSN_RAX] != acc)
		fail_msg("%s size %u load %d: memory %llx rdx %llx rax %llx", alu[k].name, size,
			 load, (unsigned long long)get(&c, 0x800, size),
			 (unsigned long long)c.reg[INSN_RDX], (unsigned long long)c.reg[INSN_RAX]);
	if ((c.flags ^ f) & STATUS & ~alu[k].undefined || (c.flags & ~(uint64_t)STATUS) != (0x202))
		fail_msg("%s size %u load %d: flags %llx, CPU %llx (before %llx)", alu[k].name,
			 size, load, (unsigned long long)c.flags, (unsigned long long)f,
			 (unsigned long long)f0);
	/* No byte beside the operand was touched. */
	assert_true(get(&c, 0x7f8, 8) == UINT64_C(0x5555555555555555));
	if (size < 8)
		assert_int_equal(c.mem[0x800 + size], 0xaa);
	assert_int_equal(c.atomics > 0, lock || alu[k].native == native_xchg);
}

static void test_against_cpu(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof alu / sizeof alu[0]; k++) {
		for (unsigned size = alu[k].bits ? 2 : 1; size <= 8; size *= 2) {
			for (unsigned i = 0; i < 3000; i++) {
				one(k, size, false, false);
				if (alu[k].can_lock)
					one(k, size, true, false);
				if (alu[k].load_form)
					one(k, size, false, true);
			}
		}
	}
}

/* A page with `setcc %al; ret` would need an executable mapping: 16 statements do as well. */
#define SETCC(n, text)                                                                             \
	case n:                                                                                    \
		__asm__ volatile("lea -128(%%rsp), %%rsp; push %1; popf; set" text                 \
				 " %0; lea 128(%%rsp), %%rsp"                                      \
				 : "=q"(r)                                                         \
				 : "r"(flags)                                                      \
				 : "cc", "memory");                                                \
		break

static bool native_cond(unsigned cond, uint64_t flags)
{
	uint8_t r = 0;

	switch (cond) {
		SETCC(0, "o");
		SETCC(1, "no");
		SETCC(2, "b");
		SETCC(3, "ae");
		SETCC(4, "e");
		SETCC(5, "ne");
		SETCC(6, "be");
		SETCC(7, "a");
		SETCC(8, "s");
		SETCC(9, "ns");
		SETCC(10, "p");
		SETCC(11, "np");
		SETCC(12, "l");
		SETCC(13, "ge");
		SETCC(14, "le");
		SETCC(15, "g");
	}
	return r;
}

static void test_conditions(void **state)
{
	static struct cpu c;

	(void)state;
	for (unsigned cond = 0; cond < 16; cond++) {
		for (unsigned f = 0; f < 0x1000; f++) {
			if (f & ~(STATUS & ~AF))
				continue;
			uint8_t set[] = {0x0f, (uint8_t)(0x90 + cond), 0x03};
			uint8_t cmov[] = {0x0f, (uint8_t)(0x40 + cond), 0x13};
			bool expected = native_cond(cond, f | 2);

			c.accesses = 0;
			c.reg[INSN_RBX] = 0x800;
			c.reg[INSN_RDX] = UINT64_C(0x1111111122222222);
			c.flags = f | 2;
			put(&c, 0x800, 4, 0x12345678);
			assert_int_equal(run(&c, cmov, 3, M64, 1), 0);
			/* 32-bit CMOV clears the upper half in either case. */
			assert_true(c.reg[INSN_RDX] == (expected ? 0x12345678u : 0x22222222u));
			assert_int_equal(run(&c, set, 3, M64, 1), 0);
			assert_int_equal(c.mem[0x800], expected);
			assert_int_equal(c.mem[0x801], 0x56);
			assert_int_equal(c.flags, f | 2);
		}
	}
}

static void test_moves(void **state)
{
	static struct cpu c;

	(void)state;
	memset(&c, 0, sizeof c);
	c.flags = 2 | CF | ZF;
	c.reg[INSN_RBX] = 0x100;
	c.reg[INSN_RAX] = UINT64_C(0x1122334455667788);
	assert_int_equal(X(&c, M64, "\x88\x63\x01"), 0); /* mov %ah,1(%rbx) */
	assert_int_equal(get(&c, 0x100, 8), 0x7700);
	assert_int_equal(X(&c, M64, "\x8a\x23"), 0); /* mov (%rbx),%ah */
	assert_true(c.reg[INSN_RAX] == UINT64_C(0x1122334455660088));
	assert_int_equal(X(&c, M64, "\x66\x8b\x03"), 0); /* mov (%rbx),%ax */
	assert_true(c.reg[INSN_RAX] == UINT64_C(0x1122334455667700));
	put(&c, 0x100, 8, UINT64_C(0x8877665544332281));
	assert_int_equal(X(&c, M64, "\x8b\x03"), 0); /* mov (%rbx),%eax */
	assert_true(c.reg[INSN_RAX] == 0x44332281);
	assert_int_equal(X(&c, M64, "\x48\x0f\xbe\x03"), 0); /* movsbq */
	assert_true(c.reg[INSN_RAX] == UINT64_C(0xffffffffffffff81));
	assert_int_equal(X(&c, M64, "\x0f\xbe\x03"), 0); /* movsbl: upper half cleared */
	assert_true(c.reg[INSN_RAX] == 0xffffff81);
	assert_int_equal(X(&c, M64, "\x48\x0f\xb7\x03"), 0); /* movzwq */
	assert_true(c.reg[INSN_RAX] == 0x2281);
	put(&c, 0x100, 4, 0x80000001);
	assert_int_equal(X(&c, M64, "\x48\x63\x03"), 0); /* movslq */
	assert_true(c.reg[INSN_RAX] == UINT64_C(0xffffffff80000001));
	assert_int_equal(X(&c, M64, "\x48\xc7\x43\x08\xff\xff\xff\x7f"),
			 0); /* movq $0x7fffffff,8(%rbx) */
	assert_true(get(&c, 0x108, 8) == 0x7fffffff);
	assert_int_equal(X(&c, M64, "\x48\xc7\x43\x08\x00\x00\x00\x80"), 0);
	assert_true(get(&c, 0x108, 8) == UINT64_C(0xffffffff80000000));
	c.reg[INSN_RAX] = 0x11223344;
	assert_int_equal(X(&c, M64, "\x0f\x38\xf1\x03"), 0); /* movbe %eax,(%rbx) */
	assert_int_equal(get(&c, 0x100, 4), 0x44332211);
	assert_int_equal(X(&c, M64, "\x66\x0f\x38\xf0\x03"), 0); /* movbe (%rbx),%ax */
	assert_true(c.reg[INSN_RAX] == 0x11221122);
	/* RIP-relative: next_rip is 0x700. */
	assert_int_equal(X(&c, M64, "\xc6\x05\xf0\xff\xff\xff\x5a"), 0); /* movb $0x5a,-16(%rip) */
	assert_int_equal(c.mem[0x6f0], 0x5a);
	/* Address arithmetic wraps at the address size. */
	c.reg[INSN_RBX] = 0xfffffff0;
	c.reg[INSN_RCX] = UINT64_C(0xdead000000000040);
	assert_int_equal(X(&c, M64, "\x67\xc6\x44\xcb\x10\x77"),
			 0); /* movb $0x77,0x10(%ebx,%ecx,8) */
	assert_int_equal(c.mem[0x200], 0x77);
	c.reg[INSN_RBX] = 0xfff0;
	c.reg[INSN_RSI] = 0x0111;
	assert_int_equal(X(&c, M16, "\xc6\x00\x33"), 0); /* movb $0x33,(%bx,%si) */
	assert_int_equal(c.mem[0x101], 0x33);
	assert_int_equal(c.flags, 2 | CF | ZF);
	/* A failing access changes nothing. */
	c.reg[INSN_RBX] = 0x100;
	c.reg[INSN_RAX] = 5;
	c.fail_at = c.accesses + 1;
	assert_int_equal(X(&c, M64, "\x8b\x03"), -EFAULT);
	assert_int_equal(c.reg[INSN_RAX], 5);
	c.fail_at = c.accesses + 2;
	put(&c, 0x100, 4, 7);
	assert_int_equal(X(&c, M64, "\x0f\xc1\x03"), -EFAULT); /* xadd: the write fails */
	assert_int_equal(c.reg[INSN_RAX], 5);
	assert_int_equal(c.flags, 2 | CF | ZF);
}

static void test_atomic(void **state)
{
	static struct cpu c;

	(void)state;
	memset(&c, 0, sizeof c);
	c.reg[INSN_RBX] = 0x100;
	c.reg[INSN_RAX] = 3;
	c.mem[0x100] = 10;
	c.interfere = 2;                                     /* memory becomes 11, 12 in between */
	assert_int_equal(X(&c, M64, "\xf0\x0f\xc1\x03"), 0); /* lock xadd %eax,(%rbx) */
	assert_int_equal(c.mem[0x100], 15);
	assert_int_equal(c.reg[INSN_RAX], 12);
	assert_int_equal(c.atomics, 3);
	c.interfere = 1000000;
	assert_int_equal(X(&c, M64, "\xf0\xff\x03"), -EBUSY); /* lock incl (%rbx) */
	c.interfere = 0;
	/* LOCK CMPXCHG that fails once does not try again. */
	c.atomics = 0;
	c.mem[0x100] = 1;
	c.mem[0x101] = 0;
	c.reg[INSN_RAX] = UINT64_C(0xffffffff00000002);
	c.reg[INSN_RDX] = 9;
	assert_int_equal(X(&c, M64, "\xf0\x0f\xb1\x13"), 0);
	assert_int_equal(c.atomics, 1);
	assert_int_equal(c.mem[0x100], 1);
	assert_true(c.reg[INSN_RAX] == 1);
	assert_false(c.flags & ZF);
	assert_int_equal(X(&c, M64, "\xf0\x0f\xb1\x13"), 0);
	assert_int_equal(c.mem[0x100], 9);
	assert_true(c.flags & ZF);
}

static void test_bit_strings(void **state)
{
	static struct cpu c;

	(void)state;
	memset(&c, 0, sizeof c);
	c.reg[INSN_RBX] = 0x800;
	c.reg[INSN_RDX] = (uint64_t)-1;                  /* bit -1: bit 31 of the dword before */
	assert_int_equal(X(&c, M64, "\x0f\xab\x13"), 0); /* bts %edx,(%rbx) */
	assert_int_equal(get(&c, 0x7fc, 4), 0x80000000);
	assert_false(c.flags & CF);
	assert_int_equal(X(&c, M64, "\x0f\xa3\x13"), 0); /* bt */
	assert_true(c.flags & CF);
	c.reg[INSN_RDX] = 100; /* 3 * 32 + 4 */
	assert_int_equal(X(&c, M64, "\x0f\xab\x13"), 0);
	assert_int_equal(get(&c, 0x80c, 4), 0x10);
	assert_int_equal(X(&c, M64, "\x66\x0f\xbb\x13"), 0); /* btc %dx: 6 * 16 + 4 */
	assert_int_equal(get(&c, 0x80c, 4), 0);
	assert_true(c.flags & CF);
	assert_int_equal(X(&c, M64, "\x0f\xba\x2b\x64"), 0); /* btsl $100: modulo 32 */
	assert_int_equal(get(&c, 0x800, 4), 0x10);
}

static void test_stack(void **state)
{
	static struct cpu c;

	(void)state;
	memset(&c, 0, sizeof c);
	c.reg[INSN_RBX] = 0x100;
	c.reg[INSN_RSP] = 0x400;
	put(&c, 0x100, 8, UINT64_C(0x1122334455667788));
	assert_int_equal(X(&c, M64, "\xff\x33"), 0); /* push (%rbx) */
	assert_int_equal(c.reg[INSN_RSP], 0x3f8);
	assert_true(get(&c, 0x3f8, 8) == UINT64_C(0x1122334455667788));
	assert_int_equal(c.log[1].seg, INSN_SS);
	assert_int_equal(X(&c, M64, "\x8f\x04\x24"),
			 0); /* pop (%rsp): address after the increment */
	assert_int_equal(c.reg[INSN_RSP], 0x400);
	assert_true(get(&c, 0x400, 8) == UINT64_C(0x1122334455667788));
	assert_int_equal(X(&c, M64, "\xff\x34\x24"),
			 0); /* push (%rsp): address before the decrement */
	assert_true(get(&c, 0x3f8, 8) == UINT64_C(0x1122334455667788));
	c.reg[INSN_RSP] = 0xabcd0002;
	assert_int_equal(X(&c, M16, "\x8f\x07"), 0); /* pop (%bx), 16-bit stack */
	assert_true(c.reg[INSN_RSP] == 0xabcd0004);
	c.reg[INSN_RSP] = 0x400;
	c.fail_at = c.accesses + 2;
	assert_int_equal(X(&c, M64, "\xff\x33"), -EFAULT);
	assert_int_equal(c.reg[INSN_RSP], 0x400);
	c.fail_at = 0;
	/* registers and immediates */
	c.reg[INSN_RAX] = UINT64_C(0x8877665544332211);
	assert_int_equal(X(&c, M64, "\x50"), 0); /* push %rax */
	assert_int_equal(c.reg[INSN_RSP], 0x3f8);
	assert_true(get(&c, 0x3f8, 8) == UINT64_C(0x8877665544332211));
	assert_int_equal(X(&c, M64, "\x6a\xfe"), 0); /* push $-2 */
	assert_true(get(&c, 0x3f0, 8) == UINT64_MAX - 1);
	assert_int_equal(X(&c, M64, "\x68\x00\x00\x00\x80"), 0); /* push $-0x80000000 */
	assert_true(get(&c, 0x3e8, 8) == UINT64_C(0xffffffff80000000));
	assert_int_equal(X(&c, M64, "\x66\x6a\xfe"), 0); /* pushw $-2 */
	assert_int_equal(c.reg[INSN_RSP], 0x3e6);
	assert_int_equal(get(&c, 0x3e6, 2), 0xfffe);
	assert_int_equal(X(&c, M64, "\x66\x58"), 0); /* pop %ax: the rest stays */
	assert_true(c.reg[INSN_RAX] == UINT64_C(0x887766554433fffe));
	assert_int_equal(X(&c, M64, "\x41\x59"), 0); /* pop %r9 */
	assert_true(c.reg[9] == UINT64_C(0xffffffff80000000));
	c.reg[INSN_RSP] = 0x3f8;
	assert_int_equal(X(&c, M64, "\x54"), 0); /* push %rsp: the old value */
	assert_int_equal(get(&c, 0x3f0, 8), 0x3f8);
	put(&c, 0x3f0, 8, 0x200);
	assert_int_equal(X(&c, M64, "\x5c"), 0); /* pop %rsp: the value, not the increment */
	assert_int_equal(c.reg[INSN_RSP], 0x200);
	c.reg[INSN_RSP] = 0x12340100;
	assert_int_equal(X(&c, M16, "\x66\x50"), 0); /* push %eax, 16-bit stack */
	assert_true(c.reg[INSN_RSP] == 0x123400fc);
	assert_int_equal(get(&c, 0xfc, 4), 0x4433fffe);
}

static void test_strings(void **state)
{
	static struct cpu c;

	(void)state;
	memset(&c, 0, sizeof c);
	memcpy(c.mem + 0x100, "0123456789abcdef", 16);
	c.reg[INSN_RSI] = 0x100;
	c.reg[INSN_RDI] = 0x200;
	c.reg[INSN_RCX] = 4;
	assert_int_equal(X(&c, M64, "\xf3\xa5"), 0); /* rep movsd */
	assert_memory_equal(c.mem + 0x200, "0123456789abcdef", 16);
	assert_int_equal(c.reg[INSN_RCX], 0);
	assert_int_equal(c.reg[INSN_RSI], 0x110);
	assert_int_equal(c.reg[INSN_RDI], 0x210);
	assert_int_equal(c.log[0].seg, INSN_DS);
	assert_int_equal(c.log[1].seg, INSN_ES);
	/* Count 0: no access. */
	unsigned before = c.accesses;
	assert_int_equal(X(&c, M64, "\xf3\xaa"), 0);
	assert_int_equal(c.accesses, before);
	/* Backwards, with a limit: the instruction comes back until it is done. */
	c.flags = 2 | DF;
	c.reg[INSN_RAX] = 0x5a;
	c.reg[INSN_RCX] = 5;
	c.reg[INSN_RDI] = 0x300;
	assert_int_equal(run(&c, (const uint8_t *)"\xf3\xaa\0\0", 2, M64, 2), INSN_AGAIN);
	assert_int_equal(c.reg[INSN_RCX], 3);
	assert_int_equal(run(&c, (const uint8_t *)"\xf3\xaa\0\0", 2, M64, 0), INSN_AGAIN);
	assert_int_equal(c.reg[INSN_RCX], 2);
	assert_int_equal(run(&c, (const uint8_t *)"\xf3\xaa\0\0", 2, M64, 2), 0);
	assert_int_equal(c.reg[INSN_RDI], 0x2fb);
	assert_memory_equal(c.mem + 0x2fb, "\0\x5a\x5a\x5a\x5a\x5a\0", 7);
	/* 32-bit addresses clear the upper halves; 16-bit ones keep what is above. */
	c.flags = 2;
	c.reg[INSN_RSI] = UINT64_C(0xffffffff00000100);
	c.reg[INSN_RDI] = UINT64_C(0xffffffff00000400);
	c.reg[INSN_RCX] = UINT64_C(0xffffffff00000001);
	assert_int_equal(X(&c, M64, "\x67\xf3\xa4"), 0);
	assert_int_equal(c.mem[0x400], '0');
	assert_true(c.reg[INSN_RSI] == 0x101 && c.reg[INSN_RDI] == 0x401 && c.reg[INSN_RCX] == 0);
	c.reg[INSN_RSI] = 0xabcd0105;
	assert_int_equal(X(&c, M16, "\xac"), 0); /* lodsb */
	assert_int_equal(c.reg[INSN_RAX] & 0xff, '5');
	assert_true(c.reg[INSN_RSI] == 0xabcd0106);
	/* repne scasb finds 'c' (index 12); repe cmpsb stops at the first difference. */
	c.reg[INSN_RAX] = 'c';
	c.reg[INSN_RDI] = 0x100;
	c.reg[INSN_RCX] = 100;
	assert_int_equal(X(&c, M64, "\xf2\xae"), 0);
	assert_int_equal(c.reg[INSN_RDI], 0x10d);
	assert_int_equal(c.reg[INSN_RCX], 87);
	assert_true(c.flags & ZF);
	c.mem[0x207] = '6'; /* where the source has '7' */
	c.reg[INSN_RSI] = 0x100;
	c.reg[INSN_RDI] = 0x200;
	c.reg[INSN_RCX] = 16;
	assert_int_equal(X(&c, M64, "\xf3\xa6"), 0);
	assert_int_equal(c.reg[INSN_RCX], 8);
	assert_false(c.flags & ZF);
	assert_false(c.flags & CF); /* '7' - '6' */
	/* A fault in the middle leaves the elements before it done. */
	c.reg[INSN_RSI] = 0x100;
	c.reg[INSN_RDI] = 0x500;
	c.reg[INSN_RCX] = 4;
	c.fail_at = c.accesses + 6; /* write of the third */
	assert_int_equal(X(&c, M64, "\xf3\xa4"), -EFAULT);
	assert_int_equal(c.reg[INSN_RCX], 2);
	assert_int_equal(c.reg[INSN_RSI], 0x102);
	assert_int_equal(c.reg[INSN_RDI], 0x502);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_decode),     cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_accesses),   cmocka_unit_test(test_against_cpu),
	    cmocka_unit_test(test_conditions), cmocka_unit_test(test_moves),
	    cmocka_unit_test(test_atomic),     cmocka_unit_test(test_bit_strings),
	    cmocka_unit_test(test_stack),      cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
