/* SPDX-License-Identifier: MIT */
/* The transport alone: routes, a batch and its commit that know nothing but this test. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/build.h"
#include "base/identity.h"
#include "base/quota.h"
#include "http/commit.h"
#include "http/lines.h"
#include "http/metrics.h"
#include "http/request.h"
#include "http/server.h"
#include "testing.h"
#include "unit/sockets.h"

#define TEXT_SIZE (64 * 1024)

/* What the handlers below work with. */
struct api {
	struct event_base *loop;
	struct quota *quota;
	struct server *server;
	char path[96];
	bool open; /* a batch is */
	int fails; /* what its commit returns */
	int commits, steps, gave_back;
	int taken;    /* -1 = not told */
	bool is_slow; /* the disk is: each sync waits for a byte of it */
	_Atomic bool sync_due;
	int disk[2];
	int sync_fails; /* what a sync returns */
	struct lines *lines;
};

struct params {
	const char *id;
	uint16_t port;
	int64_t n;
};

static int on_look(struct request *r)
{
	const struct params *p = r->params;

	json_add_text(r->answer, "id", p->id);
	json_add_known(r->answer, "port", p->port);
	json_add_int(r->answer, "n", p->n);
	return 0;
}

static void on_delivered(bool taken, void *user_data)
{
	((struct api *)user_data)->taken = taken;
}

static int on_write(struct request *r)
{
	const struct params *p = r->params;
	int fault = request_begin_write(r);

	json_add_text(r->answer, "id", p->id);
	r->delivered = on_delivered;
	r->delivered_data = r->api;
	return fault;
}

static int on_fail(struct request *r)
{
	return -EBUSY;
}

static void on_step(void *user_data)
{
	struct api *api = user_data;
	struct json_object *line = json_object_new_object();

	json_add_int(line, "step", ++api->steps);
	lines_put(api->lines, line);
	json_object_put(line);
	if (api->steps < 3)
		lines_continue(api->lines);
	else
		lines_finish(api->lines);
}

static int on_lines(struct request *r)
{
	static const struct lines_calls calls = { .step = on_step };
	int fault = lines_begin(r, &calls, r->api, &r->api->lines);

	if (!fault)
		lines_continue(r->api->lines);
	return fault;
}

static const struct route look = {
	.path = "/look",
	.handle = on_look,
	.params = { PARAM_ID("id", struct params, id), PARAM_PORT("port", struct params, port),
		    PARAM_NUMBER("n", struct params, n, .min = 1, .max = 9, .otherwise = 4) },
	.params_size = sizeof(struct params),
};
static const struct route writing = {
	.method = ROUTE_POST,
	.path = "/write",
	.handle = on_write,
	.params = { PARAM_ID("id", struct params, id, .missing = "; write one like a:b") },
	.params_size = sizeof(struct params),
};
static const struct route failing = { .path = "/fail", .handle = on_fail };
static const struct route going_on = { .path = "/lines", .handle = on_lines };
static const struct route *const routes[] = { &look, &writing, &failing, &going_on, NULL };

/* --- the owner --- */

static int handle(struct request *r)
{
	return r->route->handle(r);
}

static int begin(struct api *api)
{
	api->open = true;
	return 0;
}

static bool is_open(struct api *api)
{
	return api->open;
}

static int commit(struct api *api)
{
	api->commits += api->open;
	api->sync_due = api->open && api->is_slow;
	api->open = false;
	return api->fails;
}

static bool needs_sync(struct api *api)
{
	return api->sync_due;
}

/* Another thread: as long as the test holds it. */
static int sync_committed(struct api *api)
{
	char byte;

	api->sync_due = false;
	return read(api->disk[0], &byte, 1) == 1 ? api->sync_fails : -EIO;
}

static void give_back(struct api *api)
{
	api->gave_back++;
}

static const char *words(struct api *api, int error)
{
	return error == -EBUSY ? "busy, says the owner" : "the disk, says the owner";
}

static bool words_are_whole(struct api *api, int error)
{
	return error == -EIO;
}

static uint64_t database_us(struct api *api)
{
	return 0;
}

static const struct server_calls calls = {
	.handle = handle,
	.begin = begin,
	.is_open = is_open,
	.commit = commit,
	.needs_sync = needs_sync,
	.sync = sync_committed,
	.give_back = give_back,
	.words = words,
	.words_are_whole = words_are_whole,
	.database_us = database_us,
};

