/* SPDX-License-Identifier: MIT */
#include "sentinel/probes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)_PROBE_MAX < BACKEND_PROBES_MAX, "room for the polling backend's own");
_Static_assert(PROBE_FILE_REFS + (int)ABI_FILE_REF_PASSES == (int)_PROBE_MAX,
	       "a probe for each pass");

static const struct probe_row call_rows[_SENTINEL_TRACE_MAX][PROBE_CALLS] = {
	[SENTINEL_TRACE_FEXIT] = {
		[PROBE_BIND] = { "bind",
				 "fentry, fexit/__sys_bind",
				 "refused binds",
				 { "fentry_bind", "fexit_bind" } },
		[PROBE_LISTEN] = { "listen",
				   "fentry, fexit/__sys_listen",
				   "refused listens",
				   { "fentry_listen", "fexit_listen" } },
	},
	[SENTINEL_TRACE_SYSCALLS] = {
		[PROBE_BIND] = { "bind",
				 "tp/syscalls/sys_{enter,exit}_bind",
				 "refused binds",
				 { "enter_bind", "exit_call" },
				 { TRACEPOINT_ENTER_BIND, TRACEPOINT_EXIT_BIND } },
		[PROBE_LISTEN] = { "listen",
				   "tp/syscalls/sys_{enter,exit}_listen",
				   "refused listens",
				   { "enter_listen", "exit_call" },
				   { TRACEPOINT_ENTER_LISTEN, TRACEPOINT_EXIT_LISTEN } },
	},
	[SENTINEL_TRACE_HOOKS] = {
		[PROBE_BIND] = { "bind", "nothing", "refused binds", { NULL } },
		[PROBE_LISTEN] = { "listen", "nothing", "refused listens", { NULL } },
	},
};

static const struct probe_row rows[_PROBE_MAX] = {
	[PROBE_SET_STATE] = { "set_state",
			      "tp_btf/inet_sock_set_state",
			      "listeners when they come and go",
			      { "set_state" } },
	[PROBE_PRE_BIND] = { "pre_bind",
			     "cgroup/bind4, bind6",
			     "binds that another BPF program of a cgroup refuses or rewrites",
			     { "pd_bind4", "pd_bind6" } },
	[PROBE_POST_BIND] = { "post_bind",
			      "cgroup/post_bind4, post_bind6",
			      "sockets that are bound and do not listen, and UDP, when they come",
			      { "pd_post_bind4", "pd_post_bind6" } },
	[PROBE_RULES] = { "rules",
			  "cgroup/bind4, bind6, connect4, connect6",
			  "nothing, but hard-coded ports are not rewritten, nor ports protected",
			  { "pd_connect4", "pd_connect6" } },
	[PROBE_NAMES] = { "names",
			  "cgroup/getsockname4, getsockname6, getpeername4, getpeername6",
			  "nothing, but pd run --transparent tells the real port",
			  { "pd_own_name4", "pd_own_name6", "pd_peer_name4", "pd_peer_name6" } },
	[PROBE_RELEASE] = { "release",
			    "cgroup/sock_release",
			    "sockets that are bound and do not listen, and UDP, when they go",
			    { "pd_release" } },
	[PROBE_PROCESS] = { "process",
			    "tp_btf/sched_process_{fork,exec,exit}",
			    "heirs, and ends, of the processes that hold sockets",
			    { "process_fork", "process_exec", "process_exit" } },
	[PROBE_TERM] = { "term",
			 "tp_btf/signal_generate",
			 "that a holder was asked to end, and did not",
			 { "process_term" } },
	[PROBE_HOLDERS] = { "holders",
			    "iter/task_file",
			    "which processes of other users hold a socket",
			    { "pass" } },
	[PROBE_LOOK] = { "look",
			 "iter/task_file of one process",
			 "which sockets one process holds, without asking all of them",
			 { NULL } },
	[PROBE_WALK] = { "walk",
			 "the bind table, by BPF_PROG_TEST_RUN",
			 "the flags of sockets that decide whether a port can be shared",
			 { "walk" } },
	[PROBE_RECHECK] = { "roll",
			    "descriptors by their numbers, by BPF_PROG_TEST_RUN",
			    "who still holds a socket, without looking at each of them",
			    { "recheck" } },
	[PROBE_FILE_REFS] = { "grips",
			      "iter/task_file, for descriptors, rings and messages",
			      "which io_uring or unreceived message keeps a closed socket open",
			      { "file_refs_tasks" } },
	[PROBE_FILE_REFS_QUEUED] = { "queued",
				     "iter/unix",
				     "unreceived messages of Unix sockets that no process has open",
				     { "file_refs_queued" } },
	[PROBE_FILE_REFS_MAPPED] = { "mapped",
				     "iter/task_vma",
				     "which memory mapping keeps a closed socket open",
				     { "file_refs_mapped" } },
};

