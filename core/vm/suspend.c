/* Suspend to RAM under the VMM, and the way back. */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The firmware enters the waking vector of the FACS in real mode, with all CPUs reset. So that no
 * CPU ever runs guest code outside the VMM, the vector is the VMM's own while the machine sleeps,
 * and no other CPU runs from before it is written until the machine is asleep.
 */
#include "core/vm/suspend.h"
#include "core/acpi/facs.h"
#include "core/acpi/fadt.h"
#include "core/cas.h"
#include "core/console.h"
#include "core/initcall.h"
#include "core/log.h"
#include "core/mm/vmmap.h"
#include "core/panic.h"
#include "core/start.h"
#include "core/string.h"
#include "core/vm/handover.h"
#include "core/vm/io.h"
#include "core/vm/mtrr.h"
#include "core/vm/nmi.h"
#include "core/vm/startup.h"
#include "core/vmm_ops.h"
#include "core/x86/apic.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "core/x86/smp.h"

#define PARK_TIMEOUT_US  1000000
#define SLEEP_TIMEOUT_US 5000000 /* hardware may finish what it is at */

/* Firmware has two fields for the address of one table; where they differ, both tables are used. */
#define FACS_MAX 2

static struct {
	uint8_t *table;
	uint32_t vector; /* the guest's while the machine sleeps */
} facs[FACS_MAX];
static unsigned facs_count;

/* What the guest asked for; of the CPU that `asking` names. */
static struct io_access access;
static uint32_t access_value;
static uint32_t asking;              /* atomic: 1 + index of the CPU; 0: none */
static bool standing[BOOT_MAX_CPUS]; /* atomic: the CPU stands still in suspend_look() */
static uint32_t wake_vector;         /* the guest's */

static const char *add_facs(uint64_t pa)
{
	struct facs f;
	uint8_t *table = vmmap_shared(pa, FACS_MIN_LENGTH);

	if (!table || facs_parse(table, FACS_MIN_LENGTH, &f) != 0)
		return "the firmware's FACS cannot be used";
	facs[facs_count++].table = table;
	return NULL;
}

const char *suspend_init(const struct fadt *fadt)
{
	const char *reason;

	if (vmm_ops == &vmm_ops_vt && cpu_count > 1)
		return "with VT-x and several CPUs nobody has tried it";
	if (!start_boot_info()->low_base)
		return "no page below 1 MiB";
	if (!fadt->facs)
		return "the firmware has no FACS";
	reason = add_facs(fadt->facs);
	if (!reason && fadt->facs_32 && fadt->facs_32 != fadt->facs)
		reason = add_facs(fadt->facs_32);
	return reason;
}

/* ---- falling asleep ---- */

/* The guest's waking vector into wake_vector. NULL, or what is wrong with it. */
static const char *read_vectors(void)
{
	wake_vector = 0;
	for (unsigned i = 0; i < facs_count; i++) {
		struct facs f;

		if (facs_parse(facs[i].table, FACS_MIN_LENGTH, &f) != 0)
			return "the FACS is damaged";
		if (f.x_waking_vector)
			return "the guest wants to wake up in protected mode";
		if (f.waking_vector >= 0x100000)
			return "the waking vector is not below 1 MiB";
		facs[i].vector = f.waking_vector;
		if (f.waking_vector)
			wake_vector = f.waking_vector;
	}
	return wake_vector ? NULL : "the guest has set no waking vector";
}

static void set_vector(unsigned i, uint32_t vector)
{
	facs_set_waking_vector(facs[i].table, FACS_MIN_LENGTH, vector);
}

static void give_vectors_back(void)
{
	for (unsigned i = 0; i < facs_count; i++)
		set_vector(i, facs[i].vector);
}

