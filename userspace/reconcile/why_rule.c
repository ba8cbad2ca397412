/* SPDX-License-Identifier: MIT */
/* The kernel rule behind a verdict, in one sentence that names the addresses that matter. */
#include <errno.h>
#include <stdio.h>

#include "reconcile/why_parts.h"

#include "base/cleanup.h"

#define ENDPOINT_SIZE (NET_ADDR_STR_SIZE + 8) /* "[address]:port" */

/*
 * In the sentences: @o the owner's address and port, @q the asked ones, @e the errno, @u the
 * owner's uid, @U the asker's, @f and @l the ephemeral range, @s the first unprivileged port.  Of
 * a bind that a program sent elsewhere @a are the asked ones, and @q those where it was sent.
 */
static const char *const rules[_WHY_VERDICT_MAX] = {
	[WHY_LISTENER] =
		"A socket listens on @o already; two sockets share an address and port only "
		"when both set SO_REUSEPORT.",
	[WHY_LISTENER_WILDCARD_OVERLAP] =
		"A socket listens on @o, which covers every address of its family, also @q.",
	[WHY_DUAL_STACK] =
		"The IPv6 socket that listens on @o is not V6ONLY, so it owns the port for "
		"IPv4, also @q.",
	[WHY_REUSEADDR_VS_LISTENER] =
		"Both sides set SO_REUSEADDR, but a socket listens on @o: that "
		"option never lets two listeners share a port.",
	[WHY_REUSEPORT_MISSING_HOLDER] =
		"The socket on @o does not have SO_REUSEPORT; a port is shared only when every "
		"socket on it sets that before bind().",
	[WHY_REUSEPORT_MISSING_VICTIM] =
		"The socket on @o has SO_REUSEPORT, the asking one has not; a port is shared only "
		"when every socket sets it before bind().",
	[WHY_REUSEPORT_UID] =
		"Both sides set SO_REUSEPORT, but the socket on @o belongs to user id @u "
		"and the asking one to @U; a port is shared only within one user.",
	[WHY_REUSEPORT_PROGRAM] = "A socket that attached a SO_REUSEPORT program of its own before "
				  "bind() cannot join the sockets that share @o.",
	[WHY_SELF] =
		"The asking process owns @o itself, and that overlaps @q; its own sockets count "
		"like anybody's.",
	[WHY_SAME_SERVICE] = "Another instance of the same program listens on @o already; only one "
			     "of them can have the port.",
	[WHY_LISTENER_SHARED] =
		"Several processes hold the socket that listens on @o; it keeps the "
		"port until the last of them closes it.",
	[WHY_LISTENER_INHERITED] =
		"The process that bound @o is gone, but a process that inherited "
		"its descriptor keeps the socket listening.",
	[WHY_FD_PASSED] = "The socket that listens on @o was passed to a process that did not bind "
			  "it; it keeps the port until that one closes it.",
	[WHY_BOUND_NOT_LISTENING] = "A socket is bound to @o without listening; the port is taken "
				    "from bind() on, not from listen().",
	[WHY_LISTENER_SHUT_DOWN] =
		"The socket on @o was shut down and not closed; it keeps the port "
		"until its descriptor is closed.",
	[WHY_FAILED_CLIENT] =
		"A client asked for @o as its own end; its connection failed or is over, "
		"but its socket keeps the port until it is closed.",
	[WHY_LISTEN_CONFLICT] =
		"bind() may share a port by SO_REUSEADDR, but listen() looks again, "
		"and another socket listens on @o.",
	[WHY_DEVICE_OVERLAP] = "The socket on @o and the asking one meet on a network device: one "
			       "without a device (SO_BINDTODEVICE) meets those of every device.",
	[WHY_MPTCP_LISTENER] =
		"A Multipath TCP socket listens on @o; its port is a TCP port, taken "
		"for plain TCP as well.",

	[WHY_THREAD_PRIVATE_FDS] =
		"A thread with a descriptor table of its own holds @o; the list of "
		"its process's descriptors does not show it.",
	[WHY_ZOMBIE_LEADER] = "The main thread of the process that holds @o has exited, its other "
			      "threads live on and keep the socket.",
	[WHY_IO_URING_FILE] =
		"The socket on @o is registered with an io_uring instance, which keeps "
		"it open without a descriptor.",
	[WHY_IO_URING_REQUEST] =
		"A pending io_uring request holds the socket on @o, which keeps it "
		"open without a descriptor.",
	[WHY_IO_URING_TEARDOWN] = "The process that held @o has ended, and the kernel is still "
				  "closing what it had; that takes some milliseconds.",
	[WHY_IN_FLIGHT] =
		"The socket on @o is inside a message between two processes that nobody has "
		"received; it keeps the port until somebody does.",
	[WHY_MMAP_PINNED] =
		"A process has the socket on @o mapped into its memory; that keeps it open "
		"after its descriptor is closed.",
	[WHY_SYSCALL_PINNED] =
		"A thread is blocked in a call on @o whose descriptor is closed; the "
		"socket lives until that call returns.",
	[WHY_CLOSING_LINGER] = "close() of a connection of @o waits for its last data to be taken "
			       "(SO_LINGER); until then it keeps the port.",
	[WHY_HOLDER_STOPPED] = "The process that holds @o is stopped (Ctrl-Z or SIGSTOP); it keeps "
			       "its sockets and cannot close them.",
	[WHY_HOLDER_TRACED] =
		"A debugger has stopped the process that holds @o; it keeps its sockets "
		"and cannot close them.",
	[WHY_HOLDER_FROZEN] = "The process that holds @o is frozen with its cgroup (a paused "
			      "container); it keeps its sockets and cannot close them.",
	[WHY_HOLDER_UNINTERRUPTIBLE] =
		"The process that holds @o waits inside the kernel and cannot "
		"be interrupted; it keeps its sockets until it returns.",
	[WHY_HOLDER_EXITING] =
		"The process that holds @o is ending; its sockets are closed late in "
		"that, after a core dump if there is one.",
	[WHY_HOLDER_HIDDEN] =
		"The socket on @o is held by a process that cannot be seen from here: "
		"another user's, or in another PID namespace.",

	[WHY_CONN_OF_CLOSED_LISTENER] =
		"A connection accepted on @o outlives its listener and keeps the port, unless both "
		"the old and the new server set SO_REUSEADDR.",
	[WHY_CONN_CLOSE_WAIT] =
		"The peer has closed a connection of @o, its holder has not; until it "
		"does, the connection keeps the port.",
	[WHY_CHILD_OF_DEAD_PARENT] =
		"The server is gone, but a process that it started still has a "
		"connection of @o, which keeps the port.",
	[WHY_ORPHAN_FIN_WAIT1] =
		"A closed connection of @o still has data that its peer does not take "
		"(FIN_WAIT1); it keeps the port until the kernel gives up.",
	[WHY_ORPHAN_FIN_WAIT2] = "A closed connection of @o waits for its peer to close as well "
				 "(FIN_WAIT2); it keeps the port until then, or a timeout.",
	[WHY_ORPHAN_LAST_ACK] =
		"A closed connection of @o waits for its peer's last acknowledgement "
		"(LAST_ACK); it keeps the port until that, or a timeout.",
	[WHY_ORPHAN_CLOSING] = "Both ends closed a connection of @o at once, and its data is not "
			       "acknowledged (CLOSING); it keeps the port until that.",
	[WHY_TIME_WAIT] =
		"A closed connection of @o is in TIME_WAIT; until that ends, only a server "
		"that sets SO_REUSEADDR gets the port, if the old one set it too.",
	[WHY_TIME_WAIT_REUSE_ONE_SIDED] =
		"A connection of @o in TIME_WAIT came from a server without SO_REUSEADDR; the new "
		"server's alone does not help, from the next restart on it does.",
	[WHY_CONN_REUSE_ONE_SIDED] = "A connection of @o came from a server without SO_REUSEADDR; "
				     "the new server's alone "
				     "does not help, both sides need it.",
	[WHY_OUTGOING_CONNECTION] =
		"An outgoing connection uses @o as its own end; such connections "
		"get any port from @f to @l.",
	[WHY_OUTGOING_CONNECTING] =
		"A connection that is being made uses @o as its own end, and keeps "
		"the port while it tries and after.",

	[WHY_UDP_BOUND] =
		"A UDP socket is bound to @o; UDP has no listen(), the bind alone takes the "
		"port unless both sides set SO_REUSEADDR.",
	[WHY_UDP_CONNECTED] =
		"A connected UDP socket has @o as its own end; to bind(), its peer makes "
		"no difference.",
	[WHY_UDP_EPHEMERAL] =
		"The kernel gave @o to a UDP socket that asked for no port; it keeps it "
		"until it is closed.",
	[WHY_KERNEL_SOCKET] =
		"The kernel itself owns @o (for a tunnel, a file system or the like); no "
		"process holds that socket.",

	[WHY_EPHEMERAL_EXHAUSTED] =
		"Without a port of its own a socket gets one from @f to @l, and "
		"none of them was left for this address.",
	[WHY_PORT_REWRITTEN_BY_BPF] =
		"A BPF program on the caller's cgroup sent the bind of @a to @q, which the "
		"kernel refused with @e.",
	[WHY_FAKED_BY_CGROUP_BPF] = "No socket was in the way of @q: a BPF program on the caller's "
				    "cgroup answered @e itself.",
	[WHY_INTERCEPTED_BY_SECCOMP] =
		"A seccomp filter of the caller answered @e; the kernel never "
		"looked at @q.",
	[WHY_DENIED_BY_CGROUP_BPF] =
		"A BPF program on the caller's cgroup does not let it bind @q.",
	[WHY_DENIED_BY_CGROUP_POST_BIND] =
		"A BPF program on the caller's cgroup took @q away again after it was bound.",
	[WHY_DENIED_BY_LANDLOCK] = "The caller's Landlock sandbox does not allow it to bind @q.",
	[WHY_DENIED_BY_LSM] = "A security policy of the system (SELinux, AppArmor or another) does "
			      "not allow the caller to bind @q.",
	[WHY_PRIVILEGED_PORT] = "Ports below @s are only for programs with the capability "
				"CAP_NET_BIND_SERVICE, and the caller of @q does not have it.",
	[WHY_PRIVILEGED_PORT_USERNS] =
		"Ports below @s need CAP_NET_BIND_SERVICE in the user namespace that owns this "
		"network; root of another one may not bind @q.",
	[WHY_NONLOCAL_ADDRESS] = "The address of @q belongs to no network device here; only local "
				 "addresses can be bound.",
	[WHY_V6_TENTATIVE] = "The address of @q is tentative: the kernel still asks the network "
			     "whether somebody else has it (duplicate address detection).",
	[WHY_V6_DADFAILED] = "The address of @q is in use by another machine (duplicate address "
			     "detection failed), so it cannot be bound.",
	[WHY_IPV6_DISABLED] =
		"IPv6 is switched off here (disable_ipv6), so no device has the address "
		"of @q.",
	[WHY_V6_LINK_DOWN] = "The network device with the address of @q is down; IPv6 addresses go "
			     "away with their link.",
	[WHY_LINKLOCAL_NO_SCOPE] = "@q is a link-local address, which exists on every link; bind() "
				   "needs the interface, too.",
	[WHY_BAD_SCOPE] =
		"The interface that the bind of @q names (scope id or SO_BINDTODEVICE) does "
		"not exist.",
	[WHY_V6ONLY_MAPPED] =
		"@q is an IPv4 address in IPv6 form, and a socket with IPV6_V6ONLY takes "
		"none of those.",
	[WHY_ALREADY_BOUND] =
		"The caller's socket has a port already, and bind() works only once on "
		"a socket.",
	[WHY_OTHER_NETNS] = "@q is free here: the port is in use in another network namespace, and "
			    "namespaces do not share ports.",
	[WHY_GONE] = "@q was refused a moment ago, but what was in the way is gone: the same call "
		     "would succeed now.",
};

