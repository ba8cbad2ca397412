/* SPDX-License-Identifier: MIT */
/*
 * What to do about a taken port.  Commands are printed only where they are right: no kill of
 * another user's process, of pid 1 or of a client, no kill of a process that a service manager or
 * a container engine would start again at once, no `ss -K` on a listener (it ends the service and
 * does not free the port).
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/user.h"
#include "explain/explain.h"
#include "explain/remedies.h"

#define STEPS_MAX    4
#define WIDER_FIRST  10000 /* leaves the ports that services are usually given alone */
#define WIDEST_FIRST 1024  /* below, ports are privileged */

void remedy_add(struct why_remedies *list, const char *command, const char *format, ...)
{
	struct why_remedy *new = &list->list[list->n];
	va_list args;

	if (list->n == WHY_REMEDIES_MAX)
		return;
	va_start(args, format);
	vsnprintf(new->text, sizeof(new->text), format, args);
	va_end(args);
	snprintf(new->command, sizeof(new->command), "%s", command ? command : "");
	list->n++;
}

const char *remedy_sudo(const struct why_facts *f)
{
	return f->viewer == 0 ? "" : "sudo ";
}

bool remedy_is_plain_word(const char *s)
{
	return *s && *s != '-' &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "/._-@:+,=")];
}

/* --- sockets --- */

const char *remedy_there(const struct why_facts *f, bool root, char *ret, const char *format, ...)
{
	bool enter = *f->place.enter;
	va_list args;
	int used;

	if (f->place.shut)
		return NULL;
	used = snprintf(ret, REMEDY_COMMAND_SIZE, "%s%s", root || enter ? remedy_sudo(f) : "",
			f->place.enter);
	va_start(args, format);
	vsnprintf(ret + used, REMEDY_COMMAND_SIZE - (size_t)used, format, args);
	va_end(args);
	return ret;
}

static void close_sockets(const struct why_facts *f, const char *state, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	remedy_add(list,
		   remedy_there(f, true, command, "ss -K -t state %s 'sport = :%u'", state,
				f->question.port),
		   f->place.shut ? "close what is left of it with ss -K, in its network namespace"
				 : "close what is left of it now");
}

static void close_time_wait(const struct why_facts *f, struct why_remedies *list)
{
	close_sockets(f, "time-wait", list);
}

/* `connected` is every state but LISTEN and CLOSE: a listener on the port is left alone. */
static void close_connection(const struct why_facts *f, struct why_remedies *list)
{
	close_sockets(f, "connected", list);
}

/* A blocked accept() returns with a connection, and nothing holds the socket any more. */
static void wake(const struct why_facts *f, struct why_remedies *list)
{
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;
	char command[REMEDY_COMMAND_SIZE], addr[NET_ADDR_STR_SIZE] = "127.0.0.1";

	if (o && !net_addr_is_wildcard(o->family, &o->addr))
		net_addr_format(o->family, &o->addr, addr);
	else if (o && o->family == AF_INET6)
		strcpy(addr, "::1");
	remedy_add(list,
		   remedy_there(f, false, command, "bash -c ': < /dev/tcp/%s/%u'", addr,
				f->question.port),
		   "wake the waiting thread by one connection; in the program, shutdown() before "
		   "close() does that");
}

static void wait_timer(const struct why_facts *f, struct why_remedies *list)
{
	char age[32];

	remedy_add(list, NULL, "wait %s",
		   why_wait_seconds(f) ? why_age(why_wait_seconds(f), age) : "up to a minute");
}

/* The ports reserved so far, which setting it replaces; false where they cannot be read. */
static bool read_reserved(const struct why_facts *f, char *ret, size_t size)
{
	_cleanup_file_ FILE *file = NULL;

	ret[0] = '\0';
	if (!f->place.own)
		return false;
	file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	if (!file)
		return false;
	if (!fgets(ret, (int)size, file))
		ret[0] = '\0';
	if (strlen(ret) == size - 1)
		return false; /* cut short */
	ret[strcspn(ret, "\n")] = '\0';
	return true;
}

