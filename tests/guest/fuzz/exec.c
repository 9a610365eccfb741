/* The interpreter of the guest fuzzer: does one operation and notes what it gave. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/fuzz/fuzz.h"
#include "tests/guest/fuzz/insn.h"

#define PAGE        4096u
#define VIRT(cpu)   (BIT(33) + ((uint64_t)(cpu) << 21)) /* a page of its own for each CPU */
#define IDT_VIRT    (BIT(34))                           /* two pages for each CPU */
#define GDT_ENTRIES 64u
#define GDT_OWN     32u   /* descriptors of the fuzzer begin here */
#define VECTOR_HIGH 0x90u /* its gate can be pulled away: see fuzz_prepare() */
#define WAIT_TURNS  2000000u

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct own {
	uint64_t *pte, *pde, *idt_pte;
	uint8_t *page, *scratch, *idt;
	uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(16)));
	uint64_t ldt[8];
} own[CPUS_MAX];

static struct pointer kernel_gdt, kernel_idt;
static uint64_t hole, hole_end; /* the VMM's memory, 0: there is none */
static uint32_t lock_word, start_lock;
static volatile uint32_t nmis[CPUS_MAX];
static uint32_t sent[CPUS_MAX][8], received[CPUS_MAX][8]; /* bit per vector */

