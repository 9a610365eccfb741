/* vmm.probe=1: start nothing, and say what the machine can do. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/probe.h"
#include "core/acpi/acpi.h"
#include "core/acpi/fadt.h"
#include "core/acpi/madt.h"
#include "core/acpi/mcfg.h"
#include "core/config.h"
#include "core/console.h"
#include "core/log.h"
#include "core/start.h"
#include "core/string.h"
#include "core/vm/features.h"
#include "core/vmm_ops.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"
#include "core/x86/mtrr.h"
#include "core/x86/reset.h"
#include "core/x86/svm/controls.h"
#include "core/x86/vt/controls.h"

/* ---- CPU ---- */

static struct vt_controls vt_words;
static struct svm_controls svm_words;

static void text_of(char *text, const uint32_t *words, unsigned count)
{
	memcpy(text, words, count * sizeof(*words));
	text[count * sizeof(*words)] = '\0';
}

static void print_cpu(void)
{
	struct cpuid_regs r = cpuid(0, 0);
	char vendor[13], brand[49] = "";

	text_of(vendor, (const uint32_t[]){r.ebx, r.edx, r.ecx}, 3);
	for (uint32_t i = 0; i < 3 && cpuid(0x80000000u, 0).eax >= 0x80000004u; i++) {
		r = cpuid(0x80000002u + i, 0);
		text_of(brand + 16 * i, (const uint32_t[]){r.eax, r.ebx, r.ecx, r.edx}, 4);
	}
	const char *name = brand;

	while (*name == ' ')
		name++;
	r = cpuid(1, 0);
	log_printf("CPU: %s, \"%s\", signature %08x, physical addresses of %u bits\n", vendor, name,
		   r.eax, cpu_phys_bits());
	log_printf("TSC: %lu Hz, measured\n", clock_tsc_hz());
}

/* As a source of test vectors: the leaves whose first subleaf alone tells too little. */
static unsigned subleaves(uint32_t leaf)
{
	return leaf == 4 || leaf == 0xd || leaf == 0x8000001du            ? 4
	       : leaf == 7 || leaf == 0xb || leaf == 0x14 || leaf == 0x1f ? 3
									  : 1;
}

static void print_cpuid(void)
{
	for (uint32_t base = 0;; base = 0x80000000u) {
		uint32_t max = cpuid(base, 0).eax;

		for (uint32_t leaf = base; leaf <= max && leaf - base < FEATURES_LEAVES; leaf++) {
			for (uint32_t sub = 0; sub < subleaves(leaf); sub++) {
				struct cpuid_regs r = cpuid(leaf, sub);

				if (r.eax | r.ebx | r.ecx | r.edx)
					log_printf("CPUID %08x.%u: %08x %08x %08x %08x\n", leaf,
						   sub, r.eax, r.ebx, r.ecx, r.edx);
			}
		}
		if (base)
			return;
	}
}

static uint64_t read_cap(void *arg, uint32_t index)
{
	(void)arg;
	return rdmsr(index);
}

#define FEATURE_CONTROL_LOCK    1u
#define FEATURE_CONTROL_VMX_SMX 2u
#define FEATURE_CONTROL_VMX     4u

