/* SPDX-License-Identifier: MIT */
/* Checks against servers on loopback that live in the same loop. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include "base/quota.h"
#include "base/text.h"
#include "health/health.h"
#include "testing.h"
#include "unit/random.h"
#include "unit/sockets.h"

#define TIMEOUT_MS   300 /* of a check that is to time out */
#define GENEROUS_MS  20000
#define WAIT_MS	     30000 /* for what must happen, on a busy machine */
#define CLIENTS_MAX  64
#define RANDOM_CASES 300

enum after { KEEP_OPEN = 0, CLOSE, RESET };

struct server;

struct client {
	struct server *server;
	int fd;
	struct event *readable;
};

struct server {
	struct event_base *loop;
	int fd;
	uint16_t port;
	struct event *acceptable;
	const void *answer; /* to the first bytes that come; NULL = none */
	size_t size;
	enum after after;
	bool greets;	 /* answers before anything came */
	char seen[2048]; /* what came last */
	unsigned accepted, ended;
	struct client clients[CLIENTS_MAX];
};

struct world {
	struct event_base *loop;
	struct quota *quota;
	struct health *health;
	struct server *server;
	int fds; /* open at the begin */
};

struct outcome_of {
	struct health_answer answer;
	unsigned calls;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- the server --- */

static void answer(struct client *c)
{
	struct server *s = c->server;
	struct linger hard = { .l_onoff = 1 };

	if (s->answer && send(c->fd, s->answer, s->size, MSG_NOSIGNAL) < 0)
		assert_true(errno == EPIPE || errno == ECONNRESET);
	if (s->after == RESET)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	if (s->after == KEEP_OPEN)
		return;
	event_free(c->readable);
	c->readable = NULL;
	close(c->fd);
	c->fd = -1;
}

static void on_readable(evutil_socket_t fd, short what, void *user_data)
{
	struct client *c = user_data;
	ssize_t n = recv(fd, c->server->seen, sizeof(c->server->seen) - 1, 0);

	if (n > 0)
		c->server->seen[n] = '\0';
	if (n <= 0) {
		c->server->ended++;
		event_del(c->readable);
	} else if (!c->server->greets) {
		answer(c);
	}
}

static void on_acceptable(evutil_socket_t fd, short what, void *user_data)
{
	struct server *s = user_data;
	struct client *c = &s->clients[s->accepted % CLIENTS_MAX];

	assert_null(c->readable);
	c->server = s;
	c->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(c->fd >= 0);
	s->accepted++;
	c->readable = event_new(s->loop, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	event_add(c->readable, NULL);
	if (s->greets)
		answer(c);
}

static struct server *server_new(struct event_base *loop, const void *bytes, size_t size)
{
	struct server *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->loop = loop;
	s->answer = bytes;
	s->size = size;
	s->fd = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &s->port);
	assert_int_equal(listen(s->fd, CLIENTS_MAX), 0);
	s->acceptable = event_new(loop, s->fd, EV_READ | EV_PERSIST, on_acceptable, s);
	event_add(s->acceptable, NULL);
	return s;
}

static void server_reset_clients(struct server *s)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];

		if (c->readable) {
			event_free(c->readable);
			close(c->fd);
		}
		*c = (struct client){ .fd = -1 };
	}
	s->seen[0] = '\0';
}

static void server_free(struct server *s)
{
	server_reset_clients(s);
	event_free(s->acceptable);
	close(s->fd);
	free(s);
}

static void server_says(struct server *s, const char *text, enum after after)
{
	s->answer = text;
	s->size = text ? strlen(text) : 0;
	s->after = after;
}

