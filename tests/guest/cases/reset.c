/*
 * Every way in which software makes a PC start anew: the CPU's shutdown ("triple fault") for each
 * reason, and the reset registers (bug classes 21 and 47). Word reset=LIST names them; each start
 * does the next one, as a byte of the CMOS memory counts, and the last start ends the case.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define COUNTER 0x6f /* a byte of the CMOS memory that no firmware here looks at */
#define FIRST   0x50u
#define ABSENT  UINT64_C(0x10200000000)

/* ---- shutdown ---- */

static struct gate idt[256];

/* All gates get their stack from entry `ist` of the TSS. */
static void gates(uint8_t ist)
{
	idt_copy(idt);
	for (unsigned i = 0; i < 256; i++)
		idt[i].ist = ist;
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
}

static void no_gates_int3(void)
{
	idt_load(0, 0);
	__asm__ volatile("int3");
}

static void no_gates_ud(void)
{
	idt_load(0, 0);
	__asm__ volatile("ud2");
}

static void absent_gates(void)
{
	idt_load(ABSENT, 4095);
	__asm__ volatile("ud2");
}

static void absent_stack(void)
{
	gates(0);
	__asm__ volatile("movq %0, %%rsp; ud2" : : "r"(ABSENT));
}

static void absent_tss(void)
{
	gates(7);
	tss_load(ABSENT);
	__asm__ volatile("ud2");
}

static void snippet(enum mode mode, const uint8_t *code, const uint8_t *end)
{
	struct snippet s = {.mode = mode, .code = code, .code_end = end};

	snippet_run(&s);
}

/*
 * A gate for #UD alone, to a task whose TSS is too short; then there are no gates. The tables are
 * made on the stack: 0x38 bytes of IDT, and a GDT of the kernel's first five descriptors and the
 * TSS's.
 */
SNIPPET(task_gate, 32,
	"subl $0x80, %esp; movl %esp, %edi; sgdt (%edi); movl 2(%edi), %esi\n"
	"leal 0x38(%esp), %edi; movl $10, %ecx; cld; rep movsl\n"
	"movl $0x00000020, (%edi); movl $0x00008900, 4(%edi)\n" /* limit 0x20 at 0: selector 0x28 */
	"movl $0x00280000, 0x30(%esp); movl $0x00008500, 0x34(%esp)\n"
	"leal 0x38(%esp), %eax; movw $0x2f, 0x70(%esp); movl %eax, 0x72(%esp); lgdtl 0x70(%esp)\n"
	"movl %esp, %eax; movw $0x37, 0x70(%esp); movl %eax, 0x72(%esp); lidtl 0x70(%esp)\n"
	"ud2");

static void bad_task(void)
{
	snippet(MODE_PROT32, task_gate, task_gate_end);
}

SNIPPET(real_no_gates, 16, "pushl $0; pushw $0; movw %sp, %bx; lidtl %ss:(%bx); int3");

static void real(void)
{
	snippet(MODE_REAL, real_no_gates, real_no_gates_end);
}

static void shut_down(void *arg)
{
	(void)arg;
	no_gates_ud();
}

static void other_cpu(void)
{
	cpu_start(1, shut_down, NULL);
}

/* ---- registers ---- */

static void port_92(void)
{
	uint8_t value = inb(0x92) & 0xfe;

	outb(0x92, value);
	outb(0x92, value | 1);
}

static void controller(uint8_t command)
{
	while (inb(0x64) & 2)
		cpu_relax();
	outb(0x64, command);
	while (inb(0x64) & 2)
		cpu_relax();
}

static void kbc_pulse(void)
{
	controller(0xfe);
}

static void kbc_output(void)
{
	controller(0xd1);
	outb(0x60, 0xde);
}

/* Bit 2 makes the reset when it is set, bit 1 says whether it is more than an INIT. */
static void cf9_init(void)
{
	outb(0xcf9, 0);
	outb(0xcf9, 4);
}

static void cf9_hard(void)
{
	outb(0xcf9, 2);
	outb(0xcf9, 6);
}

static const struct {
	const char *name;
	void (*reset)(void);
} kinds[] = {
    {"int3", no_gates_int3},
    {"ud", no_gates_ud},
    {"absent-gates", absent_gates},
    {"absent-stack", absent_stack},
    {"absent-tss", absent_tss},
    {"bad-task", bad_task},
    {"real", real},
    {"other-cpu", other_cpu},
    {"port-92", port_92},
    {"kbc-pulse", kbc_pulse},
    {"kbc-output", kbc_output},
    {"cf9-init", cf9_init},
    {"cf9-hard", cf9_hard},
};

static uint8_t cmos(void)
{
	outb(0x70, 0x80 | COUNTER);
	return inb(0x71);
}

static void count(uint8_t n)
{
	cmos();
	outb(0x71, n);
	outb(0x70, 0); /* bit 7 holds NMIs back */
}

/* Entry `n` of LIST; -1 behind its end. */
static int listed(unsigned n)
{
	const char *list = word_text("reset");

	for (; n && *list && *list != ' '; list++)
		n -= *list == ',';
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].name);

		if (!memcmp(list, kinds[i].name, length) &&
		    (list[length] == ',' || list[length] == ' ' || !list[length]))
			return (int)i;
	}
	if (*list && *list != ' ')
		case_error("unknown: %s", list);
	return -1;
}

GUEST_CASE(reset, "SDM 3A 6.15 (interrupt 8), APM 2 8.2.9; ICH: RST_CNT, PORT92")
{
	unsigned n;
	int kind;

	if (!word_text("reset"))
		case_skip("runs with reset=LIST");
	n = cmos() - FIRST;
	n = n > sizeof(kinds) / sizeof(kinds[0]) ? 0 : n;
	kind = listed(n);
	count((uint8_t)(kind < 0 ? 0 : FIRST + n + 1));
	if (kind >= 0) {
		print("reset %s\n", kinds[kind].name);
		kinds[kind].reset();
		for (unsigned i = 0; i < 100000000; i++)
			cpu_relax();
	}
	CHECK_EQ(kind, -1, "reset %u", n);
}
