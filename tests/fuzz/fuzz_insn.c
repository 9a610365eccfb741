/* Fuzzer of the instruction decoders: they agree with each other, and execution stays in bounds. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/insn/apicwrite.h"
#include "core/vm/insn/decode.h"
#include "core/vm/insn/length.h"
#include "core/errno.h"
#include <stdlib.h>
#include <string.h>

struct cpu {
	uint64_t reg[16];
	uint64_t flags;
	uint64_t salt;
};

static uint64_t reg_get(void *arg, unsigned reg)
{
	if (reg > 15)
		abort();
	return ((struct cpu *)arg)->reg[reg];
}

static void reg_set(void *arg, unsigned reg, uint64_t value)
{
	if (reg > 15)
		abort();
	((struct cpu *)arg)->reg[reg] = value;
}

static uint64_t flags_get(void *arg)
{
	return ((struct cpu *)arg)->flags;
}

static void flags_set(void *arg, uint64_t value)
{
	/* Status flags only. */
	if ((((struct cpu *)arg)->flags ^ value) & ~UINT64_C(0x8d5))
		abort();
	((struct cpu *)arg)->flags = value;
}

static void check(enum insn_seg seg, unsigned size)
{
	if ((unsigned)seg > INSN_GS || (size != 1 && size != 2 && size != 4 && size != 8))
		abort();
}

static int mem_read(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, uint64_t *value)
{
	check(seg, size);
	*value = (offset * 0x9e3779b97f4a7c15u ^ ((struct cpu *)arg)->salt) >> (64 - 8 * size);
	return 0;
}

static int mem_write(void *arg, enum insn_seg seg, uint64_t offset, unsigned size, uint64_t value)
{
	check(seg, size);
	if (size < 8 && value >> (8 * size))
		abort();
	((struct cpu *)arg)->salt ^= offset;
	return 0;
}

static int mem_cmpxchg(void *arg, enum insn_seg seg, uint64_t offset, unsigned size,
		       uint64_t *expected, uint64_t value)
{
	check(seg, size);
	(void)expected;
	if (size < 8 && value >> (8 * size))
		abort();
	return (int)((((struct cpu *)arg)->salt ^ offset) & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t ops[] = {
	    [APICWRITE_MOV] = INSN_OP_MOV, [APICWRITE_XCHG] = INSN_OP_XCHG};
	struct cpu c = {.flags = 2};
	struct insn_cpu cpu = {
	    .arg = &c,
	    .next_rip = 0x1000,
	    .stack_size = 8,
	    .reg_get = reg_get,
	    .reg_set = reg_set,
	    .rflags_get = flags_get,
	    .rflags_set = flags_set,
	    .mem_read = mem_read,
	    .mem_write = mem_write,
	    .mem_cmpxchg = mem_cmpxchg,
	};
	struct insn_fields f;
	struct apicwrite a;
	struct insn insn;

	if (size < 2)
		return 0;
	enum insn_mode mode = (enum insn_mode)(data[0] % 3);
	unsigned kind = data[1];
	size_t n = size - 2;
	uint8_t *b = malloc(n ? n : 1);
	memcpy(b, data + 2, n);
	for (unsigned i = 0; i < 16; i++)
		c.reg[i] = 0x123456789abcdef0u * (i + data[0]);

	for (unsigned k = 0; k < INSN_KIND_COUNT; k++) {
		int r = insn_length((enum insn_kind)k, b, n, mode, &f);

		if (r > INSN_MAX_LENGTH || (r > 0 && ((size_t)r > n || f.length != r)))
			abort();
	}
	insn_length((enum insn_kind)kind, b, n, mode, &f);

	int r = insn_decode(b, n, mode, &insn);
	if (apicwrite_decode(b, n, mode, &a) == 0) {
		if (r || insn.length != a.length || insn.op != ops[a.op] ||
		    insn.dst.size != a.size || insn.dst.where != INSN_MEM)
			abort();
		if (a.reg == INSN_REG_NONE ? insn.src.where != INSN_IMM || insn.imm != a.imm
					   : insn.src.where != INSN_REG || insn.src.reg != a.reg)
			abort();
	}
	if (r == 0) {
		if (insn.length > n || insn.length > INSN_MAX_LENGTH)
			abort();
		cpu.stack_size = mode == INSN_MODE64 ? 8 : mode == INSN_MODE32 ? 4 : 2;
		r = insn_exec(&insn, &cpu, 20);
		if (r < 0 && r != -EBUSY)
			abort();
	}
	free(b);
	return 0;
}
