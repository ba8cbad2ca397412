/* SPDX-License-Identifier: MIT */
/*
 * The state directory and the socket: made, locked against a second daemon, listened on.
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/privileges.h"

#define STATE_PATH_SIZE	 4096
#define STATE_ERROR_SIZE 512

struct state {
	char directory[STATE_PATH_SIZE];
	char database[STATE_PATH_SIZE + 32];
	char socket[108]; /* sun_path */
	int lock_fd;	  /* holds the lock as long as it is open */
	int listen_fd;	  /* -1 until state_listen(); its consumer sets it back to -1 */
	bool listening;	  /* the socket file is ours to remove */
};

/*
 * Finds the paths and, as root for the service, makes its directories and gives them to the target.
 * 0, or a negative errno with one sentence in ret_error (STATE_ERROR_SIZE bytes).
 */
int state_find(bool service, const struct identity_target *target, struct state *ret,
	       char *ret_error);

/*
 * Makes the directory and takes the lock; as the target user.  -EBUSY names who holds it; one that
 * is about to end is waited for.
 */
int state_lock(struct state *s, const struct identity_target *target, char *ret_error);

/*
 * Binds the socket; as the target user, with the lock held.  A socket file that nobody answers on
 * is replaced; one that answers is another daemon's: -EADDRINUSE.  Mode 0666 for a daemon that was
 * started by root, else 0600.
 */
int state_listen(struct state *s, const struct identity_target *target, char *ret_error);

/* Removes the socket file, closes both descriptors.  The lock file stays: it may be locked again.
 */
void state_deinit(struct state *s);

#endif
