/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/health: a round of checks, answered as a stream of JSON lines.
 *
 *   {"ok":true,"version":1,"stream":"health","total":3}    at once
 *   {"service":{…}}                                        as each is known
 *   {"waiting":1,"total":3}                                each second while some are not
 *   {"ok":true,"version":1,"healthy":2,"unhealthy":1,…}    at the end
 *
 * The last line follows the commit of the results.  Whether that commit succeeds changes nothing of
 * what was found, so it is only told ("stored").  A client that leaves cancels what still runs;
 * what was found until then is kept.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <string.h>
#include <time.h>

#include "api/commit.h"
#include "api/connections.h"
#include "api/health_item.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/services.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/moment.h"
#include "base/procfs.h"
#include "base/text.h"
#include "registry/health.h"

#define TIMEOUT_DEFAULT_S 5
#define TIMEOUT_MAX_S	  300 /* a client that waits longer than that is not coming back */
#define PROGRESS_S	  1
#define INPUT_MAX_BYTES	  4096 /* what a client may send behind its request; nobody reads it */

DEFINE_CLEANUP(struct evbuffer *, evbuffer_free);

struct health_round {
	struct api *api;
	struct evhttp_request *http; /* NULL once the client has left */
	struct event *progress;
	uint64_t began_us;
	size_t n, n_waiting;
	struct health_item *items;
	bool stored;
	/* who asked: an entry of the audit trail names them */
	pid_t pid;
	uid_t uid;
	char comm[4 * PROCESS_COMM_SIZE];
};

struct question {
	struct service_filter filter;
	const char *match; /* NULL = all */
	int64_t timeout_s;
};

/* --- what was asked --- */

static int parse_match(struct request *r, struct question *q)
{
	const char *why, *match = request_param(r, "match");
	bool many = match && pattern_has_wildcard(match);

	q->filter.status = -1;
	q->match = match;
	if (!match)
		return 0;
	if (*match == ':') {
		if (!net_port_parse(match + 1, &q->filter.port))
			return 0;
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%.64s\" is not a port; write it like :3000", match);
	}
	q->filter.pattern = match;
	if (many ? pattern_check(match, &why) : identity_check(match, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%.64s\" cannot be read: %s; write an id like myapp:web, a "
				    "pattern like myapp:* or :3000",
				    match, why);
	return 0;
}

static int parse_timeout(struct request *r, struct question *q)
{
	const char *text = request_param(r, "timeout");
	size_t at = 0;

	q->timeout_s = TIMEOUT_DEFAULT_S;
	if (!text)
		return 0;
	if (duration_parse(text, &q->timeout_s, &at))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "timeout \"%.64s\" is no duration (see character %zu); write "
				    "it like 5s or 1m",
				    text, at + 1);
	if (q->timeout_s < 1 || q->timeout_s > TIMEOUT_MAX_S)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "timeout \"%.64s\" is none from 1s to %ds", text,
				    TIMEOUT_MAX_S);
	return 0;
}

static int nothing_matched(struct request *r, const struct question *q)
{
	if (q->filter.port)
		return request_fail(r, OUTCOME_NO,
				    "no service owns port %u; what is on it: pd why %u",
				    q->filter.port, q->filter.port);
	return request_fail(r, OUTCOME_NO,
			    pattern_has_wildcard(q->match) ? "no service matches %s"
							   : "there is no service %s",
			    q->match);
}

/* --- lines --- */

static void add_line(struct evbuffer *lines, struct json_object *line)
{
	size_t length = 0;
	const char *json = json_object_to_json_string_length(
		line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);

	if (!lines || !json || evbuffer_add(lines, json, length) || evbuffer_add(lines, "\n", 1))
		log_error("a line of a health check was lost: %s", strerror(ENOMEM));
}

static void send_line(struct health_round *round, struct json_object *line)
{
	_cleanup_(evbuffer_freep) struct evbuffer *text = evbuffer_new();

	add_line(text, line);
	if (text)
		evhttp_send_reply_chunk(round->http, text);
}

static void add_hello(struct evbuffer *lines, const struct health_round *round)
{
	_cleanup_json_ struct json_object *line = reply_ok_new();

	json_add_text(line, "stream", "health");
	json_add_int(line, "total", (int64_t)round->n);
	add_line(lines, line);
}

/* Owned by the caller. */
static struct json_object *line_of_item(const struct health_item *item)
{
	struct json_object *line = json_object_new_object();

	json_add(line, "service", health_item_view(item));
	return line;
}

static void add_item(struct evbuffer *lines, const struct health_item *item)
{
	_cleanup_json_ struct json_object *line = line_of_item(item);

	add_line(lines, line);
}

