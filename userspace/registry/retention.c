/* SPDX-License-Identifier: MIT */
/*
 * What is forgotten where more is kept than may be: the oldest rows of the user who has most, down
 * to the level that leaves nobody with more than the others who have as many.  So whoever fills a
 * table fills it with what is forgotten next, and a user with less than an equal share loses
 * nothing.
 */
#include "base/cleanup.h"
#include "registry/internal.h"

/* Of those who have most; the rest has less than a hundredth each, and is looked at when it is its
 * turn. */
#define USERS_LOOKED_AT 100

struct holding {
	uid_t uid; /* PROCESS_UID_UNKNOWN: rows that a person wrote without one */
	int64_t rows;
};

/* Those who have most, the greatest first.  How many they are, negative errno. */
static int holdings_load(struct registry *r, enum statement counts, struct holding *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, counts);
	int more, n = 0;

	while (n < USERS_LOOKED_AT && (more = query_next(&q)) > 0)
		ret[n++] = (struct holding){
			.uid = (uid_t)query_column_int(&q, 0, 0, PROCESS_UID_UNKNOWN,
						       PROCESS_UID_UNKNOWN),
			.rows = query_column_int(&q, 1, 0, INT64_MAX, 0),
		};
	return n < USERS_LOOKED_AT && more < 0 ? more : n;
}

/* The level that those above it come down to, so that `excess` rows and no fewer are gone. */
static int64_t fair_level(const struct holding *users, int n, int64_t excess)
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
	int error;

	query_bind_int_or_null(&q, 1, uid, PROCESS_UID_UNKNOWN);
	query_bind_int(&q, 2, rows);
	error = query_run(&q);
	return error < 0 ? error : sqlite3_changes(r->db);
}

int registry_forget_fairly(struct registry *r, enum statement counts, enum statement oldest,
			   int64_t excess)
{
	struct holding users[USERS_LOOKED_AT];
	int n = holdings_load(r, counts, users);
	int64_t level = n > 0 ? fair_level(users, n, excess) : 0, gone = 0;

	for (int i = 0; i < n && users[i].rows > level && gone < excess; i++) {
		int64_t above = users[i].rows - level, left = excess - gone;
		int forgotten = forget(r, oldest, users[i].uid, above < left ? above : left);

		if (forgotten < 0)
			return forgotten;
		gone += forgotten;
	}
	return n < 0 ? n : (int)gone;
}
