/* SPDX-License-Identifier: MIT */
/* The walk of the kernel's bind table, whatever it answers, and however that changes meanwhile. */
#include "inventory/bindtable.h"

#include <errno.h>
#include <netinet/in.h>

#include "bpf/abi.h"
#include "fuzz/fuzz.h"

#define ANSWERS_MAX 64 /* of one reading; who asks for more does not end */
#define FULL_MAX    8  /* answers that say that there are more */
#define OWNERS_MAX  4  /* of one answer that the input spells out */

struct kernel {
	struct fuzz_input in;
	struct abi_walk_answer answer;
	size_t answers;
};

static int walk(void *user_data, const struct abi_walk *asked, const struct abi_walk_answer **ret)
{
	struct kernel *k = user_data;
	uint8_t what = fuzz_take_byte(&k->in);
	struct abi_walk *head = &k->answer.head;

	must(++k->answers < ANSWERS_MAX);
	if (what == 0xff)
		return -EIO;
	/* else the same again, as of a table that stands still */
	if (what & 1) {
		fuzz_take(&k->in, head, sizeof(*head));
		head->result = what & 2 ? -ESRCH : 0;
		head->more = what >> 2 & 1;
		head->n_owners = what >> 3 & 7;
		for (size_t i = 0; i < head->n_owners && i < OWNERS_MAX; i++)
			fuzz_take(&k->in, &k->answer.owners[i], sizeof(k->answer.owners[i]));
	}
	if (what & 64)
		head->n_owners = ABI_OWNERS_MAX + (what >> 7);
	if (head->n_owners == ABI_OWNERS_MAX && k->answers > FULL_MAX)
		head->more = 0;
	*ret = &k->answer;
	return 0;
}

static void take_question(struct fuzz_input *in, struct bindtable_question *ret)
{
	uint8_t flags = fuzz_take_byte(in);

	*ret = (struct bindtable_question){
		.protocol = flags & 1 ? IPPROTO_UDP : IPPROTO_TCP,
		.family = flags & 2 ? AF_INET6 : AF_INET,
		.port = 3000,
	};
	fuzz_take(in, &ret->addr, ret->family == AF_INET6 ? 16 : 4);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	static struct kernel k; /* 48 kB */
	const struct kernel_source source = { .user_data = &k, .walk = walk };
	struct bindtable_question question;
	struct bind_table table = { 0 };
	int r;

	memset(&k, 0, sizeof(k));
	k.in = (struct fuzz_input){ bytes, size };
	take_question(&k.in, &question);
	r = bindtable_read(&source, &question, &table);
	must(r == 0 || r == -EIO || r == -ESRCH || r == -EBADMSG || r == -E2BIG);
	if (r)
		return 0;
	must(table.n_owners <= BINDTABLE_OWNERS && table.n_first_chain <= table.n_owners);
	must(table.secondary || !table.n_first_chain);
	for (size_t i = 0; i < table.n_owners; i++)
		must(table.owners[i].state < _SOCKET_STATE_MAX);
	bindtable_deinit(&table);
	return 0;
}
