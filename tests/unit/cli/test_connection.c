/* SPDX-License-Identifier: MIT */
/* The client against a daemon that sends what we write, in the pieces in which we write it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/client/connection.h"
#include "cli/client/stop_guard.h"
#include "testing.h"

struct pair {
	struct connection client;
	int server;
};

static struct pair connected(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	return (struct pair){ .client = { .fd = ends[0] }, .server = ends[1] };
}

static void disconnect(struct pair *p)
{
	connection_close(&p->client);
	closep(&p->server);
	p->server = -1;
}

static void say(struct pair *p, const char *text)
{
	assert_int_equal(write(p->server, text, strlen(text)), strlen(text));
}

static void hang_up(struct pair *p)
{
	close(p->server);
	p->server = -1;
}

/* Sends a text one byte at a time, then hangs up. */
struct slow {
	int fd;
	const char *text;
};

static void *send_slowly(void *argument)
{
	struct slow *slow = argument;

	for (const char *c = slow->text; *c; c++)
		if (write(slow->fd, c, 1) != 1)
			return NULL;
	shutdown(slow->fd, SHUT_WR);
	return NULL;
}

TEST(body_is_read_whatever_the_pieces_are)
{
	_cleanup_(disconnect) struct pair p = connected();
	struct slow slow = { p.server,
			     "HTTP/1.0 200 OK\r\nContent-Length: 13\r\n\r\n{\"ok\": true}\n" };
	pthread_t thread;
	size_t n;

	assert_int_equal(pthread_create(&thread, NULL, send_slowly, &slow), 0);
	assert_int_equal(connection_read_head(&p.client), 0);
	assert_int_equal(connection_read_body(&p.client, &n), 0);
	pthread_join(thread, NULL);
	assert_int_equal(n, 13);
	assert_string_equal(p.client.bytes + p.client.head.size, "{\"ok\": true}\n");
}

TEST(body_without_a_length_ends_with_the_connection)
{
	_cleanup_(disconnect) struct pair p = connected();
	size_t n;

	say(&p, "HTTP/1.0 200 OK\r\n\r\n{}");
	hang_up(&p);
	assert_int_equal(connection_read_head(&p.client), 0);
	assert_int_equal(connection_read_body(&p.client, &n), 0);
	assert_int_equal(n, 2);
}

TEST(daemon_that_ends_in_the_middle_is_noticed)
{
	_cleanup_(disconnect) struct pair head = connected();
	_cleanup_(disconnect) struct pair body = connected();
	size_t n;

	say(&head, "HTTP/1.0 200 OK\r\nContent-");
	hang_up(&head);
	assert_int_equal(connection_read_head(&head.client), -ECONNABORTED);

	say(&body, "HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n{\"ok\":");
	hang_up(&body);
	assert_int_equal(connection_read_head(&body.client), 0);
	assert_int_equal(connection_read_body(&body.client, &n), -ECONNABORTED);
}

TEST(request_that_was_not_read_is_told_from_one_without_an_answer)
{
	_cleanup_(disconnect) struct pair unread = connected();
	_cleanup_(disconnect) struct pair read_all = connected();
	char request[512];

	assert_int_equal(connection_send(&unread.client, "POST", "/", "{}"), 0);
	assert_int_equal(read(unread.server, request, 10), 10);
	hang_up(&unread);
	assert_int_equal(connection_read_head(&unread.client), -ECONNRESET);

	assert_int_equal(connection_send(&read_all.client, "POST", "/", "{}"), 0);
	assert_true(read(read_all.server, request, sizeof(request)) > 10);
	hang_up(&read_all);
	assert_int_equal(connection_read_head(&read_all.client), -ENODATA);
}

TEST(announced_answer_above_the_limit_is_refused_unread)
{
	_cleanup_(disconnect) struct pair p = connected();
	char head[128];
	size_t n;

	snprintf(head, sizeof(head), "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n",
		 CONNECTION_ANSWER_MAX_BYTES + 1);
	say(&p, head);
	assert_int_equal(connection_read_head(&p.client), 0);
	assert_int_equal(connection_read_body(&p.client, &n), -EFBIG);
}

