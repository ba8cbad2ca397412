/* SPDX-License-Identifier: MIT */
#include "api/release.h"

#include "api/record.h"
#include "api/state.h"
#include "base/text.h"
#include "tracker/release.h"

void release_caller_name(const struct request *r, char ret[RELEASE_COMM_SIZE])
{
	struct process peer;

	request_caller(r, &peer);
	text_to_utf8(peer.comm, ret, RELEASE_COMM_SIZE);
}

bool release_is_allowed(const struct request *r, const struct service *s)
{
	return r->uid == 0 || r->uid == s->uid;
}

int release_service(struct request *r, const struct service *s, const char *comm, const char *why)
{
	const struct release_actor caller = { r->pid, r->uid, comm };
	int fault = request_begin_write(r);

	if (!fault)
		fault = release_claim(tracker_activity(r->api->config.tracker), s->id, s->port, why,
				      &caller, r->now);
	if (!fault)
		record_claim(r->api, s->port);
	return fault;
}
