/* SPDX-License-Identifier: MIT */
#include "cli/client/client.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own_pd.h"
#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/client/autostart.h"
#include "cli/client/await.h"
#include "cli/client/connection.h"
#include "cli/client/other_build.h"
#include "cli/client/polling.h"
#include "cli/client/rows.h"
#include "cli/client/stop_guard.h"
#include "cli/render/render.h"

#define JSON_VERSION 1
/* A daemon that is replaced is back within a second; one under a load of tests takes longer. */
#define FOLLOW_WAIT_MS 10000
#define FOLLOW_POLL_MS 50
#define FOLLOW_SAME_MS 1000 /* for a daemon that ends, and is still asked meanwhile */
#define REPEATS_MAX    3 /* of a request that nobody read: each time, a daemon has ended meanwhile */

static enum outcome fail(struct json_object **ret, enum outcome outcome, const char *message)
{
	*ret = render_error_object(outcome, message);
	return outcome;
}

/* What went wrong between pd and the daemon, in words. */
static enum outcome fail_exchange(struct json_object **ret, int error)
{
	static const struct {
		int error;
		const char *message;
	} rows[] = {
		{ -ECONNRESET, "the daemon ended before it had read the request" },
		{ -EPIPE, "the daemon ended before it had read the request" },
		{ -ENODATA, "the daemon ended before it answered" },
		{ -ECONNABORTED, "the daemon ended before its answer was complete" },
		{ -EAGAIN, "the daemon runs and does not answer" },
		{ -EBADMSG, "what answers on the daemon's socket does not speak its protocol" },
		{ -EFBIG, "the answer is longer than pd accepts" },
	};

	char message[128];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].error == error)
			return fail(ret, OUTCOME_FAILED, rows[i].message);
	snprintf(message, sizeof(message), "the daemon could not be asked: %s (try again)",
		 strerror(-error));
	return fail(ret, OUTCOME_FAILED, message);
}

/* Nothing of it was carried out: what is read in part only is never dispatched. */
static bool was_not_read(int error)
{
	return error == -ECONNRESET || error == -EPIPE;
}

static bool was_lost(int error)
{
	return error == -ENODATA || error == -ECONNABORTED;
}

/* The same when an exchange had begun. */
static enum outcome fail_connection(struct connection *c, const char *method,
				    struct json_object **ret, int error)
{
	c->broken = was_not_read(error) || was_lost(error);
	if (was_lost(error) && strcmp(method, "GET") != 0)
		return fail(ret, OUTCOME_FAILED,
			    "the daemon ended before it had answered; whether this was carried "
			    "out is not known (see: pd log)");
	return fail_exchange(ret, error);
}

static bool may_start(void)
{
	const char *forbidden = getenv("PORT_DADDY_NO_AUTOSTART");

	return !forbidden || strcmp(forbidden, "1") != 0;
}

/* On stderr, in one line: that a daemon was started, and what it does not see. */
static void tell_of_start(const struct autostarted *started)
{
	_cleanup_(answer_freep) struct json_object *status = client_ask_running("/v1/status");
	char words[POLLING_WORDS_SIZE], crashed[96] = "no daemon ran";

	if (!status || !polling_is(status)) {
		render_note("started the daemon (pid %d, log %s)", started->pid, started->log);
		return;
	}
	if (started->crashed)
		snprintf(crashed, sizeof(crashed),
			 "the daemon with eBPF (pid %d) was killed or has crashed",
			 started->crashed);
	render_note("%s; started one that only polls (pid %d, log %s): %s", crashed, started->pid,
		    started->log, polling_words(status, words));
}

/* Connects, and starts a daemon where there is none. */
static enum outcome dial(struct connection *c, struct json_object **ret_error)
{
	struct autostarted started;
	enum outcome outcome;
	char error[1024];
	int r = connection_open_any(c, NULL, 0);

	if (r == -EPERM)
		return fail(ret_error, OUTCOME_NOT_ALLOWED, CONNECTION_FORBIDDEN);
	if (r == -ENOENT && !may_start())
		return fail(ret_error, OUTCOME_NO_DAEMON,
			    "no daemon is running; start one with: pd daemon start");
	if (r == -ENOENT) {
		outcome = autostart(&(struct autostart_request){ 0 }, &started, error,
				    sizeof(error));
		if (outcome != OUTCOME_OK)
			return fail(ret_error, outcome, error);
		if (started.pid)
			tell_of_start(&started);
		r = connection_open_any(c, NULL, 0);
	}
	if (r == -ENOENT)
		return fail(ret_error, OUTCOME_NO_DAEMON,
			    "the daemon ended again; see: pd daemon start");
	return r < 0 ? fail_exchange(ret_error, r) : OUTCOME_OK;
}

