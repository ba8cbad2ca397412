/* SPDX-License-Identifier: MIT */
/* Which port a service gets, and the row that says so. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "base/user.h"
#include "registry/internal.h"

/* What is stored of the service that is being claimed. */
struct current {
	bool found;
	uint16_t port, home; /* 0: none that is legal */
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
	ret->home = row.service.port ? row.service.home : 0;
	ret->status = row.service.status;
	ret->uid = row.service.uid;
	ret->expires_at = row.service.expires_at;
	ret->ever_active = row.service.ever_active;
	ret->range = row.range;
	return 0;
}

/* --- which port --- */

/* What a claim chooses by. */
struct choice {
	struct registry *r;
	const struct claim_request *request; /* its id is the stored one */
	const char *name;		     /* as its user calls it */
	const struct current *current;
	struct port_range range;
	port_look look;
	void *user_data;
};

static int has_row(struct registry *r, uint16_t port)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_BY_PORT);

	query_bind_int(&q, 1, port);
	return query_next(&q);
}

/*
 * Has somebody else the port, or its home there?  1, 0, negative errno.  Of the claim's own home
 * the set tells nothing, and people write into the file.
 */
static int is_of_another(const struct choice *c, uint16_t port)
{
	if (port == c->current->port)
		return 0;
	if (port == c->current->home)
		return has_row(c->r, port);
	return portset_has(&c->r->claimed, port);
}

/* enum port_use of a port that no other claim has. */
static enum port_use use_of(const struct choice *c, uint16_t port)
{
	return c->look ? c->look(port, port == c->current->port, c->user_data) : PORT_FREE;
}

/* Is it free, of other claims too?  1, 0, negative errno. */
static int is_free(const struct choice *c, uint16_t port)
{
	int taken = is_of_another(c, port);

	return taken ? (taken < 0 ? taken : 0) : use_of(c, port) == PORT_FREE;
}

/* Whose a claimed port, or a home, is; a row that readers skip has a name of any bytes. */
static int holder_of(struct registry *r, uint16_t port, struct claim_result *ret)
{
	static const enum statement ways[] = { STATEMENT_SERVICE_BY_PORT,
					       STATEMENT_SERVICE_BY_HOME };
	int more = 0;

	for (size_t i = 0; !more && i < ARRAY_SIZE(ways); i++) {
		_cleanup_(query_done) struct query q = query_start(r, ways[i]);
		const char *id;

		query_bind_int(&q, 1, port);
		more = query_next(&q);
		id = more > 0 ? query_column_text(&q, SERVICE_COLUMN_ID) : NULL;
		text_to_utf8(id ? id : "", ret->holder_id, sizeof(ret->holder_id));
		if (more > 0)
			ret->holder_uid = (uid_t)query_column_int(
				&q, SERVICE_COLUMN_UID, 0, PROCESS_UID_UNKNOWN - 1, r->owner);
	}
	return more < 0 ? more : 0;
}

/* Exactly that port, which becomes the home. */
static int choose_exact(const struct choice *c, struct claim_result *ret)
{
	int taken = is_of_another(c, c->request->port);

	ret->port = ret->home = c->request->port;
	if (taken < 0)
		return taken;
	if (taken) {
		int error = holder_of(c->r, ret->port, ret);

		return error < 0 ? error : OUTCOME_CONFLICT;
	}
	ret->use = use_of(c, ret->port);
	return ret->use == PORT_FREE || ret->use == PORT_SERVED ? 0 : OUTCOME_CONFLICT;
}

/* The port that the service of its user had last, by whichever id; 0 when it never had one. */
static int remembered_port(const struct choice *c, uint16_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(c->r, STATEMENT_PORT_REMEMBERED);
	char with_user[IDENTITY_MAX + 1];
	int64_t port;
	int error;

	snprintf(with_user, sizeof(with_user), "%s@%s", c->name, user_word(c->request->uid));
	query_bind_text(&q, 1, with_user);
	query_bind_text(&q, 2, c->name);
	query_bind_int(&q, 3, c->request->uid);
	error = query_number_or(&q, 1, UINT16_MAX, 0, &port);
	if (error == 0)
		*ret = (uint16_t)port;
	return error;
}

/*
 * The n-th port that the name would like to have.  A remembered one comes first, inside the range
 * that was asked for; where none was asked for it counts wherever it lies: a service once given
 * 3000 by name gets 3000 again.  0 = it counts not.
 */
static uint16_t candidate(const struct choice *c, unsigned n, uint16_t remembered)
{
	bool is_inside = remembered >= c->range.first && remembered <= c->range.last;

	if (n > 0)
		return port_candidate(c->name, c->range, n - 1);
	return c->request->range.first == 0 || is_inside ? remembered : 0;
}

/* The first candidate that is free; the first that no other claim has is the home of one without.
 */
