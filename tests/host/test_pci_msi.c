/* Tests of drivers/pci/msi_shadow.h: what the guest sees, the hardware gets, and what is forwarded.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/host/msi_model.h"
#include "tests/host/random.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* PCI Local Bus 3.0: 6.8.1.3 and 6.8.2.3. */
#define ENABLE      0x0001
#define X_ENABLE    0x8000
#define X_MASK      0x4000
#define NMI_ADDRESS 0xfee00000
#define NMI_DATA    0x400

static struct msi_model m;

static uint64_t get(enum msi_space space, uint32_t offset, unsigned size)
{
	return msi_shadow_read(&m.s, space, offset, size);
}

static void set(enum msi_space space, uint32_t offset, unsigned size, uint64_t value)
{
	msi_shadow_write(&m.s, space, offset, size, value);
	assert_true(m.in_order);
}

/* ---- messages: SDM 3A, 10.11 (message) and 10.6.1 (ICR) ---- */

static void test_allowed(void **state)
{
	static const struct {
		uint64_t address;
		uint32_t data;
		bool allowed;
	} rows[] = {
	    {0xfee00000, 0x0030, true},   /* fixed */
	    {0xfee01000, 0x0130, true},   /* lowest priority */
	    {0xfee00000, 0x0200, true},   /* SMI */
	    {0xfee00000, 0x0330, false},  /* reserved */
	    {0xfee00000, 0x0400, true},   /* NMI */
	    {0xfee00000, 0x0500, false},  /* INIT */
	    {0xfee00000, 0x0600, false},  /* reserved; start-up in an ICR */
	    {0xfee00000, 0x0700, false},  /* ExtINT */
	    {0xfeeffffc, 0xc0ff, true},   /* the last address, level-triggered */
	    {0xfef00000, 0x0030, false},  /* behind it */
	    {0xfedffffc, 0x0030, false},  /* before it */
	    {0x1fee00000, 0x0030, false}, /* above 4 GiB */
	    {0x00001000, 0x0030, false},  /* memory */
	    {0, 0, false},                /* as after a reset */
	    {0xfee00000, 0x10030, false}, /* upper half of the data: must be 0 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct msi_message message = {rows[i].address, rows[i].data};

		assert_int_equal(msi_message_allowed(&message), rows[i].allowed);
	}
}

static void test_icr(void **state)
{
	static const struct {
		uint64_t address;
		uint32_t data;
		bool x2apic, possible;
		uint32_t destination, icr;
	} rows[] = {
	    /* physical, fixed, edge */
	    {0xfee00000, 0x0031, false, true, 0, 0x4031},
	    {0xfee03000, 0x4031, false, true, 3, 0x4031},
	    {0xfee03000, 0x0031, true, true, 3, 0x4031},
	    /* logical */
	    {0xfee02004, 0x0041, false, true, 2, 0x4841},
	    {0xfee02004, 0x0041, true, true, 2, 0x4841},
	    /* redirection hint: one of the CPUs; with a physical destination there is one anyway */
	    {0xfee0300c, 0x0041, false, true, 3, 0x4941},
	    {0xfee03008, 0x0041, false, true, 3, 0x4041},
	    /* lowest priority as such */
	    {0xfee0f00c, 0x0151, false, true, 15, 0x4951},
	    {0xfee0f004, 0x0151, true, true, 15, 0x4951},
	    /* all CPUs: FFh, in x2APIC mode FFFFFFFFh (10.12.9) */
	    {0xfeeff000, 0x0061, false, true, 0xff, 0x4061},
	    {0xfeeff000, 0x0061, true, true, 0xffffffff, 0x4061},
	    {0xfeeff004, 0x0061, true, true, 0xff, 0x4861},
	    /* NMI and SMI have no vector, and no rule about it */
	    {0xfee01000, 0x0400, false, true, 1, 0x4400},
	    {0xfee01000, 0x0200, false, true, 1, 0x4200},
	    /* level-triggered: asserted goes, deasserted has no effect */
	    {0xfee01000, 0xc071, false, true, 1, 0xc071},
	    {0xfee01000, 0x8071, false, false, 0, 0},
	    /* illegal vectors: 10.5.2 */
	    {0xfee01000, 0x000f, false, false, 0, 0},
	    {0xfee01000, 0x010f, false, false, 0, 0},
	    {0xfee01000, 0x0010, false, true, 1, 0x4010},
	    /* remappable format: VT-d 5.1.2.2 */
	    {0xfee00010, 0x0031, false, false, 0, 0},
	    /* not allowed */
	    {0xfee00000, 0x0500, false, false, 0, 0},
	    {0xfed00000, 0x0031, false, false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct msi_message message = {rows[i].address, rows[i].data};
		uint32_t destination = 0, icr = 0;

		assert_int_equal(msi_to_icr(&message, rows[i].x2apic, &destination, &icr),
				 rows[i].possible);
		assert_int_equal(destination, rows[i].destination);
		assert_int_equal(icr, rows[i].icr);
	}
}

/* ---- MSI: 6.8.1 ---- */

static const struct model_shape plain = {.msi = true};
static const struct model_shape wide = {.msi = true, .wide = true};
static const struct model_shape many = {.msi = true, .wide = true, .maskable = true, .log2 = 3};
static const struct model_shape small = {.msi = true, .maskable = true, .log2 = 5};
static const struct model_shape table = {.msix = 70};

/* The guest finds what is there after a reset, and only bits that are writable change. */
static void test_msi_registers(void **state)
{
	static const struct {
		struct model_shape shape;
		uint16_t control; /* without Enable */
		unsigned data, end;
		uint32_t mask;
	} rows[] = {
	    {{.msi = true}, 0x0000, 8, 12, 0},
	    {{.msi = true, .wide = true}, 0x0080, 12, 16, 0},
	    {{.msi = true, .maskable = true, .log2 = 2}, 0x0104, 8, 20, 0xf},
	    {{.msi = true, .wide = true, .maskable = true, .log2 = 5}, 0x018a, 12, 24, 0xffffffff},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned end = rows[i].end;

		model_init(&m, rows[i].shape, MSI_TAKE);
		assert_true(m.in_order);
		assert_int_equal(model_config(&m, MODEL_MSI + 2, 2), rows[i].control);
		assert_int_equal(get(MSI_CONFIG, MODEL_MSI, 4),
				 (uint32_t)rows[i].control << 16 | 5);
		for (unsigned at = 4; at < end; at += 4)
			assert_int_equal(get(MSI_CONFIG, MODEL_MSI + at, 4), 0);
		assert_false(msi_shadow_covers(&m.s, MODEL_MSI - 4, 4));
		assert_true(msi_shadow_covers(&m.s, MODEL_MSI + 1, 1));
		assert_true(msi_shadow_covers(&m.s, MODEL_MSI + end - 1, 1));
		assert_false(msi_shadow_covers(&m.s, MODEL_MSI + end, 4));
		assert_true(msi_shadow_covers(&m.s, MODEL_MSI - 4, 8));
		/* ones everywhere */
		for (unsigned at = 0; at < end; at++)
			set(MSI_CONFIG, MODEL_MSI + at, 1, 0xff);
		assert_int_equal(get(MSI_CONFIG, MODEL_MSI, 4),
				 (uint32_t)(rows[i].control | 0x71) << 16 | 5);
		assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 4, 4), 0xfffffffc);
		if (rows[i].shape.wide)
			assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 8, 4), 0xffffffff);
		assert_int_equal(get(MSI_CONFIG, MODEL_MSI + rows[i].data, 4), 0xffff);
		if (rows[i].shape.maskable) {
			assert_int_equal(get(MSI_CONFIG, MODEL_MSI + end - 8, 4), rows[i].mask);
			assert_int_equal(get(MSI_CONFIG, MODEL_MSI + end - 4, 4), 0);
		}
	}
}

