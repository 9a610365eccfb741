/* Memory: first touch of what is not RAM, the HPET, and a range with a handler. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"
#include "tests/guest/kernel/kernel.h"

#define TOUCHES               9u
#define TOUCHED_PHYS          (UINT64_C(48) << 30) /* nothing is there; 1 GiB apart */
#define HPET_ADDRESS          44 /* offset in the table: IA-PC HPET specification 3.2.4 */
#define FIRST_VIRTUAL         (UINT64_C(5) << 30)
#define MMIO_READS_AND_WRITES 1 /* operations of test_mmio */
#define MMIO_LEAN             7
#define SECOND                0x100

static void measure_touch(void)
{
	volatile uint32_t *at[TOUCHES];

	for (unsigned i = 0; i < TOUCHES; i++) {
		uint64_t virt = FIRST_VIRTUAL + i * 4096u;

		page_map(virt, TOUCHED_PHYS + (uint64_t)i * BIT(30), PAGE_P | PAGE_W);
		at[i] = (volatile uint32_t *)virt;
	}
	BENCH_COUNT("first-touch", TOUCHES, *at[i]);
	BENCH_COUNT("second-touch", TOUCHES, *at[i]);
}

static void measure_hpet(void)
{
	const uint8_t *table = acpi_table("HPET");
	uint64_t base;

	if (!table)
		return;
	memcpy(&base, table + HPET_ADDRESS, sizeof(base));
	volatile uint32_t *counter = (volatile uint32_t *)(base + 0xf0);

	BENCH("hpet-read", *counter);
}

/* Copies of an instruction, each with a RET, 16 bytes apart. */
static uint8_t *copies_of(const uint8_t *bytes, unsigned n)
{
	uint8_t *page = page_alloc();

	for (unsigned i = 0; i < TOUCHES; i++) {
		memcpy(page + i * 16, bytes, n);
		page[i * 16 + n] = 0xc3;
	}
	return page;
}

/* Run the copy at `code` on the doubleword at `at`. */
static inline void run(const uint8_t *code, const uint8_t *at)
{
	__asm__ volatile("call *%0" : : "r"(code), "d"(at) : "rax", "memory");
}

/* The same, entered with RF, which VT-x sets in each exit for an access (SDM 3C 28.3.3), and these
 * emulators in none. */
static inline void run_rf(const uint8_t *code, const uint8_t *at)
{
	uint64_t rsp, next;

	__asm__ volatile("movq %%rsp, %[rsp]\n\t"
			 "leaq 1f(%%rip), %[next]\n\t"
			 "pushq %[next]\n\t" /* the RET's */
			 "movq %%rsp, %[next]\n\t"
			 "pushq %[ss]\n\t"
			 "pushq %[next]\n\t"
			 "pushfq\n\t"
			 "orl %[rf], (%%rsp)\n\t"
			 "pushq %[cs]\n\t"
			 "pushq %[code]\n\t"
			 "iretq\n\t"
			 "1:\tmovq %[rsp], %%rsp"
			 : [rsp] "=&r"(rsp), [next] "=&r"(next)
			 : [code] "r"(code),
			   "d"(at), [ss] "i"(SEL_DATA), [cs] "i"(SEL_CODE64), [rf] "i"(RFLAGS_RF)
			 : "rax", "memory", "cc");
}

GUEST_CASE(bench_memory, "")
{
	static const uint8_t load[] = {0x8b, 0x02};            /* MOV EAX, [RDX] */
	static const uint8_t store[] = {0x89, 0x42, 0x10};     /* MOV [RDX + 16], EAX */
	static const uint8_t add[] = {0x83, 0x42, 0x20, 0x00}; /* ADD dword [RDX + 32], 0 */
	uint8_t *device = page_alloc(), *lean = page_alloc(),
		*loads = copies_of(load, sizeof(load)), *stores = copies_of(store, sizeof(store)),
		*adds = copies_of(add, sizeof(add));

	measure_touch();
	measure_hpet();
	if (bench_under_vmm() && bench_vmcall(bench_vmcall_number("test_mmio"),
					      MMIO_READS_AND_WRITES, (uintptr_t)device, 4096))
		case_error("test_mmio");
	BENCH_COUNT("mmio-read-first", TOUCHES, run(loads + i * 16, device));
	BENCH("mmio-read", run(loads, device));
	BENCH_COUNT("mmio-write-first", TOUCHES, run(stores + i * 16, device));
	BENCH("mmio-write", run(stores, device));
	BENCH_COUNT("mmio-add-first", TOUCHES, run(adds + i * 16, device));
	BENCH("mmio-add", run(adds, device));
	if (bench_under_vmm() && bench_vmcall(bench_vmcall_number("test_mmio"), MMIO_LEAN | SECOND,
					      (uintptr_t)lean, 4096))
		case_error("test_mmio");
	BENCH("mmio-read-lean", run(loads, lean));
	BENCH("mmio-write-lean", run(stores, lean));
	BENCH("mmio-read-lean-rf", run_rf(loads, lean));
}
