/* SPDX-License-Identifier: MIT */
/* How many may be connected, and that nobody can lock the others out. */
#include <signal.h>

#include "base/quota.h"
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
	_cleanup_answer_ struct answer a = client_answer(w, c);

	assert_error(&a, 503, "too_large", "256 open connections");
	client_wait_end(w, c);
}

static void one_connection_over_the_limit_is_refused_and_the_rest_go_on(void **state)
{
	struct world *w = *state;
	struct client *clients = connect_many(w, CONNECTIONS_MAX);
	_cleanup_client_ struct client over = client_new(w);
	_cleanup_answer_ struct answer first = { 0 }, last = { 0 };

	assert_refused(w, &over);
	client_get(w, &clients[0], "/v1/log");
	first = client_answer(w, &clients[0]);
	assert_ok(&first);
	client_get(w, &clients[CONNECTIONS_MAX - 1], "/v1/log");
	last = client_answer(w, &clients[CONNECTIONS_MAX - 1]);
	assert_ok(&last);
	close_many(w, clients, CONNECTIONS_MAX);
}

static void closed_connections_do_not_count(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < 3; round++) {
		struct client *clients = connect_many(w, CONNECTIONS_MAX);
		_cleanup_answer_ struct answer a = { 0 };

		close_many(w, clients, CONNECTIONS_MAX);
		a = ask_get(w, "/v1/log");
		assert_ok(&a);
	}
}

static void a_refused_request_is_not_carried_out(void **state)
{
	struct world *w = *state;
	struct client *clients = connect_many(w, CONNECTIONS_MAX);
	struct client over = client_new(w);
	_cleanup_answer_ struct answer a = { 0 };
	static const char text[] = "POST /v1/claims HTTP/1.1\r\nContent-Length: 16\r\n\r\n"
				   "{\"id\":\"refused\"}";

	/* there before the server looks at the connection */
	assert_int_equal(send(over.fd, text, sizeof(text) - 1, 0), sizeof(text) - 1);
	assert_refused(w, &over);
	client_free(&over);
	close_many(w, clients, CONNECTIONS_MAX);
	a = ask_get(w, "/v1/services?pattern=refused");
	assert_int_equal(count_of(&a, "services"), 0);
}

/* A child of another user that holds as many connections as it gets; it says how many were let in.
 */
static pid_t hoard(struct world *w, int *ret_pipe)
{
	int report[2];
	pid_t child;

	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		struct sockaddr_un name = { .sun_family = AF_UNIX };
		int fds[CONNECTIONS_PER_USER + 1], admitted = 0;

		snprintf(name.sun_path, sizeof(name.sun_path), "%s", w->socket);
		if (setresgid(OTHER_UID, OTHER_UID, OTHER_UID) ||
		    setresuid(OTHER_UID, OTHER_UID, OTHER_UID))
			_exit(1);
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
			static const char text[] = "GET /v1/log?n=1 HTTP/1.1\r\n\r\n";
			char answer[16] = "";

			fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
			if (connect(fds[i], (struct sockaddr *)&name, sizeof(name)))
				_exit(2);
			/* refused already: the answer is there all the same */
			(void)!send(fds[i], text, sizeof(text) - 1, MSG_NOSIGNAL);
			if (recv(fds[i], answer, 12, MSG_WAITALL) != 12)
				_exit(3);
			admitted += !strcmp(answer, "HTTP/1.1 200");
		}
		if (write(report[1], &admitted, sizeof(admitted)) != sizeof(admitted))
			_exit(4);
		pause();
	}
	close(report[1]);
	*ret_pipe = report[0];
	return child;
}

static void one_user_cannot_take_all_connections(void **state)
{
	struct world *w = *state;
	int64_t deadline = now_ms() + DEADLINE_MS;
	int report, admitted = 0, status;
	pid_t child = hoard(w, &report);
	struct pollfd p = { .fd = report, .events = POLLIN };
	_cleanup_answer_ struct answer a = { 0 };

	while (poll(&p, 1, 1) == 0) {
		world_turn(w);
		assert_true(now_ms() < deadline);
	}
	assert_int_equal(read(report, &admitted, sizeof(admitted)), sizeof(admitted));
	close(report);
	a = ask_get(w, "/v1/log");
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(admitted, CONNECTIONS_PER_USER);
	assert_ok(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_connection_over_the_limit_is_refused_and_the_rest_go_on),
		cmocka_unit_test(closed_connections_do_not_count),
		cmocka_unit_test(a_refused_request_is_not_carried_out),
		cmocka_unit_test(one_user_cannot_take_all_connections),
	};

	return cmocka_run_group_tests_name("api/limits", tests, world_open, world_close);
}
