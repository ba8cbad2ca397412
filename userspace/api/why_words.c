/* SPDX-License-Identifier: MIT */
/*
 * The first line of `pd why`: what happened, in words that need no knowledge of sockets.  One
 * sentence for each verdict, with places that are filled in; of a refusal that was recorded it
 * speaks in the past.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "api/why.h"
#include "api/why_process.h"
#include "api/why_supervisor.h"
#include "base/procfs.h"
#include "reconcile/why_parts.h"

#define WHO_SIZE   160
#define PLACE_SIZE (2 * WHO_SIZE)

char *why_age(int64_t s, char *ret)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	size_t i = 0;
	int64_t n;

	if (s < 1)
		s = 1;
	while (s < units[i].seconds)
		i++;
	n = s / units[i].seconds;
	snprintf(ret, 32, "%" PRId64 " %s%s", n, units[i].name, n == 1 ? "" : "s");
	return ret;
}

int64_t why_wait_seconds(const struct why_facts *f)
{
	uint32_t most = 0;

	for (size_t i = 0; i < f->n_shown; i++)
		if (f->shown[i]->timer_ms > most)
			most = f->shown[i]->timer_ms;
	return (most + 999) / 1000;
}

void why_name_holders(const struct why_facts *f, char *ret, size_t size)
{
	char comm[PROCESS_COMM_SIZE], more[32] = "";
	const char *user;

	if (!f->n_holdings) {
		user = f->n_shown ? view_user_name(why_facts_row(f, f->shown[0])->uid) : NULL;
		snprintf(ret, size, "a process%s%s%s", user ? " of user " : "", user ? user : "",
			 f->left_out ? "" : " that is hidden from here");
		return;
	}
	view_process_name(f->inv, &f->holdings[0].holder->id, comm);
	if (f->n_holdings > 1)
		snprintf(more, sizeof(more), " and %zu more", f->n_holdings - 1);
	snprintf(ret, size, "%s (pid %d)%s", *comm ? comm : "a process",
		 f->holdings[0].holder->id.pid, more);
}

/* --- places --- */

static bool is_past(const struct why_facts *f)
{
	return f->question.caller.pid != 0;
}

static void fill_port(const struct why_facts *f, char *ret)
{
	bool udp = f->question.protocol == IPPROTO_UDP;

	uint16_t port = why_asked_port(&f->question);

	if (port)
		snprintf(ret, PLACE_SIZE, "%sort %u", udp ? "UDP p" : "P", port);
	else
		snprintf(ret, PLACE_SIZE, "A free %sport", udp ? "UDP " : "");
}

/* The same inside of a sentence. */
static void fill_that(const struct why_facts *f, char *ret)
{
	fill_port(f, ret);
	if (*ret != 'U')
		*ret = *ret == 'P' ? 'p' : 'a';
}

static void fill_is(const struct why_facts *f, char *ret)
{
	strcpy(ret, is_past(f) ? "was" : "is");
}

static void fill_has(const struct why_facts *f, char *ret)
{
	strcpy(ret, is_past(f) ? "had" : "has");
}

static void fill_holds(const struct why_facts *f, char *ret)
{
	strcpy(ret, is_past(f) ? "held" : "holds");
}

static void fill_who(const struct why_facts *f, char *ret)
{
	why_name_holders(f, ret, PLACE_SIZE);
}

static int64_t since_of(const struct why_facts *f)
{
	return f->n_shown ? why_facts_row(f, f->shown[0])->since : 0;
}

/* " for 5 days"; "" where nobody saw it begin. */
static void fill_for(const struct why_facts *f, char *ret)
{
	int64_t since = since_of(f);
	char age[32];

	if (since)
		snprintf(ret, PLACE_SIZE, " for %s", why_age(f->now - since, age));
	else
		*ret = '\0';
}

static void fill_listens(const struct why_facts *f, char *ret)
{
	char age[PLACE_SIZE / 2];

	fill_for(f, age);
	if (*age)
		snprintf(ret, PLACE_SIZE, "%s been listening on it%s", is_past(f) ? "had" : "has",
			 age);
	else
		snprintf(ret, PLACE_SIZE, "%s listening on it", is_past(f) ? "was" : "is");
}

