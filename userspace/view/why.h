/* SPDX-License-Identifier: MIT */
/* An explanation as JSON: the why object, of a question and of a stored refusal. */
#ifndef VIEW_WHY_H
#define VIEW_WHY_H

#include "explain/explain.h"
#include "http/json.h"

/* Adds the members of the why object to `o` (borrowed). */
void why_view(const struct why_facts *f, struct json_object *o);

/* What was found out about a refusal, as text.  Owned by the caller: free().  0, -ENOMEM. */
int why_view_text(const struct why_facts *f, char **ret);

/* Puts holders, complete and missing into `o`, in place of any that are there. */
void why_view_holders(const struct why_facts *f, struct json_object *o);

/* Puts restartedBy and remedies into `o`, in place of any that are there. */
void why_view_remedies(const struct why_facts *f, struct json_object *o);

/* A refusal as why_view_text() had it stored (why_since.c): an explainer's read_past. */
bool why_read_past(const struct refusal_record *record, struct why_past *ret);

/* Who reads it, and when. */
struct why_reading {
	pid_t pid; /* 0 = not visible */
	uid_t uid;
	int64_t now; /* Unix seconds */
};

/*
 * Brings the stored why object of a refusal (borrowed) up to date for whoever reads it now
 * (why_since.c): adds `since`, and puts remedies in it that hold now.  `caller` was refused; its
 * start is 0 when that was before this boot.  Of a refusal that no socket made nothing changes.  0,
 * negative errno.
 */
int why_add_since(struct explainer *x, const struct why_reading *reading,
		  const struct process_id *caller, struct json_object *o);

#endif
