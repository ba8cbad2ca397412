/* SPDX-License-Identifier: MIT */
#include "registry/launchers.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "registry/internal.h"

int registry_launcher_store(struct registry *r, const struct process_id *server,
			    const struct process_ancestor *launcher)
{
	char comm[PROCESS_COMM_SIZE + 1] = { 0 };
	int error = registry_write_check(r);

	if (error)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_LAUNCHER_STORE);
	memcpy(comm, launcher->comm, PROCESS_COMM_SIZE);
	query_bind_int(&q, 1, server->pid);
	query_bind_int(&q, 2, (int64_t)server->start_ticks);
	query_bind_text(&q, 3, procfs_boot_id());
	query_bind_int(&q, 4, launcher->id.pid);
	query_bind_int(&q, 5, (int64_t)launcher->id.start_ticks);
	query_bind_text(&q, 6, comm);
	query_bind_int(&q, 7, launcher->exit_code);
	query_bind_int(&q, 8, launcher->ended_at);
	return query_run(&q);
}

int registry_launcher_remove(struct registry *r, const struct process_id *server)
{
	int error = registry_write_check(r);

	if (error)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_LAUNCHER_DELETE);
	query_bind_int(&q, 1, server->pid);
	query_bind_int(&q, 2, (int64_t)server->start_ticks);
	return query_run(&q);
}

int registry_launchers_clear(struct registry *r)
{
	int error = registry_write_check(r);

	return error ? error : query_execute(r, STATEMENT_LAUNCHERS_CLEAR);
}

/* False for what no daemon of this boot wrote. */
static bool decode(const struct query *q, struct process_id *ret_server,
		   struct process_ancestor *ret_launcher)
{
	const char *boot_id = query_column_text(q, LAUNCHER_COLUMN_BOOT_ID);
	char text[PROCESS_COMM_SIZE + 1];
	const char *comm = query_column_utf8(q, LAUNCHER_COLUMN_COMM, text, sizeof(text));

	*ret_server = (struct process_id){
		.pid = (pid_t)query_column_int(q, LAUNCHER_COLUMN_SERVER_PID, 1, INT32_MAX, 0),
		.start_ticks = (uint64_t)query_column_int(q, LAUNCHER_COLUMN_SERVER_START, 0,
							  INT64_MAX, 0),
	};
	*ret_launcher = (struct process_ancestor){
		.id.pid = (pid_t)query_column_int(q, LAUNCHER_COLUMN_PID, 2, INT32_MAX, 0),
		.id.start_ticks = (uint64_t)query_column_int(q, LAUNCHER_COLUMN_START_TICKS, 0,
							     INT64_MAX, 0),
		.exit_code = (int)query_column_int(q, LAUNCHER_COLUMN_EXIT_CODE, 1, UINT16_MAX, 0),
		.ended_at = query_column_int(q, LAUNCHER_COLUMN_ENDED_AT, 1, REGISTRY_TIME_MAX_S,
					     0),
	};
	memcpy(ret_launcher->comm, comm, strnlen(comm, PROCESS_COMM_SIZE));
	return ret_launcher->id.pid && ret_launcher->exit_code && ret_launcher->ended_at &&
	       boot_id && strcmp(boot_id, procfs_boot_id()) == 0;
}

int registry_for_each_launcher(struct registry *r, launcher_visit visit, void *user_data)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_LAUNCHERS_SCAN);
	struct process_ancestor launcher;
	struct process_id server;
	int more;

	while ((more = query_next(&q)) > 0)
		if (decode(&q, &server, &launcher))
			visit(&server, &launcher, user_data);
	return more;
}
