/* SPDX-License-Identifier: MIT */
/*
 * The process behind the daemon's socket.
 *
 * The kernel keeps who called listen(): a pid, and a pid soon means somebody else where that
 * process has ended and a child of its keeps the socket.  So a pid is for people to read;
 * whoever wants to signal the process opens it, which proves that it is still the one.
 */
#ifndef CLI_CLIENT_PEER_H
#define CLI_CLIENT_PEER_H

#include <stdbool.h>
#include <sys/types.h>

/* Of a daemon beside the one that is asked: one that hangs delays nobody for longer. */
#define PEER_ANSWER_S 1

struct peer {
	pid_t pid; /* 0 = not visible from our pid namespace */
	uid_t uid;
	int fd; /* a connection to it; owned */
	char socket[108];
};

/* False when no daemon answers.  Starts nothing. */
bool peer_find(struct peer *ret);
/*
 * The caller's own daemon (under sudo, that of who called it) beside a system service that
 * answers, too; false where there are not both.
 */
bool peer_find_beside_service(struct peer *ret);
void peer_deinit(struct peer *p);

/*
 * A pidfd, owned by the caller, of the process that listens; its uid is the peer's.  It is the
 * kernel's own (SO_PEERPIDFD, since 6.5).  Before that it is opened by its pid first and then has
 * to be proved: it runs portdaddyd, belongs to the peer's uid, and answers on the socket with its
 * pid.  Else a negative errno, and the clause that says what is missing in *ret_why (static).
 */
int peer_open(struct peer *p, const char **ret_why);

#endif
