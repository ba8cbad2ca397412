/* SPDX-License-Identifier: MIT */
#include <netinet/in.h>

#include "base/text.h"
#include "processes.h"
#include "reconcile/status.h"
#include "registry/runs.h"
#include "testing.h"

#define STALE_S 1800
#define MPTCP	262

/* One listening socket with up to three holders. */
struct listener {
	struct socket_row row;
	struct holder holders[3];
};

static struct socket_row *listener_init(struct listener *l, const pid_t *holders)
{
	*l = (struct listener){ .row = { .protocol = IPPROTO_TCP,
					 .family = AF_INET,
					 .state = SOCKET_LISTEN,
					 .port = 3100,
					 .uid = ME,
					 .holders = l->holders } };
	for (; *holders; holders++)
		l->holders[l->row.n_holders++].id = process(*holders)->id;
	return &l->row;
}

static struct service claim; /* of the test that runs */
static struct listener l;

static int setup(void **state)
{
	claim = claim_of_shell();
	return 0;
}

/* The one that the test is about; 0: nobody is seen to hold it. */
static struct socket_row *listener_of(pid_t holder)
{
	return listener_init(&l, (pid_t[]){ holder, 0 });
}

/* Who bound it was killed. */
static void kill_binder(struct socket_row *row)
{
	row->binder = (struct process_id){ 4711, 3 };
	row->binder_fate = BINDER_EXITED_BADLY;
}

static const struct status_sources looking_up = { look_up };

static struct status_verdict judge_by(const struct status_sources *sources,
				      const struct socket_row *const *rows, size_t n)
{
	struct status_verdict v;

	reconcile_service(&claim, rows, n, sources, NOW, STALE_S, &v);
	return v;
}

static struct status_verdict judge(const struct socket_row *row)
{
	return judge_by(&looking_up, &row, row ? 1 : 0);
}

static void assert_verdict(struct status_verdict v, enum service_status status, const char *reason)
{
	assert_int_equal(v.status, status);
	assert_string_equal(v.reason, reason);
}

static const struct process *only_that(const struct process_id *id, void *holder)
{
	return holder;
}

/* --- which sockets serve --------------------------------------------------------------------- */

