/* SPDX-License-Identifier: MIT */
/*
 * What is forgotten where more is kept than may be: the oldest rows of the user who has most, down
 * to the level that leaves nobody with more than the others who have as many.  So whoever fills a
 * table fills it with what is forgotten next, and a user with less than an equal share loses
 * nothing.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "registry/internal.h"
#include "registry/locks.h"

/* Those who have most, the greatest first.  How many they are, negative errno. */
static int load(struct registry *r, enum statement counts, struct registry_holding *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, counts);
	int more, n = 0;

	while (n < REGISTRY_HOLDINGS && (more = query_next(&q)) > 0)
		ret[n++] = (struct registry_holding){
			.uid = (uid_t)query_column_int(&q, 0, 0, PROCESS_UID_UNKNOWN,
						       PROCESS_UID_UNKNOWN),
			.rows = query_column_int(&q, 1, 0, INT64_MAX, 0),
		};
	return n < REGISTRY_HOLDINGS && more < 0 ? more : n;
}

/* The level that those above it come down to, so that `excess` rows and no fewer are gone. */
static int64_t fair_level(const struct registry_holding *users, int n, int64_t excess)
{
	int64_t sum = 0, level = 0;

	for (int i = 0; i < n; i++) {
		sum += users[i].rows;
		level = sum > excess ? (sum - excess) / (i + 1) : 0;
		if (i + 1 == n || level >= users[i + 1].rows)
			break;
	}
	return level;
}

static int forget(struct registry *r, enum statement oldest, uid_t uid, int64_t rows)
{
	_cleanup_(query_done) struct query q = query_start(r, oldest);

	query_bind_int_or_null(&q, 1, uid, PROCESS_UID_UNKNOWN);
	query_bind_int(&q, 2, rows);
	return query_run_counting(&q);
}

static int forget_fairly(struct registry *r, struct registry_holding *users, int n,
			 enum statement oldest, int64_t excess)
{
	int64_t level = n > 0 ? fair_level(users, n, excess) : 0, gone = 0;

	for (int i = 0; i < n && users[i].rows > level && gone < excess; i++) {
		int64_t above = users[i].rows - level, left = excess - gone;
		int forgotten = forget(r, oldest, users[i].uid, above < left ? above : left);

		if (forgotten < 0)
			return forgotten;
		users[i].rows -= forgotten;
		gone += forgotten;
	}
	return (int)gone;
}

int registry_forget_fairly(struct registry *r, enum statement counts, enum statement oldest,
			   int64_t excess)
{
	struct registry_holding users[REGISTRY_HOLDINGS];
	int n = load(r, counts, users);

	return n < 0 ? n : forget_fairly(r, users, n, oldest, excess);
}

/* --- counts that are kept --- */

static int compare(const void *a, const void *b)
{
	const struct registry_holding *x = a, *y = b;

	return (x->rows < y->rows) - (x->rows > y->rows);
}

int registry_holdings_refresh(struct registry *r, struct registry_holdings *h,
			      enum statement counts)
{
	int64_t version;
	int error = registry_data_version(r, &version);

	if (error < 0 || (h->loaded && h->version == version))
		return error;
	h->loaded = false;
	h->n = load(r, counts, h->users);
	if (h->n < 0)
		return h->n;
	h->version = version;
	/* of more users than that the rest is not known */
	h->loaded = h->n < REGISTRY_HOLDINGS;
	return 0;
}

void registry_holdings_add(struct registry_holdings *h, uid_t uid)
{
	int i = 0;

	while (i < h->n && h->users[i].uid != uid)
		i++;
	if (i == REGISTRY_HOLDINGS) {
		h->loaded = false;
		return;
	}
	if (i == h->n)
		h->users[h->n++] = (struct registry_holding){ .uid = uid };
	h->users[i].rows++;
}

int registry_holdings_forget(struct registry *r, struct registry_holdings *h, enum statement oldest,
			     int64_t excess)
{
	qsort(h->users, h->n, sizeof(*h->users), compare);
	return forget_fairly(r, h->users, h->n, oldest, excess);
}

int64_t registry_holdings_rows(const struct registry_holdings *h)
{
	int64_t rows = 0;

	for (int i = 0; i < h->n; i++)
		rows += h->users[i].rows;
	return rows;
}

/* --- free locks --- */

int registry_locks_prune(struct registry *r, int64_t now)
{
	int error = query_execute(r, STATEMENT_LOCKS_PRUNE_OLD, now - LOCKS_FREE_KEEP_S);

	return error < 0 ? error
			 : query_execute(r, STATEMENT_LOCKS_PRUNE,
					 (int64_t)quota_limit(QUOTA_LOCKS_KEPT)->machine);
}

int registry_locks_prune_freed(struct registry *r)
{
	return r->locks_freed_at ? registry_locks_prune(r, r->locks_freed_at) : 0;
}
