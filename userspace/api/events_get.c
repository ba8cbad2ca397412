/* SPDX-License-Identifier: MIT */
/* GET /v1/events: a line for each event of the kernel and each entry: pd watch,
 * pd run and pd wait. */
#include <stdio.h>
#include <string.h>

#include "api/log.h"
#include "api/match.h"
#include "api/routes.h"
#include "api/run_number.h"
#include "api/state.h"
#include "api/streams.h"
#include "http/watchers.h"

static param_read read_pattern, read_runs;

ROUTE(events_get, GET, "/v1/events", struct events_filter,
      PARAM_ROW("pattern", read_pattern, struct events_filter, log, struct log_filter,
		.check = pattern_check, .cannot = "read", .advice = "write one like myapp:*"),
      PARAM_LOG_FILTER("filter", struct events_filter, log),
      PARAM_ROW("run", read_runs, struct events_filter, runs, struct events_runs));

/* One run, or several with a comma between them: pd up follows all of its own. */
static int read_runs(struct request *r, const struct param *p, const struct param_value *value,
		     void *ret)
{
	struct events_runs *runs = ret;
	char text[EVENTS_RUNS_MAX * RUN_ID_SIZE + 1];
	char *rest = text;

	snprintf(text, sizeof(text), "%s", value->text);
	while (rest) {
		struct param_value one = { .text = strsep(&rest, ",") };
		int fault = runs->n < EVENTS_RUNS_MAX
				    ? run_number_read(r, p, &one, &runs->numbers[runs->n++])
				    : request_fail(r, OUTCOME_BAD_REQUEST,
						   "these are more than %d runs", EVENTS_RUNS_MAX);

		if (fault)
			return fault;
	}
	return 0;
}

static int read_pattern(struct request *r, const struct param *p, const struct param_value *value,
			void *ret)
{
	struct log_filter *filter = ret;
	const char *pattern;
	int fault = param_text(r, p, value, &pattern);

	if (fault)
		return fault;
	snprintf(filter->text, sizeof(filter->text), "%s", pattern);
	filter->activity.subjects[0] = filter->text;
	return match_meant(r, &filter->activity.subjects[0], filter->ids[0]);
}

static int handle(struct request *r)
{
	return watchers_add(r->api->events_watchers, r, r->params);
}
