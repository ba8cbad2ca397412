/* SPDX-License-Identifier: MIT */
#include "reconcile/why.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "reconcile/why_parts.h"

static const char *const verdict_names[] = {
#define VERDICT(NAME, name, ...) [WHY_##NAME] = #name,
#include "explain/verdicts.h"
#undef VERDICT
};

const char *why_verdict_name(enum why_verdict v)
{
	if ((unsigned)v >= _WHY_VERDICT_MAX)
		v = WHY_UNKNOWN;
	return verdict_names[v];
}

enum why_verdict why_verdict_of_name(const char *name)
{
	int v = 0;

	while (v < _WHY_VERDICT_MAX && strcmp(why_verdict_name((enum why_verdict)v), name) != 0)
		v++;
	return v < _WHY_VERDICT_MAX ? (enum why_verdict)v : WHY_UNKNOWN;
}

/* --- who is in the way ----------------------------------------------------------------------- */

/* The strongest owners in the way so far, strongest first. */
struct culprits {
	struct culprit {
		const struct why_owner *owner;
		enum why_verdict verdict;
		enum bind_rule rule;
		unsigned strength; /* lower is stronger */
	} list[WHY_BLOCKING_MAX];
	size_t n;
};

static void add_culprit(struct culprits *all, const struct culprit *new)
{
	size_t at = all->n;

	/* of two that are equal, the first stays first */
	while (at > 0 && all->list[at - 1].strength > new->strength)
		at--;
	if (at == WHY_BLOCKING_MAX)
		return;
	if (all->n < WHY_BLOCKING_MAX)
		all->n++;
	for (size_t i = all->n - 1; i > at; i--)
		all->list[i] = all->list[i - 1];
	all->list[at] = *new;
}

static struct bind_asked ask_oracle(const struct why_question *q, bool listening)
{
	return (struct bind_asked){
		.protocol = q->protocol,
		.family = q->family,
		.addr = q->addr,
		.v6only = q->v6only,
		.reuseaddr = q->reuseaddr,
		.reuseport = q->reuseport,
		.uid = q->uid,
		.dev = q->dev,
		.listening = listening,
		.self = q->cookie,
		.has_program = q->has_program,
	};
}

/* Without the kernel's table some of an owner's flags are not known, and may decide. */
enum certainty { NEVER, PERHAPS, ALWAYS };

#define UNKNOWN_REUSEADDR 1u
#define UNKNOWN_REUSEPORT 2u
#define UNKNOWN_V6ONLY	  4u
#define UNKNOWN_ALL	  7u

/* The owner as it would be with these of its unknown flags set. */
static struct bind_owner suppose(const struct why_owner *o, unsigned flags)
{
	struct bind_owner b = o->bind;

	if (o->flags_known)
		return b;
	b.reuseaddr = flags & UNKNOWN_REUSEADDR;
	b.reuseport = flags & UNKNOWN_REUSEPORT;
	/* of any other address it makes no difference */
	if (!(o->row && o->row->v6only_known) && b.family == AF_INET6 &&
	    net_addr_is_wildcard(AF_INET6, &b.addr))
		b.v6only = flags & UNKNOWN_V6ONLY;
	return b;
}

static enum certainty certainty_without_table(const struct why_owner *o,
					      const struct bind_asked *asked,
					      enum bind_rule *ret_rule)
{
	unsigned n = 0;

	for (unsigned flags = 0; flags <= UNKNOWN_ALL; flags++) {
		struct bind_owner b = suppose(o, flags);

		n += bind_oracle_blocks(&b, asked, ret_rule);
	}
	if (!o->flags_known)
		*ret_rule = BIND_RULE_TAKEN;
	if (n == 0)
		return NEVER;
	/* the caches of the port, or another owner of one uid, may let a SO_REUSEPORT socket pass
	 */
	return n == UNKNOWN_ALL + 1 && (!asked->reuseport || asked->has_program) ? ALWAYS : PERHAPS;
}

/* One situation while it is looked at. */
struct look {
	const struct why_question *question;
	const struct why_environment *environment;
	const struct bind_table *table; /* NULL = the kernel could not be walked */
	const struct why_owner *owners;
	size_t n_owners;
	bool listening;		  /* what is refused is the listen() */
	enum bind_rule free_rule; /* why it would succeed */
	struct culprits culprits;
	enum certainty certainty; /* that somebody is in the way */
};

static struct why_case case_of(const struct look *l, const struct why_owner *owner,
			       enum bind_rule rule)
{
	return (struct why_case){
		.question = l->question,
		.environment = l->environment,
		.bucket = l->table ? &l->table->bucket : NULL,
		.owner = owner,
		.rule = rule,
		.listening = l->listening,
	};
}

/* Those that are in the way at least so surely. */
static void collect(struct look *l, enum certainty at_least)
{
	struct bind_asked asked = ask_oracle(l->question, l->listening);

	for (size_t i = 0; i < l->n_owners; i++) {
		struct culprit new = { .owner = &l->owners[i] };
		enum certainty c;
		struct why_case its;

		if (l->table)
			c = bind_oracle_blocks(&new.owner->bind, &asked, &new.rule) ? ALWAYS
										    : NEVER;
		else
			c = certainty_without_table(new.owner, &asked, &new.rule);
		if (c < at_least || c == NEVER)
			continue;
		its = case_of(l, new.owner, new.rule);
		new.verdict = why_name_situation(&its, &new.strength);
		add_culprit(&l->culprits, &new);
	}
}

