/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is asked for (base/kernel_source.h), on the backend on BPF.  Each question
 * answers -EOPNOTSUPP where its probe is refused.  Private to the room.
 */
#ifndef SENTINEL_QUESTIONS_H
#define SENTINEL_QUESTIONS_H

#include "base/kernel_source.h"
#include "sentinel/maps.h"

struct abi_recheck;
struct bpf_objects;
struct probe_links;
struct sentinel_probe;

/* The first argument of each question.  The pointers of the first three lines are borrowed. */
struct questions {
	const struct bpf_objects *bpf;
	const struct probe_links *links;
	const struct sentinel_probe *probes; /* by enum probe */
	uint64_t ticks_per_s;
	struct maps maps;
	const struct abi_walk_answer *answer; /* the walk's map */
	struct abi_recheck *recheck;	      /* that of the re-check */
};

/* Once the objects are loaded: maps what they answer into this process.  0, negative errno. */
int questions_map_answers(struct questions *q);
/* Takes what was not mapped. */
void questions_unmap_answers(struct questions *q);

/* Those whose probes are not refused, with q as their user_data. */
void questions_fill(struct questions *q, struct kernel_source *ret);

int question_open_holder_pass(void *questions);
int question_look(void *questions, struct abi_look *look);
int question_walk(void *questions, const struct abi_walk *asked,
		  const struct abi_walk_answer **ret);
int question_recheck_descriptors(void *questions, struct abi_hold *holds, size_t n);
int question_open_reference_pass(void *questions, unsigned pass, const uint64_t *files, size_t n);
int question_track_socket(void *questions, uint64_t cookie);
int question_track_process(void *questions, const struct process_id *id, bool track);
int question_track_exit(void *questions, const struct process_id *id, bool track);
int question_begin_run(void *questions, uint64_t run, const struct process_id *first);
/* Takes back a begin_run() whose process has forked nothing and stays. */
void question_end_run(void *questions, uint64_t run, const struct process_id *last);
bool question_run_lives(void *questions, uint64_t run);
int question_join_run(void *questions, uint32_t run, const struct process_id *id);
uint32_t question_run_of(void *questions, const struct process_id *id);
int question_run_members(void *questions, struct run_member **ret, size_t *ret_n);
uint64_t question_lost_members(void *questions);

#endif
