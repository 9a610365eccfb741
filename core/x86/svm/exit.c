/* AMD-V exits: handlers that translate, the total table, the dispatcher. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/audit.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/thread.h"
#include "core/vm/apicstore.h"
#include "core/vm/cpuid.h"
#include "core/vm/emulate.h"
#include "core/vm/io.h"
#include "core/vm/mmio.h"
#include "core/vm/mmio_again.h"
#include "core/vm/msr.h"
#include "core/vm/nested.h"
#include "core/vm/nmi.h"
#include "core/vm/startup.h"
#include "core/vm/vmcall.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/svm/nmi_when.h"
#include "core/x86/svm/svm.h"

#define DR6_BS     (UINT64_C(1) << 14)
#define DR6_CAUSES UINT64_C(0xe00f) /* B0-B3, BD, BS, BT */

/* EXITINFO1 of a nested page fault (APM 2 15.25.6). */
#define NPF_WRITE (UINT64_C(1) << 1)
#define NPF_FETCH (UINT64_C(1) << 4)
#define NPF_WALK  (UINT64_C(1) << 33) /* on the guest's page tables */

/* Flags of a row: the handler runs with the guest's TR, FS, GS... still in the CPU and GIF = 0. */
enum { LEAN = 1 };

typedef enum exit_result (*exit_handler)(struct vcpu *v);

/* ---- events ---- */

static void step_end(struct vcpu *v);

void svm_inject(struct vcpu *v, const struct event *e)
{
	struct vmcb *b = svm_vmcb(v);

	if (e && v->step.active) /* it would show the flags of the step */
		step_end(v);
	if (e)
		svm_halt_end(v);
	b->control.eventinj = 0;
	if (e && e->type == EVENT_EXCEPTION && e->vector == VECTOR_PF) {
		b->save.cr2 = e->cr2;
		b->control.clean &= ~SVM_CLEAN_CR2;
	}
	if (e)
		b->control.eventinj =
		    SVM_EVENT_VALID | (uint64_t)e->type << 8 | e->vector |
		    (e->has_error ? SVM_EVENT_ERROR_VALID | SVM_EVENT_ERROR(e->error) : 0);
}

bool svm_pending_event(const struct vcpu *v, struct event *e)
{
	uint64_t info = svm_vmcb(v)->control.eventinj;

	*e = (struct event){
	    .vector = (uint8_t)info,
	    .type = (uint8_t)(info >> 8 & 7),
	    .has_error = info & SVM_EVENT_ERROR_VALID,
	    .error = (uint32_t)(info >> 32),
	    .cr2 = svm_vmcb(v)->save.cr2,
	};
	return info & SVM_EVENT_VALID;
}

/* The guest's NMI handler is entered now; its IRET tells when it ends (no vNMI is used). */
static void nmi_enter(struct vcpu *v)
{
	struct vmcb_control *c = &svm_vmcb(v)->control;

	c->eventinj = SVM_EVENT_VALID | SVM_EVENT_TYPE_NMI | VECTOR_NMI;
	c->intercept[3] |= SVM_INTERCEPT_IRET;
	c->clean &= ~SVM_CLEAN_I;
	v->nmi_blocked = true;
}

void svm_inject_nmi(struct vcpu *v)
{
	enum svm_nmi when;

	v->nmi_pending = false;
	svm_halt_end(v);
	when = svm_nmi_when(&svm_vmcb(v)->control, v->nmi_blocked || v->step.active);
	v->nmi_pending = when != SVM_NMI_NOW;
	if (when == SVM_NMI_BEHIND)
		nmi_kick(this_cpu()->index, KICK_NMI);
	else if (when == SVM_NMI_NOW)
		nmi_enter(v);
}

