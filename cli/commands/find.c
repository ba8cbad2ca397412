/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/identity.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/command.h"
#include "cli/commands/namesakes.h"
#include "cli/project/config.h"
#include "cli/render/find_view.h"
#include "cli/render/render.h"
#include "cli/render/show.h"
#include "cli/supervise/hardcoded.h"

DEFINE_CLEANUP(struct find_view *, find_view_free);

/* The statuses of the contract, and the rows without a claim, which the table calls "orphan". */
static const char *const statuses[] = {
	"claimed", "active", "ghost", "stale", "orphaned", "squatted", "ending", "orphan",
};

struct query {
	char id[IDENTITY_MAX + 1]; /* of the project's service that a name means */
	const char *pattern;	   /* NULL = all */
	const char *port;	   /* NULL = all; digits */
	const char *status;	   /* NULL = all */
	bool all, urls;
};

static int check_status(const struct command_line *line, const char *status)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (strcmp(statuses[i], status) == 0)
			return 0;
	return render_usage_error(line,
				  "--status '%.100s' is none of claimed, active, ghost, stale, "
				  "orphaned, squatted, ending, orphan",
				  status);
}

static int read_query(const struct command_line *line, struct query *q)
{
	const char *operand = line->n_args ? line->args[0] : NULL;
	int r = operand ? check_match(line, operand) : 0;

	*q = (struct query){
		.status = command_value(line, "status"),
		.all = command_value(line, "all") != NULL,
		.urls = command_value(line, "url") != NULL,
	};
	if (r)
		return r;
	if (operand && operand[0] == ':')
		q->port = operand + 1;
	else
		q->pattern = operand ? config_meant_id(operand, q->id) : NULL;
	if (q->all && q->urls)
		return render_usage_error(line, "--all and --url exclude each other: what a socket "
						"that is no service's speaks is not known");
	return q->status ? check_status(line, q->status) : 0;
}

/* The daemon selects services; of sockets it knows only the port as a question. */
static bool is_wanted(const struct query *q, struct json_object *socket)
{
	if (q->pattern && !pattern_match(q->pattern, answer_text(socket, "service")))
		return false;
	return !q->status || strcmp(q->status, answer_text(socket, "status")) == 0;
}

static void keep_wanted_sockets(struct json_object *answer, const struct query *q)
{
	struct json_object *list = answer_member(answer, "sockets");
	struct json_object *kept = json_object_new_array();

	for (size_t i = 0; i < answer_length(list); i++)
		if (is_wanted(q, answer_at(list, i)))
			json_object_array_add(kept, json_object_get(answer_at(list, i)));
	json_object_object_add(answer, "sockets", kept);
}

static int make_path(const struct query *q, const struct command_line *line, char *ret, int size)
{
	struct client_param params[] = {
		{ "pattern", q->all ? NULL : q->pattern },
		{ "port", q->port },
		{ "status", q->all ? NULL : q->status },
		{ "details",
		  line->json || q->urls ? NULL : "no" }, /* the table has no room for them */
	};

	if (client_path(q->all ? "/v1/sockets" : "/v1/services", params, ARRAY_SIZE(params), ret,
			size) < 0)
		return render_usage_error(line, "the pattern is too long");
	return 0;
}

static size_t count(struct json_object *answer, const struct query *q)
{
	if (q->all)
		return answer_length(answer_member(answer, "sockets"));
	return answer_length(answer_member(answer, "services")) +
	       answer_length(answer_member(answer, "orphans"));
}

/* Nothing was found: "no" when something was asked for, else an invitation. */
static int say_nothing_found(const struct query *q, bool json)
{
	int no = outcome_row(OUTCOME_NO)->exit_code;
	char namesakes[NAMESAKES_SIZE];

	if (!q->pattern && !q->port && !q->status) {
		if (!json)
			render_note("%s",
				    q->all ? "no socket listens on this machine"
					   : "nothing is claimed yet; try: pd claim myapp:web");
		return 0;
	}
	if (json)
		return no;
	if (q->port && !q->all)
		render_note("no service has port %s; what is on it: pd why %s", q->port, q->port);
	else if (q->port)
		render_note("nothing listens on port %s", q->port);
	else if (q->pattern && strspn(q->pattern, "0123456789") == strlen(q->pattern))
		render_note("no service is called '%s'; the port is: pd find :%s", q->pattern,
			    q->pattern);
	else if (q->pattern && !q->status && namesakes_find(q->pattern, namesakes))
		render_note("%s", namesakes);
	else if (q->pattern && q->status)
		render_note("no service that fits '%s' is %s", q->pattern, q->status);
	else if (q->pattern)
		render_note("no service fits '%s'", q->pattern);
	else
		render_note("no service is %s", q->status);
	return no;
}

static int check_answer(bool json, struct json_object *answer)
{
	static const struct answer_rule rules[] = {
		{ "services", "port", ANSWER_PORT },
		{ "services", "id", ANSWER_SERVICE },
		{ "orphans", "port", ANSWER_PORT },
		{ "sockets", "port", ANSWER_PORT },
	};

	return answer_check(json, answer, rules, ARRAY_SIZE(rules));
}

