/* Emulated memory: ranges of guest-physical addresses whose accesses go to a handler. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/mmio.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/string.h"
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/vm/insn/decode.h"
#include "core/vm/mmio_access.h"
#include "core/vm/mmio_again.h"
#include "core/vm/nmi.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/reset.h"

static struct mmio_ranges ranges;       /* under the lock */
static struct mmio_ranges ranges_after; /* scratch of a change; under the lock */

/* ---- the lock ---- */

/*
 * A ticket lock that its holder may take again. `self` is NULL during start-up, when nobody else is
 * there. The nested tables' lock may be taken inside, not the other way round.
 */
struct mmio_holder mmio_holder;
struct spinlock mmio_tickets;

static __attribute__((noinline)) void lock_wait(struct cpu *self, uint32_t ticket)
{
	while (__atomic_load_n(&mmio_tickets.owner, __ATOMIC_ACQUIRE) != ticket) {
		if (self->vcpu.active)
			nmi_take_kicks(&self->vcpu); /* the holder may wait for this CPU's flush */
		cpu_pause();
	}
}

static void lock_take(struct cpu *self)
{
	if (self ? __atomic_load_n(&mmio_holder.cpu, __ATOMIC_RELAXED) == self
		 : mmio_holder.depth > 0) {
		mmio_holder.depth++;
		return;
	}
	uint32_t ticket = __atomic_fetch_add(&mmio_tickets.next, 1, __ATOMIC_RELAXED);

	if (__atomic_load_n(&mmio_tickets.owner, __ATOMIC_ACQUIRE) != ticket)
		lock_wait(self, ticket);
	__atomic_store_n(&mmio_holder.cpu, self, __ATOMIC_RELAXED);
	mmio_holder.depth = 1;
}

static void lock_release(void)
{
	if (--mmio_holder.depth)
		return;
	__atomic_store_n(&mmio_holder.cpu, NULL, __ATOMIC_RELAXED);
	spinlock_release(&mmio_tickets);
}

void mmio_lock(struct cpu *self)
{
	lock_take(self);
}

void mmio_unlock(void)
{
	lock_release();
}

/* ---- changes ---- */

/* Make the nested tables trap what `set` says of the pages of [base, base + size). */
static int apply(const struct mmio_ranges *set, uint64_t base, uint64_t size)
{
	uint64_t page = align_down(base, PAGE_SIZE), end = align_up(base + size, PAGE_SIZE);
	int err = 0;

	mmio_again_forget();
	while (page < end && !err) {
		unsigned perm;
		mmio_first first;
		uint64_t next = mmio_range_run(set, page, end, &perm, &first);

		err = nested_trap(GPA(page), next - page, perm,
				  perm == PT_RWX ? NULL
				  : first        ? first
						 : mmio_fault);
		page = next;
	}
	return err;
}

int mmio_register_pages(gpa_t base, uint64_t size, enum mmio_mode mode, const struct mmio_ops *ops,
			void *arg, nested_handler fault)
{
	struct mmio_range r = {
	    .base = base.a,
	    .size = size,
	    .ops = ops,
	    .arg = arg,
	    .first = fault,
	    .mode = (uint8_t)mode,
	};

	lock_take(cpu_current());
	int err = mmio_range_add(&ranges, &r);

	if (!err) {
		err = apply(&ranges, r.base, r.size);
		if (err) {
			mmio_range_remove(&ranges, r.id);
			apply(&ranges, r.base, r.size);
		}
	}
	lock_release();
	return err ? err : (int)r.id;
}

int mmio_register(gpa_t base, uint64_t size, enum mmio_mode mode, const struct mmio_ops *ops,
		  void *arg)
{
	return mmio_register_pages(base, size, mode, ops, arg, NULL);
}

void mmio_unregister(int id)
{
	lock_take(cpu_current());
	const struct mmio_range *r = mmio_range_get(&ranges, (uint32_t)id);

	if (r) {
		uint64_t base = r->base, size = r->size;

		mmio_range_remove(&ranges, (uint32_t)id);
		apply(&ranges, base, size);
	}
	lock_release();
}

