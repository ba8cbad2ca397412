/* SPDX-License-Identifier: MIT */
#include "registry/history.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "registry/internal.h"

#define COMM_SIZE (4 * PROCESS_COMM_SIZE)
#define TEXT_SIZE 64

static const char *const how_names[] = {
	[HISTORY_CLOSED] = "closed",
	[HISTORY_EXIT] = "exit",
	[HISTORY_SIGNAL] = "signal",
	[HISTORY_UNKNOWN] = "unknown",
};
_Static_assert(ARRAY_SIZE(how_names) == _HISTORY_HOW_MAX, "every end has a name");

const char *history_how_name(enum history_how how)
{
	return (unsigned)how < _HISTORY_HOW_MAX ? how_names[how] : how_names[HISTORY_UNKNOWN];
}

static enum history_how how_of_name(const char *name)
{
	for (int how = HISTORY_CLOSED; name && how < _HISTORY_HOW_MAX; how++)
		if (strcmp(how_names[how], name) == 0)
			return (enum history_how)how;
	return HISTORY_UNKNOWN;
}

/* --- writing --- */

static void bind_text_or_null(struct query *q, int index, const char *text)
{
	query_bind_text(q, index, text && *text ? text : NULL);
}

static void bind_end(struct query *q, int index, const struct history_end *end)
{
	bool has_code = end->how == HISTORY_EXIT || end->how == HISTORY_SIGNAL;

	query_bind_int_or_null(q, index, end->at, 0);
	query_bind_text(q, index + 1, history_how_name(end->how));
	query_bind_int_or_null(q, index + 2, has_code ? end->code : -1, -1);
}

int registry_history_add(struct registry *r, const struct history_entry *e)
{
	char comm[COMM_SIZE];
	int error = registry_write_check(r);

	if (error)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_HISTORY_INSERT);
	query_bind_int(&q, 1, e->port);
	bind_text_or_null(&q, 2, e->proto);
	bind_text_or_null(&q, 3, e->addr);
	query_bind_int(&q, 4, e->netns);
	query_bind_int_or_null(&q, 5, e->process.pid, 0);
	query_bind_int(&q, 6, (int64_t)e->process.start_ticks);
	bind_text_or_null(&q, 7, e->comm ? text_to_utf8(e->comm, comm, sizeof(comm)) : NULL);
	query_bind_int_or_null(&q, 8, e->uid, PROCESS_UID_UNKNOWN);
	bind_text_or_null(&q, 9, e->service);
	query_bind_int_or_null(&q, 10, e->since, 0);
	bind_end(&q, 11, &e->end);
	query_bind_int(&q, 14, (int64_t)e->cookie);
	query_bind_text(&q, 15, procfs_boot_id());
	query_bind_int_or_null(&q, 16, e->asked_port, 0);
	return query_run(&q);
}

int registry_history_end(struct registry *r, uint16_t port, uint64_t cookie,
			 const struct history_end *end)
{
	int error = registry_write_check(r);

	if (error)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_HISTORY_END);
	query_bind_int(&q, 1, port);
	query_bind_int(&q, 2, (int64_t)cookie);
	query_bind_text(&q, 3, procfs_boot_id());
	bind_end(&q, 4, end);
	return query_run(&q);
}

int registry_history_end_other_boots(struct registry *r, int64_t at)
{
	int error = registry_write_check(r);

	if (error)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_HISTORY_END_OTHER_BOOTS);
	query_bind_text(&q, 1, procfs_boot_id());
	query_bind_int(&q, 2, at);
	return query_run(&q);
}

/* --- reading --- */

struct texts {
	char proto[TEXT_SIZE], addr[TEXT_SIZE], comm[COMM_SIZE], service[IDENTITY_MAX + 1];
};