static void print_vt(void)
{
	static const struct vt_wants wants = {.io_bitmaps = true};
	struct vt_caps c;
	const char *missing = "";

	if (!(cpuid(1, 0).ecx & (1u << 5))) {
		log_printf("VT-x: not there (CPUID 1 ECX bit 5)\n");
		return;
	}
	uint64_t control = rdmsr(MSR_FEATURE_CONTROL);

	log_printf("VT-x: IA32_FEATURE_CONTROL %#lx: %s, VMX %s outside SMX, %s inside\n", control,
		   control & FEATURE_CONTROL_LOCK ? "locked" : "not locked",
		   control & FEATURE_CONTROL_VMX ? "on" : "off",
		   control & FEATURE_CONTROL_VMX_SMX ? "on" : "off");
	if ((control & (FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX)) == FEATURE_CONTROL_LOCK)
		log_printf(
		    "VT-x: switched off by the firmware: look for it in the firmware's set-up\n");
	vt_caps_read(&c, read_cap, NULL);
	log_printf("VT-x: basic %016lx misc %016lx EPT/VPID %016lx VMCS enum %lx\n", c.basic,
		   c.misc, c.ept_vpid, c.vmcs_enum);
	log_printf("VT-x: pin %016lx proc %016lx proc2 %016lx exit %016lx entry %016lx\n", c.pin,
		   c.proc, c.proc2, c.exit, c.entry);
	log_printf("VT-x: true pin %016lx proc %016lx exit %016lx entry %016lx\n", c.true_pin,
		   c.true_proc, c.true_exit, c.true_entry);
	log_printf("VT-x: CR0 fixed %lx %lx CR4 fixed %lx %lx\n", c.cr0_fixed0, c.cr0_fixed1,
		   c.cr4_fixed0, c.cr4_fixed1);
	if (vt_controls_resolve(&c, &wants, &vt_words, &missing) != 0)
		log_printf("VT-x: missing: %s\n", missing);
	else
		log_printf("VT-x: controls pin %08x proc %08x proc2 %08x exit %08x entry %08x; EPT "
			   "pages %s%s; preemption timer 2^%u%s\n",
			   vt_words.pin, vt_words.proc, vt_words.proc2, vt_words.exit,
			   vt_words.entry, vt_words.ept_2m ? "4K 2M" : "4K",
			   vt_words.ept_1g ? " 1G" : "", vt_words.timer_shift,
			   vt_words.wait_sipi ? "; wait-for-SIPI" : "");
}

static void print_svm(void)
{
	static const struct svm_wants wants = {.io = true};
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {{SVM_FEATURE_NP, "nested-paging"},
		     {SVM_FEATURE_LBR, "LBR"},
		     {SVM_FEATURE_SVM_LOCK, "SVM-lock"},
		     {SVM_FEATURE_NRIPS, "nRIP"},
		     {SVM_FEATURE_TSC_RATE, "TSC-rate"},
		     {SVM_FEATURE_VMCB_CLEAN, "VMCB-clean"},
		     {SVM_FEATURE_FLUSH_BY_ASID, "flush-by-ASID"},
		     {SVM_FEATURE_DECODE_ASSISTS, "decode-assists"},
		     {SVM_FEATURE_PAUSE_FILTER, "pause-filter"},
		     {SVM_FEATURE_AVIC, "AVIC"},
		     {SVM_FEATURE_VGIF, "vGIF"},
		     {SVM_FEATURE_SSS, "shadow-stacks"},
		     {SVM_FEATURE_VNMI, "vNMI"}};
	struct svm_caps c = {0};
	const char *missing = "";

	c.svm = cpuid(0x80000000u, 0).eax >= 0x8000000au && (cpuid(0x80000001u, 0).ecx & 4);
	if (c.svm) {
		struct cpuid_regs r = cpuid(0x8000000au, 0);

		c.asids = r.ebx;
		c.features = r.edx;
		c.vm_cr = rdmsr(MSR_VM_CR);
		log_printf("AMD-V: revision %u, %u ASIDs, features %08x, VM_CR %#lx:", r.eax & 0xff,
			   c.asids, c.features, c.vm_cr);
		for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (c.features & names[i].bit)
				log_printf(" %s", names[i].name);
		}
		log_printf("\n");
	}
	if (svm_controls_resolve(&c, &wants, &svm_words, &missing) != 0)
		log_printf("AMD-V: missing: %s\n", missing);
	if (c.vm_cr & SVM_VM_CR_SVMDIS)
		log_printf(
		    "AMD-V: switched off by the firmware: look for it in the firmware's set-up\n");
}

static void print_verdict(void)
{
	const struct vmm_ops *ops = cpu_is_intel() ? &vmm_ops_vt : &vmm_ops_svm;
	const char *reason = "";

	if (ops->probe(&reason) == 0)
		log_printf("Verdict: this CPU can run BitVisor (%s)\n", ops->name);
	else
		log_printf("Verdict: BitVisor would not start: the CPU has no %s\n", reason);
}