void svm_advance(struct vcpu *v, unsigned length)
{
	struct vmcb *b = svm_vmcb(v);

	b->save.rip += length;
	if (!(b->save.cs.attrib & SEG_ATTR_L))
		b->save.rip = (uint32_t)b->save.rip;
	b->control.interrupt_shadow = 0;
	if (__builtin_expect((b->save.rflags & (RFLAGS_TF | RFLAGS_RF)) == 0, 1))
		return;
	b->save.rflags &= ~RFLAGS_RF; /* it holds for one instruction (APM 2 3.1.6) */
	if ((b->save.rflags & RFLAGS_TF) && !(b->control.eventinj & SVM_EVENT_VALID)) {
		if (v->step.active) {
			step_end(v); /* carried out by the VMM after all */
			if (!(b->save.rflags & RFLAGS_TF))
				return;
		}
		b->save.dr6 |= DR6_BS;
		b->control.clean &= ~SVM_CLEAN_DRX;
		b->control.eventinj = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCP | VECTOR_DB;
	}
}

/*
 * INT1 (ICEBP) or a debug exception? Both are exception 1. INT1 leaves DR6 alone, a debug exception
 * sets bits, and guests clear them: without any, and with the instruction at RIP, it is INT1.
 */
static bool is_icebp(struct vcpu *v)
{
	return !(svm_vmcb(v)->save.dr6 & DR6_CAUSES) && emulate_length(v, INSN_ICEBP, NULL) > 0;
}

/*
 * An exit hit the delivery of an event: deliver it again. INT n, INT3, INTO and INT1 are not: RIP
 * still points at the instruction, which runs again (APM 2 15.7.2). Injected, they would push that
 * RIP unless the CPU takes nRIP from the VMCB (15.20), which exits like this one do not set.
 */
static void event_redeliver(struct vcpu *v)
{
	struct vmcb_control *c = &svm_vmcb(v)->control;
	uint64_t type = c->exitintinfo & SVM_EVENT_TYPE_MASK, vector = c->exitintinfo & 0xff;

	if (type == SVM_EVENT_TYPE_SOFT ||
	    (type == SVM_EVENT_TYPE_EXCP &&
	     (vector == 3 || vector == 4 || (vector == VECTOR_DB && is_icebp(v)))))
		return;
	c->eventinj = c->exitintinfo;
	/* QEMU's TCG calls every event that is no INT n an exception; no exception has such a
	 * vector */
	if (type == SVM_EVENT_TYPE_EXCP && vector >= 32)
		c->eventinj &= ~SVM_EVENT_TYPE_MASK; /* SVM_EVENT_TYPE_INTR is 0 */
}

/*
 * A step of the VMM's own is over: is the debug exception the guest's as well, which traces or has
 * a breakpoint there? Else DR6 is as before. A cause that is new tells it, not any difference: the
 * CPU may clear B0 to B3, which the guest has set itself (SDM 3B 18.2.3; QEMU does).
 */
static bool own_debug(struct vcpu *v, bool traced)
{
	struct vmcb *b = svm_vmcb(v);
	bool own = traced || b->save.dr6 & ~v->step.dr6 & DR6_CAUSES & ~DR6_BS;

	if (!own)
		b->save.dr6 = v->step.dr6;
	else if (!traced)
		b->save.dr6 = (b->save.dr6 & ~DR6_BS) | (v->step.dr6 & DR6_BS);
	b->control.clean &= ~SVM_CLEAN_DRX;
	return own;
}

/*
 * EXIT_STEP: the guest runs one instruction. Nothing may be delivered meanwhile, or it would show
 * the flags: interrupts are off, NMIs wait, and exceptions exit.
 */
static void step_begin(struct vcpu *v)
{
	struct vmcb *b = svm_vmcb(v);

	if (v->step.active)
		return; /* one more page for the same instruction */
	v->step.active = true;
	v->step.rflags = b->save.rflags;
	v->step.dr6 = b->save.dr6;
	v->step.exceptions = b->control.intercept[2];
	b->save.rflags = (b->save.rflags | RFLAGS_TF) & ~RFLAGS_IF;
	b->control.intercept[2] = ~(1u << VECTOR_NMI | 1u << VECTOR_MC);
	b->control.clean &= ~SVM_CLEAN_I;
}

