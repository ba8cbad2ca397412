/* SPDX-License-Identifier: MIT */
/*
 * The backend without BPF: no events, but two reasons to read the table anew.  The kernel tells
 * when a TCP or UDP socket was destroyed (sock_diag's multicast groups, which take CAP_NET_ADMIN to
 * join and nothing to stay in), and a timer covers everything else.
 *
 * A machine that looks up names destroys UDP sockets by the hundred: after each resync the groups
 * rest for QUIET_MS, so that the table is never read more often than that.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/run.h"
#include "sentinel/backend.h"

#define QUIET_MS 100
/* Drained, not read: what was destroyed is found out by the resync. */
#define DRAIN_BYTES 8192
/* Messages of one turn.  Whoever destroys sockets faster than they are drained keeps the groups
 * readable: they rest with the resync anyway. */
#define DRAIN_MAX 256

enum phase { PHASE_WATCH = 0, PHASE_QUIET };

struct poll_backend {
	struct sentinel base;
	int epoll_fd, timer_fd, netlink_fd; /* netlink_fd may be -1 */
	enum phase phase;
};

static void poll_free(struct sentinel *s)
{
	struct poll_backend *p = (struct poll_backend *)s;

	closep(&p->netlink_fd);
	closep(&p->timer_fd);
	closep(&p->epoll_fd);
	free(p);
}

static void poll_freep(struct poll_backend **p)
{
	if (*p)
		poll_free(&(*p)->base);
}

static int poll_fd(const struct sentinel *s)
{
	return ((const struct poll_backend *)s)->epoll_fd;
}

static struct sentinel_counters poll_counters(const struct sentinel *s)
{
	return (struct sentinel_counters){ 0 };
}

/* PHASE_WATCH lasts until the next timed resync, PHASE_QUIET until the groups are heard again. */
static int enter_phase(struct poll_backend *p, enum phase phase)
{
	long ms = phase == PHASE_QUIET ? QUIET_MS : SENTINEL_POLL_MS - QUIET_MS;
	struct itimerspec in = {
		.it_value = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 },
	};
	struct epoll_event e = { .events = phase == PHASE_WATCH ? EPOLLIN : 0 };

	if (p->netlink_fd >= 0 && epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, p->netlink_fd, &e) < 0)
		return -errno;
	if (timerfd_settime(p->timer_fd, 0, &in, NULL) < 0)
		return -errno;
	p->phase = phase;
	return 0;
}

/* Was anything there?  ENOBUFS, when the kernel had more to tell than fits, is something, too. */
static bool drain_netlink(int fd)
{
	char bytes[DRAIN_BYTES];
	bool any = false;

	for (int i = 0; fd >= 0 && i < DRAIN_MAX; i++) {
		if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
			any = true;
		else if (errno != EINTR)
			break;
	}
	return any;
}

static int poll_dispatch(struct sentinel *s, const struct sentinel_slice *slice,
			 sentinel_handler handler, void *user_data, bool *ret_resync)
{
	struct poll_backend *p = (struct poll_backend *)s;
	uint64_t expirations;
	bool timer = read(p->timer_fd, &expirations, sizeof(expirations)) > 0, resync;

	if (p->phase == PHASE_QUIET) {
		*ret_resync = false;
		return timer ? enter_phase(p, PHASE_WATCH) : 0;
	}
	resync = drain_netlink(p->netlink_fd) || timer;
	*ret_resync = resync;
	return resync ? enter_phase(p, PHASE_QUIET) : 0;
}

static const struct sentinel_ops poll_ops = {
	.free = poll_free,
	.fd = poll_fd,
	.dispatch = poll_dispatch,
	.counters = poll_counters,
};

#define GROUP_BIT(group) (1U << ((group)-1))

/*
 * Joined by bind(): a socket that joins by NETLINK_ADD_MEMBERSHIP and was never bound has port 0,
 * which is the sender's, and a sender does not hear itself.
 */
static int join_destroy_groups(int *ret_fd)
{
	const struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups =
			GROUP_BIT(SKNLGRP_INET_TCP_DESTROY) | GROUP_BIT(SKNLGRP_INET_UDP_DESTROY) |
			GROUP_BIT(SKNLGRP_INET6_TCP_DESTROY) | GROUP_BIT(SKNLGRP_INET6_UDP_DESTROY),
	};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
					NETLINK_SOCK_DIAG);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int watch_fd(const struct poll_backend *p, int fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void report_destroy(struct sentinel *s, int joined)
{
	s->probes[0] = (struct sentinel_probe){
		.name = "destroy",
		.attached = "sock_diag destroy notifications",
		.blind = "the end of a socket is noticed within a second only",
		.state = joined < 0 ? SENTINEL_PROBE_REFUSED : SENTINEL_PROBE_WORKS,
	};
	if (joined < 0)
		snprintf(s->probes[0].reason, sizeof(s->probes[0].reason), "%s", strerror(-joined));
	s->report = (struct sentinel_report){
		.mode = SENTINEL_MODE_POLL,
		.probes = s->probes,
		.n_probes = 1,
		.why_not_bpf = s->why_not_bpf,
	};
}

int sentinel_poll_new(struct sentinel **ret)
{
	_cleanup_(poll_freep) struct poll_backend *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->base.ops = &poll_ops;
	p->base.kernel = (struct kernel_source){ .run_of = run_by_environment };
	p->netlink_fd = -1;
	p->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->timer_fd < 0 || p->epoll_fd < 0)
		return -errno;
	report_destroy(&p->base, join_destroy_groups(&p->netlink_fd));
	r = watch_fd(p, p->timer_fd);
	if (r == 0 && p->netlink_fd >= 0)
		r = watch_fd(p, p->netlink_fd);
	r = r ?: enter_phase(p, PHASE_WATCH);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(p)->base;
	return 0;
}