int mmio_set_mode(int id, enum mmio_mode mode)
{
	lock_take(cpu_current());
	int old = mmio_range_set_mode(&ranges, (uint32_t)id, mode), err = old;

	if (old >= 0 && (enum mmio_mode)old != mode)
		err = mmio_refresh(id);
	if (err < 0 && old >= 0)
		mmio_range_set_mode(&ranges, (uint32_t)id, (enum mmio_mode)old);
	lock_release();
	return err < 0 ? err : 0;
}

int mmio_refresh(int id)
{
	int err = -ENOENT;

	lock_take(cpu_current());
	const struct mmio_range *r = mmio_range_get(&ranges, (uint32_t)id);

	if (r)
		err = apply(&ranges, r->base, r->size);
	lock_release();
	return err;
}

/*
 * First the new place is trapped, then the range moves, then the old place is opened. Whoever gets
 * to either meanwhile waits for the lock, and finds the range moved.
 */
int mmio_move(int id, gpa_t base)
{
	lock_take(cpu_current());
	const struct mmio_range *r = mmio_range_get(&ranges, (uint32_t)id);
	uint64_t old = r ? r->base : 0, size = r ? r->size : 0;

	ranges_after = ranges;
	int err = mmio_range_move(&ranges_after, (uint32_t)id, base.a);

	if (!err && old != base.a) {
		err = apply(&ranges_after, base.a, size);
		if (!err)
			ranges = ranges_after;
		else
			apply(&ranges, base.a, size);
		if (!err)
			apply(&ranges, old, size);
	}
	lock_release();
	return err;
}

/* ---- accesses ---- */

static uint64_t env_reg_get(void *arg, unsigned reg)
{
	return emulate_gpr(arg, reg);
}

static void env_reg_set(void *arg, unsigned reg, uint64_t value)
{
	emulate_set_gpr(arg, reg, value);
}

static uint64_t env_rflags_get(void *arg)
{
	return vmm_ops->reg(arg, REG_RFLAGS);
}

static void env_rflags_set(void *arg, uint64_t value)
{
	vmm_ops->set_reg(arg, REG_RFLAGS, value);
}

static void env_seg(void *arg, enum insn_seg seg, struct seg_state *s)
{
	vmm_ops->seg(arg, (enum seg)seg, s); /* both in the order of the sreg field */
}

static int env_translate(void *arg, gva_t la, enum gwalk_access access, struct gwalk_out *out)
{
	return gmem_walk(arg, la, access, out);
}

static void env_read(void *arg, gpa_t gpa, unsigned size, uint64_t *value)
{
	(void)arg;
	gmem_phys_read(gpa, size, value);
}

static void env_write(void *arg, gpa_t gpa, unsigned size, uint64_t value)
{
	(void)arg;
	gmem_phys_write(gpa, size, value);
}

static int env_cmpxchg(void *arg, gpa_t gpa, unsigned size, uint64_t *expected, uint64_t value)
{
	(void)arg;
	return gmem_phys_cmpxchg(gpa, size, expected, value);
}

_Static_assert((int)INSN_ES == (int)SEG_ES && (int)INSN_GS == (int)SEG_GS, "one numbering");

static const struct mmio_env env = {
    .reg_get = env_reg_get,
    .reg_set = env_reg_set,
    .rflags_get = env_rflags_get,
    .rflags_set = env_rflags_set,
    .seg = env_seg,
    .translate = env_translate,
    .read = env_read,
    .write = env_write,
    .cmpxchg = env_cmpxchg,
};

/* The instruction that exited: its bytes, fetched once. */
struct fetched {
	uint8_t bytes[INSN_MAX_LENGTH + 1]; /* a last one of 0, for comparing words */
	uint8_t count;
	int result; /* why there are no more: 0, or as gwalk() */
	uint32_t error_code;
	uint64_t la; /* of the byte that is missing */
};

/* Where the CPU gives the bytes with the exit (AMD-V: decode assists, VMCB 0D0h), they could be
 * taken from there. */