static void host_cpuid(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	struct cpuid_regs r = cpuid(leaf, subleaf);

	(void)arg;
	memcpy(out, (const uint32_t[]){r.eax, r.ebx, r.ecx, r.edx}, 4 * sizeof(*out));
}

static void print_features(void)
{
	static struct features f;
	bool intel = cpu_is_intel();
	struct cpu_caps caps = {
	    .vendor = intel ? CPU_VENDOR_INTEL : CPU_VENDOR_AMD,
	    .cpuid = host_cpuid,
	    .needs = intel ? vt_words.needs : svm_words.needs,
	};

	features_resolve(&f, &caps, start_config()->cpuid_unknown == CONFIG_CPUID_UNKNOWN_SHOW);
	log_printf("Features of the CPU that a guest would not see:");
	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *row = &features_table[i];
		uint32_t out[4];

		if (row->leaf > cpuid(row->leaf & 0x80000000u, 0).eax)
			continue;
		host_cpuid(NULL, row->leaf, row->subleaf, out);
		if ((out[row->reg] >> row->bit & 1) && !features_shown(&f, (enum feature_id)i))
			log_printf(" %s", row->name);
	}
	log_printf("\nGuest: CR4 %lx XCR0 %lx XSS %lx EFER %lx\n", f.cr4_allowed, f.xcr0_allowed,
		   f.xss_allowed, f.efer_allowed);
}

/* ---- memory ---- */

static const char *mmap_name(uint32_t type)
{
	switch (type) {
	case BOOT_MMAP_RAM:
		return "RAM";
	case BOOT_MMAP_RESERVED:
		return "reserved";
	case BOOT_MMAP_ACPI:
		return "ACPI";
	case BOOT_MMAP_NVS:
		return "NVS";
	case BOOT_MMAP_UNUSABLE:
		return "unusable";
	case BOOT_MMAP_PMEM:
		return "persistent";
	case BOOT_MMAP_MMIO:
		return "MMIO";
	default:
		return "other";
	}
}

static void print_memory(const struct boot_info *bi)
{
	uint64_t ram = 0;

	for (uint32_t i = 0; i < bi->mmap_count; i++) {
		const struct boot_mmap_entry *e = &bi->mmap[i];

		log_printf("Memory: %012lx-%012lx %s (%u)\n", e->base, e->base + e->size - 1,
			   mmap_name(e->type), e->type);
		if (e->type == BOOT_MMAP_RAM)
			ram += e->size;
	}
	log_printf("Memory: %lu MiB of RAM without the VMM's\n", ram >> 20);
	log_printf("VMM: %012lx-%012lx, %lu KiB, image %lu KiB, low page %#lx\n", bi->region_base,
		   bi->region_base + bi->region_size - 1, bi->region_size >> 10,
		   bi->image_size >> 10, bi->low_base);
	if (bi->fb.base)
		log_printf("Frame buffer: %#lx, %ux%u, %u bytes a line, %u bits a pixel\n",
			   bi->fb.base, bi->fb.width, bi->fb.height, bi->fb.pitch, bi->fb.bpp);
}

static const char *type_name(uint64_t type)
{
	static const char *const names[8] = {"UC", "WC", "2?", "3?", "WT", "WP", "WB", "7?"};

	return type < 8 ? names[type] : "?";
}

static void print_fixed(uint32_t msr, uint64_t base, uint64_t size)
{
	uint64_t v = rdmsr(msr);

	log_printf("MTRR %03x: %05lx, steps of %2lu KiB:", msr, base, size >> 10);
	for (unsigned i = 0; i < 8; i++)
		log_printf(" %s", type_name(v >> (8 * i) & 0xff));
	log_printf("\n");
}

