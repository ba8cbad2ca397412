/* SPDX-License-Identifier: MIT */
/* A client asked for this very source port; its connect() was refused, its socket is still open. */
#include "case.h"

static void run_failed_client(struct scene *s)
{
	struct endpoint nobody = { .addr = "127.0.0.1", .port = 9 };
	struct sockaddr_storage a;
	socklen_t n = endpoint_address(&nobody, 0, &a);
	int fd = holder_bind(s);

	need(connect(fd, (struct sockaddr *)&a, n) < 0 && errno == ECONNREFUSED);
	tell(s, 0);
	close(fd);
	tell(s, 0);
}

const struct scenario scenario = {
	.verdict = "failed_client",
	.error = EADDRINUSE,
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "0.0.0.0" },
	.run_holder = run_failed_client,
	.remedy = let_holder_go_on,
};
