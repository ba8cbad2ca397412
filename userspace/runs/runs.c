/* SPDX-License-Identifier: MIT */
#include "runs/runs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/event.h"
#include "base/kernel_source.h"
#include "base/log.h"
#include "base/procfs.h"
#include "coordination/process_watch.h"
#include "registry/registry.h"
#include "runs/run_entries.h"
#include "runs/run_members.h"
#include "runs/run_rules.h"
#include "tracker/activity.h"

/* The pd of a run, as long as it lives. */
struct attendant {
	struct attendant *next;
	struct runs *runs;
	uint32_t run;
	uid_t uid;
	struct process_watch *watch; /* NULL: it has ended */
	bool unplaced;		     /* it may have members that nobody has told us of yet */
};

struct runs {
	struct coordination c;
	struct run_members members;
	struct runs_tracker tracker;
	struct attendant *attendants; /* one for each run */
	uint64_t lost_members;	      /* at the last placing */
};

bool runs_are_followed(const struct runs *rs)
{
	return rs->c.kernel->begin_run != NULL;
}

static int begin_write(struct runs *rs)
{
	int r = registry_begin(rs->c.registry);

	/* nobody waits for it: until it is kept, the environment of the members says as much */
	if (!r)
		activity_commit_due(rs->c.activity, false);
	return r;
}

static void rejudge(struct runs *rs, uint16_t port)
{
	if (port)
		rs->tracker.claim_changed(port, rs->tracker.user_data);
}

/* `cause` is the event that says so, NULL where there is none. */
static void store_state(struct runs *rs, uint32_t number, enum run_state state,
			const struct event *cause)
{
	struct run *run = registry_run(rs->c.registry, number);
	int r;

	if (!run || run->state == state)
		return;
	r = begin_write(rs);
	if (!r)
		r = registry_run_set_state(rs->c.registry, number, state);
	else
		run->state = state;
	if (r)
		log_error("the state of a run was not stored: %s",
			  registry_strerror(rs->c.registry, r));
	else
		run_entry_state(rs->c.activity, run, cause);
	rejudge(rs, run->port);
}

/* --- who looks after it --- */

static struct attendant *attendant_of(const struct runs *rs, uint32_t run)
{
	struct attendant *a = rs->attendants;

	while (a && a->run != run)
		a = a->next;
	return a;
}

static void attendant_free(struct runs *rs, struct attendant *a)
{
	struct attendant **link = &rs->attendants;

	if (!a)
		return;
	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	quota_give_back(rs->c.quota, a->uid, QUOTA_RUNS, 1);
	process_watch_free(a->watch);
	free(a);
}

/* `last` is the end of its last process, NULL where nobody saw it. */
static void end_run(struct runs *rs, uint32_t number, const struct event *last)
{
	struct run *run = registry_run(rs->c.registry, number);
	uint16_t port = run ? run->port : 0;
	int r;

	attendant_free(rs, attendant_of(rs, number));
	if (!run)
		return;
	run_entry_ended(rs->c.activity, run, last);
	run_rules_lift(rs->c.kernel, rs->c.registry, run);
	r = begin_write(rs);
	r = r ?: registry_run_remove(rs->c.registry, number);
	if (r)
		log_error("a run that has ended is still in the database: %s",
			  registry_strerror(rs->c.registry, r));
	rejudge(rs, port);
}

static void on_pd_gone(const struct process_id *id, void *user_data)
{
	struct attendant *a = user_data;
	struct runs *rs = a->runs;
	uint32_t number = a->run;
	const struct run *run;

	process_watch_free(TAKE_PTR(a->watch));
	/* where it was the last of the run, the kernel has told so, and how it ended */
	rs->tracker.catch_up(rs->tracker.user_data);
	run = registry_run(rs->c.registry, number);
	if (!run || run->state == RUN_DETACHED)
		return;
	if (run_members_count(&rs->members, number))
		store_state(rs, number, RUN_UNATTENDED, NULL);
	else
		end_run(rs, number, NULL);
}