static void print_mtrrs(void)
{
	if (!(cpuid(1, 0).edx & (1u << 12))) {
		log_printf("MTRR: none\n");
		return;
	}
	uint64_t cap = rdmsr(MSR_MTRRCAP), def = rdmsr(MSR_MTRR_DEF_TYPE);
	uint64_t address = (UINT64_C(1) << cpu_phys_bits()) - 1;

	log_printf("MTRR: cap %#lx, default type %s, %s, fixed ranges %s\n", cap,
		   type_name(def & 0xff), def & MTRR_DEF_TYPE_E ? "on" : "off",
		   def & MTRR_DEF_TYPE_FE ? "on" : "off");
	if (cap & MTRR_CAP_FIX) {
		print_fixed(MSR_MTRR_FIX64K, 0, 0x10000);
		for (uint32_t i = 0; i < 2; i++)
			print_fixed(MSR_MTRR_FIX16K + i, 0x80000 + i * UINT64_C(0x20000), 0x4000);
		for (uint32_t i = 0; i < 8; i++)
			print_fixed(MSR_MTRR_FIX4K + i, 0xc0000 + i * UINT64_C(0x8000), 0x1000);
	}
	for (uint32_t i = 0; i < (cap & MTRR_CAP_VCNT); i++) {
		uint64_t base = rdmsr(MSR_MTRR_PHYSBASE + 2 * i),
			 mask = rdmsr(MSR_MTRR_PHYSBASE + 2 * i + 1);
		uint64_t from = base & address & ~PAGE_MASK, free = ~mask & address & ~PAGE_MASK;

		if (!(mask & MTRR_PHYSMASK_VALID))
			continue;
		if (((free | PAGE_MASK) & ((free | PAGE_MASK) + 1)) == 0)
			log_printf("MTRR %u: %012lx-%012lx %s\n", i, from,
				   from + (free | PAGE_MASK), type_name(base & 0xff));
		else
			log_printf("MTRR %u: %012lx mask %012lx %s\n", i, from, mask & address,
				   type_name(base & 0xff));
	}
	if (cpuid(1, 0).edx & (1u << 16))
		log_printf("PAT %016lx\n", rdmsr(MSR_PAT));
}

/* ---- ACPI ---- */

static void print_gas(const char *name, const struct acpi_gas *g)
{
	if (g->address)
		log_printf(" %s %s %#lx (%u bits)", name,
			   g->space == ACPI_SPACE_IO       ? "I/O"
			   : g->space == ACPI_SPACE_MEMORY ? "memory"
							   : "other",
			   g->address, g->bit_width);
}

static const void *find_table(const struct acpi *acpi, const char *signature, uint32_t *len)
{
	uint64_t pa;

	return acpi_find(acpi, signature, 0, &pa, len) == 0 ? acpi_table(acpi, pa, signature, len)
							    : NULL;
}

static void print_fadt(const struct acpi *acpi)
{
	struct fadt f;
	uint32_t len;
	const void *table = find_table(acpi, "FACP", &len);

	if (!table || fadt_parse(table, len, &f) != 0) {
		log_printf("FADT: none that can be used\n");
		return;
	}
	log_printf(
	    "FADT: revision %u, flags %08x%s, SCI %u, SMI command port %#x, FACS %#lx, DSDT %#lx\n",
	    f.revision, f.flags, f.flags & FADT_FLAG_HW_REDUCED ? " (hardware-reduced)" : "",
	    f.sci_int, f.smi_cmd, f.facs, f.dsdt);
	log_printf("FADT:");
	print_gas("PM1a event", &f.pm1a_evt);
	print_gas("PM1b event", &f.pm1b_evt);
	print_gas("PM1a control", &f.pm1a_cnt);
	print_gas("PM1b control", &f.pm1b_cnt);
	print_gas("sleep control", &f.sleep_control);
	print_gas("PM timer", &f.pm_tmr);
	if (f.has_reset) {
		print_gas("reset", &f.reset);
		log_printf(" value %#x", f.reset_value);
	}
	log_printf("\n");
	if (f.dsdt && (table = acpi_table(acpi, f.dsdt, "DSDT", &len)) != NULL)
		log_printf("ACPI: DSDT %012lx %u bytes\n", f.dsdt, len);
	else
		log_printf("ACPI: DSDT %012lx cannot be used\n", f.dsdt);
}