/* --- sentences that depend on more than the verdict ------------------------------------------ */

static const char *choose_free(enum bind_rule rule)
{
	switch (rule) {
	case BIND_RULE_NO_OVERLAP:
		return "@q is free: the sockets on this port have addresses or devices that do not "
		       "overlap it.";
	case BIND_RULE_REUSEADDR:
		return "@q is free for this socket: both sides have SO_REUSEADDR, and nobody "
		       "listens.";
	case BIND_RULE_REUSEPORT:
	case BIND_RULE_CACHED:
		return "@q is free for this socket: it may join the sockets that share the port by "
		       "SO_REUSEPORT.";
	default:
		return "@q is free: no socket owns the port.";
	}
}

static bool v6only_is_missing(const struct why_owner *o)
{
	return !o->flags_known && o->bind.family == AF_INET6 &&
	       net_addr_is_wildcard(AF_INET6, &o->bind.addr) && !(o->row && o->row->v6only_known);
}

static const char *choose_unknown(const struct why_case *c)
{
	const struct why_question *q = c->question;

	if (!c->owner && q->error == EFAULT)
		return "The program gave the call an address in memory that cannot be read; that "
		       "is a fault of the program.";
	if (!c->owner && why_is_recorded(q))
		return "@q was refused with @e, and nothing that was seen at that moment explains "
		       "it.";
	if (!c->owner && q->blind)
		return "Which sockets own the port of @q in that network namespace cannot be read "
		       "from here.";
	if (!c->owner)
		return "The sockets on the port of @q changed during every look at them.";
	if (c->owner->bind.state == SOCKET_UNKNOWN)
		return "A socket whose state could not be read owns @o.";
	if (q->reuseport)
		return "Whether the socket on @o has SO_REUSEPORT cannot be read without eBPF, and "
		       "that decides about @q.";
	if (q->reuseaddr)
		return "Whether the socket on @o has SO_REUSEADDR cannot be read without eBPF, and "
		       "that decides about @q.";
	if (v6only_is_missing(c->owner))
		return "Whether the socket on @o is V6ONLY cannot be read without eBPF, and that "
		       "decides about @q.";
	return "What the socket on @o is cannot be told from what was read of it.";
}

