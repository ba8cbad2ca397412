/* SPDX-License-Identifier: MIT */
/* GET /v1/health: a line for each service as its check ends: pd health. */
#include "api/health_round.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/quota.h"
#include "http/request.h"

#define TIMEOUT_DEFAULT_S 5
#define TIMEOUT_MAX_S	  300 /* a client that waits longer than that is not coming back */

struct question {
	struct match match;
	int64_t timeout_s;
};

static int handle(struct request *r);

const struct route health_get = {
	.method = ROUTE_GET,
	.path = "/v1/health",
	.handle = handle,
	.params = {
		PARAM_MATCH("match", struct question, match),
		PARAM_DURATION("timeout", struct question, timeout_s, .advice = "5s or 1m",
			       .min = 1, .max = TIMEOUT_MAX_S, .otherwise = TIMEOUT_DEFAULT_S),
	},
	.params_size = sizeof(struct question),
};

static int nothing_matched(struct request *r, const struct match *match)
{
	if (match->filter.port)
		return request_fail(r, OUTCOME_NO,
				    "no service owns port %u; what is on it: pd why %u",
				    match->filter.port, match->filter.port);
	return match_fail(r, match);
}

static int handle(struct request *r)
{
	struct question *q = r->params;
	/* later ones of the round wait for their turn */
	int fault = quota_check(r->api->quota, r->uid, QUOTA_HEALTH_CHECKS, 1);

	if (fault)
		return request_fail_quota(r, QUOTA_HEALTH_CHECKS, fault);
	if (!q->match.text)
		q->match.filter.status = -1;
	fault = health_round_start(r, &q->match, q->timeout_s);
	return fault == OUTCOME_NO ? nothing_matched(r, &q->match) : fault;
}
