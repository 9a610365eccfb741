/* Serial port: output of the log to a 16550, and keys at the start. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/console.h"
#include "core/log.h"
#include "core/x86/cpu.h"

/* Registers (16550 data sheet): offset from the port. */
#define RBR      0
#define THR      0
#define DLL      0
#define IER      1
#define DLM      1
#define FCR      2
#define LCR      3
#define MCR      4
#define LSR      5
#define LSR_DR   0x01
#define LSR_THRE 0x20

static uint16_t serial_port;

static void put_byte(char c)
{
	static bool stuck;
	/* a port that is not there reads FF or never empties, and a guest may have made it as slow
	 * as it likes: give up after about 10 ms of polling, once, until it is ready again */
	unsigned polls = stuck ? 1 : 20000;

	stuck = false;
	while (!stuck && !(inb(serial_port + LSR) & LSR_THRE)) {
		cpu_pause();
		stuck = --polls == 0;
	}
	outb(serial_port + THR, (uint8_t)c);
}

static void serial_put(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			put_byte('\r');
		put_byte(text[i]);
	}
}

void console_serial_show(const char *text, size_t length)
{
	if (serial_port)
		serial_put(text, length);
}

uint8_t console_serial_take(void)
{
	return serial_port && inb(serial_port + LSR) & LSR_DR ? inb(serial_port + RBR) : 0;
}

static void set_up(uint16_t port)
{
	outb(port + IER, 0);
	outb(port + LCR, 0x80);
	outb(port + DLL, 1);
	outb(port + DLM, 0);
	outb(port + LCR, 3);
	outb(port + FCR, 7);
	outb(port + MCR, 3);
}

void console_serial_init(uint16_t port)
{
	if (inb(port + LSR) == 0xff)
		return; /* nothing there */
	serial_port = port;
	set_up(port);
	log_add_sink(serial_put);
}

void console_wake(void)
{
	if (serial_port)
		set_up(serial_port);
}
