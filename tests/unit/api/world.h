/* SPDX-License-Identifier: MIT */
/*
 * A daemon's rooms around an api, in this process: a real registry in a directory of its own, a
 * real inventory over /proc, a sentinel that polls.  The loop is turned by the tests; clients are
 * raw sockets, so that what goes over the wire is what the test wrote.
 */
#ifndef TESTS_API_WORLD_H
#define TESTS_API_WORLD_H

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "testing.h"
#include "tracker/tracker.h"
#include "unit/home.h"
#include "unit/sockets.h"

#define DEADLINE_MS 20000 /* generous: sanitizers, emulated machines */
#define OTHER_UID   65534

struct world {
	struct event_base *loop;
	struct registry *registry;
	struct inventory *inventory;
	struct sentinel *sentinel;
	struct tracker *tracker;
	struct api *api;
	char dir[DIRECTORY_SIZE], database[HOME_PATH_SIZE], socket[HOME_PATH_SIZE];
	unsigned request_timeout_ms; /* of the api that is opened next; 0 = as usual */
	struct answer *answers;	     /* all that it gave; they end with it */
};

struct client {
	int fd;
	size_t n, size;
	char *text; /* received so far, NUL-terminated */
	bool ended;
};

struct answer {
	int status;
	char *head;
	struct json_object *body; /* NULL when it is not JSON */
	struct answer *next;
};

static inline int64_t now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* --- the world --- */

/* The table is filled by hand: no event comes by itself. */
static inline int world_dispatch(void *user_data, const struct sentinel_slice *slice,
				 sentinel_handler handler, void *handler_data, bool *ret_resync)
{
	return 0;
}

static inline struct sentinel_counters world_counters(void *user_data)
{
	return (struct sentinel_counters){ 0 };
}

/* Entries in the activity, those of an open batch included. */
static inline int64_t world_count_entries(struct world *w)
{
	int64_t n;

	assert_int_equal(registry_count_activity_since(w->registry, 0, &n), 0);
	return n;
}

static inline int world_listen(struct world *w)
{
	int fd = bound_unix_socket(SOCK_STREAM, w->socket);

	assert_int_equal(chmod(w->socket, 0666), 0);
	assert_int_equal(listen(fd, 128), 0);
	return fd;
}

static inline void world_resync(struct world *w)
{
	assert_int_equal(inventory_resync(w->inventory, time(NULL), NULL, NULL), 0);
}

static inline void world_open_tracker(struct world *w)
{
	const struct tracker_config config = {
		.loop = w->loop,
		.source = { .fd = -1,
			    .dispatch = world_dispatch,
			    .counters = world_counters,
			    .report = sentinel_report(w->sentinel) },
		.inventory = w->inventory,
		.registry = w->registry,
	};

	assert_int_equal(tracker_new(&config, &w->tracker), 0);
}

static inline void world_open_api(struct world *w)
{
	struct api_config config = {
		.loop = w->loop,
		.registry = w->registry,
		.inventory = w->inventory,
		.sentinel = w->sentinel,
		.database_path = w->database,
		.started_at = time(NULL),
		.request_timeout_ms = w->request_timeout_ms,
		.tracker = w->tracker,
	};

	assert_int_equal(api_new(&config, world_listen(w), &w->api), 0);
}

static inline int world_open(void **state)
{
	static const struct kernel_source proc_only;
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->registry = home_open(w->dir, w->database);
	assert_int_equal(chmod(w->dir, 0755), 0); /* other users connect as well */
	snprintf(w->socket, sizeof(w->socket), "%s/pd.sock", w->dir);
	w->loop = event_base_new();
	assert_non_null(w->loop);
	assert_int_equal(event_base_priority_init(w->loop, 3), 0);
	assert_int_equal(inventory_new(&proc_only, &w->inventory), 0);
	assert_int_equal(sentinel_new(SENTINEL_TRACE_NONE, &w->sentinel), 0);
	world_resync(w);
	world_open_tracker(w);
	world_open_api(w);
	*state = w;
	return 0;
}

