/* The MSI and MSI-X registers that a guest programs in the place of a mediated function's own. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/msi_shadow.h"

/* Message control of MSI: 6.8.1.3. */
#define MSI_ENABLE       0x0001u
#define MSI_COUNT(c)     ((c) >> 4 & 7) /* log2 of the vectors that are enabled */
#define MSI_COUNT_BITS   0x0070u
#define MSI_EXTENDED     0x0600u /* extended message data: not offered */
#define MSI_WRITABLE     (MSI_ENABLE | MSI_COUNT_BITS)
#define ADDRESS_WRITABLE 0xfffffffcu

/* Of MSI-X: 6.8.2.3. */
#define MSIX_ENABLE   0x8000u
#define MSIX_MASK     0x4000u
#define MSIX_WRITABLE (MSIX_ENABLE | MSIX_MASK)
#define ENTRY_SIZE    16
#define ENTRY_CONTROL 3 /* word of an entry; bit 0 masks the vector, the others are reserved */

/* The local APIC's message: SDM 3A, 10.11.1 and 10.11.2. */
#define ADDRESS_LOGICAL    0x4u
#define ADDRESS_REDIRECT   0x8u
#define ADDRESS_REMAPPABLE 0x10u
#define ADDRESS_DEST(a)    ((uint32_t)(a) >> 12 & 0xff)
#define DATA_VECTOR        0xffu
#define DATA_MODE(d)       ((d) >> 8 & 7)
#define DATA_ASSERT        0x4000u
#define DATA_LEVEL         0x8000u
enum { MODE_FIXED = 0, MODE_LOWEST = 1, MODE_SMI = 2, MODE_NMI = 4 };
#define ICR_LOGICAL   0x800u
#define FIRST_VECTOR  16
#define BROADCAST     0xffu
#define X2APIC_TO_ALL 0xffffffffu

/* ---- messages ---- */

bool msi_message_allowed(const struct msi_message *m)
{
	unsigned mode = DATA_MODE(m->data);

	return m->address >> 20 == 0xfee && m->data <= 0xffff &&
	       (mode == MODE_FIXED || mode == MODE_LOWEST || mode == MODE_SMI || mode == MODE_NMI);
}

bool msi_to_icr(const struct msi_message *m, bool x2apic, uint32_t *destination, uint32_t *icr)
{
	bool logical = m->address & ADDRESS_LOGICAL;
	unsigned mode = DATA_MODE(m->data);

	if (!msi_message_allowed(m) || m->address & ADDRESS_REMAPPABLE)
		return false;
	if (mode <= MODE_LOWEST && (m->data & DATA_VECTOR) < FIRST_VECTOR)
		return false;
	if (m->data & DATA_LEVEL && !(m->data & DATA_ASSERT))
		return false;
	if (mode == MODE_FIXED && logical && m->address & ADDRESS_REDIRECT)
		mode = MODE_LOWEST;
	*destination = ADDRESS_DEST(m->address);
	if (x2apic && !logical && *destination == BROADCAST)
		*destination = X2APIC_TO_ALL;
	*icr = (m->data & (DATA_VECTOR | DATA_LEVEL)) | mode << 8 | DATA_ASSERT |
	       (logical ? ICR_LOGICAL : 0);
	return true;
}

static struct msi_message guest_message(const struct msi_shadow *s)
{
	return (struct msi_message){(uint64_t)s->upper << 32 | s->address, s->data};
}

static struct msi_message entry_message(const struct msi_entry *e)
{
	return (struct msi_message){(uint64_t)e->word[1] << 32 | e->word[0], e->word[2]};
}

/* ---- hardware: what it shall hold, written in an order in which no other message gets out ---- */

static void put(const struct msi_shadow *s, enum msi_space space, uint32_t offset, unsigned size,
		uint32_t value)
{
	s->hw.write(s->hw.arg, space, offset, size, value);
}

static uint16_t control_in_hardware(const struct msi_shadow *s, bool allowed)
{
	bool on =
	    s->control & MSI_ENABLE && (s->mode == MSI_TAKE || (s->mode == MSI_PASS && allowed));

	return (uint16_t)((s->control & MSI_COUNT_BITS) | (on ? MSI_ENABLE : 0));
}

