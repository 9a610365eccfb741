/* Every opcode with every ModRM and many prefixes, against a table and the lengths of objdump. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/errno.h"
#include "core/vm/insn/decode.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/*
 * DECODE_FULL=1 in the environment: every set of prefixes with every REX and every ModRM, minutes
 * instead of seconds.
 */

enum map { ONE, MAP_0F, MAP_0F38, MAP_0F3A, MAPS };

#define NO -1
/*
 * Bytes an instruction has in the file for objdump. Zeros follow it, which objdump leaves out; then
 * NOPs, because it goes on in the last of the zeros.
 */
#define SLOT 32
#define NOPS 8

struct candidate {
	enum insn_mode mode;
	enum map map;
	uint8_t opcode, modrm, sib;
	uint8_t prefix[4]; /* legacy ones, in order */
	uint8_t prefixes;
	uint8_t rex; /* 0: none */
};

/* ---- the table: SDM 2D appendix A, the forms of enum insn_op ---- */

static bool has(const struct candidate *c, uint8_t prefix)
{
	for (unsigned i = 0; i < c->prefixes; i++) {
		if (c->prefix[i] == prefix)
			return true;
	}
	return false;
}

static int arithmetic(unsigned number)
{
	static const int op[] = {INSN_OP_ADD, INSN_OP_OR,  INSN_OP_ADC, INSN_OP_SBB,
				 INSN_OP_AND, INSN_OP_SUB, INSN_OP_XOR, INSN_OP_CMP};

	return op[number & 7];
}

static int one_byte(const struct candidate *c, bool memory)
{
	static const int group3[] = {INSN_OP_TEST, INSN_OP_TEST, INSN_OP_NOT, INSN_OP_NEG,
				     NO,           NO,           NO,          NO};
	unsigned op = c->opcode, reg = c->modrm >> 3 & 7;

	if (op < 0x40 && (op & 7) < 4)
		return memory ? arithmetic(op >> 3) : NO;
	if ((op & 0xf8) == 0x50 || op == 0x68 || op == 0x6a)
		return INSN_OP_PUSH;
	if ((op & 0xf8) == 0x58)
		return INSN_OP_POP;
	switch (op) {
	case 0x63: /* MOVSXD; ARPL elsewhere */
		return memory && c->mode == INSN_MODE64 ? INSN_OP_MOVSX : NO;
	case 0x82: /* an alias of 80 */
		if (c->mode == INSN_MODE64)
			return NO;
		__attribute__((fallthrough));
	case 0x80:
	case 0x81:
	case 0x83:
		return memory ? arithmetic(reg) : NO;
	case 0x84:
	case 0x85:
		return memory ? INSN_OP_TEST : NO;
	case 0x86:
	case 0x87:
		return memory ? INSN_OP_XCHG : NO;
	case 0x88:
	case 0x89:
	case 0x8a:
	case 0x8b:
		return memory ? INSN_OP_MOV : NO;
	case 0x8f: /* of a register, too; other reg: XOP */
		return reg == 0 ? INSN_OP_POP : NO;
	case 0xa0:
	case 0xa1:
	case 0xa2:
	case 0xa3:
		return INSN_OP_MOV;
	case 0xa4:
	case 0xa5:
		return INSN_OP_MOVS;
	case 0xa6:
	case 0xa7:
		return INSN_OP_CMPS;
	case 0xaa:
	case 0xab:
		return INSN_OP_STOS;
	case 0xac:
	case 0xad:
		return INSN_OP_LODS;
	case 0xae:
	case 0xaf:
		return INSN_OP_SCAS;
	case 0xc6:
	case 0xc7: /* c6 f8 is XABORT, c7 f8 XBEGIN */
		return reg == 0 && memory ? INSN_OP_MOV : NO;
	case 0xf6:
	case 0xf7:
		return memory ? group3[reg] : NO;
	case 0xfe:
	case 0xff:
		if (!memory)
			return op == 0xff && reg == 6 ? INSN_OP_PUSH : NO;
		return reg == 0                 ? INSN_OP_INC
		       : reg == 1               ? INSN_OP_DEC
		       : reg == 6 && op == 0xff ? INSN_OP_PUSH
						: NO;
	default:
		return NO;
	}
}

