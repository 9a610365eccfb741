/* Panic: stop every CPU, show the state of each. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/panic.h"
#include "core/console.h"
#include "core/log.h"
#include "core/start.h"
#include "core/vm/nmi.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/reset.h"
#include "core/x86/trap.h"
#include "core/vmm_ops.h"

extern const char image_start[], image_text_end[];

static uint32_t panicking; /* atomic: the first CPU wins */

static bool is_code(uint64_t a)
{
	return a >= (uintptr_t)image_start && a < (uintptr_t)image_text_end;
}

static void show_stack(uint64_t rsp)
{
	uint64_t bottom = (rsp & ~(uint64_t)(CPU_BLOCK_SIZE - 1)) + CPU_STRUCT;
	unsigned n = 0;

	log_printf("Stack at %#lx, code addresses on it:", rsp);
	for (uint64_t a = rsp & ~UINT64_C(7); a < bottom && n < 24; a += 8) {
		uint64_t v = *(const uint64_t *)(uintptr_t)a;

		if (is_code(v)) {
			log_printf(" %#lx", v);
			n++;
		}
	}
	log_printf("\n");
}

static void show_guest(struct cpu *cpu)
{
	struct vcpu_state s;

	if (!cpu->vcpu.active)
		return;
	vmm_ops->state_get(&cpu->vcpu, &s);
	log_printf("-------- guest of CPU%u --------\n", cpu->index);
	log_printf("RAX %016lx RCX %016lx RDX %016lx RBX %016lx\n", s.gpr[0], s.gpr[1], s.gpr[2], s.gpr[3]);
	log_printf("RSP %016lx RBP %016lx RSI %016lx RDI %016lx\n", s.gpr[4], s.gpr[5], s.gpr[6], s.gpr[7]);
	log_printf("R8  %016lx R9  %016lx R10 %016lx R11 %016lx\n", s.gpr[8], s.gpr[9], s.gpr[10], s.gpr[11]);
	log_printf("R12 %016lx R13 %016lx R14 %016lx R15 %016lx\n", s.gpr[12], s.gpr[13], s.gpr[14], s.gpr[15]);
	log_printf("RIP %04x:%016lx (base %lx) RFLAGS %08lx\n", s.seg[SEG_CS].selector, s.rip, s.seg[SEG_CS].base, s.rflags);
	log_printf("CR0 %016lx CR3 %016lx CR4 %016lx EFER %lx\n", s.cr0, s.cr3, s.cr4, s.efer);
	log_printf("-------- end of CPU%u --------\n", cpu->index);
}

static void show_host(void)
{
	log_printf("CR0 %016lx CR2 %016lx CR3 %016lx CR4 %016lx\n", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

static void begin(void)
{
	cpu_cli();
	if (__atomic_exchange_n(&panicking, 1, __ATOMIC_SEQ_CST)) /* another CPU is at it, or the panic failed */
		for (;;)
			__asm__ volatile("hlt");
	nmi_stop_others();
	log_force();
	console_panic();
}

static _Noreturn void finish(void)
{
	if (cpu_count) {
		show_guest(this_cpu());
		nmi_stop_show();
	}
	if (start_config()->auto_reboot) {
		log_printf("Rebooting in 5 seconds.\n");
		clock_delay_us(5000000);
		reset_machine();
	}
	log_printf("Stopped. Switch the machine off, or press its reset button.\n");
	for (;;)
		__asm__ volatile("hlt");
}

void panic(const char *format, ...)
{
	va_list ap;

	begin();
	log_printf("panic(CPU%u): ", cpu_count ? this_cpu()->index : 0);
	va_start(ap, format);
	log_vprintf(format, ap);
	va_end(ap);
	log_printf("\n");
	show_host();
	show_stack((uintptr_t)__builtin_frame_address(0));
	finish();
}

void panic_trap(const struct trap_frame *f)
{
	begin();
	log_printf("panic(CPU%u): exception %lu error %lx at %#lx\n", cpu_count ? this_cpu()->index : 0, f->vector, f->error, f->rip);
	log_printf("RAX %016lx RCX %016lx RDX %016lx RBX %016lx\n", f->gpr[0], f->gpr[1], f->gpr[2], f->gpr[3]);
	log_printf("RSP %016lx RBP %016lx RSI %016lx RDI %016lx\n", f->rsp, f->gpr[5], f->gpr[6], f->gpr[7]);
	log_printf("R8  %016lx R9  %016lx R10 %016lx R11 %016lx\n", f->gpr[8], f->gpr[9], f->gpr[10], f->gpr[11]);
	log_printf("R12 %016lx R13 %016lx R14 %016lx R15 %016lx\n", f->gpr[12], f->gpr[13], f->gpr[14], f->gpr[15]);
	show_host();
	show_stack(f->rsp);
	finish();
}

void panic_stop(void)
{
	struct cpu *cpu = this_cpu();

	log_printf("CPU%u stopped.\n", cpu->index);
	show_guest(cpu);
	__atomic_store_n(&cpu->panicked, true, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void assert_failed(const char *expression, const char *function, const char *file, unsigned line)
{
	panic("assertion %s failed in %s, %s:%u", expression, function, file, line);
}

/* -fstack-protector: a function overwrote its frame. */
uintptr_t __stack_chk_guard = 0x595e9fbd94fda766;
_Noreturn void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
	panic("stack smashed, caller %p", __builtin_return_address(0));
}
