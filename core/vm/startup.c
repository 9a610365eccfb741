/* CPU start-up: INIT and start-up IPIs, so that no CPU ever leaves the VMM; and the guest's NMIs.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/startup.h"
#include "core/cas.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/start.h"
#include "core/string.h"
#include "core/vm/apicstore.h"
#include "core/vm/apictimer.h"
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/vm/insn/apicwrite.h"
#include "core/vm/mmio.h"
#include "core/vm/nmi.h"
#include "core/vm/suspend.h"
#include "core/vmm_ops.h"
#include "core/x86/apic.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

/* struct vcpu.sipi_vector. Only an INIT empties it: a CPU takes the first start-up IPI behind one.
 */
#define SIPI_POSTED 0x100u
#define SIPI_TAKEN  0x200u

static bool use_icr;
static bool cpu_waits; /* wait-for-SIPI is a state of the guest's CPU, not a loop of the VMM */
static bool trap_page; /* xAPIC pages are write-trapped */
/*
 * Pages where CPUs have their APIC: one, as a rule, but each CPU has its own base. The first is
 * where firmware left them, and stays: QEMU leaves the registers there. Under mmio_lock().
 */
static struct apic_page {
	uint64_t base;
	uint32_t users; /* CPUs */
	int id;         /* number of its range */
} apic_pages[BOOT_MAX_CPUS + 1];
static struct apic_page *page_of[BOOT_MAX_CPUS]; /* by CPU; NULL: none, or x2APIC mode */
static struct {
	uint32_t ldr, dfr;
} logical[BOOT_MAX_CPUS]; /* as the guest wrote them; xAPIC */

static enum exit_result apic_page_write(struct vcpu *v, const struct mem_fault *f);
static int apic_range_read(void *arg, uint64_t offset, unsigned size, uint64_t *value);
static void apic_range_write(void *arg, uint64_t offset, unsigned size, uint64_t value);

static void set_page(uint32_t index, struct apic_page *p)
{
	page_of[index] = p;
	cpus[index]->vcpu.apic_page = p ? p->base : APIC_PAGE_NOWHERE;
}

/* The page at `base` with its trap set; NULL when that cannot be. Under mmio_lock(), or at
 * start-up. */
static struct apic_page *apic_page_at(uint64_t base, enum mmio_mode mode)
{
	static const struct mmio_ops ops = {.read = apic_range_read, .write = apic_range_write};
	struct apic_page *p = apic_pages, *free = NULL;

	for (uint32_t i = 0; i <= cpu_count; i++, p++) {
		if (p->id && p->base == base)
			return p;
		if (!p->id && !free)
			free = p;
	}
	/* one for each CPU besides the first: there is a free one */
	free->base = base;
	free->id = mmio_register_pages(GPA(base), PAGE_SIZE, mode, &ops, free, apic_page_write);
	if (free->id > 0)
		return free;
	free->id = 0;
	return NULL;
}

/* CPU `index` is about to have its APIC at `base`, 0: nowhere. Both pages are trapped meanwhile. */
static int trap_at(uint32_t index, uint64_t base)
{
	struct apic_page *old, *new = NULL;
	int err = 0;

	mmio_lock(this_cpu());
	old = page_of[index];
	if (base && !(new = apic_page_at(base, MMIO_WRITES)))
		err = -ENOSPC;
	if (!err) {
		if (new)
			new->users++;
		if (old && --old->users == 0 && old != apic_pages) {
			mmio_unregister(old->id);
			old->id = 0;
		}
		set_page(index, new);
	}
	mmio_unlock();
	return err;
}

