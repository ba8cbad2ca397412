/* SPDX-License-Identifier: MIT */
/* The ladder: tries BPF, else polls, and hands every call to the rung that it stands on. */
#include "sentinel/sentinel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sentinel/rung.h"

#define FIRST_PID_NAMESPACE 0xEFFFFFFCU

/* The poll rung shows what it lacks: the probes of the attempt before its own. */
static void report_refused_probes(struct sentinel *s, const struct rung_attempt *attempt)
{
	int own = s->report.n_probes;

	if (own + attempt->n_probes > RUNG_PROBES_MAX)
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

/* Looked for after the attempt: it may have worked nevertheless. */
static enum sentinel_obstacle find_obstacle(bool allow_bpf, struct rung_attempt *attempt)
{
	if (!allow_bpf)
		return SENTINEL_OBSTACLE_CHOICE;
	if (geteuid() != 0)
		return SENTINEL_OBSTACLE_USER;
	if (in_first_pid_namespace())
		return SENTINEL_OBSTACLE_KERNEL;
	snprintf(attempt->why, sizeof(attempt->why),
		 "the daemon is in a PID namespace of its own, as in a container");
	return SENTINEL_OBSTACLE_PID_NAMESPACE;
}

int sentinel_new(bool allow_bpf, struct sentinel **ret)
{
	struct rung_attempt attempt = { .why = "switched off by configuration" };
	enum sentinel_obstacle obstacle;
	int r;

	if (allow_bpf && sentinel_bpf_new(&attempt, ret) == 0)
		return 0;
	obstacle = find_obstacle(allow_bpf, &attempt);
	r = sentinel_poll_new(ret);
	if (r < 0)
		return r;
	(*ret)->report.obstacle = obstacle;
	report_refused_probes(*ret, &attempt);
	return 0;
}

void sentinel_free(struct sentinel *s)
{
	if (s)
		s->ops->free(s);
}

const struct sentinel_report *sentinel_report(const struct sentinel *s)
{
	return &s->report;
}

struct sentinel_counters sentinel_counters(const struct sentinel *s)
{
	return s->ops->counters(s);
}

int sentinel_fd(const struct sentinel *s)
{
	return s->ops->fd(s);
}

int sentinel_dispatch(struct sentinel *s, const struct sentinel_slice *slice,
		      sentinel_handler handler, void *user_data, bool *ret_resync)
{
	static const struct sentinel_slice everything;

	return s->ops->dispatch(s, slice ? slice : &everything, handler, user_data, ret_resync);
}

int sentinel_open_holder_pass(struct sentinel *s)
{
	return s->ops->open_holder_pass ? s->ops->open_holder_pass(s) : -EOPNOTSUPP;
}

int sentinel_look(struct sentinel *s, struct abi_look *look)
{
	return s->ops->look ? s->ops->look(s, look) : -EOPNOTSUPP;
}

int sentinel_walk(struct sentinel *s, const struct abi_walk *asked,
		  const struct abi_walk_answer **ret)
{
	return s->ops->walk ? s->ops->walk(s, asked, ret) : -EOPNOTSUPP;
}

int sentinel_call_roll(struct sentinel *s, struct abi_hold *holds, size_t n)
{
	return s->ops->call_roll ? s->ops->call_roll(s, holds, n) : -EOPNOTSUPP;
}

int sentinel_open_grips(struct sentinel *s, unsigned pass, const uint64_t *files, size_t n)
{
	return s->ops->open_grips ? s->ops->open_grips(s, pass, files, n) : -EOPNOTSUPP;
}

int sentinel_track_socket(struct sentinel *s, uint64_t cookie)
{
	return s->ops->track_socket ? s->ops->track_socket(s, cookie) : 0;
}

int sentinel_track_process(struct sentinel *s, const struct process_id *id)
{
	return s->ops->track_process ? s->ops->track_process(s, id, true) : 0;
}

int sentinel_untrack_process(struct sentinel *s, const struct process_id *id)
{
	return s->ops->track_process ? s->ops->track_process(s, id, false) : 0;
}
