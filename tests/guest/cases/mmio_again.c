/*
 * The same accesses again and again, at one RIP, while what they depend on changes:
 * registers, page tables, the code itself. On a machine whose VMM has a device there (word
 * device=1; core/vm/mmio_test.c) nothing is different: it may remember an instruction, but not use
 * what it remembers when anything has changed (SDM 3A 4.10.4.3, 9.1.3).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define TIMES 6u
#define VIRT  (UINT64_C(6) << 30)

enum { ALL = 1, WRITES = 2, MOVE = 3, END = 4, COUNTS = 5, LEAN = 7, SECOND = 0x100 };

static uint8_t pages[3][4096] __attribute__((aligned(4096))); /* a device, where there is one */
static uint8_t plain[4096] __attribute__((aligned(4096)));
static uint8_t *code;
static bool device;
static uint64_t call, all; /* ALL, or LEAN */

static void ask(uint64_t operation, uint64_t *rcx, uint64_t rdx, const char *what)
{
	if (device && vmm_call(call, operation, rcx, rdx) != 0)
		case_error("device: %s", what);
}

static void put(uint64_t operation, const void *at, uint64_t size)
{
	uint64_t rcx = (uintptr_t)at;

	ask(operation, &rcx, size, "put");
}

static void end(uint64_t which)
{
	uint64_t rcx = 0;

	ask(END | which, &rcx, 0, "end");
}

/* The handlers have seen so many accesses since the device was put there. */
static void check_counts(uint32_t reads, uint32_t writes, const char *what)
{
	uint64_t rcx = (uint64_t)reads << 32 | writes;

	ask(COUNTS, &rcx, 0, "counts");
	CHECK_EQ(rcx >> 32, reads, "%s reads", what);
	CHECK_EQ(rcx & UINT32_MAX, writes, "%s writes", what);
}

/* Code of up to 12 bytes at the one place, and a RET. */
static void write_code(const char *bytes, unsigned n)
{
	memcpy(code, bytes, n);
	code[n] = 0xc3;
	cpuid(0, 0); /* serializes: SDM 3A 9.1.3 */
}

/* Runs it: RAX and RCX are values, RDX and RSI make the address. */
static uint64_t run(uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t rsi)
{
	__asm__ volatile("call *%4"
			 : "+a"(rax), "+c"(rcx), "+d"(rdx), "+S"(rsi)
			 : "r"(code)
			 : "memory");
	return rax;
}

static uint32_t at32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static uint64_t at64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void forms(void)
{
	static const struct {
		const char *name, *bytes;
		uint8_t n, size, store; /* 2: an immediate of 0x11223344, sign-extended */
	} form[] = {
	    {"mov-eax", "\x89\x04\x32", 3, 4, 1},                       /* (%rdx,%rsi), from EAX */
	    {"mov-rax", "\x48\x89\x04\x32", 4, 8, 1},                   /* from RAX */
	    {"mov-imm32", "\xc7\x44\x32\x08\x44\x33\x22\x11", 8, 4, 2}, /* 8(%rdx,%rsi) */
	    {"mov-imm64", "\x48\xc7\x44\x32\x10\x44\x33\x22\x11", 9, 8, 2}, /* 16(%rdx,%rsi) */
	    {"load-eax", "\x8b\x04\x32", 3, 4, 0},
	    {"load-rax", "\x48\x8b\x04\x32", 4, 8, 0},
	    {"load-base", "\x8b\x42\x20", 3, 4, 0}, /* 32(%rdx) */
	};
	uint32_t reads = 0, writes = 0;

	memset(pages, 0, sizeof(pages));
	put(all, pages[0], 8192);
	for (unsigned f = 0; f < sizeof(form) / sizeof(form[0]); f++) {
		write_code(form[f].bytes, form[f].n);
		for (uint64_t i = 0; i < TIMES; i++) {
			uint64_t rsi = form[f].bytes[2] == 0x20 ? 0 : i * 64,
				 value = UINT64_C(0x8123456789abcdef) + (i << 32 | i);
			uint64_t got = run(value, 0, (uintptr_t)pages[0], rsi);

			if (form[f].store) {
				CHECK_EQ(got, value, "%s RAX %lu", form[f].name, i);
				writes++;
			} else {
				reads++;
				case_value("%s %lu %#lx", form[f].name, i, got);
			}
		}
	}
	check_counts(reads, writes, "forms");
	end(0);
	/* the memory has now what the device had: what was stored, and nothing beside it */
	for (uint64_t i = 0; i < TIMES; i++) {
		const uint8_t *p = pages[0] + i * 64;

		CHECK_EQ(at64(p), UINT64_C(0x8123456789abcdef) + (i << 32 | i), "stored %lu", i);
		CHECK_EQ(at64(p + 8), 0x11223344, "immediate %lu", i);
		CHECK_EQ(at64(p + 16), 0x11223344, "immediate-64 %lu", i);
		CHECK_EQ(at64(p + 24), 0, "behind %lu", i);
	}
}

