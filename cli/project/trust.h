/* SPDX-License-Identifier: MIT */
/*
 * Whose files pd obeys.
 *
 * A file that steers a command (.portdaddyrc, the .git of a linked worktree) is looked for from the
 * current directory upwards, where other users may write, too: everybody may into /tmp.  As git
 * does, pd obeys a file only where it and its directory belong to the user, to root or, under sudo,
 * to the invoking user, and where nobody else may write either of them.  The user's private group
 * is nobody else, and neither is anybody in a directory with the sticky bit, in which others cannot
 * replace what they do not own.
 *
 * The search ends at the home directory, before another file system, and with the first directory
 * that belongs to somebody else.  A file that is passed over is told of in one line on stderr: what
 * it would have changed does not happen, and somebody may wonder why.
 */
#ifndef CLI_PROJECT_TRUST_H
#define CLI_PROJECT_TRUST_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#define TRUST_USERS_MAX 3 /* the caller, root, the user behind sudo */
#define TRUST_HOMES_MAX 2 /* of the caller and of the user behind sudo */

struct trust_search {
	char path[PATH_MAX]; /* of the directory that is looked at; "" is the root */
	int fd;		     /* of it, O_PATH; -1 = it is gone */
	struct stat st;	     /* of it, where fd is not -1 */

	/* private to trust.c */
	bool begun, ends_here, has_device;
	dev_t device;
	uid_t users[TRUST_USERS_MAX];
	int n_users;
	struct {
		dev_t device;
		ino_t inode;
	} homes[TRUST_HOMES_MAX];
	int n_homes;
};

/* At an absolute directory, which is copied.  0, or -ENAMETOOLONG. */
int trust_search_begin(struct trust_search *s, const char *directory);
void trust_search_end(struct trust_search *s);

/* Goes to the directory itself, then to the one above.  False when the search has ended. */
bool trust_search_next(struct trust_search *s);

/* Has the directory something of that name, and may it be believed as far as its owner goes? */
bool trust_search_has(const struct trust_search *s, const char *name);

/*
 * Opens a file of the directory, and judges what has been opened: its name may mean another one by
 * now.  A descriptor and *ret_st; -ENOENT where there is none, or where it is passed over; another
 * negative errno where it is to be obeyed and cannot be read.  A directory is handed out as O_PATH.
 */
int trust_search_open(const struct trust_search *s, const char *name, struct stat *ret_st);

#endif
