/* driver=monitor: logs and counts what the guest does with a PCI function that it otherwise has. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/errno.h"
#include "core/log.h"
#include "drivers/pci.h"
#include "drivers/pci/config.h"
#include "drivers/pci/function.h"
#include "drivers/pci/options.h"

/*
 * For who writes a driver: which registers does the guest's driver touch, and when? The first
 * `log` accesses (default 32, 0: none) are lines of the log; all are counted, and the counts are
 * logged when the number of accesses reaches a power of ten. bars=0 leaves the registers behind
 * base addresses alone, and with them the device at full speed.
 */
#define LOG_DEFAULT 32

enum kind { CONFIG_READ, CONFIG_WRITE, BAR_READ, BAR_WRITE, KINDS };

static const char *const kind_names[KINDS] = {"config read", "config write", "read", "write"};

struct monitor {
	int32_t log_left;
	uint64_t count[KINDS], total, next_report;
};

/* What of an access is told: a line, or the counts. Both are rare. */
static __attribute__((noinline)) void tell(const struct pci_device *dev, enum kind kind, int bar,
					   uint64_t offset, unsigned size, uint64_t value)
{
	struct monitor *m = dev->host;
	char name[PCI_NAME_MAX];

	if (m->log_left > 0) {
		m->log_left--;
		pci_name(dev, name);
		if (bar < 0)
			log_printf("%s %s %u at %#lx: %#lx\n", name, kind_names[kind], size, offset,
				   value);
		else
			log_printf("%s BAR%d %s %u at %#lx: %#lx\n", name, bar, kind_names[kind],
				   size, offset, value);
	}
	if (m->total == m->next_report) {
		m->next_report *= 10;
		log_printf(
		    "%s accesses: config %lu reads, %lu writes; BARs %lu reads, %lu writes\n",
		    pci_name(dev, name), m->count[CONFIG_READ], m->count[CONFIG_WRITE],
		    m->count[BAR_READ], m->count[BAR_WRITE]);
	}
}

static inline void note(const struct pci_device *dev, enum kind kind, int bar, uint64_t offset,
			unsigned size, uint64_t value)
{
	struct monitor *m = dev->host;

	m->count[kind]++;
	m->total++;
	if (__builtin_expect(m->log_left > 0 || m->total == m->next_report, 0))
		tell(dev, kind, bar, offset, size, value);
}

static uint64_t region_read(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size)
{
	uint64_t value = pci_region_read(dev, bar, offset, size);

	note(dev, BAR_READ, (int)bar, offset, size, value);
	return value;
}

static void region_write(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size,
			 uint64_t value)
{
	note(dev, BAR_WRITE, (int)bar, offset, size, value);
	pci_region_write(dev, bar, offset, size, value);
}

/* Counted, when there is nothing to tell of it. */
static bool region_pass(struct pci_device *dev, unsigned bar, bool write)
{
	struct monitor *m = dev->host;

	(void)bar;
	if (m->log_left > 0 || m->total + 1 == m->next_report)
		return false;
	m->count[write ? BAR_WRITE : BAR_READ]++;
	m->total++;
	return true;
}

static const struct pci_region_ops region_ops = {
    .read = region_read, .write = region_write, .pass = region_pass};

static enum pci_config_result config_read(struct pci_device *dev, unsigned size, uint16_t offset,
					  uint32_t *data)
{
	*data = pci_default_read(dev, offset, size);
	note(dev, CONFIG_READ, -1, offset, size, *data);
	return PCI_CONFIG_DONE;
}

static enum pci_config_result config_write(struct pci_device *dev, unsigned size, uint16_t offset,
					   uint32_t data)
{
	note(dev, CONFIG_WRITE, -1, offset, size, data);
	return PCI_CONFIG_DEFAULT;
}

/* The table of MSI-X vectors is in a BAR as other registers are, and watched with it. */
static int watch(struct pci_device *dev)
{
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		const struct pci_bar *bar = pci_bar(dev, i);
		char name[PCI_NAME_MAX];

		if (!bar || !bar->size || i == PCI_BAR_ROM)
			continue;
		int err = pci_claim(dev, i, &region_ops);

		if (err) {
			log_printf("%s BAR%u cannot be watched\n", pci_name(dev, name), i);
			return err;
		}
	}
	return 0;
}

static int monitor_new(struct pci_device *dev)
{
	struct monitor *m = dev->host ? dev->host : pci_memory(sizeof(*m));
	bool bars = true;
	char name[PCI_NAME_MAX];

	if (!m)
		return -ENOMEM;
	*m = (struct monitor){.log_left = LOG_DEFAULT, .next_report = 10};
	if (pci_option_int(dev->driver_options[0], &m->log_left, NULL) != 0 ||
	    pci_option_bool(dev->driver_options[1], &bars) != 0) {
		log_printf("%s driver=monitor: log is a number, bars is yes or no\n",
			   pci_name(dev, name));
		return -EINVAL;
	}
	dev->host = m;
	int err = bars ? watch(dev) : 0;

	if (!err)
		log_printf("%s monitored\n", pci_name(dev, name));
	return err;
}

static int monitor_wake(struct pci_device *dev)
{
	pci_follow_reset(dev);
	return 0;
}

PCI_DRIVER(monitor) = {
    .name = "monitor",
    .longname = "PCI access monitor",
    .driver_options = "log,bars",
    .new = monitor_new,
    .wake = monitor_wake,
    .config_read = config_read,
    .config_write = config_write,
};