static uint64_t run_with_flags(uint64_t rax, const uint8_t *at, uint64_t *flags)
{
	__asm__ volatile("pushq %[flags]\n\t"
			 "popfq\n\t"
			 "call *%[code]\n\t"
			 "pushfq\n\t"
			 "popq %[flags]"
			 : "+a"(rax), [flags] "+r"(*flags)
			 : "d"(at), "S"(UINT64_C(0)), [code] "r"(code)
			 : "memory", "cc");
	return rax;
}

#define AF     0x10u
#define STATUS 0x8d5u /* CF, PF, AF, ZF, SF, OF */

/* Forms that change memory or compare it, and parts of registers: the CPU does the same on memory
 * that is no device. AF is undefined behind logical ones. */
static void updates(void)
{
	enum { R = 1, W = 2, LOGIC = 4 };
	static const struct {
		const char *name, *bytes; /* on (%rdx,%rsi) */
		uint8_t n, does;
	} form[] = {
	    {"add-imm", "\x83\x04\x32\x7f", 4, R | W},
	    {"add-al", "\x00\x04\x32", 3, R | W},
	    {"adc-rax", "\x48\x11\x04\x32", 4, R | W},
	    {"sub-ax", "\x66\x29\x04\x32", 4, R | W},
	    {"sbb-eax", "\x19\x04\x32", 3, R | W},
	    {"and-eax", "\x21\x04\x32", 3, R | W | LOGIC},
	    {"or-to-eax", "\x0b\x04\x32", 3, R | LOGIC},
	    {"xor-rax", "\x48\x31\x04\x32", 4, R | W | LOGIC},
	    {"cmp-eax", "\x39\x04\x32", 3, R},
	    {"cmp-al-first", "\x3a\x04\x32", 3, R},
	    {"test-ax", "\x66\x85\x04\x32", 4, R | LOGIC},
	    {"inc", "\xff\x04\x32", 3, R | W},
	    {"dec-byte", "\xfe\x0c\x32", 3, R | W},
	    {"neg-64", "\x48\xf7\x1c\x32", 4, R | W},
	    {"not", "\xf7\x14\x32", 3, R | W},
	    {"xchg-eax", "\x87\x04\x32", 3, R | W},
	    {"xadd-ah", "\x0f\xc0\x24\x32", 4, R | W},
	    {"lock-add", "\xf0\x01\x04\x32", 4, R | W},
	    {"bts-imm", "\x0f\xba\x2c\x32\x05", 5, R | W},
	    {"bt-imm", "\x0f\xba\x24\x32\x1f", 5, R},
	    {"movzx-byte", "\x0f\xb6\x04\x32", 4, R},
	    {"movsx-word", "\x48\x0f\xbf\x04\x32", 5, R},
	    {"movsxd", "\x48\x63\x04\x32", 4, R},
	    {"load-ah", "\x8a\x24\x32", 3, R},
	    {"load-ax", "\x66\x8b\x04\x32", 4, R},
	    {"store-ah", "\x88\x24\x32", 3, W},
	    {"setc", "\x0f\x92\x04\x32", 4, W},
	    {"cmovs-eax", "\x0f\x48\x04\x32", 4, R},
	};
	uint32_t reads = 0, writes = 0;
	uint64_t bits = 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < sizeof(plain); i++)
		pages[0][i] = plain[i] = (uint8_t)(bits >> i % 57);
	put(all, pages[0], 4096);
	for (unsigned f = 0; f < sizeof(form) / sizeof(form[0]); f++) {
		uint64_t shown = form[f].does & LOGIC ? STATUS & ~AF : STATUS;

		write_code(form[f].bytes, form[f].n);
		for (uint64_t i = 0; i < TIMES; i++) {
			uint64_t at = (f * TIMES + i) * 16, rax = bits = bits * 5 + 1,
				 flags = (bits & STATUS) | 2, want_flags = flags;
			uint64_t got = run_with_flags(rax, pages[0] + at, &flags),
				 want = run_with_flags(rax, plain + at, &want_flags);

			CHECK_EQ(got, want, "%s RAX %lu", form[f].name, i);
			CHECK_EQ(flags & shown, want_flags & shown, "%s flags %lu", form[f].name,
				 i);
		}
		reads += form[f].does & R ? TIMES : 0;
		writes += form[f].does & W ? TIMES : 0;
	}
	check_counts(reads, writes, "updates");
	end(0);
	for (unsigned i = 0; i < sizeof(plain); i += 8)
		CHECK_EQ(at64(pages[0] + i), at64(plain + i), "updates at %#x", i);
}

