/* SPDX-License-Identifier: MIT */
/*
 * The state directory and the socket: made, locked against a second daemon, listened on.
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include <stdbool.h>

#include "daemon/privileges.h"

#define STATE_PATH_SIZE	 4096
#define STATE_ERROR_SIZE 512

/* Which file a path led to; inode 0 = none yet. */
struct state_file {
	dev_t device;
	ino_t inode;
};

struct state {
	char directory[STATE_PATH_SIZE];
	char database[STATE_PATH_SIZE + 32];
	char lock[STATE_PATH_SIZE + 32];
	char socket[108];	      /* sun_path */
	int directory_fd;	      /* of `directory`, where the lock was taken; O_PATH */
	int lock_fd;		      /* holds the lock as long as it is open */
	int listen_fd;		      /* -1 until state_listen(); its consumer sets it back to -1 */
	bool for_everybody;	      /* others may connect: root's, and the system service */
	bool handed;		      /* the service manager has bound the socket, and keeps it */
	struct state_file own_lock;   /* that we locked */
	struct state_file own_socket; /* that we bound */
};

/*
 * Finds the paths and, as root for the service, makes its directories and gives them to the target.
 * 0, or a negative errno with one sentence in ret_error.
 */
int state_find(bool service, const struct identity_target *target, struct state *ret,
	       char ret_error[static STATE_ERROR_SIZE]);

/*
 * Makes the directory and takes the lock; as the target user.  -EBUSY names who holds it; one that
 * is about to end is waited for.
 */
int state_lock(struct state *s, char ret_error[static STATE_ERROR_SIZE]);

/*
 * Takes the socket that the service manager has handed over (daemon/notify.h), or binds it, as the
 * target user, with the lock held.  A socket that nobody has bound any
 * more is replaced.  What is no socket stays (-EEXIST), and so does a socket that somebody has:
 * -EADDRINUSE.  Mode 0666 where it is for everybody, else 0600.
 */
int state_listen(struct state *s, char ret_error[static STATE_ERROR_SIZE]);

/*
 * 0 while the paths of the lock file and the socket lead to ours.  Else -ESTALE and one sentence:
 * nobody can reach this daemon, or another one can take its place.
 */
int state_check(const struct state *s, char ret_error[static STATE_ERROR_SIZE]);

/* Leaves word for the next pd that this daemon listens with eBPF, until state_deinit(). */
void state_note_ebpf(const struct state *s);

/*
 * Removes the socket file if it is the one that we bound, closes both descriptors.  The lock file
 * stays: it may be locked again.
 */
void state_deinit(struct state *s);

#endif
