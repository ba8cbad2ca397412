/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/moment.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/render/render.h"

#define LINE_SIZE	256
#define NAMES_SHOWN	4    /* of sessions; the others are counted */
#define LOCK_NAMES_SIZE 1200 /* the names that the daemon sends, of full length */

/* What is in force pd doctor says; here stands that nothing is. */
static void show_sandbox(struct json_object *sandbox)
{
	struct json_object *missing = answer_member(sandbox, "missing");

	/* an older daemon does not tell */
	if (sandbox && !answer_bool(sandbox, "systemCalls"))
		render_field("", TONE_WARN, false, "it has every system call: %s",
			     answer_length(missing) ? answer_item_text(missing, 0) : "");
}

static void show_daemon(struct json_object *daemon)
{
	char uptime[16];

	render_field("Daemon", TONE_GOOD, true, "Running (pid %d, %s uptime)",
		     (int)answer_int(daemon, "pid"),
		     duration_format_short(answer_int(daemon, "uptime"), uptime));
	show_sandbox(answer_member(daemon, "sandbox"));
}

/* One line for a probe that does not work: which, why, and what is therefore not seen. */
static void show_probe(struct json_object *probe)
{
	const char *state = answer_text(probe, "state");
	const char *reason = answer_text(probe, "reason");

	if (strcmp(state, "works") == 0)
		return;
	render_field("", TONE_WARN, false, "%s is %s%s%s: %s", answer_text(probe, "name"), state,
		     *reason ? ", " : "", reason, answer_text(probe, "blind"));
}

/* By what refused calls are seen; an older daemon does not say. */
static void show_trace(struct json_object *kernel)
{
	const char *trace = answer_text(kernel, "trace"), *unseen = answer_text(kernel, "unseen");

	if (*trace)
		render_field("", TONE_PLAIN, false, "traced by %s%s%s", trace,
			     *unseen ? "; not seen: " : "", unseen);
}

static void show_kernel(struct json_object *kernel)
{
	struct json_object *probes = answer_member(kernel, "probes");
	long long working = (long long)answer_int(kernel, "working");
	long long total = (long long)answer_int(kernel, "total");
	long long lost = (long long)answer_int(kernel, "lost");
	const char *why_not = answer_text(kernel, "whyNot");

	if (strcmp(answer_text(kernel, "mode"), "bpf") != 0) {
		render_field("Kernel", TONE_WARN, true, "Polling once a second%s%s",
			     *why_not ? ": " : "", why_not);
		return;
	}
	render_field("Kernel", working == total && !lost ? TONE_GOOD : TONE_WARN, true,
		     "eBPF (%lld of %lld probes, %lld events lost)", working, total, lost);
	show_trace(kernel);
	for (size_t i = 0; i < answer_length(probes); i++)
		show_probe(answer_at(probes, i));
	if (answer_bool(kernel, "behind"))
		render_field("", TONE_WARN, false,
			     "events were lost; the table of sockets is being read anew");
}

/* As the daemon says, with a capital; an older one knows healthy and damaged only. */
static const char *state_of(struct json_object *database, char ret[16])
{
	snprintf(ret, 16, "%s", answer_text(database, "state"));
	if (!*ret)
		snprintf(ret, 16, "%s", answer_bool(database, "healthy") ? "healthy" : "damaged");
	return ret;
}

static void show_database(struct json_object *database)
{
	bool healthy = answer_bool(database, "healthy");
	const char *detail = answer_text(database, "detail");
	const char *path = answer_text(database, "path");
	char state[16];

	state_of(database, state);
	state[0] = (char)toupper((unsigned char)state[0]);
	if (healthy && *detail) {
		render_field("Database", TONE_WARN, true, "%s (%s)", state, path);
		render_field("", TONE_WARN, false, "%s", detail);
		return;
	}
	/* a sentence about the file names it */
	if (*detail && strstr(detail, path))
		render_field("Database", TONE_BAD, true, "%s: %s", state, detail);
	else
		render_field("Database", healthy ? TONE_GOOD : TONE_BAD, true, "%s (%s)%s%s", state,
			     path, *detail ? ": " : "", detail);
}

static void show_protected(long long n, long long lost)
{
	if (lost)
		render_field("", TONE_WARN, false,
			     "anybody can bind %lld of %lld protected ports: this daemon, or "
			     "the kernel, refuses nobody",
			     lost, n);
	else if (n)
		render_field("", TONE_PLAIN, false, "%lld protected", n);
}