static void step_end(struct vcpu *v)
{
	struct vmcb *b = svm_vmcb(v);
	uint64_t own = RFLAGS_TF | RFLAGS_IF;

	b->save.rflags = (b->save.rflags & ~own) | (v->step.rflags & own);
	b->control.intercept[2] = v->step.exceptions;
	b->control.clean &= ~SVM_CLEAN_I;
	v->step.active = false;
	mmio_step_end(v);
	/* by an NMI of our own: another event, that the step's end brings, goes first */
	if (v->nmi_pending && !v->nmi_blocked)
		nmi_kick(this_cpu()->index, KICK_NMI);
}

/* An exception of the instruction that runs alone: the guest's, unless it is the end of the step.
 */
static enum exit_result step_exception(struct vcpu *v, unsigned vector)
{
	struct vmcb *b = svm_vmcb(v);
	bool traced = v->step.rflags & RFLAGS_TF;

	step_end(v);
	if (vector == VECTOR_DB) {
		b->control.interrupt_shadow = 0;
		if (!own_debug(v, traced))
			return EXIT_RESUME;
	}
	emulate_fault(v, (uint8_t)vector, (uint32_t)b->control.exitinfo1, b->control.exitinfo2);
	return EXIT_RESUME;
}

/* ---- handlers, in the order of the exit codes ---- */

/*
 * MOV to CR4, which exits only where the CPU has bits that are hidden from the guest. Without
 * decode assists the instruction must be read to know the register.
 */
static enum exit_result exit_cr4_write(struct vcpu *v)
{
	struct vmcb *b = svm_vmcb(v);
	struct insn_fields f;
	int length = emulate_length(v, INSN_MOV_TO_CR, &f);

	if (length <= 0)
		return EXIT_RESUME;
	uint64_t value = emulate_gpr(v, f.rm);

	if (value & ~guest_features.cr4_allowed)
		return emulate_gp(v);
	b->save.cr4 = value;
	b->control.tlb_control = SVM_TLB_FLUSH_ALL;
	b->control.clean &= ~SVM_CLEAN_CRX;
	svm_advance(v, (unsigned)length);
	return EXIT_RESUME;
}

/*
 * #DB: the guest's, with DR6 and DR7 as its handler is to find them (APM 2 15.12.2). It is asked
 * for because a breakpoint on the stack of its own handler makes the CPU deliver one behind the
 * other, where it takes no NMI. Or the end of an IRET that was stepped over: the guest's NMI
 * handler has ended. TF is then what that IRET has popped, so it stays.
 */
static enum exit_result exit_db(struct vcpu *v)
{
	bool own = true;

	if (v->step.active)
		return step_exception(v, VECTOR_DB);
	svm_vmcb(v)->control.interrupt_shadow = 0; /* its delivery ends it */
	if (v->step.iret) {
		v->step.iret = false;
		v->nmi_blocked = false;
		own = own_debug(v, v->step.rflags & RFLAGS_TF);
	}
	if (own)
		emulate_exception(v, VECTOR_DB, 0);
	if (v->nmi_pending && !v->nmi_blocked)
		svm_inject_nmi(v);
	return EXIT_RESUME;
}

/* #AC: the guest's. Asked for as #DB is, where the stack of its own handler is not aligned. */
static enum exit_result exit_ac(struct vcpu *v)
{
	if (v->step.active)
		return step_exception(v, VECTOR_AC);
	emulate_exception(v, VECTOR_AC, 0);
	return EXIT_RESUME;
}

static enum exit_result exit_sx(struct vcpu *v)
{
	(void)v;
	startup_host_init(); /* VM_CR.R_INIT: carried out before the next entry */
	return EXIT_RESUME;
}

/* Asked for by svm_wake(): the VMM's timer, or an interrupt that the guest takes behind this. */
static enum exit_result exit_intr(struct vcpu *v)
{
	return svm_exit_intr(v);
}

/* NMI: taken by the host's IDT when GIF was set. Before threads have their turn: it may be for one.
 */
static enum exit_result exit_nmi(struct vcpu *v)
{
	nmi_exit(v, false);
	svm_stgi(); /* svm_wait() has cleared it */
	return EXIT_RESUME;
}

