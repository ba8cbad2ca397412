/* SPDX-License-Identifier: MIT */
/*
 * The first line of `pd why`: what happened, in words that need no knowledge of sockets.  One
 * sentence for each verdict, with places that why_places.c fills in.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/user.h"
#include "explain/cgroup.h"
#include "explain/explain.h"
#include "explain/places.h"
#include "explain/supervisor.h"
#include "reconcile/why_parts.h"

#define BEHIND_SIZE 320 /* of a sentence that is said behind the first */

struct why_question why_default_question(uint16_t protocol, uint16_t port)
{
	/* "::" without V6ONLY is what most servers ask for: every address of both families */
	return (struct why_question){ .protocol = protocol, .family = AF_INET6, .port = port };
}

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
		user = f->n_shown ? user_name(why_facts_row(f, f->shown[0])->uid) : NULL;
		snprintf(ret, size, "a process%s%s%s", user ? " of user " : "", user ? user : "",
			 f->left_out ? "" : " that is hidden from here");
		return;
	}
	inventory_process_name(f->inv, &f->holdings[0].holder->id, comm);
	if (f->n_holdings > 1)
		snprintf(more, sizeof(more), " and %zu more", f->n_holdings - 1);
	snprintf(ret, size, "%s (pid %d)%s", *comm ? comm : "a process",
		 f->holdings[0].holder->id.pid, more);
}

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
	return why_places_are_past(f) && f->question.error == EFAULT &&
	       f->answer.verdict == WHY_UNKNOWN;
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
	char text[BEHIND_SIZE], addr[NET_ADDR_STR_SIZE];
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
	char text[BEHIND_SIZE];

	if (!f->n_holdings || !inventory_describe(f->inv, &f->holdings[0].holder->id, &process))
		return;
	cgroup_find(&process.id, &owner);
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
	why_places_fill(f, why_is_program_fault(f) ? program_fault : sentences[v], ret);
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
