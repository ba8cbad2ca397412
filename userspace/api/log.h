/* SPDX-License-Identifier: MIT */
/* The audit trail as clients see it, and the filter that `pd log` and `pd log -f` share. */
#ifndef API_LOG_H
#define API_LOG_H

#include <stdbool.h>

#include "api/request.h"
#include "registry/registry.h"

struct log_filter {
	int action;	     /* enum activity_action, -1 = all */
	const char *pattern; /* over services; NULL = all.  Borrowed from the request */
};

/*
 * Reads "CLAIM" (an action in any case) or a pattern over services; NULL is everything.
 * 0, OUTCOME_BAD_REQUEST.
 */
int log_filter_parse(struct request *r, const char *text, struct log_filter *ret);

/* action -1: something that is no entry and only has a service (NULL or "" = none). */
bool log_filter_match(const struct log_filter *f, int action, const char *service);

/* One entry as JSON; owned by the caller. */
struct json_object *log_entry_view(struct api *api, const struct activity *entry);

#endif
