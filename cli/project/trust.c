/* SPDX-License-Identifier: MIT */
#include "cli/project/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/paths.h"
#include "cli/render/render.h"

#define OWNER_SIZE 64 /* of a user's name in a sentence */

/* --- who is believed --- */

static bool is_believed(const struct trust_search *s, uid_t uid)
{
	for (int i = 0; i < s->n_users; i++)
		if (s->users[i] == uid)
			return true;
	return false;
}

/* A group that has the user's name and nobody else in it, as useradd makes one for each user. */
static bool is_private_group_of(uid_t uid, gid_t gid)
{
	const struct passwd *user = getpwuid(uid);
	const struct group *group = user && user->pw_gid == gid ? getgrgid(gid) : NULL;

	if (!group || strcmp(group->gr_name, user->pw_name) != 0)
		return false;
	for (char **member = group->gr_mem; *member; member++)
		if (strcmp(*member, user->pw_name) != 0)
			return false;
	return true;
}

/*
 * May somebody who is not believed write it?  An access control list needs no look of its own: its
 * mask is what a file shows as the rights of its group.
 */
static bool others_may_write(const struct trust_search *s, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX))
		return false;
	if (st->st_mode & S_IWOTH)
		return true;
	if (!(st->st_mode & S_IWGRP) || st->st_gid == 0)
		return false;
	for (int i = 0; i < s->n_users; i++)
		if (is_private_group_of(s->users[i], st->st_gid))
			return false;
	return true;
}

static const char *owner_name(uid_t uid, char ret[OWNER_SIZE])
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(ret, OWNER_SIZE, "%s", user->pw_name);
	else
		snprintf(ret, OWNER_SIZE, "user %u", uid);
	return ret;
}

/* --- the way up --- */

static void add_home(struct trust_search *s, const char *path)
{
	struct stat st;

	if (path[0] != '/' || stat(path, &st) < 0)
		return;
	s->homes[s->n_homes].device = st.st_dev;
	s->homes[s->n_homes++].inode = st.st_ino;
}

static void find_homes(struct trust_search *s, bool sudo, uid_t invoker)
{
	const char *own = getenv("HOME");
	char home[PATH_MAX];

	if (own && *own)
		add_home(s, own);
	else if (paths_home_of(geteuid(), home, sizeof(home)) == 0)
		add_home(s, home);
	if (sudo && paths_home_of(invoker, home, sizeof(home)) == 0)
		add_home(s, home);
}

int trust_search_begin(struct trust_search *s, const char *directory)
{
	size_t n = strlen(directory);
	uid_t invoker = 0;
	bool sudo = paths_sudo_user(&invoker);

	*s = (struct trust_search){ .fd = -1 };
	if (n >= sizeof(s->path))
		return -ENAMETOOLONG;
	while (n > 0 && directory[n - 1] == '/')
		n--;
	memcpy(s->path, directory, n);
	s->users[s->n_users++] = geteuid();
	s->users[s->n_users++] = 0;
	if (sudo)
		s->users[s->n_users++] = invoker;
	find_homes(s, sudo, invoker);
	return 0;
}

void trust_search_end(struct trust_search *s)
{
	closep(&s->fd);
	s->fd = -1;
}

static bool is_home(const struct trust_search *s)
{
	for (int i = 0; i < s->n_homes; i++)
		if (s->st.st_dev == s->homes[i].device && s->st.st_ino == s->homes[i].inode)
			return true;
	return false;
}

/* Opens s->path.  False where nothing in it or above it is to be looked at. */
static bool enter(struct trust_search *s)
{
	trust_search_end(s);
	s->fd = open(*s->path ? s->path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* One that was deleted has nothing in it; what is above it is judged by itself. */
	if (s->fd < 0)
		return errno == ENOENT || errno == ENOTDIR;
	if (fstat(s->fd, &s->st) < 0 || (s->has_device && s->st.st_dev != s->device))
		return false;
	s->device = s->st.st_dev;
	s->has_device = true;
	s->ends_here = is_home(s) || !is_believed(s, s->st.st_uid);
	return true;
}

bool trust_search_next(struct trust_search *s)
{
	char *slash = strrchr(s->path, '/');

	if (s->ends_here || (s->begun && !slash))
		return false;
	if (s->begun)
		*slash = '\0';
	s->begun = true;
	return enter(s);
}

/* --- a file --- */

bool trust_search_has(const struct trust_search *s, const char *name)
{
	struct stat st;

	return s->fd >= 0 && fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       is_believed(s, s->st.st_uid) && is_believed(s, st.st_uid);
}

/*
 * Is it to be passed over?  Says so.  Of a directory of that name nobody is told: nothing of it
 * would have been read.
 */
static bool pass_over(const struct trust_search *s, const char *name, const struct stat *st)
{
	static const char *const rule = "pd obeys your own files and root's";
	bool is_directory = S_ISDIR(st->st_mode), passes = true;
	char owner[OWNER_SIZE], text[256];

	if (!is_believed(s, st->st_uid))
		snprintf(text, sizeof(text), "it belongs to %s; %s", owner_name(st->st_uid, owner),
			 rule);
	else if (!is_believed(s, s->st.st_uid))
		snprintf(text, sizeof(text), "its directory belongs to %s; %s",
			 owner_name(s->st.st_uid, owner), rule);
	else if (is_directory)
		passes = false;
	else if (others_may_write(s, &s->st))
		snprintf(text, sizeof(text),
			 "it belongs to %s, and others may write to its directory (mode %04o; "
			 "chmod go-w)",
			 owner_name(st->st_uid, owner), s->st.st_mode & 07777);
	else if (S_ISREG(st->st_mode) && others_may_write(s, st))
		snprintf(text, sizeof(text),
			 "it belongs to %s, and others may write it (mode %04o; chmod go-w)",
			 owner_name(st->st_uid, owner), st->st_mode & 07777);
	else
		passes = false;
	if (passes && !is_directory)
		render_note("%s/%s is passed over: %s", s->path, name, text);
	return passes;
}

/* The same for what may be obeyed and not be read: root's own secret hinders nobody. */
static int fail_open(const struct trust_search *s, const char *name, const struct stat *st,
		     int error)
{
	char owner[OWNER_SIZE];

	if (error != EACCES || st->st_uid == geteuid())
		return -error;
	render_note("%s/%s is passed over: it belongs to %s, who lets nobody read it", s->path,
		    name, owner_name(st->st_uid, owner));
	return -ENOENT;
}

int trust_search_open(const struct trust_search *s, const char *name, struct stat *ret_st)
{
	/* O_PATH asks for no right to read: who owns it is known of every file. */
	_cleanup_close_ int place = -1;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (s->fd < 0)
		return -ENOENT;
	place = openat(s->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (place < 0)
		return errno == EACCES ? -ENOENT : -errno;
	if (fstat(place, &st) < 0)
		return -errno;
	if (pass_over(s, name, &st))
		return -ENOENT;
	*ret_st = st;
	if (S_ISDIR(st.st_mode))
		return TAKE_FD(place);
	/* Of a symbolic link, the link has been judged, and what it leads to is now. */
	fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fail_open(s, name, &st, errno);
	if (fstat(fd, ret_st) < 0)
		return -errno;
	if ((ret_st->st_dev != st.st_dev || ret_st->st_ino != st.st_ino) &&
	    pass_over(s, name, ret_st))
		return -ENOENT;
	return TAKE_FD(fd);
}
