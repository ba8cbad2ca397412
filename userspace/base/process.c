/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/abi.h"

#define CUT_MARK      "\xe2\x80\xa6" /* "…" before what is left of a path */
#define CUT_MARK_SIZE (sizeof(CUT_MARK) - 1)

_Static_assert(PROCESS_COMM_SIZE == ABI_COMM_SIZE, "names of tasks");
_Static_assert(PROCESS_ANCESTORS_MAX == ABI_ANCESTORS_MAX, "ancestors");
_Static_assert(PROCESS_PATH_SIZE >= CUT_MARK_SIZE + 2 + 256, "a cut path shows a component");

struct process_id process_id_decode(uint32_t pid, uint64_t start_ns, uint64_t ticks_per_s)
{
	/* as the kernel's nsec_to_clock_t() divides, so that it equals /proc/PID/stat */
	return (struct process_id){ .pid = (pid_t)pid,
				    .start_ticks = start_ns / (NS_PER_S / ticks_per_s) };
}

void process_comm_decode(const char *from, char to[static PROCESS_COMM_SIZE])
{
	/* the kernel ends names with NUL; a record that does not is cut, not believed */
	memcpy(to, from, PROCESS_COMM_SIZE - 1);
	to[PROCESS_COMM_SIZE - 1] = '\0';
}

/*
 * "leaf\0parent\0…" → "/parent/leaf".  Filled from the end, for the end is what matters: what does
 * not fit is left out at the front, and then a "…" stands there.
 */
static int decode_path(const char *names, size_t used, bool cut, char ret[static PROCESS_PATH_SIZE])
{
	char text[PROCESS_PATH_SIZE];
	size_t at = sizeof(text) - 1, i = 0;

	if (used > ABI_PATH_SIZE || (used && names[used - 1]))
		return -EBADMSG;
	ret[0] = '\0';
	if (used && !names[0])
		return used == 1 ? 0 : -EBADMSG;
	text[at] = '\0';
	while (i < used) {
		size_t n = strlen(names + i); /* ends at names[used - 1] at the latest */

		if (!n)
			return -EBADMSG;
		if (n + 1 + CUT_MARK_SIZE > at) {
			cut = true;
			break;
		}
		at -= n;
		memcpy(text + at, names + i, n);
		text[--at] = '/';
		i += n + 1;
	}
	if (!used && !cut)
		text[--at] = '/';
	if (cut && used) {
		at -= CUT_MARK_SIZE;
		memcpy(text + at, CUT_MARK, CUT_MARK_SIZE);
	}
	memcpy(ret, text + at, sizeof(text) - at);
	return 0;
}

int process_decode(const struct abi_process_event *from, uint64_t ticks_per_s, struct process *to)
{
	int r;

	*to = (struct process){ 0 };
	if (from->n_ancestors > ABI_ANCESTORS_MAX)
		return -EBADMSG;
	r = decode_path(from->exe, from->exe_len, from->exe_cut, to->exe);
	if (r < 0)
		return r;
	r = decode_path(from->cwd, from->cwd_len, from->cwd_cut, to->cwd);
	if (r < 0)
		return r;
	to->id = process_id_decode(from->head.pid, from->head.start_ns, ticks_per_s);
	to->uid = from->head.uid;
	to->ppid = (pid_t)from->ppid;
	to->sid = (pid_t)from->sid;
	to->cgroup_id = from->head.cgroup_id;
	process_comm_decode(from->head.comm, to->comm);
	to->n_ancestors = from->n_ancestors;
	for (size_t i = 0; i < from->n_ancestors; i++) {
		const struct abi_ancestor *a = &from->ancestors[i];

		to->ancestors[i].id = process_id_decode(a->pid, a->start_ns, ticks_per_s);
		to->ancestors[i].sid = (pid_t)a->sid;
		process_comm_decode(a->comm, to->ancestors[i].comm);
	}
	return 0;
}

static const struct {
	char letter;
	const char *name;
} states[] = {
	{ 'R', "running" }, { 'S', "sleeping" }, { 'D', "uninterruptible" }, { 'I', "idle" },
	{ 'T', "stopped" }, { 't', "traced" },	 { 'Z', "zombie" },	     { 'X', "dead" },
};

const char *process_state_name(char state)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (states[i].letter == state)
			return states[i].name;
	return NULL;
}
