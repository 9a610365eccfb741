/* Message-signalled interrupts of mediated functions: shadows, NMIs taken, IPIs in their place. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/msi.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/vm/dma.h"
#include "core/vm/mmio.h"
#include "core/vm/nmi.h"
#include "core/x86/apic.h"
#include "core/x86/percpu.h"
#include "drivers/pci/claim.h"
#include "drivers/pci/msi.h"
#include "drivers/pci/msi_shadow.h"

#define VMM_ADDRESS(id) (0xfee00000u | (id) << 12) /* physical, SDM 3A 10.11.1 */
#define ID_END          0xffu                      /* means all CPUs */

/* One for each function whose driver has asked; it stays when the function goes. */
struct msi {
	struct function *function;
	bool active;
	bool serving; /* in `taken`: what is raised waits until that is over */
	bool (*taken)(struct pci_device *dev);
	uint16_t room; /* entries that `shadow.entry` has room for */
	struct msi_shadow shadow;
	struct msi *next;
};

static struct msi *records; /* changes under mmio_lock() */

/* ---- hardware ---- */

static void place(const struct msi *m, enum msi_space space, unsigned *bar, uint64_t *offset)
{
	const struct pci_msix *x = &m->shadow.msix;

	*bar = space == MSI_TABLE ? x->table_bar : x->pending_bar;
	*offset += space == MSI_TABLE ? x->table_offset : x->pending_offset;
}

/* What is behind a BAR that is not decoded may be another device's. */
static bool is_decoded(const struct msi *m, unsigned bar)
{
	return pci_bar(&m->function->dev, bar) && pci_claim_is_decoded(m->function, bar);
}

static uint32_t hw_read(void *arg, enum msi_space space, uint32_t at, unsigned size)
{
	const struct msi *m = arg;
	uint64_t offset = at;
	unsigned bar;

	if (space == MSI_CONFIG)
		return pci_read(&m->function->dev, (uint16_t)at, size);
	place(m, space, &bar, &offset);
	return is_decoded(m, bar) ? (uint32_t)pci_region_read(&m->function->dev, bar, offset, size)
				  : 0;
}

static void hw_write(void *arg, enum msi_space space, uint32_t at, unsigned size, uint32_t value)
{
	const struct msi *m = arg;
	uint64_t offset = at;
	unsigned bar;

	if (space == MSI_CONFIG) {
		pci_write(&m->function->dev, (uint16_t)at, size, value);
		return;
	}
	place(m, space, &bar, &offset);
	if (is_decoded(m, bar))
		pci_region_write(&m->function->dev, bar, offset, size, value);
}

static void send(void *arg, const struct msi_message *message)
{
	uint32_t destination, icr;

	(void)arg;
	if (msi_to_icr(message, apic_is_x2apic(), &destination, &icr))
		apic_forward(destination, icr);
}

/* ---- the guest's accesses ---- */

static struct msi *owned(const struct function *f)
{
	return f->msi && f->msi->active ? f->msi : NULL;
}

bool pci_msi_covers(const struct function *f, uint16_t offset, unsigned size)
{
	const struct msi *m = owned(f);

	return m && msi_shadow_covers(&m->shadow, offset, size);
}

/* Behind whatever may have ended interrupts that were taken before. */
static void note_end(const struct msi *m, bool taken)
{
	if (taken && !(m->active && msi_shadow_takes(&m->shadow)))
		nmi_cause_gone();
}

uint32_t pci_msi_config_read(struct function *f, uint16_t offset, unsigned size)
{
	struct msi *m = f->msi;
	bool taken = msi_shadow_takes(&m->shadow);
	uint32_t value = (uint32_t)msi_shadow_read(&m->shadow, MSI_CONFIG, offset, size);

	note_end(m, taken); /* it may have noticed a reset */
	return value;
}

void pci_msi_config_write(struct function *f, uint16_t offset, unsigned size, uint32_t value)
{
	struct msi *m = f->msi;
	bool taken = msi_shadow_takes(&m->shadow);

	msi_shadow_write(&m->shadow, MSI_CONFIG, offset, size, value);
	note_end(m, taken);
}

