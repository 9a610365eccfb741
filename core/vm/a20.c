/* The A20 gate, which the guest must not close. */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Closed, it makes bit 20 of every physical address of the CPU 0, those of the VMM's code, tables
 * and page of ones included. VT-x blocks it in VMX operation (SDM 3C, VMXON), AMD-V where
 * VM_CR.DIS_A20M is set (APM 2 15.30.1). Elsewhere the bit is taken out of what the guest writes to
 * port 92h, which reads as open, as it is.
 *
 * The other way, the output port of the keyboard controller, is not watched: its commands go to the
 * port where drivers read its status again and again, and each reading would exit.
 */
#include "core/vm/a20.h"
#include "core/log.h"
#include "core/vm/io.h"

#define PORT_92  0x92
#define A20_OPEN 2u

static void port_92(void *arg, const struct io_access *io, uint32_t *value)
{
	unsigned at = (unsigned)PORT_92 - io->port;

	(void)arg;
	if (io->write)
		*value |= A20_OPEN << 8 * at;
	io_pass(io, value);
}

void a20_watch(void)
{
	if (io_trap(PORT_92, 1, port_92, NULL) < 0)
		log_printf("A20 gate: too many trapped ports\n");
}
