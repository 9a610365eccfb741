/* A device of emulated memory for tests: the debug image's VMM call test_mmio. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef CONFIG_TEST_CALLS
#include "core/errno.h"
#include "core/vm/gmem.h"
#include "core/vm/mmio.h"
#include "core/vm/vmcall.h"

#define DEVICES 4
#define BYTES   (2 * PAGE_SIZE)

/*
 * Guest-physical memory that behaves as it would without the device, but through handlers: they
 * work on a copy, taken when the device is put there.
 */
static struct device {
	int id; /* of the range; 0: free */
	enum mmio_mode mode;
	uint64_t base, size;
	bool through;                            /* the handlers work on the memory itself */
	uint32_t reads, writes;                  /* calls of the handlers */
	uint8_t bytes[BYTES + sizeof(uint64_t)]; /* reads take words */
} devices[DEVICES];

static int test_read(void *arg, uint64_t offset, unsigned size, uint64_t *value)
{
	struct device *d = arg;

	__builtin_memcpy(value, d->bytes + offset, sizeof(*value)); /* more than `size` */
	if (d->through)
		gmem_phys_read(GPA(d->base + offset), size, value);
	d->reads++;
	return 0;
}

static void test_write(void *arg, uint64_t offset, unsigned size, uint64_t value)
{
	struct device *d = arg;

	switch (size) {
	case 8:
		__builtin_memcpy(d->bytes + offset, &value, 8);
		break;
	case 4:
		__builtin_memcpy(d->bytes + offset, &value, 4);
		break;
	case 2:
		__builtin_memcpy(d->bytes + offset, &value, 2);
		break;
	default:
		d->bytes[offset] = (uint8_t)value;
	}
	if (d->mode == MMIO_WRITES || d->through) /* where reads find it */
		gmem_phys_write(GPA(d->base + offset), size, value);
	d->writes++;
}

static bool test_lean(void *arg, uint64_t offset, unsigned size, bool write, uint64_t *value)
{
	if (write)
		test_write(arg, offset, size, *value);
	else
		test_read(arg, offset, size, value);
	return true;
}

static const struct mmio_ops test_ops = {.read = test_read, .write = test_write};
static const struct mmio_ops through_ops = {.read = test_read, .write = test_write, .step = true};

static const struct mmio_ops lean_ops = {.read = test_read, .write = test_write, .lean = test_lean};

static void copy_in(struct device *d)
{
	for (uint64_t i = 0; i < d->size; i++) {
		uint64_t byte;

		gmem_phys_read(GPA(d->base + i), 1, &byte);
		d->bytes[i] = (uint8_t)byte;
	}
}

static void copy_out(const struct device *d)
{
	for (uint64_t i = 0; i < d->size; i++)
		gmem_phys_write(GPA(d->base + i), 1, d->bytes[i]);
}

/*
 * For tests. RBX: operation, bits 7:0; device 0 to 3, bits 15:8. RCX: guest-physical address. RDX:
 * bytes, at most 8192. RAX: 0, or an error number of include/core/errno.h.
 *  1 trap reads and writes of [RCX, RCX + RDX), any byte addresses
 *  2 trap writes only
 *  3 move to RCX, with what the device holds
 *  4 end it; the memory gets what the device holds
 *  5 RCX = reads << 32 | writes that the handlers have seen since it was put there
 *  6 trap reads and writes; the handlers work on the memory, and other instructions may run on it
 *  7 as 1, with a handler for lean exits
 */
static void call_test_mmio(struct vcpu *v)
{
	uint64_t op = v->gpr[GPR_RBX] & 0xff, at = v->gpr[GPR_RCX], size = v->gpr[GPR_RDX];
	struct device *d = &devices[v->gpr[GPR_RBX] >> 8 & (DEVICES - 1)];
	int err = 0;

	switch (op) {
	case 1:
	case 2:
	case 6:
	case 7:
		if (d->id || size > BYTES) {
			err = -EINVAL;
			break;
		}
		d->mode = op == 2 ? MMIO_WRITES : MMIO_READS_AND_WRITES;
		d->through = op == 6;
		d->base = at;
		d->size = size;
		d->reads = d->writes = 0;
		copy_in(d);
		err = mmio_register(GPA(at), size, d->mode,
				    d->through ? &through_ops
				    : op == 7  ? &lean_ops
					       : &test_ops,
				    d);
		if (err > 0) {
			d->id = err;
			err = 0;
		}
		break;
	case 3:
		err = d->id ? mmio_move(d->id, GPA(at)) : -ENOENT;
		if (!err)
			d->base = at;
		break;
	case 4:
		if (d->id) {
			mmio_unregister(d->id);
			if (!d->through)
				copy_out(d);
		}
		d->id = 0;
		break;
	case 5:
		v->gpr[GPR_RCX] = (uint64_t)d->reads << 32 | d->writes;
		break;
	default:
		err = -EINVAL;
		break;
	}
	v->gpr[GPR_RAX] = (uint64_t)-err;
}
VMCALL("test_mmio", call_test_mmio);
#else
typedef int mmio_test_empty; /* ISO C wants a declaration */
#endif
