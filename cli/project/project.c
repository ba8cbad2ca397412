/* SPDX-License-Identifier: MIT */
#include "cli/project/project.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/project/trust.h"

/* A linked worktree: where it is, git's directory for it, and the repository's common one. */
struct worktree {
	char top[PATH_MAX];
	char gitdir[PATH_MAX];
	char common[PATH_MAX];
};

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Cuts the last component off; "/a" becomes "", which stands for "/". */
static bool cut_last_part(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

/* 0, or -ENAMETOOLONG. */
static int join(char ret[static PATH_MAX], const char *directory, const char *name)
{
	int n = name[0] == '/' ? snprintf(ret, PATH_MAX, "%s", name)
			       : snprintf(ret, PATH_MAX, "%s/%s", directory, name);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The first line of a small file behind `prefix`; 0, -EINVAL when it starts otherwise, -errno. */
static int read_line(int fd, const char *prefix, char ret[static PATH_MAX])
{
	char text[PATH_MAX + 64];
	ssize_t n;

	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (strncmp(text, prefix, strlen(prefix)) != 0)
		return -EINVAL;
	n = snprintf(ret, PATH_MAX, "%s", text + strlen(prefix));
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_member(const char *directory, const char *name, const char *prefix,
		       char ret[static PATH_MAX])
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r = join(path, directory, name);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : read_line(fd, prefix, ret);
}

/*
 * Reads w->top's ".git", a file, and what it leads to: whoever wrote it is believed, and so is
 * the repository that it names.  A submodule has one too, but its gitdir has no "commondir".
 * 1 for a linked worktree, 0 for another kind, negative errno.
 */
static int read_git_file(int fd, struct worktree *w)
{
	char text[PATH_MAX], path[PATH_MAX];
	int r = read_line(fd, "gitdir: ", text);

	r = r ?: join(w->gitdir, w->top, text);
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	r = read_member(w->gitdir, "commondir", "", text);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = join(path, w->gitdir, text);
	if (r < 0)
		return r;
	return realpath(path, w->common) ? 1 : -errno;
}

/* The nearest ".git" at or above the directory decides.  1, 0, negative errno as above. */
static int find_worktree(const char *directory, struct worktree *w)
{
	_cleanup_(trust_search_end) struct trust_search s;
	int r = trust_search_begin(&s, directory);

	if (r < 0)
		return r;
	while (trust_search_next(&s)) {
		struct stat st;
		_cleanup_close_ int fd = trust_search_open(&s, ".git", &st);

		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		strcpy(w->top, s.path);
		return S_ISREG(st.st_mode) ? read_git_file(fd, w) : 0;
	}
	return 0;
}

int project_top(const char *directory, char ret[static PATH_MAX])
{
	_cleanup_(trust_search_end) struct trust_search s;
	int r = trust_search_begin(&s, directory);

	if (r < 0)
		return r;
	strcpy(ret, directory);
	while (trust_search_next(&s)) {
		if (!trust_search_has(&s, ".git"))
			continue;
		strcpy(ret, *s.path ? s.path : "/");
		break;
	}
	return 0;
}

/* "/src/shop/.git" and "/src/shop/.bare" are "shop", "/srv/shop.git" is too. */
static void repository_name(const char *common, char ret[static IDENTITY_PART_MAX + 1])
{
	char path[PATH_MAX];
	const char *name;
	size_t n;

	snprintf(path, sizeof(path), "%s", common);
	if (last_part(path)[0] == '.')
		cut_last_part(path);
	name = last_part(path);
	n = strlen(name);
	if (n > 4 && strcmp(name + n - 4, ".git") == 0)
		path[strlen(path) - 4] = '\0';
	identity_part_from(last_part(path), ret);
}

static void context_of(const struct worktree *w, char ret[static IDENTITY_PART_MAX + 1])
{
	char branch[PATH_MAX];

	if (read_member(w->gitdir, "HEAD", "ref: refs/heads/", branch) == 0)
		identity_part_from(branch, ret);
	else
		identity_part_from(last_part(w->gitdir), ret);
}

int project_parts(const char *directory, char ret_name[static IDENTITY_PART_MAX + 1],
		  char ret_context[static IDENTITY_PART_MAX + 1])
{
	struct worktree w;
	int linked = find_worktree(directory, &w);

	if (linked < 0)
		return linked;
	ret_context[0] = '\0';
	if (linked)
		context_of(&w, ret_context);
	if (linked && strcmp(directory, w.top) == 0)
		repository_name(w.common, ret_name);
	else
		identity_part_from(last_part(directory), ret_name);
	return 0;
}

int project_identity(const char *directory, char ret[static IDENTITY_MAX + 1])
{
	char name[IDENTITY_PART_MAX + 1], context[IDENTITY_PART_MAX + 1];
	int r = project_parts(directory, name, context);

	if (r < 0)
		return r;
	if (*context)
		snprintf(ret, IDENTITY_MAX + 1, "%s:" PROJECT_STACK ":%s", name, context);
	else
		strcpy(ret, name);
	return 0;
}
