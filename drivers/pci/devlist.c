/* DUMP_PCI_DEV_LIST: the list of PCI functions and their drivers, and its pager. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/devlist.h"
#include "core/log.h"
#include "core/string.h"
#include "drivers/pci/record.h"

static void put_text(devlist_put_fn put, void *arg, const char *text)
{
	put(arg, text, strlen(text));
}

void devlist_line(const struct devlist *list, size_t number, devlist_put_fn put, void *arg)
{
	const struct devlist_entry *entry = &list->entries[number];
	const struct pci_function *f = entry->function;
	char text[40] = "[";
	size_t i;

	put_text(put, arg, text);
	if (f->address.segment) {
		log_snprintf(text, sizeof(text), "%04X:", f->address.segment);
		put_text(put, arg, text);
	}
	log_snprintf(text, sizeof(text), "%02X:%02X.%X] %06X: %04X:%04X", f->address.bus,
		     f->address.device, f->address.function, f->class_code, f->vendor, f->device);
	put_text(put, arg, text);
	for (i = 0; i < list->driver_count; i++) {
		const struct pci_driver *driver = &list->drivers[i];

		if (!driver->name || !pci_record_accepts(driver, f))
			continue;
		put_text(put, arg, " (");
		put_text(put, arg, driver->name);
		put_text(put, arg, ")");
	}
	if (entry->assigned && entry->assigned->name) {
		put_text(put, arg, " ");
		put_text(put, arg, entry->assigned->name);
	}
	put_text(put, arg, "\n");
}

void devlist_print(const struct devlist *list, devlist_put_fn put, void *arg)
{
	size_t i;

	put_text(put, arg, "\n" DEVLIST_HEADING);
	for (i = 0; i < list->count; i++)
		devlist_line(list, i, put, arg);
}

static void show_prompt(struct devlist_pager *p)
{
	p->prompt = p->next < p->list->count ? DEVLIST_MORE : DEVLIST_END;
	put_text(p->put, p->arg, p->prompt);
}

static void erase_prompt(struct devlist_pager *p)
{
	size_t i;

	for (i = strlen(p->prompt); i > 0; i--)
		put_text(p->put, p->arg, "\b \b");
	p->prompt = "";
}

static void show_lines(struct devlist_pager *p, size_t count)
{
	if (p->next == p->list->count)
		return;
	erase_prompt(p);
	for (; count > 0 && p->next < p->list->count; count--)
		devlist_line(p->list, p->next++, p->put, p->arg);
	show_prompt(p);
}

static void finish(struct devlist_pager *p, enum devlist_result result)
{
	erase_prompt(p);
	p->result = result;
}

void devlist_start(struct devlist_pager *pager, const struct devlist *list, uint32_t timeout_ms,
		   devlist_put_fn put, void *arg)
{
	*pager = (struct devlist_pager){
	    .list = list,
	    .put = put,
	    .arg = arg,
	    .timeout_ms = timeout_ms,
	    .result = DEVLIST_WAIT,
	};
	put_text(put, arg, "\n" DEVLIST_HEADING);
	show_prompt(pager);
}

enum devlist_result devlist_key(struct devlist_pager *pager, int key)
{
	if (pager->result != DEVLIST_WAIT)
		return pager->result;
	pager->idle_ms = 0;
	switch (key) {
	case ' ':
		show_lines(pager, DEVLIST_PAGE);
		break;
	case '\r':
	case '\n':
		show_lines(pager, 1);
		break;
	case 'g':
		erase_prompt(pager);
		pager->next = 0;
		put_text(pager->put, pager->arg, DEVLIST_HEADING);
		show_prompt(pager);
		break;
	case 'q':
		finish(pager, DEVLIST_CONTINUE);
		break;
	case 'r':
		finish(pager, DEVLIST_REBOOT);
		break;
	default:
		break;
	}
	return pager->result;
}

enum devlist_result devlist_time(struct devlist_pager *pager, uint32_t ms)
{
	if (pager->result != DEVLIST_WAIT || pager->timeout_ms == 0)
		return pager->result;
	if (ms >= pager->timeout_ms - pager->idle_ms)
		finish(pager, DEVLIST_CONTINUE);
	else
		pager->idle_ms += ms;
	return pager->result;
}
