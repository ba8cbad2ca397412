/* SPDX-License-Identifier: MIT */
/* GET /v1/log: the audit trail, newest first: pd log. */

#include "api/log.h"
#include "api/routes.h"
#include "api/state.h"
#include "http/page.h"
#include "view/event.h"

#define DEFAULT_ROWS 50
#define MAX_ROWS     10000

struct question {
	struct log_filter filter;
	int64_t since, from, to; /* Unix seconds; 0 = not given */
	struct page page;
};

ROUTE(log_get, GET, "/v1/log", struct question, PARAM_LOG_FILTER("filter", struct question, filter),
      PARAM_SINCE("since", struct question, since), PARAM_MOMENT("from", struct question, from),
      PARAM_MOMENT("to", struct question, to), PARAM_PAGE(struct question, page, MAX_ROWS));

static bool list_entry(const struct activity *entry, void *user_data)
{
	struct page_list *list = user_data;

	if (!page_list_has_room(list))
		return false;
	list->number = entry->id;
	return page_list_add(list, view_entry(entry, request_user(list->r)));
}

/* `since` and `from` both say where to begin: the later one counts. */
static int read_bounds(struct request *r, struct question *q)
{
	struct activity_filter *activity = &q->filter.activity;
	int fault = 0;

	activity->from = q->from;
	activity->to = q->to;
	if (q->since && q->since > q->from)
		activity->from = q->since > 1 ? q->since : 1;
	activity->is_before = q->page.after;
	if (activity->is_before)
		fault = page_after_number(r, &q->page, &activity->before_id);
	if (!fault && activity->to && activity->from > activity->to)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "from lies after to: nothing can match");
	return fault;
}

static int handle(struct request *r)
{
	struct question *q = r->params;
	struct page_list list = { .r = r, .page = &q->page };
	int fault = read_bounds(r, q);

	fault = fault ?: written_list_begin(r, "entries");
	if (fault)
		return fault;
	page_begin(&q->page, DEFAULT_ROWS);
	/* the entry of a refusal may wait for the search for who was in the way */
	tracker_explain_waiting(r->api->config.tracker,
				&(struct refusal_filter){ .uid = PROCESS_UID_UNKNOWN });
	/* one more, which tells that there is another page */
	q->filter.activity.limit = q->page.rows + 1;
	fault = registry_for_each_activity(r->api->config.registry, &q->filter.activity, list_entry,
					   &list);
	return page_list_end(&list, fault);
}
