/* SPDX-License-Identifier: MIT */
/* The why object: of a question about now, and of a refusal as it happened. */
#include "view/why.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "view/holder.h"
#include "view/socket.h"

/* --- the object --- */

static void add_asked(const struct why_facts *f, struct json_object *o)
{
	const struct why_question *q = &f->question;
	struct json_object *asked = json_add_object(o, "asked");
	bool recorded = q->caller.pid != 0;
	char addr[NET_ADDR_STR_SIZE];

	json_add_text(asked, "call", q->call == EVENT_CALL_LISTEN ? "listen" : "bind");
	json_add_text(asked, "addr", net_addr_format(q->family, why_asked_addr(q), addr));
	json_add_int(asked, "port", q->hardcoded ? q->hardcoded : why_asked_port(q));
	json_add_known(asked, "pid", q->caller.pid);
	json_add_text(asked, "comm", recorded ? f->caller_comm : NULL);
	json_add_known(asked, "at", recorded ? f->now : 0);
	json_add_bool(asked, "reuseaddr", q->reuseaddr);
	json_add_bool(asked, "reuseport", q->reuseport);
	json_add_bool(asked, "v6only", q->v6only);
	json_add_int(asked, "uid", q->uid);
}

/* What a program of a cgroup did to the bind; null where none did anything. */
static void add_program(const struct why_facts *f, struct json_object *o)
{
	const struct why_question *q = &f->question;
	char addr[NET_ADDR_STR_SIZE];
	struct json_object *program = json_add_object_if(o, "program", f->by_program);

	if (!program)
		return;
	json_add_text(program, "cgroup", *f->program_cgroup ? f->program_cgroup : NULL);
	json_add_text(program, "addr",
		      q->rewritten ? net_addr_format(q->family, &q->addr, addr) : NULL);
	json_add_known(program, "port", q->rewritten ? q->port : 0);
}

static void add_peer(struct json_object *o, const struct bind_owner *owner)
{
	struct json_object *peer = json_add_object_if(o, "peer", owner->peer_port != 0);
	char addr[NET_ADDR_STR_SIZE];

	if (!peer)
		return;
	json_add_text(peer, "addr", net_addr_format(owner->family, &owner->peer, addr));
	json_add_int(peer, "port", owner->peer_port);
}

static struct json_object *view_owner(const struct why_facts *f, const struct why_owner *owner)
{
	struct json_object *o = view_socket(f->own_netns, why_row(f, owner));

	if (owner->flags_known) {
		json_add_bool(o, "reuseaddr", owner->bind.reuseaddr);
		json_add_bool(o, "reuseport", owner->bind.reuseport);
		json_add_bool(o, "kernel", owner->bind.kernel);
		json_add_int(o, "references", owner->bind.file_refs);
	}
	add_peer(o, &owner->bind);
	return o;
}

static void add_missing(const struct why_facts *f, struct json_object *o)
{
	struct json_object *missing = json_add_object_if(o, "missing", *f->missing);

	if (!missing)
		return;
	json_add_text(missing, "text", f->missing);
	json_add_text(missing, "command", f->missing_command);
}

static void add_sockets(const struct why_facts *f, struct json_object *o)
{
	struct json_object *sockets = json_add_array(o, "sockets");

	for (size_t i = 0; i < f->n_shown; i++)
		json_append(sockets, view_owner(f, f->shown[i]));
}

void why_view_holders(const struct why_facts *f, struct json_object *o)
{
	struct json_object *holders = json_add_array(o, "holders");
	bool complete = f->answer.verdict != WHY_UNKNOWN;

	for (size_t i = 0; i < f->n_shown; i++)
		complete = complete && why_owner_is_complete(f->shown[i]);
	for (size_t i = 0; i < f->n_holders; i++)
		json_append(holders, view_holder(&f->holders[i], f->viewer));
	json_add_bool(o, "complete", complete);
	add_missing(f, o);
}

