/* Guest program: each form of instruction on plain memory and on emulated memory, compared. */
/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include "guestprogram.h"

/*
 * No libc: the guest has none. Four pages of plain memory, and four of which the middle two are
 * emulated (the debug image's VMM call test_mmio). Output: lines "name: numbers", then "done".
 */
#define PLAIN 0x10000000ul
#define TRAP  0x10010000ul
#define CODE  0x10020000ul
#define PAGE  0x1000ul
#define SIZE  (4 * PAGE)

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

/* Addressed by the assembly below. */
static struct {
	uint64_t reg[16], flags;   /* 0, 128 */
	uint64_t code, host_rsp;   /* 136, 144 */
	uint64_t trap, error, cr2; /* of a fault */
	uint64_t xmm[4];           /* 176: XMM3, XMM4 */
} ctx __attribute__((used));

/* clang-format off */
void run_code(void);
void run_back(void);
void sig_return(void);
__asm__(".globl run_code, run_back, sig_return, _start\n"
	"run_code:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, ctx+144\n"
	"	movups ctx+176, %xmm3; movups ctx+192, %xmm4; fninit\n"
	"	pushq ctx+128\n"
	"	popfq\n"
	"	mov ctx+0, %rax; mov ctx+8, %rcx; mov ctx+16, %rdx; mov ctx+24, %rbx\n"
	"	mov ctx+32, %rsp; mov ctx+40, %rbp; mov ctx+48, %rsi; mov ctx+56, %rdi\n"
	"	mov ctx+64, %r8; mov ctx+72, %r9; mov ctx+80, %r10; mov ctx+88, %r11\n"
	"	mov ctx+96, %r12; mov ctx+104, %r13; mov ctx+112, %r14; mov ctx+120, %r15\n"
	"	jmp *ctx+136\n"
	"run_back:\n"
	"	mov %rax, ctx+0; mov %rcx, ctx+8; mov %rdx, ctx+16; mov %rbx, ctx+24\n"
	"	mov %rsp, ctx+32; mov %rbp, ctx+40; mov %rsi, ctx+48; mov %rdi, ctx+56\n"
	"	mov %r8, ctx+64; mov %r9, ctx+72; mov %r10, ctx+80; mov %r11, ctx+88\n"
	"	mov %r12, ctx+96; mov %r13, ctx+104; mov %r14, ctx+112; mov %r15, ctx+120\n"
	"	movups %xmm3, ctx+176; movups %xmm4, ctx+192\n"
	"	mov ctx+144, %rsp\n"
	"	pushfq\n"
	"	popq ctx+128\n"
	"	cld\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	"sig_return: mov $15, %eax; syscall\n"
	"_start:	xor %ebp, %ebp; and $-16, %rsp; call program\n");
/* clang-format on */

static void line(const char *name, uint64_t a, uint64_t b)
{
	say(name);
	say(": ");
	say_number(a, 10);
	say(" ");
	say_number(b, 10);
	say("\n");
}

static uint64_t seed = 88172645463325252u;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* ---- the VMM ---- */

static uint64_t call_number;
static int is_intel;

static uint64_t vmm(uint64_t number, uint64_t rbx, uint64_t *rcx, uint64_t rdx)
{
	uint64_t rax = number;

	if (is_intel)
		__asm__ volatile("vmcall"
				 : "+a"(rax), "+b"(rbx), "+c"(*rcx), "+d"(rdx)
				 :
				 : "memory");
	else
		__asm__ volatile("vmmcall"
				 : "+a"(rax), "+b"(rbx), "+c"(*rcx), "+d"(rdx)
				 :
				 : "memory");
	return rax;
}

static uint64_t device(unsigned op, unsigned n, uint64_t rcx, uint64_t size, uint64_t *out)
{
	uint64_t r = vmm(call_number, op | n << 8, &rcx, size);

	if (out)
		*out = rcx;
	return r;
}

