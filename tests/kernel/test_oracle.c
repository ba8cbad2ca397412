/* SPDX-License-Identifier: MIT */
/*
 * The bind oracle against the kernel: random situations in a network namespace of their own, each
 * judged from a walk of the bind table and then really bound (and listened on), some by a member of
 * a run with a hard-coded port, or a port that is protected (ruled_worlds.h).  PD_SEED repeats a
 * run, PD_SITUATIONS sets how many (2,000).
 */
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "actors.h"
#include "inventory/bindtable.h"
#include "reconcile/oracle.h"
#include "ruled_worlds.h"
#include "unit/random.h"

#define SITUATIONS  2000
#define HOLDERS_MAX 5
#define CROWD_MAX   24 /* UDP sockets in one slot: above 10 the kernel changes its way */
#define FIRST_PORT  2000
#define PORTS	    50000
/* Of what is tried once: somebody who walks all files may hold a socket for longer than we do. */
#define MAPPED_PORT  (FIRST_PORT - 1)
#define WAITING_PORT (FIRST_PORT - 2)
#define CROWD_PORT   (FIRST_PORT - 3)
#define UIDS	     2
#define DEVICES	     2

#define MAPPED_WILDCARD "::ffff:0.0.0.0"

static struct sentinel *sentinel;

struct address {
	const char *text;
	uint8_t family;
};

static const struct address addresses[] = {
	{ "0.0.0.0", AF_INET },
	{ "127.0.0.1", AF_INET },
	{ "127.0.0.2", AF_INET },
	{ "::", AF_INET6 },
	{ "::1", AF_INET6 },
	{ "fd00::2", AF_INET6 },
	{ "::ffff:127.0.0.1", AF_INET6 },
	{ MAPPED_WILDCARD, AF_INET6 }, /* the last one: see the_kernel_sees_a_mapped_wildcard() */
};

static unsigned n_addresses = ARRAY_SIZE(addresses);
static bool fileless_are_roots; /* see the_kernel_knows_whose_a_waiting_connection_is() */

/* One side of a situation: a socket and how it is dressed. */
struct dress {
	const struct address *address;
	bool v6only, reuseaddr, reuseport, program;
	uid_t uid;
	const char *device;
};

struct world {
	struct random_source random;
	int fds[CROWD_MAX + 4 * HOLDERS_MAX];
	size_t n;
	uint16_t port; /* of the holders */
	struct rule rule;
	bool udp;
};

static bool chance(struct world *w, unsigned percent)
{
	return random_below(&w->random, 100) < percent;
}

static struct dress random_dress(struct world *w)
{
	static const char *const devices[DEVICES] = { "lo", "pd0" };

	return (struct dress){
		.address = &addresses[random_below(&w->random, n_addresses)],
		.v6only = chance(w, 30),
		.reuseaddr = chance(w, 50),
		.reuseport = chance(w, 40),
		.program = chance(w, 8),
		.uid = random_below(&w->random, UIDS) ? 65534 : 0,
		.device = chance(w, 15) ? devices[random_below(&w->random, DEVICES)] : NULL,
	};
}

static socklen_t fill_address(const struct address *a, uint16_t port, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (void *)to;
	struct sockaddr_in6 *v6 = (void *)to;

	memset(to, 0, sizeof(*to));
	to->ss_family = a->family;
	if (a->family == AF_INET) {
		v4->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, a->text, &v4->sin_addr), 1);
		return sizeof(*v4);
	}
	v6->sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, a->text, &v6->sin6_addr), 1);
	return sizeof(*v6);
}

static void set_option(int fd, int level, int name, int value)
{
	assert_int_equal(setsockopt(fd, level, name, &value, sizeof(value)), 0);
}

/* A program for a reuseport group that always picks its first socket. */
static void attach_program(int fd)
{
	struct sock_filter first = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &first };

	/* refused on a socket without SO_REUSEPORT on some kernels: then it has no program */
	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}

static int dressed_socket(struct world *w, const struct dress *d)
{
	int fd = socket(d->address->family, w->udp ? SOCK_DGRAM : SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (d->address->family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, d->v6only);
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, d->reuseaddr);
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, d->reuseport);
	if (d->program && d->reuseport)
		attach_program(fd);
	assert_int_equal(fchown(fd, d->uid, (gid_t)-1), 0); /* sk_uid follows */
	if (d->device)
		assert_int_equal(
			setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, d->device, strlen(d->device)),
			0);
	return fd;
}

