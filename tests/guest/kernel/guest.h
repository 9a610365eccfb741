/* What a guest case may use: checks, exceptions, snippets of code in every mode, other CPUs, pages.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tests/guest/kernel/cpu.h"

/* ---- what the boot code hands over ---- */

#define BOOT_RANGES_MAX 128
#define MEMORY_RAM      1u /* struct memory_range.type of usable RAM */

struct memory_range {
	uint64_t base, length;
	uint32_t type, pad;
};

struct boot_block {
	uint64_t rsdp; /* physical address, 0: look for it as on a BIOS machine */
	uint32_t count, pad;
	struct memory_range memory[BOOT_RANGES_MAX];
	char words[4096]; /* command line */
};

extern struct boot_block boot_block;

/* Value of the command line's word NAME=, as a number; `otherwise` when there is none. */
uint64_t word_number(const char *name, uint64_t otherwise);
/* Text behind the command line's word NAME=, up to a blank or the end; NULL when there is none. */
const char *word_text(const char *name);
/* The number at *text (0x... or decimal); moves behind it and one character more. */
uint64_t text_number(const char **text);
/* The first range of 1 MiB or more that word ram=FIRST-END,... lists and the memory map has no RAM
 * for: what the VMM took. Its start, or 0; *end the byte behind it. */
uint64_t memory_missing(uint64_t *end);
/* Physical address of the ACPI table with this signature, NULL when there is none. */
const void *acpi_table(const char signature[4]);
/* I/O port of PM1a_CNT (ACPI 4.8.3.2.1), which the VMM watches; case_skip() when there is none. */
uint16_t acpi_pm1_port(void);

/* PCI configuration mechanism 1: `address` is bus, device, function and register, below 1 << 24. */
uint32_t pci_read(uint32_t address);
void pci_write(uint32_t address, uint32_t value);

/* ---- the VMM ---- */

#define REGION_ONES (~UINT64_C(0))

/* The VMM's memory, as the guest's addresses. */
struct region {
	uint64_t base, end;
};

/* Where it is; case_skip() without the VMM. */
struct region region_get(void);
/* The same for cases that only read: without the VMM pages of the kernel's own, filled with ones,
 * between two that are not; so that the case itself is judged. */
struct region region_like(void);
/* A check that it still reads as ones, by the first and the last word of each page. */
void region_check(const struct region *r, const char *name);
/* Addresses at which `own`, a page of one's own, is followed by `pages` pages from `phys` on. */
uint64_t region_behind(const void *own, uint64_t phys, unsigned pages);
/* case_skip() with this reason when there is no VMM. */
void vmm_only(const char *reason);
/* A sum over the VMM's code and constants, which the runner compares before and after each case; 0
 * without the word sums=1 and the debug image. */
uint64_t vmm_sum(void);

/* ---- cases and checks ---- */

struct guest_case {
	const char *name;
	const char *manual; /* where the expectations come from */
	void (*run)(void);
	unsigned cpus; /* needs as many; 0 is one */
};

