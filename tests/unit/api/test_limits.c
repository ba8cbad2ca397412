/* SPDX-License-Identifier: MIT */
/* How many may be connected, and that nobody can lock the others out. */
#include "api/state.h"
#include "base/quota.h"
#include "http/connections.h"
#include "http/metrics.h"
#include "registry/sessions.h"
#include "world.h"

/* of quota.c: over all, and of one user */
#define CONNECTIONS_MAX	     256
#define CONNECTIONS_PER_USER 128

static struct client *connect_many(struct world *w, size_t n)
{
	struct client *clients = calloc(n, sizeof(*clients));

	assert_non_null(clients);
	for (size_t i = 0; i < n; i++) {
		clients[i] = client_new(w);
		world_turn(w);
	}
	return clients;
}

static void close_many(struct world *w, struct client *clients, size_t n)
{
	for (size_t i = 0; i < n; i++)
		client_free(&clients[i]);
	free(clients);
	/* the server learns of each end as it reads */
	for (size_t i = 0; i < n; i++)
		world_turn(w);
}

static void assert_refused(struct world *w, struct client *c)
{
	assert_error(client_answer(w, c), 503, "too_large", "256 open connections");
	client_wait_end(w, c);
}

TEST_WITH(one_connection_over_the_limit_is_refused_and_the_rest_go_on, struct world *w)
{
	struct client *clients = connect_many(w, CONNECTIONS_MAX);
	_cleanup_client_ struct client over = client_new(w);

	assert_refused(w, &over);
	client_get(w, &clients[0], "/v1/log");
	assert_ok(client_answer(w, &clients[0]));
	client_get(w, &clients[CONNECTIONS_MAX - 1], "/v1/log");
	assert_ok(client_answer(w, &clients[CONNECTIONS_MAX - 1]));
	close_many(w, clients, CONNECTIONS_MAX);
}

TEST_WITH(closed_connections_do_not_count, struct world *w)
{
	for (int round = 0; round < 3; round++) {
		struct client *clients = connect_many(w, CONNECTIONS_MAX);

		close_many(w, clients, CONNECTIONS_MAX);
		assert_ok(ask_get(w, "/v1/log"));
	}
}

TEST_WITH(a_refused_request_is_not_carried_out, struct world *w)
{
	struct client *clients = connect_many(w, CONNECTIONS_MAX);
	struct client over = client_new(w);
	const struct answer *a;
	static const char text[] = "POST /v1/claims HTTP/1.1\r\nContent-Length: 16\r\n\r\n"
				   "{\"id\":\"refused\"}";

	/* there before the server looks at the connection */
	assert_int_equal(send(over.fd, text, sizeof(text) - 1, 0), sizeof(text) - 1);
	assert_refused(w, &over);
	client_free(&over);
	close_many(w, clients, CONNECTIONS_MAX);
	a = ask_get(w, "/v1/services?pattern=refused");
	assert_int_equal(count_of(a, "services"), 0);
}

/* --- other users --- */

#define NOTHING "GET /v1/log?n=1 HTTP/1.1\r\n\r\n"

/* A child of another user. */
struct other {
	pid_t pid;
	int reports;
};

static void connect_as(const struct world *w, uid_t uid, int *ret_fds, size_t n)
{
	if (!become_user(uid))
		_exit(1);
	for (size_t i = 0; i < n; i++) {
		ret_fds[i] = connect_unix(w->socket);
		if (ret_fds[i] < 0)
			_exit(2);
	}
}

/* Asks on each of n connections; how many of the answers are good. */
static int ask_on(const int *fds, size_t n, const char *question)
{
	int good = 0;

	for (size_t i = 0; i < n; i++) {
		char answer[16] = "";

		/* refused already: the answer is there all the same */
		(void)!send(fds[i], question, strlen(question), MSG_NOSIGNAL);
		if (recv(fds[i], answer, 12, MSG_WAITALL) == 12)
			good += !strcmp(answer, "HTTP/1.1 200");
	}
	return good;
}