static void fetch(struct vcpu *v, enum insn_mode mode, struct fetched *f)
{
	struct seg_state cs;
	struct gwalk_out out;

	vmm_ops->seg(v, SEG_CS, &cs);
	f->count = 0;
	f->result = 0;
	f->bytes[INSN_MAX_LENGTH] = 0;
	f->la = vmm_ops->reg(v, REG_RIP) + (mode == INSN_MODE64 ? 0 : cs.base);
	while (f->count < INSN_MAX_LENGTH) {
		const struct mmio_range *r;
		unsigned part = (unsigned)(PAGE_SIZE - (f->la & PAGE_MASK));
		uint64_t value = UINT64_MAX;

		if (mode != INSN_MODE64)
			f->la = (uint32_t)f->la;
		f->result = gmem_walk(v, GVA(f->la), GWALK_FETCH, &out);
		if (f->result) {
			f->error_code = out.error_code;
			return;
		}
		if (part > (unsigned)INSN_MAX_LENGTH - f->count)
			part = (unsigned)INSN_MAX_LENGTH - f->count;
		if (gmem_read(out.gpa, f->bytes + f->count, part) != 0 ||
		    mmio_range_in_page(&ranges, out.gpa.a)) {
			part = 1; /* a device, or a range: byte by byte */
			mmio_range_piece(&ranges, out.gpa.a, 1, &r);
			if (!r || r->mode == MMIO_WRITES)
				gmem_phys_read(out.gpa, 1, &value);
			else if (r->ops->read(r->arg, out.gpa.a - r->base, 1, &value) != 0)
				value = UINT64_MAX;
			f->bytes[f->count] = (uint8_t)value;
		}
		f->count = (uint8_t)(f->count + part);
		f->la += part;
	}
}

/*
 * Exits of one CPU in a row that came to nothing at the same place. Another CPU may be writing the
 * instruction, so that bytes of two are seen, or of one that did not exit: the guest tries again.
 */
#define STUCK_EXITS 64
/* The same for an instruction that accesses no memory, so that the exit was surely another's. */
#define STUCK_EXITS_OTHER 100000

static bool is_stuck(struct vcpu *v, uint32_t limit)
{
	uint64_t rip = vmm_ops->reg(v, REG_RIP);

	if (v->stuck.rip != rip)
		v->stuck.count = 0;
	v->stuck.rip = rip;
	return ++v->stuck.count >= limit;
}

/* Instructions that change or show the flags that stepping uses, or leave for elsewhere. */
static bool may_step(const struct fetched *insn, enum insn_mode mode)
{
	static const uint8_t never[] = {0x9a, 0x9c, 0x9d, 0xca, 0xcb, 0xcc, 0xcd, 0xce,
					0xcf, 0xea, 0xf1, 0xf4, 0xfa, 0xfb, 0x17, 0x8e};
	unsigned i = 0;

	while (i < insn->count) {
		uint8_t b = insn->bytes[i];
		bool prefix = b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 ||
			      (b & 0xe7) == 0x26 || b == 0x64 || b == 0x65 ||
			      (mode == INSN_MODE64 && (b & 0xf0) == 0x40);

		if (!prefix)
			break;
		i++;
	}
	if (i == insn->count)
		return false;
	for (unsigned k = 0; k < sizeof(never); k++) {
		if (insn->bytes[i] == never[k])
			return false;
	}
	/* of FF only near CALL and JMP; 0F 00 and 0F 01: system instructions, POP FS and GS */
	if (insn->bytes[i] == 0xff && i + 1 < insn->count)
		return (insn->bytes[i + 1] & 0x28) == 0 || (insn->bytes[i + 1] & 0x38) == 0x20;
	if (insn->bytes[i] == 0x0f && i + 1 < insn->count) {
		uint8_t b = insn->bytes[i + 1];

		return b > 0x0b && b != 0x34 && b != 0x35 && b != 0xa1 && b != 0xa9 && b != 0xaa &&
		       b != 0xb2;
	}
	return true;
}

static bool step_begin(struct vcpu *v, const struct mem_fault *f, const struct fetched *insn,
		       enum insn_mode mode)
{
	uint64_t page = align_down(f->gpa.a, PAGE_SIZE);

	if (!mmio_range_may_step(&ranges, page) || !may_step(insn, mode) ||
	    v->step.page_count == sizeof(v->step.pages) / sizeof(v->step.pages[0]))
		return false;
	if (nested_trap(GPA(page), PAGE_SIZE, PT_RWX, NULL) != 0)
		return false;
	v->step.pages[v->step.page_count++] = page;
	return true;
}

void mmio_step_end(struct vcpu *v)
{
	lock_take(this_cpu());
	while (v->step.page_count) {
		uint64_t page = v->step.pages[--v->step.page_count];

		if (apply(&ranges, page, PAGE_SIZE) != 0)
			log_printf("Emulated memory at %#lx stays open: no memory\n", page);
	}
	lock_release();
}

