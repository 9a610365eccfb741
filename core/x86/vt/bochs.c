/* Bochs 2.7 keeps an INIT pending after the exit for it: found here, and worked around. */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nothing but a reset of the CPU makes Bochs forget an INIT, and each later entry exits for it at
 * once, so such a CPU would never execute another instruction of the guest (fixed after 2.7). Bochs
 * also drops an INIT that comes in VMX root operation, where hardware holds it.
 */
#include "core/x86/vt/bochs.h"
#include "core/cas.h"
#include "core/log.h"
#include "core/mm/vmmap.h"
#include "core/start.h"
#include "core/string.h"
#include "core/vm/gmem.h"
#include "core/vm/nmi.h"
#include "core/vm/startup.h"
#include "core/vmm_ops.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/reset.h"
#include "core/x86/smp.h"
#include "core/x86/vt/vt.h"

#define RSDP_OEMID     9 /* ACPI 6.5, table 5.3 */
#define RSDP_BYTES     20
#define CPUID1_ECX_HV  (1u << 31)
#define RESET_DELAY_US 100
#define JUMP_OFFSET    0xfc0 /* behind what is in the low page; a multiple of 64 */

static bool is_bochs;
static uint32_t asking; /* atomic: index of the CPU that wants to be started again, 0 none */

void bochs_detect(void)
{
	const struct acpi *acpi = start_acpi();
	const uint8_t *rsdp = acpi ? vmmap_firmware(acpi->rsdp, RSDP_BYTES) : NULL;

	is_bochs = rsdp && memcmp(rsdp + RSDP_OEMID, "BOCHS ", 6) == 0 &&
		   !(cpuid(1, 0).ecx & CPUID1_ECX_HV);
	if (is_bochs)
		log_printf("Bochs: CPUs that get an INIT are started again\n");
}

bool bochs_obeys_a20(void)
{
	return is_bochs;
}

void bochs_take_init(struct vcpu *v)
{
	struct cpu *cpu = this_cpu();
	uint32_t none = 0;

	if (!is_bochs)
		return;
	if (cpu->index == 0)
		reset_machine();
	/* an INIT to a CPU in wait-for-SIPI is without effect: what counts is the start-up IPI
	 * behind it */
	if (v->sipi_vector && (vmm_ops->reg(v, REG_RIP) != 0 || vmm_ops->cr(v, 0) & CR0_PE))
		v->sipi_vector = 0;
	__atomic_store_n(&v->active, false, __ATOMIC_SEQ_CST);
	__atomic_store_n(&cpu->online, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->kick, 0, __ATOMIC_SEQ_CST);
	while (cas32(&asking, &none, cpu->index)) {
		none = 0;
		cpu_pause();
	}
	nmi_kick(0, KICK_STARTUP);
	while (__atomic_load_n(&asking, __ATOMIC_SEQ_CST) == cpu->index)
		cpu_pause();
	vmm_ops->cpu_off(v); /* the INIT hits behind VMXOFF */
	for (;;)
		__asm__ volatile("cli; hlt");
}

void bochs_note_sipi(struct vcpu *v, uint8_t vector)
{
	if (is_bochs) /* the mailbox of start-up by ICR is free: there are exits for it */
		v->sipi_vector = 0x100u | vector;
}

/*
 * Bochs 2.7 refuses an entry whose CS has low bits, in real mode as well; the manual has no such
 * rule (SDM 3C 27.3.1.2). A waking vector may be such a one: the guest jumps there.
 */
static void enter_by_jump(struct vcpu *v)
{
	uint64_t at = start_boot_info()->low_base + JUMP_OFFSET;
	struct vcpu_state s;

	vmm_ops->state_get(v, &s);
	uint16_t cs = s.seg[SEG_CS].selector;
	const uint8_t jump[] = {0xea, (uint8_t)s.rip, (uint8_t)(s.rip >> 8), (uint8_t)cs,
				(uint8_t)(cs >> 8)};

	if (s.cr0 & CR0_PE || !(cs & 3) || gmem_write(GPA(at), jump, sizeof(jump)) != 0)
		return;
	s.seg[SEG_CS].selector = (uint16_t)(at >> 4);
	s.seg[SEG_CS].base = at;
	s.rip = 0;
	vmm_ops->state_set(v, &s);
}

void bochs_run(struct vcpu *v)
{
	uint32_t sipi = v->sipi_vector;

	if (is_bochs)
		enter_by_jump(v);
	v->sipi_vector = 0;
	if (is_bochs && sipi && v->run_state == RUN_WAIT_FOR_SIPI)
		startup_take_sipi(v, (uint8_t)sipi);
}

void bochs_unblock_smi(void)
{
	uint32_t blocked;

	if (!is_bochs)
		return;
	blocked = vt_read32(VMCS_GUEST_INTERRUPTIBILITY);
	if (blocked & VT_BLOCKED_SMI)
		vt_write(VMCS_GUEST_INTERRUPTIBILITY, blocked & ~VT_BLOCKED_SMI);
}

void bochs_help(void)
{
	uint32_t index = __atomic_load_n(&asking, __ATOMIC_SEQ_CST);

	if (index == 0 || this_cpu()->index != 0)
		return;
	/* from here on the guest's boot CPU, which sends the start-up IPIs, stands still */
	__atomic_store_n(&asking, 0, __ATOMIC_SEQ_CST);
	clock_delay_us(RESET_DELAY_US);
	if (!smp_restart(index))
		log_printf("CPU%u does not come back\n", index);
}
