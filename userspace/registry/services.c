/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "registry/internal.h"

static const char *const status_names[] = {
	[SERVICE_CLAIMED] = "claimed",	 [SERVICE_ACTIVE] = "active",
	[SERVICE_GHOST] = "ghost",	 [SERVICE_STALE] = "stale",
	[SERVICE_ORPHANED] = "orphaned", [SERVICE_SQUATTED] = "squatted",
};
_Static_assert(ARRAY_SIZE(status_names) == _SERVICE_STATUS_MAX, "every status has a name");

const char *service_status_name(enum service_status s)
{
	return (unsigned)s < _SERVICE_STATUS_MAX ? status_names[s] : "unknown";
}

int service_status_of_name(const char *name)
{
	for (int i = 0; i < _SERVICE_STATUS_MAX; i++)
		if (strcmp(status_names[i], name) == 0)
			return i;
	return -1;
}

/* The bound of each column is that of its type; what lies outside counts as not known. */
static void decode_claimer(const struct query *q, struct service *ret)
{
	const char *cwd = query_column_text(q, SERVICE_COLUMN_CWD);
	const char *boot_id = query_column_text(q, SERVICE_COLUMN_BOOT_ID);

	ret->uid = (uid_t)query_column_int(q, SERVICE_COLUMN_UID, 0, PROCESS_UID_UNKNOWN - 1,
					   q->registry->owner);
	ret->cwd = cwd ? cwd : "";
	ret->sid = (pid_t)query_column_int(q, SERVICE_COLUMN_SID, 0, INT32_MAX, 0);
	ret->claimer.pid = (pid_t)query_column_int(q, SERVICE_COLUMN_CLAIMER_PID, 0, INT32_MAX, 0);
	ret->claimer.start_ticks = (uint64_t)query_column_int(q, SERVICE_COLUMN_CLAIMER_START, 0,
							      INT64_MAX, 0);
	ret->same_boot = boot_id && strcmp(boot_id, procfs_boot_id()) == 0;
}

static int64_t column_time(const struct query *q, int column)
{
	return query_column_int(q, column, 0, REGISTRY_TIME_MAX_S, 0);
}

static enum service_status status_of_text(const char *name)
{
	int status = name ? service_status_of_name(name) : -1;

	return status < 0 ? SERVICE_CLAIMED : (enum service_status)status;
}

bool service_row_decode(const struct query *q, struct service_row *ret)
{
	struct service *service = &ret->service;
	const char *health;

	*ret = (struct service_row){ 0 };
	if (sqlite3_column_type(q->stmt, SERVICE_COLUMN_ID) != SQLITE_TEXT)
		return false;
	service->id = query_column_text(q, SERVICE_COLUMN_ID);
	if (!service->id || identity_check_of_user(service->id, NULL) < 0)
		return false;
	if (sqlite3_column_type(q->stmt, SERVICE_COLUMN_PORT) == SQLITE_INTEGER)
		service->port = (uint16_t)query_column_int(q, SERVICE_COLUMN_PORT, 1, UINT16_MAX,
							   0);
	ret->has_port = service->port != 0;
	service->home = (uint16_t)query_column_int(q, SERVICE_COLUMN_HOME, 1, UINT16_MAX,
						   service->port);
	service->status = status_of_text(query_column_text(q, SERVICE_COLUMN_STATUS));
	service->created_at = column_time(q, SERVICE_COLUMN_CREATED_AT);
	service->updated_at = column_time(q, SERVICE_COLUMN_UPDATED_AT);
	service->expires_at = column_time(q, SERVICE_COLUMN_EXPIRES_AT);
	health = query_column_text(q, SERVICE_COLUMN_HEALTH_PATH);
	service->health_path = health && text_is_utf8(health, strlen(health)) ? health : NULL;
	service->is_protected = query_column_int(q, SERVICE_COLUMN_PROTECTED, 0, 1, 0);
	service->ever_active = query_column_int(q, SERVICE_COLUMN_EVER_ACTIVE, 0, 1, 0);
	ret->range.first = (uint16_t)query_column_int(q, SERVICE_COLUMN_RANGE_FIRST, 1, UINT16_MAX,
						      0);
	ret->range.last = (uint16_t)query_column_int(q, SERVICE_COLUMN_RANGE_LAST, 1, UINT16_MAX,
						     0);
	if (ret->range.first > ret->range.last)
		ret->range = (struct port_range){ 0 };
	decode_claimer(q, service);
	service->runs = registry_run_of_service(q->registry, service->id, service->port);
	return true;
}

