/* SPDX-License-Identifier: MIT */
/* Which port a service gets, and the row that says so. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "registry/internal.h"

/* What is stored of the service that is being claimed. */
struct current {
	bool found;
	uint16_t port; /* 0: none that is legal */
	enum service_status status;
	uid_t uid;
	int64_t expires_at;
	bool ever_active;
	struct port_range range;
};

static int current_load(struct registry *r, const char *id, struct current *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_BY_ID);
	struct service_row row;
	int more;

	query_bind_text(&q, 1, id);
	more = query_next(&q);
	if (more < 0)
		return more;
	ret->found = more && service_row_decode(&q, &row);
	if (!ret->found)
		return 0;
	ret->port = row.service.port;
	ret->status = row.service.status;
	ret->uid = row.service.uid;
	ret->expires_at = row.service.expires_at;
	ret->ever_active = row.service.ever_active;
	ret->range = row.range;
	return 0;
}

static bool port_is_free(const struct registry *r, uint16_t port, port_usable usable,
			 void *user_data)
{
	return !portset_has(&r->claimed, port) && (!usable || usable(port, user_data));
}

/* Whose a claimed port is; a row that readers skip has a name of any bytes. */
static int holder_name(struct registry *r, uint16_t port, char ret[IDENTITY_MAX + 1])
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_BY_PORT);
	const char *id;
	int more;

	query_bind_int(&q, 1, port);
	more = query_next(&q);
	if (more < 0)
		return more;
	id = more ? query_column_text(&q, SERVICE_COLUMN_ID) : NULL;
	text_to_utf8(id ? id : "", ret, IDENTITY_MAX + 1);
	return 0;
}

static int choose_exact(struct registry *r, const struct claim_request *request, port_usable usable,
			void *user_data, struct claim_result *ret)
{
	int error;

	ret->port = request->port;
	if (port_is_free(r, request->port, usable, user_data))
		return 0;
	if (portset_has(&r->claimed, request->port)) {
		error = holder_name(r, request->port, ret->holder_id);
		if (error < 0)
			return error;
	}
	return OUTCOME_CONFLICT;
}

/* The port that the service had last, 0 when it never had one. */
static int remembered_port(struct registry *r, const char *id, uint16_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_PORT_REMEMBERED);
	int more;

	query_bind_text(&q, 1, id);
	more = query_next(&q);
	if (more < 0)
		return more;
	*ret = more ? (uint16_t)query_column_int(&q, 0, 1, UINT16_MAX, 0) : 0;
	return 0;
}

/*
 * A remembered port counts inside the range that was asked for; where none was asked for it counts
 * wherever it lies: a service once given 3000 by name gets 3000 again.
 */
static int choose_assigned(struct registry *r, const struct claim_request *request,
			   struct port_range range, port_usable usable, void *user_data,
			   struct claim_result *ret)
{
	unsigned size = range.last - range.first + 1u;
	uint16_t port;
	int error = remembered_port(r, request->id, &port);

	if (error < 0)
		return error;
	ret->port = port;
	if (port != 0 &&
	    (request->range.first == 0 || (port >= range.first && port <= range.last)) &&
	    port_is_free(r, port, usable, user_data))
		return 0;
	for (unsigned n = 0; n < size; n++) {
		ret->port = port_candidate(request->id, range, n);
		if (port_is_free(r, ret->port, usable, user_data))
			return 0;
	}
	ret->port = 0;
	return OUTCOME_NO_FREE_PORT;
}

static int choose_port(struct registry *r, const struct claim_request *request,
		       const struct current *current, port_usable usable, void *user_data,
		       struct claim_result *ret)
{
	static const struct port_range by_default = { PORT_RANGE_FIRST, PORT_RANGE_LAST };
	struct port_range range = request->range.first != 0   ? request->range
				  : current->range.first != 0 ? current->range
							      : by_default;

	if (current->port != 0 && (request->port == 0 || request->port == current->port)) {
		ret->port = current->port;
		return 0;
	}
	if (request->port != 0)
		return choose_exact(r, request, usable, user_data, ret);
	return choose_assigned(r, request, range, usable, user_data, ret);
}

/*
 * A claim announces a start: a dead service counts as claimed again, one that lives stays what it
 * is as long as it stays on its port.
 */
static bool starts_anew(const struct current *current, const struct claim_result *result)
{
	return !current->found || current->port != result->port ||
	       current->status == SERVICE_GHOST || current->status == SERVICE_STALE;
}

static int64_t expiry(const struct claim_request *request, const struct current *current)
{
	if (request->ttl_s > 0)
		return request->now + request->ttl_s;
	/* an expired claim that nobody has removed yet is over: this is a new one without an end */
	return current->expires_at > request->now ? current->expires_at : 0;
}

/* Whose the claim is, also when root makes it anew. */
static uid_t owner_of(const struct claim_request *request, const struct current *current)
{
	return current->found ? current->uid : request->uid;
}

/* Who claimed it.  Root, refreshing another user's claim, does not become the one whom the user's
 * server has to fit. */
static void bind_claimer(struct query *q, const struct claim_request *request,
			 const struct current *current)
{
	query_bind_int(q, 6, owner_of(request, current));
	if (current->found && current->uid != request->uid)
		return; /* unbound is NULL: stays */
	query_bind_text(q, 7, request->cwd ? request->cwd : "");
	query_bind_int(q, 8, request->sid);
	query_bind_int(q, 9, request->claimer.pid);
	query_bind_int(q, 10, (int64_t)request->claimer.start_ticks);
	query_bind_text(q, 11, procfs_boot_id());
}

