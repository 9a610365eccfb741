/* INS and OUTS, element by element, on a port that the VMM handles. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/insn/segment.h"
#include "core/vm/vcpu.h"

struct strio {
	uint8_t size;         /* of an element: 1, 2, 4 bytes */
	uint8_t address_size; /* 2, 4, 8 bytes */
	bool write;           /* OUTS: to the port */
	bool rep;
	bool down;    /* DF */
	bool aligned; /* CR0.AM and EFLAGS.AC at CPL 3: #AC */
	struct segment_cpu cpu;
	enum insn_seg segment; /* ES for INS; what OUTS reads from */
	struct seg_state seg;  /* its register */
};

struct strio_fault {
	uint8_t vector;
	uint32_t error;
	uint64_t cr2; /* with #PF */
};

struct strio_ops {
	void *arg;
	/* Guest-physical address of a linear one, for reading or writing; false: *f is set. */
	bool (*translate)(void *arg, uint64_t la, bool write, uint64_t *gpa, struct strio_fault *f);
	/* n bytes (1..4) within a page. */
	uint32_t (*mem_read)(void *arg, uint64_t gpa, unsigned n);
	void (*mem_write)(void *arg, uint64_t gpa, unsigned n, uint32_t value);
	/* One access to the port: OUT takes *value, IN sets it. */
	void (*port)(void *arg, uint32_t *value);
};

enum strio_result {
	STRIO_DONE,  /* the instruction is done */
	STRIO_AGAIN, /* a repeated one is not: it stays where it is, interrupts may come */
	STRIO_FAULT, /* *f is to be raised; elements before it are done */
};

/*
 * Carries out at most `limit` elements (0 counts as 1). *rcx and *index (rDI for INS, rSI for OUTS)
 * are whole registers; as much of them changes as the address size says, after each element. An
 * element's memory is looked at before its port is, so that a fault has no other effect. SDM 2A
 * INS, 2B OUTS and REP; APM 3.
 */
enum strio_result strio_run(const struct strio *s, const struct strio_ops *ops, uint64_t *rcx,
			    uint64_t *index, unsigned limit, struct strio_fault *f);
