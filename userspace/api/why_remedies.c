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
#include <string.h>
#include <sys/socket.h>

#include "api/why.h"
#include "api/why_process.h"
#include "base/procfs.h"

#define COMMAND_SIZE	 512
#define PROCESSES_LISTED 8 /* in one command; more pids than that nobody checks */
#define STEPS_MAX	 4

static void add(struct json_object *array, const char *command, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(struct json_object *array, const char *command, const char *format, ...)
{
	struct json_object *o;
	char text[COMMAND_SIZE];
	va_list args;

	if (json_object_array_length(array) >= WHY_REMEDIES_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	o = json_object_new_object();
	json_add_text(o, "text", text);
	json_add_text(o, "command", command);
	json_append(array, o);
}

static const char *sudo(const struct why_facts *f)
{
	return f->viewer == 0 ? "" : "sudo ";
}

/* A path or name that a shell takes as one word without quotes. */
static bool is_plain_word(const char *s)
{
	return *s && *s != '-' &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "/._-@:+,=")];
}

/* --- processes --- */

static void describe(const struct why_facts *f, const struct process_id *id, struct process *ret)
{
	if (view_describe(f->inv, id, ret))
		return;
	*ret = (struct process){ .id = *id, .uid = PROCESS_UID_UNKNOWN };
	snprintf(ret->comm, sizeof(ret->comm), "%s", "the process");
}

static bool is_listed(struct json_object *array, const char *command)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *o = json_object_array_get_idx(array, i);
		const char *other = json_object_get_string(json_object_object_get(o, "command"));

		if (other && !strcmp(other, command))
			return true;
	}
	return false;
}

static bool is_pid1_among_holders(const struct why_facts *f)
{
	for (size_t i = 0; i < f->n_holdings; i++)
		if (f->holdings[i].holder->id.pid == 1)
			return true;
	return false;
}

/* "nginx.service", and its socket unit where systemd holds the socket as well. */
static void name_units(const struct why_facts *f, const char *unit, char *ret, size_t size)
{
	const char *dot = strrchr(unit, '.');

	const char *quote = is_plain_word(unit) ? "" : "'"; /* systemd writes "-" as "\\x2d" */

	if (is_pid1_among_holders(f) && dot)
		snprintf(ret, size, "%s%.*s.socket%s %s%s%s", quote, (int)(dot - unit), unit, quote,
			 quote, unit, quote);
	else
		snprintf(ret, size, "%s%s%s", quote, unit, quote);
}

/* The manager that would restart it is the one to ask.  True when there is one. */
static bool stop_by_manager(const struct why_facts *f, const struct process *process,
			    struct json_object *array)
{
	struct cgroup_owner owner;
	char command[COMMAND_SIZE], units[COMMAND_SIZE / 2];

	view_cgroup(&process->id, &owner);
	if (*owner.container) {
		snprintf(command, sizeof(command), "%s stop %s", owner.engine, owner.container);
		if (!is_listed(array, command))
			add(array, command, "stop the container %s", owner.container);
		return true;
	}
	if (!*owner.unit || strchr(owner.unit, '\''))
		return false;
	if (owner.of_user && process->uid != f->viewer) {
		add(array, NULL, "ask user %s to stop the service %s",
		    view_user_name(process->uid) ? view_user_name(process->uid) : "unknown",
		    owner.unit);
		return true;
	}
	name_units(f, owner.unit, units, sizeof(units));
	snprintf(command, sizeof(command), "%ssystemctl%s stop %s", owner.of_user ? "" : sudo(f),
		 owner.of_user ? " --user" : "", units);
	if (!is_listed(array, command))
		add(array, command, "stop the service %s; killed, it may be started again",
		    owner.unit);
	return true;
}

static void ask_its_user(const struct process *process, struct json_object *array)
{
	const char *user = view_user_name(process->uid);

	add(array, NULL, "%s (pid %d) is %s's: ask them to stop it", process->comm, process->id.pid,
	    user ? user : "another user");
}

