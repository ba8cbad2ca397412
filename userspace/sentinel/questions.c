/* SPDX-License-Identifier: MIT */
#include "sentinel/questions.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
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
		return -EOPNOTSUPP;
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
	uint8_t yes = 1;

	if (!cookie)
		return -EINVAL;
	return bpf_map_update_elem(bpf_map__fd(q->bpf->listen->maps.tracked), &cookie, &yes,
				   BPF_ANY) < 0
		       ? -errno
		       : 0;
}

static int track(const struct questions *q, const struct bpf_map *map, const struct process_id *id,
		 bool on)
{
	uint64_t start_ns = id->start_ticks * (NS_PER_S / q->ticks_per_s);
	uint32_t pid = (uint32_t)id->pid;
	int fd = bpf_map__fd(map), r;

	r = on ? bpf_map_update_elem(fd, &pid, &start_ns, BPF_ANY) : bpf_map_delete_elem(fd, &pid);
	return r < 0 && (on || errno != ENOENT) ? -errno : 0;
}

int question_track_process(void *questions, const struct process_id *id, bool on)
{
	const struct questions *q = questions;

	return track(q, q->bpf->listen->maps.holders, id, on);
}

int question_track_exit(void *questions, const struct process_id *id, bool on)
{
	const struct questions *q = questions;

	return track(q, q->bpf->listen->maps.launchers, id, on);
}

/* --- runs --- */

static int members_fd(const struct questions *q)
{
	return bpf_map__fd(q->bpf->listen->maps.members);
}

static int runs_fd(const struct questions *q)
{
	return bpf_map__fd(q->bpf->listen->maps.runs);
}

/* False, and zeroes, when it is none. */
static bool find_member(const struct questions *q, pid_t pid, struct abi_member *ret)
{
	uint32_t key = (uint32_t)pid;

	*ret = (struct abi_member){ 0 };
	return !bpf_map_lookup_elem(members_fd(q), &key, ret);
}

static int add_member(const struct questions *q, const struct process_id *id,
		      const struct abi_member *member)
{
	uint32_t pid = (uint32_t)id->pid;

	if (bpf_map_update_elem(members_fd(q), &pid, member, BPF_ANY))
		return -errno;
	if (procfs_alive(id))
		return 0;
	/* one that ended before it was named will never be told of */
	bpf_map_delete_elem(members_fd(q), &pid);
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
	if (bpf_map_update_elem(runs_fd(q), &run, &begun, BPF_NOEXIST))
		return -errno;
	member = member_of(q, run, first, outer.named);
	r = add_member(q, first, &member);
	if (r)
		bpf_map_delete_elem(runs_fd(q), &run);
	return r;
}

void question_end_run(void *questions, uint64_t run, const struct process_id *last)
{
	const struct questions *q = questions;
	uint32_t pid = (uint32_t)last->pid;

	bpf_map_delete_elem(members_fd(q), &pid);
	bpf_map_delete_elem(runs_fd(q), &run);
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
	if (bpf_map_lookup_elem(runs_fd(q), &number, &found))
		return question_begin_run(questions, run, id);
	/* Not counted in one step with what the members fork and end meanwhile: whoever joins them
	 * looks at who is there when the run is told to have ended, or was not. */
	found.members++;
	if (bpf_map_update_elem(runs_fd(q), &number, &found, BPF_EXIST))
		return -errno;
	r = add_member(q, id, &member);
	if (r) {
		found.members--;
		bpf_map_update_elem(runs_fd(q), &number, &found, BPF_EXIST);
	}
	return r;
}

uint32_t question_run_of(void *questions, const struct process_id *id)
{
	struct abi_member member;

	find_member(questions, id->pid, &member);
	return member.named;
}

int question_run_members(void *questions, struct run_member **ret, size_t *ret_n)
{
	const struct questions *q = questions;
	uint32_t size = bpf_map__max_entries(q->bpf->listen->maps.members), n = size, place;
	_cleanup_free_ uint32_t *pids = calloc(size, sizeof(*pids));
	_cleanup_free_ struct abi_member *found = calloc(size, sizeof(*found));
	struct run_member *members = calloc(size, sizeof(*members));
	size_t named = 0;

	if (!pids || !found || !members ||
	    (bpf_map_lookup_batch(members_fd(q), NULL, &place, pids, found, &n, NULL) &&
	     errno != ENOENT)) {
		int r = pids && found && members ? -errno : -ENOMEM;

		free(members);
		return r;
	}
	for (uint32_t i = 0; i < n; i++)
		if (found[i].named)
			members[named++] = (struct run_member){
				.id = process_id_decode(pids[i], found[i].start_ns, q->ticks_per_s),
				.run = found[i].named,
			};
	*ret = members;
	*ret_n = named;
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

	return !bpf_map_lookup_elem(bpf_map__fd(q->bpf->listen->maps.runs), &run, &found);
}

/* --- which of them there are --- */

void questions_fill(struct questions *q, struct kernel_source *ret)
{
	const struct sentinel_probe *probes = q->probes;

	*ret = (struct kernel_source){ .user_data = q,
				       .track_socket = question_track_socket,
				       .track_process = question_track_process,
				       .track_exit = question_track_exit };
	if (probes[PROBE_PROCESS].state == SENTINEL_PROBE_WORKS) {
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
	}
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