/* A question that a daemon of another build has no answer to. */
static enum outcome fail_no_route(const struct build *daemon, struct json_object **ret)
{
	char words[OTHER_BUILD_WORDS_SIZE], message[OTHER_BUILD_WORDS_SIZE + 64];

	json_object_put(*ret);
	snprintf(message, sizeof(message), "%s (it has no answer to this)",
		 other_build_words(daemon, false, words));
	return fail(ret, OUTCOME_FAILED, message);
}

/* Takes `answer`: into *ret when it has the API's shape, else an error takes its place. */
static enum outcome judge(struct json_object *answer, const struct http_head *head,
			  struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *o = answer;
	enum outcome outcome;
	char message[160], pd[OWN_PD_SIZE];

	if (!answer_has(o, "ok")) {
		snprintf(message, sizeof(message),
			 "the daemon answered with HTTP status %d and nothing that pd understands",
			 head->status);
		return fail(ret, OUTCOME_FAILED, message);
	}
	if (answer_int(o, "version") != JSON_VERSION) {
		snprintf(message, sizeof(message),
			 "the daemon speaks version %lld, this pd version %d; replace it: %.80s "
			 "daemon restart",
			 (long long)answer_int(o, "version"), JSON_VERSION, own_pd(pd));
		return fail(ret, OUTCOME_FAILED, message);
	}
	*ret = TAKE_PTR(o);
	if (answer_bool(*ret, "ok"))
		return OUTCOME_OK;
	outcome = outcome_of_code(answer_text(answer_member(*ret, "error"), "code"));
	if (outcome == OUTCOME_NO_ROUTE && !build_is_own(&head->daemon))
		return fail_no_route(&head->daemon, ret);
	/* an error's outcome is never OK, whatever its code says */
	return outcome == OUTCOME_OK ? OUTCOME_FAILED : outcome;
}

static enum outcome read_answer(struct connection *c, const char *method, struct json_object **ret)
{
	size_t n;
	int r = connection_read_body(c, &n);

	if (r < 0)
		return fail_connection(c, method, ret, r);
	return judge(rows_parse_whole(c->bytes + c->head.size, n), &c->head, ret);
}

struct request {
	const char *method, *path, *body; /* the body may be NULL */
	int64_t timeout_s;		  /* for the answer's head; 0: for ever */
};

/* Sends, and reads as far as the answer's head. */
static int exchange(struct connection *c, const struct request *request)
{
	int sent = connection_send(c, request->method, request->path, request->body);
	int r;

	/* A daemon that refuses a request may answer and close before it has read all of it. */
	if (sent < 0 && sent != -EPIPE)
		return sent;
	r = await_head(c, request->timeout_s);
	return r < 0 && sent < 0 ? sent : r;
}

/*
 * Connects again after an exchange that failed, where the request may be repeated; true when it
 * did.  One that nobody read is as good as never sent.  A question that was read is only asked of a
 * daemon that is there by now: it may be what ended the last one, and a fresh one is neither
 * started to be ended, too, nor against whoever has just stopped the other.
 */
static bool dial_again(struct connection *c, const struct request *request, int error,
		       bool *may_start, enum outcome *ret_outcome, struct json_object **ret_error)
{
	if (error == -ENODATA && !strcmp(request->method, "GET"))
		*may_start = false;
	else if (!was_not_read(error))
		return false;
	connection_close(c);
	if (!*may_start)
		return connection_open_any(c, NULL, 0) == 0;
	*ret_outcome = dial(c, ret_error);
	return *ret_outcome == OUTCOME_OK;
}

/* Connects and sends, and reads as far as the answer's head. */
static enum outcome ask_once(struct connection *c, const struct request *request,
			     struct json_object **ret_error)
{
	enum outcome outcome = dial(c, ret_error);
	bool may_start = true;
	int r = 0;

	if (outcome != OUTCOME_OK)
		return outcome;
	for (int repeats = 0;; repeats++) {
		r = exchange(c, request);
		if (r == 0)
			return OUTCOME_OK;
		if (repeats == REPEATS_MAX ||
		    !dial_again(c, request, r, &may_start, &outcome, ret_error))
			break;
	}
	if (outcome == OUTCOME_OK)
		return fail_connection(c, request->method, ret_error, r);
	c->broken = true;
	return outcome;
}

/* A daemon that does not tell its build, and has refused a name that it does not know? */
static bool wants_less(struct connection *c, const struct request *request, char **ret_path,
		       char **ret_body)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	size_t n;

	if (c->head.status != outcome_row(OUTCOME_BAD_REQUEST)->http || *c->head.daemon.version ||
	    connection_read_body(c, &n) < 0)
		return false;
	answer = rows_parse_whole(c->bytes + c->head.size, n);
	return other_build_drop(answer_text(answer_member(answer, "error"), "message"),
				request->path, request->body, ret_path, ret_body);
}

