/* Regions behind base address registers that drivers have claimed: their traps follow the guest. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/claim.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/mm/vmmap.h"
#include "core/vm/gmem.h"
#include "core/vm/io.h"
#include "core/vm/mmio.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"
#include "drivers/pci/msi.h"
#include "drivers/pci/space.h"

static uint64_t ones(unsigned size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

static bool is_ram(uint64_t address)
{
	uint64_t base, end;

	return vmmap_ram_around(address, &base, &end);
}

static int memory_read(void *arg, uint64_t offset, unsigned size, uint64_t *value)
{
	const struct claim *c = arg;
	struct pci_device *dev = &c->function->dev;
	uint64_t at = c->trap_base + offset;

	if (!c->registers && is_ram(at)) {
		gmem_phys_read(GPA(at), size, value);
		return 0;
	}
	offset = at - c->function->bars.bar[c->bar].base;
	if (c->function->msi && pci_msi_region_read(c->function, c->bar, offset, size, value))
		return 0;
	/* with writes_only, this is read only because of the table of MSI-X beside it */
	*value = c->ops->writes_only ? pci_region_read(dev, c->bar, offset, size)
				     : c->ops->read(dev, c->bar, offset, size);
	return 0;
}

static void memory_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	const struct claim *c = arg;
	uint64_t at = c->trap_base + offset;

	if (!c->registers && is_ram(at)) {
		gmem_phys_write(GPA(at), size, value);
		return;
	}
	offset = at - c->function->bars.bar[c->bar].base;
	if (!c->function->msi || !pci_msi_region_write(c->function, c->bar, offset, size, value))
		c->ops->write(&c->function->dev, c->bar, offset, size, value);
}

static bool memory_lean(void *arg, uint64_t offset, unsigned size, bool write, uint64_t *value)
{
	const struct claim *c = arg;

	if (!c->registers || c->function->msi || !c->ops->pass(&c->function->dev, c->bar, write))
		return false;
	volatile void *at = vmmap_window(this_cpu()->index, c->trap_base + offset);

	if (write)
		memory_store(at, size, *value);
	else
		*value = memory_load(at, size);
	return true;
}

static const struct mmio_ops memory_ops = {.read = memory_read, .write = memory_write};
/* with `pass` */
static const struct mmio_ops lean_ops = {
    .read = memory_read, .write = memory_write, .lean = memory_lean};

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

static bool is_part(const struct claim *c)
{
	return c >= &c->function->claims[PCI_BAR_COUNT];
}

static bool wanted(const struct claim *c, uint16_t command)
{
	const struct pci_bar *bar = &c->function->bars.bar[c->bar];

	if (is_part(c) && c->function->claims[c->bar].ops)
		return false; /* the whole BAR is trapped */
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

static int trap_ports(struct claim *c)
{
	const struct pci_bar *bar = &c->function->bars.bar[c->bar];

	if (c->trap)
		return io_move(c->trap, (uint16_t)bar->base);
	return bar->base > UINT16_MAX
		   ? -EINVAL
		   : io_trap((uint16_t)bar->base, (uint16_t)bar->size, port_access, c);
}

void pci_give_way(struct pci_device *dev, unsigned bar)
{
	char name[PCI_NAME_MAX];

	log_printf("%s the guest uses the addresses of BAR%u for another device\n",
		   pci_name(dev, name), bar);
	pci_release(dev, bar);
}

void pci_claims_yield(uint64_t base, uint64_t end)
{
	for (struct function *f = pci_functions; f; f = f->next) {
		for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
			const struct claim *c = &f->claims[i];

			if (c->trap && !c->io && c->ops->gives_way && c->trap_base < end &&
			    c->trap_end > base)
				pci_give_way(&f->dev, i);
		}
	}
}

/* RAM wins over a BAR that the guest puts there, and keeps its speed. */
static int trap_memory(struct claim *c)
{
	uint64_t base = c->function->bars.bar[c->bar].base + c->first, end = base + c->size;

	pci_bar_beside_ram(&base, &end, vmmap_ram_around);
	if (!c->trap || base != c->trap_base)
		pci_claims_yield(base, end);
	c->registers = base < end && !vmmap_has_ram(base, end) && !((end - 1) >> cpu_phys_bits());
	if (c->trap && end - base == c->trap_end - c->trap_base) {
		c->trap_base = base;
		c->trap_end = end;
		return mmio_move(c->trap, GPA(base));
	}
	if (c->trap)
		untrap(c);
	c->trap_base = base;
	c->trap_end = end;
	if (base == end)
		return 0;
	return mmio_register(GPA(base), end - base,
			     c->ops->writes_only && !pci_msi_in_bar(c->function, c->bar)
				 ? MMIO_WRITES
				 : MMIO_READS_AND_WRITES,
			     c->ops->pass ? &lean_ops : &memory_ops, c);
}