static void reserve(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE], reserved[REMEDY_COMMAND_SIZE / 2];
	bool known = read_reserved(f, reserved, sizeof(reserved));

	remedy_add(list,
		   remedy_there(f, true, command, "sysctl net.ipv4.ip_local_reserved_ports=%s%s%u",
				known ? reserved : "", known && *reserved ? "," : "",
				f->question.port),
		   "keep outgoing connections off it from now on%s",
		   known ? "" : " (this replaces the ports reserved so far: add yours to those)");
}

static void claim(const struct why_facts *f, struct why_remedies *list)
{
	remedy_add(list, "pd claim NAME", "take another port, one that is free and stays yours");
}

static void retry(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	snprintf(command, sizeof(command), "pd why %u%s", f->question.port,
		 f->question.protocol == IPPROTO_UDP ? " --udp" : "");
	remedy_add(list, command, "start the server again; this tells whether it will work");
}

static void look_at_all(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	if (*f->lift)
		remedy_add(list, *f->missing_command ? f->missing_command : NULL, "%s", f->lift);
	remedy_add(list,
		   remedy_there(f, true, command, "ss -tanup 'sport = :%u'", f->question.port),
		   "look at every socket of the port as root");
}

static void enter_namespace(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	if (!f->n_holdings)
		return;
	snprintf(command, sizeof(command), "%snsenter -t %d -n ss -ltnup", remedy_sudo(f),
		 f->holdings[0].holder->id.pid);
	remedy_add(list, command,
		   "look at the sockets of that namespace; here nothing need be done");
}

static void find_kernel_device(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	if (f->question.protocol == IPPROTO_UDP)
		remedy_add(list, remedy_there(f, false, command, "ip -d link show"),
			   "find the device with dstport %u (vxlan, geneve, wireguard): delete it, "
			   "or change its port",
			   f->question.port);
	else
		remedy_add(list, "cat /proc/fs/nfsd/portlist",
			   "stop the kernel service that has it (NFS, iSCSI)");
}

/* --- what is wrong elsewhere --- */

static void let_in_low_ports(const struct why_facts *f, const char *where,
			     struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	remedy_add(list,
		   remedy_there(f, true, command, "sysctl net.ipv4.ip_unprivileged_port_start=%u",
				f->question.port),
		   "%sopen the ports from %u on to every program%s", where, f->question.port,
		   *f->place.enter ? " of its network namespace" : " of this machine");
}

static void allow_low_port(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];
	struct process process;

	if (f->question.caller.pid && inventory_describe(f->inv, &f->question.caller, &process)) {
		snprintf(command, sizeof(command), "%ssetcap cap_net_bind_service=+ep %s",
			 remedy_sudo(f), process.exe);
		if (remedy_is_plain_word(process.exe) && user_may_see(f->viewer, process.uid))
			remedy_add(list, command,
				   "allow this program low ports (every script of an interpreter, "
				   "too); a service has AmbientCapabilities=CAP_NET_BIND_SERVICE");
	}
	let_in_low_ports(f, "", list);
}

static void allow_low_port_in_host(const struct why_facts *f, struct why_remedies *list)
{
	let_in_low_ports(f, "as root of the host: ", list);
	remedy_add(list, NULL,
		   "or give the container a network of its own, where its root counts (unshare "
		   "-Urn)");
}

static void list_addresses(const struct why_facts *f, struct why_remedies *list)
{
	bool v6 = f->question.family == AF_INET6;
	char command[REMEDY_COMMAND_SIZE];

	remedy_add(list, remedy_there(f, false, command, "ip -%d addr", v6 ? 6 : 4),
		   "use an address of this machine, or %s for all of them", v6 ? "::" : "0.0.0.0");
	remedy_add(list, NULL,
		   "where it comes up later: start after it (systemd: "
		   "After=network-online.target), or set %s on the socket",
		   v6 ? "IPV6_FREEBIND" : "IP_FREEBIND");
}

static void enable_ipv6(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	remedy_add(list, remedy_there(f, true, command, "sysctl net.ipv6.conf.all.disable_ipv6=0"),
		   "switch IPv6 on");
	remedy_add(list, NULL, "or bind an IPv4 address: 127.0.0.1, or 0.0.0.0 for all");
}

