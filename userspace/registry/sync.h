/* SPDX-License-Identifier: MIT */
/*
 * The write-ahead log and the disk.  A commit appends to the log, which waits for nothing; that the
 * disk has it (fdatasync), and that the log is copied into the file where it has grown long (a
 * checkpoint, which syncs both), takes some milliseconds, beside somebody who writes much some
 * hundred: neither is done by the connection that everybody's questions go through.  Nor is a look
 * through a large file for damage.
 *
 * Private to the room; registry_sync() is the rest of it.
 */
#ifndef REGISTRY_SYNC_H
#define REGISTRY_SYNC_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct registry;

#define SYNC_FOUND_SIZE 128

/* What a quick_check of the whole file found. */
struct sync_check {
	int error;		     /* as of registry_check() */
	char found[SYNC_FOUND_SIZE]; /* the first fault */
	uint64_t took_us;
};

struct sync {
	bool ready;
	int log_fd;
	sqlite3 *checkpointer; /* a connection of its own, that reads and writes no row */
	pthread_mutex_t one;   /* is in registry_sync() at a time */

	/* What both threads look at. */
	_Atomic int log_frames;
	_Atomic bool is_due;
	_Atomic int error; /* of a sync that failed; 0 = none */
	_Atomic bool check_is_wanted, check_is_done;
	struct sync_check check; /* once it is done, until it is taken */
};

/* For a database that is open and in WAL mode, by its path.  0, negative errno; sync_deinit() in
 * either case. */
int sync_init(struct registry *r, const char *path);
void sync_deinit(struct registry *r);

/*
 * While the file is closed, and another one opened in its place: a thread that is about to sync
 * waits, and then syncs the new one, which has all that was committed.  sync_resume(): 0, or a
 * negative errno, and nothing can be written.
 */
void sync_suspend(struct registry *r);
int sync_resume(struct registry *r, const char *path);

/* Behind each commit: keeps the log from growing without end where nobody syncs. */
void sync_bound_log(struct registry *r);

/* Has the next sync that nobody waits for look through the file. */
void sync_want_check(struct registry *r);
/* Takes what that found; false where there is nothing new. */
bool sync_take_check(struct registry *r, struct sync_check *ret);

/* 0, also where what a sync could not write is in the file by now; else that sync's error. */
int sync_check(struct registry *r);

#endif
