/* The VMCB: control area, state-save area, intercept bits, clean bits, exit codes. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* SVM_EXIT_<NAME>. The code is 64 bits wide in the VMCB; the failures are negative. */
enum svm_exit {
#define SVM_EXIT(number, name) SVM_EXIT_##name = (number),
#include "core/x86/svm/exit_codes.h"
};
#define SVM_EXIT_DENSE_COUNT 0xa7 /* length of a total table for 000h..0a6h */

/* Word 00Ch (intercept[3]): same order as exit codes 060h..07Fh. */
#define SVM_INTERCEPT_INTR          (UINT32_C(1) << 0)
#define SVM_INTERCEPT_NMI           (UINT32_C(1) << 1)
#define SVM_INTERCEPT_SMI           (UINT32_C(1) << 2)
#define SVM_INTERCEPT_INIT          (UINT32_C(1) << 3)
#define SVM_INTERCEPT_VINTR         (UINT32_C(1) << 4)
#define SVM_INTERCEPT_CR0_SEL_WRITE (UINT32_C(1) << 5)
#define SVM_INTERCEPT_IDTR_READ     (UINT32_C(1) << 6)
#define SVM_INTERCEPT_GDTR_READ     (UINT32_C(1) << 7)
#define SVM_INTERCEPT_LDTR_READ     (UINT32_C(1) << 8)
#define SVM_INTERCEPT_TR_READ       (UINT32_C(1) << 9)
#define SVM_INTERCEPT_IDTR_WRITE    (UINT32_C(1) << 10)
#define SVM_INTERCEPT_GDTR_WRITE    (UINT32_C(1) << 11)
#define SVM_INTERCEPT_LDTR_WRITE    (UINT32_C(1) << 12)
#define SVM_INTERCEPT_TR_WRITE      (UINT32_C(1) << 13)
#define SVM_INTERCEPT_RDTSC         (UINT32_C(1) << 14)
#define SVM_INTERCEPT_RDPMC         (UINT32_C(1) << 15)
#define SVM_INTERCEPT_PUSHF         (UINT32_C(1) << 16)
#define SVM_INTERCEPT_POPF          (UINT32_C(1) << 17)
#define SVM_INTERCEPT_CPUID         (UINT32_C(1) << 18)
#define SVM_INTERCEPT_RSM           (UINT32_C(1) << 19)
#define SVM_INTERCEPT_IRET          (UINT32_C(1) << 20)
#define SVM_INTERCEPT_SWINT         (UINT32_C(1) << 21)
#define SVM_INTERCEPT_INVD          (UINT32_C(1) << 22)
#define SVM_INTERCEPT_PAUSE         (UINT32_C(1) << 23)
#define SVM_INTERCEPT_HLT           (UINT32_C(1) << 24)
#define SVM_INTERCEPT_INVLPG        (UINT32_C(1) << 25)
#define SVM_INTERCEPT_INVLPGA       (UINT32_C(1) << 26)
#define SVM_INTERCEPT_IOIO_PROT     (UINT32_C(1) << 27)
#define SVM_INTERCEPT_MSR_PROT      (UINT32_C(1) << 28)
#define SVM_INTERCEPT_TASK_SWITCH   (UINT32_C(1) << 29)
#define SVM_INTERCEPT_FERR_FREEZE   (UINT32_C(1) << 30)
#define SVM_INTERCEPT_SHUTDOWN      (UINT32_C(1) << 31)