static void widen_range(const struct why_facts *f, struct why_remedies *list)
{
	unsigned first = f->environment.ephemeral_first > WIDER_FIRST ? WIDER_FIRST : WIDEST_FIRST;
	char command[REMEDY_COMMAND_SIZE];

	remedy_add(list,
		   remedy_there(f, true, command,
				"sysctl net.ipv4.ip_local_port_range=\"%u 65535\"", first),
		   "let the system choose from more ports");
	remedy_add(list, remedy_there(f, false, command, "ss -tan"),
		   "see which connections use them up");
}

/* ret: REMEDY_COMMAND_SIZE bytes */
static const char *show_programs(const struct why_facts *f, char *ret)
{
	/* a quote would make another command of it */
	if (*f->program_cgroup && !strchr(f->program_cgroup, '\''))
		snprintf(ret, REMEDY_COMMAND_SIZE, "%sbpftool cgroup show '%s'", remedy_sudo(f),
			 f->program_cgroup);
	else
		snprintf(ret, REMEDY_COMMAND_SIZE, "%sbpftool cgroup tree", remedy_sudo(f));
	return ret;
}

static void list_cgroup_programs(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	remedy_add(
		list, show_programs(f, command),
		"find the program (systemd's SocketBindDeny=, Cilium and the like) and allow port "
		"%u: SocketBindAllow=",
		why_asked_port(&f->question));
}

static void list_rewriting_programs(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	remedy_add(list, show_programs(f, command),
		   "find the program that rewrites addresses (Cilium and the like), and why it "
		   "sends port %u there",
		   why_asked_port(&f->question));
}

static void stop_there(const struct why_facts *f, struct why_remedies *list)
{
	if (f->n_shown)
		remedy_stop(f, list);
}

/* --- words without a command --- */

#define SAY(function, text)                                                        \
	static void function(const struct why_facts *f, struct why_remedies *list) \
	{                                                                          \
		remedy_add(list, NULL, "%s", text);                                \
	}                                                                          \
	_Static_assert(1, "")

SAY(reuseaddr_both,
    "set SO_REUSEADDR in the server: it helps when the old one and the new one both do");
SAY(reuseaddr_next,
    "keep SO_REUSEADDR in the server: both generations need it, it helps from the next restart on");
SAY(reuseport_both,
    "to share the port on purpose: set SO_REUSEPORT in both servers before they bind, one user");
SAY(one_user, "to share the port: run both servers as the same user");
SAY(program_later,
    "attach the SO_REUSEPORT program after the bind, or to the group's first socket only");
SAY(bind_once, "bind once: guard against a second start; for 0.0.0.0 beside :: set IPV6_V6ONLY");
SAY(other_address, "or bind both servers to addresses of their own (127.0.0.1, 127.0.0.2, …)");
SAY(v6only, "or set IPV6_V6ONLY on the IPv6 socket, so that each family has its own server");
SAY(other_device, "or bind both sockets to different interfaces (SO_BINDTODEVICE)");
SAY(cloexec, "open the socket with SOCK_CLOEXEC (O_CLOEXEC), so that children do not inherit it");
SAY(close_in_program, "the program must close() the descriptor: a shutdown() keeps the port");
SAY(close_after_connect, "close() the socket when its connect() fails");
SAY(receive, "let the receiver take the message (recvmsg), or end both ends of that Unix socket");
SAY(wait_moment, "wait a moment (about 100 ms) and start again");
SAY(wait_end, "wait: it frees the port when it has ended");
SAY(wait_device, "wait for the disk or network file system; no signal ends it before");
SAY(wait_peer, "wait, or end the program on the other side of the connection");
SAY(fix_leak, "mend the leak: the server must close connections that the other side hung up");
SAY(stop_child,
    "then stop the child, too; killed first, it leaves its side of the connection behind "
    "for a minute");
SAY(wait_connect, "wait: the attempt fails after about two minutes, or connects");
SAY(seccomp_filter, "change the filter: systemd SystemCallFilter=, the container's seccomp "
		    "profile, or the sandbox");
SAY(landlock_rule, "give the sandbox the right LANDLOCK_ACCESS_NET_BIND_TCP for this port");
SAY(wait_dad, "wait for the check to end (about a second), or add the address with `nodad`");
SAY(change_address, "give one of the two machines another IPv6 address");
SAY(link_up, "bring the interface up (ip link set DEV up) and give it its address again");
SAY(add_scope, "name the interface: fe80::1%eth0, or sin6_scope_id in the program");
SAY(right_scope, "use an interface that exists: ip link lists them");
SAY(ipv4_socket, "clear IPV6_V6ONLY, or open an IPv4 socket for an IPv4 address");
SAY(bind_new_socket, "open a new socket for a second bind()");

