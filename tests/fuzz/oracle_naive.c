/* SPDX-License-Identifier: MIT */
/*
 * The bind oracle against a second one, which is as simple as can be: an address stands for all the
 * destinations that a socket bound to it receives, and two sockets are in each other's way where
 * these have one in common, unless both may share.
 */
#include "reconcile/oracle.h"

#include <errno.h>
#include <netinet/in.h>

#include "fuzz/fuzz.h"

#define OWNERS_MAX 12

/* --- the naive oracle --- */

/* What a socket receives: nothing, one address, or all of a family. */
struct destinations {
	bool all_ipv4, all_ipv6;
	const uint8_t *one_ipv4, *one_ipv6;
};

static bool is_zero(const uint8_t *bytes, size_t n)
{
	while (n && !*bytes)
		bytes++, n--;
	return !n;
}

static struct destinations destinations_of(uint8_t family, const struct net_addr *a, bool v6only)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *ipv4 = family == AF_INET				  ? a->bytes
			      : !memcmp(a->bytes, mapped, sizeof(mapped)) ? a->bytes + 12
									  : NULL;

	if (ipv4 && is_zero(ipv4, 4))
		return (struct destinations){ .all_ipv4 = true };
	if (ipv4)
		return (struct destinations){ .one_ipv4 = ipv4 };
	if (is_zero(a->bytes, 16))
		return (struct destinations){ .all_ipv6 = true, .all_ipv4 = !v6only };
	return (struct destinations){ .one_ipv6 = a->bytes };
}

static bool have_one_in_common(const struct destinations *a, const struct destinations *b)
{
	if (a->all_ipv4 && (b->all_ipv4 || b->one_ipv4))
		return true;
	if (a->all_ipv6 && (b->all_ipv6 || b->one_ipv6))
		return true;
	if ((b->all_ipv4 && a->one_ipv4) || (b->all_ipv6 && a->one_ipv6))
		return true;
	if (a->one_ipv4 && b->one_ipv4 && !memcmp(a->one_ipv4, b->one_ipv4, 4))
		return true;
	return a->one_ipv6 && b->one_ipv6 && !memcmp(a->one_ipv6, b->one_ipv6, 16);
}

static bool overlap(const struct bind_asked *q, const struct bind_owner *o)
{
	struct destinations a = destinations_of(q->family, &q->addr, q->v6only);
	struct destinations b = destinations_of(o->family, &o->addr, o->v6only);

	if (q->dev && o->dev && q->dev != o->dev)
		return false;
	return have_one_in_common(&a, &b) && !(q->self && o->cookie == q->self);
}

static bool share_by_reuseport(const struct bind_asked *q, const struct bind_owner *o)
{
	bool same_user = q->uid == o->uid || o->state == SOCKET_TIME_WAIT;
	bool program = q->has_program &&
		       !(q->protocol == IPPROTO_TCP && q->program_group_has_closed);

	return q->reuseport && o->reuseport && same_user && !program;
}

static bool naive_tcp(const struct bind_table *t, const struct bind_asked *q)
{
	for (size_t i = 0; i < t->n_owners; i++) {
		const struct bind_owner *o = &t->owners[i];
		bool by_reuseaddr = q->reuseaddr && o->reuseaddr && o->state != SOCKET_LISTEN;

		if (overlap(q, o) && !by_reuseaddr && !share_by_reuseport(q, o))
			return true;
	}
	return false;
}

/* Who overlaps first in the chain decides. */
static bool naive_udp(const struct bind_table *t, size_t from, size_t to,
		      const struct bind_asked *q)
{
	for (size_t i = from; i < to; i++) {
		const struct bind_owner *o = &t->owners[i];

		if (overlap(q, o) && !(q->reuseaddr && o->reuseaddr))
			return !share_by_reuseport(q, o);
	}
	return false;
}

static bool naive_refuses(const struct bind_table *t, const struct bind_asked *q)
{
	if (q->protocol == IPPROTO_TCP)
		return naive_tcp(t, q);
	return naive_udp(t, 0, t->n_first_chain, q) ||
	       naive_udp(t, t->n_first_chain, t->n_owners, q);
}

