/* AMD-Vi units: taken from the firmware, switched on, and asked for faults (AMD I/O Virtualization
 * Technology specification, 48882). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/ivrs.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "core/mm/vmmap.h"
#include "core/string.h"
#include "core/vm/dma.h"
#include "core/vm/mmio.h"
#include "core/vm/nmi.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "drivers/iommu/amdvi_regs.h"
#include "drivers/iommu/iommu.h"
#include "drivers/pci/assign.h"
#include "drivers/pci/space.h"

#define DEVICE_TABLE_PAGES (AMDVI_DEVICES * AMDVI_DEVICE_BYTES / PAGE_SIZE)
#define QUEUE_ENTRIES      (AMDVI_QUEUE_BYTES / AMDVI_ENTRY_BYTES)
#define OEM_ID             10   /* in the header of an ACPI table */
#define BATCH              128u /* commands between two waits */

static struct ivrs ivrs;

/* Device table entries say which interrupts pass; else all do, as without a unit. */
static bool tell_interrupts;

static struct unit {
	const struct ivrs_unit *at;
	volatile uint8_t *registers;
	uint64_t features;
	uint64_t (*commands)[2];
	volatile uint64_t (*events)[2];
	uint32_t tail;            /* of the commands, in bytes */
	volatile uint64_t waited; /* written by the unit */
	bool faults_on;
	bool on;
} units[IVRS_MAX_UNITS];

static uint64_t (*device_table)[4]; /* of all units: what is in it does not depend on the unit */

/* ---- the unit's PCI function: MSI (PCI Local Bus 3.0, section 6.8.1) ---- */

#define PCI_COMMAND  0x04
#define PCI_MASTER   UINT32_C(4)
#define PCI_HAS_CAPS (UINT32_C(1) << 20) /* in the doubleword at 04h */
#define PCI_CAPS     0x34
#define PCI_CAPS_MAX 48
#define PCI_CAP_MSI  0x05
#define MSI_ENABLE   (UINT32_C(1) << 16)
#define MSI_64       (UINT32_C(1) << 23)
#define MSI_VECTORS  (UINT32_C(7) << 20) /* how many are used: 2^0 */

static struct pci_address function_of(const struct unit *u)
{
	uint16_t id = u->at->device_id;

	return (struct pci_address){
	    .segment = u->at->segment,
	    .bus = (uint8_t)(id >> 8),
	    .device = id >> 3 & 31,
	    .function = id & 7,
	};
}

static uint16_t find_msi(struct pci_address f)
{
	uint16_t at = 0;

	if (pci_space_read(f, PCI_COMMAND, 4) & PCI_HAS_CAPS)
		at = pci_space_read(f, PCI_CAPS, 4) & 0xfc;
	for (unsigned n = 0; at >= 0x40 && n < PCI_CAPS_MAX; n++) {
		uint32_t cap = pci_space_read(f, at, 4);

		if ((cap & 0xff) == PCI_CAP_MSI)
			return at;
		at = cap >> 8 & 0xfc;
	}
	return 0;
}

/* Events become NMIs of the boot CPU, or stay silent. */
static void msi_set(const struct unit *u, bool on)
{
	struct pci_address f = function_of(u);

	mmio_lock(cpu_current());
	uint16_t at = find_msi(f);

	if (at) {
		uint32_t cap = pci_space_read(f, at, 4) & ~(MSI_ENABLE | MSI_VECTORS);

		pci_space_write(f, at, 4, cap);
		if (on) {
			uint16_t data = (uint16_t)(at + (cap & MSI_64 ? 12 : 8));

			pci_space_write(f, (uint16_t)(at + 4), 4, iommu_nmi_address());
			if (cap & MSI_64)
				pci_space_write(f, (uint16_t)(at + 8), 4, 0);
			pci_space_write(f, data, 2, IOMMU_NMI_DATA);
			pci_space_write(f, PCI_COMMAND, 2,
					pci_space_read(f, PCI_COMMAND, 2) | PCI_MASTER);
			pci_space_write(f, at, 4, cap | MSI_ENABLE);
		}
	}
	mmio_unlock();
}

