/* The guest's CPU: registers that exits save, neutral exit records, and the state that hand-over
 * moves. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/addr.h"

enum gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_COUNT = 16
};

/*
 * A bit for each that is saved for a lean exit (gprs_scratch in core/x86/gprs.inc, and RAX): the
 * others are still in the CPU, and what struct vcpu holds of them is old.
 */
#define GPRS_SCRATCH                                                                               \
	(1u << GPR_RAX | 1u << GPR_RCX | 1u << GPR_RDX | 1u << GPR_RBX | 1u << GPR_RSI |           \
	 1u << GPR_RDI | 0xfu << GPR_R8)

/* Segment attributes as in a VMCB: bits 0-3 type, 4 S, 5-6 DPL, 7 P, 8 AVL, 9 L, 10 D/B, 11 G. */
#define SEG_ATTR_P  0x80u
#define SEG_ATTR_L  0x200u
#define SEG_ATTR_DB 0x400u

struct seg_state {
	uint16_t selector;
	uint16_t attr;  /* 0: unusable */
	uint32_t limit; /* bytes, granularity applied */
	uint64_t base;
};

enum seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

struct table_state {
	uint64_t base;
	uint32_t limit;
};

/*
 * A stopped CPU's architectural state: what hand-over captures, loads and gives back. Registers
 * that an entry does not touch (x87, vector, DR0-3, most MSRs) stay in the CPU and are not here.
 */
struct vcpu_state {
	uint64_t gpr[GPR_COUNT];
	uint64_t rip, rflags;
	struct seg_state seg[SEG_COUNT];
	struct table_state gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, efer;
	uint64_t dr6, dr7;
	uint64_t pat, debugctl;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
};

/* Event to deliver to the guest, types as in VMCB EVENTINJ and VMCS interruption information. The
 * last two are exceptions on AMD-V. */
enum event_type {
	EVENT_INTR = 0,
	EVENT_NMI = 2,
	EVENT_EXCEPTION = 3,
	EVENT_SOFT_INT = 4,      /* INT n */
	EVENT_PRIVILEGED = 5,    /* INT1 (ICEBP) */
	EVENT_SOFT_EXCEPTION = 6 /* INT3, INTO */
};

struct event {
	uint8_t vector;
	uint8_t type; /* enum event_type */
	bool has_error;
	uint32_t error;
	uint64_t cr2; /* exception 14 only */
};

/* Registers that vmm_ops sets one by one. EFER as the guest has it. */
enum vcpu_reg { REG_RIP, REG_RSP, REG_RFLAGS, REG_EFER };

/* Neutral exit records: the vendor's exit code fills them, core/vm acts on them. */
struct io_access {
	uint16_t port;
	uint8_t size; /* 1, 2, 4 bytes */
	bool write, string, rep;
	/* all of it, as the vendor's exit says it, not 0: to know an access again; bits 31:16 the
	 * port */
	uint32_t word;
};

struct mem_fault {
	gpa_t gpa;
	bool write, fetch;
	bool walk;     /* while the CPU walked or updated the guest's page tables */
	bool delivery; /* while the CPU delivered an event: not the instruction at RIP */
};

/* What a neutral handler decided about the instruction that exited. */
enum exit_result {
	EXIT_RESUME,  /* RIP stays: retry, or the handler set it, or an event was injected */
	EXIT_ADVANCE, /* the instruction is done */
	EXIT_STEP,    /* the guest runs this one instruction, then mmio_step_end() is called */
};

/* What an exiting CPU does before it goes on; bits in struct vcpu.kick, set by other CPUs with an
 * NMI. */
