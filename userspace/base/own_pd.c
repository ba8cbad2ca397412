/* SPDX-License-Identifier: MIT */
#include "base/own_pd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* The secure_path of Debian's and Fedora's sudoers; a longer one costs a longer command only. */
#define SUDO_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

int own_directory(char *ret, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", ret, size - 1);
	char *slash;

	if (n < 0)
		return -errno;
	ret[n] = '\0';
	slash = strrchr(ret, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

/* Whether the first pd of these directories is that file, and not an older one. */
static bool leads_to(const char *path, const struct stat *own)
{
	while (path && *path) {
		int length = (int)strcspn(path, ":");
		char file[PATH_MAX];
		struct stat st;

		snprintf(file, sizeof(file), "%.*s/pd", length, path);
		if (length && access(file, X_OK) == 0 && stat(file, &st) == 0)
			return st.st_dev == own->st_dev && st.st_ino == own->st_ino;
		path += length + (path[length] == ':');
	}
	return false;
}

static const char *find(const char *sudo, const char *path, char ret[OWN_PD_SIZE])
{
	char directory[PATH_MAX / 2], file[PATH_MAX + 4], quoted[PATH_MAX];
	struct stat own;

	snprintf(ret, OWN_PD_SIZE, "%spd", sudo);
	if (own_directory(directory, sizeof(directory)))
		return ret;
	snprintf(file, sizeof(file), "%s/pd", directory);
	/* a daemon in libexec has no pd beside it: then it was installed where PATH leads */
	if (stat(file, &own) || leads_to(path, &own) ||
	    !text_shell_quote(file, quoted, sizeof(quoted)))
		return ret;
	snprintf(ret, OWN_PD_SIZE, "%s%s", sudo, quoted);
	return ret;
}

const char *own_pd(char ret[OWN_PD_SIZE])
{
	return find("", getenv("PATH"), ret);
}

const char *own_pd_sudo(char ret[OWN_PD_SIZE])
{
	const char *home = getenv("PORT_DADDY_HOME");
	char prefix[PATH_MAX], quoted[PATH_MAX / 2];

	/* sudo hands no variable on */
	if (!home || !*home || !text_shell_quote(home, quoted, sizeof(quoted)))
		return find("sudo ", SUDO_PATH, ret);
	snprintf(prefix, sizeof(prefix), "sudo env PORT_DADDY_HOME=%s ", quoted);
	return find(prefix, SUDO_PATH, ret);
}
