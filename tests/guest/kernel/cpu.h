/* Instructions that C has no words for, and the bits of the control registers. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define BIT(n) (UINT64_C(1) << (n))

enum {
	VECTOR_DE,
	VECTOR_DB,
	VECTOR_NMI,
	VECTOR_BP,
	VECTOR_OF,
	VECTOR_BR,
	VECTOR_UD,
	VECTOR_NM,
	VECTOR_DF,
	VECTOR_TS = 10,
	VECTOR_NP,
	VECTOR_SS,
	VECTOR_GP,
	VECTOR_PF,
	VECTOR_AC = 17,
};

#define RFLAGS_FIXED 2u
#define RFLAGS_CF    1u
#define RFLAGS_TF    0x100u
#define RFLAGS_IF    0x200u
#define RFLAGS_OF    0x800u
#define RFLAGS_IOPL3 0x3000u
#define RFLAGS_RF    0x10000u
#define RFLAGS_VM    0x20000u

#define DR6_CLEAR 0xffff0ff0u /* SDM 3B 18.2.3: bits that read 1 */
#define DR6_BS    BIT(14)
#define DR7_CLEAR 0x400u

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME        BIT(0)
#define CR4_PVI        BIT(1)
#define CR4_TSD        BIT(2)
#define CR4_DE         BIT(3)
#define CR4_PSE        BIT(4)
#define CR4_PAE        BIT(5)
#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_PCE        BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_VMXE       BIT(13)
#define CR4_OSXSAVE    BIT(18)

#define MSR_APIC_BASE      0x1bu
#define MSR_SYSENTER_CS    0x174u
#define MSR_PAT            0x277u
#define MSR_EFER           0xc0000080u
#define MSR_LSTAR          0xc0000082u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define EFER_SCE  BIT(0)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_NXE  BIT(11)
#define EFER_SVME BIT(12)

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

/* Does this bit say that the CPU has something? `reg`: 0 to 3 are EAX, EBX, ECX, EDX. */
static inline bool cpuid_shows(uint32_t leaf, unsigned reg, unsigned bit)
{
	struct cpuid r = cpuid(leaf, 0);

	return (reg == 0 ? r.eax : reg == 1 ? r.ebx : reg == 2 ? r.ecx : r.edx) >> bit & 1;
}

/*
 * A call of the VMM: operation in RBX, argument and result in RCX, second argument in RDX. Number 0
 * asks for the number of the name that RBX points to. Only where there is a VMM that has calls.
 */
static inline uint64_t vmm_call(uint64_t number, uint64_t rbx, uint64_t *rcx, uint64_t rdx)
{
	if (cpuid(0, 0).ecx == 0x6c65746e) /* "ntel" */
		__asm__ volatile("vmcall"
				 : "+a"(number), "+c"(*rcx), "+d"(rdx)
				 : "b"(rbx)
				 : "memory");
	else
		__asm__ volatile("vmmcall"
				 : "+a"(number), "+c"(*rcx), "+d"(rdx)
				 : "b"(rbx)
				 : "memory");
	return number;
}

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

#define CPU_CR(n)                                                                                  \
	static inline uint64_t read_cr##n(void)                                                    \
	{                                                                                          \
		uint64_t value;                                                                    \
		__asm__ volatile("movq %%cr" #n ", %0" : "=r"(value) : : "memory");                \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_cr##n(uint64_t value)                                             \
	{                                                                                          \
		__asm__ volatile("movq %0, %%cr" #n : : "r"(value) : "memory");                    \
	}
CPU_CR(0)
CPU_CR(2)
CPU_CR(3)
CPU_CR(4)
CPU_CR(8)
#undef CPU_CR

#define CPU_DR(n)                                                                                  \
	static inline uint64_t read_dr##n(void)                                                    \
	{                                                                                          \
		uint64_t value;                                                                    \
		__asm__ volatile("movq %%dr" #n ", %0" : "=r"(value));                             \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_dr##n(uint64_t value)                                             \
	{                                                                                          \
		__asm__ volatile("movq %0, %%dr" #n : : "r"(value));                               \
	}
CPU_DR(0)
CPU_DR(1)
CPU_DR(6)
CPU_DR(7)
#undef CPU_DR

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}