/* ---- start-up ---- */

static int look_at(struct unit *u)
{
	u->registers = vmmap_device(u->at->base, AMDVI_REGISTERS);
	if (!u->registers)
		return iommu_unusable(u->at->base, "cannot be mapped");
	uint64_t control = iommu_read64(u->registers, AMDVI_CONTROL);

	if (control == UINT64_MAX)
		return iommu_unusable(u->at->base, "does not answer");
	if (control & AMDVI_CONTROL_ENABLE)
		log_printf("AMD-Vi at %#lx: taken over from the firmware\n", u->at->base);
	u->features = iommu_read64(u->registers, AMDVI_FEATURES);
	uint64_t size =
	    u->features & AMDVI_FEATURE_COUNTERS && u->at->base % AMDVI_REGISTERS_COUNTERS == 0
		? AMDVI_REGISTERS_COUNTERS
		: AMDVI_REGISTERS;

	return iommu_registers(u->at->base, size, NULL, NULL)
		   ? iommu_unusable(u->at->base, "is one too many")
		   : 0;
}

static int amdvi_find(const void *table, uint32_t len, struct iommu_need *need)
{
	int err = ivrs_parse(table, len, &ivrs);

	if (err) {
		dma_cannot("the firmware's IVRS table is damaged");
		return err;
	}
	/*
	 * Without an I/O APIC in the table nobody knows whose the wires of the chipset are. QEMU
	 * 7.2, told by the table's OEM name, mutilates what shall pass unmapped.
	 */
	tell_interrupts =
	    ivrs.has_ioapic && memcmp((const uint8_t *)table + OEM_ID, "BOCHS ", 6) != 0;
	for (unsigned i = 0; i < ivrs.unit_count && !err; i++) {
		units[i].at = &ivrs.unit[i];
		err = look_at(&units[i]);
	}
	for (unsigned i = 0; i < ivrs.region_count; i++) {
		const struct ivrs_region *r = &ivrs.region[i];

		if (r->end > need->end)
			need->end = r->end;
		if (r->base < region_base + region_size && r->end > region_base)
			log_printf("IVRS: firmware wants DMA to %#lx-%#lx, where the VMM is\n",
				   r->base, r->end - 1);
	}
	if (ivrs.regions_bad)
		log_printf("IVRS: %u memory blocks that make no sense\n", ivrs.regions_bad);
	return err;
}

/* What firmware's settings say of a device, all that apply. */
static uint8_t setting_of(uint32_t device)
{
	uint8_t data = 0;

	for (unsigned i = 0; i < ivrs.setting_count; i++) {
		if (device >= ivrs.setting[i].first && device <= ivrs.setting[i].last)
			data |= ivrs.setting[i].data;
	}
	return data;
}

static enum nmi_cause amdvi_look(void *arg);