/* TCP_TIMEWAIT_LEN and the default of tcp_fin_timeout; sock_diag alone tells what is left. */
static void fill_wait(const struct why_facts *f, char *ret)
{
	char age[32];

	if (why_wait_seconds(f))
		snprintf(ret, PLACE_SIZE, "another %s", why_age(why_wait_seconds(f), age));
	else
		strcpy(ret, "up to a minute");
}

static void fill_asked(const struct why_facts *f, char *ret)
{
	net_addr_format(f->question.family, &f->question.addr, ret);
}

/* What a program made of the asked address: of the two what is another. */
static void fill_given(const struct why_facts *f, char *ret)
{
	const struct why_question *q = &f->question;
	char addr[NET_ADDR_STR_SIZE];

	if (!memcmp(&q->addr, why_asked_addr(q), sizeof(q->addr)))
		snprintf(ret, PLACE_SIZE, "port %u", q->port);
	else
		snprintf(ret, PLACE_SIZE, "%s port %u", net_addr_format(q->family, &q->addr, addr),
			 q->port);
}

static void fill_taken(const struct why_facts *f, char *ret)
{
	char who[WHO_SIZE];

	why_name_holders(f, who, sizeof(who));
	if (f->n_shown)
		snprintf(ret, PLACE_SIZE, "that was taken by %s", who);
	else
		snprintf(ret, PLACE_SIZE, "that was refused (%s)",
			 net_errno_name(f->question.error));
}

static void fill_held(const struct why_facts *f, char *ret)
{
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;

	if (o)
		net_addr_format(o->family, &o->addr, ret);
	else
		strcpy(ret, "address");
}

/* Which of the two addresses is the wider one. */
static void fill_covers(const struct why_facts *f, char *ret)
{
	const struct why_question *q = &f->question;
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;
	char held[NET_ADDR_STR_SIZE] = "address", asked[NET_ADDR_STR_SIZE];
	bool owner_is_wide = !o || why_addr_is_any(o->family, &o->addr);

	net_addr_format(q->family, &q->addr, asked);
	if (o)
		net_addr_format(o->family, &o->addr, held);
	snprintf(ret, PLACE_SIZE, "%s %s also covers %s %s", owner_is_wide ? "Its" : "Your",
		 owner_is_wide ? held : asked, owner_is_wide ? "your" : "its",
		 owner_is_wide ? asked : held);
}

/* An IPv6 socket that serves IPv4 as well: the holder's, the asker's, or an address written so. */
static void fill_families(const struct why_facts *f, char *ret)
{
	const struct why_question *q = &f->question;
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;
	char held[NET_ADDR_STR_SIZE] = "::", asked[NET_ADDR_STR_SIZE];

	net_addr_format(q->family, &q->addr, asked);
	if (o)
		net_addr_format(o->family, &o->addr, held);
	if (!o || !why_addr_is_ipv4(o->family, &o->addr))
		snprintf(ret, PLACE_SIZE, "for IPv4 and IPv6 at once (its %s covers your %s)", held,
			 asked);
	else if (why_addr_is_ipv4(q->family, &q->addr))
		snprintf(ret, PLACE_SIZE, "on %s, which meets your %s", held, asked);
	else
		snprintf(ret, PLACE_SIZE, "for IPv4, and your %s wants IPv4 and IPv6 at once",
			 asked);
}

static void fill_peer(const struct why_facts *f, char *ret)
{
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;
	char addr[NET_ADDR_STR_SIZE];

	if (o && o->peer_port)
		snprintf(ret, PLACE_SIZE, " to %s port %u",
			 net_addr_format(o->family, &o->peer, addr), o->peer_port);
	else
		*ret = '\0';
}

static void fill_connections(const struct why_facts *f, char *ret)
{
	size_t n = f->n_shown ? f->n_shown : 1;

	snprintf(ret, PLACE_SIZE, "%zu%s connection%s", n, n == WHY_BLOCKING_MAX ? " or more" : "",
		 n == 1 ? "" : "s");
}

static void fill_their_user(const struct why_facts *f, char *ret)
{
	const char *user = f->n_shown ? view_user_name(why_facts_row(f, f->shown[0])->uid) : NULL;

	snprintf(ret, PLACE_SIZE, "%s", user ? user : "another user");
}

static void fill_your_user(const struct why_facts *f, char *ret)
{
	const char *user = view_user_name(f->question.uid);

	snprintf(ret, PLACE_SIZE, "%s", user ? user : "the caller");
}

