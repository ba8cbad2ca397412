/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/moment.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/commands/locking.h"
#include "cli/render/render.h"

/* "45 seconds", as a person says it; longer ones as everywhere. */
static void words_of_duration(int64_t s, char *ret, size_t size)
{
	char text[32];

	if (s < 60)
		snprintf(ret, size, "%" PRId64 " second%s", s, s == 1 ? "" : "s");
	else
		snprintf(ret, size, "%s", duration_format_long(s, text));
}

static void show_held(struct json_object *lock)
{
	int64_t now = (int64_t)time(NULL), left = answer_int(lock, "expiresAt") - now;
	struct json_object *waiters = answer_member(lock, "waiters"),
			   *first = answer_at(waiters, 0);
	size_t waiting = answer_length(waiters);
	char text[512], duration[32];

	render_line(TONE_PLAIN, "Status: HELD");
	render_line(TONE_PLAIN, "Holder: %s", answer_text(lock, "holder"));
	words_of_duration(now - answer_int(lock, "acquiredAt"), text, sizeof(text));
	render_line(TONE_PLAIN, "Duration: %s", text);
	if (answer_has(lock, "ttl"))
		render_line(TONE_PLAIN, "TTL: %s remaining",
			    duration_format_long(left > 0 ? left : 0, duration));
	else
		render_line(TONE_PLAIN, "TTL: none, it ends with its process");
	if (answer_has(lock, "pid"))
		render_line(TONE_PLAIN, "Process: %s (pid %d, user %s)",
			    answer_text(lock, "process"), (int)answer_int(lock, "pid"),
			    answer_text(lock, "user"));
	else
		render_line(TONE_PLAIN, "Process: none, it ends with its time (user %s)",
			    answer_text(lock, "user"));
	render_line(TONE_PLAIN, "Fence: %" PRId64, answer_int(lock, "fence"));
	if (waiting)
		render_line(TONE_PLAIN, "Waiting: %zu, first %s (pid %d)", waiting,
			    answer_text(first, "holder"), (int)answer_int(first, "pid"));
}

static int show_status(const struct locking *l)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *lock;
	char path[512];
	int r;

	if (locking_path(l, path, sizeof(path)) < 0)
		return render_usage_error(l->line, "the name is too long");
	r = answer_get(l->line->json, "GET", path, NULL, &answer);
	if (r)
		return r;
	lock = answer_at(answer_member(answer, "locks"), 0);
	if (l->line->json)
		render_json(answer);
	else if (l->line->quiet)
		printf("%s\n", answer_bool(lock, "held") ? "held" : "available");
	else if (answer_bool(lock, "held"))
		show_held(lock);
	else
		render_line(TONE_PLAIN, "Status: AVAILABLE");
	return 0;
}

/* Whose the lock will be, where whoever runs pd may end with this command. */
static void say_who_has_it_then(struct json_object *answer)
{
	int pid = (int)answer_int(answer, "successorPid");
	char then[128], ttl[32];

	if (!answer_bool(answer, "shortLived"))
		return;
	if (pid)
		snprintf(then, sizeof(then), "the lock is that of %s (pid %d)",
			 answer_text(answer, "successor"), pid);
	else if (answer_has(answer, "ttl"))
		snprintf(then, sizeof(then), "the lock is nobody's and ends after %s",
			 duration_format_long(answer_int(answer, "ttl"), ttl));
	else
		snprintf(then, sizeof(then), "nobody holds the lock; --ttl keeps it");
	render_note("if %s (pid %d) ends with this command, %s", answer_text(answer, "process"),
		    (int)answer_int(answer, "pid"), then);
}

static int acquire(const struct locking *l)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	int r = locking_acquire(l, &answer);

	if (r)
		return r;
	if (l->line->json) {
		render_json(answer);
	} else if (l->line->quiet) {
		printf("%" PRId64 "\n", answer_int(answer, "fence"));
	} else {
		render_text(TONE_PLAIN, "%s locked by %s (fence %" PRId64 ")",
			    answer_text(answer, "name"), answer_text(answer, "holder"),
			    answer_int(answer, "fence"));
		if (answer_bool(answer, "existing"))
			render_text(TONE_DIM, " (already yours)");
		render_newline();
		say_who_has_it_then(answer);
	}
	return 0;
}

static int run(const struct command_line *line)
{
	struct locking l;
	int r = locking_read(line, &l);

	if (r)
		return r;
	if (!command_value(line, "status") && l.user)
		return render_usage_error(line,
					  "--user looks at another user's lock: it needs --status");
	if (!command_value(line, "status"))
		return acquire(&l);
	if (l.ttl || l.waits || command_value(line, "holder"))
		return render_usage_error(line,
					  "--status only looks; it excludes the other options");
	return show_status(&l);
}

const struct command cmd_lock = {
	.name = "lock",
	.arguments = "LOCK [--machine] [--ttl DUR] [--wait[=DUR]] [--holder ID] | --status LOCK",
	.summary = "take a lock for the script or shell that runs this",
	.details =
		"The lock belongs to the process that ran pd, a script or an interactive shell, and\n"
		"ends with it, within moments and however it ends; or by pd unlock; or after --ttl.\n"
		"What ends with its command (sh -c, timeout, sudo, xargs, a pipe) passes it on to who\n"
		"is above and lasts, or leaves it to --ttl; both are said.\n"
		"Taken again by the same process it is renewed.  Where it is held, pd says by whom\n"
		"and exits with 4; with --wait it waits, first come, first served, for at most DUR.\n"
		"\n"
		"Names are your own: another user's lock of the same name is another lock.  The one\n"
		"that all users of this machine share is meant with --machine, here and in pd unlock\n"
		"and pd with-lock.\n"
		"\n"
		"Each grant has a fencing number that only grows (-q prints it): hand it to what the\n"
		"lock protects, and let that refuse smaller ones.\n"
		"\n"
		"The holder's name is --holder, else $PORT_DADDY_SESSION, else $PORT_DADDY_SERVICE,\n"
		"else the service that was claimed in this shell, terminal or directory, else user\n"
		"and program.\n",
	.examples = "  pd lock db-migrations --ttl 5m\n"
		    "  pd lock db-migrations --wait=30s || exit\n"
		    "  pd lock --status db-migrations\n"
		    "  pd lock --machine apt --wait\n"
		    "  FENCE=$(pd lock deploy -q)\n",
	.min_args = 1,
	.max_args = 1,
	.options = {
		{ "ttl", 0, "DUR", "it ends after this time at the latest: 45s, 30m, 2h30m, 1d" },
		{ "wait", 0, "[=DUR]", "wait until it is free, for at most DUR" },
		{ "holder", 0, "ID", "the holder's name that others are shown" },
		{ "machine", 0, NULL, "the one lock of that name for everybody on this machine" },
		{ "user", 0, "USER", "with --status: that user's lock" },
		{ "status", 0, NULL, "show who holds it, since when and for how long" },
		{ NULL },
	},
	.run = run,
};
