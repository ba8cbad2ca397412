/* SPDX-License-Identifier: MIT */
#include "sentinel/probes.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sentinel/bpf_halves.h"
#include "sentinel/bpf_load.h"

_Static_assert((int)_PROBE_MAX < RUNG_PROBES_MAX, "room for the poll rung's own");
_Static_assert(PROBE_GRIPS + (int)ABI_GRIP_PASSES == (int)_PROBE_MAX, "a probe for each pass");

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
	[PROBE_RELEASE] = { "release",
			    "cgroup/sock_release",
			    "sockets that are bound and do not listen, and UDP, when they go",
			    { "pd_release" } },
	[PROBE_PROCESS] = { "process",
			    "tp_btf/sched_process_{fork,exec,exit}",
			    "heirs, and ends, of the processes that hold sockets",
			    { "process_fork", "process_exec", "process_exit" } },
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
	[PROBE_ROLL] = { "roll",
			 "descriptors by their numbers, by BPF_PROG_TEST_RUN",
			 "who still holds a socket, without looking at each of them",
			 { "call_roll" } },
	[PROBE_GRIPS] = { "grips",
			  "iter/task_file, for descriptors, rings and messages",
			  "which io_uring or unreceived message keeps a closed socket open",
			  { "grips_files" } },
	[PROBE_GRIPS_QUEUED] = { "queued",
				 "iter/unix",
				 "unreceived messages of Unix sockets that no process has open",
				 { "grips_queued" } },
	[PROBE_GRIPS_MAPPED] = { "mapped",
				 "iter/task_vma",
				 "which memory mapping keeps a closed socket open",
				 { "grips_mapped" } },
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

static struct bpf_link *attach_to_tracepoint(struct bpf_program *program, int fd)
{
	struct bpf_link *link = NULL;

	if (fd < 0)
		errno = -fd;
	else
		link = bpf_program__attach_perf_event(program, fd); /* owns it from here on */
	if (!link && fd >= 0) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return link;
}

static struct bpf_link *attach_program(struct bpf_program *program, int cgroup_fd)
{
	switch (bpf_program__type(program)) {
	case BPF_PROG_TYPE_CGROUP_SOCK:
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
		return bpf_program__attach_cgroup(program, cgroup_fd);
	default:
		return bpf_program__attach(program);
	}
}

static int attach_probe(struct bpf_object *object, enum probe probe, int cgroup_fd,
			struct tracepoints *tracepoints, struct probe_links *links)
{
	const char *const *names = probe_rows[probe].programs;

	for (int i = 0; i < PROBE_PROGRAMS_MAX && names[i]; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, names[i]);
		enum tracepoint at = probe_rows[probe].tracepoints[i];
		struct bpf_link *link;

		if (bpf_program__type(program) == BPF_PROG_TYPE_SYSCALL)
			continue; /* is run, not attached */
		link = at ? attach_to_tracepoint(program, tracepoints_take(tracepoints, at))
			  : attach_program(program, cgroup_fd);
		if (!link)
			return -errno;
		links->links[links->n++] = link;
		if (probe == PROBE_HOLDERS)
			links->holders = link;
		if (probe >= PROBE_GRIPS && probe < PROBE_GRIPS + ABI_GRIP_PASSES)
			links->grips[probe - PROBE_GRIPS] = link;
	}
	return 0;
}

static bool is_on_cgroups(enum probe probe)
{
	return probe == PROBE_PRE_BIND || probe == PROBE_POST_BIND || probe == PROBE_RELEASE;
}

static void detach_since(struct probe_links *links, int n)
{
	while (links->n > n)
		bpf_link__destroy(links->links[--links->n]);
}

void probes_attach(const struct halves *bpf, struct sentinel_probe *probes,
		   struct tracepoints *tracepoints, struct probe_links *links)
{
	_cleanup_close_ int cgroup_fd = bpf_load_open_cgroup_root();

	for (int i = 0; i < _PROBE_MAX; i++) {
		int before = links->n, r;

		if (probes[i].state == SENTINEL_PROBE_REFUSED)
			continue;
		bpf_load_reset_message();
		r = attach_probe(halves_object(bpf, i), i, cgroup_fd, tracepoints, links);
		if (r == 0)
			continue;
		detach_since(links, before);
		if (tracepoints->tracefs < 0 && probe_rows[i].tracepoints[0])
			probe_refuse(&probes[i], "tracefs is not mounted and may not be mounted",
				     r);
		else if (cgroup_fd < 0 && is_on_cgroups(i))
			probe_refuse(&probes[i], "no cgroup v2 hierarchy is mounted", r);
		else
			probe_refuse(&probes[i], bpf_load_message(), r);
	}
}

void probes_detach(struct probe_links *links)
{
	detach_since(links, 0);
	links->holders = NULL;
	memset(links->grips, 0, sizeof(links->grips));
}