int startup_init(bool has_sipi_exits)
{
	const struct config *c = start_config();

	for (uint32_t i = 0; i < BOOT_MAX_CPUS; i++)
		logical[i].dfr = 0xffffffff;
	for (uint32_t i = 0; i < cpu_count; i++)
		cpus[i]->vcpu.apic_page = APIC_PAGE_NOWHERE;
	if (has_sipi_exits && c->startup != CONFIG_STARTUP_ICR) {
		cpu_waits = true;
		log_printf("CPU start-up: INIT and start-up IPI exits\n");
		return 0;
	}
	use_icr = true;
	if (c->apic == CONFIG_APIC_PASS || (c->apic == CONFIG_APIC_AUTO && cpu_count == 1)) {
		use_icr = false;
		log_printf("CPU start-up: the local APIC is not watched\n");
		return 0;
	}
	trap_page = true;
	log_printf("CPU start-up: taken from writes to the interrupt command register\n");
	if (!apic_page_at(apic_first_base(), MMIO_WRITES))
		return -ENOMEM;
	for (uint32_t i = 0; i < cpu_count; i++) {
		set_page(i, apic_pages);
		cpus[i]->vcpu.apic_registers = apic_first_registers();
	}
	apic_pages[0].users = cpu_count;
	return 0;
}

bool startup_apic_is_first(void)
{
	const struct vcpu *v = &this_cpu()->vcpu;

	return !v->apic_off &&
	       (v->apic_base & (APIC_BASE_EN | APIC_BASE_EXTD | APIC_BASE_ADDRESS)) ==
		   (APIC_BASE_EN | apic_first_base()) &&
	       (trap_page || cpu_count == 1);
}

/* Lean exits carry out stores to v->apic_page without a look at most registers. */
int startup_share(bool on)
{
	enum mmio_mode mode = on ? MMIO_READS_AND_WRITES : MMIO_WRITES;
	int err = 0;

	if (trap_page) {
		err = mmio_set_mode(apic_pages[0].id, mode);
	} else if (on && !page_of[0]) {
		page_of[0] = apic_page_at(apic_first_base(), mode);
		err = page_of[0] ? 0 : -ENOSPC;
	} else if (!on && page_of[0]) {
		mmio_unregister(page_of[0]->id);
		page_of[0]->id = 0;
		page_of[0] = NULL;
	}
	if (!err && trap_page)
		cpus[0]->vcpu.apic_page = on || !page_of[0] ? APIC_PAGE_NOWHERE : page_of[0]->base;
	return err;
}

int startup_wake(void)
{
	if ((rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDRESS) != apic_first_base())
		return -ENODEV;
	for (uint32_t i = 0; i < cpu_count; i++) {
		logical[i].ldr = 0;
		logical[i].dfr = 0xffffffff;
	}
	apictimer_forget();
	apic_wake();
	if (!trap_page)
		return 0;
	for (struct apic_page *p = apic_pages; p <= apic_pages + cpu_count; p++) {
		if (p != apic_pages && p->id) {
			mmio_unregister(p->id);
			p->id = 0;
		}
		p->users = 0;
	}
	for (uint32_t i = 0; i < cpu_count; i++)
		set_page(i, apic_pages);
	apic_pages[0].users = cpu_count;
	return 0;
}

bool startup_waits_in_cpu(const struct vcpu *v)
{
	return cpu_waits && __atomic_load_n(&v->run_state, __ATOMIC_SEQ_CST) == RUN_WAIT_FOR_SIPI;
}

bool startup_uses_icr(void)
{
	return use_icr;
}

/* Is the CPU one of those that a destination in logical mode names? SDM 3A 11.6.2.2. */
static bool logical_match(uint32_t index, uint32_t destination, bool x2apic)
{
	if (x2apic) {
		uint32_t id = cpus[index]->apic_id;

		if (destination == UINT32_MAX)
			return true;
		return (destination >> 16) == (id >> 4) && (destination & 1u << (id & 15));
	}
	uint8_t dest = (uint8_t)destination, ldr = (uint8_t)(logical[index].ldr >> 24);

	if (dest == 0xff)
		return true;
	if (logical[index].dfr >> 28 == 0xf)
		return dest & ldr;
	return (dest >> 4) == (ldr >> 4) && (dest & ldr & 0xf);
}

static bool is_target(uint32_t index, uint32_t self, uint32_t destination, uint32_t icr,
		      bool x2apic)
{
	switch (APIC_ICR_SHORTHAND(icr)) {
	case APIC_TO_SELF:
		return index == self;
	case APIC_TO_ALL:
		return true;
	case APIC_TO_OTHERS:
		return index != self;
	default:
		break;
	}
	if (icr & APIC_ICR_LOGICAL)
		return logical_match(index, destination, x2apic);
	return destination == cpus[index]->apic_id || destination == (x2apic ? UINT32_MAX : 0xffu);
}

