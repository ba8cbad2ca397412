/* SPDX-License-Identifier: MIT */
/*
 * What loading the BPF object needs from the system around it: tracefs, the root of cgroup v2, the
 * state of lockdown, and libbpf's words kept off stderr.  Private to the room.
 */
#ifndef SENTINEL_BPF_LOAD_H
#define SENTINEL_BPF_LOAD_H

#include <stdbool.h>

/*
 * Mounts tracefs at its usual place where it is not mounted: without it no syscall tracepoint can
 * be attached.  0, negative errno.
 */
int bpf_load_mount_tracefs(void);

/* Where it is mounted; static storage. */
const char *bpf_load_tracefs(void);

/* A descriptor on the root of the cgroup v2 hierarchy, wherever it is mounted; negative errno. */
int bpf_load_open_cgroup_root(void);

/* lockdown=confidentiality refuses every program that can read the kernel's memory. */
bool bpf_load_probing_is_allowed(void);

/*
 * False where the kernel refuses programs on its functions whatever they are.  Where it refuses
 * some of them, or never runs them, only the attempt shows it.
 */
bool bpf_load_functions_can_be_traced(void);

/*
 * What this kernel lacks that the objects cannot do without, but for that of bpf/listen_5_10.bpf.c;
 * in words.  NULL = nothing that is known of.
 */
const char *bpf_load_missing(void);

/* Can programs of cgroups see what those before them answered (bpf_get_retval)? */
bool bpf_load_answers_can_be_seen(void);

/*
 * libbpf's messages go nowhere, but the first warning since the last reset is kept: it names the
 * cause, the later ones what followed from it.  Each thread has its own.  "" when there was none.
 */
void bpf_load_capture_messages(void);
void bpf_load_reset_message(void);
const char *bpf_load_message(void);

#endif