static void write_msi(struct msi_shadow *s)
{
	struct msi_message m = guest_message(s);
	bool allowed = msi_message_allowed(&m);
	uint16_t control = control_in_hardware(s, allowed);
	unsigned at = s->msi.offset;

	if (!(control & MSI_ENABLE))
		put(s, MSI_CONFIG, at + 2, 2, control);
	if (s->mode == MSI_TAKE)
		m = s->vmm;
	if (s->mode == MSI_TAKE || (s->mode == MSI_PASS && allowed)) {
		put(s, MSI_CONFIG, at + 4, 4, (uint32_t)m.address);
		if (s->msi.wide)
			put(s, MSI_CONFIG, at + 8, 4, (uint32_t)(m.address >> 32));
		put(s, MSI_CONFIG, s->msi.data, 2, m.data);
		if (s->msi.mask)
			put(s, MSI_CONFIG, s->msi.mask, 4, s->mode == MSI_PASS ? s->mask : 0);
	}
	if (control & MSI_ENABLE)
		put(s, MSI_CONFIG, at + 2, 2, control);
	s->hw_control = control;
}

static void write_entry(const struct msi_shadow *s, unsigned vector)
{
	const struct msi_entry *e = &s->entry[vector];
	struct msi_message m = entry_message(e);
	bool masked = e->mode == MSI_VIRTUAL || !msi_message_allowed(&m);
	uint32_t at = vector * ENTRY_SIZE;

	/* with vectors of other modes the function's mask bit is not the hardware's: see below */
	if (e->mode == MSI_PASS)
		masked =
		    masked || e->word[ENTRY_CONTROL] & 1 || (s->others && s->x_control & MSIX_MASK);
	if (masked)
		put(s, MSI_TABLE, at + 12, 4, 1);
	if (e->mode == MSI_TAKE)
		m = s->vmm;
	if (e->mode != MSI_VIRTUAL && msi_message_allowed(&m)) {
		put(s, MSI_TABLE, at, 4, (uint32_t)m.address);
		put(s, MSI_TABLE, at + 4, 4, (uint32_t)(m.address >> 32));
		put(s, MSI_TABLE, at + 8, 4, m.data);
	}
	if (!masked)
		put(s, MSI_TABLE, at + 12, 4, 0);
}

/* Those that the guest has not programmed have no message, and stay masked as they are. */
static void write_entries(const struct msi_shadow *s)
{
	for (unsigned i = 0; i < s->msix.vectors; i++) {
		struct msi_message m = entry_message(&s->entry[i]);

		if (msi_message_allowed(&m))
			write_entry(s, i);
	}
}

static void write_msix(struct msi_shadow *s)
{
	uint16_t control = s->x_control & MSIX_WRITABLE;
	bool holds;

	if (s->others) /* the VMM gets its interrupts whatever the guest holds back */
		control = control & MSIX_ENABLE;
	holds = !(control & MSIX_ENABLE) || control & MSIX_MASK;
	if (holds)
		put(s, MSI_CONFIG, s->msix.offset + 2u, 2, control);
	write_entries(s);
	if (!holds)
		put(s, MSI_CONFIG, s->msix.offset + 2u, 2, control);
	s->x_hw_control = control;
}

/* ---- pending vectors ---- */

static unsigned vectors_enabled(const struct msi_shadow *s)
{
	unsigned log2 = MSI_COUNT(s->control);

	return log2 < 5 && 1u << log2 < s->msi.vectors ? 1u << log2 : s->msi.vectors;
}

static void set_pending(struct msi_shadow *s, struct msi_entry *e, bool pending)
{
	if (e->pending != pending)
		s->held = (uint16_t)(pending ? s->held + 1 : s->held - 1);
	e->pending = pending;
}

static void send(const struct msi_shadow *s, const struct msi_message *m)
{
	if (msi_message_allowed(m))
		s->hw.send(s->hw.arg, m);
}

bool msi_shadow_post(struct msi_shadow *s, unsigned vector)
{
	if (s->x_control & MSIX_ENABLE) {
		if (vector < s->msix.vectors)
			set_pending(s, &s->entry[vector], true);
		return vector < s->msix.vectors;
	}
	if (!(s->control & MSI_ENABLE))
		return false;
	s->pending |= 1u << (vector & (vectors_enabled(s) - 1));
	return true;
}