static void lsm_log(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	remedy_add(list, "sudo journalctl -k -g 'avc|apparmor|denied'",
		   "find the denial in the kernel's log");
	snprintf(command, sizeof(command), "sudo semanage port -a -t http_port_t -p %s %u",
		 f->question.protocol == IPPROTO_UDP ? "udp" : "tcp", f->question.port);
	remedy_add(list, command, "with SELinux: allow the port to web servers");
}

static void link_is_down(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];

	remedy_add(list, remedy_there(f, false, command, "ip -br link"),
		   "find the interface that is down");
	link_up(f, list);
}

/* --- the table --- */

typedef void (*remedy_step)(const struct why_facts *f, struct why_remedies *list);

static const remedy_step steps[][STEPS_MAX] = {
	[WHY_FREE] = { NULL },
	[WHY_UNKNOWN] = { look_at_all, claim },

	[WHY_LISTENER] = { remedy_resume, remedy_stop_or_show, claim },
	[WHY_LISTENER_WILDCARD_OVERLAP] = { remedy_resume, remedy_stop_or_show, other_address,
					    claim },
	[WHY_DUAL_STACK] = { remedy_resume, remedy_stop_or_show, v6only, claim },
	[WHY_REUSEADDR_VS_LISTENER] = { remedy_resume, remedy_stop_or_show, reuseport_both, claim },
	[WHY_REUSEPORT_MISSING_HOLDER] = { remedy_stop_or_show, reuseport_both, claim },
	[WHY_REUSEPORT_MISSING_VICTIM] = { reuseport_both, remedy_stop_or_show, claim },
	[WHY_REUSEPORT_UID] = { one_user, remedy_stop_or_show, claim },
	[WHY_REUSEPORT_PROGRAM] = { program_later, remedy_stop_or_show, claim },
	[WHY_SELF] = { bind_once, remedy_stop_or_show },
	[WHY_SAME_SERVICE] = { remedy_resume, remedy_stop_or_show, claim },
	[WHY_LISTENER_SHARED] = { remedy_stop_or_show, claim },
	[WHY_LISTENER_INHERITED] = { remedy_stop_or_show, cloexec, claim },
	[WHY_FD_PASSED] = { remedy_stop_or_show, claim },
	[WHY_BOUND_NOT_LISTENING] = { remedy_resume, remedy_stop_or_show, claim },
	[WHY_LISTENER_SHUT_DOWN] = { remedy_stop_or_show, close_in_program, claim },
	[WHY_FAILED_CLIENT] = { remedy_stop_or_show, close_after_connect, claim },
	[WHY_LISTEN_CONFLICT] = { remedy_stop_or_show, reuseport_both, claim },
	[WHY_DEVICE_OVERLAP] = { remedy_stop_or_show, other_device, claim },
	[WHY_MPTCP_LISTENER] = { remedy_resume, remedy_stop_or_show, claim },

	[WHY_THREAD_PRIVATE_FDS] = { remedy_stop_or_show, claim },
	[WHY_ZOMBIE_LEADER] = { remedy_stop_or_show, claim },
	[WHY_IO_URING_FILE] = { remedy_stop_or_show, claim },
	[WHY_IO_URING_REQUEST] = { remedy_stop_or_show, claim },
	[WHY_IO_URING_TEARDOWN] = { wait_moment },
	[WHY_IN_FLIGHT] = { receive, remedy_stop, claim },
	[WHY_MMAP_PINNED] = { remedy_stop_or_show, claim },
	[WHY_SYSCALL_PINNED] = { wake, remedy_stop, claim },
	[WHY_CLOSING_LINGER] = { close_connection, wait_peer, claim },
	[WHY_HOLDER_STOPPED] = { remedy_resume, remedy_stop_or_show, claim },
	[WHY_HOLDER_TRACED] = { remedy_detach, claim },
	[WHY_HOLDER_FROZEN] = { remedy_thaw, remedy_stop_or_show, claim },
	[WHY_HOLDER_UNINTERRUPTIBLE] = { wait_device, claim },
	[WHY_HOLDER_EXITING] = { wait_end },
	[WHY_HOLDER_HIDDEN] = { remedy_show_hidden, claim },

	[WHY_CONN_OF_CLOSED_LISTENER] = { close_connection, reuseaddr_both, claim },
	[WHY_CONN_CLOSE_WAIT] = { close_connection, fix_leak, claim },
	[WHY_CHILD_OF_DEAD_PARENT] = { close_connection, stop_child, reuseaddr_both },
	[WHY_ORPHAN_FIN_WAIT1] = { close_connection, wait_peer, reuseaddr_both },
	[WHY_ORPHAN_FIN_WAIT2] = { wait_timer, close_connection, reuseaddr_both },
	[WHY_ORPHAN_LAST_ACK] = { close_connection, wait_peer, reuseaddr_both },
	[WHY_ORPHAN_CLOSING] = { close_connection, wait_peer, reuseaddr_both },
	[WHY_TIME_WAIT] = { wait_timer, reuseaddr_both, close_time_wait },
	[WHY_TIME_WAIT_REUSE_ONE_SIDED] = { wait_timer, close_time_wait, reuseaddr_next },
	[WHY_CONN_REUSE_ONE_SIDED] = { close_connection, reuseaddr_next, claim },
	[WHY_OUTGOING_CONNECTION] = { close_connection, reserve, claim },
	[WHY_OUTGOING_CONNECTING] = { wait_connect, reserve, claim },

	[WHY_UDP_BOUND] = { remedy_resume, remedy_stop_or_show, claim },
	[WHY_UDP_CONNECTED] = { remedy_resume, remedy_stop_or_show, claim },
	[WHY_UDP_EPHEMERAL] = { remedy_stop_or_show, reserve, claim },
	[WHY_KERNEL_SOCKET] = { find_kernel_device, claim },

	[WHY_EPHEMERAL_EXHAUSTED] = { widen_range },
	[WHY_PORT_REWRITTEN_BY_BPF] = { list_rewriting_programs, stop_there },
	[WHY_FAKED_BY_CGROUP_BPF] = { list_cgroup_programs },
	[WHY_INTERCEPTED_BY_SECCOMP] = { seccomp_filter },
	[WHY_DENIED_BY_CGROUP_BPF] = { list_cgroup_programs, claim },
	[WHY_DENIED_BY_CGROUP_POST_BIND] = { list_cgroup_programs, claim },
	[WHY_DENIED_BY_LANDLOCK] = { landlock_rule },
	[WHY_DENIED_BY_LSM] = { lsm_log, claim },
	[WHY_PRIVILEGED_PORT] = { allow_low_port, claim },
	[WHY_PRIVILEGED_PORT_USERNS] = { allow_low_port_in_host, claim },
	[WHY_NONLOCAL_ADDRESS] = { list_addresses },
	[WHY_V6_TENTATIVE] = { wait_dad },
	[WHY_V6_DADFAILED] = { change_address, list_addresses },
	[WHY_IPV6_DISABLED] = { enable_ipv6 },
	[WHY_V6_LINK_DOWN] = { link_is_down },
	[WHY_LINKLOCAL_NO_SCOPE] = { add_scope },
	[WHY_BAD_SCOPE] = { right_scope },
	[WHY_V6ONLY_MAPPED] = { ipv4_socket },
	[WHY_ALREADY_BOUND] = { bind_new_socket },
	[WHY_OTHER_NETNS] = { enter_namespace },
	[WHY_GONE] = { retry },
};
_Static_assert(ARRAY_SIZE(steps) == _WHY_VERDICT_MAX, "every verdict has its remedies");

void why_list_remedies(const struct why_facts *f, struct why_remedies *ret)
{
	const remedy_step *todo = steps[f->answer.verdict];

	*ret = (struct why_remedies){ .n = 0 };
	if (why_is_program_fault(f)) {
		remedy_add(ret, NULL, "mend the program: the struct sockaddr that it passes");
		return;
	}
	for (size_t i = 0; i < STEPS_MAX && todo[i]; i++)
		todo[i](f, ret);
}
