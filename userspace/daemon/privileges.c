/* SPDX-License-Identifier: MIT */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/paths.h"

#define SERVICE_USER "port-daddy"

static void fill(const struct passwd *pw, struct identity_target *target)
{
	target->uid = pw->pw_uid;
	target->gid = pw->pw_gid;
	snprintf(target->name, sizeof(target->name), "%s", pw->pw_name);
}

/* sudo's word for who called it, checked against the user database. */
static const struct passwd *sudo_user(void)
{
	uid_t uid;

	return paths_sudo_user(&uid) ? getpwuid(uid) : NULL;
}

/*
 * Tried out: root without CAP_SETUID or CAP_SETGID cannot become anybody, and root of a user
 * namespace only whom that namespace maps.
 */
static bool can_become(const struct identity_target *target)
{
	int on = privileges_as_user(target, true), back = privileges_as_user(target, false);

	return !on && !back;
}

int privileges_choose(const char *user, struct identity_target *ret)
{
	const struct identity_target as_root = { .name = "root",
						 .started_by_root = true,
						 .stays_root = true };
	bool root = geteuid() == 0;
	const struct passwd *pw;

	*ret = (struct identity_target){ .uid = geteuid(),
					 .gid = getegid(),
					 .started_by_root = root };
	if (!root) {
		pw = getpwuid(ret->uid);
		if (pw)
			fill(pw, ret);
		else
			snprintf(ret->name, sizeof(ret->name), "%u", ret->uid);
		return user && strcmp(user, ret->name) ? -EPERM : 0;
	}

	pw = user ? getpwnam(user) : sudo_user();
	if (user && !pw)
		return -ENOENT;
	if (!pw)
		pw = getpwnam(SERVICE_USER);
	if (pw)
		fill(pw, ret);
	if (!pw || pw->pw_uid == 0 || (!user && !can_become(ret)))
		*ret = as_root;
	return 0;
}

int privileges_as_user(const struct identity_target *target, bool on)
{
	if (!target->started_by_root || target->stays_root)
		return 0;
	if (on) {
		if (initgroups(target->name, target->gid) || setegid(target->gid) ||
		    seteuid(target->uid))
			return -errno;
		return 0;
	}
	if (seteuid(0) || setegid(0) || setgroups(0, NULL))
		return -errno;
	return 0;
}

static int become(const struct identity_target *target)
{
	if (!target->started_by_root)
		return 0;
	/* who may not change groups has those that it was started with, as an ordinary user has */
	if (target->stays_root)
		return setgroups(0, NULL) && errno != EPERM ? -errno : 0;
	if (initgroups(target->name, target->gid) ||
	    setresgid(target->gid, target->gid, target->gid) ||
	    setresuid(target->uid, target->uid, target->uid))
		return -errno;
	return 0;
}

static int verify(const struct identity_target *target)
{
	uid_t r, e, s;

	if (getresuid(&r, &e, &s))
		return -errno;
	if (r != target->uid || e != target->uid || s != target->uid)
		return -EPERM;
	if (capng_get_caps_process() || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return -EPERM;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -EPERM;
}

int privileges_drop(const struct identity_target *target)
{
	int r;

	/* The bounding set needs CAP_SETPCAP, which changing the uid takes away: it goes first.
	 * Who lacks that cannot give it up, and no_new_privs makes it moot. */
	if (capng_get_caps_process())
		return -EPERM;
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
			return -EPERM;
	}
	r = become(target);
	if (r)
		return r;
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return verify(target);
}
