/* Guest memory: copies in and out, atomic updates, instruction bytes. The only way to it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/gmem.h"
#include "core/errno.h"
#include "core/mm/vmmap.h"
#include "core/string.h"
#include "core/vmm_ops.h"
#include "core/x86/cpu.h"

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

static int read_entry(void *arg, gpa_t entry, unsigned size, uint64_t *value)
{
	const void *p = gmem_at(entry, size);

	(void)arg;
	if (!p)
		return -EFAULT;
	*value = size == 8 ? *(const volatile uint64_t *)p : *(const volatile uint32_t *)p;
	return 0;
}

int gmem_translate(struct vcpu *v, gva_t la, enum gwalk_access access, struct gwalk_out *out)
{
	static const struct gwalk_ops ops = {.read = read_entry};
	struct gwalk_cpu cpu = {
	    .cr0 = vmm_ops->cr(v, 0),
	    .cr3 = vmm_ops->cr(v, 3),
	    .cr4 = vmm_ops->cr(v, 4),
	    .efer = vmm_ops->efer(v),
	    .cpl = (uint8_t)vmm_ops->cpl(v),
	    .ac = vmm_ops->rflags(v) & RFLAGS_AC,
	    .maxphyaddr = cpu_phys_bits(),
	    .gb_pages = true,
	    .pse36 = true,
	};

	return gwalk(&cpu, &ops, NULL, la, access, false, out);
}

size_t gmem_fetch(struct vcpu *v, uint8_t bytes[15])
{
	struct seg_state cs;
	size_t n = 0;

	vmm_ops->seg(v, SEG_CS, &cs);
	uint64_t la = cs.base + vmm_ops->rip(v);

	if (!(cs.attr & SEG_ATTR_L) || !(vmm_ops->efer(v) & EFER_LMA))
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

int gmem_read_linear(struct vcpu *v, gva_t la, void *to, size_t len)
{
	uint8_t *p = to;

	while (len) {
		struct gwalk_out out;
		size_t part = PAGE_SIZE - (la.a & PAGE_MASK);

		if (part > len)
			part = len;
		if (gmem_translate(v, la, GWALK_READ, &out) != 0 ||
		    gmem_read(out.gpa, p, part) != 0)
			return -EFAULT;
		p += part;
		la.a += part;
		len -= part;
	}
	return 0;
}
