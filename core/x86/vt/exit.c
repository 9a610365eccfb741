/* VT-x exits: handlers that translate, the total table, the dispatcher. */
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
#include "core/vm/mtrr.h"
#include "core/vm/nested.h"
#include "core/vm/nmi.h"
#include "core/vm/startup.h"
#include "core/vm/task.h"
#include "core/vm/vmcall.h"
#include "core/vmm_ops.h"
#include "core/wake.h"
#include "core/x86/cpu.h"
#include "core/x86/vt/bochs.h"
#include "core/x86/vt/vt.h"

#define MSR_VMX_PROCBASED_CTLS 0x482u

#define CR4_CET      (UINT64_C(1) << 23)
#define DEBUGCTL_LBR (UINT64_C(1) << 0)
#define DEBUGCTL_BTF (UINT64_C(1) << 1)
#define DR7_GD       (UINT64_C(1) << 13)
/* DR6 and the exit qualification of a debug exception (SDM 3C table 28-1) */
#define DR6_POINTS      UINT64_C(0xf)
#define DR6_CAUSES      UINT64_C(0x600f)  /* B0 to B3, BD, BS */
#define DR6_ZERO_CAUSES UINT64_C(0x10800) /* RTM, BLD: 0 when they are it */

/* Exit qualification of EPT violations (SDM 3C table 28-7). */
#define EPT_WRITE         (UINT64_C(1) << 1)
#define EPT_FETCH         (UINT64_C(1) << 2)
#define EPT_TRANSLATED    (UINT64_C(1) << 8) /* the access itself, not the walk to it */
#define EPT_UNBLOCKED_NMI (UINT64_C(1) << 12)
/* Access rights (SDM 3C table 25-2). */
#define ACCESS_RIGHTS_L (UINT32_C(1) << 13)

typedef enum exit_result (*exit_handler)(struct vcpu *v);

/* ---- the VMCS, when an entry fails or a structure is broken ---- */

static const struct {
	const char *name;
	uint32_t encoding;
} fields[] = {
#define VMCS_FIELD(name, encoding, width, area) {#name, encoding},
#include "core/x86/vt/vmcs_fields.h"
};

static void dump(void)
{
	unsigned column = 0;

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint64_t value = 0;
		bool fail;

		__asm__ volatile("vmread %2, %1"
				 : "=@ccbe"(fail), "+r"(value)
				 : "r"((uint64_t)fields[i].encoding));
		if (!fail) /* else this CPU does not have the field */
			log_printf("%s %lx%s", fields[i].name, value, ++column % 4 ? ", " : "\n");
	}
	log_printf("\n");
}

_Noreturn void vt_entry_failed(struct vcpu *v)
{
	dump();
	panic("VM entry failed: instruction error %u, exit reason %#x, %s",
	      vt_read32(VMCS_INSTRUCTION_ERROR), vt_read32(VMCS_EXIT_REASON),
	      v->launched ? "VMRESUME or first VMLAUNCH" : "VMLAUNCH");
}

static _Noreturn void exit_entry_failed(struct vcpu *v)
{
	dump();
	emulate_entry_failed(v);
	panic("VM entry refused the guest's state at RIP %#lx", vt_read(VMCS_GUEST_RIP));
}

/* ---- events ---- */

void vt_inject(struct vcpu *v, const struct event *e)
{
	(void)v;
	if (!e) {
		vt_write(VMCS_ENTRY_INTERRUPTION_INFO, 0);
		return;
	}
	if (e->type == EVENT_EXCEPTION && e->vector == VECTOR_PF)
		write_cr2(e->cr2); /* entries leave it alone */
	if (e->has_error)
		vt_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, e->error);
	if (e->type >= EVENT_SOFT_INT) /* the instruction's length (SDM 3C 25.8.3) */
		vt_write(VMCS_ENTRY_INSTRUCTION_LENGTH, vt_read(VMCS_EXIT_INSTRUCTION_LENGTH));
	vt_write(VMCS_ENTRY_INTERRUPTION_INFO, VT_EVENT_VALID | (uint32_t)e->type << 8 | e->vector |
						   (e->has_error ? VT_EVENT_ERROR_VALID : 0));
}

