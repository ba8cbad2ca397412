/* SPDX-License-Identifier: MIT */
/* The bind oracle: whatever owners a table has, every question has an answer. */
#include "reconcile/oracle.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/bind.h"
#include "bpf/abi.h"
#include "fuzz/fuzz.h"

#define OWNERS_MAX 8

/* The input, taken from its front; zeros behind its end. */
struct input {
	const uint8_t *bytes;
	size_t size;
};

static void take(struct input *in, void *ret, size_t n)
{
	size_t there = n < in->size ? n : in->size;

	memset(ret, 0, n);
	if (there)
		memcpy(ret, in->bytes, there);
	in->bytes += there;
	in->size -= there;
}

static uint8_t take_byte(struct input *in)
{
	uint8_t byte;

	take(in, &byte, 1);
	return byte;
}

static void take_question(struct input *in, struct bind_asked *ret)
{
	uint8_t flags = take_byte(in);

	*ret = (struct bind_asked){
		.protocol = flags & 1 ? IPPROTO_UDP : IPPROTO_TCP,
		.family = flags & 2 ? AF_INET6 : AF_INET,
		.v6only = flags & 4,
		.reuseaddr = flags & 8,
		.reuseport = flags & 16,
		.listening = flags & 32,
		.has_program = flags & 64,
		.program_group_has_closed = flags & 128,
		.uid = take_byte(in) & 3,
		.dev = take_byte(in) & 3,
		.self = take_byte(in) & 7,
	};
	take(in, &ret->addr, ret->family == AF_INET6 ? 16 : 4);
}

static void check(const struct bind_table *table, const struct bind_asked *asked)
{
	struct bind_verdict verdict = { .error = -1, .owner = SIZE_MAX };
	enum bind_rule rule = _BIND_RULE_MAX;

	bind_oracle(table, asked, &verdict);
	must(verdict.error == 0 || verdict.error == EADDRINUSE);
	must(verdict.rule < _BIND_RULE_MAX);
	must(verdict.owner <= table->n_owners);
	/* a refusal has its reason, and nobody is refused by nobody */
	must(!verdict.error == (verdict.rule < BIND_RULE_TAKEN));
	if (verdict.error)
		must(table->n_owners > 0);
	for (size_t i = 0; i < table->n_owners; i++)
		if (bind_oracle_blocks(&table->owners[i], asked, &rule))
			must(rule >= BIND_RULE_TAKEN && rule < _BIND_RULE_MAX);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct input in = { bytes, size };
	struct bind_owner *owners;
	struct bind_table table = { .stable = true };
	struct bind_asked asked;

	take_question(&in, &asked);
	take(&in, &table.bucket.fastreuse, 1);
	take(&in, &table.bucket.fastreuseport, 1);
	table.bucket.fast_family = take_byte(&in) & 1 ? AF_INET6 : AF_INET;
	table.bucket.fastuid = take_byte(&in) & 3;
	table.secondary = take_byte(&in) & 1;
	table.n_owners = take_byte(&in) % (OWNERS_MAX + 1);
	owners = calloc(table.n_owners + 1, sizeof(*owners));
	must(owners);
	for (size_t i = 0; i < table.n_owners; i++) {
		struct abi_owner record;

		take(&in, &record, sizeof(record));
		bind_owner_decode(&record, &owners[i]);
	}
	table.owners = owners;
	table.n_first_chain = table.secondary ? table.n_owners / 2 : 0;
	check(&table, &asked);
	free(owners);
	return 0;
}