/* --- the world --- */

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	signal(SIGPIPE, SIG_IGN);
	w->fds = open_fds();
	w->loop = event_base_new();
	assert_non_null(w->loop);
	assert_int_equal(quota_new(geteuid(), &w->quota), 0);
	assert_int_equal(health_new(w->loop, w->quota, &w->health), 0);
	w->server = server_new(w->loop, NULL, 0);
	*state = w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	health_free(w->health);
	assert_int_equal(quota_used_by_all(w->quota, QUOTA_HEALTH_CHECKS), 0);
	quota_free(w->quota);
	server_free(w->server);
	event_base_loop(w->loop, EVLOOP_NONBLOCK); /* libevent frees its sockets one turn later */
	event_base_free(w->loop);
	assert_int_equal(open_fds(), w->fds);
	free(w);
	return 0;
}

static struct health_target target_of(uint16_t port, enum health_scheme scheme)
{
	return (struct health_target){
		.family = AF_INET,
		.addr = { .bytes = { 127, 0, 0, 1 } },
		.port = port,
		.scheme = scheme,
		.host = "localhost",
		.path = "/health?a=b",
	};
}

static void on_done(const struct health_answer *a, void *user_data)
{
	struct outcome_of *o = user_data;

	o->answer = *a;
	o->calls++;
}

static struct health_check *start_for(struct world *w, uid_t uid,
				      const struct health_target *target, unsigned timeout_ms,
				      struct outcome_of *ret)
{
	struct health_check *c = NULL;

	*ret = (struct outcome_of){ 0 };
	assert_int_equal(
		health_check_start(w->health, target, uid, now_us(), timeout_ms, on_done, ret, &c),
		0);
	assert_int_equal(ret->calls, 0);
	return c;
}

/* For the daemon's own user, who may have all places. */
static struct health_check *start(struct world *w, const struct health_target *target,
				  unsigned timeout_ms, struct outcome_of *ret)
{
	return start_for(w, geteuid(), target, timeout_ms, ret);
}

static void wait_for(struct world *w, const unsigned *counter, unsigned n)
{
	static const struct timeval step = { .tv_usec = 20000 };
	uint64_t end = now_us() + WAIT_MS * 1000ULL;

	while (*counter < n) {
		assert_true(now_us() < end);
		event_base_loopexit(w->loop, &step);
		event_base_loop(w->loop, EVLOOP_ONCE);
	}
}

static struct health_answer check(struct world *w, enum health_scheme scheme, unsigned timeout_ms)
{
	struct health_target target = target_of(w->server->port, scheme);
	struct outcome_of o;

	start(w, &target, timeout_ms, &o);
	wait_for(w, &o.calls, 1);
	event_base_loop(w->loop, EVLOOP_NONBLOCK);
	assert_int_equal(o.calls, 1);
	assert_true(text_is_utf8(o.answer.details, strlen(o.answer.details)));
	assert_true(text_is_utf8(o.answer.reason, strlen(o.answer.reason)));
	return o.answer;
}

static void assert_result(const struct health_answer *a, enum health_result result)
{
	if (a->result != result)
		fail_msg("%s (%s), not %s", health_result_name(a->result), a->details,
			 health_result_name(result));
}

/* --- answers --- */

TEST_WITH(statuses_decide, struct world *w)
{
	static const struct {
		const char *head;
		int status;
		enum health_result result;
		const char *reason;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, HEALTH_OK, "OK" },
		{ "HTTP/1.0 204 No Content\r\n\r\n", 204, HEALTH_OK, "No Content" },
		{ "HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n", 301, HEALTH_OK, "Moved" },
		{ "HTTP/1.1 404 Not Found\r\n\r\n", 404, HEALTH_HTTP_ERROR, "Not Found" },
		{ "HTTP/1.1 503 Service Unavailable\r\n\r\n", 503, HEALTH_HTTP_ERROR,
		  "Service Unavailable" },
		{ "HTTP/1.1 200\r\n\r\n", 200, HEALTH_OK, "" },
		{ "HTTP/1.1 200 \x1b[31m\xff\r\n\r\n", 200, HEALTH_OK, NULL },
		{ "HTTP/1.1 103 Early Hints\r\n\r\n", 103, HEALTH_HTTP_ERROR, "Early Hints" },
		{ "HTTP/1.1 100 Continue\r\n\r\n", 100, HEALTH_HTTP_ERROR, "Continue" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct health_answer a;

		server_says(w->server, rows[i].head, CLOSE);
		a = check(w, HEALTH_HTTP, GENEROUS_MS);
		assert_result(&a, rows[i].result);
		assert_int_equal(a.http_status, rows[i].status);
		if (rows[i].reason)
			assert_string_equal(a.reason, rows[i].reason);
		assert_null(strchr(a.reason, '\x1b'));
	}
}

