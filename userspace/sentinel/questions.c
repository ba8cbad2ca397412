/* SPDX-License-Identifier: MIT */
#include "sentinel/questions.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfs.h"
#include "base/run.h"
#include "sentinel/attach.h"
#include "sentinel/bpf_objects.h"
#include "sentinel/file_ref_pass.h"
#include "sentinel/look.h"
#include "sentinel/probes.h"
#include "sentinel/rules.h"

DEFINE_CLEANUP(DIR *, closedir);

/* What the programs answer is read in place, 48 kB and 16 kB: not copied by a call for each. */
static int map_value(struct bpf_map *map, size_t size, int protection, void **ret)
{
	void *at = mmap(NULL, size, protection, MAP_SHARED, bpf_map__fd(map), 0);

	if (at == MAP_FAILED)
		return -errno;
	*ret = at;
	return 0;
}

int questions_map_answers(struct questions *q)
{
	int r = map_value(q->bpf->ask->maps.walk_answer, sizeof(*q->answer), PROT_READ,
			  (void **)&q->answer);

	if (r < 0)
		return r;
	return map_value(q->bpf->ask->maps.recheck_answer, sizeof(*q->recheck),
			 PROT_READ | PROT_WRITE, (void **)&q->recheck);
}

void questions_unmap_answers(struct questions *q)
{
	if (q->answer)
		munmap((void *)q->answer, sizeof(*q->answer));
	if (q->recheck)
		munmap(q->recheck, sizeof(*q->recheck));
}

/* --- holders --- */

int question_open_holder_pass(void *questions)
{
	const struct questions *q = questions;
	int fd;

	if (!q->links->holders)
		return -EOPNOTSUPP;
	fd = bpf_iter_create(bpf_link__fd(q->links->holders));
	return fd < 0 ? -errno : fd;
}

int question_look(void *questions, struct abi_look *look)
{
	const struct questions *q = questions;

	if (!q->links->holders)
		return -EOPNOTSUPP;
	return look_run(bpf_program__fd(q->bpf->listen->progs.pass), q->ticks_per_s, look);
}

int question_walk(void *questions, const struct abi_walk *asked, const struct abi_walk_answer **ret)
{
	const struct questions *q = questions;
	struct abi_walk in = *asked; /* the kernel copies the argument back */
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &in, .ctx_size_in = sizeof(in));
	int r;

	if (!q->answer || q->probes[PROBE_WALK].state == SENTINEL_PROBE_REFUSED)
		return -EOPNOTSUPP;
	r = bpf_prog_test_run_opts(bpf_program__fd(q->bpf->ask->progs.walk), &options);
	if (r < 0)
		return -errno;
	if (options.retval)
		return -EIO;
	*ret = q->answer;
	return 0;
}

/* A part of the re-check that fits the map. */
static int call_part(const struct questions *q, struct abi_hold *holds, size_t n)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	memcpy(q->recheck->holds, holds, n * sizeof(*holds));
	q->recheck->n = (uint32_t)n;
	if (bpf_prog_test_run_opts(bpf_program__fd(q->bpf->ask->progs.recheck), &options) < 0)
		return -errno;
	if (options.retval)
		return -EIO;
	memcpy(holds, q->recheck->holds, n * sizeof(*holds));
	return 0;
}

int question_recheck_descriptors(void *questions, struct abi_hold *holds, size_t n)
{
	const struct questions *q = questions;
	int r = 0;

	if (!q->recheck || q->probes[PROBE_RECHECK].state == SENTINEL_PROBE_REFUSED)
		return -EOPNOTSUPP;
	for (size_t at = 0, part; !r && at < n; at += part) {
		part = n - at < ABI_HOLDS_MAX ? n - at : ABI_HOLDS_MAX;
		r = call_part(q, holds + at, part);
	}
	return r;
}

int question_open_reference_pass(void *questions, unsigned pass, const uint64_t *files, size_t n)
{
	const struct questions *q = questions;

	if (pass >= ABI_FILE_REF_PASSES || !q->links->file_refs[pass])
		return -EOPNOTSUPP;
	return file_ref_pass_open(q->links->file_refs[pass],
				  bpf_map__fd(q->bpf->ask->maps.file_ref_targets), files, n);
}

/* --- what the kernel side tracks --- */