static enum exit_result exit_cpuid(struct vcpu *v)
{
	cpuid_emulate(v);
	return EXIT_ADVANCE;
}

/* The guest's NMI handler returns: its IRET runs now, alone. NMIs stay blocked until exit_db(),
 * behind it. Or the handler of an interrupt that svm_wake() has looked at. */
static enum exit_result exit_iret(struct vcpu *v)
{
	struct vmcb *b = svm_vmcb(v);

	svm_intercept(v, 3, SVM_INTERCEPT_IRET, false);
	svm_wake_iret(v);
	if (!v->nmi_blocked)
		return EXIT_RESUME;
	v->step.iret = true;
	v->step.rflags = b->save.rflags;
	v->step.dr6 = b->save.dr6;
	b->save.rflags |= RFLAGS_TF;
	return EXIT_RESUME;
}

static enum exit_result exit_invd(struct vcpu *v)
{
	(void)v;
	__asm__ volatile("wbinvd" : : : "memory"); /* INVD would throw the VMM's own data away */
	return EXIT_ADVANCE;
}

/* Asked for by svm_wake(): the guest stays in it, exit after exit. */
static enum exit_result exit_hlt(struct vcpu *v)
{
	return svm_exit_hlt(v);
}

/* EXITINFO1: port 16-31, size 4-6, REP 3, STR 2, IN 0; EXITINFO2: next RIP (APM 2 15.10.2). */
static enum exit_result exit_ioio(struct vcpu *v)
{
	uint32_t info = (uint32_t)svm_vmcb(v)->control.exitinfo1;
	struct io_access io = {
	    .port = (uint16_t)(info >> 16),
	    .size = (uint8_t)(info >> 4 & 7),
	    .write = !(info & 1),
	    .string = info & 4,
	    .rep = info & 8,
	    .word = info,
	};

	return io_exit(v, &io);
}

static enum exit_result exit_msr(struct vcpu *v)
{
	return svm_vmcb(v)->control.exitinfo1 ? msr_write(v) : msr_read(v);
}

static _Noreturn enum exit_result exit_shutdown(struct vcpu *v)
{
	(void)v;
	emulate_shutdown();
}

/* SVM instructions: there is no AMD-V for the guest. */
static enum exit_result exit_ud(struct vcpu *v)
{
	return emulate_ud(v);
}

static enum exit_result exit_vmmcall(struct vcpu *v)
{
	return vmcall_exit(v);
}

/* Asked for by svm_wake(): it ends at once, as it may. */
static enum exit_result exit_mwait(struct vcpu *v)
{
	return svm_exit_mwait(v);
}

static enum exit_result exit_xsetbv(struct vcpu *v)
{
	uint64_t value = v->gpr[GPR_RDX] << 32 | (uint32_t)v->gpr[GPR_RAX];

	/* the CPU looks at CPL first, Bochs does not; and that must not be all that stands there */
	if (vmm_ops->cpl(v) != 0 || (uint32_t)v->gpr[GPR_RCX] != 0 ||
	    !features_xcr0_valid(&guest_features, value) || !xsetbv_safe(0, value))
		return emulate_gp(v);
	return EXIT_ADVANCE;
}

/* EXITINFO1 as a page-fault error code, bit 33: on the guest's page tables (APM 2 15.25.6). */
static enum exit_result exit_npf(struct vcpu *v)
{
	const struct vmcb_control *c = &svm_vmcb(v)->control;
	struct mem_fault f = {
	    .gpa = GPA(c->exitinfo2),
	    .write = c->exitinfo1 & NPF_WRITE,
	    .fetch = c->exitinfo1 & NPF_FETCH,
	    .walk = c->exitinfo1 & NPF_WALK,
	    .delivery = c->exitintinfo & SVM_EVENT_VALID,
	};

	return nested_fault(v, &f);
}

