/* SPDX-License-Identifier: MIT */
/* What events leave open: holders that ended or forked, sockets whose references do not add up. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "inventory/reading.h"

#define SETTLE_LOOKS_MAX  64 /* processes looked at in one call: some milliseconds */
#define SETTLE_PASSES_MAX 3  /* for a socket that nobody is found to hold; then it stays so */
#define SETTLE_LISTINGS_MAX                                                   \
	2 /* rows given up in one call: each asks for the kernel's whole list \
	   */
#define PASS_SLICE_NS		(5 * NS_PER_MS) /* of a pass, in one call */
#define INVENTORY_PASS_MIN_MS	250 /* between passes for the same row: a pass may take 20 ms */
#define VERIFY_LOOKS_MAX	64  /* more holders than that: one pass is cheaper */
#define FRUITLESS_DOUBLINGS_MAX 4   /* 4 s: see may_pass() */
/* A process that ends is waited for this long before others are searched for its socket: usually
 * it takes a millisecond, on a loaded machine hundreds, with a core to be written seconds. */
#define LEAVING_MAX_MS 5000

/* --- looks ----------------------------------------------------------------------------------- */

/*
 * `anew`: after a fork or an exit, which may have made a session or a program new.  Who is looked
 * at for a question only is known well enough: reading /proc costs more than the look.
 */
static int run_looks(struct inventory *inv, unsigned *budget, bool anew)
{
	while (inv->table->looks && *budget > 0) {
		struct proc *proc = inv->table->looks;
		int r = pass_look(inv, proc);

		if (r)
			return r;
		--*budget;
		if ((anew || !proc->described) && !proc->exited && proc->n_rows > 0)
			proc_describe_from_procfs(inv->table, proc);
	}
	return 0;
}

static void want_holders(struct table *t, struct row *row)
{
	for (size_t i = 0; i < row->view.n_holders; i++) {
		struct proc *proc = table_proc(t, &row->view.holders[i].id);

		if (proc)
			proc_want_look(t, proc);
	}
}

/* Rows that the looks explained are settled; of the others every holder is looked at once. */
static void sort_rows(struct table *t)
{
	struct row *row, *next;

	DL_FOREACH_SAFE2(t->unsettled, row, next, unsettled_next)
	{
		if (row_is_settled(row)) {
			table_settle(t, row);
		} else if (!row->looked) {
			row->looked = true;
			want_holders(t, row);
		}
	}
}

/* --- passes ---------------------------------------------------------------------------------- */

struct search {
	uint64_t cookie;
	bool found;
};

static int match_cookie(const struct sockdiag_socket *socket, void *user_data)
{
	struct search *search = user_data;

	search->found |= socket->cookie == search->cookie;
	return 0;
}

static uint8_t protocol_listed(const struct row *row)
{
	return row->view.protocol == IPPROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP;
}

/* Would the list show a socket of the own namespace?  Some are bound and do not listen. */
static bool is_listable(const struct inventory *inv, const struct row *row)
{
	return row->view.protocol == IPPROTO_UDP || row->view.state != SOCKET_BOUND ||
	       inv->lists_bound_inactive;
}

/* Is the socket still there?  1, 0, negative errno. */
static int still_listed(struct inventory *inv, const struct row *row)
{
	struct sockdiag_query query = {
		.family = row->view.family,
		.protocol = protocol_listed(row),
		.states = SOCKDIAG_ALL,
		.port = row->view.port,
	};
	struct search search = { .cookie = row->view.cookie };
	int r;

	if (row->view.netns != inv->own_netns)
		return 0;
	r = sockdiag_dump(inv->diag, &query, match_cookie, &search);
	if (r || search.found)
		return r ? r : 1;
	return !is_listable(inv, row);
}

/* The process that was asked about last, and its answer: rows of one process mostly follow each
 * other, and it may have 20,000 of them. */
struct asked {
	struct process_id id;
	enum process_stage stage;
};

static enum process_stage stage_of(const struct table *t, const struct process_id *id,
				   struct asked *asked)
{
	if (!process_id_equal(&asked->id, id))
		*asked = (struct asked){ *id, table_stage(t, id) };
	return asked->stage;
}

/* Drops holders that have ended without an event that said so. */
static void forget_dead(struct table *t, struct row *row)
{
	for (size_t i = row->view.n_holders; i > 0; i--) {
		const struct holder *holder = &row->view.holders[i - 1];
		struct proc *proc = table_proc(t, &holder->id);

		if (!holder->n_fds && table_stage(t, &holder->id) == PROCESS_GONE)
			pass_forget_gone(t, proc);
	}
}

/*
 * Nobody explains it: in flight in a message, held by io_uring, hidden, or its CLOSE was lost.  A
 * row that neither the pass nor the kernel's list shows is no socket any more.
 */
static int give_up(struct inventory *inv, struct row *row)
{
	int r = 1;

	forget_dead(inv->table, row);
	if (row->view.n_holders == 0)
		r = still_listed(inv, row);
	if (r < 0)
		return r;
	if (r)
		table_settle(inv->table, row);
	else
		table_remove_row(inv->table, row);
	return 0;
}

