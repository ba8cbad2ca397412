/* SPDX-License-Identifier: MIT */
#include "explain/words.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/own_pd.h"
#include "explain/template.h"
#include "reconcile/why_parts.h"
#include "sentinel/sentinel.h"

#define BEHIND_SIZE 320 /* of a sentence that is said behind the first */

static const struct {
	unsigned flags;
	const char *sentence, *rule;
} rows[] = {
#define VERDICT(NAME, name, rank, flags, sentence, rule, ...) \
	[WHY_##NAME] = { flags, sentence, rule },
#include "explain/verdicts.h"
#undef VERDICT
};

bool why_verdict_has(enum why_verdict v, unsigned flag)
{
	return rows[v].flags & flag;
}

/* --- the kernel's rule, where it depends on more than the verdict ---------------------------- */

static const char *choose_free(enum bind_rule rule)
{
	switch (rule) {
	case BIND_RULE_NO_OVERLAP:
		return "{target} is free: the sockets on this port have addresses or devices that "
		       "do not overlap it.";
	case BIND_RULE_REUSEADDR:
		return "{target} is free for this socket: both sides have SO_REUSEADDR, and nobody "
		       "listens.";
	case BIND_RULE_REUSEPORT:
	case BIND_RULE_CACHED:
		return "{target} is free for this socket: it may join the sockets that share the "
		       "port by SO_REUSEPORT.";
	default:
		return rows[WHY_FREE].rule;
	}
}

static bool v6only_is_missing(const struct why_owner *o)
{
	return !o->flags_known && o->bind.family == AF_INET6 &&
	       net_addr_is_wildcard(AF_INET6, &o->bind.addr) && !(o->row && o->row->v6only_known);
}

static const char *choose_unknown(const struct why_facts *f, const struct why_owner *o)
{
	const struct why_question *q = &f->question;

	if (!o && q->error == EFAULT)
		return "The program gave the call an address in memory that cannot be read; that "
		       "is a fault of the program.";
	if (!o && why_is_recorded(q))
		return "{target} was refused with {errno}, and nothing that was seen at that "
		       "moment explains it.";
	if (!o && q->blind)
		return "Which sockets own the port of {target} in that network namespace cannot be "
		       "read from here.";
	if (!o)
		return "The sockets on the port of {target} changed during every look at them.";
	if (o->bind.state == SOCKET_UNKNOWN)
		return "A socket whose state could not be read owns {owner}.";
	if (q->reuseport)
		return "Whether the socket on {owner} has SO_REUSEPORT cannot be read without "
		       "eBPF, and that decides about {target}.";
	if (q->reuseaddr)
		return "Whether the socket on {owner} has SO_REUSEADDR cannot be read without "
		       "eBPF, and that decides about {target}.";
	if (v6only_is_missing(o))
		return "Whether the socket on {owner} is V6ONLY cannot be read without eBPF, and "
		       "that decides about {target}.";
	return rows[WHY_UNKNOWN].rule;
}

static const char *choose_dual_stack(const struct why_question *q, const struct bind_owner *b)
{
	bool asked_ipv4 = net_addr_is_ipv4(q->family, &q->addr);
	bool owned_ipv4 = net_addr_is_ipv4(b->family, &b->addr);

	if (asked_ipv4 && owned_ipv4)
		return "A socket listens on {owner}; to the kernel that overlaps {target}, an IPv4 "
		       "address on a socket of the other family.";
	if (owned_ipv4)
		return "A socket listens on {owner}; an IPv6 socket on {target} that is not V6ONLY "
		       "wants the port for IPv4 as well.";
	return rows[WHY_DUAL_STACK].rule;
}

static const char *choose_rule(const struct why_facts *f)
{
	const struct why_owner *o = f->answer.n_blocking ? f->answer.blocking[0] : NULL;
	enum why_verdict verdict = f->answer.verdict;
	bool owner_is_wide = o && net_addr_is_any(o->bind.family, &o->bind.addr);

	if (verdict == WHY_FREE && f->beside)
		return "{target} is free: no {PROTO} socket is in the way; {BESIDE} has ports of "
		       "its "
		       "own.";
	if (verdict == WHY_FREE)
		return choose_free(f->answer.free_rule);
	if (verdict == WHY_UNKNOWN)
		return choose_unknown(f, o);
	if (verdict == WHY_LISTENER && why_asks_for_any(&f->question) && !owner_is_wide)
		return "A socket listens on {owner}, and a server on every address needs the port "
		       "on each of them.";
	if (verdict == WHY_LISTENER_WILDCARD_OVERLAP && !owner_is_wide)
		return "A socket listens on {owner}, which is one of the addresses that {target} "
		       "covers.";
	if (verdict == WHY_DUAL_STACK && o)
		return choose_dual_stack(&f->question, &o->bind);
	if (verdict == WHY_PORT_REWRITTEN_BY_BPF && o)
		return "A BPF program on the caller's cgroup sent the bind of {request} to "
		       "{target}, and that one is taken.";
	if (verdict == WHY_OUTGOING_CONNECTION && o && o->bind.port_asked)
		return "An outgoing connection asked for {owner} as its own end and keeps the port "
		       "until it is closed.";
	return rows[verdict].rule;
}

void why_write_rule(struct why_facts *f)
{
	why_template_fill(f, choose_rule(f), f->rule, sizeof(f->rule));
}

/* --- the first line -------------------------------------------------------------------------- */

static const char program_fault[] =
	"The {call} failed for a fault of the program: the address that it passed lies in memory "
	"that cannot be read.";

bool why_is_program_fault(const struct why_facts *f)
{
	return why_is_past(f) && f->question.error == EFAULT && f->answer.verdict == WHY_UNKNOWN;
}

static void add(char *ret, const char *text)
{
	size_t used = strlen(ret);

	snprintf(ret + used, WHY_SUMMARY_SIZE - used, "%s", text);
}

/* States that people miss: the process is there, and does nothing. */
static void add_state(const struct why_facts *f, char *ret)
{
	if (why_verdict_has(f->answer.verdict, SAYS_STATE))
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

/* Who does not listen any more, and ends when its last connections do. */
static void add_draining(const struct why_facts *f, char *ret)
{
	const struct process *old = f->n_foremost < f->n_holders
					    ? &f->holders[f->n_foremost].process
					    : NULL;
	size_t n = 0, others = f->n_holders - f->n_foremost;
	char text[BEHIND_SIZE], more[32] = "";

	for (size_t i = 0; i < f->n_shown; i++)
		n += why_row(f, f->shown[i])->state != SOCKET_LISTEN;
	if (!old || !n)
		return;
	if (others > 1)
		snprintf(more, sizeof(more), " and %zu more", others - 1);
	snprintf(text, sizeof(text),
		 " %s (pid %d)%s %s not listen%s, but still %s %zu connection%s.", old->comm,
		 old->id.pid, more,
		 why_is_past(f) ? "did"
		 : others > 1	? "do"
				: "does",
		 why_is_past(f) ? "" : " any more",
		 why_is_past(f) ? "had"
		 : others > 1	? "have"
				: "has",
		 n, n == 1 ? "" : "s");
	add(ret, text);
}

static void add_tunnel(const struct tunnel *tunnel, char *ret)
{
	static const struct {
		const char *what, *more;
	} kinds[] = {
		[TUNNEL_NONE] = { "", "" },
		[TUNNEL_SSH] = { " It is an ssh tunnel", "" },
		[TUNNEL_SSH_SHARED] = { " It is an ssh tunnel",
					", in a connection that other sessions may share "
					"(ControlMaster)" },
		[TUNNEL_SSHD] = { " It is a tunnel of an ssh client elsewhere (ssh -R)",
				  ", and its whole session" },
		[TUNNEL_EDITOR] = { " It is the server of an editor (VS Code or its kin)", "" },
	};

	add(ret, kinds[tunnel->kind].what);
	if (*tunnel->forward) {
		add(ret, ": ssh ");
		add(ret, tunnel->forward);
	}
	add(ret, kinds[tunnel->kind].more);
	add(ret, ".");
}

/* Somebody starts it again, or it listens for a container: killing it gains a second, or cuts that
 * off. */
static void add_backing(const struct why_holder *h, char *ret)
{
	char text[BEHIND_SIZE] = "", addr[NET_ADDR_STR_SIZE];

	if (*h->runs) {
		snprintf(text, sizeof(text), " It runs %s.", h->runs);
		add(ret, text);
		text[0] = '\0';
	}
	if (*h->cgroup.container)
		add(ret, " It runs in a container.");
	else if (h->forwards && h->forward.own)
		snprintf(text, sizeof(text), " It is the %s of %s itself, of no container.",
			 h->forward.own->what, h->forward.engine);
	else if (h->forwards && h->forward.family)
		snprintf(text, sizeof(text), " It passes the port on to a container (%s port %u).",
			 net_addr_format(h->forward.family, &h->forward.addr, addr),
			 h->forward.port);
	else if (h->forwards)
		add(ret, " It has the port for a container.");
	else if (h->tunnel.kind)
		add_tunnel(&h->tunnel, ret);
	else if (h->supervised && h->supervisor.listens)
		snprintf(text, sizeof(text), " It is %s itself, which listens for what it runs.",
			 h->supervisor.name);
	else if (h->supervised)
		snprintf(text, sizeof(text), " Killed, it comes back: %s (pid %d) starts it again.",
			 h->supervisor.name, h->supervisor.id.pid);
	else if (*h->cgroup.unit)
		add(ret, " It is a service of systemd, which may start it again.");
	add(ret, text);
}

/* What is left of an old server is in the way of some, and nobody said which one is asked for. */
static const char free_for_most[] =
	"{port} is free for a server that sets SO_REUSEADDR, as nearly all do; one that does not "
	"waits until {remains}.";

static const char *choose_sentence(const struct why_facts *f)
{
	if (why_is_program_fault(f))
		return program_fault;
	if (f->answer.verdict == WHY_FREE && f->question.flags_assumed &&
	    f->answer.free_rule == BIND_RULE_REUSEADDR)
		return free_for_most;
	return rows[f->answer.verdict].sentence;
}

static void add_hardcoded(const struct why_facts *f, char *ret)
{
	char text[BEHIND_SIZE];

	if (!f->question.hardcoded)
		return;
	snprintf(text, sizeof(text),
		 " The asking program has %u in its source; its run has this port for that.",
		 f->question.hardcoded);
	add(ret, text);
}

void why_summarize(struct why_facts *f)
{
	enum why_verdict v = f->answer.verdict;
	char beside[BEHIND_SIZE];

	why_template_fill(f, choose_sentence(f), f->summary, sizeof(f->summary));
	if (v == WHY_FREE && f->claim) {
		add(f->summary, " ");
		add(f->summary, f->claim);
		add(f->summary, " owns the claim on it.");
	}
	if (why_verdict_has(v, IS_FREE) && f->beside) {
		why_template_fill(f,
				  " {BESIDE} port {n} is another one: {beside} has it "
				  "(pd why {n}{--beside}).",
				  beside, sizeof(beside));
		add(f->summary, beside);
	}
	if (why_verdict_has(v, IS_FREE))
		return;
	add_hardcoded(f, f->summary);
	add_state(f, f->summary);
	add_draining(f, f->summary);
	if (why_verdict_has(v, COMES_BACK) && f->n_holders && f->holders[0].known)
		add_backing(&f->holders[0], f->summary);
}

/* --- what is missing -------------------------------------------------------------------------
 *
 * What stays out of reach of this daemon, and what would lift that: a daemon of an ordinary user,
 * one without BPF, one in a container, a process that hides from everybody.
 */

static const struct {
	const char *what; /* that this daemon cannot see */
	const char *lift;
	bool restart; /* by root lifts it */
} obstacles[] = {
	[SENTINEL_OBSTACLE_NONE] = { "a process that not even root may look at here (of another "
				     "PID namespace, or protected)",
				     "look on the host, outside of every container", false },
	[SENTINEL_OBSTACLE_CHOICE] = { "processes of other users, which the daemon sees by eBPF "
				       "only (it was started with --no-bpf)",
				       "start the daemon without --no-bpf", true },
	[SENTINEL_OBSTACLE_USER] = { "processes of other users, which a daemon that root did not "
				     "start cannot see",
				     "let root start the daemon", true },
	[SENTINEL_OBSTACLE_PID_NAMESPACE] = { "processes outside of the daemon's own PID namespace "
					      "(it runs in a container)",
					      "start pd on the host, or the container with "
					      "--pid=host",
					      false },
	[SENTINEL_OBSTACLE_KERNEL] = { "processes of other users, which the daemon sees by eBPF "
				       "only, and this kernel refuses that",
				       "pd status tells what the kernel refuses", false },
};
_Static_assert(ARRAY_SIZE(obstacles) == _SENTINEL_OBSTACLE_MAX, "every obstacle has its words");

void why_lift_obstacle(const struct sentinel_report *report, uid_t viewer,
		       char ret_lift[static WHY_MISSING_SIZE],
		       char ret_command[static WHY_COMMAND_SIZE])
{
	char pd[OWN_PD_SIZE];

	snprintf(ret_lift, WHY_MISSING_SIZE, "%s", obstacles[report->obstacle].lift);
	ret_command[0] = '\0';
	if (!obstacles[report->obstacle].restart)
		return;
	/* one that is cut would be another command */
	if (snprintf(ret_command, WHY_COMMAND_SIZE, "%s daemon restart",
		     viewer ? own_pd_sudo(pd) : own_pd(pd)) >= WHY_COMMAND_SIZE)
		snprintf(ret_command, WHY_COMMAND_SIZE, "%spd daemon restart",
			 viewer ? "sudo " : "");
}

static void ask_again(struct why_facts *f, const char *sudo)
{
	snprintf(f->missing_command, sizeof(f->missing_command), "%spd why %u%s", sudo,
		 f->question.port, f->question.protocol == IPPROTO_UDP ? " --udp" : "");
}

/* --- nothing is known --- */

static void say_unknown(const struct sentinel_report *report, struct why_facts *f)
{
	if (!f->walked && report->mode == SENTINEL_MODE_POLL) {
		snprintf(f->missing, sizeof(f->missing),
			 "the kernel's own table of bound sockets, which needs eBPF (%s)",
			 report->why_not_bpf);
		why_lift_obstacle(report, f->viewer, f->lift, f->missing_command);
	} else if (f->netns.unreachable) {
		snprintf(f->missing, sizeof(f->missing),
			 "a process in the namespace %s: the kernel's table is read through one",
			 f->netns.name);
		snprintf(f->lift, sizeof(f->lift), "ask while a process is in it");
		snprintf(f->missing_command, sizeof(f->missing_command),
			 "sudo ip netns exec %s sh -c 'pd why %u --netns $$'", f->netns.name,
			 f->question.port);
	} else if (!f->walked) {
		snprintf(f->missing, sizeof(f->missing),
			 "the kernel's own table of bound sockets, which this kernel does not "
			 "let eBPF read (%s)",
			 strerror(-f->walk_error));
	} else if (!f->table.stable) {
		snprintf(f->missing, sizeof(f->missing),
			 "a moment of rest: the sockets of the port changed during every look");
		snprintf(f->lift, sizeof(f->lift), "ask again");
		ask_again(f, "");
	} else if (f->viewer) {
		snprintf(f->missing, sizeof(f->missing), "what only root may read");
		snprintf(f->lift, sizeof(f->lift), "ask as root");
		ask_again(f, "sudo ");
	}
}

/* --- somebody is not seen --- */

static bool has_unseen_holder(const struct why_facts *f, bool *ret_named)
{
	bool unseen = false;

	*ret_named = f->n_holders > 0;
	for (size_t i = 0; i < f->n_shown; i++)
		unseen = unseen || !why_owner_is_complete(f->shown[i]);
	return unseen || f->answer.verdict == WHY_HOLDER_HIDDEN;
}

static void say_unseen(const struct sentinel_report *report, struct why_facts *f)
{
	bool named;

	/* with BPF a count that is too high says little: a thread in poll() adds to it */
	if (!has_unseen_holder(f, &named) || (named && report->mode != SENTINEL_MODE_POLL))
		return;
	if (f->unsearched) {
		snprintf(f->missing, sizeof(f->missing),
			 f->left_out ? "a look through all processes, which was not made because "
				       "many binds were refused at once"
				     : "a look through all processes: the socket was gone before "
				       "one could be made");
		snprintf(f->lift, sizeof(f->lift), "ask now");
		ask_again(f, "");
		return;
	}
	if (!named && f->answer.verdict != WHY_HOLDER_HIDDEN)
		return; /* connections that nobody holds, the kernel's own sockets */
	snprintf(f->missing, sizeof(f->missing), "%s", obstacles[report->obstacle].what);
	why_lift_obstacle(report, f->viewer, f->lift, f->missing_command);
}

void why_say_missing(const struct sentinel_report *report, struct why_facts *f)
{
	if (f->answer.verdict == WHY_UNKNOWN)
		say_unknown(report, f);
	else
		say_unseen(report, f);
}
