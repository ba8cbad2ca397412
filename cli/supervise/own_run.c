/* SPDX-License-Identifier: MIT */
#include "cli/supervise/own_run.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/identity.h"
#include "base/outcome.h"
#include "base/own_pd.h"
#include "cli/client/answer.h"
#include "cli/client/body.h"
#include "cli/project/config_start.h"
#include "cli/render/render.h"
#include "cli/supervise/ending.h"

void own_run_init(struct own_run *r, const char *service, uint16_t port,
		  const struct config_start *start, const char *project)
{
	*r = (struct own_run){ .service = service, .port = port };
	snprintf(r->project, sizeof(r->project), "%s", project);
	/* whoever has claimed that very port has nothing to rewrite */
	for (size_t i = 0; start && i < start->n_hardcoded; i++)
		if (start->hardcoded[i] != port)
			r->hardcoded[r->n_hardcoded++].asked = start->hardcoded[i];
	r->transparent = start && start->transparent;
}

/* NAME-4000 for the port 4000 of NAME, whichever part is the last one of it. */
static int claim_beside(const struct own_run *r, bool json, uint16_t asked, uint16_t *ret)
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	char id[IDENTITY_MAX + 8];
	int code;

	snprintf(id, sizeof(id), "%s-%u", r->service, asked);
	body_add_text(body, "id", id);
	body_add_text(body, "cwd", r->project);
	code = answer_get(json, "POST", "/v1/claims", body, &answer);
	if (!code)
		*ret = (uint16_t)answer_int(answer, "port");
	return code;
}

/* Each has a port of its own: two servers in one run do not meet. */
static int find_ports(struct own_run *r, bool json, struct json_object *body)
{
	struct json_object *list = r->n_hardcoded ? json_object_new_array() : NULL;
	int code = 0;

	if (list)
		json_object_object_add(body, "hardcoded", list);
	for (size_t i = 0; !code && i < r->n_hardcoded; i++) {
		struct run_hardcoded *h = &r->hardcoded[i];
		struct json_object *pair = json_object_new_object();

		h->port = r->port;
		if (i)
			code = claim_beside(r, json, h->asked, &h->port);
		json_object_object_add(pair, "askedPort", json_object_new_int(h->asked));
		json_object_object_add(pair, "port", json_object_new_int(h->port));
		json_object_array_add(list, pair);
	}
	return code;
}

int own_run_begin(struct own_run *r, bool json)
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	int code;

	body_add_text(body, "id", r->service);
	body_add_text(body, "project", r->project);
	if (r->transparent)
		json_object_object_add(body, "transparent", json_object_new_boolean(true));
	code = find_ports(r, json, body);
	code = code ?: answer_get(json, "POST", "/v1/runs", body, &answer);
	if (code)
		return code;
	r->rewritten = answer_bool(answer, "rewritten");
	r->named = answer_bool(answer, "transparent");
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

bool own_run_explain_unrewritten(const struct own_run *r, char ret[static OWN_RUN_WORDS_SIZE])
{
	char pd[OWN_PD_SIZE];

	if (!r->n_hardcoded || (r->rewritten && (r->named || !r->transparent)))
		return false;
	if (r->rewritten)
		snprintf(ret, OWN_RUN_WORDS_SIZE,
			 "%s is told its real ports, and not those of its source: this kernel does "
			 "not let them be rewritten (the probe \"names\" of pd status -j says why)",
			 r->service);
	/* where root runs a daemon that only polls, starting another is no help */
	else if (!r->followed)
		snprintf(ret, OWN_RUN_WORDS_SIZE,
			 "port %u in the source of %s stays as it is: the daemon only polls, and "
			 "with eBPF it is rewritten: %s%s",
			 r->hardcoded[0].asked, r->service,
			 geteuid() ? own_pd_sudo(pd) : "pd status",
			 geteuid() ? " daemon start" : " says why there is none");
	else
		snprintf(ret, OWN_RUN_WORDS_SIZE,
			 "port %u in the source of %s stays as it is: this kernel does not let it "
			 "be rewritten (the probe \"rules\" of pd status -j says why)",
			 r->hardcoded[0].asked, r->service);
	return true;
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
	if (!fault && m.gone.id.pid)
		fault = ending_add(e, &m.gone.id, m.gone.comm, 0);
	return fault;
}

static bool is_hardcoded(const struct own_run *r, int asked)
{
	for (size_t i = 0; i < r->n_hardcoded; i++)
		if (r->hardcoded[i].asked == asked)
			return true;
	return false;
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

const char *own_run_asked_for(const struct own_run *r, uint16_t port,
			      char ret[static OWN_RUN_ASKED_SIZE])
{
	ret[0] = '\0';
	for (size_t i = 0; r->rewritten && i < r->n_hardcoded; i++)
		if (r->hardcoded[i].port == port)
			snprintf(ret, OWN_RUN_ASKED_SIZE, "%u%s%u, ", r->hardcoded[i].asked,
				 render_either("→", "->"), port);
	return ret;
}

const char *own_run_way(const struct own_run *r, uint16_t port, char ret[static OWN_RUN_WAY_SIZE])
{
	snprintf(ret, OWN_RUN_WAY_SIZE,
		 r->of_file ? "\"hardcoded\": %u in .portdaddyrc" : "--hardcoded %u", port);
	return ret;
}

bool own_run_explain_refusal(struct own_run *r, struct json_object *event,
			     char ret[static OWN_RUN_WORDS_SIZE])
{
	struct json_object *holder = answer_member(event, "holder");
	int port = (int)answer_int(event, "port");
	bool hardcoded = answer_int(event, "askedPort") || is_hardcoded(r, port);
	char by[160] = "", hint[160] = "", way[OWN_RUN_WAY_SIZE];

	if (was_told(r, (uint16_t)port))
		return false;
	if (holder)
		snprintf(by, sizeof(by), ", which %.64s (pid %d) holds",
			 answer_text(holder, "comm"), (int)answer_int(holder, "pid"));
	if (port != r->port && !hardcoded)
		snprintf(hint, sizeof(hint),
			 "; its own port is %d, in $PORT, and %s makes that of it", r->port,
			 own_run_way(r, (uint16_t)port, way));
	snprintf(ret, OWN_RUN_WORDS_SIZE,
		 "%.16s (pid %d) was refused port %d%s (%.32s)%s; pd why %d says more",
		 answer_text(event, "comm"), (int)answer_int(event, "pid"), port, by,
		 answer_text(event, "errno"), hint, port);
	return true;
}
