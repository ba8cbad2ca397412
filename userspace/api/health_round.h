/* SPDX-License-Identifier: MIT */
/*
 * A round of health checks, answered as a stream of JSON lines.
 *
 *   {"ok":true,"version":1,"stream":"health","total":3}    at once
 *   {"service":{…}}                                        as each is known
 *   {"waiting":1,"total":3}                                each second while some are not
 *   {"ok":true,"version":1,"healthy":2,"unhealthy":1,…}    at the end
 *
 * The last line follows the commit of the results.  Whether that commit succeeds changes nothing of
 * what was found, so it is only told ("stored").  A client that leaves cancels what still runs;
 * what was found until then is kept.
 */
#ifndef API_HEALTH_ROUND_H
#define API_HEALTH_ROUND_H

#include "api/match.h"

/*
 * Begins the round of the services that match and keeps the request.  0; OUTCOME_NO where something
 * was named and nothing matches; negative errno.
 */
int health_round_start(struct request *r, const struct match *match, int64_t timeout_s);

#endif
