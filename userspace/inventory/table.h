/* SPDX-License-Identifier: MIT */
/*
 * The table itself: rows by cookie, by inode and by port, processes by pid and start time, and the
 * links between the two.  Knows no descriptor and no clock; events.c, settle.c and reading.c decide
 * what stands in it.
 *
 * A process lives as long as a row names it (as holder or binder).  Without a row it waits in a
 * bounded queue, because the kernel describes a process once, before its first socket, and not
 * again when it binds the next one.
 */
#ifndef INVENTORY_TABLE_H
#define INVENTORY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table that cannot grow refuses the row instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/portset.h"
#include "inventory/changes.h"
#include "inventory/inventory.h"
#include "inventory/port_rows.h"

#define TABLE_IDLE_MAX	     512 /* processes without a row, alive: about 700 kB at most */
#define PROC_IDLE_FORKS_MAX  64	 /* then it is not watched any more; two events for each */
#define TABLE_IDLE_GONE	     64	 /* processes without a row, ended: for the entry about their end */
#define ROW_LEAVING_MAX	     4	 /* of a crowd that is killed, one of the last closes the socket */
#define HOLDER_FDS_FORGOTTEN UINT16_MAX /* fd_count of one that is being looked at again */

struct launcher;
struct launcher_link;

struct row {
	struct socket_row view; /* what others see; first */
	size_t holders_size;
	uint32_t file_refs;   /* references to the struct file as last read; 0 = not read */
	uint32_t referenced;  /* of those, by what is no descriptor; 0 again at the next look */
	uint32_t unexplained; /* of those, what even a full pass found no descriptor for */
	uint32_t found_fds;   /* descriptors of all holders together */
	uint32_t n_looked;    /* holders that have any: the others were not looked at yet */
	uint32_t binder_link; /* as holder.link, of the binder */
	/* CLOCK_MONOTONIC of the last full pass made for this row, or of any walk of /proc; 0 =
	 * none */
	uint64_t passed_ms;
	uint8_t passes;	     /* made since it was unsettled */
	uint8_t fruitless;   /* passes in a row that found nobody, or not everybody; see settle.c */
	uint64_t asked_turn; /* inventory.turn of the last re-check that it was in; 0 = none */
	bool answered;	     /* all its holders did, and explain all its references */
	bool unsettled;
	bool looked;	  /* all its holders were looked at since it was unsettled */
	bool tracked;	  /* the kernel side reports its CLOSE */
	bool confirmed;	  /* a list that is being read shows it */
	uint64_t read_ns; /* CLOCK_BOOTTIME when the last reading that has shown it began */
	struct process_id leaving[ROW_LEAVING_MAX]; /* former holders that ended, newest first */
	uint64_t left_ms;			    /* CLOCK_MONOTONIC when the newest did */
	struct alias *alias;			    /* MPTCP only */
	struct port_links on_port;
	struct row *unsettled_prev, *unsettled_next;
	UT_hash_handle hh, hh_inode;
};

/* The cookie of an MPTCP socket, whose row is keyed by that of the TCP subflow with the port. */
struct alias {
	uint64_t cookie;
	bool both_tracked;
	struct row *row;
	UT_hash_handle hh;
};

/* struct process_id without its padding, which a hash must not see. */
struct proc_key {
	uint64_t start_ticks;
	uint64_t pid;
};

struct proc {
	struct proc_key key;
	struct process process;
	struct row **rows; /* that name it, in no order */
	uint32_t n_rows, rows_size;
	bool described; /* more than the identity is known */
	bool exited;
	bool tracked;	   /* the kernel side reports its FORK, EXEC and EXIT */
	bool tracked_here; /* because we asked: nobody else takes it back */
	bool untracked_once;
	bool look_wanted;
	uint64_t looked_turn;		 /* inventory.turn of the last look at it; 0 = none */
	uint64_t asked_pass;		 /* table.pass in which was asked how far it is; 0 = none */
	enum process_stage stage;	 /* the answer */
	struct launcher_link *launchers; /* of one that has rows: see launchers.h */
	uint8_t n_launchers;
	uint8_t n_failed;   /* launchers of its chain that did not end with success */
	uint8_t idle_forks; /* made without a row, by it and by those it descends from */
	struct proc *look_prev, *look_next;
	struct proc *idle_prev, *idle_next;
	UT_hash_handle hh;
};

struct table {
	struct row *by_cookie;
	struct row *by_inode;
	struct alias *aliases;
	struct row **by_port; /* PORTSET_END roots of rows in order of cookie */
	struct portset ports; /* those that have any */
	struct row *unsettled;
	struct proc *procs;
	uint64_t pass; /* the number of the last look at processes, at all or at one; from 1 */
	struct launcher *launchers;
	struct launcher *new_launchers; /* that the kernel side does not know */
	struct launcher_ends {
		struct process_id *servers;
		size_t n, size;
	} launcher_ends;      /* that were not taken yet: see inventory_next_launcher_end() */
	struct proc *looks;   /* processes to look at */
	struct proc *idle[2]; /* without a row: alive, ended; oldest first */
	size_t n_idle[2];
	struct changes changes;
	const struct kernel_source *kernel; /* borrowed; to untrack what is forgotten */
};

