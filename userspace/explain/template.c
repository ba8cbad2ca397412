/* SPDX-License-Identifier: MIT */
#include "explain/template.h"

#include <assert.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/net.h"

#define WHO_SIZE      160
#define PLACE_SIZE    640 /* the longest is the path of a program or of a cgroup */
#define ENDPOINT_SIZE (NET_ADDR_STR_SIZE + 8) /* "[address]:port" */
#define WIDER_FIRST   10000 /* leaves the ports that services are usually given alone */
#define WIDEST_FIRST  1024  /* below, ports are privileged */

char *why_age(int64_t s, char ret[static WHY_AGE_SIZE])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	size_t i = 0;
	int64_t n;

	if (s < 1)
		s = 1;
	while (s < units[i].seconds)
		i++;
	n = s / units[i].seconds;
	snprintf(ret, 32, "%" PRId64 " %s%s", n, units[i].name, n == 1 ? "" : "s");
	return ret;
}

static const struct bind_owner *first_owner(const struct why_facts *f)
{
	return f->n_shown ? &f->shown[0]->bind : NULL;
}

/* What is left of the longest timer of the sockets shown, in seconds, rounded up. */
static int64_t wait_seconds(const struct why_facts *f)
{
	uint32_t most = 0;

	for (size_t i = 0; i < f->n_shown; i++)
		if (f->shown[i]->timer_ms > most)
			most = f->shown[i]->timer_ms;
	return (most + 999) / 1000;
}

/* "node (pid 94120)", "node (pid 94120) and 3 more", "a process that is hidden from here". */
static void fill_who(const struct why_facts *f, char *ret)
{
	const struct process *first = f->n_holders ? &f->holders[0].process : NULL;
	char more[32] = "";

	if (!first) {
		snprintf(ret, WHO_SIZE, "a process%s%s%s", *f->their_user ? " of user " : "",
			 f->their_user, f->unsearched ? "" : " that is hidden from here");
		return;
	}
	if (f->n_foremost > 1)
		snprintf(more, sizeof(more), " and %zu more", f->n_foremost - 1);
	snprintf(ret, WHO_SIZE, "%s (pid %d)%s", *first->comm ? first->comm : "a process",
		 first->id.pid, more);
}

/* --- what sentences say --- */

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

/* " for 5 days"; "" where nobody saw it begin. */
static void fill_for(const struct why_facts *f, char *ret)
{
	int64_t since = f->n_shown ? why_row(f, f->shown[0])->since : 0;
	char age[WHY_AGE_SIZE];

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
			 why_is_past(f) ? "had" : "has", age);
	else
		snprintf(ret, PLACE_SIZE, "%s listening on it", why_is_past(f) ? "was" : "is");
}

/* TCP_TIMEWAIT_LEN and the default of tcp_fin_timeout; sock_diag alone tells what is left. */
static void fill_wait(const struct why_facts *f, char *ret)
{
	char age[WHY_AGE_SIZE];

	if (wait_seconds(f))
		snprintf(ret, PLACE_SIZE, "another %s", why_age(wait_seconds(f), age));
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

	fill_who(f, who);
	if (f->n_shown)
		snprintf(ret, PLACE_SIZE, "that was taken by %s", who);
	else
		snprintf(ret, PLACE_SIZE, "that was refused (%s)",
			 net_errno_name(f->question.error));
}

/* Which of the two addresses is the wider one. */
static void fill_covers(const struct why_facts *f, char *ret)
{
	const struct why_question *q = &f->question;
	const struct bind_owner *o = first_owner(f);
	char held[NET_ADDR_STR_SIZE] = "address", asked[NET_ADDR_STR_SIZE];
	bool owner_is_wide = !o || net_addr_is_any(o->family, &o->addr);

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
	const struct bind_owner *o = first_owner(f);
	char held[NET_ADDR_STR_SIZE] = "::", asked[NET_ADDR_STR_SIZE];

	net_addr_format(q->family, &q->addr, asked);
	if (o)
		net_addr_format(o->family, &o->addr, held);
	if (!o || !net_addr_is_ipv4(o->family, &o->addr))
		snprintf(ret, PLACE_SIZE, "for IPv4 and IPv6 at once (its %s covers your %s)", held,
			 asked);
	else if (net_addr_is_ipv4(q->family, &q->addr))
		snprintf(ret, PLACE_SIZE, "on %s, which meets your %s", held, asked);
	else
		snprintf(ret, PLACE_SIZE, "for IPv4, and your %s wants IPv4 and IPv6 at once",
			 asked);
}

