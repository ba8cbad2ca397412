/* SPDX-License-Identifier: MIT */
#include "explain/places.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/user.h"
#include "explain/process.h"
#include "reconcile/why_parts.h"

#define WHO_SIZE   160
#define PLACE_SIZE (2 * WHO_SIZE)

bool why_places_are_past(const struct why_facts *f)
{
	return f->question.caller.pid != 0;
}

static void fill_port(const struct why_facts *f, char *ret)
{
	bool udp = f->question.protocol == IPPROTO_UDP;

	uint16_t port = why_asked_port(&f->question);

	if (port)
		snprintf(ret, PLACE_SIZE, "%sort %u", udp ? "UDP p" : "P", port);
	else
		snprintf(ret, PLACE_SIZE, "A free %sport", udp ? "UDP " : "");
}

/* The same inside of a sentence. */
static void fill_that(const struct why_facts *f, char *ret)
{
	fill_port(f, ret);
	if (*ret != 'U')
		*ret = *ret == 'P' ? 'p' : 'a';
}

static void fill_is(const struct why_facts *f, char *ret)
{
	strcpy(ret, why_places_are_past(f) ? "was" : "is");
}

static void fill_has(const struct why_facts *f, char *ret)
{
	strcpy(ret, why_places_are_past(f) ? "had" : "has");
}

static void fill_holds(const struct why_facts *f, char *ret)
{
	strcpy(ret, why_places_are_past(f) ? "held" : "holds");
}

static void fill_who(const struct why_facts *f, char *ret)
{
	why_name_holders(f, ret, PLACE_SIZE);
}

static int64_t since_of(const struct why_facts *f)
{
	return f->n_shown ? why_facts_row(f, f->shown[0])->since : 0;
}

/* " for 5 days"; "" where nobody saw it begin. */
static void fill_for(const struct why_facts *f, char *ret)
{
	int64_t since = since_of(f);
	char age[32];

	if (since)
		snprintf(ret, PLACE_SIZE, " for %s", why_age(f->now - since, age));
	else
		*ret = '\0';
}

static void fill_listens(const struct why_facts *f, char *ret)
{
	char age[PLACE_SIZE / 2];

	fill_for(f, age);
	if (*age)
		snprintf(ret, PLACE_SIZE, "%s been listening on it%s",
			 why_places_are_past(f) ? "had" : "has", age);
	else
		snprintf(ret, PLACE_SIZE, "%s listening on it",
			 why_places_are_past(f) ? "was" : "is");
}

/* TCP_TIMEWAIT_LEN and the default of tcp_fin_timeout; sock_diag alone tells what is left. */
static void fill_wait(const struct why_facts *f, char *ret)
{
	char age[32];

	if (why_wait_seconds(f))
		snprintf(ret, PLACE_SIZE, "another %s", why_age(why_wait_seconds(f), age));
	else
		strcpy(ret, "up to a minute");
}

static void fill_asked(const struct why_facts *f, char *ret)
{
	net_addr_format(f->question.family, &f->question.addr, ret);
}

/* What a program made of the asked address: of the two what is another. */
static void fill_given(const struct why_facts *f, char *ret)
{
	const struct why_question *q = &f->question;
	char addr[NET_ADDR_STR_SIZE];

	if (!memcmp(&q->addr, why_asked_addr(q), sizeof(q->addr)))
		snprintf(ret, PLACE_SIZE, "port %u", q->port);
	else
		snprintf(ret, PLACE_SIZE, "%s port %u", net_addr_format(q->family, &q->addr, addr),
			 q->port);
}

static void fill_taken(const struct why_facts *f, char *ret)
{
	char who[WHO_SIZE];

	why_name_holders(f, who, sizeof(who));
	if (f->n_shown)
		snprintf(ret, PLACE_SIZE, "that was taken by %s", who);
	else
		snprintf(ret, PLACE_SIZE, "that was refused (%s)",
			 net_errno_name(f->question.error));
}

static void fill_held(const struct why_facts *f, char *ret)
{
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;

	if (o)
		net_addr_format(o->family, &o->addr, ret);
	else
		strcpy(ret, "address");
}

/* Which of the two addresses is the wider one. */
static void fill_covers(const struct why_facts *f, char *ret)
{
	const struct why_question *q = &f->question;
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;
	char held[NET_ADDR_STR_SIZE] = "address", asked[NET_ADDR_STR_SIZE];
	bool owner_is_wide = !o || why_addr_is_any(o->family, &o->addr);

	net_addr_format(q->family, &q->addr, asked);
	if (o)
		net_addr_format(o->family, &o->addr, held);
	snprintf(ret, PLACE_SIZE, "%s %s also covers %s %s", owner_is_wide ? "Its" : "Your",
		 owner_is_wide ? held : asked, owner_is_wide ? "your" : "its",
		 owner_is_wide ? asked : held);
}

