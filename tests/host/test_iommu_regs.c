/* Tests of what VT-d and AMD-Vi units read and tell: bits after the two specifications. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/iommu/amdvi_regs.h"
#include "drivers/iommu/fault.h"
#include "drivers/iommu/vtd_regs.h"
#include "core/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* ---- VT-d ---- */

static void test_vtd_caps(void **state)
{
	static const struct {
		const char *what;
		uint64_t cap, ecap;
		int err;
		struct vtd_unit_caps c;
	} rows[] = {
	    /* as QEMU 7.2 has them: aw-bits=39, and 48 */
	    {"39 bits",
	     0x00d2008c22260286,
	     0xf4a,
	     0,
	     {3, 3, 39, 1, 0x220, 0xf8, 0x1000, true, false, true, true, false}},
	    {"48 bits",
	     0x00d2008c222f0686,
	     0xf4a,
	     0,
	     {4, 3, 48, 1, 0x220, 0xf8, 0x1000, true, false, true, true, false}},
	    /* the two units of a Skylake notebook, as its kernel prints them: 4 levels for 39 bits
	     */
	    {"graphics",
	     0x1c0000c40660462,
	     0x19e2ff0505e,
	     0,
	     {4, 3, 39, 1, 0x400, 0x508, 0x1000, true, false, true, true, true}},
	    {"the rest",
	     0xd2008c40660462,
	     0xf050da,
	     0,
	     {4, 3, 39, 1, 0x400, 0x508, 0x1000, true, false, true, true, true}},
	    /* a server: several fault records */
	    {"server",
	     0xd2078c106f0466,
	     0xf020de,
	     0,
	     {4, 3, 48, 8, 0x100, 0x208, 0x1000, true, false, true, true, true}},
	    {"no 1 GiB pages, no queue, write buffer",
	     0x00c0000400260210 | UINT64_C(0x20) << 24,
	     0x1000,
	     0,
	     {3, 2, 39, 1, 0x200, 0x108, 0x1000, false, true, true, true, false}},
	    {"fewer bits than levels",
	     0x0000000c00230600,
	     0,
	     0,
	     {4, 3, 36, 1, 0, 8, 0x1000, false, false, false, false, false}},
	    {"registers beyond a page",
	     0x0000ff0fff260286,
	     0x3ff00,
	     0,
	     {3, 3, 39, 256, 0x3ff0, 0x3ff8, 0x4ff0, false, false, false, false, false}},
	    {"no large pages", 0x00d2000822260286, 0xf4a, -EINVAL, {0}},
	    {"5 levels only", 0x00d2000c22260886, 0xf4a, -EINVAL, {0}},
	    {"not there", UINT64_MAX, UINT64_MAX, -ENODEV, {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct vtd_unit_caps c;
		const struct vtd_unit_caps *w = &rows[i].c;
		const char *reason = NULL;
		int err = vtd_caps(rows[i].cap, rows[i].ecap, &c, &reason);

		if (err != rows[i].err)
			fail_msg("%s: %d", rows[i].what, err);
		if (err) {
			assert_int_equal(reason != NULL, err == -EINVAL);
			continue;
		}
		if (c.levels != w->levels || c.max_leaf != w->max_leaf || c.width != w->width ||
		    c.fault_records != w->fault_records || c.fault_offset != w->fault_offset ||
		    c.iotlb_offset != w->iotlb_offset || c.registers_end != w->registers_end ||
		    c.queue != w->queue || c.write_buffer != w->write_buffer ||
		    c.drain_reads != w->drain_reads || c.drain_writes != w->drain_writes ||
		    c.protected_memory != w->protected_memory)
			fail_msg("%s: %u levels, leaf %u, %u bits, %u faults at %#x, IOTLB %#x, "
				 "end %#x, "
				 "%d%d%d%d%d",
				 rows[i].what, c.levels, c.max_leaf, c.width, c.fault_records,
				 c.fault_offset, c.iotlb_offset, c.registers_end, c.queue,
				 c.write_buffer, c.drain_reads, c.drain_writes, c.protected_memory);
	}
}

static void test_vtd_entries(void **state)
{
	struct vtd_unit_caps c = {.drain_writes = true};
	uint64_t e[2];

	(void)state;
	assert_true(vtd_root_entry(0x3ee80000) == 0x3ee80001); /* P, CTP */
	vtd_context_entry(e, 0x3ee81000, 3, 1);
	assert_true(e[0] == 0x3ee81001); /* P, no FPD, TT 00 */
	assert_int_equal(e[1], 0x101);   /* DID 1 in 87:72, AW 001: 39 bits */
	vtd_context_entry(e, 0x123456000, 4, 0xabcd);
	assert_true(e[0] == 0x123456001 && e[1] == 0xabcd02); /* AW 010: 48 bits */
	vtd_flush_contexts(e);
	assert_true(e[0] == 0x11 && e[1] == 0); /* type 1, granularity 01 */
	vtd_flush_iotlb(e, &c);
	assert_true(e[0] == 0x52 && e[1] == 0); /* type 2, granularity 01, DW */
	c = (struct vtd_unit_caps){.drain_reads = true};
	vtd_flush_iotlb(e, &c);
	assert_int_equal(e[0], 0x92); /* DR */
	vtd_wait(e, 0x3ee82ff0, 0x89abcdef);
	assert_true(e[0] == 0x89abcdef00000025 && e[1] == 0x3ee82ff0); /* type 5, SW */
}

static void test_vtd_fault(void **state)
{
	/* FI 63:12; SID 79:64, FR 103:96, T1 126, F 127 */
	uint64_t write[2] = {0x3ee01000, 0x8000000500000018};
	uint64_t read[2] = {0xfffffffffffff000, 0xc00000060000fff9};
	uint64_t none[2] = {0x3ee01000, 0x4000000600000018};
	struct iommu_fault f;
	char text[80];

	(void)state;
	assert_true(vtd_fault(write, &f));
	assert_true(f.address == 0x3ee01000 && f.device == 0x18 && f.reason == 5 && f.write);
	iommu_fault_text(&f, 0, text, sizeof text);
	assert_string_equal(text, "0000:00:03.0 must not write 0x3ee01000 (reason 5)");
	assert_true(vtd_fault(read, &f));
	assert_true(f.address == 0xfffffffffffff000 && f.reason == 6 && !f.write);
	iommu_fault_text(&f, 0x12, text, sizeof text);
	assert_string_equal(text, "0012:ff:1f.1 must not read 0xfffffffffffff000 (reason 6)");
	assert_false(vtd_fault(none, &f));
}

/* ---- AMD-Vi ---- */

static void test_amdvi_entry(void **state)
{
	uint64_t e[4];

	(void)state;
	amdvi_device_entry(e, 0x3ee81000, 1, 0);
	assert_true(e[0] == 0x600000003ee81803); /* V, TV, Mode 4, IR, IW */
	assert_int_equal(e[1], 1);
	assert_true(e[2] == 0 && e[3] == 0); /* IV 0: nothing is said of interrupts */
	amdvi_device_interrupts(e, 0);
	/* IV, IntCtl 01; INITPass 184, EIntPass 185, NMIPass 186, LintPass 190 and 191 are 0 */
	assert_true(e[2] == 0x1000000000000001 && e[3] == 0);
	/* what a south bridge may: all but INIT (bit 184 = 56 of its quadword) */
	amdvi_device_entry(e, 0x3ee81000, 0x1234, 0xd7);
	assert_true(e[1] == 0x10000001234); /* SysMgt 105:104 = 01 */
	amdvi_device_interrupts(e, 0xd7);
	assert_true(e[2] == 0xd600000000000001);
	amdvi_device_interrupts(e, IVRS_INIT_PASS);
	assert_true(e[2] == 0x1000000000000001);
	amdvi_device_nmi(e);
	assert_true(e[2] == 0x1400000000000001);
}

static void test_amdvi_commands(void **state)
{
	uint64_t c[2];

	(void)state;
	amdvi_wait(c, 0x3ee82ff8, 7);
	assert_true(c[0] == 0x100000003ee82ff9 && c[1] == 7);
	amdvi_flush_device(c, 0xfff8);
	assert_true(c[0] == 0x200000000000fff8 && c[1] == 0);
	amdvi_flush_domain(c, 1);
	assert_true(c[0] == 0x3000000100000000 && c[1] == 0x7ffffffffffff003); /* S, PDE */
	amdvi_flush_all(c);
	assert_true(c[0] == 0x8000000000000000 && c[1] == 0);
	/* HtTunEn 1, PassPW 8, ResPassPW 9, Coherent 10, Isoc 11 */
	assert_int_equal(amdvi_control(0), 0);
	assert_int_equal(amdvi_control(0x01), 0x002);
	assert_int_equal(amdvi_control(0x02), 0x100);
	assert_int_equal(amdvi_control(0x04), 0x200);
	assert_int_equal(amdvi_control(0x08), 0x800);
	assert_int_equal(amdvi_control(0xb0), 0x400); /* of a desktop's table */
}

static void test_amdvi_events(void **state)
{
	static const struct {
		unsigned code;
		bool device;
	} rows[] = {{0, false}, {1, true},  {2, true}, {3, true},  {4, true},  {5, false},
		    {6, false}, {7, false}, {8, true}, {9, false}, {15, false}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t e[2] = {(uint64_t)rows[i].code << 60 | 0x20000000000318, 0x3ee00040};
		struct iommu_fault f;

		assert_int_equal(amdvi_fault(e, &f), rows[i].device);
		if (rows[i].device)
			assert_true(f.address == 0x3ee00040 && f.device == 0x318 &&
				    f.reason == rows[i].code && f.write);
	}
}

/* ---- both ---- */

static void test_rate(void **state)
{
	struct iommu_fault_rate r = {0};
	unsigned lines = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		lines += iommu_fault_may_log(&r, 500);
	assert_int_equal(lines, IOMMU_FAULT_BURST);
	assert_int_equal(r.silent, 100 - IOMMU_FAULT_BURST);
	assert_false(iommu_fault_may_log(&r, IOMMU_FAULT_EACH_US - 1));
	assert_true(iommu_fault_may_log(&r, IOMMU_FAULT_EACH_US));
	assert_false(iommu_fault_may_log(&r, IOMMU_FAULT_EACH_US + 1));
	/* a flood of an hour: a line a second */
	lines = 0;
	for (uint64_t us = 2 * IOMMU_FAULT_EACH_US; us < UINT64_C(3602) * IOMMU_FAULT_EACH_US;
	     us += 1000)
		lines += iommu_fault_may_log(&r, us);
	assert_int_equal(lines, 3600);
	/* after a long silence no more than a burst */
	lines = 0;
	for (unsigned i = 0; i < 100; i++)
		lines += iommu_fault_may_log(&r, UINT64_MAX);
	assert_int_equal(lines, IOMMU_FAULT_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vtd_caps),       cmocka_unit_test(test_vtd_entries),
	    cmocka_unit_test(test_vtd_fault),      cmocka_unit_test(test_amdvi_entry),
	    cmocka_unit_test(test_amdvi_commands), cmocka_unit_test(test_amdvi_events),
	    cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
