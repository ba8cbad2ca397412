/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/doctor/doctor.h"
#include "cli/render/render.h"

#define STATE_COLUMNS 6
#define ID_COLUMNS    21

static enum render_tone tone_of(const char *state)
{
	static const enum render_tone tones[_DOCTOR_STATE_MAX] = {
		[DOCTOR_OK] = TONE_GOOD,
		[DOCTOR_WARN] = TONE_WARN,
		[DOCTOR_FAIL] = TONE_BAD,
		[DOCTOR_SKIP] = TONE_DIM,
	};

	for (int i = 0; i < _DOCTOR_STATE_MAX; i++)
		if (!strcmp(doctor_state_names[i], state))
			return tones[i];
	return TONE_PLAIN;
}

static void show(struct json_object *check)
{
	const char *state = answer_text(check, "state"), *command = answer_text(check, "command");
	int column = STATE_COLUMNS;

	render_text(tone_of(state), "%-*s", STATE_COLUMNS, state);
	column += render_head(column, ID_COLUMNS, answer_text(check, "id")) - column;
	render_wrapped(TONE_PLAIN, column, STATE_COLUMNS + ID_COLUMNS, 0,
		       answer_text(check, "fact"));
	if (*command)
		render_line(TONE_PLAIN, "%*s%s", STATE_COLUMNS + ID_COLUMNS, "", command);
}

/* "fail" where one has failed, else "warn", else "ok". */
static const char *worst(struct json_object *checks)
{
	const char *worst = doctor_state_names[DOCTOR_OK];

	for (size_t i = 0; i < answer_length(checks); i++) {
		const char *state = answer_text(answer_at(checks, i), "state");

		if (!strcmp(state, doctor_state_names[DOCTOR_FAIL]))
			return doctor_state_names[DOCTOR_FAIL];
		if (!strcmp(state, doctor_state_names[DOCTOR_WARN]))
			worst = doctor_state_names[DOCTOR_WARN];
	}
	return worst;
}

static void show_json(struct json_object *checks)
{
	_cleanup_(answer_freep) struct json_object *o = render_json_new(true);

	json_object_object_add(o, "checks", json_object_get(checks));
	render_json(o);
}

static int run(const struct command_line *line)
{
	_cleanup_(doctor_deinit) struct doctor d = { 0 };
	const char *state;

	doctor_look(&d);
	state = worst(d.checks);
	if (line->json)
		show_json(d.checks);
	else if (line->quiet)
		printf("%s\n", state);
	else
		for (size_t i = 0; i < answer_length(d.checks); i++)
			show(answer_at(d.checks, i));
	return strcmp(state, doctor_state_names[DOCTOR_FAIL]) ? 0
							      : outcome_row(OUTCOME_NO)->exit_code;
}

#define DESCRIBE(function, id, what) "  " id ": " what "\n"

const struct command cmd_doctor = {
	.name = "doctor",
	.arguments = "",
	.summary = "say what makes pd's answers worse here, and the command that mends it",
	.details =
		"One line for each check: ok, warn, fail or skip, what was looked at, and below a\n"
		"warn or fail the command that mends it.  It changes nothing and starts no "
		"daemon.\n"
		"Exit code 1 only where something fails; -q prints the worst state.\n"
		"\nChecks\n" DOCTOR_CHECKS(DESCRIBE, DESCRIBE),
	.examples = "  pd doctor\n"
		    "  pd doctor -j | jq '.checks[] | select(.state != \"ok\")'\n",
	.leaves_daemons = true,
	.run = run,
};