/* What is known without asking, as one buffer: libevent keeps a kilobyte for each that is sent, and
 * there may be 50,000 lines. */
static void send_known(struct health_round *round)
{
	_cleanup_(evbuffer_freep) struct evbuffer *lines = evbuffer_new();

	add_hello(lines, round);
	for (size_t i = 0; i < round->n; i++)
		if (round->items[i].known)
			add_item(lines, &round->items[i]);
	if (lines)
		evhttp_send_reply_chunk(round->http, lines);
}

static void send_item(struct health_round *round, const struct health_item *item)
{
	_cleanup_json_ struct json_object *line = line_of_item(item);

	send_line(round, line);
}

static void on_progress(evutil_socket_t fd, short what, void *user_data)
{
	struct health_round *round = user_data;
	_cleanup_json_ struct json_object *line = json_object_new_object();

	json_add_int(line, "waiting", (int64_t)round->n_waiting);
	json_add_int(line, "total", (int64_t)round->n);
	send_line(round, line);
}

static void send_summary(struct health_round *round)
{
	_cleanup_json_ struct json_object *line = reply_ok_new();
	int64_t counts[WELLNESS_UNKNOWN + 1] = { 0 };

	for (size_t i = 0; i < round->n; i++)
		counts[round->items[i].wellness]++;
	json_add_int(line, "healthy", counts[WELLNESS_WELL]);
	json_add_int(line, "unhealthy", counts[WELLNESS_ILL]);
	json_add_int(line, "unchecked", counts[WELLNESS_UNKNOWN]);
	json_add_bool(line, "stored", round->stored);
	json_add_int(line, "elapsedMs", (int64_t)((server_now_us() - round->began_us) / 1000));
	send_line(round, line);
}

/* --- the end --- */

static void round_free(struct health_round *round)
{
	for (size_t i = 0; i < round->n; i++)
		health_item_deinit(&round->items[i]);
	if (round->progress)
		event_free(round->progress);
	free(round->items);
	free(round);
}

/* A change is worth an entry; so is the first time that asking found it ill. */
static bool is_news(const struct health_item *item)
{
	const struct health_previous *p = &item->previous;
	bool was_asked = p->known && p->elapsed_us >= 0;

	if (item->wellness == WELLNESS_ILL && item->was_asked)
		return !was_asked || p->wellness == WELLNESS_WELL;
	if (item->wellness == WELLNESS_UNKNOWN || !p->known)
		return false;
	return item->wellness != p->wellness;
}

static int log_change(struct health_round *round, const struct health_item *item)
{
	char details[HEALTH_SENTENCE_SIZE];
	struct activity entry = {
		.action = ACTIVITY_HEALTH,
		.service = item->id,
		.details = health_item_sentence(item, details),
		.timestamp = item->checked_at,
		.port = item->port,
		.pid = round->pid,
		.uid = round->uid,
		.comm = round->comm,
	};
	int r = registry_log(round->api->config.registry, &entry, &entry.id);

	if (!r)
		api_publish_activity(round->api, &entry);
	return r;
}

static int store_item(struct health_round *round, const struct health_item *item)
{
	char url[HEALTH_URL_SIZE];
	const struct health_record record = {
		.id = item->id,
		.checked_at = item->checked_at,
		.result = item->result,
		.http_status = item->answer.http_status,
		.elapsed_us = item->was_asked ? (int64_t)item->answer.elapsed_us : -1,
		.url = health_item_url(item, url),
		.details = item->answer.details,
	};
	int r = registry_store_health(round->api->config.registry, &record);

	if (r == OUTCOME_NO) /* released while it was checked */
		return 0;
	return !r && is_news(item) ? log_change(round, item) : r;
}

static int store(struct health_round *round)
{
	int r = registry_begin(round->api->config.registry);

	for (size_t i = 0; !r && i < round->n; i++)
		if (round->items[i].known)
			r = store_item(round, &round->items[i]);
	if (r)
		log_error("results of health checks were not stored: %s", strerror(-r));
	return r;
}

static void on_stored(int error, void *user_data)
{
	struct health_round *round = user_data;

	round->stored = round->stored && !error;
	if (round->http) {
		struct evhttp_connection *connection = evhttp_request_get_connection(round->http);

		send_summary(round);
		connection_on_end(connection_of(round->api, connection), NULL, NULL);
		evhttp_send_reply_end(round->http);
	}
	round_free(round);
}

/* From here on the round is the commit queue's. */
static void end(struct health_round *round)
{
	if (round->progress)
		event_del(round->progress);
	round->stored = store(round) == 0;
	if (commit_stage_call(round->api->commits, on_stored, round))
		on_stored(-ENOMEM, round);
}

