/* SPDX-License-Identifier: MIT */
/* GET /v1/sessions: the list, by pages: pd sessions. */
#include <string.h>

#include "api/routes.h"
#include "api/session_request.h"
#include "api/state.h"
#include "http/page.h"
#include "view/coordination.h"

#define SESSIONS_SHOWN 20 /* completed ones, where not all are asked for */

_Static_assert(PAGE_CURSOR_SIZE >= SESSION_PLACE_SIZE, "a place is a cursor");

struct question {
	bool all;
	struct page page;
};

ROUTE(sessions_get, GET, "/v1/sessions", struct question, PARAM_ONE("all", struct question, all),
      PARAM_PAGE(struct question, page, PAGE_MAX_ROWS));

static bool list_session(const struct session *s, void *user_data)
{
	struct page_list *list = user_data;
	char place[SESSION_PLACE_SIZE];

	session_place(s, place);
	if (list->page->after && strcmp(place, list->page->after) <= 0)
		return true;
	if (!page_list_has_room(list))
		return false;
	memcpy(list->last, place, sizeof(place));
	return page_list_add(list, view_session(s, list->r->uid));
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