/* One virtual page leads to the device's first page, to its second, and to plain memory. */
static void page_tables(void)
{
	uint32_t writes = 0;

	memset(pages, 0, sizeof(pages));
	memset(plain, 0, sizeof(plain));
	put(all, pages[0], 8192);
	write_code("\x89\x04\x32", 3);
	for (uint32_t i = 0; i < 3 * TIMES; i++) {
		uint8_t *to = i % 3 == 0 ? pages[0] : i % 3 == 1 ? pages[1] : plain;

		page_map(VIRT, (uintptr_t)to, PAGE_P | PAGE_W);
		for (uint32_t k = 0; k < TIMES; k++)
			run(i << 8 | k, 0, VIRT, 4 * (i * TIMES + k));
		writes += to == plain ? 0 : TIMES;
	}
	check_counts(0, writes, "page-tables");
	end(0);
	for (uint32_t i = 0; i < 3 * TIMES; i++) {
		for (uint32_t k = 0; k < TIMES; k++) {
			uint32_t at = 4 * (i * TIMES + k), want = i << 8 | k;

			CHECK_EQ(at32(pages[0] + at), i % 3 == 0 ? want : 0, "page-0 %u.%u", i, k);
			CHECK_EQ(at32(pages[1] + at), i % 3 == 1 ? want : 0, "page-1 %u.%u", i, k);
			CHECK_EQ(at32(plain + at), i % 3 == 2 ? want : 0, "plain %u.%u", i, k);
		}
	}
}

/* The tables that lead to `va` from the top table at `top`, copied, and `pa` at their end; the
 * other entries stay shared. */
static uint64_t copy_of_path(uint64_t top, uint64_t va, uint64_t pa)
{
	uint64_t *to = page_alloc(), root = (uintptr_t)to;

	memcpy(to, (const void *)(uintptr_t)top, 4096);
	for (unsigned shift = 39; shift > 12; shift -= 9) {
		uint64_t *entry = &to[va >> shift & 511];

		to = page_alloc();
		memcpy(to, (const void *)(uintptr_t)(*entry & PAGE_ADDRESS), 4096);
		*entry = (uintptr_t)to | (*entry & ~PAGE_ADDRESS);
	}
	to[va >> 12 & 511] = pa | PAGE_P | PAGE_W;
	return root;
}

/* Address spaces take turns: two in which all is at the same place, and one in which the page is
 * plain memory. */
