/* SPDX-License-Identifier: MIT */
/* Watchers: what they get, what they miss, how they end. */
#include "world.h"

#include "api/state.h"
#include "http/metrics.h"
#include "tracker/activity.h"

static struct client watch(struct world *w, const char *path)
{
	struct client c = client_new(w);

	client_get(w, &c, path);
	client_wait_text(w, &c, "\"stream\"");
	return c;
}

static struct event event_of(enum event_kind kind)
{
	struct event e = {
		.kind = kind,
		.actor = { .pid = 4711, .start_ticks = 1 },
		.uid = 0,
		.netns = 1,
		.protocol = IPPROTO_TCP,
		.family = AF_INET,
		.addr = { { 127, 0, 0, 1 } },
		.port = 3000,
	};

	snprintf(e.comm, sizeof(e.comm), "node");
	return e;
}

/* As the tracker does. */
static void publish(struct world *w, const struct event *event, const char *service, int64_t at)
{
	const struct tracker_listener *listener = &w->api->listener;
	struct why_obstacle obstacle;
	bool found;

	listener->event(event, service, at, listener->user_data);
	if (event->kind != EVENT_FAIL)
		return;
	found = why_in_the_way(event, w->inventory, &obstacle);
	listener->refused(event, service, found ? &obstacle : NULL, at, listener->user_data);
}

/* What was published before is on its way when this line has come. */
static void wait_published(struct world *w, struct client *c)
{
	static int marks;
	struct event e = event_of(EVENT_BIND);

	snprintf(e.comm, sizeof(e.comm), "mark%d.", ++marks % 1000);
	publish(w, &e, "mark", 1);
	client_wait_text(w, c, e.comm);
}

TEST_WITH(a_stream_has_no_length_whatever_its_reader_wants_of_the_connection, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);

	client_say(
		w, &c,
		"GET /v1/events HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n");
	client_wait_text(w, &c, "\"stream\"");
	assert_null(strcasestr(c.text, "Content-Length"));
	assert_null(strcasestr(c.text, "keep-alive"));
}

TEST_WITH(the_first_line_says_that_the_stream_is_on, struct world *w)
{
	_cleanup_client_ struct client c = watch(w, "/v1/events");

	assert_int_equal(strncmp(c.text, "HTTP/1.1 200", 12), 0);
	assert_non_null(strstr(c.text, "{\"ok\":true,\"version\":1,\"stream\":\"events\"}\n"));
}

TEST_WITH(an_http_1_0_watcher_gets_bare_lines, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);

	client_say(w, &c, "GET /v1/activity HTTP/1.0\r\n\r\n");
	client_wait_text(w, &c, "\r\n\r\n{\"ok\":true,\"version\":1,\"stream\":\"activity\"}\n");
}

TEST_WITH(a_bad_pattern_is_refused_before_the_stream_begins, struct world *w)
{
	assert_error(ask_get(w, "/v1/events?pattern=a%20b"), 400, "bad_request", "myapp:*");
	assert_error(ask_get(w, "/v1/activity?filter=a%20b"), 400, "bad_request", "CLAIM, RELEASE");
}

TEST_WITH(a_claim_is_streamed_as_event_and_as_entry, struct world *w)
{
	_cleanup_client_ struct client events = watch(w, "/v1/events");
	_cleanup_client_ struct client entries = watch(w, "/v1/activity");

	claim(w, "live:web", 0);
	client_wait_text(w, &events, "\"event\":\"CLAIM\",\"service\":\"live:web\"");
	client_wait_text(w, &entries, "\"action\":\"CLAIM\",\"service\":\"live:web\"");
}

TEST_WITH(a_kernel_event_has_the_words_of_the_contract, struct world *w)
{
	_cleanup_client_ struct client c = watch(w, "/v1/events");
	struct event e = event_of(EVENT_FAIL);

	e.error = EADDRINUSE;
	e.call = EVENT_CALL_BIND;
	publish(w, &e, "shop", 1234567890);
	client_wait_text(w, &c, "\"errno\":\"EADDRINUSE\"");
	client_wait_text(w, &c,
			 "{\"at\":1234567890,\"event\":\"FAIL\",\"proto\":\"tcp\","
			 "\"addr\":\"127.0.0.1\",\"port\":3000,\"askedPort\":null,\"netns\":1,"
			 "\"pid\":4711,\"comm\":\"node\"");
	client_wait_text(w, &c, "\"service\":\"shop\"");
	client_wait_text(w, &c, "\"call\":\"bind\"");
}

TEST_WITH(a_refused_bind_names_who_was_in_the_way, struct world *w)
{
	_cleanup_client_ struct client c = watch(w, "/v1/events");
	struct event e = event_of(EVENT_FAIL);
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	char words[64];

	world_resync(w);
	e.error = EADDRINUSE;
	e.netns = inventory_own_netns(w->inventory);
	e.port = port;
	publish(w, &e, NULL, 1);
	snprintf(words, sizeof(words), "\"holder\":{\"pid\":%d,", getpid());
	client_wait_text(w, &c, words);
}