/* Accesses of any size and place, also such as no bus carries out at once. */
static void test_msi_pieces(void **state)
{
	(void)state;
	model_init(&m, wide, MSI_TAKE);
	set(MSI_CONFIG, MODEL_MSI + 4, 8, UINT64_C(0x12345678fee01000));
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 4, 8), UINT64_C(0x12345678fee01000));
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 6, 4), 0x5678fee0);
	set(MSI_CONFIG, MODEL_MSI + 7, 2, 0xaabb);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 4, 8), UINT64_C(0x123456aabbe01000));
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 9, 1), 0x56);
	set(MSI_CONFIG, MODEL_MSI + 13, 1, 0x41);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 12, 2), 0x4100);
	/* what lies beside the capability is the hardware's */
	set(MSI_CONFIG, MODEL_MSI + 14, 4, 0x11223344);
	assert_int_equal(model_config(&m, MODEL_MSI + 16, 2), 0x1122);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 12, 8), UINT64_C(0x112200004100));
	set(MSI_CONFIG, MODEL_MSI - 1, 1, 0x99);
	assert_int_equal(model_config(&m, MODEL_MSI - 4, 4), 0x99000000);
	set(MSI_CONFIG, MODEL_MSI + 17, 2, 0x7766);
	assert_int_equal(model_config(&m, MODEL_MSI + 16, 4), 0x00776622);
	set(MSI_CONFIG, 0x60, 4, 0xcafe0123);
	assert_int_equal(model_config(&m, 0x60, 4), 0xcafe0123);
}

