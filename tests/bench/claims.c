/* SPDX-License-Identifier: MIT */
/*
 * claims SOCKET CLIENTS COUNT PREFIX RANGE: CLIENTS connections claim COUNT new names in all, each
 * the next one when its answer is there, as `pd claim` asks.  Prints claims a second and the median
 * of a claim's microseconds.
 *
 * One process that waits for all of them: threads that each wait in read() are woken by the kernel
 * also when the daemon has taken their request, and would measure the scheduler.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tool.h"

#define CLIENTS_MAX 64

struct client {
	int fd, number;
	int64_t began;
	size_t used;
	char answer[8192];
};

static struct {
	const char *prefix, *range;
	int count, next, answered;
	int64_t *took_ns;
} work;

/* True when the answer in the buffer is whole. */
static bool is_whole(const struct client *c)
{
	const char *length = strcasestr(c->answer, "content-length:");
	const char *body = strstr(c->answer, "\r\n\r\n");

	return length && body &&
	       c->used >= (size_t)(body + 4 - c->answer) + strtoul(length + 15, NULL, 10);
}

/* Claims the next name, where there is one left. */
static void ask(struct client *c)
{
	char body[256], request[512];
	int size;

	if (work.next == work.count)
		return;
	c->number = work.next++;
	c->used = 0;
	c->began = now_ns();
	snprintf(body, sizeof(body),
		 "{\"id\":\"%s:n%d\",\"range\":\"%s\",\"cwd\":\"/home/somebody/work/project\"}",
		 work.prefix, c->number, work.range);
	size = snprintf(request, sizeof(request),
			"POST /v1/claims HTTP/1.1\r\nHost: localhost\r\n"
			"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			strlen(body), body);
	if (write(c->fd, request, (size_t)size) != size)
		err(1, "write");
}

static void take_answer(struct client *c)
{
	ssize_t n = read(c->fd, c->answer + c->used, sizeof(c->answer) - 1 - c->used);

	if (n <= 0)
		errx(1, "the answer ends after %zu bytes", c->used);
	c->used += (size_t)n;
	c->answer[c->used] = 0;
	if (!is_whole(c))
		return;
	if (strncmp(c->answer, "HTTP/1.1 200", 12))
		errx(1, "%s", c->answer);
	work.took_ns[c->number] = now_ns() - c->began;
	work.answered++;
	ask(c);
}

static int connect_all(const char *socket, struct client *clients, int n)
{
	int loop = epoll_create1(EPOLL_CLOEXEC);

	for (int i = 0; i < n; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = &clients[i] };

		clients[i].fd = connect_to(socket);
		if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, clients[i].fd, &e))
			err(1, "epoll");
	}
	return loop;
}

int main(int argc, char **argv)
{
	static struct client clients[CLIENTS_MAX];
	struct epoll_event ready[CLIENTS_MAX];
	int n = argc == 6 ? atoi(argv[2]) : 0;
	int64_t began;
	double seconds;
	int loop;

	if (n < 1 || n > CLIENTS_MAX || atoi(argv[3]) < 1)
		errx(2, "usage: claims SOCKET CLIENTS COUNT PREFIX RANGE");
	work.count = atoi(argv[3]);
	work.prefix = argv[4];
	work.range = argv[5];
	work.took_ns = samples_new(work.count);
	loop = connect_all(argv[1], clients, n);
	began = now_ns();
	for (int i = 0; i < n; i++)
		ask(&clients[i]);
	while (work.answered < work.count) {
		int n_ready = epoll_wait(loop, ready, CLIENTS_MAX, -1);

		for (int i = 0; i < n_ready; i++)
			take_answer(ready[i].data.ptr);
	}
	seconds = (double)(now_ns() - began) / 1e9;
	printf("%.1f %.1f\n", work.count / seconds, percentile_us(work.took_ns, work.count, 50));
	free(work.took_ns);
	return 0;
}
