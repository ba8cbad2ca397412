/* SPDX-License-Identifier: MIT */
/*
 * The probes of the BPF backend: which programs each is made of, and what the daemon does not see
 * without it.  Private to the room.
 */
#ifndef SENTINEL_PROBES_H
#define SENTINEL_PROBES_H

#include "bpf/abi.h"
#include "sentinel/backend.h"
#include "sentinel/tracepoints.h"

#define PROBE_PROGRAMS_MAX 4 /* as many tracepoints, in the same order */

enum probe {
	PROBE_BIND = 0,
	PROBE_LISTEN,
	PROBE_CALLS,
	PROBE_SET_STATE = PROBE_CALLS, /* from here on the same for each way of tracing */
	PROBE_PRE_BIND,
	PROBE_POST_BIND,
	PROBE_RULES,
	PROBE_NAMES,
	PROBE_RELEASE,
	PROBE_PROCESS,
	PROBE_TERM,
	PROBE_HOLDERS,
	PROBE_LOOK,
	PROBE_WALK, /* from here on the programs are in the object that answers */
	PROBE_RECHECK,
	PROBE_FILE_REFS, /* and the next ones: in the order of enum abi_file_ref_pass */
	PROBE_FILE_REFS_QUEUED,
	PROBE_FILE_REFS_MAPPED,
	_PROBE_MAX
};

/* A probe works when all of its programs do. */
struct probe_row {
	const char *name, *attached, *blind;
	const char *programs[PROBE_PROGRAMS_MAX]; /* NULL: no more of them */
	enum tracepoint tracepoints[PROBE_PROGRAMS_MAX];
};
/* PROBE_BIND and PROBE_LISTEN are made of other programs for each way of tracing. */
const struct probe_row *probe_row(enum sentinel_trace trace, enum probe probe);

/* Fills _PROBE_MAX entries; none is refused yet. */
void probes_describe(enum sentinel_trace trace, struct sentinel_probe *probes);

/* Marks it refused.  Without a reason (NULL or "") the errno's text is it. */
void probe_refuse(struct sentinel_probe *probe, const char *reason, int error);

/* This one and all that follow.  Returns the error. */
int probes_refuse_from(enum probe first, struct sentinel_probe *probes, const char *reason,
		       int error);

/* Before the proof, those whose work another one shows; `rules`: 0, or why rules have no effect. */
void probes_refuse_dependents(struct sentinel_probe *probes, int rules);

/*
 * After it: each that is not refused works, or not, by its bit in `proved`.  What was proved by
 * calls of bpf() that will be refused is as good as not there.
 */
void probes_judge(struct sentinel_probe *probes, unsigned proved, bool bpf_is_refused);

#endif