void msi_shadow_withdraw(struct msi_shadow *s, unsigned vector)
{
	if (vector < s->msix.vectors)
		set_pending(s, &s->entry[vector], false);
	if (vector < s->msi.vectors)
		s->pending &= ~(1u << vector);
}

static void deliver_msi(struct msi_shadow *s)
{
	uint32_t ready = s->pending & ~s->mask;
	struct msi_message m = guest_message(s);

	s->pending &= ~ready;
	for (unsigned i = 0; i < s->msi.vectors; i++) {
		/* which of them it is stands in the lower bits: 6.8.3.4 */
		m.data = (s->data & ~(vectors_enabled(s) - 1)) | i;
		if (ready >> i & 1)
			send(s, &m);
	}
}

static void deliver_msix(struct msi_shadow *s)
{
	for (unsigned i = 0; s->held && i < s->msix.vectors; i++) {
		struct msi_entry *e = &s->entry[i];
		struct msi_message m = entry_message(e);

		if (!e->pending || e->word[ENTRY_CONTROL] & 1)
			continue;
		set_pending(s, e, false);
		send(s, &m);
	}
}

void msi_shadow_deliver(struct msi_shadow *s)
{
	if ((s->x_control & MSIX_WRITABLE) == MSIX_ENABLE)
		deliver_msix(s);
	else if (s->control & MSI_ENABLE && !(s->x_control & MSIX_ENABLE))
		deliver_msi(s);
}

/* ---- the guest's registers ---- */

static void reset_registers(struct msi_shadow *s)
{
	s->control &= (uint16_t)~MSI_WRITABLE;
	s->x_control &= (uint16_t)~MSIX_WRITABLE;
	s->address = s->upper = s->data = s->mask = s->pending = 0;
	s->held = 0;
	for (unsigned i = 0; i < s->msix.vectors; i++) {
		struct msi_entry *e = &s->entry[i];

		*e = (struct msi_entry){.mode = e->mode, .word[ENTRY_CONTROL] = 1};
	}
}

void msi_shadow_notice_reset(struct msi_shadow *s)
{
	bool reset = false;

	if (s->hw_control & MSI_ENABLE)
		reset = !(s->hw.read(s->hw.arg, MSI_CONFIG, s->msi.offset + 2u, 2) & MSI_ENABLE);
	if (s->x_hw_control & MSIX_ENABLE)
		reset = reset ||
			!(s->hw.read(s->hw.arg, MSI_CONFIG, s->msix.offset + 2u, 2) & MSIX_ENABLE);
	if (!reset)
		return;
	s->hw_control = s->x_hw_control = 0;
	reset_registers(s);
}

void msi_shadow_refresh(struct msi_shadow *s)
{
	for (unsigned i = 0; i < s->msix.vectors; i++)
		write_entry(s, i);
}

void msi_shadow_init(struct msi_shadow *s, const struct pci_caps *caps, const struct msi_hw *hw,
		     const struct msi_message *vmm, struct msi_entry *entry, enum msi_mode mode)
{
	*s = (struct msi_shadow){.hw = *hw,
				 .msi = caps->msi,
				 .msix = caps->msix,
				 .vmm = *vmm,
				 .mode = mode,
				 .entry = entry};
	if (s->msi.offset)
		s->control = (uint16_t)(hw->read(hw->arg, MSI_CONFIG, s->msi.offset + 2u, 2) &
					~MSI_EXTENDED);
	if (s->msix.offset)
		s->x_control = (uint16_t)hw->read(hw->arg, MSI_CONFIG, s->msix.offset + 2u, 2);
	for (unsigned i = 0; i < s->msix.vectors; i++)
		entry[i].mode = (uint8_t)mode;
	s->others = mode == MSI_PASS ? 0 : s->msix.vectors;
	s->takes = mode == MSI_TAKE ? s->msix.vectors : 0;
	reset_registers(s);
	if (s->msi.offset)
		write_msi(s);
	if (s->msix.offset)
		write_msix(s);
	msi_shadow_refresh(s);
}

