/* Fuzzer of the guest page walk: any control registers over tables made of the input. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/gwalk.h"
#include <stdlib.h>
#include <string.h>

struct memory {
	const uint8_t *data;
	size_t size;
	const struct gwalk_cpu *cpu;
	unsigned reads;
};

static int mem_read(void *arg, gpa_t entry, unsigned size, uint64_t *value)
{
	struct memory *m = arg;

	if ((size != 4 && size != 8) || entry.a % size != 0 || entry.a >> m->cpu->maxphyaddr ||
	    ++m->reads > 1000)
		abort();
	*value = 0;
	if (m->size < size)
		return -1;
	memcpy(value, m->data + (entry.a >> 3) % (m->size - size + 1), size);
	return 0;
}

static int mem_update(void *arg, gpa_t entry, unsigned size, uint64_t old, uint64_t value)
{
	struct memory *m = arg;

	(void)entry;
	(void)size;
	if ((old & value) != old || (value & ~old & ~UINT64_C(0x60)))
		abort();
	return m->reads % 7 == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gwalk_ops ops[2] = {{.read = mem_read},
						{.read = mem_read, .update = mem_update}};
	uint64_t w[9];
	struct gwalk_out out;

	if (size < sizeof w)
		return 0;
	memcpy(w, data, sizeof w);
	struct gwalk_cpu cpu = {
	    .cr0 = w[0],
	    .cr3 = w[1],
	    .cr4 = w[2],
	    .efer = w[3],
	    .pkru = (uint32_t)w[4],
	    .pkrs = (uint32_t)(w[4] >> 32),
	    .cpl = w[5] & 3,
	    .ac = w[5] >> 2 & 1,
	    .gb_pages = w[5] >> 3 & 1,
	    .pse36 = w[5] >> 4 & 1,
	    .maxphyaddr = (uint8_t)(32 + (w[5] >> 8) % 21),
	};
	struct memory m = {.data = data + sizeof w, .size = size - sizeof w, .cpu = &cpu};
	int r = gwalk(&cpu, &ops[w[5] >> 5 & 1], &m, GVA(w[6]), (enum gwalk_access)(w[7] % 3),
		      w[7] >> 8 & 1, &out);

	if (r == 0 && (out.gpa.a ^ w[6]) & 0xfff)
		abort();
	if (r == 0 && out.page_size > 1 &&
	    out.gpa.a >> (cpu.maxphyaddr > 40 || (cpu.efer & 0x400) || (cpu.cr4 & 0x20)
			      ? cpu.maxphyaddr
			      : 40))
		abort();
	if (r == GWALK_FAULT && out.error_code & ~0x3fu)
		abort();
	return 0;
}
