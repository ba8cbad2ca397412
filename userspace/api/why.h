/* SPDX-License-Identifier: MIT */
/* An explanation as JSON: the why object, of a question and of a stored refusal. */
#ifndef API_WHY_H
#define API_WHY_H

#include "explain/explain.h"
#include "http/json.h"

struct api;
struct request;

/* Adds the members of the why object to `o` (borrowed).  0, negative errno. */
int why_view(struct api *api, const struct why_question *question, uid_t viewer, int64_t now,
	     struct json_object *o);

/* The same for a question with a netns and a caller: those members of *f are set. */
int why_view_netns(struct api *api, struct why_facts *f, struct json_object *o);

/* Puts holders, complete and missing into `o`, in place of any that are there. */
void why_view_holders(const struct why_facts *f, struct json_object *o);

/* Puts restartedBy and remedies into `o`, in place of any that are there. */
void why_view_remedies(const struct why_facts *f, struct json_object *o);

/*
 * Brings the stored why object of a refusal (borrowed) up to date for whoever reads it now
 * (why_since.c): adds `since`, and puts remedies in it that hold now.  `caller` was refused; its
 * start is 0 when that was before this boot.  Of a refusal that no socket made nothing changes.  0,
 * negative errno.
 */
int why_add_since(struct request *r, const struct process_id *caller, struct json_object *o);

#endif