/* The row as others may see it: with a legal id and a legal port. */
static bool decode_visible(const struct query *q, struct service_row *ret)
{
	return service_row_decode(q, ret) && ret->has_port;
}

int registry_service_by_port(struct registry *r, uint16_t port, service_visit visit,
			     void *user_data)
{
	/* asked for each socket of the machine, of which few are claimed */
	int error = registry_in_transaction(r) ? registry_ports_refresh(r) : 0;
	struct service_row row;
	int more;

	if (error < 0)
		return error;
	if (registry_in_transaction(r) && !portset_has(&r->claimed, port))
		return OUTCOME_NO;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_BY_PORT);

	query_bind_int(&q, 1, port);
	more = query_next(&q);
	if (more < 0)
		return more;
	if (!more || !decode_visible(&q, &row))
		return OUTCOME_NO;
	visit(&row.service, user_data);
	return 0;
}

static bool filter_accepts(const struct service_filter *filter, const struct service *service)
{
	if (filter->pattern && !identity_is_meant(filter->pattern, service->id))
		return false;
	if (filter->port != 0 && filter->port != service->port)
		return false;
	return filter->status < 0 || filter->status == (int)service->status;
}

/*
 * The literal text before a pattern's first wildcard bounds the walk over the index: all ids of the
 * walk lie in [lower, upper).  DEL sorts behind every byte of a legal id.
 */
static void pattern_bounds(const char *pattern, char lower[PATTERN_MAX + 2],
			   char upper[PATTERN_MAX + 2])
{
	size_t n = pattern ? strcspn(pattern, "*?") : 0;

	if (n > PATTERN_MAX)
		n = PATTERN_MAX;
	if (n > 0)
		memcpy(lower, pattern, n);
	lower[n] = '\0';
	memcpy(upper, lower, n);
	strcpy(upper + n, "\x7f");
}

int registry_for_each_service(struct registry *r, const struct service_filter *filter,
			      service_visit visit, void *user_data)
{
	char lower[PATTERN_MAX + 2], upper[PATTERN_MAX + 2];
	enum statement which = filter->port != 0 ? STATEMENT_SERVICE_BY_PORT
						 : STATEMENT_SERVICE_SCAN;
	_cleanup_(query_done) struct query q = query_start(r, which);
	struct service_row row;
	int more;

	if (filter->port != 0) {
		query_bind_int(&q, 1, filter->port);
	} else {
		pattern_bounds(filter->pattern, lower, upper);
		query_bind_text(&q, 1, lower);
		query_bind_text(&q, 2, upper);
		query_bind_text(&q, 3, filter->after ? filter->after : "");
	}
	while ((more = query_next(&q)) > 0) {
		if (!decode_visible(&q, &row) || !filter_accepts(filter, &row.service))
			continue;
		if (!visit(&row.service, user_data))
			return 0;
	}
	return more;
}

/* What a release has to know of the row, also of one that readers skip. */
struct released {
	uint16_t port, home;
	uid_t uid;
};

static int released_load(struct registry *r, const char *id, struct released *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_BY_ID);
	struct service_row row;
	int more;

	query_bind_text(&q, 1, id);
	more = query_next(&q);
	if (more <= 0)
		return more < 0 ? more : OUTCOME_NO;
	*ret = (struct released){ 0 };
	if (service_row_decode(&q, &row))
		*ret = (struct released){ row.service.port, row.service.home, row.service.uid };
	return 0;
}