static int open_server(void **state)
{
	struct api *api = calloc(1, sizeof(*api));
	struct server_config config = { .routes = routes, .calls = &calls, .api = api };

	assert_non_null(api);
	api->taken = -1;
	assert_int_equal(pipe2(api->disk, O_CLOEXEC), 0);
	snprintf(api->path, sizeof(api->path), "/tmp/pd-http-%d.sock", getpid());
	unlink(api->path);
	api->loop = event_base_new();
	assert_non_null(api->loop);
	assert_int_equal(event_base_priority_init(api->loop, 3), 0);
	assert_int_equal(quota_new(geteuid(), &api->quota), 0);
	config.loop = api->loop;
	config.quota = api->quota;
	assert_int_equal(server_new(&config, &api->server), 0);
	assert_int_equal(server_listen(api->server, bound_unix_socket(SOCK_STREAM, api->path)), 0);
	*state = api;
	return 0;
}

static int close_server(void **state)
{
	struct api *api = *state;

	/* a sync that still waits ends with an error */
	close(api->disk[1]);
	server_stop(api->server);
	server_free(api->server);
	quota_free(api->quota);
	event_base_free(api->loop);
	close(api->disk[0]);
	unlink(api->path);
	free(api);
	return 0;
}

static void turn(struct api *api)
{
	event_base_loop(api->loop, EVLOOP_NONBLOCK);
}

/* --- a client --- */

static int send_text(struct api *api, const char *text)
{
	int fd = connect_unix(api->path);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	return fd;
}

/* Takes what has arrived; is that all that will ever come? */
static bool has_ended(int fd, char text[static TEXT_SIZE], size_t *used)
{
	ssize_t n = recv(fd, text + *used, TEXT_SIZE - 1 - *used, 0);

	*used += n > 0 ? (size_t)n : 0;
	return !n || (n < 0 && errno != EAGAIN);
}

/* Turns the loop until the server has ended the connection; what it said. */
static const char *read_all(struct api *api, int fd)
{
	static char text[TEXT_SIZE];
	size_t used = 0;

	AWAIT(has_ended(fd, text, &used), turn(api));
	text[used] = '\0';
	close(fd);
	return text;
}

static const char *ask(struct api *api, const char *text)
{
	return read_all(api, send_text(api, text));
}

static const char *post(struct api *api, const char *path, const char *body)
{
	char text[512];

	snprintf(text, sizeof(text), "POST %s HTTP/1.0\r\nContent-Length: %zu\r\n\r\n%s", path,
		 strlen(body), body);
	return ask(api, text);
}

/* Both stand in it. */
static void assert_answer(const char *answer, const char *status, const char *words)
{
	if (!strstr(answer, status) || !strstr(answer, words))
		fail_msg("no \"%s\", or no \"%s\": %s", status, words, answer);
}

/* --- tests --- */

TEST_WITH(a_query_is_read_into_the_handlers_struct, struct api *api)
{
	assert_answer(ask(api, "GET /look?id=a:b&port=3000 HTTP/1.0\r\n\r\n"), " 200 ",
		      "{\"ok\":true,\"version\":1,\"id\":\"a:b\",\"port\":3000,\"n\":4}");
}