const struct probe_row *probe_row(enum sentinel_trace trace, enum probe probe)
{
	return probe < PROBE_CALLS ? &call_rows[trace][probe] : &rows[probe];
}

void probes_describe(enum sentinel_trace trace, struct sentinel_probe *probes)
{
	for (int i = 0; i < _PROBE_MAX; i++) {
		const struct probe_row *row = probe_row(trace, i);

		probes[i] = (struct sentinel_probe){
			.name = row->name,
			.attached = row->attached,
			.blind = row->blind,
			.state = SENTINEL_PROBE_SILENT, /* until it is refused, or proved */
		};
	}
	for (int i = 0; i < PROBE_CALLS && trace == SENTINEL_TRACE_HOOKS; i++)
		probe_refuse(&probes[i], "left out by --trace hooks", 0);
}

void probe_refuse(struct sentinel_probe *probe, const char *reason, int error)
{
	probe->state = SENTINEL_PROBE_REFUSED;
	if (!reason || !*reason)
		reason = strerror(-error);
	snprintf(probe->reason, sizeof(probe->reason), "%s", reason);
}

int probes_refuse_from(enum probe first, struct sentinel_probe *probes, const char *reason,
		       int error)
{
	for (int i = first; i < _PROBE_MAX; i++)
		probe_refuse(&probes[i], reason, error);
	return error;
}

static void refuse_also(struct sentinel_probe *probe, const char *reason)
{
	if (probe->state != SENTINEL_PROBE_REFUSED)
		probe_refuse(probe, reason, -EOPNOTSUPP);
}

void probes_refuse_dependents(struct sentinel_probe *probes, int rules)
{
	/* what it sees is told by the record of a refusal, and by nothing else */
	if (probes[PROBE_BIND].state == SENTINEL_PROBE_REFUSED)
		refuse_also(&probes[PROBE_PRE_BIND], "there is no record of refused binds");
	if (rules)
		refuse_also(&probes[PROBE_RULES], "attached, and without effect");
	if (probes[PROBE_RULES].state == SENTINEL_PROBE_REFUSED)
		refuse_also(&probes[PROBE_NAMES], "no port is rewritten");
}

void probes_judge(struct sentinel_probe *probes, unsigned proved, bool bpf_is_refused)
{
	for (int i = 0; i < _PROBE_MAX; i++) {
		struct sentinel_probe *p = &probes[i];

		if (bpf_is_refused && i >= PROBE_HOLDERS)
			refuse_also(p, "before Linux 5.19 no call of bpf() without rights");
		if (p->state == SENTINEL_PROBE_REFUSED)
			continue;
		p->state = proved & (1U << i) ? SENTINEL_PROBE_WORKS : SENTINEL_PROBE_SILENT;
		if (p->state == SENTINEL_PROBE_SILENT)
			snprintf(p->reason, sizeof(p->reason),
				 "attached, but its event never came");
	}
}