static void fill_tracer(const struct why_facts *f, char *ret)
{
	pid_t pid = f->n_holdings ? why_process_tracer(&f->holdings[0].holder->id) : 0;

	*ret = '\0';
	if (pid)
		snprintf(ret, PLACE_SIZE, " (pid %d)", pid);
}

static void fill_what(const struct why_facts *f, char *ret)
{
	strcpy(ret, f->n_shown || is_past(f) ? "what holds it" : "whether anything holds it");
}

static void fill_errno(const struct why_facts *f, char *ret)
{
	snprintf(ret, PLACE_SIZE, "%s",
		 f->answer.error ? net_errno_name(f->answer.error) : "refused");
}

static void fill_call(const struct why_facts *f, char *ret)
{
	strcpy(ret, f->question.call == EVENT_CALL_LISTEN ? "listen" : "bind");
}

static void fill_range(const struct why_facts *f, char *ret)
{
	snprintf(ret, PLACE_SIZE, "%u-%u", f->environment.ephemeral_first,
		 f->environment.ephemeral_last);
}

static void fill_start(const struct why_facts *f, char *ret)
{
	snprintf(ret, PLACE_SIZE, "%u", f->environment.unprivileged_port_start);
}

static const struct {
	const char *name;
	void (*fill)(const struct why_facts *f, char *ret); /* PLACE_SIZE bytes */
} places[] = {
	{ "port", fill_port },	       { "is", fill_is },
	{ "who", fill_who },	       { "for", fill_for },
	{ "listens", fill_listens },   { "wait", fill_wait },
	{ "asked", fill_asked },       { "held", fill_held },
	{ "peer", fill_peer },	       { "connections", fill_connections },
	{ "theirs", fill_their_user }, { "yours", fill_your_user },
	{ "tracer", fill_tracer },     { "errno", fill_errno },
	{ "call", fill_call },	       { "range", fill_range },
	{ "start", fill_start },       { "has", fill_has },
	{ "holds", fill_holds },       { "given", fill_given },
	{ "taken", fill_taken },       { "what", fill_what },
	{ "covers", fill_covers },     { "families", fill_families },
	{ "that", fill_that },
};

/* --- sentences --- */

