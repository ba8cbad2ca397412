/* SPDX-License-Identifier: MIT */
#include "api/release.h"

#include <stdio.h>

#include "api/record.h"
#include "api/state.h"
#include "base/text.h"

#define DETAILS_SIZE 128

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
	char details[DETAILS_SIZE];
	int fault = request_begin_write(r);

	snprintf(details, sizeof(details), "Port %u released%s%s", s->port, why ? ": " : "",
		 why ? why : "");
	if (!fault)
		fault = registry_release(r->api->config.registry, s->id, r->now);
	if (!fault)
		fault = record_activity(r, ACTIVITY_RELEASE, s->id, s->port, comm, details);
	return fault ? fault : record_claim(r, s->port, NULL);
}
