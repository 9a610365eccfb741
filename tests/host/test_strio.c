/* Tests of INS and OUTS: registers, segments, pages, faults, and pieces. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/strio.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* Linear pages 0 to 7 lie in memory in another order; the guest's page tables say how. */
#define PAGES 8u
static const uint8_t frame_of[PAGES] = {5, 2, 7, 0, 1, 6, 3, 4};

static struct {
	uint8_t mem[PAGES * 4096];
	uint8_t absent, read_only; /* linear pages, bit n */
	uint64_t la_base;          /* linear address of page 0 */
	uint32_t port[64];         /* what was written, or is to be read */
	unsigned accesses;
} w;

static bool translate(void *arg, uint64_t la, bool write, uint64_t *gpa, struct strio_fault *f)
{
	uint64_t page = (la - w.la_base) >> 12;

	(void)arg;
	assert_true(page < PAGES);
	if (w.absent >> page & 1 || (write && w.read_only >> page & 1)) {
		*f = (struct strio_fault){.vector = 14,
					  .error =
					      (uint32_t)(write ? 2 : 0) | !(w.absent >> page & 1),
					  .cr2 = la};
		return false;
	}
	*gpa = (uint64_t)frame_of[page] * 4096 + (la & 0xfff);
	return true;
}

static uint32_t mem_read(void *arg, uint64_t gpa, unsigned n)
{
	uint32_t value = 0;

	(void)arg;
	assert_true(n >= 1 && n <= 4 && (gpa & 0xfff) + n <= 4096);
	memcpy(&value, w.mem + gpa, n);
	return value;
}

static void mem_write(void *arg, uint64_t gpa, unsigned n, uint32_t value)
{
	(void)arg;
	assert_true(n >= 1 && n <= 4 && (gpa & 0xfff) + n <= 4096);
	memcpy(w.mem + gpa, &value, n);
}

static bool is_out;
static uint8_t size;

static void port(void *arg, uint32_t *value)
{
	(void)arg;
	assert_true(w.accesses < 64);
	if (is_out)
		w.port[w.accesses++] = *value & (0xffffffffu >> (32 - 8 * size));
	else
		*value = w.port[w.accesses++] | (size < 4 ? 0xffffffffu << 8 * size : 0);
}

static const struct strio_ops ops = {NULL, translate, mem_read, mem_write, port};

static uint8_t *byte_at(uint64_t la)
{
	return &w.mem[frame_of[(la - w.la_base) >> 12] * 4096u + (la & 0xfff)];
}

static uint32_t value_at(uint64_t la, unsigned n)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < n; i++)
		value |= (uint32_t)*byte_at(la + i) << 8 * i;
	return value;
}

static void begin(const struct strio *s)
{
	memset(&w, 0, sizeof(w));
	is_out = s->write;
	size = s->size;
}

#define DATA32                                                                                     \
	{                                                                                          \
		.attr = 0x493, .limit = 0xffffffff                                                 \
	}
#define DATA16                                                                                     \
	{                                                                                          \
		.attr = 0x93, .limit = 0xffff                                                      \
	}

#define PROT32                                                                                     \
	{                                                                                          \
		.mode = INSN_MODE32, .rights = true, .la_bits = 48                                 \
	}

/* ---- registers ---- */