static inline void answers_free(struct answer *a)
{
	while (a) {
		struct answer *next = a->next;

		free(a->head);
		json_object_put(a->body);
		free(a);
		a = next;
	}
}

static inline int world_close(void **state)
{
	struct world *w = *state;

	api_free(w->api);
	tracker_free(w->tracker);
	sentinel_free(w->sentinel);
	inventory_free(w->inventory);
	registry_close(w->registry);
	event_base_free(w->loop);
	directory_remove(w->dir);
	answers_free(w->answers);
	free(w);
	return 0;
}

static inline void world_turn(struct world *w)
{
	event_base_loop(w->loop, EVLOOP_NONBLOCK);
}

/* Turns the loop until it is so. */
#define world_wait(w, condition) AWAIT(condition, world_turn(w))

/* The next daemon, on the same socket. */
static inline void world_restart_api(struct world *w)
{
	api_free(w->api);
	unlink(w->socket);
	world_open_api(w);
}

/* --- clients --- */

/* For good, in a child. */
static inline bool become_user(uid_t uid)
{
	return !setresgid(uid, uid, uid) && !setresuid(uid, uid, uid);
}

static inline struct client client_new(struct world *w)
{
	struct client c = { .fd = connect_unix(w->socket) };

	assert_true(c.fd >= 0);
	assert_int_equal(fcntl(c.fd, F_SETFL, O_NONBLOCK), 0);
	c.size = 4096;
	c.text = calloc(1, c.size);
	assert_non_null(c.text);
	return c;
}

static inline void client_free(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->text);
	*c = (struct client){ .fd = -1 };
}

/* Takes what has arrived; never waits. */
static inline void client_read(struct client *c)
{
	while (!c->ended) {
		ssize_t n;

		if (c->size - c->n < 4096) {
			c->size *= 2;
			c->text = realloc(c->text, c->size);
			assert_non_null(c->text);
		}
		n = recv(c->fd, c->text + c->n, c->size - c->n - 1, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			c->ended = true;
			return;
		}
		c->n += n;
		c->text[c->n] = 0;
	}
}

/* Writes all of it, turning the loop as needed; false when the server has ended the connection. */
static inline bool client_write(struct world *w, struct client *c, const void *bytes, size_t size)
{
	const char *at = bytes;
	int64_t deadline = now_ms() + DEADLINE_MS;

	while (size) {
		ssize_t n = send(c->fd, at, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			at += n;
			size -= n;
		}
		world_turn(w);
		assert_true(now_ms() < deadline);
	}
	return true;
}

static inline void client_say(struct world *w, struct client *c, const char *text)
{
	assert_true(client_write(w, c, text, strlen(text)));
}

/* One step of waiting: the loop turns, then what came is read. */
static inline void client_step(struct world *w, struct client *c, int64_t deadline)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	if (now_ms() >= deadline)
		fail_msg("no answer in time; so far: %.200s", c->text);
	world_turn(w);
	poll(&p, 1, 1);
	client_read(c);
}

static inline void client_wait_end(struct world *w, struct client *c)
{
	int64_t deadline = now_ms() + DEADLINE_MS;

	while (!c->ended)
		client_step(w, c, deadline);
}

static inline void client_wait_text(struct world *w, struct client *c, const char *text)
{
	int64_t deadline = now_ms() + DEADLINE_MS;

	while (!strstr(c->text, text)) {
		if (c->ended)
			fail_msg("ended before \"%s\" came; so far: %.400s", text, c->text);
		client_step(w, c, deadline);
	}
}

/* Bytes of the first whole answer in the text; 0 when it is not complete. */
static inline size_t answer_size(const struct client *c)
{
	const char *end = strstr(c->text, "\r\n\r\n"), *length;
	size_t size;

	if (!end)
		return 0;
	length = strcasestr(c->text, "\r\nContent-Length:");
	if (!length || length > end)
		return c->ended ? c->n : 0;
	size = (end + 4 - c->text) + strtoul(length + 17, NULL, 10);
	return size <= c->n ? size : 0;
}