static const char *const sentences[] = {
	[WHY_FREE] = "{port} is free.",
	[WHY_UNKNOWN] = "{port}: {what} could not be found out from here.",

	[WHY_LISTENER] = "{port} {is} taken: {who} {listens}.",
	[WHY_LISTENER_WILDCARD_OVERLAP] = "{port} {is} taken: {who} {listens}. {covers}.",
	[WHY_DUAL_STACK] = "{port} {is} taken: {who} {listens}, {families}.",
	[WHY_REUSEADDR_VS_LISTENER] = "{port} {is} taken: {who} {listens}, and SO_REUSEADDR never "
				      "lets two servers listen on one port.",
	[WHY_REUSEPORT_MISSING_HOLDER] = "{port} {is} taken: {who} {listens} without SO_REUSEPORT, "
					 "so yours alone does not help.",
	[WHY_REUSEPORT_MISSING_VICTIM] = "{port} {is} taken: {who} {listens} and would share it, "
					 "but the new server does not set SO_REUSEPORT.",
	[WHY_REUSEPORT_UID] = "{port} {is} taken: {who} {listens} as user {theirs}; sharing works "
			      "within one user only, and you are {yours}.",
	[WHY_REUSEPORT_PROGRAM] = "{port} {is} taken: {who} {listens}; a server that brings its "
				  "own load-balancing program cannot join it.",
	[WHY_SELF] = "{port} {is} taken by the asking program itself: {who} {has} it open already.",
	[WHY_SAME_SERVICE] = "{port} {is} taken: another instance of the same program, {who}, "
			     "{listens}.",
	[WHY_LISTENER_SHARED] = "{port} {is} taken: {who} hold one listening socket together; "
				"it lasts until all of them let go.",
	[WHY_LISTENER_INHERITED] =
		"{port} {is} taken: the server that opened it is gone, but {who} "
		"inherited its socket.",
	[WHY_FD_PASSED] = "{port} {is} taken: {who} {holds} the socket; another process opened it "
			  "and handed it over.",
	[WHY_BOUND_NOT_LISTENING] = "{port} {is} taken: {who} {has} reserved it{for} but does not "
				    "listen on it (netstat and lsof do not show this).",
	[WHY_LISTENER_SHUT_DOWN] = "{port} {is} taken: {who} stopped listening but never closed "
				   "the socket (netstat and lsof do not show this).",
	[WHY_FAILED_CLIENT] = "{port} {is} taken: {who} tried to connect from it, failed, and "
			      "still holds it.",
	[WHY_LISTEN_CONFLICT] = "{port} {is} taken: the bind worked, but {who} began to listen "
				"first.",
	[WHY_DEVICE_OVERLAP] = "{port} {is} taken: {who} {listens}, on a network interface that "
			       "yours includes or equals.",
	[WHY_MPTCP_LISTENER] = "{port} {is} taken: {who} {listens} (with Multipath TCP).",

	[WHY_THREAD_PRIVATE_FDS] = "{port} {is} taken: a single thread of {who} {holds} it, in a "
				   "descriptor table of its own.",
	[WHY_ZOMBIE_LEADER] = "{port} {is} taken: {who} looks dead (its main thread ended), but "
			      "its other threads still run and hold it.",
	[WHY_IO_URING_FILE] =
		"{port} {is} taken: {who} {has} it registered with io_uring, although "
		"it closed the descriptor.",
	[WHY_IO_URING_REQUEST] =
		"{port} {is} taken: a pending io_uring request of {who} {holds} it.",
	[WHY_IO_URING_TEARDOWN] = "{port} {is} taken for a moment: the kernel is still cleaning "
				  "up after a server that used io_uring.",
	[WHY_IN_FLIGHT] = "{port} {is} taken: its socket was sent to another process, which has "
			  "not received it yet.",
	[WHY_MMAP_PINNED] = "{port} {is} taken: {who} closed it but has its memory still mapped.",
	[WHY_SYSCALL_PINNED] = "{port} {is} taken: {who} closed it while one of its threads was "
			       "still waiting for a connection.",
	[WHY_CLOSING_LINGER] = "{port} {is} taken: {who} {is} closing it and waits for the other "
			       "side to read what is left.",
	[WHY_HOLDER_STOPPED] =
		"{port} {is} taken: {who} {is} stopped (as by Ctrl-Z), so it answers nobody.",
	[WHY_HOLDER_TRACED] =
		"{port} {is} taken: {who} {is} held by a debugger{tracer}, so it answers nobody.",
	[WHY_HOLDER_FROZEN] = "{port} {is} taken: {who} {is} frozen (a paused container, perhaps), "
			      "so it answers nobody and cannot end.",
	[WHY_HOLDER_UNINTERRUPTIBLE] = "{port} {is} taken: {who} {is} stuck waiting for a disk or "
				       "another device, and cannot end before that answers.",
	[WHY_HOLDER_EXITING] = "{port} {is} taken for a moment: {who} {is} about to end.",
	[WHY_HOLDER_HIDDEN] = "{port} {is} taken: {who} {has} it.",

	[WHY_CONN_OF_CLOSED_LISTENER] = "{port} {is} taken: nobody listens on it any more, but "
					"{connections} of the old server remained open ({who}).",
	[WHY_CONN_CLOSE_WAIT] = "{port} {is} taken: {who} {has} not closed {connections} that the "
				"other side hung up.",
	[WHY_CHILD_OF_DEAD_PARENT] = "{port} {is} taken: the server is gone, but its child {who} "
				     "goes on with {connections}.",
	[WHY_ORPHAN_FIN_WAIT1] = "{port} {is} taken: no process {holds} it, but data of a server "
				 "that ended waits to be read by the other side.",
	[WHY_ORPHAN_FIN_WAIT2] = "{port} {is} taken for {wait}: no process {holds} it, the "
				 "other side has not hung up on a server that ended.",
	[WHY_ORPHAN_LAST_ACK] = "{port} {is} taken: no process {holds} it, the last packet of a "
				"closed connection waits to be confirmed.",
	[WHY_ORPHAN_CLOSING] = "{port} {is} taken: no process {holds} it, both sides of a "
			       "connection hung up at once and wait for each other.",
	[WHY_TIME_WAIT] = "{port} {is} taken for {wait}: no process {holds} it, connections "
			  "of a server that stopped are being closed (TIME_WAIT).",
	[WHY_TIME_WAIT_REUSE_ONE_SIDED] =
		"{port} {is} taken for {wait}: the old server did not set SO_REUSEADDR, "
		"so yours helps only from the next restart on.",
	[WHY_CONN_REUSE_ONE_SIDED] =
		"{port} {is} taken: {connections} of the old server remained open ({who}), and "
		"it did not set SO_REUSEADDR, so yours cannot help this time.",
	[WHY_OUTGOING_CONNECTION] = "{port} {is} taken: an outgoing connection of {who}{peer} "
				    "uses it as its own port.",
	[WHY_OUTGOING_CONNECTING] = "{port} {is} taken: {who} {is} just trying to connect{peer} "
				    "and uses it as its own port.",

	[WHY_UDP_BOUND] = "{port} {is} taken: {who} {has} it open{for}.",
	[WHY_UDP_CONNECTED] = "{port} {is} taken: {who} {has} it open{for}, connected{peer}.",
	[WHY_UDP_EPHEMERAL] = "{port} {is} taken: {who} was given it by chance, for packets that "
			      "it sends.",
	[WHY_KERNEL_SOCKET] = "{port} {is} taken by the kernel itself (a VXLAN or tunnel device, "
			      "NFS, …), not by a process.",

	[WHY_EPHEMERAL_EXHAUSTED] = "No port is left: all of {range}, from which the system "
				    "chooses, are in use.",
	[WHY_PORT_REWRITTEN_BY_BPF] = "{port} was not what was bound: a BPF program of the "
				      "process's cgroup made {given} of it, and {taken}.",
	[WHY_FAKED_BY_CGROUP_BPF] = "{port} is free, and was refused all the same ({errno}): a "
				    "BPF program of the process's cgroup answered.",
	[WHY_INTERCEPTED_BY_SECCOMP] =
		"{port} {is} refused by a sandbox: a seccomp filter answered the "
		"{call} with {errno} before the kernel looked at it.",
	[WHY_DENIED_BY_CGROUP_BPF] = "{port} {is} forbidden: a BPF program of the process's "
				     "cgroup refuses the {call} ({errno}).",
	[WHY_DENIED_BY_CGROUP_POST_BIND] = "{port} {is} forbidden: a BPF program of the process's "
					   "cgroup took it back after the {call} ({errno}).",
	[WHY_DENIED_BY_LANDLOCK] = "{port} {is} forbidden: the process is in a Landlock sandbox "
				   "that does not allow this port.",
	[WHY_DENIED_BY_LSM] = "{port} {is} forbidden by a security policy of the system "
			      "(SELinux, AppArmor or the like).",
	[WHY_PRIVILEGED_PORT] = "{port} {is} for privileged programs: below {start}, user {yours} "
				"needs a permission that the program does not have.",
	[WHY_PRIVILEGED_PORT_USERNS] = "{port} {is} for privileged programs: being root inside a "
				       "container or user namespace does not count here.",
	[WHY_NONLOCAL_ADDRESS] = "{asked} {is} not an address of this machine, so no port of it "
				 "can be bound ({that}).",
	[WHY_V6_TENTATIVE] = "{asked} {is} not ready: the system still checks that nobody else "
			     "has this address ({that}).",
	[WHY_V6_DADFAILED] = "{asked} cannot be used: another machine of the network has the "
			     "same address ({that}).",
	[WHY_IPV6_DISABLED] = "IPv6 {is} switched off here, so {asked} cannot be bound ({that}).",
	[WHY_V6_LINK_DOWN] = "{asked} {is} not there: a network interface is down, and those lose "
			     "their IPv6 addresses ({that}).",
	[WHY_LINKLOCAL_NO_SCOPE] = "{asked} {is} incomplete: an address that starts with fe80 "
				   "needs an interface, as in %eth0 ({that}).",
	[WHY_BAD_SCOPE] = "The network interface that was asked for does not exist ({that} of "
			  "{asked}).",
	[WHY_V6ONLY_MAPPED] = "{asked} {is} an IPv4 address written as IPv6, and the socket is "
			      "for IPv6 only ({that}).",
	[WHY_ALREADY_BOUND] = "{port}: the program bound the same socket twice.",
	[WHY_OTHER_NETNS] = "{port} is free here; {who} has it in another network namespace (a "
			    "container, perhaps).",
	[WHY_GONE] = "{port} was taken a moment ago and is free now.",
};
_Static_assert(ARRAY_SIZE(sentences) == _WHY_VERDICT_MAX, "every verdict has its sentence");

