/* SPDX-License-Identifier: MIT */
/*
 * Services × sockets → status.  Pure: facts in, verdicts out, no I/O, no clock, no allocation.
 */
#ifndef RECONCILE_STATUS_H
#define RECONCILE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/process.h"
#include "inventory/inventory.h"
#include "registry/registry.h"

#define RECONCILE_STALE_AGE_S (30 * 60)

/* How reconcile looks up what is known of a process; NULL when nothing is. */
typedef const struct process *(*process_lookup)(const struct process_id *id, void *user_data);

/* … and for whom a holder has the port, which is asked of one that does not fit by itself. */
typedef void (*behalf_lookup)(const struct process *holder, uint16_t port,
			      struct process_behalf *ret);

struct status_sources {
	process_lookup process;
	behalf_lookup behalf;		/* NULL = of nobody is that known */
	void *user_data;		/* of process() */
	const char *(*user)(uid_t uid); /* what a user is called; NULL = by number */
};

/*
 * The launcher that has left a process behind: of the ancestors in its own session the first that
 * has ended by a signal or with an error, such as a killed npm, or the shell of a terminal that was
 * closed.  NULL when there is none.  A launcher that left with success has done its work, who calls
 * setsid() wants to stay, and who ignores SIGHUP outlives its shell on purpose.
 */
const struct process_ancestor *process_left_behind_by(const struct process *process);

/* "npm start (94120), which was killed at 2:02pm". */
#define LAUNCHER_WORDS_SIZE 160
const char *launcher_words(const struct process_ancestor *launcher,
			   char ret[static LAUNCHER_WORDS_SIZE]);

#define STATUS_REASON_SIZE 256

struct status_verdict {
	enum service_status status;
	const struct socket_row *socket; /* that decided; NULL when none did; borrowed from rows */
	struct process_id process;	 /* the holder that decided; pid 0 = none */
	/* the kernel is closing the descriptors of its killed holder; `status` is still the one
	 * before */
	bool ending;
	/* beside a socket of the claim's own, the first that is somebody else's, and its holder */
	const struct socket_row *strange_socket; /* NULL = there is none */
	struct process_id stranger;		 /* pid 0 = hidden */
	char reason[STATUS_REASON_SIZE];	 /* one clause for the activity and for find */
};

/*
 * The status of a claim from the sockets on its port (all rows of the port in the own netns).
 * Several sockets, each judged by itself: active wins over orphaned, orphaned over squatted, and a
 * stranger's is kept beside it.  Without a serving socket:
 * ghost when it was ever active, else claimed; stale when nothing was seen for stale_age_s.
 */
void reconcile_service(const struct service *claim, const struct socket_row *const *rows, size_t n,
		       const struct status_sources *sources, int64_t now, int64_t stale_age_s,
		       struct status_verdict *ret);

/* The verdict of one of these sockets alone, which serves (socket_serves()). */
void reconcile_socket(const struct service *claim, const struct socket_row *row,
		      const struct status_sources *sources, struct status_verdict *ret);

/*
 * "vite (30) of user 100 listens on 127.0.0.2:3100 as well, and is not of this claim" in ret
 * (STATUS_WARNING_SIZE bytes); false, and "", where the verdict knows of no stranger.
 */
#define STATUS_WARNING_SIZE 256
bool status_warning(const struct status_verdict *verdict, const struct status_sources *sources,
		    char ret[STATUS_WARNING_SIZE]);

enum orphan_reason {
	ORPHAN_NOT = 0,	     /* not an orphan row */
	ORPHAN_IN_RANGE,     /* listens in the range that services are given */
	ORPHAN_ONCE_CLAIMED, /* listens on a port that somebody claimed before */
};

/* A live listener that no claim accounts for: is it a row of `pd find`? */
enum orphan_reason reconcile_orphan(const struct socket_row *row, struct port_range range,
				    bool port_is_claimed, bool ever_claimed);
const char *orphan_reason_text(enum orphan_reason reason);

#endif
