/* SPDX-License-Identifier: MIT */
#include "view/claim.h"

#include <netinet/in.h>
#include <stdio.h>

#include "base/health_path.h"
#include "base/run.h"
#include "base/user.h"
#include "explain/two_servers.h"
#include "http/json.h"
#include "http/written.h"
#include "registry/runs.h"
#include "tracker/judge.h"
#include "view/socket.h"

#define URL_SIZE sizeof("https://localhost:65535")

/* The id of the newest of its runs; NULL where there is none. */
static const char *run_of(const struct service *s, char ret[RUN_ID_SIZE])
{
	return s->runs ? run_id_format(s->runs->number, ret) : NULL;
}

/* What stands in the source of the program that its run gives the port; 0 = nothing. */
static uint16_t asked_port(const struct view_claim *c)
{
	const struct service *s = c->service;
	bool of_run = s->runs && c->now->verdict.status != SERVICE_SQUATTED;

	return of_run ? run_asked_port(s->runs, s->port) : 0;
}

/* A run whose pd was killed goes on, and nobody ends it by itself. */
static bool is_unattended(const struct view_claim *c)
{
	return c->service->runs && c->service->runs->state == RUN_UNATTENDED &&
	       c->now->verdict.status == SERVICE_ORPHANED;
}

/* Its server is there, and does nothing. */
static bool is_stopped(const struct view_claim *c)
{
	return c->now->verdict.status != SERVICE_SQUATTED && judge_is_stopped(&c->now->verdict);
}

static const char *warning_of(const struct view_claim *c, bool stopped,
			      char ret[TWO_SERVERS_WARNING_SIZE])
{
	const struct status_verdict *verdict = &c->now->verdict;
	const struct service *s = c->service;

	if (is_unattended(c))
		snprintf(ret, TWO_SERVERS_WARNING_SIZE,
			 "the pd that ran %s (pid %d) is gone; pd stop %s ends what it left", s->id,
			 s->runs->pd.pid, s->id);
	else if (stopped)
		judge_stopped_words(c->inv, &verdict->process, ret, TWO_SERVERS_WARNING_SIZE);
	else if (!two_servers_warning(c->inv, inventory_own_netns(c->inv), IPPROTO_TCP, s->port,
				      ret))
		judge_warning(c->inv, verdict, ret);
	return ret;
}

int view_claim_briefly(struct written *w, const struct view_claim *c)
{
	char comm[PROCESS_COMM_SIZE], warning[TWO_SERVERS_WARNING_SIZE], run[RUN_ID_SIZE];
	const struct service *s = c->service;
	const struct judgement *now = c->now;

	written_object_begin(w);
	written_text(w, "id", c->shown_id);
	written_int(w, "port", s->port);
	if (asked_port(c))
		written_int(w, "askedPort", asked_port(c));
	written_text(w, "status", judge_status_name(&now->verdict));
	if (s->uid != c->viewer)
		written_text(w, "user", user_name(s->uid));
	written_int(w, "createdAt", s->created_at);
	if (s->is_protected)
		written_bool(w, "protected", true);
	if (c->protection_lost)
		written_bool(w, "protectionLost", true);
	if (s->runs)
		written_text(w, "run", run_of(s, run));
	if (is_unattended(c))
		written_bool(w, "unattended", true);
	if (now->n_holdings) {
		bool stopped = is_stopped(c);

		written_ints(w, "pids", now->n_holdings, view_pid_of_holding, now->holdings);
		written_text(w, "process", judge_deciding_name(c->inv, now, comm));
		if (stopped)
			written_bool(w, "stopped", true);
		written_text(w, "warning", warning_of(c, stopped, warning));
	}
	return written_object_end(w);
}

/* Where a browser finds it; over TLS where its health path says so. */
static const char *url_of(const struct service *s, char ret[static URL_SIZE])
{
	struct health_path path = { .https = false };

	if (s->health_path)
		health_path_parse(s->health_path, &path, NULL);
	snprintf(ret, URL_SIZE, "%s://localhost:%u", path.https ? "https" : "http", s->port);
	return ret;
}

struct json_object *view_claim(const struct view_claim *c)
{
	char comm[PROCESS_COMM_SIZE], warning[TWO_SERVERS_WARNING_SIZE], run[RUN_ID_SIZE];
	struct json_object *o = json_object_new_object();
	const struct service *s = c->service;
	const struct judgement *now = c->now;
	bool stopped = is_stopped(c);
	char url[URL_SIZE];

	json_add_text(o, "id", c->shown_id);
	json_add_int(o, "port", s->port);
	json_add_known(o, "askedPort", asked_port(c));
	json_add_text(o, "status", judge_status_name(&now->verdict));
	json_add(o, "pids", view_pids(now->holdings, now->n_holdings));
	json_add_text(o, "process", judge_deciding_name(c->inv, now, comm));
	json_add_int(o, "createdAt", s->created_at);
	json_add_int(o, "updatedAt", s->updated_at);
	json_add_known(o, "expiresAt", s->expires_at);
	json_add_text(o, "healthPath", s->health_path);
	json_add_text(o, "url", url_of(s, url));
	json_add_text(o, "user", user_name(s->uid));
	json_add_text(o, "cwd", user_may_see(c->viewer, s->uid) ? s->cwd : NULL);
	json_add_bool(o, "protected", s->is_protected);
	json_add_bool(o, "protectionLost", c->protection_lost);
	json_add_text(o, "run", run_of(s, run));
	json_add_bool(o, "unattended", is_unattended(c));
	json_add_bool(o, "stopped", stopped);
	json_add_text(o, "reason", now->verdict.reason);
	json_add_text(o, "warning", warning_of(c, stopped, warning));
	return o;
}

int view_orphan(struct written *w, const struct inventory *inv, const struct socket_row *row,
		enum orphan_reason reason, struct port_warning *warning)
{
	char addr[NET_ADDR_STR_SIZE];

	written_object_begin(w);
	written_int(w, "port", row->port);
	written_text(w, "proto", net_protocol_name(row->protocol));
	written_text(w, "addr", net_addr_format(row->family, &row->addr, addr));
	view_held(w, inv, row);
	written_text(w, "user", user_name(row->uid));
	written_known(w, "since", row->since);
	written_text(w, "reason", orphan_reason_text(reason));
	written_text(w, "warning", two_servers_warning_of_row(warning, inv, row));
	return written_object_end(w);
}