/* The same, again without what a daemon of another build does not know. */
static enum outcome ask(struct connection *c, const struct request *request,
			struct json_object **ret_error)
{
	_cleanup_free_ char *path = NULL, *body = NULL;
	struct request fewer = *request;
	enum outcome outcome;

	for (;;) {
		outcome = ask_once(c, &fewer, ret_error);
		if (outcome != OUTCOME_OK || !wants_less(c, &fewer, &path, &body))
			break;
		connection_close(c);
		fewer.path = path;
		fewer.body = body;
	}
	if (outcome == OUTCOME_OK && *c->head.ignored)
		other_build_say_ignored(&c->head.daemon, c->head.ignored);
	return outcome;
}

enum outcome client_request_patiently(const char *method, const char *path,
				      struct json_object *body, int64_t timeout_s, bool *ret_broken,
				      struct json_object **ret)
{
	const char *text = body ? json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN)
				: NULL;
	_cleanup_(connection_close) struct connection c = { .fd = -1 };
	enum outcome outcome = ask(&c, &(struct request){ method, path, text, timeout_s }, ret);

	if (outcome == OUTCOME_OK)
		outcome = read_answer(&c, method, ret);
	*ret_broken = c.broken;
	return outcome;
}

enum outcome client_request(const char *method, const char *path, struct json_object *body,
			    struct json_object **ret)
{
	bool broken;

	return client_request_patiently(method, path, body, CONNECTION_TIMEOUT_S, &broken, ret);
}

enum outcome client_request_on(int fd, const char *path, struct json_object **ret)
{
	return client_request_within(fd, path, CONNECTION_TIMEOUT_S, ret);
}

enum outcome client_request_within(int fd, const char *path, int64_t timeout_s,
				   struct json_object **ret)
{
	_cleanup_(connection_close) struct connection c = { .fd = fd };
	const struct request request = { .method = "GET", .path = path, .timeout_s = timeout_s };
	int r = exchange(&c, &request);

	return r < 0 ? fail_connection(&c, "GET", ret, r) : read_answer(&c, "GET", ret);
}

struct json_object *client_ask_running(const char *path)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct connection c;

	if (connection_open_any(&c, NULL, 0) < 0 ||
	    client_request_on(c.fd, path, &answer) != OUTCOME_OK)
		return NULL;
	return TAKE_PTR(answer);
}

static struct request get(const char *path)
{
	return (struct request){ .method = "GET", .path = path, .timeout_s = CONNECTION_TIMEOUT_S };
}

/* The head of an answer that is no object of the API's unless it is an error. */
static enum outcome check_head(struct connection *c, enum outcome outcome,
			       struct json_object **ret_error)
{
	if (outcome != OUTCOME_OK || c->head.status == 200)
		return outcome;
	outcome = read_answer(c, "GET", ret_error);
	return outcome == OUTCOME_OK ? OUTCOME_FAILED : outcome;
}

/* --- lists, in pages --- */

int client_page_path(const char *path, const char *next, char ret[static CLIENT_PAGE_PATH_SIZE])
{
	const struct client_param after = { "after", next };

	return client_path(path, &after, 1, ret, CLIENT_PAGE_PATH_SIZE);
}

/* What cannot be sent now is asked for when it is needed. */
static void ask_ahead(const char *path, const char *next, struct connection *ret)
{
	char page[CLIENT_PAGE_PATH_SIZE];

	if (*next && client_page_path(path, next, page) == 0 &&
	    connection_open_any(ret, NULL, 0) == 0 && connection_send(ret, "GET", page, NULL) < 0)
		connection_close(ret);
}

/* The head of what was asked for ahead; a question that came to nothing is asked again. */
static enum outcome await_page(struct connection *ahead, const struct request *request,
			       struct connection *ret, struct json_object **ret_error)
{
	enum outcome outcome = OUTCOME_OK;

	*ret = *ahead;
	*ahead = (struct connection){ .fd = -1 };
	if (ret->fd < 0 || await_head(ret, request->timeout_s)) {
		connection_close(ret);
		outcome = ask(ret, request, ret_error);
	}
	return check_head(ret, outcome, ret_error);
}

/* The daemon makes the next page while the rows of this one are read. */
static enum outcome list_page(const char *path, const char *page, struct connection *ahead,
			      rows_each each, void *user_data, struct json_object **ret)
{
	_cleanup_(connection_close) struct connection c = { .fd = -1 };
	const struct request request = get(page);
	enum outcome outcome = await_page(ahead, &request, &c, ret);
	size_t n;
	int r;

	if (outcome != OUTCOME_OK)
		return outcome;
	r = connection_read_body(&c, &n);
	if (r < 0)
		return fail_connection(&c, request.method, ret, r);
	if (!text_is_utf8(c.bytes + c.head.size, n))
		return judge(NULL, &c.head, ret);
	ask_ahead(path, c.head.next, ahead);
	return judge(rows_parse(c.bytes + c.head.size, n, each, user_data), &c.head, ret);
}

