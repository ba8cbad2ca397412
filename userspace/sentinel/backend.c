/* SPDX-License-Identifier: MIT */
/* Chooses the backend: BPF where that works, else polling; and by what BPF sees refused calls. */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sentinel/backend.h"
#include "sentinel/bpf_load.h"
#include "sentinel/probes.h"

#define FIRST_PID_NAMESPACE 0xEFFFFFFCU

/* The poll backend shows what it lacks: the probes of the attempt before its own. */
static void report_refused_probes(struct sentinel *s, const struct backend_attempt *attempt)
{
	int own = s->report.n_probes;

	if (own + attempt->n_probes > BACKEND_PROBES_MAX)
		return;
	memmove(s->probes + attempt->n_probes, s->probes, sizeof(s->probes[0]) * (size_t)own);
	memcpy(s->probes, attempt->probes, sizeof(s->probes[0]) * (size_t)attempt->n_probes);
	s->report.n_probes = own + attempt->n_probes;
	snprintf(s->why_not_bpf, sizeof(s->why_not_bpf), "%s", attempt->why);
}

/* include/linux/proc_ns.h: PROC_PID_INIT_INO, the same in every kernel. */
static bool in_first_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) || st.st_ino == FIRST_PID_NAMESPACE;
}

/* A service manager gives the capabilities to a user of the service's own. */
static bool may_load(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (geteuid() == 0)
		return true;
	return !syscall(SYS_capget, &header, sets) &&
	       sets[CAP_TO_INDEX(CAP_BPF)].effective & CAP_TO_MASK(CAP_BPF);
}

/* Looked for after the attempt: it may have worked nevertheless. */
static enum sentinel_obstacle find_obstacle(enum sentinel_trace trace,
					    struct backend_attempt *attempt)
{
	if (trace == SENTINEL_TRACE_NONE)
		return SENTINEL_OBSTACLE_CHOICE;
	if (!may_load())
		return SENTINEL_OBSTACLE_USER;
	if (in_first_pid_namespace())
		return SENTINEL_OBSTACLE_KERNEL;
	snprintf(attempt->why, sizeof(attempt->why),
		 "the daemon is in a PID namespace of its own, as in a container");
	return SENTINEL_OBSTACLE_PID_NAMESPACE;
}

/* The first that keeps it from seeing refused calls; NULL = nothing does. */
static const struct sentinel_probe *find_fault(const struct sentinel *s)
{
	if (s->probes[PROBE_BIND].state != SENTINEL_PROBE_WORKS)
		return &s->probes[PROBE_BIND];
	return s->probes[PROBE_LISTEN].state != SENTINEL_PROBE_WORKS ? &s->probes[PROBE_LISTEN]
								     : NULL;
}

/* Down the ladder: what has loaded may still never fire. */
static int use_best_trace(struct backend_attempt *attempt, struct sentinel **ret)
{
	char why[BACKEND_WHY_SIZE] = "this kernel refuses programs on its functions";
	const struct sentinel_probe *fault;
	int r;

	if (bpf_load_functions_can_be_traced()) {
		r = sentinel_bpf_new(SENTINEL_TRACE_FEXIT, attempt, ret);
		fault = r < 0 ? NULL : find_fault(*ret);
		if (!fault)
			return r;
		snprintf(why, sizeof(why), "%s: %s", fault->attached, fault->reason);
		sentinel_free(*ret);
	}
	r = sentinel_bpf_new(SENTINEL_TRACE_SYSCALLS, attempt, ret);
	if (r < 0)
		return r;
	memcpy((*ret)->why_not_fexit, why, sizeof(why));
	(*ret)->report.why_not_fexit = (*ret)->why_not_fexit;
	return 0;
}

static int use_bpf(enum sentinel_trace trace, struct backend_attempt *attempt,
		   struct sentinel **ret)
{
	return trace == SENTINEL_TRACE_AUTO ? use_best_trace(attempt, ret)
					    : sentinel_bpf_new(trace, attempt, ret);
}

int sentinel_new(enum sentinel_trace trace, struct sentinel **ret)
{
	struct backend_attempt attempt = { .why = "switched off by configuration" };
	enum sentinel_obstacle obstacle;
	int r;

	if (trace != SENTINEL_TRACE_NONE && use_bpf(trace, &attempt, ret) == 0) {
		(*ret)->report.types_refused = attempt.types_refused;
		return 0;
	}
	obstacle = find_obstacle(trace, &attempt);
	r = sentinel_poll_new(ret);
	if (r < 0)
		return r;
	(*ret)->report.obstacle = obstacle;
	(*ret)->report.types_refused = attempt.types_refused;
	report_refused_probes(*ret, &attempt);
	return 0;
}