static _Noreturn enum exit_result exit_invalid(struct vcpu *v)
{
	const struct vmcb *b = svm_vmcb(v);
	const struct vmcb_save *g = &b->save;

	log_printf("VMCB: CR0 %lx CR4 %lx EFER %lx CS %x %x TR %x %x DR6 %lx DR7 %lx ASID %u "
		   "intercepts %08x %08x\n",
		   g->cr0, g->cr4, g->efer, g->cs.selector, g->cs.attrib, g->tr.selector,
		   g->tr.attrib, g->dr6, g->dr7, b->control.guest_asid, b->control.intercept[3],
		   b->control.intercept[4]);
	emulate_entry_failed(v);
	panic("VMRUN refused the guest's state at RIP %#lx", g->rip);
}

/* An exit that was never asked for: let the guest see what an unknown instruction gives it. */
static enum exit_result exit_unexpected(struct vcpu *v)
{
	static uint64_t logged[4];
	uint64_t code = svm_vmcb(v)->control.exitcode;

	if (v->step.active && code - SVM_EXIT_EXCP0 < 32)
		return step_exception(v, (unsigned)(code - SVM_EXIT_EXCP0));
	if (code < 256 && !(logged[code / 64] >> (code % 64) & 1)) {
		logged[code / 64] |= UINT64_C(1) << (code % 64);
		log_printf("Unexpected exit %#lx at %#lx\n", code, svm_vmcb(v)->save.rip);
	}
	return emulate_ud(v);
}

/*
 * Length caches: struct vcpu.length_cache. Code that is rewritten where it is, prefix or not, gets
 * the length it had, so only what is frequent has one.
 */
enum { CACHE_CPUID, CACHE_MSR, CACHE_NONE };

_Static_assert(CACHE_NONE == sizeof(((struct vcpu *)0)->length_cache) /
				 sizeof(((struct vcpu *)0)->length_cache[0]),
	       "a cache for each kind that has one");

/* ---- the table: total over the dense codes; 0xa7 stands for NPF ---- */

#define EXIT_NPF    0x400
#define ROW_NPF     SVM_EXIT_DENSE_COUNT
#define ROW_OTHER   (ROW_NPF + 1)
#define ROW_INVALID (ROW_OTHER + 1)
#define ROW_COUNT   (ROW_INVALID + 1)

/* No handler: an exit that is never asked for. `insn`: with EXIT_ADVANCE and no saved next RIP,
 * what stands at RIP. */
static const struct exit_row {
	exit_handler handler;
	uint8_t flags;
	uint8_t insn;  /* enum insn_kind */
	uint8_t cache; /* index of the length cache */
} rows[ROW_COUNT] = {
    [SVM_EXIT_CR4_WRITE] = {exit_cr4_write, 0, 0, 0},
    [SVM_EXIT_EXCP0 + VECTOR_DB] = {exit_db, 0, 0, 0},
    [SVM_EXIT_EXCP0 + VECTOR_AC] = {exit_ac, 0, 0, 0},
    [SVM_EXIT_EXCP0 + VECTOR_SX] = {exit_sx, 0, 0, 0},
    [SVM_EXIT_INTR] = {exit_intr, 0, 0, 0},
    [SVM_EXIT_NMI] = {exit_nmi, 0, 0, 0},
    [SVM_EXIT_CPUID] = {exit_cpuid, LEAN, INSN_CPUID, CACHE_CPUID},
    [SVM_EXIT_IRET] = {exit_iret, LEAN, 0, 0},
    [SVM_EXIT_INVD] = {exit_invd, 0, INSN_INVD, CACHE_NONE},
    [SVM_EXIT_HLT] = {exit_hlt, 0, INSN_HLT, CACHE_NONE},
    [SVM_EXIT_INVLPGA] = {exit_ud, 0, 0, 0},
    [SVM_EXIT_IOIO] = {exit_ioio, 0, 0, 0},
    [SVM_EXIT_MSR] = {exit_msr, 0, 0, CACHE_MSR},
    [SVM_EXIT_SHUTDOWN] = {exit_shutdown, 0, 0, 0},
    [SVM_EXIT_VMRUN] = {exit_ud, 0, 0, 0},
    [SVM_EXIT_VMMCALL] = {exit_vmmcall, 0, INSN_VMMCALL, CACHE_NONE},
    [SVM_EXIT_VMLOAD... SVM_EXIT_SKINIT] = {exit_ud, 0, 0, 0},
    [SVM_EXIT_MWAIT] = {exit_mwait, 0, INSN_MWAIT, CACHE_NONE},
    [SVM_EXIT_XSETBV] = {exit_xsetbv, 0, INSN_XSETBV, CACHE_NONE},
    [ROW_NPF] = {exit_npf, 0, 0, 0},
    [ROW_INVALID] = {exit_invalid, 0, 0, 0},
};