bool msi_shadow_set_mode(struct msi_shadow *s, unsigned vector, enum msi_mode mode)
{
	if (vector >= s->msix.vectors && !(vector == 0 && s->msi.offset))
		return false;
	if (vector == 0 && s->msi.offset) {
		s->mode = mode;
		write_msi(s);
	}
	if (vector < s->msix.vectors) {
		struct msi_entry *e = &s->entry[vector];

		s->others = (uint16_t)(s->others - (e->mode != MSI_PASS) + (mode != MSI_PASS));
		s->takes = (uint16_t)(s->takes - (e->mode == MSI_TAKE) + (mode == MSI_TAKE));
		e->mode = (uint8_t)mode;
		write_entry(s, vector);
		write_msix(s);
	}
	return true;
}

bool msi_shadow_takes(const struct msi_shadow *s)
{
	return (s->hw_control & MSI_ENABLE && s->mode == MSI_TAKE) ||
	       (s->x_hw_control & MSIX_ENABLE && s->takes);
}

uint32_t msi_shadow_table_size(const struct msi_shadow *s)
{
	return (uint32_t)s->msix.vectors * ENTRY_SIZE;
}

uint32_t msi_shadow_pending_size(const struct msi_shadow *s)
{
	return ((uint32_t)s->msix.vectors + 63) / 64 * 8;
}

static bool in_msi(const struct msi_shadow *s, unsigned offset)
{
	return s->msi.offset && offset >= s->msi.offset && offset < s->msi.end;
}

/* The dword at `offset`, a multiple of 4, is shadowed. */
static bool shadowed(const struct msi_shadow *s, unsigned offset)
{
	return in_msi(s, offset) || (s->msix.offset && offset == s->msix.offset);
}

bool msi_shadow_covers(const struct msi_shadow *s, unsigned offset, unsigned size)
{
	for (unsigned at = offset & ~3u; at < offset + size; at += 4) {
		if (shadowed(s, at))
			return true;
	}
	return false;
}

/* Bits that the hardware holds back of vectors that are passed, and those that are held here. */
static uint32_t msi_pending(const struct msi_shadow *s)
{
	uint32_t bits = s->pending;

	if (s->mode == MSI_PASS)
		bits |= s->hw.read(s->hw.arg, MSI_CONFIG, s->msi.mask + 4u, 4);
	return bits;
}

static uint32_t msix_pending(const struct msi_shadow *s, uint32_t offset)
{
	uint32_t passed = 0, bits = 0;

	for (unsigned i = 0; i < 32 && offset * 8 + i < s->msix.vectors; i++) {
		const struct msi_entry *e = &s->entry[offset * 8 + i];

		passed |= (e->mode == MSI_PASS ? 1u : 0u) << i;
		bits |= (e->pending ? 1u : 0u) << i;
	}
	if (passed)
		bits |= passed & s->hw.read(s->hw.arg, MSI_PENDING, offset, 4);
	return bits;
}

static uint32_t read_config(const struct msi_shadow *s, uint32_t offset)
{
	uint32_t at = offset - s->msi.offset;
	uint16_t control = in_msi(s, offset) ? s->control : s->x_control;

	if (!shadowed(s, offset))
		return s->hw.read(s->hw.arg, MSI_CONFIG, offset, 4);
	if (!in_msi(s, offset) || at == 0)
		return (uint32_t)control << 16 | s->hw.read(s->hw.arg, MSI_CONFIG, offset, 2);
	if (at == 4)
		return s->address;
	if (offset == s->msi.data)
		return s->data;
	if (at == 8)
		return s->upper;
	return offset == s->msi.mask ? s->mask : msi_pending(s);
}

static uint32_t read_dword(const struct msi_shadow *s, enum msi_space space, uint32_t offset)
{
	if (space == MSI_CONFIG)
		return read_config(s, offset);
	if (space == MSI_TABLE && offset < msi_shadow_table_size(s))
		return s->entry[offset / ENTRY_SIZE].word[offset / 4 % 4];
	if (space == MSI_PENDING && offset < msi_shadow_pending_size(s))
		return msix_pending(s, offset);
	return 0;
}

uint64_t msi_shadow_read(struct msi_shadow *s, enum msi_space space, uint32_t offset, unsigned size)
{
	uint64_t value = 0;
	uint32_t dword = 0;

	if (space == MSI_CONFIG && msi_shadow_covers(s, offset, size))
		msi_shadow_notice_reset(s);
	for (unsigned i = 0; i < size; i++) {
		if (i == 0 || (offset + i) % 4 == 0)
			dword = read_dword(s, space, (offset + i) & ~3u);
		value |= (uint64_t)(dword >> 8 * ((offset + i) % 4) & 0xff) << 8 * i;
	}
	return value;
}

