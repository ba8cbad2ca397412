/* SPDX-License-Identifier: MIT */
/*
 * Reads the activity through a filter.
 *
 * Two steps: which entries (their ids alone, read out of an index wherever one narrows them down),
 * then those entries.  A filter that fits nothing costs what it looks at, not the whole activity:
 *   - a span of time becomes a span of ids, because ids and time grow together;
 *   - a pattern becomes the names that fit it, each with its own walk down the index.
 * The order is that of the ids, not of the times: a clock that was set back changes no history.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "registry/internal.h"

/* What is handed out of a field that holds bytes which are no text. */
#define REPAIRED_SIZE 1024
/*
 * Names that a pattern may stand for before the whole activity is walked instead: each is a walk of
 * its own, about 2 us; where more names fit than this, a walk over everything soon has enough rows.
 */
#define NAMES_MAX 1024
/* Names that are looked at to find those, 3 us each; beyond it the whole activity is walked, too.
 */
#define NAMES_SEEN_MAX 1024
/* Entries of a span of time that are looked at to bound their ids, 0.2 us each.  In a wider one the
 * walk meets enough that fit, or passes over the others as fast. */
#define SPAN_ENTRIES_MAX 8192
#define IDS_FIRST	 128 /* entries that fit the first allocation */

/* --- entries --- */

struct activity_row {
	struct activity entry;
	char service[REPAIRED_SIZE], details[REPAIRED_SIZE], comm[REPAIRED_SIZE];
	char call[REPAIRED_SIZE], addr[REPAIRED_SIZE];
};

/* False when the action is none of ours: a person wrote that row, and no reader knows its name. */
static bool activity_decode(const struct query *q, struct activity_row *ret)
{
	struct activity *entry = &ret->entry;
	const char *name = query_column_text(q, ACTIVITY_COLUMN_ACTION);
	int action = name ? activity_action_of_name(name) : -1;

	if (action < 0)
		return false;
	entry->id = query_column_int(q, ACTIVITY_COLUMN_ID, INT64_MIN, INT64_MAX, 0);
	entry->action = (enum activity_action)action;
	entry->service = query_column_utf8(q, ACTIVITY_COLUMN_SERVICE, ret->service, REPAIRED_SIZE);
	entry->details = query_column_utf8(q, ACTIVITY_COLUMN_DETAILS, ret->details, REPAIRED_SIZE);
	entry->timestamp = query_column_int(q, ACTIVITY_COLUMN_TIMESTAMP, 0, REGISTRY_TIME_MAX_S,
					    0);
	entry->port = (uint16_t)query_column_int(q, ACTIVITY_COLUMN_PORT, 0, UINT16_MAX, 0);
	entry->pid = (pid_t)query_column_int(q, ACTIVITY_COLUMN_PID, 0, INT32_MAX, 0);
	entry->uid = (uid_t)query_column_int(q, ACTIVITY_COLUMN_UID, 0, PROCESS_UID_UNKNOWN,
					     PROCESS_UID_UNKNOWN);
	entry->comm = query_column_utf8(q, ACTIVITY_COLUMN_COMM, ret->comm, REPAIRED_SIZE);
	entry->error = (int)query_column_int(q, ACTIVITY_COLUMN_ERROR, 0, INT32_MAX, 0);
	entry->call = query_column_utf8(q, ACTIVITY_COLUMN_CALL, ret->call, REPAIRED_SIZE);
	entry->addr = query_column_utf8(q, ACTIVITY_COLUMN_ADDR, ret->addr, REPAIRED_SIZE);
	return true;
}

/* --- the filter --- */

bool activity_filter_accepts(const struct activity_filter *filter, int action, const char *service,
			     uint16_t port)
{
	if (filter->actions && (action < 0 || !(filter->actions & ACTIVITY_BIT(action))))
		return false;
	if (!filter->subjects[0] && !filter->ports[0])
		return true;
	for (size_t i = 0; port && i < ACTIVITY_SUBJECTS_MAX && filter->ports[i]; i++)
		if (filter->ports[i] == port)
			return true;
	for (size_t i = 0; i < ACTIVITY_SUBJECTS_MAX && filter->subjects[i]; i++)
		if (service && *service && identity_is_meant(filter->subjects[i], service))
			return true;
	return false;
}

/* --- ids --- */

/* The newest ids so far.  `limit` of them are wanted; twice as many are kept before the oldest are
 * thrown away, so that sorting stays rare. */
struct ids {
	int64_t *ids;
	size_t n, size;
	int64_t limit; /* 0 = all */
	int64_t floor; /* at or below it nothing is wanted any more */
};

static int newest_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Sorted, each once: two patterns may name the same subject. */
static void ids_tidy(struct ids *ids)
{
	size_t kept = 0;

	if (!ids->n)
		return;
	qsort(ids->ids, ids->n, sizeof(*ids->ids), newest_first);
	for (size_t i = 0; i < ids->n; i++)
		if (!kept || ids->ids[i] != ids->ids[kept - 1])
			ids->ids[kept++] = ids->ids[i];
	ids->n = kept;
	if (ids->limit > 0 && kept > (size_t)ids->limit)
		ids->n = (size_t)ids->limit;
	if (ids->limit > 0 && ids->n == (size_t)ids->limit)
		ids->floor = ids->ids[ids->n - 1];
}

