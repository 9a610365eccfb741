/* A guest of its own: task switches, software interrupts on fresh stacks, string I/O; it prints
 * what it sees. */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Linked at 7C00h as a boot sector and what follows it, in 32-bit protected mode. The test knows
 * what the manual wants of each line. Console: COM1.
 */
#include <stdint.h>

#define CODE 0x08
#define DATA 0x10
enum { MAIN = 0x18, CALLED = 0x20, GP = 0x28, TS = 0x30, TICK = 0x38, BROKEN = 0x40, SMALL = 0x48 };

struct tss {
	uint32_t link, stacks[6], cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, io_map;
};

__asm__(".pushsection .boot, \"ax\"\n"
	".code16\n"
	".globl _start\n"
	"_start: cli\n"
	"xorw %ax, %ax\n movw %ax, %ds\n movw %ax, %es\n movw %ax, %ss\n movw $0x7c00, %sp\n"
	"movw $packet, %si\n movb $0x42, %ah\n int $0x13\n" /* DL: the disk */
	"inb $0x92, %al\n orb $2, %al\n andb $0xfe, %al\n outb %al, $0x92\n"
	"lgdtl gdtr\n movl %cr0, %eax\n orb $1, %al\n movl %eax, %cr0\n ljmpl $8, $1f\n"
	".code32\n"
	"1: movw $0x10, %ax\n movw %ax, %ds\n movw %ax, %es\n movw %ax, %ss\n"
	"movw %ax, %fs\n movw %ax, %gs\n movl $0x70000, %esp\n call run\n"
	"2: hlt\n jmp 2b\n"
	".balign 8\n"
	"packet: .byte 16, 0\n .word 60\n .word 0x7e00, 0\n .quad 1\n"
	"gdtr: .word 0x7f\n .long gdt\n"
	".balign 8\n"
	".globl gdt\n"
	"gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n .fill 13, 8, 0\n"
	".org 446\n .byte 0x80, 0, 1, 0, 0x83, 0, 60, 0\n .long 1, 2048\n"
	".org 510\n .word 0xaa55\n"
	".popsection\n"
	/* tasks go on behind their IRET when they are entered again */
	"called: call called_body\n iret\n jmp called\n"
	"gp: call gp_body\n addl $4, %esp\n iret\n jmp gp\n"
	"ts: call ts_body\n addl $4, %esp\n iret\n jmp ts\n"
	"tick: call tick_body\n iret\n jmp tick\n"
	"debug: pusha\n call debug_body\n popa\n iret\n"
	"eoi: pushl %eax\n movb $0x20, %al\n outb %al, $0x20\n popl %eax\n"
	"handler: incl count\n pushl %eax\n movl 4(%esp), %eax\n movl %eax, pushed_eip\n"
	"popl %eax\n iret\n");

extern uint64_t gdt[16];
void called(void), gp(void), ts(void), tick(void), debug(void), eoi(void), handler(void);
void called_body(void), gp_body(uint32_t), ts_body(uint32_t), tick_body(void), debug_body(void),
    run(void);
volatile uint32_t count, pushed_eip;

static struct tss tss_main, tss_called, tss_gp, tss_ts, tss_tick, tss_broken;
static uint8_t stacks[5][2048] __attribute__((aligned(16)));
static uint64_t idt[256] __attribute__((aligned(8)));
static volatile uint32_t ticks, by_jump;
static uint16_t buffer[40];