static inline struct answer *answer_new(struct world *w)
{
	struct answer *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->next = w->answers;
	w->answers = a;
	return a;
}

/* Waits for one answer and takes it off the client's text. */
static inline const struct answer *client_answer(struct world *w, struct client *c)
{
	int64_t deadline = now_ms() + DEADLINE_MS;
	struct answer *a = answer_new(w);
	size_t size, head;

	while (!(size = answer_size(c))) {
		if (c->ended)
			fail_msg("the connection ended without an answer: %.200s", c->text);
		client_step(w, c, deadline);
	}
	head = strstr(c->text, "\r\n\r\n") + 4 - c->text;
	a->head = strndup(c->text, head);
	assert_int_equal(sscanf(c->text, "HTTP/1.%*d %d", &a->status), 1);
	if (size > head) {
		char *body = strndup(c->text + head, size - head);

		a->body = json_tokener_parse(body);
		free(body);
	}
	memmove(c->text, c->text + size, c->n - size + 1);
	c->n -= size;
	return a;
}

#define _cleanup_client_ _cleanup_(client_free)

static inline void client_post(struct world *w, struct client *c, const char *path,
			       const char *body)
{
	char *text;

	assert_true(asprintf(&text, "POST %s HTTP/1.1\r\nHost: pd\r\nContent-Length: %zu\r\n\r\n%s",
			     path, strlen(body), body) > 0);
	client_say(w, c, text);
	free(text);
}

static inline void client_get(struct world *w, struct client *c, const char *path)
{
	char *text;

	assert_true(asprintf(&text, "GET %s HTTP/1.1\r\nHost: pd\r\n\r\n", path) > 0);
	client_say(w, c, text);
	free(text);
}

/* One request on a connection of its own. */
static inline const struct answer *ask_get(struct world *w, const char *path)
{
	_cleanup_client_ struct client c = client_new(w);

	client_get(w, &c, path);
	return client_answer(w, &c);
}

static inline const struct answer *ask_post(struct world *w, const char *path, const char *body)
{
	_cleanup_client_ struct client c = client_new(w);

	client_post(w, &c, path, body);
	return client_answer(w, &c);
}

/* GET of a path that is put together. */
__attribute__((format(printf, 2, 3))) static inline const struct answer *get(struct world *w,
									     const char *format,
									     ...)
{
	char path[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return ask_get(w, path);
}

/* The same of a table that is read first. */
#define get_anew(w, ...) (world_resync(w), get(w, __VA_ARGS__))

/* POST of a body that is put together. */
__attribute__((format(printf, 3, 4))) static inline const struct answer *post(struct world *w,
									      const char *path,
									      const char *format,
									      ...)
{
	char body[4400]; /* a path is in it at most */
	va_list args;

	va_start(args, format);
	vsnprintf(body, sizeof(body), format, args);
	va_end(args);
	return ask_post(w, path, body);
}

/* The same as user OTHER_UID, which a connection is of from its connect() on. */
static inline const struct answer *ask_as_other(struct world *w, const char *method,
						const char *path, const char *body)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_client_ struct client c = { .fd = -1 };

	assert_false(setegid(OTHER_UID) || seteuid(OTHER_UID));
	c = client_new(w);
	assert_false(seteuid(0) || setegid(0));
	assert_true(asprintf(&text, "%s %s HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s", method, path,
			     strlen(body), body) > 0);
	client_say(w, &c, text);
	return client_answer(w, &c);
}

/* --- answers --- */

/* A member by its path, "services.0.port"; NULL when there is none or it is null. */
static inline struct json_object *member(struct json_object *o, const char *path)
{
	char copy[128], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *part = strtok_r(copy, ".", &save); part && o; part = strtok_r(NULL, ".", &save))
		o = json_object_is_type(o, json_type_array)
			    ? json_object_array_get_idx(o, strtoul(part, NULL, 10))
			    : json_object_object_get(o, part);
	return o;
}