static void on_close(struct evhttp_connection *connection, void *user_data)
{
	struct health_round *round = user_data;
	bool ended = !round->n_waiting;

	/* as in stream.c: off its connection, the request is nobody's but ours */
	if (!evhttp_request_get_connection(round->http))
		evhttp_request_free(round->http);
	round->http = NULL;
	for (size_t i = 0; i < round->n; i++) {
		health_check_cancel(round->items[i].check);
		round->items[i].check = NULL;
	}
	round->n_waiting = 0;
	/* At the server's end nothing is committed any more; else a staged round is the queue's. */
	if (round->api->ending)
		round_free(round);
	else if (!ended)
		end(round);
}

/* --- the round --- */

static void on_checked(const struct health_answer *answer, void *user_data)
{
	struct health_item *item = user_data;
	struct health_round *round = item->round;

	health_item_answer(item, answer, time(NULL));
	send_item(round, item);
	if (!--round->n_waiting)
		end(round);
}

static int start_check(struct health_round *round, struct health_item *item, int64_t timeout_s)
{
	int r = health_check_start(round->api->health, &item->target, round->began_us,
				   (unsigned)timeout_s * 1000, on_checked, item, &item->check);

	if (!r)
		round->n_waiting++;
	return r;
}

static int fill(struct health_round *round, const struct service_list *list, int64_t timeout_s,
		int64_t now)
{
	int r = 0;

	round->items = calloc(list->n + 1, sizeof(*round->items));
	if (!round->items)
		return -ENOMEM;
	for (size_t i = 0; !r && i < list->n; i++) {
		struct health_item *item = &round->items[round->n++];

		r = health_item_init(round->api, &list->services[i], now, item);
		item->round = round;
	}
	for (size_t i = 0; !r && i < round->n; i++)
		if (round->items[i].connects)
			r = start_check(round, &round->items[i], timeout_s);
	return r;
}

static void begin_answer(struct health_round *round)
{
	static const struct timeval write_timeout = { .tv_sec = API_REQUEST_TIMEOUT_S };
	static const struct timeval progress = { .tv_sec = PROGRESS_S };
	struct evhttp_connection *connection = evhttp_request_get_connection(round->http);
	struct bufferevent *socket = evhttp_connection_get_bufferevent(connection);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(round->http);

	connection_on_end(connection_of(round->api, connection), on_close, round);
	evhttp_add_header(headers, "Content-Type", "application/x-ndjson");
	/* its timeouts and callbacks are a stream's from now on */
	evhttp_add_header(headers, "Connection", "close");
	evhttp_send_reply_start(round->http, HTTP_OK, NULL);
	bufferevent_set_timeouts(socket, NULL, &write_timeout);
	bufferevent_setwatermark(socket, EV_READ, 0, INPUT_MAX_BYTES);
	send_known(round);
	if (round->n_waiting)
		event_add(round->progress, &progress);
	else
		end(round);
}

static int start_round(struct request *r, const struct question *q, const struct service_list *list)
{
	struct health_round *round = calloc(1, sizeof(*round));
	struct process peer;
	int fault = -ENOMEM;

	if (!round)
		return -ENOMEM;
	round->api = r->api;
	round->http = r->http;
	round->began_us = server_now_us();
	round->pid = r->pid;
	round->uid = r->uid;
	if (r->pid && !procfs_describe_briefly(r->pid, &peer))
		text_to_utf8(peer.comm, round->comm, sizeof(round->comm));
	round->progress = event_new(r->api->config.loop, -1, EV_PERSIST, on_progress, round);
	if (round->progress)
		fault = fill(round, list, q->timeout_s, r->now);
	if (fault) {
		round_free(round);
		if (fault == -EBUSY)
			return request_fail(r, OUTCOME_TOO_LARGE,
					    "%d health checks run already: try again later",
					    HEALTH_CHECKS_MAX);
		return fault;
	}
	r->taken = true;
	r->trace.waits = true;
	metrics_answered(r->api, &r->trace, OUTCOME_OK);
	begin_answer(round);
	return 0;
}

int health_get(struct request *r)
{
	struct question q = { 0 };
	struct service_list list = { 0 };
	int fault = parse_match(r, &q);

	if (!fault)
		fault = parse_timeout(r, &q);
	if (fault)
		return fault;
	fault = registry_for_each_service(r->api->config.registry, &q.filter, service_list_add,
					  &list);
	if (!fault && list.no_memory)
		fault = -ENOMEM;
	if (!fault && !list.n && q.match)
		fault = nothing_matched(r, &q);
	if (!fault)
		fault = start_round(r, &q, &list);
	service_list_free(&list);
	return fault;
}
