/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/identity.h"
#include "base/net.h"
#include "cli/arguments/check.h"
#include "cli/arguments/endpoint.h"
#include "cli/arguments/namespace.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/command.h"
#include "cli/commands/namesakes.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/render/why_view.h"
#include "cli/supervise/members.h"

#define LAST_MAX     50
#define PID_MAX	     (4 * 1024 * 1024) /* include/linux/threads.h */
#define UID_MAX	     (UINT32_MAX - 1)  /* (uid_t)-1 is nobody's */
#define NUMBER_WIDTH 16

/* What was typed, checked, and as the daemon reads it. */
struct question {
	const char *addr;
	char pasted_addr[NET_ADDR_STR_SIZE]; /* that stood before the port */
	char port[NUMBER_WIDTH], uid[NUMBER_WIDTH], netns[NAMESPACE_TEXT_SIZE];
};

static int check_address(const struct command_line *line, const char *text)
{
	bool v6only = command_value(line, "v6only");
	struct net_addr address;
	uint8_t family;

	if (!text)
		return 0;
	if (net_addr_parse(text, &family, &address))
		return render_usage_error(
			line, "--addr '%.100s' is no address, for example 127.0.0.1, ::1 or *",
			text);
	if (v6only && family == AF_INET)
		return render_usage_error(line,
					  "--v6only is a flag of IPv6 sockets, and --addr '%.100s' "
					  "is an IPv4 address",
					  text);
	return 0;
}

/* A number or a name; the daemon takes numbers. */
static int check_user(const struct command_line *line, const char *text, char *ret)
{
	const struct passwd *entry;
	unsigned long uid;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	uid = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || uid > UID_MAX)
		uid = *text && (entry = getpwnam(text)) ? entry->pw_uid : UINT32_MAX;
	if (uid > UID_MAX)
		return render_usage_error(line,
					  "--uid '%.100s' is no user, and no number from 0 to %u",
					  text, UID_MAX);
	snprintf(ret, NUMBER_WIDTH, "%lu", uid);
	return 0;
}

static int check_namespace(const struct command_line *line, const char *text, char *ret)
{
	if (!text)
		return 0;
	if (namespace_find(text, ret) == 0)
		return 0;
	return render_usage_error(
		line,
		"--netns '%.100s' is no process, and no namespace in " NAMESPACE_DIRECTORY
		" (ip netns lists them)",
		text);
}

/* An interface of another namespace is not visible from here: the daemon looks. */
static int check_device(const struct command_line *line, const char *text)
{
	if (!text || (*text && command_value(line, "netns")) || if_nametoindex(text))
		return 0;
	return render_usage_error(
		line, "--dev '%.100s' is no network interface (ip link lists them)", text);
}

/* The first given option of a list, or NULL. */
static const char *first_given(const struct command_line *line, const char *const *names)
{
	for (; *names; names++)
		if (command_value(line, *names))
			return *names;
	return NULL;
}

/* "3000" and ":3000" are ports, "127.0.0.1:3000" has one, and an address; a service is found when
 * everything else is known to be right. */
static int check_target(const struct command_line *line, const char *text, struct question *ret)
{
	const char *digits = text + (text[0] == ':');
	uint16_t port;
	int e = 0;

	if (endpoint_read(text, &port, ret->pasted_addr))
		ret->addr = *ret->pasted_addr ? ret->pasted_addr : NULL;
	else if (digits == text && text[strspn(text, "0123456789")])
		return check_service(line, text);
	else
		e = check_port(line, digits, &port);
	snprintf(ret->port, NUMBER_WIDTH, "%u", port);
	return e;
}

static int say_no_service(bool json, const char *id)
{
	char namesakes[NAMESAKES_SIZE];

	if (namesakes_find(id, namesakes))
		return render_fail(json, OUTCOME_NO, "%s", namesakes);
	return render_fail(json, OUTCOME_NO, "no service is called '%s'; pd find lists them", id);
}

/* The port of the service that was named in place of one. */
static int find_service(const struct command_line *line, const char *id, char ret[NUMBER_WIDTH])
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	const struct client_param params[] = { { "pattern", id }, { "details", "no" } };
	struct json_object *services;
	char path[512];
	int e;

	client_path("/v1/services", params, ARRAY_SIZE(params), path, sizeof(path));
	e = answer_get(line->json, "GET", path, NULL, &answer);
	if (e)
		return e;
	services = answer_member(answer, "services");
	if (answer_length(services) == 0)
		return say_no_service(line->json, id);
	snprintf(ret, NUMBER_WIDTH, "%d", (int)answer_int(answer_at(services, 0), "port"));
	return 0;
}