static void post_init(struct vcpu *v)
{
	__atomic_store_n(&v->sipi_vector, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->nmi_posted, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->init_pending, 1, __ATOMIC_SEQ_CST);
}

/* Does the CPU wait for a start-up IPI, or is about to? */
static bool will_wait(const struct vcpu *v)
{
	return __atomic_load_n(&v->init_pending, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&v->run_state, __ATOMIC_SEQ_CST) == RUN_WAIT_FOR_SIPI;
}

static void post_sipi(struct vcpu *v, uint8_t vector)
{
	uint32_t none = 0;

	if (will_wait(v)) /* others ignore it (SDM 3A 9.4.3) */
		cas32(&v->sipi_vector, &none, SIPI_POSTED | vector);
}

/*
 * The guest's NMIs go by the mailbox, too: hardware would make one of an NMI of the guest's and one
 * of the VMM's. A CPU that waits ignores them (SDM 3A 9.4.3), until its start-up IPI is posted.
 */
static void post_nmi(struct vcpu *v)
{
	if (!will_wait(v) || __atomic_load_n(&v->sipi_vector, __ATOMIC_SEQ_CST))
		__atomic_fetch_add(&v->nmi_posted, 1, __ATOMIC_SEQ_CST);
}

/* One for the guest's handler and one that waits behind it, as in a CPU. */
static void take_nmis(struct vcpu *v)
{
	uint32_t count = __atomic_exchange_n(&v->nmi_posted, 0, __ATOMIC_SEQ_CST);

	for (uint32_t i = 0; i < count && i < 2; i++)
		vmm_ops->inject_nmi(v);
}

bool startup_icr(struct vcpu *v, uint32_t destination, uint32_t icr)
{
	unsigned mode = APIC_ICR_MODE(icr);
	bool x2apic = (v->apic_base & APIC_BASE_EXTD) != 0;
	uint32_t self = this_cpu()->index;

	if (!startup_icr_is_own(icr))
		return false;
	if (mode == APIC_MODE_INIT && (icr & APIC_ICR_LEVEL) && !(icr & APIC_ICR_ASSERT))
		return true; /* INIT level de-assert: synchronises arbitration IDs, nothing else */
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct vcpu *t = &cpus[i]->vcpu;

		if (!is_target(i, self, destination, icr, x2apic))
			continue;
		if (mode == APIC_MODE_INIT)
			post_init(t);
		else if (mode == APIC_MODE_STARTUP)
			post_sipi(t, (uint8_t)icr);
		else
			post_nmi(t);
		if (i != self)
			nmi_kick(i, KICK_STARTUP);
		else /* no NMI: it is looked at before the next entry */
			__atomic_fetch_or(&v->kick, KICK_STARTUP, __ATOMIC_SEQ_CST);
	}
	return true;
}

static void apic_reset(void)
{
	bool x2 = apic_is_x2apic();

	if (!(rdmsr(MSR_APIC_BASE) & APIC_BASE_EN))
		return;
	struct {
		uint16_t reg;
		uint32_t value;
	} const reset[] = {{APIC_TIMER_INITIAL, 0}, {APIC_TIMER_DIVIDE, 0}, {APIC_TPR, 0},
			   {APIC_LDR, 0},           {APIC_DFR, 0xffffffff}, {APIC_SVR, 0xff}};

	for (unsigned reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += 0x10) {
		if (x2)
			wrmsr_safe(0x800u + reg / 16, APIC_LVT_MASKED);
		else
			apic_write(reg, APIC_LVT_MASKED);
	}
	/* what was in service is forgotten: end it, highest first */
	for (unsigned i = 0; i < 256; i++) {
		uint32_t busy = 0;

		for (unsigned reg = 0; reg < 8; reg++) {
			uint64_t isr = 0;

			if (x2)
				rdmsr_safe(0x810u + reg, &isr);
			else
				isr = apic_read(APIC_ISR + reg * 0x10);
			busy |= (uint32_t)isr;
		}
		if (!busy)
			break;
		if (x2)
			wrmsr_safe(0x80b, 0);
		else
			apic_write(APIC_EOI, 0);
	}
	for (unsigned i = 0; i < sizeof(reset) / sizeof(reset[0]); i++) {
		if (!x2)
			apic_write(reset[i].reg, reset[i].value);
		else if (reset[i].reg != APIC_LDR && reset[i].reg != APIC_DFR)
			wrmsr_safe(0x800u + reset[i].reg / 16, reset[i].value);
	}
}