/* Who starts the holder again when it ends; null where nobody is known to. */
static void add_restarter(const struct why_facts *f, struct json_object *o)
{
	const struct why_holder *h = f->n_holders ? &f->holders[0] : NULL;
	struct json_object *by;

	if (!h || h->ended || (!h->supervised && !*h->cgroup.unit && !h->cgroup.engine)) {
		json_add(o, "restartedBy", NULL);
		return;
	}
	by = json_add_object(o, "restartedBy");
	if (h->supervised) {
		json_add_int(by, "pid", h->supervisor.id.pid);
		json_add_text(by, "comm", h->supervisor_comm);
		json_add_text(by, "kind", h->supervisor.kind);
		return;
	}
	json_add(by, "pid", NULL);
	json_add_text(by, "comm", h->cgroup.engine ? h->cgroup.engine : "systemd");
	json_add_text(by, "kind", h->cgroup.engine ? h->cgroup.engine : "systemd");
}

/* What a command ends, and what else goes with that. */
static void add_hits(const struct why_remedy *remedy, struct json_object *o)
{
	struct json_object *kills = json_add_array(o, "kills"),
			   *hits = json_add_array(o, "alsoHits");

	for (size_t i = 0; i < remedy->n_kills; i++)
		json_append(kills, json_int(remedy->kills[i]));
	for (size_t i = 0; i < remedy->hits.n; i++) {
		const struct why_hit *hit = &remedy->hits.list[i];
		struct json_object *item = json_append_object(hits);
		struct json_object *ports;

		json_add_int(item, "pid", hit->pid);
		json_add_text(item, "comm", hit->comm);
		ports = json_add_array(item, "ports");
		for (size_t j = 0; j < hit->n_ports; j++)
			json_append(ports, json_int(hit->ports[j]));
	}
}

void why_view_remedies(const struct why_facts *f, struct json_object *o)
{
	const struct why_remedies *remedies = &f->remedies;
	struct json_object *array;

	add_restarter(f, o);
	array = json_add_array(o, "remedies");
	for (size_t i = 0; i < remedies->n; i++) {
		const struct why_remedy *remedy = &remedies->list[i];
		struct json_object *item = json_append_object(array);

		json_add_text(item, "text", remedy->text);
		json_add_text(item, "command", *remedy->command ? remedy->command : NULL);
		add_hits(remedy, item);
	}
}

/* Of a refusal what the caller got, whatever is found out about it. */
static int error_of(const struct why_facts *f)
{
	return f->question.caller.pid ? f->question.error : f->answer.error;
}

static void view_facts(const struct why_facts *f, struct json_object *o)
{
	json_add_int(o, "port", why_asked_port(&f->question));
	json_add_known(o, "askedPort", f->question.hardcoded);
	json_add_text(o, "proto", net_protocol_name(f->question.protocol));
	/* what was refused was not free, whatever it is by now */
	json_add_bool(o, "free", f->answer.free && !f->question.caller.pid);
	json_add_text(o, "verdict", why_verdict_name(f->answer.verdict));
	json_add_text(o, "summary", f->summary);
	json_add_text(o, "rule", f->rule);
	json_add_text(o, "errno", error_of(f) ? net_errno_name(error_of(f)) : NULL);
	json_add_known(o, "netns", f->netns.inode);
	json_add(o, "netnsCookie",
		 f->netns.settings.cookie ? json_u64_text(f->netns.settings.cookie) : NULL);
	json_add_text(o, "service", f->claim);
	json_add_text(o, "warning", f->warning);
	add_sockets(f, o);
	why_view_holders(f, o);
	add_asked(f, o);
	add_program(f, o);
	why_view_remedies(f, o);
}

/* Recorded refusals of the port. */
static void add_failures(const struct why_facts *f, struct json_object *o)
{
	struct json_object *failures = json_add_array(o, "failures");

	for (size_t i = 0; i < f->n_failures; i++) {
		const struct activity *entry = f->failures[i];
		struct json_object *failure = json_append_object(failures);

		json_add_int(failure, "at", entry->timestamp);
		json_add_known(failure, "pid", entry->pid);
		json_add_text(failure, "comm", entry->comm);
		json_add_text(failure, "errno", entry->error ? net_errno_name(entry->error) : NULL);
		json_add_text(failure, "addr", entry->addr);
		json_add_text(failure, "call", entry->call);
		json_add_text(failure, "details", entry->details);
	}
}

void why_view(const struct why_facts *f, struct json_object *o)
{
	view_facts(f, o);
	add_failures(f, o);
}

int why_view_text(const struct why_facts *f, char **ret)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	const char *text;

	view_facts(f, o);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE);
	*ret = text && !json_fell_short() ? strdup(text) : NULL;
	return *ret ? 0 : -ENOMEM;
}
