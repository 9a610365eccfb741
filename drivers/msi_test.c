/* driver=msitest: takes the interrupts of QEMU's device "edu", for tests (debug image only). */
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

/* QEMU, docs/specs/edu.rst: interrupt status; writes set and clear its bits. */
#define STATUS 0x24
#define CLEAR  0x64

static struct {
	struct pci_device *dev;
	uint32_t seen;  /* bits of the status that the guest has been told of */
	uint64_t taken; /* interrupts that the VMM was told of by the device */
	uint64_t asked; /* times that it looked */
} edu;

static bool taken(struct pci_device *dev)
{
	uint32_t status = (uint32_t)pci_region_read(dev, 0, STATUS, 4), fresh = status & ~edu.seen;

	edu.asked++;
	if (status == UINT32_MAX || !fresh)
		return false;
	edu.seen = status;
	edu.taken++;
	msi_raise(dev, 0);
	return true;
}

static void region_write(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size,
			 uint64_t value)
{
	if (offset == CLEAR)
		edu.seen &= ~(uint32_t)value;
	pci_region_write(dev, bar, offset, size, value);
}

static uint64_t region_read(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size)
{
	return pci_region_read(dev, bar, offset, size);
}

static const struct pci_region_ops region_ops = {
    .read = region_read, .write = region_write, .writes_only = true};

static int msitest_new(struct pci_device *dev)
{
	const char *mode = dev->driver_options[0];
	int err = pci_claim(dev, 0, &region_ops);
	char name[PCI_NAME_MAX];

	if (!err)
		err = msi_own(dev,
			      !mode || !strcmp(mode, "take") ? MSI_TAKE
			      : !strcmp(mode, "pass")        ? MSI_PASS
							     : MSI_VIRTUAL,
			      taken);
	if (!err)
		edu.dev = dev;
	log_printf("%s msitest: %d\n", pci_name(dev, name), err);
	return err;
}

PCI_DRIVER(msitest) = {
    .name = "msitest",
    .device = "id=1234:11e8",
    .driver_options = "mode",
    .new = msitest_new,
};

/*
 * For tests. RBX: operation. RAX: 0, or an error number.
 *  1 RCX = interrupts that the VMM has taken, RDX = times that it has looked for one
 *  2 raise vector RCX; RCX = 1 when that was possible
 *  3 RCX = what the register at configuration offset RDX holds in the hardware
 */
static void call_test_msi(struct vcpu *v)
{
	int err = edu.dev ? 0 : -ENODEV;

	if (!err) {
		mmio_lock(this_cpu());
		switch (v->gpr[GPR_RBX]) {
		case 1:
			v->gpr[GPR_RCX] = edu.taken;
			v->gpr[GPR_RDX] = edu.asked;
			break;
		case 2:
			v->gpr[GPR_RCX] = msi_raise(edu.dev, (unsigned)v->gpr[GPR_RCX]);
			break;
		case 3:
			v->gpr[GPR_RCX] = pci_read(edu.dev, v->gpr[GPR_RDX] & 0xfc, 4);
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
