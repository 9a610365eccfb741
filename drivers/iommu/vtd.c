/* VT-d units: taken from the firmware, switched on, and asked for faults (Intel VT-d specification
 * 4.1, chapters 6, 7 and 11). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/dmar.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/mm/pages.h"
#include "core/mm/vmmap.h"
#include "core/start.h"
#include "core/vm/dma.h"
#include "core/vm/mmio.h"
#include "core/vm/nmi.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "drivers/iommu/iommu.h"
#include "drivers/iommu/vtd_regs.h"
#include "drivers/iommu/vtd_shadow.h"

#define FAULT_ROUNDS 64 /* times that the records are looked through in one exit */

static struct dmar dmar;

static struct unit {
	const struct dmar_unit *at;
	volatile uint8_t *registers;
	struct vtd_unit_caps caps;
	uint64_t root_table;      /* physical */
	uint64_t (*queue)[2];     /* of 256 descriptors; NULL: the unit has none */
	volatile uint32_t waited; /* written by the unit */
	bool faults_on;
	struct vtd_shadow shadow; /* for firmware that goes on to use the unit */
} units[DMAR_MAX_UNITS];

static uint32_t read32(const struct unit *u, uint32_t offset)
{
	return *(volatile const uint32_t *)(volatile const void *)(u->registers + offset);
}

static void write32(struct unit *u, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(volatile void *)(u->registers + offset) = value;
}

/* Wait until the bits of `mask` are `value`. 0 or -ETIMEDOUT. */
static int wait32(const struct unit *u, uint32_t offset, uint32_t mask, uint32_t value)
{
	uint64_t start = clock_us();

	while ((read32(u, offset) & mask) != value) {
		if (clock_us() - start > IOMMU_TIMEOUT_US)
			return -ETIMEDOUT;
		cpu_pause();
	}
	return 0;
}

/* Set and clear bits of the global command; the others stay. Then wait for the status. */
static int command(struct unit *u, uint32_t set, uint32_t clear)
{
	uint32_t status = read32(u, VTD_GSTS) & VTD_KEEP;

	write32(u, VTD_GCMD, (status & ~clear) | set);
	if (set & VTD_WBF)
		return wait32(u, VTD_GSTS, VTD_WBF, 0);
	return wait32(u, VTD_GSTS, set | clear, set);
}

/* ---- start-up ---- */

static int shadow_read(void *arg, uint64_t offset, unsigned size, uint64_t *value)
{
	*value = vtd_shadow_read(arg, offset, size);
	return 0;
}

static void shadow_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	vtd_shadow_write(arg, offset, size, value);
}

static const struct mmio_ops shadow_ops = {.read = shadow_read, .write = shadow_write};

static int look_at(struct unit *u)
{
	const char *why = NULL;

	u->registers = vmmap_device(u->at->base, u->at->size);
	if (!u->registers)
		return iommu_unusable(u->at->base, "cannot be mapped");
	int err = vtd_caps(iommu_read64(u->registers, VTD_CAP),
			   iommu_read64(u->registers, VTD_ECAP), &u->caps, &why);

	if (err == -ENODEV)
		why = "does not answer";
	if (err)
		return iommu_unusable(u->at->base, why);
	if (u->caps.registers_end > u->at->size) { /* tables of old revisions tell no size */
		u->registers = vmmap_device(u->at->base, u->caps.registers_end);
		if (!u->registers)
			return iommu_unusable(u->at->base, "cannot be mapped");
	}
	uint32_t status = read32(u, VTD_GSTS);
	const struct mmio_ops *ops = NULL;

	if (status & VTD_TE) {
		/* the mode of the root table cannot change while translation is on */
		if (iommu_read64(u->registers, VTD_RTADDR) & VTD_RTADDR_MODE)
			return iommu_unusable(u->at->base, "is in scalable mode already");
		log_printf("VT-d at %#lx: taken over from the firmware\n", u->at->base);
		if (start_boot_info()->firmware == BOOT_UEFI)
			ops = &shadow_ops;
		vtd_shadow_init(&u->shadow, read32(u, VTD_VER), iommu_read64(u->registers, VTD_CAP),
				iommu_read64(u->registers, VTD_ECAP), status, u->caps.iotlb_offset);
	}
	uint64_t size = align_up(u->caps.registers_end, PAGE_SIZE);

	if (size < u->at->size)
		size = u->at->size;
	return iommu_registers(u->at->base, size, ops, &u->shadow)
		   ? iommu_unusable(u->at->base, "is one too many")
		   : 0;
}

/* Has the segment a unit for the devices that the table does not name? */
static bool has_all(uint16_t segment)
{
	for (unsigned i = 0; i < dmar.unit_count; i++) {
		if (dmar.unit[i].segment == segment && dmar.unit[i].include_all)
			return true;
	}
	return false;
}