static int two_byte(const struct candidate *c, bool memory)
{
	static const int bits[] = {INSN_OP_BT, INSN_OP_BTS, INSN_OP_BTR, INSN_OP_BTC};
	unsigned op = c->opcode, reg = c->modrm >> 3 & 7;

	if (!memory)
		return NO;
	switch (op) {
	case 0xa3:
	case 0xab:
	case 0xb3:
	case 0xbb:
		return bits[op >> 3 & 3];
	case 0xba:
		return reg >= 4 ? bits[reg & 3] : NO;
	case 0xb0:
	case 0xb1:
		return INSN_OP_CMPXCHG;
	case 0xb6:
	case 0xb7:
		return INSN_OP_MOVZX;
	case 0xbe:
	case 0xbf:
		return INSN_OP_MOVSX;
	case 0xc0:
	case 0xc1:
		return INSN_OP_XADD;
	case 0xc3: /* MOVNTI takes no prefix */
		return has(c, 0x66) || has(c, 0xf2) || has(c, 0xf3) ? NO : INSN_OP_MOV;
	default:
		return (op & 0xf0) == 0x40   ? INSN_OP_CMOVCC
		       : (op & 0xf0) == 0x90 ? INSN_OP_SETCC
					     : NO;
	}
}

/* With LOCK: those that read and write memory, with the destination there (SDM 2A, LOCK). */
static bool lockable(int op, const struct candidate *c)
{
	switch (op) {
	case INSN_OP_ADD:
	case INSN_OP_ADC:
	case INSN_OP_SUB:
	case INSN_OP_SBB:
	case INSN_OP_AND:
	case INSN_OP_OR:
	case INSN_OP_XOR:
		return c->opcode >= 0x80 || (c->opcode & 2) == 0;
	case INSN_OP_INC:
	case INSN_OP_DEC:
	case INSN_OP_NEG:
	case INSN_OP_NOT:
	case INSN_OP_XCHG:
	case INSN_OP_XADD:
	case INSN_OP_CMPXCHG:
	case INSN_OP_BTS:
	case INSN_OP_BTR:
	case INSN_OP_BTC:
		return true;
	default:
		return false;
	}
}

/* enum insn_op, or NO. */
static int expected(const struct candidate *c)
{
	bool memory = c->modrm < 0xc0;
	int op = NO;

	if (c->map == ONE)
		op = one_byte(c, memory);
	else if (c->map == MAP_0F)
		op = two_byte(c, memory);
	else if (c->map == MAP_0F38 && (c->opcode & 0xfe) == 0xf0 && memory && !has(c, 0xf2) &&
		 !has(c, 0xf3))
		op = INSN_OP_MOVBE; /* F2: CRC32 */
	if (op != NO && has(c, 0xf0) && !lockable(op, c))
		op = NO;
	return op;
}

/* ---- instructions, and what objdump says ---- */

static size_t encode(const struct candidate *c, uint8_t b[15])
{
	size_t n = 0;

	memset(b, 0, 15);
	for (unsigned i = 0; i < c->prefixes; i++)
		b[n++] = c->prefix[i];
	if (c->rex)
		b[n++] = c->rex;
	if (c->map != ONE)
		b[n++] = 0x0f;
	if (c->map == MAP_0F38)
		b[n++] = 0x38;
	if (c->map == MAP_0F3A)
		b[n++] = 0x3a;
	b[n++] = c->opcode;
	b[n++] = c->modrm;
	b[n++] = c->sib;
	return n;
}

static FILE *file;
static uint8_t *lengths; /* of each slot */
static size_t slots, slots_max;
static unsigned tried, supported;