/* 0; -ESRCH when its pd has ended; an enum quota_outcome; -ENOMEM. */
static int attend(struct runs *rs, const struct run *run)
{
	int r = quota_charge(rs->c.quota, run->uid, QUOTA_RUNS, 1);
	struct attendant *a;

	if (r)
		return r;
	a = calloc(1, sizeof(*a));
	if (!a) {
		quota_give_back(rs->c.quota, run->uid, QUOTA_RUNS, 1);
		return -ENOMEM;
	}
	*a = (struct attendant){
		.next = rs->attendants, .runs = rs, .run = run->number, .uid = run->uid
	};
	rs->attendants = a;
	if (!run->pd.pid)
		return -ESRCH;
	return process_watch_new(rs->c.processes, &run->pd, run->uid, on_pd_gone, a, &a->watch);
}

static void place_again(struct runs *rs);

/* --- the begin of one --- */

static uint32_t new_number(const struct runs *rs)
{
	uint32_t number = 0;

	while (!number || registry_run(rs->c.registry, number))
		if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
			number = (uint32_t)random();
	return number;
}

static int begin_in_kernel(struct runs *rs, const struct run *run)
{
	const struct kernel_source *kernel = rs->c.kernel;

	if (!kernel->begin_run)
		return 0;
	return kernel->begin_run(kernel->user_data, run->number, &run->pd);
}

/* Without them the run goes on, on the ports that its program asks for. */
static void set_rules(struct runs *rs, struct run *run)
{
	int r = run_rules_set(rs->c.kernel, rs->c.registry, run);

	run->has_rules = !r;
	run->transparent = !r && run->transparent && rs->c.kernel->names_can_be_rewritten;
	if (r && r != -EOPNOTSUPP)
		log_warning("ports of a run are not rewritten: %s", strerror(-r));
}

static int add(struct runs *rs, struct run *run)
{
	int r;

	set_rules(rs, run);
	r = begin_in_kernel(rs, run);
	r = r ?: begin_write(rs);
	r = r ?: registry_run_add(rs->c.registry, run);
	if (r)
		run_rules_lift(rs->c.kernel, rs->c.registry, run);
	return r;
}

int runs_begin(struct runs *rs, const struct run *wanted, const struct run **ret,
	       enum quota_outcome *ret_excess)
{
	const struct kernel_source *kernel = rs->c.kernel;
	struct run run = *wanted;
	int r;

	if (!run.number)
		run.number = new_number(rs);
	run.outer = kernel->run_of(kernel->user_data, &run.pd);
	run.since = time(NULL);
	r = attend(rs, &run);
	if (r > 0)
		*ret_excess = (enum quota_outcome)r;
	if (r > 0)
		return RUNS_LIMIT;
	r = r ?: add(rs, &run);
	if (r) {
		attendant_free(rs, attendant_of(rs, run.number));
		return r == -ESRCH ? RUNS_PROCESS_ENDED : r;
	}
	if (wanted->number)
		place_again(rs);
	else
		run_entry_begun(rs->c.activity, &run);
	*ret = registry_run(rs->c.registry, run.number);
	return RUNS_BEGUN;
}

int runs_set_state(struct runs *rs, const struct run *run, enum run_state state)
{
	store_state(rs, run->number, state, NULL);
	return 0;
}

/* --- members --- */

static int by_run(const void *a, const void *b)
{
	const struct run_member *x = a, *y = b;

	return (x->run > y->run) - (x->run < y->run);
}

/* They are in order of runs. */
static bool has_members(const struct run_member *members, size_t n, uint32_t run)
{
	const struct run_member wanted = { .run = run };

	return n && bsearch(&wanted, members, n, sizeof(*members), by_run);
}

/* Of whose end nobody told: its pd has ended, and it has no member. */
static void end_those_that_are_over(struct runs *rs, const struct run_member *members, size_t n)
{
	struct run *run = registry_runs(rs->c.registry), *next;

	for (; run; run = next) {
		const struct attendant *a = attendant_of(rs, run->number);

		next = run->next;
		if (!(a && (a->watch || a->unplaced)) && !has_members(members, n, run->number))
			end_run(rs, run->number, NULL);
	}
}

int runs_members(struct runs *rs, struct run_member **ret, size_t *ret_n)
{
	const struct kernel_source *kernel = rs->c.kernel;
	struct run_member *members = NULL;
	size_t n = 0;
	int r;

	if (kernel->lost_members && kernel->lost_members(kernel->user_data) != rs->lost_members)
		place_again(rs);
	r = run_members_list(&rs->members, &members, &n);
	if (r)
		return r;
	end_those_that_are_over(rs, members, n);
	*ret = members;
	*ret_n = n;
	return 0;
}

