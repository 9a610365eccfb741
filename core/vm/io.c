/* I/O ports that exit, and who handles them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/io.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/vm/mmio.h"
#include "core/vm/nmi.h"
#include "core/vm/strio.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

#define TRAP_MAX 64

/* Under mmio_lock(). Place i is trap i + 1. */
static struct trap {
	uint32_t first, end; /* empty: free */
	io_handler handler;
	io_lean in, out; /* NULL: none */
	void *arg;
} traps[TRAP_MAX];
static unsigned trap_end; /* behind the last in use */

struct io_again io_again[IO_AGAIN];

/* The bits of RAX that an IN of this size leaves alone: one of 4 bytes clears the upper half. */
static uint64_t bits_kept(unsigned size)
{
	return size == 4 ? 0 : UINT64_MAX << 8 * size;
}

static __attribute__((noinline)) void again_learn(const struct trap *t, io_lean lean,
						  const struct io_access *io)
{
	struct io_again *a = io_again_place(io->word);

	a->lean = lean;
	a->arg = t->arg;
	a->io = *io;
	a->keep = io->write ? UINT64_MAX : bits_kept(io->size);
	a->take = io->write ? 0 : UINT64_MAX >> (64 - 8 * io->size);
	__atomic_store_n(&a->word, io->word, __ATOMIC_RELAXED);
}

static void again_forget(void)
{
	for (unsigned i = 0; i < IO_AGAIN; i++)
		__atomic_store_n(&io_again[i].word, 0, __ATOMIC_RELAXED);
}

static bool is_trapped(uint32_t port)
{
	for (unsigned i = 0; i < trap_end; i++) {
		if (port >= traps[i].first && port < traps[i].end)
			return true;
	}
	return false;
}

/* Make the ports exit that the list says, and wait until every CPU does. */
static void apply(uint32_t first, uint32_t end)
{
	again_forget();
	for (; first < end; first++)
		vmm_ops->io_intercept((uint16_t)first, is_trapped(first));
	nmi_flush_all();
}

static struct trap *trap_get(int id)
{
	return id > 0 && (unsigned)id <= trap_end && traps[id - 1].end ? &traps[id - 1] : NULL;
}

int io_trap_lean(uint16_t first, uint16_t count, io_handler handler, io_lean in, io_lean out,
		 void *arg)
{
	unsigned i = 0;

	if (count == 0 || first + count > 0x10000)
		return -EINVAL;
	mmio_lock(cpu_current());
	while (i < TRAP_MAX && traps[i].end)
		i++;
	if (i < TRAP_MAX) {
		traps[i] = (struct trap){first, (uint32_t)first + count, handler, in, out, arg};
		if (i == trap_end)
			trap_end++;
		apply(first, traps[i].end);
	}
	mmio_unlock();
	return i < TRAP_MAX ? (int)i + 1 : -ENOSPC;
}

int io_trap(uint16_t first, uint16_t count, io_handler handler, void *arg)
{
	return io_trap_lean(first, count, handler, NULL, NULL, arg);
}

void io_untrap(int id)
{
	mmio_lock(cpu_current());
	struct trap *t = trap_get(id);

	if (t) {
		uint32_t first = t->first, end = t->end;

		*t = (struct trap){0};
		apply(first, end);
	}
	mmio_unlock();
}

int io_move(int id, uint16_t first)
{
	int err = -EINVAL;

	mmio_lock(cpu_current());
	struct trap *t = trap_get(id);

	if (t && first + (t->end - t->first) <= 0x10000) {
		uint32_t old = t->first, old_end = t->end;

		t->end = first + (old_end - old);
		t->first = first;
		apply(t->first, t->end);
		apply(old, old_end);
		err = 0;
	}
	mmio_unlock();
	return err;
}

uint32_t io_pass_in(uint16_t port, unsigned size)
{
	if (size == 4)
		return inl(port);
	return size == 2 ? inw(port) : inb(port);
}

void io_pass(const struct io_access *io, uint32_t *value)
{
	if (!io->write)
		*value = io_pass_in(io->port, io->size);
	else if (io->size == 4)
		outl(io->port, *value);
	else if (io->size == 2)
		outw(io->port, (uint16_t)*value);
	else
		outb(io->port, (uint8_t)*value);
}

static void access(const struct io_access *io, uint32_t *value)
{
	mmio_lock(this_cpu());
	uint32_t port = io->port, end = port + io->size;

	for (const struct trap *t = traps, *last = traps + trap_end; t < last; t++) {
		/* an access may begin below a trapped port and reach it */
		if (port < t->end && end > t->first) {
			io_lean lean = io->write ? t->out : t->in;

			if (lean && !io->string)
				again_learn(t, lean, io);
			t->handler(t->arg, io, value);
			mmio_unlock();
			return;
		}
	}
	mmio_unlock();
	io_pass(io, value);
}