static void lock(uint32_t *word)
{
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static void unlock(uint32_t *word)
{
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

static bool is_intel(void)
{
	return cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */
}

static void note(struct fuzz_result *r, uint64_t value)
{
	if (r->count < FUZZ_VALUES)
		r->value[r->count++] = value;
}

/* After an instruction with TRY(). */
static unsigned note_tried(struct fuzz_result *r)
{
	unsigned vector = tried();

	note(r, vector);
	if (vector != VECTOR_NONE)
		note(r, tried_error());
	return vector;
}

/* ---- preparation ---- */

static uint64_t *entry(uint64_t virt, unsigned last)
{
	uint64_t *table = (uint64_t *)(read_cr3() & ~UINT64_C(4095));

	for (unsigned shift = 39; shift > last; shift -= 9)
		table = (uint64_t *)(table[virt >> shift & 511] & UINT64_C(0xffffffffff000));
	return &table[virt >> last & 511];
}

static bool on_nmi(struct frame *f)
{
	(void)f;
	__atomic_add_fetch(&nmis[cpu_index()], 1, __ATOMIC_RELAXED);
	return true;
}

static bool on_interrupt(struct frame *f)
{
	unsigned cpu = cpu_index();

	received[cpu][f->vector / 32] |= 1u << (f->vector & 31);
	apic_write(APIC_EOI, 0);
	return true;
}

static bool on_spurious(struct frame *f)
{
	(void)f;
	return true;
}

void fuzz_prepare(const struct fuzz_env *env, unsigned count)
{
	(void)env;
	hole = memory_missing(&hole_end);
	__asm__ volatile("sgdt %0; sidt %1" : "=m"(kernel_gdt), "=m"(kernel_idt));
	trap_set(VECTOR_NMI, on_nmi);
	for (unsigned v = 0x20; v < 0xf0; v++) {
		if (v != 0x80 && v != VECTOR_HIGH)
			trap_set(v, on_interrupt);
	}
	trap_set(0xff, on_spurious);
	for (unsigned cpu = 0; cpu < count; cpu++) {
		struct own *o = &own[cpu];
		uint64_t idt = IDT_VIRT + ((uint64_t)cpu << 21);

		o->page = page_alloc();
		o->scratch = page_alloc();
		o->idt = page_alloc();
		page_map(VIRT(cpu), (uintptr_t)o->page, PAGE_P | PAGE_W | PAGE_U);
		o->pte = entry(VIRT(cpu), 12);
		o->pde = entry(VIRT(cpu), 21);
		/*
		 * The IDT begins 0x880 bytes before the end of a page: the gates from 0x88 on lie
		 * in the next one, which is pulled away.
		 */
		page_map(idt, (uintptr_t)o->idt, PAGE_P | PAGE_W);
		page_map(idt + PAGE, (uintptr_t)o->page, PAGE_P | PAGE_W);
		o->idt_pte = entry(idt + PAGE, 12);
		memset(o->idt, 0, PAGE);
		memcpy(o->idt + PAGE - 0x880, (const void *)kernel_idt.base, 0x880);
	}
}

void fuzz_load(void)
{
	struct own *o = &own[cpu_index()];
	uint64_t base = (uintptr_t)o->ldt;
	struct pointer g = {sizeof(o->gdt) - 1, (uintptr_t)o->gdt};

	memcpy(o->gdt, (const void *)kernel_gdt.base,
	       kernel_gdt.limit < GDT_OWN * 8 ? kernel_gdt.limit + 1u : GDT_OWN * 8);
	/* an LDT, and descriptors of every type: present, absent, DPL 0 and 3 */
	o->gdt[GDT_OWN] = (sizeof(o->ldt) - 1) | (base & 0xffffff) << 16 | UINT64_C(0x82) << 40 |
			  (base >> 24 & 0xff) << 56;
	o->gdt[GDT_OWN + 1] = base >> 32;
	for (unsigned i = GDT_OWN + 2; i < GDT_ENTRIES; i++)
		o->gdt[i] = UINT64_C(0x0000000000001234) |
			    (uint64_t)((i % 7 ? 0x80 : 0) | (i & 0x1f) | (i & 1 ? 0x60 : 0)) << 40 |
			    (i % 5 == 0 ? BIT(55) : 0);
	/* no task state but the CPU's own: STR is how it knows its number */
	for (unsigned i = GDT_OWN + 2; i < GDT_ENTRIES; i++) {
		if ((o->gdt[i] >> 40 & 0x1d) == 9)
			o->gdt[i] ^= BIT(42);
	}
	for (unsigned i = 0; i < 8; i++)
		o->ldt[i] =
		    UINT64_C(0x00cf92000000ffff) | (uint64_t)i << 41 | (uint64_t)(i & 3) << 45;
	/* no LDT: since reset it is the first 64 KiB of memory */
	__asm__ volatile("lgdt %0; lldt %w1" : : "m"(g), "r"(0) : "memory");
	apic_write(APIC_SVR, 0x1ff); /* INIT has switched off what takes interrupts */
}

/* ---- ports ---- */

static void in(const struct fuzz_op *op, struct fuzz_result *r)
{
	uint64_t value = op->value;

	switch (op->size) {
	case 1:
		__asm__ volatile(TRY("inb %w1, %b0") : "+a"(value) : "d"(op->number));
		break;
	case 2:
		__asm__ volatile(TRY("inw %w1, %w0") : "+a"(value) : "d"(op->number));
		break;
	default:
		__asm__ volatile(TRY("inl %w1, %k0") : "+a"(value) : "d"(op->number));
	}
	note_tried(r);
	note(r, value);
}

static void out(const struct fuzz_op *op, struct fuzz_result *r)
{
	switch (op->size) {
	case 1:
		__asm__ volatile(TRY("outb %b0, %w1") : : "a"(op->value), "d"(op->number));
		break;
	case 2:
		__asm__ volatile(TRY("outw %w0, %w1") : : "a"(op->value), "d"(op->number));
		break;
	default:
		__asm__ volatile(TRY("outl %k0, %w1") : : "a"(op->value), "d"(op->number));
	}
	note_tried(r);
}

static void strings(const struct fuzz_op *op, struct fuzz_result *r)
{
	struct own *o = &own[cpu_index()];
	uint64_t at = (uintptr_t)o->scratch + 64, di = at, si = at, count = op->extra;

	memset(o->scratch, 0x5a, 128);
#define STRING(text)                                                                               \
	__asm__ volatile(TRY(text) : "+D"(di), "+S"(si), "+c"(count) : "d"(op->number) : "memory")
	if (op->how & 1)
		__asm__ volatile("std");
	if (op->what == 6 && op->size == 1)
		STRING("rep insb");
	else if (op->what == 6 && op->size == 2)
		STRING("rep insw");
	else if (op->what == 6)
		STRING("rep insl");
	else if (op->size == 1)
		STRING("rep outsb");
	else if (op->size == 2)
		STRING("rep outsw");
	else
		STRING("rep outsl");
	__asm__ volatile("cld");
	note_tried(r);
	note(r, di - at);
	note(r, si - at);
	note(r, count);
	note(r, *(uint64_t *)at);
	note(r, *(uint64_t *)(at + 8));
}

static void io(const struct fuzz_env *env, const struct fuzz_op *op, struct fuzz_result *r)
{
	bool pm1 = env->pm1 && op->number + 4 > env->pm1 && op->number < env->pm1 + 4u;
	struct fuzz_op now = *op;
	bool locked;

	/* every fourth time without the lock: then two CPUs may be at it, and nothing is known of
	 * what comes, nor of a port that another CPU may write */
	r->skip |= (op->how & 6) == 0;
	locked = !r->skip;
	r->skip |= env->cpus > 1 && fuzz_port_is_written(env, op->number);
	if (locked)
		lock(&lock_word);
	if (op->what == 5 && pm1) {
		/* write, look, put back */
		now.size = 2;
		now.number = env->pm1;
		in(&now, r);
		now.value = r->value[r->count - 1] & ~BIT(13);
		out(op, r);
		in(&(struct fuzz_op){.number = env->pm1, .size = 2}, r);
		out(&now, r);
	} else if (op->what >= 6) {
		strings(op, r);
	} else if (op->what >= 4) {
		out(op, r);
	} else {
		in(op, r);
	}
	if (locked)
		unlock(&lock_word);
}

static void pci(const struct fuzz_op *op, struct fuzz_result *r)
{
	uint32_t address = 0x80000000 | (op->number & 0xfffffc);
	struct fuzz_op data = {.number = 0xcfc + (op->number & (4u - op->size)), .size = op->size};
	uint32_t offset = (address & 0xfc) + (data.number & 3);

	if (op->size == 1)
		data.number = 0xcfc + (op->number & 3),
		offset = (address & 0xfc) | (op->number & 3);
	lock(&lock_word);
	if ((op->what & 15) == 0)
		address &= 0x7fffffff; /* not enabled */
	if ((op->what & 15) == 1)      /* neither is this the address register */
		out(&(struct fuzz_op){.number = 0xcf8 + (op->number & 2),
				      .size = op->size == 4 ? 1 : op->size,
				      .value = op->value & 0xf1},
		    r);
	outl(0xcf8, address);
	in(&data, r);
	/* registers that hold what is written and do nothing: interrupt line, cache line size */
	if ((op->what >> 4 & 3) == 0 && op->size == 1 && (offset == 0x3c || offset == 0xc)) {
		uint64_t was = r->value[r->count - 1];

		data.value = op->value & 0xff;
		out(&data, r);
		in(&data, r);
		data.value = was;
		out(&data, r);
	}
	if ((op->what & 0xc0) == 0x40) {
		in(&(struct fuzz_op){.number = 0xcf8, .size = 4}, r);
		in(&(struct fuzz_op){.number = 0xcf8 + (op->number & 3), .size = 1}, r);
	}
	if (offset >= 4 && offset < 8)
		r->skip = true; /* status */
	unlock(&lock_word);
}

/* ---- registers ---- */

static void msr(const struct fuzz_op *op, struct fuzz_result *r)
{
	uint64_t was, now = 0, value;
	unsigned vector = rdmsr_try(op->number, &was);

	note(r, vector);
	note(r, was);
	if (op->what < 2 || vector != VECTOR_NONE)
		return;
	value = op->what == 3 ? was ^ op->value : was;
	if (op->number == MSR_EFER)
		value |= was & (EFER_LME | EFER_LMA); /* as CR0.PG: see cr() */
	note(r, wrmsr_try(op->number, value));
	note(r, rdmsr_try(op->number, &now));
	note(r, now);
	note(r, wrmsr_try(op->number, was));
}

#define TRY_WRITE(text, value)                                                                     \
	do {                                                                                       \
		__asm__ volatile(TRY(text) : : "r"(value) : "memory");                             \
		note_tried(r);                                                                     \
	} while (0)

static void cr(const struct fuzz_op *op, struct fuzz_result *r)
{
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), n = op->value;

	switch (op->what % 12) {
	case 0:
	case 1:
		/*
		 * PE and PG stay: QEMU leaves 64-bit mode in the middle, bare as well. It takes NW
		 * without CD, too, and VMRUN refuses that when an NMI exits before CR0 is back.
		 */
		n = cr0 ^ (n & (BIT(op->extra & 63) | 0x6005000eu) & ~(CR0_PE | CR0_PG));
		if (!is_intel() && !(n & CR0_CD))
			n &= ~CR0_NW;
		TRY_WRITE("movq %0, %%cr0", n);
		note(r, read_cr0());
		write_cr0(cr0);
		break;
	case 2:
	case 3:
		/*
		 * SMEP and SMAP would cut off the kernel itself, whose pages are the user's too;
		 * PAE and LA57 as PG. QEMU takes a reserved bit for a failed VMRUN, bare as well.
		 */
		n &= (BIT(op->extra & 63) | 0x4079f) & ~UINT64_C(0x301020);
		if (!is_intel()) {
			n &= 0x5df | (cpuid(1, 0).ecx & BIT(26) ? CR4_OSXSAVE : 0);
			n |= op->extra >> 63 && cpuid(7, 0).ebx & 1 ? BIT(16) : 0;
		}
		n ^= cr4;
		/* VMXE, SMXE, CET, PKS, user interrupts are hidden */
		r->skip |= ((n ^ cr4) & UINT64_C(0x103806000)) != 0;
		TRY_WRITE("movq %0, %%cr4", n);
		note(r, read_cr4());
		write_cr4(cr4);
		break;
	case 4:
		/* the same table; QEMU takes reserved bits for a failed VMRUN, bare as well */
		n = cr3 ^ (n & 0xfff);
		TRY_WRITE("movq %0, %%cr3", n);
		note(r, read_cr3());
		write_cr3(cr3);
		break;
	case 5:
		TRY_WRITE("movq %0, %%cr8", n);
		note(r, read_cr8());
		write_cr8(0);
		break;
	case 6:
		TRY_WRITE("movq %0, %%cr2", n);
		note(r, read_cr2());
		break;
	case 7: {
		uint32_t low = 0, high = 0, index = op->extra & 1 ? (uint32_t)op->extra & 3 : 0;

		if (op->extra & 4)
			__asm__ volatile(TRY("movq %0, %%cr4") : : "r"(cr4 | CR4_OSXSAVE));
		note_tried(r);
		__asm__ volatile(TRY("xsetbv")
				 :
				 : "c"(index), "a"((uint32_t)n), "d"((uint32_t)(n >> 32)));
		note_tried(r);
		__asm__ volatile(TRY("xgetbv") : "+a"(low), "+d"(high) : "c"(0));
		if (note_tried(r) == VECTOR_NONE) {
			note(r, low);
			note(r, high);
			__asm__ volatile(TRY("xsetbv") : : "c"(0), "a"(1), "d"(0));
			note_tried(r);
		}
		write_cr4(cr4);
		break;
	}
	case 8:
		__asm__ volatile(TRY("lmsw %w0") : : "r"(n) : "memory");
		note_tried(r);
		__asm__ volatile("smsw %0" : "=r"(n));
		note(r, n);
		__asm__ volatile("clts");
		note(r, read_cr0());
		write_cr0(cr0);
		break;
	case 9:
		TRY_WRITE("movq %0, %%dr0", n);
		note(r, read_dr0());
		TRY_WRITE("movq %0, %%dr1", op->extra);
		note(r, read_dr1());
		break;
	case 10:
		/* nothing is switched on: L0-G3, LE, GE, GD */
		TRY_WRITE("movq %0, %%dr7", n & ~UINT64_C(0x23ff));
		note(r, read_dr7());
		write_dr7(DR7_CLEAR);
		break;
	default:
		TRY_WRITE("movq %0, %%dr6", n);
		note(r, read_dr6());
		write_dr6(DR6_CLEAR);
	}
}

static void cpuids(const struct fuzz_op *op, struct fuzz_result *r)
{
	struct cpuid c = cpuid(op->number, (uint32_t)op->value);
	uint32_t regs[4] = {c.eax, c.ebx, c.ecx, c.edx};

	/* beyond the highest the VMM shows zeros, a CPU may show the highest again */
	r->skip |= (op->number & 0x7fffffff) > (cpuid(op->number & 0x80000000, 0).eax & 0x7fffffff);
	for (unsigned i = 0; i < 4; i++)
		note(r, regs[i] & ~fuzz_cpuid_mask(op->number, (uint32_t)op->value, i));
}

static void access(uint64_t at, const struct fuzz_op *op, bool write, struct fuzz_result *r)
{
	uint64_t value = op->value;

	switch (op->size | (write ? 16 : 0)) {
	case 1:
		__asm__ volatile(TRY("movb (%1), %b0") : "+q"(value) : "r"(at) : "memory");
		break;
	case 2:
		__asm__ volatile(TRY("movw (%1), %w0") : "+r"(value) : "r"(at) : "memory");
		break;
	case 4:
		__asm__ volatile(TRY("movl (%1), %k0") : "+r"(value) : "r"(at) : "memory");
		break;
	case 8:
		__asm__ volatile(TRY("movq (%1), %0") : "+r"(value) : "r"(at) : "memory");
		break;
	case 17:
		__asm__ volatile(TRY("movb %b0, (%1)") : "+q"(value) : "r"(at) : "memory");
		break;
	case 18:
		__asm__ volatile(TRY("movw %w0, (%1)") : "+r"(value) : "r"(at) : "memory");
		break;
	case 20:
		__asm__ volatile(TRY("movl %k0, (%1)") : "+r"(value) : "r"(at) : "memory");
		break;
	default:
		__asm__ volatile(TRY("movq %0, (%1)") : "+r"(value) : "r"(at) : "memory");
	}
	note_tried(r);
	note(r, value);
}

/* ---- local APIC ---- */

static void store(uint64_t at, uint32_t value, unsigned form, struct fuzz_result *r)
{
	uint64_t di = at, si;
	uint32_t source = value, eax = value;

	switch (form % 8) {
	case 0:
		__asm__ volatile(TRY("movl %0, (%1)") : : "r"(value), "r"(at) : "memory");
		break;
	case 1:
		__asm__ volatile(TRY("xchgl %0, (%1)") : "+r"(eax) : "r"(at) : "memory");
		break;
	case 2:
		__asm__ volatile(TRY("stosl") : "+D"(di) : "a"(value) : "memory");
		break;
	case 3:
		si = (uintptr_t)&source;
		__asm__ volatile(TRY("movsl") : "+D"(di), "+S"(si) : : "memory");
		break;
	case 4:
		__asm__ volatile(TRY("orl %0, (%1)") : : "r"(value), "r"(at) : "memory", "cc");
		break;
	case 5:
		__asm__ volatile(TRY("andl %0, (%1)") : : "r"(value), "r"(at) : "memory", "cc");
		break;
	case 6:
		__asm__ volatile(TRY("xaddl %0, (%1)") : "+r"(eax) : "r"(at) : "memory", "cc");
		break;
	default:
		__asm__ volatile(TRY("movl %0, 0x1000(%1)")
				 :
				 : "r"(value), "r"(at - 0x1000)
				 : "memory");
	}
	note_tried(r);
}

static void apic(const struct fuzz_op *op, struct fuzz_result *r)
{
	static const struct {
		uint16_t reg;
		uint32_t mask, set; /* bits that may change; bits that stay */
	} list[] = {
	    {APIC_TPR, 0xff, 0},       {0x350, 0x1a7ff, 0x10000}, {0x360, 0x1a7ff, 0x10000},
	    {0x320, 0x310ff, 0x10000}, {0x340, 0x117ff, 0x10000}, {0x370, 0x10ff, 0x10000},
	    {0x3e0, 0xb, 0},           {APIC_LDR, 0xff000000, 0}, {APIC_SVR, 0x3ff, 0x10f},
	};
	static const uint16_t fixed[] = {APIC_ID, 0x30,  APIC_TPR, APIC_LDR, APIC_SVR,
					 0x320,   0x350, 0x360,    0x370,    0x3e0};
	uint64_t base = 0xfee00000, at = base + (op->number & 0x3ff);
	unsigned which = op->number % (sizeof(list) / sizeof(list[0]));

	/* Bochs ends, but for reads within the first 4 bytes of a register, and writes of all 4 */
	if (is_intel() &&
	    ((op->what % 8 == 2 && op->size >= 4) || (op->what % 8 == 3 && op->size != 4)))
		return;
	if (is_intel())
		at &= ~UINT64_C(0xc);
	switch (op->what % 8) {
	case 0:
	case 1:
		note(r, apic_read(fixed[op->number % 10]));
		break;
	case 2: /* any register, any size: executed only */
		r->skip = true;
		if (op->size == 1)
			note(r, *(volatile uint8_t *)at);
		else if (op->size == 2)
			note(r, *(volatile uint16_t *)(at & ~UINT64_C(1)));
		else
			note(r, *(volatile uint64_t *)(at & ~UINT64_C(15)));
		break;
	case 3: /* writes of other sizes: to the task priority, undefined */
		r->skip = true;
		access(base + APIC_TPR + (op->size == 1 ? op->number & 3 : 0), op, true, r);
		apic_write(APIC_TPR, 0);
		break;
	default: {
		uint32_t was = apic_read(list[which].reg);

		store(base + list[which].reg,
		      ((uint32_t)op->value & list[which].mask) | list[which].set,
		      list[which].set || list[which].reg == APIC_LDR ? 0 : op->how, r);
		note(r, apic_read(list[which].reg));
		apic_write(list[which].reg, was);
	}
	}
}

static void window(void)
{
	__asm__ volatile("sti; nop; nop; nop; nop; cli" : : : "memory");
}

static void ipi(const struct fuzz_env *env, const struct fuzz_op *op)
{
	unsigned cpu = cpu_index(), to = op->number % env->cpus, vector = 0x20 + (op->what % 0xd0);
	uint32_t low = vector | APIC_ICR_FIXED;

	if (op->how & 1) {
		window();
		return;
	}
	if (vector == 0x80 || vector == VECTOR_HIGH || vector == VECTOR_END)
		vector++, low++;
	switch (op->how >> 1 & 7) {
	case 0: /* self */
		low |= 0x40000;
		to = cpu;
		break;
	case 1: /* the lowest priority of one; Bochs drops it where the destination is physical */
		low |= is_intel() ? 0 : 0x100;
		break;
	default:
		break;
	}
	__atomic_or_fetch(&sent[to][vector / 32], 1u << (vector & 31), __ATOMIC_RELAXED);
	apic_send(to, low);
}

static void nmi(const struct fuzz_env *env, const struct fuzz_op *op)
{
	unsigned cpu = cpu_index(), to = op->how & 1 ? op->number % env->cpus : cpu;
	uint32_t before = nmis[to];

	/* CPU 0 changes modes, where no NMI can be taken */
	if (to == 0 && cpu != 0)
		to = cpu, before = nmis[to];
	apic_send(to, APIC_ICR_NMI);
	for (unsigned n = 0; n < WAIT_TURNS && nmis[to] == before; n++) {
		if (op->how & 2)
			cpuid(0, 0);
		cpu_relax();
	}
	if (nmis[to] == before)
		fuzz_error("CPU %u: an NMI to CPU %u is lost", cpu, to);
}

static void start(const struct fuzz_env *env, const struct fuzz_op *op)
{
	volatile struct cpu_state *s = cpu_state(env->parked);
	uint32_t before;

	if (!env->parked)
		return;
	lock(&start_lock);
	before = s->started;
	if (op->how & 1)
		apic_send(env->parked, APIC_ICR_SIPI | 8); /* it does not wait: no effect */
	apic_send(env->parked, APIC_ICR_INIT);
	if (op->how & 2)
		apic_send(env->parked, APIC_ICR_INIT);
	if (op->how & 4)
		apic_send(env->parked, 0x8500); /* level, de-assert: no effect */
	apic_send(env->parked, APIC_ICR_SIPI | 8);
	/* more than once is allowed: the SIPI in front may be seen behind the INIT by an emulator
	 */
	for (unsigned n = 0; n < WAIT_TURNS && s->started == before; n++)
		cpu_relax();
	if (s->started == before)
		fuzz_error("CPU %u does not start", env->parked);
	if (op->how & 8)
		apic_send(env->parked, APIC_ICR_SIPI | 8);
	unlock(&start_lock);
}

/* ---- memory ---- */

/* Jump there: by a snippet, so that whatever comes brings the CPU back. */
static void jump(uint64_t at, struct fuzz_result *r)
{
	static const uint8_t code[] = {0xff, 0xe0}; /* jmp *%rax */
	struct snippet s = {.mode = MODE_64, .in = {.rax = at}};

	snippet_bytes(&s, code, sizeof(code));
	snippet_run(&s);
	note(r, s.out.vector);
	note(r, s.out.error);
	note(r, s.out.rip);
}

static void page(const struct fuzz_op *op, struct fuzz_result *r)
{
	unsigned cpu = cpu_index();
	struct own *o = &own[cpu];
	uint64_t phys, was = *o->pte, virt = VIRT(cpu), at = virt + op->number;
	uint64_t n = op->value & ~UINT64_C(4095);
	bool write = false, run = false;

	switch (op->what) {
	case 0:
	case 1:
		phys = (uintptr_t)o->page;
		write = op->how & 1;
		memset(o->page, 0xcc, PAGE); /* INT3 */
		run = op->how & 2;
		break;
	case 2: /* the VMM's memory */
		r->skip = true;
		phys = hole ? hole + n % (hole_end - hole) : (uintptr_t)o->page;
		write = op->how & 1;
		run = hole && (op->how & 2);
		break;
	case 3: /* the APIC, by another address */
		r->skip = op->number % 16 > 12 || op->size != 4;
		phys = 0xfee00000;
		at = virt + APIC_TPR;
		if (op->size == 8 && is_intel())
			return; /* Bochs ends */
		if (op->size == 4)
			write = op->how & 1;
		break;
	case 4: /* ROM: executed from there it would go anywhere */
		phys = 0xf0000 + (n & 0xf000);
		write = false;
		break;
	case 5: /* nothing, above the RAM of a test machine */
		phys = BIT(36) + (n & (BIT(38) - 1));
		write = op->how & 1;
		break;
	case 6: /* up to what the CPU cannot address: reserved bits */
		phys = n & (BIT(52) - 1);
		if (phys < BIT(36))
			phys |= BIT(45);
		break;
	default:
		phys = 0xa0000 + (n & 0xf000); /* VGA */
		r->skip = true;
	}
	*o->pte = phys | op->extra;
	__asm__ volatile("invlpg (%0)" : : "r"(virt) : "memory");
	if (run)
		jump(at, r);
	else
		access(at, op, write, r);
	if (write && op->what == 3)
		apic_write(APIC_TPR, 0);
	/* what the CPU has set: the bits A and D */
	note(r, *o->pte ^ phys);
	if (op->what == 2 && hole && !write && !run && r->value[0] == VECTOR_NONE &&
	    r->value[1] != (op->size == 8   ? ~UINT64_C(0)
			    : op->size == 4 ? 0xffffffff
					    : op->value | (BIT(op->size * 8) - 1)) &&
	    ((at & 4095) + op->size <= PAGE))
		fuzz_error("memory of the VMM at %#lx gives %#lx", phys + op->number, r->value[1]);
	*o->pte = was;
	__asm__ volatile("invlpg (%0)" : : "r"(virt) : "memory");
}

static void vmm(const struct fuzz_op *op, struct fuzz_result *r)
{
	uint64_t at, ones = op->size == 8   ? ~UINT64_C(0)
			    : op->size == 4 ? 0xffffffff
					    : op->value | (BIT(op->size * 8) - 1);

	if (!hole)
		return;
	at = hole + op->extra % (hole_end - hole - 16);
	if (op->what & 1)
		access(at, op, true, r);
	if ((op->what & 6) == 2) {
		uint64_t di = at, count = op->number & 15;

		__asm__ volatile(TRY("rep stosb")
				 : "+D"(di), "+c"(count)
				 : "a"(op->value)
				 : "memory");
		note_tried(r);
	}
	if ((op->what & 6) == 4) {
		uint64_t value = op->value;

		__asm__ volatile(TRY("lock xaddq %0, (%1)")
				 : "+r"(value)
				 : "r"(at & ~UINT64_C(7))
				 : "memory");
		note_tried(r);
	}
	r->count = 0;
	if ((op->what & 0x30) == 0) {
		jump(at, r); /* ff ff: #UD */
		if (r->value[0] != VECTOR_UD)
			fuzz_error("executing at %#lx gives vector %#lx", at, r->value[0]);
		return;
	}
	access(at, op, false, r);
	if (r->value[0] != VECTOR_NONE || r->value[1] != ones)
		fuzz_error("memory of the VMM at %#lx: vector %#lx value %#lx", at, r->value[0],
			   r->value[r->count - 1]);
}

static void desc(const struct fuzz_op *op, struct fuzz_result *r)
{
	uint32_t selector = op->number & 0xffff;
	uint64_t value = 0;

	if (op->how & 1)
		selector = ((op->number % GDT_ENTRIES) << 3) | (op->number >> 16 & 7);
	/* never the null selector in TR's place, which QEMU takes without #GP and then has no stack
	 * for exceptions, nor another CPU's task state: see fuzz_load() */
	switch (op->what % 10) {
	case 0:
		__asm__ volatile(TRY("lldt %w0") : : "r"(selector) : "memory");
		note_tried(r);
		break;
	case 1:
		__asm__ volatile(TRY("lldt %w0") : : "r"(GDT_OWN * 8) : "memory");
		note_tried(r);
		selector |= 4;
		__asm__ volatile(TRY("movl %0, %%gs") : : "r"(selector));
		note_tried(r);
		break;
	case 2:
		/* gates, data, code: refused; the task states are busy */
		if (selector > 3 && (selector < SEL_TSS || selector >= GDT_OWN * 8))
			__asm__ volatile(TRY("ltr %w0") : : "r"(selector) : "memory");
		note_tried(r);
		break;
	case 3:
		__asm__ volatile(TRY("movl %0, %%ds") : : "r"(selector));
		note_tried(r);
		break;
	case 4:
		__asm__ volatile(TRY("movl %0, %%es") : : "r"(selector));
		note_tried(r);
		break;
	case 5:
		__asm__ volatile(TRY("movl %0, %%fs") : : "r"(selector));
		note_tried(r);
		break;
	case 6:
		__asm__ volatile("xorl %k0, %k0; larl %1, %k0"
				 : "=&r"(value)
				 : "r"(selector)
				 : "cc");
		note(r, value);
		break;
	case 7:
		__asm__ volatile("xorl %k0, %k0; lsll %1, %k0"
				 : "=&r"(value)
				 : "r"(selector)
				 : "cc");
		note(r, value);
		break;
	case 8: {
		/* the tables' own instructions, with addresses that are not canonical or not there
		 */
		uint64_t bad = op->how & 2 ? UINT64_C(0x800000000000) : BIT(46);

		if (op->how & 4)
			__asm__ volatile(TRY("lgdt (%0)") : : "r"(bad));
		else
			__asm__ volatile(TRY("lidt (%0)") : : "r"(bad));
		note_tried(r);
		break;
	}
	default: {
		struct pointer p = {(uint16_t)op->value, op->extra | BIT(63)};
		struct pointer i = {0xfff, kernel_idt.base};

		/* a table elsewhere, with nothing happening meanwhile; only this CPU's own NMIs */
		if (cpu_index() == 0) {
			p.base = kernel_idt.base;
			p.limit = (uint16_t)(0x8ff | (op->value & 0x7000));
			__asm__ volatile("lidt %0" : : "m"(p) : "memory");
			__asm__ volatile("sidt %0" : "=m"(p));
			note(r, p.limit);
			__asm__ volatile("lidt %0" : : "m"(i) : "memory");
		}
		__asm__ volatile("sgdt %0" : "=m"(p));
		note(r, p.limit);
	}
	}
	__asm__ volatile("lldt %w0; movl %0, %%gs; movl %0, %%fs; movl %1, %%ds; movl %1, %%es"
			 :
			 : "r"(0), "r"(SEL_USERDATA)
			 : "memory");
}

/* ---- snippets ---- */

/* Undefined behind some instructions, and not the same with and without an exit: AF. QEMU does not
 * set RF in the frame of a fault, the VMM does. */
#define FLAGS_COMPARED ~(UINT64_C(0x10) | (is_intel() ? 0 : RFLAGS_RF))

static void snippet(const struct fuzz_env *env, const struct fuzz_op *op, enum mode mode, bool step,
		    struct fuzz_result *r)
{
	struct own *o = &own[cpu_index()];
	uint64_t x = op->extra, scratch = mode_is_64k(mode) ? 0x800 : (uintptr_t)o->scratch + 0x400;
	struct snippet s = {.mode = mode, .trace = step};
	uint64_t cr0 = read_cr0();
	uint8_t code[sizeof(op->code) + 17];

	/* a call to the VMM has a number that none has */
	s.in.rax = op->value | (op->varies & FUZZ_VARIES_ALL ? BIT(31) : 0);
	s.in.rbx = scratch == 0x800 ? scratch : x;
	s.in.rcx = x >> 8 & 7;
	/* where another CPU may write: one that nothing answers to */
	s.in.rdx = env->cpus > 1                                  ? 0xed
		   : op->how & 0x80 || !env->pm1 || (op->how & 1) ? 0x80
								  : env->pm1;
	s.in.rbp = x << 7 | x >> 57;
	s.in.rsi = s.in.rdi = scratch;
	s.in.r8 = s.in.r9 = ~x;
	s.in.r15 = scratch;
	/* the flags of arithmetic, DF not: the kernel's own code relies on it */
	s.in.rflags = (op->extra >> 16 & 0x8d5) | (step ? RFLAGS_TF : 0);
	/* INT3 behind it: an instruction that is longer than it looks runs into nothing else */
	memset(code, 0xcc, sizeof(code));
	memcpy(code, op->code, op->length);
	code[op->length] = 0xcd; /* INT */
	code[op->length + 1] = VECTOR_END;
	snippet_bytes(&s, code, op->length + 2u + 15u);
	memset(o->scratch, 0x11, 0x800);
	snippet_run(&s);
	if (mode >= MODE_REAL)
		fuzz_load();
	if (read_cr0() != cr0)
		write_cr0(cr0);
	__asm__ volatile("cli; cld; movl %0, %%fs; movl %0, %%gs" : : "r"(0));
	write_dr6(DR6_CLEAR);
	write_cr8(0);
	note(r, s.out.vector);
	note(r, s.out.error);
	note(r, s.out.rip);
	if (s.out.vector == VECTOR_PF)
		note(r, s.cr2);
	/* of breakpoints that DR7 does not enable B0 to B3 may be set or not (SDM 3B, DR6) */
	if (s.out.vector == VECTOR_DB)
		note(r, s.dr6 & ~UINT64_C(0xf));
	/* with flags: QEMU's CMPXCHG8B takes all but ZF from what it has kept of an earlier
	 * instruction's operands, upper bits as well */
	if (!(op->varies & FUZZ_VARIES_REGS)) {
		note(r, s.out.rflags & FLAGS_COMPARED);
		note(r, s.out.rax);
		note(r, s.out.rbx);
		note(r, s.out.rcx);
		note(r, s.out.rdx);
	}
	note(r, s.out.rsp);
	note(r, s.out.rbp);
	note(r, s.out.rsi);
	note(r, s.out.rdi);
	note(r, s.steps);
	for (unsigned n = 0; n < s.steps && n < 8; n++)
		note(r, s.step[n].rip << 32 | (s.step[n].dr6 & ~UINT64_C(0xf)));
}

static void fault(const struct fuzz_op *op, struct fuzz_result *r)
{
	unsigned cpu = cpu_index();
	struct own *o = &own[cpu];
	uint64_t idt = IDT_VIRT + ((uint64_t)cpu << 21), was = *o->idt_pte;
	struct pointer p = {0xfff, idt + PAGE - 0x880};
	static const uint8_t code[] = {0xcd, VECTOR_HIGH};
	struct snippet s = {.mode = op->how & 1 ? MODE_USER64 : MODE_64};

	/* INT 0x90's gate: not present, in the VMM's memory, in nothing, in zeros, in a ROM */
	switch (op->what % 5) {
	case 0:
		*o->idt_pte = 0;
		break;
	case 1:
		r->skip |= !(op->how & 1); /* RAM without the VMM */
		*o->idt_pte = (hole ? hole + (op->value & 0xff000) : (uintptr_t)o->page) | PAGE_P;
		if (!hole)
			memset(o->page, 0xff, PAGE);
		break;
	case 2:
		*o->idt_pte = (BIT(36) + (op->extra & UINT64_C(0x3ffffff000))) | PAGE_P;
		break;
	case 3:
		memset(o->page, 0, PAGE);
		*o->idt_pte = (uintptr_t)o->page | PAGE_P;
		break;
	default: /* the APIC */
		if (is_intel())
			return; /* Bochs ends: a gate is read as 8 bytes */
		r->skip = true;
		*o->idt_pte = 0xfee00000 | PAGE_P;
	}
	__asm__ volatile("invlpg (%0); lidt %1" : : "r"(idt + PAGE), "m"(p) : "memory");
	snippet_bytes(&s, code, sizeof(code));
	snippet_run(&s);
	__asm__ volatile("lidt %0" : : "m"(kernel_idt) : "memory");
	note(r, s.out.vector);
	note(r, s.out.error);
	note(r, s.out.rip);
	if (s.out.vector == VECTOR_PF)
		note(r, s.cr2);
	*o->idt_pte = was;
	__asm__ volatile("invlpg (%0)" : : "r"(idt + PAGE) : "memory");
}

void fuzz_execute(const struct fuzz_env *env, const struct fuzz_op *op, struct fuzz_result *r)
{
	const char *reason;

	r->count = 0;
	r->skip = !fuzz_compared(op, &reason);
	write_cr2(0); /* what is not compared has left its own there */
	switch ((enum fuzz_kind)op->kind) {
	case FUZZ_IO:
		io(env, op, r);
		break;
	case FUZZ_PCI:
		pci(op, r);
		break;
	case FUZZ_MSR:
		msr(op, r);
		break;
	case FUZZ_CR:
		cr(op, r);
		break;
	case FUZZ_CPUID:
		cpuids(op, r);
		break;
	case FUZZ_APIC:
		apic(op, r);
		break;
	case FUZZ_IPI:
		ipi(env, op);
		break;
	case FUZZ_NMI:
		nmi(env, op);
		break;
	case FUZZ_START:
		start(env, op);
		break;
	case FUZZ_PAGE:
		page(op, r);
		break;
	case FUZZ_VMM:
		vmm(op, r);
		break;
	case FUZZ_DESC:
		desc(op, r);
		break;
	case FUZZ_INSN:
		snippet(env, op, MODE_64, false, r);
		break;
	case FUZZ_USER:
		snippet(env, op, op->what & 1 ? MODE_USER64 : MODE_USER32, false, r);
		break;
	case FUZZ_MODE:
		if (cpu_index() == 0)
			snippet(env, op, (enum mode)(MODE_REAL + op->what), false, r);
		break;
	case FUZZ_STEP:
		snippet(env, op, MODE_64, true, r);
		break;
	case FUZZ_FAULT:
		fault(op, r);
		break;
	default:
		break;
	}
}

void fuzz_finish(const struct fuzz_env *env)
{
	unsigned cpu = cpu_index();

	for (unsigned n = 0; n < 1000; n++)
		window();
	for (unsigned v = 0x20; v < 0xf0; v++) {
		if (sent[cpu][v / 32] >> (v & 31) & 1 && !(received[cpu][v / 32] >> (v & 31) & 1))
			fuzz_error("CPU %u: vector %#x was sent and has not come", cpu, v);
	}
	(void)env;
}