/* Word 010h (intercept[4]): same order as exit codes 080h..09Fh. */
#define SVM_INTERCEPT_VMRUN             (UINT32_C(1) << 0)
#define SVM_INTERCEPT_VMMCALL           (UINT32_C(1) << 1)
#define SVM_INTERCEPT_VMLOAD            (UINT32_C(1) << 2)
#define SVM_INTERCEPT_VMSAVE            (UINT32_C(1) << 3)
#define SVM_INTERCEPT_STGI              (UINT32_C(1) << 4)
#define SVM_INTERCEPT_CLGI              (UINT32_C(1) << 5)
#define SVM_INTERCEPT_SKINIT            (UINT32_C(1) << 6)
#define SVM_INTERCEPT_RDTSCP            (UINT32_C(1) << 7)
#define SVM_INTERCEPT_ICEBP             (UINT32_C(1) << 8)
#define SVM_INTERCEPT_WBINVD            (UINT32_C(1) << 9)
#define SVM_INTERCEPT_MONITOR           (UINT32_C(1) << 10)
#define SVM_INTERCEPT_MWAIT             (UINT32_C(1) << 11)
#define SVM_INTERCEPT_MWAIT_CONDITIONAL (UINT32_C(1) << 12)
#define SVM_INTERCEPT_XSETBV            (UINT32_C(1) << 13)
#define SVM_INTERCEPT_RDPRU             (UINT32_C(1) << 14)
#define SVM_INTERCEPT_EFER_WRITE_TRAP   (UINT32_C(1) << 15)
#define SVM_INTERCEPT_CR0_WRITE_TRAP    (UINT32_C(1) << 16) /* CRn: 16 + n */

/* Word 014h (intercept[5]): same order as exit codes 0A0h.. */
#define SVM_INTERCEPT_INVLPGB         (UINT32_C(1) << 0)
#define SVM_INTERCEPT_INVLPGB_ILLEGAL (UINT32_C(1) << 1)
#define SVM_INTERCEPT_INVPCID         (UINT32_C(1) << 2)
#define SVM_INTERCEPT_MCOMMIT         (UINT32_C(1) << 3)
#define SVM_INTERCEPT_TLBSYNC         (UINT32_C(1) << 4)
#define SVM_INTERCEPT_BUSLOCK         (UINT32_C(1) << 5)
#define SVM_INTERCEPT_IDLE_HLT        (UINT32_C(1) << 6)

/* Which intercept word and bit raise a dense exit code: code / 32 for 000h..07Fh and beyond. */
#define SVM_INTERCEPT_WORD(code) ((code) / 32)
#define SVM_INTERCEPT_BIT(code)  (UINT32_C(1) << ((code) % 32))

/* TLB_CONTROL (05Ch). */
#define SVM_TLB_NOTHING          0
#define SVM_TLB_FLUSH_ALL        1
#define SVM_TLB_FLUSH_ASID       3 /* with flush-by-ASID */
#define SVM_TLB_FLUSH_ASID_LOCAL 7 /* the ASID's non-global entries */

/* Virtual interrupt control (060h). */
#define SVM_VINTR_TPR(v)     ((uint64_t)(v)&0xff)
#define SVM_VINTR_IRQ        (UINT64_C(1) << 8)
#define SVM_VINTR_GIF        (UINT64_C(1) << 9)
#define SVM_VINTR_NMI        (UINT64_C(1) << 11)
#define SVM_VINTR_NMI_MASK   (UINT64_C(1) << 12)
#define SVM_VINTR_PRIO(v)    (((uint64_t)(v)&15) << 16)
#define SVM_VINTR_IGNORE_TPR (UINT64_C(1) << 20)
#define SVM_VINTR_MASKING    (UINT64_C(1) << 24)
#define SVM_VINTR_GIF_ENABLE (UINT64_C(1) << 25)
#define SVM_VINTR_NMI_ENABLE (UINT64_C(1) << 26)
#define SVM_VINTR_X2AVIC     (UINT64_C(1) << 30)
#define SVM_VINTR_AVIC       (UINT64_C(1) << 31)
#define SVM_VINTR_VECTOR(v)  (((uint64_t)(v)&0xff) << 32)

/* Interrupt shadow (068h), nested control (090h), virtualisation extensions (0B8h). */
#define SVM_SHADOW_INTERRUPT      (UINT64_C(1) << 0)
#define SVM_SHADOW_GUEST_IF       (UINT64_C(1) << 1)
#define SVM_NESTED_NP_ENABLE      (UINT64_C(1) << 0)
#define SVM_NESTED_SEV            (UINT64_C(1) << 1)
#define SVM_NESTED_SEV_ES         (UINT64_C(1) << 2)
#define SVM_NESTED_GMET           (UINT64_C(1) << 3)
#define SVM_NESTED_SSS_CHECK      (UINT64_C(1) << 4)
#define SVM_NESTED_VTE            (UINT64_C(1) << 5)
#define SVM_NESTED_RO_PAGE_TABLES (UINT64_C(1) << 6)
#define SVM_NESTED_INVLPGB_ENABLE (UINT64_C(1) << 7)
#define SVM_EXT_LBR               (UINT64_C(1) << 0)
#define SVM_EXT_VIRT_VMSAVE       (UINT64_C(1) << 1)