/* Registers after INIT: SDM 3A table 10-1, APM 2 table 14-1. */
static void state_after_init(struct vcpu *v, struct vcpu_state *s)
{
	struct seg_state data = {0, 0x93, 0xffff, 0};

	vmm_ops->state_get(v, s);
	uint64_t cache = s->cr0 & (CR0_CD | CR0_NW); /* INIT leaves them */
	struct vcpu_state old = *s;

	memset(s, 0, sizeof(*s));
	s->gpr[GPR_RDX] = cpuid(1, 0).eax;
	s->rip = 0xfff0;
	s->rflags = RFLAGS_FIXED;
	for (unsigned i = 0; i < SEG_LDTR; i++)
		s->seg[i] = data;
	s->seg[SEG_CS] = (struct seg_state){0xf000, 0x9b, 0xffff, 0xffff0000};
	s->seg[SEG_LDTR] = (struct seg_state){0, 0x82, 0xffff, 0};
	s->seg[SEG_TR] = (struct seg_state){0, 0x8b, 0xffff, 0};
	s->gdtr.limit = s->idtr.limit = 0xffff;
	s->cr0 = CR0_ET | cache;
	s->dr6 = 0xffff0ff0;
	s->dr7 = 0x400;
	/* INIT does not touch these MSRs */
	s->pat = old.pat;
	s->star = old.star;
	s->lstar = old.lstar;
	s->cstar = old.cstar;
	s->sfmask = old.sfmask;
	s->kernel_gs_base = old.kernel_gs_base;
	s->sysenter_cs = old.sysenter_cs;
	s->sysenter_esp = old.sysenter_esp;
	s->sysenter_eip = old.sysenter_eip;
}

/* INIT clears them, and they stay in the CPU over exits. */
static void clear_breakpoints(void)
{
	__asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3"
			 :
			 : "r"(UINT64_C(0)));
}

void startup_take_init(struct vcpu *v)
{
	struct vcpu_state s;

	/* in this order: what is posted from here on finds a CPU that waits */
	__atomic_store_n(&v->run_state, this_cpu()->index == 0 ? RUN_GUEST : RUN_WAIT_FOR_SIPI,
			 __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->init_pending, 0, __ATOMIC_SEQ_CST);
	if (this_cpu()->index == 0)
		apictimer_end();
	state_after_init(v, &s);
	if (use_icr) {
		apic_reset();
		logical[this_cpu()->index].ldr = 0;
		logical[this_cpu()->index].dfr = 0xffffffff;
	}
	vmm_ops->state_set(v, &s);
	clear_breakpoints();
	v->nmi_blocked = v->nmi_pending = false;
}

void startup_take_sipi(struct vcpu *v, uint8_t vector)
{
	struct vcpu_state s;

	vmm_ops->state_get(v, &s);
	s.seg[SEG_CS].selector = (uint16_t)(vector << 8);
	s.seg[SEG_CS].base = (uint64_t)vector << 12;
	s.rip = 0;
	vmm_ops->state_set(v, &s);
	__atomic_store_n(&v->run_state, RUN_GUEST, __ATOMIC_SEQ_CST);
	if (cpu_waits) { /* nmi_flush_all() left it out, and no NMI came through */
		v->nmi_pending = false;
		nmi_flush_self(v);
	}
}

