/* SPDX-License-Identifier: MIT */
/* The proof of the rules: what they do, seen from this process. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/run.h"
#include "bpf/abi.h"
#include "sentinel/bpf_objects.h"
#include "sentinel/questions.h"
#include "sentinel/rules.h"

#define PROOF_RUN   1 /* no run is begun before, and its members are gone before any is */
#define PROOF_ASKED 1 /* a port that nobody has, and that would take a privilege */
#define PROOF_TRIES 8 /* somebody may take the port between two calls */

#define RELEASE_WAIT_MS 1000
#define RELEASE_LOOK_MS 5

static socklen_t loopback(int family, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	in6->sin6_addr = in6addr_loopback;
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

static uint16_t port_in(const struct sockaddr_storage *address)
{
	return ntohs(address->ss_family == AF_INET
			     ? ((const struct sockaddr_in *)address)->sin_port
			     : ((const struct sockaddr_in6 *)address)->sin6_port);
}

/* A listener on loopback; *port becomes what it is told to have. */
static int open_listener(int family, uint16_t *port, int *ret)
{
	struct sockaddr_storage address;
	socklen_t n = loopback(family, *port, &address);
	_cleanup_close_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &n) < 0)
		return -errno;
	*port = port_in(&address);
	*ret = TAKE_FD(fd);
	return 0;
}

/* *port becomes what it is told to have reached. */
static int reach(int family, uint16_t *port)
{
	struct sockaddr_storage address;
	socklen_t n = loopback(family, *port, &address);
	_cleanup_close_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, n) < 0 ||
	    getpeername(fd, (struct sockaddr *)&address, &n) < 0)
		return -errno;
	*port = port_in(&address);
	return 0;
}

/* A port that was free a moment ago. */
static int find_port(int family, uint16_t *ret)
{
	_cleanup_close_ int fd = -1;

	*ret = 0;
	return open_listener(family, ret, &fd);
}

static uint32_t count_bound(const struct questions *q)
{
	const uint32_t run = PROOF_RUN;
	struct abi_run_rules rules;

	return maps_lookup(&q->maps, ABI_MAP_RUN_RULES, &run, &rules) ? 0 : rules.ports[0].bound;
}

/* Whoever looks at all descriptors at this moment may be the last to let go of the socket. */
static bool is_released(const struct questions *q)
{
	for (int ms = 0; count_bound(q); ms += RELEASE_LOOK_MS) {
		if (ms >= RELEASE_WAIT_MS)
			return false;
		poll(NULL, 0, RELEASE_LOOK_MS);
	}
	return true;
}

/* By which number is it told of its own port, and of a peer's? */
static int prove_hardcoded(const struct questions *q, int family, const struct run_rules *rules)
{
	uint16_t told = rules->transparent ? PROOF_ASKED : rules->hardcoded[0].port;
	_cleanup_close_ int server = -1;
	uint16_t has = PROOF_ASKED, reached = PROOF_ASKED;
	int r = open_listener(family, &has, &server);

	if (r)
		return r;
	if (has != told || count_bound(q) != 1 || reach(family, &reached) || reached != told)
		return -ENOTRECOVERABLE;
	closep(&server);
	server = -1;
	return is_released(q) ? 0 : -ENOTRECOVERABLE;
}

static int prove_protected(struct questions *q, int family)
{
	_cleanup_close_ int fd = -1;
	uint16_t port;
	int r = find_port(family, &port);

	r = r ?: question_protect_port(q, port, true);
	if (r)
		return r;
	r = open_listener(family, &port, &fd);
	question_protect_port(q, port, false);
	return r == -EADDRINUSE || r == -EPERM ? 0 : -ENOTRECOVERABLE;
}

/* The run's rules are of one port: they are written anew for each try. */
static int prove_family(struct questions *q, int family, bool transparent)
{
	struct run_rules rules = { .n = 1, .transparent = transparent };
	int r;

	for (int i = 0; i < PROOF_TRIES; i++) {
		r = find_port(family, &rules.hardcoded[0].port);
		if (r)
			return r;
		rules.hardcoded[0].asked = PROOF_ASKED;
		r = question_set_run_rules(q, PROOF_RUN, &rules);
		r = r ?: prove_hardcoded(q, family, &rules);
		question_set_run_rules(q, PROOF_RUN, NULL);
		if (r != -EADDRINUSE)
			break;
	}
	return r;
}

int rules_prove(struct questions *q, const struct process_id *self, bool transparent)
{
	int r = question_begin_run(q, PROOF_RUN, self), r6;

	if (r)
		return r;
	r = prove_family(q, AF_INET, transparent);
	if (!r && !transparent)
		r = prove_protected(q, AF_INET);
	r6 = r ?: prove_family(q, AF_INET6, transparent);
	question_end_run(q, PROOF_RUN, self);
	/* switched off, or without ::1 */
	return r6 == -EAFNOSUPPORT || r6 == -EADDRNOTAVAIL ? 0 : r6;
}
