/* VMX control words: resolved from a requirement table and the CPU's capability MSRs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Pin-based VM-execution controls (SDM 3C 25.6.1). */
#define VT_PIN_EXT_INT           (UINT32_C(1) << 0)
#define VT_PIN_NMI               (UINT32_C(1) << 3)
#define VT_PIN_VIRTUAL_NMI       (UINT32_C(1) << 5)
#define VT_PIN_PREEMPTION_TIMER  (UINT32_C(1) << 6)
#define VT_PIN_POSTED_INTERRUPTS (UINT32_C(1) << 7)

/* Primary processor-based VM-execution controls (25.6.2). */
#define VT_PROC_INTERRUPT_WINDOW (UINT32_C(1) << 2)
#define VT_PROC_TSC_OFFSETTING   (UINT32_C(1) << 3)
#define VT_PROC_HLT              (UINT32_C(1) << 7)
#define VT_PROC_INVLPG           (UINT32_C(1) << 9)
#define VT_PROC_MWAIT            (UINT32_C(1) << 10)
#define VT_PROC_RDPMC            (UINT32_C(1) << 11)
#define VT_PROC_RDTSC            (UINT32_C(1) << 12)
#define VT_PROC_CR3_LOAD         (UINT32_C(1) << 15)
#define VT_PROC_CR3_STORE        (UINT32_C(1) << 16)
#define VT_PROC_TERTIARY         (UINT32_C(1) << 17)
#define VT_PROC_CR8_LOAD         (UINT32_C(1) << 19)
#define VT_PROC_CR8_STORE        (UINT32_C(1) << 20)
#define VT_PROC_TPR_SHADOW       (UINT32_C(1) << 21)
#define VT_PROC_NMI_WINDOW       (UINT32_C(1) << 22)
#define VT_PROC_MOV_DR           (UINT32_C(1) << 23)
#define VT_PROC_UNCOND_IO        (UINT32_C(1) << 24)
#define VT_PROC_IO_BITMAPS       (UINT32_C(1) << 25)
#define VT_PROC_MTF              (UINT32_C(1) << 27)
#define VT_PROC_MSR_BITMAPS      (UINT32_C(1) << 28)
#define VT_PROC_MONITOR          (UINT32_C(1) << 29)
#define VT_PROC_PAUSE            (UINT32_C(1) << 30)
#define VT_PROC_SECONDARY        (UINT32_C(1) << 31)

/* Secondary processor-based VM-execution controls (25.6.2). */
#define VT_PROC2_APIC_ACCESSES       (UINT32_C(1) << 0)
#define VT_PROC2_EPT                 (UINT32_C(1) << 1)
#define VT_PROC2_DESCRIPTOR_TABLE    (UINT32_C(1) << 2)
#define VT_PROC2_RDTSCP              (UINT32_C(1) << 3)
#define VT_PROC2_X2APIC_MODE         (UINT32_C(1) << 4)
#define VT_PROC2_VPID                (UINT32_C(1) << 5)
#define VT_PROC2_WBINVD              (UINT32_C(1) << 6)
#define VT_PROC2_UNRESTRICTED_GUEST  (UINT32_C(1) << 7)
#define VT_PROC2_APIC_REGISTER       (UINT32_C(1) << 8)
#define VT_PROC2_VIRTUAL_INTERRUPTS  (UINT32_C(1) << 9)
#define VT_PROC2_PAUSE_LOOP          (UINT32_C(1) << 10)
#define VT_PROC2_RDRAND              (UINT32_C(1) << 11)
#define VT_PROC2_INVPCID             (UINT32_C(1) << 12)
#define VT_PROC2_VMFUNC              (UINT32_C(1) << 13)
#define VT_PROC2_VMCS_SHADOWING      (UINT32_C(1) << 14)
#define VT_PROC2_ENCLS               (UINT32_C(1) << 15)
#define VT_PROC2_RDSEED              (UINT32_C(1) << 16)
#define VT_PROC2_PML                 (UINT32_C(1) << 17)
#define VT_PROC2_EPT_VE              (UINT32_C(1) << 18)
#define VT_PROC2_CONCEAL_PT          (UINT32_C(1) << 19)
#define VT_PROC2_XSAVES              (UINT32_C(1) << 20)
#define VT_PROC2_PASID_TRANSLATION   (UINT32_C(1) << 21)
#define VT_PROC2_MODE_BASED_EXECUTE  (UINT32_C(1) << 22)
#define VT_PROC2_SUB_PAGE_WRITE      (UINT32_C(1) << 23)
#define VT_PROC2_PT_GUEST_PHYSICAL   (UINT32_C(1) << 24)
#define VT_PROC2_TSC_SCALING         (UINT32_C(1) << 25)
#define VT_PROC2_USER_WAIT           (UINT32_C(1) << 26)
#define VT_PROC2_PCONFIG             (UINT32_C(1) << 27)
#define VT_PROC2_ENCLV               (UINT32_C(1) << 28)
#define VT_PROC2_BUS_LOCK            (UINT32_C(1) << 30)
#define VT_PROC2_INSTRUCTION_TIMEOUT (UINT32_C(1) << 31)