static const char program_fault[] =
	"The {call} failed for a fault of the program: the address that it passed lies in memory "
	"that cannot be read.";

bool why_is_program_fault(const struct why_facts *f)
{
	return is_past(f) && f->question.error == EFAULT && f->answer.verdict == WHY_UNKNOWN;
}

static const char *place_fill(const struct why_facts *f, const char *name, size_t length, char *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strlen(places[i].name) == length && !strncmp(places[i].name, name, length)) {
			places[i].fill(f, ret);
			return ret;
		}
	return "";
}

static void expand(const struct why_facts *f, const char *sentence, char *ret)
{
	char text[PLACE_SIZE];
	size_t used = 0;

	while (*sentence && used < WHY_SUMMARY_SIZE - 1) {
		size_t plain = strcspn(sentence, "{"), length;

		used += snprintf(ret + used, WHY_SUMMARY_SIZE - used, "%.*s", (int)plain, sentence);
		sentence += plain;
		if (!*sentence || used >= WHY_SUMMARY_SIZE - 1)
			return;
		length = strcspn(sentence, "}");
		used += snprintf(ret + used, WHY_SUMMARY_SIZE - used, "%s",
				 place_fill(f, sentence + 1, length - 1, text));
		sentence += length + 1;
	}
}

/* --- what is said behind it --- */