static int amdvi_prepare(uint64_t root, uint64_t root3)
{
	(void)root3;
	device_table = pages_alloc(DEVICE_TABLE_PAGES, PAGE_SIZE);
	if (!device_table)
		return -ENOMEM;
	for (uint32_t i = 0; i < AMDVI_DEVICES; i++) {
		uint8_t setting = setting_of(i);

		amdvi_device_entry(device_table[i], root, IOMMU_DOMAIN, setting);
		if (tell_interrupts)
			amdvi_device_interrupts(device_table[i], setting);
	}
	for (unsigned i = 0; i < ivrs.unit_count; i++) {
		struct unit *u = &units[i];

		u->commands = pages_alloc(1, PAGE_SIZE);
		u->events = pages_alloc(1, PAGE_SIZE);
		if (!u->commands || !u->events)
			return -ENOMEM;
		u->faults_on = iommu_nmi_address() && nmi_add_source(amdvi_look, u) == 0;
		if (tell_interrupts)
			amdvi_device_nmi(device_table[u->at->device_id]);
		/* by way of it the guest could silence the messages, or send them anywhere */
		if (pci_assign_own(function_of(u)) != 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- commands ---- */

/* Put one into the buffer, which the caller keeps from running full. */
static uint64_t *next_command(struct unit *u)
{
	uint64_t *c = u->commands[u->tail / AMDVI_ENTRY_BYTES];

	u->tail = (u->tail + AMDVI_ENTRY_BYTES) % AMDVI_QUEUE_BYTES;
	return c;
}

/* Let the unit carry out all that is in the buffer. */
static int run_commands(struct unit *u)
{
	uint64_t start = clock_us();

	u->waited = 0;
	iommu_write_back(&u->waited, sizeof(u->waited));
	amdvi_wait(next_command(u), virt_to_phys(&u->waited).a, 1);
	iommu_write_back(u->commands, AMDVI_QUEUE_BYTES);
	iommu_write64(u->registers, AMDVI_COMMAND_TAIL, u->tail);
	while (!u->waited) {
		if (clock_us() - start > IOMMU_TIMEOUT_US)
			return -ETIMEDOUT;
		cpu_pause();
	}
	return 0;
}

/* Forget all that was cached of device table and page tables. */
static int flush(struct unit *u)
{
	int err = 0;

	if (u->features & AMDVI_FEATURE_ALL) {
		amdvi_flush_all(next_command(u));
		return run_commands(u);
	}
	for (uint32_t i = 0; i < AMDVI_DEVICES && !err; i++) {
		amdvi_flush_device(next_command(u), (uint16_t)i);
		if (i % BATCH == BATCH - 1)
			err = run_commands(u);
	}
	if (err)
		return err;
	amdvi_flush_domain(next_command(u), IOMMU_DOMAIN);
	return run_commands(u);
}

/* ---- on and off ---- */

/*
 * A unit that is on stays on: the new device table counts from when its address is written, and
 * what the unit has cached of the old one goes directly behind that.
 */
static int unit_on(struct unit *u)
{
	uint64_t control = (iommu_read64(u->registers, AMDVI_CONTROL) & AMDVI_CONTROL_ENABLE) |
			   amdvi_control(u->at->flags);

	/* command buffer and event log stand still while they are exchanged */
	iommu_write64(u->registers, AMDVI_CONTROL, control);
	int err = iommu_wait64(u->registers, AMDVI_STATUS,
			       AMDVI_STATUS_COMMANDS | AMDVI_STATUS_EVENTS, 0);

	if (err)
		return err;
	iommu_write64(u->registers, AMDVI_COMMAND_BASE,
		      virt_to_phys(u->commands).a | AMDVI_QUEUE_LENGTH);
	iommu_write64(u->registers, AMDVI_COMMAND_HEAD, 0);
	iommu_write64(u->registers, AMDVI_COMMAND_TAIL, 0);
	u->tail = 0;
	iommu_write64(u->registers, AMDVI_EVENT_BASE,
		      virt_to_phys(u->events).a | AMDVI_QUEUE_LENGTH);
	iommu_write64(u->registers, AMDVI_EVENT_HEAD, 0);
	iommu_write64(u->registers, AMDVI_EVENT_TAIL, 0);
	iommu_write64(u->registers, AMDVI_STATUS, AMDVI_STATUS_OVERFLOW | AMDVI_STATUS_EVENT_INT);
	/* no range that goes untranslated */
	iommu_write64(u->registers, AMDVI_EXCLUSION_BASE, 0);
	iommu_write64(u->registers, AMDVI_EXCLUSION_LIMIT, 0);
	msi_set(u, u->faults_on);
	iommu_write64(u->registers, AMDVI_DEVICE_TABLE,
		      virt_to_phys(device_table).a | AMDVI_TABLE_SIZE);
	control |= AMDVI_CONTROL_COMMANDS | AMDVI_CONTROL_EVENTS | AMDVI_CONTROL_ENABLE;
	if (u->faults_on)
		control |= AMDVI_CONTROL_EVENT_INT;
	iommu_write64(u->registers, AMDVI_CONTROL, control);
	err = flush(u);
	u->on = !err;
	return err;
}

static void amdvi_stop(void)
{
	for (unsigned i = 0; i < ivrs.unit_count; i++) {
		units[i].on = false;
		iommu_write64(units[i].registers, AMDVI_CONTROL, amdvi_control(units[i].at->flags));
		msi_set(&units[i], false);
	}
}

static int amdvi_start(void)
{
	for (unsigned i = 0; i < ivrs.unit_count; i++) {
		int err = unit_on(&units[i]);

		if (err) {
			amdvi_stop();
			return err;
		}
	}
	return 0;
}

/* All units share the table: what is in it does not depend on segments either. */
static void amdvi_pass_nmi(uint16_t segment, uint16_t requester)
{
	(void)segment;
	if (!tell_interrupts)
		return;
	amdvi_device_nmi(device_table[requester]);
	iommu_write_back(device_table[requester], AMDVI_DEVICE_BYTES);
	for (unsigned i = 0; i < ivrs.unit_count; i++) {
		struct unit *u = &units[i];

		if (!u->on)
			continue; /* what it has cached goes when it is switched on */
		amdvi_flush_device(next_command(u), requester);
		if (run_commands(u) != 0)
			log_printf("AMD-Vi at %#lx does not answer\n", u->at->base);
	}
}

/* ---- events ---- */

#define EVENT_RETRIES 1000u /* reads of an entry that the unit has counted and not written yet */

static void take_event(struct unit *u, uint32_t head)
{
	volatile uint64_t *e = u->events[head / AMDVI_ENTRY_BYTES];
	struct iommu_fault f;

	for (unsigned i = 0; i < EVENT_RETRIES && e[0] >> 60 == 0; i++)
		cpu_pause();
	const uint64_t event[2] = {e[0], e[1]};

	e[0] = 0;
	e[1] = 0;
	if (amdvi_fault(event, &f))
		iommu_log_fault("AMD-Vi", u->at->base, u->at->segment, &f);
}

static enum nmi_cause amdvi_look(void *arg)
{
	struct unit *u = arg;
	uint64_t status = iommu_read64(u->registers, AMDVI_STATUS);

	if (!(status & (AMDVI_STATUS_EVENT_INT | AMDVI_STATUS_OVERFLOW)))
		return NMI_NO_CAUSE;
	/* first the cause, then its events: what comes in between has a message of its own */
	iommu_write64(u->registers, AMDVI_STATUS, AMDVI_STATUS_EVENT_INT);
	uint32_t head = (uint32_t)iommu_read64(u->registers, AMDVI_EVENT_HEAD) % AMDVI_QUEUE_BYTES,
		 tail = (uint32_t)iommu_read64(u->registers, AMDVI_EVENT_TAIL) % AMDVI_QUEUE_BYTES;

	while (head != tail) {
		take_event(u, head);
		head = (head + AMDVI_ENTRY_BYTES) % AMDVI_QUEUE_BYTES;
	}
	iommu_write64(u->registers, AMDVI_EVENT_HEAD, head);
	if (status & AMDVI_STATUS_OVERFLOW) {
		/* the log has stopped: start it anew (48882, section 2.5.2) */
		uint64_t control = iommu_read64(u->registers, AMDVI_CONTROL);

		iommu_write64(u->registers, AMDVI_CONTROL, control & ~AMDVI_CONTROL_EVENTS);
		iommu_wait64(u->registers, AMDVI_STATUS, AMDVI_STATUS_EVENTS, 0);
		iommu_write64(u->registers, AMDVI_EVENT_BASE,
			      virt_to_phys(u->events).a | AMDVI_QUEUE_LENGTH);
		iommu_write64(u->registers, AMDVI_EVENT_HEAD, 0);
		iommu_write64(u->registers, AMDVI_EVENT_TAIL, 0);
		iommu_write64(u->registers, AMDVI_STATUS, AMDVI_STATUS_OVERFLOW);
		iommu_write64(u->registers, AMDVI_CONTROL, control);
	}
	return NMI_MAY_COME;
}

const struct iommu_driver iommu_amdvi = {
    .table = "IVRS",
    .name = "AMD-Vi",
    .format = &iommu_format_amd,
    .find = amdvi_find,
    .prepare = amdvi_prepare,
    .start = amdvi_start,
    .stop = amdvi_stop,
    .pass_nmi = amdvi_pass_nmi,
};
