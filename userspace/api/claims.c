/* SPDX-License-Identifier: MIT */
/* POST /v1/claims: the claimer is who connected, never what the body says. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

#include "api/commit.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/services.h"
#include "api/view.h"
#include "api/why.h"
#include "base/health_path.h"
#include "base/log.h"
#include "base/moment.h"
#include "base/procfs.h"
#include "base/text.h"

#define DETAILS_SIZE 96

/* --- what was asked --- */

static int parse_id(struct request *r, struct claim_request *c)
{
	const char *why;
	int fault = request_member_text(r, "id", &c->id);

	if (fault)
		return fault;
	if (!c->id)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"id\" is missing; write one like \"myapp:web\"");
	if (identity_check(c->id, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "id \"%.64s\" cannot be used: %s; write one like myapp:web",
				    c->id, why);
	return 0;
}

static int parse_port_and_range(struct request *r, struct claim_request *c)
{
	const char *range;
	int fault = request_member_port(r, "port", &c->port);

	if (!fault)
		fault = request_member_text(r, "range", &range);
	if (fault || !range)
		return fault;
	if (port_range_parse(range, &c->range))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "range \"%.32s\" cannot be read; write it like 3100-3199",
				    range);
	if (c->port && (c->port < c->range.first || c->port > c->range.last))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "port %u lies outside the range %s: give one of the two",
				    c->port, range);
	return 0;
}

static int parse_ttl(struct request *r, struct claim_request *c)
{
	const char *text;
	size_t at = 0;
	int fault = request_member_text(r, "ttl", &text);

	if (fault || !text)
		return fault;
	if (duration_parse(text, &c->ttl_s, &at))
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"ttl \"%.64s\" is no duration (see character %zu); write it like "
			"45s, 30m, 2h30m or 1d",
			text, at + 1);
	return 0;
}

/* A URL that was pasted is kept as the path that it means, in `ret` (HEALTH_PATH_SIZE). */
static int parse_health(struct request *r, struct claim_request *c, char *ret)
{
	struct health_path path;
	const char *text, *why;
	int fault = request_member_text(r, "health", &text);

	if (fault || !text)
		return fault;
	if (health_path_parse(text, &path, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "health \"%.64s\" cannot be used: %s; write it like /health or "
				    "https:/health",
				    text, why);
	c->health_path = health_path_format(&path, ret);
	return 0;
}

/* The program that ran pd is the claimer: the pid of `pd claim` itself is gone in a moment. */
static int parse_claimer(struct request *r, struct claim_request *c, struct process *peer)
{
	int fault = request_member_text(r, "cwd", &c->cwd);

	if (fault)
		return fault;
	if (c->cwd && (*c->cwd != '/' || strlen(c->cwd) >= PATH_MAX))
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"cwd \"%.64s\" is not an absolute path; write it like /home/me/app",
			c->cwd);
	/* 0: the peer lives in a pid namespace that is not below ours */
	if (!r->pid || procfs_describe(r->pid, peer))
		*peer = (struct process){ .id = { .pid = 0 } };
	if (!c->cwd)
		c->cwd = peer->cwd;
	c->sid = peer->sid;
	if (peer->n_ancestors)
		c->claimer = peer->ancestors[0].id;
	return 0;
}

static int parse(struct request *r, struct claim_request *c, struct process *peer, char *health)
{
	int fault;

	*c = (struct claim_request){ .uid = r->uid, .now = r->now };
	fault = parse_id(r, c);
	if (!fault)
		fault = parse_port_and_range(r, c);
	if (!fault)
		fault = parse_ttl(r, c);
	if (!fault)
		fault = parse_health(r, c, health);
	return fault ? fault : parse_claimer(r, c, peer);
}

/* --- may the port be given? --- */

struct probing {
	struct inventory *inventory;
	uint16_t asked; /* exactly this one, also where ports are not assigned; 0 = none */
	int fault;
};

