/* SPDX-License-Identifier: MIT */
#include "inventory/bindtable.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/abi.h"

#define UDP_CROWDED_SLOT 10 /* udp_lib_get_port(): above this the address hash is looked at */

/* --- the kernel's hash of an address (include/linux/jhash.h), which names the secondary slot ---
 */

#define JHASH_INITVAL 0xdeadbeef

static uint32_t rol32(uint32_t word, unsigned shift)
{
	return (word << shift) | (word >> (32 - shift));
}

static uint32_t jhash_final(uint32_t a, uint32_t b, uint32_t c)
{
	c = (c ^ b) - rol32(b, 14);
	a = (a ^ c) - rol32(c, 11);
	b = (b ^ a) - rol32(a, 25);
	c = (c ^ b) - rol32(b, 16);
	a = (a ^ c) - rol32(c, 4);
	b = (b ^ a) - rol32(a, 14);
	return (c ^ b) - rol32(b, 24);
}

static uint32_t jhash_1word(uint32_t word, uint32_t seed)
{
	uint32_t start = JHASH_INITVAL + (1 << 2) + seed;

	return jhash_final(start + word, start, start);
}

/* jhash2() of the four words of an IPv6 address: one round of mixing, then the rest. */
static uint32_t jhash_4words(const uint32_t k[4], uint32_t seed)
{
	uint32_t start = JHASH_INITVAL + (4 << 2) + seed;
	uint32_t a = start + k[0], b = start + k[1], c = start + k[2];

	a = (a - c) ^ rol32(c, 4);
	c += b;
	b = (b - a) ^ rol32(a, 6);
	a += c;
	c = (c - b) ^ rol32(b, 8);
	b += a;
	a = (a - c) ^ rol32(c, 16);
	c += b;
	b = (b - a) ^ rol32(a, 19);
	a += c;
	c = (c - b) ^ rol32(b, 4);
	b += a;
	return jhash_final(a + k[3], b, c);
}

/* ipv4_portaddr_hash() and ipv6_portaddr_hash() (include/net/inet_hashtables.h, ipv6.h). */
static uint32_t portaddr_hash(uint8_t family, const struct net_addr *addr, uint16_t port,
			      uint32_t mix)
{
	uint32_t words[4];

	memcpy(words, addr->bytes, sizeof(words));
	if (family == AF_INET)
		return jhash_1word(words[0], mix) ^ port;
	if (net_addr_is_mapped(family, addr))
		return jhash_1word(words[3], mix) ^ port;
	if (net_addr_is_wildcard(family, addr))
		return jhash_1word(0, mix) ^ port;
	return jhash_4words(words, mix) ^ port;
}

/* --- records --- */

static void decode_bucket(const struct abi_walk *from, struct bind_bucket *to)
{
	memset(to, 0, sizeof(*to)); /* with its padding: tables are compared as bytes */
	if (!from->bucket)
		return;
	to->known = true;
	to->fastreuse = from->fastreuse;
	to->fastreuseport = from->fastreuseport;
	to->fastuid = from->fastuid;
	to->fast_family = (uint8_t)from->fast_family;
	to->fast_ipv6_only = from->fast_ipv6_only;
	to->fast_rcv_saddr_be32 = from->fast_rcv_saddr;
	memcpy(to->fast_v6_rcv_saddr.bytes, from->fast_v6_rcv_saddr,
	       sizeof(to->fast_v6_rcv_saddr.bytes));
}

static int append(struct bind_table *table, const struct abi_walk_answer *answer)
{
	size_t n = answer->head.n_owners, total = table->n_owners + n;
	struct bind_owner *owners;

	/* more come behind a full answer only, or it would never end */
	if (n > ABI_OWNERS_MAX || (answer->head.more && n < ABI_OWNERS_MAX))
		return -EBADMSG;
	if (total > BINDTABLE_OWNERS)
		return -E2BIG;
	if (!n)
		return 0;
	owners = reallocarray(table->owners, total, sizeof(*owners));
	if (!owners)
		return -ENOMEM;
	table->owners = owners;
	for (size_t i = 0; i < n; i++)
		bind_owner_decode(&answer->owners[i], &owners[table->n_owners + i]);
	table->n_owners = total;
	return 0;
}

