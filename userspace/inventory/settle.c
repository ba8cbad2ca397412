/* SPDX-License-Identifier: MIT */
/* What events leave open: holders that ended or forked, sockets whose references do not add up. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/clock.h"
#include "inventory/listing.h"
#include "inventory/reading.h"

#define SETTLE_ROWS_MAX	  2000 /* looked at in one call: a millisecond; the others are next */
#define SETTLE_PASSES_MAX 3    /* for a socket that nobody is found to hold; then it stays so */
#define SETTLE_LISTINGS_MAX                                                   \
	2 /* rows given up in one call: each asks for the kernel's whole list \
	   */
#define PASS_SLICE_NS (5 * NS_PER_MS) /* of a pass, in one call */
/* A process that ends is waited for this long before others are searched for its socket: usually
 * it takes a millisecond, on a loaded machine hundreds, with a core to be written seconds. */
#define LEAVING_MAX_MS 5000

/* --- looks ----------------------------------------------------------------------------------- */

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
	unsigned n = 0;

	DL_FOREACH_SAFE2(t->unsettled, row, next, unsettled_next)
	{
		if (n++ == SETTLE_ROWS_MAX)
			return;
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

/* Is the socket still there?  1, 0, negative errno. */
static int still_listed(struct inventory *inv, const struct row *row)
{
	struct sockdiag_query query = {
		.family = row->view.family,
		.protocol = listing_protocol(row),
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
	return !listing_has(inv, row);
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

struct decision {
	uint64_t now_ms;
	struct asked asked;
	unsigned listings;
	bool due; /* a pass would help and may be made now */
	bool again;
};

/* Settles it if it can be.  0, 1 when it stays open, negative errno. */
static int decide_row(struct inventory *inv, struct row *row, struct decision *d)
{
	if (row_is_settled(row)) {
		table_settle(inv->table, row);
		return 0;
	}
	if (is_being_left(inv->table, row, d->now_ms, &d->asked))
		return 1;
	if (row->passes < SETTLE_PASSES_MAX) {
		d->due |= !row->passed_ms || d->now_ms - row->passed_ms >= PASS_MIN_MS;
		return 1;
	}
	return d->listings++ < SETTLE_LISTINGS_MAX ? give_up(inv, row) : 1;
}

/* Those that stay open go to the end of the list: each has its turn. */
static int decide_rows(struct inventory *inv, struct decision *d)
{
	struct table *t = inv->table;
	struct row *row = t->unsettled, *last = row ? row->unsettled_prev : NULL, *next;

	for (unsigned n = 0; row && n < SETTLE_ROWS_MAX; n++, row = next) {
		int r;

		next = row == last ? NULL : row->unsettled_next;
		r = decide_row(inv, row, d);
		if (r < 0)
			return r;
		if (r) {
			DL_DELETE2(t->unsettled, row, unsettled_prev, unsettled_next);
			DL_APPEND2(t->unsettled, row, unsettled_prev, unsettled_next);
			d->again = true;
		}
	}
	d->again |= row != NULL;
	return 0;
}

static int settle(struct inventory *inv, int64_t now, bool *ret_again)
{
	struct decision decision = { .now_ms = clock_ms(CLOCK_MONOTONIC) };
	unsigned budget = LOOKS_MAX;
	int r = looks_run(inv, &budget, true);

	if (r)
		return r;
	sort_rows(inv->table);
	r = looks_run(inv, &budget, true);
	if (r)
		return r;
	if (inv->table->looks) {
		*ret_again = true;
		return 0;
	}
	r = decide_rows(inv, &decision);
	*ret_again = decision.again;
	if (r || !decision.due || inv->reading)
		return r;
	return reading_begin(inv, READING_PASS, now);
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

	r = r ?: settle(inv, now, &again);
	flushed = changes_flush(&inv->table->changes, changed, user_data);
	*ret_again = again || (inv->reading && !inventory_is_resyncing(inv));
	return r ? r : flushed;
}
