/* SPDX-License-Identifier: MIT */
/* shutdown() ended the listening; the port stays locked until close(). */
#include "case.h"

static void run_shut_down(struct scene *s)
{
	int fd = holder_listen(s);

	need(shutdown(fd, SHUT_RDWR) == 0);
	tell(s, 0);
	close(fd);
	tell(s, 0);
}

const struct scenario scenario = {
	.verdict = "listener_shut_down",
	.run_holder = run_shut_down,
	.remedy = let_holder_go_on,
};