/*
 * Has one of those who held it ended, without having closed its descriptors yet?  The kernel does
 * that behind the EXIT, and is done when the process is a zombie.
 */
static bool is_being_left(const struct table *t, struct row *row, uint64_t now_ms,
			  struct asked *asked)
{
	row->view.leaving = (struct process_id){ 0 };
	for (size_t i = 0; i < ROW_LEAVING_MAX && !row->view.n_holders; i++)
		if (row->leaving[i].pid && stage_of(t, &row->leaving[i], asked) != PROCESS_GONE)
			row->view.leaving = row->leaving[i];
	return row->view.leaving.pid && now_ms - row->left_ms < LEAVING_MAX_MS;
}

/* Settles what can be; *ret_due: a pass would help and may be made now. */
static int decide_rows(struct inventory *inv, bool *ret_due, bool *ret_again)
{
	uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);
	struct asked asked = { 0 };
	unsigned listings = 0;
	struct row *row, *next;
	int r;

	*ret_due = false;
	DL_FOREACH_SAFE2(inv->table->unsettled, row, next, unsettled_next)
	{
		if (row_is_settled(row)) {
			table_settle(inv->table, row);
		} else if (is_being_left(inv->table, row, now_ms, &asked)) {
			*ret_again = true;
		} else if (row->passes >= SETTLE_PASSES_MAX && listings == SETTLE_LISTINGS_MAX) {
			*ret_again = true;
		} else if (row->passes >= SETTLE_PASSES_MAX) {
			listings++;
			r = give_up(inv, row);
			if (r)
				return r;
		} else {
			*ret_again = true;
			if (!row->passed_ms || now_ms - row->passed_ms >= INVENTORY_PASS_MIN_MS)
				*ret_due = true;
		}
	}
	return 0;
}

static int settle(struct inventory *inv, int64_t now, bool *ret_again)
{
	unsigned budget = SETTLE_LOOKS_MAX;
	bool due;
	int r = run_looks(inv, &budget, true);

	if (r)
		return r;
	sort_rows(inv->table);
	r = run_looks(inv, &budget, true);
	if (r)
		return r;
	if (inv->table->looks) {
		*ret_again = true;
		return 0;
	}
	r = decide_rows(inv, &due, ret_again);
	if (r || !due)
		return r;
	*ret_again = true;
	return inv->reading ? 0 : reading_begin(inv, READING_PASS, now);
}

/* A resync serves as well, and is gone on with by its own calls. */
static int go_on_with_pass(struct inventory *inv)
{
	if (!inv->reading || inventory_is_resyncing(inv))
		return 0;
	return reading_go_on(inv, clock_ns(CLOCK_MONOTONIC) + PASS_SLICE_NS);
}

int inventory_settle(struct inventory *inv, int64_t now, inventory_changed changed, void *user_data,
		     bool *ret_again)
{
	bool again = false;
	int r = go_on_with_pass(inv), flushed;

	if (!r)
		r = settle(inv, now, &again);
	flushed = changes_flush(&inv->table->changes, changed, user_data);
	*ret_again = again || (inv->reading && !inventory_is_resyncing(inv));
	return r ? r : flushed;
}

/* --- on demand ------------------------------------------------------------------------------- */

static bool is_in(const struct row *row, uint32_t netns)
{
	return netns == 0 || row->view.netns == netns;
}

/* Have its holders answered to the re-check in this turn? */
static bool has_answered(const struct inventory *inv, const struct row *row)
{
	return row->asked_turn == inv->turn && row->answered;
}

static void want_stale_holders(struct inventory *inv, struct row *row)
{
	for (size_t i = 0; i < row->view.n_holders; i++) {
		struct proc *proc = table_proc(inv->table, &row->view.holders[i].id);

		if (proc && proc->looked_turn != inv->turn)
			proc_want_look(inv->table, proc);
	}
}

/*
 * An inheritor whose parent has exited with success may be about to become a daemon: it then calls
 * setsid(), for which there is no event, so its session is read again.
 */
static void describe_inheritors(struct inventory *inv, const struct row *row)
{
	if (row->view.binder_fate != BINDER_EXITED_WELL)
		return;
	for (size_t i = 0; i < row->view.n_holders; i++) {
		struct proc *inheritor = table_proc(inv->table, &row->view.holders[i].id);

		if (inheritor && inheritor->process.sid != inheritor->process.id.pid &&
		    (!row->view.binder_sid || inheritor->process.sid == row->view.binder_sid))
			proc_describe_from_procfs(inv->table, inheritor);
	}
}