/* Everybody who holds it has to let go: managers one by one, the rest in one command. */
static void stop(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE] = "kill", names[COMMAND_SIZE / 2] = "";
	size_t used = strlen(command), named = 0, n = 0;

	for (size_t i = 0; i < f->n_holdings && n < PROCESSES_LISTED; i++) {
		struct process process;

		describe(f, &f->holdings[i].holder->id, &process);
		if (process.id.pid == 1 || stop_by_manager(f, &process, array))
			continue;
		if (!view_may_see(f->viewer, process.uid)) {
			ask_its_user(&process, array);
			continue;
		}
		used += snprintf(command + used, sizeof(command) - used, " %d", process.id.pid);
		named += snprintf(names + named, sizeof(names) - named, "%s%s (%d)", n ? ", " : "",
				  process.comm, process.id.pid);
		n++;
	}
	if (n)
		add(array, command, "stop %s", names);
	else if (f->n_holdings == 1 && is_pid1_among_holders(f))
		add(array, "systemctl list-sockets",
		    "systemd itself listens for a service: find its .socket unit, and stop that");
}

static void show_hidden(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	snprintf(command, sizeof(command), "sudo pd why %u%s", f->question.port,
		 f->question.protocol == IPPROTO_UDP ? " --udp" : "");
	if (f->viewer)
		add(array, command, "look as root, on the host if this is a container");
	else
		add(array, NULL,
		    "look as root on the host: a process of another pid namespace, or one that "
		    "nobody may look at, has it");
}

static void stop_or_show(const struct why_facts *f, struct json_object *array)
{
	if (f->n_holdings)
		stop(f, array);
	else
		show_hidden(f, array);
}

static void resume(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE] = "kill -CONT";
	size_t used = strlen(command), n = 0;
	struct process process;

	for (size_t i = 0; i < f->n_holdings && n < PROCESSES_LISTED; i++) {
		describe(f, &f->holdings[i].holder->id, &process);
		if (procfs_state(&process.id) != 'T' || !view_may_see(f->viewer, process.uid))
			continue;
		used += snprintf(command + used, sizeof(command) - used, " %d", process.id.pid);
		n++;
	}
	if (n)
		add(array, command, "it was stopped by Ctrl-Z: let it go on (or fg in its shell)");
}

static void thaw(const struct why_facts *f, struct json_object *array)
{
	const struct process_id *id = f->n_holdings ? &f->holdings[0].holder->id : NULL;
	struct cgroup_owner owner;
	char command[COMMAND_SIZE] = "";

	if (!id)
		return;
	view_cgroup(id, &owner);
	if (*owner.container && owner.engine && strcmp(owner.engine, "crictl") != 0)
		snprintf(command, sizeof(command), "%s unpause %s", owner.engine, owner.container);
	else if (is_plain_word(owner.unit) && !owner.of_user)
		snprintf(command, sizeof(command), "%ssystemctl thaw %s", sudo(f), owner.unit);
	else
		why_process_thaw(id, sudo(f), command, sizeof(command));
	add(array, *command ? command : NULL,
	    "thaw it: while it is frozen it answers nobody, and a kill waits");
}

static void detach(const struct why_facts *f, struct json_object *array)
{
	pid_t tracer = f->n_holdings ? why_process_tracer(&f->holdings[0].holder->id) : 0;

	if (tracer)
		add(array, NULL, "let it go in its debugger (pid %d), or quit that", tracer);
	else
		add(array, NULL, "let it go in its debugger, or quit that");
}

/* --- sockets --- */

/* The place's own ss: it shows, and closes, sockets of one namespace. */
static void ss_command(const struct why_facts *f, const char *what, char *ret)
{
	/* of a refusal the caller is gone soon; a holder lives there as long as it matters */
	pid_t pid = f->n_holdings ? f->holdings[0].holder->id.pid : f->place.pid;
	char enter[48] = "";

	if (!f->place.own && pid)
		snprintf(enter, sizeof(enter), "nsenter -t %d -n ", pid);
	snprintf(ret, COMMAND_SIZE, "%s%sss %s 'sport = :%u'", sudo(f), enter, what,
		 f->question.port);
}