static uint64_t physical(uint64_t va)
{
	uint64_t entry = 0;
	long fd = SYS(SYS_open, "/proc/self/pagemap", 0, 0);

	SYS(SYS_pread64, fd, &entry, 8, va / PAGE * 8);
	SYS(SYS_close, fd);
	if (!(entry >> 63) || (entry & 0x7fffffffffffff) == 0) {
		say("no physical address\n");
		leave(2);
	}
	return (entry & 0x7fffffffffffff) * PAGE + va % PAGE;
}

static uint64_t calls(unsigned n)
{
	uint64_t out = 0;

	device(5, n, 0, 0, &out);
	return (out >> 32) + (uint32_t)out;
}

/* ---- faults ---- */

static volatile uint64_t alarms_inside;
static uint64_t inside_rip, inside_count;

static void on_signal(int number, siginfo_t *info, void *p)
{
	ucontext_t *u = p;
	greg_t *g = u->uc_mcontext.gregs;

	(void)info;
	if (number == SIGALRM) {
		/* in the middle of a repeated string? */
		if ((uint64_t)g[REG_RIP] == inside_rip && g[REG_RCX] > 0 &&
		    (uint64_t)g[REG_RCX] < inside_count)
			alarms_inside++;
		return;
	}
	ctx.trap = (uint64_t)g[REG_TRAPNO];
	ctx.error = (uint64_t)g[REG_ERR];
	ctx.cr2 = ctx.trap == 14 ? (uint64_t)g[REG_CR2] : 0;
	if ((uint64_t)g[REG_RIP] < CODE || (uint64_t)g[REG_RIP] >= CODE + 2 * PAGE) {
		say("fault outside of the test at ");
		say_number((uint64_t)g[REG_RIP], 16);
		say("\n");
		leave(3);
	}
	g[REG_RIP] = (greg_t)(uintptr_t)run_back;
}

static void signals(void)
{
	struct {
		void (*handler)(int, siginfo_t *, void *);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} action = {on_signal, SA_SIGINFO | SA_ONSTACK | SA_NODEFER | 0x04000000, sig_return, 0};
	static const int list[] = {SIGSEGV, SIGBUS, SIGILL, SIGALRM};
	static uint8_t stack[32768];
	stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};

	SYS(SYS_sigaltstack, &s, 0);
	for (unsigned i = 0; i < 4; i++)
		SYS(SYS_rt_sigaction, list[i], &action, 0, 8);
}

/* ---- the forms ---- */

enum { PLAIN_FORM, STRING = 1, STACK = 2 };

struct form {
	const uint8_t *begin, *end;
	const char *text;
	uint64_t kind;
};
extern const struct form forms[], forms_end[];

/* clang-format off */
#define FORM(kind, text)                                                       \
	".pushsection .text.forms,\"ax\"\n"                                    \
	"771: " text "\n"                                                      \
	"772:\n"                                                               \
	".popsection\n"                                                        \
	".pushsection .rodata.text,\"a\"\n"                                    \
	"773: .asciz \"" text "\"\n"                                           \
	".popsection\n"                                                        \
	".quad 771b, 772b, 773b, " #kind "\n"
#define F(text) FORM(0, text)
#define S(text) FORM(1, text)
#define K(text) FORM(2, text)
/* register to memory, memory to register, immediate; all sizes */
#define ALU(op)                                                                \
	F(op "b %al,(%rbx)") F(op "w %ax,(%rbx)") F(op "l %eax,(%rbx)")        \
	F(op "q %rax,(%rbx)") F(op "b (%rbx),%ah") F(op "w (%rbx),%r9w")       \
	F(op "l (%rbx),%r10d") F(op "q (%rbx,%rcx,8),%r11")                    \
	F(op "b $0x7f,(%rbx)") F(op "w $0x1234,(%rbx)")                        \
	F(op "l $0x89abcdef,-8(%rbx)") F(op "q $-0x12345678,(%rbx)")           \
	F(op "l $-3,(%rbx)") F(op "b %dh,5(%rbx)")
#define LOCKED(op)                                                             \
	F("lock " op "b %al,(%rbx)") F("lock " op "w %ax,(%rbx)")              \
	F("lock " op "l %eax,(%rbx)") F("lock " op "q %rax,(%rbx)")