static void test_registers(void **state)
{
	static const struct {
		uint8_t size, address_size;
		bool rep, down, is_long;
		uint64_t rcx, index;
		unsigned limit;
		enum strio_result result;
		uint64_t rcx_after, index_after;
		unsigned accesses;
	} rows[] = {
	    /* without REP rCX does not count */
	    {1, 4, false, false, false, 0, 0x100, 9, STRIO_DONE, 0, 0x101, 1},
	    {2, 4, false, false, false, 7, 0x100, 9, STRIO_DONE, 7, 0x102, 1},
	    {4, 4, false, true, false, 7, 0x100, 9, STRIO_DONE, 7, 0xfc, 1},
	    {4, 4, false, false, false, 7, 0x100, 0, STRIO_DONE, 7, 0x104, 1},
	    /* with it */
	    {1, 4, true, false, false, 3, 0x100, 9, STRIO_DONE, 0, 0x103, 3},
	    {4, 4, true, true, false, 3, 0x100, 9, STRIO_DONE, 0, 0xf4, 3},
	    {1, 4, true, false, false, 0, 0x100, 9, STRIO_DONE, 0, 0x100, 0},
	    {1, 4, true, false, false, 9, 0x100, 9, STRIO_DONE, 0, 0x109, 9},
	    {1, 4, true, false, false, 10, 0x100, 9, STRIO_AGAIN, 1, 0x109, 9},
	    {2, 4, true, false, false, 10, 0x100, 1, STRIO_AGAIN, 9, 0x102, 1},
	    {2, 4, true, false, false, 10, 0x100, 0, STRIO_AGAIN, 9, 0x102, 1},
	    /* 16-bit addresses: only CX and DI, which wraps */
	    {1, 2, true, false, false, 0xaaaa0002, 0xbbbb0100, 9, STRIO_DONE, 0xaaaa0000,
	     0xbbbb0102, 2},
	    {1, 2, true, false, false, 0xaaaa0000, 0xbbbb0100, 9, STRIO_DONE, 0xaaaa0000,
	     0xbbbb0100, 0},
	    {1, 2, false, true, false, 0, 0xbbbb0000, 9, STRIO_DONE, 0, 0xbbbbffff, 1},
	    /* 32-bit addresses in 64-bit mode: the upper halves do not count, and are cleared */
	    {1, 4, true, false, true, UINT64_C(0xdead00000002), UINT64_C(0xbeef00000100), 9,
	     STRIO_DONE, 0, 0x102, 2},
	    {1, 4, true, false, true, UINT64_C(0xdead00000000), UINT64_C(0xbeef00000100), 9,
	     STRIO_DONE, UINT64_C(0xdead00000000), UINT64_C(0xbeef00000100), 0},
	    /* 64-bit addresses */
	    {4, 8, true, false, true, UINT64_C(0x100000000), 0x100, 2, STRIO_AGAIN, 0xfffffffe,
	     0x108, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned write = 0; write < 2; write++) {
			struct strio s = {.size = rows[i].size,
					  .address_size = rows[i].address_size,
					  .write = write,
					  .rep = rows[i].rep,
					  .down = rows[i].down,
					  .cpu = PROT32,
					  .seg = DATA32};
			uint64_t rcx = rows[i].rcx, index = rows[i].index;
			struct strio_fault f;

			if (rows[i].is_long)
				s.cpu.mode = INSN_MODE64;
			begin(&s);
			assert_int_equal(strio_run(&s, &ops, &rcx, &index, rows[i].limit, &f),
					 rows[i].result);
			assert_int_equal(rcx, rows[i].rcx_after);
			assert_int_equal(index, rows[i].index_after);
			assert_int_equal(w.accesses, rows[i].accesses);
		}
	}
}

/* ---- what goes where ---- */

static void test_data(void **state)
{
	static const uint8_t sizes[] = {1, 2, 4};
	static const uint64_t places[] = {0x100, 0xfff, 0xffe, 0xffd, 0x1ffc, 0x3fff};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
			struct strio s = {
			    .size = sizes[i],
			    .address_size = 4,
			    .rep = true,
			    .seg = {.attr = 0x493, .limit = 0xffffffff, .base = 0x1000},
			    .cpu = PROT32};
			uint64_t rcx = 3, index = places[k], la = 0x1000 + places[k];
			uint32_t mask = 0xffffffffu >> (32 - 8 * sizes[i]);
			struct strio_fault f;

			begin(&s);
			for (uint32_t n = 0; n < 3; n++)
				w.port[n] = (0x11223344 * (n + 1)) & mask;
			assert_int_equal(strio_run(&s, &ops, &rcx, &index, 9, &f), STRIO_DONE);
			assert_int_equal(*byte_at(la - 1), 0);
			for (uint32_t n = 0; n < 3; n++)
				assert_int_equal(value_at(la + n * sizes[i], sizes[i]),
						 (0x11223344 * (n + 1)) & mask);
			assert_int_equal(*byte_at(la + 3u * sizes[i]), 0);

			/* and back */
			s.write = true;
			is_out = true;
			memset(w.port, 0, sizeof(w.port));
			w.accesses = 0;
			rcx = 3;
			index = places[k];
			assert_int_equal(strio_run(&s, &ops, &rcx, &index, 9, &f), STRIO_DONE);
			for (uint32_t n = 0; n < 3; n++)
				assert_int_equal(w.port[n], (0x11223344 * (n + 1)) & mask);
		}
	}
}

