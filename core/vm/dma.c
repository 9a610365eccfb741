/* Whether devices are kept out of the VMM's memory: the seam to whoever drives the IOMMU. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/dma.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/start.h"

static const struct dma_guard *guard;
static bool on;
static char reason[120] = "no IOMMU";

void dma_provide(const struct dma_guard *g)
{
	ASSERT(!guard);
	guard = g;
}

void dma_cannot(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_vsnprintf(reason, sizeof(reason), format, ap);
	va_end(ap);
}

static bool asked_for(void)
{
	const struct config *c = start_config();

	return c->given[config_key_find("vmm.iommu")] && c->iommu == CONFIG_IOMMU_ON;
}

/* Said at every start: nobody shall take the VMM for a protection that it is not. */
static void say_not_confined(const char *why)
{
	log_printf("DMA is not confined (%s): devices can reach the VMM's memory\n", why);
}

bool dma_report(void)
{
	if (guard) {
		log_printf("DMA is going to be confined by %s\n", guard->name);
		return true;
	}
	if (asked_for() &&
	    start_refuse("vmm.iommu=on is set, and DMA cannot be confined (%s)", reason))
		return false;
	say_not_confined(start_config()->iommu == CONFIG_IOMMU_GUEST ? "vmm.iommu=guest" : reason);
	return true;
}

int dma_start(void)
{
	int err = guard ? guard->start() : 0;
	bool before = on; /* this is a wake-up */

	on = guard && !err;
	if (on) {
		log_printf("DMA is confined by %s: devices cannot reach the VMM's memory\n",
			   guard->name);
	} else if (err) {
		log_printf("DMA cannot be confined by %s: no answer (%d)\n", guard->name, err);
		if (asked_for() || before)
			return err;
		say_not_confined("its unit does not answer");
	}
	return 0;
}

void dma_stop(void)
{
	if (on)
		guard->stop();
	on = false;
}

void dma_pass_nmi(uint16_t segment, uint16_t requester)
{
	if (guard && guard->pass_nmi)
		guard->pass_nmi(segment, requester);
}
