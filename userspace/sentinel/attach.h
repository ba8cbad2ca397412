/* SPDX-License-Identifier: MIT */
/* Attaches the probes' programs to the kernel's hooks.  Private to the room. */
#ifndef SENTINEL_ATTACH_H
#define SENTINEL_ATTACH_H

#include "bpf/abi.h"
#include "sentinel/probes.h"
#include "sentinel/tracepoints.h"

struct bpf_link;
struct bpf_objects;

/* What is attached; destroyed in reverse order. */
struct probe_links {
	struct bpf_link *links[_PROBE_MAX * PROBE_PROGRAMS_MAX];
	int n;
	/* the iterators', borrowed; NULL when it is not attached */
	struct bpf_link *holders, *file_refs[ABI_FILE_REF_PASSES];
};

/* Attaches, of the loaded objects and for their way of tracing, what is not refused; what cannot be
 * attached is refused then. */
void probes_attach(const struct bpf_objects *objects, struct sentinel_probe *probes,
		   struct tracepoints *tracepoints, struct probe_links *links);
void probes_detach(struct probe_links *links);

#endif