static void print_values(struct json_object *list, bool urls)
{
	char url[SHOW_URL_SIZE];

	for (size_t i = 0; i < answer_length(list); i++) {
		struct json_object *row = answer_at(list, i);

		if (urls)
			printf("%s\n", show_url(row, url));
		else
			printf("%d\n", (int)answer_int(row, "port"));
	}
}

/* What a script goes through are claims; orphans, where it asked for those. */
static const char *quiet_list(const struct query *q)
{
	if (q->all)
		return "sockets";
	return q->status && strcmp(q->status, "orphan") == 0 ? "orphans" : "services";
}

/* The list of all sockets is the daemon's table. */
static void say_whether_behind(struct json_object *answer)
{
	if (answer_bool(answer, "behind"))
		render_note("some sockets may be missing here: events were lost, and the table is "
			    "being read anew; ask again");
}

/* For scripts: JSON, or the ports alone; nothing is printed of an answer that is wrong somewhere.
 */
static int find_for_scripts(const struct query *q, const char *path, bool json, size_t *ret_n)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *list;
	int r = answer_get_list(json, path, 0, &answer);

	r = r ?: check_answer(json, answer);
	if (r)
		return r;
	if (q->all)
		keep_wanted_sockets(answer, q);
	*ret_n = count(answer, q);
	if (json) {
		render_json(answer);
		return 0;
	}
	list = answer_member(answer, quiet_list(q));
	*ret_n = answer_length(list);
	print_values(list, q->urls);
	say_whether_behind(answer);
	return 0;
}

struct listing {
	const struct query *q;
	struct find_view *view;
	size_t n;
};

static void add_row(const char *list, struct json_object *row, void *user_data)
{
	struct listing *l = user_data;

	if (l->q->all && !is_wanted(l->q, row))
		return;
	if (l->q->urls && strcmp(list, "services") != 0)
		return;
	l->n++;
	if (l->q->all)
		find_view_add_socket(l->view, row);
	else if (strcmp(list, "services") == 0)
		find_view_add_service(l->view, row);
	else
		find_view_add_orphan(l->view, row);
}

static int find_for_people(const struct query *q, const char *path, size_t *ret_n)
{
	_cleanup_(find_view_freep) struct find_view *view = find_view_new(q->all, q->urls);
	_cleanup_(answer_freep) struct json_object *rest = NULL;
	struct listing l = { .q = q, .view = view };
	int r = answer_list(false, path, add_row, &l, &rest);

	if (r)
		return r;
	if (l.n > 0)
		find_view_print(view);
	say_whether_behind(rest);
	*ret_n = l.n;
	return 0;
}

static int run(const struct command_line *line)
{
	char path[PATTERN_MAX * 3 + 128], elsewhere[HARDCODED_WORDS_SIZE];
	struct query q;
	size_t n;
	int r = read_query(line, &q);

	r = r ?: make_path(&q, line, path, sizeof(path));
	if (!r)
		r = line->json || line->quiet ? find_for_scripts(&q, path, line->json, &n)
					      : find_for_people(&q, path, &n);
	if (r)
		return r;
	if (!line->json && !line->quiet && q.port &&
	    hardcoded_words((uint16_t)atoi(q.port), "find", elsewhere))
		render_note("%s", elsewhere);
	return n > 0 ? 0 : say_nothing_found(&q, line->json);
}

const struct command cmd_find = {
	.name = "find",
	.arguments = "[PATTERN|:PORT] [--status S] [--url | --all]",
	.summary = "list services, their ports, and the processes behind them",
	.details =
		"Status, as the kernel has it:\n"
		"  claimed   nothing has listened on the port yet\n"
		"  active    a process that fits the claim listens\n"
		"  ghost     it was active, and nothing is on the port any more\n"
		"  stale     claimed or ghost, and nothing seen for 30 minutes\n"
		"  orphaned  what opened the port, or launched that, is gone; it is still held\n"
		"  squatted  a process that does not fit the claim holds the port\n"
		"  ending    its process was killed, and the kernel is still taking it apart\n"
		"  orphan    no claim at all: the row is called (unclaimed), one for each process\n"
		"Behind it: (protected), by pd claim --protect; (protection lost) where this daemon\n"
		"cannot have others refused, so that anybody can bind the port.\n"
		"\n"
		"Other users' rows come behind your own.  Exit code 1 when nothing fits.  -q prints\n"
		"the ports of the claims alone, with --url their URLs.\n",
	.examples = "  pd find\n"
		    "  pd find 'myapp:*'\n"
		    "  pd find :3000\n"
		    "  pd find --status ghost\n"
		    "  pd find --url\n"
		    "  pd find --all\n",
	.max_args = 1,
	.options = {
		{ "status", 's', "STATUS", "only services of this status" },
		{ "url", 'u', NULL, "also the URL of each service" },
		{ "all", 'a', NULL, "every listening socket of the machine" },
		{ NULL },
	},
	.run = run,
};
