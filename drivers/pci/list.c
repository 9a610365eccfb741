/* The list of PCI functions that a start shows (DUMP_PCI_DEV_LIST). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/list.h"
#ifdef CONFIG_DUMP_PCI_DEV_LIST
#include "core/console.h"
#include "core/log.h"
#include "core/start.h"
#include "core/x86/clock.h"
#include "core/x86/reset.h"
#include "drivers/pci/devlist.h"
#include "drivers/pci/function.h"

#define POLL_MS 10

static void put_log(void *arg, const char *text, size_t length)
{
	(void)arg;
	log_printf("%.*s", (int)length, text);
}

static void put_screen(void *arg, const char *text, size_t length)
{
	(void)arg;
	console_show(text, length);
}

static void page(const struct devlist *list)
{
	struct devlist_pager pager;
	enum devlist_result result = DEVLIST_WAIT;

	devlist_start(&pager, list, (uint32_t)start_config()->dump_pci_timeout * 1000, put_screen,
		      NULL);
	while (result == DEVLIST_WAIT) {
		char key = console_poll_key();

		if (key) {
			result = devlist_key(&pager, key);
			continue;
		}
		clock_delay_us(POLL_MS * 1000);
		result = devlist_time(&pager, POLL_MS);
	}
	if (result == DEVLIST_REBOOT)
		reset_machine();
}

void pci_list(void)
{
	size_t count = 0, i = 0;

	for (const struct function *f = pci_functions; f; f = f->next)
		count++;
	struct devlist_entry *entries = pci_memory((count ? count : 1) * sizeof(*entries));

	if (!entries) {
		log_printf("PCI: no memory for the list of functions\n");
		return;
	}
	for (const struct function *f = pci_functions; f; f = f->next)
		entries[i++] = (struct devlist_entry){&f->dev.id, f->dev.driver};

	const struct devlist list = {
	    .entries = entries,
	    .count = count,
	    .drivers = section_pci_driver_start,
	    .driver_count = (size_t)(section_pci_driver_end - section_pci_driver_start),
	};
	bool keys = console_has_keys();

	/* the log has all of it, whether or not somebody pages */
	if (keys)
		console_show_log(false);
	devlist_print(&list, put_log, NULL);
	if (keys) {
		page(&list);
		console_show_log(true);
	}
}
#else
void pci_list(void)
{
}
#endif
