/* SPDX-License-Identifier: MIT */
/*
 * What a backend (sentinel_bpf.c, sentinel_poll.c) gives to backend.c and sentinel.c.  Private to
 * the room.  A backend embeds struct sentinel as its first member and allocates itself; everything
 * that it does goes through its ops.
 */
#ifndef SENTINEL_BACKEND_H
#define SENTINEL_BACKEND_H

#include "sentinel/sentinel.h"

#define BACKEND_PROBES_MAX 20
#define BACKEND_WHY_SIZE   160

struct sentinel_ops {
	void (*free)(struct sentinel *s);
	int (*fd)(const struct sentinel *s);
	int (*dispatch)(struct sentinel *s, const struct sentinel_slice *slice,
			sentinel_handler handler, void *user_data, bool *ret_resync);
	struct sentinel_counters (*counters)(const struct sentinel *s);
};

struct sentinel {
	const struct sentinel_ops *ops;
	struct sentinel_report report;
	struct kernel_source kernel; /* filled by the backend, with itself as user_data */
	struct sentinel_probe probes[BACKEND_PROBES_MAX]; /* what report.probes points to */
	char why_not_bpf[BACKEND_WHY_SIZE];
	char why_not_fexit[BACKEND_WHY_SIZE];
};

/*
 * What is known after an attempt to use BPF, also when that failed: the state of each probe, and
 * why the backend as a whole cannot be used.
 */
struct backend_attempt {
	struct sentinel_probe probes[BACKEND_PROBES_MAX];
	int n_probes;
	char why[BACKEND_WHY_SIZE];
	const char *types_refused; /* of the first attempt, which made them anew; else NULL */
};

/* Traces by `trace` alone, which is neither none nor auto.  0, or a negative errno with the reason
 * in attempt->why. */
int sentinel_bpf_new(enum sentinel_trace trace, struct backend_attempt *attempt,
		     struct sentinel **ret);
int sentinel_poll_new(struct sentinel **ret);

/* The sockets whose events prove the probes; see proof.c. */
struct proof {
	int tcp, rival, refused, udp;
	uint64_t cookie; /* of tcp */
	uint16_t port;	 /* of tcp, host order */
	bool listens;	 /* that it does was told */
};
#define PROOF_NONE                                               \
	(struct proof)                                           \
	{                                                        \
		.tcp = -1, .rival = -1, .refused = -1, .udp = -1 \
	}

/* A bind and a listen that are refused, a listener, a bound UDP socket; loopback, kernel's ports.
 */
int proof_open_sockets(struct proof *proof);
void proof_close_sockets(struct proof *proof);
/*
 * Are arguments and result found where the programs look for them?  A refusal has to have the port
 * and the error of those that were caused, and the success before it is told as one.
 */
void proof_note_listener(struct proof *proof, const struct event *e);
bool proof_is_refusal(const struct proof *proof, const struct event *e);

/* A child that is sent SIGTERM, and ends by that; waits for it.  0, negative errno. */
int proof_run_child(pid_t *ret);

#endif