static void keep(struct world *w, int fd)
{
	assert_true(w->n < ARRAY_SIZE(w->fds));
	w->fds[w->n++] = fd;
}

/* As the rule says, and by whom it says. */
static int bind_ruled(int fd, const struct dress *d, const struct rule *rule)
{
	struct sockaddr_storage a;
	socklen_t size = fill_address(d->address, rule->asked, &a);

	return bind_by_rule(rule, fd, &a, size);
}

static int bind_dressed(int fd, const struct dress *d, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t size = fill_address(d->address, port, &a);

	return bind(fd, (void *)&a, size) ? errno : 0;
}

/* A connection to the listener, ended from its side: TIME_WAIT; or left as it is. */
static void make_connection(struct world *w, int listener)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(w->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), server;

	(void)connect(client, (void *)&to, sizeof(to));
	set_option(listener, SOL_SOCKET, SO_RCVLOWAT, 1);
	(void)fcntl(listener, F_SETFL, O_NONBLOCK);
	server = accept(listener, NULL, NULL);
	if (server < 0) {
		close(client);
		return;
	}
	if (chance(w, 50)) {
		close(server);
		close(client);
	} else {
		keep(w, server);
		keep(w, client);
	}
}

/* Puts a bound TCP socket into one of the states in which it may meet a newcomer. */
static void age_tcp(struct world *w, int fd)
{
	unsigned what = random_below(&w->random, 10);

	if (what < 4 || listen(fd, 4))
		return;
	if (what == 5)
		shutdown(fd, SHUT_RDWR);
	else if (what > 7)
		make_connection(w, fd);
}

/* What counts is the flag now, not at the bind. */
static void change_mind(struct world *w, int fd)
{
	if (chance(w, 10))
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, chance(w, 50));
	if (chance(w, 10)) {
		int value = chance(w, 50);

		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
	}
}

static void add_holder(struct world *w)
{
	struct dress d = random_dress(w);
	int fd = dressed_socket(w, &d);

	if (bind_dressed(fd, &d, w->port)) {
		close(fd);
		return;
	}
	keep(w, fd);
	if (!w->udp)
		age_tcp(w, fd);
	change_mind(w, fd);
}

/* UDP sockets of other addresses in the same slot, so that the address hash is looked at. */
static void add_crowd(struct world *w)
{
	for (unsigned i = 0; i < CROWD_MAX; i++) {
		char text[INET_ADDRSTRLEN];
		struct address a = { text, AF_INET };
		struct dress d = { .address = &a, .reuseport = chance(w, 50) };
		int fd;

		snprintf(text, sizeof(text), "127.0.1.%u", i + 1);
		fd = dressed_socket(w, &d);
		if (bind_dressed(fd, &d, w->port))
			close(fd);
		else
			keep(w, fd);
	}
}

static void clear(struct world *w)
{
	while (w->n)
		close(w->fds[--w->n]);
}

static struct bind_asked question_of(struct world *w, const struct dress *d)
{
	struct bind_asked q = {
		.protocol = w->udp ? IPPROTO_UDP : IPPROTO_TCP,
		.v6only = d->v6only,
		.reuseaddr = d->reuseaddr,
		.reuseport = d->reuseport,
		.uid = d->uid,
		.dev = d->device ? if_nametoindex(d->device) : 0,
		.has_program = d->program && d->reuseport,
	};

	assert_int_equal(net_addr_parse(d->address->text, &q.family, &q.addr), 0);
	return q;
}

static int predict(struct world *w, const struct bind_asked *q, struct bind_verdict *ret)
{
	struct bindtable_question where = {
		.protocol = q->protocol, .port = w->rule.bound, .family = q->family, .addr = q->addr
	};
	struct bind_table table;

	assert_int_equal(bindtable_read(sentinel_kernel_source(sentinel), &where, &table), 0);
	bind_oracle(&table, q, ret);
	bindtable_deinit(&table);
	return ret->error;
}