/* An IPv6 socket that serves IPv4 as well: the holder's, the asker's, or an address written so. */
static void fill_families(const struct why_facts *f, char *ret)
{
	const struct why_question *q = &f->question;
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;
	char held[NET_ADDR_STR_SIZE] = "::", asked[NET_ADDR_STR_SIZE];

	net_addr_format(q->family, &q->addr, asked);
	if (o)
		net_addr_format(o->family, &o->addr, held);
	if (!o || !why_addr_is_ipv4(o->family, &o->addr))
		snprintf(ret, PLACE_SIZE, "for IPv4 and IPv6 at once (its %s covers your %s)", held,
			 asked);
	else if (why_addr_is_ipv4(q->family, &q->addr))
		snprintf(ret, PLACE_SIZE, "on %s, which meets your %s", held, asked);
	else
		snprintf(ret, PLACE_SIZE, "for IPv4, and your %s wants IPv4 and IPv6 at once",
			 asked);
}

static void fill_peer(const struct why_facts *f, char *ret)
{
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;
	char addr[NET_ADDR_STR_SIZE];

	if (o && o->peer_port)
		snprintf(ret, PLACE_SIZE, " to %s port %u",
			 net_addr_format(o->family, &o->peer, addr), o->peer_port);
	else
		*ret = '\0';
}

static void fill_connections(const struct why_facts *f, char *ret)
{
	size_t n = f->n_shown ? f->n_shown : 1;

	snprintf(ret, PLACE_SIZE, "%zu%s connection%s", n, n == WHY_BLOCKING_MAX ? " or more" : "",
		 n == 1 ? "" : "s");
}

static void fill_their_user(const struct why_facts *f, char *ret)
{
	const char *user = f->n_shown ? user_name(why_facts_row(f, f->shown[0])->uid) : NULL;

	snprintf(ret, PLACE_SIZE, "%s", user ? user : "another user");
}

static void fill_your_user(const struct why_facts *f, char *ret)
{
	const char *user = user_name(f->question.uid);

	snprintf(ret, PLACE_SIZE, "%s", user ? user : "the caller");
}

static void fill_tracer(const struct why_facts *f, char *ret)
{
	pid_t pid = f->n_holdings ? why_process_tracer(&f->holdings[0].holder->id) : 0;

	*ret = '\0';
	if (pid)
		snprintf(ret, PLACE_SIZE, " (pid %d)", pid);
}

static void fill_what(const struct why_facts *f, char *ret)
{
	strcpy(ret, f->n_shown || why_places_are_past(f) ? "what holds it"
							 : "whether anything holds it");
}

static void fill_errno(const struct why_facts *f, char *ret)
{
	snprintf(ret, PLACE_SIZE, "%s",
		 f->answer.error ? net_errno_name(f->answer.error) : "refused");
}

static void fill_call(const struct why_facts *f, char *ret)
{
	strcpy(ret, f->question.call == EVENT_CALL_LISTEN ? "listen" : "bind");
}

static void fill_range(const struct why_facts *f, char *ret)
{
	snprintf(ret, PLACE_SIZE, "%u-%u", f->environment.ephemeral_first,
		 f->environment.ephemeral_last);
}

static void fill_start(const struct why_facts *f, char *ret)
{
	snprintf(ret, PLACE_SIZE, "%u", f->environment.unprivileged_port_start);
}

static const struct {
	const char *name;
	void (*fill)(const struct why_facts *f, char *ret); /* PLACE_SIZE bytes */
} places[] = {
	{ "port", fill_port },	       { "is", fill_is },
	{ "who", fill_who },	       { "for", fill_for },
	{ "listens", fill_listens },   { "wait", fill_wait },
	{ "asked", fill_asked },       { "held", fill_held },
	{ "peer", fill_peer },	       { "connections", fill_connections },
	{ "theirs", fill_their_user }, { "yours", fill_your_user },
	{ "tracer", fill_tracer },     { "errno", fill_errno },
	{ "call", fill_call },	       { "range", fill_range },
	{ "start", fill_start },       { "has", fill_has },
	{ "holds", fill_holds },       { "given", fill_given },
	{ "taken", fill_taken },       { "what", fill_what },
	{ "covers", fill_covers },     { "families", fill_families },
	{ "that", fill_that },
};

static const char *fill_place(const struct why_facts *f, const char *name, size_t length, char *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strlen(places[i].name) == length && !strncmp(places[i].name, name, length)) {
			places[i].fill(f, ret);
			return ret;
		}
	return "";
}

void why_places_fill(const struct why_facts *f, const char *sentence, char *ret)
{
	char text[PLACE_SIZE];
	size_t used = 0;

	while (*sentence && used < WHY_SUMMARY_SIZE - 1) {
		size_t plain = strcspn(sentence, "{"), length;

		used += snprintf(ret + used, WHY_SUMMARY_SIZE - used, "%.*s", (int)plain, sentence);
		sentence += plain;
		if (!*sentence || used >= WHY_SUMMARY_SIZE - 1)
			return;
		length = strcspn(sentence, "}");
		used += snprintf(ret + used, WHY_SUMMARY_SIZE - used, "%s",
				 fill_place(f, sentence + 1, length - 1, text));
		sentence += length + 1;
	}
}
