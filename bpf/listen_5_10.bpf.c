/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The object of listen.bpf.c for kernels without bpf_loop(), 5.10 to 5.16: the same programs, but
 * for the pass over all holders, with the helpers that 5.10 has.  What that makes different stands
 * beside what it is different from: shorter walks, a wake-up for each record instead of a timer,
 * listeners tracked by their cookies.
 */
#define HELPERS_OF_5_10
#include "listen.bpf.c"