static void address_spaces(void)
{
	uint64_t cr3 = read_cr3(), top = cr3 & PAGE_ADDRESS, root[3];
	uint64_t *same = page_alloc();

	memset(pages, 0, sizeof(pages));
	memset(plain, 0, sizeof(plain));
	put(all, pages[0], 4096);
	page_map(VIRT, (uintptr_t)pages[0], PAGE_P | PAGE_W);
	memcpy(same, (const void *)(uintptr_t)top, 4096);
	root[0] = top;
	root[1] = (uintptr_t)same;
	root[2] = copy_of_path(top, VIRT, (uintptr_t)plain);
	write_code("\x89\x04\x32", 3);
	for (uint32_t i = 0; i < 3 * TIMES; i++) {
		write_cr3(root[i % 3]);
		run(0x4000 + i, 0, VIRT, 4 * i);
	}
	/* the other one's top table gets the entry of the first: what was kept for it is old */
	*(uint64_t *)(uintptr_t)root[2] = *(const uint64_t *)(uintptr_t)top;
	write_cr3(root[2]);
	run(0x5000, 0, VIRT, 4092);
	write_cr3(cr3);
	check_counts(0, 2 * TIMES + 1, "address-spaces");
	end(0);
	CHECK_EQ(at32(pages[0] + 4092), 0x5000, "entry exchanged");
	for (uint32_t i = 0; i < 3 * TIMES; i++) {
		bool is_device = i % 3 != 2;

		CHECK_EQ(at32(pages[0] + 4 * i), is_device ? 0x4000 + i : 0, "space %u", i);
		CHECK_EQ(at32(plain + 4 * i), is_device ? 0 : 0x4000 + i, "other space %u", i);
	}
}

/* The instruction at each of the last places of a page, and across its end; then it is another. */
static void page_end(void)
{
	static uint8_t two[2][4096] __attribute__((aligned(4096)));
	uint8_t *page = code;
	uint32_t count = 0;

	memset(pages, 0, sizeof(pages));
	put(all, pages[0], 4096);
	for (unsigned at = 4096 - 20; at < 4096; at++) {
		code = &two[0][at];
		for (uint32_t i = 0; i < 2 * TIMES; i++) {
			if (i == 0)
				write_code("\x89\x44\x32\x04", 4); /* EAX to 4(%rdx,%rsi) */
			if (i == TIMES)
				write_code("\x89\x4c\x32\x08", 4); /* ECX to 8(%rdx,%rsi) */
			run(at << 8 | i, at << 16 | i, (uintptr_t)pages[0], 16 * (at % 32));
			count++;
		}
	}
	check_counts(0, count, "page-end");
	end(0);
	for (unsigned at = 4096 - 20; at < 4096; at++) {
		const uint8_t *p = pages[0] + 16 * (at % 32);

		CHECK_EQ(at32(p + 4), at << 8 | (TIMES - 1), "page end %u EAX", at);
		CHECK_EQ(at32(p + 8), at << 16 | (2 * TIMES - 1), "page end %u ECX", at);
	}
	code = page;
}

/* More instructions, and more pages of the device, than are kept. */
static void many(void)
{
	enum { COUNT = 160, STRIDE = 24 };
	uint8_t *first = code;

	memset(pages, 0, sizeof(pages));
	put(all, pages[0], 2 * sizeof(pages[0]));
	for (unsigned n = 0; n < COUNT; n++) {
		code = first + n * STRIDE;
		write_code("\x01\x04\x32", 3); /* add %eax, (%rdx,%rsi) */
	}
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t n = 0; n < COUNT; n++) {
			code = first + n * STRIDE;
			for (unsigned page = 0; page < 2; page++)
				run(n, 0, (uintptr_t)pages[page], 4 * n);
		}
	}
	check_counts(6 * COUNT, 6 * COUNT, "many");
	end(0);
	for (uint32_t n = 0; n < COUNT; n++) {
		for (unsigned page = 0; page < 2; page++)
			CHECK_EQ(at32(pages[page] + 4 * n), 3 * n, "many %u.%u", page, n);
	}
	code = first;
}