static void test_down(void **state)
{
	struct strio s = {
	    .size = 2, .address_size = 4, .rep = true, .down = true, .cpu = PROT32, .seg = DATA32};
	uint64_t rcx = 2, index = 0x200;
	struct strio_fault f;

	(void)state;
	begin(&s);
	w.port[0] = 0x1111;
	w.port[1] = 0x2222;
	assert_int_equal(strio_run(&s, &ops, &rcx, &index, 9, &f), STRIO_DONE);
	assert_int_equal(value_at(0x1fe, 4), 0x11112222);
}

/* Linear addresses wrap at 4 GiB outside of 64-bit mode, and do not in it. */
static void test_wrap(void **state)
{
	struct strio s = {.size = 1,
			  .address_size = 4,
			  .seg = {.attr = 0x493, .limit = 0xffffffff, .base = 0xfffff000},
			  .cpu = PROT32};
	uint64_t rcx = 0, index = 0x1234;
	struct strio_fault f;

	(void)state;
	begin(&s);
	w.port[0] = 0x5a;
	assert_int_equal(strio_run(&s, &ops, &rcx, &index, 1, &f), STRIO_DONE);
	assert_int_equal(*byte_at(0x234), 0x5a);
	/* FS with a base; no limit */
	s.cpu.mode = INSN_MODE64;
	s.segment = INSN_FS;
	s.seg = (struct seg_state){.base = UINT64_C(0xffff888000000000)};
	s.address_size = 8;
	begin(&s);
	w.la_base = UINT64_C(0xffff888000000000);
	w.port[0] = 0x77;
	index = 0x2345;
	assert_int_equal(strio_run(&s, &ops, &rcx, &index, 1, &f), STRIO_DONE);
	assert_int_equal(*byte_at(w.la_base + 0x2345), 0x77);
}

/* ---- faults ---- */

