/* SPDX-License-Identifier: MIT */
#include "cli/completion/values.h"

#include <ctype.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/identity.h"
#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/client/client.h"
#include "cli/project/config.h"

#define PATH_SIZE     512
#define VALUE_SIZE    256
#define ABOUT_SIZE    160
#define SERVICES_ROWS "200" /* more than anybody looks through */

struct search {
	const struct command *const *table;
	const char *prefix;
	values_each each;
	void *user_data;
};

/* A name of a shell's: no shell replaces, splits or ends anything in it. */
static bool is_plain(const char *value)
{
	for (const char *c = value; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._:@-", *c))
			return false;
	return *value && *value != '-';
}

static void tell(const struct search *s, const char *value, const char *about)
{
	char fit[ABOUT_SIZE];

	if (is_plain(value) && text_begins_with(value, s->prefix))
		s->each(value, text_escape_terminal(about, fit, sizeof(fit)), s->user_data);
}

/* --- one function for each kind --- */

static void find_of_project(const struct search *s)
{
	_cleanup_(config_freep) struct config *config = NULL;
	char cwd[PATH_MAX], error[512];

	if (!getcwd(cwd, sizeof(cwd)) || config_find(cwd, &config, error, sizeof(error)) <= 0)
		return;
	for (size_t i = 0; i < config->n; i++)
		tell(s, config->services[i].name, config->services[i].id);
}

static void find_services(const struct search *s)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	char path[PATH_SIZE], pattern[VALUE_SIZE], about[ABOUT_SIZE];
	const struct client_param params[] = { { "pattern", *s->prefix ? pattern : NULL },
					       { "details", "no" },
					       { "n", SERVICES_ROWS } };
	struct json_object *list;

	/* another user's has "@USER" behind it, which is no part of a pattern */
	snprintf(pattern, sizeof(pattern), "%.*s*", (int)strcspn(s->prefix, "@"), s->prefix);
	if ((*s->prefix && !is_plain(s->prefix)) ||
	    client_path("/v1/services", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		return;
	answer = client_ask_running(path);
	list = answer_member(answer, "services");
	for (size_t i = 0; i < answer_length(list); i++) {
		struct json_object *service = answer_at(list, i);

		snprintf(about, sizeof(about), "%d, %s", (int)answer_int(service, "port"),
			 answer_text(service, "status"));
		tell(s, answer_text(service, "id"), about);
	}
}

static void find_names(const struct search *s)
{
	find_of_project(s);
	find_services(s);
}

static bool listens(struct json_object *socket)
{
	return answer_bool(socket, "ownNetns") &&
	       (!strcmp(answer_text(socket, "state"), "LISTEN") ||
		!strcmp(answer_text(socket, "proto"), "udp"));
}

/*
 * In the order of the daemon, which is that of the ports: the sockets of one follow each other.
 * One page: a machine with more sockets has more than a list helps with.
 */
static void find_ports_behind(const struct search *s, const char *colon)
{
	_cleanup_(answer_freep) struct json_object *answer =
		client_ask_running("/v1/sockets?details=no");
	struct json_object *list = answer_member(answer, "sockets");
	int64_t last = 0;

	for (size_t i = 0; i < answer_length(list); i++) {
		struct json_object *socket = answer_at(list, i);
		int64_t port = answer_int(socket, "port");
		const char *service = answer_text(socket, "service");
		char value[16];

		if (port == last || !listens(socket))
			continue;
		last = port;
		snprintf(value, sizeof(value), "%s%d", colon, (int)(port & UINT16_MAX));
		tell(s, value, *service ? service : answer_text(socket, "process"));
	}
}

static void find_ports(const struct search *s)
{
	if (!*s->prefix || isdigit((unsigned char)*s->prefix))
		find_ports_behind(s, "");
}

/* ":3000" is another way to write it: offered to who began so. */
static void find_colon_ports(const struct search *s)
{
	if (*s->prefix == ':')
		find_ports_behind(s, ":");
}

/* The members of a list's rows, under their names in the daemon's answer. */
static void find_rows(const struct search *s, const char *path, const char *list_name,
		      const char *value, const char *about)
{
	_cleanup_(answer_freep) struct json_object *answer = client_ask_running(path);
	struct json_object *list = answer_member(answer, list_name);

	for (size_t i = 0; i < answer_length(list); i++)
		tell(s, answer_text(answer_at(list, i), value),
		     answer_text(answer_at(list, i), about));
}

static void find_locks(const struct search *s)
{
	find_rows(s, "/v1/locks", "locks", "name", "holder");
}

static void find_sessions(const struct search *s)
{
	find_rows(s, "/v1/sessions", "sessions", "id", "purpose");
}

static void find_runs(const struct search *s)
{
	find_rows(s, "/v1/runs", "runs", "id", "service");
}

static void find_commands(const struct search *s)
{
	for (const struct command *const *c = s->table; *c; c++)
		tell(s, (*c)->name, (*c)->summary);
}

static void find_what(const struct search *s)
{
	find_services(s);
	find_locks(s);
	find_sessions(s);
}

/* A word that is missing here (DUR, PURPOSE, T) has no values that could be listed. */
static const struct {
	const char *kind;
	void (*find)(const struct search *s); /* NULL = `words` are all that there are */
	const char *words;
} kinds_known[] = {
	{ "ID", find_names },
	{ "PATTERN", find_names },
	{ "SERVICE", find_of_project },
	{ "PORT", find_ports },
	{ ":PORT", find_colon_ports },
	{ "RUN", find_runs },
	{ "LOCK", find_locks },
	{ "SESSION", find_sessions },
	{ "WHAT", find_what },
	{ "COMMAND", find_commands },
	{ "STATUS", NULL, "claimed|active|ghost|stale|orphaned|squatted|orphan" },
	{ "WHEN", NULL, "auto|always|never" },
};

/* True where another word of the line was of this kind already, as ID and PATTERN are. */
static bool was_asked(size_t kind, const bool asked[static ARRAY_SIZE(kinds_known)])
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds_known); i++)
		if (asked[i] && kinds_known[i].find &&
		    kinds_known[i].find == kinds_known[kind].find)
			return true;
	return false;
}

static void find_words(const struct search *s, const char *words)
{
	char word[VALUE_SIZE];

	for (; *words; words += *words == '|') {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(words, "|"), words);
		tell(s, word, "");
		words += strlen(word);
	}
}

static void find_one(const struct search *s, const char *kind,
		     bool asked[static ARRAY_SIZE(kinds_known)])
{
	if (islower((unsigned char)*kind))
		tell(s, kind, "");
	for (size_t i = 0; i < ARRAY_SIZE(kinds_known); i++) {
		if (strcmp(kinds_known[i].kind, kind) != 0)
			continue;
		if (kinds_known[i].words)
			find_words(s, kinds_known[i].words);
		else if (!was_asked(i, asked))
			kinds_known[i].find(s);
		asked[i] = true;
	}
}

void values_find(const struct command *const *table, const char *kinds, const char *prefix,
		 values_each each, void *user_data)
{
	const struct search s = { table, prefix, each, user_data };
	bool asked[ARRAY_SIZE(kinds_known)] = { false };
	char kind[VALUE_SIZE];

	for (; *kinds; kinds += *kinds == '|') {
		snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(kinds, "|"), kinds);
		find_one(&s, kind, asked);
		kinds += strlen(kind);
	}
}
