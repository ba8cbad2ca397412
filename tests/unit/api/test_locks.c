/* SPDX-License-Identifier: MIT */
/* Locks over the wire: bodies, whose a lock is, open requests, and answers that nobody takes. */
#include "world.h"

#include <sys/prctl.h>

#include "base/quota.h"

#define TICK_MS 10 /* the clocks of time() and of the loop lag behind by a tick of the kernel */

/* Another process that asks for a lock, relays its answer, and lives until it is killed. */
struct rival {
	pid_t pid;
	struct client answer;
};

static void be_rival(struct world *w, const char *text, int relay)
{
	char bytes[4096];
	int fd;
	ssize_t n;

	/* when a test fails before it has killed us */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* a copy of the server's descriptors would keep its connections open */
	for (int other = 3; other < 1024; other++)
		if (other != relay)
			close(other);
	fd = connect_unix(w->socket);
	if (send(fd, text, strlen(text), 0) < 0)
		_exit(1);
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		if (send(relay, bytes, n, 0) != n)
			_exit(2);
	close(relay); /* an HTTP/1.0 answer ends with its connection */
	for (;;)
		pause();
}

static char *http_1_0(const char *path, const char *body)
{
	char *text;

	assert_true(asprintf(&text, "POST %s HTTP/1.0\r\nContent-Length: %zu\r\n\r\n%s", path,
			     strlen(body), body) > 0);
	return text;
}

/* Asks for a lock without the loop turning: the server has not heard of it yet. */
static struct client client_wants(struct world *w, const char *body)
{
	struct client c = client_new(w);
	_cleanup_free_ char *text = http_1_0("/v1/locks", body);

	assert_int_equal(send(c.fd, text, strlen(text), 0), strlen(text));
	return c;
}

static struct rival rival_new(struct world *w, const char *body)
{
	struct rival r = { .answer = { .size = 4096, .text = calloc(1, 4096) } };
	char *text = http_1_0("/v1/locks", body);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	r.pid = fork();
	assert_true(r.pid >= 0);
	if (!r.pid)
		be_rival(w, text, pair[1]);
	close(pair[1]);
	free(text);
	r.answer.fd = pair[0];
	assert_int_equal(fcntl(r.answer.fd, F_SETFL, O_NONBLOCK), 0);
	return r;
}

static void rival_kill(struct rival *r)
{
	if (!r->pid)
		return;
	kill(r->pid, SIGKILL);
	assert_int_equal(waitpid(r->pid, NULL, 0), r->pid);
	r->pid = 0;
	client_free(&r->answer);
}
#define _cleanup_rival_ _cleanup_(rival_kill)

static int64_t rival_granted(struct world *w, struct rival *r)
{
	const struct answer *a = client_answer(w, &r->answer);

	assert_ok(a);
	return int_of(a, "fence");
}

static size_t waiting(struct world *w, const char *name)
{
	return count_of(get(w, "/v1/locks?name=%s", name), "locks.0.waiters");
}

static void wait_waiting(struct world *w, const char *name, size_t n)
{
	world_wait(w, waiting(w, name) == n);
}

static bool is_held(struct world *w, const char *name)
{
	return bool_of(get(w, "/v1/locks?name=%s", name), "locks.0.held");
}

static void wait_held(struct world *w, const char *name, bool held)
{
	world_wait(w, is_held(w, name) == held);
}

static int64_t lock(struct world *w, const char *body)
{
	const struct answer *a = ask_post(w, "/v1/locks", body);

	assert_ok(a);
	return int_of(a, "fence");
}

static void last_log_says(struct world *w, const char *name, const char *words)
{
	const struct answer *a = get(w, "/v1/log?filter=%s&n=1", name);

	assert_ok(a);
	if (!strstr(text_of(a, "entries.0.details"), words))
		fail_msg("\"%s\" is not in: %s", words, text_of(a, "entries.0.details"));
}

/* --- grants --- */

TEST_WITH(a_grant_names_holder_fence_and_end, struct world *w)
{
	const struct answer *a =
		ask_post(w, "/v1/locks",
			 "{\"name\":\"db-migrations\",\"holder\":\"myapp:db\",\"ttl\":\"5m\"}");

	assert_ok(a);
	assert_string_equal(text_of(a, "name"), "db-migrations");
	assert_string_equal(text_of(a, "holder"), "myapp:db");
	assert_true(int_of(a, "fence") > 0);
	assert_false(bool_of(a, "existing"));
	assert_int_equal(int_of(a, "expiresAt"), int_of(a, "acquiredAt") + 300);
	last_log_says(w, "db-migrations", "Locked by myapp:db for 5m");
}

