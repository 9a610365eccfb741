/* driver=msitest: takes the interrupts of a device, for tests (debug image only). */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef CONFIG_TEST_CALLS
#include "core/errno.h"
#include "core/log.h"
#include "core/string.h"
#include "core/vm/mmio.h"
#include "core/vm/vmcall.h"
#include "core/x86/percpu.h"
#include "drivers/msi.h"
#include "drivers/pci.h"
#include "drivers/pci/options.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

/* QEMU, docs/specs/edu.rst: interrupt status; writes set and clear its bits. */
#define STATUS 0x24
#define CLEAR  0x64

#define VECTORS_MAX 64 /* that any_taken() raises */

static struct {
	struct pci_device *dev;
	uint32_t seen;   /* bits of edu's status that the guest has been told of */
	uint64_t taken;  /* interrupts that the VMM was told of by the device */
	uint64_t asked;  /* times that it looked */
	uint64_t report; /* number of interrupts that is worth a line */
	bool mixed;      /* of three vectors each, one is in each mode */
} test = {.report = 100};

/* Of the vectors when they are mixed. */
static enum msi_mode mode_of(unsigned vector)
{
	static const enum msi_mode modes[] = {MSI_TAKE, MSI_VIRTUAL, MSI_PASS};

	return test.mixed ? modes[vector % 3] : MSI_TAKE;
}

static bool edu_taken(struct pci_device *dev)
{
	uint32_t status = (uint32_t)pci_region_read(dev, 0, STATUS, 4), fresh = status & ~test.seen;

	test.asked++;
	if (status == UINT32_MAX || !fresh)
		return false;
	test.seen = status;
	test.taken++;
	msi_raise(dev, 0);
	return true;
}

/* A device that this driver knows nothing about: the guest's driver finds out what it was. */
static bool any_taken(struct pci_device *dev)
{
	char name[PCI_NAME_MAX];

	if (++test.taken == test.report) {
		log_printf("%s msitest: %lu interrupts taken\n", pci_name(dev, name), test.taken);
		test.report *= 10;
	}
	for (unsigned i = 0; i < VECTORS_MAX; i++) {
		if (mode_of(i) == MSI_TAKE && !msi_raise(dev, i))
			break;
	}
	return true;
}

static void region_write(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size,
			 uint64_t value)
{
	bool clears = offset == CLEAR;
	uint32_t status = clears ? (uint32_t)pci_region_read(dev, bar, STATUS, 4) : 0;

	pci_region_write(dev, bar, offset, size, value);
	if (status & (uint32_t)value & ~test.seen)
		msi_ended_unseen(dev);
	if (clears)
		test.seen &= ~(uint32_t)value;
}

static uint64_t region_read(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size)
{
	return pci_region_read(dev, bar, offset, size);
}

static const struct pci_region_ops region_ops = {
    .read = region_read, .write = region_write, .writes_only = true};

static int msitest_new(struct pci_device *dev)
{
	const char *name = dev->driver_options[0];
	bool is_edu = dev->id.vendor == EDU_VENDOR && dev->id.device == EDU_DEVICE, claim = is_edu;
	enum msi_mode mode = MSI_TAKE;
	char text[PCI_NAME_MAX];
	int err = pci_option_bool(dev->driver_options[1], &claim);

	if (name && !strcmp(name, "pass"))
		mode = MSI_PASS;
	else if (name && !strcmp(name, "virtual"))
		mode = MSI_VIRTUAL;
	test.mixed = name && !strcmp(name, "mixed");
	if (!err)
		err = msi_own(dev, mode, is_edu ? edu_taken : any_taken);
	for (unsigned i = 0; !err && test.mixed; i++) {
		if (msi_set_mode(dev, i, mode_of(i)) != 0)
			break; /* that was the last vector */
	}
	if (!err && claim)
		err = pci_claim(dev, 0, &region_ops);
	if (!err)
		test.dev = dev;
	log_printf("%s msitest: %d\n", pci_name(dev, text), err);
	return err;
}

static int msitest_wake(struct pci_device *dev)
{
	pci_follow_reset(dev);
	return 0;
}

/* Without `wake`: a machine that has it cannot sleep. */
PCI_DRIVER(sleepless) = {
    .name = "sleepless",
};

PCI_DRIVER(msitest) = {
    .name = "msitest",
    .device = "id=1234:11e8",
    .driver_options = "mode,claim",
    .new = msitest_new,
    .wake = msitest_wake,
};

/*
 * For tests. RBX: operation. RAX: 0, or an error number.
 *  1 RCX = interrupts that the VMM has taken, RDX = times that it has looked for one
 *  2 raise vector RCX; RCX = 1 when that was possible
 *  3 RCX = what the register at configuration offset RDX holds in the hardware
 */
static void call_test_msi(struct vcpu *v)
{
	int err = test.dev ? 0 : -ENODEV;

	if (!err) {
		mmio_lock(this_cpu());
		switch (v->gpr[GPR_RBX]) {
		case 1:
			v->gpr[GPR_RCX] = test.taken;
			v->gpr[GPR_RDX] = test.asked;
			break;
		case 2:
			v->gpr[GPR_RCX] = msi_raise(test.dev, (unsigned)v->gpr[GPR_RCX]);
			break;
		case 3:
			v->gpr[GPR_RCX] = pci_read(test.dev, v->gpr[GPR_RDX] & 0xfc, 4);
			break;
		default:
			err = -EINVAL;
			break;
		}
		mmio_unlock();
	}
	v->gpr[GPR_RAX] = (uint64_t)-err;
}
VMCALL("test_msi", call_test_msi);
#else
typedef int msi_test_empty; /* ISO C wants a declaration */
#endif
