/* The generator of the guest fuzzer: seed, CPU and number to an operation. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/fuzz/fuzz.h"
#include "tests/guest/fuzz/insn.h"

const char *const fuzz_names[FUZZ_KINDS] = {
    "io",   "pci", "msr",  "cr",   "cpuid", "apic", "ipi",  "nmi",   "start",
    "page", "vmm", "desc", "insn", "user",  "mode", "step", "fault",
};

/* Out of 1024; what costs an emulator much comes seldom. */
static const uint16_t weights[FUZZ_KINDS] = {
    [FUZZ_IO] = 140,  [FUZZ_PCI] = 80,   [FUZZ_MSR] = 150, [FUZZ_CR] = 120,  [FUZZ_CPUID] = 80,
    [FUZZ_APIC] = 80, [FUZZ_IPI] = 40,   [FUZZ_NMI] = 12,  [FUZZ_START] = 1, [FUZZ_PAGE] = 80,
    [FUZZ_VMM] = 50,  [FUZZ_DESC] = 60,  [FUZZ_INSN] = 45, [FUZZ_USER] = 45, [FUZZ_MODE] = 12,
    [FUZZ_STEP] = 15, [FUZZ_FAULT] = 14,
};

struct random {
	uint64_t state;
};

/* splitmix64: each number of the sequence is a hash of a counter. */
static uint64_t draw(struct random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint32_t below(struct random *r, uint32_t n)
{
	return (uint32_t)((draw(r) >> 32) % n);
}

/* Numbers as faults like them: few bits, borders, all bits. */
static uint64_t edgy(struct random *r)
{
	uint64_t n = draw(r);

	switch (below(r, 6)) {
	case 0:
		return n & 0xff;
	case 1:
		return BIT(n & 63);
	case 2:
		return ~BIT(n & 63);
	case 3:
		return BIT(n & 63) - 1 + (n >> 6 & 3);
	case 4:
		return n >> (n & 63);
	default:
		return n;
	}
}

/* Ports without side effects that matter; PM1 control is in port_of(). */
static const uint16_t ports[] = {
    0x80,  0x84,  0x81,  0x87,  0x00,  0x01,  0x20, 0x21,  0xa0,  0xa1,
    0x40,  0x42,  0x61,  0x64,  0x70,  0x71,  0x92, 0xb3,  0x3da, 0x3c4,
    0x3cc, 0x1f7, 0x4d0, 0x4d1, 0x510, 0xcf9, 0xed, 0x2e8, 0x278, 0xffff,
};
/* Those that may be written: the DMA controller's scratch registers, POST. */
static const uint16_t written[] = {0x80, 0x84, 0x85, 0x86, 0x88, 0xed};

bool fuzz_port_is_written(const struct fuzz_env *env, uint32_t port)
{
	for (unsigned i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		if (port < written[i] + 4u && port + 4 > written[i])
			return true;
	}
	return env->pm1 && port < env->pm1 + 6u && port + 4 > env->pm1;
}

static void make_io(const struct fuzz_env *env, struct random *r, struct fuzz_op *op)
{
	op->what = (uint8_t)below(r, 8); /* 0-3 IN, 4-5 OUT, 6 INS, 7 OUTS */
	op->size = (uint8_t)(1u << below(r, 3));
	op->value = edgy(r);
	op->how = (uint8_t)draw(r);
	op->extra = below(r, 5); /* count of string instructions */
	if (env->pm1 && below(r, 3) == 0 && op->what != 4) {
		/* around PM1a_CNT, sleep enable (bit 13) left out: ACPI 4.8.3.2.1 */
		int shift;

		op->number = env->pm1 + below(r, 5) - 2;
		if (op->what == 5 && op->number < env->pm1)
			op->number = env->pm1;
		shift = 13 - 8 * ((int)op->number - (int)env->pm1);
		if (shift >= 0)
			op->value &= ~BIT(shift);
		if (op->what >= 6) /* OUTS has its data from memory */
			op->what = 6;
		return;
	}
	if (op->what == 4 || op->what == 5 || op->what == 7) {
		op->what = op->what == 7 ? 7 : 4;
		op->number = written[below(r, sizeof(written) / sizeof(written[0]))];
		op->size = op->number == 0x80 ? op->size : 1;
	} else {
		op->number = ports[below(r, sizeof(ports) / sizeof(ports[0]))];
	}
}

static void make_msr(struct random *r, struct fuzz_op *op)
{
	/* taken bare in the emulators, and put back at once */
	static const uint32_t flipped[] = {
	    0x174,      0x175,      0x176,      0x277,      0xc0000081, 0xc0000082, 0xc0000083,
	    0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0000080, 0x1b,
	    0x1d9,      0x200,      0x201,      0x20f,      0x250,      0x268,      0x2ff,
	    0x3a,       0x1a0,      0xda0,      0xc0010015, 0xc0010114, 0xc0010117, 0x48b,
	    0x8b,       0xfe,       0x48,       0xc0010010, 0xc0010058, 0xc001001a,
	};
	static const uint32_t base[] = {0, 0x1000, 0xc0000000, 0xc0010000};

	op->what = (uint8_t)below(r, 4); /* 0-1 read, 2 write back, 3 write with other bits */
	op->value = edgy(r);
	if (op->what == 3 || below(r, 4) == 0)
		op->number = flipped[below(r, sizeof(flipped) / sizeof(flipped[0]))];
	else if (below(r, 16) == 0)
		op->number = (uint32_t)edgy(r);
	else
		op->number = base[below(r, 4)] + below(r, below(r, 2) ? 0x2000 : 0x400);
	/* its effect depends on the number written to it, or on the time; the APIC stays on */
	if (op->number == 0x10 || op->number == 0x6e0 || op->number == 0x79 || op->number == 0x3b ||
	    op->number == 0xc0010020 || (op->number >= 0x800 && op->number <= 0x8ff))
		op->what &= 1;
	if (op->number == 0x1b) {
		op->value &= ~UINT64_C(0xd00); /* EN, EXTD, BSP */
		if (op->how & 1)
			op->value &= ~UINT64_C(0xfff000);
	}
}

static void make_page(struct random *r, struct fuzz_op *op)
{
	op->what = (uint8_t)below(r, 8);
	op->how = (uint8_t)draw(r);
	op->size = (uint8_t)(1u << below(r, 4));
	op->number = below(r, 4096 - 16);
	op->value = draw(r);
	/* PWT, PCD, A, D, G, PAT; P, W, U nearly always; NX is reserved while EFER.NXE is 0 */
	op->extra = (draw(r) & 0x1f8 & ~UINT64_C(0x80)) | PAGE_P | PAGE_W | PAGE_U;
	if (below(r, 8) == 0)
		op->extra ^= BIT(below(r, 3));
	if (below(r, 16) == 0)
		op->extra |= PAGE_NX;
	if (below(r, 16) == 0)
		op->extra |= BIT(52 + below(r, 11)); /* ignored bits */
}

static void make_code(struct random *r, struct fuzz_op *op, uint8_t needs, uint8_t steps)
{
	static const uint8_t prefixes[] = {0x66, 0xf2, 0xf3, 0x2e, 0x64, 0xf0, 0x48, 0x44, 0x41};
	unsigned count = 1 + below(r, steps);

	bool last = false;

	op->pass = 0xff;
	/* behind one that gives something else each time, or goes on only where a VMM answers it,
	 * nothing would be known: it is the last */
	for (unsigned n = 0; n < count && !last; n++) {
		const struct insn *i;

		do
			i = &insns[below(r, INSNS)];
		while ((i->flags & needs) != needs || (n > 0 && i->flags & INSN_CALL));
		if (below(r, 8) == 0 && !(i->flags & INSN_PLAIN))
			op->code[op->length++] = prefixes[below(r, sizeof(prefixes))];
		memcpy(op->code + op->length, i->bytes, i->length);
		op->length = (uint8_t)(op->length + i->length);
		op->pass &= i->flags;
		last = i->flags & (INSN_VARIES | INSN_CALL);
		if (i->flags & INSN_VARIES)
			op->varies |= FUZZ_VARIES_REGS;
		if (i->flags & (INSN_CALL | INSN_SVM))
			op->varies |= FUZZ_VARIES_ALL;
		if (i->flags & INSN_PORT)
			op->how |= 0x80;
	}
}

void fuzz_make(const struct fuzz_env *env, unsigned cpu, uint64_t index, struct fuzz_op *op)
{
	struct random r = {env->seed};
	uint32_t sum = 0, pick;

	r.state = draw(&r) ^ (uint64_t)(cpu + 1) << 56;
	r.state = draw(&r) ^ index * UINT64_C(0xd1342543de82ef95);
	memset(op, 0, sizeof(*op));
	for (unsigned k = 0; k < FUZZ_KINDS; k++)
		sum += env->kinds >> k & 1 ? weights[k] : 0;
	pick = below(&r, sum);
	for (unsigned k = 0; k < FUZZ_KINDS; k++) {
		uint32_t w = env->kinds >> k & 1 ? weights[k] : 0;

		if (pick < w) {
			op->kind = (uint8_t)k;
			break;
		}
		pick -= w;
	}
	op->what = (uint8_t)draw(&r);
	op->how = (uint8_t)draw(&r) & 0x7f;
	op->size = (uint8_t)(1u << below(&r, 4));
	op->number = (uint32_t)draw(&r);
	op->value = edgy(&r);
	op->extra = draw(&r);
	switch ((enum fuzz_kind)op->kind) {
	case FUZZ_IO:
		make_io(env, &r, op);
		break;
	case FUZZ_MSR:
		make_msr(&r, op);
		break;
	case FUZZ_CPUID: {
		static const uint32_t base[] = {0, 0, 0x80000000, 0x80000000, 0x40000000};

		op->number =
		    below(&r, 6) ? base[below(&r, 5)] + below(&r, 0x24) : (uint32_t)edgy(&r);
		op->value = below(&r, 2) ? below(&r, 4) : (uint32_t)edgy(&r);
		break;
	}
	case FUZZ_PCI:
		/* bus 0 mostly, all functions of the lower devices */
		op->number = below(&r, 8) ? below(&r, 0x4000) : below(&r, 0x1000000);
		op->size = (uint8_t)(1u << below(&r, 3));
		break;
	case FUZZ_PAGE:
		make_page(&r, op);
		break;
	case FUZZ_INSN:
		make_code(&r, op, INSN_KERNEL, 3);
		break;
	case FUZZ_USER:
		make_code(&r, op, 0, 3);
		break;
	case FUZZ_MODE:
		op->what %= MODE_COUNT - MODE_REAL;
		make_code(&r, op, INSN_LEGACY, 3);
		break;
	case FUZZ_STEP:
		make_code(&r, op, INSN_KERNEL, 4);
		break;
	default:
		break;
	}
}