static void one(const struct candidate *c)
{
	uint8_t slot[SLOT] = {0};
	struct insn insn;

	memset(slot + SLOT - NOPS, 0x90, NOPS);
	encode(c, slot);
	int want = expected(c), r = insn_decode(slot, 15, c->mode, &insn);

	tried++;
	if ((r == 0) != (want != NO) || (r == 0 && insn.op != want))
		fail_msg("mode %u: %02x %02x %02x %02x %02x %02x: %d, op %u, not %d", c->mode,
			 slot[0], slot[1], slot[2], slot[3], slot[4], slot[5], r, insn.op, want);
	if (r != 0)
		return;
	supported++;
	if (!slot[0] && !slot[1])
		return; /* objdump leaves out zeros */
	if (slots == slots_max) {
		slots_max = slots_max ? 2 * slots_max : 65536;
		lengths = realloc(lengths, slots_max);
	}
	lengths[slots++] = insn.length;
	assert_int_equal(fwrite(slot, SLOT, 1, file), 1);
}

/* A line that is prefixes only: the instruction follows on the next. */
static bool only_prefixes(const char *text)
{
	static const char *const words[] = {"data16", "data32", "addr16", "addr32", "rep",
					    "repz",   "repnz",  "lock",   "cs",     "ds",
					    "es",     "fs",     "gs",     "ss"};
	char word[32];
	int n = 0;

	while (sscanf(text, " %31s%n", word, &n) == 1) {
		bool known = strncmp(word, "rex", 3) == 0;

		for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
			known = known || strcmp(word, words[i]) == 0;
		if (!known)
			return false;
		text += n;
	}
	return true;
}

/* Compare with the lines "address:\tbytes\ttext" of objdump. */
static void compare(const char *name, const char *machine)
{
	char command[256], buffer[512];
	size_t slot = 0, at = 0;
	unsigned length = 0, checked = 0;
	bool complete = true;

	snprintf(command, sizeof command, "objdump -D -w --insn-width=16 -b binary -m %s %s",
		 machine, name);
	FILE *p = popen(command, "r");

	assert_non_null(p);
	while (fgets(buffer, sizeof buffer, p)) {
		unsigned long address;
		int n = 0;

		if (sscanf(buffer, " %lx:\t%n", &address, &n) != 1 || n == 0)
			continue;
		if (address % SLOT == 0) {
			slot = address / SLOT;
			at = address;
			length = 0;
			complete = false;
		}
		if (complete || address != at)
			continue;
		char *bytes = buffer + n, *text = strchr(bytes, '\t');

		assert_non_null(text);
		for (char *s = bytes; s < text; s++)
			length += *s == ' ' && s > bytes && s[-1] != ' ';
		at = slot * SLOT + length;
		if (only_prefixes(text + 1))
			continue;
		complete = true;
		checked++;
		if (length != lengths[slot] || strstr(text, "(bad)"))
			fail_msg("%s: length %u, objdump: %s", machine, lengths[slot], buffer);
	}
	assert_int_equal(pclose(p), 0);
	assert_int_equal(checked, slots);
}

/* ---- the product ---- */

static const uint8_t prefix_sets[][3] = {
    {0x66},
    {0x67},
    {0xf2},
    {0xf3},
    {0xf0},
    {0x26},
    {0x2e},
    {0x36},
    {0x3e},
    {0x64},
    {0x65},
    {0x66, 0x67},
    {0x67, 0xf3},
    {0x66, 0xf2},
    {0xf3, 0x66},
    {0xf0, 0x66},
    {0x65, 0x67},
    {0xf2, 0xf3},
    {0x66, 0x67, 0xf3},
};
#define SETS (sizeof prefix_sets / sizeof prefix_sets[0])

/* The opcodes that are prefixes, lead to another map, or belong to VEX, EVEX or XOP in some mode.
 */