enum outcome client_list(const char *path, rows_each each, void *user_data,
			 struct json_object **ret)
{
	_cleanup_(connection_close) struct connection ahead = { .fd = -1 };
	char page[CLIENT_PAGE_PATH_SIZE];
	int r = 0;

	snprintf(page, sizeof(page), "%s", path);
	for (int pages = 0; !r && pages < CLIENT_PAGES_MAX; pages++) {
		enum outcome outcome = list_page(path, page, &ahead, each, user_data, ret);
		bool is_last = outcome != OUTCOME_OK || !*answer_text(*ret, "next");

		if (is_last)
			return outcome;
		r = client_page_path(path, answer_text(*ret, "next"), page);
		json_object_put(TAKE_PTR(*ret));
	}
	return fail(ret, OUTCOME_FAILED, r ? CLIENT_TOO_LONG_NEXT : CLIENT_TOO_MANY_PAGES);
}

enum outcome client_text(const char *path, char **ret_text, struct json_object **ret_error)
{
	_cleanup_(connection_close) struct connection c = { .fd = -1 };
	const struct request request = get(path);
	enum outcome outcome = check_head(&c, ask(&c, &request, ret_error), ret_error);
	size_t n;
	int r;

	if (outcome != OUTCOME_OK)
		return outcome;
	r = connection_read_body(&c, &n);
	if (r < 0)
		return fail_exchange(ret_error, r);
	*ret_text = strndup(c.bytes + c.head.size, n);
	return *ret_text ? OUTCOME_OK : fail_exchange(ret_error, -ENOMEM);
}

/* --- streams --- */

static enum outcome read_lines(struct connection *c, client_each each, void *user_data,
			       struct json_object **ret_error)
{
	while (!stop_guard_asked()) { /* a flood of lines is not waited for */
		_cleanup_(answer_freep) struct json_object *o = NULL;
		char *line;
		int r = connection_next_line(c, &line);

		if (r == -EINTR || r == -EPIPE)
			return OUTCOME_OK;
		if (r < 0)
			return fail_exchange(ret_error, r);
		c->broken = r == 0;
		if (r == 0)
			return fail(ret_error, OUTCOME_FAILED, "the daemon ended the stream");
		o = rows_parse_whole(line, strlen(line));
		if (!o)
			return fail_exchange(ret_error, -EBADMSG);
		if (!each(o, user_data))
			return OUTCOME_OK;
	}
	return OUTCOME_OK;
}

/* Whether the daemon has ended a stream, and not each(); which one it was (0: not visible). */
struct stream_end {
	bool by_daemon;
	pid_t pid;
};

static enum outcome stream(const char *path, client_each each, void *user_data,
			   struct stream_end *ret_end, struct json_object **ret_error)
{
	_cleanup_(connection_close) struct connection c = { .fd = -1 };
	const struct request request = get(path);
	enum outcome outcome = check_head(&c, ask(&c, &request, ret_error), ret_error);

	if (outcome != OUTCOME_OK)
		return outcome;
	ret_end->pid = connection_peer_pid(&c);
	outcome = read_lines(&c, each, user_data, ret_error);
	ret_end->by_daemon = c.broken;
	return outcome;
}

/*
 * True once another daemon is there than the one that ended the stream; none is started, for the
 * last one may have been stopped.  One that stays and ends streams has its reason.
 */
static bool is_replaced(const struct stream_end *end)
{
	int same_ms = 0;

	for (int ms = 0; ms < FOLLOW_WAIT_MS && !stop_guard_asked(); ms += FOLLOW_POLL_MS) {
		_cleanup_(connection_close) struct connection c = { .fd = -1 };

		if (connection_open_any(&c, NULL, 0) == 0) {
			if (!end->pid || connection_peer_pid(&c) != end->pid)
				return true;
			same_ms += FOLLOW_POLL_MS;
		}
		if (same_ms >= FOLLOW_SAME_MS)
			return false;
		poll(NULL, 0, FOLLOW_POLL_MS);
	}
	return false;
}

enum outcome client_stream(const char *path, enum client_end at_end, client_each each,
			   void *user_data, struct json_object **ret_error)
{
	enum outcome outcome;

	stop_guard_begin();
	for (;;) {
		struct stream_end end = { 0 };

		outcome = stream(path, each, user_data, &end, ret_error);
		if (at_end == CLIENT_ENDS || !end.by_daemon || !is_replaced(&end))
			break;
		answer_free(TAKE_PTR(*ret_error));
	}
	return stop_guard_end() ? OUTCOME_OK : outcome;
}