int table_new(const struct kernel_source *kernel, struct table **ret);
void table_free(struct table *t);

/* --- rows (table.c) --- */

/* By cookie, also an MPTCP socket's own; NULL when there is none. */
struct row *table_find(const struct table *t, uint64_t cookie);
struct row *table_find_inode(const struct table *t, uint64_t inode);
/* By cookie, else by inode where that is not 0: one file is one socket to those who hold it. */
struct row *table_find_socket(const struct table *t, uint64_t cookie, uint64_t inode);

/* As inventory_next(). */
struct row *table_next(const struct table *t, struct inventory_place *place);

/* Adds a row with these facts (no holders, no binder).  The cookie must be new.  0, -ENOMEM. */
int table_add_row(struct table *t, const struct socket_row *facts, struct row **ret);
/* Takes it out of every index, frees it, notes the change. */
void table_remove_row(struct table *t, struct row *row);

/* Moves a row to its port. */
void table_place_row(struct table *t, struct row *row, uint32_t netns, uint16_t port);

/*
 * A socket with this cookie, inode (0 = unknown) and protocol was seen: finds the row that stands
 * for it.  Joins MPTCP socket and subflow, and drops a row whose inode now belongs to another
 * socket.  *ret is NULL when the socket is new.  0, -ENOMEM.
 */
int table_match(struct table *t, uint64_t cookie, uint64_t inode, uint16_t protocol,
		struct row **ret);

void table_unsettle(struct table *t, struct row *row);
void table_settle(struct table *t, struct row *row);

/* --- one row (rows.c) --- */

void table_note(struct table *t, const struct row *row);
/* Where among the holders it is, or would be: they stand in order of age. */
size_t row_place_of_holder(const struct row *row, const struct process_id *id);
struct holder *row_holder(const struct row *row, const struct process_id *id);
/* A holder of the row has ended; its descriptors are about to be closed. */
void row_note_leaving(struct row *row, const struct process_id *id, uint64_t now_ms);
/* A descriptor of one of the row's holders was found. */
void row_add_fd(struct row *row, struct holder *holder, int fd);
/* The holder is to be looked at again; who then has no descriptor is none. */
void row_forget_fds(struct row *row, struct holder *holder);
/* Descriptors found so far; *ret_all (may be NULL): every holder has been looked at. */
uint32_t row_found_fds(const struct row *row, bool *ret_all);
/* It has holders, all were looked at, and no reference is open that a full pass could explain. */
bool row_is_settled(const struct row *row);
/* Computes `complete` anew; notes a change. */
void row_count_refs(struct table *t, struct row *row);

/* --- holders (holders.c) --- */

/* Finds or adds, by age; a new one has not been looked at.  *ret may be NULL.  0, -ENOMEM. */
int row_add_holder(struct table *t, struct row *row, struct proc *proc, struct holder **ret);
void row_drop_holder(struct table *t, struct row *row, struct proc *proc);
int row_set_binder(struct table *t, struct row *row, struct proc *proc);

/* --- processes (processes.c) --- */

/* How far it is on its way out. */
enum process_stage table_stage(const struct table *t, const struct process_id *id);
struct proc *table_proc(const struct table *t, const struct process_id *id);
/* Finds or adds (described only by its identity).  0, -ENOMEM. */
int table_get_proc(struct table *t, const struct process_id *id, struct proc **ret);
/*
 * The row names it from now on, as holder or binder; once for both.  *ret_link: where in
 * proc->rows, kept up to date in holder.link and row.binder_link.  0, -ENOMEM.
 */
int proc_link(struct table *t, struct proc *proc, struct row *row, uint32_t *ret_link);
void proc_unlink(struct table *t, struct proc *proc, uint32_t link);
void proc_set_exited(struct table *t, struct proc *proc);
void proc_want_look(struct table *t, struct proc *proc);
void proc_unwant_look(struct table *t, struct proc *proc);
/* Has the kernel side report its FORK, EXEC and EXIT, or not any more. */
void table_track_id(const struct table *t, const struct process_id *id, bool track);
void proc_track(struct table *t, struct proc *proc);
void proc_untrack(struct table *t, struct proc *proc);

/*
 * Takes a newer description of the same process.  What the newer one lacks is kept, and so is a
 * chain of ancestors that the newer one merely continues: a parent's end may not cut it.
 */
void proc_describe(struct table *t, struct proc *proc, const struct process *newer);
/* A child as it is right after fork(): everything its parent's but the identity. */
void proc_inherit(struct proc *child, const struct proc *parent);
/* Describes it from /proc; false when it is not there any more. */
bool proc_describe_from_procfs(struct table *t, struct proc *proc);

#endif
