/* SPDX-License-Identifier: MIT */
#include "view/claim.h"

#include <stdio.h>

#include "base/health_path.h"
#include "base/run.h"
#include "base/user.h"
#include "http/json.h"
#include "http/written.h"
#include "registry/runs.h"
#include "tracker/found_claim.h"
#include "view/socket.h"

#define URL_SIZE sizeof("https://localhost:65535")

/* The id of the newest of its runs; NULL where there is none. */
static const char *run_of(const struct service *s, char ret[RUN_ID_SIZE])
{
	return s->runs ? run_id_format(s->runs->number, ret) : NULL;
}

static int64_t pid_of_holding(const void *list, size_t i)
{
	return ((const struct holding *)list)[i].holder->id.pid;
}

int view_claim_briefly(struct written *w, const struct view_claim *c)
{
	const struct found_claim *found = c->found;
	const struct service *s = found->service;
	const struct judgement *now = &found->now;
	char run[RUN_ID_SIZE];

	written_object_begin(w);
	written_text(w, "id", c->shown_id);
	written_int(w, "port", s->port);
	if (found->asked_port)
		written_int(w, "askedPort", found->asked_port);
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
	if (found->unattended)
		written_bool(w, "unattended", true);
	if (now->n_holdings) {
		written_ints(w, "pids", now->n_holdings, pid_of_holding, now->holdings);
		written_text(w, "process", found->process);
		if (found->stopped)
			written_bool(w, "stopped", true);
		written_text(w, "warning", found->warning);
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
	const struct found_claim *found = c->found;
	const struct service *s = found->service;
	const struct judgement *now = &found->now;
	struct json_object *o = json_object_new_object(), *pids;
	char url[URL_SIZE], run[RUN_ID_SIZE];

	json_add_text(o, "id", c->shown_id);
	json_add_int(o, "port", s->port);
	json_add_known(o, "askedPort", found->asked_port);
	json_add_text(o, "status", judge_status_name(&now->verdict));
	pids = json_add_array(o, "pids");
	for (size_t i = 0; i < now->n_holdings; i++)
		json_append(pids, json_int(now->holdings[i].holder->id.pid));
	json_add_text(o, "process", found->process);
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
	json_add_bool(o, "unattended", found->unattended);
	json_add_bool(o, "stopped", found->stopped);
	json_add_text(o, "reason", now->verdict.reason);
	json_add_text(o, "warning", found->warning);
	return o;
}

int view_orphan(struct written *w, const struct found_orphan *orphan)
{
	const struct socket_row *row = orphan->row;
	char addr[NET_ADDR_STR_SIZE];

	written_object_begin(w);
	written_int(w, "port", row->port);
	written_text(w, "proto", net_protocol_name(row->protocol));
	written_text(w, "addr", net_addr_format(row->family, &row->addr, addr));
	view_held(w, row, orphan->process);
	written_text(w, "user", user_name(row->uid));
	written_known(w, "since", row->since);
	written_text(w, "reason", orphan_reason_text(orphan->reason));
	written_text(w, "warning", orphan->warning);
	return written_object_end(w);
}
