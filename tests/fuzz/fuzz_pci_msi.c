/* Fuzzer of drivers/pci/msi_shadow.h: whatever a guest writes, no message gets out that is not
 * allowed. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/host/msi_model.h"
#include "tests/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static uint32_t next(struct input *in, unsigned bytes)
{
	uint32_t value = 0;

	while (bytes-- > 0 && in->left > 0) {
		value = value << 8 | *in->at++;
		in->left--;
	}
	return value;
}

/* What holds after every step, whatever happened before. */
static void check(const struct msi_model *m)
{
	CHECK(m->in_order);
	for (unsigned i = 0; i < m->caps.msix.vectors; i++) {
		const struct msi_entry *e = &m->entry[i];

		if (!model_entry_on(m, i))
			continue;
		CHECK(e->mode != MSI_VIRTUAL);
		if (e->mode == MSI_TAKE)
			CHECK(model_entry(m, i).data == MSI_SHADOW_NMI_DATA);
		else
			CHECK(!(e->word[3] & 1));
	}
	if (model_msi_on(m) && m->s.mode != MSI_PASS)
		CHECK(m->s.mode == MSI_TAKE && model_msi(m).data == MSI_SHADOW_NMI_DATA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct msi_model m;
	struct input in = {data, size};
	uint32_t shape = next(&in, 2);

	model_init(&m,
		   (struct model_shape){.msi = shape & 1,
					.wide = shape & 2,
					.maskable = shape & 4,
					.log2 = (uint8_t)((shape >> 3 & 7) % 6),
					.msix = (uint8_t)((shape >> 8) % (MODEL_ENTRIES + 1))},
		   (enum msi_mode)((shape >> 6 & 3) % 3));
	while (in.left > 0) {
		uint32_t op = next(&in, 1), at = next(&in, 2), length = 1 + (op >> 3 & 7);
		uint64_t value = (uint64_t)next(&in, 4) << 32 | next(&in, 4);
		enum msi_space space = (enum msi_space)((op & 7) % 3);

		switch (op & 7) {
		case 0: /* configuration space */
		case 1: /* table */
		case 2: /* pending bits */
			at = space == MSI_CONFIG ? at % (256 - 8) : at % (MODEL_ENTRIES * 16);
			msi_shadow_write(&m.s, space, at, length, value);
			msi_shadow_read(&m.s, space, at, length);
			break;
		case 3:
			msi_shadow_post(&m.s, at);
			break;
		case 4:
			msi_shadow_withdraw(&m.s, at);
			break;
		case 5:
			msi_shadow_set_mode(&m.s, at, (enum msi_mode)(value % 3));
			break;
		case 6:
			msi_shadow_refresh(&m.s);
			break;
		default:
			msi_shadow_deliver(&m.s);
			break;
		}
		check(&m);
	}
	return 0;
}