_Static_assert(ROW_COUNT <= sizeof(((struct vcpu *)0)->exit_count) / sizeof(uint32_t),
	       "a counter for each row");

static const struct exit_row row_unexpected = {exit_unexpected, 0, 0, 0};

/* ---- the dispatcher ---- */

/*
 * Is it known where the instruction that exited ends? The CPU has saved it, or it is in cache
 * number `cache`. A saved RIP of 0 is taken for none.
 */
static inline bool next_rip_known(const struct vcpu *v, const struct vmcb *b, unsigned cache,
				  uint64_t *next)
{
	if (b->control.nrip) { /* 0 where the CPU has no such field */
		*next = b->control.nrip;
		return true;
	}
	if (cache == CACHE_NONE)
		return false;
	const __typeof__(v->length_cache[0]) *c = &v->length_cache[cache];

	*next = c->next;
	return c->rip == b->save.rip && c->cr3 == b->save.cr3 && c->cs == b->save.cs.attrib;
}

static unsigned instruction_length(struct vcpu *v, const struct exit_row *row, unsigned row_number)
{
	struct vmcb *b = svm_vmcb(v);

	if (row_number == SVM_EXIT_IOIO)
		return (unsigned)(b->control.exitinfo2 - b->save.rip);
	uint64_t next;

	if (next_rip_known(v, b, row->cache, &next))
		return (unsigned)(next - b->save.rip);
	enum insn_kind kind = row->insn;

	if (row_number == SVM_EXIT_MSR)
		kind = b->control.exitinfo1 ? INSN_WRMSR : INSN_RDMSR;
	int length = emulate_length(v, kind, NULL);

	if (length <= 0) /* unreadable for the VMM: the plain form is the one that exists */
		return kind == INSN_VMMCALL || kind == INSN_XSETBV || kind == INSN_MWAIT ? 3 : 2;
	if (row->cache == CACHE_NONE)
		return (unsigned)length;
	__typeof__(v->length_cache[0]) *c = &v->length_cache[row->cache];

	next = b->save.rip + (unsigned)length;
	c->rip = b->save.rip;
	c->cr3 = b->save.cr3;
	c->cs = b->save.cs.attrib;
	c->next = b->save.cs.attrib & SEG_ATTR_L ? next : (uint32_t)next;
	return (unsigned)length;
}

unsigned svm_exit_row(uint64_t code)
{
	if (__builtin_expect(code < SVM_EXIT_DENSE_COUNT, 1))
		return (unsigned)code;
	if (code == EXIT_NPF)
		return ROW_NPF;
	/* a refused VMRUN: 64-bit -1, or 32 bits of it on QEMU */
	return (uint32_t)code == UINT32_MAX ? ROW_INVALID : ROW_OTHER;
}

static inline bool work_pending(const struct vcpu *v)
{
	return v->host_nmi | v->kick | v->init_pending | v->mc_pending;
}

/* Host's TR, FS, GS... into the CPU, the guest's into its VMCB; NMIs may come. */
static void host_begin(struct vcpu *v)
{
	svm_vmsave(v->vendor_pa);
	svm_vmload(v->vendor_host_pa);
	svm_vmcb(v)->control.tlb_control = SVM_TLB_NOTHING;
	svm_stgi();
}

