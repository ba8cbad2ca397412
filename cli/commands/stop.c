/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own_pd.h"
#include "base/procfs.h"
#include "base/user.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/render/render.h"
#include "cli/supervise/ending.h"
#include "cli/supervise/hardcoded.h"
#include "cli/supervise/stopping.h"

#define GRACE_DEFAULT_US (5 * 1000000)

struct stop {
	const struct command_line *line;
	struct stopping target;
	bool kill, dry_run, yes;
	int64_t grace_us;
	struct ending e;
	bool free;
	bool is_protected; /* free for its own runs alone */
};

/* --- who is to be ended --- */

static int look(struct ending *e, void *user_data)
{
	struct stop *s = user_data;
	int r = stopping_look_at_runs(&s->target);

	for (size_t i = 0; !r && i < s->target.n; i++) {
		const struct stopping_process *p = &s->target.list[i];

		if (!p->spared)
			r = ending_add(e, &p->id, p->comm, p->generation);
	}
	return r;
}

static void tell(const struct ending_process *p, int signal, void *user_data)
{
	const struct stop *s = user_data;

	if (s->line->json)
		return;
	if (signal == 0)
		render_note("%.16s (pid %d) is another user's and was not signalled", p->comm,
			    p->id.pid);
	else if (signal < 0)
		render_note("%.16s (pid %d) does not end", p->comm, p->id.pid);
	else if (signal == SIGKILL && !s->kill)
		render_note("%.16s (pid %d) did not end within its grace: SIGKILL", p->comm,
			    p->id.pid);
}

/* --- before --- */

static void tell_spared(const struct stop *s)
{
	for (size_t i = 0; i < s->target.n; i++) {
		const struct stopping_process *p = &s->target.list[i];

		if (p->spared)
			render_note("%.16s (pid %d) is not ended: %s", p->comm, p->id.pid,
				    p->spared);
	}
}

static size_t count_targets(const struct stop *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->target.n; i++)
		n += !s->target.list[i].spared;
	return n;
}

/* All or nothing: what may not be signalled by the caller is found out before anybody is. */
static int check_rights(const struct stop *s)
{
	for (size_t i = 0; i < s->target.n; i++) {
		const struct stopping_process *p = &s->target.list[i];
		char pd[OWN_PD_SIZE];

		if (p->spared || !kill(p->id.pid, 0) || errno != EPERM)
			continue;
		return render_fail(
			s->line->json, OUTCOME_NOT_ALLOWED,
			"%.16s (pid %d) belongs to user %s; nothing was signalled: with root's "
			"rights, %s stop %.100s",
			p->comm, p->id.pid,
			p->uid == PROCESS_UID_UNKNOWN ? "root or another" : user_name(p->uid),
			own_pd_sudo(pd), s->line->args[0]);
	}
	return 0;
}

static void show_plan(const struct stop *s)
{
	for (size_t i = 0; i < s->target.n; i++) {
		const struct stopping_process *p = &s->target.list[i];

		if (!p->spared)
			render_note("  %.16s (pid %d)%s%s", p->comm, p->id.pid, *p->why ? ", " : "",
				    p->why);
	}
}

static bool ask(const struct stop *s)
{
	char answer[16] = "";

	render_note("%s is held by processes that are not of your own claims or runs:",
		    s->target.name);
	show_plan(s);
	fprintf(stderr, "pd: end %s? [y/N] ", count_targets(s) == 1 ? "it" : "them");
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}

/* 0 when it may go on. */
static int confirm(struct stop *s)
{
	int r;

	if (s->target.own || s->yes)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return render_fail(s->line->json, OUTCOME_CONFLICT,
				   "%s is held by %.16s (pid %d), which is not of your own claims "
				   "or runs; say -y to end it all the same",
				   s->target.name, s->target.list[0].comm,
				   s->target.list[0].id.pid);
	if (!ask(s))
		return render_fail(s->line->json, OUTCOME_NO, "nothing was signalled");
	/* the answer may have taken its time */
	r = stopping_has_changed(&s->target);
	if (r)
		return render_fail(
			s->line->json, OUTCOME_CONFLICT,
			"who holds it has changed meanwhile, and nothing was signalled; look "
			"again: pd stop");
	return 0;
}

/* --- afterwards --- */

static struct json_object *view(const struct ending_process *p)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "pid", json_object_new_int(p->id.pid));
	json_object_object_add(o, "comm", json_object_new_string(p->comm));
	json_object_object_add(
		o, "signal",
		p->signal ? json_object_new_string(p->signal == SIGKILL ? "SIGKILL" : "SIGTERM")
			  : NULL);
	return o;
}

static void show_json(const struct stop *s)
{
	_cleanup_(answer_freep) struct json_object *o = render_json_new(true);
	struct json_object *stopped = json_object_new_array(), *left = json_object_new_array();

	json_object_object_add(o, "port",
			       s->target.port ? json_object_new_int(s->target.port) : NULL);
	json_object_object_add(o, "stopped", stopped);
	json_object_object_add(o, "left", left);
	for (size_t i = 0; i < s->e.n; i++)
		json_object_array_add(s->e.list[i].fate == ENDING_ENDED ? stopped : left,
				      view(&s->e.list[i]));
	json_object_object_add(o, "free", json_object_new_boolean(s->free));
	json_object_object_add(o, "dryRun", json_object_new_boolean(s->dry_run));
	json_object_object_add(o, "restartedBy", json_object_get(s->target.restarted_by));
	render_json(o);
}

