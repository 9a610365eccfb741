/*
 * One CPU does the costliest things it can find, again and again, while another one waits for its
 * timer: how late does that come? (bug class 30). Nothing here is right or wrong by a manual; the
 * host compares with the same machine without the VMM. Runs with attack=COUNT (and calls=1 on an
 * image that has test_mmio) only, as it takes long; kinds=LIST chooses.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define LVT_TIMER 0x320u
#define INITIAL   0x380u
#define DIVIDE    0x3e0u
#define BY_ONE    0xbu
#define VECTOR    0x71u
#define IPI       0x62u
#define PERIOD    1000000u /* ticks of the timer: 1 ms in QEMU; word period= sets another */
#define QUIET     10u      /* periods without an attack, for comparing */
#define TICKS_MIN 10u      /* periods that each attack lasts for, at least */

#define ELSEWHERE     UINT64_C(0xfea00000) /* nothing is there */
#define MSR_MTRR_CAP  0xfeu
#define MSR_MTRR_BASE 0x200u
#define MSR_MTRR_MASK 0x201u
#define VALID         BIT(11)
#define SWITCHES      100u /* there and back, in one run of the snippet */
#define STRING        4096u
#define TOUCHED       (UINT64_C(7) << 30) /* linear */

/* ---- the CPU that waits ---- */

static uint32_t period;
static volatile uint32_t ticks, stop;
static volatile struct {
	uint64_t least, most, sum;
} late, serving; /* from arming to the handler; what that took, with its own exits */
static volatile uint64_t armed;

static volatile bool forget; /* what was noted so far, but the least times */

#define NOTE(what, took)                                                                           \
	do {                                                                                       \
		uint64_t took_ = (took);                                                           \
                                                                                                   \
		what.least = took_ < what.least ? took_ : what.least;                              \
		what.most = took_ > what.most ? took_ : what.most;                                 \
		what.sum += took_;                                                                 \
	} while (0)

static void arm(void)
{
	armed = rdtsc();
	apic_write(INITIAL, period);
}

/* A locked instruction that reads and writes the local APIC, which the VMM may watch. */
static void apic_rmw(void)
{
	uint32_t value = 0;

	__asm__ volatile("lock xaddl %0, (%1)"
			 : "+r"(value)
			 : "r"((uintptr_t)(0xfee00000u + APIC_TPR))
			 : "memory", "cc");
}

/* Its two exits are such that wait for whoever has the VMM's locks. */
static bool tick(struct frame *f)
{
	uint64_t now = rdtsc();

	(void)f;
	if (forget) {
		late.most = late.sum = serving.most = serving.sum = 0;
		ticks = 0;
		forget = false;
	}
	NOTE(late, now - armed);
	apic_rmw();
	apic_write(APIC_EOI, 0);
	NOTE(serving, rdtsc() - now);
	ticks++;
	arm();
	return true;
}

static void wait_for_ticks(void *arg)
{
	(void)arg;
	apic_write(APIC_SVR, 0x1ff);
	apic_write(DIVIDE, BY_ONE);
	apic_write(LVT_TIMER, VECTOR);
	arm();
	while (!stop)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	apic_write(LVT_TIMER, 0x10000);
	apic_write(INITIAL, 0);
}

/* ---- the CPU that attacks ---- */

static uint64_t calls; /* number of the VMM's call test_mmio; 0: no VMM that has it */
static uint8_t *device, *ram;
static uint64_t saved[3];

static void cpuid_unknown(void)
{
	cpuid(0x7fffffff, 7);
}

static void mmio_rmw(void)
{
	uint64_t value = 1;

	__asm__ volatile("lock xaddq %0, (%1)" : "+r"(value) : "r"(device + 4) : "memory", "cc");
}

static void mmio_copy(void)
{
	const void *from = device;
	void *to = device + 1;
	uint64_t n = STRING / 2;

	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
}

/* The APIC's page is watched at another place each time: two changes of the nested tables. */
static void apic_move(void)
{
	wrmsr(MSR_APIC_BASE, (saved[0] & 0xfff) | ELSEWHERE);
	wrmsr(MSR_APIC_BASE, saved[0]);
}

/* A range goes and comes: memory types, which are the nested tables' under EPT. */
static void mtrr(void)
{
	wrmsr(MSR_MTRR_MASK, saved[1] ^ VALID);
	wrmsr(MSR_MTRR_MASK, saved[1]);
}

