/* SPDX-License-Identifier: MIT */
/*
 * What to do about a taken port.  Commands are printed only where they are right: no kill of
 * another user's process, of pid 1 or of a client, no kill of a process that a service manager or
 * a container engine would start again at once, no `ss -K` on a listener (it ends the service and
 * does not free the port).
 */
#include "explain/remedies.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "explain/template.h"
#include "explain/words.h"

#define STEPS_MAX 4 /* of a verdict; a step may have nothing to say */

/* --- when a remedy has something to say ------------------------------------------------------ */

static bool is_udp(const struct why_facts *f)
{
	return f->question.protocol == IPPROTO_UDP;
}

static bool is_tcp(const struct why_facts *f)
{
	return !is_udp(f);
}

static bool has_holder(const struct why_facts *f)
{
	return f->n_holders > 0;
}

static bool has_lift(const struct why_facts *f)
{
	return *f->lift;
}

static bool knows_program(const struct why_facts *f)
{
	return *f->caller_program;
}

/* --- the table ------------------------------------------------------------------------------- */

enum remedy_flag {
	THERE = 1 << 0, /* it acts in the network namespace that is asked about: entered first where
			 * that is another one, and left out where no way in is known */
	ROOT = 1 << 1,	/* it needs root */
	PASSING = 1 << 2, /* it is of no use when what is in the way is gone */
};

/*
 * Text and command are templates; no command: words only.  A remedy about processes is written by a
 * function.
 */
struct remedy {
	const char *text, *command;
	unsigned flags;
	bool (*when)(const struct why_facts *f); /* NULL = always */
	void (*write)(const struct why_facts *f, struct why_remedies *list);
	const struct remedy *otherwise; /* instead, when `when` says no */
};

/* Remedies about the holders. */

static const struct remedy show_hidden = {
	"{reveal}",
	"{lift_command}",
	.flags = PASSING,
};
static const struct remedy stop = { .write = remedy_stop };
static const struct remedy stop_or_show = {
	.when = has_holder,
	.write = remedy_stop,
	.otherwise = &show_hidden,
};
static const struct remedy resume = { .write = remedy_resume };
static const struct remedy thaw = { .write = remedy_thaw };
static const struct remedy detach = { .write = remedy_detach };

/* What is left of old sockets, and looking further. */

static const struct remedy close_connection = {
	"close what is left of it {by_ss}",
	"ss -K -t state connected 'sport = :{n}'",
	.flags = THERE | ROOT | PASSING,
};
static const struct remedy close_time_wait = {
	"close what is left of it {by_ss}",
	"ss -K -t state time-wait 'sport = :{n}'",
	.flags = THERE | ROOT | PASSING,
};
static const struct remedy wake = {
	"wake the waiting thread by one connection; in the program, shutdown() before close() does "
	"that",
	"bash -c ': < /dev/tcp/{reach}/{n}'",
	.flags = THERE | PASSING,
};
static const struct remedy look_at_sockets = {
	"look at every socket of the port as root",
	"ss -tanup 'sport = :{n}'",
	.flags = THERE | ROOT | PASSING,
};
static const struct remedy lift_obstacle = {
	"{lift}",
	"{lift_command}",
	.when = has_lift,
	.flags = PASSING,
};
static const struct remedy enter_namespace = {
	"look at the sockets of that namespace; here nothing need be done",
	"{sudo}nsenter -t {holder} -n ss -ltnup",
	.when = has_holder,
	.flags = PASSING,
};

/* The port itself. */

