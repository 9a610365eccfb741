/* Which driver gets which function: the strings of the configuration, and the handing over. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/assign.h"
#include "core/errno.h"
#include "core/log.h"
#include "core/start.h"
#include "core/string.h"
#include "core/vm/sleep.h"
#include "drivers/pci/claim.h"
#include "drivers/pci/compat.h"
#include "drivers/pci/match.h"
#include "drivers/pci/record.h"

/* In the order in which they decide. */
enum { NEW_STRING, OLD_CONCEAL, OLD_KEYS, STRINGS };

static struct pci_match_rules rules[STRINGS];
static struct pci_match_state states[STRINGS];
static char old_keys[PCI_COMPAT_MAX];

/* Functions of the VMM's own. */
#define OWN_MAX 64

static struct pci_address own[OWN_MAX];
static unsigned own_count;

static enum pci_config_result read_ones(struct pci_device *dev, unsigned size, uint16_t offset,
					uint32_t *data)
{
	(void)dev;
	(void)size;
	(void)offset;
	*data = UINT32_MAX;
	return PCI_CONFIG_DONE;
}

/* Who owns the function sets it up again. */
static int own_wake(struct pci_device *dev)
{
	(void)dev;
	return 0;
}

static const struct pci_driver own_driver = {
    .config_read = read_ones,
    .config_write = pci_drop_write,
    .wake = own_wake,
};

int pci_assign_own(struct pci_address at)
{
	if (own_count == OWN_MAX)
		return -ENOSPC;
	own[own_count++] = at;
	return 0;
}

static bool is_own(const struct function *f)
{
	const struct pci_address *at = &f->dev.id.address;

	/* a guest that does not find function 0 looks for no other of the device */
	if (at->function == 0 && pci_is_multi(f))
		return false;
	for (unsigned i = 0; i < own_count; i++) {
		if (own[i].segment == at->segment && own[i].bus == at->bus &&
		    own[i].device == at->device && own[i].function == at->function)
			return true;
	}
	return false;
}

static size_t driver_count(void)
{
	return (size_t)(section_pci_driver_end - section_pci_driver_start);
}

static void report(void *arg, const struct pci_match_report *r)
{
	log_printf("%s: rule %u, column %u: %s%s\n", (const char *)arg, r->rule, r->column,
		   r->warning ? "warning: " : "", r->text);
}

static uint32_t parse(unsigned which, const char *name, const char *text)
{
	return pci_match_parse(
	    &rules[which], which == OLD_CONCEAL ? PCI_MATCH_CONCEAL : PCI_MATCH_RULES, text,
	    section_pci_driver_start, driver_count(), report, (void *)(uintptr_t)name);
}

int pci_assign_init(void)
{
	const struct config *c = start_config();
	struct pci_compat_keys keys;
	uint32_t errors;

	for (const struct pci_driver *d = section_pci_driver_start; d < section_pci_driver_end;
	     d++) {
		if (d->longname)
			log_printf("%s registered\n", d->longname);
	}
	errors = pci_match_check_drivers(section_pci_driver_start, driver_count(), report,
					 (void *)(uintptr_t) "driver record");
	pci_compat_read(c, &keys);
	pci_compat_rules(&keys, old_keys, sizeof(old_keys));
	if (old_keys[0])
		log_printf("Old keys stand for vmm.driver.pci=%s\n", old_keys);
	errors += parse(NEW_STRING, "vmm.driver.pci", c->driver_pci);
	errors += parse(OLD_CONCEAL, "vmm.driver.pci_conceal", c->old_pci_conceal);
	errors += parse(OLD_KEYS, "old keys", old_keys);
	if (!errors)
		return 0;
	start_refuse("vmm.driver.pci has %u error%s (listed above)", errors,
		     errors == 1 ? "" : "s");
	return -EINVAL;
}

