/* SPDX-License-Identifier: MIT */
#include "api/record.h"

#include <errno.h>
#include <stdlib.h>

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

static int note_touched(struct api *api, uint16_t port)
{
	if (api->n_touched == api->touched_size) {
		size_t size = api->touched_size ? 2 * api->touched_size : 16;
		uint16_t *grown = reallocarray(api->touched, size, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		api->touched = grown;
		api->touched_size = size;
	}
	api->touched[api->n_touched++] = port;
	return 0;
}

int record_claim(struct request *r, uint16_t port, int *ret_status)
{
	int status, fault = note_touched(r->api, port);

	if (fault)
		return fault;
	status = tracker_claim_changed(r->api->config.tracker, port);
	if (ret_status)
		*ret_status = status;
	return 0;
}

void record_end(struct api *api, bool undone)
{
	for (size_t i = 0; undone && i < api->n_touched; i++)
		tracker_claim_changed(api->config.tracker, api->touched[i]);
	api->n_touched = 0;
}
