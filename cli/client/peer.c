/* SPDX-License-Identifier: MIT */
#include "cli/client/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/paths.h"
#include "base/procfs.h"
#include "cli/client/answer.h"
#include "cli/client/client.h"
#include "cli/client/connection.h"

#define DAEMON_COMM "portdaddyd"

/* Newer than the headers of some distributions; other architectures have other numbers. */
#if !defined(SO_PEERPIDFD) && !defined(__hppa__) && !defined(__sparc__)
#define SO_PEERPIDFD 77
#endif

/* Fills the rest, and takes the connection. */
static bool take(struct peer *p, struct connection *c)
{
	socklen_t size = sizeof(struct ucred);
	struct ucred who;

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return false;
	p->pid = who.pid;
	p->uid = who.uid;
	p->fd = TAKE_FD(c->fd);
	return true;
}

bool peer_find(struct peer *ret)
{
	_cleanup_(connection_close) struct connection c = { .fd = -1 };

	ret->fd = -1;
	return connection_open_any(&c, ret->socket, sizeof(ret->socket)) == 0 && take(ret, &c);
}

static bool find_at(const char *path, struct peer *ret)
{
	_cleanup_(connection_close) struct connection c = { .fd = -1 };

	*ret = (struct peer){ .fd = -1 };
	snprintf(ret->socket, sizeof(ret->socket), "%s", path);
	return connection_open_within(&c, path, PEER_ANSWER_S) == 0 && take(ret, &c);
}

bool peer_find_beside_service(struct peer *ret)
{
	_cleanup_(peer_deinit) struct peer service = { .fd = -1 };
	char paths[PATHS_SOCKETS_MAX][108];
	int n = paths_client_sockets(paths, PATHS_SOCKETS_MAX);
	uid_t user = getuid();

	*ret = (struct peer){ .fd = -1 };
	paths_sudo_user(&user);
	if (n < 2 || strcmp(paths[0], PATHS_SYSTEM_SOCKET) != 0 || !find_at(paths[0], &service))
		return false;
	for (int i = 1; i < n; i++) {
		if (find_at(paths[i], ret) && ret->uid == user && ret->pid != service.pid)
			return true;
		peer_deinit(ret);
	}
	return false;
}

void peer_deinit(struct peer *p)
{
	closep(&p->fd);
	p->fd = -1;
}

static int fail(const char **ret_why, int error, const char *why)
{
	*ret_why = why;
	return -error;
}

static int fail_gone(const char **ret_why)
{
	return fail(ret_why, ESRCH,
		    "the process that listened there has ended, and another one keeps its socket");
}

/* A process that has ended, a zombie as well, makes its pidfd readable. */
static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

/* From the kernel itself.  -ENOPROTOOPT where it has none to give. */
static int open_by_socket(const struct peer *p)
{
	socklen_t size = sizeof(int);
	int pidfd;

#ifdef SO_PEERPIDFD
	if (getsockopt(p->fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
		return pidfd;
	return -errno;
#else
	(void)size;
	(void)pidfd;
	return -ENOPROTOOPT;
#endif
}

/*
 * The rest of the proof, for a process that was opened by its pid.  It holds for what the pidfd
 * means if that one still runs afterwards: its pid cannot have gone to another one before.
 */
static int prove(struct peer *p, const struct process *process, const char **ret_why)
{
	_cleanup_(answer_freep) struct json_object *status = NULL;

	if (strcmp(process->comm, DAEMON_COMM) != 0)
		return fail(ret_why, ESRCH, "the process of that pid does not run " DAEMON_COMM);
	if (client_request_on(TAKE_FD(p->fd), "/v1/status", &status) != OUTCOME_OK)
		return fail(ret_why, ESRCH, "what listens there does not say who it is");
	if (answer_int(answer_member(status, "daemon"), "pid") != p->pid)
		return fail(ret_why, ESRCH, "what answers there has another pid");
	return 0;
}

int peer_open(struct peer *p, const char **ret_why)
{
	_cleanup_close_ int pidfd = open_by_socket(p);
	bool is_given = pidfd != -ENOPROTOOPT;
	struct process process;
	int r = 0;

	if (!is_given)
		pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (!is_given && pidfd < 0 && errno != ESRCH)
		return fail(ret_why, errno,
			    "this kernel has no pidfd, by which a process is known for certain");
	if (pidfd < 0)
		return fail_gone(ret_why);
	/* Where /proc hides others' processes, the kernel's own pidfd is proof enough. */
	if (procfs_describe(p->pid, &process) < 0)
		r = is_given ? 0 : fail(ret_why, ESRCH, "nothing can be read of that process");
	else if (process.uid != p->uid)
		r = fail(ret_why, ESRCH, "the process of that pid belongs to another user");
	else if (!is_given)
		r = prove(p, &process, ret_why);
	/* first of all: whatever was read may have been of a later process */
	if (has_ended(pidfd))
		return fail_gone(ret_why);
	return r < 0 ? r : TAKE_FD(pidfd);
}
