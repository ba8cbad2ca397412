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
#include "tracker/activity.h"

#define PLACING_TURNS_MAX 8 /* of members that fork while they are placed */

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
	runs_claim_changed claim_changed;
	void *user_data;
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
		rs->claim_changed(port, rs->user_data);
}

static void store_state(struct runs *rs, uint32_t number, enum run_state state)
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

static void end_run(struct runs *rs, uint32_t number)
{
	struct run *run = registry_run(rs->c.registry, number);
	uint16_t port = run ? run->port : 0;
	int r;

	attendant_free(rs, attendant_of(rs, number));
	if (!run)
		return;
	r = begin_write(rs);
	if (!r)
		r = registry_run_remove(rs->c.registry, number);
	if (r)
		log_error("a run that has ended is still in the database: %s",
			  registry_strerror(rs->c.registry, r));
	rejudge(rs, port);
}

/* The pd of each run, and whom the kernel side knows. */
static int list_known(const struct runs *rs, struct run_member **ret, size_t *ret_n)
{
	const struct kernel_source *kernel = rs->c.kernel;
	struct run_member *known = NULL, *grown;
	size_t n = 0, n_runs = 0;
	int r = kernel->run_members ? kernel->run_members(kernel->user_data, &known, &n) : 0;

	if (r)
		return r;
	for (struct run *run = registry_runs(rs->c.registry); run; run = run->next)
		n_runs++;
	grown = reallocarray(known, n + n_runs + 1, sizeof(*grown));
	if (!grown) {
		free(known);
		return -ENOMEM;
	}
	for (struct run *run = registry_runs(rs->c.registry); run; run = run->next)
		if (run->pd.pid && procfs_alive(&run->pd))
			grown[n++] = (struct run_member){ .id = run->pd, .run = run->number };
	*ret = grown;
	*ret_n = n;
	return 0;
}

static int find_in_proc(const struct runs *rs, struct run_member **ret, size_t *ret_n)
{
	_cleanup_free_ struct run_member *known = NULL;
	size_t n;
	int r = list_known(rs, &known, &n);

	return r ? r : run_find_members(known, n, 0, ret, ret_n);
}

static const struct run *run_of_pd(const struct runs *rs, const struct process_id *id)
{
	const struct run *run = registry_runs(rs->c.registry);

	while (run && !process_id_equal(&run->pd, id))
		run = run->next;
	return run;
}

/* The pd of a run is counted to the run around it.  How many rows are left. */
static size_t place_attendants(const struct runs *rs, struct run_member *members, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct run *own = run_of_pd(rs, &members[i].id);

		if (own && own->number == members[i].run)
			members[i].run = own->outer;
		if (members[i].run)
			members[kept++] = members[i];
	}
	return kept;
}

static int list_members(const struct runs *rs, struct run_member **ret, size_t *ret_n)
{
	const struct kernel_source *kernel = rs->c.kernel;
	int r = kernel->run_members ? kernel->run_members(kernel->user_data, ret, ret_n)
				    : find_in_proc(rs, ret, ret_n);

	if (!r)
		*ret_n = place_attendants(rs, *ret, *ret_n);
	return r;
}

static size_t count_members(struct runs *rs, uint32_t number)
{
	_cleanup_free_ struct run_member *members = NULL;
	size_t n = 0, found = 0;

	if (list_members(rs, &members, &n))
		return 1; /* not known: it is not over */
	for (size_t i = 0; i < n; i++)
		found += members[i].run == number;
	return found;
}