static int ids_add(struct ids *ids, int64_t id)
{
	if (ids->limit > 0 && ids->n >= 2 * (size_t)ids->limit)
		ids_tidy(ids);
	if (array_reserve(ids->ids, ids->size, ids->n + 1, IDS_FIRST))
		return -ENOMEM;
	ids->ids[ids->n++] = id;
	return 0;
}

/* --- one walk --- */

struct search {
	struct registry *registry;
	const struct activity_filter *filter;
	int64_t id_min, id_max;
	struct ids ids;
};

static bool row_fits(const struct search *s, const struct query *q, bool check_subject)
{
	const char *action = query_column_text(q, ACTIVITY_ID_COLUMN_ACTION);
	int known = action ? activity_action_of_name(action) : -1;

	if (known < 0)
		return false;
	if (!check_subject)
		return !s->filter->actions || s->filter->actions & ACTIVITY_BIT(known);
	return activity_filter_accepts(
		s->filter, known, query_column_text(q, ACTIVITY_ID_COLUMN_SERVICE),
		(uint16_t)query_column_int(q, ACTIVITY_ID_COLUMN_PORT, 0, UINT16_MAX, 0));
}

/* What an index leads to; NULL and 0 = any. */
struct lead {
	const char *service, *action;
	uint16_t port;
};

/* Walks from the newest entry down. */
static int walk(struct search *s, enum statement which, struct lead lead)
{
	_cleanup_(query_done) struct query q = query_start(s->registry, which);
	bool check_subject = which == STATEMENT_ACTIVITY_IDS;
	int64_t found = 0;
	int more;

	query_bind_int(&q, 1, s->id_min);
	query_bind_int(&q, 2, s->id_max);
	query_bind_int(&q, 3, s->filter->from);
	query_bind_int(&q, 4, s->filter->to);
	if (lead.service)
		query_bind_text(&q, 5, lead.service);
	if (lead.action)
		query_bind_text(&q, 6, lead.action);
	if (lead.port)
		query_bind_int(&q, 7, lead.port);
	while ((s->ids.limit <= 0 || found < s->ids.limit) && (more = query_next(&q)) != 0) {
		int64_t id = more < 0 ? 0
				      : query_column_int(&q, ACTIVITY_ID_COLUMN_ID, INT64_MIN,
							 INT64_MAX, 0);

		if (more < 0)
			return more;
		if (id <= s->ids.floor)
			return 0;
		if (!row_fits(s, &q, check_subject))
			continue;
		found++;
		more = ids_add(&s->ids, id);
		if (more < 0)
			return more;
	}
	return 0;
}

/* One walk for each action that is asked for. */
static int walk_actions(struct search *s, enum statement which, const char *service)
{
	int error = 0;

	for (int a = 0; !error && a < _ACTIVITY_ACTION_MAX; a++)
		if (s->filter->actions & ACTIVITY_BIT(a))
			error = walk(s, which,
				     (struct lead){ service, activity_action_name(a), 0 });
	return error;
}

static int walk_subject(struct search *s, const char *service)
{
	if (s->filter->actions)
		return walk_actions(s, STATEMENT_ACTIVITY_IDS_OF_BOTH, service);
	return walk(s, STATEMENT_ACTIVITY_IDS_OF_SUBJECT, (struct lead){ .service = service });
}

/* --- names --- */

struct names {
	char *names[NAMES_MAX];
	size_t n, seen;
	bool too_many;
};

static void names_free(struct names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->n; i++)
		free(names->names[i]);
	free(names);
}
DEFINE_CLEANUP(struct names *, names_free);

static int names_add(struct names *names, const char *name)
{
	if (names->n == NAMES_MAX) {
		names->too_many = true;
		return 0;
	}
	names->names[names->n] = strdup(name);
	if (!names->names[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

/* The subjects of the activity that a pattern stands for, out of the index alone. */
static int names_of_pattern(struct registry *r, const char *pattern, struct names *names)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_ACTIVITY_SUBJECTS);
	size_t literal = strcspn(pattern, "*?");
	_cleanup_free_ char *lower = strndup(pattern, literal);
	_cleanup_free_ char *upper = malloc(literal + 2);
	int more = 0;

	if (!lower || !upper)
		return -ENOMEM;
	/* 0xff sorts behind every byte of valid text */
	memcpy(upper, pattern, literal);
	memcpy(upper + literal, "\xff", 2);
	query_bind_text(&q, 1, lower);
	query_bind_text(&q, 2, upper);
	while (!names->too_many && (more = query_next(&q)) > 0) {
		const char *name = query_column_text(&q, 0);

		names->too_many = ++names->seen > NAMES_SEEN_MAX;
		if (!name || !identity_is_meant(pattern, name))
			continue;
		more = names_add(names, name);
		if (more < 0)
			break;
	}
	return more < 0 ? more : 0;
}

static int walk_subjects(struct search *s)
{
	_cleanup_(names_freep) struct names *names = calloc(1, sizeof(*names));
	const char *const *subjects = s->filter->subjects;
	int error = names ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < ACTIVITY_SUBJECTS_MAX && subjects[i]; i++)
		error = pattern_has_wildcard(subjects[i])
				? names_of_pattern(s->registry, subjects[i], names)
				: names_add(names, subjects[i]);
	if (!error && names->too_many)
		return walk(s, STATEMENT_ACTIVITY_IDS, (struct lead){ 0 });
	for (size_t i = 0; !error && i < names->n; i++)
		error = walk_subject(s, names->names[i]);
	for (size_t i = 0; !error && i < ACTIVITY_SUBJECTS_MAX && s->filter->ports[i]; i++)
		error = walk(s, STATEMENT_ACTIVITY_IDS_OF_PORT,
			     (struct lead){ .port = s->filter->ports[i] });
	return error;
}

