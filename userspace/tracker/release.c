/* SPDX-License-Identifier: MIT */
#include "tracker/release.h"

#include <stdio.h>

#include "tracker/activity.h"

#define DETAILS_SIZE 128

int release_claim(struct activity_writer *w, const char *id, uint16_t port, const char *why,
		  const struct release_actor *actor, int64_t now)
{
	char details[DETAILS_SIZE];
	int r = registry_begin(w->registry);

	if (!r)
		r = registry_release(w->registry, id, now);
	if (r)
		return r;
	snprintf(details, sizeof(details), "Port %u released%s%s", port, why ? ": " : "",
		 why ? why : "");
	return activity_write(w, &(struct activity){ .action = ACTIVITY_RELEASE,
						     .service = id,
						     .details = details,
						     .timestamp = now,
						     .port = port,
						     .pid = actor->pid,
						     .uid = actor->uid,
						     .comm = actor->comm });
}