TEST_WITH(what_is_asked_names_host_and_agent_and_does_not_ask_to_close, struct world *w)
{
	char host[64];

	server_says(w->server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP_OPEN);
	check(w, HEALTH_HTTP, GENEROUS_MS);
	snprintf(host, sizeof(host), "\r\nHost: localhost:%u\r\n", w->server->port);
	assert_memory_equal(w->server->seen, "GET /health?a=b HTTP/1.1\r\n", 26);
	assert_non_null(strstr(w->server->seen, host));
	assert_non_null(strstr(w->server->seen, "\r\nUser-Agent: port-daddy\r\n"));
	assert_null(strcasestr(w->server->seen, "Connection:"));
}

TEST_WITH(a_body_that_does_not_end_is_not_waited_for, struct world *w)
{
	struct health_answer a;
	uint64_t began = now_us();

	server_says(w->server, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nx",
		    KEEP_OPEN);
	a = check(w, HEALTH_HTTP, GENEROUS_MS);
	assert_result(&a, HEALTH_OK);
	assert_true(now_us() - began < GENEROUS_MS * 1000ULL / 2);
}

TEST_WITH(what_goes_wrong_is_told_apart, struct world *w)
{
	static const struct {
		const char *answer;
		enum after after;
		enum health_result result;
		const char *words;
	} rows[] = {
		{ NULL, CLOSE, HEALTH_CLOSED, "without an answer" },
		{ NULL, RESET, HEALTH_RESET, "reset" },
		{ NULL, KEEP_OPEN, HEALTH_TIMEOUT, "no response for 300ms" },
		{ "HTTP/1.1 200 OK\r\nX: y", CLOSE, HEALTH_CLOSED, "in the middle" },
		{ "HTTP/1.1 200 OK\r\nX: y", KEEP_OPEN, HEALTH_TIMEOUT, "no response" },
		{ "HTTP/1.1 abc\r\n\r\n", KEEP_OPEN, HEALTH_NOT_HTTP, "malformed" },
		{ "HTTP/9.1 200 OK\r\n\r\n", KEEP_OPEN, HEALTH_NOT_HTTP, "malformed" },
		{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", KEEP_OPEN, HEALTH_NOT_HTTP, "malformed" },
		{ "220 mail ready\r\n", KEEP_OPEN, HEALTH_NOT_HTTP, "\"220 mail ready\"" },
		{ "J\x01\x02", KEEP_OPEN, HEALTH_NOT_HTTP, "\"J\\x01\\x02\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct health_answer a;

		server_says(w->server, rows[i].answer, rows[i].after);
		a = check(w, HEALTH_HTTP,
			  rows[i].result == HEALTH_TIMEOUT ? TIMEOUT_MS : GENEROUS_MS);
		assert_result(&a, rows[i].result);
		if (!strstr(a.details, rows[i].words))
			fail_msg("\"%s\" is not in: %s", rows[i].words, a.details);
	}
}

TEST_WITH(a_greeting_is_no_http_before_anything_was_asked, struct world *w)
{
	struct health_answer a;

	w->server->greets = true;
	server_says(w->server, "SSH-2.0-OpenSSH_9.2\r\n", KEEP_OPEN);
	a = check(w, HEALTH_HTTP, GENEROUS_MS);
	assert_result(&a, HEALTH_NOT_HTTP);
}

TEST_WITH(a_closed_port_is_refused_for_every_scheme, struct world *w)
{
	struct server *gone = server_new(w->loop, NULL, 0);
	uint16_t port = gone->port;

	server_free(gone);
	for (int scheme = HEALTH_TCP; scheme <= HEALTH_HTTPS; scheme++) {
		struct health_target target = target_of(port, (enum health_scheme)scheme);
		struct outcome_of o;

		start(w, &target, GENEROUS_MS, &o);
		wait_for(w, &o.calls, 1);
		assert_result(&o.answer, HEALTH_REFUSED);
		assert_memory_equal(o.answer.details, "nothing listens on 127.0.0.1:", 29);
	}
}

TEST_WITH(an_address_without_a_route_is_unreachable, struct world *w)
{
	for (int scheme = HEALTH_TCP; scheme <= HEALTH_HTTP; scheme++) {
		struct health_target target = target_of(80, (enum health_scheme)scheme);
		struct outcome_of o;

		/* a broadcast address takes no connections */
		memset(target.addr.bytes, 255, 4);
		start(w, &target, GENEROUS_MS, &o);
		wait_for(w, &o.calls, 1);
		assert_result(&o.answer, HEALTH_UNREACHABLE);
	}
}

TEST_WITH(tcp_asks_for_a_connection_only, struct world *w)
{
	struct health_answer a = check(w, HEALTH_TCP, GENEROUS_MS);

	assert_result(&a, HEALTH_OK);
	assert_int_equal(a.http_status, 0);
	wait_for(w, &w->server->ended, 1);
	assert_string_equal(w->server->seen, "");
}

/* --- TLS --- */

TEST_WITH(an_alert_of_tls_is_followed_once_and_the_first_answer_stands, struct world *w)
{
	static const char alert[] = "\x15\x03\x01\x00\x02\x02\x46";
	struct health_answer a;

	w->server->answer = alert;
	w->server->size = sizeof(alert) - 1;
	w->server->after = KEEP_OPEN;
	a = check(w, HEALTH_HTTP, GENEROUS_MS);
	assert_result(&a, HEALTH_NOT_HTTP);
	assert_string_equal(a.details, "it speaks TLS");
	assert_int_equal(w->server->accepted, 2);
}

TEST_WITH(other_bytes_are_not_asked_over_tls, struct world *w)
{
	server_says(w->server, "220 mail ready\r\n", CLOSE);
	check(w, HEALTH_HTTP, GENEROUS_MS);
	assert_int_equal(w->server->accepted, 1);
}

TEST_WITH(a_server_that_speaks_no_tls_fails_as_that, struct world *w)
{
	struct health_answer a;

	server_says(w->server, "HTTP/1.1 400 Bad Request\r\n\r\n", CLOSE);
	a = check(w, HEALTH_HTTPS, GENEROUS_MS);
	assert_result(&a, HEALTH_TLS_FAILED);
	server_says(w->server, NULL, CLOSE);
	a = check(w, HEALTH_HTTPS, GENEROUS_MS);
	assert_result(&a, HEALTH_TLS_FAILED);
	server_says(w->server, NULL, KEEP_OPEN);
	a = check(w, HEALTH_HTTPS, TIMEOUT_MS);
	assert_result(&a, HEALTH_TIMEOUT);
}

/* kB of OpenSSL that are in memory. */
static unsigned resident_of_openssl(void)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned total = 0, kb;
	bool ours = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (strchr(line, '/'))
			ours = strstr(line, "/libcrypto.so");
		else if (strchr("0123456789abcdef", *line))
			ours = false;
		if (ours && sscanf(line, "Rss: %u kB", &kb) == 1)
			total += kb;
	}
	fclose(maps);
	return total;
}