static void mtrr_begin(void)
{
	if (!(cpuid(1, 0).edx & BIT(12)) || !(rdmsr(MSR_MTRR_CAP) & 0xff))
		case_error("no variable MTRRs");
	saved[1] = rdmsr(MSR_MTRR_MASK);
	saved[2] = rdmsr(MSR_MTRR_BASE);
	if (!(saved[1] & VALID)) {
		wrmsr(MSR_MTRR_BASE, (uintptr_t)ram); /* uncached */
		saved[1] = UINT64_C(0xffffff000) | VALID;
	}
	wrmsr(MSR_MTRR_MASK, saved[1]);
}

static void pat(void)
{
	uint64_t value = rdmsr(MSR_PAT);

	wrmsr(MSR_PAT,
	      value ^ 1); /* write combining and uncached, or back; no cached page uses 7 */
	wrmsr(MSR_PAT, value);
}

/* Not without a pause: bare, too, a CPU that gets one NMI behind the other does nothing else. */
static void icr_nmi(void)
{
	apic_send(0, APIC_ICR_OTHERS | APIC_ICR_NMI);
	for (unsigned n = 0; n < 200; n++)
		cpu_relax();
}

static void icr_fixed(void)
{
	apic_send(0, APIC_ICR_OTHERS | APIC_ICR_FIXED | IPI);
}

/* CPU 1 is stopped and started again. */
static void icr_start(void)
{
	uint32_t before = cpu_state(1)->started;

	apic_send(1, APIC_ICR_INIT);
	apic_send(1, APIC_ICR_SIPI | 8);
	if (!cpu_wait_for(&cpu_state(1)->started, before + 1))
		case_error("CPU 1 does not start");
}

static void xsetbv(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	__asm__ volatile("xsetbv" : : "a"(low), "d"(high), "c"(0) : "memory");
}

static void xsetbv_begin(void)
{
	write_cr4(read_cr4() | CR4_OSXSAVE);
}

static void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

static void invd(void)
{
	__asm__ volatile("invd" : : : "memory");
}

static void cr0_cd(void)
{
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 | CR0_CD);
	write_cr0(cr0);
}

/*
 * Task switches in protected mode: to a second TSS, made here, and back, ECX times. EBX: 104 bytes.
 * The comparison leaves 0 in what QEMU may save as EFLAGS: behind a subtraction of 256 it was TF.
 */
SNIPPET(task_switches, 32,
	"sub $8, %esp; sgdt 2(%esp); mov 4(%esp), %eax\n" /* the table's address */
	"movw $103, 0x38(%eax); mov %ebx, %edx; mov %dx, 0x3a(%eax); shr $16, %edx\n"
	"mov %dl, 0x3c(%eax); movb $0x89, 0x3d(%eax); movb $0, 0x3e(%eax); mov %dh, 0x3f(%eax)\n"
	"call 1f\n1: pop %eax; lea (3f - 1b)(%eax), %eax; mov %eax, 32(%ebx)\n" /* EIP */
	"movl $2, 36(%ebx); mov %esp, %eax; sub $256, %eax; mov %eax, 56(%ebx)\n"
	"movl $0x18, 76(%ebx)\n"
	"movl $0x10, 72(%ebx); movl $0x10, 80(%ebx); movl $0x10, 84(%ebx)\n"
	"cmp $0, %ecx\n"
	"2: ljmp $0x38, $0; dec %ecx; jnz 2b; jmp 4f\n"
	"3: ljmp $0x30, $0; jmp 3b\n"
	"4: add $8, %esp");

static void task_switch(void)
{
	struct snippet s = {
	    .mode = MODE_PROT32, .code = task_switches, .code_end = task_switches_end};

	memset(ram, 0, 104);
	s.in.rbx = (uintptr_t)ram;
	s.in.rcx = SWITCHES;
	snippet_run(&s);
	if (s.out.vector != VECTOR_END)
		case_error("task switch: vector %lu at %#lx dr6 %#lx flags %#lx", s.out.vector,
			   s.out.rip, s.dr6, s.out.rflags);
}

static uint16_t port;

/* The register that the VMM watches, for a string. */
static void io_string(void)
{
	void *to = ram;
	uint64_t n = STRING / 2;

	__asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(port) : "memory");
}

static void io_begin(void)
{
	port = acpi_pm1_port();
}

/* Blocks of device memory at ever new addresses, 2 MiB apart: a table's entry each. */
static void touch(void)
{
	static uint64_t at;

	at = (at + BIT(21)) % BIT(36);
	page_map(TOUCHED, BIT(36) + at, PAGE_P | PAGE_W);
	*(volatile uint8_t *)TOUCHED;
}

static void mmio_begin(void)
{
	uint64_t at = (uintptr_t)device;

	if (calls && vmm_call(calls, 1, &at, STRING))
		case_error("test_mmio");
}

