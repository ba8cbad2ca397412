/* SPDX-License-Identifier: MIT */
/*
 * What happened: the kernel's events, in order of arrival.
 *
 * A sentinel uses the better of two backends that works here.  sentinel_bpf.c loads the BPF object
 * program by program, keeps what really loads *and fires*, and hands out events from the ring
 * buffer. sentinel_poll.c is the backend without BPF: it has no events of its own, only a
 * descriptor that becomes readable when a TCP or UDP socket was destroyed and once in
 * SENTINEL_POLL_MS, and asks its user to resync.  Callers see one interface.
 *
 * Lifecycle: sentinel_new() needs the privileges; everything after it works with no capability.
 */
#ifndef SENTINEL_SENTINEL_H
#define SENTINEL_SENTINEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/event.h"
#include "base/kernel_source.h"

struct sentinel;

#define SENTINEL_POLL_MS    1000
#define SENTINEL_TYPES_FILE "kernel-types"

enum sentinel_mode { SENTINEL_MODE_POLL = 0, SENTINEL_MODE_BPF };

/*
 * By what the BPF backend sees calls that are refused: a ladder, the best first.  What went well it
 * sees in any case.
 */
enum sentinel_trace {
	SENTINEL_TRACE_NONE = 0, /* no BPF at all: polling */
	SENTINEL_TRACE_AUTO,	 /* the first of the following two that works */
	SENTINEL_TRACE_FEXIT,	 /* the functions of the kernel that bind and listen */
	SENTINEL_TRACE_SYSCALLS, /* the system calls' tracepoints: all other calls get slower */
	SENTINEL_TRACE_HOOKS,	 /* nothing: only where neither is wanted */
	_SENTINEL_TRACE_MAX
};

/* The word for it, as --trace takes it and `pd status` shows it. */
const char *sentinel_trace_name(enum sentinel_trace trace);
/* False for a word that is none, or that says not to use BPF. */
bool sentinel_trace_parse(const char *name, enum sentinel_trace *ret);
/* Which refused calls are not seen by it, one clause; "" = all are, or none is traced. */
const char *sentinel_trace_unseen(enum sentinel_trace trace);

enum sentinel_probe_state {
	SENTINEL_PROBE_REFUSED = 0, /* did not load or attach: see `reason` */
	SENTINEL_PROBE_SILENT,	    /* attached, but its proof never arrived */
	SENTINEL_PROBE_WORKS,	    /* its proof arrived */
};

/* One probe of the backend as `pd status` names it. */
struct sentinel_probe {
	const char *name;     /* "bind" "listen" "set_state" "pre_bind" "post_bind" "process" … */
	const char *attached; /* "tp/syscalls/sys_enter_bind", … */
	const char *blind;    /* what is not seen without it, one clause */
	enum sentinel_probe_state state;
	char reason[96]; /* why refused; "" otherwise */
};

/* What keeps the sentinel from using BPF; what a user can do about it differs. */
enum sentinel_obstacle {
	SENTINEL_OBSTACLE_NONE = 0,
	SENTINEL_OBSTACLE_CHOICE,	 /* forbidden by the caller */
	SENTINEL_OBSTACLE_USER,		 /* an ordinary user may not */
	SENTINEL_OBSTACLE_PID_NAMESPACE, /* the kernel's pids are not those of this process's /proc
					  */
	SENTINEL_OBSTACLE_KERNEL,
	_SENTINEL_OBSTACLE_MAX
};

struct sentinel_report {
	enum sentinel_mode mode;
	enum sentinel_obstacle obstacle;
	enum sentinel_trace trace; /* what is in use */
	const struct sentinel_probe *probes;
	int n_probes;
	const char *why_not_bpf;   /* poll mode: the reason in words; else NULL */
	const char *why_not_fexit; /* BPF mode, where something else was chosen: likewise */
	/* why what was kept of the kernel's types was not used, but made anew; else NULL */
	const char *types_refused;
	bool orders; /* the kernel is told by them: bpf() is refused from here on */
};

struct sentinel_counters {
	uint64_t events;       /* delivered to the handler */
	uint64_t lost;	       /* dropped in the kernel: ring full, map full */
	uint64_t failed_reads; /* BPF helpers that failed */
	uint64_t malformed;    /* records that user space refused */
	uint64_t left_out;     /* refusals of users who have more of them than is recorded */
};

/* Called for each event; the event and what it points to are borrowed for the call. */
typedef void (*sentinel_handler)(const struct event *event, void *user_data);

/*
 * Where the kernel's types, as far as the programs need them, are kept from one sentinel_new() to
 * the next (SENTINEL_TYPES_FILE): a descriptor of a directory, which has to last as long.  Without
 * one, or without root, they are picked from all of the kernel's each time.
 */
void sentinel_keep_types_in(int directory);

/*
 * Uses the BPF backend where it works, else polling; calls are traced in this way and in no other.
 * Proves each probe with events of its own (binds sockets on loopback, port chosen by the kernel),
 * which are not delivered later.  0, or a negative errno when not even polling works.
 */
int sentinel_new(enum sentinel_trace trace, struct sentinel **ret);
void sentinel_free(struct sentinel *s);

const struct sentinel_report *sentinel_report(const struct sentinel *s);
struct sentinel_counters sentinel_counters(const struct sentinel *s);

/* A descriptor that polls readable when there is something to dispatch; borrowed. */
int sentinel_fd(const struct sentinel *s);

/* How much one call delivers; what is left makes sentinel_fd() readable still. */
struct sentinel_slice {
	/*
	 * Up to the first event that happened after this moment (CLOCK_BOOTTIME).  Every event of
	 * before has been delivered then: its record was begun before that one's.  0 = no such end.
	 */
	uint64_t until_ns;
	uint64_t budget_ns; /* of this thread's time, the handler's included; 0 = no such end */
};

/*
 * Delivers what is there and within the slice (NULL = everything), without blocking.  *ret_resync
 * becomes true when events were lost since the last call, or (poll backend) when the table must be
 * read anew: the caller answers with a full pass.  0, or a negative errno.
 */
int sentinel_dispatch(struct sentinel *s, const struct sentinel_slice *slice,
		      sentinel_handler handler, void *user_data, bool *ret_resync);

/*
 * What the kernel can be asked for on this backend; nothing on the poll backend.  Borrowed; valid
 * as long as the sentinel.
 */
const struct kernel_source *sentinel_kernel_source(const struct sentinel *s);

#endif