TEST(listeners_and_bound_udp_sockets_serve)
{
	static const struct {
		uint16_t protocol;
		enum socket_state state;
		bool serves;
	} cases[] = {
		{ IPPROTO_TCP, SOCKET_LISTEN, true },
		{ MPTCP, SOCKET_LISTEN, true },
		{ IPPROTO_TCP, SOCKET_BOUND, false },
		{ IPPROTO_TCP, SOCKET_ESTABLISHED, false },
		{ IPPROTO_TCP, SOCKET_TIME_WAIT, false },
		{ IPPROTO_UDP, SOCKET_BOUND, true },
		{ IPPROTO_UDP, SOCKET_ESTABLISHED, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct socket_row row = { .protocol = cases[i].protocol, .state = cases[i].state };

		assert_int_equal(socket_serves(&row), cases[i].serves);
	}
}

/* --- statuses -------------------------------------------------------------------------------- */

struct binder {
	pid_t pid; /* 0 = unknown, -1 = one that is not in the world any more */
	enum binder_fate fate;
	pid_t sid;
};

static const struct binder unknown = { 0, BINDER_ALIVE, 0 };
static const struct binder by_server = { SERVER, BINDER_ALIVE, SHELL };
static const struct binder by_squatter = { SQUATTER, BINDER_ALIVE, SQUATTER };
static const struct binder by_stranger = { STRANGER, BINDER_ALIVE, STRANGER };
static const struct binder killed = { -1, BINDER_EXITED_BADLY, SHELL };
static const struct binder left = { -1, BINDER_EXITED_WELL, SHELL };
static const struct binder left_unknown = { -1, BINDER_EXITED_WELL, 0 };
static const struct binder gone = { -1, BINDER_GONE, SHELL };

struct expected {
	enum service_status status;
	pid_t decided_by;
	const char *reason;
};

static const struct expected node_listens = { SERVICE_ACTIVE, SERVER, "node (20) listens" };
static const struct expected sleep_listens = { SERVICE_ACTIVE, CHILD, "sleep (21) listens" };
static const struct expected sleep_keeps = {
	SERVICE_ORPHANED, CHILD, "parent 4711 is gone, child sleep (21) keeps the port"
};
static const struct expected nginx_listens = {
	SERVICE_ACTIVE, DAEMON, "nginx (22) listens as a daemon, its parent 4711 left with success"
};
static const struct expected nginx_keeps = {
	SERVICE_ORPHANED, DAEMON, "parent 4711 is gone, child nginx (22) keeps the port"
};
static const struct expected apache_squats = {
	SERVICE_SQUATTED, SQUATTER, "held by apache (40) of user 33, not by this claim"
};
static const struct expected vite_squats = { SERVICE_SQUATTED, STRANGER,
					     "held by vite (30) of user 100, not by this claim" };
static const struct expected hidden_listens = { SERVICE_ACTIVE, 0, "holder hidden" };
static const struct expected hidden_keeps = {
	SERVICE_ORPHANED, 0, "parent 4711 is gone, a hidden process keeps the port"
};

static const struct {
	const char *what;
	pid_t holders[4];
	const struct binder *binder;
	const struct expected *expected;
} status_cases[] = {
	{ "the binder serves", { SERVER }, &by_server, &node_listens },
	{ "bound before we watched", { SERVER }, &unknown, &node_listens },
	{ "a worker shares it", { SERVER, CHILD }, &by_server, &node_listens },
	{ "the binder gave it to its worker", { CHILD }, &by_server, &sleep_listens },
	{ "the parent was killed", { CHILD }, &killed, &sleep_keeps },
	{ "the parent left, the child stayed in its session", { CHILD }, &left, &sleep_keeps },
	{ "the parent was gone when we looked", { CHILD }, &gone, &sleep_keeps },
	{ "it daemonized", { DAEMON }, &left, &nginx_listens },
	{ "it daemonized, from an unknown session", { DAEMON }, &left_unknown, &nginx_listens },
	{ "an inheritor that leads no session", { CHILD }, &left_unknown, &sleep_keeps },
	{ "a daemon whose parent was killed", { DAEMON }, &killed, &nginx_keeps },
	{ "another user's server", { SQUATTER }, &by_squatter, &apache_squats },
	{ "the same user's, from elsewhere", { STRANGER }, &by_stranger, &vite_squats },
	{ "an inheritor of another user", { SQUATTER }, &killed, &apache_squats },
	{ "handed over by another user's", { SQUATTER, SERVER }, &by_squatter, &node_listens },
	{ "two inheritors, one of another user", { SQUATTER, CHILD }, &killed, &sleep_keeps },
	{ "nobody is seen", { 0 }, &unknown, &hidden_listens },
	{ "nobody is seen, the binder lives", { 0 }, &by_server, &hidden_listens },
	{ "nobody is seen, the binder is gone", { 0 }, &killed, &hidden_keeps },
};

TEST(statuses_follow_from_holders_and_binder)
{
	for (size_t i = 0; i < ARRAY_SIZE(status_cases); i++) {
		const struct binder *binder = status_cases[i].binder;
		const struct expected *expected = status_cases[i].expected;
		struct socket_row *row = listener_init(&l, status_cases[i].holders);
		struct status_verdict v;

		row->binder_fate = binder->fate;
		row->binder_sid = binder->sid;
		if (binder->pid)
			row->binder = binder->pid < 0 ? (struct process_id){ 4711, 3 }
						      : process(binder->pid)->id;
		v = judge(row);
		if (v.status != expected->status)
			print_error("%s\n", status_cases[i].what);
		assert_verdict(v, expected->status, expected->reason);
		assert_int_equal(v.process.pid, expected->decided_by);
		assert_ptr_equal(v.socket, row);
	}
}

/* The kernel tells of an end before it closes what the process had. */
TEST(the_status_stays_while_the_process_ends)
{
	static const enum service_status before[] = { SERVICE_ACTIVE, SERVICE_ORPHANED,
						      SERVICE_SQUATTED };
	struct socket_row *row = listener_of(0);

	claim.ever_active = true;
	kill_binder(row);
	row->undecided = true;
	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		claim.status = before[i];
		assert_int_equal(judge(row).status, before[i]);
	}
}

TEST(a_process_that_does_not_let_go_is_named)
{
	struct socket_row *row = listener_of(0);

	kill_binder(row);
	row->leaving = row->binder;
	assert_verdict(judge(row), SERVICE_ORPHANED,
		       "process 4711 has ended, but the kernel still keeps its port");
}

/* --- runs --- */

static struct process member; /* of a run, whoever it is beside that */

static const struct process *look_up_member(const struct process_id *id, void *user_data)
{
	return process_id_equal(&member.id, id) ? &member : look_up(id, user_data);
}