static void close_time_wait(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	ss_command(f, "-K -t state time-wait", command);
	add(array, command, "close what is left of it now");
}

/* `connected` is every state but LISTEN and CLOSE: a listener on the port is left alone. */
static void close_connection(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	ss_command(f, "-K -t state connected", command);
	add(array, command, "close what is left of it now");
}

/* A blocked accept() returns with a connection, and nothing holds the socket any more. */
static void wake(const struct why_facts *f, struct json_object *array)
{
	const struct bind_owner *o = f->n_shown ? &f->shown[0]->bind : NULL;
	char command[COMMAND_SIZE], enter[64] = "", addr[NET_ADDR_STR_SIZE] = "127.0.0.1";

	if (o && !net_addr_is_wildcard(o->family, &o->addr))
		net_addr_format(o->family, &o->addr, addr);
	else if (o && o->family == AF_INET6)
		strcpy(addr, "::1");
	if (!f->place.own && f->n_holdings)
		snprintf(enter, sizeof(enter), "%snsenter -t %d -n ", sudo(f),
			 f->holdings[0].holder->id.pid);
	snprintf(command, sizeof(command), "%sbash -c ': < /dev/tcp/%s/%u'", enter, addr,
		 f->question.port);
	add(array, command,
	    "wake the waiting thread by one connection; in the program, shutdown() before "
	    "close() does that");
}

static void wait_timer(const struct why_facts *f, struct json_object *array)
{
	char age[32];

	if (why_wait_seconds(f))
		add(array, NULL, "wait %s", why_age(why_wait_seconds(f), age));
}

static void reserve(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	snprintf(command, sizeof(command), "%ssysctl net.ipv4.ip_local_reserved_ports=%u", sudo(f),
		 f->question.port);
	add(array, command,
	    "keep outgoing connections off it from now on (this replaces the ports "
	    "reserved so far: add yours to those)");
}

static void claim(const struct why_facts *f, struct json_object *array)
{
	add(array, "pd claim NAME", "take another port, one that is free and stays yours");
}

static void retry(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	snprintf(command, sizeof(command), "pd why %u%s", f->question.port,
		 f->question.protocol == IPPROTO_UDP ? " --udp" : "");
	add(array, command, "start the server again; this tells whether it will work");
}

static void look_at_all(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	if (*f->missing)
		add(array, *f->missing_command ? f->missing_command : NULL, "missing: %s",
		    f->missing);
	ss_command(f, "-tanup", command);
	add(array, command, "look at every socket of the port as root");
}

static void enter_namespace(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	if (!f->n_holdings)
		return;
	snprintf(command, sizeof(command), "%snsenter -t %d -n ss -ltnup", sudo(f),
		 f->holdings[0].holder->id.pid);
	add(array, command, "look at the sockets of that namespace; here nothing need be done");
}

static void find_kernel_device(const struct why_facts *f, struct json_object *array)
{
	if (f->question.protocol == IPPROTO_UDP)
		add(array, "ip -d link show",
		    "find the device with dstport %u (vxlan, geneve, wireguard): delete it, or "
		    "change its port",
		    f->question.port);
	else
		add(array, "cat /proc/fs/nfsd/portlist",
		    "stop the kernel service that has it (NFS, iSCSI)");
}

/* --- what is wrong elsewhere --- */

static void allow_low_port(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];
	struct process process;

	if (f->question.caller.pid) {
		describe(f, &f->question.caller, &process);
		snprintf(command, sizeof(command), "sudo setcap cap_net_bind_service=+ep %s",
			 process.exe);
		if (is_plain_word(process.exe) && view_may_see(f->viewer, process.uid))
			add(array, command,
			    "allow this program low ports (every script of an interpreter, too); "
			    "a service has AmbientCapabilities=CAP_NET_BIND_SERVICE");
	}
	snprintf(command, sizeof(command), "sudo sysctl net.ipv4.ip_unprivileged_port_start=%u",
		 f->question.port);
	add(array, command, "open the ports from %u on to every program of this machine",
	    f->question.port);
}