/* The VMM's message is in the hardware while the guest has MSI enabled, never the guest's. */
static void test_msi_take(void **state)
{
	(void)state;
	model_init(&m, many, MSI_TAKE);
	set(MSI_CONFIG, MODEL_MSI + 4, 4, 0xfee03004);
	set(MSI_CONFIG, MODEL_MSI + 12, 2, 0x0048);
	set(MSI_CONFIG, MODEL_MSI + 16, 4, 0xf0);
	assert_false(model_msi_on(&m));
	assert_false(msi_shadow_post(&m.s, 0)); /* not enabled */
	set(MSI_CONFIG, MODEL_MSI + 2, 2, ENABLE | 3 << 4);
	assert_int_equal(model_config(&m, MODEL_MSI + 2, 2), 0x0187 | 3 << 4);
	assert_int_equal(model_msi(&m).address, NMI_ADDRESS);
	assert_int_equal(model_msi(&m).data, NMI_DATA);
	assert_int_equal(model_config(&m, MODEL_MSI + 16, 4), 0); /* not masked there */
	assert_true(msi_shadow_takes(&m.s));
	/* eight vectors: the lower three bits of the data are the vector's (6.8.1.3, 6.8.3.4) */
	assert_true(msi_shadow_post(&m.s, 3));
	assert_int_equal(m.sends, 0);
	msi_shadow_deliver(&m.s);
	assert_int_equal(m.sends, 1);
	assert_int_equal(m.sent[0].address, 0xfee03004);
	assert_int_equal(m.sent[0].data, 0x4b);
	/* masked: pending until it is not (6.8.3.5), and once */
	msi_shadow_post(&m.s, 5);
	msi_shadow_post(&m.s, 5);
	msi_shadow_deliver(&m.s);
	assert_int_equal(m.sends, 1);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 20, 4), 0x20);
	set(MSI_CONFIG, MODEL_MSI + 20, 4, 0); /* read only */
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 20, 4), 0x20);
	set(MSI_CONFIG, MODEL_MSI + 16, 1, 0xd0);
	assert_int_equal(m.sends, 2);
	assert_int_equal(m.sent[1].data, 0x4d);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 20, 4), 0);
	/* with the message that is there when it is unmasked */
	msi_shadow_post(&m.s, 7);
	msi_shadow_deliver(&m.s);
	set(MSI_CONFIG, MODEL_MSI + 4, 4, 0xfee05000);
	set(MSI_CONFIG, MODEL_MSI + 12, 4, 0x0058);
	assert_int_equal(m.sends, 2);
	set(MSI_CONFIG, MODEL_MSI + 16, 4, 0);
	assert_int_equal(m.sends, 3);
	assert_int_equal(m.sent[2].address, 0xfee05000);
	assert_int_equal(m.sent[2].data, 0x5f);
	/* withdrawn: not at all */
	set(MSI_CONFIG, MODEL_MSI + 16, 4, 1);
	msi_shadow_post(&m.s, 0);
	msi_shadow_withdraw(&m.s, 0);
	set(MSI_CONFIG, MODEL_MSI + 16, 4, 0);
	assert_int_equal(m.sends, 3);
	set(MSI_CONFIG, MODEL_MSI + 2, 1, 0);
	assert_false(model_msi_on(&m));
	assert_false(msi_shadow_takes(&m.s));
	assert_int_equal(m.sends, 3);
}

/* Fewer vectors enabled than there are: the others share them. A message without sense is not sent.
 */
