/* SPDX-License-Identifier: MIT */
/* What log and status answer. */
#include "unit/api/world.h"

/* --- log --- */

TEST_WITH(the_log_is_newest_first_and_counted, struct world *w)
{
	const struct answer *both, *last;

	claim(w, "log:1", 0);
	claim(w, "log:2", 0);
	both = ask_get(w, "/v1/log?filter=log:*");
	last = ask_get(w, "/v1/log?n=1&filter=claim");
	assert_int_equal(count_of(both, "entries"), 2);
	assert_string_equal(text_of(both, "entries.0.service"), "log:2");
	assert_true(int_of(both, "entries.0.id") > int_of(both, "entries.1.id"));
	assert_int_equal(count_of(last, "entries"), 1);
	assert_string_equal(text_of(last, "entries.0.service"), "log:2");
	assert_string_equal(text_of(last, "entries.0.user"), "root");
}

static size_t entries_of(struct world *w, const char *span)
{
	return count_of(get(w, "/v1/log?filter=log:3&%s", span), "entries");
}

TEST_WITH(the_log_is_cut_by_time, struct world *w)
{
	claim(w, "log:3", 0);
	assert_int_equal(entries_of(w, "since=1h"), 1);
	assert_int_equal(entries_of(w, "to=2001-01-01T00:00:00Z"), 0);
	assert_int_equal(entries_of(w, "from=1000000000"), 1);
	assert_int_equal(entries_of(w, "from=2001-01-01T00:00:00%2B01:00"), 1);
}

TEST_WITH(a_log_that_cannot_be_cut_is_refused, struct world *w)
{
	static const struct bad_request rows[] = {
		{ "/v1/log?n=0", "1 to 10000" },
		{ "/v1/log?n=10001", "1 to 10000" },
		{ "/v1/log?n=-5", "1 to 10000" },
		{ "/v1/log?n=%201", "1 to 10000" },
		{ "/v1/log?n=99999999999999999999", "1 to 10000" },
		{ "/v1/log?since=soon", "2h30m" },
		{ "/v1/log?since=1d2x", "character" },
		{ "/v1/log?from=2001-13-01", "2:47am" },
		{ "/v1/log?to=25:00", "2:47am" },
		{ "/v1/log?from=2002-01-01&to=2001-01-01", "after" },
		{ "/v1/log?filter=what%20ever", "CLAIM" },
	};

	assert_bad_paths(w, rows, ARRAY_SIZE(rows));
}

/* --- status --- */

TEST_WITH(the_status_has_every_part_of_the_contract, struct world *w)
{
	static const char *const parts[] = {
		"daemon.pid",	     "daemon.uptime",	  "daemon.version",   "kernel.mode",
		"kernel.probes",     "kernel.lost",	  "database.path",    "database.healthy",
		"services.active",   "services.claimed",  "services.stale",   "services.ghost",
		"services.orphaned", "services.squatted", "services.orphans", "locks.held",
		"sessions.active",   "activity.recent",
	};
	const struct answer *a = ask_get(w, "/v1/status");

	assert_ok(a);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!member(a->body, parts[i]))
			fail_msg("%s is missing", parts[i]);
	assert_int_equal(int_of(a, "daemon.pid"), getpid());
	assert_string_equal(text_of(a, "daemon.socket"), w->socket);
	assert_string_equal(text_of(a, "kernel.mode"), "poll");
	assert_true(bool_of(a, "database.healthy"));
	assert_true(int_of(a, "activity.recent") > 0);
}

static void move_database(const struct world *w, const char *from, const char *to)
{
	char path[128], other[128];

	snprintf(path, sizeof(path), "%s%s", w->database, from);
	snprintf(other, sizeof(other), "%s%s", w->database, to);
	assert_int_equal(rename(path, other), 0);
}

TEST_WITH(a_write_without_its_file_is_refused_and_the_status_tells_it_at_once, struct world *w)
{
	assert_string_equal(text_of(ask_get(w, "/v1/status"), "database.state"), "healthy");
	move_database(w, "", ".aside");
	const struct answer *refused = ask_claim(w, "lost:1", 0);
	const struct answer *lost = ask_get(w, "/v1/status");

	move_database(w, ".aside", "");
	const struct answer *again = ask_get(w, "/v1/status");
	const struct answer *found = ask_get(w, "/v1/services?pattern=lost:1");

	assert_error(refused, 500, "failed", w->database);
	assert_error(refused, 500, "failed", "pd daemon stop");
	assert_ok(lost);
	assert_string_equal(text_of(lost, "database.state"), "lost");
	assert_false(bool_of(lost, "database.healthy"));
	assert_non_null(strstr(text_of(lost, "database.detail"), w->database));
	assert_string_equal(text_of(again, "database.state"), "healthy");
	assert_int_equal(count_of(found, "services"), 0);
}

TEST_MAIN(world_open, world_close)
