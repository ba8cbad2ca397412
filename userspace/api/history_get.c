/* SPDX-License-Identifier: MIT */
/* GET /v1/history: who had a port, claimed or not, and how it ended; newest first: pd history. */

#include "api/match.h"
#include "api/routes.h"
#include "api/state.h"
#include "http/page.h"
#include "registry/history.h"
#include "tracker/tracker.h"
#include "view/event.h"

#define DEFAULT_ROWS 50
#define MAX_ROWS     20000

struct question {
	uint16_t port;	/* 0 = all */
	const char *id; /* of the service that owned it; NULL = all */
	int64_t since;
	struct page page;

	char meant[IDENTITY_MAX + 1];
};

ROUTE(history_get, GET, "/v1/history", struct question, PARAM_PORT("port", struct question, port),
      PARAM_ID("id", struct question, id), PARAM_SINCE("since", struct question, since),
      PARAM_PAGE(struct question, page, MAX_ROWS));

static bool list_entry(const struct history_entry *entry, void *user_data)
{
	struct page_list *list = user_data;

	if (!page_list_has_room(list))
		return false;
	list->number = entry->id;
	return page_list_add(list, view_history(entry, request_user(list->r)));
}

static int handle(struct request *r)
{
	struct question *q = r->params;
	struct page_list list = { .r = r, .page = &q->page };
	struct history_filter filter = { .port = q->port, .service = q->id, .since = q->since };
	int fault = q->page.after ? page_after_number(r, &q->page, &filter.before_id) : 0;

	if (!fault && filter.service)
		fault = match_meant(r, &filter.service, q->meant);
	if (fault)
		return fault;
	json_add_int(r->answer, "leftOut", (int64_t)tracker_write_history(r->api->config.tracker));
	fault = written_list_begin(r, "entries");
	if (fault)
		return fault;
	page_begin(&q->page, DEFAULT_ROWS);
	/* one more, which tells that there is another page */
	filter.limit = q->page.rows + 1;
	fault = registry_for_each_history(r->api->config.registry, &filter, list_entry, &list);
	return page_list_end(&list, fault);
}