/* EVENTINJ (0A8h) and EXITINTINFO (088h). */
#define SVM_EVENT_VECTOR(v)   ((uint64_t)(v)&0xff)
#define SVM_EVENT_TYPE_INTR   (UINT64_C(0) << 8)
#define SVM_EVENT_TYPE_NMI    (UINT64_C(2) << 8)
#define SVM_EVENT_TYPE_EXCP   (UINT64_C(3) << 8)
#define SVM_EVENT_TYPE_SOFT   (UINT64_C(4) << 8)
#define SVM_EVENT_TYPE_MASK   (UINT64_C(7) << 8)
#define SVM_EVENT_ERROR_VALID (UINT64_C(1) << 11)
#define SVM_EVENT_VALID       (UINT64_C(1) << 31)
#define SVM_EVENT_ERROR(e)    ((uint64_t)(e) << 32)

/* VMCB clean bits (0C0h), APM 2 15.15.3: set = unchanged since the last #VMEXIT on this CPU. The
 * fields of each group: clean.c. */
#define SVM_CLEAN_I    (UINT32_C(1) << 0) /* intercepts, TSC offset, pause filter */
#define SVM_CLEAN_IOPM (UINT32_C(1) << 1) /* IOPM and MSRPM bases */
#define SVM_CLEAN_ASID (UINT32_C(1) << 2)
#define SVM_CLEAN_TPR  (UINT32_C(1) << 3) /* 060h */
#define SVM_CLEAN_NP   (UINT32_C(1) << 4) /* N_CR3, G_PAT, nested control */
#define SVM_CLEAN_CRX  (UINT32_C(1) << 5) /* CR0, CR3, CR4, EFER */
#define SVM_CLEAN_DRX  (UINT32_C(1) << 6) /* DR6, DR7 */
#define SVM_CLEAN_DT   (UINT32_C(1) << 7) /* GDTR, IDTR */
#define SVM_CLEAN_SEG  (UINT32_C(1) << 8) /* CS, DS, SS, ES, CPL */
#define SVM_CLEAN_CR2  (UINT32_C(1) << 9)
#define SVM_CLEAN_LBR  (UINT32_C(1) << 10) /* DBGCTL, BR_*, LASTEXCP* */
#define SVM_CLEAN_AVIC (UINT32_C(1) << 11)
#define SVM_CLEAN_CET  (UINT32_C(1) << 12) /* S_CET, SSP, ISST */
#define SVM_CLEAN_ALL  UINT32_C(0x1fff)

/* Control area (APM 2 appendix B, table B-1). */
struct vmcb_control {
	uint32_t intercept[6]; /* 000h CR, 004h DR, 008h exceptions, 00Ch, 010h, 014h */
	uint8_t reserved_018[0x24];
	uint16_t pause_filter_threshold; /* 03Ch */
	uint16_t pause_filter_count;     /* 03Eh */
	uint64_t iopm_base_pa;           /* 040h */
	uint64_t msrpm_base_pa;          /* 048h */
	uint64_t tsc_offset;             /* 050h */
	uint32_t guest_asid;             /* 058h */
	uint8_t tlb_control;             /* 05Ch */
	uint8_t reserved_05d[3];
	uint64_t vintr;            /* 060h: SVM_VINTR_* */
	uint64_t interrupt_shadow; /* 068h: SVM_SHADOW_* */
	uint64_t exitcode;         /* 070h */
	uint64_t exitinfo1;        /* 078h */
	uint64_t exitinfo2;        /* 080h */
	uint64_t exitintinfo;      /* 088h */
	uint64_t nested_control;   /* 090h: SVM_NESTED_* */
	uint64_t avic_apic_bar;    /* 098h */
	uint64_t ghcb_pa;          /* 0A0h */
	uint64_t eventinj;         /* 0A8h */
	uint64_t n_cr3;            /* 0B0h */
	uint64_t virt_ext;         /* 0B8h: SVM_EXT_* */
	uint32_t clean;            /* 0C0h: SVM_CLEAN_* */
	uint32_t reserved_0c4;
	uint64_t nrip;                       /* 0C8h */
	uint8_t fetched_byte_count;          /* 0D0h */
	uint8_t guest_instruction_bytes[15]; /* 0D1h */
	uint64_t avic_backing_page;          /* 0E0h */
	uint64_t reserved_0e8;
	uint64_t avic_logical_table;  /* 0F0h */
	uint64_t avic_physical_table; /* 0F8h */
	uint64_t reserved_100;
	uint64_t vmsa_pointer;       /* 108h */
	uint64_t vmgexit_rax;        /* 110h */
	uint64_t vmgexit_cpl;        /* 118h */
	uint16_t bus_lock_threshold; /* 120h */
	uint8_t reserved_122[0x2be];
	uint8_t host_reserved[0x20]; /* 3E0h: left to the hypervisor by the manual */
};

