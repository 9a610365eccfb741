/* Events on top of events: what an exception becomes that is raised while another event is being
 * delivered. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/vm/event.h"

#define VECTOR_DF 8
#define ERROR_EXT 1u /* SDM 3A 6.13 */

#define BIT(vector)       (UINT32_C(1) << (vector))
#define HAS_ERROR_CODE    (BIT(8) | SELECTOR_ERROR | BIT(14) | BIT(17) | BIT(21))
#define SELECTOR_ERROR    (BIT(10) | BIT(11) | BIT(12) | BIT(13))
#define NO_FAULTS         (BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(8) | BIT(18)) /* table 6-1 */
#define CLASS_PAGE_FAULT  (BIT(14) | BIT(20))
#define CLASS_CONTRIBUTES (BIT(0) | SELECTOR_ERROR | BIT(21)) /* #CP: since CET */

/* Table 6-4, with the double fault as a class of its own, which table 6-5 has. */
enum class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT, CLASS_COUNT };

static bool in(uint32_t set, uint8_t vector)
{
	return vector < 32 && (set & BIT(vector));
}

/* Interrupts, NMIs and all that software asks for are benign whatever their vector is. */
static enum class class_of(const struct event *e) {
	if (e->type != EVENT_EXCEPTION) return BENIGN;
	if (e->vector == VECTOR_DF) return DOUBLE_FAULT;
	if (in(CLASS_PAGE_FAULT, e->vector)) return PAGE_FAULT;
	return in(CLASS_CONTRIBUTES, e->vector) ? CONTRIBUTORY : BENIGN;
}

/* Table 6-5: [first][second]. A #DF that is raised as such is not in it: abort class, as first. */
enum outcome { SERIAL, DOUBLE, SHUTDOWN };
static const uint8_t outcomes[CLASS_COUNT][CLASS_COUNT] = {
    [BENIGN] = {SERIAL, SERIAL, SERIAL, SERIAL},
    [CONTRIBUTORY] = {SERIAL, DOUBLE, SERIAL, DOUBLE},
    [PAGE_FAULT] = {SERIAL, DOUBLE, DOUBLE, DOUBLE},
    [DOUBLE_FAULT] = {SERIAL, SHUTDOWN, SHUTDOWN, SHUTDOWN},
};

bool event_is_fault(uint8_t vector)
{
	return vector < 32 && !in(NO_FAULTS, vector);
}

bool event_has_error(uint8_t vector)
{
	return in(HAS_ERROR_CODE, vector);
}

enum event_verdict event_merge(const struct event *first, const struct event *second,
			       struct event *out)
{
	*out = *second;
	switch (outcomes[class_of(first)][class_of(second)]) {
	case SHUTDOWN:
		return EVENT_SHUTDOWN;
	case DOUBLE:
		*out =
		    (struct event){.vector = VECTOR_DF, .type = EVENT_EXCEPTION, .has_error = true};
		break;
	default:
		/* INT n, INT3 and INTO are the program's own doing */
		if (out->has_error && in(SELECTOR_ERROR, out->vector) &&
		    first->type != EVENT_SOFT_INT && first->type != EVENT_SOFT_EXCEPTION)
			out->error |= ERROR_EXT;
		break;
	}
	return EVENT_DELIVER;
}