static int check_question(const struct command_line *line, struct question *ret)
{
	static const char *const of_refusals[] = { "pid", "last", NULL };
	const char *wrong = first_given(line, of_refusals);
	int e = check_target(line, line->args[0], ret);

	if (command_value(line, "addr"))
		ret->addr = command_value(line, "addr");
	if (!e && command_value(line, "reuseaddr") && command_value(line, "no-reuseaddr"))
		e = render_usage_error(line, "--reuseaddr and --no-reuseaddr ask for opposites");
	if (!e && wrong)
		e = render_usage_error(line, "--%s asks for recorded refusals and takes no PORT",
				       wrong);
	e = e ?: check_address(line, ret->addr);
	e = e ?: check_user(line, command_value(line, "uid"), ret->uid);
	e = e ?: check_namespace(line, command_value(line, "netns"), ret->netns);
	e = e ?: check_device(line, command_value(line, "dev"));
	return e;
}

static int check_refusals(const struct command_line *line)
{
	static const char *const of_questions[] = {
		"udp",	  "addr", "reuseaddr", "no-reuseaddr", "reuseport",
		"v6only", "dev",  "uid",       "netns",	       NULL
	};
	const char *wrong = first_given(line, of_questions);
	const char *pid = command_value(line, "pid"), *last = command_value(line, "last");
	long number;
	int e = 0;

	if (wrong)
		return render_usage_error(line, "--%s needs a PORT: pd why 3000 --%s", wrong,
					  wrong);
	if (pid)
		e = check_count(line, "--pid", pid, PID_MAX, &number);
	if (!e && last)
		e = check_count(line, "--last", last, LAST_MAX, &number);
	return e;
}

/* NULL: neither is asked for, and the daemon takes what servers usually set. */
static const char *reuseaddr(const struct command_line *line)
{
	if (command_value(line, "reuseaddr"))
		return "1";
	return command_value(line, "no-reuseaddr") ? "0" : NULL;
}

static const char *flag(const struct command_line *line, const char *name)
{
	return command_value(line, name) ? "1" : NULL;
}

static int make_path(const struct command_line *line, const struct question *q, char *ret, int size)
{
	const struct client_param params[] = {
		{ "port", *q->port ? q->port : NULL },
		{ "proto", command_value(line, "udp") ? "udp" : NULL },
		{ "addr", q->addr },
		{ "reuseaddr", reuseaddr(line) },
		{ "reuseport", flag(line, "reuseport") },
		{ "v6only", flag(line, "v6only") },
		{ "dev", command_value(line, "dev") },
		{ "uid", *q->uid ? q->uid : NULL },
		{ "netns", *q->netns ? q->netns : NULL },
		{ "pid", command_value(line, "pid") },
		{ "last", command_value(line, "last") },
	};

	if (client_path("/v1/why", params, ARRAY_SIZE(params), ret, size) >= 0)
		return 0;
	return render_usage_error(line, "the question is too long");
}

static void show_one(struct json_object *why)
{
	why_add_surroundings(why);
	why_view(why);
}

static void show_refusals(struct json_object *why, struct json_object *refusals)
{
	int64_t waiting = answer_int(why, "waiting");

	for (size_t i = 0; i < answer_length(refusals); i++) {
		if (i)
			render_newline();
		show_one(answer_at(refusals, i));
	}
	if (waiting)
		render_note("%" PRId64 " more wait to be explained; ask again in a moment",
			    waiting);
}

static void show_verdicts(struct json_object *why, struct json_object *refusals)
{
	for (size_t i = 0; i < answer_length(refusals); i++)
		printf("%s\n", answer_text(answer_at(refusals, i), "verdict"));
	if (!refusals)
		printf("%s\n", answer_text(why, "verdict"));
}

/* For a prompt: who has it, and what to do first. */
static void show_briefly(struct json_object *why)
{
	struct json_object *first = answer_at(answer_member(why, "remedies"), 0);
	const char *command = answer_text(first, "command");

	render_line(TONE_PLAIN, "pd: %s", answer_text(why, "summary"));
	if (!first)
		return;
	render_line(TONE_PLAIN, "pd: %s%s%s%s", *command ? command : answer_text(first, "text"),
		    *command ? "  (" : "", *command ? answer_text(first, "text") : "",
		    *command ? ")" : "");
}