TEST_WITH(what_tls_took_is_given_back_behind_the_last_check_and_the_next_one_has_it,
	  struct world *w)
{
	struct health_target target = target_of(w->server->port, HEALTH_TCP);
	struct health_check *running;
	struct health_answer a;
	struct outcome_of o;
	unsigned used;

	server_says(w->server, "HTTP/1.1 400 Bad Request\r\n\r\n", CLOSE);
	a = check(w, HEALTH_HTTPS, GENEROUS_MS);
	used = resident_of_openssl();
	running = start(w, &target, GENEROUS_MS, &o);
	health_give_back(w->health);
	assert_true(resident_of_openssl() >= used);
	health_check_cancel(running);
	health_give_back(w->health);
	assert_true(resident_of_openssl() < used / 2);
	a = check(w, HEALTH_HTTPS, GENEROUS_MS);
	assert_result(&a, HEALTH_TLS_FAILED);
}

/* --- many --- */

TEST_WITH(a_cancelled_check_calls_nobody, struct world *w)
{
	for (int scheme = HEALTH_TCP; scheme <= HEALTH_HTTPS; scheme++) {
		struct health_target target = target_of(w->server->port,
							(enum health_scheme)scheme);
		struct outcome_of cancelled, other;

		health_check_cancel(start(w, &target, GENEROUS_MS, &cancelled));
		target.scheme = HEALTH_TCP;
		start(w, &target, GENEROUS_MS, &other);
		wait_for(w, &other.calls, 1);
		assert_int_equal(cancelled.calls, 0);
	}
}

