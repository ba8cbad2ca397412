/* SPDX-License-Identifier: MIT */
/*
 * What stays out of reach of this daemon, and what would lift that: a daemon of an ordinary user,
 * one without BPF, one in a container, a process that hides from everybody.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "explain/explain.h"
#include "sentinel/sentinel.h"

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

void why_lift_obstacle(const struct sentinel_report *report, uid_t viewer, char *ret_lift,
		       char *ret_command)
{
	const char *sudo = viewer == geteuid() || viewer == 0 ? "" : "sudo ";

	snprintf(ret_lift, WHY_MISSING_SIZE, "%s", obstacles[report->obstacle].lift);
	ret_command[0] = '\0';
	if (obstacles[report->obstacle].restart)
		snprintf(ret_command, WHY_COMMAND_SIZE, "%spd stop; %spd start", sudo,
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
	} else if (f->place.unreachable) {
		snprintf(f->missing, sizeof(f->missing),
			 "a process in the namespace %s: the kernel's table is read through one",
			 f->place.name);
		snprintf(f->lift, sizeof(f->lift), "ask while a process is in it");
		snprintf(f->missing_command, sizeof(f->missing_command),
			 "sudo ip netns exec %s sh -c 'pd why %u --netns $$'", f->place.name,
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

	*ret_named = f->n_holdings > 0;
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
	if (f->left_out) {
		snprintf(f->missing, sizeof(f->missing),
			 "a look through all processes, which was not made because many binds were "
			 "refused at once");
		snprintf(f->lift, sizeof(f->lift), "ask now");
		ask_again(f, "");
		return;
	}
	if (!named && f->answer.verdict != WHY_HOLDER_HIDDEN)
		return; /* connections that nobody holds, the kernel's own sockets */
	snprintf(f->missing, sizeof(f->missing), "%s", obstacles[report->obstacle].what);
	why_lift_obstacle(report, f->viewer, f->lift, f->missing_command);
}

void why_say_missing(struct explainer *x, struct why_facts *f)
{
	const struct sentinel_report *report = x->report;

	if (f->answer.verdict == WHY_UNKNOWN)
		say_unknown(report, f);
	else
		say_unseen(report, f);
}
