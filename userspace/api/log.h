/* SPDX-License-Identifier: MIT */
/* The audit trail as clients see it, and the filter that `pd log` and `pd log -f` share. */
#ifndef API_LOG_H
#define API_LOG_H

#include "http/parse.h"
#include "http/request.h"
#include "registry/registry.h"

struct log_filter {
	struct activity_filter activity;      /* its subjects point into the two below */
	char text[PARSE_PARAM_MAX_BYTES + 1]; /* a copy of what was asked, cut at its commas */
	char ids[ACTIVITY_SUBJECTS_MAX][IDENTITY_MAX + 1]; /* of services that names mean */
};

/*
 * Reads "CLAIM,myapp:*,:3000" into a struct log_filter: actions in any case, names or patterns of
 * what an entry is about (a service, a lock, a session), and ports, of each up to
 * ACTIVITY_SUBJECTS_MAX; zeroes are everything.  A word that is an action means the action, a
 * number is a port and a name.  It may not be moved afterwards.
 */
#define PARAM_LOG_FILTER(key, type, member) \
	PARAM_ROW(key, log_filter_read, type, member, struct log_filter)
param_read log_filter_read;

#endif