static const struct remedy claim = {
	"take another port, one that is free and stays yours",
	"pd claim NAME",
	.flags = PASSING,
};
static const struct remedy run_claim = {
	"start it as what has the claim",
	"pd run {claim} -- CMD",
	.flags = PASSING,
};
static const struct remedy unprotect = {
	"let everybody bind it; it stays claimed",
	"pd claim {claim} --no-protect",
	.flags = PASSING,
};
static const struct remedy release = {
	"give it back",
	"pd release {claim}",
	.flags = PASSING,
};
static const struct remedy retry = {
	"start the server again; this tells whether it will work",
	"pd why {n}{--udp}",
};
static const struct remedy reserve = {
	"keep outgoing connections off it from now on{replaces}",
	"sysctl net.ipv4.ip_local_reserved_ports={reserved}{n}",
	.flags = THERE | ROOT,
};
static const struct remedy widen_range = {
	"let the system choose from more ports",
	"sysctl net.ipv4.ip_local_port_range=\"{wider} 65535\"",
	.flags = THERE | ROOT,
};
static const struct remedy list_connections = {
	"see which connections use them up",
	"ss -tan",
	.flags = THERE | PASSING,
};
static const struct remedy open_low_ports = {
	"open the ports from {n} on to every program{of_network}",
	"sysctl net.ipv4.ip_unprivileged_port_start={n}",
	.flags = THERE | ROOT,
};
static const struct remedy open_low_ports_in_host = {
	"as root of the host: open the ports from {n} on to every program{of_network}",
	"sysctl net.ipv4.ip_unprivileged_port_start={n}",
	.flags = THERE | ROOT,
};
static const struct remedy allow_program = {
	"allow this program low ports (every script of an interpreter, too); a service has "
	"AmbientCapabilities=CAP_NET_BIND_SERVICE",
	"{sudo}setcap cap_net_bind_service=+ep {program}",
	.when = knows_program,
};
static const struct remedy own_network = {
	"or give the container a network of its own, where its root counts (unshare -Urn)"
};
static const struct remedy find_tunnel = {
	"find the device with dstport {n} (vxlan, geneve, wireguard): delete it, or change its "
	"port",
	"ip -d link show",
	.flags = THERE | PASSING,
	.when = is_udp,
};
static const struct remedy stop_kernel_service = {
	"stop the kernel service that has it (NFS, iSCSI)",
	"cat /proc/fs/nfsd/portlist",
	.when = is_tcp,
	.flags = PASSING,
};

/* Addresses and interfaces. */

static const struct remedy list_addresses = {
	"use an address of this machine, or {any} for all of them",
	"ip -{ip} addr",
	.flags = THERE,
};
static const struct remedy start_later = {
	"where it comes up later: start after it (systemd: After=network-online.target), or set "
	"{freebind} on the socket"
};
static const struct remedy enable_ipv6 = {
	"switch IPv6 on",
	"sysctl net.ipv6.conf.all.disable_ipv6=0",
	.flags = THERE | ROOT,
};
static const struct remedy use_ipv4 = { "or bind an IPv4 address: 127.0.0.1, or 0.0.0.0 for all" };
static const struct remedy find_link = {
	"find the interface that is down",
	"ip -br link",
	.flags = THERE,
};
static const struct remedy link_up = {
	"bring the interface up (ip link set DEV up) and give it its address again"
};
static const struct remedy wait_dad = {
	"wait for the check to end (about a second), or add the address with `nodad`",
	.flags = PASSING,
};
static const struct remedy change_address = { "give one of the two machines another IPv6 address" };
static const struct remedy add_scope = {
	"name the interface: fe80::1%eth0, or sin6_scope_id in the program"
};
static const struct remedy right_scope = { "use an interface that exists: ip link lists them" };

/* Policies. */

static const struct remedy list_cgroup_programs = {
	"find the program (systemd's SocketBindDeny=, Cilium and the like) and allow port "
	"{asked_n}: SocketBindAllow=",
	"{sudo}bpftool cgroup {programs}",
};
static const struct remedy list_rewriting_programs = {
	"find the program that rewrites addresses (Cilium and the like), and why it sends port "
	"{asked_n} there",
	"{sudo}bpftool cgroup {programs}",
};
static const struct remedy seccomp_filter = { "change the filter: systemd SystemCallFilter=, the "
					      "container's seccomp profile, or the sandbox" };
static const struct remedy landlock_rule = {
	"give the sandbox the right LANDLOCK_ACCESS_NET_BIND_TCP for this port"
};
static const struct remedy find_denial = {
	"find the denial in the kernel's log",
	"sudo journalctl -k -g 'avc|apparmor|denied'",
};
static const struct remedy allow_in_selinux = {
	"with SELinux: allow the port to web servers",
	"sudo semanage port -a -t http_port_t -p {proto} {n}",
};

/* To wait for. */

static const struct remedy wait_timer = {
	"wait {left}",
	.flags = PASSING,
};
static const struct remedy wait_moment = {
	"wait a moment (about 100 ms) and start again",
	.flags = PASSING,
};
static const struct remedy wait_end = {
	"wait: it frees the port when it has ended",
	.flags = PASSING,
};
static const struct remedy wait_device = {
	"wait for the disk or network file system; no signal ends it before",
	.flags = PASSING,
};
static const struct remedy wait_peer = {
	"wait, or end the program on the other side of the connection",
	.flags = PASSING,
};
static const struct remedy wait_connect = {
	"wait: the attempt fails after about two minutes, or connects",
	.flags = PASSING,
};

