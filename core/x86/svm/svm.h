/* AMD-V back end: what its files share. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/vm/vcpu.h"
#include "core/x86/svm/controls.h"
#include "core/x86/svm/vmcb.h"

extern struct svm_controls svm_controls;

static inline struct vmcb *svm_vmcb(const struct vcpu *v)
{
	return v->vendor;
}

static inline void svm_vmload(uint64_t pa)
{
	__asm__ volatile("vmload %0" : : "a"(pa) : "memory");
}

static inline void svm_vmsave(uint64_t pa)
{
	__asm__ volatile("vmsave %0" : : "a"(pa) : "memory");
}

static inline void svm_stgi(void)
{
	__asm__ volatile("stgi" : : : "memory");
}

static inline void svm_clgi(void)
{
	__asm__ volatile("clgi" : : : "memory");
}

/*
 * From assembly: one exit, from #VMEXIT to the next VMRUN. GIF is 0 on both ends. First the lean
 * one, when no work is pending: it answers the frequent exits where nothing else is to be done, and
 * returns true; false: nothing has changed, and svm_exit() follows.
 */
bool svm_exit_lean(struct vcpu *v);
void svm_exit(struct vcpu *v);
/* Index of an exit code in the table of exits and in struct vcpu.exit_count. Context: any. */
unsigned svm_exit_row(uint64_t code);
_Noreturn void svm_run_loop(struct vcpu *v);

/* exit.c: RIP behind the exiting instruction of `length` bytes; interrupt shadow and TF as
 * hardware. */
void svm_advance(struct vcpu *v, unsigned length);
void svm_inject(struct vcpu *v, const struct event *e);
bool svm_pending_event(const struct vcpu *v, struct event *e);
void svm_inject_nmi(struct vcpu *v);

/* Set or clear bits of intercept word `word`. */
static inline void svm_intercept(struct vcpu *v, unsigned word, uint32_t bits, bool on)
{
	struct vmcb_control *c = &svm_vmcb(v)->control;
	uint32_t wanted = on ? c->intercept[word] | bits : c->intercept[word] & ~bits;

	if (wanted == c->intercept[word])
		return;
	c->intercept[word] = wanted;
	c->clean &= ~SVM_CLEAN_I;
}

/* wake.c: the guest's interrupts and its idle time as alarm clock (struct vmm_ops.wake). */
const char *svm_wake(struct vcpu *v, uint64_t us);
enum exit_result svm_exit_intr(struct vcpu *v);
enum exit_result svm_exit_hlt(struct vcpu *v);
enum exit_result svm_exit_mwait(struct vcpu *v);
/* The handler of an interrupt that has exited ends: the next one exits again. */
void svm_wake_iret(struct vcpu *v);
/* The guest's HLT is over, if it is in one that exits: before an event is delivered. */
void svm_halt_end(struct vcpu *v);
