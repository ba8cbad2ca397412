/* SPDX-License-Identifier: MIT */
/* GET /v1/activity: a line for each new entry of the audit trail: pd log -f. */
#include "api/log.h"
#include "api/routes.h"
#include "api/state.h"
#include "http/watchers.h"

struct question {
	struct log_filter filter;
};

ROUTE(activity_get, GET, "/v1/activity", struct question,
      PARAM_LOG_FILTER("filter", struct question, filter));

static int handle(struct request *r)
{
	struct question *q = r->params;

	return watchers_add(r->api->activity_watchers, r, &q->filter.activity);
}
