/* DUMP_PCI_DEV_LIST: the list of PCI functions and their drivers, and its pager. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "drivers/pci_driver.h"

#define DEVLIST_HEADING "DUMP_PCI_DEV_LIST:\n"
#define DEVLIST_MORE                                                                               \
	"-- more --  q:continue  g:go to 1st line  r:reboot  SPC:next page  CR:next line"
#define DEVLIST_END        "-- end --   q:continue  g:go to 1st line  r:reboot"
#define DEVLIST_PAGE       23    /* functions that the space bar shows */
#define DEVLIST_TIMEOUT_MS 30000 /* default of the time without a key */

/* One function of the list: what it is, and the driver that it got (NULL: none). */
struct devlist_entry {
	const struct pci_function *function;
	const struct pci_driver *assigned;
};

/* What is listed. The arrays stay the caller's. */
struct devlist {
	const struct devlist_entry *entries;
	size_t count;
	const struct pci_driver *drivers; /* all that are registered, in that order */
	size_t driver_count;
};

/* Takes text to show; "\n" ends a line. */
typedef void (*devlist_put_fn)(void *arg, const char *text, size_t length);

/*
 * Writes one line: [BB:DD.F] CCCCCC: VVVV:DDDD, then " (name)" of each registered driver that
 * accepts the function by itself, then " name" of the one it got. A function outside segment 0 is
 * [SSSS:BB:DD.F].
 */
void devlist_line(const struct devlist *list, size_t number, devlist_put_fn put, void *arg);

/* Writes a blank line, the heading and all lines, without stopping: for the log. */
void devlist_print(const struct devlist *list, devlist_put_fn put, void *arg);

enum devlist_result {
	DEVLIST_WAIT,     /* for a key, or for time to pass */
	DEVLIST_CONTINUE, /* q, or nobody was there: start the guest */
	DEVLIST_REBOOT,   /* r */
};

/* The pager. It keeps no time and reads no keys: its owner does. */
struct devlist_pager {
	const struct devlist *list;
	devlist_put_fn put;
	void *arg;
	size_t next;         /* the function that comes next */
	const char *prompt;  /* that is shown now */
	uint32_t timeout_ms; /* 0: none */
	uint32_t idle_ms;
	enum devlist_result result;
};

/* Shows a blank line, the heading and the prompt. Without a console for input use devlist_print().
 */
void devlist_start(struct devlist_pager *pager, const struct devlist *list, uint32_t timeout_ms,
		   devlist_put_fn put, void *arg);

/*
 * A key: space, CR or LF, g, q, r; others do nothing, and neither do space, CR and LF behind the
 * last line. Any key counts as somebody being there.
 */
enum devlist_result devlist_key(struct devlist_pager *pager, int key);

/* `ms` milliseconds have passed without a key. */
enum devlist_result devlist_time(struct devlist_pager *pager, uint32_t ms);