static int choose_candidate(const struct choice *c, struct claim_result *ret)
{
	unsigned size = c->range.last - c->range.first + 1u;
	uint16_t remembered = 0;
	int error = ret->home ? 0 : remembered_port(c, &remembered);

	for (unsigned n = 0; error >= 0 && n <= size; n++) {
		uint16_t port = candidate(c, n, remembered);
		enum port_use use;

		error = port && port != c->current->port ? is_of_another(c, port) : 1;
		if (error)
			continue;
		use = use_of(c, port);
		if (use != PORT_RESERVED && !ret->home)
			ret->home = port;
		if (use != PORT_FREE)
			continue;
		ret->port = port;
		return 0;
	}
	ret->port = 0;
	return error < 0 ? error : OUTCOME_NO_FREE_PORT;
}

/* Of a claim that has one: home, where that can be, else where it is, else aside. */
static int choose_again(const struct choice *c, struct claim_result *ret)
{
	const struct current *current = c->current;
	int home_is_free;

	ret->port = current->port;
	ret->home = current->home;
	ret->use = use_of(c, current->port);
	if (ret->use == PORT_SERVED)
		return 0;
	home_is_free = current->home == current->port ? 0 : is_free(c, current->home);
	if (home_is_free < 0)
		return home_is_free;
	if (!home_is_free && ret->use != PORT_FREE)
		return choose_candidate(c, ret);
	if (home_is_free)
		ret->port = current->home;
	ret->use = PORT_FREE;
	return 0;
}

static int choose_port(const struct choice *c, struct claim_result *ret)
{
	if (c->request->port != 0)
		return choose_exact(c, ret);
	return c->current->port != 0 ? choose_again(c, ret) : choose_candidate(c, ret);
}

/* --- the row --- */

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

static void bind_claimer(struct query *q, const struct claim_request *request)
{
	query_bind_int(q, 6, request->uid);
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
	bind_claimer(&q, request);
	query_bind_int(&q, 12, !anew && current->ever_active);
	query_bind_int(&q, 13, expiry(request, current));
	query_bind_int_or_null(&q, 14, request->range.first, 0);
	query_bind_int_or_null(&q, 15, request->range.last, 0);
	query_bind_int_or_null(&q, 16, result->home, result->port);
	if (current->found)
		query_bind_int(&q, 17, REGISTRY_TOUCH_STEP_S);
	return query_run(&q);
}

/* The home is remembered last: there the name begins when it is claimed anew. */
static int remember(struct registry *r, const struct claim_request *request,
		    const struct claim_result *result)
{
	uid_t uid = request->uid;
	int error = registry_port_remember(r, request->id, result->port, uid, request->now);

	if (error == 0 && result->home != result->port)
		error = registry_port_remember(r, request->id, result->home, uid, request->now);
	return error;
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
	error = remember(r, request, result);
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
	error = error ?: remember(r, request, result);
	return registry_savepoint_close(r, error);
}

static int store_port(struct registry *r, const struct claim_request *request,
		      const struct current *current, const struct claim_result *result)
{
	int error;

	if (current->port == result->port && current->home == result->home)
		return store_service(r, request, current, result);
	error = current->found ? store_moved(r, request, current, result)
			       : store_new(r, request, current, result);
	if (error < 0)
		return error;
	registry_ports_replace(r, current->port, current->home, result->port, result->home);
	r->names_are_shared |= strchr(request->id, '@') != NULL;
	return 0;
}

/* A port that the service did not have is charged to its user.  0, negative errno. */
static int store_claim(struct registry *r, const struct claim_request *request,
		       const struct current *current, const struct claim_result *result)
{
	uid_t uid = request->uid;
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
	ret->over = quota_check(r->claims, request->uid, QUOTA_CLAIMS, 1);
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

static struct port_range range_of(const struct claim_request *request,
				  const struct current *current)
{
	static const struct port_range by_default = { PORT_RANGE_FIRST, PORT_RANGE_LAST };

	return request->range.first   ? request->range
	       : current->range.first ? current->range
				      : by_default;
}

int registry_claim(struct registry *r, const struct claim_request *request, port_look look,
		   void *user_data, struct claim_result *ret)
{
	struct current current = { 0 };
	struct claim_request own = *request;
	struct choice choice = { r, &own, request->id, &current, { 0 }, look, user_data };
	int error = registry_write_check(r);

	*ret = (struct claim_result){ 0 };
	own.id = ret->id;
	error = error ?: request_check(request);
	error = error ?: registry_ports_refresh(r);
	error = error ?: registry_own_id(r, request->id, request->uid, ret->id);
	if (error >= 0)
		error = current_load(r, ret->id, &current);
	if (error < 0)
		return error;
	choice.range = range_of(request, &current);
	error = check_quota(r, request, &current, ret);
	error = error ?: choose_port(&choice, ret);
	ret->existing = current.port != 0;
	error = error ?: store_claim(r, &own, &current, ret);
	if (error == 0 && current.port != 0 && current.port != ret->port)
		ret->previous_port = current.port;
	return error;
}
