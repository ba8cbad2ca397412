/* SPDX-License-Identifier: MIT */
#include "base/paths.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define STATE_NAME	 ".port-daddy"
#define PASSWD_BUF_BYTES 16384 /* one record; glibc's own hint (_SC_GETPW_R_SIZE_MAX) is 1024 */
#define SOCKET_PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

_Static_assert(SOCKET_PATH_SIZE == 108, "paths_client_sockets() hands out sun_path sized entries");

/* A variable that is set and not empty, else NULL. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static int join(const char *directory, const char *name, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%s/%s", directory, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* A relative path means the caller's directory; a daemon leaves it, so it is made absolute here. */
static int make_absolute(const char *path, char *ret, size_t size)
{
	char cwd[PATH_MAX];

	if (path[0] != '/') {
		if (!getcwd(cwd, sizeof(cwd)))
			return -errno;
		return join(cwd, path, ret, size);
	}
	if (strlen(path) >= size)
		return -ENAMETOOLONG;
	strcpy(ret, path);
	return 0;
}

bool paths_sudo_user(uid_t *ret)
{
	const char *text = geteuid() == 0 ? variable("SUDO_UID") : NULL;
	unsigned long value;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value == 0 || value >= UINT32_MAX)
		return false;
	*ret = (uid_t)value;
	return true;
}

int paths_home_of(uid_t uid, char *ret, size_t size)
{
	_cleanup_free_ char *buf = malloc(PASSWD_BUF_BYTES);
	struct passwd record, *found = NULL;
	int r;

	if (!buf)
		return -ENOMEM;
	r = getpwuid_r(uid, &record, buf, PASSWD_BUF_BYTES, &found);
	if (r != 0 && !found && r != ENOENT && r != ESRCH)
		return -r;
	if (!found || !record.pw_dir || record.pw_dir[0] != '/')
		return -ENOENT;
	if (strlen(record.pw_dir) >= size)
		return -ENAMETOOLONG;
	strcpy(ret, record.pw_dir);
	return 0;
}

static int user_state_dir(uid_t uid, char *ret, size_t size)
{
	const char *own = uid == getuid() ? variable("HOME") : NULL;
	char home[PATH_MAX];
	int r;

	r = own ? make_absolute(own, home, sizeof(home)) : paths_home_of(uid, home, sizeof(home));
	if (r < 0)
		return r;
	return join(home, STATE_NAME, ret, size);
}

/* A relative one would be another place in each directory. */
static int given_home(const char *given, char *ret, size_t size)
{
	return given[0] == '/' ? make_absolute(given, ret, size) : -EDOM;
}

int paths_state_dir(bool service, uid_t uid, char *ret, size_t size)
{
	const char *given = variable("PORT_DADDY_HOME");

	if (given)
		return given_home(given, ret, size);
	if (service)
		return make_absolute(PATHS_SYSTEM_STATE, ret, size);
	return user_state_dir(uid, ret, size);
}

const char *paths_state_dir_strerror(int error)
{
	return error == -EDOM ? "PORT_DADDY_HOME has to be an absolute path" : strerror(-error);
}

int paths_listen_socket(bool service, const char *state_dir, char *ret, size_t size)
{
	const char *given = variable("PORT_DADDY_SOCKET");

	if (size > SOCKET_PATH_SIZE)
		size = SOCKET_PATH_SIZE; /* nobody could connect to a longer one */
	if (given)
		return make_absolute(given, ret, size);
	if (service && !variable("PORT_DADDY_HOME"))
		return make_absolute(PATHS_SYSTEM_SOCKET, ret, size);
	return join(state_dir, PATHS_SOCKET_NAME, ret, size);
}

static int user_socket(uid_t uid, char ret[static SOCKET_PATH_SIZE])
{
	char state[PATH_MAX];
	int r = user_state_dir(uid, state, sizeof(state));

	return r < 0 ? r : join(state, PATHS_SOCKET_NAME, ret, SOCKET_PATH_SIZE);
}

int paths_client_sockets(char ret[][108], int max)
{
	const char *given = variable("PORT_DADDY_SOCKET"), *home = variable("PORT_DADDY_HOME");
	char state[PATH_MAX];
	uid_t invoker;
	int n = 0;

	if (max < 1)
		return 0;
	if (given)
		return make_absolute(given, ret[0], SOCKET_PATH_SIZE) == 0;
	if (home)
		return given_home(home, state, sizeof(state)) == 0 &&
		       join(state, PATHS_SOCKET_NAME, ret[0], SOCKET_PATH_SIZE) == 0;

	strcpy(ret[n++], PATHS_SYSTEM_SOCKET);
	if (n < max && paths_sudo_user(&invoker) && user_socket(invoker, ret[n]) == 0)
		n++;
	if (n < max && user_socket(getuid(), ret[n]) == 0 && strcmp(ret[n], ret[n - 1]) != 0)
		n++;
	return n;
}
