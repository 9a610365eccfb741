/* Fast decoder for the stores that are used on the local-APIC page. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/insn/apicwrite.h"
#include "core/vm/insn/modrm.h"
#include "core/errno.h"

#define REX_W 8u
#define REX_R 4u

/* REX, opcode, ModRM, SIB, disp32, imm32: with so many bytes at hand the fast path needs no bounds.
 */
#define FAST_MIN 12u

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t sext32(uint32_t v)
{
	return (uint64_t)(int64_t)(int32_t)v;
}

static uint64_t sext16(unsigned v)
{
	return (uint64_t)(int64_t)(int16_t)(uint16_t)v;
}

/* Everything beyond one REX prefix and MOV. */
static __attribute__((noinline)) int decode_any(const uint8_t *bytes, size_t n, enum insn_mode mode,
						struct apicwrite *out)
{
	bool opsize = false, adsize = false, lock = false;
	uint8_t rex = 0, op;
	size_t at = 0;

	if (n > INSN_MAX_LENGTH)
		n = INSN_MAX_LENGTH;
	for (;; at++) {
		if (at == n)
			return -ENOSYS;
		op = bytes[at];
		if (mode == INSN_MODE64 && (op & 0xf0) == 0x40) {
			rex = op;
			continue;
		}
		if (op == 0x66)
			opsize = true;
		else if (op == 0x67)
			adsize = true;
		else if (op == 0xf0)
			lock = true;
		else if (op != 0xf2 && op != 0xf3 && op != 0x64 && op != 0x65 &&
			 (op & 0xe7) != 0x26)
			break;
		rex = 0; /* a REX that does not come last means nothing */
	}
	at++;

	unsigned address_size, size;
	if (mode == INSN_MODE64) {
		address_size = adsize ? 4 : 8;
		size = rex & REX_W ? 8 : opsize ? 2 : 4;
	} else {
		address_size = (mode == INSN_MODE32) != adsize ? 4 : 2;
		size = (mode == INSN_MODE32) != opsize ? 4 : 2;
	}

	unsigned imm_size = 0, what;
	switch (op) {
	case 0x89:
		what = APICWRITE_MOV;
		break;
	case 0xa3:
		if (lock || n - at < address_size)
			return -ENOSYS;
		*out = (struct apicwrite){.op = APICWRITE_MOV,
					  .length = (uint8_t)(at + address_size),
					  .size = (uint8_t)size,
					  .reg = INSN_RAX};
		return 0;
	case 0xc7:
		what = APICWRITE_MOV;
		imm_size = size == 2 ? 2 : 4;
		break;
	case 0x87:
		what = APICWRITE_XCHG;
		break;
	default:
		return -ENOSYS;
	}

	unsigned length = modrm_length(bytes + at, n - at, address_size);
	if (length == 0 || bytes[at] >= 0xc0)
		return -ENOSYS;
	unsigned reg = bytes[at] >> 3 & 7;
	at += length;
	if (op == 0xc7 && reg != 0)
		return -ENOSYS;
	/* LOCK MOV is #UD: let the full decoder say so. */
	if (n - at < imm_size || (lock && what == APICWRITE_MOV))
		return -ENOSYS;

	*out = (struct apicwrite){.op = (uint8_t)what,
				  .length = (uint8_t)(at + imm_size),
				  .size = (uint8_t)size,
				  .reg = (uint8_t)(reg | (rex & REX_R) << 1)};
	if (imm_size) {
		const uint8_t *p = bytes + at;

		out->reg = INSN_REG_NONE;
		out->imm = imm_size == 4 ? sext32(le32(p)) : sext16(p[0] | (unsigned)p[1] << 8);
	}
	return 0;
}

/* One store of the four byte fields: the compiler does not merge them by itself. */
static inline void put(struct apicwrite *out, unsigned length, unsigned size, unsigned reg)
{
	uint32_t head = APICWRITE_MOV | length << 8 | size << 16 | reg << 24;

	_Static_assert(
	    offsetof(struct apicwrite, op) == 0 && offsetof(struct apicwrite, length) == 1 &&
		offsetof(struct apicwrite, size) == 2 && offsetof(struct apicwrite, reg) == 3,
	    "order of the fields");
	__builtin_memcpy(out, &head,
			 sizeof head); /* plain memcpy() is a call in freestanding code */
}

/* Opcode at p[0], `before` bytes of REX before it. Returns -ENOSYS when it is not one of the two
 * MOVs to memory. */
static inline __attribute__((always_inline)) int decode_mov(const uint8_t *p, unsigned before,
							    unsigned rex, struct apicwrite *out)
{
	unsigned op = p[0], modrm = p[1], size = 4u << (rex >> 3 & 1); /* REX.W */
	unsigned length;

	if (op == 0x89) {
		unsigned reg = (modrm >> 3 & 7) | (rex & REX_R) << 1;

		/* Base register and disp32: how the kernel's accessors address the page. */
		if ((modrm & 0xc0) == 0x80)
			length = 5 + ((modrm & 7) == 4);
		else if (modrm < 0xc0)
			length = modrm_length_32(p + 1);
		else
			return -ENOSYS;
		put(out, before + 1 + length, size, reg);
		return 0;
	}
	if (op == 0xc7 && (modrm & 0x38) == 0 && modrm < 0xc0) {
		length = modrm == 4 && (p[2] & 7) == 5 ? 6 : modrm_length_32(p + 1);
		out->imm = sext32(le32(p + 1 + length));
		put(out, before + 1 + length + 4, size, INSN_REG_NONE);
		return 0;
	}
	return -ENOSYS;
}

int apicwrite_decode(const uint8_t *bytes, size_t n, enum insn_mode mode, struct apicwrite *out)
{
	/* What operating systems do at each EOI and IPI: MOV from a register or an immediate, at
	 * most a REX before it. */
	if (n >= FAST_MIN && mode != INSN_MODE16) {
		if (decode_mov(bytes, 0, 0, out) == 0)
			return 0;
		if (mode == INSN_MODE64 && (bytes[0] & 0xf0) == 0x40 &&
		    decode_mov(bytes + 1, 1, bytes[0], out) == 0)
			return 0;
	}
	return decode_any(bytes, n, mode, out);
}