static void fill_peer(const struct why_facts *f, char *ret)
{
	const struct bind_owner *o = first_owner(f);
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

static void fill_tracer(const struct why_facts *f, char *ret)
{
	*ret = '\0';
	if (f->tracer)
		snprintf(ret, PLACE_SIZE, " (pid %d)", f->tracer);
}

static void fill_range(const struct why_facts *f, char *ret)
{
	snprintf(ret, PLACE_SIZE, "%u-%u", f->environment.ephemeral_first,
		 f->environment.ephemeral_last);
}

/* What is left of an old server, of which nothing listens: timers, or connections that last. */
static void fill_remains(const struct why_facts *f, char *ret)
{
	size_t connections = 0;
	uint32_t most_ms = 0;
	char age[WHY_AGE_SIZE];

	for (size_t i = 0; i < f->n_owners; i++) {
		const struct why_owner *o = &f->owners[i];

		if (o->bind.state != SOCKET_TIME_WAIT)
			connections++;
		else if (o->timer_ms > most_ms)
			most_ms = o->timer_ms;
	}
	if (connections)
		snprintf(ret, PLACE_SIZE, "%zu connection%s of an old server %s gone", connections,
			 connections == 1 ? "" : "s", connections == 1 ? "is" : "are");
	else if (most_ms)
		snprintf(ret, PLACE_SIZE,
			 "closed connections of an old one (TIME_WAIT) are forgotten, in %s",
			 why_age((most_ms + 999) / 1000, age));
	else
		strcpy(ret, "closed connections of an old one (TIME_WAIT) are forgotten, in up to "
			    "a minute");
}

static void fill_beside(const struct why_facts *f, char *ret)
{
	if (f->beside_pid)
		snprintf(ret, PLACE_SIZE, "%s (pid %d)",
			 *f->beside_name ? f->beside_name : "a process", f->beside_pid);
	else
		strcpy(ret, "a process that is hidden from here");
}

/* --- what is written as it is --- */

/* clang-format off */
#define TEXT(name, of_f)                                                \
	static void fill_##name(const struct why_facts *f, char *ret)   \
	{                                                               \
		snprintf(ret, PLACE_SIZE, "%s", of_f);                  \
	}
#define NUMBER(name, of_f)                                              \
	static void fill_##name(const struct why_facts *f, char *ret)   \
	{                                                               \
		snprintf(ret, PLACE_SIZE, "%u", (unsigned)(of_f));      \
	}
TEXT(theirs, *f->their_user ? f->their_user : "another user")
TEXT(yours, *f->your_user ? f->your_user : "the caller")
TEXT(errno, f->answer.error ? net_errno_name(f->answer.error) : "refused")
TEXT(sudo, why_sudo(f))
TEXT(claim, f->claim ? f->claim : "NAME")
TEXT(program, f->caller_program)
TEXT(lift, f->lift)
TEXT(lift_command, *f->lift ? f->missing_command : "")
NUMBER(n, f->question.port)
NUMBER(asked_n, why_asked_port(&f->question))
NUMBER(holder, f->n_holders ? f->holders[0].process.id.pid : 0)
NUMBER(their_uid, f->n_shown ? f->shown[0]->bind.uid : 0)
NUMBER(your_uid, f->question.uid)
NUMBER(start, f->environment.unprivileged_port_start)
NUMBER(first, f->environment.ephemeral_first)
NUMBER(last, f->environment.ephemeral_last)
NUMBER(wider, f->environment.ephemeral_first > WIDER_FIRST ? WIDER_FIRST : WIDEST_FIRST)
/* clang-format on */

/* --- what rules say --- */

static void fill_endpoint(uint8_t family, const struct net_addr *addr, uint16_t port, char *ret)
{
	char text[NET_ADDR_STR_SIZE];

	net_addr_format(family, addr, text);
	snprintf(ret, ENDPOINT_SIZE, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

static void fill_owner(const struct why_facts *f, char *ret)
{
	const struct bind_owner *o = first_owner(f);

	*ret = '\0';
	if (o)
		fill_endpoint(o->family, &o->addr, f->question.port, ret);
}

/* Where the kernel looked. */
static void fill_target(const struct why_facts *f, char *ret)
{
	fill_endpoint(f->question.family, &f->question.addr, f->question.port, ret);
}

/* The same but for a bind that a program sent elsewhere. */
static void fill_request(const struct why_facts *f, char *ret)
{
	const struct why_question *q = &f->question;

	fill_endpoint(q->family, why_asked_addr(q), why_asked_port(q), ret);
}

/* --- what remedies say --- */

static void fill_left(const struct why_facts *f, char *ret)
{
	if (wait_seconds(f))
		why_age(wait_seconds(f), ret);
	else
		strcpy(ret, "up to a minute");
}

/* Where a connection reaches the socket in the way. */
static void fill_reach(const struct why_facts *f, char *ret)
{
	const struct bind_owner *o = first_owner(f);

	if (o && !net_addr_is_wildcard(o->family, &o->addr))
		net_addr_format(o->family, &o->addr, ret);
	else
		strcpy(ret, o && o->family == AF_INET6 ? "::1" : "127.0.0.1");
}

static void fill_reserved(const struct why_facts *f, char *ret)
{
	snprintf(ret, PLACE_SIZE, "%s%s", f->reserved, *f->reserved ? "," : "");
}

/* A quote would make another command of it. */
static void fill_programs(const struct why_facts *f, char *ret)
{
	if (*f->program_cgroup && !strchr(f->program_cgroup, '\''))
		snprintf(ret, PLACE_SIZE, "show '%s'", f->program_cgroup);
	else
		strcpy(ret, "tree");
}

static void fill_reveal(const struct why_facts *f, char *ret)
{
	if (*f->lift)
		snprintf(ret, PLACE_SIZE, "%s, to see who has it", f->lift);
	else
		strcpy(ret, "look on the host, outside of every container");
}

/* --- places with one of two words --- */

/* clang-format off */
#define WHEN(name, of_f)                                                \
	static bool name(const struct why_facts *f)                     \
	{                                                               \
		return of_f;                                            \
	}
WHEN(is_udp, f->question.protocol == IPPROTO_UDP)
WHEN(is_ipv6, f->question.family == AF_INET6)
WHEN(is_listen, f->question.call == EVENT_CALL_LISTEN)
WHEN(is_held, f->n_shown || why_is_past(f)) /* by somebody, whoever that is */
WHEN(is_shut, f->netns.shut)
WHEN(is_entered, *f->netns.enter)
WHEN(knows_reserved, f->reserved_known)
/* clang-format on */

static const struct {
	const char *name;
	bool (*when)(const struct why_facts *f);
	const char *yes, *no;
} choices[] = {
	{ "is", why_is_past, "was", "is" },
	{ "has", why_is_past, "had", "has" },
	{ "holds", why_is_past, "held", "holds" },
	{ "what", is_held, "what holds it", "whether anything holds it" },
	{ "call", is_listen, "listen", "bind" },
	{ "proto", is_udp, "udp", "tcp" },
	{ "--udp", is_udp, " --udp", "" },
	{ "PROTO", is_udp, "UDP", "TCP" },
	{ "BESIDE", is_udp, "TCP", "UDP" },
	{ "--beside", is_udp, "", " --udp" },
	{ "ip", is_ipv6, "6", "4" },
	{ "any", is_ipv6, "::", "0.0.0.0" },
	{ "freebind", is_ipv6, "IPV6_FREEBIND", "IP_FREEBIND" },
	{ "by_ss", is_shut, "with ss -K, in its network namespace", "now" },
	{ "of_network", is_entered, " of its network namespace", " of this machine" },
	{ "replaces", knows_reserved, "",
	  " (this replaces the ports reserved so far: add yours to those)" },
};

/* --- all of them --- */

/* fill_port() says what stands for {port}, and so on; each has PLACE_SIZE bytes. */
/* clang-format off */
#define PLACES(X) \
	X(port) X(who) X(for) X(listens) X(wait) X(asked) X(peer) X(connections) X(tracer) \
	X(errno) X(range) X(given) X(taken) X(covers) X(families) X(that) X(remains) \
	X(beside) X(owner) X(target) X(request) X(their_uid) X(your_uid) X(asked_n) X(sudo) X(claim) \
	X(left) X(reach) X(reserved) X(holder) X(programs) X(wider) X(lift_command) \
	X(reveal) X(theirs) X(yours) X(program) X(lift) X(n) X(start) X(first) X(last)
/* clang-format on */

static const struct {
	const char *name;
	void (*fill)(const struct why_facts *f, char *ret);
} places[] = {
#define PLACE_ROW(name) { #name, fill_##name },
	PLACES(PLACE_ROW)
#undef PLACE_ROW
};

static bool is_named(const char *place, const char *name, size_t length)
{
	return strlen(place) == length && !strncmp(place, name, length);
}

static const char *fill_place(const struct why_facts *f, const char *name, size_t length, char *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		if (is_named(choices[i].name, name, length))
			return choices[i].when(f) ? choices[i].yes : choices[i].no;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (is_named(places[i].name, name, length)) {
			places[i].fill(f, ret);
			return ret;
		}
	assert(!"every place of a template has a row");
	return "";
}

void why_template_fill(const struct why_facts *f, const char *template, char *ret, size_t size)
{
	char text[PLACE_SIZE];
	size_t used = 0;

	ret[0] = '\0';
	while (*template && used < size - 1) {
		size_t plain = strcspn(template, "{"), length;

		used += (size_t)snprintf(ret + used, size - used, "%.*s", (int)plain, template);
		template += plain;
		if (!*template || used >= size - 1)
			return;
		length = strcspn(template, "}");
		used += (size_t)snprintf(ret + used, size - used, "%s",
					 fill_place(f, template + 1, length - 1, text));
		template += length + 1;
	}
}
