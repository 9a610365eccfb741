/* A PCI function's MSI and MSI-X registers as hardware has them, for tests of
 * drivers/pci/msi_shadow.h. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/pci/msi_shadow.h"

#define MODEL_MSI     0x50
#define MODEL_MSIX    0x70
#define MODEL_ENTRIES 70 /* at most; the pending bits need two quadwords */
#define MODEL_SENT    64

#define MODEL_CHECK(condition)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

struct msi_model {
	uint8_t config[256], config_writable[256];
	uint8_t table[MODEL_ENTRIES * 16];
	uint8_t pending[16];
	struct pci_caps caps;
	struct msi_shadow s;
	struct msi_entry entry[MODEL_ENTRIES];
	unsigned writes, sends;
	struct msi_message sent[MODEL_SENT];
	bool in_order; /* no write has let out a message that is not allowed */
};

static const struct msi_message model_vmm = {0xfee00000, MSI_SHADOW_NMI_DATA};

static inline uint32_t model_get(const uint8_t *bytes, unsigned size)
{
	uint32_t value = 0;

	while (size-- > 0)
		value = value << 8 | bytes[size];
	return value;
}

static inline uint8_t *model_space(struct msi_model *m, enum msi_space space, uint32_t offset,
				   unsigned size)
{
	uint32_t end = space == MSI_CONFIG  ? sizeof(m->config)
		       : space == MSI_TABLE ? (uint32_t)m->caps.msix.vectors * 16
					    : sizeof(m->pending);

	MODEL_CHECK((size == 1 || size == 2 || size == 4) && offset % size == 0);
	MODEL_CHECK(space == MSI_CONFIG || size == 4);
	MODEL_CHECK(offset + size <= end);
	return (space == MSI_CONFIG  ? m->config
		: space == MSI_TABLE ? m->table
				     : m->pending) +
	       offset;
}

static inline uint32_t model_read(void *arg, enum msi_space space, uint32_t offset, unsigned size)
{
	return model_get(model_space(arg, space, offset, size), size);
}

static inline uint32_t model_config(const struct msi_model *m, unsigned offset, unsigned size)
{
	return model_get(m->config + offset, size);
}

static inline uint32_t model_table(const struct msi_model *m, unsigned vector, unsigned word)
{
	return model_get(m->table + vector * 16 + word * 4, 4);
}

/* What the function would send for MSI now. */
static inline struct msi_message model_msi(const struct msi_model *m)
{
	const struct pci_msi *msi = &m->caps.msi;
	uint64_t upper = msi->wide ? model_config(m, msi->offset + 8u, 4) : 0;

	return (struct msi_message){upper << 32 | model_config(m, msi->offset + 4u, 4),
				    model_config(m, msi->data, 2)};
}

static inline struct msi_message model_entry(const struct msi_model *m, unsigned vector)
{
	return (struct msi_message){(uint64_t)model_table(m, vector, 1) << 32 |
					model_table(m, vector, 0),
				    model_table(m, vector, 2)};
}

/* Can the hardware send for this vector of MSI-X? */
static inline bool model_entry_on(const struct msi_model *m, unsigned vector)
{
	return (model_config(m, MODEL_MSIX + 2, 2) & 0xc000) == 0x8000 &&
	       !(model_table(m, vector, 3) & 1);
}

static inline bool model_msi_on(const struct msi_model *m)
{
	return m->caps.msi.offset && model_config(m, MODEL_MSI + 2, 2) & 1;
}

/* Written out here a second time: address FEExxxxxh, and no INIT, ExtINT or reserved mode. */
static inline bool model_harmless(struct msi_message message)
{
	return message.address >= 0xfee00000 && message.address <= 0xfeefffff &&
	       (message.data >> 8 & 7) != 3 && (message.data >> 8 & 7) < 5;
}

static inline bool model_ordered(const struct msi_model *m)
{
	bool good = !model_msi_on(m) || model_harmless(model_msi(m));

	for (unsigned i = 0; i < m->caps.msix.vectors; i++)
		good = good && (!model_entry_on(m, i) || model_harmless(model_entry(m, i)));
	return good;
}

