/* SPDX-License-Identifier: MIT */
#include "api/record.h"

#include "api/state.h"
#include "tracker/activity.h"

int record_activity(struct request *r, enum activity_action action, const char *service,
		    uint16_t port, const char *comm, const char *details)
{
	return activity_write(tracker_activity(r->api->config.tracker),
			      &(struct activity){ .action = action,
						  .service = service,
						  .details = details,
						  .timestamp = r->now,
						  .port = port,
						  .pid = r->pid,
						  .uid = r->uid,
						  .comm = comm });
}

int record_claim(struct api *api, uint16_t port)
{
	portset_add(&api->touched, port);
	return tracker_claim_changed(api->config.tracker, port);
}

void record_end(struct api *api, bool undone)
{
	size_t port = undone ? portset_next(&api->touched, 0) : PORTSET_END;

	for (; port != PORTSET_END; port = portset_next(&api->touched, port + 1))
		tracker_claim_changed(api->config.tracker, (uint16_t)port);
	portset_clear(&api->touched);
}
