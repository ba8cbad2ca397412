/* SPDX-License-Identifier: MIT */
#include "registry/health.h"

#include "base/cleanup.h"
#include "registry/internal.h"

#define TEXT_SIZE 1024 /* of a column that a person filled with what is no text */

int registry_store_health(struct registry *r, const struct health_record *record)
{
	int error = registry_write_check(r);

	if (error < 0)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_HEALTH_STORE);
	query_bind_text(&q, 1, record->id);
	query_bind_int(&q, 2, record->checked_at);
	query_bind_text(&q, 3, record->result);
	query_bind_int_or_null(&q, 4, record->http_status, 0);
	query_bind_int_or_null(&q, 5, record->elapsed_us, -1);
	query_bind_text(&q, 6, *record->url ? record->url : NULL);
	query_bind_text(&q, 7, *record->details ? record->details : NULL);
	return query_run_on_one(&q);
}

int registry_health_by_id(struct registry *r, const char *id, health_visit visit, void *user_data)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_HEALTH_BY_ID);
	char result[TEXT_SIZE], url[TEXT_SIZE], details[TEXT_SIZE];
	struct health_record record;
	int more;

	query_bind_text(&q, 1, id);
	more = query_next(&q);
	if (more <= 0)
		return more < 0 ? more : OUTCOME_NO;
	record = (struct health_record){
		.id = id,
		.checked_at = query_column_int(&q, HEALTH_COLUMN_CHECKED_AT, 0, REGISTRY_TIME_MAX_S,
					       0),
		.result = query_column_utf8(&q, HEALTH_COLUMN_RESULT, result, sizeof(result)),
		.http_status = (int)query_column_int(&q, HEALTH_COLUMN_HTTP_STATUS, 0, 999, 0),
		.elapsed_us = query_column_int(&q, HEALTH_COLUMN_ELAPSED_US, 0, INT64_MAX, -1),
		.url = query_column_utf8(&q, HEALTH_COLUMN_URL, url, sizeof(url)),
		.details = query_column_utf8(&q, HEALTH_COLUMN_DETAILS, details, sizeof(details)),
	};
	visit(&record, user_data);
	return 0;
}