TEST(request_has_its_length_and_body)
{
	_cleanup_(disconnect) struct pair p = connected();
	char request[512];
	ssize_t n;

	assert_int_equal(connection_send(&p.client, "POST", "/v1/claims", "{\"id\":\"a\"}"), 0);
	n = read(p.server, request, sizeof(request) - 1);
	assert_true(n > 0);
	request[n] = '\0';
	assert_memory_equal(request, "POST /v1/claims HTTP/1.0\r\n", 26);
	assert_non_null(strstr(request, "\r\nContent-Length: 10\r\n"));
	assert_string_equal(strstr(request, "\r\n\r\n"), "\r\n\r\n{\"id\":\"a\"}");
}

TEST(sending_to_a_daemon_that_is_gone_ends_no_process)
{
	_cleanup_(disconnect) struct pair p = connected();

	hang_up(&p);
	assert_int_equal(connection_send(&p.client, "GET", "/", NULL), -EPIPE);
}

static void expect_line(struct pair *p, const char *expected)
{
	char *line;

	assert_int_equal(connection_next_line(&p->client, &line), 1);
	assert_string_equal(line, expected);
}

TEST(lines_come_whole_and_the_end_is_an_end)
{
	_cleanup_(disconnect) struct pair p = connected();
	char *line;

	say(&p, "HTTP/1.0 200 OK\r\n\r\n{\"a\":1}\n{\"b\"");
	assert_int_equal(connection_read_head(&p.client), 0);
	expect_line(&p, "{\"a\":1}");
	say(&p, ":2}\n\n{\"c\":3}\nrest");
	expect_line(&p, "{\"b\":2}");
	expect_line(&p, "");
	expect_line(&p, "{\"c\":3}");
	hang_up(&p);
	assert_int_equal(connection_next_line(&p.client, &line), 0);
}

static void *send_endlessly(void *argument)
{
	static const char block[65536] = { [0 ... 65535] = 'x' };
	int fd = *(int *)argument;

	while (send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

TEST(line_without_an_end_is_refused)
{
	_cleanup_(disconnect) struct pair p = connected();
	pthread_t thread;
	char *line;

	say(&p, "HTTP/1.0 200 OK\r\n\r\n");
	assert_int_equal(connection_read_head(&p.client), 0);
	assert_int_equal(pthread_create(&thread, NULL, send_endlessly, &p.server), 0);
	assert_int_equal(connection_next_line(&p.client, &line), -EFBIG);
	shutdown(p.client.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
}

TEST(signal_that_came_before_the_wait_ends_it)
{
	_cleanup_(disconnect) struct pair p = connected();
	char *line;

	say(&p, "HTTP/1.0 200 OK\r\n\r\n");
	assert_int_equal(connection_read_head(&p.client), 0);
	stop_guard_begin();
	raise(SIGINT);
	assert_int_equal(connection_next_line(&p.client, &line), -EINTR);
	assert_true(stop_guard_end());
}

TEST(answer_that_does_not_come_is_not_waited_for_by_who_asked_to_stop)
{
	_cleanup_(disconnect) struct pair p = connected();

	stop_guard_begin();
	raise(SIGTERM);
	assert_int_equal(connection_read_head(&p.client), -EINTR);
	assert_true(stop_guard_end());
}

TEST(answer_that_does_not_come_is_waited_for_so_long)
{
	_cleanup_(disconnect) struct pair p = connected();

	p.client.timeout_s = 1;
	assert_int_equal(connection_read_head(&p.client), -EAGAIN);
}

TEST(path_that_no_socket_can_have_is_refused)
{
	struct connection c;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(connection_open(&c, path), -ENAMETOOLONG);
	assert_int_equal(connection_open(&c, "/nonexistent/pd.sock"), -ENOENT);
	assert_int_equal(c.fd, -1);
}

TEST_MAIN(NULL, NULL)
