/*
 * Interrupts of a device that a driver of the VMM takes (QEMU's edu, driver=msitest): the guest's
 * handler runs once for each, where the guest has said, and never before the VMM's.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/edu.h"

#define VECTOR   0x51
#define VECTOR_2 0x62
#define LIMIT    3000000u

static uint64_t call; /* number of the VMM's call for tests; 0: no VMM */

static volatile uint32_t count[CPUS_MAX][2], early, nmis, wrong_status, stop;

/* Interrupts that the VMM has taken. */
static uint64_t taken(void)
{
	uint64_t n = 0;

	vmm_call(call, 1, &n, 0);
	return n;
}

static uint64_t in_hardware(uint32_t offset)
{
	uint64_t n = 0;

	vmm_call(call, 3, &n, offset);
	return n;
}

static uint32_t total(void)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < CPUS_MAX; i++)
		n += count[i][0] + count[i][1];
	return n;
}

static bool is_take;
static uint64_t taken_before;

static bool came(unsigned which)
{
	uint32_t status = edu_status();

	count[cpu_index()][which]++;
	if (status == 0)
		wrong_status++;
	if (is_take && taken() - taken_before < total())
		early++;
	edu_clear(status);
	apic_write(APIC_EOI, 0);
	return true;
}

static bool handler(struct frame *f)
{
	(void)f;
	return came(0);
}

static bool handler_2(struct frame *f)
{
	(void)f;
	return came(1);
}

static bool nmi(struct frame *f)
{
	(void)f;
	nmis++;
	return true;
}

static bool wait(const volatile uint32_t *word, uint32_t value)
{
	for (unsigned n = 0; n < LIMIT && *word < value; n++)
		cpu_relax();
	return *word == value;
}

static void with_interrupts(void *arg)
{
	uint32_t svr = apic_read(APIC_SVR);

	(void)arg;
	apic_write(APIC_SVR, svr | 0x100); /* INIT has disabled it */
	__asm__ volatile("sti");
	while (!stop)
		cpu_relax();
	__asm__ volatile("cli");
	apic_write(APIC_SVR, svr);
}

static void to_other_cpu(void)
{
	stop = 0;
	cpu_start(1, with_interrupts, NULL);
	edu_msi(ADDRESS | 1 << 12, VECTOR);
	for (uint32_t n = 1; n <= 20; n++) {
		edu_raise(1);
		if (!wait(&count[1][0], n))
			break;
		/* the handler clears the cause behind its count: one raised before would go with it
		 */
		for (uint32_t i = 0; i < LIMIT && edu_status(); i++)
			cpu_relax();
	}
	stop = 1;
	cpu_wait(1);
	CHECK_EQ(count[1][0], 20, "other CPU");
}

#define BURSTS 2000u

/* Several messages at once: bits that one look finds, or none finds because the guest was faster.
 */
static void raise_bursts(void *arg)
{
	(void)arg;
	for (uint32_t n = 0; n < BURSTS; n++) {
		for (uint32_t bit = 0; bit < 1 + n % 4; bit++)
			edu_raise(1u << bit);
		for (uint32_t i = 0; i < LIMIT && edu_status(); i++)
			cpu_relax();
	}
	stop = 1;
}

static void from_other_cpu(void)
{
	uint32_t before = nmis;

	stop = 0;
	edu_msi(ADDRESS, VECTOR);
	cpu_start(1, raise_bursts, NULL);
	while (!stop) {
		cpuid(0, 0); /* NMIs of the device come in host mode as well */
		cpu_relax();
	}
	cpu_wait(1);
	CHECK_EQ(edu_status(), 0, "served");
	CHECK_EQ(nmis, before, "NMIs of bursts");
	/* the handler may have run in vain, and once for two that came while it ran */
	wrong_status = 0;
	if (is_take) {
		CHECK(taken() - taken_before >= total(), "taken in bursts");
		taken_before = taken() - total();
	}
}

/* The hardware holds the VMM's message and the guest reads its own. */
static void look(bool shown)
{
	CHECK_EQ(edu_config_read(MSI_ADDRESS), ADDRESS, "address");
	CHECK_EQ(edu_config_read(MSI_DATA), VECTOR, "data");
	CHECK_EQ(edu_config_read(MSI_CONTROL) >> 16 & 0x71, 1, "control");
	if (!call)
		return;
	CHECK_EQ(in_hardware(edu_msi_at() + MSI_DATA),
		 shown     ? VECTOR
		 : is_take ? 0x400
			   : 0,
		 "real data");
}

/* The guest moves the interrupt and takes it off the CPU meanwhile: none is lost, none comes twice.
 */
static void moved(uint64_t counted)
{
	static const uint8_t vectors[2] = {VECTOR, VECTOR_2};
	uint32_t want[2] = {count[0][0], count[0][1]}, n;

	edu_msi(ADDRESS, VECTOR);
	for (n = 1; n <= counted; n++) {
		unsigned which = n / 16 % 2;

		if (n % 16 == 0) {
			/* MSI goes off and on again with another vector, as when a driver moves it
			 */
			edu_msi_off();
			edu_msi(ADDRESS, vectors[which]);
		}
		if (n % 8 == 0)
			__asm__ volatile("cli");
		edu_raise(1u << n % 8);
		want[which]++;
		if (n % 8 == 0) {
			cpuid(0, 0);
			if (count[0][which] == want[which])
				break; /* it came through */
			__asm__ volatile("sti");
		}
		if (!wait(&count[0][which], want[which]))
			break;
	}
	CHECK_EQ(n, counted + 1, "moved");
	CHECK_EQ(count[0][0], want[0], "moved, old vector");
	CHECK_EQ(count[0][1], want[1], "moved, new vector");
	edu_msi(ADDRESS, VECTOR);
}