bool pci_msi_in_bar(const struct function *f, unsigned bar)
{
	const struct msi *m = owned(f);

	return m && m->shadow.msix.offset &&
	       (m->shadow.msix.table_bar == bar || m->shadow.msix.pending_bar == bar);
}

/* Which space the bytes are in, and where; MSI_CONFIG: in none. */
static enum msi_space find_space(const struct msi *m, unsigned bar, uint64_t *offset)
{
	const struct pci_msix *x = &m->shadow.msix;

	if (bar == x->table_bar && *offset >= x->table_offset &&
	    *offset - x->table_offset < msi_shadow_table_size(&m->shadow)) {
		*offset -= x->table_offset;
		return MSI_TABLE;
	}
	if (bar == x->pending_bar && *offset >= x->pending_offset &&
	    *offset - x->pending_offset < msi_shadow_pending_size(&m->shadow)) {
		*offset -= x->pending_offset;
		return MSI_PENDING;
	}
	return MSI_CONFIG;
}

bool pci_msi_region_read(struct function *f, unsigned bar, uint64_t offset, unsigned size,
			 uint64_t *value)
{
	enum msi_space space =
	    pci_msi_in_bar(f, bar) ? find_space(f->msi, bar, &offset) : MSI_CONFIG;

	if (space == MSI_CONFIG)
		return false;
	*value = msi_shadow_read(&f->msi->shadow, space, (uint32_t)offset, size);
	return true;
}

bool pci_msi_region_write(struct function *f, unsigned bar, uint64_t offset, unsigned size,
			  uint64_t value)
{
	enum msi_space space =
	    pci_msi_in_bar(f, bar) ? find_space(f->msi, bar, &offset) : MSI_CONFIG;

	if (space == MSI_CONFIG)
		return false;
	msi_shadow_write(&f->msi->shadow, space, (uint32_t)offset, size, value);
	return true;
}

void pci_msi_reachable(struct function *f)
{
	if (owned(f))
		msi_shadow_refresh(&f->msi->shadow);
}

void pci_msi_follow_reset(struct function *f)
{
	if (owned(f))
		msi_shadow_notice_reset(&f->msi->shadow);
}

/* ---- NMIs ---- */

/* Ask the driver: did the device want something? Under mmio_lock(). */
static bool serve(struct msi *m)
{
	bool wanted;

	/* else its causes are INTx's, and the NMI is another's */
	if (!m->active || !m->taken || !msi_shadow_takes(&m->shadow))
		return false;
	m->serving = true;
	wanted = m->taken(&m->function->dev);
	m->serving = false;
	/*
	 * The driver may have seen in memory what the device's message is still to tell. No answer
	 * to a read passes a message that was sent before it (PCI Express Base 3.0, 2.4.1).
	 */
	if (wanted)
		pci_read(&m->function->dev, PCI_VENDOR, 2);
	msi_shadow_deliver(&m->shadow);
	return wanted;
}

static enum nmi_cause look(void *arg)
{
	struct msi *m = __atomic_load_n(&records, __ATOMIC_ACQUIRE);
	bool found = false;

	(void)arg;
	if (!m)
		return NMI_NO_CAUSE;
	mmio_lock(this_cpu());
	for (; m; m = m->next)
		found |= serve(m);
	mmio_unlock();
	return found ? NMI_CAUSE : NMI_NO_CAUSE;
}

int pci_msi_init(void)
{
	return nmi_add_source(look, NULL);
}

/* ---- for drivers ---- */

static int claim_table(struct function *f)
{
	const struct pci_msix *x = &f->msi->shadow.msix;
	int err;

	if (!x->offset)
		return 0;
	err = pci_claim_part(f, CLAIM_MSIX_TABLE, x->table_bar, x->table_offset,
			     msi_shadow_table_size(&f->msi->shadow));
	return err ? err
		   : pci_claim_part(f, CLAIM_MSIX_PENDING, x->pending_bar, x->pending_offset,
				    msi_shadow_pending_size(&f->msi->shadow));
}