static enum exit_result unsupported(struct vcpu *v, const struct mem_fault *f,
				    const struct fetched *insn, enum insn_mode mode, bool accesses)
{
	struct mmio_range *r = mmio_range_in_page(&ranges, f->gpa.a);
	char text[3 * INSN_MAX_LENGTH + 1] = "";

	if (step_begin(v, f, insn, mode))
		return EXIT_STEP;
	if (!is_stuck(v, accesses ? STUCK_EXITS : STUCK_EXITS_OTHER))
		return EXIT_RESUME;
	v->stuck.count = 0;
	if (r && !r->logged) {
		static const char digits[] = "0123456789abcdef";

		r->logged = true;
		for (unsigned i = 0; i < insn->count; i++) {
			text[3 * i] = ' ';
			text[3 * i + 1] = digits[insn->bytes[i] >> 4];
			text[3 * i + 2] = digits[insn->bytes[i] & 0xf];
			text[3 * i + 3] = 0;
		}
		log_printf("Emulated memory at %#lx: the instruction%s at %#lx is not supported\n",
			   f->gpa.a, text, vmm_ops->reg(v, REG_RIP));
	}
	return emulate_ud(v);
}

/*
 * The CPU was delivering an event; its stack or a descriptor table lies in a range. A device there
 * would have got a stack frame, which nobody can want. A double fault may find a better stack; when
 * it does not, the guest is in what hardware calls shutdown.
 */
static enum exit_result delivery(struct vcpu *v, const struct mem_fault *f)
{
	struct mmio_range *r = mmio_range_in_page(&ranges, f->gpa.a);

	if (is_stuck(v, STUCK_EXITS)) {
		log_printf("Guest shutdown: no stack but in emulated memory at %#lx: reset\n",
			   f->gpa.a);
		reset_machine();
	}
	if (r && !r->logged)
		log_printf("Emulated memory at %#lx: an event was delivered to it\n", f->gpa.a);
	if (r)
		r->logged = true;
	emulate_exception(v, VECTOR_DF, 0);
	return EXIT_RESUME;
}

static void prepare(struct vcpu *v, enum insn_mode mode, const struct insn *insn,
		    struct mmio_access *a)
{
	uint64_t cr0 = vmm_ops->cr(v, 0), rflags = vmm_ops->reg(v, REG_RFLAGS);
	struct seg_state ss;

	vmm_ops->seg(v, SEG_SS, &ss);
	a->ranges = &ranges;
	a->env = &env;
	a->arg = v;
	a->segment.mode = mode;
	a->segment.rights = cr0 & CR0_PE && !(rflags & RFLAGS_VM);
	a->segment.la_bits = vmm_ops->cr(v, 4) & CR4_LA57 ? 57 : 48;
	a->stack_size = mode == INSN_MODE64 ? 8 : ss.attr & SEG_ATTR_DB ? 4 : 2;
	a->alignment = cr0 & CR0_AM && rflags & RFLAGS_AC && vmm_ops->cpl(v) == 3;
	a->next_rip = vmm_ops->reg(v, REG_RIP) + insn->length;
}

static enum exit_result perform(struct vcpu *v, const struct insn *insn, enum insn_mode mode)
{
	uint64_t rflags = vmm_ops->reg(v, REG_RFLAGS);
	struct mmio_access a;

	prepare(v, mode, insn, &a);

	int r = mmio_access(&a, insn, rflags & RFLAGS_TF ? 1 : MMIO_STRING_ELEMENTS);

	switch (r) {
	case 0:
		vmm_ops->advance(v, insn->length);
		rflags = vmm_ops->reg(v, REG_RFLAGS);
		if (rflags & RFLAGS_RF)
			vmm_ops->set_reg(v, REG_RFLAGS, rflags & ~RFLAGS_RF);
		return EXIT_RESUME;
	case INSN_AGAIN:
		return emulate_string_pause(v);
	case MMIO_FAULT:
		emulate_fault(v, (uint8_t)a.vector, a.error_code, a.cr2);
		return EXIT_RESUME;
	case -EBUSY:
		return EXIT_RESUME;
	default:
		return emulate_gp(v);
	}
}

