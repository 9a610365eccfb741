/* The micro-kernel's start, and the runner of the cases. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

#define DEBUG_EXIT 0xf4 /* isa-debug-exit of QEMU; nobody listens elsewhere */

extern const struct guest_case *const section_case_start[], *const section_case_end[];

struct boot_block boot_block;

/* Why a case was left: values of protected_leave(). */
enum { LEFT_SKIP = 1, LEFT_ERROR };

static struct {
	const char *name;
	unsigned passed, failed;
	char text[200]; /* reason of a skip or an error */
} now;

bool case_check(const char *file, int line, uint64_t got, uint64_t want, const char *name, ...)
{
	char text[160];
	const char *base = file;
	__builtin_va_list args;

	if (got == want) {
		now.passed++;
		return true;
	}
	now.failed++;
	for (const char *s = file; *s; s++) {
		if (*s == '/')
			base = s + 1;
	}
	__builtin_va_start(args, name);
	format_text(text, sizeof(text), name, args);
	__builtin_va_end(args);
	print("fail %s %s:%d %s: got %#lx want %#lx\n", now.name, base, line, text, got, want);
	return false;
}

void case_value(const char *format, ...)
{
	char text[300];
	__builtin_va_list args;

	__builtin_va_start(args, format);
	format_text(text, sizeof(text), format, args);
	__builtin_va_end(args);
	print("value %s %s\n", now.name, text);
}

static _Noreturn void leave(uint64_t how)
{
	struct cpu *c = &cpus[cpu_index()];

	c->snippet = NULL;
	if (!c->case_stack) {
		print("error: %s\n", now.text);
		for (;;)
			__asm__ volatile("hlt");
	}
	protected_leave(c->case_stack, how);
}

void case_skip(const char *reason)
{
	size_t n = strlen(reason);

	n = n < sizeof(now.text) ? n : sizeof(now.text) - 1;
	memcpy(now.text, reason, n);
	now.text[n] = 0;
	leave(LEFT_SKIP);
}

void case_error(const char *format, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, format);
	format_text(now.text, sizeof(now.text), format, args);
	__builtin_va_end(args);
	leave(LEFT_ERROR);
}

void case_unexpected(const struct frame *f)
{
	case_error("CPU %u: vector %lu error %#lx at %#lx cs %#lx cr2 %#lx", cpu_index(), f->vector,
		   f->error, f->rip, f->cs, read_cr2());
}

/* ---- the command line ---- */

/* The next word from *at: its start, *length its length; NULL at the end. */
static const char *next_word(const char **at, size_t *length)
{
	const char *s = *at;

	while (*s == ' ')
		s++;
	*at = s;
	while (**at && **at != ' ')
		(*at)++;
	*length = (size_t)(*at - s);
	return *length ? s : NULL;
}

static const char *word_value(const char *name, size_t *length)
{
	const char *at = boot_block.words, *w;
	size_t n = strlen(name);

	while ((w = next_word(&at, length)) != NULL) {
		if (*length > n && !memcmp(w, name, n) && w[n] == '=') {
			*length -= n + 1;
			return w + n + 1;
		}
	}
	return NULL;
}

const char *word_text(const char *name)
{
	size_t length;

	return word_value(name, &length);
}

uint64_t text_number(const char **text)
{
	const char *s = *text;
	unsigned base = 10;
	uint64_t n = 0;

	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	for (; (*s >= '0' && *s <= '9') || (base == 16 && (*s | 0x20) >= 'a' && (*s | 0x20) <= 'f');
	     s++)
		n = n * base + (unsigned)(*s <= '9' ? *s - '0' : (*s | 0x20) - 'a' + 10);
	*text = *s ? s + 1 : s;
	return n;
}

uint64_t word_number(const char *name, uint64_t otherwise)
{
	const char *s = word_text(name);

	return s ? text_number(&s) : otherwise;
}

/* First RAM range of the list that is missing here from some page on: its start, *end its end. */
static uint64_t hole_of(uint64_t from, uint64_t to, uint64_t *end)
{
	for (uint64_t at = from; at < to; at += 4096) {
		bool ram = false;

		for (uint32_t i = 0; i < boot_block.count; i++) {
			const struct memory_range *m = &boot_block.memory[i];

			if (m->type == MEMORY_RAM && at >= m->base &&
			    at + 4096 <= m->base + m->length) {
				at = (m->base + m->length - 4096) & ~UINT64_C(4095);
				ram = true;
				break;
			}
		}
		if (!ram && to - at >= 0x100000) {
			*end = to;
			for (uint32_t i = 0; i < boot_block.count; i++) {
				const struct memory_range *m = &boot_block.memory[i];

				if (m->type == MEMORY_RAM && m->base > at && m->base < *end)
					*end = m->base;
			}
			return at;
		}
	}
	return 0;
}