/* Asks on as many connections as it gets, reports how many that are, and keeps them. */
static void hoard(const struct world *w, uid_t uid, int report)
{
	int fds[CONNECTIONS_PER_USER + 1], admitted;

	connect_as(w, uid, fds, ARRAY_SIZE(fds));
	admitted = ask_on(fds, ARRAY_SIZE(fds), NOTHING);
	if (write(report, &admitted, sizeof(admitted)) != sizeof(admitted))
		_exit(4);
	pause();
}

static char unread_question[192];

/* Asks on 16 connections and reads nothing; reports the status of the last answer. */
static void leave_unread(const struct world *w, uid_t uid, int report)
{
	int fds[16], status = 0;
	char answer[1024] = "";
	size_t n = 0;

	connect_as(w, uid, fds, ARRAY_SIZE(fds));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct pollfd p = { .fd = fds[i], .events = POLLIN };

		if (send(fds[i], unread_question, strlen(unread_question), 0) < 0 ||
		    poll(&p, 1, -1) != 1)
			_exit(3);
	}
	while (n < sizeof(answer) - 1 && !strstr(answer, "}\n")) {
		ssize_t got = recv(fds[ARRAY_SIZE(fds) - 1], answer + n, sizeof(answer) - 1 - n, 0);

		if (got <= 0)
			break;
		n += got;
	}
	sscanf(answer, "HTTP/1.1 %d", &status);
	if (!strstr(answer, "bytes of answers unread, the limit of a user"))
		status = -status;
	if (write(report, &status, sizeof(status)) != sizeof(status))
		_exit(4);
	pause();
}

static struct other other_new(struct world *w, uid_t uid,
			      void (*act)(const struct world *w, uid_t uid, int report))
{
	struct other o;
	int report[2];

	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	o.pid = fork();
	assert_true(o.pid >= 0);
	if (!o.pid) {
		act(w, uid, report[1]);
		_exit(0);
	}
	close(report[1]);
	o.reports = report[0];
	return o;
}

/* What it reports, while the loop turns. */
static int other_report(struct world *w, struct other *o)
{
	struct pollfd p = { .fd = o->reports, .events = POLLIN };
	int value;

	world_wait(w, poll(&p, 1, 1));
	assert_int_equal(read(o->reports, &value, sizeof(value)), sizeof(value));
	return value;
}

static void other_free(struct other *o)
{
	int status;

	kill(o->pid, SIGKILL);
	assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
	close(o->reports);
}

TEST_WITH(one_user_cannot_take_all_connections, struct world *w)
{
	struct other o = other_new(w, OTHER_UID, hoard);

	assert_int_equal(other_report(w, &o), CONNECTIONS_PER_USER);
	assert_ok(ask_get(w, "/v1/log"));
	other_free(&o);
}

TEST_WITH(where_all_are_taken_a_user_who_has_none_gets_one_of_who_has_most, struct world *w)
{
	struct other first = other_new(w, OTHER_UID - 1, hoard), second;

	assert_int_equal(other_report(w, &first), CONNECTIONS_PER_USER);
	/* takes what is left, and of the first one's until both have the same */
	second = other_new(w, OTHER_UID - 2, hoard);
	assert_in_range(other_report(w, &second), 110, CONNECTIONS_PER_USER - 1);
	assert_ok(ask_as_other(w, "GET", "/v1/log?n=1", ""));
	other_free(&first);
	other_free(&second);
}

