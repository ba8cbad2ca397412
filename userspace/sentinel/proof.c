/* SPDX-License-Identifier: MIT */
/*
 * "Attached" is not "works": with ftrace switched off, or a hook that another program overrides,
 * probes attach and never fire.  So each is shown an event that must make it fire.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sentinel/backend.h"

static int open_socket(int type, bool reuse, int *ret)
{
	int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*ret = fd;
	if (reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	return 0;
}

static int bind_loopback(int fd, in_port_t *port_be16)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = *port_be16,
	};
	socklen_t n = sizeof(a);

	if (bind(fd, (struct sockaddr *)&a, n) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return -errno;
	*port_be16 = a.sin_port;
	return 0;
}

/*
 * Two sockets with SO_REUSEADDR share the port until one of them listens: then the other's listen
 * is refused, and so is the bind of a third one without the option.
 */
static int open_listeners(struct proof *proof)
{
	socklen_t n = sizeof(proof->cookie);
	in_port_t port = 0;
	int r;

	r = open_socket(SOCK_STREAM, true, &proof->tcp);
	r = r ?: open_socket(SOCK_STREAM, true, &proof->rival);
	r = r ?: open_socket(SOCK_STREAM, false, &proof->refused);
	r = r ?: bind_loopback(proof->tcp, &port);
	proof->port = ntohs(port);
	r = r ?: bind_loopback(proof->rival, &port);
	if (r < 0)
		return r;
	if (getsockopt(proof->tcp, SOL_SOCKET, SO_COOKIE, &proof->cookie, &n) < 0)
		return -errno;
	if (listen(proof->tcp, 1) < 0)
		return -errno;
	if (listen(proof->rival, 1) == 0 || bind_loopback(proof->refused, &port) == 0)
		return -ENOTRECOVERABLE; /* a kernel with other rules: nothing could be proved */
	return 0;
}

int proof_open_sockets(struct proof *proof)
{
	in_port_t port = 0;
	int r = open_listeners(proof);

	r = r ?: open_socket(SOCK_DGRAM, false, &proof->udp);
	return r ?: bind_loopback(proof->udp, &port);
}

/* A listener that is shut down stops listening before it closes: two events, one after the other.
 */
void proof_close_sockets(struct proof *proof)
{
	if (proof->tcp >= 0)
		shutdown(proof->tcp, SHUT_RDWR);
	closep(&proof->refused);
	closep(&proof->rival);
	closep(&proof->udp);
	closep(&proof->tcp);
	*proof = PROOF_NONE;
}

void proof_note_listener(struct proof *proof, const struct event *e)
{
	if (e->port == proof->port)
		proof->listens = true;
}

bool proof_is_refusal(const struct proof *proof, const struct event *e)
{
	return proof->listens && e->port == proof->port && e->error == EADDRINUSE;
}

/* In the child: the parent's signal ends it and never runs the parent's handler, or the parent's
 * own end does, which may come first. */
static void end_by_signal(const sigset_t *term, pid_t parent)
{
	signal(SIGTERM, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	sigprocmask(SIG_UNBLOCK, term, NULL);
	for (;;)
		pause();
}

int proof_run_child(pid_t *ret)
{
	sigset_t term, before;
	pid_t parent = getpid(), child;
	int r = 0;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	child = fork();
	if (child < 0)
		r = -errno;
	if (child == 0)
		end_by_signal(&term, parent);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return r;
	if (kill(child, SIGTERM) < 0)
		return -errno;
	while (waitpid(child, NULL, 0) < 0)
		if (errno != EINTR)
			return -errno;
	*ret = child;
	return 0;
}
