/* SPDX-License-Identifier: MIT */
/*
 * A pass: who holds which socket, of all processes, read in parts.  What is found goes into the
 * table at once, in the part in which the kernel showed it.  Between the parts events are applied,
 * and single processes are looked at (look.c); so each descriptor that is known of a holder
 * bears the number of the pass or look that found it, and the newest counts.
 */
#ifndef INVENTORY_PASS_H
#define INVENTORY_PASS_H

#include <dirent.h>

#include "inventory/internal.h"

struct holders_pass;

struct pass {
	struct inventory *inv;
	bool create;	 /* rows for sockets that have none, and what it shows of those that have */
	int64_t now;	 /* Unix seconds */
	uint64_t number; /* table.pass when it began */
	struct holders_pass *stream;
	DIR *proc;		/* where there is no iterator */
	struct process process; /* the newest description, until its first holder takes it */
	bool has_process;
};

/* Opens the iterator, or /proc; number and members below are set.  0, negative errno. */
int pass_begin(struct pass *pass);
void pass_deinit(struct pass *pass);

/* The next part, some hundred descriptors.  0, negative errno. */
int pass_next(struct pass *pass, bool *ret_more);

/*
 * Behind the last part, for each row: drops the holders that it has not shown.  `forget` those as
 * well whose end is yet to be told: events were lost, and it may be among them.
 */
void pass_sweep_row(struct pass *pass, struct row *row, bool forget);

/* --- what a pass and a look share --- */

struct found_fd {
	int number;
	bool is_private; /* in a table of a thread's own */
};

/* `pass` is the number of the pass or look that found it.  0, -ENOMEM. */
int pass_found_fd(struct table *t, uint64_t pass, struct row *row, struct proc *proc,
		  const struct found_fd *fd);
/* The same in /proc. */
int pass_found_link(struct table *t, uint64_t pass, struct row *row, const struct process_id *id,
		    int fd);

/* How far it is on its way out: asked once in a pass, however many sockets it may hold. */
enum process_stage pass_stage(const struct table *t, struct proc *proc);

/*
 * Has it ended, and will the kernel side's EXIT say so?  What happened before that end is in the
 * ring as well, ahead of it, and a refusal there asks who held the socket: so it stays a holder,
 * without descriptors, until it is told.  Of those that only we had tracked nothing may come.
 */
bool pass_end_is_yet_to_be_told(const struct table *t, struct proc *proc);

#endif
