/* SPDX-License-Identifier: MIT */
/*
 * The two BPF objects: one listens (bpf/listen.bpf.c), one answers (bpf/ask.bpf.c).  They share no
 * map, and are loaded at the same time: half of the time of a load goes into relocations and half
 * into the verifier, and two processors can do that at once.  Private to the room.
 *
 * Where the kernel has no bpf_loop() the one that listens is that of bpf/listen_5_10.bpf.c, which
 * has the same maps, programs and variables, and nothing answers.
 */
#ifndef SENTINEL_BPF_OBJECTS_H
#define SENTINEL_BPF_OBJECTS_H

#include "ask.skel.h"
#include "listen.skel.h"
#include "listen_5_10.skel.h"
#include "sentinel/probes.h"

struct bpf_objects {
	enum sentinel_trace trace; /* whose programs they have */
	struct portdaddy_listen *listen;
	struct portdaddy_ask *ask;
};

/*
 * Loads what the kernel takes.  Where it does not take everything each probe is tried alone, to
 * find out which are refused and why: those are marked.  0, and both objects are there, though
 * perhaps without programs; negative errno.
 *
 * *ret_types_refused: why the kernel's types that were kept were not used (kernel_types.h); NULL.
 */
int bpf_objects_load(enum sentinel_trace trace, struct sentinel_probe *probes,
		     struct bpf_objects *ret, const char **ret_types_refused);

/*
 * Lets go of every descriptor that no question and no rule uses, once all is attached, mapped and
 * proved: the programs go on, and their own maps are theirs alone.  Whoever takes the daemon over
 * finds what questions.c and rules.c write, and nothing else.
 */
void bpf_objects_let_go(const struct bpf_objects *objects);

/* Takes NULLs. */
void bpf_objects_destroy(struct bpf_objects *objects);

/* A program of either object by its name, which is one of enum probe's. */
struct bpf_program *bpf_objects_program(const struct bpf_objects *objects, const char *name);

#endif