/* A segment register as the VMCB holds it; attrib: descriptor bits 55:52 and 47:40 packed into 12
 * bits. */
struct vmcb_segment {
	uint16_t selector;
	uint16_t attrib;
	uint32_t limit;
	uint64_t base;
};

/* State-save area (table B-2), offset 400h. */
struct vmcb_save {
	struct vmcb_segment es, cs, ss, ds, fs, gs; /* 000h */
	struct vmcb_segment gdtr, ldtr, idtr, tr;   /* 060h */
	uint8_t reserved_0a0[0x2b];
	uint8_t cpl; /* 0CBh */
	uint32_t reserved_0cc;
	uint64_t efer; /* 0D0h */
	uint8_t reserved_0d8[0x70];
	uint64_t cr4;    /* 148h */
	uint64_t cr3;    /* 150h */
	uint64_t cr0;    /* 158h */
	uint64_t dr7;    /* 160h */
	uint64_t dr6;    /* 168h */
	uint64_t rflags; /* 170h */
	uint64_t rip;    /* 178h */
	uint8_t reserved_180[0x58];
	uint64_t rsp;            /* 1D8h */
	uint64_t s_cet;          /* 1E0h */
	uint64_t ssp;            /* 1E8h */
	uint64_t isst_addr;      /* 1F0h */
	uint64_t rax;            /* 1F8h */
	uint64_t star;           /* 200h */
	uint64_t lstar;          /* 208h */
	uint64_t cstar;          /* 210h */
	uint64_t sfmask;         /* 218h */
	uint64_t kernel_gs_base; /* 220h */
	uint64_t sysenter_cs;    /* 228h */
	uint64_t sysenter_esp;   /* 230h */
	uint64_t sysenter_eip;   /* 238h */
	uint64_t cr2;            /* 240h */
	uint8_t reserved_248[0x20];
	uint64_t g_pat;        /* 268h */
	uint64_t dbgctl;       /* 270h */
	uint64_t br_from;      /* 278h */
	uint64_t br_to;        /* 280h */
	uint64_t lastexcpfrom; /* 288h */
	uint64_t lastexcpto;   /* 290h */
	uint64_t dbgextncfg;   /* 298h */
	uint8_t reserved_2a0[0x40];
	uint64_t spec_ctrl; /* 2E0h */
	uint8_t reserved_2e8[0x918];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
};