static struct status_verdict judge_member(pid_t pid, struct run *run, enum run_state state)
{
	const struct socket_row *row = listener_of(pid);

	run->state = state;
	claim.runs = run;
	member = *process(pid);
	member.run = 7;
	l.row.uid = member.uid;
	return judge_by(&(struct status_sources){ look_up_member }, &row, 1);
}

TEST(a_member_of_a_run_of_the_claim_always_fits)
{
	struct run older = { .number = 7, .service = "myapp:web" };
	struct run newer = { .next = &older, .number = 8, .service = "myapp:web" };

	assert_int_equal(judge_member(STRANGER, &newer, RUN_READY).status, SERVICE_ACTIVE);
	assert_int_equal(judge_member(SQUATTER, &newer, RUN_READY).status, SERVICE_ACTIVE);
	assert_int_equal(judge_member(SQUATTER, &newer, RUN_DETACHED).status, SERVICE_ACTIVE);
}

TEST(a_member_of_another_services_run_squats)
{
	struct run other = { .number = 7, .service = "myapp:api" };
	struct run own = { .next = &other, .number = 8, .service = "myapp:web" };

	assert_int_equal(judge_member(SQUATTER, &own, RUN_READY).status, SERVICE_SQUATTED);
}

TEST(a_member_of_an_unattended_run_is_orphaned)
{
	struct run run = { .number = 7, .service = "myapp:web", .pd.pid = 77 };

	assert_verdict(judge_member(SERVER, &run, RUN_UNATTENDED), SERVICE_ORPHANED,
		       "node (20) is of an unattended run: pd (77), which started it, is gone; "
		       "pd stop myapp:web ends it");
}

TEST(a_hidden_holder_of_another_user_squats)
{
	struct socket_row *row = listener_of(0);

	row->uid = OTHER;
	assert_verdict(judge(row), SERVICE_SQUATTED,
		       "held by a hidden process of user 33, not by this claim");
	row->uid = PROCESS_UID_UNKNOWN;
	assert_verdict(judge(row), SERVICE_SQUATTED, "held by a hidden process, not by this claim");
}

TEST(a_holder_of_which_nothing_is_known_counts_as_the_sockets_user)
{
	struct socket_row *row = listener_of(0);

	row->n_holders = 1;
	row->holders[0].id = (struct process_id){ 812, 4 };
	assert_verdict(judge(row), SERVICE_ACTIVE, "process 812 listens");
	row->uid = OTHER;
	assert_verdict(judge(row), SERVICE_SQUATTED,
		       "held by process 812 of user 33, not by this claim");
}

/* The binder's pid lives on as another process: the binder is gone all the same. */
TEST(a_reused_pid_does_not_keep_the_binder_alive)
{
	struct socket_row *row = listener_of(CHILD);

	row->binder = (struct process_id){ CHILD, 2 };
	row->binder_fate = BINDER_EXITED_BADLY;
	row->binder_sid = SHELL;
	assert_int_equal(judge(row).status, SERVICE_ORPHANED);
	row->binder.start_ticks = process(CHILD)->id.start_ticks;
	assert_int_equal(judge(row).status, SERVICE_ACTIVE);
}

/* All 16 bytes in use and no NUL: as the kernel never writes a name, and a bad event may. */
static const struct process hostile = {
	.id = { 60, 1 },
	.uid = OTHER,
	.comm = { 27, '[', '2', 'J', '\n', -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 },
};

static const struct process *look_up_hostile(const struct process_id *id, void *user_data)
{
	return &hostile;
}

TEST(a_hostile_name_is_escaped_in_the_reason)
{
	const struct socket_row *row = listener_of(SQUATTER);
	const struct status_sources sources = { look_up_hostile };

	assert_string_equal(judge_by(&sources, &row, 1).reason,
			    "held by \\e[2J\\n\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff"
			    "\\xff\\xff\\xff (60) of user 33, not by this claim");
}

TEST(active_wins_over_orphaned_and_orphaned_over_squatted)
{
	struct listener active, orphaned, squatted;
	const struct socket_row *rows[3] = { listener_init(&squatted, (pid_t[]){ SQUATTER, 0 }),
					     listener_init(&orphaned, (pid_t[]){ CHILD, 0 }),
					     listener_init(&active, (pid_t[]){ SERVER, 0 }) };

	kill_binder(&orphaned.row);
	for (int turn = 0; turn < 3; turn++) {
		const struct socket_row *turned[] = { rows[turn], rows[(turn + 1) % 3],
						      rows[(turn + 2) % 3] };
		struct status_verdict v = judge_by(&looking_up, turned, 3);

		assert_int_equal(v.status, SERVICE_ACTIVE);
		assert_ptr_equal(v.socket, &active.row);
	}
	assert_int_equal(judge_by(&looking_up, rows, 2).status, SERVICE_ORPHANED);
	assert_int_equal(judge_by(&looking_up, rows, 1).status, SERVICE_SQUATTED);
}

