/* SPDX-License-Identifier: MIT */
/* Runs over a real registry and real processes; the kernel side is the test's. */
#include "unit/coordination/world.h"

#include "base/event.h"
#include "base/run.h"
#include "runs/runs.h"

#define PORT 3100

struct room {
	struct world *world;
	struct runs *runs;
	struct process_id pd;
	/* what the kernel side answers */
	struct run_member members[4];
	size_t n;
	uint16_t changed; /* the port that was told last */
};

static uint32_t run_of(void *user_data, const struct process_id *id)
{
	const struct room *room = user_data;

	for (size_t i = 0; i < room->n; i++)
		if (process_id_equal(&room->members[i].id, id))
			return room->members[i].run;
	return 0;
}

static int run_members(void *user_data, struct run_member **ret, size_t *ret_n)
{
	const struct room *room = user_data;

	*ret = calloc(room->n + 1, sizeof(**ret));
	assert_non_null(*ret);
	memcpy(*ret, room->members, room->n * sizeof(**ret));
	*ret_n = room->n;
	return 0;
}

static int begin(void *user_data, uint64_t run, const struct process_id *first)
{
	return procfs_alive(first) ? 0 : -ESRCH;
}

static int join_run(void *user_data, uint32_t run, const struct process_id *id)
{
	struct room *room = user_data;

	room->members[room->n++] = (struct run_member){ *id, run };
	return 0;
}

static void note_changed(uint16_t port, void *user_data)
{
	((struct room *)user_data)->changed = port;
}

static void catch_up(void *user_data)
{
}

static void room_begin(struct room *room)
{
	const struct runs_tracker tracker = { note_changed, catch_up, room };

	assert_int_equal(runs_new(&room->world->c, &tracker, &room->runs), 0);
	assert_int_equal(runs_start(room->runs), 0);
}

static int room_open(void **state)
{
	struct room *room = calloc(1, sizeof(*room));

	assert_non_null(room);
	world_open((void **)&room->world);
	room->world->kernel = (struct kernel_source){ .user_data = room,
						      .begin_run = begin,
						      .run_of = run_of,
						      .run_members = run_members,
						      .join_run = join_run };
	room->pd = child_new();
	room_begin(room);
	*state = room;
	return 0;
}

static int room_close(void **state)
{
	struct room *room = *state;

	runs_free(room->runs);
	if (procfs_alive(&room->pd))
		child_kill(&room->pd);
	world_close((void **)&room->world);
	free(room);
	return 0;
}

static struct run wanted(const struct room *room)
{
	return (struct run){ .port = PORT, .uid = ANNE, .pd = room->pd, .service = "shop:web" };
}

static uint32_t begin_one_of(struct room *room, uid_t uid)
{
	struct run want = wanted(room);
	const struct run *run;
	enum quota_outcome excess;

	want.uid = uid;
	assert_int_equal(runs_begin(room->runs, &want, &run, &excess), RUNS_BEGUN);
	world_commit(room->world);
	return run->number;
}

static uint32_t begin_one(struct room *room)
{
	return begin_one_of(room, ANNE);
}

/* A new process in the run, as the kernel side has it. */
static struct process_id member_of(struct room *room, uint32_t run)
{
	struct process_id id = child_new();

	join_run(room, run, &id);
	return id;
}

static const struct run *find(const struct room *room, uint32_t run)
{
	return registry_run(room->world->c.registry, run);
}

/* The event is of that process, which ended so. */
static void tell_of(struct room *room, enum event_kind kind, uint32_t run,
		    const struct process_id *actor, int exit_code)
{
	const struct event event = { .kind = kind,
				     .run = run,
				     .named_run = run,
				     .port = PORT,
				     .actor = *actor,
				     .comm = "node",
				     .exit_code = exit_code };

	runs_note_event(room->runs, &event);
	world_commit(room->world);
}

static void tell(struct room *room, enum event_kind kind, uint32_t run)
{
	static const struct process_id server = { 4711, 1 };

	tell_of(room, kind, run, &server, SIGTERM);
}

static void assert_run_entry(const struct room *room, const char *words)
{
	assert_entry(room->world, ACTIVITY_RUN, "shop:web", words);
}

/* --- tests --- */

TEST_WITH(a_run_is_starting_until_a_member_listens, struct room *room)
{
	uint32_t run = begin_one(room);

	assert_int_equal(find(room, run)->state, RUN_STARTING);
	tell(room, EVENT_BIND, run);
	assert_int_equal(find(room, run)->state, RUN_STARTING);
	tell(room, EVENT_LISTEN, run);
	assert_int_equal(find(room, run)->state, RUN_READY);
	assert_int_equal(room->changed, PORT);
}

