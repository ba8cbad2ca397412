/* SPDX-License-Identifier: MIT */
#include "api/why_since.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/state.h"
#include "api/why.h"
#include "explain/since.h"
#include "http/request.h"

#define HOLDERS_MAX 64 /* of a stored explanation; more of them nobody kept */

static const char *text_of(struct json_object *o, const char *name)
{
	struct json_object *member = NULL;

	json_object_object_get_ex(o, name, &member);
	return member ? json_object_get_string(member) : "";
}

static int64_t number_of(struct json_object *o, const char *name)
{
	struct json_object *member = NULL;

	json_object_object_get_ex(o, name, &member);
	return json_object_get_int64(member);
}

static bool is_set(struct json_object *o, const char *name)
{
	struct json_object *member = NULL;

	json_object_object_get_ex(o, name, &member);
	return json_object_get_boolean(member);
}

static enum why_verdict verdict_of(const char *name)
{
	int v = 0;

	while (v < _WHY_VERDICT_MAX && strcmp(why_verdict_name((enum why_verdict)v), name) != 0)
		v++;
	return v < _WHY_VERDICT_MAX ? (enum why_verdict)v : WHY_UNKNOWN;
}

/* A program of a cgroup sent the bind elsewhere, and there somebody was in the way. */
static bool read_rewriting(struct json_object *program, struct why_facts *f)
{
	struct why_question *q = &f->question;
	int64_t port = number_of(program, "port");

	if (port <= 0 || port > UINT16_MAX)
		return false;
	f->by_program = true;
	snprintf(f->program_cgroup, sizeof(f->program_cgroup), "%s", text_of(program, "cgroup"));
	q->rewritten = true;
	q->asked_addr = q->addr;
	q->asked_port = q->port;
	q->port = (uint16_t)port;
	return net_addr_parse(text_of(program, "addr"), &q->family, &q->addr) == 0;
}

/* The question that was refused; false where its row was edited by hand. */
static bool read_question(struct json_object *o, struct why_facts *f)
{
	struct json_object *asked = NULL, *program = NULL;
	int64_t port = number_of(o, "port");

	if (!json_object_object_get_ex(o, "asked", &asked) || port <= 0 || port > UINT16_MAX)
		return false;
	f->question = (struct why_question){
		.protocol = strcmp(text_of(o, "proto"), "udp") ? IPPROTO_TCP : IPPROTO_UDP,
		.port = (uint16_t)port,
		.addr_named = true,
		.v6only = is_set(asked, "v6only"),
		.reuseaddr = is_set(asked, "reuseaddr"),
		.reuseport = is_set(asked, "reuseport"),
		.uid = (uid_t)number_of(asked, "uid"),
	};
	if (net_addr_parse(text_of(asked, "addr"), &f->question.family, &f->question.addr))
		return false;
	json_object_object_get_ex(o, "program", &program);
	return !program || read_rewriting(program, f);
}

static size_t read_holders(struct json_object *o, struct process_id *ret)
{
	struct json_object *list = NULL;
	size_t n;

	if (!json_object_object_get_ex(o, "holders", &list) ||
	    !json_object_is_type(list, json_type_array))
		return 0;
	n = json_object_array_length(list);
	n = n < HOLDERS_MAX ? n : HOLDERS_MAX;
	for (size_t i = 0; i < n; i++) {
		struct json_object *holder = json_object_array_get_idx(list, i);

		ret[i] = (struct process_id){
			.pid = (pid_t)number_of(holder, "pid"),
			.start_ticks = (uint64_t)number_of(holder, "startTicks"),
		};
	}
	return n;
}

/* Some socket was in the way, and not a policy or a program. */
static bool is_about_sockets(struct json_object *o)
{
	struct json_object *sockets = NULL;

	json_object_object_get_ex(o, "sockets", &sockets);
	return json_object_is_type(sockets, json_type_array) && json_object_array_length(sockets) &&
	       !strcmp(text_of(o, "errno"), "EADDRINUSE");
}

static void add_since(enum why_since since, const struct why_holder *by, struct json_object *o)
{
	struct json_object *member = json_add_object(o, "since"), *who;

	json_add_text(member, "state", why_since_name(since));
	if (!by) {
		json_add(member, "by", NULL);
		return;
	}
	who = json_add_object(member, "by");
	json_add_int(who, "pid", by->process.id.pid);
	json_add_text(who, "comm", by->process.comm);
}

static void add_sentence(const char *more, struct json_object *o)
{
	char summary[WHY_SUMMARY_SIZE + WHY_SINCE_SIZE];

	snprintf(summary, sizeof(summary), "%.*s%s", WHY_SUMMARY_SIZE - 1, text_of(o, "summary"),
		 more);
	json_add_text(o, "summary", summary);
}

/* Nobody can say who has these pids now: no command is left that would end one of them. */
static void drop_kills(struct json_object *o)
{
	struct json_object *remedies = NULL, *kills = NULL;

	json_object_object_get_ex(o, "remedies", &remedies);
	for (size_t i = json_object_array_length(remedies); i-- > 0;) {
		json_object_object_get_ex(json_object_array_get_idx(remedies, i), "kills", &kills);
		if (kills && json_object_array_length(kills))
			json_object_array_del_idx(remedies, i, 1);
	}
}

int why_add_since(struct request *r, const struct process_id *caller, struct json_object *o)
{
	_cleanup_(why_facts_deinit) struct why_facts f = { .caller = r->pid,
							   .viewer = r->uid,
							   .now = r->now };
	struct process_id holders[HOLDERS_MAX];
	struct why_past past = {
		.verdict = verdict_of(text_of(o, "verdict")),
		.caller = *caller,
		.holders = holders,
		.n_holders = caller->start_ticks ? read_holders(o, holders) : 0,
		.netns = (uint32_t)number_of(o, "netns"),
		.netns_cookie = strtoull(text_of(o, "netnsCookie"), NULL, 10),
	};
	const struct why_holder *by;
	char sentence[WHY_SINCE_SIZE];
	enum why_since since;
	int fault;

	json_add(o, "since", NULL);
	if (!is_about_sockets(o) || !read_question(o, &f))
		return 0;
	fault = explain_since(&r->api->explainer, &past, &f, &since, &by);
	if (fault)
		return fault;
	if (since == WHY_SINCE_UNKNOWN) {
		drop_kills(o);
		return 0;
	}
	add_since(since, by, o);
	why_say_since(since, by, sentence);
	add_sentence(sentence, o);
	why_view_remedies(&f, o);
	return 0;
}
