/* SPDX-License-Identifier: MIT */
/* GET /v1/sessions: the list, by pages: pd sessions. */
#include <inttypes.h>
#include <string.h>

#include "api/routes.h"
#include "api/session_view.h"
#include "api/state.h"
#include "base/session.h"
#include "http/page.h"

#define SESSIONS_SHOWN 20 /* completed ones, where not all are asked for */

_Static_assert(PAGE_CURSOR_SIZE >= 64 + SESSION_ID_MAX, "a place is three numbers and an id");

struct question {
	bool all;
	struct page page;
};

ROUTE(sessions_get, GET, "/v1/sessions", struct question, PARAM_ONE("all", struct question, all),
      PARAM_PAGE(struct question, page, PAGE_MAX_ROWS));

/*
 * Where a session stands in the list: open ones first, by their begin; then those that are over,
 * the newest before.  As text that sorts so.
 */
static void place_of(const struct session *s, char ret[PAGE_CURSOR_SIZE])
{
	bool over = s->status == SESSION_COMPLETED;
	int64_t since = s->ended_at ? s->ended_at : s->stalled_at ? s->stalled_at : s->started_at;

	snprintf(ret, PAGE_CURSOR_SIZE, "%d.%020" PRId64 ".%020" PRId64 ".%s", over,
		 over ? INT64_MAX - since : 0, over ? INT64_MAX - s->started_at : s->started_at,
		 s->id);
}

static bool list_session(const struct session *s, void *user_data)
{
	struct page_list *list = user_data;
	char place[PAGE_CURSOR_SIZE];

	place_of(s, place);
	if (list->page->after && strcmp(place, list->page->after) <= 0)
		return true;
	if (!page_list_has_room(list))
		return false;
	memcpy(list->last, place, sizeof(place));
	return page_list_add(list, session_view(s, list->r->uid));
}

static int handle(struct request *r)
{
	struct question *q = r->params;
	const struct session_filter filter = { .uid = PROCESS_UID_UNKNOWN,
					       .limit = q->all ? 0 : SESSIONS_SHOWN };
	struct page_list list = { .r = r, .page = &q->page };
	int64_t counts[_SESSION_STATUS_MAX];
	int fault = registry_count_sessions(r->api->config.registry, counts);

	if (fault)
		return fault;
	page_begin(&q->page, PAGE_MAX_ROWS);
	for (int s = 0; s < _SESSION_STATUS_MAX; s++)
		json_add_int(r->answer, session_status_name((enum session_status)s), counts[s]);
	fault = written_list_begin(r, "sessions");
	if (!fault)
		fault = registry_for_each_session(r->api->config.registry, &filter, list_session,
						  &list);
	return page_list_end(&list, fault);
}
