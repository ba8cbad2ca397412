/* SPDX-License-Identifier: MIT */
/*
 * The BPF object, loaded as two halves: what listens (with the pass over all holders, which tracks
 * sockets as the listening programs do), and what else is asked.  Half of the time of a load goes
 * into relocations and half into the verifier, and two processors can do that at the same time.
 * Each half is an instance of the same object without the other's programs and maps; they share
 * nothing.  Private to the room.
 */
#ifndef SENTINEL_BPF_HALVES_H
#define SENTINEL_BPF_HALVES_H

#include "portdaddy.skel.h"
#include "sentinel/probes.h"

struct halves {
	struct portdaddy_bpf *listening, *asked;
};

/*
 * Loads what the kernel takes.  Where it does not take everything each probe is tried alone, to
 * find out which are refused and why: those are marked.  0, negative errno.
 */
int halves_load(struct sentinel_probe *probes, struct halves *ret);

/* Takes NULLs. */
void halves_destroy(struct halves *h);

/* The object that has the programs of this probe. */
struct bpf_object *halves_object(const struct halves *h, enum probe probe);

#endif
