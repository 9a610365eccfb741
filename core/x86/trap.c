/* Exceptions and NMIs that hit the VMM itself: the IDT and its handlers. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/trap.h"
#include "core/panic.h"
#include "core/vm/nmi.h"
#include "core/vm/startup.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

struct idt_gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset16;
	uint32_t offset32, reserved;
};

#define VECTORS 256

extern const uint64_t trap_entries[VECTORS];
extern void trap_let_interrupt(void);
extern const char trap_let_interrupt_end[];
extern const char cpu_wait_end[];
extern const struct {
	uint64_t from, to;
} section_extable_start[], section_extable_end[];

/*
 * The second one is for trap_let_interrupt(). An interrupt there may have the vector of an
 * exception with a stack of its own, and blocks no NMI, which would begin on the same stack again.
 */
static struct idt_gate idt[VECTORS] __attribute__((aligned(16))),
    accept_idt[VECTORS] __attribute__((aligned(16)));
/* The boot CPU's own: what came, and whether a machine check is being handled. */
static volatile int accepted;
static bool in_machine_check;

void trap_init(void)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		uint64_t a = trap_entries[i];

		idt[i] = (struct idt_gate){
		    .offset0 = (uint16_t)a,
		    .selector = HOST_CS,
		    .ist = i == VECTOR_DF    ? IST_DF
			   : i == VECTOR_NMI ? IST_NMI
			   : i == VECTOR_MC  ? IST_MC
					     : 0,
		    .type = 0x8e, /* interrupt gate, present */
		    .offset16 = (uint16_t)(a >> 16),
		    .offset32 = (uint32_t)(a >> 32),
		};
		accept_idt[i] = idt[i];
		accept_idt[i].ist = 0;
	}
}

static void load(const struct idt_gate *gates)
{
	struct desc_ptr d = {sizeof(idt) - 1, (uintptr_t)gates};

	lidt(&d);
}

void trap_load(void)
{
	load(idt);
}

int trap_accept_interrupt(void)
{
	uint64_t status = 0;

	accepted = -1;
	rdmsr_safe(MSR_MCG_STATUS, &status);
	in_machine_check = status & MCG_STATUS_MCIP;
	load(accept_idt);
	trap_let_interrupt();
	load(idt);
	return accepted;
}

/*
 * Nothing that runs there raises an exception, so what comes is an interrupt, whose vector the
 * guest chooses, below 32 as well. Not an NMI, or what could be one. The two others that come from
 * elsewhere: #SX tells it by its error code; and a machine check sets MCIP, and while that is set,
 * as the guest can do, there is none (SDM 3B 16.3.1.2: the CPU shuts down).
 */
static bool is_interrupt(const struct trap_frame *f)
{
	return f->rip > (uintptr_t)trap_let_interrupt &&
	       f->rip < (uintptr_t)trap_let_interrupt_end && f->vector != VECTOR_NMI &&
	       !(f->vector == VECTOR_SX && f->error) &&
	       !(f->vector == VECTOR_MC && !in_machine_check &&
		 rdmsr(MSR_MCG_STATUS) & MCG_STATUS_MCIP);
}

void trap_handle(struct trap_frame *f)
{
	if (is_interrupt(f)) {
		f->rflags &= ~RFLAGS_IF; /* no other one */
		accepted = (int)f->vector;
		return;
	}
	if (f->vector == VECTOR_NMI) {
		if (f->rip >= (uintptr_t)cpu_wait && f->rip < (uintptr_t)cpu_wait_end)
			f->rip = (uintptr_t)cpu_wait;
		nmi_host();
		return;
	}
	/* MCG_STATUS.RIPV (SDM 3B 16.3.1.2): the interrupted instruction can go on, so the guest's
	 * handler decides */
	if (f->vector == VECTOR_MC && cpu_count && (rdmsr(MSR_MCG_STATUS) & 1)) {
		nmi_host_machine_check();
		return;
	}
	if (f->vector == VECTOR_SX) { /* AMD-V: an INIT, redirected by VM_CR.R_INIT */
		startup_host_init();
		return;
	}
	for (__typeof__(&section_extable_start[0]) e = section_extable_start;
	     e < section_extable_end; e++) {
		if (e->from == f->rip) {
			f->rip = e->to;
			return;
		}
	}
	panic_trap(f);
}