int registry_service_delete(struct registry *r, const char *id)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_DELETE);

	query_bind_text(&q, 1, id);
	return query_run(&q);
}

int registry_release(struct registry *r, const char *id, int64_t now)
{
	struct released was;
	int error = registry_write_check(r);

	error = error ?: registry_ports_refresh(r);
	error = error ?: released_load(r, id, &was);
	if (error != 0)
		return error;
	error = registry_savepoint_open(r);
	if (error < 0)
		return error;
	error = registry_service_delete(r, id);
	if (error == 0 && was.home != 0)
		error = registry_port_remember(r, id, was.home, was.uid, now);
	error = registry_savepoint_close(r, error);
	if (error == 0)
		registry_ports_replace(r, was.port, was.home, 0, 0);
	if (error == 0 && was.port != 0)
		quota_give_back(r->claims, was.uid, QUOTA_CLAIMS, 1);
	return error;
}

int registry_set_status(struct registry *r, const char *id, enum service_status status, bool touch,
			int64_t now)
{
	int error = registry_write_check(r);

	if (error < 0)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_SET_STATUS);
	query_bind_text(&q, 1, id);
	query_bind_text(&q, 2, service_status_name(status));
	query_bind_int_or_null(&q, 3, touch ? now : -1, -1);
	query_bind_int_or_null(&q, 4, status == SERVICE_ACTIVE, false);
	return query_run_on_one(&q);
}

int registry_set_protected(struct registry *r, const char *id, bool on)
{
	int error = registry_write_check(r);

	if (error < 0)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_SET_PROTECTED);
	query_bind_text(&q, 1, id);
	query_bind_int_or_null(&q, 2, on, 0);
	return query_run_on_one(&q);
}

static int count_status(struct registry *r, enum service_status status, int64_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICES_COUNT_OF_STATUS);

	query_bind_text(&q, 1, service_status_name(status));
	return query_number(&q, ret);
}

/* From the indexes alone, 50,000 services in a few milliseconds.  What has no other status counts
 * as claimed, as for every reader. */
static int count_all(struct registry *r, int64_t counts[_SERVICE_STATUS_MAX])
{
	int error = query_count(r, STATEMENT_SERVICES_COUNT, &counts[SERVICE_CLAIMED]);

	for (int s = 0; !error && s < _SERVICE_STATUS_MAX; s++) {
		if (s == SERVICE_CLAIMED)
			continue;
		error = count_status(r, (enum service_status)s, &counts[s]);
		counts[SERVICE_CLAIMED] -= counts[s];
	}
	return error;
}

/* Each row, and those alone which readers see; *ret_hidden says whether there were others. */
static int count_visible(struct registry *r, int64_t counts[_SERVICE_STATUS_MAX], bool *ret_hidden)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_ALL);
	struct service_row row;
	int more;

	*ret_hidden = false;
	while ((more = query_next(&q)) > 0)
		if (decode_visible(&q, &row))
			counts[row.service.status]++;
		else
			*ret_hidden = true;
	return more;
}

/*
 * The sum is that of the rows which find shows.  Rows that it hides are written by hand only, never
 * by us: once a walk has met none, the index tells the same, until somebody else has written.
 */
int registry_count_services(struct registry *r, int64_t ret_counts[_SERVICE_STATUS_MAX])
{
	int64_t counts[_SERVICE_STATUS_MAX] = { 0 }, version;
	bool hidden = false;
	int error = registry_data_version(r, &version);

	if (error < 0)
		return error;
	if (r->all_visible && r->visible_version == version)
		error = count_all(r, counts);
	else
		error = count_visible(r, counts, &hidden);
	if (error < 0)
		return error;
	r->all_visible = !hidden;
	r->visible_version = version;
	memcpy(ret_counts, counts, sizeof(counts));
	return 0;
}

