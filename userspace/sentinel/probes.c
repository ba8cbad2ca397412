/* SPDX-License-Identifier: MIT */
#include "sentinel/probes.h"

#include <stdio.h>
#include <string.h>

_Static_assert((int)_PROBE_MAX < BACKEND_PROBES_MAX, "room for the polling backend's own");
_Static_assert(PROBE_FILE_REFS + (int)ABI_FILE_REF_PASSES == (int)_PROBE_MAX,
	       "a probe for each pass");

const struct probe_row probe_rows[_PROBE_MAX] = {
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

void probes_describe(struct sentinel_probe *probes)
{
	for (int i = 0; i < _PROBE_MAX; i++)
		probes[i] = (struct sentinel_probe){
			.name = probe_rows[i].name,
			.attached = probe_rows[i].attached,
			.blind = probe_rows[i].blind,
			.state = SENTINEL_PROBE_SILENT, /* until it is refused, or proved */
		};
}

void probe_refuse(struct sentinel_probe *probe, const char *reason, int error)
{
	probe->state = SENTINEL_PROBE_REFUSED;
	if (!reason || !*reason)
		reason = strerror(-error);
	snprintf(probe->reason, sizeof(probe->reason), "%s", reason);
}