/* --- walks --- */

struct walker {
	const struct kernel_source *kernel;
	const struct bindtable_question *question;
	struct bind_table *table;
	/* of the last answer */
	uint32_t hash_mix, slot_count, slot2_mask;
};

/* Walks one chain to its end, an answer's worth at a time, and appends what it holds. */
static int walk_chain(struct walker *w, uint32_t slot2)
{
	struct abi_walk asked = {
		.pid = (uint32_t)w->question->pid,
		.protocol = w->question->protocol,
		.port = w->question->port,
		.slot2 = slot2,
	};
	const struct abi_walk_answer *answer;
	int r;

	do {
		r = w->kernel->walk(w->kernel->user_data, &asked, &answer);
		r = r ?: answer->head.result;
		r = r ?: append(w->table, answer);
		if (r)
			return r;
		asked.skip += answer->head.n_owners;
	} while (answer->head.more);
	w->table->netns = answer->head.netns;
	bind_netns_decode(&answer->head.netns_settings, &w->table->netns_settings);
	if (!slot2)
		decode_bucket(&answer->head, &w->table->bucket);
	w->hash_mix = answer->head.hash_mix;
	w->slot_count = answer->head.slot_count;
	w->slot2_mask = answer->head.slot2_mask;
	return 0;
}

/* udp_lib_get_port(): which chains are looked at for a specific address in a crowded slot. */
static int walk_secondary(struct walker *w)
{
	const struct bindtable_question *q = w->question;
	static const struct net_addr any;
	uint32_t primary_count = w->slot_count;
	uint32_t slot = portaddr_hash(q->family, &q->addr, q->port, w->hash_mix) & w->slot2_mask;
	uint32_t any_slot = portaddr_hash(q->family, &any, q->port, w->hash_mix) & w->slot2_mask;
	struct bind_table primary = *w->table;
	int r;

	*w->table = (struct bind_table){ .netns = primary.netns, .secondary = true };
	r = walk_chain(w, slot + 1);
	if (!r && primary_count < w->slot_count) { /* that chain is the longer one */
		bindtable_deinit(w->table);
		*w->table = primary;
		return 0;
	}
	bindtable_deinit(&primary);
	w->table->n_first_chain = w->table->n_owners;
	if (!r && any_slot != slot)
		r = walk_chain(w, any_slot + 1);
	return r;
}

static int walk_once(struct walker *w)
{
	const struct bindtable_question *q = w->question;
	int r = walk_chain(w, 0);

	if (r || q->protocol != IPPROTO_UDP)
		return r;
	if (w->slot_count <= UDP_CROWDED_SLOT || net_addr_is_any(q->family, &q->addr))
		return 0;
	return walk_secondary(w);
}

static bool tables_agree(const struct bind_table *a, const struct bind_table *b)
{
	if (a->n_owners != b->n_owners || a->n_first_chain != b->n_first_chain)
		return false;
	for (size_t i = 0; i < a->n_owners; i++)
		if (a->owners[i].id != b->owners[i].id || a->owners[i].state != b->owners[i].state)
			return false;
	return !memcmp(&a->bucket, &b->bucket, sizeof(a->bucket));
}

int bindtable_read(const struct kernel_source *kernel, const struct bindtable_question *question,
		   struct bind_table *ret)
{
	struct bind_table last = { 0 };
	int r = 0;

	if (!kernel->walk)
		return -EOPNOTSUPP;
	for (int i = 0; i < BINDTABLE_TRIES; i++) {
		struct bind_table now = { 0 };
		struct walker w = { kernel, question, &now };

		r = walk_once(&w);
		if (!r && i > 0)
			now.stable = tables_agree(&last, &now);
		bindtable_deinit(&last);
		last = now;
		if (r || now.stable)
			break;
	}
	if (r) {
		bindtable_deinit(&last);
		return r;
	}
	*ret = last;
	return 0;
}

void bindtable_deinit(struct bind_table *table)
{
	free(table->owners);
	*table = (struct bind_table){ 0 };
}
