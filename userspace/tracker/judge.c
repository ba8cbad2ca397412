/* SPDX-License-Identifier: MIT */
#include "tracker/judge.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/outcome.h"
#include "base/procfs.h"
#include "base/text.h"
#include "base/user.h"
#include "provenance/behalf.h"

#define TABLE_ROWS_MAX 64 /* of JUDGE_TABLE */

static const struct port_range range_of_services = { PORT_RANGE_FIRST, PORT_RANGE_LAST };

/* --- a claim --- */

/* What the rule looks at, and a place for what it is told of a process. */
struct view {
	struct inventory *inv;
	const struct service *claim; /* NULL: runs are not asked for */
	struct process process;
};

/* Whether a process is a member of a run is asked where the claim has one. */
static const struct process *look_up(const struct process_id *id, void *user_data)
{
	struct view *view = user_data;
	const struct process *known = inventory_process(view->inv, id);

	if (!known || !view->claim || !view->claim->runs)
		return known;
	view->process = *known;
	view->process.run = inventory_run_of(view->inv, id);
	return &view->process;
}

const char *judge_status_name(const struct status_verdict *verdict)
{
	return verdict->ending ? JUDGE_STATUS_ENDING : service_status_name(verdict->status);
}

static struct status_sources sources_of(struct view *view)
{
	return (struct status_sources){ look_up, behalf_find, view, user_name };
}

static struct status_verdict judge_row(struct inventory *inv, const struct service *claim,
				       const struct socket_row *row)
{
	struct view view = { .inv = inv, .claim = claim };
	const struct status_sources sources = sources_of(&view);
	struct status_verdict verdict;

	reconcile_socket(claim, row, &sources, &verdict);
	return verdict;
}

const char *judge_socket_of_claim(struct inventory *inv, const struct service *claim,
				  const struct socket_row *row)
{
	struct status_verdict verdict = judge_row(inv, claim, row);

	return judge_status_name(&verdict);
}

bool judge_warning(const struct inventory *inv, const struct status_verdict *verdict,
		   char ret[STATUS_WARNING_SIZE])
{
	struct view view = { .inv = (struct inventory *)inv };
	const struct status_sources sources = sources_of(&view);

	return status_warning(verdict, &sources, ret);
}

static void apply_rule(struct inventory *inv, const struct service *claim,
		       const struct socket_row *const *rows, size_t n, int64_t now,
		       struct judgement *ret)
{
	struct view view = { .inv = inv, .claim = claim };
	const struct status_sources sources = sources_of(&view);

	reconcile_service(claim, rows, n, &sources, now, RECONCILE_STALE_AGE_S, &ret->verdict);
}

int judge_claim(struct inventory *inv, const struct service *claim, int64_t now,
		enum judge_effort effort, struct judgement *ret)
{
	const struct socket_row *first[TABLE_ROWS_MAX];
	_cleanup_free_ const struct socket_row **all = NULL;
	uint32_t netns = inventory_own_netns(inv);
	size_t n;
	int r;

	*ret = (struct judgement){ 0 };
	if (effort == JUDGE_TABLE) {
		n = inventory_by_port(inv, netns, claim->port, first, TABLE_ROWS_MAX);
		apply_rule(inv, claim, first, n < TABLE_ROWS_MAX ? n : TABLE_ROWS_MAX, now, ret);
		return 0;
	}
	r = inventory_verified_rows(inv, netns, claim->port, &all, &n);
	if (r)
		return r;
	apply_rule(inv, claim, all, n, now, ret);
	return inventory_holdings(all, n, true, &ret->holdings, &ret->n_holdings);
}

int judge_port_use(struct inventory *inv, const struct service *claim, enum port_use *ret)
{
	_cleanup_free_ const struct socket_row **rows = NULL;
	size_t n;
	int r = inventory_verified_rows(inv, inventory_own_netns(inv), claim->port, &rows, &n);

	*ret = PORT_FREE;
	for (size_t i = 0; !r && *ret != PORT_SERVED && i < n; i++)
		*ret = judge_row(inv, claim, rows[i]).status == SERVICE_SQUATTED ? PORT_TAKEN
										 : PORT_SERVED;
	return r;
}

