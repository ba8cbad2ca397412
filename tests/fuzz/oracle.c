/* SPDX-License-Identifier: MIT */
/* The bind oracle: whatever owners a table has, every question has an answer. */
#include "reconcile/oracle.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/bind.h"
#include "bpf/abi.h"
#include "fuzz/fuzz.h"

#define OWNERS_MAX 8

static void take_question(struct fuzz_input *in, struct bind_asked *ret)
{
	uint8_t flags = fuzz_take_byte(in);

	*ret = (struct bind_asked){
		.protocol = flags & 1 ? IPPROTO_UDP : IPPROTO_TCP,
		.family = flags & 2 ? AF_INET6 : AF_INET,
		.v6only = flags & 4,
		.reuseaddr = flags & 8,
		.reuseport = flags & 16,
		.listening = flags & 32,
		.has_program = flags & 64,
		.program_group_has_closed = flags & 128,
		.uid = fuzz_take_byte(in) & 3,
		.dev = fuzz_take_byte(in) & 3,
		.self = fuzz_take_byte(in) & 7,
	};
	fuzz_take(in, &ret->addr, ret->family == AF_INET6 ? 16 : 4);
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
	struct fuzz_input in = { bytes, size };
	_cleanup_free_ struct bind_owner *owners = NULL;
	struct bind_table table = { .stable = true };
	struct bind_asked asked;

	take_question(&in, &asked);
	fuzz_take(&in, &table.bucket.fastreuse, 1);
	fuzz_take(&in, &table.bucket.fastreuseport, 1);
	table.bucket.fast_family = fuzz_take_byte(&in) & 1 ? AF_INET6 : AF_INET;
	table.bucket.fastuid = fuzz_take_byte(&in) & 3;
	table.secondary = fuzz_take_byte(&in) & 1;
	table.n_owners = fuzz_take_byte(&in) % (OWNERS_MAX + 1);
	owners = calloc(table.n_owners + 1, sizeof(*owners));
	must(owners);
	for (size_t i = 0; i < table.n_owners; i++) {
		struct abi_owner record;

		fuzz_take(&in, &record, sizeof(record));
		bind_owner_decode(&record, &owners[i]);
	}
	table.owners = owners;
	table.n_first_chain = table.secondary ? table.n_owners / 2 : 0;
	check(&table, &asked);
	return 0;
}
