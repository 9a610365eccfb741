/* Stores to the watched xAPIC page that were seen before: carried out without decoding them anew.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/apicstore.h"
#include "core/string.h"
#include "core/vm/emulate.h"
#include "core/vm/gmem.h"
#include "core/vm/insn/apicwrite.h"
#include "core/vm/startup.h"
#include "core/vmm_ops.h"
#include "core/x86/apic.h"
#include "core/x86/percpu.h"

#define SHOWN_BYTES 16

static inline uint64_t word_at(const volatile uint8_t *p)
{
	uint64_t value;

	__asm__ volatile("movq %1, %0" : "=r"(value) : "m"(*(const volatile uint8_t(*)[8])p));
	return value;
}

static struct apicstore *place_of(struct cpu *cpu, uint64_t rip)
{
	return &cpu->stores[(rip ^ rip >> 6) % APICSTORE_ENTRIES];
}

uint64_t apicstore_again(const struct vcpu *v, uint64_t gpa, uint64_t rip, uint64_t cr3,
			 uint32_t cs)
{
	struct cpu *cpu = (struct cpu *)(uintptr_t)v; /* struct vcpu is first in struct cpu */
	const struct apicstore *s = place_of(cpu, rip);
	uint32_t offset = gpa & PAGE_MASK;

	__asm__("" : "+r"(s)); /* one register, not an address worked out at each use */
	if (s->rip != rip || s->cr3 != cr3 || s->cs != cs)
		return 0;
	uint64_t differ = (word_at(s->code) ^ s->bytes[0]) | (word_at(s->code + 8) ^ s->bytes[1]) |
			  (*s->at[0] ^ s->entry[0]) | (*s->at[1] ^ s->entry[1]) |
			  (*s->at[2] ^ s->entry[2]) | (*s->at[3] ^ s->entry[3]);
	uint32_t value = *s->source;

	if (differ || !startup_store_is_plain(offset, value))
		return 0;
	v->apic_registers[offset / 4] = value;
	return s->next;
}

void apicstore_learn(struct vcpu *v, const struct apicwrite *w, const uint8_t *bytes)
{
	static const uint64_t nothing;
	struct cpu *cpu = (struct cpu *)(void *)v;
	uint64_t rip = vmm_ops->reg(v, REG_RIP);
	const struct walkcache_walk *walk = walkcache_get(&cpu->walks, GVA(rip), GWALK_FETCH);
	struct apicstore *s = place_of(cpu, rip);
	struct translation t;

	s->cs = 0;
	if (w->op != APICWRITE_MOV || (w->reg != INSN_REG_NONE && !(GPRS_SCRATCH >> w->reg & 1)) ||
	    !walk || walk->depth > APICSTORE_LEVELS ||
	    (rip & PAGE_MASK) > PAGE_SIZE - SHOWN_BYTES || emulate_mode(v) != INSN_MODE64)
		return;
	s->code = gmem_at(GPA(walk->out.gpa.a | (rip & PAGE_MASK)), SHOWN_BYTES);
	if (!s->code)
		return;
	s->bytes[0] = word_at(s->code);
	s->bytes[1] = word_at(s->code + 8);
	if (memcmp(s->bytes, bytes, SHOWN_BYTES - 1) != 0)
		return; /* another CPU writes it just now */
	for (unsigned i = 0; i < APICSTORE_LEVELS; i++) {
		s->at[i] = i < walk->depth ? walk->at[i] : &nothing;
		s->entry[i] = i < walk->depth ? walk->entry[i] : 0;
	}
	s->rip = rip;
	s->cr3 = walk->cpu.cr3;
	s->next = rip + w->length;
	s->imm = (uint32_t)w->imm;
	s->source = w->reg == INSN_REG_NONE ? &s->imm : (const uint32_t *)&v->gpr[w->reg];
	vmm_ops->translation(v, &t);
	s->cs = t.cs;
}