/* The bits of `writable` in the bytes of `bytes` become those of `value`. */
static uint32_t merge(uint32_t old, uint32_t value, uint32_t bytes, uint32_t writable)
{
	return (old & ~(bytes & writable)) | (value & bytes & writable);
}

/* Bytes of a dword that is not shadowed, in naturally aligned pieces. */
static void write_through(const struct msi_shadow *s, uint32_t offset, unsigned first, unsigned end,
			  uint32_t value)
{
	while (first < end) {
		unsigned size = first == 0 && end == 4               ? 4
				: first % 2 == 0 && end - first >= 2 ? 2
								     : 1;

		put(s, MSI_CONFIG, offset + first, size,
		    value >> 8 * first & UINT32_MAX >> (32 - 8 * size));
		first += size;
	}
}

static void write_config(struct msi_shadow *s, uint32_t offset, uint32_t value, uint32_t bytes)
{
	uint32_t at = offset - s->msi.offset;

	if (!in_msi(s, offset)) {
		s->x_control =
		    (uint16_t)merge(s->x_control, value >> 16, bytes >> 16, MSIX_WRITABLE);
	} else if (at == 0) {
		s->control = (uint16_t)merge(s->control, value >> 16, bytes >> 16, MSI_WRITABLE);
	} else if (at == 4) {
		s->address = merge(s->address, value, bytes, ADDRESS_WRITABLE);
	} else if (offset == s->msi.data) {
		s->data = merge(s->data, value, bytes, 0xffff);
	} else if (at == 8) {
		s->upper = merge(s->upper, value, bytes, UINT32_MAX);
	} else if (offset == s->msi.mask) {
		s->mask =
		    merge(s->mask, value, bytes, (uint32_t)((UINT64_C(1) << s->msi.vectors) - 1));
	}
}

static void write_table(struct msi_shadow *s, uint32_t offset, uint32_t value, uint32_t bytes)
{
	static const uint32_t writable[4] = {ADDRESS_WRITABLE, UINT32_MAX, UINT32_MAX, 1};
	uint32_t *word = &s->entry[offset / ENTRY_SIZE].word[offset / 4 % 4];

	*word = merge(*word, value, bytes, writable[offset / 4 % 4]);
}

/* What the guest has changed reaches the hardware, and whoever waited for it. */
static void follow(struct msi_shadow *s, enum msi_space space, uint32_t offset, unsigned size)
{
	if (space == MSI_CONFIG) {
		bool x = s->msix.offset && offset < s->msix.offset + 4u &&
			 offset + size > s->msix.offset;
		bool plain = s->msi.offset && offset < s->msi.end && offset + size > s->msi.offset;

		if (plain)
			write_msi(s);
		if (x)
			write_msix(s);
	} else if (space == MSI_TABLE) {
		for (uint32_t i = offset / ENTRY_SIZE;
		     i < s->msix.vectors && i * ENTRY_SIZE < offset + size; i++)
			write_entry(s, i);
	}
	msi_shadow_deliver(s);
}

void msi_shadow_write(struct msi_shadow *s, enum msi_space space, uint32_t offset, unsigned size,
		      uint64_t value)
{
	uint32_t end = offset + size;

	if (space == MSI_CONFIG && msi_shadow_covers(s, offset, size))
		msi_shadow_notice_reset(s);
	for (uint32_t at = offset & ~3u; at < end; at += 4) {
		unsigned first = at < offset ? offset - at : 0, last = end - at < 4 ? end - at : 4;
		uint32_t dword =
		    (uint32_t)(at < offset ? value << 8 * first : value >> 8 * (at - offset));
		uint32_t bytes = UINT32_MAX << 8 * first & UINT32_MAX >> (32 - 8 * last);

		if (space == MSI_CONFIG && !shadowed(s, at))
			write_through(s, at, first, last, dword);
		else if (space == MSI_CONFIG)
			write_config(s, at, dword, bytes);
		else if (space == MSI_TABLE && at < msi_shadow_table_size(s))
			write_table(s, at, dword, bytes);
	}
	follow(s, space, offset, size);
}