static int trap(struct claim *c)
{
	int err = c->io ? trap_ports(c) : trap_memory(c);

	if (err < 0 && c->trap)
		untrap(c); /* nothing of it is left at the old place */
	if (err > 0)
		c->trap = err;
	return err < 0 ? err : 0;
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

static uint16_t follow_all(struct function *f, uint16_t command, bool tell)
{
	uint16_t bits = 0;

	for (unsigned i = 0; i < CLAIM_COUNT; i++) {
		struct claim *c = &f->claims[i];
		int err = c->ops ? follow(c, command) : 0;
		char name[PCI_NAME_MAX];

		if (!err)
			continue;
		bits |= c->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
		if (tell)
			log_printf("%s BAR%u at %#lx cannot be watched, and stays off: error %d\n",
				   pci_name(&f->dev, name), c->bar, f->bars.bar[c->bar].base, -err);
	}
	return bits;
}

uint16_t pci_claims_follow(struct function *f, uint16_t command)
{
	/* what is in the way may be another BAR of the function, which has moved by then */
	return follow_all(f, command, false) ? follow_all(f, command, !f->held) : 0;
}

bool pci_claim_is_decoded(const struct function *f, unsigned bar)
{
	for (unsigned i = 0; i < CLAIM_COUNT; i++) {
		const struct claim *c = &f->claims[i];

		if (c->ops && c->bar == bar && c->trap)
			return true;
	}
	return false;
}

void pci_claims_end(struct function *f)
{
	pci_msi_end(f);
	f->held = 0;
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
		pci_release(&f->dev, i);
}

/* What watches parts of the BAR itself, or leaves that to the trap of the whole. */
static void follow_parts(struct function *f, unsigned bar)
{
	uint16_t command = (uint16_t)pci_read(&f->dev, PCI_COMMAND, 2);

	for (unsigned i = PCI_BAR_COUNT; i < CLAIM_COUNT; i++) {
		if (f->claims[i].ops && f->claims[i].bar == bar)
			follow(&f->claims[i], command);
	}
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
	*c = (struct claim){.ops = ops,
			    .function = f,
			    .bar = (uint8_t)number,
			    .io = bar->type == PCI_BAR_IO,
			    .size = bar->size};
	follow_parts(f, number); /* they give way */
	int err = follow(c, (uint16_t)pci_read(dev, PCI_COMMAND, 2));

	if (err) {
		c->ops = NULL;
		follow_parts(f, number);
	}
	return err;
}

/* Reached for what the shadow does not have: nothing. */
static uint64_t part_read(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size)
{
	return pci_region_read(dev, bar, offset, size);
}

static void part_write(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size,
		       uint64_t value)
{
	pci_region_write(dev, bar, offset, size, value);
}

static const struct pci_region_ops part_ops = {.read = part_read, .write = part_write};

int pci_claim_part(struct function *f, unsigned number, unsigned bar_number, uint64_t first,
		   uint64_t size)
{
	const struct pci_bar *bar = pci_bar(&f->dev, bar_number);
	struct claim *c = &f->claims[number], *whole = &f->claims[bar_number];
	uint16_t command = (uint16_t)pci_read(&f->dev, PCI_COMMAND, 2);

	if (!bar || bar->type != PCI_BAR_MEMORY || first > bar->size || size > bar->size - first)
		return -ENODEV;
	*c = (struct claim){.ops = &part_ops,
			    .function = f,
			    .bar = (uint8_t)bar_number,
			    .first = first,
			    .size = size};
	if (whole->ops && whole->ops->writes_only && whole->trap)
		untrap(whole); /* and again, with reads */
	int err = follow(whole->ops ? whole : c, command);

	if (err)
		c->ops = NULL;
	return err;
}

void pci_claim_part_end(struct function *f, unsigned number)
{
	struct claim *c = &f->claims[number];

	if (c->ops && c->trap)
		untrap(c);
	c->ops = NULL;
}

void pci_release(struct pci_device *dev, unsigned number)
{
	struct function *f = pci_function_of(dev);
	struct claim *c = &f->claims[number];

	if (c->trap)
		untrap(c);
	c->ops = NULL;
	follow_parts(f, number);
}

uint64_t pci_region_read(const struct pci_device *dev, unsigned number, uint64_t offset,
			 unsigned size)
{
	const struct pci_bar *bar = pci_bar(dev, number);
	uint64_t at = bar->base + offset;
	uint32_t value = 0;

	if (bar->type == PCI_BAR_MEMORY)
		return is_ram(at) ? ones(size) : gmem_register_read(GPA(at), size);
	io_pass(&(struct io_access){.port = (uint16_t)at, .size = (uint8_t)size}, &value);
	return value;
}

void pci_region_write(const struct pci_device *dev, unsigned number, uint64_t offset, unsigned size,
		      uint64_t value)
{
	const struct pci_bar *bar = pci_bar(dev, number);
	uint64_t at = bar->base + offset;
	uint32_t port_value = (uint32_t)value;

	if (bar->type != PCI_BAR_MEMORY)
		io_pass(
		    &(struct io_access){.port = (uint16_t)at, .size = (uint8_t)size, .write = true},
		    &port_value);
	else if (!is_ram(at))
		gmem_register_write(GPA(at), size, value);
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