static bool is_usable(uint16_t port, void *user_data)
{
	struct probing *p = user_data;
	bool is_free = false;
	int r;

	if (p->asked != port && inventory_port_is_reserved(p->inventory, port))
		return false;
	r = inventory_port_is_free(p->inventory, port, &is_free);
	if (r)
		p->fault = r;
	return !r && is_free;
}

/* --- refusals --- */

/*
 * Fills the why object for the protocol that is in the way.  Assigning looks at both: a port that
 * only UDP holds is free to a TCP server, but is not handed out.
 */
static int explain(struct request *r, uint16_t port, struct json_object *why, const char **ret)
{
	struct why_question tcp = why_default_question(IPPROTO_TCP, port);
	struct why_question udp = why_default_question(IPPROTO_UDP, port);
	_cleanup_json_ struct json_object *answer = json_object_new_object();
	int fault = why_view(r->api, &tcp, r->uid, r->now, answer);

	if (!fault && json_object_get_boolean(json_object_object_get(answer, "free"))) {
		json_object_put(answer);
		answer = json_object_new_object();
		fault = why_view(r->api, &udp, r->uid, r->now, answer);
	}
	json_merge(why, answer);
	*ret = json_object_get_string(json_object_object_get(why, "summary"));
	return fault;
}

static void address_text(const struct socket_row *row, int64_t now, char *ret, size_t size)
{
	char addr[NET_ADDR_STR_SIZE], at[32];

	snprintf(ret, size, "%s on %s:%u%s%s", row->state == SOCKET_LISTEN ? "listening" : "bound",
		 net_addr_format(row->family, &row->addr, addr), row->port,
		 row->since ? " since " : "",
		 row->since ? moment_format_log(row->since, now, at) : "");
}

/* "port 3000 is held by node (94120), listening on :::3000 since 2:47:23; see: pd why 3000" */
static int held_by_process(struct request *r, uint16_t port)
{
	struct inventory *inv = r->api->config.inventory;
	struct json_object *why = json_object_new_object();
	_cleanup_free_ const struct socket_row **rows = NULL;
	_cleanup_free_ struct holding *holdings = NULL;
	char comm[PROCESS_COMM_SIZE], where[NET_ADDR_STR_SIZE + 80];
	const char *summary;
	size_t n = 0, n_holdings = 0;
	int fault = explain(r, port, why, &summary);

	request_extra(r, "why", why);
	if (!fault)
		fault = view_rows_of_port(inv, inventory_own_netns(inv), port, &rows, &n);
	if (!fault)
		fault = view_holdings(rows, n, false, &holdings, &n_holdings);
	if (fault)
		return fault;
	if (json_object_get_boolean(json_object_object_get(why, "free")))
		return request_fail(r, OUTCOME_CONFLICT,
				    "port %u was taken and has just become free: try again", port);
	if (!n_holdings)
		return request_fail(r, OUTCOME_CONFLICT, "%s See: pd why %u", summary, port);
	address_text(holdings[0].socket, r->now, where, sizeof(where));
	return request_fail(r, OUTCOME_CONFLICT, "port %u is held by %s (%d), %s; see: pd why %u",
			    port, view_process_name(inv, &holdings[0].holder->id, comm),
			    holdings[0].holder->id.pid, where, port);
}

static int held_by_claim(struct request *r, uint16_t port, const char *id)
{
	struct json_object *holder = json_object_new_object(), *why = json_object_new_object();
	const char *summary;
	int fault;

	json_add_text(holder, "id", id);
	request_extra(r, "holder", holder);
	request_extra(r, "why", why);
	fault = explain(r, port, why, &summary);
	if (fault)
		return fault;
	return request_fail(r, OUTCOME_CONFLICT, "port %u is claimed by %s; see: pd why %u", port,
			    id, port);
}