static void allow_low_port_in_host(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	snprintf(command, sizeof(command), "sudo sysctl net.ipv4.ip_unprivileged_port_start=%u",
		 f->question.port);
	add(array, command, "on the host: open the ports from %u on to every program",
	    f->question.port);
	add(array, NULL,
	    "or give the container a network of its own, where its root counts (unshare -Urn)");
}

static void list_addresses(const struct why_facts *f, struct json_object *array)
{
	bool v6 = f->question.family == AF_INET6;

	add(array, v6 ? "ip -6 addr" : "ip -4 addr",
	    "use an address of this machine, or %s for all of them", v6 ? "::" : "0.0.0.0");
	add(array, NULL,
	    "where it comes up later: start after it (systemd: After=network-online.target), or "
	    "set %s on the socket",
	    v6 ? "IPV6_FREEBIND" : "IP_FREEBIND");
}

static void enable_ipv6(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	snprintf(command, sizeof(command), "%ssysctl net.ipv6.conf.all.disable_ipv6=0", sudo(f));
	add(array, command, "switch IPv6 on");
	add(array, NULL, "or bind an IPv4 address: 127.0.0.1, or 0.0.0.0 for all");
}

static void widen_range(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	snprintf(command, sizeof(command), "%ssysctl net.ipv4.ip_local_port_range=\"10000 65535\"",
		 sudo(f));
	add(array, command, "let the system choose from more ports");
	add(array, "ss -tan", "see which connections use them up");
}

static void list_cgroup_programs(const struct why_facts *f, struct json_object *array)
{
	add(array, "sudo bpftool cgroup tree",
	    "find the program (systemd's SocketBindDeny=, Cilium and the like) and allow port "
	    "%u: SocketBindAllow=",
	    f->question.port);
}

/* --- words without a command --- */