/* As of a process that may open few files; how many checks it does at once. */
static size_t divide_few_descriptors(struct world *w)
{
	size_t places;

	quota_divide_descriptors(w->quota, 100);
	places = quota_limit_of(w->quota, QUOTA_HEALTH_RUNNING)->machine;
	assert_in_range(places, 16, 36);
	return places;
}

TEST_WITH(checks_that_wait_for_a_place_end_with_their_deadline, struct world *w)
{
	enum { N = 40 };
	struct health_target target = target_of(w->server->port, HEALTH_HTTP);
	struct outcome_of outcomes[N];
	size_t places = divide_few_descriptors(w);
	uint64_t began;
	unsigned waited = 0;

	began = now_us();
	/* those that have a place keep it until the others' deadline is long over */
	for (size_t i = 0; i < N; i++)
		start(w, &target, i < places ? 4 * TIMEOUT_MS : TIMEOUT_MS, &outcomes[i]);
	for (size_t i = 0; i < N; i++)
		wait_for(w, &outcomes[i].calls, 1);
	assert_true(now_us() - began >= TIMEOUT_MS * 1000);
	for (size_t i = 0; i < N; i++) {
		if (outcomes[i].answer.result != HEALTH_NOT_TRIED)
			assert_result(&outcomes[i].answer, HEALTH_TIMEOUT);
		waited += strstr(outcomes[i].answer.details, "not tried") != NULL;
		assert_int_equal(outcomes[i].answer.result == HEALTH_NOT_TRIED,
				 strstr(outcomes[i].answer.details, "not tried") != NULL);
	}
	assert_int_equal(waited, N - places);
}

TEST_WITH(a_place_that_becomes_free_is_taken, struct world *w)
{
	enum { N = 60 };
	struct health_target target = target_of(w->server->port, HEALTH_HTTP);
	struct outcome_of outcomes[N];

	divide_few_descriptors(w);
	server_says(w->server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP_OPEN);
	for (size_t i = 0; i < N; i++)
		start(w, &target, GENEROUS_MS, &outcomes[i]);
	for (size_t i = 0; i < N; i++) {
		wait_for(w, &outcomes[i].calls, 1);
		assert_result(&outcomes[i].answer, HEALTH_OK);
	}
}

