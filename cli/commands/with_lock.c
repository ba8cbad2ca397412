/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/commands/locking.h"
#include "cli/render/render.h"
#include "cli/supervise/supervise.h"

/* Of the TTL: two renewals may fail before the lock is lost. */
#define RENEWALS_PER_TTL 3

struct guarded {
	struct locking locking;
	int64_t fence;
	bool lost;
	bool complained; /* of a renewal that failed */
};

static bool renew(void *user_data)
{
	struct guarded *g = user_data;
	_cleanup_(answer_freep) struct json_object *answer = NULL;

	if (locking_renew(&g->locking, g->fence, &g->lost, &answer)) {
		g->complained = false;
		return true;
	}
	if (g->lost) {
		render_note("%s; ending the command", answer_error_message(answer));
		return false;
	}
	if (!g->complained)
		render_note("%s was not renewed: %s", g->locking.name,
			    answer_error_message(answer));
	g->complained = true;
	return true;
}

static void set_environment(const struct guarded *g)
{
	char fence[32];

	snprintf(fence, sizeof(fence), "%" PRId64, g->fence);
	setenv("PORT_DADDY_LOCK", g->locking.name, 1);
	setenv("PORT_DADDY_LOCK_FENCE", fence, 1);
}

static void show_json(const struct guarded *g, int exit_code)
{
	_cleanup_(answer_freep) struct json_object *o = render_json_new(!g->lost);

	json_object_object_add(o, "name", json_object_new_string(g->locking.name));
	json_object_object_add(o, "fence", json_object_new_int64(g->fence));
	json_object_object_add(o, "exitCode", json_object_new_int(exit_code));
	json_object_object_add(o, "lost", json_object_new_boolean(g->lost));
	render_json(o);
}

/* A lock that was taken away while the command ran is worth a word, and it was not ours to end. */
static void give_back(struct guarded *g)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;

	if (g->lost)
		return;
	if (locking_release(&g->locking, false, g->fence, &answer))
		g->lost = true;
}

static int run_command(struct guarded *g)
{
	struct supervision s = {
		.argv = g->locking.line->args + 1, /* behind NAME */
		.every_ms = g->locking.ttl_s * 1000 / RENEWALS_PER_TTL,
		.fd = -1,
		.tick = renew,
		.user_data = g,
	};
	char words[SUPERVISE_WORDS_SIZE];
	bool ended_by_us;
	int code;

	set_environment(g);
	code = supervise(&s);
	if (code < 0)
		render_note("no process could be started: %s", strerror(-code));
	if (code < 0)
		code = outcome_row(OUTCOME_FAILED)->exit_code;
	else if (!g->lost && !g->locking.line->quiet && supervise_explain_end(&s, words))
		render_note("%s", words);
	ended_by_us = g->lost;
	give_back(g);
	if (g->locking.line->json)
		show_json(g, code);
	return ended_by_us ? outcome_row(OUTCOME_CONFLICT)->exit_code : code;
}

static int run(const struct command_line *line)
{
	struct guarded g = { 0 };
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	int r = locking_read(line, &g.locking);

	if (r)
		return r;
	g.locking.own = true;
	g.locking.program = basename(line->args[1]);
	r = locking_acquire(&g.locking, &answer);
	if (r)
		return r;
	g.fence = answer_int(answer, "fence");
	return run_command(&g);
}

const struct command cmd_with_lock = {
	.name = "with-lock",
	.arguments = "LOCK [--machine] [--ttl DUR] [--wait[=DUR]] [--holder ID] -- CMD [ARG]...",
	.summary = "run a command while holding a lock",
	.details =
		"The lock belongs to this pd and ends when CMD has.  With --ttl it is renewed for as long\n"
		"as CMD runs; where that fails for good (unlock --force), CMD gets SIGTERM and the\n"
		"exit code is 4.  CMD has the fencing number in $PORT_DADDY_LOCK_FENCE.\n"
		"\n"
		"The exit code is that of CMD, or 128 + N when signal N ended it; 127 when it was not\n"
		"found, 126 when it could not be run; 4 when the lock was held by somebody else.\n"
		"Signals are passed on.  When pd itself is killed with -9, CMD gets SIGTERM from the\n"
		"kernel, and the lock is held until all that CMD has started has ended (without\n"
		"eBPF it is free at once).\n",
	.examples = "  pd with-lock db-migrations -- npm run migrate\n"
		    "  pd with-lock deploy --wait=10m --ttl 1m -- ./deploy.sh\n",
	.min_args = 2,
	.max_args = -1,
	.options = {
		{ "ttl", 0, "DUR", "renewed within this time, or it ends: 45s, 30m" },
		{ "wait", 0, "[=DUR]", "wait until it is free, for at most DUR" },
		{ "machine", 0, NULL, "the one lock of that name for everybody on this machine" },
		{ "holder", 0, "ID", "the holder's name that others are shown" },
		{ NULL },
	},
	.run = run,
};