static void delivery(uint64_t counted)
{
	uint32_t n, before;

	for (n = 1; n <= counted; n++) {
		edu_raise(1u << n % 8);
		if (!wait(&count[0][0], n))
			break;
	}
	CHECK_EQ(count[0][0], counted, "count");
	/* held back by the CPU: the VMM has it at once, the guest when it wants */
	__asm__ volatile("cli");
	edu_raise(1);
	for (n = 0; n < 1000; n++)
		cpuid(0, 0);
	CHECK_EQ(count[0][0], counted, "held");
	if (is_take)
		CHECK_EQ(taken() - taken_before, counted + 1, "taken while held");
	__asm__ volatile("sti");
	CHECK(wait(&count[0][0], (uint32_t)counted + 1), "after holding");
	/* the guest's ICR is its own */
	apic_write(APIC_ICR_HIGH, 0x5a000000);
	edu_raise(1);
	wait(&count[0][0], (uint32_t)counted + 2);
	CHECK_EQ(apic_read(APIC_ICR_HIGH) & 0xff000000, 0x5a000000, "ICR");
	/* another vector, while MSI is enabled; lowest priority; a logical destination */
	edu_config_write(MSI_DATA, VECTOR_2);
	edu_raise(2);
	CHECK(wait(&count[0][1], 1), "other vector");
	CHECK_EQ(count[0][0], counted + 2, "old vector");
	edu_msi(ADDRESS, VECTOR_2 | 0x100);
	edu_raise(4);
	CHECK(wait(&count[0][1], 2), "lowest priority");
	apic_write(APIC_DFR, 0xffffffff);
	apic_write(APIC_LDR, 1u << 24);
	edu_msi(ADDRESS | 1 << 12 | 4, VECTOR_2);
	edu_raise(8);
	CHECK(wait(&count[0][1], 3), "logical");
	/* NMIs of the guest's own in between are still its own */
	before = nmis;
	edu_msi(ADDRESS, VECTOR);
	for (n = 0; n < 20; n++) {
		uint32_t want = count[0][0] + 1;

		apic_send(0, APIC_ICR_NMI);
		wait(&nmis, before + n + 1);
		edu_raise(1);
		wait(&count[0][0], want);
	}
	CHECK_EQ(nmis - before, 20, "guest's NMIs");
	CHECK_EQ(count[0][0], counted + 22, "between NMIs");
}

GUEST_CASE(msi, "PCI Local Bus 3.0 6.8, SDM 3A 10.11")
{
	const char *mode = word_text("msitest");
	bool is_virtual = mode && mode[0] == 'v';
	uint64_t counted = word_number("interrupts", 500), n = 1;

	edu_find();
	is_take = mode && mode[0] == 't';
	if (mode) {
		n = 0;
		call = vmm_call(0, (uintptr_t) "test_msi", &n, 0);
		CHECK(call, "the VMM's call");
		taken_before = taken();
	}
	trap_set(VECTOR, handler);
	trap_set(VECTOR_2, handler_2);
	trap_set(VECTOR_NMI, nmi);
	edu_msi(ADDRESS, VECTOR);
	__asm__ volatile("sti");
	look(mode && mode[0] == 'p');
	if (is_virtual) { /* there is no source but the VMM */
		edu_raise(1);
		for (n = 0; n < 1000; n++)
			cpuid(0, 0);
		CHECK_EQ(total(), 0, "virtual source");
		n = 0;
		vmm_call(call, 2, &n, 0);
		CHECK_EQ(n, 1, "raised");
		CHECK(wait(&count[0][0], 1), "raised count");
	} else {
		delivery(counted);
		moved(counted);
		if (cpu_count() > 1) {
			to_other_cpu();
			from_other_cpu();
		}
		CHECK_EQ(nmis, 20, "NMIs");
	}
	for (n = 0; n < 1000; n++)
		cpuid(0, 0);
	CHECK_EQ(early, 0, "early");
	CHECK_EQ(wrong_status, 0, "status");
	if (is_take)
		CHECK_EQ(taken() - taken_before, total(), "taken");
	/* a message that could stop a CPU: it does not get out */
	if (mode && mode[0] == 'p') {
		edu_msi(ADDRESS, 0x500);
		CHECK_EQ(in_hardware(edu_msi_at() + MSI_CONTROL) >> 16 & 1, 0, "INIT enabled");
		edu_msi(0x100000, VECTOR);
		CHECK_EQ(in_hardware(edu_msi_at() + MSI_CONTROL) >> 16 & 1, 0, "memory enabled");
		edu_msi(ADDRESS, VECTOR);
		CHECK_EQ(in_hardware(edu_msi_at() + MSI_CONTROL) >> 16 & 1, 1, "enabled again");
	}
	edu_msi_off();
	__asm__ volatile("cli");
}