static void print_cpus(const struct acpi *acpi)
{
	static struct madt madt;
	uint32_t len;
	const void *table = find_table(acpi, "APIC", &len);

	if (!table || madt_parse(table, len, &madt) != 0) {
		log_printf("MADT: none that can be used: 1 CPU\n");
		return;
	}
	log_printf("MADT: %u CPUs (%u listed), local APIC %#lx, IA32_APIC_BASE %#lx, I/O APICs:",
		   madt.cpus_enabled, madt.cpu_count, madt.lapic_address, rdmsr(MSR_APIC_BASE));
	for (unsigned i = 0; i < madt.ioapic_count; i++)
		log_printf(" %#lx", madt.ioapic[i].address);
	log_printf("\nMADT: APIC IDs");
	for (unsigned i = 0; i < madt.cpu_count; i++)
		log_printf(" %u%s", madt.cpu[i].apic_id, madt.cpu[i].enabled ? "" : "(off)");
	log_printf("\n");
}

static void print_mcfg(const struct acpi *acpi)
{
	uint32_t len;
	const void *table = find_table(acpi, "MCFG", &len);
	int count = table ? mcfg_count(table, len) : 0;

	for (int i = 0; i < count; i++) {
		struct mcfg_segment s;

		if (mcfg_get(table, len, (unsigned)i, &s) == 0)
			log_printf("MCFG: segment %u, buses %02x-%02x at %#lx\n", s.segment,
				   s.first_bus, s.last_bus, mcfg_window_base(&s));
		else
			log_printf("MCFG: entry %d is bad\n", i);
	}
	if (count <= 0)
		log_printf("MCFG: none\n");
}

static void print_acpi(void)
{
	const struct acpi *acpi = start_acpi();

	if (!acpi) {
		log_printf("ACPI: no tables\n");
		return;
	}
	log_printf("ACPI: RSDP %#lx revision %u, %s %#lx\n", acpi->rsdp, acpi->revision,
		   acpi->xsdt ? "XSDT" : "RSDT", acpi->root);
	for (unsigned i = 0; i < acpi->root_count; i++) {
		char name[5] = "";
		uint64_t pa = 0;
		uint32_t len = 0;
		bool good = false;
		int err = acpi_entry(acpi, i, name, &pa, &len, &good);

		if (err)
			log_printf("ACPI: entry %u cannot be read (%d)\n", i, err);
		else
			log_printf("ACPI: %s %012lx %u bytes%s\n", name, pa, len,
				   good ? "" : ", BAD length or checksum");
	}
	print_fadt(acpi);
	print_cpus(acpi);
	print_mcfg(acpi);
}

/* ---- PCI: configuration mechanism 1 (PCI 3.0, section 3.2.2.3.2) ---- */

#define PCI_ADDRESS     0xcf8
#define PCI_DATA        0xcfc
#define PCI_ENABLE      UINT32_C(0x80000000)
#define PCI_MULTI       0x800000u           /* header type bit 7, in the dword at 0Ch */
#define PCI_STATUS_CAPS (UINT32_C(1) << 20) /* in the dword at 04h */
#define PCI_CAP_MSI     0x05
#define PCI_CAP_PCIE    0x10
#define PCI_CAP_MSIX    0x11
#define PCI_CAPS_MAX    48 /* as many as fit behind the header */

static uint32_t pci_read(uint32_t function, uint32_t offset)
{
	outl(PCI_ADDRESS, PCI_ENABLE | function << 8 | offset);
	return inl(PCI_DATA);
}

static void print_bars(uint32_t function, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint32_t bar = pci_read(function, 0x10 + 4 * i);

		if (bar == 0)
			continue;
		if (bar & 1) {
			log_printf(" BAR%u I/O %x", i, bar & ~3u);
		} else if ((bar & 6) == 4 && i + 1 < count) {
			uint64_t high = pci_read(function, 0x10 + 4 * (i + 1));

			log_printf(" BAR%u %lx%s", i, high << 32 | (bar & ~15u),
				   bar & 8 ? " prefetchable" : "");
			i++;
		} else {
			log_printf(" BAR%u %x%s", i, bar & ~15u, bar & 8 ? " prefetchable" : "");
		}
	}
}

