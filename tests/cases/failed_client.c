/* SPDX-License-Identifier: MIT */
/* A client asked for this very source port; its connect() was refused, its socket is still open. */
#include "case.h"

static void run_failed_client(struct scene *s)
{
	const struct endpoint nobody = { .addr = "127.0.0.1" };
	int fd = holder_bind(s);

	need(endpoint_connect(fd, &nobody, 9) < 0 && errno == ECONNREFUSED);
	tell(s, 0);
	close(fd);
	tell(s, 0);
}

const struct scenario scenario = {
	.verdict = "failed_client",
	.holder = { .addr = "127.0.0.1" },
	.run_holder = run_failed_client,
	.remedy = let_holder_go_on,
};