static const char *name_of(uid_t uid)
{
	return uid == 33 ? "www-data" : "somebody";
}

TEST(a_squatters_user_is_named_where_the_name_is_known)
{
	const struct socket_row *row = listener_of(SQUATTER);
	const struct status_sources sources = { look_up, .user = name_of };

	assert_string_equal(judge_by(&sources, &row, 1).reason,
			    "held by apache (40) of user www-data, not by this claim");
}

TEST(a_stranger_beside_the_service_is_named)
{
	struct listener own, strange;
	const struct socket_row *rows[] = { listener_init(&own, (pid_t[]){ SERVER, 0 }),
					    listener_init(&strange, (pid_t[]){ STRANGER, 0 }) };
	char warning[STATUS_WARNING_SIZE];
	struct status_verdict v;

	strange.row.family = AF_INET;
	strange.row.addr.bytes[0] = 127;
	strange.row.addr.bytes[3] = 2;
	strange.row.uid = ME;
	for (int turn = 0; turn < 2; turn++) {
		const struct socket_row *turned[] = { rows[turn], rows[1 - turn] };

		v = judge_by(&looking_up, turned, 2);
		assert_int_equal(v.status, SERVICE_ACTIVE);
		assert_ptr_equal(v.strange_socket, &strange.row);
		assert_int_equal(v.stranger.pid, STRANGER);
		assert_true(status_warning(&v, &looking_up, warning));
		assert_string_equal(warning, "vite (30) of user 100 listens on 127.0.0.2:3100 as "
					     "well, and is not of this claim");
	}
	reconcile_socket(&claim, rows[1], &looking_up, &v);
	assert_int_equal(v.status, SERVICE_SQUATTED);

	/* alone it is the reason, and there is nothing to warn of */
	v = judge(rows[1]);
	assert_int_equal(v.status, SERVICE_SQUATTED);
	assert_null(v.strange_socket);
	assert_false(status_warning(&v, &looking_up, warning));
	assert_string_equal(warning, "");
}

TEST(without_a_serving_socket_time_decides)
{
	static const struct {
		bool ever_active;
		int64_t silent_s;
		enum service_status status;
		const char *reason;
	} cases[] = {
		{ false, 0, SERVICE_CLAIMED, "nothing has listened on the port yet" },
		{ false, STALE_S - 1, SERVICE_CLAIMED, "nothing has listened on the port yet" },
		{ false, STALE_S, SERVICE_STALE, "nothing seen for 30m" },
		{ true, 0, SERVICE_GHOST, "nothing listens on the port any more" },
		{ true, STALE_S - 1, SERVICE_GHOST, "nothing listens on the port any more" },
		{ true, STALE_S, SERVICE_STALE, "nothing seen for 30m" },
		{ true, 5 * 86400, SERVICE_STALE, "nothing seen for 5d" },
		{ true, -3600, SERVICE_GHOST, "nothing listens on the port any more" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct status_verdict v;

		claim.ever_active = cases[i].ever_active;
		claim.updated_at = NOW - cases[i].silent_s;
		v = judge(NULL);
		assert_verdict(v, cases[i].status, cases[i].reason);
		assert_null(v.socket);
		assert_int_equal(v.process.pid, 0);
	}
}

TEST(a_socket_that_does_not_serve_changes_nothing)
{
	struct socket_row *row = listener_of(SQUATTER);

	row->state = SOCKET_BOUND;
	assert_int_equal(judge(row).status, SERVICE_CLAIMED);
	row->state = SOCKET_TIME_WAIT;
	claim.ever_active = true;
	assert_int_equal(judge(row).status, SERVICE_GHOST);
}

TEST(a_live_listener_is_never_stale)
{
	claim.updated_at = 0;
	assert_int_equal(judge(listener_of(SERVER)).status, SERVICE_ACTIVE);
}

/* --- orphan rows ----------------------------------------------------------------------------- */

TEST(listeners_without_a_claim_are_orphans_in_the_range_or_once_claimed)
{
	static const struct {
		uint16_t port;
		enum socket_state state;
		bool claimed, ever;
		enum orphan_reason reason;
	} cases[] = {
		{ 3100, SOCKET_LISTEN, false, false, ORPHAN_IN_RANGE },
		{ 9999, SOCKET_LISTEN, false, false, ORPHAN_IN_RANGE },
		{ 3099, SOCKET_LISTEN, false, false, ORPHAN_NOT },
		{ 10000, SOCKET_LISTEN, false, false, ORPHAN_NOT },
		{ 80, SOCKET_LISTEN, false, true, ORPHAN_ONCE_CLAIMED },
		{ 3100, SOCKET_LISTEN, false, true, ORPHAN_ONCE_CLAIMED },
		{ 3100, SOCKET_LISTEN, true, true, ORPHAN_NOT },
		{ 3100, SOCKET_BOUND, false, true, ORPHAN_NOT },
		{ 3100, SOCKET_TIME_WAIT, false, false, ORPHAN_NOT },
	};
	const struct port_range range = { PORT_RANGE_FIRST, PORT_RANGE_LAST };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct socket_row row = { .protocol = IPPROTO_TCP,
					  .port = cases[i].port,
					  .state = cases[i].state };
		enum orphan_reason reason = reconcile_orphan(&row, range, cases[i].claimed,
							     cases[i].ever);

		assert_int_equal(reason, cases[i].reason);
		assert_int_equal(strlen(orphan_reason_text(reason)) > 0, reason != ORPHAN_NOT);
	}
}