TEST_WITH(a_query_that_no_row_reads_is_refused, struct api *api)
{
	static const struct {
		const char *query, *says;
	} cases[] = {
		{ "x=1", "unknown parameter \\\"x\\\"; /look takes: id, port, n" },
		{ "id=a&id=b", "parameter id is given twice" },
		{ "id=", "parameter id has no value; write id=…" },
		{ "id=a%00b", "parameter id is not text: it has a NUL byte or malformed UTF-8" },
		{ "port=0", "port \\\"0\\\" is not a port" },
		{ "n=10", "n \\\"10\\\" is not a number from 1 to 9" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[128];

		snprintf(text, sizeof(text), "GET /look?%s HTTP/1.0\r\n\r\n", cases[i].query);
		assert_answer(ask(api, text), " 400 ", cases[i].says);
	}
}

TEST_WITH(names_that_another_builds_pd_knows_are_left_out_and_said, struct api *api)
{
	char text[256], own[BUILD_PRODUCT_SIZE];
	const char *answer = ask(api, "GET /look?id=a:b&new=1&port=3000 HTTP/1.0\r\n"
				      "User-Agent: pd/9.9.9 (fedcba9; 99)\r\n\r\n");

	assert_answer(answer, " 200 ", "Port-Daddy-Ignored: new\r\n");
	assert_non_null(strstr(answer, "\"id\":\"a:b\",\"port\":3000"));
	answer = ask(api, "POST /write HTTP/1.0\r\nUser-Agent: pd/9.9.9\r\n"
			  "Content-Length: 22\r\n\r\n{\"new\":[1],\"id\":\"a:b\"}");
	assert_answer(answer, " 200 ", "Port-Daddy-Ignored: new\r\n");
	/* whoever types by hand, or is of this build, has mistyped it */
	answer = ask(api, "GET /look?new=1 HTTP/1.0\r\nUser-Agent: curl/8.5.0\r\n\r\n");
	assert_non_null(strstr(answer, " 400 "));
	snprintf(text, sizeof(text), "GET /look?new=1 HTTP/1.0\r\nUser-Agent: %s\r\n\r\n",
		 build_product(BUILD_PROGRAM_PD, own));
	assert_non_null(strstr(ask(api, text), " 400 "));
	/* what it wrote wrongly is refused all the same */
	answer = ask(api, "GET /look?new=1&port=x HTTP/1.0\r\nUser-Agent: pd/9.9.9\r\n\r\n");
	assert_non_null(strstr(answer, " 400 "));
}

TEST_WITH(every_answer_tells_the_daemons_build, struct api *api)
{
	char own[BUILD_PRODUCT_SIZE], line[BUILD_PRODUCT_SIZE + 16];

	snprintf(line, sizeof(line), "Server: %s\r\n", build_product(BUILD_PROGRAM_DAEMON, own));
	assert_non_null(strstr(ask(api, "GET /look HTTP/1.0\r\n\r\n"), line));
	assert_non_null(strstr(ask(api, "GET /nowhere HTTP/1.0\r\n\r\n"), line));
	assert_non_null(strstr(ask(api, "GET /lines HTTP/1.0\r\n\r\n"), line));
}

TEST_WITH(what_is_no_route_or_method_is_said, struct api *api)
{
	assert_answer(ask(api, "GET /nowhere HTTP/1.0\r\n\r\n"), " 404 ",
		      "there is no /nowhere here");
	assert_answer(ask(api, "GET /write HTTP/1.0\r\n\r\n"), " 405 ", "Allow: POST\r\n");
}

TEST_WITH(an_answer_to_a_write_comes_with_its_commit_and_is_seen_taken, struct api *api)
{
	assert_answer(post(api, "/write", "{\"id\":\"a:b\"}"), " 200 ", "\"id\":\"a:b\"");
	assert_int_equal(api->commits, 1);
	AWAIT(api->taken >= 0, turn(api));
	assert_int_equal(api->taken, 1);
}

TEST_WITH(a_commit_that_fails_is_the_answer_in_the_owners_words, struct api *api)
{
	api->fails = -EIO;
	assert_answer(post(api, "/write", "{\"id\":\"a:b\"}"), " 500 ",
		      "nothing was changed: the disk, says the owner");
	assert_int_equal(api->taken, 1); /* nothing was given */
	api->fails = 0;
}

TEST_WITH(a_client_that_leaves_before_its_answer_has_not_taken_it, struct api *api)
{
	close(send_text(api, "POST /write HTTP/1.0\r\nContent-Length: 12\r\n\r\n{\"id\":\"a:b\"}"));
	AWAIT(api->taken >= 0, turn(api));
	assert_int_equal(api->commits, 1);
	assert_int_equal(api->taken, 0);
}

/* --- a disk that takes its time --- */

static void let_the_disk_sync(struct api *api)
{
	assert_int_equal(write(api->disk[1], "", 1), 1);
}

static void expect_nothing_yet(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_PEEK), -1);
	assert_int_equal(errno, EAGAIN);
}

/* Sends a write, and turns the loop until its commit is made. */
static int write_and_commit(struct api *api)
{
	int commits = api->commits;
	int fd = send_text(api,
			   "POST /write HTTP/1.0\r\nContent-Length: 12\r\n\r\n{\"id\":\"a:b\"}");

	AWAIT(api->commits != commits, turn(api));
	assert_int_equal(api->commits, commits + 1);
	return fd;
}