static inline void model_write(void *arg, enum msi_space space, uint32_t offset, unsigned size,
			       uint32_t value)
{
	struct msi_model *m = arg;
	uint8_t *at = model_space(m, space, offset, size);

	MODEL_CHECK(space != MSI_PENDING);
	MODEL_CHECK(size == 4 || value >> 8 * size == 0);
	for (unsigned i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(value >> 8 * i), bits = 0xff;

		if (space == MSI_CONFIG)
			bits = m->config_writable[offset + i];
		at[i] = (uint8_t)((at[i] & ~bits) | (byte & bits));
	}
	m->writes++;
	m->in_order = m->in_order && model_ordered(m);
}

static inline void model_send(void *arg, const struct msi_message *message)
{
	struct msi_model *m = arg;

	MODEL_CHECK(model_harmless(*message));
	if (m->sends < MODEL_SENT)
		m->sent[m->sends] = *message;
	m->sends++;
}

static inline void model_poke(struct msi_model *m, unsigned offset, unsigned size, uint32_t value,
			      uint32_t writable)
{
	for (unsigned i = 0; i < size; i++) {
		m->config[offset + i] = (uint8_t)(value >> 8 * i);
		m->config_writable[offset + i] = (uint8_t)(writable >> 8 * i);
	}
}

struct model_shape {
	bool msi, wide, maskable;
	uint8_t log2; /* of MSI's vectors */
	uint8_t msix; /* vectors, 0: none */
};

static uint32_t model_caps_read(void *arg, uint16_t offset, unsigned size)
{
	return model_get(((struct msi_model *)arg)->config + offset, size);
}

/* The capabilities at MODEL_MSI and MODEL_MSIX; registers as firmware may have left them. */
static inline void model_init(struct msi_model *m, struct model_shape shape, enum msi_mode mode)
{
	const struct msi_hw hw = {model_read, model_write, model_send, m};
	const struct pci_config config = {.read = model_caps_read, .arg = m};
	unsigned data = MODEL_MSI + (shape.wide ? 12 : 8);

	memset(m, 0, sizeof(*m));
	memset(m->config_writable, 0xff, sizeof(m->config_writable));
	model_poke(m, 6, 2, 0x10, 0); /* there is a list */
	model_poke(m, 0x34, 1, shape.msi ? MODEL_MSI : shape.msix ? MODEL_MSIX : 0, 0);
	if (shape.msi) {
		model_poke(m, MODEL_MSI, 2, 5u | (shape.msix ? MODEL_MSIX << 8 : 0), 0);
		model_poke(m, MODEL_MSI + 2, 2,
			   1u | (unsigned)shape.log2 << 1 | (shape.wide ? 0x80 : 0) |
			       (shape.maskable ? 0x100 : 0),
			   0x0071);
		model_poke(m, MODEL_MSI + 4, 4, 0xfee0f000, 0xfffffffc);
		model_poke(m, data, 4, 0x30, 0xffff);
		if (shape.maskable) {
			model_poke(m, data + 4, 4, 1,
				   (uint32_t)((UINT64_C(1) << (1u << shape.log2)) - 1));
			model_poke(m, data + 8, 4, 0, 0);
		}
	}
	if (shape.msix) {
		model_poke(m, MODEL_MSIX, 2, 0x11, 0);
		model_poke(m, MODEL_MSIX + 2, 2, 0x8000u | (shape.msix - 1u), 0xc000);
		model_poke(m, MODEL_MSIX + 4, 4, 0x2003, 0);
		model_poke(m, MODEL_MSIX + 8, 4, 0x3003, 0);
		for (unsigned i = 0; i < shape.msix; i++) {
			m->table[i * 16 + 1] = 0xf0;
			m->table[i * 16 + 2] = 0xe0;
			m->table[i * 16 + 3] = 0xfe;
		}
	}
	pci_caps_read(&config, &m->caps);
	m->in_order = true;
	msi_shadow_init(&m->s, &m->caps, &hw, &model_vmm, m->entry, mode);
}