static void host_end(struct vcpu *v)
{
	thread_after_exit();
	svm_clgi();
	if (__builtin_expect(work_pending(v), 0)) {
		nmi_before_entry(v);
		startup_check(v);
	}
	svm_vmload(v->vendor_pa);
}

static inline uint64_t lean_cr4(const struct vcpu *v)
{
	return svm_vmcb(v)->save.cr4;
}

/*
 * Lean exits, each in a function of its own, so that CPUID does not save registers for the others.
 * Whatever is not plain is svm_exit()'s: an event to deliver again, a single step, RF, an
 * unknown length.
 */
static inline bool is_plain(const struct vmcb *b)
{
	return !(b->save.rflags & (RFLAGS_TF | RFLAGS_RF)) &&
	       !(b->control.exitintinfo & SVM_EVENT_VALID);
}

static inline bool lean_done(struct vcpu *v, struct vmcb *b, unsigned row, uint64_t next)
{
	v->exit_count[row]++;
	b->control.clean = svm_controls.clean;
	b->control.tlb_control = SVM_TLB_NOTHING;
	b->control.interrupt_shadow = 0;
	b->save.rip = next;
	audit_svm_entry(v);
	return true;
}

static __attribute__((noinline)) bool lean_cpuid_rows(struct vcpu *v, struct vmcb *b, uint64_t next)
{
	return cpuid_rows(v, &b->save.rax) && lean_done(v, b, SVM_EXIT_CPUID, next);
}

static inline bool lean_cpuid(struct vcpu *v, struct vmcb *b)
{
	uint64_t next;

	audit_svm_exit(v);
	if (__builtin_expect(!next_rip_known(v, b, CACHE_CPUID, &next) || !is_plain(b), 0))
		return false;
	if (!cpuid_lean(v, &b->save.rax, lean_cr4))
		return lean_cpuid_rows(v, b, next);
	return lean_done(v, b, SVM_EXIT_CPUID, next);
}

/* Reads of others. */
static __attribute__((noinline)) bool lean_rdmsr(struct vcpu *v, struct vmcb *b)
{
	uint64_t next;
	struct msr_value m;

	if (b->control.exitinfo1 || !is_plain(b) || !next_rip_known(v, b, CACHE_MSR, &next))
		return false;
	m = msr_read_lean((uint32_t)v->gpr[GPR_RCX]);
	if (!m.known)
		return false;
	b->save.rax = (uint32_t)m.value;
	v->gpr[GPR_RDX] = m.value >> 32;
	return lean_done(v, b, SVM_EXIT_MSR, next);
}

/* EFER, read, or written with what it holds: its row emulates both, and nothing comes of it. */
static __attribute__((noinline)) bool lean_msr(struct vcpu *v, struct vmcb *b)
{
	uint64_t efer = b->save.efer & ~EFER_SVME, next;

	audit_svm_exit(v);
	if ((uint32_t)v->gpr[GPR_RCX] != MSR_EFER)
		return lean_rdmsr(v, b);
	if (!is_plain(b) || !next_rip_known(v, b, CACHE_MSR, &next))
		return false;
	if (b->control.exitinfo1) {
		if ((v->gpr[GPR_RDX] << 32 | (uint32_t)b->save.rax) != efer)
			return false;
	} else {
		b->save.rax = (uint32_t)efer;
		v->gpr[GPR_RDX] = efer >> 32;
	}
	return lean_done(v, b, SVM_EXIT_MSR, next);
}

/*
 * An access of an instruction, and nothing else to do. RF, when the CPU has set it as for a fault,
 * ends with the instruction, whoever carries it out (APM 2 3.1.6).
 */
static inline bool is_plain_access(const struct vmcb *b)
{
	return !(b->save.rflags & RFLAGS_TF) && !(b->control.exitintinfo & SVM_EVENT_VALID);
}

static inline bool lean_access_done(struct vcpu *v, struct vmcb *b, uint64_t next)
{
	b->save.rflags &= ~RFLAGS_RF;
	return lean_done(v, b, ROW_NPF, next);
}

/* Emulated memory with a lean handler. `all`: registers are in struct vcpu, not only the scratch
 * ones. */