static int vtd_find(const void *table, uint32_t len, struct iommu_need *need)
{
	int err = dmar_parse(table, len, &dmar);

	if (err) {
		dma_cannot("the firmware's DMAR table is damaged");
		return err;
	}
	for (unsigned i = 0; i < dmar.unit_count && !err; i++) {
		struct unit *u = &units[i];

		u->at = &dmar.unit[i];
		if (!has_all(u->at->segment)) /* QEMU 7.2 is such a machine */
			log_printf("DMAR: in segment %u only devices that the firmware names are "
				   "confined\n",
				   u->at->segment);
		err = look_at(u);
		if (err)
			return err;
		if (u->caps.width < need->width)
			need->width = u->caps.width;
		if (u->caps.max_leaf < need->max_leaf)
			need->max_leaf = u->caps.max_leaf;
	}
	for (unsigned i = 0; i < dmar.region_count; i++) {
		const struct dmar_region *r = &dmar.region[i];

		if (r->end > need->end)
			need->end = r->end;
		if (r->base < region_base + region_size && r->end > region_base)
			log_printf("DMAR: firmware wants DMA to %#lx-%#lx, where the VMM is\n",
				   r->base, r->end - 1);
	}
	if (dmar.regions_bad)
		log_printf("DMAR: %u reserved regions that make no sense\n", dmar.regions_bad);
	return 0;
}

/* The tables of all devices of all buses are the same: one context table for each depth. */
static uint64_t make_root_table(uint64_t root, unsigned levels)
{
	uint64_t(*roots)[2] = pages_alloc(1, PAGE_SIZE), (*contexts)[2] = pages_alloc(1, PAGE_SIZE);

	if (!roots || !contexts)
		return 0;
	for (unsigned i = 0; i < 256; i++) {
		roots[i][0] = vtd_root_entry(virt_to_phys(contexts).a);
		vtd_context_entry(contexts[i], root, levels, IOMMU_DOMAIN);
	}
	return virt_to_phys(roots).a;
}

static enum nmi_cause vtd_look(void *arg);

static int vtd_prepare(uint64_t root, uint64_t root3)
{
	uint64_t by_levels[2] = {0, 0};

	for (unsigned i = 0; i < dmar.unit_count; i++) {
		struct unit *u = &units[i];
		uint64_t *table = &by_levels[u->caps.levels - 3];

		if (!*table)
			*table =
			    make_root_table(u->caps.levels == 4 ? root : root3, u->caps.levels);
		u->root_table = *table;
		if (u->caps.queue)
			u->queue = pages_alloc(1, PAGE_SIZE);
		if (!u->root_table || (u->caps.queue && !u->queue))
			return -ENOMEM;
		u->faults_on = iommu_nmi_address() && nmi_add_source(vtd_look, u) == 0;
	}
	return 0;
}

/* ---- invalidation ---- */

/* An empty queue of ours in the place of what is there. */
static int queue_on(struct unit *u)
{
	int err = 0;

	if (read32(u, VTD_GSTS) & VTD_QIE) {
		/* what is in it must be done before it may be switched off (section 6.5.2) */
		uint64_t tail = iommu_read64(u->registers, VTD_IQT) & 0x7fff0;

		iommu_wait64(u->registers, VTD_IQH, 0x7fff0, tail);
		err = command(u, 0, VTD_QIE);
	}
	if (err)
		return err;
	iommu_write64(u->registers, VTD_IQT, 0);
	iommu_write64(u->registers, VTD_IQA,
		      virt_to_phys(u->queue).a); /* one page, descriptors of 128 bits */
	return command(u, VTD_QIE, 0);
}

static int flush_by_queue(struct unit *u)
{
	uint64_t start = clock_us();

	u->waited = 0;
	iommu_write_back(&u->waited, sizeof(u->waited));
	vtd_flush_contexts(u->queue[0]);
	vtd_flush_iotlb(u->queue[1], &u->caps);
	vtd_wait(u->queue[2], virt_to_phys(&u->waited).a, 1);
	iommu_write_back(u->queue, 3 * sizeof(u->queue[0]));
	iommu_write64(u->registers, VTD_IQT, 3 * sizeof(u->queue[0]));
	while (!u->waited) {
		if (clock_us() - start > IOMMU_TIMEOUT_US ||
		    (read32(u, VTD_FSTS) & (VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)))
			return -ETIMEDOUT;
		cpu_pause();
	}
	return 0;
}

