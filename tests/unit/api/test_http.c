/* SPDX-License-Identifier: MIT */
/* The server against well-formed, malformed and hostile HTTP. */
#include "world.h"

#include "api/state.h"
#include "http/answer.h"
#include "http/metrics.h"
#include "http/parse.h"
#include "unit/random.h"

static void assert_alive(struct world *w)
{
	assert_ok(ask_get(w, "/v1/log?n=1"));
}

TEST_WITH(every_body_says_ok_and_its_version, struct world *w)
{
	const struct answer *a = ask_get(w, "/v1/services");

	assert_ok(a);
	assert_non_null(strcasestr(a->head, "Content-Type: application/json"));
}

TEST_WITH(an_unknown_path_is_404_in_json, struct world *w)
{
	assert_error(ask_get(w, "/v2/services"), 404, "no_route", "/v2/services");
}

TEST_WITH(a_wrong_method_is_405_and_names_the_right_one, struct world *w)
{
	const struct answer *a = ask_post(w, "/v1/services", "{}");

	assert_error(a, 405, "no_method", "GET");
	assert_non_null(strstr(a->head, "Allow: GET"));
}

TEST_WITH(a_head_request_is_answered_without_a_body, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);

	client_say(w, &c, "HEAD /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n");
	client_wait_end(w, &c);
	assert_int_equal(strncmp(c.text, "HTTP/1.1 405", 12), 0);
	assert_null(strstr(c.text, "{"));
}

TEST_WITH(an_http_1_0_client_gets_its_answer_and_the_end, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);

	client_say(w, &c, "GET /v1/services HTTP/1.0\r\n\r\n");
	client_wait_end(w, &c);
	assert_non_null(strstr(c.text, "\"ok\":true"));
}

TEST_WITH(a_connection_serves_one_request_after_another, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);

	for (int i = 0; i < 20; i++) {
		client_get(w, &c, "/v1/services");
		assert_ok(client_answer(w, &c));
	}
}

TEST_WITH(pipelined_requests_are_answered_in_their_order, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	const struct answer *claim, *find, *lost;

	client_say(w, &c,
		   "POST /v1/claims HTTP/1.1\r\nContent-Length: 13\r\n\r\n{\"id\":\"pipe\"}"
		   "GET /v1/services?pattern=pipe HTTP/1.1\r\n\r\n"
		   "GET /nowhere HTTP/1.1\r\n\r\n");
	claim = client_answer(w, &c);
	find = client_answer(w, &c);
	lost = client_answer(w, &c);
	assert_ok(claim);
	assert_ok(find);
	assert_int_equal(int_of(find, "services.0.port"), int_of(claim, "port"));
	assert_error(lost, 404, "no_route", "");
}

TEST_WITH(garbage_behind_a_good_request_ends_the_connection_only, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);

	client_say(w, &c, "GET /v1/services HTTP/1.1\r\n\r\n\x01\x02 garbage\r\n\r\n");
	assert_ok(client_answer(w, &c));
	client_wait_end(w, &c);
	assert_alive(w);
}

TEST_WITH(a_request_may_arrive_byte_by_byte, struct world *w)
{
	static const char text[] = "POST /v1/claims HTTP/1.1\r\nContent-Length: 13\r\n\r\n"
				   "{\"id\":\"slow\"}";
	_cleanup_client_ struct client c = client_new(w);

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		assert_true(client_write(w, &c, text + i, 1));
	assert_ok(client_answer(w, &c));
}

TEST_WITH(a_chunked_body_is_read, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	const struct answer *a;

	client_say(w, &c,
		   "POST /v1/claims HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "5\r\n{\"id\"\r\na\r\n:\"chunked\"\r\n1\r\n}\r\n0\r\n\r\n");
	a = client_answer(w, &c);
	assert_ok(a);
	assert_string_equal(text_of(a, "id"), "chunked");
}

TEST_WITH(a_client_may_expect_100_continue, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);

	client_say(
		w, &c,
		"POST /v1/claims HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 13\r\n\r\n");
	client_wait_text(w, &c, "100 Continue\r\n");
	client_say(w, &c, "{\"id\":\"wait\"}");
	client_wait_text(w, &c, "\"ok\":true");
}

