/* SPDX-License-Identifier: MIT */
/* The process behind the daemon's socket, as the kernel names it. */
#ifndef CLI_PEER_H
#define CLI_PEER_H

#include <stdbool.h>
#include <sys/types.h>

struct peer {
	pid_t pid;
	uid_t uid;
	char socket[108];
};

/* False when no daemon answers.  Starts nothing. */
bool peer_find(struct peer *ret);

#endif
