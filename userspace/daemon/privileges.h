/* SPDX-License-Identifier: MIT */
/*
 * The daemon needs privilege to load and attach, and for nothing after that.  Order of use:
 * privileges_choose(), privileges_as_user() around whatever touches the user's files, then once
 * everything is open privileges_drop(), which cannot be undone.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

struct identity_target {
	uid_t uid;
	gid_t gid;
	char name[64];
	bool started_by_root;
	bool stays_root; /* nobody else to become, or no right to: root without any capability */
};

/*
 * Whom to become: `user` (--user), else sudo's user, else "port-daddy" where there is one; the
 * caller as it is where that is nobody, or, without --user, somebody whom this root cannot become.
 * 0; -ENOENT for a user that does not exist, -EPERM for --user without root.
 */
int privileges_choose(const char *user, struct identity_target *ret);

/*
 * Switches the effective ids and groups to the target and back (root keeps them in its saved ids),
 * so that files in the user's home are made as the user: root never follows a user's symlink.
 * 0, negative errno.
 */
int privileges_as_user(const struct identity_target *target, bool on);

/*
 * Becomes the target for good: groups, real, effective and saved ids, every capability in every
 * set (the bounding set where allowed), no_new_privs; then reads the result back.  What the caller
 * has not, or may not give up (groups in a user namespace), is no failure.  0, negative
 * errno when anything is left over.
 */
int privileges_drop(const struct identity_target *target);

#endif