static const char *choose_dual_stack(const struct why_question *q, const struct bind_owner *b)
{
	bool asked_ipv4 = why_addr_is_ipv4(q->family, &q->addr);
	bool owned_ipv4 = why_addr_is_ipv4(b->family, &b->addr);

	if (asked_ipv4 && owned_ipv4)
		return "A socket listens on @o; to the kernel that overlaps @q, an IPv4 address on "
		       "a "
		       "socket of the other family.";
	if (owned_ipv4)
		return "A socket listens on @o; an IPv6 socket on @q that is not V6ONLY wants the "
		       "port for IPv4 as well.";
	return rules[WHY_DUAL_STACK];
}

static const char *choose_rule(const struct why_case *c, enum why_verdict verdict)
{
	const struct bind_owner *b = c->owner ? &c->owner->bind : NULL;
	bool owner_is_wide = b && why_addr_is_any(b->family, &b->addr);

	if (verdict == WHY_FREE)
		return choose_free(c->rule);
	if (verdict == WHY_UNKNOWN)
		return choose_unknown(c);
	if (verdict == WHY_LISTENER && why_asks_for_any(c->question) && !owner_is_wide)
		return "A socket listens on @o, and a server on every address needs the port on "
		       "each "
		       "of them.";
	if (verdict == WHY_LISTENER_WILDCARD_OVERLAP && !owner_is_wide)
		return "A socket listens on @o, which is one of the addresses that @q covers.";
	if (verdict == WHY_DUAL_STACK && b)
		return choose_dual_stack(c->question, b);
	if (verdict == WHY_PORT_REWRITTEN_BY_BPF && b)
		return "A BPF program on the caller's cgroup sent the bind of @a to @q, and that "
		       "one is taken.";
	if (verdict == WHY_OUTGOING_CONNECTION && b && b->port_asked)
		return "An outgoing connection asked for @o as its own end and keeps the port "
		       "until "
		       "it is closed.";
	return rules[verdict];
}

