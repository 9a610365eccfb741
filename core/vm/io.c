/* I/O ports that exit, and who handles them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/io.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/vm/emulate.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"

#define TRAP_MAX 32

static struct {
	uint16_t first, count;
	io_handler handler;
	void *arg;
} traps[TRAP_MAX];
static unsigned trap_count;

int io_trap(uint16_t first, uint16_t count, io_handler handler, void *arg)
{
	if (trap_count == TRAP_MAX)
		return -ENOSPC;
	traps[trap_count].first = first;
	traps[trap_count].count = count;
	traps[trap_count].handler = handler;
	traps[trap_count++].arg = arg;
	for (uint16_t i = 0; i < count; i++)
		vmm_ops->io_intercept((uint16_t)(first + i), true);
	return 0;
}

void io_pass(const struct io_access *io, uint32_t *value)
{
	switch (io->size) {
	case 1:
		if (io->write)
			outb(io->port, (uint8_t)*value);
		else
			*value = inb(io->port);
		break;
	case 2:
		if (io->write)
			outw(io->port, (uint16_t)*value);
		else
			*value = inw(io->port);
		break;
	default:
		if (io->write)
			outl(io->port, *value);
		else
			*value = inl(io->port);
		break;
	}
}

enum exit_result io_exit(struct vcpu *v, const struct io_access *io)
{
	uint32_t value = (uint32_t)v->gpr[GPR_RAX];
	unsigned i;

	if (io->string) {
		log_printf("String I/O on trapped port %#x is not supported\n", io->port);
		return emulate_ud(v);
	}
	/* an access may begin below a trapped port and reach it */
	for (i = 0; i < trap_count; i++) {
		if (io->port < traps[i].first + traps[i].count &&
		    io->port + io->size > traps[i].first)
			break;
	}
	if (i < trap_count)
		traps[i].handler(traps[i].arg, io, &value);
	else
		io_pass(io, &value);
	if (!io->write) {
		if (io->size == 4)
			v->gpr[GPR_RAX] = value;
		else if (io->size == 2)
			v->gpr[GPR_RAX] = (v->gpr[GPR_RAX] & ~UINT64_C(0xffff)) | (uint16_t)value;
		else
			v->gpr[GPR_RAX] = (v->gpr[GPR_RAX] & ~UINT64_C(0xff)) | (uint8_t)value;
	}
	return EXIT_ADVANCE;
}