/* --- time --- */

/* Narrows the ids down to those of the span of time; false when nothing lies in it. */
static int bound_by_time(struct search *s, bool *ret_any)
{
	_cleanup_(query_done) struct query q = query_start(s->registry,
							   STATEMENT_ACTIVITY_IDS_OF_SPAN);
	int64_t first, last;
	int more;

	*ret_any = true;
	if (!s->filter->from && !s->filter->to)
		return 0;
	query_bind_int(&q, 1, s->filter->from ? s->filter->from : INT64_MIN);
	query_bind_int(&q, 2, s->filter->to ? s->filter->to : INT64_MAX);
	query_bind_int(&q, 3, SPAN_ENTRIES_MAX);
	more = query_next(&q);
	if (more <= 0)
		return more < 0 ? more : -EIO;
	if (query_column_int(&q, 2, 0, INT64_MAX, 0) == SPAN_ENTRIES_MAX)
		return 0;
	first = query_column_int(&q, 0, INT64_MIN, INT64_MAX, INT64_MAX);
	last = query_column_int(&q, 1, INT64_MIN, INT64_MAX, INT64_MIN);
	if (first > s->id_min)
		s->id_min = first;
	if (last < s->id_max)
		s->id_max = last;
	*ret_any = s->id_min <= s->id_max;
	return 0;
}

/* --- all of it --- */

static int search_ids(struct search *s)
{
	bool any;
	int error = bound_by_time(s, &any);

	if (error < 0 || !any)
		return error;
	if (s->filter->subjects[0] || s->filter->ports[0])
		error = walk_subjects(s);
	else if (s->filter->actions)
		error = walk_actions(s, STATEMENT_ACTIVITY_IDS_OF_ACTION, NULL);
	else
		error = walk(s, STATEMENT_ACTIVITY_IDS, (struct lead){ 0 });
	if (!error)
		ids_tidy(&s->ids);
	return error;
}

/* False when the visit wants no more. */
static int visit_id(struct registry *r, int64_t id, activity_visit visit, void *user_data,
		    bool *ret_more)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_ACTIVITY_BY_ID);
	struct activity_row row;
	int more;

	query_bind_int(&q, 1, id);
	more = query_next(&q);
	if (more > 0 && activity_decode(&q, &row))
		*ret_more = visit(&row.entry, user_data);
	return more < 0 ? more : 0;
}

int registry_for_each_activity(struct registry *r, const struct activity_filter *filter,
			       activity_visit visit, void *user_data)
{
	struct search s = {
		.registry = r,
		.filter = filter,
		/* ids that people gave by hand may be negative; "all" means all */
		.id_min = filter->after_id > 0 ? filter->after_id + 1 : INT64_MIN + 1,
		.id_max = filter->is_before ? filter->before_id - 1 : INT64_MAX,
		.ids = { .limit = filter->limit, .floor = INT64_MIN },
	};
	int error = search_ids(&s);
	bool more = true;

	for (size_t i = 0; !error && more && i < s.ids.n; i++)
		error = visit_id(r, s.ids.ids[i], visit, user_data, &more);
	free(s.ids.ids);
	return error;
}

/* --- the refusals of a port --- */

#define REFUSALS_SEARCHED 500 /* newest refusals of all ports that are looked through */

struct port_search {
	uint16_t port;
	size_t max, n;
	struct activity **list;
	int error;
};

static bool keep(const struct activity *entry, void *user_data)
{
	struct port_search *s = user_data;

	if (entry->port != s->port)
		return true;
	s->error = activity_copy(entry, &s->list[s->n]);
	return !s->error && ++s->n < s->max;
}

int registry_port_refusals(struct registry *r, uint16_t port, size_t max, struct activity **ret,
			   size_t *ret_n)
{
	const struct activity_filter filter = { .actions = ACTIVITY_BIT(ACTIVITY_FAIL),
						.limit = REFUSALS_SEARCHED };
	struct port_search s = { .port = port, .max = max, .list = ret };
	int error = registry_for_each_activity(r, &filter, keep, &s);

	*ret_n = s.n;
	return error ? error : s.error;
}
