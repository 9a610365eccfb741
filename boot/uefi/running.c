/* Talking to a VMM that runs already: is there one, and calls to it by name. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "boot/uefi/loader.h"
#include <cpuid.h>

#define HANDSHAKE_MAGIC                                                                            \
	UINT64_C(0x4249545649534f52) /* "BITVISOR"; the VMM answers with its complement */

uint64_t handshake_call(const char *name, uint64_t magic, uint32_t is_amd);
uint64_t handshake_named(const char *name, uint64_t magic, uint32_t is_amd);
void handshake_ud(void);
void handshake_gp(void);

struct __attribute__((packed)) idtr {
	uint16_t limit;
	uint64_t base;
};

/* SDM volume 3, section 6.14.1: gate descriptor of long mode. */
struct gate {
	uint16_t offset_0;
	uint16_t selector;
	uint16_t flags;
	uint16_t offset_16;
	uint32_t offset_32;
	uint32_t reserved;
};
#define GATE_INTERRUPT 0x8e00 /* present, privilege level 0, no IST */

static void set_gate(struct gate *gate, void (*handler)(void), uint16_t selector)
{
	uint64_t a = (uint64_t)handler;
	*gate = (struct gate){.offset_0 = (uint16_t)a,
			      .selector = selector,
			      .flags = GATE_INTERRUPT,
			      .offset_16 = (uint16_t)(a >> 16),
			      .offset_32 = (uint32_t)(a >> 32)};
}

static bool is_amd(void)
{
	uint32_t eax, ebx, ecx, edx;
	__cpuid(0, eax, ebx, ecx, edx);
	return ebx == signature_AMD_ebx || (ebx == 0x6f677948 /* "Hygo" */);
}

/* Bare, the instruction faults, which the firmware would not survive: with handlers of our own
 * around it. */
static uint64_t guarded(uint64_t (*call)(const char *name, uint64_t magic, uint32_t is_amd),
			const char *name)
{
	struct gate table[256]; /* not shared: other CPUs may do the same at this moment */
	struct idtr old, new = {.limit = sizeof(table) - 1, .base = (uint64_t)table};
	uint64_t flags, answer;
	uint16_t cs;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
	__asm__ volatile("sidt %0" : "=m"(old));
	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	uint64_t size = (uint64_t)old.limit + 1;
	CopyMem(table, (void *)old.base, size < sizeof(table) ? size : sizeof(table));
	set_gate(&table[6], handshake_ud, cs);
	set_gate(&table[13], handshake_gp, cs);
	__asm__ volatile("lidt %0" ::"m"(new) : "memory");
	answer = call(name, HANDSHAKE_MAGIC, is_amd());
	__asm__ volatile("lidt %0" ::"m"(old) : "memory");
	if ((flags & 0x200) != 0)
		__asm__ volatile("sti" ::: "memory");
	return answer;
}

bool loader_vmm_running(void)
{
	return guarded(handshake_call, "get_status") == ~HANDSHAKE_MAGIC;
}

bool loader_vmm_call(const char *name)
{
	return guarded(handshake_named, name) != 0;
}
