/* Where the log is shown before the guest owns the machine, and in a panic. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/boot.h"

/* Send the log to a 16550 at `port`, 115200 8N1. The port stays the guest's. Context: start-up. */
void console_serial_init(uint16_t port);
/* For screen.c: write to that port alone, if there is one, and take what has come there; 0:
 * nothing. UEFI firmware may use the port itself: it is asked for keys instead. */
void console_serial_show(const char *text, size_t length);
uint8_t console_serial_take(void);
/* Behind S3: make the port ready again. Context: boot CPU, before the guest runs. */
void console_wake(void);
/* Send the log to the VGA text screen until console_release(). Context: start-up, BIOS. */
void console_text_init(void);
/* Send the log to the boot loader's frame buffer, for a machine without text screen that is not
 * going to start the VMM. Context: start-up, with the boot tables' identity map of the first 4 GiB.
 */
void console_framebuffer_init(const struct boot_framebuffer *f);
/* Send the log to the firmware's console until console_release(). Context: start-up, UEFI,
 * firmware's CR3 half mapped. */
void console_uefi_init(const struct boot_info *bi);
/* After the address space was built: address the screen through it, and the frame buffer that a
 * panic will need. */
void console_remap(const struct boot_info *bi);
/* The guest owns screen and firmware from here. */
void console_release(void);
/* A panic: take the text screen (BIOS machines) or the frame buffer back and show what the log
 * prints. */
void console_panic(void);
#define CONSOLE_COLUMNS 80
#define CONSOLE_ROWS    25
/* Write to the screen, and on a BIOS machine to the serial port, but not to the log; backspaces
 * work. Context: start-up. */
void console_show(const char *text, size_t length);
/* Whether the screen shows what is logged, as it does at first. Context: start-up. */
void console_show_log(bool on);
/* There is a keyboard that console_poll_key() can read: the firmware's, and on a BIOS machine a
 * terminal on the serial port as well. Context: start-up. */
bool console_has_keys(void);
/* One of b c g q r, a blank or CR; or 0. Context: start-up, before the guest runs. */
char console_poll_key(void);