static void show(const struct stop *s)
{
	size_t n = s->e.n - s->e.n_left;

	if (s->line->json) {
		show_json(s);
		return;
	}
	if (n == 1) {
		for (size_t i = 0; i < s->e.n; i++)
			if (s->e.list[i].fate == ENDING_ENDED)
				render_text(TONE_PLAIN, "%.16s (pid %d) ended", s->e.list[i].comm,
					    s->e.list[i].id.pid);
	} else {
		render_text(TONE_PLAIN, "%zu processes ended", n);
	}
	if (s->free && s->target.restarted_by)
		render_text(TONE_WARN, "; %.48s may start it again on port %u",
			    answer_text(s->target.restarted_by, "comm"), s->target.port);
	else if (s->target.port)
		render_text(s->free ? TONE_GOOD : TONE_BAD, "; port %u is %s", s->target.port,
			    s->is_protected ? "free for its own runs"
			    : s->free	    ? "free"
					    : "still taken");
	render_newline();
	if (!s->free)
		stopping_tell_who_holds_it(&s->target);
}

static int end(struct stop *s)
{
	int r;

	s->e = (struct ending){ .grace_ms = s->grace_us / 1000,
				.kill_at_once = s->kill,
				.look = look,
				.told = tell,
				.user_data = s };
	stopping_tell_runs(&s->target, "ending");
	r = ending_run(&s->e);
	if (r < 0)
		return render_fail(s->line->json, OUTCOME_FAILED, "%s", strerror(-r));
	s->free = stopping_await_free(&s->target, &s->is_protected);
	show(s);
	return s->e.n_left || !s->free ? outcome_row(OUTCOME_NO)->exit_code : 0;
}

static int say_nothing_to_end(const struct stop *s, const char *elsewhere)
{
	const struct stopping *t = &s->target;

	if (*t->hidden && !t->n)
		return render_fail(s->line->json, OUTCOME_NO,
				   "%s: a process of user %s that is hidden from here has it; pd "
				   "why %u says how it can be seen",
				   t->name, t->hidden, t->port);
	if (*t->near && !t->n)
		return render_fail(s->line->json, OUTCOME_NO, "%s: %s; did you mean %s?", t->name,
				   t->nobody, t->near);
	return render_fail(s->line->json, OUTCOME_NO, "%s: %s%s%s", t->name,
			   t->n ? "nothing of it is ended" : t->nobody, *elsewhere ? "; " : "",
			   elsewhere);
}

static int stop(struct stop *s)
{
	char elsewhere[HARDCODED_WORDS_SIZE] = "";
	bool by_port = s->target.port;
	int r = stopping_find(&s->target, s->line->json);

	if (r)
		return r;
	if (!s->line->json)
		tell_spared(s);
	if (by_port && hardcoded_words(s->target.port, "stop", elsewhere) && count_targets(s) &&
	    !s->line->json)
		render_note("%s", elsewhere);
	if (!count_targets(s))
		return say_nothing_to_end(s, elsewhere);
	stopping_tell_restarter(&s->target, s->line->json);
	if (s->dry_run && !s->line->json) {
		render_note("would be ended, the root first:");
		show_plan(s);
	}
	if (s->dry_run) {
		look(&s->e, s);
		if (s->line->json)
			show_json(s);
		return 0;
	}
	r = check_rights(s);
	r = r ?: confirm(s);
	return r ? r : end(s);
}

static int run(const struct command_line *line)
{
	struct stop s = { .line = line,
			  .kill = command_value(line, "kill"),
			  .dry_run = command_value(line, "dry-run"),
			  .yes = command_value(line, "yes"),
			  .grace_us = GRACE_DEFAULT_US };
	const char *grace = command_value(line, "grace");
	int r;

	if (!line->n_args)
		return render_usage_error(line, "say what to stop: pd stop 3000, pd stop shop:web; "
						"the daemon itself: pd daemon stop");
	r = grace ? check_fine_duration(line, "grace", grace, &s.grace_us) : 0;
	r = r ?: stopping_read(line, line->args[0], &s.target);
	r = r ?: stop(&s);
	ending_deinit(&s.e);
	stopping_deinit(&s.target);
	return r;
}

const struct command cmd_stop = {
	.name = "stop",
	.arguments = "PORT|ID|RUN [--kill] [--grace DUR] [--dry-run] [-y]",
	.summary = "end what holds a port, or what a service has started",
	.details =
		"Ends the processes that serve on a port, never its clients, and for a service the\n"
		"members of its runs as well: SIGTERM, the root of the tree first, and after the grace\n"
		"SIGKILL.  Each is signalled through a descriptor of its own, with your rights, after a\n"
		"look that it is still the one; none that this shell descends from is touched.  It is\n"
		"done when the port can be bound again.\n"
		"\n"
		"A container's port is not freed by its proxy's end: the engine's command is named, and\n"
		"so is whoever would start a process again.  Where a process is not of your own claims\n"
		"or runs, pd asks first, and without a terminal does nothing without -y.\n"
		"\n"
		"Exit codes: 0 all have ended and the port is free; 1 nobody has it, or it is still\n"
		"taken; 4 -y is needed, or its holder has changed; 5 another user's, and nothing was\n"
		"signalled.\n",
	.examples = "  pd stop 3000\n"
		    "  pd stop shop:web --grace 30s\n"
		    "  pd stop 3000 --dry-run\n",
	.max_args = 1,
	.options = {
		{ "kill", 0, NULL, "SIGKILL at once" },
		{ "grace", 0, "DUR", "between SIGTERM and SIGKILL (5s)" },
		{ "dry-run", 0, NULL, "say who would be ended, and end nobody" },
		{ "yes", 'y', NULL, "do not ask" },
		{ NULL },
	},
	.run = run,
};