static void test_msi_count(void **state)
{
	static const struct {
		unsigned enabled; /* log2 */
		unsigned vector;
		uint32_t data;
	} rows[] = {
	    {0, 0, 0x77}, {0, 5, 0x77}, {1, 3, 0x77},  {1, 2, 0x76},
	    {2, 7, 0x77}, {2, 5, 0x75}, {5, 31, 0x7f}, {6, 30, 0x7e}, /* 6: reserved */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		model_init(&m, small, MSI_VIRTUAL);
		set(MSI_CONFIG, MODEL_MSI + 4, 4, 0xfee00000);
		set(MSI_CONFIG, MODEL_MSI + 8, 2, 0x77);
		set(MSI_CONFIG, MODEL_MSI + 2, 2, ENABLE | rows[i].enabled << 4);
		assert_false(model_msi_on(&m)); /* no source */
		msi_shadow_post(&m.s, rows[i].vector);
		msi_shadow_deliver(&m.s);
		assert_int_equal(m.sends, 1);
		assert_int_equal(m.sent[0].data, rows[i].data);
	}
	set(MSI_CONFIG, MODEL_MSI + 8, 2, 0x0560); /* INIT */
	msi_shadow_post(&m.s, 0);
	msi_shadow_deliver(&m.s);
	assert_int_equal(m.sends, 1);
}

/* The guest's message as it is, and nothing else: the capability is off while it is not allowed. */
static void test_msi_pass(void **state)
{
	static const struct {
		uint64_t address;
		uint16_t data;
		bool on;
	} rows[] = {
	    {0xfee01000, 0x0041, true},  {0xfee0200c, 0x0142, true},  {0xfee00000, 0x0541, false},
	    {0xfee00000, 0x0741, false}, {0x00100000, 0x0041, false}, {0x1fee00000, 0x0041, false},
	    {0xfeefe000, 0x0400, true},
	};

	(void)state;
	model_init(&m, many, MSI_PASS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* also while it is enabled, in three pieces: no other message gets out */
		set(MSI_CONFIG, MODEL_MSI + 4, 4, (uint32_t)rows[i].address);
		set(MSI_CONFIG, MODEL_MSI + 8, 4, rows[i].address >> 32);
		set(MSI_CONFIG, MODEL_MSI + 12, 2, rows[i].data);
		set(MSI_CONFIG, MODEL_MSI + 2, 2, ENABLE | 2 << 4);
		assert_int_equal(model_msi_on(&m), rows[i].on);
		assert_int_equal(model_config(&m, MODEL_MSI + 2, 2) & 0x70, 2 << 4);
		assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 2, 2), 0x0187 | 2 << 4 | ENABLE);
		if (!rows[i].on)
			continue;
		assert_int_equal(model_msi(&m).address, rows[i].address);
		assert_int_equal(model_msi(&m).data, rows[i].data);
	}
	/* mask bits and pending bits are the function's own */
	set(MSI_CONFIG, MODEL_MSI + 16, 4, 0x55);
	assert_int_equal(model_config(&m, MODEL_MSI + 16, 4), 0x55);
	m.config[MODEL_MSI + 20] = 0x11;
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 20, 4), 0x11);
	assert_int_equal(m.sends, 0);
}

/* A mode that changes while MSI is enabled. */
static void test_msi_mode(void **state)
{
	(void)state;
	model_init(&m, plain, MSI_PASS);
	set(MSI_CONFIG, MODEL_MSI + 4, 4, 0xfee01000);
	set(MSI_CONFIG, MODEL_MSI + 8, 2, 0x41);
	set(MSI_CONFIG, MODEL_MSI + 2, 2, ENABLE);
	assert_int_equal(model_msi(&m).data, 0x41);
	assert_true(msi_shadow_set_mode(&m.s, 0, MSI_TAKE));
	assert_true(m.in_order && model_msi_on(&m));
	assert_int_equal(model_msi(&m).address, NMI_ADDRESS);
	assert_int_equal(model_msi(&m).data, NMI_DATA);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 8, 2), 0x41);
	assert_true(msi_shadow_set_mode(&m.s, 0, MSI_VIRTUAL));
	assert_false(model_msi_on(&m));
	assert_true(msi_shadow_set_mode(&m.s, 0, MSI_PASS));
	assert_true(m.in_order && model_msi_on(&m));
	assert_int_equal(model_msi(&m).address, 0xfee01000);
	assert_int_equal(model_msi(&m).data, 0x41);
	assert_false(msi_shadow_set_mode(&m.s, 1, MSI_TAKE));
}

