/* SPDX-License-Identifier: MIT */
#include "api/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "api/routes.h"
#include "api/state.h"
#include "api/view.h"
#include "base/moment.h"
#include "base/net.h"
#include "http/page.h"

#define MOMENT_EXAMPLES "2:47am, 14:00, yesterday 9pm, 2024-02-28 14:00 or 2024-02-28T14:00:00Z"
/* A moment of digits alone is Unix seconds, as our own JSON has them; a year has fewer digits. */
#define UNIX_DIGITS_MIN 9
#define UNIX_DIGITS_MAX 11

static int bad_filter(struct request *r, const char *text, const char *why)
{
	char actions[160] = "";
	size_t used = 0;

	for (int a = 0; a < _ACTIVITY_ACTION_MAX && used < sizeof(actions); a++)
		used += snprintf(actions + used, sizeof(actions) - used, "%s%s", a ? ", " : "",
				 activity_action_name((enum activity_action)a));
	return request_fail(
		r, OUTCOME_BAD_REQUEST,
		"filter \"%.64s\" is neither an action (%s) nor a service, lock or session: %s",
		text, actions, why);
}

static int add_word(struct request *r, const char *word, struct activity_filter *ret, size_t *n)
{
	int action = activity_action_of_name(word);
	const char *why;

	if (action >= 0) {
		ret->actions |= ACTIVITY_BIT(action);
		return 0;
	}
	if (pattern_check(word, &why))
		return bad_filter(r, word, why);
	if (*n == ACTIVITY_SUBJECTS_MAX)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "filter names more than %d services, locks or sessions; a "
				    "pattern like myapp:* stands for many",
				    ACTIVITY_SUBJECTS_MAX);
	ret->subjects[(*n)++] = word;
	return 0;
}

int log_filter_parse(struct request *r, const char *text, struct log_filter *ret)
{
	size_t n = 0;
	char *rest;
	int fault = 0;

	ret->activity = (struct activity_filter){ 0 };
	if (!text)
		return 0;
	snprintf(ret->text, sizeof(ret->text), "%s", text);
	rest = ret->text;
	while (!fault && rest)
		fault = add_word(r, strsep(&rest, ","), &ret->activity, &n);
	return fault;
}

struct json_object *log_entry_view(struct api *api, const struct activity *entry)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "id", entry->id);
	json_add_int(o, "at", entry->timestamp);
	json_add_text(o, "action", activity_action_name(entry->action));
	json_add_text(o, "service", entry->service);
	json_add_text(o, "details", entry->details);
	json_add_known(o, "port", entry->port);
	json_add_known(o, "pid", entry->pid);
	json_add(o, "uid",
		 entry->uid == PROCESS_UID_UNKNOWN ? NULL : json_object_new_int64(entry->uid));
	json_add_text(o, "user", user_name(entry->uid));
	json_add_text(o, "comm", entry->comm);
	json_add_text(o, "errno", entry->error ? net_errno_name(entry->error) : NULL);
	return o;
}

static bool is_unix_seconds(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return !text[n] && n >= UNIX_DIGITS_MIN && n <= UNIX_DIGITS_MAX;
}

static int parse_moment(struct request *r, const char *name, int64_t *ret)
{
	const char *text = request_param(r, name);
	size_t at = 0;

	*ret = 0;
	if (!text)
		return 0;
	if (is_unix_seconds(text)) {
		*ret = strtoll(text, NULL, 10);
		return 0;
	}
	if (moment_parse(text, r->now, ret, &at))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "%s \"%.64s\" is no moment (see character %zu); write it "
				    "like " MOMENT_EXAMPLES,
				    name, text, at + 1);
	return 0;
}

static int parse_since(struct request *r, int64_t *from)
{
	const char *text = request_param(r, "since");
	int64_t seconds, begin;
	size_t at = 0;

	if (!text)
		return 0;
	if (is_unix_seconds(text))
		begin = strtoll(text, NULL, 10);
	else if (!duration_parse(text, &seconds, &at))
		begin = r->now - seconds;
	else
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "since \"%.64s\" is no duration (see character %zu); write it "
				    "like 45s, 30m, 2h30m or 1d",
				    text, at + 1);
	if (begin > *from)
		*from = begin > 1 ? begin : 1;
	return 0;
}

static int parse(struct request *r, struct log_filter *ret, struct page *page)
{
	struct activity_filter *activity = &ret->activity;
	int fault = log_filter_parse(r, request_param(r, "filter"), ret);

	if (!fault)
		fault = parse_moment(r, "from", &activity->from);
	if (!fault)
		fault = parse_moment(r, "to", &activity->to);
	if (!fault)
		fault = parse_since(r, &activity->from);
	if (!fault)
		fault = page_parse(r, API_LOG_MAX_ROWS, page);
	activity->is_before = !fault && page->after;
	if (activity->is_before)
		fault = page_after_number(r, page, &activity->before_id);
	if (!fault && activity->to && activity->from > activity->to)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "from lies after to: nothing can match");
	return fault;
}

struct listing {
	struct request *r;
	struct page page;
	int64_t last_id;
	bool more;
	int fault;
};

static bool list_entry(const struct activity *entry, void *user_data)
{
	struct listing *listing = user_data;

	listing->more = page_is_full(listing->r, &listing->page);
	if (listing->more)
		return false;
	listing->last_id = entry->id;
	listing->fault = written_list_add(listing->r, log_entry_view(listing->r->api, entry));
	return !listing->fault;
}

int log_get(struct request *r)
{
	struct listing listing = { .r = r };
	struct log_filter filter;
	char next[24];
	int fault = parse(r, &filter, &listing.page);

	if (!fault)
		fault = written_list_begin(r, "entries");
	if (fault)
		return fault;
	if (!listing.page.n)
		listing.page.rows = API_LOG_DEFAULT_ROWS;
	/* one more, which tells that there is another page */
	filter.activity.limit = listing.page.rows + 1;
	fault = registry_for_each_activity(r->api->config.registry, &filter.activity, list_entry,
					   &listing);
	if (!fault)
		fault = listing.fault ? listing.fault : written_list_end(r);
	snprintf(next, sizeof(next), "%" PRId64, listing.last_id);
	return fault ? fault : page_end(r, listing.more ? next : NULL);
}
