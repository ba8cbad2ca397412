/* SPDX-License-Identifier: MIT */
/* What holds the daemon in since its start: made by daemon/sandbox.h, told by GET /v1/status. */
#ifndef BASE_SANDBOX_REPORT_H
#define BASE_SANDBOX_REPORT_H

#include <stdbool.h>

struct sandbox_report {
	bool system_calls;
	int landlock; /* the version of its interface that is in force; 0 = it is not */
	/* why not, one clause each, static storage; NULL where it is in force */
	const char *without_system_calls, *without_landlock;
};

#endif