static void report(const struct world *w, unsigned i, const char *call, const struct dress *d,
		   const struct bind_verdict *v, int kernel)
{
	print_error("situation %u: %s %s %s:%u as %u (enum rule_kind %d) v6only %d reuseaddr %d "
		    "reuseport %d program %d uid %u "
		    "dev %s: the oracle says %s (enum bind_rule %d), the kernel %s\n",
		    i, w->udp ? "udp" : "tcp", call, d->address->text, w->rule.asked, w->rule.bound,
		    w->rule.kind, d->v6only, d->reuseaddr, d->reuseport, d->program, d->uid,
		    d->device ? d->device : "-", v->error ? net_errno_name(v->error) : "free",
		    v->rule, kernel ? net_errno_name(kernel) : "free");
}

/* Shared by SO_REUSEPORT, and whose the sharing sockets are is not asked as the oracle asks it. */
static bool is_beyond_the_oracle(const struct bind_asked *q, const struct bind_verdict *v)
{
	return fileless_are_roots && q->uid != 0 && v->rule == BIND_RULE_REUSEPORT;
}

/* listen() asks again: somebody may have begun to listen since the bind. */
static unsigned check_listen(struct world *w, unsigned i, int fd, const struct dress *d)
{
	struct bind_asked q = question_of(w, d);
	struct bind_verdict v;
	socklen_t size = sizeof(q.self);
	int predicted, kernel;

	if (w->n && chance(w, 30))
		(void)listen(w->fds[random_below(&w->random, (unsigned)w->n)], 1);
	q.listening = true;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &q.self, &size), 0);
	predicted = predict(w, &q, &v);
	kernel = listen(fd, 1) ? errno : 0;
	if (predicted == kernel || is_beyond_the_oracle(&q, &v))
		return 0;
	report(w, i, "listen", d, &v, kernel);
	return 1;
}

static unsigned compare(struct world *w, unsigned i, const struct dress *d, bool *ret_compared)
{
	struct bind_asked q = question_of(w, d);
	struct bind_verdict v;
	int fd, predicted, kernel;
	unsigned wrong = 0;

	fd = dressed_socket(w, d);
	predicted = predict(w, &q, &v) ?: rule_foresees(&w->rule);
	kernel = bind_ruled(fd, d, &w->rule);
	*ret_compared = (kernel == 0 || kernel == EADDRINUSE) && !is_beyond_the_oracle(&q, &v);
	if (*ret_compared && predicted != kernel) {
		report(w, i, "bind", d, &v, kernel);
		wrong = 1;
	} else if (!kernel && port_of(fd) != w->rule.bound) {
		report(w, i, "bind to another port", d, &v, kernel);
		wrong = 1;
	} else if (!kernel && !w->udp) {
		wrong = check_listen(w, i, fd, d);
	}
	close(fd);
	return wrong;
}

/*
 * *ret_compared counts situations that reached the conflict rules.  Between the two answers the
 * last packet of a connection may arrive, or its TIME_WAIT run out: a mistake is one that is made
 * again.
 */
static unsigned check_situation(struct world *w, unsigned i, unsigned *ret_compared)
{
	struct dress d = random_dress(w);
	bool compared;
	unsigned wrong = compare(w, i, &d, &compared) && compare(w, i, &d, &compared);

	*ret_compared += compared;
	return wrong;
}

/*
 * Linux 6.1 looks for a socket on this address where it never put one, and lets two TCP sockets
 * have a port that newer kernels give to one.  The oracle knows no such kernel: it says of two
 * programs that one is in the other's way, and there they are not.
 */
static bool the_kernel_sees_a_mapped_wildcard(void)
{
	static const struct address names[] = { { MAPPED_WILDCARD, AF_INET6 },
						{ "::ffff:127.0.0.1", AF_INET6 } };
	const struct dress first = { .address = &names[0] }, second = { .address = &names[1] };
	_cleanup_close_ int one = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int other = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind_dressed(one, &first, MAPPED_PORT), 0);
	return bind_dressed(other, &second, MAPPED_PORT) == EADDRINUSE;
}

/*
 * Before 6.17 the kernel takes a socket without a file (a connection that nobody has accepted yet,
 * or one that is closed) for root's, whoever's it was; the oracle goes by sk_uid, as newer kernels
 * do.
 */