/*
 * The first row of an ordered query that is not to be skipped: 1, 0 when there is none.  A row that
 * nobody sees would never leave its place and be due for ever.
 */
static int first_visible(struct query *q, struct service *ret)
{
	struct service_row row;
	int more;

	while ((more = query_next(q)) > 0) {
		if (!decode_visible(q, &row))
			continue;
		*ret = row.service;
		return 1;
	}
	return more;
}

int registry_for_each_protected(struct registry *r, service_visit visit, void *user_data)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_PROTECTED);
	struct service service;
	int found;

	while ((found = first_visible(&q, &service)) > 0)
		if (!visit(&service, user_data))
			return 0;
	return found < 0 ? found : 0;
}

/* Services that turn stale one day: enum service_status as the index of their times knows it. */
static const enum service_status ageing[] = { SERVICE_CLAIMED, SERVICE_GHOST };

/* 1 when enough were visited, 0, negative errno. */
static int visit_silent(struct registry *r, enum service_status status, int64_t since,
			service_visit visit, void *user_data)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_OLDEST);
	struct service service;
	int found;

	query_bind_text(&q, 1, service_status_name(status));
	while ((found = first_visible(&q, &service)) > 0 && service.updated_at <= since)
		if (!visit(&service, user_data))
			return 1;
	return found < 0 ? found : 0;
}

int registry_for_each_silent(struct registry *r, int64_t since, service_visit visit,
			     void *user_data)
{
	int enough = 0;

	for (size_t i = 0; !enough && i < ARRAY_SIZE(ageing); i++)
		enough = visit_silent(r, ageing[i], since, visit, user_data);
	return enough < 0 ? enough : 0;
}

/* The first whose end can come; 0 as its time is one beyond the clamp, which is never. */
static int next_ending(struct query *q, struct service *ret)
{
	int found;

	do
		found = first_visible(q, ret);
	while (found > 0 && (ret->status == SERVICE_ACTIVE || ret->status == SERVICE_ORPHANED));
	return found > 0 ? ret->expires_at > 0 : found;
}

int registry_for_each_expired(struct registry *r, int64_t now, service_visit visit, void *user_data)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_EXPIRING);
	struct service service;
	int found;

	while ((found = next_ending(&q, &service)) > 0 && service.expires_at <= now)
		if (!visit(&service, user_data))
			return 0;
	return found < 0 ? found : 0;
}

static int oldest_update(struct registry *r, enum service_status status, int64_t *ret_unix)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_OLDEST);
	struct service service;
	int found;

	query_bind_text(&q, 1, service_status_name(status));
	found = first_visible(&q, &service);
	if (found > 0)
		*ret_unix = service.updated_at;
	return found;
}

static int earliest_expiry(struct registry *r, int64_t *ret_unix)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_EXPIRING);
	struct service service;
	int found = next_ending(&q, &service);

	if (found > 0)
		*ret_unix = service.expires_at;
	return found;
}

int registry_next_deadline(struct registry *r, int64_t stale_age_s, int64_t *ret_unix)
{
	int64_t next = INT64_MAX;
	int64_t at = 0;
	int found = earliest_expiry(r, &at);

	if (found < 0)
		return found;
	if (found > 0)
		next = at;
	for (size_t i = 0; i < ARRAY_SIZE(ageing); i++) {
		found = oldest_update(r, ageing[i], &at);
		if (found < 0)
			return found;
		/* stale is *older* than the age: one second later, or the caller would spin */
		if (found > 0 && at + stale_age_s + 1 < next)
			next = at + stale_age_s + 1;
	}
	*ret_unix = next;
	return 0;
}

int registry_count_locks(struct registry *r, int64_t *ret)
{
	return query_count(r, STATEMENT_LOCKS_COUNT, ret);
}
