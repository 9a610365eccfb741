/* Guest memory: copies in and out, atomic updates, instruction bytes. The only way to it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/gmem.h"
#include "core/errno.h"
#include "core/mm/pages.h"
#include "core/mm/vmmap.h"
#include "core/string.h"
#include "core/vm/nested.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"
#include "core/x86/percpu.h"

void *gmem_at(gpa_t gpa, size_t len)
{
	if (!vmmap_is_guest_ram(gpa.a, len))
		return NULL;
	return (void *)(uintptr_t)(VMMAP_GUEST_BASE + gpa_to_hpa(gpa).a);
}

int gmem_read(gpa_t gpa, void *to, size_t len)
{
	const void *p = gmem_at(gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(to, p, len);
	return 0;
}

int gmem_write(gpa_t gpa, const void *from, size_t len)
{
	void *p = gmem_at(gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, from, len);
	return 0;
}

/* arg: the walk to note it in, or NULL. */
static int read_entry(void *arg, gpa_t entry, unsigned size, uint64_t *value)
{
	const void *p = gmem_at(entry, size);

	if (!p) { /* as the CPU's own walk: a device answers, or there are ones */
		gmem_open_read(entry, size, value);
		if (arg)
			walkcache_unfit(arg);
		return 0;
	}
	*value = size == 8 ? *(const volatile uint64_t *)p : *(const volatile uint32_t *)p;
	if (arg)
		walkcache_note(arg, p, size, *value);
	return 0;
}