/* To mend in a program. */

static const struct remedy reuseaddr_both = {
	"set SO_REUSEADDR in the server: it helps when the old one and the new one both do"
};
static const struct remedy reuseaddr_next = { "keep SO_REUSEADDR in the server: both generations "
					      "need it, it helps from the next restart on" };
static const struct remedy reuseport_both = {
	"to share the port on purpose: set SO_REUSEPORT in both servers before they bind, one user"
};
static const struct remedy one_user = { "to share the port: run both servers as the same user" };
static const struct remedy program_later = {
	"attach the SO_REUSEPORT program after the bind, or to the group's first socket only"
};
static const struct remedy bind_once = {
	"bind once: guard against a second start; for 0.0.0.0 beside :: set IPV6_V6ONLY"
};
static const struct remedy bind_new_socket = { "open a new socket for a second bind()" };
static const struct remedy other_address = {
	"or bind both servers to addresses of their own (127.0.0.1, 127.0.0.2, …)"
};
static const struct remedy v6only = {
	"or set IPV6_V6ONLY on the IPv6 socket, so that each family has its own server"
};
static const struct remedy ipv4_socket = {
	"clear IPV6_V6ONLY, or open an IPv4 socket for an IPv4 address"
};
static const struct remedy other_device = {
	"or bind both sockets to different interfaces (SO_BINDTODEVICE)"
};
static const struct remedy cloexec = {
	"open the socket with SOCK_CLOEXEC (O_CLOEXEC), so that children do not inherit it"
};
static const struct remedy close_in_program = {
	"the program must close() the descriptor: a shutdown() keeps the port"
};
static const struct remedy close_after_connect = { "close() the socket when its connect() fails" };
static const struct remedy receive = {
	"let the receiver take the message (recvmsg), or end both ends of that Unix socket",
	.flags = PASSING,
};
static const struct remedy fix_leak = {
	"mend the leak: the server must close connections that the other side hung up"
};
static const struct remedy stop_child = {
	"then stop the child, too; killed first, it leaves its "
	"side of the connection behind for a minute",
	.flags = PASSING,
};
static const struct remedy fix_program = { "mend the program: the struct sockaddr that it passes" };

static const struct remedy *const steps[][STEPS_MAX] = {
#define VERDICT(NAME, name, rank, flags, sentence, rule, ...) [WHY_##NAME] = { __VA_ARGS__ },
#include "explain/verdicts.h"
#undef VERDICT
};

/* "" where it does not fit: half a command is another one. */
static void write_command(const struct why_facts *f, const struct remedy *r, char *ret, size_t size)
{
	const char *enter = r->flags & THERE ? f->netns.enter : "";
	bool sudo = r->flags & ROOT || *enter;
	size_t used = (size_t)snprintf(ret, size, "%s%s", sudo ? why_sudo(f) : "", enter);

	why_template_fill(f, r->command, ret + used, size - used);
	if (strlen(ret) == size - 1)
		ret[0] = '\0';
}

static void write_step(const struct why_facts *f, const struct remedy *r, struct why_remedies *list)
{
	struct why_remedy *new = &list->list[list->n];

	if (r->when && !r->when(f))
		r = r->otherwise;
	if (!r || list->n == WHY_REMEDIES_MAX)
		return;
	if (r->write) {
		r->write(f, list);
		return;
	}
	list->n++;
	*new = (struct why_remedy){ .passing = r->flags & PASSING };
	why_template_fill(f, r->text, new->text, sizeof(new->text));
	if (r->command && !(r->flags & THERE && f->netns.shut))
		write_command(f, r, new->command, sizeof(new->command));
}

void why_list_remedies(struct why_facts *f)
{
	const struct remedy *const *todo = steps[f->answer.verdict];

	f->remedies.n = 0;
	if (why_is_program_fault(f)) {
		write_step(f, &fix_program, &f->remedies);
		return;
	}
	for (size_t i = 0; i < STEPS_MAX && todo[i]; i++)
		write_step(f, todo[i], &f->remedies);
}

void why_list_remedies_when_free(struct why_facts *f)
{
	const struct remedy *const *todo = steps[f->answer.verdict];

	f->remedies.n = 0;
	write_step(f, &retry, &f->remedies);
	for (size_t i = 0; i < STEPS_MAX && todo[i]; i++)
		if (!(todo[i]->flags & PASSING) && !todo[i]->write)
			write_step(f, todo[i], &f->remedies);
}