#define ONE(op)                                                                \
	F(op "b (%rbx)") F(op "w (%rbx)") F(op "l (%rbx)") F(op "q (%rbx)")    \
	F("lock " op "l (%rbx)") F("lock " op "q 1(%rbx)")
#define EXCHANGE(op)                                                           \
	F(op "b %al,(%rbx)") F(op "b %dh,(%rbx)") F(op "w %ax,(%rbx)")         \
	F(op "l %eax,(%rbx)") F(op "q %r13,(%rbx)") F("lock " op "l %edx,(%rbx)") \
	F("lock " op "q %rdx,(%rbx)")
#define BIT(op)                                                                \
	F(op "w %dx,(%rbx)") F(op "l %edx,(%rbx)") F(op "q %rdx,(%rbx)")       \
	F(op "w $3,(%rbx)") F(op "l $31,(%rbx)") F(op "q $63,(%rbx)")
#define LOCKED_BIT(op) F("lock " op "l %edx,(%rbx)") F("lock " op "q $33,(%rbx)")
#define COND(c)                                                                \
	F("set" c " (%rbx)") F("cmov" c "l (%rbx),%eax") F("cmov" c "w (%rbx),%ax") \
	F("cmov" c "q (%rbx),%r8")
#define STRINGS(op)                                                            \
	S(op "b") S(op "w") S(op "l") S(op "q") S("rep " op "b") S("rep " op "w") \
	S("rep " op "l") S("rep " op "q") S("addr32 rep " op "b") S("addr32 " op "l")
#define COMPARES(op)                                                           \
	S(op "b") S(op "w") S(op "l") S(op "q") S("repe " op "b") S("repne " op "b") \
	S("repe " op "l") S("repne " op "q") S("addr32 repe " op "w")

__asm__(".pushsection .rodata.forms,\"a\"\n.balign 8\n.globl forms, forms_end\nforms:\n"
	F("movb %al,(%rbx)") F("movb %ah,(%rbx)") F("movb %sil,(%rbx)") F("movw %ax,(%rbx)")
	F("movl %eax,(%rbx)") F("movq %rax,(%rbx)") F("movq %r15,(%rbx)") F("movl %r14d,3(%rbx)")
	F("movb (%rbx),%al") F("movb (%rbx),%ch") F("movb (%rbx),%r8b") F("movw (%rbx),%ax")
	F("movl (%rbx),%eax") F("movq (%rbx),%rax") F("movl (%rbx,%rcx,4),%r12d")
	F("movb $0x5a,(%rbx)") F("movw $0x5aa5,(%rbx)") F("movl $0x12345678,(%rbx)")
	F("movq $-2,(%rbx)") F("addr32 movl %eax,(%ebx)") F("addr32 movq (%ebx,%ecx,2),%rdx")
	F("movl %fs:-0x100(%rbx),%eax") F("movw %ax,%fs:-0x100(%rbx)")
	F("movnti %eax,(%rbx)") F("movnti %rax,(%rbx)")
	F("movzbw (%rbx),%ax") F("movzbl (%rbx),%eax") F("movzbq (%rbx),%rax")
	F("movzwl (%rbx),%r9d") F("movzwq (%rbx),%rax") F("movsbw (%rbx),%ax")
	F("movsbl (%rbx),%eax") F("movsbq (%rbx),%rax") F("movswl (%rbx),%eax")
	F("movswq (%rbx),%rax") F("movslq (%rbx),%rax")
	ALU("add") ALU("adc") ALU("sub") ALU("sbb") ALU("cmp") ALU("and") ALU("or") ALU("xor")
	LOCKED("add") LOCKED("adc") LOCKED("sub") LOCKED("sbb") LOCKED("and") LOCKED("or")
	LOCKED("xor") F("testb %al,(%rbx)") F("testw %ax,(%rbx)") F("testl %eax,(%rbx)")
	F("testq %rax,(%rbx)") F("testb $0x81,(%rbx)") F("testl $0x80000001,(%rbx)")
	F("testq $-0x7ffffff1,(%rbx)") ONE("inc") ONE("dec") ONE("neg") ONE("not")
	EXCHANGE("xadd") EXCHANGE("cmpxchg") F("xchgb %al,(%rbx)") F("xchgb %dh,(%rbx)")
	F("xchgw %ax,(%rbx)") F("xchgl %eax,(%rbx)") F("xchgq %r8,(%rbx)")
	BIT("bt") BIT("bts") BIT("btr") BIT("btc")
	LOCKED_BIT("bts") LOCKED_BIT("btr") LOCKED_BIT("btc")
	COND("o") COND("b") COND("e") COND("be") COND("s") COND("p") COND("l") COND("le")
	COND("no") COND("ae") COND("ne") COND("a") COND("ns") COND("np") COND("ge") COND("g")
	F("pushq (%rbx)") F("popq (%rbx)") F("pushw (%rbx)") F("popw (%rbx)")
	K("pushq %rax") K("pushw %ax") K("pushq $-5") K("pushq $0x12345678") K("pushq (%rbx)")
	K("pushq (%rsp)") K("popq %rax") K("popw %ax") K("popq %r12")
	K("popq (%rbx)") K("popq 8(%rsp)") K("popq -8(%rsp)") K("movq %rax,-16(%rsp)")
	STRINGS("movs") STRINGS("stos") STRINGS("lods") COMPARES("cmps") COMPARES("scas")
	S("rep movsb %fs:(%rsi),%es:(%rdi)")
	"forms_end:\n.popsection\n");
