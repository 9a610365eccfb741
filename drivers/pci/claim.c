/* Regions behind base address registers that drivers have claimed: their traps follow the guest. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/claim.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/vm/gmem.h"
#include "core/vm/io.h"
#include "core/vm/mmio.h"
#include "drivers/pci/space.h"

static uint64_t ones(unsigned size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

static int memory_read(void *arg, uint64_t offset, unsigned size, uint64_t *value)
{
	const struct claim *c = arg;

	*value = c->ops->read(&c->function->dev, c->bar, offset, size);
	return 0;
}

static void memory_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	const struct claim *c = arg;

	c->ops->write(&c->function->dev, c->bar, offset, size, value);
}

static const struct mmio_ops memory_ops = {.read = memory_read, .write = memory_write};

static void port_access(void *arg, const struct io_access *io, uint32_t *value)
{
	const struct claim *c = arg;
	const struct pci_bar *bar = &c->function->bars.bar[c->bar];
	struct pci_device *dev = &c->function->dev;

	if (io->port < bar->base || io->port + io->size > bar->base + bar->size) {
		/* across the border: nothing in a function is addressed so */
		if (!io->write)
			*value = UINT32_MAX;
		return;
	}
	if (io->write)
		c->ops->write(dev, c->bar, io->port - bar->base, io->size, *value & ones(io->size));
	else
		*value = (uint32_t)c->ops->read(dev, c->bar, io->port - bar->base, io->size);
}

static bool wanted(const struct claim *c, uint16_t command)
{
	const struct pci_bar *bar = &c->function->bars.bar[c->bar];

	return bar->enabled && bar->base && command & (c->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
}

static void untrap(struct claim *c)
{
	if (c->io)
		io_untrap(c->trap);
	else
		mmio_unregister(c->trap);
	c->trap = 0;
}

static int trap(struct claim *c)
{
	const struct pci_bar *bar = &c->function->bars.bar[c->bar];
	int err;

	if (c->trap) {
		err = c->io ? io_move(c->trap, (uint16_t)bar->base)
			    : mmio_move(c->trap, GPA(bar->base));
		if (err)
			untrap(c); /* nothing of it is left at the old place */
		return err;
	}
	if (c->io)
		err = bar->base > UINT16_MAX
			  ? -EINVAL
			  : io_trap((uint16_t)bar->base, (uint16_t)bar->size, port_access, c);
	else
		err = mmio_register(GPA(bar->base), bar->size,
				    c->ops->writes_only ? MMIO_WRITES : MMIO_READS_AND_WRITES,
				    &memory_ops, c);
	if (err < 0)
		return err;
	c->trap = err;
	return 0;
}

/* 0, or why the trap cannot be where the BAR is. */
static int follow(struct claim *c, uint16_t command)
{
	if (wanted(c, command))
		return trap(c);
	if (c->trap)
		untrap(c);
	return 0;
}

void pci_claims_follow(struct function *f, uint16_t command)
{
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		int err = f->claims[i].ops ? follow(&f->claims[i], command) : 0;
		char name[PCI_NAME_MAX];

		if (err)
			log_printf("%s BAR%u at %#lx cannot be watched: error %d\n",
				   pci_name(&f->dev, name), i, f->bars.bar[i].base, -err);
	}
}

void pci_claims_end(struct function *f)
{
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
		pci_release(&f->dev, i);
}

int pci_claim(struct pci_device *dev, unsigned number, const struct pci_region_ops *ops)
{
	struct function *f = pci_function_of(dev);
	const struct pci_bar *bar = pci_bar(dev, number);

	if (!bar || !bar->size)
		return -ENODEV;
	struct claim *c = &f->claims[number];

	if (c->ops)
		return -EBUSY;
	*c = (struct claim){
	    .ops = ops, .function = f, .bar = (uint8_t)number, .io = bar->type == PCI_BAR_IO};
	int err = follow(c, (uint16_t)pci_read(dev, PCI_COMMAND, 2));

	if (err)
		c->ops = NULL;
	return err;
}

void pci_release(struct pci_device *dev, unsigned number)
{
	struct claim *c = &pci_function_of(dev)->claims[number];

	if (c->trap)
		untrap(c);
	c->ops = NULL;
}

uint64_t pci_region_read(const struct pci_device *dev, unsigned number, uint64_t offset,
			 unsigned size)
{
	const struct pci_bar *bar = pci_bar(dev, number);
	struct io_access io = {.port = (uint16_t)(bar->base + offset), .size = (uint8_t)size};
	uint64_t value = 0;
	uint32_t port_value = 0;

	if (bar->type == PCI_BAR_MEMORY) {
		gmem_phys_read(GPA(bar->base + offset), size, &value);
		return value;
	}
	io_pass(&io, &port_value);
	return port_value;
}

void pci_region_write(const struct pci_device *dev, unsigned number, uint64_t offset, unsigned size,
		      uint64_t value)
{
	const struct pci_bar *bar = pci_bar(dev, number);
	struct io_access io = {
	    .port = (uint16_t)(bar->base + offset), .size = (uint8_t)size, .write = true};
	uint32_t port_value = (uint32_t)value;

	if (bar->type == PCI_BAR_MEMORY)
		gmem_phys_write(GPA(bar->base + offset), size, value);
	else
		io_pass(&io, &port_value);
}

/* A register of `f` that was changed since it was found, and whose region may hold `at`. */
static bool may_cover(const struct function *f, bool io, uint64_t at)
{
	struct pci_config config = pci_function_config(f);
	struct pci_bars now;

	pci_bars_read(&now, &config);
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		const struct pci_bar *bar = &now.bar[i];
		bool moved = now.value[i] != f->boot_bars[i] ||
			     (bar->wide && now.value[i + 1] != f->boot_bars[i + 1]);

		/* a base is a multiple of the size, which is not known: take the largest */
		if (bar->type != PCI_BAR_NONE && (bar->type == PCI_BAR_IO) == io && bar->base &&
		    moved && at >= bar->base && at - bar->base < (bar->base & (0 - bar->base)))
			return true;
	}
	return false;
}

bool pci_region_taken(const struct pci_device *dev, unsigned number, uint64_t offset)
{
	const struct pci_bar *bar = pci_bar(dev, number);
	bool io = bar->type == PCI_BAR_IO;

	for (const struct function *f = pci_functions; f; f = f->next) {
		if (&f->dev == dev || !f->present || !f->reachable)
			continue;
		uint32_t command = pci_space_read(pci_function_address(f), PCI_COMMAND, 2);

		if (command & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY) &&
		    may_cover(f, io, bar->base + offset))
			return true;
	}
	return false;
}
