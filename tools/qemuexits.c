/* Plugin of QEMU's TCG: instructions of the VMM's start, of each exit, and of both sides between
 * marks. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Arguments: out=FILE, entry=ADDRESS of the image's entry as the boot loader jumps to it, and
 * first=ADDRESS, end=ADDRESS of the VMM's code. FILE gets one line "start N", and then a line for
 * each exit: the instructions from #VMEXIT to the next VMRUN, which is counted. One CPU only.
 *
 * With marks=1 the guest's instructions are counted, too, and not those of the start. Each time
 * that the NOP of MARK is executed there is a line "mark G V": the guest's and the VMM's so far.
 * Without the VMM all are the guest's.
 *
 * Debian has no header for plugins; these are the declarations of interface version 1 that are
 * needed here.
 */
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*executed)(unsigned cpu, void *arg);

extern int qemu_plugin_version;
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed cb, int flags,
					    void *arg);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *count,
						uint64_t add);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 1;

/* nopl 0x4b52414d(%rax), which nobody else uses; tests/system/transfer.c */
#define MARK "\x0f\x1f\x80\x4d\x41\x52\x4b"

static FILE *out;
static uint64_t entry, first, end;
static bool marks;
static uint64_t guest;             /* instructions of the guest, with marks=1 */
static uint64_t counted;           /* instructions so far; of the VMM only, once it has started */
static uint64_t begun, exit_begun; /* what was counted at the entry, at the last #VMEXIT */
static bool started;               /* the guest runs */

static void at_entry(unsigned cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	begun = counted;
}

static void at_vmrun(unsigned cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	if (started)
		fprintf(out, "%" PRIu64 "\n", counted - exit_begun);
	else
		fprintf(out, "start %" PRIu64 "\n", counted - begun);
	fflush(out);
	started = true;
}

static void behind_vmrun(unsigned cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	exit_begun = counted;
}

static void at_mark(unsigned cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	fprintf(out, "mark %" PRIu64 " %" PRIu64 "\n", guest, counted);
	fflush(out);
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	static uint64_t vmrun;

	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t at = qemu_plugin_insn_vaddr(insn);
		bool ours = at >= first && at < end;

		if (at == entry && !started)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_entry, 0, NULL);
		if (ours && vmrun && at == vmrun + 3)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, behind_vmrun, 0, NULL);
		if (ours || (!started && !marks))
			qemu_plugin_register_vcpu_insn_exec_inline(insn, 0, &counted, 1);
		else if (marks)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, 0, &guest, 1);
		if (marks && qemu_plugin_insn_size(insn) == sizeof(MARK) - 1 &&
		    memcmp(qemu_plugin_insn_data(insn), MARK, sizeof(MARK) - 1) == 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark, 0, NULL);
		if (ours && qemu_plugin_insn_size(insn) == 3 &&
		    memcmp(qemu_plugin_insn_data(insn), "\x0f\x01\xd8", 3) == 0) {
			vmrun = at;
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_vmrun, 0, NULL);
		}
	}
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		const char *value = strchr(argv[i], '=');

		if (!value)
			return 1;
		if (strncmp(argv[i], "out", 3) == 0)
			out = fopen(value + 1, "w");
		else if (strncmp(argv[i], "entry", 5) == 0)
			entry = strtoull(value + 1, NULL, 0);
		else if (strncmp(argv[i], "first", 5) == 0)
			first = strtoull(value + 1, NULL, 0);
		else if (strncmp(argv[i], "marks", 5) == 0)
			marks = value[1] == '1';
		else
			end = strtoull(value + 1, NULL, 0);
	}
	if (!out || (!marks && (!entry || end <= first)))
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