/* Every holder of the port that did not answer is looked at; false: there are too many for that. */
static bool want_port(struct inventory *inv, uint32_t netns, uint16_t port)
{
	struct row *row, *root = inv->table->by_port[port];
	size_t n = 0;

	PORT_ROWS_FOREACH(root, row)
	{
		if (is_in(row, netns) && !has_answered(inv, row))
			n += row->view.n_holders;
	}
	if (n > VERIFY_LOOKS_MAX)
		return false;
	PORT_ROWS_FOREACH(root, row)
	{
		if (!is_in(row, netns))
			continue;
		if (!has_answered(inv, row))
			want_stale_holders(inv, row);
		describe_inheritors(inv, row);
	}
	return true;
}

/*
 * Who holds the socket cannot be seen (hidden, in flight, the kernel's own), or has just got it in
 * a way that no event tells.  The question about this port searches; one about all ports, which
 * such a socket alone would make a hundred times slower, does so less and less often.
 */
static bool may_pass(const struct inventory *inv, const struct row *row, uint64_t now_ms)
{
	unsigned doublings = row->fruitless < FRUITLESS_DOUBLINGS_MAX ? row->fruitless
								      : FRUITLESS_DOUBLINGS_MAX;
	uint64_t interval_ms = INVENTORY_PASS_MIN_MS;

	if (inv->listing_turn == inv->turn)
		interval_ms <<= doublings;
	return !row->passed_ms || now_ms - row->passed_ms >= interval_ms;
}

static bool port_needs_pass(const struct inventory *inv, uint32_t netns, uint16_t port)
{
	uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);
	struct row *row;

	PORT_ROWS_FOREACH(inv->table->by_port[port], row)
	{
		if (is_in(row, netns) && !row_is_settled(row) && may_pass(inv, row, now_ms))
			return true;
	}
	return false;
}

/* Of the own namespace, and the table says that nobody holds it. */
static bool is_in_doubt(const struct inventory *inv, const struct row *row)
{
	return row->view.netns == inv->own_netns && !row->view.n_holders;
}

static int confirm(const struct sockdiag_socket *socket, void *user_data)
{
	struct row *row = table_find(user_data, socket->cookie);

	if (row)
		row->confirmed = true;
	return 0;
}

/* Reads the kernel's list of one family and protocol, where a row of that kind is in doubt. */
static int confirm_kind(struct inventory *inv, const struct sockdiag_query *query)
{
	struct row *row;
	bool any = false;

	PORT_ROWS_FOREACH(inv->table->by_port[query->port], row)
	{
		if (!is_in_doubt(inv, row) || row->view.family != query->family ||
		    protocol_listed(row) != query->protocol)
			continue;
		row->confirmed = !is_listable(inv, row);
		any = true;
	}
	return any ? sockdiag_dump(inv->diag, query, confirm, inv->table) : 0;
}

static void drop_unconfirmed(struct inventory *inv, uint16_t port)
{
	struct row **root = &inv->table->by_port[port], *row = port_rows_after(*root, 0);

	while (row) {
		uint64_t cookie = row->view.cookie;

		if (is_in_doubt(inv, row) && !row->confirmed)
			table_remove_row(inv->table, row);
		row = port_rows_after(*root, cookie);
	}
}

/*
 * Drops sockets that have no known holder and that the kernel does not list: no event said that
 * they were closed.  Where other processes cannot be seen that would be most of them, and each
 * resync asks anyway.
 */
static int drop_gone(struct inventory *inv, uint32_t netns, uint16_t port)
{
	static const struct sockdiag_query kinds[] = {
		{ AF_INET, IPPROTO_TCP, SOCKDIAG_ALL, 0 },
		{ AF_INET6, IPPROTO_TCP, SOCKDIAG_ALL, 0 },
		{ AF_INET, IPPROTO_UDP, SOCKDIAG_ALL, 0 },
		{ AF_INET6, IPPROTO_UDP, SOCKDIAG_ALL, 0 },
	};

	if (inv->no_iterator || (netns && netns != inv->own_netns))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct sockdiag_query query = kinds[i];
		int r;

		query.port = port;
		r = confirm_kind(inv, &query);
		if (r)
			return r;
	}
	drop_unconfirmed(inv, port);
	return 0;
}

void inventory_refresh(struct inventory *inv)
{
	inv->turn++;
}

int inventory_look_at_port(struct inventory *inv, uint32_t netns, uint16_t port)
{
	unsigned budget = SETTLE_LOOKS_MAX + VERIFY_LOOKS_MAX;
	int r = recheck_ports(inv, netns, &port, 1); /* most only have to be asked */

	if (r)
		return r;
	return want_port(inv, netns, port) ? run_looks(inv, &budget, false) : 0;
}

int inventory_verify_port(struct inventory *inv, uint32_t netns, uint16_t port)
{
	int r = inventory_look_at_port(inv, netns, port);

	if (r || !port_needs_pass(inv, netns, port))
		return r;
	r = drop_gone(inv, netns, port);
	if (r || !port_needs_pass(inv, netns, port))
		return r;
	if (!inv->reading)
		r = reading_begin(inv, READING_PASS, 0);
	return r ? r : reading_go_on(inv, UINT64_MAX);
}
