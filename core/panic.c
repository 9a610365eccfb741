/* Panic: stop every CPU, show the state of each. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/panic.h"
#include "core/cas.h"
#include "core/console.h"
#include "core/log.h"
#include "core/start.h"
#include "core/thread.h"
#include "core/vm/nmi.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/reset.h"
#include "core/x86/trap.h"
#include "core/vmm_ops.h"
#include "core/addr.h"

extern const char image_start[], image_text_end[], image_end[];

#define NO_CPU UINT32_MAX /* during start-up, or the stack pointer is broken */

static uint32_t panicking; /* atomic: who panics, index + 1, or NO_CPU; 0 nobody */

static bool is_code(uint64_t a)
{
	return a >= (uintptr_t)image_start && a < (uintptr_t)image_text_end;
}

/* End of what can be read above `rsp`: stacks end at guard pages, reading one would be the next
 * panic. */
static uint64_t stack_end(uint64_t rsp)
{
	const struct cpu *cpu = cpu_current();
	uint64_t block = (uintptr_t)cpu - CPU_STRUCT, bottom, top;
	struct cpu *runner;

	if (thread_stack_of(rsp, &runner, &bottom, &top))
		return rsp >= bottom && rsp < top ? top : 0;
	if (!cpu) /* the boot stack in the image, or the firmware's */
		return rsp >= (uintptr_t)image_start && rsp < (uintptr_t)image_end
			   ? (uintptr_t)image_end
			   : align_up(rsp + 1, PAGE_SIZE);
	if (rsp >= block + CPU_STACK_BOTTOM && rsp < block + CPU_STRUCT)
		return block + CPU_STRUCT;
	if (rsp >= block && rsp < block + CPU_STACK_BOTTOM && ((rsp - block) & 0x1000))
		return align_up(rsp + 1, PAGE_SIZE);
	return 0;
}

static void show_stack(uint64_t rsp)
{
	uint64_t a = rsp & ~UINT64_C(7), end = stack_end(a);
	unsigned n = 0;

	if (!end) { /* a guard page: the stack was used up; show what is above it */
		a = align_up(a, PAGE_SIZE);
		end = stack_end(a);
	}
	log_printf("Stack at %#lx, code addresses on it:", rsp);
	for (; a < end && n < 24; a += 8) {
		uint64_t v = *(const uint64_t *)(uintptr_t)a;

		if (is_code(v)) {
			log_printf(" %#lx", v);
			n++;
		}
	}
	log_printf("\n");
}

static void show_guest(uint32_t index, const struct vcpu_state *s)
{
	log_printf("-------- guest of CPU%u --------\n", index);
	log_printf("RAX %016lx RCX %016lx RDX %016lx RBX %016lx\n", s->gpr[0], s->gpr[1], s->gpr[2],
		   s->gpr[3]);
	log_printf("RSP %016lx RBP %016lx RSI %016lx RDI %016lx\n", s->gpr[4], s->gpr[5], s->gpr[6],
		   s->gpr[7]);
	log_printf("R8  %016lx R9  %016lx R10 %016lx R11 %016lx\n", s->gpr[8], s->gpr[9],
		   s->gpr[10], s->gpr[11]);
	log_printf("R12 %016lx R13 %016lx R14 %016lx R15 %016lx\n", s->gpr[12], s->gpr[13],
		   s->gpr[14], s->gpr[15]);
	log_printf("RIP %04x:%016lx (base %lx) RFLAGS %08lx\n", s->seg[SEG_CS].selector, s->rip,
		   s->seg[SEG_CS].base, s->rflags);
	log_printf("CR0 %016lx CR3 %016lx CR4 %016lx EFER %lx\n", s->cr0, s->cr3, s->cr4, s->efer);
	log_printf("-------- end of CPU%u --------\n", index);
}

static void show_host(void)
{
	log_printf("CR0 %016lx CR2 %016lx CR3 %016lx CR4 %016lx\n", read_cr0(), read_cr2(),
		   read_cr3(), read_cr4());
}