int judge_port_stranger(struct inventory *inv, const struct service *claim,
			struct status_verdict *ret)
{
	_cleanup_free_ const struct socket_row **rows = NULL;
	size_t n;
	int r = inventory_verified_rows(inv, inventory_own_netns(inv), claim->port, &rows, &n);

	for (size_t i = 0; !r && i < n; i++) {
		*ret = judge_row(inv, claim, rows[i]);
		if (ret->status == SERVICE_SQUATTED)
			return 1;
	}
	return r;
}

bool judge_is_stopped(const struct status_verdict *verdict)
{
	const struct socket_row *row = verdict->socket;

	for (size_t i = 0; row && i < row->n_holders; i++)
		if (procfs_state(&row->holders[i].id) != 'T')
			return false;
	return row && row->n_holders > 0;
}

void judge_stopped_words(const struct inventory *inv, const struct process_id *server, char *ret,
			 size_t size)
{
	char comm[PROCESS_COMM_SIZE], escaped[4 * PROCESS_COMM_SIZE];

	text_escape_terminal(inventory_process_name(inv, server, comm), escaped, sizeof(escaped));
	snprintf(ret, size,
		 "%s (%d) is stopped, as by Ctrl-Z; it goes on with fg, or kill -CONT %d", escaped,
		 server->pid, server->pid);
}

int judge_holdings(struct inventory *inv, uint16_t port, struct holding **ret, size_t *ret_n)
{
	_cleanup_free_ const struct socket_row **rows = NULL;
	size_t n;
	int r = inventory_verified_rows(inv, inventory_own_netns(inv), port, &rows, &n);

	return r ? r : inventory_holdings(rows, n, false, ret, ret_n);
}

/* --- a socket --- */

static bool stop(const struct service *service, void *user_data)
{
	return false;
}

/* Has the port a claim?  1, 0, negative errno. */
static int is_claimed(struct registry *registry, uint16_t port)
{
	int r = registry_port_may_be_claimed(registry, port)
			? registry_service_by_port(registry, port, stop, NULL)
			: OUTCOME_NO;

	return r == OUTCOME_NO ? 0 : r < 0 ? r : 1;
}

int judge_unclaimed(const struct inventory *inv, struct registry *registry,
		    const struct socket_row *row)
{
	int ever;

	if (!socket_serves(row) || row->netns != inventory_own_netns(inv))
		return ORPHAN_NOT;
	ever = registry_port_ever_claimed(registry, row->port);
	if (ever < 0)
		return ever;
	return reconcile_orphan(row, range_of_services, false, ever > 0);
}

int judge_socket(const struct inventory *inv, struct registry *registry,
		 const struct socket_row *row)
{
	int reason = judge_unclaimed(inv, registry, row);
	int claimed = reason > ORPHAN_NOT ? is_claimed(registry, row->port) : 0;

	if (claimed)
		return claimed < 0 ? claimed : ORPHAN_NOT;
	return reason;
}

struct orphan_count {
	const struct inventory *inv;
	struct registry *registry;
	int64_t n;
	int error;
};

/* Of most ports no socket is an orphan, whoever has thousands there. */
static bool may_have_orphans(uint16_t port, void *user_data)
{
	struct orphan_count *count = user_data;

	return (port >= range_of_services.first && port <= range_of_services.last) ||
	       registry_port_ever_claimed(count->registry, port) != 0;
}

static bool count_orphan(const struct socket_row *row, void *user_data)
{
	struct orphan_count *count = user_data;
	int reason = judge_socket(count->inv, count->registry, row);

	count->error = reason < 0 ? reason : 0;
	count->n += reason > ORPHAN_NOT;
	return reason >= 0;
}

int judge_count_orphans(const struct inventory *inv, struct registry *registry, int64_t *ret)
{
	struct orphan_count count = { .inv = inv, .registry = registry };

	/* Who holds them is not asked: that makes none of them more or less an orphan. */
	inventory_for_each(inv, may_have_orphans, count_orphan, &count);
	*ret = count.n;
	return count.error;
}