/* --- worlds --- */

static const struct {
	uint8_t family;
	const char *text;
} addresses[] = {
	{ AF_INET, "0.0.0.0" },
	{ AF_INET, "127.0.0.1" },
	{ AF_INET, "127.0.0.2" },
	{ AF_INET6, "::" },
	{ AF_INET6, "::1" },
	{ AF_INET6, "fe80::1" },
	{ AF_INET6, "::ffff:0.0.0.0" },
	{ AF_INET6, "::ffff:127.0.0.1" },
};

/* A specific IPv6 address makes its socket V6ONLY, and a mapped one cannot be bound by such. */
static bool only_ipv6(uint8_t family, const struct net_addr *a, bool wanted)
{
	if (net_addr_is_ipv4(family, a))
		return false;
	return wanted || !net_addr_is_wildcard(family, a);
}

static void take_address(struct fuzz_input *in, uint8_t *ret_family, struct net_addr *ret)
{
	uint8_t which = fuzz_take_byte(in) % ARRAY_SIZE(addresses);

	must(net_addr_parse(addresses[which].text, ret_family, ret) == 0);
	must(*ret_family == addresses[which].family);
}

static void take_question(struct fuzz_input *in, struct bind_asked *ret)
{
	uint8_t flags = fuzz_take_byte(in), who = fuzz_take_byte(in);

	*ret = (struct bind_asked){
		.protocol = flags & 1 ? IPPROTO_UDP : IPPROTO_TCP,
		.reuseaddr = flags & 4,
		.reuseport = flags & 8,
		.listening = flags & 16,
		.has_program = flags & 32,
		.program_group_has_closed = flags & 64,
		.uid = who & 1,
		.dev = who >> 1 & 3,
		.self = who >> 3 & 3,
	};
	take_address(in, &ret->family, &ret->addr);
	ret->v6only = only_ipv6(ret->family, &ret->addr, flags & 2);
}

static void take_owner(struct fuzz_input *in, uint16_t protocol, struct bind_owner *ret)
{
	uint8_t flags = fuzz_take_byte(in), who = fuzz_take_byte(in);

	*ret = (struct bind_owner){
		.protocol = protocol,
		.reuseaddr = flags & 2,
		.reuseport = flags & 4,
		.state = SOCKET_BOUND,
		.uid = who & 1,
		.dev = who >> 1 & 3,
		.cookie = who >> 3 & 3,
	};
	if (protocol == IPPROTO_TCP)
		ret->state = 1 + (flags >> 3) % (_SOCKET_STATE_MAX - 1);
	take_address(in, &ret->family, &ret->addr);
	ret->v6only = only_ipv6(ret->family, &ret->addr, flags & 1);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct fuzz_input in = { bytes, size };
	struct bind_owner owners[OWNERS_MAX];
	struct bind_table table = { .stable = true, .owners = owners };
	struct bind_verdict verdict;
	struct bind_asked asked;
	enum bind_rule rule;

	take_question(&in, &asked);
	table.n_owners = fuzz_take_byte(&in) % (OWNERS_MAX + 1);
	if (asked.protocol == IPPROTO_UDP && table.n_owners) {
		table.n_first_chain = fuzz_take_byte(&in) % (table.n_owners + 1);
		table.secondary = table.n_first_chain > 0;
	}
	for (size_t i = 0; i < table.n_owners; i++)
		take_owner(&in, asked.protocol, &owners[i]);
	bind_oracle(&table, &asked, &verdict);
	must(verdict.error == (naive_refuses(&table, &asked) ? EADDRINUSE : 0));
	/* who is named is in the way, alone as well */
	if (verdict.error)
		must(overlap(&asked, &owners[verdict.owner]) &&
		     bind_oracle_blocks(&owners[verdict.owner], &asked, &rule) &&
		     rule == verdict.rule);
	return 0;
}