static void test_segments(void **state)
{
	static const struct {
		const char *what;
		bool write, is_real, stack, is_long;
		struct seg_state seg;
		uint64_t index;
		uint8_t vector; /* 0: none */
	} rows[] = {
	    {"limit reached", false, false, false, false, DATA16, 0xfffc, 0},
	    {"limit crossed", false, false, false, false, DATA16, 0xfffd, 13},
	    {"the same, real mode", false, true, false, false, DATA16, 0xfffd, 13},
	    {"the same, SS", true, false, true, false, DATA16, 0xfffd, 12},
	    {"null", false, false, false, false, {.attr = 0}, 0x100, 13},
	    {"null SS", true, false, true, false, {.attr = 0}, 0x100, 12},
	    {"INS to read-only data",
	     false,
	     false,
	     false,
	     false,
	     {.attr = 0x491, .limit = 0xffff},
	     0x100,
	     13},
	    {"OUTS from read-only data",
	     true,
	     false,
	     false,
	     false,
	     {.attr = 0x491, .limit = 0xffff},
	     0x100,
	     0},
	    {"OUTS from readable code",
	     true,
	     false,
	     false,
	     false,
	     {.attr = 0x49b, .limit = 0xffff},
	     0x100,
	     0},
	    {"OUTS from execute-only code",
	     true,
	     false,
	     false,
	     false,
	     {.attr = 0x499, .limit = 0xffff},
	     0x100,
	     13},
	    {"INS to code",
	     false,
	     false,
	     false,
	     false,
	     {.attr = 0x49b, .limit = 0xffff},
	     0x100,
	     13},
	    {"real mode knows no rights",
	     false,
	     true,
	     false,
	     false,
	     {.attr = 0x9b, .limit = 0xffff},
	     0x100,
	     0},
	    {"expand-down, below",
	     false,
	     false,
	     false,
	     false,
	     {.attr = 0x497, .limit = 0x1fff},
	     0x1ffe,
	     13},
	    {"expand-down",
	     false,
	     false,
	     false,
	     false,
	     {.attr = 0x497, .limit = 0x1fff},
	     0x2000,
	     0},
	    {"64-bit mode: not canonical",
	     false,
	     false,
	     false,
	     true,
	     {.attr = 0},
	     UINT64_C(0x800000000000),
	     13},
	    {"64-bit mode: ends behind canonical",
	     false,
	     false,
	     false,
	     true,
	     {.attr = 0},
	     UINT64_C(0x7ffffffffffd),
	     13},
	    {"64-bit mode knows no limits", false, false, false, true, {.attr = 0}, 0x1234, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strio s = {.size = 4,
				  .address_size = rows[i].is_long ? 8 : 4,
				  .write = rows[i].write,
				  .rep = true,
				  .cpu = PROT32,
				  .segment = rows[i].stack ? INSN_SS : INSN_ES,
				  .seg = rows[i].seg};
		uint64_t rcx = 1, index = rows[i].index;
		struct strio_fault f = {0};

		if (rows[i].is_long)
			s.cpu.mode = INSN_MODE64;
		if (rows[i].is_real)
			s.cpu = (struct segment_cpu){.mode = INSN_MODE16};
		/* the pages that are there end at 8000h; the table's top lies on page 0 */
		begin(&s);
		if (rows[i].index > 0x8000)
			w.la_base = 0xf000;
		enum strio_result result = strio_run(&s, &ops, &rcx, &index, 9, &f);

		if ((result == STRIO_FAULT) != (rows[i].vector != 0) ||
		    (result == STRIO_FAULT && (f.vector != rows[i].vector || f.error != 0)))
			fail_msg("%s: result %d, vector %u", rows[i].what, result, f.vector);
		assert_int_equal(w.accesses, rows[i].vector == 0);
		if (rows[i].vector) {
			assert_int_equal(rcx, 1);
			assert_int_equal(index, rows[i].index);
		}
	}
}

/* CR2 is the first byte that cannot be reached; the port is not touched for such an element. */
static void test_page_faults(void **state)
{
	static const struct {
		bool write;
		uint8_t absent, read_only;
		uint64_t index;
		unsigned done; /* elements of 4 bytes before it */
		uint32_t error;
		uint64_t cr2;
	} rows[] = {
	    {false, 1 << 1, 0, 0x1000, 0, 2, 0x1000}, {false, 1 << 1, 0, 0xff8, 2, 2, 0x1000},
	    {false, 1 << 1, 0, 0xffa, 1, 2, 0x1000}, /* an element across the border */
	    {false, 1 << 0, 0, 0xffe, 0, 2, 0xffe},   {false, 0, 1 << 1, 0xffa, 1, 3, 0x1000},
	    {true, 1 << 1, 0, 0xffa, 1, 0, 0x1000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strio s = {.size = 4,
				  .address_size = 4,
				  .write = rows[i].write,
				  .rep = true,
				  .cpu = PROT32,
				  .seg = DATA32};
		uint64_t rcx = 8, index = rows[i].index;
		struct strio_fault f = {0};

		begin(&s);
		w.absent = rows[i].absent;
		w.read_only = rows[i].read_only;
		assert_int_equal(strio_run(&s, &ops, &rcx, &index, 64, &f), STRIO_FAULT);
		assert_int_equal(f.vector, 14);
		assert_int_equal(f.error, rows[i].error);
		assert_int_equal(f.cr2, rows[i].cr2);
		assert_int_equal(w.accesses, rows[i].done);
		assert_int_equal(rcx, 8 - rows[i].done);
		assert_int_equal(index, rows[i].index + 4 * rows[i].done);
	}
	/* OUTS does not write */
	struct strio s = {
	    .size = 4, .address_size = 4, .write = true, .cpu = PROT32, .seg = DATA32};
	uint64_t rcx = 0, index = 0x1000;
	struct strio_fault f;

	begin(&s);
	w.read_only = 0xff;
	assert_int_equal(strio_run(&s, &ops, &rcx, &index, 1, &f), STRIO_DONE);
}

static void test_alignment(void **state)
{
	(void)state;
	for (unsigned offset = 0; offset < 4; offset++) {
		for (uint8_t bytes = 1; bytes <= 4; bytes *= 2) {
			struct strio s = {.size = bytes,
					  .address_size = 4,
					  .aligned = true,
					  .cpu = PROT32,
					  .seg = DATA32};
			uint64_t rcx = 0, index = 0x100 + offset;
			struct strio_fault f = {0};
			bool odd = offset % bytes != 0;

			begin(&s);
			assert_int_equal(strio_run(&s, &ops, &rcx, &index, 1, &f),
					 odd ? STRIO_FAULT : STRIO_DONE);
			assert_int_equal(f.vector, odd ? 17 : 0);
			assert_int_equal(w.accesses, !odd);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_registers), cmocka_unit_test(test_data),
	    cmocka_unit_test(test_down),      cmocka_unit_test(test_wrap),
	    cmocka_unit_test(test_segments),  cmocka_unit_test(test_page_faults),
	    cmocka_unit_test(test_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