TEST_WITH(an_exit_tells_code_or_signal, struct world *w)
{
	_cleanup_client_ struct client c = watch(w, "/v1/events");
	struct event e = event_of(EVENT_EXIT);

	e.exit_code = 3 << 8;
	publish(w, &e, NULL, 1);
	client_wait_text(w, &c, "\"exitCode\":3,\"signal\":null");
	e.exit_code = 9;
	publish(w, &e, NULL, 1);
	client_wait_text(w, &c, "\"exitCode\":null,\"signal\":9");
}

TEST_WITH(bookkeeping_events_are_not_streamed, struct world *w)
{
	static const enum event_kind kinds[] = { EVENT_PROCESS, EVENT_FORK, EVENT_EXEC, EVENT_TERM,
						 EVENT_UNLISTEN };
	_cleanup_client_ struct client c = watch(w, "/v1/events");

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct event e = event_of(kinds[i]);

		publish(w, &e, NULL, 1);
	}
	wait_published(w, &c);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_null(strstr(c.text, event_kind_name(kinds[i])));
}

TEST_WITH(a_pattern_lets_only_its_services_through, struct world *w)
{
	_cleanup_client_ struct client c = watch(w, "/v1/events?pattern=mar*");
	struct event e = event_of(EVENT_LISTEN);

	publish(w, &e, "other", 1);
	publish(w, &e, NULL, 1);
	claim(w, "unwanted", 0);
	wait_published(w, &c);
	assert_null(strstr(c.text, "other"));
	assert_null(strstr(c.text, "unwanted"));
	assert_null(strstr(c.text, "LISTEN"));
}

TEST_WITH(a_filter_by_action_lets_only_it_through, struct world *w)
{
	_cleanup_client_ struct client c = watch(w, "/v1/activity?filter=release");

	claim(w, "acted", 0);
	assert_ok(ask_post(w, "/v1/releases", "{\"match\":\"acted\"}"));
	client_wait_text(w, &c, "\"RELEASE\"");
	assert_null(strstr(c.text, "\"CLAIM\""));
}

TEST_WITH(an_entry_of_an_open_batch_waits_for_its_commit, struct world *w)
{
	_cleanup_client_ struct client c = watch(w, "/v1/activity");

	activity_note(tracker_activity(w->tracker), ACTIVITY_GAP, "held back", 1);
	client_read(&c);
	assert_null(strstr(c.text, "held back"));
	assert_true(registry_in_batch(w->registry));
	client_wait_text(w, &c, "held back");
	assert_false(registry_in_batch(w->registry));
}

TEST_WITH(a_watcher_that_does_not_read_is_disconnected, struct world *w)
{
	struct client slow = watch(w, "/v1/events");
	_cleanup_client_ struct client quick = watch(w, "/v1/events");
	uint64_t before = server_metrics(w->api->server)->dropped_watchers;
	int64_t deadline = now_ms() + DEADLINE_MS;
	struct event e = event_of(EVENT_BIND);

	while (server_metrics(w->api->server)->dropped_watchers == before) {
		/* what libevent writes in one turn, 16 kB, is more than that */
		for (int i = 0; i < 40; i++)
			publish(w, &e, "flood", 1);
		world_turn(w);
		client_read(&quick);
		assert_true(now_ms() < deadline);
	}
	client_wait_end(w, &slow);
	client_free(&slow);
	/* who reads loses nothing */
	wait_published(w, &quick);
	assert_int_equal(server_metrics(w->api->server)->dropped_watchers, before + 1);
}

TEST_WITH(a_watcher_that_leaves_is_forgotten, struct world *w)
{
	struct event e = event_of(EVENT_BIND);

	for (int i = 0; i < 20; i++) {
		struct client c = watch(w, "/v1/events");

		client_free(&c);
		publish(w, &e, "gone", 1);
		world_turn(w);
		publish(w, &e, "gone", 1);
	}
}

/* Nothing is told of an end that stands behind what nobody reads. */
TEST_WITH(a_watcher_that_says_too_much_is_disconnected, struct world *w)
{
	static char noise[4096];

	memset(noise, 'x', sizeof(noise));
	for (int behind = 0; behind < 2; behind++) {
		_cleanup_client_ struct client c = client_new(w);

		client_get(w, &c, "/v1/events?filter=nobody");
		if (behind)
			client_wait_text(w, &c, "\"stream\"");
		client_write(w, &c, noise, sizeof(noise));
		client_wait_end(w, &c);
	}
}

TEST_WITH(a_watcher_that_says_little_goes_on, struct world *w)
{
	_cleanup_client_ struct client c = watch(w, "/v1/events");

	client_say(w, &c, "GET /v1/status HTTP/1.1\r\nHost: pd\r\n\r\n");
	wait_published(w, &c);
}

TEST_WITH(the_end_of_the_server_ends_the_streams, struct world *w)
{
	_cleanup_client_ struct client c = watch(w, "/v1/events");

	api_free(w->api);
	client_wait_end(w, &c);
	unlink(w->socket);
	world_open_api(w);
}

TEST_MAIN(world_open, world_close)
