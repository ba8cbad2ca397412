/* SPDX-License-Identifier: MIT */
#include "registry/runs.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/run.h"
#include "registry/internal.h"

static const char *const state_names[] = {
	[RUN_STARTING] = "starting",	 [RUN_READY] = "ready",	  [RUN_DETACHED] = "detached",
	[RUN_UNATTENDED] = "unattended", [RUN_ENDING] = "ending",
};
_Static_assert(ARRAY_SIZE(state_names) == _RUN_STATE_MAX, "every state has a name");

const char *run_state_name(enum run_state state)
{
	return (unsigned)state < _RUN_STATE_MAX ? state_names[state] : "unknown";
}

int run_state_of_name(const char *name)
{
	for (int i = 0; i < _RUN_STATE_MAX; i++)
		if (strcmp(state_names[i], name) == 0)
			return i;
	return -1;
}

uint16_t run_asked_port(const struct run *run, uint16_t port)
{
	for (size_t i = 0; run->has_rules && i < run->n_hardcoded; i++)
		if (run->hardcoded[i].port == port)
			return run->hardcoded[i].asked;
	return 0;
}

uint16_t run_port_for(const struct run *run, uint16_t asked)
{
	for (size_t i = 0; run->has_rules && i < run->n_hardcoded; i++)
		if (run->hardcoded[i].asked == asked)
			return run->hardcoded[i].port;
	return 0;
}

bool run_is_served_by(const struct run *run, uint16_t port)
{
	return !run->port || port == run->port || run_asked_port(run, port);
}

/* --- in memory --- */

struct run *registry_runs(const struct registry *r)
{
	return r->runs;
}

struct run *registry_run(const struct registry *r, uint32_t number)
{
	struct run *run = r->runs;

	while (run && run->number != number)
		run = run->next;
	return run;
}

uint16_t registry_asked_port(const struct registry *r, uint32_t run, uint16_t protocol,
			     uint16_t port)
{
	const struct run *found = run && protocol != IPPROTO_UDP ? registry_run(r, run) : NULL;

	return found ? run_asked_port(found, port) : 0;
}

bool run_is_of(const struct run *run, const char *service, uint16_t port)
{
	return run_asked_port(run, port) || strcmp(run->service, service) == 0;
}

const struct run *registry_run_of_service(const struct registry *r, const char *service,
					  uint16_t port)
{
	const struct run *run = r->runs;

	while (run && !run_is_of(run, service, port))
		run = run->next;
	return run;
}