static int store_service(struct registry *r, const struct claim_request *request,
			 const struct current *current, const struct claim_result *result)
{
	enum statement which = current->found ? STATEMENT_SERVICE_REFRESH
					      : STATEMENT_SERVICE_INSERT;
	bool anew = starts_anew(current, result);
	_cleanup_(query_done) struct query q = query_start(r, which);

	query_bind_text(&q, 1, request->id);
	query_bind_int(&q, 2, result->port);
	query_bind_int(&q, 3, request->now);
	query_bind_text(&q, 4, request->health_path);
	query_bind_text(&q, 5, service_status_name(anew ? SERVICE_CLAIMED : current->status));
	bind_claimer(&q, request, current);
	query_bind_int(&q, 12, !anew && current->ever_active);
	query_bind_int(&q, 13, expiry(request, current));
	query_bind_int_or_null(&q, 14, request->range.first, 0);
	query_bind_int_or_null(&q, 15, request->range.last, 0);
	if (current->found)
		query_bind_int(&q, 16, REGISTRY_TOUCH_STEP_S);
	return query_run(&q);
}

/*
 * A savepoint keeps a copy of every page that is changed inside it, seven of them for a claim and
 * a third of its time; the one new row is taken back by hand instead.
 */
static int store_new(struct registry *r, const struct claim_request *request,
		     const struct current *current, const struct claim_result *result)
{
	int error = store_service(r, request, current, result);

	if (error < 0)
		return error;
	error = registry_port_remember(r, request->id, result->port, request->uid, request->now);
	if (error < 0 && registry_service_delete(r, request->id) < 0)
		registry_batch_lose(r, error);
	return error;
}

static int store_moved(struct registry *r, const struct claim_request *request,
		       const struct current *current, const struct claim_result *result)
{
	int error = registry_savepoint_open(r);

	if (error < 0)
		return error;
	error = store_service(r, request, current, result);
	if (error == 0)
		error = registry_port_remember(r, request->id, result->port, current->uid,
					       request->now);
	return registry_savepoint_close(r, error);
}

static int store_port(struct registry *r, const struct claim_request *request,
		      const struct current *current, const struct claim_result *result)
{
	int error;

	if (current->port == result->port)
		return store_service(r, request, current, result);
	error = current->found ? store_moved(r, request, current, result)
			       : store_new(r, request, current, result);
	if (error < 0)
		return error;
	if (current->port != 0)
		portset_remove(&r->claimed, current->port);
	portset_add(&r->claimed, result->port);
	portset_add(&r->ever, result->port);
	return 0;
}

/* A port that the service did not have is charged to its user.  0, negative errno. */
static int store_claim(struct registry *r, const struct claim_request *request,
		       const struct current *current, const struct claim_result *result)
{
	uid_t uid = owner_of(request, current);
	bool charged = current->port == 0;
	int error = charged ? quota_charge_existing(r->claims, uid, QUOTA_CLAIMS, 1) : 0;

	if (error < 0)
		return error;
	error = store_port(r, request, current, result);
	/* where the sets are to be loaded again, so are the counts */
	if (error < 0 && charged)
		quota_give_back(r->claims, uid, QUOTA_CLAIMS, 1);
	return error;
}

/* 0, OUTCOME_TOO_LARGE. */
static int check_quota(const struct registry *r, const struct claim_request *request,
		       const struct current *current, struct claim_result *ret)
{
	if (current->port != 0)
		return 0;
	ret->over = quota_check(r->claims, owner_of(request, current), QUOTA_CLAIMS, 1);
	return ret->over ? OUTCOME_TOO_LARGE : 0;
}

static int request_check(const struct claim_request *request)
{
	const struct port_range *range = &request->range;

	if (identity_check(request->id, NULL) < 0 || request->ttl_s < 0)
		return -EINVAL;
	if (request->now < 0 || request->now > REGISTRY_TIME_MAX_S ||
	    request->ttl_s > REGISTRY_TIME_MAX_S - request->now)
		return -EINVAL;
	return range->first != 0 && range->first > range->last ? -EINVAL : 0;
}

int registry_claim(struct registry *r, const struct claim_request *request, port_usable usable,
		   void *user_data, struct claim_result *ret)
{
	struct current current = { 0 };
	int error = registry_write_check(r);

	*ret = (struct claim_result){ 0 };
	if (error == 0)
		error = request_check(request);
	if (error == 0)
		error = registry_ports_refresh(r);
	if (error == 0)
		error = current_load(r, request->id, &current);
	if (error < 0)
		return error;
	ret->existing = current.port != 0;
	if (current.found && current.uid != request->uid && request->uid != 0) {
		ret->holder_uid = current.uid;
		return OUTCOME_NOT_ALLOWED;
	}
	error = check_quota(r, request, &current, ret);
	if (error == 0)
		error = choose_port(r, request, &current, usable, user_data, ret);
	if (error == 0)
		error = store_claim(r, request, &current, ret);
	if (error == 0 && current.port != 0 && current.port != ret->port)
		ret->previous_port = current.port;
	ret->of_other_user = current.found && current.uid != request->uid;
	return error;
}