static int update_entry(void *arg, gpa_t entry, unsigned size, uint64_t old, uint64_t value)
{
	void *p = gmem_at(entry, size);
	uint32_t old32 = (uint32_t)old;

	if (arg)
		walkcache_unfit(arg);
	if (!p)
		return -EFAULT;
	if (size == 8)
		return !__atomic_compare_exchange_n((uint64_t *)p, &old, value, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return !__atomic_compare_exchange_n((uint32_t *)p, &old32, (uint32_t)value, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* The register is still the guest's; the VMM runs without CR4.PKE, which reading it needs. */
static uint32_t guest_pkru(void)
{
	uint64_t cr4 = read_cr4();

	write_cr4(cr4 | CR4_PKE);
	uint32_t pkru = rdpkru();

	write_cr4(cr4);
	return pkru;
}

static uint8_t maxphyaddr(void)
{
	static uint8_t bits; /* the same on all CPUs, whoever asks first */

	if (!bits)
		bits = cpu_phys_bits();
	return bits;
}

void gmem_paging(struct vcpu *v, struct gwalk_cpu *cpu, uint64_t pdpte[4])
{
	*cpu = (struct gwalk_cpu){
	    .ac = vmm_ops->reg(v, REG_RFLAGS) & RFLAGS_AC,
	    .maxphyaddr = maxphyaddr(),
	    .gb_pages = true,
	    .pse36 = true,
	};
	vmm_ops->paging(v, cpu, pdpte);
	if (cpu->cr4 & CR4_PKE && cpu->efer & EFER_LMA)
		cpu->pkru = guest_pkru();
}

static int walk_noted(const struct gwalk_cpu *cpu, void *note, gva_t la, enum gwalk_access access,
		      bool implicit, bool update, struct gwalk_out *out)
{
	static const struct gwalk_ops look = {.read = read_entry},
				      use = {.read = read_entry, .update = update_entry};

	return gwalk(cpu, update ? &use : &look, note, la, access, implicit, out);
}

int gmem_walk_as(const struct gwalk_cpu *cpu, gva_t la, enum gwalk_access access, bool implicit,
		 bool update, struct gwalk_out *out)
{
	return walk_noted(cpu, NULL, la, access, implicit, update, out);
}

static int walk(struct vcpu *v, bool update, gva_t la, enum gwalk_access access,
		struct gwalk_out *out)
{
	struct walkcache *cache = &this_cpu()->walks;
	struct gwalk_cpu cpu;
	uint64_t pdpte[4];

	gmem_paging(v, &cpu, pdpte);
	if (walkcache_find(cache, &cpu, la, access, out))
		return 0;
	struct walkcache_walk *note = walkcache_begin(cache, la, access);
	int r = walk_noted(&cpu, note, la, access, false, update, out);

	if (r == 0)
		walkcache_keep(note, &cpu, la, access, out);
	return r;
}

int gmem_translate(struct vcpu *v, gva_t la, enum gwalk_access access, struct gwalk_out *out)
{
	return walk(v, false, la, access, out);
}

int gmem_walk(struct vcpu *v, gva_t la, enum gwalk_access access, struct gwalk_out *out)
{
	return walk(v, true, la, access, out);
}

/* Where the CPU reaches what is not RAM, within one page; NULL: nothing is there. */
static volatile void *register_at(gpa_t gpa, unsigned size)
{
	if ((gpa.a < region_base + region_size && gpa.a + size > region_base) ||
	    gpa.a >> maxphyaddr())
		return NULL; /* for the guest there is no memory where the VMM lives */
	/* during start-up, where drivers look at their devices, no CPU has its block yet */
	return vmmap_window(__atomic_load_n(&cpu_on_block, __ATOMIC_RELAXED) ? this_cpu()->index
									     : 0,
			    gpa_to_hpa(gpa).a);
}

/* The same for memory of any kind. */
static volatile uint8_t *any_at(gpa_t gpa, unsigned size, bool *is_ram)
{
	uint8_t *p = gmem_at(gpa, size);

	*is_ram = p != NULL;
	return p ? p : register_at(gpa, size);
}

uint64_t gmem_register_read(gpa_t gpa, unsigned size)
{
	const volatile void *at = register_at(gpa, size);

	return at ? memory_load(at, size) : UINT64_MAX >> (64 - 8 * size);
}

void gmem_register_write(gpa_t gpa, unsigned size, uint64_t value)
{
	volatile void *at = register_at(gpa, size);

	if (at)
		memory_store(at, size, value);
}

/* RAM takes any access; registers get naturally aligned ones. */
static unsigned part_of(gpa_t gpa, unsigned size, bool is_ram)
{
	unsigned part = 8;

	while (part > size || (!is_ram && gpa.a & (part - 1)))
		part /= 2;
	return part;
}

void gmem_phys_read(gpa_t gpa, unsigned size, uint64_t *value)
{
	bool is_ram;
	volatile uint8_t *p = any_at(gpa, size, &is_ram);

	*value = 0;
	for (unsigned done = 0, part; done < size; done += part) {
		volatile void *at = p + done;
		uint64_t x = UINT64_MAX;

		part = part_of(GPA(gpa.a + done), size - done, is_ram);
		if (!p)
			x >>= 64 - 8 * part;
		else
			x = memory_load(at, part);
		*value |= x << (8 * done);
	}
}

void gmem_phys_write(gpa_t gpa, unsigned size, uint64_t value)
{
	bool is_ram;
	volatile uint8_t *p = any_at(gpa, size, &is_ram);

	for (unsigned done = 0, part; p && done < size; done += part) {
		part = part_of(GPA(gpa.a + done), size - done, is_ram);
		memory_store(p + done, part, value >> (8 * done));
	}
}

void gmem_open_read(gpa_t gpa, unsigned size, uint64_t *value)
{
	if (nested_is_open(gpa, false))
		gmem_phys_read(gpa, size, value);
	else
		*value = UINT64_MAX >> (64 - 8 * size);
}

void gmem_open_write(gpa_t gpa, unsigned size, uint64_t value)
{
	if (nested_is_open(gpa, true))
		gmem_phys_write(gpa, size, value);
}

#define CMPXCHG(type)                                                                              \
	do {                                                                                       \
		type old = (type)*expected;                                                        \
		bool stored =                                                                      \
		    __atomic_compare_exchange_n((volatile type *)at, &old, (type)value, false,     \
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);               \
		*expected = old;                                                                   \
		return !stored;                                                                    \
	} while (0)

int gmem_phys_cmpxchg(gpa_t gpa, unsigned size, uint64_t *expected, uint64_t value)
{
	bool is_ram;
	volatile void *at = any_at(gpa, size, &is_ram);

	if (!at) {
		uint64_t ones = UINT64_MAX >> (64 - 8 * size);
		bool equal = *expected == ones;

		*expected = ones;
		return !equal;
	}
	switch (size) {
	case 1:
		CMPXCHG(uint8_t);
	case 2:
		CMPXCHG(uint16_t);
	case 4:
		CMPXCHG(uint32_t);
	default:
		CMPXCHG(uint64_t);
	}
}

size_t gmem_fetch(struct vcpu *v, uint8_t bytes[15])
{
	struct seg_state cs;
	size_t n = 0;

	vmm_ops->seg(v, SEG_CS, &cs);
	uint64_t la = cs.base + vmm_ops->reg(v, REG_RIP);

	if (!(cs.attr & SEG_ATTR_L) || !(vmm_ops->reg(v, REG_EFER) & EFER_LMA))
		la = (uint32_t)la;
	while (n < 15) {
		struct gwalk_out out;
		size_t part = PAGE_SIZE - (la & PAGE_MASK);

		if (part > 15 - n)
			part = 15 - n;
		if (gmem_translate(v, GVA(la), GWALK_FETCH, &out) != 0 ||
		    gmem_read(out.gpa, bytes + n, part) != 0)
			break;
		n += part;
		la += part;
	}
	return n;
}

/* Copy to `to` where it is not NULL, else from `from`. */
static int copy_linear(struct vcpu *v, gva_t la, uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t done = 0, part; done < len; done += part, la.a += part) {
		struct gwalk_out out;
		int err;

		part = PAGE_SIZE - (la.a & PAGE_MASK);
		if (part > len - done)
			part = len - done;
		err = to ? gmem_translate(v, la, GWALK_READ, &out)
			 : gmem_walk(v, la, GWALK_WRITE, &out);
		if (!err)
			err = to ? gmem_read(out.gpa, to + done, part)
				 : gmem_write(out.gpa, from + done, part);
		if (err)
			return -EFAULT;
	}
	return 0;
}

int gmem_read_linear(struct vcpu *v, gva_t la, void *to, size_t len)
{
	return copy_linear(v, la, to, NULL, len);
}

int gmem_write_linear(struct vcpu *v, gva_t la, const void *from, size_t len)
{
	return copy_linear(v, la, NULL, from, len);
}