/* A page that may not be written any more: the fault comes, and the device sees nothing. */
static void rights(void)
{
	uint64_t cr0 = read_cr0();

	memset(pages, 0, sizeof(pages));
	put(all, pages[0], 4096);
	page_map(VIRT, (uintptr_t)pages[0], PAGE_P | PAGE_W);
	write_cr0(cr0 | CR0_WP);
	for (unsigned i = 0; i < 2 * TIMES; i++) {
		bool allowed = i < TIMES;

		if (i == TIMES)
			page_map(VIRT, (uintptr_t)pages[0], PAGE_P);
		__asm__ volatile(TRY("movl %%eax, (%0)") : : "r"(VIRT), "a"(i + 1) : "memory");
		CHECK_EQ(tried(), allowed ? VECTOR_NONE : 14, "read-only %u", i);
	}
	write_cr0(cr0);
	check_counts(0, TIMES, "rights");
	end(0);
	CHECK_EQ(at32(pages[0]), TIMES, "read-only value");
}

/* The bytes change, one at a time: another register, another offset, a load. */
static void self_modifying(void)
{
	memset(pages, 0, sizeof(pages));
	put(all, pages[0], 4096);
	for (uint32_t i = 0; i < TIMES; i++) {
		for (uint32_t k = 0; k < TIMES; k++) {
			write_code("\x89\x42\x10", 3); /* EAX to 16(%rdx) */
			run(i, 0x100 + i, (uintptr_t)pages[0], 0);
		}
		code[1] = 0x4a; /* ECX */
		cpuid(0, 0);
		run(i, 0x100 + i, (uintptr_t)pages[0] + 16, 0);
		code[2] = 0x40; /* to 64(%rdx) */
		cpuid(0, 0);
		run(i, 0x200 + i, (uintptr_t)pages[0], 0);
		code[0] = 0x8b; /* load ECX */
		code[1] = 0x42; /* EAX */
		cpuid(0, 0);
		CHECK_EQ(run(i, 0, (uintptr_t)pages[0], 0), 0x200 + i, "load %u", i);
	}
	check_counts(TIMES, TIMES * (TIMES + 2), "code");
	end(0);
	CHECK_EQ(at32(pages[0] + 16), TIMES - 1, "EAX");
	CHECK_EQ(at32(pages[0] + 32), 0x100 + TIMES - 1, "ECX");
	CHECK_EQ(at32(pages[0] + 64), 0x200 + TIMES - 1, "offset");
}

/* The device moves away and comes back; it covers part of a page. */
static void ranges(void)
{
	uint64_t rcx;

	memset(pages, 0, sizeof(pages));
	put(all, pages[0] + 256, 512);
	write_code("\x89\x04\x32", 3);
	for (uint32_t i = 0; i < 4; i++) {
		for (uint32_t k = 0; k < TIMES; k++)
			run(0x1000 + i, 0, (uintptr_t)pages[0],
			    252 + 4 * k); /* the first is beside it */
		rcx = (uintptr_t)pages[i & 1 ? 0 : 2] + 256;
		ask(MOVE, &rcx, 0, "move");
	}
	/* at home for i = 0 and 2; the others went to the memory there */
	check_counts(0, device ? 2 * (TIMES - 1) : 0, "ranges");
	rcx = (uintptr_t)pages[0] + 256;
	ask(MOVE, &rcx, 0, "move");
	end(0);
	CHECK_EQ(at32(pages[0] + 252), 0x1003, "beside");
}

