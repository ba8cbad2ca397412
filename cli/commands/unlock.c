/* SPDX-License-Identifier: MIT */
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/commands/locking.h"
#include "cli/render/render.h"

static int run(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct locking l;
	int r = locking_read(line, &l);

	r = r ?: locking_release(&l, command_value(line, "force") != NULL, 0, &answer);
	if (r)
		return r;
	if (line->json) {
		render_json(answer);
		return 0;
	}
	if (line->quiet)
		return 0;
	render_text(TONE_PLAIN, "%s unlocked", answer_text(answer, "name"));
	if (answer_bool(answer, "forced"))
		render_text(TONE_WARN, ", taken from %s", answer_text(answer, "holder"));
	render_newline();
	return 0;
}

const struct command cmd_unlock = {
	.name = "unlock",
	.arguments = "LOCK [--machine | --user USER] [--force] [--holder ID]",
	.summary = "give a lock back, or take it away from who holds it",
	.details =
		"Your own lock is one that this shell or script has taken, or that has your holder's\n"
		"name (see pd lock).  Everybody else's needs --force, which is written to the log\n"
		"together with who did it; another user's lock is for that user and root alone.\n"
		"The name is your own, or with --machine that of everybody (see pd lock).\n"
		"Exit code 5 where it is not allowed, 1 where nobody holds the lock.\n",
	.examples = "  pd unlock db-migrations\n"
		    "  pd unlock db-migrations --force\n",
	.min_args = 1,
	.max_args = 1,
	.options = {
		{ "force", 'f', NULL, "also when somebody else holds it" },
		{ "machine", 0, NULL, "the one lock of that name for everybody on this machine" },
		{ "user", 0, "USER", "that user's lock, for root" },
		{ "holder", 0, "ID", "the holder's name that the lock was taken with" },
		{ NULL },
	},
	.run = run,
};