static void print_caps(uint32_t function)
{
	if (!(pci_read(function, 4) & PCI_STATUS_CAPS))
		return;
	uint32_t at = pci_read(function, 0x34) & 0xfc;

	for (unsigned n = 0; at >= 0x40 && n < PCI_CAPS_MAX; n++) {
		uint32_t cap = pci_read(function, at);

		switch (cap & 0xff) {
		case PCI_CAP_MSI:
			log_printf(" MSI%s", cap & 0x10000 ? "(on)" : "");
			break;
		case PCI_CAP_MSIX:
			log_printf(" MSI-X(%u%s)", (cap >> 16 & 0x7ff) + 1,
				   cap & 0x80000000u ? ",on" : "");
			break;
		case PCI_CAP_PCIE:
			log_printf(" PCIe");
			break;
		default:
			break;
		}
		at = cap >> 8 & 0xfc;
	}
}

static void print_function(uint32_t function, uint32_t id)
{
	uint32_t class = pci_read(function, 8), header = pci_read(function, 0xc) >> 16 & 0x7f,
		 command = pci_read(function, 4);

	log_printf("PCI %02x:%02x.%u class %06x rev %02x id %04x:%04x command %04x", function >> 8,
		   function >> 3 & 31, function & 7, class >> 8, class & 0xff, id & 0xffff,
		   id >> 16, command & 0xffff);
	if (header == 0) {
		uint32_t sub = pci_read(function, 0x2c);

		log_printf(" subsystem %04x:%04x", sub & 0xffff, sub >> 16);
		print_bars(function, 6);
	} else if (header == 1) {
		uint32_t buses = pci_read(function, 0x18);

		log_printf(" bridge to %02x-%02x", buses >> 8 & 0xff, buses >> 16 & 0xff);
		print_bars(function, 2);
	}
	if (header < 2)
		print_caps(function);
	log_printf("\n");
}

/* All buses, since a machine may have several that no bridge leads to. */
static void print_pci(void)
{
	uint32_t old = inl(PCI_ADDRESS), count = 0;

	for (uint32_t device = 0; device < 0x10000; device += 8) {
		unsigned functions = 1;

		for (uint32_t i = 0; i < functions; i++) {
			uint32_t id = pci_read(device + i, 0);

			if ((id & 0xffff) == 0xffff || id == 0) {
				if (i == 0)
					break;
				continue;
			}
			if (i == 0 && pci_read(device, 0xc) & PCI_MULTI)
				functions = 8;
			print_function(device + i, id);
			count++;
		}
	}
	outl(PCI_ADDRESS, old);
	log_printf("PCI: %u functions\n", count);
}

/* ---- the rest ---- */

static void print_config(void)
{
	static char value[2200];

	for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		config_value_text(start_config(), i, value, sizeof(value));
		log_printf("Configuration: %s=", config_key_at(i)->name);
		for (const char *p = value; *p; p += strlen(p) < 256 ? strlen(p) : 256)
			log_printf("%.256s", p);
		log_printf("%s\n", start_config()->given[i] ? "" : " (default)");
	}
}

static void page_through(void)
{
	uint32_t pos = 0;

	for (;;) {
		static const char keys[] = "-- Space: read the report, b: from its beginning, c: "
					   "continue without BitVisor, r: reboot\n";
		char key;

		console_show(keys, sizeof(keys) - 1);
		while ((key = console_poll_key()) == '\0')
			clock_delay_us(10000);
		if (key == 'c')
			return;
		if (key == 'r')
			reset_machine();
		if (key == 'b')
			pos = 0;
		if (key == 'b' || key == ' ')
			pos = log_page(pos, CONSOLE_COLUMNS, CONSOLE_ROWS - 3, console_show);
	}
}

void probe_run(void)
{
	const struct boot_info *bi = start_boot_info();

	log_printf("Report of vmm.probe=1: nothing is started\n");
	log_printf("Firmware: %s\n", bi->firmware == BOOT_UEFI ? "UEFI" : "BIOS");
	if (bi->firmware == BOOT_BIOS)
		log_printf("Boot drive: %02x\n", bi->boot_drive);
	print_cpu();
	print_vt();
	print_svm();
	print_verdict();
	print_features();
	print_cpuid();
	print_memory(bi);
	print_mtrrs();
	print_acpi();
	print_pci();
	print_config();
	log_printf("End of the report\n");
	log_forget();
	if (bi->firmware == BOOT_BIOS)
		page_through();
}