/* A function-level reset clears the registers (PCI Express Base 3.0, 6.6.2): the guest sees that.
 */
static void test_reset(void **state)
{
	(void)state;
	model_init(&m, wide, MSI_TAKE);
	set(MSI_CONFIG, MODEL_MSI + 4, 8, 0xfee01000);
	set(MSI_CONFIG, MODEL_MSI + 12, 2, 0x41);
	set(MSI_CONFIG, MODEL_MSI + 2, 2, ENABLE);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 2, 2), 0x0081);
	memset(&m.config[MODEL_MSI + 4], 0, 12);
	m.config[MODEL_MSI + 2] = 0x80;
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 2, 2), 0x0080);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 4, 4), 0);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSI + 12, 2), 0);
	/* a guest that restores what it had saved */
	set(MSI_CONFIG, MODEL_MSI + 4, 8, 0xfee01000);
	set(MSI_CONFIG, MODEL_MSI + 12, 2, 0x41);
	set(MSI_CONFIG, MODEL_MSI + 2, 2, ENABLE);
	assert_int_equal(model_msi(&m).data, NMI_DATA);
	assert_true(model_msi_on(&m));

	model_init(&m, table, MSI_TAKE);
	set(MSI_TABLE, 0, 8, 0xfee01000);
	set(MSI_TABLE, 8, 8, 0x41);
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSIX + 2, 2), 0x8000 | 69);
	m.config[MODEL_MSIX + 3] = 0;
	assert_int_equal(get(MSI_CONFIG, MODEL_MSIX + 2, 2), 69);
	assert_int_equal(get(MSI_TABLE, 12, 4), 1);
}

/* ---- MSI-X: 6.8.2 ---- */

static void program(unsigned vector, uint64_t address, uint32_t data, uint32_t control)
{
	set(MSI_TABLE, vector * 16, 4, (uint32_t)address);
	set(MSI_TABLE, vector * 16 + 4, 4, address >> 32);
	set(MSI_TABLE, vector * 16 + 8, 4, data);
	set(MSI_TABLE, vector * 16 + 12, 4, control);
}

static void test_msix_registers(void **state)
{
	(void)state;
	model_init(&m, table, MSI_TAKE);
	assert_int_equal(msi_shadow_table_size(&m.s), 70 * 16);
	assert_int_equal(msi_shadow_pending_size(&m.s), 16); /* quadwords: 6.8.2.10 */
	assert_int_equal(get(MSI_CONFIG, MODEL_MSIX, 4), 69u << 16 | 0x11);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSIX + 4, 8), UINT64_C(0x0000300300002003));
	assert_false(msi_shadow_covers(&m.s, MODEL_MSIX + 4, 4));
	/* after a reset: masked (6.8.2.9) */
	for (unsigned i = 0; i < 70; i++) {
		assert_int_equal(get(MSI_TABLE, i * 16, 8), 0);
		assert_int_equal(get(MSI_TABLE, i * 16 + 8, 8), UINT64_C(0x100000000));
		assert_int_equal(model_table(&m, i, 3), 1);
	}
	set(MSI_CONFIG, MODEL_MSIX, 4, 0xffffffff);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSIX, 4), (0xc000u | 69) << 16 | 0x11);
	set(MSI_TABLE, 69 * 16, 8, UINT64_MAX);
	set(MSI_TABLE, 69 * 16 + 8, 8, UINT64_MAX);
	assert_int_equal(get(MSI_TABLE, 69 * 16, 8), UINT64_C(0xfffffffffffffffc));
	assert_int_equal(get(MSI_TABLE, 69 * 16 + 8, 8), UINT64_C(0x1ffffffff));
	/* an access that reaches the next entry, and one over the end */
	set(MSI_TABLE, 14, 4, 0xfee10000);
	assert_int_equal(get(MSI_TABLE, 16, 4), 0x0000fee0 & 0xfffffffc);
	set(MSI_TABLE, 70 * 16 - 4, 8, 0);
	assert_int_equal(get(MSI_TABLE, 70 * 16 - 4, 8), 0);
	assert_int_equal(get(MSI_TABLE, 70 * 16, 4), 0);
}

