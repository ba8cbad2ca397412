/* SPDX-License-Identifier: MIT */
/* The first line of `pd why`: what happened, in words that need no knowledge of sockets. */
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "api/why.h"
#include "base/procfs.h"

#define WHO_SIZE 160

char *why_age(int64_t s, char *ret)
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

/* "node (pid 94120)", "node (pid 94120) and 3 more", "a process of root that is hidden from here"
 */
static void name_holders(const struct why_facts *f, char *ret)
{
	char comm[PROCESS_COMM_SIZE], more[32] = "";
	const char *user;

	if (!f->n_holdings) {
		user = f->n_shown ? view_user_name(f->shown[0]->uid) : NULL;
		snprintf(ret, WHO_SIZE, "a process%s%s that is hidden from here",
			 user ? " of user " : "", user ? user : "");
		return;
	}
	view_process_name(f->inv, &f->holdings[0].holder->id, comm);
	if (f->n_holdings > 1)
		snprintf(more, sizeof(more), " and %zu more", f->n_holdings - 1);
	snprintf(ret, WHO_SIZE, "%s (pid %d)%s", *comm ? comm : "a process",
		 f->holdings[0].holder->id.pid, more);
}

/* " for 5 days"; "" where nobody saw it begin. */
static void name_age(const struct why_facts *f, char *ret, size_t size)
{
	int64_t since = f->n_shown ? f->shown[0]->since : 0;
	char age[32];

	if (since)
		snprintf(ret, size, " for %s", why_age(f->now - since, age));
	else
		snprintf(ret, size, "%s", "");
}

static void add_stopped(const struct why_facts *f, char *ret, size_t size)
{
	for (size_t i = 0; i < f->n_holdings; i++) {
		if (procfs_state(&f->holdings[i].holder->id) != 'T')
			continue;
		snprintf(ret, size, " It is stopped (as by Ctrl-Z), so it answers nobody.");
		return;
	}
	snprintf(ret, size, "%s", "");
}

/* Where the wanted and the held address differ, the difference is the explanation. */
static void add_address(const struct why_facts *f, char *ret, size_t size)
{
	const struct socket_row *owner = f->n_shown ? f->shown[0] : NULL;
	char held[NET_ADDR_STR_SIZE], wanted[NET_ADDR_STR_SIZE];

	if (!owner || f->answer->verdict == WHY_LISTENER) {
		snprintf(ret, size, "%s", "");
		return;
	}
	snprintf(ret, size, " Its %s also covers your %s.",
		 net_addr_format(owner->family, &owner->addr, held),
		 net_addr_format(f->question->family, &f->question->addr, wanted));
}

static void say_listener(const struct why_facts *f, const char *port, const char *who, char *ret)
{
	char age[48], stopped[64], address[2 * NET_ADDR_STR_SIZE + 32];

	name_age(f, age, sizeof(age));
	add_stopped(f, stopped, sizeof(stopped));
	add_address(f, address, sizeof(address));
	if (*age)
		snprintf(ret, WHY_SUMMARY_SIZE, "%s is taken: %s has been listening on it%s.%s%s",
			 port, who, age, address, stopped);
	else
		snprintf(ret, WHY_SUMMARY_SIZE, "%s is taken: %s is listening on it.%s%s", port,
			 who, address, stopped);
}

static void say_free(const struct why_facts *f, const char *port, const char *who, char *ret)
{
	if (f->claim)
		snprintf(ret, WHY_SUMMARY_SIZE, "%s is free. %s owns the claim on it.", port,
			 f->claim);
	else
		snprintf(ret, WHY_SUMMARY_SIZE, "%s is free.", port);
}

static void say_bound(const struct why_facts *f, const char *port, const char *who, char *ret)
{
	char age[48], stopped[64];

	name_age(f, age, sizeof(age));
	add_stopped(f, stopped, sizeof(stopped));
	snprintf(ret, WHY_SUMMARY_SIZE,
		 "%s is taken: %s has reserved it%s but does not listen on it (netstat and lsof do "
		 "not show this).%s",
		 port, who, age, stopped);
}

static void say_udp(const struct why_facts *f, const char *port, const char *who, char *ret)
{
	char age[48];

	name_age(f, age, sizeof(age));
	snprintf(ret, WHY_SUMMARY_SIZE, "%s is taken: %s has it open%s.", port, who, age);
}

static int64_t wait_seconds(const struct why_facts *f)
{
	uint32_t most = 0;

	for (size_t i = 0; i < f->n_shown; i++)
		if (f->shown[i]->timer_ms > most)
			most = f->shown[i]->timer_ms;
	return (most + 999) / 1000;
}

static void say_time_wait(const struct why_facts *f, const char *port, const char *who, char *ret)
{
	char age[32];

	snprintf(ret, WHY_SUMMARY_SIZE,
		 "%s is taken for another %s: no process holds it, connections of a server that "
		 "stopped are being closed (TIME_WAIT).",
		 port, why_age(wait_seconds(f), age));
}

static void say_connection(const struct why_facts *f, const char *port, const char *who, char *ret)
{
	size_t n = f->n_shown;

	snprintf(ret, WHY_SUMMARY_SIZE,
		 "%s is taken: nobody listens on it any more, but %zu connection%s of the old "
		 "server %s still open (%s).",
		 port, n, n == 1 ? "" : "s", n == 1 ? "is" : "are", who);
}

static void say_outgoing(const struct why_facts *f, const char *port, const char *who, char *ret)
{
	snprintf(ret, WHY_SUMMARY_SIZE,
		 "%s is taken: an outgoing connection of %s uses it as its own port.", port, who);
}

static void say_other_netns(const struct why_facts *f, const char *port, const char *who, char *ret)
{
	snprintf(ret, WHY_SUMMARY_SIZE,
		 "%s is free here; %s has it in another network namespace (a container, perhaps).",
		 port, who);
}

static void say_unknown(const struct why_facts *f, const char *port, const char *who, char *ret)
{
	snprintf(ret, WHY_SUMMARY_SIZE, "%s: what holds it could not be found out from here.",
		 port);
}

static void (*const sayings[])(const struct why_facts *, const char *, const char *, char *) = {
	[WHY_FREE] = say_free,
	[WHY_LISTENER] = say_listener,
	[WHY_LISTENER_WILDCARD_OVERLAP] = say_listener,
	[WHY_DUAL_STACK] = say_listener,
	[WHY_BOUND_NOT_LISTENING] = say_bound,
	[WHY_TIME_WAIT] = say_time_wait,
	[WHY_CONN_OF_CLOSED_LISTENER] = say_connection,
	[WHY_CONN_CLOSE_WAIT] = say_connection,
	[WHY_OUTGOING_CONNECTION] = say_outgoing,
	[WHY_UDP_BOUND] = say_udp,
	[WHY_OTHER_NETNS] = say_other_netns,
	[WHY_UNKNOWN] = say_unknown,
};
_Static_assert(ARRAY_SIZE(sayings) == _WHY_VERDICT_MAX, "every verdict has its words");

void why_summarize(const struct why_facts *f, char *ret)
{
	char port[24], who[WHO_SIZE];

	snprintf(port, sizeof(port), "%sort %u",
		 f->question->protocol == IPPROTO_UDP ? "UDP p" : "P", f->question->port);
	name_holders(f, who);
	sayings[f->answer->verdict](f, port, who, ret);
}
