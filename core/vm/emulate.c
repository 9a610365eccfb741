/* Small steps that exit handlers share: exceptions, skipping, operand fetch. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/emulate.h"
#include "core/log.h"
#include "core/vm/event.h"
#include "core/vm/gmem.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/reset.h"

void emulate_fault(struct vcpu *v, uint8_t vector, uint32_t error, uint64_t cr2)
{
	struct event first, e = {.vector = vector,
				 .type = EVENT_EXCEPTION,
				 .has_error = event_has_error(vector),
				 .error = error,
				 .cr2 = cr2};
	bool nmi = false;

	if (vmm_ops->pending_event(v, &first)) {
		struct event second = e;

		if (event_merge(&first, &second, &e) == EVENT_SHUTDOWN)
			emulate_shutdown();
		nmi = first.type == EVENT_NMI;
	}
	/* real mode pushes none (SDM 3A 21.1.4) */
	if (!(vmm_ops->cr(v, 0) & CR0_PE))
		e.has_error = false;
	/* the frame of a fault has RF set, which an injected one takes from here (SDM 3B 18.3.1.1)
	 */
	if (event_is_fault(e.vector))
		vmm_ops->set_reg(v, REG_RFLAGS, vmm_ops->reg(v, REG_RFLAGS) | RFLAGS_RF);
	vmm_ops->inject(v, &e);
	if (nmi)
		vmm_ops->inject_nmi(v);
}

_Noreturn void emulate_shutdown(void)
{
	log_printf("Guest shutdown (triple fault): reset\n");
	reset_machine(); /* the chipset turns the shutdown cycle into that */
}

void emulate_exception(struct vcpu *v, uint8_t vector, uint32_t error)
{
	emulate_fault(v, vector, error, 0);
}

enum exit_result emulate_string_pause(struct vcpu *v)
{
	vmm_ops->advance(v, 0);
	vmm_ops->set_reg(v, REG_RFLAGS, vmm_ops->reg(v, REG_RFLAGS) | RFLAGS_RF);
	return EXIT_RESUME;
}

void emulate_entry_failed(const struct vcpu *v)
{
	uint64_t exits = 0;

	for (unsigned i = 0; i < sizeof(v->exit_count) / sizeof(v->exit_count[0]); i++)
		exits += v->exit_count[i];
	if (exits > 1)
		emulate_shutdown();
}

enum exit_result emulate_gp(struct vcpu *v)
{
	emulate_exception(v, VECTOR_GP, 0);
	return EXIT_RESUME;
}

enum exit_result emulate_ud(struct vcpu *v)
{
	emulate_exception(v, VECTOR_UD, 0);
	return EXIT_RESUME;
}

enum insn_mode emulate_mode(struct vcpu *v)
{
	struct seg_state cs;

	if (!(vmm_ops->cr(v, 0) & CR0_PE))
		return INSN_MODE16;
	vmm_ops->seg(v, SEG_CS, &cs);
	if ((vmm_ops->reg(v, REG_EFER) & EFER_LMA) && (cs.attr & SEG_ATTR_L))
		return INSN_MODE64;
	return cs.attr & SEG_ATTR_DB ? INSN_MODE32 : INSN_MODE16;
}

int emulate_length(struct vcpu *v, enum insn_kind kind, struct insn_fields *fields)
{
	uint8_t bytes[15];
	size_t n = gmem_fetch(v, bytes);

	return insn_length(kind, bytes, n, emulate_mode(v), fields);
}

void emulate_set_gpr(struct vcpu *v, unsigned reg, uint64_t value)
{
	if (reg == GPR_RSP)
		vmm_ops->set_reg(v, REG_RSP, value);
	else
		v->gpr[reg] = value;
}