/* Silent services of one user take all places that a user may have, and many more wait for one. */
TEST_WITH(one_who_checks_many_silent_services_leaves_others_their_turn, struct world *w)
{
	enum { N = 60, ANNE = 1000, BERT = 1001, CARL = 1002, OTHERS = 4 };
	struct server *silent = server_new(w->loop, NULL, 0);
	struct health_target silence = target_of(silent->port, HEALTH_HTTP);
	struct health_target target = target_of(w->server->port, HEALTH_HTTP);
	struct outcome_of anne[N], bert[N], carl[OTHERS];

	divide_few_descriptors(w);
	server_says(w->server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP_OPEN);
	for (size_t i = 0; i < N; i++) {
		start_for(w, ANNE, &silence, GENEROUS_MS, &anne[i]);
		start_for(w, BERT, &silence, GENEROUS_MS, &bert[i]);
	}
	for (size_t i = 0; i < OTHERS; i++)
		start_for(w, CARL, &target, GENEROUS_MS, &carl[i]);
	for (size_t i = 0; i < OTHERS; i++) {
		wait_for(w, &carl[i].calls, 1);
		assert_result(&carl[i].answer, HEALTH_OK);
	}
	for (size_t i = 0; i < N; i++)
		assert_int_equal(anne[i].calls + bert[i].calls, 0);
	/* what runs and what waits is cancelled */
	health_free(w->health);
	assert_int_equal(health_new(w->loop, w->quota, &w->health), 0);
	server_free(silent);
}

TEST_WITH(a_user_has_a_bounded_number_of_checks, struct world *w)
{
	const struct quota_limit *limit = quota_limit(QUOTA_HEALTH_CHECKS);
	struct health_target target = target_of(w->server->port, HEALTH_HTTP);
	struct outcome_of o = { 0 };
	struct health_check *c;

	for (uint64_t i = 0; i < limit->per_user; i++)
		assert_int_equal(quota_charge(w->quota, 1000, QUOTA_HEALTH_CHECKS, 1), 0);
	assert_int_equal(health_check_start(w->health, &target, 1000, now_us(), GENEROUS_MS,
					    on_done, &o, &c),
			 QUOTA_OVER_USER);
	assert_int_equal(quota_used(w->quota, 1000, QUOTA_HEALTH_CHECKS), limit->per_user);
	quota_give_back(w->quota, 1000, QUOTA_HEALTH_CHECKS, limit->per_user);
}

TEST_WITH(a_deadline_that_has_passed_is_no_result_of_the_service, struct world *w)
{
	struct health_target target = target_of(w->server->port, HEALTH_HTTP);
	struct health_check *c;
	struct outcome_of o = { 0 };

	assert_int_equal(health_check_start(w->health, &target, 1000, now_us() - 2000000, 1000,
					    on_done, &o, &c),
			 0);
	wait_for(w, &o.calls, 1);
	assert_result(&o.answer, HEALTH_NOT_TRIED);
	assert_string_equal(o.answer.details, "not tried within 1s");
}

/* --- anything at all --- */

TEST_WITH(any_bytes_end_in_one_answer, struct world *w)
{
	static const char *const pieces[] = {
		"HTTP/1.1 ",
		"HTTP/1.0 200",
		"200 OK",
		"\r\n",
		"\n",
		":",
		"Content-Length: ",
		"99999999999999999999",
		"-1",
		"Transfer-Encoding: chunked\r\n",
		"\r\n\r\n",
		"0\r\n",
		"ffffffffffffffff\r\n",
		"\x15\x03",
		"X: y\r\n",
		"\xff\xfe",
		"100 Continue\r\n\r\n",
		" ",
	};
	struct random_source r = random_start(__func__);

	for (int i = 0; i < RANDOM_CASES; i++) {
		char text[512] = "";

		for (size_t n = random_below(&r, 12); n; n--)
			strcat(text, pieces[random_below(&r, ARRAY_SIZE(pieces))]);
		server_says(w->server, text, random_below(&r, 8) ? CLOSE : RESET);
		w->server->greets = random_below(&r, 4) == 0;
		check(w, random_below(&r, 10) ? HEALTH_HTTP : HEALTH_HTTPS, 1000);
		server_reset_clients(w->server);
	}
}

EACH_TEST_MAIN(world_open, world_close)