/* A record for the function, with room for its vectors: the old one, if it had one before. */
static struct msi *record(struct function *f, uint16_t vectors)
{
	struct msi *m = f->msi ? f->msi : pci_memory(sizeof(*m));

	if (!m)
		return NULL;
	if (!f->msi) {
		m->function = f;
		f->msi = m;
		m->next = records;
		__atomic_store_n(&records, m, __ATOMIC_RELEASE);
	}
	if (vectors > m->room) {
		m->shadow.entry = pci_memory(vectors * sizeof(struct msi_entry));
		m->room = m->shadow.entry ? vectors : 0;
	}
	return vectors && !m->room ? NULL : m;
}

int msi_own(struct pci_device *dev, enum msi_mode mode, bool (*taken)(struct pci_device *dev))
{
	struct function *f = pci_function_of(dev);
	struct pci_config config = pci_function_config(f);
	const uint32_t id = cpus[0]->apic_id;
	const struct msi_message vmm = {VMM_ADDRESS(id & ID_END), MSI_SHADOW_NMI_DATA};
	struct pci_caps caps;

	pci_caps_read(&config, &caps);
	if (!caps.msi.offset && !caps.msix.offset) {
		char name[PCI_NAME_MAX];

		log_printf("%s has neither MSI nor MSI-X: its interrupts cannot be taken\n",
			   pci_name(dev, name));
		return -ENODEV;
	}
	if (owned(f))
		return -EBUSY;
	if (mode == MSI_TAKE && !taken)
		return -EINVAL;
	if (taken && id >= ID_END)
		return -ERANGE;
	struct msi *m = record(f, caps.msix.vectors);

	if (!m)
		return -ENOMEM;
	const struct msi_hw hw = {hw_read, hw_write, send, m};
	int err;

	struct pci_address at = pci_function_address(f);

	if (taken)
		dma_pass_nmi(at.segment, (uint16_t)(at.bus << 8 | at.device << 3 | at.function));
	m->taken = taken;
	m->active = true;
	msi_shadow_init(&m->shadow, &caps, &hw, &vmm, m->shadow.entry, mode);
	err = claim_table(f);
	if (err)
		pci_msi_end(f);
	else
		msi_shadow_refresh(&m->shadow); /* now it is known whether it can be reached */
	return err;
}

int msi_set_mode(struct pci_device *dev, unsigned vector, enum msi_mode mode)
{
	struct msi *m = owned(pci_function_of(dev));

	if (!m || (mode == MSI_TAKE && !m->taken))
		return -EINVAL;
	bool taken = msi_shadow_takes(&m->shadow);

	if (!msi_shadow_set_mode(&m->shadow, vector, mode))
		return -EINVAL;
	note_end(m, taken);
	return 0;
}

bool msi_raise(struct pci_device *dev, unsigned vector)
{
	struct msi *m = owned(pci_function_of(dev));

	if (!m || !msi_shadow_post(&m->shadow, vector))
		return false;
	if (!m->serving)
		msi_shadow_deliver(&m->shadow);
	return true;
}

void msi_withdraw(struct pci_device *dev, unsigned vector)
{
	struct msi *m = owned(pci_function_of(dev));

	if (m)
		msi_shadow_withdraw(&m->shadow, vector);
}

void msi_ended_unseen(struct pci_device *dev)
{
	const struct msi *m = owned(pci_function_of(dev));

	if (m && msi_shadow_takes(&m->shadow))
		nmi_cause_gone();
}

void pci_msi_end(struct function *f)
{
	struct msi *m = owned(f);

	if (!m)
		return;
	m->active = false;
	note_end(m, msi_shadow_takes(&m->shadow));
	pci_claim_part_end(f, CLAIM_MSIX_TABLE);
	pci_claim_part_end(f, CLAIM_MSIX_PENDING);
}