static int keep(struct registry *r, const struct run *run)
{
	struct run *kept = malloc(sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	*kept = *run;
	kept->next = r->runs;
	r->runs = kept;
	return 0;
}

static void forget(struct registry *r, uint32_t number)
{
	struct run **link = &r->runs, *run;

	while (*link && (*link)->number != number)
		link = &(*link)->next;
	run = *link;
	if (!run)
		return;
	*link = run->next;
	free(run);
}

/* --- in the database --- */

#define TRANSPARENT    " transparent" /* behind the pairs */
#define HARDCODED_SIZE (RUN_HARDCODED_MAX * sizeof("65535:65535") + sizeof(TRANSPARENT))

static const char *format_hardcoded(const struct run *run, char ret[static HARDCODED_SIZE])
{
	size_t used = 0;

	for (size_t i = 0; i < run->n_hardcoded; i++)
		used += (size_t)snprintf(ret + used, HARDCODED_SIZE - used, "%s%u:%u", i ? " " : "",
					 run->hardcoded[i].asked, run->hardcoded[i].port);
	if (used && run->transparent)
		snprintf(ret + used, HARDCODED_SIZE - used, TRANSPARENT);
	return used ? ret : NULL;
}

/* What somebody has typed there ends at the first pair that is none. */
static void parse_hardcoded(const char *text, struct run *run)
{
	unsigned asked, port;
	int n;

	while (text && run->n_hardcoded < RUN_HARDCODED_MAX &&
	       sscanf(text, "%5u:%5u%n", &asked, &port, &n) == 2 && asked - 1 < UINT16_MAX &&
	       port - 1 < UINT16_MAX) {
		run->hardcoded[run->n_hardcoded++] = (struct run_hardcoded){ (uint16_t)asked,
									     (uint16_t)port };
		text += n;
	}
	run->transparent = text && strcmp(text, TRANSPARENT) == 0;
}

/* A pid means the same process only within one boot, and a run does not outlive it. */
static bool decode(const struct query *q, struct run *ret)
{
	const char *boot_id = query_column_text(q, RUN_COLUMN_BOOT_ID);
	const char *service = query_column_text(q, RUN_COLUMN_SERVICE);
	const char *state = query_column_text(q, RUN_COLUMN_STATE);
	int known = state ? run_state_of_name(state) : -1;

	*ret = (struct run){
		.number = run_id_parse(query_column_text(q, RUN_COLUMN_ID)),
		.outer = run_id_parse(query_column_text(q, RUN_COLUMN_OUTER)),
		.port = (uint16_t)query_column_int(q, RUN_COLUMN_PORT, 1, UINT16_MAX, 0),
		.uid = (uid_t)query_column_int(q, RUN_COLUMN_UID, 0, PROCESS_UID_UNKNOWN - 1,
					       q->registry->owner),
		.pd.pid = (pid_t)query_column_int(q, RUN_COLUMN_PID, 0, INT32_MAX, 0),
		.pd.start_ticks = (uint64_t)query_column_int(q, RUN_COLUMN_START_TICKS, 0,
							     INT64_MAX, 0),
		.since = query_column_int(q, RUN_COLUMN_SINCE, 0, REGISTRY_TIME_MAX_S, 0),
		.state = known < 0 ? RUN_STARTING : (enum run_state)known,
		.project = (uint64_t)query_column_int(q, RUN_COLUMN_PROJECT, INT64_MIN, INT64_MAX,
						      0),
	};
	parse_hardcoded(query_column_text(q, RUN_COLUMN_HARDCODED), ret);
	if (service && identity_check_of_user(service, NULL) == 0)
		snprintf(ret->service, sizeof(ret->service), "%s", service);
	return ret->number && boot_id && strcmp(boot_id, procfs_boot_id()) == 0;
}

int registry_runs_load(struct registry *r)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_RUNS_SCAN);
	struct run run;
	int more;

	while ((more = query_next(&q)) > 0)
		if (decode(&q, &run) && !registry_run(r, run.number) && keep(r, &run))
			return -ENOMEM;
	return more;
}

static int insert(struct registry *r, const struct run *run)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_RUN_INSERT);
	char id[RUN_ID_SIZE], outer[RUN_ID_SIZE], hardcoded[HARDCODED_SIZE];

	query_bind_text(&q, 1, run_id_format(run->number, id));
	query_bind_text(&q, 2, *run->service ? run->service : NULL);
	query_bind_int_or_null(&q, 3, run->port, 0);
	query_bind_int(&q, 4, run->uid);
	query_bind_int(&q, 5, run->pd.pid);
	query_bind_int(&q, 6, (int64_t)run->pd.start_ticks);
	query_bind_text(&q, 7, procfs_boot_id());
	query_bind_text(&q, 8, run->outer ? run_id_format(run->outer, outer) : NULL);
	query_bind_int(&q, 9, run->since);
	query_bind_text(&q, 10, run_state_name(run->state));
	query_bind_text(&q, 11, format_hardcoded(run, hardcoded));
	query_bind_int_or_null(&q, 12, (int64_t)run->project, 0);
	return query_run(&q);
}

int registry_run_add(struct registry *r, const struct run *run)
{
	int error = registry_write_check(r);

	error = error ?: keep(r, run);
	error = error ?: insert(r, run);
	if (error)
		forget(r, run->number);
	return error;
}

int registry_run_set_state(struct registry *r, uint32_t number, enum run_state state)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_RUN_SET_STATE);
	struct run *run = registry_run(r, number);
	char id[RUN_ID_SIZE];

	if (run)
		run->state = state;
	query_bind_text(&q, 1, run_id_format(number, id));
	query_bind_text(&q, 2, run_state_name(state));
	return query_run(&q);
}

int registry_run_remove(struct registry *r, uint32_t number)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_RUN_DELETE);
	char id[RUN_ID_SIZE];

	forget(r, number);
	query_bind_text(&q, 1, run_id_format(number, id));
	query_bind_text(&q, 2, procfs_boot_id());
	return query_run(&q);
}