/* Primary VM-exit controls (25.7.1). */
#define VT_EXIT_SAVE_DEBUG            (UINT32_C(1) << 2)
#define VT_EXIT_HOST_64               (UINT32_C(1) << 9)
#define VT_EXIT_LOAD_PERF_GLOBAL_CTRL (UINT32_C(1) << 12)
#define VT_EXIT_ACK_INTERRUPT         (UINT32_C(1) << 15)
#define VT_EXIT_SAVE_PAT              (UINT32_C(1) << 18)
#define VT_EXIT_LOAD_PAT              (UINT32_C(1) << 19)
#define VT_EXIT_SAVE_EFER             (UINT32_C(1) << 20)
#define VT_EXIT_LOAD_EFER             (UINT32_C(1) << 21)
#define VT_EXIT_SAVE_PREEMPTION_TIMER (UINT32_C(1) << 22)
#define VT_EXIT_CLEAR_BNDCFGS         (UINT32_C(1) << 23)
#define VT_EXIT_CONCEAL_PT            (UINT32_C(1) << 24)
#define VT_EXIT_CLEAR_RTIT_CTL        (UINT32_C(1) << 25)
#define VT_EXIT_CLEAR_LBR_CTL         (UINT32_C(1) << 26)
#define VT_EXIT_CLEAR_UINV            (UINT32_C(1) << 27)
#define VT_EXIT_LOAD_CET              (UINT32_C(1) << 28)
#define VT_EXIT_LOAD_PKRS             (UINT32_C(1) << 29)
#define VT_EXIT_SAVE_PERF_GLOBAL_CTRL (UINT32_C(1) << 30)
#define VT_EXIT_SECONDARY             (UINT32_C(1) << 31)

/* VM-entry controls (25.8.1). */
#define VT_ENTRY_LOAD_DEBUG (UINT32_C(1) << 2)
#define VT_ENTRY_IA32E_GUEST                                                                       \
	(UINT32_C(1) << 9) /* follows the guest's EFER.LMA; never in the resolved word */
#define VT_ENTRY_TO_SMM                  (UINT32_C(1) << 10)
#define VT_ENTRY_DEACTIVATE_DUAL_MONITOR (UINT32_C(1) << 11)
#define VT_ENTRY_LOAD_PERF_GLOBAL_CTRL   (UINT32_C(1) << 13)
#define VT_ENTRY_LOAD_PAT                (UINT32_C(1) << 14)
#define VT_ENTRY_LOAD_EFER               (UINT32_C(1) << 15)
#define VT_ENTRY_LOAD_BNDCFGS            (UINT32_C(1) << 16)
#define VT_ENTRY_CONCEAL_PT              (UINT32_C(1) << 17)
#define VT_ENTRY_LOAD_RTIT_CTL           (UINT32_C(1) << 18)
#define VT_ENTRY_LOAD_UINV               (UINT32_C(1) << 19)
#define VT_ENTRY_LOAD_CET                (UINT32_C(1) << 20)
#define VT_ENTRY_LOAD_LBR_CTL            (UINT32_C(1) << 21)
#define VT_ENTRY_LOAD_PKRS               (UINT32_C(1) << 22)

/* IA32_VMX_EPT_VPID_CAP (SDM 3D A.10). */
#define VT_EPT_CAP_WALK_4          (UINT64_C(1) << 6)
#define VT_EPT_CAP_UC              (UINT64_C(1) << 8)
#define VT_EPT_CAP_WB              (UINT64_C(1) << 14)
#define VT_EPT_CAP_2M              (UINT64_C(1) << 16)
#define VT_EPT_CAP_1G              (UINT64_C(1) << 17)
#define VT_EPT_CAP_INVEPT          (UINT64_C(1) << 20)
#define VT_EPT_CAP_AD              (UINT64_C(1) << 21)
#define VT_EPT_CAP_INVEPT_SINGLE   (UINT64_C(1) << 25)
#define VT_EPT_CAP_INVEPT_ALL      (UINT64_C(1) << 26)
#define VT_EPT_CAP_INVVPID         (UINT64_C(1) << 32)
#define VT_EPT_CAP_INVVPID_ADDRESS (UINT64_C(1) << 40)
#define VT_EPT_CAP_INVVPID_SINGLE  (UINT64_C(1) << 41)
#define VT_EPT_CAP_INVVPID_ALL     (UINT64_C(1) << 42)
#define VT_EPT_CAP_INVVPID_RETAIN  (UINT64_C(1) << 43)