static void test_msix_take(void **state)
{
	(void)state;
	model_init(&m, table, MSI_TAKE);
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE | X_MASK);
	program(2, 0xfee02000, 0x52, 0);
	program(66, 0xfee0300c, 0x153, 1);
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE);
	/* those with a message interrupt the VMM, whether the guest masks them or not */
	assert_true(model_entry_on(&m, 2) && model_entry_on(&m, 66));
	assert_false(model_entry_on(&m, 0));
	assert_int_equal(model_entry(&m, 2).address, NMI_ADDRESS);
	assert_int_equal(model_entry(&m, 66).data, NMI_DATA);
	assert_int_equal(get(MSI_TABLE, 66 * 16 + 8, 8), UINT64_C(0x100000153));
	assert_true(msi_shadow_post(&m.s, 2));
	assert_true(msi_shadow_post(&m.s, 66));
	assert_false(msi_shadow_post(&m.s, 70));
	msi_shadow_deliver(&m.s);
	assert_int_equal(m.sends, 1);
	assert_int_equal(m.sent[0].address, 0xfee02000);
	assert_int_equal(m.sent[0].data, 0x52);
	assert_int_equal(get(MSI_PENDING, 8, 8), 4);
	assert_int_equal(get(MSI_PENDING, 0, 8), 0);
	set(MSI_PENDING, 8, 8, 0); /* software does not write it */
	/* the function's mask bit holds all; the vector's own is cleared meanwhile (6.8.3.5) */
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE | X_MASK);
	assert_true(model_entry_on(&m, 2));
	msi_shadow_post(&m.s, 2);
	msi_shadow_deliver(&m.s);
	set(MSI_TABLE, 66 * 16 + 12, 4, 0);
	assert_int_equal(m.sends, 1);
	assert_int_equal(get(MSI_PENDING, 0, 4), 4);
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE);
	assert_int_equal(m.sends, 3);
	assert_int_equal(m.sent[1].data, 0x52);
	assert_int_equal(m.sent[2].data, 0x153);
	assert_int_equal(get(MSI_PENDING, 0, 8) | get(MSI_PENDING, 8, 8), 0);
	/* MSI-X disabled: the VMM is not interrupted, the function uses INTx */
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, 0);
	assert_false(model_entry_on(&m, 2));
	assert_false(msi_shadow_post(&m.s, 2));
	msi_shadow_withdraw(&m.s, 70);
}

static void test_msix_pass(void **state)
{
	(void)state;
	model_init(&m, table, MSI_PASS);
	program(0, 0xfee01000, 0x61, 0);
	program(1, 0xfee01000, 0x561, 0); /* INIT */
	program(2, 0x100000, 0x61, 0);    /* memory */
	program(3, 0xfee01000, 0x62, 1);
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE);
	assert_true(model_entry_on(&m, 0));
	assert_int_equal(model_entry(&m, 0).address, 0xfee01000);
	assert_int_equal(model_entry(&m, 0).data, 0x61);
	assert_false(model_entry_on(&m, 1) || model_entry_on(&m, 2) || model_entry_on(&m, 3));
	assert_int_equal(model_entry(&m, 3).data, 0x62);
	assert_int_equal(get(MSI_TABLE, 16 + 8, 8), 0x561);
	set(MSI_TABLE, 16 + 9, 1, 0); /* fixed */
	assert_true(model_entry_on(&m, 1));
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE | X_MASK);
	assert_int_equal(model_config(&m, MODEL_MSIX + 2, 2), X_ENABLE | X_MASK | 69);
	assert_int_equal(model_table(&m, 0, 3), 0);
	m.pending[8] = 0x21;
	assert_int_equal(get(MSI_PENDING, 8, 8), 0x21);
	assert_int_equal(m.sends, 0);
}