/* A question about now asks for bind() and, of TCP, for listen() after it. */
static void ask_table(struct look *l)
{
	struct bind_asked asked = ask_oracle(l->question, false);
	struct bind_verdict verdict;

	bind_oracle(l->table, &asked, &verdict);
	l->free_rule = verdict.rule;
	if (!verdict.error && l->question->protocol != IPPROTO_UDP) {
		asked.listening = true;
		bind_oracle(l->table, &asked, &verdict);
		l->listening = verdict.error != 0;
	}
	l->certainty = verdict.error ? ALWAYS : NEVER;
	if (verdict.error)
		collect(l, ALWAYS);
	else if (!l->table->stable && l->table->n_owners)
		l->certainty = PERHAPS;
}

static void find_culprits(struct look *l)
{
	bool recorded = why_is_recorded(l->question);

	l->listening = recorded && l->question->call == EVENT_CALL_LISTEN;
	l->free_rule = l->n_owners ? BIND_RULE_NO_OVERLAP : BIND_RULE_FREE;
	if (l->table && !recorded) {
		ask_table(l);
		return;
	}
	/* the caches of the port were not recorded: who is in the way, not whether, is asked */
	collect(l, ALWAYS);
	l->certainty = l->culprits.n ? ALWAYS : NEVER;
	if (l->culprits.n || l->table)
		return;
	collect(l, PERHAPS);
	l->certainty = l->culprits.n ? PERHAPS : NEVER;
}

/* --- the answer ------------------------------------------------------------------------------ */

static void answer_without_owner(enum why_verdict verdict, int error, struct why_answer *ret)
{
	ret->verdict = verdict;
	ret->error = error;
}

static void answer_owners(const struct look *l, struct why_answer *ret)
{
	ret->verdict = l->certainty == ALWAYS ? l->culprits.list[0].verdict : WHY_UNKNOWN;
	if (why_is_recorded(l->question))
		ret->error = l->question->error;
	else
		ret->error = l->certainty == ALWAYS ? EADDRINUSE : 0;
	ret->n_blocking = l->culprits.n;
	for (size_t i = 0; i < l->culprits.n; i++)
		ret->blocking[i] = l->culprits.list[i].owner;
}

/* MPTCP takes its ports from TCP; UDP has its own. */
static bool any_of_protocol(const struct why_question *q, const struct socket_row *const *rows,
			    size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((rows[i]->protocol == IPPROTO_UDP) == (q->protocol == IPPROTO_UDP))
			return true;
	return false;
}

static void answer_free(const struct look *l, bool busy_elsewhere, struct why_answer *ret)
{
	enum why_verdict verdict = busy_elsewhere ? WHY_OTHER_NETNS : WHY_FREE;

	if (l->question->error) /* of a refusal that is remembered */
		verdict = WHY_GONE;
	ret->free = true;
	answer_without_owner(verdict, l->question->error, ret);
}

static void explain_refusal(struct look *l, struct why_answer *ret)
{
	const struct why_question *q = l->question;
	enum why_verdict verdict = why_name_program(q);

	if (verdict != WHY_FREE) {
		answer_without_owner(verdict, q->error, ret);
		return;
	}
	if (q->error == EADDRINUSE && !q->no_entry && q->port)
		find_culprits(l);
	if (l->culprits.n)
		answer_owners(l, ret);
	else
		answer_without_owner(why_name_refusal(q, l->environment), q->error, ret);
	if (q->rewritten) /* whatever is in the way there comes second */
		ret->verdict = WHY_PORT_REWRITTEN_BY_BPF;
}

static void explain_now(struct look *l, bool busy_elsewhere, struct why_answer *ret)
{
	enum why_verdict foreseen;
	int error;

	foreseen = why_foresee_address(l->question, l->environment, &error);
	if (foreseen != WHY_FREE) {
		answer_without_owner(foreseen, error, ret);
		return;
	}
	find_culprits(l);
	foreseen = why_foresee_rights(l->question, l->environment, &error);
	if (l->culprits.n)
		answer_owners(l, ret);
	else if (foreseen != WHY_FREE)
		answer_without_owner(foreseen, error, ret);
	else if (l->certainty != NEVER || l->question->blind)
		answer_without_owner(WHY_UNKNOWN, l->certainty == ALWAYS ? EADDRINUSE : 0, ret);
	else
		answer_free(l, busy_elsewhere, ret);
}

void why_explain(const struct why_question *question, const struct bind_table *table,
		 const struct why_owner *owners, size_t n_owners,
		 const struct socket_row *const *elsewhere, size_t n_elsewhere,
		 const struct why_environment *environment, struct why_answer *ret)
{
	static const struct why_environment nothing_known;
	struct look l = {
		.question = question,
		.environment = environment ? environment : &nothing_known,
		.table = table,
		.owners = owners,
		.n_owners = n_owners,
	};

	/* beyond the table there is nobody that the oracle has seen */
	if (table && table->n_owners < n_owners)
		l.n_owners = table->n_owners;
	*ret = (struct why_answer){ .verdict = WHY_FREE };
	if (why_is_recorded(question))
		explain_refusal(&l, ret);
	else
		explain_now(&l, any_of_protocol(question, elsewhere, n_elsewhere), ret);
	ret->free_rule = l.free_rule;
}
