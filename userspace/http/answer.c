/* SPDX-License-Identifier: MIT */
#include "http/answer.h"

struct json_object *answer_ok_new(void)
{
	struct json_object *o = json_object_new_object();

	json_add_bool(o, "ok", true);
	json_add_int(o, "version", ANSWER_VERSION);
	return o;
}

struct json_object *answer_error_new(enum outcome outcome, const char *message,
				     struct json_object *extra)
{
	struct json_object *o = json_object_new_object();
	struct json_object *error;

	json_add_bool(o, "ok", false);
	json_add_int(o, "version", ANSWER_VERSION);
	error = json_add_object(o, "error");
	json_add_text(error, "code", outcome_row(outcome)->code);
	json_add_text(error, "message", message);
	if (extra)
		json_merge(o, extra);
	return o;
}

enum outcome answer_outcome(int result)
{
	enum outcome outcome;

	if (result >= 0)
		return (enum outcome)result;
	/* An error of the daemon's own is never the client's fault, whatever its number says. */
	outcome = outcome_of_errno(result);
	return outcome == OUTCOME_NO_SPACE ? outcome : OUTCOME_FAILED;
}
