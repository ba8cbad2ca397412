/* SPDX-License-Identifier: MIT */
/* The audit trail as clients see it, and the filter that `pd log` and `pd log -f` share. */
#ifndef API_LOG_H
#define API_LOG_H

#include <stdbool.h>

#include "http/request.h"
#include "registry/registry.h"

struct log_filter {
	struct activity_filter activity;	/* its subjects point into `text` */
	char text[REQUEST_PARAM_MAX_BYTES + 1]; /* a copy of what was asked, cut at its commas */
};

/*
 * Reads "CLAIM,myapp:*": actions in any case, and names or patterns of what an entry is about (a
 * service, a lock, a session), up to ACTIVITY_SUBJECTS_MAX; NULL is everything.  A word that is an
 * action means the action.  *ret may not be moved afterwards.  0, OUTCOME_BAD_REQUEST.
 */
int log_filter_parse(struct request *r, const char *text, struct log_filter *ret);

/* One entry as JSON; owned by the caller. */
struct json_object *log_entry_view(struct api *api, const struct activity *entry);

#endif