const char *suspend_ask(const struct io_access *io, uint32_t value)
{
	const char *reason = read_vectors();
	struct vcpu *v = &this_cpu()->vcpu;
	uint32_t none = 0;

	if (reason)
		return reason;
	if (cas32(&asking, &none, 1 + this_cpu()->index))
		return "another CPU is at it";
	access = *io;
	access_value = value;
	__atomic_fetch_or(&v->kick, KICK_STARTUP, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Whatever it was doing, this CPU runs no guest code from now on. */
static bool is_out(uint32_t index)
{
	return __atomic_load_n(&cpus[index]->online, __ATOMIC_ACQUIRE) != 1 ||
	       __atomic_load_n(&standing[index], __ATOMIC_ACQUIRE) ||
	       /* a start-up IPI makes it look at its kick word first */
	       startup_waits_in_cpu(&cpus[index]->vcpu);
}

/* All other CPUs stand still. False: one of them does not answer. */
static bool stop_others(struct vcpu *self)
{
	uint64_t start = clock_us();

	for (uint32_t i = 0; i < cpu_count; i++) {
		if (i != this_cpu()->index)
			nmi_kick(i, KICK_STARTUP);
	}
	for (uint32_t i = 0; i < cpu_count;) {
		if (i == this_cpu()->index || is_out(i)) {
			i++;
			continue;
		}
		if (clock_us() - start > PARK_TIMEOUT_US) {
			log_printf("Suspend to RAM refused: CPU%u does not stop\n", i);
			return false;
		}
		nmi_take_kicks(self); /* it may wait for this CPU's flush */
		cpu_pause();
	}
	return true;
}

static void let_others_go(void)
{
	__atomic_store_n(&asking, 0, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < cpu_count; i++) {
		if (i != this_cpu()->index)
			nmi_kick(i, KICK_STARTUP);
	}
}

/* For tests: 0, to be set in the file, and the machine stays awake. */
#ifdef CONFIG_TEST_CALLS
static volatile uint32_t test_stays_awake = UINT32_MAX;

static bool sleeps(void)
{
	return test_stays_awake != 0;
}
#else
static bool sleeps(void)
{
	return true;
}
#endif

static void wake_main(void);

static void fall_asleep(struct vcpu *v)
{
	const char *reason;
	uint64_t start;

	if (!stop_others(v)) {
		let_others_go();
		return;
	}
	reason = read_vectors(); /* nobody can change them any more */
	if (reason) {
		log_printf("Suspend to RAM refused: %s\n", reason);
		let_others_go();
		return;
	}
	log_printf("Suspend to RAM\n");
	smp_prepare(cpus[0], wake_main);
	for (unsigned i = 0; i < facs_count; i++)
		set_vector(i, (uint32_t)start_boot_info()->low_base);
	clock_sleep();
	start = clock_rough_us(); /* other counters may be asleep already */
	/* the guest has done so, but this CPU has written since */
	__asm__ volatile("wbinvd" : : : "memory");
	if (sleeps())
		io_pass(&access, &access_value);
	while (clock_rough_us() - start < SLEEP_TIMEOUT_US)
		cpu_pause();
	log_printf("The machine does not fall asleep\n");
	give_vectors_back();
	let_others_go();
}

bool suspend_look(struct vcpu *v)
{
	uint32_t index = this_cpu()->index, who = __atomic_load_n(&asking, __ATOMIC_ACQUIRE);

	if (who == 0)
		return false;
	if (who == index + 1) {
		fall_asleep(v);
		return true;
	}
	__asm__ volatile("wbinvd" : : : "memory"); /* its cache is going to lose what is in it */
	__atomic_store_n(&standing[index], true, __ATOMIC_RELEASE);
	if (__atomic_load_n(&asking, __ATOMIC_SEQ_CST) == who)
		vmm_ops->wait(v, &v->kick);
	__atomic_store_n(&standing[index], false, __ATOMIC_RELEASE);
	return true;
}

/* ---- waking up ---- */

/* No CPU is under the VMM any more, and each begins anew. */
static void forget_cpu(struct cpu *c)
{
	struct vcpu *v = &c->vcpu;

	v->active = false;
	v->kick = v->host_nmi = v->init_pending = v->sipi_vector = v->nmi_posted = 0;
	v->mc_pending = v->no_lean = 0;
	v->halted = v->apic_off = false;
	v->nmi_blocked = v->nmi_pending = false;
	memset(v->length_cache, 0, sizeof(v->length_cache));
	memset(&c->walks, 0, sizeof(c->walks));
	memset(c->stores, 0, sizeof(c->stores));
	c->online = 0;
}

/* The boot CPU, where the firmware would have entered the guest. */
static void wake_main(void)
{
	struct cpu *cpu = this_cpu();
	struct vcpu_state s;
	uint32_t missing;

	vmmap_load();
	percpu_load(cpu);
	for (uint32_t i = 0; i < cpu_count; i++) {
		forget_cpu(cpus[i]);
		standing[i] = false;
	}
	asking = 0;
	nmi_wake();
	clock_wake();
	console_wake();
	if (apic_id() != cpu->apic_id)
		panic("wake-up on the CPU with APIC ID %u instead of %u", apic_id(), cpu->apic_id);
	mtrr_guest_wake();
	mtrr_cpu_wake();
	if (startup_wake() != 0)
		panic("wake-up with the local APIC at another address");
	give_vectors_back();
	missing = start_others();
	if (missing)
		panic("wake-up: %u CPUs do not come back", missing);
	if (initcall_run(INITCALL_WAKE) != 0)
		panic("wake-up: a device cannot be used");
	log_printf("Awake\n");
	handover_real_mode(&s, (uint16_t)(wake_vector >> 4), wake_vector & 15, 0);
	vcpu_enter_at(&s, RUN_GUEST);
	panic("wake-up: this CPU cannot run the VMM");
}