/* False for a row without a port. */
static bool decode(const struct query *q, struct texts *t, struct history_entry *ret)
{
	*ret = (struct history_entry){
		.id = query_column_int(q, HISTORY_COLUMN_ID, INT64_MIN, INT64_MAX, 0),
		.port = (uint16_t)query_column_int(q, HISTORY_COLUMN_PORT, 1, UINT16_MAX, 0),
		.asked_port = (uint16_t)query_column_int(q, HISTORY_COLUMN_ASKED_PORT, 1,
							 UINT16_MAX, 0),
		.proto = query_column_utf8(q, HISTORY_COLUMN_PROTO, t->proto, sizeof(t->proto)),
		.addr = query_column_utf8(q, HISTORY_COLUMN_ADDR, t->addr, sizeof(t->addr)),
		.netns = (uint32_t)query_column_int(q, HISTORY_COLUMN_NETNS, 0, UINT32_MAX, 0),
		.process.pid = (pid_t)query_column_int(q, HISTORY_COLUMN_PID, 1, INT32_MAX, 0),
		.process.start_ticks = (uint64_t)query_column_int(q, HISTORY_COLUMN_START_TICKS, 0,
								  INT64_MAX, 0),
		.comm = query_column_utf8(q, HISTORY_COLUMN_COMM, t->comm, sizeof(t->comm)),
		.uid = (uid_t)query_column_int(q, HISTORY_COLUMN_UID, 0, PROCESS_UID_UNKNOWN - 1,
					       PROCESS_UID_UNKNOWN),
		.service = query_column_utf8(q, HISTORY_COLUMN_SERVICE, t->service,
					     sizeof(t->service)),
		.since = query_column_int(q, HISTORY_COLUMN_SINCE, 1, REGISTRY_TIME_MAX_S, 0),
		.end.at = query_column_int(q, HISTORY_COLUMN_UNTIL, 1, REGISTRY_TIME_MAX_S, 0),
		.end.code = (int)query_column_int(q, HISTORY_COLUMN_CODE, 0, UINT8_MAX, 0),
		.cookie = (uint64_t)query_column_int(q, HISTORY_COLUMN_COOKIE, INT64_MIN, INT64_MAX,
						     0),
	};
	if (ret->end.at)
		ret->end.how = how_of_name(query_column_text(q, HISTORY_COLUMN_HOW));
	return ret->port != 0;
}

static int visit_all(struct query *q, int64_t limit, history_visit visit, void *user_data)
{
	struct history_entry entry;
	struct texts texts;
	int more = 0;

	for (int64_t n = 0; n < limit && (more = query_next(q)) > 0;) {
		if (!decode(q, &texts, &entry))
			continue;
		n++;
		if (!visit(&entry, user_data))
			return 0;
	}
	return more < 0 ? more : 0;
}

int registry_for_each_history(struct registry *r, const struct history_filter *filter,
			      history_visit visit, void *user_data)
{
	enum statement which = filter->port	 ? STATEMENT_HISTORY_OF_PORT
			       : filter->service ? STATEMENT_HISTORY_OF_SERVICE
						 : STATEMENT_HISTORY_SCAN;
	_cleanup_(query_done) struct query q = query_start(r, which);

	query_bind_int(&q, 1, filter->before_id ? filter->before_id : INT64_MAX);
	query_bind_int(&q, 2, filter->since);
	if (filter->port)
		query_bind_int(&q, 3, filter->port);
	else if (filter->service)
		query_bind_text(&q, 3, filter->service);
	return visit_all(&q, filter->limit, visit, user_data);
}

int registry_for_each_open_history(struct registry *r, uint16_t port, history_visit visit,
				   void *user_data)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_HISTORY_OPEN);

	query_bind_int(&q, 1, port);
	query_bind_text(&q, 2, procfs_boot_id());
	return visit_all(&q, INT64_MAX, visit, user_data);
}

int registry_for_each_open_history_port(struct registry *r,
					void (*visit)(uint16_t port, void *user_data),
					void *user_data)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_HISTORY_OPEN_PORTS);
	int more;

	while ((more = query_next(&q)) > 0) {
		uint16_t port = (uint16_t)query_column_int(&q, 0, 1, UINT16_MAX, 0);

		if (port)
			visit(port, user_data);
	}
	return more;
}

/* --- forgetting --- */

int registry_history_prune(struct registry *r, int64_t now, int max_rows)
{
	int64_t rows = 0, most = (int64_t)quota_limit(QUOTA_HISTORY_KEPT)->machine;
	int error = registry_savepoint_open(r);

	if (error < 0)
		return error;
	error = query_count(r, STATEMENT_HISTORY_COUNT, &rows);
	if (error >= 0 && rows > most)
		error = registry_forget_fairly(r, STATEMENT_HISTORY_OF_USERS,
					       STATEMENT_HISTORY_FORGET,
					       rows - most < max_rows ? rows - most : max_rows);
	if (error >= 0)
		error = query_execute(r, STATEMENT_HISTORY_PRUNE_BEFORE, now - ACTIVITY_KEEP_S,
				      max_rows);
	error = registry_savepoint_close(r, error < 0 ? error : 0);
	return error < 0 ? error : 0;
}