/* The other CPUs have stopped and left their guest's registers: shown one after the other. */
static void show_guests(void)
{
	const struct cpu *self = cpu_current();

	for (uint32_t i = 0; i < cpu_count; i++) {
		const struct cpu *cpu = cpus[i];

		if (cpu != self && cpu->online == 1 &&
		    !__atomic_load_n(&cpu->stopped, __ATOMIC_ACQUIRE))
			log_printf("CPU%u does not answer.\n", i);
		else if (cpu->vcpu.active)
			show_guest(i, &cpu->state);
	}
}

static void save_guest(struct cpu *cpu)
{
	if (cpu->vcpu.active)
		vmm_ops->state_get(&cpu->vcpu, &cpu->state);
}

static _Noreturn void end(void)
{
	if (start_config()->auto_reboot) {
		log_printf("Rebooting in 5 seconds.\n");
		clock_delay_us(5000000);
		reset_machine();
	}
	log_printf("Stopped. Switch the machine off, or press its reset button.\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Returns on the first CPU that panics. Returns the number for the message. */
static unsigned begin(void)
{
	uint32_t nobody = 0;
	struct cpu *cpu = cpu_current();
	uint32_t self = cpu ? cpu->index + 1 : NO_CPU;

	cpu_cli();
	if (cas32(&panicking, &nobody, self)) {
		if (nobody != self &&
		    cpu) /* another CPU was first: the same as being told to stop */
			panic_stop();
		log_printf("panic in panic, caller %p\n", __builtin_return_address(0));
		end();
	}
	log_force();
	nmi_stop_others();
	if (cpu)
		save_guest(cpu);
	nmi_stop_wait();
	console_panic();
	return cpu ? cpu->index : 0;
}

static _Noreturn void finish(void)
{
	show_guests();
	end();
}

void panic(const char *format, ...)
{
	va_list ap;

	log_printf("panic(CPU%u): ", begin());
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
	log_printf("panic(CPU%u): exception %lu error %lx at %#lx\n", begin(), f->vector, f->error,
		   f->rip);
	log_printf("RAX %016lx RCX %016lx RDX %016lx RBX %016lx\n", f->gpr[0], f->gpr[1], f->gpr[2],
		   f->gpr[3]);
	log_printf("RSP %016lx RBP %016lx RSI %016lx RDI %016lx\n", f->rsp, f->gpr[5], f->gpr[6],
		   f->gpr[7]);
	log_printf("R8  %016lx R9  %016lx R10 %016lx R11 %016lx\n", f->gpr[8], f->gpr[9],
		   f->gpr[10], f->gpr[11]);
	log_printf("R12 %016lx R13 %016lx R14 %016lx R15 %016lx\n", f->gpr[12], f->gpr[13],
		   f->gpr[14], f->gpr[15]);
	show_host();
	show_stack(f->rsp);
	finish();
}

void panic_stop(void)
{
	struct cpu *cpu = this_cpu();

	save_guest(
	    cpu); /* here, because on VT-x another CPU cannot read it; the panicking CPU shows it */
	__atomic_store_n(&cpu->stopped, true, __ATOMIC_RELEASE);
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

#ifdef CONFIG_TEST_CALLS
#include "core/vm/vmcall.h"

/* For tests: RBX 0 panic, 1 exception in the VMM, 2 assertion. */
static void call_test_panic(struct vcpu *v)
{
	switch (v->gpr[GPR_RBX]) {
	case 1:
		*(volatile uint8_t *)(uintptr_t)image_start = 0; /* not writable */
		break;
	case 2:
		ASSERT(v->gpr[GPR_RBX] != 2);
		break;
	default:
		panic("test_panic asked for, RCX %#lx", v->gpr[GPR_RCX]);
	}
}
VMCALL("test_panic", call_test_panic);
#endif