void startup_check(struct vcpu *v)
{
	for (;;) {
		nmi_take_kicks(v);
		__atomic_fetch_and(&v->kick, ~(uint32_t)KICK_STARTUP, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&v->init_pending, __ATOMIC_SEQ_CST))
			startup_take_init(v);
		if (suspend_look(v))
			continue;
		if (v->run_state != RUN_WAIT_FOR_SIPI || cpu_waits) {
			take_nmis(v);
			return;
		}
		uint32_t sipi = __atomic_load_n(&v->sipi_vector, __ATOMIC_SEQ_CST);

		if (sipi & SIPI_POSTED && !cas32(&v->sipi_vector, &sipi, SIPI_TAKEN)) {
			/* while it waited it ignored NMIs (SDM 3A 9.4.3), and those of kicks have
			 * merged */
			nmi_forget(v);
			startup_take_sipi(v, (uint8_t)sipi);
			continue;
		}
		vmm_ops->wait(v, &v->kick);
	}
}

void startup_host_init(void)
{
	post_init(&this_cpu()->vcpu);
}

int startup_apic_base(struct vcpu *v, uint64_t value)
{
	bool watched = (value & APIC_BASE_EN) && !(value & APIC_BASE_EXTD);

	if (this_cpu()->index == 0)
		apictimer_end();
	int err =
	    trap_page ? trap_at(this_cpu()->index, watched ? value & APIC_BASE_ADDRESS : 0) : 0;

	if (!err)
		v->apic_base = value;
	return err;
}

static void apic_store(struct vcpu *v, uint32_t offset, uint32_t value)
{
	struct cpu *cpu = this_cpu();

	if (cpu->index == 0 && apictimer_store(offset, value))
		return;
	if (use_icr && offset == APIC_ICR_LOW &&
	    startup_icr(v, apic_read(APIC_ICR_HIGH) >> 24, value))
		return;
	if (offset == APIC_LDR)
		logical[cpu->index].ldr = value;
	else if (offset == APIC_DFR)
		logical[cpu->index].dfr = value;
	apic_write(offset, value);
}

static uint32_t apic_load(const struct apic_page *p, uint32_t offset)
{
	uint64_t value = 0;
	uint32_t own;

	if (this_cpu()->index == 0 && p == page_of[0] && apictimer_load(offset, &own))
		return own;
	gmem_phys_read(GPA(p->base + offset), 4, &value);
	return (uint32_t)value;
}

/* By an instruction that apic_page_write() does not know. */
static int apic_range_read(void *arg, uint64_t offset, unsigned size, uint64_t *value)
{
	const struct apic_page *p = arg;

	if (size == 4)
		*value = apic_load(p, (uint32_t)offset);
	else
		gmem_phys_read(GPA(p->base + offset), size, value);
	return 0;
}

static void apic_range_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	const struct apic_page *p = arg;

	/* accesses of other sizes have no defined effect (SDM 3A 11.4.1): none here */
	if (p == page_of[this_cpu()->index]) {
		if (size == 4)
			apic_store(&this_cpu()->vcpu, (uint32_t)offset, (uint32_t)value);
	} else if (p != apic_pages) { /* another CPU's; for this one it is what is there */
		gmem_phys_write(GPA(p->base + offset), size, value);
	}
}

/* A store to the xAPIC page. Reads of it exit only with startup_share(). */
static enum exit_result apic_page_write(struct vcpu *v, const struct mem_fault *f)
{
	uint32_t offset = (uint32_t)(f->gpa.a & PAGE_MASK), value;
	struct apicwrite w;
	uint8_t bytes[15];
	size_t n = gmem_fetch(v, bytes);

	/* another CPU's page is for the general service */
	if (!f->write || !page_of[this_cpu()->index] ||
	    page_of[this_cpu()->index]->base != align_down(f->gpa.a, PAGE_SIZE))
		return mmio_fault(v, f);
	if (f->walk || f->delivery || apicwrite_decode(bytes, n, emulate_mode(v), &w) != 0 ||
	    w.size != 4 || (offset & 3))
		return mmio_fault(v, f);
	value = (uint32_t)(w.reg == INSN_REG_NONE ? w.imm : emulate_gpr(v, w.reg));
	if (w.op == APICWRITE_XCHG)
		emulate_set_gpr(v, w.reg, apic_load(page_of[this_cpu()->index], offset));
	if (n == sizeof(bytes))
		apicstore_learn(v, &w, bytes);
	vmm_ops->advance(v, w.length);
	apic_store(v, offset, value);
	return EXIT_RESUME;
}