static void add(char *ret, const char *text)
{
	size_t used = strlen(ret);

	snprintf(ret + used, WHY_SUMMARY_SIZE - used, "%s", text);
}

/* States that people miss: the process is there, and does nothing. */
static void add_state(const struct why_facts *f, char *ret)
{
	enum why_verdict v = f->answer.verdict;

	if (v >= WHY_HOLDER_STOPPED && v <= WHY_HOLDER_HIDDEN)
		return; /* said already */
	for (size_t i = 0; i < f->n_shown; i++) {
		const struct why_owner *o = f->shown[i];

		if (o->holder_frozen)
			add(ret, " It is frozen (a paused container, perhaps).");
		else if (o->holder_state == 'T')
			add(ret, " It is stopped (as by Ctrl-Z), so it answers nobody.");
		else if (o->holder_state == 't')
			add(ret, " A debugger holds it.");
		else
			continue;
		return;
	}
}

/* It listens for a container: killing it cuts that off. */
static bool add_forward(const struct process *process, char *ret)
{
	char text[PLACE_SIZE], addr[NET_ADDR_STR_SIZE];
	struct why_forward forward;

	if (!why_forward_find(process, &forward))
		return false;
	if (forward.family)
		snprintf(text, sizeof(text), " It passes the port on to a container (%s port %u).",
			 net_addr_format(forward.family, &forward.addr, addr), forward.port);
	else
		snprintf(text, sizeof(text), " It has the port for a container.");
	add(ret, text);
	return true;
}

/* Somebody starts it again: killing it gains a second. */
static void add_supervisor(const struct why_facts *f, char *ret)
{
	struct why_supervisor supervisor;
	struct cgroup_owner owner;
	struct process process;
	char text[PLACE_SIZE];

	if (!f->n_holdings || !view_describe(f->inv, &f->holdings[0].holder->id, &process))
		return;
	view_cgroup(&process.id, &owner);
	if (*owner.container) {
		add(ret, " It runs in a container.");
	} else if (add_forward(&process, ret)) {
		return;
	} else if (*owner.unit) {
		add(ret, " It is a service of systemd, which may start it again.");
	} else if (why_supervisor_find(&process, &supervisor)) {
		snprintf(text, sizeof(text), " Killed, it comes back: %s (pid %d) starts it again.",
			 supervisor.name, supervisor.id.pid);
		add(ret, text);
	}
}

void why_summarize(const struct why_facts *f, char *ret)
{
	enum why_verdict v = f->answer.verdict;

	*ret = '\0';
	expand(f, why_is_program_fault(f) ? program_fault : sentences[v], ret);
	if (v == WHY_FREE && f->claim) {
		add(ret, " ");
		add(ret, f->claim);
		add(ret, " owns the claim on it.");
	}
	if (v == WHY_FREE || v == WHY_OTHER_NETNS)
		return;
	add_state(f, ret);
	if (v < WHY_CONN_OF_CLOSED_LISTENER || v == WHY_UDP_BOUND)
		add_supervisor(f, ret);
}