/* clang-format on */

/* ---- running them ---- */

/* Put a form at CODE + `at`, with a jump back behind it. */
static void place(const struct form *f, uint64_t at)
{
	uint8_t *code = (uint8_t *)(CODE + at);
	uint64_t n = (uint64_t)(f->end - f->begin), back = (uint64_t)&ctx.code;

	static uint64_t target;

	target = (uint64_t)(uintptr_t)run_back;
	back = (uint64_t)&target;
	for (uint64_t i = 0; i < n; i++)
		code[i] = f->begin[i];
	code[n++] = 0xff; /* jmp *target */
	code[n++] = 0x24;
	code[n++] = 0x25;
	for (unsigned i = 0; i < 4; i++)
		code[n++] = (uint8_t)(back >> (8 * i));
	ctx.code = CODE + at;
}

/* An offset in the four pages, more often near their borders, with room on both sides. */
static uint64_t offset(void)
{
	uint64_t border = (1 + rnd() % 3) * PAGE;

	return rnd() % 4 ? border + rnd() % 32 - 16 : 0x200 + rnd() % 0x3a00;
}

/* Addresses in either block, counted from its start; other values as they are. */
static uint64_t relative(uint64_t value)
{
	if (value >= PLAIN - PAGE && value < PLAIN + SIZE + PAGE)
		return value - PLAIN;
	if (value >= TRAP - PAGE && value < TRAP + SIZE + PAGE)
		return value - TRAP;
	return value;
}

struct result {
	uint64_t reg[16], flags, trap, error, cr2, xmm[4];
};

static struct result run(const uint64_t reg[16], uint64_t flags, uint64_t base, unsigned pointers)
{
	struct result r;

	for (unsigned i = 0; i < 16; i++)
		ctx.reg[i] = reg[i] + (pointers >> i & 1 ? base : 0);
	for (unsigned i = 0; i < 4; i++)
		ctx.xmm[i] = reg[9 + i];
	ctx.flags = flags;
	ctx.trap = ctx.error = ctx.cr2 = 0;
	run_code();
	for (unsigned i = 0; i < 16; i++)
		r.reg[i] = relative(ctx.reg[i]);
	for (unsigned i = 0; i < 4; i++)
		r.xmm[i] = ctx.xmm[i];
	r.flags = ctx.flags & 0xcd5;
	r.trap = ctx.trap;
	r.error = ctx.error;
	r.cr2 = relative(ctx.cr2);
	return r;
}

static unsigned bad;

extern const struct form others[], others_end[]; /* below */