#define VMCB_CONTROL_AT(field, offset)                                                             \
	static_assert(offsetof(struct vmcb, control.field) == (offset), "VMCB " #field)
#define VMCB_SAVE_AT(field, offset)                                                                \
	static_assert(offsetof(struct vmcb, save.field) == 0x400 + (offset), "VMCB save " #field)
VMCB_CONTROL_AT(intercept, 0x000);
VMCB_CONTROL_AT(pause_filter_threshold, 0x03c);
VMCB_CONTROL_AT(pause_filter_count, 0x03e);
VMCB_CONTROL_AT(iopm_base_pa, 0x040);
VMCB_CONTROL_AT(msrpm_base_pa, 0x048);
VMCB_CONTROL_AT(tsc_offset, 0x050);
VMCB_CONTROL_AT(guest_asid, 0x058);
VMCB_CONTROL_AT(tlb_control, 0x05c);
VMCB_CONTROL_AT(vintr, 0x060);
VMCB_CONTROL_AT(interrupt_shadow, 0x068);
VMCB_CONTROL_AT(exitcode, 0x070);
VMCB_CONTROL_AT(exitinfo1, 0x078);
VMCB_CONTROL_AT(exitinfo2, 0x080);
VMCB_CONTROL_AT(exitintinfo, 0x088);
VMCB_CONTROL_AT(nested_control, 0x090);
VMCB_CONTROL_AT(avic_apic_bar, 0x098);
VMCB_CONTROL_AT(ghcb_pa, 0x0a0);
VMCB_CONTROL_AT(eventinj, 0x0a8);
VMCB_CONTROL_AT(n_cr3, 0x0b0);
VMCB_CONTROL_AT(virt_ext, 0x0b8);
VMCB_CONTROL_AT(clean, 0x0c0);
VMCB_CONTROL_AT(nrip, 0x0c8);
VMCB_CONTROL_AT(fetched_byte_count, 0x0d0);
VMCB_CONTROL_AT(guest_instruction_bytes, 0x0d1);
VMCB_CONTROL_AT(avic_backing_page, 0x0e0);
VMCB_CONTROL_AT(avic_logical_table, 0x0f0);
VMCB_CONTROL_AT(avic_physical_table, 0x0f8);
VMCB_CONTROL_AT(vmsa_pointer, 0x108);
VMCB_CONTROL_AT(vmgexit_rax, 0x110);
VMCB_CONTROL_AT(vmgexit_cpl, 0x118);
VMCB_CONTROL_AT(bus_lock_threshold, 0x120);
VMCB_CONTROL_AT(host_reserved, 0x3e0);
VMCB_SAVE_AT(es, 0x000);
VMCB_SAVE_AT(cs, 0x010);
VMCB_SAVE_AT(ss, 0x020);
VMCB_SAVE_AT(ds, 0x030);
VMCB_SAVE_AT(fs, 0x040);
VMCB_SAVE_AT(gs, 0x050);
VMCB_SAVE_AT(gdtr, 0x060);
VMCB_SAVE_AT(ldtr, 0x070);
VMCB_SAVE_AT(idtr, 0x080);
VMCB_SAVE_AT(tr, 0x090);
VMCB_SAVE_AT(cpl, 0x0cb);
VMCB_SAVE_AT(efer, 0x0d0);
VMCB_SAVE_AT(cr4, 0x148);
VMCB_SAVE_AT(cr3, 0x150);
VMCB_SAVE_AT(cr0, 0x158);
VMCB_SAVE_AT(dr7, 0x160);
VMCB_SAVE_AT(dr6, 0x168);
VMCB_SAVE_AT(rflags, 0x170);
VMCB_SAVE_AT(rip, 0x178);
VMCB_SAVE_AT(rsp, 0x1d8);
VMCB_SAVE_AT(s_cet, 0x1e0);
VMCB_SAVE_AT(ssp, 0x1e8);
VMCB_SAVE_AT(isst_addr, 0x1f0);
VMCB_SAVE_AT(rax, 0x1f8);
VMCB_SAVE_AT(star, 0x200);
VMCB_SAVE_AT(lstar, 0x208);
VMCB_SAVE_AT(cstar, 0x210);
VMCB_SAVE_AT(sfmask, 0x218);
VMCB_SAVE_AT(kernel_gs_base, 0x220);
VMCB_SAVE_AT(sysenter_cs, 0x228);
VMCB_SAVE_AT(sysenter_esp, 0x230);
VMCB_SAVE_AT(sysenter_eip, 0x238);
VMCB_SAVE_AT(cr2, 0x240);
VMCB_SAVE_AT(g_pat, 0x268);
VMCB_SAVE_AT(dbgctl, 0x270);
VMCB_SAVE_AT(br_from, 0x278);
VMCB_SAVE_AT(br_to, 0x280);
VMCB_SAVE_AT(lastexcpfrom, 0x288);
VMCB_SAVE_AT(lastexcpto, 0x290);
VMCB_SAVE_AT(dbgextncfg, 0x298);
VMCB_SAVE_AT(spec_ctrl, 0x2e0);
#undef VMCB_CONTROL_AT
#undef VMCB_SAVE_AT
static_assert(sizeof(struct vmcb_segment) == 16, "VMCB segment");
static_assert(sizeof(struct vmcb) == 4096, "VMCB");