static int flush_by_registers(struct unit *u)
{
	uint64_t iotlb = VTD_IOTLB_IVT | VTD_IOTLB_GLOBAL |
			 (u->caps.drain_reads ? VTD_IOTLB_DR : 0) |
			 (u->caps.drain_writes ? VTD_IOTLB_DW : 0);
	int err = iommu_wait64(u->registers, VTD_CCMD, VTD_CCMD_ICC, 0);

	if (err)
		return err;
	iommu_write64(u->registers, VTD_CCMD, VTD_CCMD_ICC | VTD_CCMD_GLOBAL);
	if ((err = iommu_wait64(u->registers, VTD_CCMD, VTD_CCMD_ICC, 0)) != 0)
		return err;
	iommu_write64(u->registers, u->caps.iotlb_offset, iotlb);
	return iommu_wait64(u->registers, u->caps.iotlb_offset, VTD_IOTLB_IVT, 0);
}

/* ---- on and off ---- */

static void clear_faults(struct unit *u)
{
	for (unsigned i = 0; i < u->caps.fault_records; i++)
		write32(u, u->caps.fault_offset + 16 * i + 12, UINT32_C(1) << 31);
	write32(u, VTD_FSTS, VTD_FSTS_CLEAR);
}

/* Faults become NMIs of the boot CPU. Masked until all is set. */
static void prepare_faults(struct unit *u)
{
	write32(u, VTD_FECTL, VTD_FECTL_IM);
	write32(u, VTD_FEDATA, IOMMU_NMI_DATA);
	write32(u, VTD_FEADDR, iommu_nmi_address());
	write32(u, VTD_FEUADDR, 0);
	clear_faults(u);
}

/*
 * Translation that is on stays on: the new root table counts from the moment that the unit takes
 * it, and what it has cached of the old one goes directly behind that (section 6.6).
 */
static int unit_on(struct unit *u)
{
	int err = 0;

	if (read32(u, VTD_GSTS) & VTD_AFL)
		err = command(u, 0, VTD_AFL);
	prepare_faults(u);
	if (!err && read32(u, VTD_GSTS) & VTD_IRE)
		err = command(u, 0, VTD_IRE);
	if (!err && u->caps.write_buffer)
		err = command(u, VTD_WBF, 0);
	if (!err && u->queue)
		err = queue_on(u);
	if (err)
		return err;
	iommu_write64(u->registers, VTD_RTADDR, u->root_table);
	err = command(u, VTD_SRTP, 0);
	if (!err)
		err = u->queue ? flush_by_queue(u) : flush_by_registers(u);
	if (!err)
		err = command(u, VTD_TE, 0);
	if (err)
		return err;
	if (u->caps.protected_memory && read32(u, VTD_PMEN) & VTD_PMEN_EPM) {
		/* the firmware's coarser guard; not needed any more, and it knows no exceptions */
		write32(u, VTD_PMEN, 0);
		wait32(u, VTD_PMEN, VTD_PMEN_PRS, 0);
	}
	if (u->faults_on)
		write32(u, VTD_FECTL, 0);
	return 0;
}

static void vtd_stop(void)
{
	for (unsigned i = 0; i < dmar.unit_count; i++) {
		write32(&units[i], VTD_FECTL, VTD_FECTL_IM);
		command(&units[i], 0, VTD_TE);
		command(&units[i], 0, VTD_QIE);
	}
}

static int vtd_start(void)
{
	for (unsigned i = 0; i < dmar.unit_count; i++) {
		int err = unit_on(&units[i]);

		if (err) {
			vtd_stop();
			return err;
		}
	}
	return 0;
}

/* ---- faults ---- */

static enum nmi_cause vtd_look(void *arg)
{
	struct unit *u = arg;
	uint32_t status = read32(u, VTD_FSTS);

	if (!(status & (VTD_FSTS_PPF | VTD_FSTS_CLEAR)))
		return NMI_NO_CAUSE;
	/* A unit sends the next message only when all records are free: look until they are. */
	for (unsigned round = 0; round < FAULT_ROUNDS && (status & VTD_FSTS_PPF); round++) {
		for (unsigned i = 0; i < u->caps.fault_records; i++) {
			uint32_t at = u->caps.fault_offset + 16 * i;
			uint64_t record[2] = {0, iommu_read64(u->registers, at + 8)};
			struct iommu_fault f;

			if (!(record[1] >> 63))
				continue;
			record[0] = iommu_read64(u->registers, at);
			if (vtd_fault(record, &f))
				iommu_log_fault("VT-d", u->at->base, u->at->segment, &f);
			write32(u, at + 12, UINT32_C(1) << 31);
		}
		status = read32(u, VTD_FSTS);
	}
	if (status & VTD_FSTS_CLEAR)
		write32(u, VTD_FSTS, VTD_FSTS_CLEAR);
	return NMI_MAY_COME;
}

const struct iommu_driver iommu_vtd = {
    .table = "DMAR",
    .name = "VT-d",
    .format = &iommu_format_vtd,
    .find = vtd_find,
    .prepare = vtd_prepare,
    .start = vtd_start,
    .stop = vtd_stop,
};