TEST_WITH(the_activity_tells_of_a_runs_begin_of_who_made_it_ready_and_of_its_end, struct room *room)
{
	uint32_t run = begin_one(room);
	char words[64], id[RUN_ID_SIZE];

	snprintf(words, sizeof(words), "%s began", run_id_format(run, id));
	assert_run_entry(room, words);
	assert_int_equal(room->world->uid, ANNE);
	tell(room, EVENT_LISTEN, run);
	assert_run_entry(room, "is ready: node (pid 4711) listens on port 3100");
	tell_of(room, EVENT_RUN_END, run, &room->pd, 3 << 8);
	assert_run_entry(room, "ended after ");
	assert_run_entry(room, ", exit code 3");

	run = begin_one(room);
	tell(room, EVENT_RUN_END, run);
	assert_run_entry(room, "; node (pid 4711) was the last of it, killed by signal 15");
	run = begin_one(room);
	tell_of(room, EVENT_RUN_END, run, &room->pd, SIGKILL);
	assert_run_entry(room, "; its pd, killed by signal 9");
}

TEST_WITH(a_run_without_members_is_over_with_its_pd, struct room *room)
{
	uint32_t run = begin_one(room);

	child_kill(&room->pd);
	world_wait(room->world, !find(room, run));
	assert_int_equal(room->changed, PORT);
}

TEST_WITH(a_run_whose_pd_was_killed_is_unattended, struct room *room)
{
	uint32_t run = begin_one(room);
	struct process_id member = member_of(room, run);

	child_kill(&room->pd);
	world_wait(room->world, find(room, run)->state == RUN_UNATTENDED);
	assert_run_entry(room, "is unattended");
	child_kill(&member);
	room->n = 0;
	tell(room, EVENT_RUN_END, run);
	assert_null(find(room, run));
}

TEST_WITH(a_run_that_was_left_on_purpose_stays_detached, struct room *room)
{
	uint32_t run = begin_one(room);
	struct process_id member = member_of(room, run);

	runs_set_state(room->runs, find(room, run), RUN_DETACHED);
	world_commit(room->world);
	child_kill(&room->pd);
	world_wait(room->world, !procfs_alive(&room->pd));
	world_turn(room->world);
	assert_int_equal(find(room, run)->state, RUN_DETACHED);
	child_kill(&member);
}

/* The count of a run that was found again may be wrong: who is there decides. */
TEST_WITH(the_end_of_a_run_is_not_believed_while_members_live, struct room *room)
{
	uint32_t run = begin_one(room);
	struct process_id member = member_of(room, run);

	tell(room, EVENT_RUN_END, run);
	assert_non_null(find(room, run));
	child_kill(&member);
}

TEST_WITH(the_pd_of_a_run_is_a_member_of_the_run_around_it, struct room *room)
{
	struct run_member *members;
	uint32_t outer, inner;
	size_t n;

	outer = begin_one(room);
	join_run(room, outer, &room->pd); /* as the kernel side has it: of its own */
	inner = begin_one(room);
	assert_int_equal(find(room, inner)->outer, outer);
	assert_int_equal(runs_members(room->runs, &members, &n), 0);
	free(members);
}

TEST_WITH(more_runs_than_a_user_may_have_are_refused, struct room *room)
{
	const struct run want = wanted(room), *run;
	enum quota_outcome excess = 0;
	uint64_t most = quota_limit(QUOTA_RUNS)->per_user;

	for (uint64_t i = 0; i < most; i++)
		begin_one(room);
	assert_int_equal(runs_begin(room->runs, &want, &run, &excess), RUNS_LIMIT);
	assert_int_equal(excess, QUOTA_OVER_USER);
}

TEST_WITH(an_ended_pd_begins_no_run, struct room *room)
{
	const struct run want = wanted(room), *run;
	enum quota_outcome excess;

	child_kill(&room->pd);
	assert_int_equal(runs_begin(room->runs, &want, &run, &excess), RUNS_PROCESS_ENDED);
	assert_null(registry_runs(room->world->c.registry));
}

static void start_again(struct room *room)
{
	char error[256];

	runs_free(room->runs);
	registry_close(room->world->c.registry);
	assert_int_equal(registry_open(room->world->database, &room->world->c.registry, error,
				       sizeof(error)),
			 0);
	room->world->activity.registry = room->world->c.registry;
	room_begin(room);
}

/* What /proc shows of the user's own processes is told to a kernel side that is new. */
TEST_WITH(the_next_daemon_finds_the_pd_and_its_children, struct room *room)
{
	uint32_t run = begin_one_of(room, getuid());

	start_again(room);
	assert_non_null(find(room, run));
	assert_int_equal(run_of(room, &room->pd), run);
}

TEST_WITH(the_next_daemon_believes_no_other_users_processes, struct room *room)
{
	uint32_t run = begin_one_of(room, getuid() + 1);

	start_again(room);
	assert_non_null(find(room, run));
	assert_int_equal(run_of(room, &room->pd), 0);
}

TEST_WITH(a_process_of_another_user_joins_no_run, struct room *room)
{
	uint32_t run = begin_one(room);

	assert_int_equal(runs_join(room->runs, find(room, run), room->pd.pid, getuid() + 1), 0);
	assert_int_equal(run_of(room, &room->pd), 0);
}

EACH_TEST_MAIN(room_open, room_close)
