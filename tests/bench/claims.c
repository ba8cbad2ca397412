/* SPDX-License-Identifier: MIT */
/*
 * claims SOCKET CLIENTS COUNT PREFIX RANGE: CLIENTS connections, each a thread, claim COUNT new
 * names in all, one after the other on each connection.  Prints claims a second and the median of
 * a claim's microseconds.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define CLIENTS_MAX 64

static struct {
	const char *socket, *prefix, *range;
	int count;
	atomic_int next;
	int64_t *took_ns;
} work;

/* True when the answer in the buffer is whole. */
static bool is_whole(const char *answer, size_t used)
{
	const char *length = strcasestr(answer, "content-length:");
	const char *body = strstr(answer, "\r\n\r\n");

	return length && body &&
	       used >= (size_t)(body + 4 - answer) + strtoul(length + 15, NULL, 10);
}

static void claim(int fd, int number)
{
	char body[256], request[512], answer[8192] = "";
	size_t used = 0;
	int size;

	snprintf(body, sizeof(body), "{\"id\":\"%s:n%d\",\"range\":\"%s\"}", work.prefix, number,
		 work.range);
	size = snprintf(request, sizeof(request),
			"POST /v1/claims HTTP/1.1\r\nHost: localhost\r\n"
			"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			strlen(body), body);
	if (write(fd, request, (size_t)size) != size)
		err(1, "write");
	while (!is_whole(answer, used)) {
		ssize_t n = read(fd, answer + used, sizeof(answer) - 1 - used);

		if (n <= 0)
			errx(1, "the answer ends after %zu bytes", used);
		used += (size_t)n;
		answer[used] = 0;
	}
	if (strncmp(answer, "HTTP/1.1 200", 12))
		errx(1, "%s", answer);
}

static void *client(void *unused __attribute__((unused)))
{
	int fd = connect_to(work.socket);

	for (;;) {
		int number = atomic_fetch_add(&work.next, 1);
		int64_t began = now_ns();

		if (number >= work.count)
			break;
		claim(fd, number);
		work.took_ns[number] = now_ns() - began;
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[CLIENTS_MAX];
	int clients = argc == 6 ? atoi(argv[2]) : 0;
	int64_t began;
	double seconds;

	if (clients < 1 || clients > CLIENTS_MAX || atoi(argv[3]) < 1)
		errx(2, "usage: claims SOCKET CLIENTS COUNT PREFIX RANGE");
	work.socket = argv[1];
	work.count = atoi(argv[3]);
	work.prefix = argv[4];
	work.range = argv[5];
	work.took_ns = samples_new(work.count);
	began = now_ns();
	for (int i = 0; i < clients; i++)
		if (pthread_create(&threads[i], NULL, client, NULL))
			errx(1, "thread");
	for (int i = 0; i < clients; i++)
		pthread_join(threads[i], NULL);
	seconds = (double)(now_ns() - began) / 1e9;
	printf("%.1f %.1f\n", work.count / seconds, percentile_us(work.took_ns, work.count, 50));
	free(work.took_ns);
	return 0;
}
