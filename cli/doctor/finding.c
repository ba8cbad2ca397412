/* SPDX-License-Identifier: MIT */
#include "cli/doctor/finding.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/client/connection.h"

#define FACT_SIZE 1024
#define ANSWER_S  5 /* a daemon that is stuck is a finding, not a reason to wait */

const char *const doctor_state_names[_DOCTOR_STATE_MAX] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
	[DOCTOR_SKIP] = "skip",
};

static void add(struct doctor *d, const char *id, enum doctor_state state, const char *command,
		const char *format, va_list args) __attribute__((format(printf, 5, 0)));

static void add(struct doctor *d, const char *id, enum doctor_state state, const char *command,
		const char *format, va_list args)
{
	struct json_object *o = json_object_new_object();
	char fact[FACT_SIZE], text[FACT_SIZE];

	vsnprintf(fact, sizeof(fact), format, args);
	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "state", json_object_new_string(doctor_state_names[state]));
	/* what was read in a file need not be text */
	json_object_object_add(o, "fact",
			       json_object_new_string(text_to_utf8(fact, text, sizeof(text))));
	json_object_object_add(o, "command", command ? json_object_new_string(command) : NULL);
	json_object_array_add(d->checks, o);
}

void doctor_say(struct doctor *d, enum doctor_state state, const char *command, const char *format,
		...)
{
	va_list args;

	va_start(args, format);
	add(d, d->id, state, command, format, args);
	va_end(args);
}

void doctor_say_of(struct doctor *d, const char *id, enum doctor_state state, const char *command,
		   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(d, id, state, command, format, args);
	va_end(args);
}

const char *doctor_own(const char *verb, char ret[static DOCTOR_COMMAND_SIZE])
{
	char pd[OWN_PD_SIZE];

	snprintf(ret, DOCTOR_COMMAND_SIZE, "%s %s", own_pd(pd), verb);
	return ret;
}

struct json_object *doctor_ask(const struct doctor *d, const char *path)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	_cleanup_(connection_close) struct connection c = { .fd = -1 };

	if (!*d->socket || connection_open_within(&c, d->socket, ANSWER_S) < 0 ||
	    client_request_within(TAKE_FD(c.fd), path, ANSWER_S, &answer) != OUTCOME_OK)
		return NULL;
	return TAKE_PTR(answer);
}
