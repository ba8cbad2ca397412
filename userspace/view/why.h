/* SPDX-License-Identifier: MIT */
/* An explanation as JSON: the why object, of a question and of a stored refusal. */
#ifndef VIEW_WHY_H
#define VIEW_WHY_H

#include "explain/since.h"
#include "http/json.h"

/* Adds the members of the why object to `o` (borrowed). */
void why_view(const struct why_facts *f, struct json_object *o);

/* What was found out about a refusal, as text.  Owned by the caller: free().  0, -ENOMEM. */
int why_view_text(const struct why_facts *f, char **ret);

/* Puts holders, complete and missing into `o`, in place of any that are there. */
void why_view_holders(const struct why_facts *f, struct json_object *o);

/* Puts restartedBy and remedies into `o`, in place of any that are there. */
void why_view_remedies(const struct why_facts *f, struct json_object *o);

/* --- a refusal as why_view_text() had it stored (why_since.c) --- */

/* An explainer's read_past. */
bool why_read_past(const struct refusal_record *record, struct why_past *ret);

/*
 * Reads from a stored why object (borrowed) what explain_since() asks: fills *ret and the question
 * of *f.  `caller` was refused; its start is 0 when that was before this boot.  False where there
 * is nothing to ask, for no socket made it, or somebody edited its row.
 */
bool why_read_stored(struct json_object *o, const struct process_id *caller, struct why_past *ret,
		     struct why_facts *f);

/* Brings the object up to date by what that has answered: adds `since`, and puts remedies in it
 * that hold now. */
void why_view_since(enum why_since since, const struct why_holder *by, const struct why_past *past,
		    const struct why_facts *f, struct json_object *o);

#endif