TEST_WITH(the_same_process_and_holder_renew_with_the_same_fence, struct world *w)
{
	int64_t fence = lock(w, "{\"name\":\"a\",\"holder\":\"h\"}");
	const struct answer *again = ask_post(w, "/v1/locks",
					      "{\"name\":\"a\",\"holder\":\"h\",\"ttl\":\"9s\"}");

	assert_ok(again);
	assert_true(bool_of(again, "existing"));
	assert_int_equal(int_of(again, "fence"), fence);
	assert_int_equal(int_of(again, "ttl"), 9);
}

TEST_WITH(another_holder_of_the_same_process_is_refused, struct world *w)
{
	lock(w, "{\"name\":\"a\",\"holder\":\"one\"}");
	assert_error(ask_post(w, "/v1/locks", "{\"name\":\"a\",\"holder\":\"two\"}"), 409,
		     "conflict", "held by one");
}

TEST_WITH(another_process_of_the_same_holder_is_refused, struct world *w)
{
	_cleanup_rival_ struct rival r = rival_new(w, "{\"name\":\"a\",\"holder\":\"h\"}");
	const struct answer *a;

	rival_granted(w, &r);
	a = ask_post(w, "/v1/locks", "{\"name\":\"a\",\"holder\":\"h\"}");
	assert_error(a, 409, "conflict", "held by h");
	assert_int_equal(int_of(a, "lock.pid"), r.pid);
}

TEST_WITH(a_holder_that_nobody_names_is_the_service_of_its_directory, struct world *w)
{
	const struct answer *claimed = ask_post(w, "/v1/claims",
						"{\"id\":\"shop:db\",\"cwd\":\"/srv/shop\"}");
	_cleanup_rival_ struct rival r = rival_new(w, "{\"name\":\"a\",\"cwd\":\"/srv/shop\"}");
	const struct answer *a = client_answer(w, &r.answer);

	assert_ok(claimed);
	assert_ok(a);
	assert_string_equal(text_of(a, "holder"), "shop:db");
}

TEST_WITH(a_holder_without_any_service_is_user_and_program, struct world *w)
{
	const struct answer *a = ask_post(w, "/v1/locks",
					  "{\"name\":\"a\",\"program\":\"npm run\"}");

	assert_ok(a);
	assert_non_null(strstr(text_of(a, "holder"), ":npm-run"));
}

TEST_WITH(a_grant_to_renew_that_is_gone_is_a_conflict, struct world *w)
{
	int64_t fence = lock(w, "{\"name\":\"a\",\"holder\":\"h\"}");

	assert_ok(ask_post(w, "/v1/unlocks", "{\"name\":\"a\",\"holder\":\"h\"}"));
	assert_error(post(w, "/v1/locks", "{\"name\":\"a\",\"holder\":\"h\",\"fence\":%lld}",
			  (long long)fence),
		     409, "conflict", "any more");
	wait_held(w, "a", false);
}

TEST_WITH(requests_that_make_no_sense_are_refused, struct world *w)
{
	static const struct bad_request rows[] = {
		{ "{}", "missing" },
		{ "{\"name\":\"\"}", "empty" },
		{ "{\"name\":\"a b\"}", "letters" },
		{ "{\"name\":\"a\\u001b[2J\"}", "letters" },
		{ "{\"name\":\"--force\"}", "begin with" },
		{ "{\"name\":\"a\",\"ttl\":\"0\"}", "no duration" },
		{ "{\"name\":\"a\",\"ttl\":\"0s\"}", "no duration" },
		{ "{\"name\":\"a\",\"ttl\":5}", "not a string" },
		{ "{\"name\":\"a\",\"wait\":\"soon\"}", "no duration" },
		{ "{\"name\":\"a\",\"owner\":\"init\"}", "neither" },
		{ "{\"name\":\"a\",\"holder\":\"\"}", "1 to" },
		{ "{\"name\":\"a\",\"holder\":\"a\\nb\"}", "control" },
		{ "{\"name\":\"a\",\"fence\":-1}", "number" },
		{ "{\"name\":\"a\",\"pid\":1}", "unknown member" },
	};
	char long_name[10100], body[10200];

	assert_bad_bodies(w, "/v1/locks", rows, ARRAY_SIZE(rows));
	memset(long_name, 'x', sizeof(long_name));
	long_name[10000] = '\0';
	snprintf(body, sizeof(body), "{\"name\":\"%s\"}", long_name);
	const struct answer *a = ask_post(w, "/v1/locks", body);
	assert_error(a, 400, "bad_request", "at most 128");
}