static int refuse(struct request *r, int outcome, const struct claim_request *c,
		  const struct claim_result *result)
{
	struct port_range range = c->range;

	if (!range.first)
		range = (struct port_range){ PORT_RANGE_FIRST, PORT_RANGE_LAST };
	switch (outcome) {
	case OUTCOME_CONFLICT:
		if (*result->holder_id)
			return held_by_claim(r, c->port, result->holder_id);
		return held_by_process(r, c->port);
	case OUTCOME_NOT_ALLOWED:
		return request_fail(r, OUTCOME_NOT_ALLOWED,
				    "%s belongs to user %s: claim another name, or ask them", c->id,
				    view_user_name(result->holder_uid));
	case OUTCOME_NO_FREE_PORT:
		return request_fail(r, OUTCOME_NO_FREE_PORT,
				    "every port from %u to %u is taken; give another range",
				    range.first, range.last);
	default:
		return outcome;
	}
}

/* --- done --- */

struct before {
	bool found;
	uid_t uid;
};

static bool remember_owner(const struct service *service, void *user_data)
{
	*(struct before *)user_data = (struct before){ true, service->uid };
	return false;
}

static int log_claim(struct request *r, const struct claim_request *c,
		     const struct claim_result *result, const struct process *peer)
{
	char details[DETAILS_SIZE], comm[4 * PROCESS_COMM_SIZE];
	struct activity entry = {
		.action = ACTIVITY_CLAIM,
		.service = c->id,
		.details = details,
		.timestamp = r->now,
		.port = result->port,
		.pid = r->pid,
		.uid = r->uid,
		.comm = text_to_utf8(peer->comm, comm, sizeof(comm)),
	};
	int fault;

	if (result->previous_port)
		snprintf(details, sizeof(details), "Port %u assigned (was %u)", result->port,
			 result->previous_port);
	else
		snprintf(details, sizeof(details), "Port %u assigned", result->port);
	fault = registry_log(r->api->config.registry, &entry, &entry.id);
	if (!fault)
		api_publish_activity(r->api, &entry);
	return fault;
}

static bool copy_status(const struct service *service, void *user_data)
{
	*(enum service_status *)user_data = service->status;
	return false;
}

static int add_answer(struct request *r, const struct claim_request *c,
		      const struct claim_result *result)
{
	enum service_status status = SERVICE_CLAIMED;
	int fault = registry_service_by_id(r->api->config.registry, c->id, copy_status, &status);

	if (fault)
		return fault < 0 ? fault : -ENOENT;
	json_add_text(r->answer, "id", c->id);
	json_add_int(r->answer, "port", result->port);
	json_add_bool(r->answer, "existing", result->existing);
	json_add_text(r->answer, "status", service_status_name(status));
	json_add_known(r->answer, "previousPort", result->previous_port);
	return 0;
}

static int claim(struct request *r, const struct claim_request *c, const struct process *peer)
{
	struct registry *registry = r->api->config.registry;
	struct probing probing = { .inventory = r->api->config.inventory, .asked = c->port };
	struct before before = { 0 };
	struct claim_result result = { 0 };
	int fault = registry_service_by_id(registry, c->id, remember_owner, &before);

	if (fault < 0)
		return fault;
	fault = request_begin_write(r);
	if (!fault)
		fault = registry_claim(registry, c, is_usable, &probing, &result);
	/* "not usable" because the kernel was not to be asked is a failure, not a conflict */
	if (fault > 0 && probing.fault)
		fault = probing.fault;
	if (fault)
		return refuse(r, fault, c, &result);
	if (!result.existing || result.previous_port || (before.found && before.uid != r->uid))
		fault = log_claim(r, c, &result, peer);
	if (!fault && result.previous_port)
		fault = request_touch_port(r, result.previous_port);
	if (!fault)
		fault = request_touch_port(r, result.port);
	return fault ? fault : add_answer(r, c, &result);
}

int claims_post(struct request *r)
{
	struct claim_request c;
	struct process peer;
	char health[HEALTH_PATH_SIZE];
	int fault = parse(r, &c, &peer, health);

	return fault ? fault : claim(r, &c, &peer);
}