static inline const char *text_of(const struct answer *a, const char *path)
{
	const char *text = json_object_get_string(member(a->body, path));

	return text ? text : "(null)";
}

static inline int64_t int_of(const struct answer *a, const char *path)
{
	return json_object_get_int64(member(a->body, path));
}

static inline size_t count_of(const struct answer *a, const char *path)
{
	struct json_object *array = member(a->body, path);

	assert_non_null(array);
	return json_object_array_length(array);
}

static inline void assert_ok(const struct answer *a)
{
	if (a->status != 200)
		fail_msg("status %d: %s", a->status, json_object_get_string(a->body));
	assert_true(json_object_get_boolean(member(a->body, "ok")));
	assert_int_equal(int_of(a, "version"), 1);
}

/* An error of the code whose sentence has the words. */
static inline void assert_error(const struct answer *a, int status, const char *code,
				const char *words)
{
	if (a->status != status)
		fail_msg("status %d, not %d: %s", a->status, status,
			 json_object_get_string(a->body));
	assert_non_null(a->body);
	assert_false(json_object_get_boolean(member(a->body, "ok")));
	assert_int_equal(int_of(a, "version"), 1);
	assert_string_equal(text_of(a, "error.code"), code);
	if (!strstr(text_of(a, "error.message"), words))
		fail_msg("\"%s\" is not in: %s", words, text_of(a, "error.message"));
}

static inline bool bool_of(const struct answer *a, const char *path)
{
	return json_object_get_boolean(member(a->body, path));
}

/* What is refused as a bad request, with these words: the path of a GET or the body of a POST. */
struct bad_request {
	const char *asked, *words;
};

static inline void assert_bad_paths(struct world *w, const struct bad_request *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct answer *a = ask_get(w, bad[i].asked);

		assert_error(a, 400, "bad_request", bad[i].words);
	}
}

static inline void assert_bad_bodies(struct world *w, const char *path,
				     const struct bad_request *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_error(ask_post(w, path, bad[i].asked), 400, "bad_request", bad[i].words);
	}
}

/* --- children --- */

/* A child that has done what it is told to, and lives on until child_end(). */
static inline pid_t child_begin(bool (*act)(void *data), void *data)
{
	int done[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe2(done, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		if (act && !act(data))
			_exit(1);
		(void)!write(done[1], "x", 1);
		pause();
		_exit(0);
	}
	close(done[1]);
	assert_int_equal(read(done[0], &byte, 1), 1);
	close(done[0]);
	return child;
}

static inline void child_end(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* --- claims --- */

/* Without a port (0) the daemon chooses. */
static inline const struct answer *ask_claim(struct world *w, const char *id, uint16_t port)
{
	if (port)
		return post(w, "/v1/claims", "{\"id\":\"%s\",\"port\":%u}", id, port);
	return post(w, "/v1/claims", "{\"id\":\"%s\"}", id);
}

/* It is granted; the port. */
static inline uint16_t claim(struct world *w, const char *id, uint16_t port)
{
	const struct answer *a = ask_claim(w, id, port);

	assert_ok(a);
	return (uint16_t)int_of(a, "port");
}

/* PROJECT:0 and so on, with one request. */
static inline void claim_project(struct world *w, const char *project, int n)
{
	struct json_object *body = json_object_new_object(), *list = json_object_new_array();

	for (int i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();
		char id[64];

		snprintf(id, sizeof(id), "%s:%d", project, i);
		json_object_object_add(o, "id", json_object_new_string(id));
		json_object_array_add(list, o);
	}
	json_object_object_add(body, "services", list);
	assert_ok(ask_post(w, "/v1/claims", json_object_to_json_string(body)));
	json_object_put(body);
}

#endif