static const struct answer *post_bytes(struct world *w, size_t size)
{
	_cleanup_client_ struct client c = client_new(w);
	_cleanup_free_ char *body = malloc(size);
	char head[128];

	assert_non_null(body);
	memset(body, ' ', size);
	snprintf(head, sizeof(head), "POST /v1/claims HTTP/1.1\r\nContent-Length: %zu\r\n\r\n",
		 size);
	client_say(w, &c, head);
	client_write(w, &c, body, size); /* may be cut short by the refusal */
	return client_answer(w, &c);
}

TEST_WITH(a_body_of_64_kb_is_read_and_one_byte_more_is_too_large, struct world *w)
{
	assert_error(post_bytes(w, PARSE_BODY_MAX_BYTES), 400, "bad_request", "not JSON");
	assert_error(post_bytes(w, PARSE_BODY_MAX_BYTES + 1), 413, "too_large", "65536");
}

TEST_WITH(a_body_of_megabytes_is_refused_with_413, struct world *w)
{
	assert_int_equal(post_bytes(w, 8 << 20)->status, 413);
	assert_alive(w);
}

TEST_WITH(headers_without_end_are_refused, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	char line[1024];

	snprintf(line, sizeof(line), "X-%0990d: 1\r\n", 0);
	client_say(w, &c, "GET /v1/status HTTP/1.1\r\n");
	for (int i = 0; i < 64 && client_write(w, &c, line, strlen(line)); i++)
		;
	client_wait_end(w, &c);
	assert_null(strstr(c.text, "\"ok\":true"));
	assert_alive(w);
}

TEST_WITH(requests_that_are_not_http_do_no_harm, struct world *w)
{
	static const char *const texts[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET /v1/status\r\n\r\n",
		"GET  HTTP/1.1\r\n\r\n",
		"GET /v1/status HTTP/9.9\r\n\r\n",
		"FROB /v1/status HTTP/1.1\r\n\r\n",
		"CONNECT pd:80 HTTP/1.1\r\n\r\n",
		"CONNECT / HTTP/1.1\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\n\r\n",
		"GET http://[::1/v1/status HTTP/1.1\r\n\r\n",
		"GET http:// HTTP/1.1\r\n\r\n",
		"GET /%zz?%=&=&&port=%4 HTTP/1.1\r\n\r\n",
		"GET ?port=1 HTTP/1.1\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\nno colon here\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\n: empty\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\n folded\r\n\r\n",
		"POST /v1/claims HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"POST /v1/claims HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"POST /v1/claims HTTP/1.1\r\nContent-Length: 4x\r\n\r\n{}{}",
		"POST /v1/claims HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n",
		"POST /v1/claims HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n",
		"POST /v1/claims HTTP/1.1\r\nExpect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_client_ struct client c = client_new(w);

		client_say(w, &c, texts[i]);
		shutdown(c.fd, SHUT_WR);
		client_wait_end(w, &c);
		assert_alive(w);
	}
}