bool pci_assign_any(void)
{
	for (const struct function *f = pci_functions; f; f = f->next) {
		if (f->dev.driver)
			return true; /* one of the VMM's own */
	}
	for (unsigned i = 0; i < STRINGS; i++) {
		for (unsigned k = 0; k < rules[i].rule_count; k++) {
			if (rules[i].items[rules[i].rules[k].driver].index != PCI_MATCH_NO_DRIVER)
				return true;
		}
	}
	return false;
}

bool pci_assign_possible(struct pci_address at)
{
	for (unsigned i = 0; i < STRINGS; i++) {
		if (pci_match_possible(&rules[i], at))
			return true;
	}
	return false;
}

/* 0, or -ENOMEM. */
static int give_options(struct function *f, const struct pci_match_rules *from,
			const struct pci_match_result *result)
{
	static char text[PCI_MATCH_STRING_MAX + 1];
	size_t count = pci_record_option_count(result->driver->driver_options);
	char **values = pci_memory((count ? count : 1) * sizeof(*values));

	if (!values)
		return -ENOMEM;
	int used = pci_match_options(from, result, values, count, text, sizeof(text));
	char *kept = used > 0 ? pci_memory((size_t)used) : NULL;

	if (used < 0 || (used > 0 && !kept))
		return -ENOMEM;
	memcpy(kept, text, (size_t)used);
	for (size_t i = 0; i < count; i++) {
		if (values[i])
			values[i] = kept + (values[i] - text);
	}
	f->assigned_options = values;
	return 0;
}

/* The loader has told the user that the firmware, or the guest, keeps it. */
static bool is_left(const struct function *f)
{
	const struct boot_info *boot = start_boot_info();
	const struct pci_address *at = &f->dev.id.address;

	for (uint32_t i = 0; i < boot->pci_left_count; i++) {
		const struct boot_pci_left *l = &boot->pci_left[i];

		if (l->segment == at->segment && l->bus == at->bus && l->device == at->device &&
		    l->function == at->function)
			return true;
	}
	return false;
}

int pci_assign(struct function *f)
{
	const struct pci_match_rules *r[STRINGS];
	struct pci_match_state *s[STRINGS];
	struct pci_config config = pci_function_config(f);
	struct pci_match_result result;
	char name[PCI_NAME_MAX];

	if (is_own(f)) {
		f->dev.driver = &own_driver;
		log_printf("%s is the VMM's\n", pci_name(&f->dev, name));
		return 0;
	}
	for (unsigned i = 0; i < STRINGS; i++) {
		r[i] = &rules[i];
		s[i] = &states[i];
	}
	int err = 0;

	f->assignable = pci_assign_possible(f->dev.id.address);
	/* `number` counts functions: not one of them twice because it was away */
	if (!f->returned) {
		int which = pci_match_first(r, s, STRINGS, &f->dev.id, &result);

		f->assigned = which < 0 ? NULL : result.driver;
		f->assigned_options = NULL;
		if (f->assigned)
			err = give_options(f, r[which], &result);
	}
	if (!f->assigned)
		return 0;
	if (!f->reachable || is_left(f)) {
		log_printf("%s driver=%s does not take it: %s\n", pci_name(&f->dev, name),
			   f->assigned->name,
			   f->reachable ? "it is left to firmware and guest"
					: "it is behind a concealed bridge");
		return 0;
	}
	if (!f->assigned_options)
		err = -ENOMEM;
	if (!err) {
		/* writing ones to the registers of a bridge would stop what goes through it */
		if ((f->dev.id.header_type & PCI_HEADER_MASK) == PCI_HEADER_NORMAL)
			pci_bars_size(&f->bars, &config);
		f->dev.driver = f->assigned;
		f->dev.driver_options = f->assigned_options;
		err = f->assigned->new ? f->assigned->new (&f->dev) : 0;
	}
	if (!err && !f->assigned->wake)
		sleep_cannot("a device's driver could not go on");
	if (err) {
		f->dev.driver = NULL;
		f->bars.sized = false;
		pci_claims_end(f);
		log_printf("%s driver=%s does not take it: error %d\n", pci_name(&f->dev, name),
			   f->assigned->name, -err);
	}
	return err;
}