static __attribute__((noinline)) bool lean_mmio(struct vcpu *v, struct vmcb *b, bool all)
{
	struct again *a = mmio_again_lean_find(b->save.rip, b->control.exitinfo2, all);
	uint64_t next;

	if (!a || b->control.exitinfo1 & (NPF_WALK | NPF_FETCH) || !is_plain_access(b))
		return false;
	next = mmio_again_lean(v, a, b->save.rip, b->save.cr3, b->control.exitinfo2);
	if (!next)
		return false;
	b->save.rax = v->gpr[GPR_RAX];
	return lean_access_done(v, b, next);
}

/* Stores to the local APIC. */
static __attribute__((noinline)) bool lean_apic(struct vcpu *v, struct vmcb *b)
{
	uint64_t next;

	if (!(b->control.exitinfo1 & NPF_WRITE) || b->control.exitinfo1 & NPF_WALK ||
	    !is_plain_access(b))
		return false;
	next =
	    apicstore_again(v, b->control.exitinfo2, b->save.rip, b->save.cr3, b->save.cs.attrib);
	return next && lean_access_done(v, b, next);
}

static inline bool lean_npf(struct vcpu *v, struct vmcb *b)
{
	audit_svm_exit(v);
	v->gpr[GPR_RAX] = b->save.rax;
	if ((b->control.exitinfo2 & ~PAGE_MASK) == v->apic_page)
		return lean_apic(v, b);
	return mmio_again_has_lean && lean_mmio(v, b, false);
}

/* EXITINFO2, where the instruction ends, is read anew: cheaper than a register to keep it in. */
static __attribute__((noinline)) bool lean_ioio(struct vcpu *v, struct vmcb *b, struct io_again *a)
{
	audit_svm_exit(v);
	if (!is_plain(b) || (b->control.exitinfo2 ^ b->save.rip) >> 32 ||
	    !io_again_access(a, (uint32_t)b->control.exitinfo1, &b->save.rax))
		return false;
	return lean_done(v, b, SVM_EXIT_IOIO, b->control.exitinfo2);
}

bool svm_exit_lean(struct vcpu *v)
{
	struct vmcb *b = svm_vmcb(v);

	uint64_t code = b->control.exitcode;

	if (__builtin_expect(code == SVM_EXIT_CPUID, 1))
		return lean_cpuid(v, b);
	if (code == EXIT_NPF)
		return lean_npf(v, b);
	if (code == SVM_EXIT_IOIO) {
		struct io_again *a = io_again_find((uint32_t)b->control.exitinfo1);

		return a && lean_ioio(v, b, a);
	}
	return code == SVM_EXIT_MSR && lean_msr(v, b);
}

void svm_exit(struct vcpu *v)
{
	struct vmcb *b = svm_vmcb(v);
	unsigned number = svm_exit_row(b->control.exitcode);
	const struct exit_row *row = &rows[number];
	enum exit_result result;

	if (__builtin_expect(!row->handler, 0))
		row = &row_unexpected;

	audit_svm_exit(v);
	b->control.clean = svm_controls.clean; /* whoever writes a field clears its group's bit */
	v->gpr[GPR_RAX] = b->save.rax;
	if (number == ROW_NPF && mmio_again_has_lean && lean_mmio(v, b, true))
		return;
	v->exit_count[number]++;
	if (__builtin_expect((b->control.exitintinfo & SVM_EVENT_VALID) != 0, 0))
		event_redeliver(v);
	if ((row->flags & LEAN) && !work_pending(v)) {
		result = row->handler(v);
	} else {
		host_begin(v);
		result = row->handler(v);
		if (result != EXIT_RESUME) {
			if (result == EXIT_STEP)
				step_begin(v);
			else
				svm_advance(v, instruction_length(v, row, number));
			result = EXIT_RESUME;
		}
		host_end(v);
	}
	if (result == EXIT_ADVANCE)
		svm_advance(v, instruction_length(v, row, number));
	b->save.rax = v->gpr[GPR_RAX];
	audit_svm_entry(v);
}