/* --- what ends a lock --- */

TEST_WITH(a_lock_of_others_is_not_unlocked_without_force, struct world *w)
{
	_cleanup_rival_ struct rival r = rival_new(w, "{\"name\":\"a\",\"holder\":\"h\"}");
	const struct answer *forced;

	rival_granted(w, &r);
	assert_error(ask_post(w, "/v1/unlocks", "{\"name\":\"a\"}"), 403, "not_allowed", "--force");
	assert_error(ask_post(w, "/v1/unlocks", "{\"name\":\"a\",\"holder\":\"x\"}"), 403,
		     "not_allowed", "held by h");
	wait_held(w, "a", true);
	forced = ask_post(w, "/v1/unlocks", "{\"name\":\"a\",\"holder\":\"x\",\"force\":true}");
	assert_ok(forced);
	assert_true(bool_of(forced, "forced"));
	wait_held(w, "a", false);
	last_log_says(w, "a", "by x, with --force");
}

TEST_WITH(the_holders_name_unlocks_from_another_process, struct world *w)
{
	_cleanup_rival_ struct rival r = rival_new(w,
						   "{\"name\":\"a\",\"onBehalf\":\"session-1\"}");
	const struct answer *a;

	rival_granted(w, &r);
	a = ask_post(w, "/v1/unlocks", "{\"name\":\"a\",\"onBehalf\":\"session-1\"}");
	assert_ok(a);
	assert_false(bool_of(a, "forced"));
}

TEST_WITH(a_lock_of_another_user_is_not_unlocked_even_with_force, struct world *w)
{
	if (geteuid() != 0)
		skip();
	lock(w, "{\"name\":\"a\",\"holder\":\"h\"}");
	assert_error(ask_as_other(w, "POST", "/v1/unlocks",
				  "{\"name\":\"a\",\"holder\":\"h\",\"force\":true}"),
		     403, "not_allowed", "belongs to user");
	wait_held(w, "a", true);
}

TEST_WITH(what_is_not_held_is_not_unlocked, struct world *w)
{
	assert_error(ask_post(w, "/v1/unlocks", "{\"name\":\"a\"}"), 404, "not_found", "not held");
}

/* --- the queue --- */

TEST_WITH(a_release_is_followed_by_the_next_grant, struct world *w)
{
	_cleanup_rival_ struct rival r = { 0 };

	lock(w, "{\"name\":\"a\"}");
	r = rival_new(w, "{\"name\":\"a\",\"wait\":\"forever\"}");
	wait_waiting(w, "a", 1);
	assert_ok(ask_post(w, "/v1/unlocks", "{\"name\":\"a\"}"));
	rival_granted(w, &r);
}

TEST_WITH(a_waiter_whose_connection_ends_leaves_the_queue, struct world *w)
{
	_cleanup_rival_ struct rival holder = rival_new(w, "{\"name\":\"a\"}");
	struct client c;

	rival_granted(w, &holder);
	c = client_new(w);
	client_post(w, &c, "/v1/locks", "{\"name\":\"a\",\"wait\":\"forever\"}");
	wait_waiting(w, "a", 1);
	client_free(&c);
	wait_waiting(w, "a", 0);
	rival_kill(&holder);
	wait_held(w, "a", false);
}

TEST_WITH(a_waiter_is_refused_when_its_time_is_over, struct world *w)
{
	_cleanup_rival_ struct rival holder = rival_new(w, "{\"name\":\"a\",\"holder\":\"h\"}");
	int64_t began;

	rival_granted(w, &holder);
	began = now_ms();
	assert_error(ask_post(w, "/v1/locks", "{\"name\":\"a\",\"wait\":\"1s\"}"), 409, "conflict",
		     "waited 1s");
	assert_true(now_ms() - began >= 1000 - TICK_MS);
	assert_int_equal(waiting(w, "a"), 0);
}