static void mmio_end(void)
{
	uint64_t at = (uintptr_t)device;

	if (calls)
		vmm_call(calls, 4, &at, STRING);
}

static const struct kind {
	const char *name;
	void (*once)(void);
	void (*begin)(void), (*end)(void);
	uint32_t share; /* of COUNT: one of so many, as each does much */
	unsigned cpus;
} kinds[] = {
    {"cpuid", cpuid_unknown, NULL, NULL, 1, 2},
    {"apic-rmw", apic_rmw, NULL, NULL, 1, 2},
    {"mmio-rmw", mmio_rmw, mmio_begin, mmio_end, 1, 2},
    {"mmio-copy", mmio_copy, mmio_begin, mmio_end, STRING / 2, 2},
    {"apic-move", apic_move, NULL, NULL, 2, 2},
    {"mtrr", mtrr, mtrr_begin, NULL, 2, 2},
    {"pat", pat, NULL, NULL, 2, 2},
    {"icr-nmi", icr_nmi, NULL, NULL, 1, 2},
    {"icr-fixed", icr_fixed, NULL, NULL, 1, 2},
    {"icr-start", icr_start, NULL, NULL, 10, 3},
    {"xsetbv", xsetbv, xsetbv_begin, NULL, 1, 2},
    {"wbinvd", wbinvd, NULL, NULL, 1, 2},
    {"invd", invd, NULL, NULL, 1, 2},
    {"cr0-cd", cr0_cd, NULL, NULL, 2, 2},
    {"io-string", io_string, io_begin, NULL, STRING / 2, 2},
    {"touch", touch, NULL, NULL, 1, 2},
    {"task-switch", task_switch, NULL, NULL, 2 * SWITCHES, 2},
};

static bool nothing(struct frame *f)
{
	if (f->vector == IPI)
		apic_write(APIC_EOI, 0);
	return true;
}

/* Chosen by kinds=LIST? */
static bool chosen(const char *name)
{
	const char *list = word_text("kinds");
	size_t n = strlen(name);

	for (; list && *list && *list != ' '; list++) {
		if (!memcmp(list, name, n) && (list[n] == ',' || list[n] == ' ' || !list[n]))
			return true;
		while (*list && *list != ' ' && *list != ',')
			list++;
		if (*list != ',')
			break;
	}
	return !list;
}

static void wait_ticks(uint32_t count)
{
	while (ticks < count)
		cpu_relax();
}

static void attack(const struct kind *k, uint32_t count)
{
	unsigned waits = cpu_count() - 1;
	uint32_t n = 0;
	uint64_t from, took;

	stop = ticks = 0;
	late.least = serving.least = UINT64_MAX;
	cpu_start(waits, wait_for_ticks, NULL);
	wait_ticks(QUIET);
	if (k->begin)
		k->begin();
	forget = true;
	while (forget)
		cpu_relax();
	from = rdtsc();
	while (n < count || ticks < TICKS_MIN) {
		k->once();
		n++;
	}
	took = rdtsc() - from;
	stop = 1;
	cpu_wait(waits);
	if (k->end)
		k->end();
	/* how much more than the least that it has taken so far */
	case_value("%s count %u took %lu ticks %u late %lu mean %lu serving %lu mean %lu", k->name,
		   n, took, ticks, late.most - late.least, late.sum / ticks - late.least,
		   serving.most - serving.least, serving.sum / ticks - serving.least);
}

GUEST_CASE(attack, "none: compared by the host", .cpus = 2)
{
	uint32_t count = (uint32_t)word_number("attack", 0);

	if (!count)
		case_skip("runs with attack=COUNT");
	if (word_number("calls", 0)) {
		uint64_t unused = 0;

		calls = vmm_call(0, (uintptr_t) "test_mmio", &unused, 0);
		CHECK(calls, "the VMM's call");
	}
	period = (uint32_t)word_number("period", PERIOD);
	device = page_alloc();
	ram = page_alloc();
	saved[0] = rdmsr(MSR_APIC_BASE);
	trap_set(VECTOR, tick);
	trap_set(IPI, nothing);
	trap_set(VECTOR_NMI, nothing);
	/*
	 * QEMU's round robin with -icount lets a CPU run until the next timer of any device is due,
	 * 100 ms if there is none, unless it pauses or halts. With a timer each 100 us, it is as if
	 * all ran at once.
	 */
	outb(0x43, 0x34); /* channel 0, mode 2 (8254); its interrupt is off */
	outb(0x40, 119);
	outb(0x40, 0);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (chosen(kinds[i].name) && cpu_count() >= kinds[i].cpus)
			attack(&kinds[i], count / kinds[i].share);
	}
	CHECK(true, "end");
}
