/* SPDX-License-Identifier: MIT */
/* GET /v1/health: its parameters, its lines, and clients that leave. */
#include "world.h"

TEST_WITH(parameters_are_checked, struct world *w)
{
	static const struct bad_request bad[] = {
		{ "/v1/health?match=a%20b", "cannot be read" },
		{ "/v1/health?match=:0", "not a port" },
		{ "/v1/health?timeout=5", "no duration" },
		{ "/v1/health?timeout=301s", "300s" },
		{ "/v1/health?pattern=x", "match, timeout" },
		{ "/v1/health?paths=shop%3Aapi",
		  "paths \"shop:api\" cannot be read; write it like shop:api /health shop:web /" },
	};
	const struct answer *id = ask_get(w, "/v1/health?match=nobody"),
			    *pattern = ask_get(w, "/v1/health?match=no*"),
			    *port = ask_get(w, "/v1/health?match=:1");

	assert_bad_paths(w, bad, ARRAY_SIZE(bad));
	assert_error(id, 404, "not_found", "there is no service nobody");
	assert_error(pattern, 404, "not_found", "no service matches");
	assert_error(port, 404, "not_found", "no service owns port 1");
}

TEST_WITH(without_services_the_first_line_is_followed_by_the_last, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);

	client_say(w, &c, "GET /v1/health HTTP/1.0\r\n\r\n");
	client_wait_end(w, &c);
	assert_non_null(strstr(c.text, "\"stream\":\"health\",\"total\":0}\n{\"ok\":true"));
	assert_non_null(strstr(c.text, "\"healthy\":0,\"unhealthy\":0,\"unchecked\":0"));
}

TEST_WITH(what_nothing_listens_for_is_said_and_kept, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	_cleanup_client_ struct client again = client_new(w);

	assert_ok(post(w, "/v1/claims", "{\"id\":\"t:web\",\"port\":%u,\"health\":\"/health\"}",
		       free_port()));
	client_say(w, &c, "GET /v1/health?match=t:web HTTP/1.0\r\n\r\n");
	client_wait_end(w, &c);
	assert_non_null(strstr(c.text, "\"result\":\"waiting\",\"healthy\":false"));
	assert_non_null(strstr(c.text, "\"previous\":null"));
	assert_non_null(strstr(c.text, "\"stored\":true"));
	client_say(w, &again, "GET /v1/health?match=t:web HTTP/1.0\r\n\r\n");
	client_wait_end(w, &again);
	assert_non_null(strstr(again.text, "\"previous\":{\"result\":\"waiting\""));
}

/* A listener of this very process, whose claim is asked for: accepts and says nothing. */
static int silent_service(struct world *w, const char *id)
{
	uint16_t port = free_port();
	char cwd[4096];
	int fd;

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_ok(post(w, "/v1/claims",
		       "{\"id\":\"%s\",\"port\":%u,\"health\":\"/h\",\"cwd\":\"%s\"}", id, port,
		       cwd));
	fd = listen_at(port);
	assert_true(fd >= 0);
	world_resync(w);
	return fd;
}

TEST_WITH(progress_is_told_until_the_deadline, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	_cleanup_close_ int fd = silent_service(w, "t:silent");

	client_say(w, &c, "GET /v1/health?timeout=2s HTTP/1.1\r\nHost: pd\r\n\r\n");
	client_wait_text(w, &c, "{\"waiting\":1,\"total\":1}");
	client_wait_end(w, &c);
	assert_non_null(strstr(c.text, "\"result\":\"timeout\""));
	assert_non_null(strstr(c.text, "no response for 2s"));
}

TEST_WITH(a_client_that_leaves_takes_its_checks_along, struct world *w)
{
	_cleanup_close_ int fd = silent_service(w, "t:silent");
	struct client c = client_new(w);
	char byte;
	int peer, n;

	client_say(w, &c, "GET /v1/health?timeout=60s HTTP/1.0\r\n\r\n");
	client_wait_text(w, &c, "\"stream\":\"health\"");
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	client_free(&c);
	while ((n = recv(peer, &byte, 1, MSG_DONTWAIT)) > 0 || (n < 0 && errno == EAGAIN))
		world_turn(w);
	assert_int_equal(n, 0);
	close(peer);
}

TEST_WITH(a_server_that_ends_amid_a_round_leaks_nothing, struct world *w)
{
	_cleanup_close_ int fd = silent_service(w, "t:silent");
	_cleanup_client_ struct client c = client_new(w);

	client_say(w, &c, "GET /v1/health?timeout=60s HTTP/1.0\r\n\r\n");
	client_wait_text(w, &c, "\"stream\":\"health\"");
	api_free(w->api);
	w->api = NULL;
}

/* More than one step of each kind looks at. */
TEST_WITH(a_round_of_many_services_has_each_once, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	size_t n = 0;

	claim_project(w, "round0", 250);
	claim_project(w, "round1", 250);
	claim_project(w, "round2", 250);
	client_get(w, &c, "/v1/health?match=round*:*");
	client_wait_text(w, &c, "\"unhealthy\":750");
	assert_non_null(strstr(c.text, "\"total\":750"));
	assert_non_null(strstr(c.text, "\"stored\":true"));
	for (const char *at = c.text; (at = strstr(at, "{\"service\":{")); at++)
		n++;
	assert_int_equal(n, 750);
	client_wait_end(w, &c);
}

EACH_TEST_MAIN(world_open, world_close)