static void on_pd_gone(const struct process_id *id, void *user_data)
{
	struct attendant *a = user_data;
	struct runs *rs = a->runs;
	const struct run *run = registry_run(rs->c.registry, a->run);

	process_watch_free(TAKE_PTR(a->watch));
	if (!run || run->state == RUN_DETACHED)
		return;
	if (count_members(rs, a->run))
		store_state(rs, a->run, RUN_UNATTENDED);
	else
		end_run(rs, a->run);
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

static int add(struct runs *rs, const struct run *run)
{
	int r = begin_in_kernel(rs, run);

	if (!r)
		r = begin_write(rs);
	return r ? r : registry_run_add(rs->c.registry, run);
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
	if (!r)
		r = add(rs, &run);
	if (r) {
		attendant_free(rs, attendant_of(rs, run.number));
		return r == -ESRCH ? RUNS_PROCESS_ENDED : r;
	}
	if (wanted->number)
		place_again(rs);
	*ret = registry_run(rs->c.registry, run.number);
	return RUNS_BEGUN;
}

int runs_set_state(struct runs *rs, const struct run *run, enum run_state state)
{
	store_state(rs, run->number, state);
	return 0;
}

/* --- members --- */

static int by_run_and_pid(const void *a, const void *b)
{
	const struct run_member *x = a, *y = b;

	if (x->run != y->run)
		return x->run < y->run ? -1 : 1;
	return (x->id.pid > y->id.pid) - (x->id.pid < y->id.pid);
}

static bool has_members(const struct run_member *members, size_t n, uint32_t run)
{
	for (size_t i = 0; i < n; i++)
		if (members[i].run == run)
			return true;
	return false;
}

/* Of whose end nobody told: its pd has ended, and it has no member. */
static void end_those_that_are_over(struct runs *rs, const struct run_member *members, size_t n)
{
	struct run *run = registry_runs(rs->c.registry), *next;

	for (; run; run = next) {
		const struct attendant *a = attendant_of(rs, run->number);

		next = run->next;
		if (!(a && (a->watch || a->unplaced)) && !has_members(members, n, run->number))
			end_run(rs, run->number);
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
	r = list_members(rs, &members, &n);
	if (r)
		return r;
	qsort(members, n, sizeof(*members), by_run_and_pid);
	end_those_that_are_over(rs, members, n);
	*ret = members;
	*ret_n = n;
	return 0;
}

/* --- members that the kernel side does not know --- */

/* How many of them were new to it; negative errno. */
static int join(struct runs *rs, const struct run_member *members, size_t n)
{
	const struct kernel_source *kernel = rs->c.kernel;
	int joined = 0;

	for (size_t i = 0; i < n; i++) {
		const struct run_member *m = &members[i];
		int r;

		if (!registry_run(rs->c.registry, m->run) ||
		    kernel->run_of(kernel->user_data, &m->id) == m->run)
			continue;
		r = kernel->join_run(kernel->user_data, m->run, &m->id);
		if (r && r != -ESRCH)
			return r;
		joined++;
	}
	return joined;
}

/* Each pd, and who carries the run in its environment or has a parent that does, until nobody is
 * new: members fork meanwhile. */
static int place_all(struct runs *rs)
{
	int r = 1;

	for (int turn = 0; r > 0 && turn < PLACING_TURNS_MAX; turn++) {
		_cleanup_free_ struct run_member *members = NULL;
		size_t n = 0;

		r = find_in_proc(rs, &members, &n);
		if (!r)
			r = join(rs, members, n);
	}
	return r < 0 ? r : 0;
}

static void place_again(struct runs *rs)
{
	int r = rs->c.kernel->join_run ? place_all(rs) : 0;

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
	if (!a->watch && !count_members(rs, run->number))
		end_run(rs, run->number);
}

int runs_join(struct runs *rs, const struct run *run, pid_t pid, uid_t uid)
{
	struct run_member member = { .run = run->number };

	/* of one's own processes everybody may say whose they are, and of nobody else's */
	if (!rs->c.kernel->join_run || procfs_identity(pid, &member.id) ||
	    (uid && procfs_uid(pid) != uid))
		return 0;
	return join(rs, &member, 1) < 0 ? -E2BIG : 0;
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
	r = list_members(rs, &members, &n);
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
		if (run && !count_members(rs, run->number))
			end_run(rs, run->number);
		return;
	}
	if (event->kind != EVENT_LISTEN || !event->named_run)
		return;
	run = registry_run(rs->c.registry, event->named_run);
	if (run && run->state == RUN_STARTING)
		store_state(rs, run->number, RUN_READY);
}

/* --- life --- */

int runs_new(const struct coordination *c, runs_claim_changed claim_changed, void *user_data,
	     struct runs **ret)
{
	struct runs *rs = calloc(1, sizeof(*rs));
	int r;

	if (!rs)
		return -ENOMEM;
	rs->c = *c;
	rs->claim_changed = claim_changed;
	rs->user_data = user_data;
	r = registry_runs_load(c->registry);
	if (r) {
		runs_free(rs);
		return r;
	}
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