static void show_services(struct json_object *services)
{
	static const struct {
		const char *key, *one, *many;
	} kinds[] = {
		{ "active", "active", "active" },	 { "claimed", "claimed", "claimed" },
		{ "stale", "stale", "stale" },		 { "ghost", "ghost", "ghosts" },
		{ "orphaned", "orphaned", "orphaned" },	 { "squatted", "squatted", "squatted" },
		{ "orphans", "unclaimed", "unclaimed" },
	};
	char line[LINE_SIZE] = "";
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		long long n = (long long)answer_int(services, kinds[i].key);

		if (n > 0)
			used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%lld %s",
						 used ? ", " : "", n,
						 n == 1 ? kinds[i].one : kinds[i].many);
	}
	render_field("Services", TONE_PLAIN, false, "%s", used ? line : "none yet");
	show_protected((long long)answer_int(services, "protected"),
		       (long long)answer_int(services, "protectionLost"));
}

/* "2 active (Agent 1, Agent 2), 1 stalled" */
static void show_sessions(struct json_object *sessions)
{
	struct json_object *names = answer_member(sessions, "names");
	long long active = (long long)answer_int(sessions, "active");
	long long stalled = (long long)answer_int(sessions, "stalled");
	char line[LINE_SIZE] = "", more[32] = "", stuck[32] = "";
	size_t n = answer_length(names), used = 0, i;

	for (i = 0; i < n && i < NAMES_SHOWN && used < sizeof(line); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", i ? ", " : "",
					 answer_item_text(names, i));
	if (active > (long long)i)
		snprintf(more, sizeof(more), ", +%lld", active - (long long)i);
	if (stalled)
		snprintf(stuck, sizeof(stuck), "%s%lld stalled", active ? ", " : "", stalled);
	if (active)
		render_field("Sessions", TONE_PLAIN, false, "%lld active (%s%s)%s", active, line,
			     more, stuck);
	else
		render_field("Sessions", TONE_PLAIN, false, "%s", stalled ? stuck : "none");
}

/* "1 active (db-migrations)" */
static void show_locks(struct json_object *locks)
{
	struct json_object *list = answer_member(locks, "names");
	long long n = (long long)answer_int(locks, "held");
	char names[LOCK_NAMES_SIZE] = "";
	size_t used = 0;

	for (size_t i = 0; i < answer_length(list) && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
					 answer_item_text(list, i));
	if (n > 0)
		render_field("Locks", TONE_PLAIN, false, "%lld active (%s%s)", n, names,
			     (size_t)n > answer_length(list) ? ", ..." : "");
	else
		render_field("Locks", TONE_PLAIN, false, "none");
}

static void show_activity(struct json_object *activity)
{
	long long recent = (long long)answer_int(activity, "recent");

	render_field("Activity", TONE_PLAIN, false, "%lld event%s in last 5 minutes", recent,
		     recent == 1 ? "" : "s");
}

static void show(struct json_object *status)
{
	static const struct {
		const char *key, *title;
		void (*show)(struct json_object *part);
	} parts[] = {
		{ "daemon", "Daemon", show_daemon },
		{ "kernel", "Kernel", show_kernel },
		{ "database", "Database", show_database },
		{ "services", "Services", show_services },
		{ "locks", "Locks", show_locks },
		{ "sessions", "Sessions", show_sessions },
		{ "activity", "Activity", show_activity },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct json_object *part = answer_member(status, parts[i].key);
		const char *fault = answer_text(part, "fault");

		if (*fault)
			render_field(parts[i].title, TONE_BAD, true, "Unknown: %s", fault);
		else
			parts[i].show(part);
	}
}

static int run(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *status = NULL;
	int r = answer_get(line->json, "GET", "/v1/status", NULL, &status);
	struct json_object *database;
	char state[16];
	bool healthy;

	if (r)
		return r;
	database = answer_member(status, "database");
	healthy = answer_bool(database, "healthy");
	if (line->json)
		render_json(status);
	else if (line->quiet)
		printf("%s\n", healthy ? "ok" : state_of(database, state));
	else
		show(status);
	return healthy ? 0 : outcome_row(OUTCOME_NO)->exit_code;
}

const struct command cmd_status = {
	.name = "status",
	.arguments = "",
	.summary = "show how the daemon, the kernel's probes and the services are",
	.details =
		"Names every probe that the kernel refused, and what is therefore not seen.\n"
		"Exit code 1 when the database is damaged, has no room, or is not the file at its "
		"path\n"
		"any more: claims are refused then, and the line of the database says what to "
		"do.\n",
	.examples = "  pd status\n"
		    "  pd status -j | jq .kernel\n",
	.run = run,
};