int question_track_socket(void *questions, uint64_t cookie)
{
	const struct questions *q = questions;
	const uint8_t yes = 1;

	return cookie ? maps_update(&q->maps, ABI_MAP_TRACKED, &cookie, &yes, BPF_ANY) : -EINVAL;
}

static int track(const struct questions *q, enum abi_map map, const struct process_id *id, bool on)
{
	uint64_t start_ns = id->start_ticks * (NS_PER_S / q->ticks_per_s);
	uint32_t pid = (uint32_t)id->pid;
	int r;

	if (on)
		return maps_update(&q->maps, map, &pid, &start_ns, BPF_ANY);
	r = maps_delete(&q->maps, map, &pid);
	return r == -ENOENT ? 0 : r;
}

int question_track_process(void *questions, const struct process_id *id, bool on)
{
	return track(questions, ABI_MAP_HOLDERS, id, on);
}

int question_track_exit(void *questions, const struct process_id *id, bool on)
{
	return track(questions, ABI_MAP_LAUNCHERS, id, on);
}

/* --- runs --- */

/* False, and zeroes, when it is none. */
static bool find_member(const struct questions *q, pid_t pid, struct abi_member *ret)
{
	uint32_t key = (uint32_t)pid;

	*ret = (struct abi_member){ 0 };
	return !maps_lookup(&q->maps, ABI_MAP_MEMBERS, &key, ret);
}

static int add_member(const struct questions *q, const struct process_id *id,
		      const struct abi_member *member)
{
	uint32_t pid = (uint32_t)id->pid;
	int r = maps_update(&q->maps, ABI_MAP_MEMBERS, &pid, member, BPF_ANY);

	if (r || procfs_alive(id))
		return r;
	/* one that ended before it was named will never be told of */
	maps_delete(&q->maps, ABI_MAP_MEMBERS, &pid);
	return -ESRCH;
}

static struct abi_member member_of(const struct questions *q, uint64_t run,
				   const struct process_id *id, uint32_t named)
{
	return (struct abi_member){ .run = run,
				    .start_ns = id->start_ticks * (NS_PER_S / q->ticks_per_s),
				    .named = run <= ABI_RUN_NAMED_MAX ? (uint32_t)run : named };
}

int question_begin_run(void *questions, uint64_t run, const struct process_id *first)
{
	const struct questions *q = questions;
	struct abi_run begun = { .members = 1 };
	struct abi_member outer, member;
	int r;

	if (find_member(q, first->pid, &outer))
		begun.outer = outer.run;
	r = maps_update(&q->maps, ABI_MAP_RUNS, &run, &begun, BPF_NOEXIST);
	if (r)
		return r;
	member = member_of(q, run, first, outer.named);
	r = add_member(q, first, &member);
	if (r)
		maps_delete(&q->maps, ABI_MAP_RUNS, &run);
	return r;
}

void question_end_run(void *questions, uint64_t run, const struct process_id *last)
{
	const struct questions *q = questions;
	uint32_t pid = (uint32_t)last->pid;

	maps_delete(&q->maps, ABI_MAP_MEMBERS, &pid);
	maps_delete(&q->maps, ABI_MAP_RUNS, &run);
}

int question_join_run(void *questions, uint32_t run, const struct process_id *id)
{
	const struct questions *q = questions;
	struct abi_run found = { 0 };
	struct abi_member known;
	const struct abi_member member = member_of(q, run, id, 0);
	uint64_t number = run;
	int r;

	if (find_member(q, id->pid, &known) && known.named == run)
		return 0;
	if (maps_lookup(&q->maps, ABI_MAP_RUNS, &number, &found))
		return question_begin_run(questions, run, id);
	/* Not counted in one step with what the members fork and end meanwhile: whoever joins them
	 * looks at who is there when the run is told to have ended, or was not. */
	found.members++;
	r = maps_update(&q->maps, ABI_MAP_RUNS, &number, &found, BPF_EXIST);
	if (r)
		return r;
	r = add_member(q, id, &member);
	if (r) {
		found.members--;
		maps_update(&q->maps, ABI_MAP_RUNS, &number, &found, BPF_EXIST);
	}
	return r;
}

uint32_t question_run_of(void *questions, const struct process_id *id)
{
	struct abi_member member;

	find_member(questions, id->pid, &member);
	return member.named;
}

