/* SPDX-License-Identifier: MIT */
#include "base/event.h"

#include <string.h>

#include "base/cleanup.h"

static const char *const names[] = {
	[EVENT_PROCESS] = "PROCESS",   [EVENT_BIND] = "BIND",	    [EVENT_LISTEN] = "LISTEN",
	[EVENT_UNLISTEN] = "UNLISTEN", [EVENT_CLOSE] = "CLOSE",	    [EVENT_FAIL] = "FAIL",
	[EVENT_FORK] = "FORK",	       [EVENT_EXEC] = "EXEC",	    [EVENT_TERM] = "TERM",
	[EVENT_EXIT] = "EXIT",	       [EVENT_RUN_END] = "RUN_END",
};
_Static_assert(ARRAY_SIZE(names) == _EVENT_KIND_MAX, "every kind has a name");

bool event_is_rewritten(const struct event *event)
{
	return event->stage == EVENT_STAGE_PASSED &&
	       (event->given_port != event->port ||
		memcmp(&event->given_addr, &event->addr, sizeof(event->addr)) != 0);
}

const char *event_kind_name(enum event_kind kind)
{
	if ((unsigned)kind >= _EVENT_KIND_MAX || !names[kind])
		return "UNKNOWN";
	return names[kind];
}