TEST_WITH(answers_that_nobody_reads_are_refused_beyond_a_bound, struct world *w)
{
	struct other o;
	char text[NOTE_MAX_BYTES + 1];
	const struct session session = { .purpose = "unread", .uid = OTHER_UID };
	char id[SESSION_ID_MAX + 1];
	const struct note note = { .session = id, .text = text };

	memset(text, 'x', sizeof(text) - 1);
	text[NOTE_MAX_BYTES] = '\0';
	assert_int_equal(registry_begin(w->registry), 0);
	assert_int_equal(registry_session_start(w->registry, &session, id), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(registry_note_add(w->registry, &note, NULL), 0);
	assert_int_equal(registry_commit(w->registry), 0);
	snprintf(unread_question, sizeof(unread_question),
		 "GET /v1/notes?session=%s HTTP/1.1\r\n\r\n", id);
	o = other_new(w, OTHER_UID, leave_unread);
	assert_int_equal(other_report(w, &o), 413);
	other_free(&o);
}

/* --- a turn of the loop --- */

struct turns {
	struct world *w;
	struct event *next;
	uint64_t seen, most;
};

static void on_turn(evutil_socket_t fd, short what, void *user_data)
{
	static const struct timeval at_once;
	struct turns *t = user_data;
	uint64_t now = server_metrics(t->w->api->server)->connections;

	if (now - t->seen > t->most)
		t->most = now - t->seen;
	t->seen = now;
	event_add(t->next, &at_once);
}

TEST_WITH(a_turn_accepts_a_few_and_goes_on, struct world *w)
{
	static const struct timeval at_once;
	struct turns t = { .w = w, .seen = server_metrics(w->api->server)->connections };
	uint64_t before = t.seen;
	struct client clients[2 * CONNECTIONS_PER_TURN + 1];

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = client_new(w);
	t.next = evtimer_new(w->loop, on_turn, &t);
	event_add(t.next, &at_once);
	while (t.seen < before + ARRAY_SIZE(clients))
		event_base_loop(w->loop, EVLOOP_ONCE);
	event_free(t.next);
	assert_int_equal(t.most, CONNECTIONS_PER_TURN);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		client_free(&clients[i]);
	world_turn(w);
}

#define QUESTIONS 40

/* Expensive questions, on a connection each; reports when all of them are on their way. */
static void ask_much(const struct world *w, uid_t uid, int report)
{
	static const char question[] = "GET /v1/services HTTP/1.1\r\n\r\n";
	int fds[QUESTIONS];

	connect_as(w, uid, fds, ARRAY_SIZE(fds));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (send(fds[i], question, strlen(question), 0) < 0)
			_exit(3);
	if (write(report, &(int){ QUESTIONS }, sizeof(int)) != sizeof(int))
		_exit(4);
	pause();
}

/* In the old order of arrival it would be answered as the last. */
TEST_WITH(a_question_does_not_wait_for_all_of_another_user, struct world *w)
{
	static const char question[] = "GET /v1/log?n=1 HTTP/1.1\r\n\r\n";
	int64_t deadline = now_ms() + DEADLINE_MS;
	struct other o;
	_cleanup_client_ struct client c = { .fd = -1 };
	uint64_t before;
	int sent;

	claim_project(w, "many", 250);
	claim_project(w, "more", 250);
	o = other_new(w, OTHER_UID, ask_much);
	assert_int_equal(read(o.reports, &sent, sizeof(sent)), sizeof(sent));
	c = client_new(w);
	assert_int_equal(send(c.fd, question, strlen(question), 0), strlen(question));
	before = server_metrics(w->api->server)->requests;
	while (!strstr(c.text, "\"entries\"")) {
		event_base_loop(w->loop, EVLOOP_ONCE);
		client_read(&c);
		assert_true(now_ms() < deadline);
	}
	assert_in_range(server_metrics(w->api->server)->requests - before, 1, QUESTIONS / 4);
	other_free(&o);
}

/* --- deadlines --- */

TEST_WITH(half_a_request_is_dropped_however_busily_it_drips, struct world *w)
{
	struct client c;
	int64_t deadline = now_ms() + DEADLINE_MS;

	w->request_timeout_ms = 200;
	world_restart_api(w);
	c = client_new(w);
	client_say(w, &c, "GET /v1/log HTTP/1.1\r\nX-Slow: ");
	while (!c.ended) {
		(void)!send(c.fd, "x", 1, MSG_NOSIGNAL);
		client_step(w, &c, deadline);
	}
	client_free(&c);
}

TEST_WITH(an_answer_gives_the_next_request_its_time, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	int64_t begin = now_ms();

	/* beyond the deadline of the connection's first request */
	while (now_ms() < begin + 2 * w->request_timeout_ms) {
		client_get(w, &c, "/v1/log?n=1");
		assert_ok(client_answer(w, &c));
	}
	/* and then nothing comes */
	client_wait_end(w, &c);
}

TEST_MAIN(world_open, world_close)
