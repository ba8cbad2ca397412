/* SPDX-License-Identifier: MIT */
#include "reconcile/oracle.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* How the kernel classes an address where it compares (ipv6_addr_type); IPv4 counts as mapped. */
enum addr_class { ADDR_ANY6, ADDR_MAPPED, ADDR_SPECIFIC6 };

static enum addr_class class_of(uint8_t family, const struct net_addr *a)
{
	if (net_addr_is_ipv4(family, a))
		return ADDR_MAPPED;
	return net_addr_is_wildcard(family, a) ? ADDR_ANY6 : ADDR_SPECIFIC6;
}

/* sk_rcv_saddr: the IPv4 address in network order; an IPv6 socket has 0 unless it is mapped. */
static uint32_t v4_of(uint8_t family, const struct net_addr *a)
{
	uint32_t v4 = 0;

	if (family == AF_INET)
		memcpy(&v4, a->bytes, sizeof(v4));
	else if (class_of(family, a) == ADDR_MAPPED)
		memcpy(&v4, a->bytes + 12, sizeof(v4));
	return v4;
}

/* One side of the kernel's comparison. */
struct side {
	uint8_t family;
	const struct net_addr *addr;
	uint32_t v4;
	bool v6only;
};

/* ipv4_rcv_saddr_equal(); `wild1`: a wildcard on the first side matches. */
static bool v4_equal(uint32_t a, uint32_t b, bool b_v6only, bool wild1, bool wild2)
{
	if (b_v6only)
		return false;
	return a == b || (wild1 && !a) || (wild2 && !b);
}

/* inet_rcv_saddr_equal() and ipv6_rcv_saddr_equal(), whose first side is not symmetric. */
static bool rcv_saddr_equal(const struct side *a, const struct side *b, bool wild1, bool wild2)
{
	enum addr_class ca, cb;

	if (a->family == AF_INET)
		return v4_equal(a->v4, b->v4, b->v6only, wild1, wild2);
	ca = class_of(a->family, a->addr);
	cb = class_of(b->family, b->addr);
	if (ca == ADDR_MAPPED && cb == ADDR_MAPPED)
		return v4_equal(a->v4, b->v4, b->v6only, wild1, wild2);
	if (ca == ADDR_ANY6 && cb == ADDR_ANY6)
		return true;
	if (cb == ADDR_ANY6 && wild2 && !(b->v6only && ca == ADDR_MAPPED))
		return true;
	if (ca == ADDR_ANY6 && wild1 && !(a->v6only && cb == ADDR_MAPPED))
		return true;
	return b->family == AF_INET6 && !memcmp(a->addr, b->addr, sizeof(*a->addr));
}

/* A specific, unmapped IPv6 address makes the socket V6ONLY (__inet6_bind). */
static struct side asked_side(const struct bind_asked *q)
{
	bool v6 = q->family == AF_INET6;

	return (struct side){
		.family = q->family,
		.addr = &q->addr,
		.v4 = v4_of(q->family, &q->addr),
		.v6only = v6 && (q->v6only || class_of(q->family, &q->addr) == ADDR_SPECIFIC6),
	};
}

static struct side owner_side(const struct bind_owner *o)
{
	return (struct side){
		.family = o->family,
		.addr = &o->addr,
		.v4 = v4_of(o->family, &o->addr),
		.v6only = o->family == AF_INET6 && o->v6only,
	};
}

/* inet_use_bhash2_on_bind(), and inet_use_hash2_on_bind() for UDP. */
static bool is_specific(const struct side *s)
{
	if (s->family == AF_INET6 && class_of(s->family, s->addr) != ADDR_MAPPED)
		return class_of(s->family, s->addr) == ADDR_SPECIFIC6;
	return s->v4 != 0;
}

/* The owner's bhash2 bucket is one of those that a specific address searches: its own, or a
 * wildcard's (inet_bind2_bucket_match, inet_bind2_bucket_match_addr_any). */
static bool in_searched_bucket(const struct side *q, const struct side *o)
{
	enum addr_class co = class_of(o->family, o->addr), cq = class_of(q->family, q->addr);

	if (o->v6only && cq == ADDR_MAPPED)
		return false;
	if (co == ADDR_ANY6)
		return true;
	if (co == ADDR_MAPPED)
		return cq == ADDR_MAPPED && (!o->v4 || o->v4 == q->v4);
	return cq == ADDR_SPECIFIC6 && !memcmp(q->addr, o->addr, sizeof(*q->addr));
}

static bool tcp_overlaps(const struct side *q, const struct side *o)
{
	return is_specific(q) ? in_searched_bucket(q, o) : rcv_saddr_equal(q, o, true, true);
}

static bool devices_overlap(const struct bind_asked *q, const struct bind_owner *o)
{
	return !q->dev || !o->dev || q->dev == o->dev;
}

/* Why a pair that overlaps cannot share by SO_REUSEPORT; BIND_RULE_REUSEPORT when it can. */
static enum bind_rule reuseport_rule(const struct bind_asked *q, const struct bind_owner *o)
{
	if (!q->reuseport && !o->reuseport)
		return BIND_RULE_TAKEN;
	if (!q->reuseport || !o->reuseport)
		return BIND_RULE_REUSEPORT_HALF;
	if (o->state != SOCKET_TIME_WAIT && q->uid != o->uid)
		return BIND_RULE_REUSEPORT_UID;
	if (q->has_program && !q->program_group_has_closed)
		return BIND_RULE_REUSEPORT_PROGRAM;
	return BIND_RULE_REUSEPORT;
}

/* inet_bind_conflict() with relax and reuseport_ok, as an explicit port has them. */
static enum bind_rule tcp_pair_rule(const struct bind_asked *q, const struct bind_owner *o)
{
	enum bind_rule rule;

