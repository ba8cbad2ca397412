/* SPDX-License-Identifier: MIT */
/* GET /v1/notes: what somebody wrote into a session, by pages: pd notes. */

#include "api/routes.h"
#include "api/session_request.h"
#include "api/state.h"
#include "http/page.h"
#include "view/coordination.h"

struct question {
	struct session_ref session;
	struct page page;
};

ROUTE(notes_get, GET, "/v1/notes", struct question, PARAM_SESSION(struct question, session),
      PARAM_PAGE(struct question, page, NOTES_PER_SESSION));

static bool list_note(const struct note *note, void *user_data)
{
	struct page_list *list = user_data;

	if (!page_list_has_room(list))
		return false;
	list->number = note->id;
	return page_list_add(list, view_note(note));
}

static bool add_session(const struct session *s, void *user_data)
{
	struct request *r = user_data;

	json_add(r->answer, "session", view_session(s, r->uid));
	return false;
}

/* Where the page begins: behind the cursor, else with the newest n, else with the oldest. */
static int find_begin(struct request *r, const struct page *page, const char *session,
		      int64_t *ret_after)
{
	*ret_after = INT64_MIN;
	if (page->after)
		return page_after_number(r, page, ret_after);
	if (page->n)
		return registry_newest_notes(r->api->config.registry, session, page->n, ret_after);
	return 0;
}

static int handle(struct request *r)
{
	struct question *q = r->params;
	struct registry *registry = r->api->config.registry;
	struct page_list list = { .r = r, .page = &q->page };
	struct session_caller caller;
	struct session_copy s;
	int64_t after;
	int fault;

	page_begin(&q->page, PAGE_MAX_ROWS);
	session_request_caller(r, &caller);
	fault = session_request_find(r, &q->session, &caller, &s);
	fault = fault ?: find_begin(r, &q->page, s.id, &after);
	fault = fault ?: registry_session_find(registry, s.id, add_session, r);
	fault = fault ?: written_list_begin(r, "notes");
	fault = fault ?: registry_for_each_note(registry, s.id, after, list_note, &list);
	return page_list_end(&list, fault);
}
