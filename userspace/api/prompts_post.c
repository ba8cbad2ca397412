/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/prompts: the file that tells the shell that asks of refused calls on its terminal, which
 * is whatever session the kernel says it is of: pd hook.
 */
#include "api/routes.h"
#include "api/state.h"
#include "base/procfs.h"
#include "tracker/prompts.h"

ROUTE(prompts_post, POST, "/v1/prompts", struct route_no_params);

static int handle(struct request *r)
{
	struct prompts *prompts = tracker_prompts(r->api->config.tracker);
	char path[PROMPTS_PATH_SIZE];
	struct process_id leader;
	struct process caller;
	int fault;

	request_caller(r, &caller);
	if (!caller.sid || procfs_identity(caller.sid, &leader))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "the session of whoever asks is not visible to the daemon: "
				    "ask from a shell outside of a container");
	if (!prompts)
		return request_fail(r, OUTCOME_FAILED,
				    "the daemon has no directory for the files of prompts (its log "
				    "says why)");
	fault = prompts_file(prompts, &leader, r->uid, path);
	if (fault > 0)
		return request_fail_quota(r, QUOTA_PROMPTS, fault);
	if (!fault)
		json_add_text(r->answer, "path", path);
	return fault;
}
