/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/identity.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/command.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define BROWSER_WORDS_MAX 16
#define BROWSER_MAX_BYTES 1024

extern char **environ;

/* --- which service --- */

static int say_not_there(const struct command_line *line, const char *match, bool by_port)
{
	return render_fail(
		line->json, OUTCOME_NO,
		by_port ? "no service has port %s; what is on it: pd why %s"
			: "no service is called '%s'; those that there are: pd find --url",
		match, match);
}

/* Of what nothing of the service's own serves, a browser would show an error, or somebody else's.
 */
static int say_not_serving(const struct command_line *line, struct json_object *service)
{
	return render_fail(line->json, OUTCOME_NO, "%s is %s, there is nothing to open: %s",
			   answer_text(service, "id"), answer_text(service, "status"),
			   answer_text(service, "reason"));
}

/* *ret_answer has the one service that is meant as services[0]. */
static int find_service(const struct command_line *line, struct json_object **ret_answer)
{
	char id[IDENTITY_MAX + 1];
	static const struct answer_rule rules[] = {
		{ "services", "port", ANSWER_PORT },
		{ "services", "id", ANSWER_SERVICE },
		{ "services", "status", ANSWER_WORD },
	};
	const char *match = line->args[0] + (line->args[0][0] == ':');
	bool by_port = strspn(match, "0123456789") == strlen(match);
	struct client_param params[] = { { "pattern", by_port ? NULL : config_meant_id(match, id) },
					 { "port", by_port ? match : NULL } };
	char path[PATTERN_MAX * 3 + 64];
	int r;

	if (client_path("/v1/services", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		return render_usage_error(line, "the name is too long");
	r = answer_get_list(line->json, path, 1, ret_answer);
	r = r ?: answer_check(line->json, *ret_answer, rules, ARRAY_SIZE(rules));
	if (!r && !answer_length(answer_member(*ret_answer, "services")))
		r = say_not_there(line, match, by_port);
	return r;
}

/* --- which browser --- */

/* $BROWSER is a list of commands with colons between; the first is taken, "%s" is the URL's place.
 */
static bool read_browser(const char *url, char *text, char *ret_words[BROWSER_WORDS_MAX + 2])
{
	const char *browser = getenv("BROWSER");
	bool has_place = false;
	int n = 0;

	if (!browser || !*browser)
		browser = "xdg-open";
	snprintf(text, BROWSER_MAX_BYTES, "%.*s", (int)strcspn(browser, ":"), browser);
	for (char *word = strtok(text, " \t"); word && n < BROWSER_WORDS_MAX;
	     word = strtok(NULL, " \t")) {
		bool is_place = strcmp(word, "%s") == 0;

		ret_words[n++] = is_place ? (char *)url : word;
		has_place |= is_place;
	}
	if (!has_place)
		ret_words[n++] = (char *)url;
	ret_words[n] = NULL;
	return n > 1 || has_place;
}

/* Its stdout is our stderr: what we print there is the URL.  0, or an errno. */
static int start(char *const words[], pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return r;
	r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	r = r ?: posix_spawnp(ret_pid, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Without a shell: $BROWSER is split at blanks, and nothing else in it means anything. */
static int open_url(const struct command_line *line, const char *url)
{
	char text[BROWSER_MAX_BYTES];
	char *words[BROWSER_WORDS_MAX + 2];
	int r = EINVAL, status = 0;
	bool is_missing;
	pid_t pid;

	if (read_browser(url, text, words))
		r = start(words, &pid);
	while (!r && waitpid(pid, &status, 0) < 0)
		r = errno == EINTR ? 0 : errno;
	/* EACCES: of a directory of $PATH that may not be looked into */
	is_missing = r == ENOENT || r == EACCES;
	if (r && getenv("BROWSER") && *getenv("BROWSER"))
		return render_fail(line->json, OUTCOME_FAILED,
				   "the browser of $BROWSER, '%s', cannot be started: %s; the URL "
				   "is %s",
				   words[0], strerror(r), url);
	if (r)
		return render_fail(line->json, OUTCOME_FAILED,
				   "no browser to open it with: $BROWSER is not set, and xdg-open "
				   "%s%s; the URL is %s",
				   is_missing ? "is not installed" : "cannot be started: ",
				   is_missing ? "" : strerror(r), url);
	if (!status)
		return 0;
	return render_fail(line->json, OUTCOME_FAILED,
			   "%s could not open it (%s %d); the URL is %s", words[0],
			   WIFSIGNALED(status) ? "signal" : "exit code",
			   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), url);
}

/* --- the command --- */

static void print_json(struct json_object *service, const char *url)
{
	_cleanup_(answer_freep) struct json_object *o = render_json_new(true);

	json_object_object_add(o, "id", json_object_get(answer_member(service, "id")));
	json_object_object_add(o, "port", json_object_new_int64(answer_int(service, "port")));
	json_object_object_add(o, "url", json_object_new_string(url));
	render_json(o);
}

static int run(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	char url[SHOW_URL_SIZE];
	struct json_object *service;
	const char *status;
	bool by_port = line->args[0][0] == ':';
	int r = by_port ? check_match(line, line->args[0]) : check_identity(line, line->args[0]);

	r = r ?: find_service(line, &answer);
	if (r)
		return r;
	service = answer_at(answer_member(answer, "services"), 0);
	status = answer_text(service, "status");
	if (strcmp(status, "active") != 0 && strcmp(status, "orphaned") != 0)
		return say_not_serving(line, service);
	show_url(service, url);
	if (line->quiet)
		printf("%s\n", url);
	fflush(stdout);
	r = open_url(line, url);
	if (!r && line->json)
		print_json(service, url);
	return r;
}

const struct command cmd_open = {
	.name = "open",
	.arguments = "ID|PORT|:PORT",
	.summary = "open a service in the browser",
	.details = "The browser is $BROWSER, else what xdg-open takes.  -q and -j print the URL, "
		   "too;\n"
		   "the URLs of all services: pd find --url.  Exit code 1 where there is no\n"
		   "such service or nothing of it listens, 6 where no browser could be started.\n",
	.examples = "  pd open shop:web\n"
		    "  BROWSER=w3m pd open :5742\n",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
