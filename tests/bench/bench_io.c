/* I/O ports: one that passes, two with a handler that does nothing, the one that the VMM watches.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"

#define PORT_POST 0x80  /* a latch that nobody reads; DMA page register */
#define PORT_LEAN 0x2f0 /* no device of the emulators, nor here: */
#define PORT_LONG 0x2f1

GUEST_CASE(bench_io, "")
{
	const uint8_t *fadt = acpi_table("FACP");

	BENCH("out-passed", outb(PORT_POST, 0));
	BENCH("in-passed", inb(PORT_POST));
	if (bench_under_vmm()) {
		bench_vmcall(bench_vmcall_number("test_io"), 1, PORT_LEAN, 0);
		bench_vmcall(bench_vmcall_number("test_io"), 0, PORT_LONG, 0);
	}
	BENCH("out-trapped", outb(PORT_LEAN, 0));
	BENCH("in-trapped", inb(PORT_LEAN));
	BENCH("out-trapped-long", outb(PORT_LONG, 0));
	BENCH("in-trapped-long", inb(PORT_LONG));
	if (fadt) {
		uint16_t port = acpi_pm1_port();

		BENCH("in-pm1-control", inb(port));
	}
}
