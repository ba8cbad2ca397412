/* SPDX-License-Identifier: MIT */
#include "view/why.h"

#include <json-c/json_tokener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static uint16_t protocol_of(struct json_object *o)
{
	return strcmp(json_text_of(o, "proto"), "udp") ? IPPROTO_TCP : IPPROTO_UDP;
}

/* A program of a cgroup sent the bind elsewhere, and there somebody was in the way. */
static bool read_rewriting(struct json_object *program, struct why_facts *f)
{
	struct why_question *q = &f->question;
	int64_t port = json_int_of(program, "port");

	if (port <= 0 || port > UINT16_MAX)
		return false;
	f->by_program = true;
	snprintf(f->program_cgroup, sizeof(f->program_cgroup), "%s",
		 json_text_of(program, "cgroup"));
	q->rewritten = true;
	q->asked_addr = q->addr;
	q->asked_port = q->port;
	q->port = (uint16_t)port;
	return net_addr_parse(json_text_of(program, "addr"), &q->family, &q->addr) == 0;
}

/* The question that was refused; false where its row was edited by hand. */
static bool read_question(struct json_object *o, struct why_facts *f)
{
	struct json_object *asked = NULL, *program = NULL;
	int64_t port = json_int_of(o, "port");

	if (!json_object_object_get_ex(o, "asked", &asked) || port <= 0 || port > UINT16_MAX)
		return false;
	f->question = (struct why_question){
		.protocol = protocol_of(o),
		.port = (uint16_t)port,
		.addr_named = true,
		.v6only = json_bool_of(asked, "v6only"),
		.reuseaddr = json_bool_of(asked, "reuseaddr"),
		.reuseport = json_bool_of(asked, "reuseport"),
		.uid = (uid_t)json_int_of(asked, "uid"),
	};
	if (net_addr_parse(json_text_of(asked, "addr"), &f->question.family, &f->question.addr))
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
	n = n < WHY_PAST_MAX ? n : WHY_PAST_MAX;
	for (size_t i = 0; i < n; i++) {
		struct json_object *holder = json_object_array_get_idx(list, i);

		ret[i] = (struct process_id){
			.pid = (pid_t)json_int_of(holder, "pid"),
			.start_ticks = (uint64_t)json_int_of(holder, "startTicks"),
		};
	}
	return n;
}

static size_t read_sockets(struct json_object *o, uint64_t *ret)
{
	struct json_object *list = NULL;
	size_t n;

	json_object_object_get_ex(o, "sockets", &list);
	n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	n = n < WHY_PAST_MAX ? n : WHY_PAST_MAX;
	for (size_t i = 0; i < n; i++)
		ret[i] = strtoull(json_text_of(json_object_array_get_idx(list, i), "cookie"), NULL,
				  10);
	return n;
}

/* Some socket was in the way, and not a policy or a program. */
static bool is_about_sockets(struct json_object *o)
{
	struct json_object *sockets = NULL;

	json_object_object_get_ex(o, "sockets", &sockets);
	return json_object_is_type(sockets, json_type_array) && json_object_array_length(sockets) &&
	       !strcmp(json_text_of(o, "errno"), "EADDRINUSE");
}

static void add_since(enum why_since since, const struct why_holder *by, struct json_object *o)
{
	struct json_object *member = json_add_object(o, "since");
	struct json_object *who = json_add_object_if(member, "by", by != NULL);

	json_add_text(member, "state", why_since_name(since));
	if (!who)
		return;
	json_add_int(who, "pid", by->process.id.pid);
	json_add_text(who, "comm", by->process.comm);
}

static void add_sentence(const char *more, struct json_object *o)
{
	char summary[WHY_SUMMARY_SIZE + WHY_SINCE_SIZE];

	snprintf(summary, sizeof(summary), "%.*s%s", WHY_SUMMARY_SIZE - 1,
		 json_text_of(o, "summary"), more);
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

/* As why_view_text() wrote it. */
static void read_past(struct json_object *o, struct why_past *ret)
{
	struct json_object *asked = NULL, *program = NULL;

	json_object_object_get_ex(o, "asked", &asked);
	json_object_object_get_ex(o, "program", &program);
	*ret = (struct why_past){
		.verdict = why_verdict_of_name(json_text_of(o, "verdict")),
		.netns = (uint32_t)json_int_of(o, "netns"),
		.netns_cookie = strtoull(json_text_of(o, "netnsCookie"), NULL, 10),
		.protocol = protocol_of(o),
		.by_program = program != NULL,
	};
	snprintf(ret->addr, sizeof(ret->addr), "%s", json_text_of(asked, "addr"));
	ret->n_holders = read_holders(o, ret->holders);
	ret->n_sockets = read_sockets(o, ret->sockets);
}

bool why_read_past(const struct refusal_record *record, struct why_past *ret)
{
	_cleanup_json_ struct json_object *o = json_tokener_parse(record->explanation);

	if (!json_object_is_type(o, json_type_object))
		return false;
	read_past(o, ret);
	return true;
}

bool why_read_stored(struct json_object *o, const struct process_id *caller, struct why_past *ret,
		     struct why_facts *f)
{
	if (!is_about_sockets(o) || !read_question(o, f))
		return false;
	read_past(o, ret);
	ret->caller = *caller;
	if (!caller->start_ticks) /* of an earlier boot: no process of then is there */
		ret->n_holders = 0;
	return true;
}

void why_view_since(enum why_since since, const struct why_holder *by, const struct why_past *past,
		    const struct why_facts *f, struct json_object *o)
{
	char sentence[WHY_SINCE_SIZE];

	if (since == WHY_SINCE_UNKNOWN) {
		drop_kills(o);
		return;
	}
	if (since == WHY_SINCE_HELD && !past->n_holders && by)
		why_view_holders(f, o);
	add_since(since, by, o);
	why_say_since(since, by, sentence);
	add_sentence(sentence, o);
	why_view_remedies(f, o);
}