bool vt_pending_event(const struct vcpu *v, struct event *e)
{
	uint32_t info = vt_read32(VMCS_ENTRY_INTERRUPTION_INFO);

	(void)v;
	*e = (struct event){
	    .vector = VT_EVENT_VECTOR(info),
	    .type = VT_EVENT_TYPE(info),
	    .has_error = info & VT_EVENT_ERROR_VALID,
	    .error = vt_read32(VMCS_ENTRY_EXCEPTION_ERROR_CODE),
	    .cr2 = read_cr2(),
	};
	return info & VT_EVENT_VALID;
}

static void nmi_window(bool on)
{
	uint32_t proc = vt_read32(VMCS_PROC_CONTROLS);

	vt_write(VMCS_PROC_CONTROLS, on ? proc | VT_PROC_NMI_WINDOW : proc & ~VT_PROC_NMI_WINDOW);
}

/* Virtual NMIs: the entry that injects one blocks the next, the guest's IRET ends that (SDM
 * 3C 25.3). */
void vt_inject_nmi(struct vcpu *v)
{
	uint32_t blocked = vt_read32(VMCS_GUEST_INTERRUPTIBILITY) &
			   (VT_BLOCKED_STI | VT_BLOCKED_MOV_SS | VT_BLOCKED_NMI);

	if (blocked || vt_read32(VMCS_ENTRY_INTERRUPTION_INFO) & VT_EVENT_VALID) {
		v->nmi_pending = true;
		nmi_window(true);
		return;
	}
	vt_write(VMCS_ENTRY_INTERRUPTION_INFO, VT_EVENT_VALID | VT_EVENT_NMI << 8 | VECTOR_NMI);
}

void vt_force_exit(struct vcpu *v)
{
	if (!vt_cpu(v)->current)
		return;
	vt_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
	vt_write(VMCS_PIN_CONTROLS, vt_controls.pin | VT_PIN_PREEMPTION_TIMER);
}

/*
 * After an exit for an NMI the CPU blocks further ones until an IRET (SDM 3C 28.5.5). This does not
 * touch the guest's blocking, which is virtual.
 */
static void host_unblock_nmi(void)
{
	__asm__ volatile("movq %%rsp, %%rdx\n\t"
			 "movl %%ss, %%eax\n\t"
			 "pushq %%rax\n\t"
			 "pushq %%rdx\n\t"
			 "pushfq\n\t"
			 "movl %%cs, %%eax\n\t"
			 "pushq %%rax\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "iretq\n"
			 "1:"
			 :
			 :
			 : "rax", "rdx", "cc", "memory");
}