TEST_WITH(others_are_answered_while_the_disk_is_waited_for, struct api *api)
{
	int first, second;

	api->is_slow = true;
	first = write_and_commit(api);
	second = write_and_commit(api);
	assert_non_null(strstr(ask(api, "GET /look?id=a:b HTTP/1.0\r\n\r\n"), " 200 "));
	expect_nothing_yet(first);
	let_the_disk_sync(api);
	assert_non_null(strstr(read_all(api, first), " 200 "));
	/* committed behind the begin of that sync: the next one is theirs */
	expect_nothing_yet(second);
	let_the_disk_sync(api);
	assert_non_null(strstr(read_all(api, second), " 200 "));
}

TEST_WITH(what_the_disk_did_not_take_is_said, struct api *api)
{
	int fd;

	api->is_slow = true;
	api->sync_fails = -EIO;
	fd = write_and_commit(api);
	let_the_disk_sync(api);
	assert_non_null(strstr(read_all(api, fd), "done, but a power cut may take it back: the "
						  "disk, says the owner"));
}

TEST_WITH(a_client_that_leaves_while_the_disk_is_waited_for_has_not_taken_it, struct api *api)
{
	api->is_slow = true;
	close(write_and_commit(api));
	for (int i = 0; i < 10; i++)
		event_base_loop(api->loop, EVLOOP_NONBLOCK);
	assert_int_equal(api->taken, -1);
	let_the_disk_sync(api);
	AWAIT(api->taken >= 0, turn(api));
	assert_int_equal(api->taken, 0);
}

TEST_WITH(the_end_waits_for_the_disk, struct api *api)
{
	int fd;

	api->is_slow = true;
	fd = write_and_commit(api);
	let_the_disk_sync(api);
	server_stop(api->server);
	assert_non_null(strstr(read_all(api, fd), " 200 "));
}

TEST_WITH(a_body_without_what_it_needs_never_reaches_its_handler, struct api *api)
{
	assert_non_null(
		strstr(post(api, "/write", "{}"), "\\\"id\\\" is missing; write one like a:b"));
	assert_non_null(strstr(post(api, "/write", "[]"),
			       "the body is not a JSON object; write {\\\"id\\\": …}"));
	assert_non_null(strstr(post(api, "/write", "{\"i\":1}"),
			       "unknown member \\\"i\\\"; /write takes: id"));
	assert_int_equal(api->commits, 0);
}

TEST_WITH(a_failure_that_nobody_described_is_told_and_counted, struct api *api)
{
	const struct metrics *m = server_metrics(api->server);

	assert_answer(ask(api, "GET /fail HTTP/1.0\r\n\r\n"), " 500 ",
		      "the daemon failed at /fail: Device or resource busy");
	assert_int_equal(m->errors, 1);
	assert_ptr_equal(m->rows[2].route, &failing);
	assert_int_equal(m->rows[2].answers[OUTCOME_FAILED], 1);
}

TEST_WITH(lines_go_on_in_steps_until_they_are_finished, struct api *api)
{
	assert_answer(ask(api, "GET /lines HTTP/1.0\r\n\r\n"), "Content-Type: application/x-ndjson",
		      "\r\n\r\n{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
}

static char order[8];

static void note_call(int error, void *user_data)
{
	assert_int_equal(error, 0);
	strncat(order, user_data, sizeof(order) - strlen(order) - 1);
}

static int pending_events(struct api *api)
{
	return event_base_get_num_events(api->loop, EVENT_BASE_COUNT_ADDED);
}

TEST_WITH(memory_is_given_back_once_behind_any_amount_of_work, struct api *api)
{
	int idle = pending_events(api);

	for (int i = 0; i < 20; i++)
		ask(api, "GET /look?id=a:b HTTP/1.0\r\n\r\n");
	AWAIT(api->gave_back, event_base_loop(api->loop, EVLOOP_ONCE));
	assert_int_equal(api->gave_back, 1);
	assert_int_equal(pending_events(api), idle); /* nothing wakes it up any more */
}

TEST_WITH(calls_are_made_in_their_order_behind_the_commit, struct api *api)
{
	struct commit_queue *q = server_commits(api->server);
	char a[] = "a", b[] = "b";

	order[0] = '\0';
	assert_int_equal(commit_stage_call(q, note_call, a), 0);
	assert_int_equal(commit_stage_call(q, note_call, b), 0);
	assert_string_equal(order, "");
	event_base_loop(api->loop, EVLOOP_NONBLOCK);
	assert_string_equal(order, "ab");
}

EACH_TEST_MAIN(open_server, close_server)