	if (q->reuseaddr && o->reuseaddr && o->state != SOCKET_LISTEN)
		return BIND_RULE_REUSEADDR;
	rule = reuseport_rule(q, o);
	if (rule != BIND_RULE_TAKEN)
		return rule;
	if (q->reuseaddr && o->reuseaddr)
		return BIND_RULE_LISTENS;
	return q->reuseaddr != o->reuseaddr ? BIND_RULE_REUSEADDR_HALF : BIND_RULE_TAKEN;
}

static bool rule_blocks(enum bind_rule rule)
{
	return rule >= BIND_RULE_TAKEN;
}

/* sk_reuseport_match(): a newcomer like the last one passes without a look at the owners. */
static bool cache_admits(const struct bind_bucket *b, const struct bind_asked *q,
			 const struct side *qs)
{
	struct side cached = {
		.family = b->fast_family,
		.addr = &b->fast_v6_rcv_saddr,
		.v4 = b->fast_rcv_saddr_be32,
		.v6only = b->fast_ipv6_only,
	};

	if (b->fastreuse > 0 && q->reuseaddr && !q->listening)
		return true;
	if (b->fastreuseport <= 0 || !q->reuseport || q->has_program || b->fastuid != q->uid)
		return false;
	return b->fastreuseport == 1 || rcv_saddr_equal(&cached, qs, true, false);
}

/* Remembers the first owner that was met and let pass, so that success has its reason too. */
static void note_pass(struct bind_verdict *v, enum bind_rule rule, size_t owner)
{
	if (v->rule == BIND_RULE_FREE || v->rule == BIND_RULE_NO_OVERLAP)
		*v = (struct bind_verdict){ .rule = rule, .owner = owner };
}

static void tcp_oracle(const struct bind_table *t, const struct bind_asked *q,
		       struct bind_verdict *ret)
{
	struct side qs = asked_side(q);

	if (cache_admits(&t->bucket, q, &qs)) {
		ret->rule = BIND_RULE_CACHED;
		return;
	}
	for (size_t i = 0; i < t->n_owners; i++) {
		const struct bind_owner *o = &t->owners[i];
		struct side os = owner_side(o);
		enum bind_rule rule;

		if (q->self && o->cookie == q->self)
			continue;
		note_pass(ret, BIND_RULE_NO_OVERLAP, t->n_owners);
		if (!devices_overlap(q, o) || !tcp_overlaps(&qs, &os))
			continue;
		rule = tcp_pair_rule(q, o);
		if (rule_blocks(rule)) {
			*ret = (struct bind_verdict){ EADDRINUSE, rule, i };
			return;
		}
		note_pass(ret, rule, i);
	}
}

/* UDP looks neither at states nor at closed members of a program's group. */
static enum bind_rule udp_pair_rule(const struct bind_asked *q, const struct bind_owner *o)
{
	enum bind_rule rule;

	if (q->reuseaddr && o->reuseaddr)
		return BIND_RULE_REUSEADDR;
	rule = reuseport_rule(q, o);
	if (rule == BIND_RULE_REUSEPORT && q->has_program)
		return BIND_RULE_REUSEPORT_PROGRAM;
	if (rule == BIND_RULE_TAKEN && q->reuseaddr != o->reuseaddr)
		return BIND_RULE_REUSEADDR_HALF;
	return rule;
}

/* One chain: true when an owner in it decided. */
static bool udp_chain(const struct bind_table *t, size_t from, size_t to,
		      const struct bind_asked *q, struct bind_verdict *ret)
{
	struct side qs = asked_side(q);

	for (size_t i = from; i < to; i++) {
		const struct bind_owner *o = &t->owners[i];
		struct side os = owner_side(o);
		enum bind_rule rule;

		if (q->self && o->cookie == q->self)
			continue;
		note_pass(ret, BIND_RULE_NO_OVERLAP, t->n_owners);
		if (!devices_overlap(q, o) || !rcv_saddr_equal(&qs, &os, true, true))
			continue;
		rule = udp_pair_rule(q, o);
		if (rule == BIND_RULE_REUSEADDR) {
			note_pass(ret, rule, i);
			continue;
		}
		*ret = (struct bind_verdict){ rule_blocks(rule) ? EADDRINUSE : 0, rule, i };
		return true;
	}
	return false;
}

static void udp_oracle(const struct bind_table *t, const struct bind_asked *q,
		       struct bind_verdict *ret)
{
	if (!t->secondary) {
		udp_chain(t, 0, t->n_owners, q, ret);
		return;
	}
	/* A reuseport pair ends the search of its own chain only. */
	if (udp_chain(t, 0, t->n_first_chain, q, ret) && ret->error)
		return;
	udp_chain(t, t->n_first_chain, t->n_owners, q, ret);
}

void bind_oracle(const struct bind_table *table, const struct bind_asked *asked,
		 struct bind_verdict *ret)
{
	*ret = (struct bind_verdict){ .rule = BIND_RULE_FREE, .owner = table->n_owners };
	if (asked->protocol == IPPROTO_UDP)
		udp_oracle(table, asked, ret);
	else
		tcp_oracle(table, asked, ret);
}

bool bind_oracle_blocks(const struct bind_owner *owner, const struct bind_asked *asked,
			enum bind_rule *ret_rule)
{
	struct bind_owner copy = *owner;
	const struct bind_table alone = { .owners = &copy, .n_owners = 1 };
	struct bind_verdict verdict;

	bind_oracle(&alone, asked, &verdict);
	*ret_rule = verdict.rule;
	return verdict.error != 0;
}
