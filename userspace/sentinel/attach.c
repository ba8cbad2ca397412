/* SPDX-License-Identifier: MIT */
#include "sentinel/attach.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sentinel/bpf_load.h"
#include "sentinel/bpf_objects.h"

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

static int attach_probe(const struct bpf_objects *objects, enum probe probe, int cgroup_fd,
			struct tracepoints *tracepoints, struct probe_links *links)
{
	const struct probe_row *row = probe_row(objects->trace, probe);
	const char *const *names = row->programs;

	for (int i = 0; i < PROBE_PROGRAMS_MAX && names[i]; i++) {
		struct bpf_program *program = bpf_objects_program(objects, names[i]);
		enum tracepoint at = row->tracepoints[i];
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
		if (probe >= PROBE_FILE_REFS && probe < PROBE_FILE_REFS + ABI_FILE_REF_PASSES)
			links->file_refs[probe - PROBE_FILE_REFS] = link;
	}
	return 0;
}

static bool is_on_cgroups(enum probe probe)
{
	return probe >= PROBE_PRE_BIND && probe <= PROBE_RELEASE;
}

static void detach_since(struct probe_links *links, int n)
{
	while (links->n > n)
		bpf_link__destroy(links->links[--links->n]);
}

void probes_attach(const struct bpf_objects *objects, struct sentinel_probe *probes,
		   struct tracepoints *tracepoints, struct probe_links *links)
{
	_cleanup_close_ int cgroup_fd = bpf_load_open_cgroup_root();

	for (int i = 0; i < _PROBE_MAX; i++) {
		int before = links->n, r;

		if (probes[i].state == SENTINEL_PROBE_REFUSED)
			continue;
		bpf_load_reset_message();
		r = attach_probe(objects, i, cgroup_fd, tracepoints, links);
		if (r == 0)
			continue;
		detach_since(links, before);
		if (tracepoints->tracefs < 0 && probe_row(objects->trace, i)->tracepoints[0])
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
	memset(links->file_refs, 0, sizeof(links->file_refs));
}