/* Good requests with some bytes changed, cut, doubled, sent in pieces. */
TEST_WITH(mutated_requests_do_no_harm, struct world *w)
{
	static const char *const seeds[] = {
		"GET /v1/services?pattern=a*&port=3100&status=active HTTP/1.1\r\nHost: pd\r\n\r\n",
		"POST /v1/claims HTTP/1.1\r\nContent-Length: 35\r\n\r\n"
		"{\"id\":\"fuzz\",\"ttl\":\"2h\",\"port\":null}",
		"POST /v1/releases HTTP/1.1\r\nContent-Length: 16\r\n\r\n{\"match\":\"fuzz\"}",
		"GET /v1/events?pattern=* HTTP/1.1\r\n\r\n",
		"POST /v1/claims HTTP/1.1\r\nTransfer-Encoding: "
		"chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	};
	struct random_source random = random_start(__func__);

	for (int round = 0; round < 400; round++) {
		_cleanup_client_ struct client c = client_new(w);
		const char *text = seeds[random_below(&random, ARRAY_SIZE(seeds))];
		unsigned n = (unsigned)strlen(text);
		char bytes[512];

		memcpy(bytes, text, n);
		for (unsigned change = random_below(&random, 6); change; change--)
			bytes[random_below(&random, n)] = (char)random_u64(&random);
		if (random_below(&random, 4) == 0)
			n = random_below(&random, n);
		for (unsigned at = 0; at < n;) {
			unsigned piece = 1 + random_below(&random, n - at);

			if (!client_write(w, &c, bytes + at, piece))
				break;
			at += piece;
		}
		client_read(&c);
	}
	assert_alive(w);
}

TEST_WITH(a_client_that_leaves_before_its_answer_harms_nobody, struct world *w)
{
	static const char text[] = "POST /v1/claims HTTP/1.1\r\nContent-Length: 13\r\n\r\n"
				   "{\"id\":\"left\"}";
	const struct answer *a;

	for (int i = 0; i < 50; i++) {
		struct client c = client_new(w);

		assert_int_equal(send(c.fd, text, sizeof(text) - 1, MSG_NOSIGNAL),
				 sizeof(text) - 1);
		client_free(&c);
	}
	a = ask_get(w, "/v1/services?pattern=left");
	assert_ok(a);
	assert_int_equal(count_of(a, "services"), 1);
}

TEST_WITH(the_end_of_the_server_answers_whom_it_has_heard, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	int64_t deadline = now_ms() + DEADLINE_MS;

	client_post(w, &c, "/v1/claims", "{\"id\":\"end\"}");
	/* heard, and by chance answered already */
	while (!registry_in_batch(w->registry) && !c.n)
		client_step(w, &c, deadline);
	api_free(w->api);
	assert_ok(client_answer(w, &c));
	unlink(w->socket);
	world_open_api(w);
}

TEST_WITH(parameters_are_checked, struct world *w)
{
	static const struct bad_request rows[] = {
		{ "/v1/services?prot=3000",
		  "unknown parameter \"prot\"; /v1/services takes: pattern" },
		{ "/v1/services?port=3000&port=3001", "twice" },
		{ "/v1/services?pattern=a%00b", "NUL" },
		{ "/v1/services?pattern=%ff%fe", "UTF-8" },
		{ "/v1/services?port", "no value" },
		{ "/v1/services?pattern=", "no value" },
		{ "/v1/services?pattern=&port=3000", "no value" },
		{ "/v1/services?port=0", "1 to 65535" },
		{ "/v1/services?port=65536", "1 to 65535" },
		{ "/v1/services?port=080", "1 to 65535" },
		{ "/v1/services?port=-1", "1 to 65535" },
		{ "/v1/services?port=3000x", "1 to 65535" },
		{ "/v1/services?pattern=a%20b", "pattern" },
		{ "/v1/services?status=dead",
		  "claimed, active, ghost, stale, orphaned, squatted, ending, orphan" },
		{ "/v1/status?x=1", "takes: none" },
	};
	const struct answer *post_alone = ask_get(w, "/v1/claims?id=x");

	assert_bad_paths(w, rows, ARRAY_SIZE(rows));
	assert_error(post_alone, 405, "no_method", "POST");
}

TEST_WITH(a_parameter_of_a_kilobyte_is_too_large, struct world *w)
{
	assert_error(get(w, "/v1/services?pattern=%01500d", 0), 413, "too_large", "pattern");
}

TEST_WITH(requests_and_refusals_are_counted, struct world *w)
{
	struct metrics before = *server_metrics(w->api->server), after;

	ask_get(w, "/v1/services");
	ask_get(w, "/nowhere");
	after = *server_metrics(w->api->server);
	assert_int_equal(after.requests - before.requests, 2);
	assert_int_equal(after.refused - before.refused, 1);
	assert_int_equal(after.errors - before.errors, 0); /* of the daemon's own there was none */
	assert_int_equal(after.connections - before.connections, 2);
	assert_true(after.max_us > 0 && after.total_us >= after.max_us);
}

TEST(an_error_inside_is_never_the_clients_fault)
{
	assert_int_equal(answer_outcome(0), OUTCOME_OK);
	assert_int_equal(answer_outcome(OUTCOME_CONFLICT), OUTCOME_CONFLICT);
	assert_int_equal(answer_outcome(-EINVAL), OUTCOME_FAILED);
	assert_int_equal(answer_outcome(-EACCES), OUTCOME_FAILED);
	assert_int_equal(answer_outcome(-ENOMEM), OUTCOME_FAILED);
	assert_int_equal(answer_outcome(-ENOSPC), OUTCOME_NO_SPACE);
}

TEST_MAIN(world_open, world_close)