uint64_t memory_missing(uint64_t *end)
{
	const char *text = word_text("ram");
	uint64_t hole = 0;

	*end = 0;
	while (text && *text && *text != ' ' && !hole) {
		uint64_t from = text_number(&text), to = text_number(&text);

		hole = hole_of(from < 0x100000 ? 0x100000 : from, to, end);
	}
	return hole;
}

/* `list`: names with an optional * at their end, between commas. */
static bool matches(const char *list, size_t length, const char *name)
{
	const char *end = list + length;

	while (list < end) {
		size_t n = 0;

		while (list + n < end && list[n] != ',' && list[n] != '*')
			n++;
		if (!memcmp(list, name, n < strlen(name) ? n : strlen(name)) &&
		    ((list + n < end && list[n] == '*') ? strlen(name) >= n : strlen(name) == n))
			return true;
		while (list < end && *list != ',')
			list++;
		list++;
	}
	return false;
}

/* case=LIST chooses, not=LIST leaves out. */
static bool chosen(const char *name)
{
	size_t length;
	const char *list = word_value("case", &length);

	if (list && !matches(list, length, name))
		return false;
	list = word_value("not", &length);
	return !list || !matches(list, length, name);
}

/* ---- what the VMM has counted ---- */

/* With status=1, under a VMM with vmm.status=1: its exits, as lines exits.cpuN.NAME=COUNT. */
static void print_exits(void)
{
	static char text[32768];
	uint64_t number, length = 0;

	if (!word_number("status", 0))
		return;
	number = vmm_call(0, (uintptr_t) "get_status2", &length, 0);
	length = sizeof(text) - 1;
	if (!number || vmm_call(number, (uintptr_t)text, &length, 0) != 0) {
		print("error: no status\n");
		return;
	}
	text[length] = 0;
	for (char *line = text, *end; *line; line = end) {
		for (end = line; *end && *end != '\n'; end++)
			;
		if (*end)
			*end++ = 0;
		if (!memcmp(line, "exits.", 6))
			print("%s\n", line);
	}
}

/* ---- running ---- */

static void run(const struct guest_case *c, unsigned results[6])
{
	static const char *const words[] = {"pass", "skip", "error", "fail"};
	uint64_t left = 0, sum = vmm_sum();

	memset(&now, 0, sizeof(now));
	now.name = c->name;
	print("case %s: begin\n", c->name);
	if (cpu_count() < c->cpus) {
		static const char text[] = "not enough CPUs";

		memcpy(now.text, text, sizeof(text));
		left = LEFT_SKIP;
	} else {
		left = protected_call(c->run, &cpus[0].case_stack);
		cpus[0].case_stack = 0;
		page_reset();
		trap_reset();
		CHECK_EQ(cpus_outside(), 0, "CPUs outside of the VMM");
	}
	if (word_number("sums", 0)) {
		CHECK(sum, "the VMM's code and constants have a sum");
		CHECK_EQ(vmm_sum(), sum, "the VMM's code and constants");
	}
	if (left != LEFT_ERROR && now.failed)
		left = 3;
	results[left]++;
	if (left == LEFT_SKIP || left == LEFT_ERROR)
		print("case %s: %s %u %u %s\n", c->name, words[left], now.passed, now.failed,
		      now.text);
	else
		print("case %s: %s %u %u\n", c->name, words[left], now.passed, now.failed);
	results[4] += now.passed;
	results[5] += now.failed;
}

void guest_start(const struct boot_block *block)
{
	unsigned results[6] = {0};

	boot_block = *block;
	outb(0x21, 0xff); /* both interrupt controllers: nothing may come that no case asks for */
	outb(0xa1, 0xff);
	trap_init(0);
	page_init();
	smp_init();
	print("\nguest: begin cpus %u\n", cpu_count());
	for (uint32_t i = 0; i < boot_block.count; i++) {
		const struct memory_range *m = &boot_block.memory[i];

		print("memory %#lx %#lx %u\n", m->base, m->length, m->type);
	}
	if (word_text("fuzz"))
		results[3] = fuzz_run() != 0;
	for (const struct guest_case *const *p = section_case_start; p < section_case_end; p++) {
		if (!word_text("fuzz") && chosen((*p)->name))
			run(*p, results);
	}
	print_exits();
	print("guest: end %u passed, %u failed, %u errors, %u skipped; assertions %u passed, %u "
	      "failed\n",
	      results[0], results[3], results[2], results[1], results[4], results[5]);
	outb(DEBUG_EXIT, 0);
	for (;;)
		__asm__ volatile("cli; hlt");
}