static void complain(const struct form *f, const char *what, uint64_t plain, uint64_t trapped)
{
	if (++bad > 20)
		return;
	say("differs: ");
	say(f->text);
	say(": ");
	say(what);
	say(" ");
	say_number(plain, 16);
	say(", emulated ");
	say_number(trapped, 16);
	say("\n");
}

static void compare_memory(const struct form *f, uint64_t around, unsigned reach, int readable)
{
	uint64_t from = around < reach ? 0 : (around - reach) & ~7ul;

	for (uint64_t at = from; at < SIZE && at < around + reach; at += 8) {
		if (!(readable >> (at / PAGE) & 1))
			continue;
		uint64_t a = *(volatile uint64_t *)(PLAIN + at),
			 b = *(volatile uint64_t *)(TRAP + at);

		if (a != b) {
			complain(f, "memory", a, b);
			*(volatile uint64_t *)(TRAP + at) = a;
		}
	}
}

static const char *const names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
				      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

/* Once on plain memory, once on emulated. `readable`: pages that the guest may read, a bit each. */
static void one(const struct form *f, uint64_t code_at, int readable)
{
	static uint8_t stack[4096] __attribute__((aligned(16)));
	uint64_t reg[16], flags = 0x202 | (rnd() & 0x8d5);
	unsigned pointers = 1u << RBX | (f >= others && f < others_end ? 1u << 8 : 0);
	unsigned reach = 40;

	for (unsigned i = 0; i < 16; i++)
		reg[i] = rnd();
	reg[RBX] = offset();
	reg[RCX] = rnd() % 4;
	reg[RDX] = (uint64_t)((int64_t)rnd() >> 56);
	reg[8] = (0x200 + rnd() % 0x3a00) & ~15ul;
	reg[RSP] = (uint64_t)(uintptr_t)stack + 2048;
	if (f->kind == STRING) {
		pointers |= 1u << RSI | 1u << RDI;
		reg[RSI] = offset();
		reg[RDI] = offset();
		reg[RCX] = rnd() % 12;
		flags |= rnd() & 0x400;
		reach = 112;
		if (rnd() % 4 == 0) /* so that comparisons go on for a while */
			reg[RAX] = 0;
	}
	if (f->kind == STACK) {
		pointers |= 1u << RSP;
		reg[RSP] = offset();
	}
	for (uint64_t i = 0; i < 64; i++)
		stack[2016 + i] = (uint8_t)i;
	place(f, code_at);
	struct result a = run(reg, flags, PLAIN, pointers);

	for (uint64_t i = 0; i < 64; i++)
		stack[2016 + i] = (uint8_t)i;
	struct result b = run(reg, flags, TRAP, pointers);

	for (unsigned i = 0; i < 16; i++) {
		if (a.reg[i] != b.reg[i])
			complain(f, names[i], a.reg[i], b.reg[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		if (a.xmm[i] != b.xmm[i])
			complain(f, "xmm", a.xmm[i], b.xmm[i]);
	}
	uint64_t mask = 0xcd5;
	const char *t = f->text;

	/* BT and its like leave OF, SF, AF and PF open, AND, OR, XOR and TEST leave AF open */
	if (t[0] == 'l' && t[1] == 'o' && t[2] == 'c' && t[3] == 'k')
		t += 5;
	if (t[0] == 'b' && t[1] == 't')
		mask &= ~0x894ul;
	if ((t[0] == 'a' && t[1] == 'n') || t[0] == 'o' || t[0] == 'x' || t[0] == 't')
		mask &= ~0x10ul;
	if ((a.flags ^ b.flags) & mask)
		complain(f, "flags", a.flags, b.flags);
	if (a.trap != b.trap)
		complain(f, "exception", a.trap, b.trap);
	/* QEMU reads before it writes, and says so; a CPU calls that a write (SDM 3A 4.7) */
	if (a.error != b.error && (is_intel || a.error != 4 || b.error != 6))
		complain(f, "error code", a.error, b.error);
	if (a.cr2 != b.cr2)
		complain(f, "CR2", a.cr2, b.cr2);
	compare_memory(f, reg[RBX], reach, readable);
	if (pointers & 1u << 8)
		compare_memory(f, reg[8], reach, readable);
	if (f->kind == STRING) {
		compare_memory(f, reg[RSI], reach, readable);
		compare_memory(f, reg[RDI], reach, readable);
	}
	if (f->kind == STACK)
		compare_memory(f, reg[RSP], reach, readable);
}

static void all_forms(const char *name, unsigned rounds, int protection, int readable)
{
	uint64_t count = 0, before = calls(0) + calls(1);

	bad = 0;
	SYS(SYS_mprotect, PLAIN + 2 * PAGE, PAGE, protection);
	SYS(SYS_mprotect, TRAP + 2 * PAGE, PAGE, protection);
	for (const struct form *f = forms; f < forms_end; f++) {
		for (unsigned i = 0; i < rounds; i++, count++)
			one(f, i % 2 ? 0x100 : PAGE - 1 - rnd() % 14, readable);
	}
	SYS(SYS_mprotect, PLAIN + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	SYS(SYS_mprotect, TRAP + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	line(name, count, bad);
	if (calls(0) + calls(1) - before < count)
		say("too few accesses reached the handlers\n");
}

/* ---- several CPUs ---- */

static long fork_self(void)
{
	return SYS(SYS_fork);
}

static void pin(unsigned cpu)
{
	uint64_t mask = 1ul << cpu;

	SYS(SYS_sched_setaffinity, 0, 8, &mask);
}

static void wait_child(void)
{
	SYS(SYS_wait4, -1, 0, 0, 0);
}

#define ADDS 20000

/* Two CPUs add to one emulated register; half of the updates cross into the next range. */
static void locked_adds(void)
{
	volatile uint32_t *x = (void *)(TRAP + 2 * PAGE - 2), *y = (void *)(TRAP + PAGE + 0x40);

	*x = *y = 0;
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		if (fork_self())
			continue;
		pin(cpu);
		for (unsigned i = 0; i < ADDS; i++) {
			uint32_t old = 1;

			__asm__ volatile("lock xaddl %1, %0"
					 : "+m"(*(i % 2 ? x : y)), "+r"(old)
					 :
					 : "cc");
		}
		leave(0);
	}
	wait_child();
	wait_child();
	line("locked adds", *x + *y, 2 * ADDS);
}

/* Another CPU writes the instruction over and over: a store, or two NOPs, and nothing else is seen.
 */
static void rewritten(void)
{
	static const uint8_t store[] = {0x89, 0x03};
	const struct form f = {store, store + 2, "movl %eax,(%rbx)", PLAIN_FORM};
	volatile uint64_t *stop = (void *)(PLAIN + 0x800);
	volatile uint16_t *code = (void *)(CODE + 0x100);
	volatile uint32_t *x = (void *)(TRAP + PAGE + 0x200);
	uint64_t stores = 0, wrong = 0;

	*stop = 0;
	*x = 0;
	place(&f, 0x100);
	if (!fork_self()) {
		pin(1);
		while (!*stop) {
			*code = 0x9090;
			__builtin_ia32_pause(); /* in QEMU, now another CPU runs */
			*code = 0x0389;
			__builtin_ia32_pause();
		}
		leave(0);
	}
	pin(0);
	for (uint32_t i = 1, last = 0; i <= 5000; i++) {
		uint64_t reg[16] = {[RAX] = i, [RBX] = PAGE + 0x200};
		struct result r = run(reg, 0x202, TRAP, 1u << RBX);
		uint32_t now = *x;

		wrong += r.trap != 0 || (now != i && now != last);
		stores += now == i;
		last = now;
	}
	*stop = 1;
	wait_child();
	line("rewritten", stores, wrong);
}

/* A range moves to and fro; another CPU, which reads all the time, sees it at once at its new
 * place. */
static void moves(void)
{
	volatile uint64_t *shared = (void *)(PLAIN + 0x800);
	volatile uint64_t *place[2] = {(void *)(TRAP + 0x40), (void *)(TRAP + 3 * PAGE + 0x40)};
	uint64_t at[2] = {physical(TRAP), physical(TRAP + 3 * PAGE)};
	unsigned rounds = 500;

	*place[0] = 1;
	*place[1] = 2;
	device(1, 2, at[0], PAGE, 0);
	*place[0] = 3; /* the device's, wherever it is; the memory keeps 1 and 2 */
	shared[0] = shared[1] = shared[2] = 0;
	if (!fork_self()) {
		uint64_t wrong = 0, seen = 0;

		pin(1);
		while (shared[0] != ~0ul) {
			uint64_t turn = shared[0], a = *place[0], b = *place[1];

			if (turn != seen && turn != ~0ul) {
				/* the move has ended: both reads are behind it */
				wrong += turn % 2 ? a != 1 || b != 3 : a != 3 || b != 2;
				seen = turn;
				shared[2] = wrong;
				shared[1] = turn;
			}
		}
		leave(0);
	}
	pin(0);
	for (unsigned i = 1; i <= rounds; i++) {
		if (device(3, 2, at[i % 2], 0, 0))
			say("move failed\n");
		shared[0] = i;
		while (shared[1] != i)
			SYS(SYS_sched_yield);
	}
	shared[0] = ~0ul;
	wait_child();
	line("moves", rounds, shared[2]);
	device(4, 2, 0, 0, 0);
}

/* ---- the rest ---- */

/* A long repeated string: alarms come in its middle. */
static void interrupts(void)
{
	static const uint8_t stos[] = {0xf3, 0xaa};
	const struct form f = {stos, stos + 2, "rep stosb", STRING};
	struct itimerval every = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
	uint64_t wrong = 0;

	place(&f, 0x100);
	inside_rip = CODE + 0x100;
	inside_count = 2 * PAGE;
	SYS(SYS_setitimer, 0, &every, 0);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t reg[16] = {[RAX] = i, [RCX] = 2 * PAGE, [RDI] = PAGE};
		struct result r = run(reg, 0x202, TRAP, 1u << RDI);

		wrong += r.reg[RCX] != 0 || r.reg[RDI] != 3 * PAGE ||
			 *(volatile uint8_t *)(TRAP + PAGE + i) != i ||
			 *(volatile uint8_t *)(TRAP + 3 * PAGE - 1) != i;
	}
	SYS(SYS_setitimer, 0, &off, 0);
	line("interrupts", alarms_inside, wrong);
}

/* Not in the list: #UD. In the page beside a range, too. */
static void unsupported(void)
{
	static const uint8_t movaps[] = {0x0f, 0x29, 0x03};
	const struct form f = {movaps, movaps + 3, "movaps", PLAIN_FORM};
	uint64_t reg[16] = {[RBX] = PAGE + 0x100};

	place(&f, 0x100);
	run(reg, 0x202, TRAP, 1u << RBX);
	uint64_t first = ctx.trap;

	run(reg, 0x202, TRAP, 1u << RBX);
	line("unsupported", first, ctx.trap);
}

/* Only writes are trapped, in a few bytes of a page. */
static void writes_only(void)
{
	volatile uint8_t *p = (void *)(TRAP + 0x100);
	uint64_t out, wrong = 0;

	for (unsigned i = 0; i < 64; i++)
		p[i] = (uint8_t)i;
	device(2, 3, physical(TRAP + 0x100) + 3, 5, 0);
	for (unsigned i = 0; i < 56; i++) {
		*(volatile uint64_t *)(p + i) += 0x0101010101010101;
		wrong += p[i] != (uint8_t)(i + (i < 8 ? i + 1 : 8));
	}
	device(5, 3, 0, 0, &out);
	line("writes only", out >> 32, wrong);
	line("writes only, written", (uint32_t)out, 0);
	device(4, 3, 0, 0, 0);
}

/* Forms that are not in the list. */
extern const struct form others[], others_end[];
/* clang-format off */
__asm__(".pushsection .rodata.others,\"a\"\n.balign 8\n.globl others, others_end\nothers:\n"
	F("movups (%rbx),%xmm3") F("movups %xmm3,(%rbx)") F("movdqu %xmm3,-4(%rbx)")
	F("movq %xmm3,(%rbx)") F("movd (%rbx),%xmm4") F("movq %xmm4,5(%rbx)")
	F("paddq (%r8),%xmm3") F("movups %xmm3,1(%rbx)") F("fildll (%rbx)")
	F("fldt (%rbx)") F("fnstenv (%rbx)") F("shldl $5,%eax,(%rbx)") F("rolq $3,(%rbx)") F("rcrl %cl,(%rbx)")
	F("cmpxchg8b (%rbx)") F("lock cmpxchg8b (%rbx)") F("mull (%rbx)") F("imulq (%rbx),%rax")
	F("movaps %xmm3,(%r8)") F("cmpxchg16b (%r8)") F("bsfq (%rbx),%rax") F("movhps %xmm3,(%rbx)")
	F("fnstcw (%rbx)")
	"others_end:\n.popsection\n");
/* clang-format on */

/* With a device that allows it these run on the memory, as everything else does on plain memory. */
static void stepped(const char *name, int protection, int readable)
{
	uint64_t count = 0;

	bad = 0;
	SYS(SYS_mprotect, PLAIN + 2 * PAGE, PAGE, protection);
	SYS(SYS_mprotect, TRAP + 2 * PAGE, PAGE, protection);
	for (unsigned i = 0; i < 20; i++) {
		for (const struct form *f = others; f < others_end; f++, count++)
			one(f, 0x100, readable);
	}
	SYS(SYS_mprotect, PLAIN + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	SYS(SYS_mprotect, TRAP + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	line(name, count, bad);
}

__attribute__((used)) _Noreturn void program(void);
void program(void)
{
	uint64_t rcx = 0x1234, name = (uint64_t)(uintptr_t) "test_mmio";
	uint32_t a = 0, b, c, d;
	int shared = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE;

	__asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	is_intel = b == 0x756e6547;
	SYS(SYS_mmap, PLAIN, SIZE, PROT_READ | PROT_WRITE, shared, -1, 0);
	SYS(SYS_mmap, TRAP, SIZE, PROT_READ | PROT_WRITE, shared, -1, 0);
	SYS(SYS_mmap, CODE, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, shared, -1, 0);
	SYS(SYS_mlock, PLAIN, SIZE);
	SYS(SYS_mlock, TRAP, SIZE);
	SYS(SYS_arch_prctl, 0x1002, 0x100); /* FS base */
	signals();
	for (uint64_t i = 0; i < SIZE; i += 8)
		*(uint64_t *)(PLAIN + i) = *(uint64_t *)(TRAP + i) = rnd();

	call_number = vmm(0, name, &rcx, 0);
	if (!call_number) {
		say("no test_mmio\n");
		leave(1);
	}
	for (unsigned i = 0; i < 2; i++) {
		if (device(1, i, physical(TRAP + (1 + i) * PAGE), PAGE, 0)) {
			say("not registered\n");
			leave(1);
		}
	}
	all_forms("forms", 6, PROT_READ | PROT_WRITE, 15);
	all_forms("read-only page", 2, PROT_READ, 15);
	all_forms("absent page", 2, PROT_NONE, 11);
	writes_only();
	unsupported();
	interrupts();
	locked_adds();
	moves();
	rewritten();
	device(4, 0, 0, 0, 0);
	device(4, 1, 0, 0, 0);
	for (unsigned i = 0; i < 2; i++)
		device(6, i, physical(TRAP + (1 + i) * PAGE), PAGE, 0);
	for (uint64_t i = 0; i < SIZE; i += 8)
		*(uint64_t *)(TRAP + i) = *(uint64_t *)(PLAIN + i);
	stepped("stepped", PROT_READ | PROT_WRITE, 15);
	stepped("stepped, read-only page", PROT_READ, 15);
	/* it is closed again: the handlers are called */
	uint64_t before = calls(0);

	*(volatile uint64_t *)(TRAP + PAGE) = 1;
	line("closed", calls(0) - before, 0);
	device(4, 0, 0, 0, 0);
	device(4, 1, 0, 0, 0);
	say("done\n");
	leave(0);
}