enum reading { READ, UNKNOWN, UNREADABLE };

/*
 * Instructions that were decoded before. Drivers come back to the same few; what is decoded depends
 * on the bytes and the mode alone, and the bytes are fetched and compared each time.
 */
#define DECODED 16

static struct {
	struct insn insn;
	uint64_t bytes[2]; /* as fetched, the last of them 0 */
	uint8_t mode;
	bool valid;
} decoded[DECODED]; /* under the lock */

static int decode(const struct fetched *f, uint64_t rip, enum insn_mode mode, struct insn *insn)
{
	__typeof__(&decoded[0]) d = &decoded[(rip ^ rip >> 4) % DECODED];
	uint64_t bytes[2];

	if (f->count < INSN_MAX_LENGTH)
		return insn_decode(f->bytes, f->count, mode, insn);
	__builtin_memcpy(bytes, f->bytes, sizeof(bytes));
	if (!d->valid || d->bytes[0] != bytes[0] || d->bytes[1] != bytes[1] || d->mode != mode) {
		int r = insn_decode(f->bytes, f->count, mode, insn);

		if (r)
			return r;
		d->insn = *insn;
		d->bytes[0] = bytes[0];
		d->bytes[1] = bytes[1];
		d->mode = (uint8_t)mode;
		d->valid = true;
		return 0;
	}
	*insn = d->insn;
	return 0;
}

/* Reads the instruction at RIP. UNREADABLE: the guest gets the exception that its fetch gives. */
static enum reading read_instruction(struct vcpu *v, enum insn_mode mode, struct fetched *fetched,
				     struct insn *insn)
{
	fetch(v, mode, fetched);

	int r = decode(fetched, vmm_ops->reg(v, REG_RIP), mode, insn);

	if (r != -EFAULT)
		return r ? UNKNOWN : READ;
	if (fetched->result == GWALK_FAULT)
		emulate_fault(v, VECTOR_PF, fetched->error_code, fetched->la);
	else
		emulate_gp(v);
	return UNREADABLE;
}

static __attribute__((noinline)) enum exit_result emulate(struct vcpu *v, const struct mem_fault *f)
{
	enum insn_mode mode = emulate_mode(v);
	enum exit_result result;
	struct fetched fetched;
	struct insn insn;
	unsigned perm;
	mmio_first first;
	uint64_t rip, la;
	bool fits;

	mmio_range_run(&ranges, align_down(f->gpa.a, PAGE_SIZE),
		       align_down(f->gpa.a, PAGE_SIZE) + PAGE_SIZE, &perm, &first);
	if (perm & (f->write ? PT_W : PT_R))
		return EXIT_RESUME; /* the range went away before the lock was ours */
	if (f->delivery)
		return delivery(v, f);
	v->step.page_count = v->step.active ? v->step.page_count : 0;
	switch (read_instruction(v, mode, &fetched, &insn)) {
	case UNREADABLE:
		return EXIT_RESUME;
	case UNKNOWN:
		return unsupported(v, f, &fetched, mode, insn.accesses);
	default:
		v->stuck.count = 0;
		rip = vmm_ops->reg(v, REG_RIP);
		fits = fetched.count == INSN_MAX_LENGTH && mmio_again_fits(v, &insn, &la);
		result = perform(v, &insn, mode);
		if (fits)
			mmio_again_learn(v, &insn, fetched.bytes, rip, la, f->gpa.a, &ranges);
		return result;
	}
}

enum exit_result mmio_no_memory(struct vcpu *v)
{
	enum insn_mode mode = emulate_mode(v);
	enum exit_result result = EXIT_RESUME;
	struct fetched fetched;
	struct insn insn;

	lock_take(this_cpu());
	switch (read_instruction(v, mode, &fetched, &insn)) {
	case UNREADABLE:
		break;
	case UNKNOWN: /* dropped as a whole, when its end is known */
		if (insn.length)
			vmm_ops->advance(v, insn.length);
		else
			result = emulate_gp(v);
		break;
	default:
		result = perform(v, &insn, mode);
	}
	lock_release();
	return result;
}

enum exit_result mmio_fault(struct vcpu *v, const struct mem_fault *f)
{
	enum exit_result result;

	lock_take(this_cpu());
	result = emulate(v, f);
	lock_release();
	return result;
}