enum kick {
	KICK_FLUSH = 1 << 0, /* nested translations are stale */
	KICK_STOP = 1 << 1,  /* panic: dump and stop */
	KICK_STARTUP =
	    1 << 2,           /* startup_check(): INIT, start-up IPI or NMI in the mailbox, or S3 */
	KICK_NMI = 1 << 3,    /* deliver the NMI that waits behind another event */
	KICK_RETIRE = 1 << 4, /* out of the VMM: the start is given up */
	KICK_SYSMSR = 1 << 5, /* from the CPU itself, without NMI: see core/vm/sysmsr.h */
	KICK_WAKE = 1 << 6,   /* look at when the next wake-up is due */
};

enum run_state {
	RUN_GUEST,         /* runs guest code */
	RUN_WAIT_FOR_SIPI, /* parked in the VMM until a start-up IPI */
};

#define APIC_PAGE_NOWHERE UINT64_MAX

struct vcpu {
	uint64_t gpr[GPR_COUNT]; /* RAX and RSP: valid in exit handlers only (vendor keeps them) */
	uint64_t vendor_pa;      /* physical address of VMCB or VMCS; asm reads it at offset 128 */
	uint64_t
	    vendor_host_pa; /* AMD-V: VMCB that holds the host's TR, FS, GS...; asm: offset 136 */
	void *vendor;       /* VMCB, or the VT-x private block */
	uint64_t launched;  /* VT-x: VMLAUNCH done; asm: offset 152 */

	/* Pending work: all of it is looked at by asm in two words, at offsets 160 and 168. */
	uint32_t kick;     /* atomic; bits of enum kick */
	uint32_t host_nmi; /* NMIs taken in host mode and not yet accounted for; atomic, also from
			      the NMI handler */
	uint32_t init_pending; /* atomic: INIT arrived */
	uint16_t mc_pending;   /* a machine check hit the host and belongs to the guest; set by its
				  handler */
	uint16_t no_lean;      /* VT-x: each exit counts, as turns of threads are due */

	uint32_t sipi_vector; /* atomic: 0x100 | vector of a start-up IPI, 0 none; else taken */
	uint32_t nmi_posted;  /* atomic: NMIs that the guest has sent to this CPU */
	enum run_state run_state;
	bool active;           /* this CPU runs under the VMM */
	uint32_t flushes_done; /* atomic: answers KICK_FLUSH, see nmi_flush_all() */
	bool nmi_blocked;      /* the guest is in its NMI handler (AMD-V tracks it by IRET) */
	bool nmi_pending;      /* one NMI waits for the guest's handler to end */
	bool halted;         /* AMD-V: HLT exits, and the guest is in the one that RIP points to */
	uint8_t halt_length; /* of that instruction */
	bool apic_off;       /* the guest has switched its APIC off, which stays on: apic_hide() */
	uint64_t apic_base;  /* guest's IA32_APIC_BASE as last seen */
	uint64_t apic_page;  /* where this CPU's xAPIC is, if its writes exit and most of them need
				no look; else APIC_PAGE_NOWHERE */
	/* its registers in the VMM's address space; NULL: where apic_init() has mapped them */
	volatile uint32_t *apic_registers;

	/* caches of one entry, CPUID and RDMSR or WRMSR: for exits without a saved next RIP */
	struct {
		uint64_t rip, cr3;
		uint64_t next; /* RIP behind the instruction */
		uint16_t cs;   /* attributes of CS; 0: none yet */
	} length_cache[2];

	/* While the guest runs one instruction alone, on pages that are trapped otherwise */
	struct {
		bool active;
		bool iret; /* AMD-V: the IRET of an NMI handler instead, for the trap behind it */
		uint8_t page_count;
		uint64_t pages[4];
		uint64_t rflags, dr6; /* AMD-V: the guest's own */
		uint32_t exceptions;  /* AMD-V: those that were intercepted before */
	} step;

	/* exits in a row at one place that came to nothing (core/vm/mmio.c) */
	struct {
		uint64_t rip;
		uint32_t count;
	} stuck;

	uint32_t exit_count[176]; /* per vendor row of the exit table; wraps */
	uint64_t refused_writes;  /* guest writes into the VMM's region that were dropped */
};