static bool the_kernel_knows_whose_a_waiting_connection_is(struct world *w)
{
	/* comes last and does not share: the kernel's cache for the port is of no use then */
	const struct dress beside = { .address = &addresses[4], .v6only = true };
	const struct dress d = { .address = &addresses[1], .reuseport = true, .uid = 65534 };
	_cleanup_close_ int alone = dressed_socket(w, &beside);
	_cleanup_close_ int listener = dressed_socket(w, &d), other = dressed_socket(w, &d);
	_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage to;
	socklen_t size = fill_address(d.address, WAITING_PORT, &to);

	assert_int_equal(bind_dressed(listener, &d, WAITING_PORT), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(connect(client, (void *)&to, size), 0);
	assert_int_equal(bind_dressed(alone, &beside, WAITING_PORT), 0);
	return bind_dressed(other, &d, WAITING_PORT) == 0;
}

/*
 * Linux before 2026 looks for a wildcard among the wildcards alone where many sockets are in its
 * slot, and gives it a port that others have on their addresses; the oracle says that they are in
 * its way, as newer kernels do.
 */
static bool the_kernel_sees_a_crowd_from_a_wildcard(struct world *w)
{
	const struct dress d = { .address = &addresses[0] };
	_cleanup_close_ int fd = -1;
	bool sees;

	w->udp = true;
	w->port = CROWD_PORT;
	add_crowd(w);
	fd = dressed_socket(w, &d);
	sees = bind_dressed(fd, &d, CROWD_PORT) == EADDRINUSE;
	clear(w);
	w->udp = false;
	return sees;
}

static unsigned run_situations(unsigned n, unsigned *ret_compared, unsigned *ret_ruled)
{
	struct world w = { .random = random_start("oracle_and_kernel_agree") };
	bool has_rules, crowds;
	unsigned wrong = 0;

	if (!sentinel_kernel_source(sentinel)->walk)
		skip();
	has_rules = ruled_worlds_start(sentinel);
	crowds = the_kernel_sees_a_crowd_from_a_wildcard(&w);
	if (!crowds)
		print_message("# without crowds, which this kernel does not see from a wildcard\n");
	if (!the_kernel_sees_a_mapped_wildcard()) {
		print_message("# without " MAPPED_WILDCARD ", which this kernel does not see\n");
		n_addresses--;
	}
	fileless_are_roots = !the_kernel_knows_whose_a_waiting_connection_is(&w);
	if (fileless_are_roots)
		print_message("# without users' SO_REUSEPORT, which this kernel asks otherwise\n");
	*ret_compared = *ret_ruled = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned holders = random_below(&w.random, HOLDERS_MAX);

		w.port = (uint16_t)(FIRST_PORT + random_below(&w.random, PORTS));
		w.udp = chance(&w, 33);
		if (w.udp && chance(&w, 20) && crowds)
			add_crowd(&w);
		for (unsigned h = 0; h < holders; h++)
			add_holder(&w);
		w.rule = (struct rule){ .asked = w.port, .bound = w.port };
		if (has_rules && chance(&w, 40))
			w.rule = rule_begin(sentinel, &w.random, w.port, w.udp);
		*ret_ruled += w.rule.kind != RULE_NONE;
		wrong += check_situation(&w, i, ret_compared);
		rule_end(sentinel, &w.rule);
		clear(&w);
	}
	return wrong;
}

/* A network of our own: loopback, a second device, a few more addresses. */
static void enter_network(void)
{
	static const char setup[] = "ip link set lo up && ip addr add fd00::2/128 dev lo && "
				    "ip link add pd0 type bridge && ip link set pd0 up && "
				    "echo 100000 > /proc/sys/net/ipv4/tcp_max_tw_buckets";

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(system(setup), 0);
}

TEST(oracle_and_kernel_agree)
{
	const char *given = getenv("PD_SITUATIONS");
	unsigned n = given ? (unsigned)strtoul(given, NULL, 10) : SITUATIONS, compared, ruled,
		 wrong;

	wrong = run_situations(n, &compared, &ruled);
	print_message("# %u situations, %u with a rule, %u compared, %u mismatches\n", n, ruled,
		      compared, wrong);
	assert_true(compared > n / 2);
	assert_int_equal(wrong, 0);
}

static int start(void **state)
{
	if (geteuid() != 0)
		return 0;
	enter_network();
	return sentinel_new(SENTINEL_TRACE_AUTO, &sentinel);
}

static int end(void **state)
{
	end_children(state);
	sentinel_free(sentinel);
	return 0;
}

TEST_MAIN(start, end)