/* --- words ---------------------------------------------------------------------------------- */

static void format_endpoint(uint8_t family, const struct net_addr *addr, uint16_t port, char *ret)
{
	char text[NET_ADDR_STR_SIZE];

	net_addr_format(family, addr, text);
	snprintf(ret, ENDPOINT_SIZE, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* What stands for one letter; ret holds ENDPOINT_SIZE. */
static void fill_in(const struct why_case *c, char letter, char *ret)
{
	const struct why_question *q = c->question;
	const struct why_environment *e = c->environment;
	const struct bind_owner *b = c->owner ? &c->owner->bind : NULL;
	const struct {
		char letter;
		unsigned number;
	} numbers[] = {
		{ 'u', b ? b->uid : 0 },
		{ 'U', q->uid },
		{ 'f', e->ephemeral_first },
		{ 'l', e->ephemeral_last },
		{ 's', e->unprivileged_port_start },
	};

	*ret = '\0';
	if (letter == 'q')
		format_endpoint(q->family, &q->addr, q->port, ret);
	else if (letter == 'a')
		format_endpoint(q->family, why_asked_addr(q), why_asked_port(q), ret);
	else if (letter == 'o' && b)
		format_endpoint(b->family, &b->addr, q->port, ret);
	else if (letter == 'e')
		snprintf(ret, ENDPOINT_SIZE, "%s", net_errno_name(q->error));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].letter == letter)
			snprintf(ret, ENDPOINT_SIZE, "%u", numbers[i].number);
}

void why_write_rule(const struct why_case *c, enum why_verdict verdict, char *ret, size_t size)
{
	const char *from = choose_rule(c, verdict);
	char word[ENDPOINT_SIZE];
	size_t used = 0;

	for (; *from && used < size; from++) {
		if (*from == '@' && from[1]) {
			fill_in(c, *++from, word);
		} else {
			word[0] = *from;
			word[1] = '\0';
		}
		used += (size_t)snprintf(ret + used, size - used, "%s", word);
	}
}