/* Register a case. `id` is the file's name; further arguments set members of struct guest_case. */
#define GUEST_CASE(id, from, ...)                                                                  \
	static void id##_run(void);                                                                \
	static const struct guest_case id##_case = {                                               \
	    .name = #id, .manual = from, .run = id##_run, __VA_ARGS__};                            \
	__attribute__((                                                                            \
	    used,                                                                                  \
	    section(".section.case." #id))) static const struct guest_case *const id##_pointer =   \
	    &id##_case;                                                                            \
	static void id##_run(void)

/*
 * An assertion. Its name (a format with arguments) stays the same from run to run: the host
 * compares runs by it. Context: CPU 0.
 */
#define CHECK_EQ(got, want, ...)                                                                   \
	case_check(__FILE__, __LINE__, (uint64_t)(got), (uint64_t)(want), __VA_ARGS__)
#define CHECK(condition, ...) CHECK_EQ(!!(condition), 1, __VA_ARGS__)
bool case_check(const char *file, int line, uint64_t got, uint64_t want, const char *name, ...)
    __attribute__((format(printf, 5, 6)));
/* Report what the machine says, for the host to compare with the same machine without the VMM. */
void case_value(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Leave the case: the machine lacks what it needs; or the case itself cannot go on. */
_Noreturn void case_skip(const char *reason);
_Noreturn void case_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Output on COM1: %s %c %d %u %x %lx %lu, and the flags # and 0 with a width. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same into a buffer; always ended by a zero. */
void format_text(char *out, size_t size, const char *format, __builtin_va_list args);

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/* ---- exceptions ---- */

#define VECTOR_NONE 0x100u
#define VECTOR_END  0xf8u /* a snippet ends with INT 0xf8 */

/* What an exception or interrupt leaves on the stack, after the stub has saved the registers. */
struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Handles a vector on the CPU where it comes; returns false when the event is not its own. */
typedef bool (*trap_hook)(struct frame *f);
/* Set (NULL: remove) the handler of a vector, on all CPUs. All are removed at the end of a case. */
void trap_set(unsigned vector, trap_hook hook);

/*
 * One instruction that may fault: TRY("rdmsr") inside of asm volatile. Then tried() is the vector,
 * or VECTOR_NONE; tried_error() the error code.
 */
#define TRY(text)                                                                                  \
	"1: " text "\n2:\n"                                                                        \
	".pushsection .section.fixup, \"a\"\n.quad 1b, 2b\n.popsection\n"
unsigned tried(void); /* and forgets it */
uint64_t tried_error(void);

static inline unsigned rdmsr_try(uint32_t msr, uint64_t *value)
{
	uint32_t low = 0, high = 0;

	__asm__ volatile(TRY("rdmsr") : "+a"(low), "+d"(high) : "c"(msr));
	*value = (uint64_t)high << 32 | low;
	return tried();
}

static inline unsigned wrmsr_try(uint32_t msr, uint64_t value)
{
	__asm__ volatile(TRY("wrmsr")
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
	return tried();
}

/* Let CPL 3 (and V86) use I/O ports, as is the case at the start, or none. */
void trap_allow_io(bool allow);

/* ---- snippets: code in any mode, with any registers ---- */

enum mode {
	MODE_64,     /* 64-bit, CPL 0 */
	MODE_32,     /* 32-bit segment of a 64-bit kernel, CPL 0 */
	MODE_16,     /* 16-bit segment of a 64-bit kernel, CPL 0 */
	MODE_USER64, /* 64-bit, CPL 3 */
	MODE_USER32, /* 32-bit segment, CPL 3 */
	/* without long mode; CPU 0 only */
	MODE_REAL,
	MODE_PROT32,  /* no paging */
	MODE_PAGED32, /* two-level tables */
	MODE_PAE32,
	MODE_V86,          /* IOPL 3, in two-level tables */
	MODE_PROT16,       /* no paging, segments of 16 bits */
	MODE_PROT_USER32,  /* no paging, CPL 3 */
	MODE_PROT_USER16,  /* the same, segments of 16 bits */
	MODE_PAGED_USER32, /* two-level tables, CPL 3 */
	MODE_COUNT
};

static inline bool mode_is_user(enum mode mode)
{
	return mode == MODE_USER64 || mode == MODE_USER32 || mode == MODE_V86 ||
	       (mode >= MODE_PROT_USER32 && mode <= MODE_PAGED_USER32);
}

/* Its segments, or those of real mode, are of 64 KiB and begin at SNIPPET_BASE(0); else at 0. */
static inline bool mode_is_64k(enum mode mode)
{
	return mode == MODE_REAL || mode == MODE_V86 || mode == MODE_PROT16 ||
	       mode == MODE_PROT_USER16;
}

extern const char *const mode_name[MODE_COUNT];

#define SNIPPET_STEPS 8

struct snippet {
	enum mode mode;
	const uint8_t *code, *code_end;
	struct frame in; /* RIP and CS are set; RSP, SS and RFLAGS where they are 0 */
	bool trace;      /* go on after #DB, noting it in `step` */
	/* without long mode: more bits for CR0 and CR4, another CR3 (0: the kernel's tables) */
	uint32_t cr0, cr3, cr4;
	struct frame out; /* at the exception or interrupt that ended it: VECTOR_END when all ran */
	uint64_t cr2, dr6;
	uint64_t frame_at; /* where `out` was on the handler's stack; 64-bit kernel only */
	unsigned steps;
	uint8_t bytes[64]; /* of snippet_bytes() */
	struct {
		uint64_t rip; /* from the snippet's start */
		uint64_t dr6;
	} step[SNIPPET_STEPS];
};

/* Code for a snippet, with the INT that ends it. `bits` is 16, 32 or 64. */
#define SNIPPET(name, bits, text)                                                                  \
	__asm__(".pushsection .rodata\n.code" #bits "\n" #name ": " text "\n int $0xf8\n" #name    \
		"_end:\n.code64\n.popsection");                                                    \
	extern const uint8_t name[], name##_end[]

/* A snippet made at run time: copies `n` bytes and the INT that ends it; returns the offset of
 * that. */
unsigned snippet_bytes(struct snippet *s, const uint8_t *bytes, unsigned n);
/* Run it on this CPU. RIP in s->out counts from the snippet's start unless the event was elsewhere.
 */
void snippet_run(struct snippet *s);
/* Where the code of this CPU's snippets lies: a page, the stack's top is 8 KiB above. */
#define SNIPPET_BASE(cpu) (0x20000u + 0x2000u * (cpu))

/* ---- pages ---- */

#define PAGE_P        BIT(0)
#define PAGE_W        BIT(1)
#define PAGE_U        BIT(2)
#define PAGE_ACCESSED BIT(5)
#define PAGE_DIRTY    BIT(6)
#define PAGE_LARGE    BIT(7)
#define PAGE_GLOBAL   BIT(8)
#define PAGE_NX       BIT(63)

#define PAGE_ADDRESS UINT64_C(0xffffffffff000)

/* A zeroed page of RAM, used by nobody; gone until the end of the run. */
void *page_alloc(void);
/* The first of 512 GiB of addresses that nobody uses; free again at the end of the case. */
uint64_t page_space(void);
/* Map the page at `virt` (4 GiB or more) to `phys`; flags PAGE_*, 0 removes it. */
void page_map(uint64_t virt, uint64_t phys, uint64_t flags);
/* The same for a page of 4 KiB, 2 MiB or 1 GiB: level 1, 2 or 3. */
void page_map_large(uint64_t virt, uint64_t phys, unsigned level, uint64_t flags);
/* The entry of that level (1 to 4) which leads to `virt`; the tables above it are there. */
uint64_t *page_entry(uint64_t virt, unsigned level);
void page_flush(uint64_t virt); /* INVLPG */

/* ---- CPUs ---- */

#define CPUS_MAX 8

/* What can be seen of another CPU. */
struct cpu_state {
	void (*work)(void *arg);
	void *arg;
	uint32_t started;  /* times that it came out of its start-up IPI */
	uint32_t start_cs; /* with this CS */
	uint32_t beats;    /* counts while it has nothing to do */
	bool outside;      /* it ran once where the VMM was not */
};

volatile struct cpu_state *cpu_state(unsigned cpu);
/* Wait until *word is `value`; false when that does not come. */
bool cpu_wait_for(const volatile uint32_t *word, uint32_t value);
/* It has nothing to do and runs; or it stands still, for some time at least. */
bool cpu_beats(unsigned cpu);
bool cpu_stands(unsigned cpu);
/* Put the start-up code of the other CPUs to a page (64 KiB and less); 0x8000 has it. */
void cpu_copy_start(uint32_t page);
/* This CPU's number, its local APIC ID; 0 is the boot CPU. */
unsigned cpu_index(void);
/* CPUs that run. */
unsigned cpu_count(void);
/* Run f(arg) on another CPU and wait for its end. */
void cpu_call(unsigned cpu, void (*f)(void *arg), void *arg);
/* Start it there; cpu_wait() waits for its end. */
void cpu_start(unsigned cpu, void (*f)(void *arg), void *arg);
void cpu_wait(unsigned cpu);

/* ---- local APIC ---- */

#define APIC_ID       0x20u
#define APIC_EOI      0xb0u
#define APIC_LDR      0xd0u
#define APIC_DFR      0xe0u
#define APIC_SVR      0xf0u
#define APIC_ICR_LOW  0x300u
#define APIC_ICR_HIGH 0x310u
#define APIC_TPR      0x80u

/* ICR: SDM 3A 11.6.1 */
#define APIC_ICR_NMI    0x4400u
#define APIC_ICR_INIT   0x4500u
#define APIC_ICR_SIPI   0x4600u
#define APIC_ICR_FIXED  0x4000u
#define APIC_ICR_OTHERS 0xc0000u /* all but this CPU */

uint32_t apic_read(unsigned reg);
void apic_write(unsigned reg, uint32_t value);
/* Write both halves of the ICR and wait until the message is sent. */
void apic_send(uint32_t destination, uint32_t low);