/* Has RIP, advanced from `rip`, to be cut to 32 bits? Only where it has just got a bit above. */
static inline bool wraps(uint64_t rip, uint64_t next)
{
	return __builtin_expect((rip ^ next) >> 32 != 0, 0) &&
	       !(vt_read32(VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L);
}

void vt_advance(struct vcpu *v, unsigned length)
{
	uint64_t old = vt_read(VMCS_GUEST_RIP), rip = old + length;
	uint32_t blocked = vt_read32(VMCS_GUEST_INTERRUPTIBILITY);

	(void)v;
	if (wraps(old, rip))
		rip = (uint32_t)rip;
	vt_write(VMCS_GUEST_RIP, rip);
	/* by SMI: see bochs_unblock_smi() */
	if (__builtin_expect((blocked & ~VT_BLOCKED_NMI) != 0, 0))
		vt_write(VMCS_GUEST_INTERRUPTIBILITY, blocked & VT_BLOCKED_NMI);
	uint64_t rflags = vt_read(VMCS_GUEST_RFLAGS);

	if (__builtin_expect((rflags & (RFLAGS_TF | RFLAGS_RF)) == 0, 1))
		return;
	if (rflags & RFLAGS_RF) /* it holds for one instruction (SDM 3A 2.3) */
		vt_write(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	if (rflags & RFLAGS_TF && !(vt_read(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		vt_write(VMCS_GUEST_PENDING_DEBUG,
			 vt_read(VMCS_GUEST_PENDING_DEBUG) | VT_PENDING_BS);
}

/* An exit hit the delivery of an event: deliver it again, as it was (SDM 3C 31.7.1.2). */
static void event_redeliver(uint32_t info)
{
	uint32_t type = VT_EVENT_TYPE(info);

	if (info & VT_EVENT_ERROR_VALID)
		vt_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, vt_read(VMCS_IDT_VECTORING_ERROR_CODE));
	if (type == VT_EVENT_SOFT_INT || type == VT_EVENT_PRIVILEGED ||
	    type == VT_EVENT_SOFT_EXCEPTION)
		vt_write(VMCS_ENTRY_INSTRUCTION_LENGTH, vt_read(VMCS_EXIT_INSTRUCTION_LENGTH));
	if (type == VT_EVENT_NMI) /* its delivery has blocked NMIs already */
		vt_write(VMCS_GUEST_INTERRUPTIBILITY,
			 vt_read32(VMCS_GUEST_INTERRUPTIBILITY) & ~VT_BLOCKED_NMI);
	vt_write(VMCS_ENTRY_INTERRUPTION_INFO, info & ~VT_EVENT_UNBLOCKED_NMI);
}

/*
 * EXIT_STEP: the guest runs one instruction, or gets one event, which comes first; then it exits
 * for the monitor trap flag (SDM 3C 26.5.2).
 */
static void step_begin(struct vcpu *v)
{
	/* the upper half: what may be set (SDM 3C A.3.2) */
	if (!(rdmsr(MSR_VMX_PROCBASED_CTLS) >> 32 & VT_PROC_MTF)) {
		static bool logged;

		if (!logged)
			log_printf("Instruction at %#lx on emulated memory: the CPU has no monitor "
				   "trap flag\n",
				   vt_read(VMCS_GUEST_RIP));
		logged = true;
		mmio_step_end(v);
		emulate_ud(v);
		return;
	}
	v->step.active = true;
	vt_write(VMCS_PROC_CONTROLS, vt_read32(VMCS_PROC_CONTROLS) | VT_PROC_MTF);
}

/* ---- handlers, in the order of the exit reasons ---- */

/*
 * What a #DB would have done by itself before its handler: causes into DR6, which the exit
 * qualification has, GD out of DR7, LBR and BTF out of IA32_DEBUGCTL (SDM 3C 28.1, 28.2.1, SDM 3B
 * 18.2). Its delivery ends an interrupt shadow, which an entry would want a pending step for.
 */
static void debug_begin(void)
{
	uint64_t q = vt_read(VMCS_EXIT_QUALIFICATION);

	write_dr6(((read_dr6() & ~DR6_POINTS) | (q & DR6_CAUSES)) & ~(q & DR6_ZERO_CAUSES));
	vt_write(VMCS_GUEST_DR7, vt_read(VMCS_GUEST_DR7) & ~DR7_GD);
	vt_write(VMCS_GUEST_DEBUGCTL,
		 vt_read(VMCS_GUEST_DEBUGCTL) & ~(DEBUGCTL_LBR | DEBUGCTL_BTF));
	vt_write(VMCS_GUEST_INTERRUPTIBILITY,
		 vt_read32(VMCS_GUEST_INTERRUPTIBILITY) & ~(VT_BLOCKED_STI | VT_BLOCKED_MOV_SS));
}

/*
 * NMIs, and exceptions that the bitmap asks for: the guest's. They are asked for because a
 * breakpoint on the stack of its own handler, or a stack that is not aligned, makes the CPU deliver
 * one behind the other, where it takes no NMI.
 */
static enum exit_result exit_exception_nmi(struct vcpu *v)
{
	uint32_t info = vt_read32(VMCS_EXIT_INTERRUPTION_INFO);

	if (VT_EVENT_TYPE(info) == VT_EVENT_NMI) {
		host_unblock_nmi();
		vt_mwait_end(v);
		nmi_exit(v, true);
		bochs_help();
	} else if (VT_EVENT_TYPE(info) == VT_EVENT_PRIVILEGED) { /* INT1 */
		vt_write(VMCS_ENTRY_INSTRUCTION_LENGTH, vt_read(VMCS_EXIT_INSTRUCTION_LENGTH));
		vt_write(VMCS_ENTRY_INTERRUPTION_INFO, info & ~VT_EVENT_UNBLOCKED_NMI);
	} else {
		if (VT_EVENT_VECTOR(info) == VECTOR_DB)
			debug_begin();
		emulate_exception(v, VT_EVENT_VECTOR(info), 0);
	}
	return EXIT_RESUME;
}

/* Only while the guest is in MWAIT: it takes the interrupt when it goes on. */
static enum exit_result exit_external_interrupt(struct vcpu *v)
{
	vt_mwait_end(v);
	return EXIT_RESUME;
}

static _Noreturn enum exit_result exit_triple_fault(struct vcpu *v)
{
	(void)v;
	emulate_shutdown();
}

/* The CPU has kept its state: the guest's becomes that after INIT. */
static enum exit_result exit_init(struct vcpu *v)
{
	vt_mwait_end(v);
	bochs_take_init(v);
	startup_take_init(v);
	startup_check(v);
	vt_activity_update(v);
	return EXIT_RESUME;
}

static enum exit_result exit_sipi(struct vcpu *v)
{
	uint8_t vector = (uint8_t)vt_read(VMCS_EXIT_QUALIFICATION);

	host_unblock_nmi(); /* wait-for-SIPI blocks NMIs; Bochs does not unblock them here */
	startup_take_sipi(v, vector);
	bochs_note_sipi(v, vector);
	return EXIT_RESUME;
}

static enum exit_result exit_nmi_window(struct vcpu *v)
{
	nmi_window(false);
	vt_mwait_end(v);
	if (v->nmi_pending) {
		v->nmi_pending = false;
		vt_inject_nmi(v);
	}
	return EXIT_RESUME;
}

/*
 * Exit qualification: selector 15:0, source 31:30 (SDM 3C table 28-2). RIP is that of the
 * instruction, or of where the interrupted task goes on (28.3.3). A switch by IRET unblocks NMIs,
 * one that delivers an NMI blocks them.
 */
static enum exit_result exit_task_switch(struct vcpu *v)
{
	uint64_t q = vt_read(VMCS_EXIT_QUALIFICATION);
	uint32_t info = vt_read32(VMCS_IDT_VECTORING_INFO), type = VT_EVENT_TYPE(info),
		 blocked = vt_read32(VMCS_GUEST_INTERRUPTIBILITY) & VT_BLOCKED_NMI;
	struct task_switch t = {.selector = (uint16_t)q, .source = q >> 30 & 3};
	bool event = t.source == TASK_GATE && info & VT_EVENT_VALID;
	struct task_result r;

	t.external = event && type != VT_EVENT_SOFT_INT && type != VT_EVENT_SOFT_EXCEPTION;
	if (!t.external || type == VT_EVENT_PRIVILEGED)
		t.length = (uint8_t)vt_read(VMCS_EXIT_INSTRUCTION_LENGTH);
	if (event && info & VT_EVENT_ERROR_VALID) {
		t.has_error = true;
		t.error = vt_read32(VMCS_IDT_VECTORING_ERROR_CODE);
	}
	task_exit(v, &t, &r);
	if (t.source == TASK_IRET)
		blocked = 0;
	else if (event && type == VT_EVENT_NMI && r.switched && !r.fault)
		blocked = VT_BLOCKED_NMI;
	vt_write(VMCS_GUEST_INTERRUPTIBILITY,
		 (vt_read32(VMCS_GUEST_INTERRUPTIBILITY) & ~VT_BLOCKED_NMI) | blocked);
	if (v->nmi_pending) { /* its window closed with the old state */
		v->nmi_pending = false;
		vt_inject_nmi(v);
	}
	return EXIT_RESUME;
}

static enum exit_result exit_cpuid(struct vcpu *v)
{
	cpuid_emulate(v);
	return EXIT_ADVANCE;
}

static enum exit_result exit_invd(struct vcpu *v)
{
	(void)v;
	__asm__ volatile("wbinvd" : : : "memory"); /* INVD would throw the VMM's own data away */
	return EXIT_ADVANCE;
}

static enum exit_result exit_vmcall(struct vcpu *v)
{
	return vmcall_exit(v);
}

/* VMX and SMX instructions: there is none of it for the guest. */
static enum exit_result exit_ud(struct vcpu *v)
{
	return emulate_ud(v);
}

static bool in_64bit_mode(void)
{
	return (vt_read(VMCS_GUEST_EFER) & EFER_LMA) &&
	       (vt_read32(VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L);
}

/* What MOV to CR0 refuses (SDM 2B, MOV to control registers; SDM 3A 10.8.5.3). */
static bool cr0_legal(struct vcpu *v, uint64_t old, uint64_t value)
{
	uint64_t cr4 = vmm_ops->cr(v, 4), efer = vmm_ops->reg(v, REG_EFER);

	if (value >> 32 || (value & CR0_NW && !(value & CR0_CD)) ||
	    (value & CR0_PG && !(value & CR0_PE)))
		return false;
	if (!(value & CR0_WP) && cr4 & CR4_CET)
		return false;
	if (value & ~old & CR0_PG && efer & EFER_LME) {
		uint32_t tr = vt_read32(VMCS_GUEST_TR_ACCESS_RIGHTS) & 0xf;

		if (!(cr4 & CR4_PAE) || vt_read32(VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L ||
		    tr <= 3)
			return false;
	}
	if (old & ~value & CR0_PG && (in_64bit_mode() || cr4 & CR4_PCIDE))
		return false;
	if (value & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LME) &&
	    (value ^ old) & (CR0_PG | CR0_CD | CR0_NW))
		return vt_load_pdptes(vmm_ops->cr(v, 3));
	return true;
}

/* Reached when a bit changes that the host owns; the others go along. */
static enum exit_result cr0_write(struct vcpu *v, uint64_t value)
{
	uint64_t old = vmm_ops->cr(v, 0);

	if (!cr0_legal(v, old, value))
		return emulate_gp(v);
	/* reserved bits of the low half read 0 whatever is written */
	vt_cr0_set(value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM |
			    CR0_NW | CR0_CD | CR0_PG));
	if ((value ^ old) & (CR0_PG | CR0_PE))
		vt_flush_linear();
	return EXIT_ADVANCE;
}

/* Exit qualification: register 3:0, access 5:4, GPR 11:8, LMSW's operand 31:16 (SDM 3C table 28-3).
 */
static enum exit_result exit_cr_access(struct vcpu *v)
{
	enum { MOV_TO, MOV_FROM, CLTS, LMSW };
	uint64_t q = vt_read(VMCS_EXIT_QUALIFICATION), old = vmm_ops->cr(v, 0);

	switch ((q & 0xf) << 4 | (q >> 4 & 3)) {
	case 0 << 4 | MOV_TO: {
		uint64_t value = emulate_gpr(v, q >> 8 & 0xf);

		return cr0_write(v, in_64bit_mode() ? value : (uint32_t)value);
	}
	case 0 << 4 | CLTS:
		return cr0_write(v, old & ~CR0_TS);
	case 0 << 4 | LMSW: /* can set PE, not clear it */
		return cr0_write(v, (old & ~UINT64_C(0xe)) | (q >> 16 & 0xf));
	case 4 << 4 | MOV_TO:
		/* the guest reads the host's bits of CR4 as 0: what exits sets one, which the guest
		 * does not have */
		return emulate_gp(v);
	default:
		return emulate_ud(v);
	}
}

/* Bit 7 is undefined: it makes the word not 0. */
static inline uint32_t io_word(void)
{
	return (uint32_t)vt_read(VMCS_EXIT_QUALIFICATION) | 0x80;
}

/* Exit qualification: size less one 2:0, IN 3, string 4, REP 5, port 31:16 (SDM 3C table 28-5). */
static enum exit_result exit_io(struct vcpu *v)
{
	uint32_t q = io_word();
	struct io_access io = {
	    .port = (uint16_t)(q >> 16),
	    .size = (uint8_t)((q & 7) + 1),
	    .write = !(q & 8),
	    .string = q & 0x10,
	    .rep = q & 0x20,
	    .word = q,
	};

	return io_exit(v, &io);
}

static enum exit_result exit_rdmsr(struct vcpu *v)
{
	return msr_read(v);
}

static enum exit_result exit_wrmsr(struct vcpu *v)
{
	return msr_write(v);
}

/* Asked for by vt_wake(): deep sleep would stop the preemption timer. */
static enum exit_result exit_mwait(struct vcpu *v)
{
	return vt_exit_mwait(v);
}

static enum exit_result exit_monitor_trap_flag(struct vcpu *v)
{
	vt_write(VMCS_PROC_CONTROLS, vt_read32(VMCS_PROC_CONTROLS) & ~VT_PROC_MTF);
	v->step.active = false;
	mmio_step_end(v);
	return EXIT_RESUME;
}

static enum exit_result exit_ept_violation(struct vcpu *v)
{
	uint64_t q = vt_read(VMCS_EXIT_QUALIFICATION);
	struct mem_fault f = {
	    .gpa = GPA(vt_read(VMCS_GUEST_PHYSICAL_ADDRESS)),
	    .write = q & EPT_WRITE,
	    .fetch = q & EPT_FETCH,
	    .walk = !(q & EPT_TRANSLATED),
	    .delivery = vt_read32(VMCS_IDT_VECTORING_INFO) & VT_EVENT_VALID,
	};

	/* an IRET faulted after it had unblocked NMIs: it runs again (SDM 3C 28.2.3) */
	if (q & EPT_UNBLOCKED_NMI && !(vt_read32(VMCS_IDT_VECTORING_INFO) & VT_EVENT_VALID))
		vt_write(VMCS_GUEST_INTERRUPTIBILITY,
			 vt_read32(VMCS_GUEST_INTERRUPTIBILITY) | VT_BLOCKED_NMI);
	return nested_fault(v, &f);
}

static _Noreturn enum exit_result exit_ept_misconfiguration(struct vcpu *v)
{
	(void)v;
	dump();
	panic("EPT misconfiguration at %#lx", vt_read(VMCS_GUEST_PHYSICAL_ADDRESS));
}

/* Asked for by vt_force_exit(): an NMI came while the host ran. Or by vt_wake(). */
static enum exit_result exit_preemption_timer(struct vcpu *v)
{
	vt_write(VMCS_PIN_CONTROLS, vt_controls.pin); /* first: an NMI from here on asks anew */
	vt_mwait_end(v);
	if (vt_cpu(v)->wakes && !v->host_nmi && !v->mc_pending)
		wake_came();
	nmi_exit(v, false);
	bochs_help();
	return EXIT_RESUME;
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

/* An exit that was never asked for: let the guest see what an unknown instruction gives it. */
static enum exit_result exit_unexpected(struct vcpu *v)
{
	static uint64_t logged[2];
	uint32_t reason = VT_REASON_BASIC(vt_read32(VMCS_EXIT_REASON));

	if (reason < VT_REASON_COUNT)
		v->exit_count[reason]++;
	if (reason < 128 && !(logged[reason / 64] >> (reason % 64) & 1)) {
		logged[reason / 64] |= UINT64_C(1) << (reason % 64);
		log_printf("Unexpected exit %u at %#lx, qualification %#lx\n", reason,
			   vt_read(VMCS_GUEST_RIP), vt_read(VMCS_EXIT_QUALIFICATION));
	}
	return emulate_ud(v);
}

/* ---- the table: total over the exit reasons; no handler: an exit that is never asked for ---- */

static const exit_handler rows[VT_REASON_COUNT] = {
    [VT_REASON_EXCEPTION_NMI] = exit_exception_nmi,
    [VT_REASON_EXTERNAL_INTERRUPT] = exit_external_interrupt,
    [VT_REASON_TRIPLE_FAULT] = exit_triple_fault,
    [VT_REASON_INIT] = exit_init,
    [VT_REASON_SIPI] = exit_sipi,
    [VT_REASON_NMI_WINDOW] = exit_nmi_window,
    [VT_REASON_TASK_SWITCH] = exit_task_switch,
    [VT_REASON_CPUID] = exit_cpuid,
    [VT_REASON_GETSEC] = exit_ud,
    [VT_REASON_INVD] = exit_invd,
    [VT_REASON_VMCALL] = exit_vmcall,
    [VT_REASON_VMCLEAR... VT_REASON_VMXON] = exit_ud,
    [VT_REASON_CR_ACCESS] = exit_cr_access,
    [VT_REASON_IO] = exit_io,
    [VT_REASON_RDMSR] = exit_rdmsr,
    [VT_REASON_WRMSR] = exit_wrmsr,
    [VT_REASON_MWAIT] = exit_mwait,
    [VT_REASON_MONITOR_TRAP_FLAG] = exit_monitor_trap_flag,
    [VT_REASON_EPT_VIOLATION] = exit_ept_violation,
    [VT_REASON_EPT_MISCONFIGURATION] = exit_ept_misconfiguration,
    [VT_REASON_INVEPT] = exit_ud,
    [VT_REASON_PREEMPTION_TIMER] = exit_preemption_timer,
    [VT_REASON_INVVPID] = exit_ud,
    [VT_REASON_XSETBV] = exit_xsetbv,
    [VT_REASON_VMFUNC] = exit_ud,
};

_Static_assert(VT_REASON_COUNT <= sizeof(((struct vcpu *)0)->exit_count) / sizeof(uint32_t),
	       "a counter for each reason");

/* ---- the dispatcher ---- */

static inline uint64_t lean_cr4(const struct vcpu *v)
{
	(void)v;
	return vt_read(VMCS_GUEST_CR4) & ~vt_cr4_mask; /* hidden bits are 0 for the guest */
}

/*
 * Lean exits, with results as those of vt_exit_lean(); each in a function of its own, so that CPUID
 * does not save registers for the others. Whatever is not plain is vt_exit()'s: a single step, RF,
 * an interrupt shadow that ends, a RIP that wraps, an event to deliver again (which the exit of an
 * instruction cannot bring).
 */
static inline bool is_plain(uint64_t rip, uint64_t next)
{
	return !(vt_read(VMCS_GUEST_RFLAGS) & (RFLAGS_TF | RFLAGS_RF)) &&
	       !(vt_read32(VMCS_GUEST_INTERRUPTIBILITY) & ~VT_BLOCKED_NMI) && !wraps(rip, next);
}

static inline uint32_t lean_done(struct vcpu *v, unsigned reason, uint64_t next)
{
	v->exit_count[reason]++;
	vt_write(VMCS_GUEST_RIP, next);
	audit_vt_entry(v);
	return VT_EXIT_DONE;
}

static __attribute__((noinline)) uint32_t lean_cpuid_rows(struct vcpu *v, uint64_t next)
{
	return cpuid_rows(v, &v->gpr[GPR_RAX]) ? lean_done(v, VT_REASON_CPUID, next)
					       : VT_REASON_CPUID;
}

static inline uint32_t lean_cpuid(struct vcpu *v)
{
	uint64_t rip = vt_read(VMCS_GUEST_RIP),
		 next = rip + vt_read32(VMCS_EXIT_INSTRUCTION_LENGTH);

	if (__builtin_expect(!is_plain(rip, next), 0))
		return VT_REASON_CPUID;
	if (!cpuid_lean(v, &v->gpr[GPR_RAX], lean_cr4))
		return lean_cpuid_rows(v, next);
	return lean_done(v, VT_REASON_CPUID, next);
}

/* EFER written with what it holds, and messages through the x2APIC that are no start-up. */
static __attribute__((noinline)) uint32_t lean_wrmsr(struct vcpu *v)
{
	uint32_t index = (uint32_t)v->gpr[GPR_RCX];
	uint64_t value = v->gpr[GPR_RDX] << 32 | (uint32_t)v->gpr[GPR_RAX];
	bool icr = index == MSR_X2APIC_ICR && startup_x2apic_is_plain(v, value);

	if (!icr && (index != MSR_EFER || value != vt_read(VMCS_GUEST_EFER)))
		return VT_REASON_WRMSR;
	uint64_t rip = vt_read(VMCS_GUEST_RIP),
		 next = rip + vt_read32(VMCS_EXIT_INSTRUCTION_LENGTH);

	if (!is_plain(rip, next))
		return VT_REASON_WRMSR;
	if (icr)
		wrmsr(MSR_X2APIC_ICR, value);
	return lean_done(v, VT_REASON_WRMSR, next);
}

/* MTRRs, which are the nested tables' here, and others of which bits are hidden. */
static __attribute__((noinline)) uint32_t lean_rdmsr(struct vcpu *v)
{
	uint64_t rip = vt_read(VMCS_GUEST_RIP),
		 next = rip + vt_read32(VMCS_EXIT_INSTRUCTION_LENGTH);

	if (!is_plain(rip, next))
		return VT_REASON_RDMSR;
	struct msr_value m = msr_read_lean((uint32_t)v->gpr[GPR_RCX]);

	if (!m.known)
		return VT_REASON_RDMSR;
	v->gpr[GPR_RAX] = (uint32_t)m.value;
	v->gpr[GPR_RDX] = m.value >> 32;
	return lean_done(v, VT_REASON_RDMSR, next);
}

/* An access of an instruction, and nothing else to do. `kind`: EPT_WRITE, or 0 for any. */
static inline bool is_plain_access(uint64_t q, uint64_t kind)
{
	return (q & (EPT_FETCH | EPT_TRANSLATED | EPT_UNBLOCKED_NMI | kind)) ==
		   (EPT_TRANSLATED | kind) &&
	       !(vt_read32(VMCS_IDT_VECTORING_INFO) & VT_EVENT_VALID) &&
	       !(vt_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF) &&
	       !(vt_read32(VMCS_GUEST_INTERRUPTIBILITY) & ~VT_BLOCKED_NMI);
}

/* The CPU has set RF, as for a fault (SDM 3C 28.3.3). It ends with the instruction, whoever carries
 * it out. */
static inline uint32_t lean_access_done(struct vcpu *v, uint64_t next)
{
	uint64_t rflags = vt_read(VMCS_GUEST_RFLAGS);

	if (rflags & RFLAGS_RF)
		vt_write(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	return lean_done(v, VT_REASON_EPT_VIOLATION, next);
}

/* Emulated memory with a lean handler. */
static __attribute__((noinline)) uint32_t lean_mmio(struct vcpu *v, uint64_t gpa)
{
	uint64_t rip = vt_read(VMCS_GUEST_RIP), next;
	struct again *a = mmio_again_lean_find(rip, gpa, false);

	if (!a || !is_plain_access(vt_read(VMCS_EXIT_QUALIFICATION), 0))
		return VT_REASON_EPT_VIOLATION;
	next = mmio_again_lean(v, a, rip, vt_read(VMCS_GUEST_CR3), gpa);
	return next ? lean_access_done(v, next) : VT_REASON_EPT_VIOLATION;
}

/* Stores to the local APIC. */
static __attribute__((noinline)) uint32_t lean_apic(struct vcpu *v, uint64_t gpa)
{
	uint64_t next;

	if (!is_plain_access(vt_read(VMCS_EXIT_QUALIFICATION), EPT_WRITE))
		return VT_REASON_EPT_VIOLATION;
	next = apicstore_again(v, gpa, vt_read(VMCS_GUEST_RIP), vt_read(VMCS_GUEST_CR3),
			       vt_read32(VMCS_GUEST_CS_ACCESS_RIGHTS));
	return next ? lean_access_done(v, next) : VT_REASON_EPT_VIOLATION;
}

static inline uint32_t lean_ept_violation(struct vcpu *v)
{
	uint64_t gpa = vt_read(VMCS_GUEST_PHYSICAL_ADDRESS);

	if ((gpa & ~PAGE_MASK) == v->apic_page)
		return lean_apic(v, gpa);
	return mmio_again_has_lean ? lean_mmio(v, gpa) : VT_REASON_EPT_VIOLATION;
}

static __attribute__((noinline)) uint32_t lean_io(struct vcpu *v)
{
	uint32_t word = io_word();
	struct io_again *a = io_again_find(word);

	if (!a)
		return VT_REASON_IO;
	uint64_t rip = vt_read(VMCS_GUEST_RIP),
		 next = rip + vt_read32(VMCS_EXIT_INSTRUCTION_LENGTH);

	if (!is_plain(rip, next) || !io_again_access(a, word, &v->gpr[GPR_RAX]))
		return VT_REASON_IO;
	return lean_done(v, VT_REASON_IO, next);
}

uint32_t vt_exit_lean(struct vcpu *v, uint32_t reason)
{
	if (__builtin_expect(reason == VT_REASON_CPUID, 1)) /* lean */
		return lean_cpuid(v);
	if (reason == VT_REASON_IO) /* lean */
		return lean_io(v);
	if (reason == VT_REASON_EPT_VIOLATION) /* lean */
		return lean_ept_violation(v);
	if (reason == VT_REASON_WRMSR) /* lean */
		return lean_wrmsr(v);
	if (reason == VT_REASON_RDMSR) /* lean */
		return lean_rdmsr(v);
	return reason;
}

void vt_exit(struct vcpu *v, uint32_t reason)
{
	uint32_t info;
	exit_handler handler;

	if (__builtin_expect((reason & VT_REASON_ENTRY_FAILED) != 0, 0))
		exit_entry_failed(v);
	reason = VT_REASON_BASIC(reason);
	handler = reason < VT_REASON_COUNT ? rows[reason] : NULL;
	if (__builtin_expect(!handler, 0))
		handler = exit_unexpected;
	else
		v->exit_count[reason]++;
	info = vt_read32(VMCS_IDT_VECTORING_INFO);
	if (__builtin_expect((info & VT_EVENT_VALID) != 0, 0))
		event_redeliver(info);
	enum exit_result result = handler(v);

	if (result != EXIT_RESUME) {
		if (result == EXIT_STEP)
			step_begin(v);
		else
			vt_advance(v, vt_read32(VMCS_EXIT_INSTRUCTION_LENGTH));
	}
	bochs_unblock_smi();
	thread_after_exit();
	if (__builtin_expect(v->host_nmi | v->kick | v->init_pending, 0)) {
		nmi_before_entry(v);
		startup_check(v);
		vt_activity_update(v);
	}
	audit_vt_entry(v);
}