/* Vectors of all three modes: the function's mask bit must not hold back what the VMM takes. */
static void test_msix_mixed(void **state)
{
	(void)state;
	model_init(&m, table, MSI_PASS);
	assert_true(msi_shadow_set_mode(&m.s, 1, MSI_TAKE));
	assert_true(msi_shadow_set_mode(&m.s, 2, MSI_VIRTUAL));
	assert_false(msi_shadow_set_mode(&m.s, 70, MSI_TAKE));
	for (unsigned i = 0; i < 3; i++)
		program(i, 0xfee01000, 0x70 + i, 0);
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE);
	assert_true(msi_shadow_takes(&m.s));
	assert_true(model_entry_on(&m, 0) && model_entry_on(&m, 1) && !model_entry_on(&m, 2));
	assert_int_equal(model_entry(&m, 0).data, 0x70);
	assert_int_equal(model_entry(&m, 1).data, NMI_DATA);
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE | X_MASK);
	assert_true(!model_entry_on(&m, 0) && model_entry_on(&m, 1));
	m.pending[0] = 7; /* of the hardware: vector 0 is the function's own */
	msi_shadow_post(&m.s, 2);
	msi_shadow_deliver(&m.s);
	assert_int_equal(get(MSI_PENDING, 0, 1), 5);
	assert_int_equal(get(MSI_CONFIG, MODEL_MSIX + 2, 2), X_ENABLE | X_MASK | 69);
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE);
	assert_int_equal(m.sends, 1);
	assert_int_equal(m.sent[0].data, 0x72);
	assert_true(model_entry_on(&m, 0));
	/* all are the function's own again */
	msi_shadow_set_mode(&m.s, 1, MSI_PASS);
	assert_false(msi_shadow_takes(&m.s));
	msi_shadow_set_mode(&m.s, 2, MSI_PASS);
	assert_true(model_entry_on(&m, 1) && model_entry_on(&m, 2));
	set(MSI_CONFIG, MODEL_MSIX + 2, 2, X_ENABLE | X_MASK);
	assert_int_equal(model_config(&m, MODEL_MSIX + 2, 2) & X_MASK, X_MASK);
}

/* A table that could not be written while the function did not decode its BARs. */
static void test_refresh(void **state)
{
	(void)state;
	model_init(&m, table, MSI_TAKE);
	program(5, 0xfee01000, 0x75, 0);
	memset(m.table, 0, sizeof(m.table));
	msi_shadow_refresh(&m.s);
	assert_int_equal(model_entry(&m, 5).data, NMI_DATA);
	assert_int_equal(model_table(&m, 5, 3), 0);
	assert_int_equal(model_table(&m, 4, 3), 1);
}

/* Whatever a guest writes, in whatever order: the hardware never holds an enabled message that is
 * not allowed, and what is taken or virtual never sends the guest's. */
static void test_random(void **state)
{
	static const struct model_shape shapes[] = {
	    {.msi = true, .maskable = true, .log2 = 1, .msix = 5},
	    {.msi = true, .wide = true, .msix = 70},
	};

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		enum msi_mode mode = (enum msi_mode)(round % 3);

		model_init(&m, shapes[round / 3 % 2], mode);
		for (unsigned i = 0; i < 500; i++) {
			uint64_t r = random64(), value = random64();
			unsigned size = 1u << (r & 3);

			if (r & 0x10)
				value = 0xfee00000 | (value & 0x7ff);
			if (r & 0x20)
				set(MSI_CONFIG, (uint32_t)(MODEL_MSI + (r >> 8) % 0x28),
				    size > 4 ? 4 : size, value);
			else
				set(MSI_TABLE, (uint32_t)((r >> 8) % 160), size, value);
			if (r & 0x40)
				msi_shadow_post(&m.s, (unsigned)(r >> 20) % 70);
			msi_shadow_deliver(&m.s);
			if (mode == MSI_VIRTUAL)
				assert_false(model_msi_on(&m));
			if (mode == MSI_TAKE && model_msi_on(&m))
				assert_int_equal(model_msi(&m).data, NMI_DATA);
			for (unsigned v = 0; v < m.caps.msix.vectors && mode != MSI_PASS; v++)
				assert_true(
				    !model_entry_on(&m, v) ||
				    (mode == MSI_TAKE && model_entry(&m, v).data == NMI_DATA));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_allowed),       cmocka_unit_test(test_icr),
	    cmocka_unit_test(test_msi_registers), cmocka_unit_test(test_msi_pieces),
	    cmocka_unit_test(test_msi_take),      cmocka_unit_test(test_msi_count),
	    cmocka_unit_test(test_msi_pass),      cmocka_unit_test(test_msi_mode),
	    cmocka_unit_test(test_reset),         cmocka_unit_test(test_msix_registers),
	    cmocka_unit_test(test_msix_take),     cmocka_unit_test(test_msix_pass),
	    cmocka_unit_test(test_msix_mixed),    cmocka_unit_test(test_refresh),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("pci_msi", tests, NULL, NULL);
}
