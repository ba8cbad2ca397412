/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/outcome.h"
#include "base/text.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/commands/project_services.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/render/service_line.h"
#include "cli/supervise/lines.h"
#include "cli/supervise/log_reader.h"

#define LINES_DEFAULT 100
#define LINES_MOST    10000000
#define US_PER_S      1000000

struct source {
	const struct config_service *service;
	struct log_reader reader;
	bool has_line;
};

struct logs {
	const struct command_line *line;
	struct source *sources;
	size_t n;
	int width; /* of the longest name */
	char shown[LINES_MAX_BYTES + SERVICE_LINE_EXTRA];
};

/* --- one line --- */

static void show_json(const struct source *s)
{
	_cleanup_(answer_freep) struct json_object *o = json_object_new_object();
	static char text[3 * LINES_MAX_BYTES + 1]; /* each byte may be none of UTF-8 */

	json_object_object_add(
		o, "at", json_object_new_string_len(s->reader.stamp, (int)LOG_FILE_STAMP_LEN - 1));
	json_object_object_add(o, "service", json_object_new_string(s->service->id));
	json_object_object_add(
		o, "line",
		json_object_new_string(text_to_utf8(s->reader.line, text, sizeof(text))));
	render_json_line(o);
}

static void show(struct logs *l, const struct source *s)
{
	size_t n = s->reader.n < LINES_MAX_BYTES ? s->reader.n : LINES_MAX_BYTES;

	if (l->line->json)
		show_json(s);
	else if (l->n == 1)
		printf("%.*s\n", (int)s->reader.n, s->reader.line);
	else
		fwrite(l->shown, 1,
		       service_line(s->service->name, l->width, s->reader.line, n, l->shown),
		       stdout);
}

/* --- all of them, in order --- */

static struct source *oldest(struct logs *l)
{
	struct source *found = NULL;

	for (size_t i = 0; i < l->n; i++) {
		struct source *s = &l->sources[i];

		if (!s->has_line)
			s->has_line = log_reader_next(&s->reader);
		if (s->has_line && (!found || strncmp(s->reader.stamp, found->reader.stamp,
						      LOG_FILE_STAMP_LEN) < 0))
			found = s;
	}
	return found;
}

/* Those that are there; without the first `skipped`. */
static void show_lines(struct logs *l, size_t skipped)
{
	struct source *s;

	for (; (s = oldest(l)); skipped -= skipped > 0) {
		if (!skipped)
			show(l, s);
		s->has_line = false;
	}
	fflush(stdout);
}

/* Until whoever reads has enough; a signal ends it, as it does tail -f. */
static int follow(struct logs *l)
{
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char directory[PATH_MAX];
	int r = fd < 0 ? -errno : log_file_directory(directory);

	if (!r && inotify_add_watch(fd, directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		r = -errno;
	while (!r) {
		static char events[4096] __attribute__((aligned(8)));
		struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = STDOUT_FILENO } };

		/* what came before the watch is there as well */
		show_lines(l, 0);
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			r = -errno;
		if (fds[1].revents & (POLLERR | POLLHUP))
			return 0;
		while (read(fd, events, sizeof(events)) > 0)
			;
	}
	return render_fail(l->line->json, OUTCOME_FAILED, "%s", strerror(-r));
}

/* --- the command line --- */

static int open_sources(struct logs *l, const struct config *config, const bool *wanted,
			size_t last, const char *since, size_t *ret_lines)
{
	for (size_t i = 0; i < config->n; i++) {
		struct source *s = &l->sources[l->n];
		int r;

		if (!wanted[i])
			continue;
		s->service = &config->services[i];
		l->n++;
		r = log_reader_open(&s->reader, s->service->id, last, since);
		if (r)
			return render_fail(l->line->json, OUTCOME_FAILED,
					   "the log of %s cannot be read: %s", s->service->id,
					   strerror(-r));
		*ret_lines += s->reader.n_lines;
		if ((int)strlen(s->service->name) > l->width)
			l->width = (int)strlen(s->service->name);
	}
	return 0;
}

static int show_logs(struct logs *l, const struct config *config, const bool *wanted, size_t last,
		     const char *since, bool follows)
{
	size_t lines = 0;
	int r = open_sources(l, config, wanted, last, since, &lines);

	if (r)
		return r;
	show_lines(l, lines > last ? lines - last : 0);
	if (follows)
		return follow(l);
	if (!lines && !since && !l->line->json)
		render_note("%s has written nothing since pd up started it, or was never started "
			    "by it; pd log is what pd itself did",
			    l->n == 1 ? l->sources[0].service->id : config->project);
	return lines ? 0 : outcome_row(OUTCOME_NO)->exit_code;
}

static int run(const struct command_line *line)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ struct source *sources = NULL;
	_cleanup_free_ bool *wanted = NULL;
	static struct logs l;
	const char *since = command_value(line, "since"), *count = command_value(line, "lines");
	char stamp[LOG_FILE_STAMP_SIZE];
	long n = LINES_DEFAULT;
	int64_t since_unix;
	int r = project_services(line, &config, &wanted);

	if (!r && count)
		r = check_count(line, "lines", count, LINES_MOST, &n);
	if (!r && since)
		r = check_moment(line, "since", since, time(NULL), &since_unix);
	if (r)
		return r;
	if (since)
		log_file_stamp(since_unix * US_PER_S, stamp);
	sources = render_must(calloc(config->n, sizeof(*sources)));
	l = (struct logs){ .line = line, .sources = sources };
	r = show_logs(&l, config, wanted, since && !count ? SIZE_MAX : (size_t)n,
		      since ? stamp : NULL, command_value(line, "follow"));
	for (size_t i = 0; i < l.n; i++)
		log_reader_close(&sources[i].reader);
	return r;
}

const struct command cmd_logs = {
	.name = "logs",
	.arguments = "[SERVICE]... [-f] [-n N] [--since T]",
	.summary = "what the services of a project wrote",
	.details =
		"What pd up's services of the nearest .portdaddyrc wrote, in the order of time: of all\n"
		"of them, or of those that are named, the last 100 lines or all since T.  A line\n"
		"\"[pd: run-0a1b2c3d begins]\" stands where a service was started anew.  Of each the last\n"
		"20 to 30 MB are kept, in logs/ of the state directory.\n"
		"\n"
		"What pd itself saw and did is pd log, without the s.\n",
	.examples = "  pd logs\n"
		    "  pd logs web -f\n"
		    "  pd logs web api --since 10m\n",
	.max_args = -1,
	.options = {
		{ "follow", 'f', NULL, "go on with what comes" },
		{ "lines", 'n', "N", "the last N lines of all that is shown (100)" },
		{ "since", 0, "T", "since then: 10m, 2:47am, yesterday 9pm" },
		{ NULL },
	},
	.run = run,
};