static void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static uint16_t inw(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void print(const char *s)
{
	for (; *s; s++) {
		while (!(inb(0x3fd) & 0x20))
			;
		outb(0x3f8, (uint8_t)*s);
	}
}

static void number(const char *name, uint32_t value)
{
	char digit[2] = {0};
	unsigned shift = 28;

	print(" ");
	print(name);
	print("=");
	while (shift && !(value >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		digit[0] = "0123456789abcdef"[value >> shift & 15];
		print(digit);
		if (!shift)
			return;
	}
}

static void descriptor(uint16_t selector, const void *base, uint32_t limit, uint8_t access,
		       uint8_t flags)
{
	uint64_t b = (uint32_t)base;

	gdt[selector / 8] = (limit & 0xffff) | (b & 0xffffff) << 16 | (uint64_t)access << 40 |
			    (uint64_t)flags << 52 | b >> 24 << 56;
}

/* TR, NT and TS, and which TSSs are busy, a bit each from MAIN on. */
static void where(const char *name)
{
	uint32_t tr = 0, flags, cr0, busy = 0;

	__asm__ volatile("strw %w0" : "+r"(tr));
	__asm__ volatile("pushfl\n popl %0" : "=r"(flags));
	__asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
	for (unsigned i = 0; i < 6; i++)
		busy |= (uint32_t)(gdt[MAIN / 8 + i] >> 41 & 1) << i;
	print(name);
	print(":");
	number("tr", tr);
	number("nt", flags >> 14 & 1);
	number("ts", cr0 >> 3 & 1);
	number("busy", busy);
}

void called_body(void)
{
	where("called");
	number("link", tss_called.link);
	print("\n");
	if (by_jump)
		__asm__ volatile("ljmp %0, $0" : : "i"(MAIN) : "memory");
}

void gp_body(uint32_t error)
{
	uint8_t insn = *(volatile uint8_t *)tss_main.eip;

	where("#GP");
	number("error", error);
	number("insn", insn);
	print("\n");
	tss_main.eip += insn == 0x66 || insn == 0xf3 ? 3 : 2;
}

void ts_body(uint32_t error)
{
	where("#TS");
	number("error", error);
	number("link", tss_ts.link);
	number("started", tss_broken.eip != (uint32_t)called);
	print("\n");
	if (tss_ts.link == BROKEN) { /* in the new task: back to the one that called it */
		tss_ts.link = MAIN;
		descriptor(BROKEN, &tss_broken, 0x67, 0x89, 0);
	} else {
		tss_main.eip += 7; /* in the old one: behind the far call */
	}
}

void tick_body(void)
{
	outb(0x20, 0x20);
	if (ticks++ == 0) {
		where("tick");
		number("if", tss_main.eflags >> 9 & 1);
		print("\n");
	}
}

void debug_body(void)
{
	uint32_t dr6;

	__asm__ volatile("movl %%dr6, %0" : "=r"(dr6));
	print("#DB:");
	number("bt", dr6 >> 15 & 1);
	print("\n");
	__asm__ volatile("movl %0, %%dr6" : : "r"(0));
}

static void task(struct tss *t, uint16_t selector, void (*entry)(void), unsigned stack)
{
	*t = (struct tss){.eip = (uint32_t)entry,
			  .eflags = 2,
			  .esp = (uint32_t)(stacks[stack] + 2048),
			  .es = DATA,
			  .cs = CODE,
			  .ss = DATA,
			  .ds = DATA,
			  .io_map = 0x68};
	descriptor(selector, t, 0x67, 0x89, 0);
}

static void task_gate(unsigned vector, uint16_t selector)
{
	idt[vector] = (uint64_t)selector << 16 | (uint64_t)0x8500 << 32;
}

static void interrupt_gate(unsigned vector, void (*entry)(void))
{
	uint32_t at = (uint32_t)entry;

	idt[vector] =
	    (at & 0xffff) | CODE << 16 | (uint64_t)0x8e00 << 32 | (uint64_t)(at >> 16) << 48;
}

/* On a stack in a page of video memory that nobody has touched: its delivery exits first. */
#define EVENT(name, top, insn)                                                                     \
	do {                                                                                       \
		uint32_t at;                                                                       \
		count = 0;                                                                         \
		__asm__ volatile("movl $1f, %0\n movl %%esp, %%edi\n movl %1, %%esp\n"             \
				 "1: " insn "\n movl %%edi, %%esp"                                 \
				 : "=&r"(at)                                                       \
				 : "r"(top)                                                        \
				 : "edi", "eax", "memory", "cc");                                  \
		print(name);                                                                       \
		number(": count", count);                                                          \
		number("length", pushed_eip - at);                                                 \
		print("\n");                                                                       \
	} while (0)

static void string_io(uint16_t port)
{
	uint16_t *to = buffer, value = inw(port);
	const uint16_t *from = buffer;
	uint32_t n = 37, same = 1;

	for (unsigned i = 0; i < 40; i++)
		buffer[i] = (uint16_t)~value;
	__asm__ volatile("cld\n rep insw" : "+D"(to), "+c"(n) : "d"(port) : "memory");
	for (unsigned i = 0; i < 40; i++)
		same &= buffer[i] == (i < 37 ? value : (uint16_t)~value);
	print("insw:");
	number("same", same);
	number("ecx", n);
	number("edi", (uint32_t)to - (uint32_t)buffer);
	n = 1;
	__asm__ volatile("rep outsw" : "+S"(from), "+c"(n) : "d"(port) : "memory");
	number("esi", (uint32_t)from - (uint32_t)buffer);
	n = 100; /* more than one piece, to a device's memory */
	to = (uint16_t *)0xb8000;
	__asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(port) : "memory");
	number("video", *(volatile uint16_t *)0xb80c6 == value);
	print("\n");
}

void run(void)
{
	struct {
		uint16_t limit;
		const void *base;
	} __attribute__((packed)) idtr = {sizeof(idt) - 1, idt};
	uint32_t eax, n = 1;
	void *to = (void *)0x2000;

	outb(0x3fb, 0x83); /* COM1: 115200 8N1 */
	outb(0x3f8, 1);
	outb(0x3f9, 0);
	outb(0x3fb, 3);
	task(&tss_main, MAIN, 0, 0);
	task(&tss_called, CALLED, called, 0);
	task(&tss_gp, GP, gp, 1);
	task(&tss_ts, TS, ts, 2);
	task(&tss_tick, TICK, tick, 3);
	task(&tss_broken, BROKEN, called, 4);
	tss_broken.ss = 0x9b; /* beyond the GDT */
	interrupt_gate(1, debug);
	task_gate(10, TS);
	task_gate(13, GP);
	task_gate(0x20, TICK);
	task_gate(0x40, CALLED);
	__asm__ volatile("lidt %0\n ltr %w1" : : "m"(idtr), "r"(MAIN) : "memory");

	where("begin");
	print("\n");
	__asm__ volatile("lcall %2, $0" : "=a"(eax) : "a"(0x12345678), "i"(CALLED) : "memory");
	where("call");
	number("eax", eax);
	print("\n");
	__asm__ volatile("clts\n int $0x40" : "=a"(eax) : "a"(0x12345678) : "memory");
	where("int");
	number("eax", eax);
	print("\n");
	by_jump = 1;
	tss_called.link = 0;
	__asm__ volatile("ljmp %2, $0" : "=a"(eax) : "a"(0x12345678), "i"(CALLED) : "memory");
	by_jump = 0;
	where("jmp");
	number("eax", eax);
	print("\n");
	task(&tss_called, CALLED, called, 0);
	__asm__ volatile("movw %w0, %%ds\n movw %w1, %%ds" : : "r"(0xfff8), "r"(DATA) : "memory");
	descriptor(CALLED, &tss_called, 0x66, 0x89, 0);
	__asm__ volatile("lcall %0, $0" : : "i"(CALLED) : "memory");
	descriptor(CALLED, &tss_called, 0x67, 0x89, 0);
	__asm__ volatile("lcall %0, $0" : : "i"(BROKEN) : "memory");
	tss_called.trap = 1;
	__asm__ volatile("lcall %0, $0" : : "i"(CALLED) : "memory");
	tss_called.trap = 0;

	outb(0x20, 0x11); /* the first interrupt controller: IRQ 0 alone, vector 20h */
	outb(0x21, 0x20);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0x21, 0xfe);
	outb(0xa1, 0xff);
	outb(0x43, 0x34);
	outb(0x40, 0);
	outb(0x40, 0x40);
	while (ticks < 20)
		__asm__ volatile("sti\n hlt" : : : "memory");
	__asm__ volatile("cli");
	where("ticks");
	print("\n");

	interrupt_gate(3, handler);
	interrupt_gate(4, handler);
	interrupt_gate(0x41, handler);
	interrupt_gate(0x20, eoi);
	EVENT("INT n", 0xbd000, "int $0x41");
	EVENT("INT3", 0xbe000, "int3");
	EVENT("INTO", 0xbf000, "movb $0x7f, %%al\n incb %%al\n into");
	EVENT("INTR", 0xbc000, "sti\n hlt\n cli");

	string_io(TRAPPED_PORT);
	descriptor(SMALL, 0, 0xfff, 0x93, 4);
	__asm__ volatile("movw %w3, %%es\n rep insw\n movw %w4, %%es"
			 : "+D"(to), "+c"(n)
			 : "d"(TRAPPED_PORT), "r"(SMALL), "r"(DATA)
			 : "memory");
	where("limit");
	number("ecx", n);
	print("\nend\n");
}