/* --- on behalf of the claim ------------------------------------------------------------------ */

static struct process_behalf behalf_of_all;

static void tell_behalf(const struct process *holder, uint16_t port, struct process_behalf *ret)
{
	*ret = behalf_of_all;
}

/* The status of a socket that one process holds, with what is known of whoever it does so for. */
static enum service_status judge_with(const struct process *holder, struct process_behalf behalf)
{
	const struct socket_row *row = listener_of(SHELL);
	const struct status_sources sources = { only_that, tell_behalf, (void *)holder };

	l.holders[0].id = holder->id;
	behalf_of_all = behalf;
	return judge_by(&sources, &row, 1).status;
}

static const struct process_behalf docker = { .engine = "docker",
					      .started_by = PROCESS_UID_UNKNOWN };

TEST(engine_of_roots_or_of_the_claims_user_is_active)
{
	struct process proxy = *process(SQUATTER);

	proxy.uid = 0;
	assert_int_equal(judge_with(&proxy, docker), SERVICE_ACTIVE);
	proxy.uid = ME;
	assert_int_equal(judge_with(&proxy, docker), SERVICE_ACTIVE);
}

TEST(engine_of_another_user_is_a_squatter)
{
	struct process proxy = *process(SQUATTER);

	assert_int_equal(judge_with(&proxy, docker), SERVICE_SQUATTED);
	proxy.uid = PROCESS_UID_UNKNOWN;
	assert_int_equal(judge_with(&proxy, docker), SERVICE_SQUATTED);
}

TEST(server_below_sudo_fits_as_if_it_were_its_starters)
{
	struct process server = *process(SERVER), stranger = *process(STRANGER);

	server.uid = stranger.uid = 0;
	assert_int_equal(judge_with(&server, (struct process_behalf){ .started_by = ME }),
			 SERVICE_ACTIVE);
	assert_int_equal(judge_with(&server, (struct process_behalf){ .started_by = OTHER }),
			 SERVICE_SQUATTED);
	assert_int_equal(
		judge_with(&server, (struct process_behalf){ .started_by = PROCESS_UID_UNKNOWN }),
		SERVICE_SQUATTED);
	assert_int_equal(judge_with(&stranger, (struct process_behalf){ .started_by = ME }),
			 SERVICE_SQUATTED);
}

TEST(supervisor_that_listens_for_a_program_of_the_claim_is_active)
{
	struct process_behalf behalf = { .started_by = ME, .n_served = 2 };
	struct process supervisor = *process(STRANGER);

	behalf.served[0] = *process(STRANGER);
	behalf.served[1] = *process(SERVER);
	assert_int_equal(judge_with(&supervisor, behalf), SERVICE_ACTIVE);
	behalf.n_served = 1;
	assert_int_equal(judge_with(&supervisor, behalf), SERVICE_SQUATTED);
	behalf.n_served = 2;
	supervisor.uid = OTHER; /* anybody may run something of that name */
	behalf.started_by = OTHER;
	assert_int_equal(judge_with(&supervisor, behalf), SERVICE_SQUATTED);
}

EACH_TEST_MAIN(setup, NULL)
