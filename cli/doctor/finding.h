/* SPDX-License-Identifier: MIT */
/* What a check of `pd doctor` is given, and how it says what it found. */
#ifndef CLI_DOCTOR_FINDING_H
#define CLI_DOCTOR_FINDING_H

#include "base/own_pd.h"

struct json_object;

/* What the checks look at, gathered once, and what they have found. */
struct doctor {
	struct json_object *status; /* of the daemon; NULL where none has told one */
	char socket[108];	    /* that it answers on; "" where none does */
	int connect_error;	    /* why not: a negative errno, or 0 */
	struct json_object *checks; /* [{id, state, fact, command}] */
	const char *id;		    /* of the check that looks */
};

enum doctor_state { DOCTOR_OK = 0, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_SKIP, _DOCTOR_STATE_MAX };

/* "ok" "warn" "fail" "skip" */
extern const char *const doctor_state_names[_DOCTOR_STATE_MAX];

/* What was found.  `command` mends it, NULL where none does. */
void doctor_say(struct doctor *d, enum doctor_state state, const char *command, const char *format,
		...) __attribute__((format(printf, 4, 5)));
/* The same under another id: one of several things that a check looks at. */
void doctor_say_of(struct doctor *d, const char *id, enum doctor_state state, const char *command,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));
/* "pd VERB", as it is typed here.  Returns ret. */
#define DOCTOR_COMMAND_SIZE (OWN_PD_SIZE + 64)
const char *doctor_own(const char *verb, char ret[static DOCTOR_COMMAND_SIZE]);
/* Asks the daemon (GET).  NULL where it has no answer; the caller's: answer_free(). */
struct json_object *doctor_ask(const struct doctor *d, const char *path);

#endif