static bool left_out(enum insn_mode mode, enum map map, unsigned op)
{
	if (map == MAP_0F)
		return op == 0x38 || op == 0x3a || op == 0x0f; /* 3DNow! */
	if (map != ONE)
		return false;
	if (mode == INSN_MODE64 && (op & 0xf0) == 0x40)
		return true;
	return op == 0x0f || op == 0x26 || op == 0x2e || op == 0x36 || op == 0x3e ||
	       (op >= 0x64 && op <= 0x67) || op == 0xf0 || op == 0xf2 || op == 0xf3;
}

static void all_modrm(struct candidate *c, bool full)
{
	for (unsigned m = 0; m < 256; m++) {
		unsigned mod = m >> 6, reg = m >> 3 & 7, rm = m & 7;

		/* each mod with each reg, and with each rm */
		if (!full && rm != (reg + mod) % 8 && !(reg == 0 && (mod == 0 || rm == 4)))
			continue;
		c->modrm = (uint8_t)m;
		c->sib = (uint8_t)(m * 37 + c->opcode * 11 + c->rex);
		one(c);
	}
}

static void run_mode(enum insn_mode mode, const char *machine)
{
	bool full = getenv("DECODE_FULL") != NULL;
	char name[64];

	snprintf(name, sizeof name, "/tmp/test_insn_objdump.%d", (int)getpid());
	slots = tried = supported = 0;
	file = fopen(name, "wb");
	assert_non_null(file);
	for (unsigned map = ONE; map < MAPS; map++) {
		for (unsigned op = 0; op < 256; op++) {
			struct candidate c = {
			    .mode = mode, .map = (enum map)map, .opcode = (uint8_t)op};

			if (left_out(mode, c.map, op))
				continue;
			all_modrm(&c, true);
			for (unsigned rex = 0x40; rex < 0x50 && mode == INSN_MODE64; rex++) {
				c.rex = (uint8_t)rex;
				all_modrm(&c, full);
			}
			for (unsigned i = 0; i < SETS; i++) {
				c.rex = 0;
				for (c.prefixes = 0; c.prefixes < 3 && prefix_sets[i][c.prefixes];
				     c.prefixes++)
					c.prefix[c.prefixes] = prefix_sets[i][c.prefixes];
				all_modrm(&c, full);
				for (unsigned rex = full ? 0x40 : 0x48;
				     rex < 0x50 && mode == INSN_MODE64; rex += full ? 1 : 5) {
					c.rex = (uint8_t)rex;
					all_modrm(&c, full);
				}
			}
		}
	}
	/* SIB: every one, with each mod, for a load, a store with an immediate, and 0F */
	static const struct {
		enum map map;
		uint8_t opcode;
	} with_sib[] = {{ONE, 0x8b}, {ONE, 0xc7}, {ONE, 0x80}, {MAP_0F, 0xb1}, {MAP_0F, 0xba}};

	for (unsigned i = 0; i < 5; i++) {
		for (unsigned k = 0; k < 256 * 3 * 8; k++) {
			struct candidate c = {.mode = mode,
					      .map = with_sib[i].map,
					      .opcode = with_sib[i].opcode,
					      .modrm = (uint8_t)(0x04 | (k >> 8) % 3 << 6),
					      .sib = (uint8_t)k};
			unsigned rex = k / (256 * 3);

			if (c.map == MAP_0F && c.opcode == 0xba)
				c.modrm |= 0x28;
			if (rex && mode != INSN_MODE64)
				break;
			if (rex)
				c.rex = (uint8_t)(0x40 | rex);
			one(&c);
		}
	}
	assert_int_equal(fclose(file), 0);
	compare(name, machine);
	unlink(name);
	print_message("%s: %u encodings, %u supported\n", machine, tried, supported);
}

static void test_product(void **state)
{
	static const struct {
		enum insn_mode mode;
		const char *machine;
	} modes[] = {{INSN_MODE64, "i386:x86-64"}, {INSN_MODE32, "i386"}, {INSN_MODE16, "i8086"}};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		run_mode(modes[i].mode, modes[i].machine);
	free(lengths);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_product),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