static void show(const struct command_line *line, struct json_object *why)
{
	struct json_object *refusals = answer_member(why, "refusals");

	if (line->json)
		render_json(why);
	else if (command_value(line, "brief"))
		show_briefly(refusals ? answer_at(refusals, 0) : why);
	else if (line->quiet)
		show_verdicts(why, refusals);
	else if (!refusals)
		show_one(why);
	else
		show_refusals(why, refusals);
}

/* Nothing is on the port of a service that runs, and has chosen another one by itself. */
static void tell_elsewhere(const char *service)
{
	_cleanup_(answer_freep) struct json_object *error = NULL;
	_cleanup_(members_deinit) struct members m = { 0 };
	struct json_object *runs;

	if (members_ask(service, 0, &m, &error) != OUTCOME_OK)
		return;
	runs = answer_member(m.answer, "runs");
	for (size_t i = 0; i < answer_length(runs); i++) {
		struct json_object *run = answer_at(runs, i);
		int port = members_elsewhere(&m, run);

		if (port)
			render_note("%s listens on %d, not on %d: pd why %d", service, port,
				    (int)answer_int(run, "port"), port);
	}
}

static int check_verdicts(const struct command_line *line, struct json_object *why)
{
	const struct answer_rule rule = {
		.list = answer_has(why, "refusals") ? "refusals" : NULL,
		.key = "verdict",
		.kind = ANSWER_WORD,
	};

	return line->quiet || line->json ? answer_check(line->json, why, &rule, 1) : 0;
}

static int run(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *why = NULL;
	struct question q = { .port = "" };
	const char *service = NULL;
	char path[2048], id[IDENTITY_MAX + 1];
	int e = line->n_args ? check_question(line, &q) : check_refusals(line);

	if (!e && line->n_args && !*q.port)
		service = config_meant_id(line->args[0], id);
	if (service)
		e = find_service(line, service, q.port);
	e = e ?: make_path(line, &q, path, sizeof(path));
	e = e ?: answer_get(line->json, "GET", path, NULL, &why);
	e = e ?: check_verdicts(line, why);
	if (e)
		return e;
	show(line, why);
	if (service && !line->json && !line->quiet && !command_value(line, "brief"))
		tell_elsewhere(service);
	return answer_bool(why, "free") ? 0 : outcome_row(OUTCOME_NO)->exit_code;
}

const struct command cmd_why = {
	.name = "why",
	.arguments = "[PORT|ID [--udp] [--addr A] …] [--pid PID] [--last N]",
	.summary = "explain whether a port can be bound now, and who is in the way",
	.details =
		"With PORT: would a program that binds and then listens succeed now?  It is taken\n"
		"to ask for all addresses (IPv6 and IPv4) and to set SO_REUSEADDR, as nearly all\n"
		"servers do; the options say otherwise.  A service stands for its port.  Exit code\n"
		"0 when it would succeed, 1 when not.  PORT may be as an error or a browser shows it:\n"
		":::3000, 127.0.0.1:3000, http://localhost:3000/x.\n"
		"\n"
		"Without PORT: why was the newest bind or listen of yours refused?  The answer is\n"
		"from the moment of the refusal, so it holds when everybody has gone since.\n"
		"-q prints the verdict alone.\n",
	.examples = "  pd why 3000\n"
		    "  pd why myapp:web\n"
		    "  pd why 3000 --addr 127.0.0.1 --no-reuseaddr\n"
		    "  pd why 5353 --udp\n"
		    "  sudo pd why 80 --netns 4711\n"
		    "  pd why\n"
		    "  pd why --last 5\n",
	.max_args = 1,
	.options = {
		{ "udp", 'u', NULL, "ask about UDP" },
		{ "addr", 0, "A", "the address to bind: 127.0.0.1, 0.0.0.0, ::1, * (both)" },
		{ "reuseaddr", 0, NULL, "ask for a socket with SO_REUSEADDR, as most servers have" },
		{ "no-reuseaddr", 0, NULL, "ask for a socket without SO_REUSEADDR" },
		{ "reuseport", 0, NULL, "ask for a socket with SO_REUSEPORT" },
		{ "v6only", 0, NULL, "ask for a socket with IPV6_V6ONLY" },
		{ "dev", 0, "IF", "ask for a socket bound to this interface" },
		{ "uid", 0, "U", "ask as this user (a name or a number)" },
		{ "netns", 0, "NS", "in the network namespace of this pid, or of this name" },
		{ "pid", 0, "PID", "without PORT: refusals of this process, alive or gone" },
		{ "last", 0, "N", "without PORT: the N newest refusals (1 to 50)" },
		{ "brief", 0, NULL, "two lines: who has it, and what to do first" },
		{ NULL },
	},
	.run = run,
};
