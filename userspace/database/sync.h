/* SPDX-License-Identifier: MIT */
/*
 * The write-ahead log and the disk.  A commit appends to the log, which waits for nothing; that the
 * disk has it (fdatasync), and that the log is copied into the file where it has grown long (a
 * checkpoint, which syncs both), takes some milliseconds, beside somebody who writes much some
 * hundred: neither is done by the connection that everybody's questions go through.  Nor is a look
 * through a large file for damage.
 */
#ifndef DATABASE_SYNC_H
#define DATABASE_SYNC_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define SYNC_FOUND_SIZE 128

/* What a quick_check of the whole file found. */
struct sync_check {
	int error;		     /* 0; 1: damaged; negative errno */
	char found[SYNC_FOUND_SIZE]; /* the first fault */
	uint64_t took_us;
};

struct sync {
	bool ready;
	int log_fd;
	sqlite3 *checkpointer; /* a connection of its own, that reads and writes no row */
	pthread_mutex_t one;   /* is in sync_run() at a time */

	/* What both threads look at. */
	_Atomic int log_frames;
	_Atomic bool is_due;
	_Atomic int error; /* of a sync that failed; 0 = none */
	_Atomic bool check_is_wanted, check_is_done;
	struct sync_check check; /* once it is done, until it is taken */
};

/* For a database that is open and in WAL mode, by its path; NULL: it is in memory.  0, negative
 * errno; sync_deinit() in either case. */
int sync_init(struct sync *s, sqlite3 *db, const char *path);
void sync_deinit(struct sync *s);

/*
 * While the file is closed, and another one opened in its place: a thread that is about to sync
 * waits, and then syncs the new one, which has all that was committed.  sync_resume(): 0, or a
 * negative errno, and nothing can be written.
 */
void sync_suspend(struct sync *s);
int sync_resume(struct sync *s, sqlite3 *db, const char *path);

/* Behind each commit: keeps the log from growing without end where nobody syncs. */
void sync_bound_log(struct sync *s, sqlite3 *db);

/* Has the next sync that nobody waits for look through the file. */
void sync_want_check(struct sync *s);
/* Takes what that found; false where there is nothing new. */
bool sync_take_check(struct sync *s, struct sync_check *ret);

/* 0, also where what a sync could not write is in the file by now; else that sync's error. */
int sync_fault(struct sync *s, sqlite3 *db);

/* Nothing was committed that no sync_run() has begun for, and no check is wanted. */
bool sync_is_done(const struct sync *s);

/* Waits for the disk.  The one function that another thread may be in, one at a time.  0, negative
 * errno. */
int sync_run(struct sync *s);

#endif
