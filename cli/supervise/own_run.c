/* SPDX-License-Identifier: MIT */
#include "cli/supervise/own_run.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/outcome.h"
#include "cli/client/answer.h"
#include "cli/client/body.h"
#include "cli/render/render.h"
#include "cli/supervise/ending.h"

int own_run_begin(struct own_run *r, bool json)
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	int code;

	body_add_text(body, "id", r->service);
	code = answer_get(json, "POST", "/v1/runs", body, &answer);
	if (code)
		return code;
	r->number = run_id_parse(answer_text(answer, "id"));
	r->followed = answer_bool(answer, "followed");
	if (!r->number) {
		render_note("the daemon began no run that pd understands; pd daemon restart "
			    "replaces an older one");
		return outcome_row(OUTCOME_FAILED)->exit_code;
	}
	/* who loses its parent is left to us, and not to init */
	if (!r->followed)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	return 0;
}

void own_run_set_environment(const struct own_run *r)
{
	char text[64], id[RUN_ID_SIZE];

	snprintf(text, sizeof(text), "%u", r->port);
	setenv("PORT", text, 1);
	setenv("PORT_DADDY_ID", r->service, 1);
	snprintf(text, sizeof(text), "http://localhost:%u", r->port);
	setenv("PORT_DADDY_URL", text, 1);
	setenv(RUN_VARIABLE, run_id_format(r->number, id), 1);
}

int own_run_members(const struct own_run *r, struct members *ret)
{
	/* a daemon that was ended is not started again to say who is left */
	if (members_look(r->number, ret) && r->followed)
		return 0;
	return members_add_from_proc(ret, r->number);
}

int own_run_look(const struct own_run *r, struct ending *e)
{
	_cleanup_(members_deinit) struct members m = { 0 };
	int fault = own_run_members(r, &m);

	for (size_t i = 0; !fault && i < m.n; i++)
		if (m.list[i].id.pid != getpid())
			fault = ending_add(e, &m.list[i].id, m.list[i].comm, 0);
	return fault;
}

/* Who tries one port after the other tells of each once. */
static bool was_told(struct own_run *r, uint16_t port)
{
	for (size_t i = 0; i < r->n_refused; i++)
		if (r->refused[i] == port)
			return true;
	if (r->n_refused == OWN_RUN_REFUSALS_TOLD)
		return true;
	r->refused[r->n_refused++] = port;
	return false;
}

bool own_run_explain_refusal(struct own_run *r, struct json_object *event,
			     char ret[static OWN_RUN_WORDS_SIZE])
{
	struct json_object *holder = answer_member(event, "holder");
	int port = (int)answer_int(event, "port");
	char by[160] = "", hint[160] = "";

	if (was_told(r, (uint16_t)port))
		return false;
	if (holder)
		snprintf(by, sizeof(by), ", which %.64s (pid %d) holds",
			 answer_text(holder, "comm"), (int)answer_int(holder, "pid"));
	if (port != r->port)
		snprintf(hint, sizeof(hint), "; its own port is %d, in $PORT", r->port);
	snprintf(ret, OWN_RUN_WORDS_SIZE,
		 "%.16s (pid %d) was refused port %d%s (%.32s)%s; pd why %d says more",
		 answer_text(event, "comm"), (int)answer_int(event, "pid"), port, by,
		 answer_text(event, "errno"), hint, port);
	return true;
}