/* IA32_VMX_BASIC (A.1) and IA32_VMX_MISC (A.6). */
#define VT_BASIC_REVISION           UINT64_C(0x7fffffff)
#define VT_BASIC_32BIT_ADDRESSES    (UINT64_C(1) << 48)
#define VT_BASIC_DUAL_MONITOR       (UINT64_C(1) << 49)
#define VT_BASIC_MEMORY_TYPE(basic) ((unsigned int)((basic) >> 50) & 15)
#define VT_BASIC_INS_OUTS           (UINT64_C(1) << 54)
#define VT_BASIC_TRUE_CONTROLS      (UINT64_C(1) << 55)
#define VT_MISC_TIMER_SHIFT(misc)   ((unsigned int)(misc)&31)
#define VT_MISC_STORES_LMA          (UINT64_C(1) << 5)
#define VT_MISC_ACTIVITY_HLT        (UINT64_C(1) << 6)
#define VT_MISC_ACTIVITY_SHUTDOWN   (UINT64_C(1) << 7)
#define VT_MISC_ACTIVITY_WAIT_SIPI  (UINT64_C(1) << 8)

/* Numbers of the capability MSRs. */
#define MSR_VMX_BASIC UINT32_C(0x480) /* .. 0x493, in the order of struct vt_caps */

/* The capability MSRs as read; 0 for those the CPU does not have. */
struct vt_caps {
	uint64_t basic;                  /* 480h */
	uint64_t pin, proc, exit, entry; /* 481h..484h: low half must-be-1, high half may-be-1 */
	uint64_t misc;                   /* 485h */
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* 486h..489h */
	uint64_t vmcs_enum;                                      /* 48Ah */
	uint64_t proc2;    /* 48Bh, when proc allows "activate secondary controls" */
	uint64_t ept_vpid; /* 48Ch, when proc2 allows EPT or VPID */
	uint64_t true_pin, true_proc, true_exit, true_entry; /* 48Dh..490h, when basic bit 55 */
};

/* Reads the capability MSRs of this CPU through `rdmsr`, only those that exist. */
void vt_caps_read(struct vt_caps *caps, uint64_t (*rdmsr)(void *arg, uint32_t index), void *arg);

/* What a configuration asks for beyond the table; all zero is the lean default. */
struct vt_wants {
	bool io_bitmaps; /* must: some port is trapped */
	bool mtf;        /* no effect on the word: only checks that the monitor trap flag exists */
	bool pml;        /* wanted if available */
	uint32_t proc_exiting; /* extra VT_PROC_* exits that must be possible later (HLT, MWAIT,
				  ...): checked, not set */
};

struct vt_controls {
	uint32_t pin, proc, proc2, exit,
	    entry;                       /* initial control words; entry without IA32E_GUEST */
	uint64_t cr0_fixed0, cr0_fixed1; /* guest CR0: bits that must be 1 / may be 1, unrestricted
					    guest applied (PE, PG free) */
	uint64_t cr4_fixed0, cr4_fixed1; /* VMXE is in both: the guest's view hides it */
	uint64_t needs; /* FEATURE_NEED_BIT() of core/vm/features.h that these words meet */
	unsigned int timer_shift; /* preemption timer counts down once per 2^shift TSC ticks */
	bool vpid, invvpid_single, invvpid_all;
	bool invept_single, invept_all;
	bool ept_1g, ept_2m, ept_ad;
	bool timer_save; /* the timer's value is saved on exit */
	bool wait_sipi;  /* activity state wait-for-SIPI exists */
};

/*
 * Resolves the words. 0, or -ENODEV with *missing = what the CPU lacks, for the message "cannot
 * start: the CPU has no <missing>" (a constant string; the first lack in the table's order).
 */
int vt_controls_resolve(const struct vt_caps *caps, const struct vt_wants *wants,
			struct vt_controls *out, const char **missing);

/* Do the words resolved on another CPU hold on this one too? 0, or -ENODEV and *missing. */
int vt_controls_check(const struct vt_caps *caps, const struct vt_controls *resolved,
		      const char **missing);