#define SAY(function, text)                                                        \
	static void function(const struct why_facts *f, struct json_object *array) \
	{                                                                          \
		add(array, NULL, "%s", text);                                      \
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

static void lsm_log(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	add(array, "sudo journalctl -k -g 'avc|apparmor|denied'",
	    "find the denial in the kernel's log");
	snprintf(command, sizeof(command), "sudo semanage port -a -t http_port_t -p %s %u",
		 f->question.protocol == IPPROTO_UDP ? "udp" : "tcp", f->question.port);
	add(array, command, "with SELinux: allow the port to web servers");
}

static void link_is_down(const struct why_facts *f, struct json_object *array)
{
	add(array, "ip -br link", "find the interface that is down");
	link_up(f, array);
}

/* --- the table --- */

typedef void (*remedy_step)(const struct why_facts *f, struct json_object *array);

static const remedy_step steps[][STEPS_MAX] = {
	[WHY_FREE] = { NULL },
	[WHY_UNKNOWN] = { look_at_all, claim },

	[WHY_LISTENER] = { resume, stop_or_show, claim },
	[WHY_LISTENER_WILDCARD_OVERLAP] = { resume, stop_or_show, other_address, claim },
	[WHY_DUAL_STACK] = { resume, stop_or_show, v6only, claim },
	[WHY_REUSEADDR_VS_LISTENER] = { resume, stop_or_show, reuseport_both, claim },
	[WHY_REUSEPORT_MISSING_HOLDER] = { stop_or_show, reuseport_both, claim },
	[WHY_REUSEPORT_MISSING_VICTIM] = { reuseport_both, stop_or_show, claim },
	[WHY_REUSEPORT_UID] = { one_user, stop_or_show, claim },
	[WHY_REUSEPORT_PROGRAM] = { program_later, stop_or_show, claim },
	[WHY_SELF] = { bind_once, stop_or_show },
	[WHY_SAME_SERVICE] = { resume, stop_or_show, claim },
	[WHY_LISTENER_SHARED] = { stop_or_show, claim },
	[WHY_LISTENER_INHERITED] = { stop_or_show, cloexec, claim },
	[WHY_FD_PASSED] = { stop_or_show, claim },
	[WHY_BOUND_NOT_LISTENING] = { resume, stop_or_show, claim },
	[WHY_LISTENER_SHUT_DOWN] = { stop_or_show, close_in_program, claim },
	[WHY_FAILED_CLIENT] = { stop_or_show, close_after_connect, claim },
	[WHY_LISTEN_CONFLICT] = { stop_or_show, reuseport_both, claim },
	[WHY_DEVICE_OVERLAP] = { stop_or_show, other_device, claim },
	[WHY_MPTCP_LISTENER] = { resume, stop_or_show, claim },

	[WHY_THREAD_PRIVATE_FDS] = { stop_or_show, claim },
	[WHY_ZOMBIE_LEADER] = { stop_or_show, claim },
	[WHY_IO_URING_FILE] = { stop_or_show, claim },
	[WHY_IO_URING_REQUEST] = { stop_or_show, claim },
	[WHY_IO_URING_TEARDOWN] = { wait_moment },
	[WHY_IN_FLIGHT] = { receive, stop, claim },
	[WHY_MMAP_PINNED] = { stop_or_show, claim },
	[WHY_SYSCALL_PINNED] = { wake, stop, claim },
	[WHY_CLOSING_LINGER] = { close_connection, wait_peer, claim },
	[WHY_HOLDER_STOPPED] = { resume, stop_or_show, claim },
	[WHY_HOLDER_TRACED] = { detach, claim },
	[WHY_HOLDER_FROZEN] = { thaw, stop_or_show, claim },
	[WHY_HOLDER_UNINTERRUPTIBLE] = { wait_device, claim },
	[WHY_HOLDER_EXITING] = { wait_end },
	[WHY_HOLDER_HIDDEN] = { show_hidden, claim },

	[WHY_CONN_OF_CLOSED_LISTENER] = { close_connection, reuseaddr_both, claim },
	[WHY_CONN_CLOSE_WAIT] = { close_connection, fix_leak, claim },
	[WHY_CHILD_OF_DEAD_PARENT] = { stop_or_show, reuseaddr_both, claim },
	[WHY_ORPHAN_FIN_WAIT1] = { close_connection, wait_peer, reuseaddr_both },
	[WHY_ORPHAN_FIN_WAIT2] = { wait_timer, close_connection, reuseaddr_both },
	[WHY_ORPHAN_LAST_ACK] = { close_connection, wait_peer, reuseaddr_both },
	[WHY_ORPHAN_CLOSING] = { close_connection, wait_peer, reuseaddr_both },
	[WHY_TIME_WAIT] = { wait_timer, reuseaddr_both, close_time_wait },
	[WHY_TIME_WAIT_REUSE_ONE_SIDED] = { wait_timer, close_time_wait, reuseaddr_next },
	[WHY_CONN_REUSE_ONE_SIDED] = { close_connection, reuseaddr_next, claim },
	[WHY_OUTGOING_CONNECTION] = { close_connection, reserve, claim },
	[WHY_OUTGOING_CONNECTING] = { wait_connect, reserve, claim },

	[WHY_UDP_BOUND] = { resume, stop_or_show, claim },
	[WHY_UDP_CONNECTED] = { resume, stop_or_show, claim },
	[WHY_UDP_EPHEMERAL] = { reserve, stop_or_show, claim },
	[WHY_KERNEL_SOCKET] = { find_kernel_device, claim },

	[WHY_EPHEMERAL_EXHAUSTED] = { widen_range },
	[WHY_PORT_REWRITTEN_BY_BPF] = { list_cgroup_programs },
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

void why_add_remedies(const struct why_facts *f, struct json_object *array)
{
	const remedy_step *todo = steps[f->answer.verdict];

	for (size_t i = 0; i < STEPS_MAX && todo[i]; i++)
		todo[i](f, array);
}