/* --- members that the kernel side does not know --- */

static void place_again(struct runs *rs)
{
	int r = rs->c.kernel->join_run ? run_members_place(&rs->members) : 0;

	if (rs->c.kernel->lost_members)
		rs->lost_members = rs->c.kernel->lost_members(rs->c.kernel->user_data);
	if (r)
		log_warning("some members of runs are not known: %s", strerror(-r));
}

void runs_are_told(struct runs *rs, const struct run *run)
{
	struct attendant *a = attendant_of(rs, run->number);

	if (!a)
		return;
	a->unplaced = false;
	if (!a->watch && !run_members_count(&rs->members, run->number))
		end_run(rs, run->number, NULL);
}

int runs_join(struct runs *rs, const struct run *run, pid_t pid, uid_t uid)
{
	struct run_member member = { .run = run->number };

	/* of one's own processes everybody may say whose they are, and of nobody else's */
	if (!rs->c.kernel->join_run || procfs_identity(pid, &member.id) ||
	    (uid && procfs_uid(pid) != uid))
		return 0;
	return run_members_join(&rs->members, &member, 1) < 0 ? -E2BIG : 0;
}

/* The environment of another user's processes cannot be read, nor, without any capability, of
 * those that have some. */
static bool can_read(const struct run *run)
{
	return run->uid == geteuid() && run->uid != 0;
}

static void note_missing(struct runs *rs, const struct run *run, bool placed)
{
	struct attendant *a = attendant_of(rs, run->number);
	char id[RUN_ID_SIZE];

	if (a)
		a->unplaced = !placed && !can_read(run);

	run_id_format(run->number, id);
	if (placed)
		log_info("%s (%s) goes on", id, *run->service ? run->service : "without a service");
	else
		log_warning("no process of %s (%s) was found: its members have ended, or have "
			    "rights that this daemon has not; then pd ps finds them",
			    id, *run->service ? run->service : "without a service");
}

int runs_start(struct runs *rs)
{
	_cleanup_free_ struct run_member *members = NULL;
	struct run *run = registry_runs(rs->c.registry);
	size_t n = 0;
	int r;

	if (!run)
		return 0;
	for (; run; run = run->next) {
		r = attend(rs, run);
		if (r && r != -ESRCH)
			return r > 0 ? -E2BIG : r;
		if (r && run->state != RUN_DETACHED)
			run->state = RUN_UNATTENDED;
	}
	r = run_members_list(&rs->members, &members, &n);
	for (run = registry_runs(rs->c.registry); !r && run; run = run->next)
		note_missing(rs, run, has_members(members, n, run->number));
	if (!r)
		end_those_that_are_over(rs, members, n);
	return r;
}

/* --- what the kernel tells --- */

void runs_note_event(struct runs *rs, const struct event *event)
{
	const struct run *run;

	if (event->kind == EVENT_RUN_END && event->run <= UINT32_MAX) {
		run = registry_run(rs->c.registry, (uint32_t)event->run);
		/* the count of a run that was found again may be wrong by a few */
		if (run && !run_members_count(&rs->members, run->number))
			end_run(rs, run->number, event);
		return;
	}
	if (event->kind != EVENT_LISTEN || !event->named_run)
		return;
	run = registry_run(rs->c.registry, event->named_run);
	if (run && run->state == RUN_STARTING && run_is_served_by(run, event->port))
		store_state(rs, run->number, RUN_READY, event);
}

/* --- life --- */

int runs_new(const struct coordination *c, const struct runs_tracker *tracker, struct runs **ret)
{
	struct runs *rs = calloc(1, sizeof(*rs));
	int r;

	if (!rs)
		return -ENOMEM;
	rs->c = *c;
	rs->members = (struct run_members){ c->kernel, c->registry };
	rs->tracker = *tracker;
	r = registry_runs_load(c->registry);
	if (r) {
		runs_free(rs);
		return r;
	}
	for (struct run *run = registry_runs(c->registry); run; run = run->next)
		set_rules(rs, run);
	if (registry_runs(c->registry))
		place_again(rs);
	*ret = rs;
	return 0;
}

void runs_free(struct runs *rs)
{
	if (!rs)
		return;
	while (rs->attendants)
		attendant_free(rs, rs->attendants);
	free(rs);
}