/* Two devices in a page: one goes, and the page still exits. */
static void neighbours(void)
{
	memset(pages, 0, sizeof(pages));
	put(all, pages[0] + 256, 256);
	put(all | SECOND, pages[0] + 512, 256);
	write_code("\x89\x04\x32", 3);
	for (uint32_t i = 0; i < TIMES; i++)
		run(0x2000 + i, 0, (uintptr_t)pages[0], 512);
	end(SECOND);
	for (uint32_t i = 0; i < TIMES; i++)
		run(0x3000 + i, 0, (uintptr_t)pages[0], 512);
	check_counts(0, 0, "neighbour");
	CHECK_EQ(at32(pages[0] + 512), 0x3000 + TIMES - 1, "where the second was");
	end(0);
}

/* SDM 3B 18.3.1.4: a trap behind each. */
static void steps(void)
{
	static const uint8_t bytes[] = {0x89, 0x02}; /* mov %eax, (%rdx) */
	struct snippet s = {.trace = true, .in = {.rdx = (uintptr_t)pages[0]}};

	memset(pages, 0, sizeof(pages));
	put(all, pages[0], 4096);
	snippet_bytes(&s, bytes, sizeof(bytes));
	for (unsigned i = 0; i < 2 * TIMES; i++) {
		s.in.rax = i + 1;
		s.in.rflags = i < TIMES ? 0 : RFLAGS_TF;
		s.steps = 0;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "step %u vector", i);
		CHECK_EQ(s.steps, i < TIMES ? 0 : 1, "step %u count", i);
		if (s.steps) {
			CHECK_EQ(s.step[0].rip, sizeof(bytes), "step %u RIP", i);
			CHECK_EQ(s.step[0].dr6, DR6_CLEAR | DR6_BS, "step %u DR6", i);
		}
	}
	check_counts(0, 2 * TIMES, "steps");
	end(0);
	CHECK_EQ(at32(pages[0]), 2 * TIMES, "step value");
}

/* A breakpoint on each of two accesses: its handler sets RF to get past it, and RF ends there. SDM
 * 3B 18.3.1.1 */
static void breakpoints(void)
{
	static const uint8_t bytes[] = {0x89, 0x02, 0x8b, 0x1a}; /* EAX to (%rdx), EBX from it */
	struct snippet s = {.trace = true, .in = {.rdx = (uintptr_t)pages[0]}};

	memset(pages, 0, sizeof(pages));
	put(all, pages[0], 4096);
	snippet_bytes(&s, bytes, sizeof(bytes));
	write_dr0(SNIPPET_BASE(0));
	write_dr1(SNIPPET_BASE(0) + 2);
	for (unsigned i = 0; i < 2 * TIMES; i++) {
		bool stops = i >= TIMES;

		s.in.rax = i + 1;
		write_dr7(stops ? DR7_CLEAR | 5 : DR7_CLEAR); /* L0, L1 */
		snippet_run(&s);
		write_dr7(DR7_CLEAR);
		CHECK_EQ(s.out.vector, VECTOR_END, "stop %u vector", i);
		CHECK_EQ(s.out.rbx, i + 1, "stop %u RBX", i);
		CHECK_EQ(s.steps, stops ? 2 : 0, "stop %u count", i);
		for (unsigned k = 0; k < s.steps; k++)
			CHECK_EQ(s.step[k].rip, 2 * k, "stop %u.%u RIP", i, k);
	}
	write_dr0(0);
	write_dr1(0);
	check_counts(2 * TIMES, 2 * TIMES, "stops");
	end(0);
}

GUEST_CASE(mmio_again, "SDM 2B MOV; SDM 3A 4.10.4.3, 9.1.3; SDM 3B 18.3.1.1, 18.3.1.4")
{
	static const char name[] = "test_mmio";

	device = word_number("device", 0) != 0;
	if (device) {
		uint64_t none = 0;

		call = vmm_call(0, (uintptr_t)name, &none, 0);
		if (!call)
			case_error("the VMM has no device for tests");
	}
	code = page_alloc();
	for (unsigned i = 0; i < 2; i++) {
		all = i ? LEAN : ALL;
		forms();
		updates();
		page_tables();
		address_spaces();
		page_end();
		many();
		rights();
		self_modifying();
		ranges();
		neighbours();
		breakpoints();
		if (word_number("steps", 1))
			steps();
	}
}