static struct run_member member_from(const struct questions *q, uint32_t pid,
				     const struct abi_member *member)
{
	return (struct run_member){ .id = process_id_decode(pid, member->start_ns, q->ticks_per_s),
				    .run = member->named };
}

/* All in one call. */
static int list_members(const struct questions *q, struct run_member *members, uint32_t size,
			size_t *ret_n)
{
	_cleanup_free_ uint32_t *pids = calloc(size, sizeof(*pids));
	_cleanup_free_ struct abi_member *found = calloc(size, sizeof(*found));
	uint32_t n = size, place;

	if (!pids || !found)
		return -ENOMEM;
	if (bpf_map_lookup_batch(bpf_map__fd(q->bpf->listen->maps.members), NULL, &place, pids,
				 found, &n, NULL) &&
	    errno != ENOENT)
		return -errno;
	for (uint32_t i = 0; i < n; i++)
		if (found[i].named)
			members[(*ret_n)++] = member_from(q, pids[i], &found[i]);
	return 0;
}

/* By orders, which look for one key at a time: every process is asked for. */
static int find_members(const struct questions *q, struct run_member *members, uint32_t size,
			size_t *ret_n)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	struct abi_member member;
	struct dirent *entry;

	if (!proc)
		return -errno;
	while (*ret_n < size && (entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid > 0 && find_member(q, pid, &member) && member.named)
			members[(*ret_n)++] = member_from(q, (uint32_t)pid, &member);
	}
	return 0;
}

int question_run_members(void *questions, struct run_member **ret, size_t *ret_n)
{
	const struct questions *q = questions;
	uint32_t size = bpf_map__max_entries(q->bpf->listen->maps.members);
	_cleanup_free_ struct run_member *members = calloc(size, sizeof(*members));
	size_t n = 0;
	int r;

	if (!members)
		return -ENOMEM;
	r = (maps_are_ordered(&q->maps) ? find_members : list_members)(q, members, size, &n);
	if (r)
		return r;
	*ret = TAKE_PTR(members);
	*ret_n = n;
	return 0;
}

uint64_t question_lost_members(void *questions)
{
	return ((const struct questions *)questions)->bpf->listen->bss->lost_members;
}

bool question_run_lives(void *questions, uint64_t run)
{
	const struct questions *q = questions;
	struct abi_run found;

	return !maps_lookup(&q->maps, ABI_MAP_RUNS, &run, &found);
}

/* --- which of them there are --- */

void questions_fill(struct questions *q, struct kernel_source *ret)
{
	const struct sentinel_probe *probes = q->probes;

	*ret = (struct kernel_source){ .user_data = q,
				       .run_of = run_by_environment,
				       .track_socket = question_track_socket,
				       .track_process = question_track_process,
				       .track_exit = question_track_exit };
	if (probes[PROBE_PROCESS].state == SENTINEL_PROBE_WORKS &&
	    (maps_are_ordered(&q->maps) || !maps_bpf_is_refused(&q->maps))) {
		ret->begin_run = question_begin_run;
		ret->run_lives = question_run_lives;
		ret->join_run = question_join_run;
		ret->run_of = question_run_of;
		ret->run_members = question_run_members;
		ret->lost_members = question_lost_members;
	}
	if (ret->begin_run && probes[PROBE_RULES].state == SENTINEL_PROBE_WORKS) {
		ret->set_run_rules = question_set_run_rules;
		ret->set_siblings = question_set_siblings;
		ret->protect_port = question_protect_port;
		ret->names_can_be_rewritten = probes[PROBE_NAMES].state == SENTINEL_PROBE_WORKS;
	}
	if (maps_bpf_is_refused(&q->maps))
		return;
	if (q->links->holders)
		ret->open_holder_pass = question_open_holder_pass;
	if (q->links->holders && probes[PROBE_LOOK].state != SENTINEL_PROBE_REFUSED)
		ret->look = question_look;
	if (probes[PROBE_RECHECK].state != SENTINEL_PROBE_REFUSED)
		ret->recheck_descriptors = question_recheck_descriptors;
	/* the other passes say of themselves what they cannot */
	if (q->links->file_refs[ABI_FILE_REFS_TASKS])
		ret->open_reference_pass = question_open_reference_pass;
	if (probes[PROBE_WALK].state != SENTINEL_PROBE_REFUSED)
		ret->walk = question_walk;
}