TEST_WITH(more_waiters_than_the_limit_are_refused, struct world *w)
{
	_cleanup_rival_ struct rival holder = rival_new(w, "{\"name\":\"a\"}");
	const size_t most = quota_limit(QUOTA_LOCK_WAITERS)->machine;
	_cleanup_free_ struct client *waiters = calloc(most, sizeof(*waiters));

	rival_granted(w, &holder);
	for (size_t i = 0; i < most; i++) {
		waiters[i] = client_new(w);
		client_post(w, &waiters[i], "/v1/locks", "{\"name\":\"a\",\"wait\":\"forever\"}");
	}
	wait_waiting(w, "a", most);
	assert_error(ask_post(w, "/v1/locks", "{\"name\":\"a\",\"wait\":\"forever\"}"), 413,
		     "too_large", "128");
	for (size_t i = 0; i < most; i++)
		client_free(&waiters[i]);
	wait_waiting(w, "a", 0);
}

/* --- answers that nobody takes --- */

TEST_WITH(a_grant_whose_client_has_left_before_it_is_taken_back, struct world *w)
{
	struct client c = client_wants(w, "{\"name\":\"a\"}");

	client_free(&c);
	world_turn(w);
	wait_held(w, "a", false);
	last_log_says(w, "a", "left before the answer");
}

TEST_WITH(a_grant_whose_answer_was_not_read_is_taken_back, struct world *w)
{
	struct client c = client_wants(w, "{\"name\":\"a\"}");
	struct pollfd p = { .fd = c.fd, .events = POLLIN };

	world_wait(w, poll(&p, 1, 0));
	client_free(&c);
	wait_held(w, "a", false);
	last_log_says(w, "a", "left before the answer");
}

TEST_WITH(a_grant_that_was_taken_back_goes_to_the_next, struct world *w)
{
	_cleanup_rival_ struct rival holder = rival_new(w, "{\"name\":\"a\"}");
	_cleanup_rival_ struct rival next = { 0 };
	struct client c;
	struct pollfd p = { .events = POLLIN };

	rival_granted(w, &holder);
	c = client_wants(w, "{\"name\":\"a\",\"wait\":\"forever\"}");
	wait_waiting(w, "a", 1);
	next = rival_new(w, "{\"name\":\"a\",\"wait\":\"forever\"}");
	wait_waiting(w, "a", 2);
	rival_kill(&holder);
	p.fd = c.fd;
	world_wait(w, poll(&p, 1, 0));
	client_free(&c);
	rival_granted(w, &next);
}

TEST_WITH(a_grant_whose_answer_was_read_stays, struct world *w)
{
	struct client c = client_wants(w, "{\"name\":\"a\"}");

	assert_ok(client_answer(w, &c));
	client_free(&c);
	for (int i = 0; i < 20; i++)
		world_turn(w);
	wait_held(w, "a", true);
}

/* --- a restart --- */

TEST_WITH(waiters_hear_of_the_servers_end, struct world *w)
{
	_cleanup_rival_ struct rival holder = rival_new(w, "{\"name\":\"a\"}");
	_cleanup_client_ struct client c = client_new(w);

	rival_granted(w, &holder);
	client_post(w, &c, "/v1/locks", "{\"name\":\"a\",\"wait\":\"forever\"}");
	wait_waiting(w, "a", 1);
	world_restart_api(w);
	client_wait_end(w, &c);
	assert_int_equal(waiting(w, "a"), 0);
}

/* --- looking --- */

TEST_WITH(locks_are_listed_held_and_available, struct world *w)
{
	const struct answer *list, *status;

	lock(w, "{\"name\":\"payment-config\"}");
	assert_ok(ask_post(w, "/v1/unlocks", "{\"name\":\"payment-config\"}"));
	lock(w, "{\"name\":\"db-migrations\",\"holder\":\"myapp:db-init\"}");
	list = ask_get(w, "/v1/locks");
	assert_int_equal(count_of(list, "locks"), 2);
	assert_string_equal(text_of(list, "locks.0.name"), "db-migrations");
	assert_string_equal(text_of(list, "locks.0.holder"), "myapp:db-init");
	assert_false(bool_of(list, "locks.1.held"));
	status = ask_get(w, "/v1/status");
	assert_int_equal(int_of(status, "locks.held"), 1);
	assert_string_equal(text_of(status, "locks.names.0"), "db-migrations");
}

TEST_WITH(a_lock_that_was_never_used_is_a_no, struct world *w)
{
	assert_error(ask_get(w, "/v1/locks?name=never"), 404, "not_found", "no lock never");
}

EACH_TEST_MAIN(world_open, world_close)