/* ---- INS and OUTS ---- */

/* Elements of a repeated one between two looks at what else the CPU has to do. */
#define STRING_PIECE 64

struct string_cpu {
	const struct io_access *io;
	struct gwalk_cpu walk;
	uint64_t pdpte[4];
};

/* Not canonical is none: that has been looked at. */
static bool string_translate(void *arg, uint64_t la, bool write, uint64_t *gpa,
			     struct strio_fault *f)
{
	const struct string_cpu *c = arg;
	struct gwalk_out out;
	int err =
	    gmem_walk_as(&c->walk, GVA(la), write ? GWALK_WRITE : GWALK_READ, false, true, &out);

	*gpa = out.gpa.a;
	if (err == 0)
		return true;
	/* page tables where there is no memory read as ones, reserved bits included */
	*f = (struct strio_fault){
	    .vector = VECTOR_PF,
	    .error = err == GWALK_FAULT ? out.error_code
					: GWALK_PF_P | GWALK_PF_RSVD | (write ? GWALK_PF_W : 0) |
					      (c->walk.cpl == 3 ? GWALK_PF_U : 0),
	    .cr2 = la,
	};
	return false;
}

static uint32_t string_read(void *arg, uint64_t gpa, unsigned n)
{
	uint64_t value;

	(void)arg;
	gmem_open_read(GPA(gpa), n, &value);
	return (uint32_t)value;
}

static void string_write(void *arg, uint64_t gpa, unsigned n, uint32_t value)
{
	(void)arg;
	gmem_open_write(GPA(gpa), n, value);
}

static void string_port(void *arg, uint32_t *value)
{
	access(((struct string_cpu *)arg)->io, value);
}

static __attribute__((noinline)) enum exit_result string_exit(struct vcpu *v,
							      const struct io_access *io)
{
	struct string_cpu c = {.io = io};
	const struct strio_ops ops = {&c, string_translate, string_read, string_write, string_port};
	enum insn_mode mode = emulate_mode(v);
	uint64_t cr0 = vmm_ops->cr(v, 0), rflags = vmm_ops->reg(v, REG_RFLAGS);
	struct insn_fields fields;
	struct strio_fault f;
	int length = emulate_length(v, io->write ? INSN_OUTS : INSN_INS, &fields);
	enum insn_seg seg = INSN_ES;

	if (length == -EFAULT) {
		log_printf("String I/O on port %#x in code that cannot be read\n", io->port);
		return emulate_ud(v);
	}
	if (length < 0 || fields.operand_size != io->size)
		return EXIT_RESUME; /* rewritten by another CPU meanwhile: what is there now runs */
	if (io->write)
		seg = fields.segment <= INSN_GS ? (enum insn_seg)fields.segment : INSN_DS;
	if (mode == INSN_MODE64 && seg < INSN_FS)
		seg = INSN_DS; /* prefixes of the others are ignored */
	gmem_paging(v, &c.walk, c.pdpte);
	struct strio s = {
	    .size = io->size,
	    .address_size = fields.address_size,
	    .write = io->write,
	    .rep = io->rep,
	    .down = rflags & RFLAGS_DF,
	    .aligned = cr0 & CR0_AM && c.walk.ac && c.walk.cpl == 3,
	    .cpu = {.mode = mode,
		    .rights = cr0 & CR0_PE && !(rflags & RFLAGS_VM),
		    .la_bits = c.walk.cr4 & CR4_LA57 ? 57 : 48},
	    .segment = seg,
	};

	vmm_ops->seg(v, (enum seg)seg, &s.seg); /* in the same order */
	/* a single step is one element */
	switch (strio_run(&s, &ops, &v->gpr[GPR_RCX], &v->gpr[io->write ? GPR_RSI : GPR_RDI],
			  rflags & RFLAGS_TF ? 1 : STRING_PIECE, &f)) {
	case STRIO_DONE:
		vmm_ops->set_reg(v, REG_RFLAGS, rflags & ~RFLAGS_RF);
		return EXIT_ADVANCE;
	case STRIO_AGAIN:
		return emulate_string_pause(v);
	default:
		emulate_fault(v, f.vector, f.error, f.cr2);
		return EXIT_RESUME;
	}
}

enum exit_result io_exit(struct vcpu *v, const struct io_access *io)
{
	uint32_t value = (uint32_t)v->gpr[GPR_RAX];

	if (io->string)
		return string_exit(v, io);
	access(io, &value);
	if (!io->write) {
		uint64_t keep = bits_kept(io->size);

		v->gpr[GPR_RAX] = (v->gpr[GPR_RAX] & keep) | (value & ~keep);
	}
	return EXIT_ADVANCE;
}
