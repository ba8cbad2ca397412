/* SPDX-License-Identifier: MIT */
#include "database/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "database/mend.h"
#include "database/words.h"

/* Frames of the log after which it is checkpointed, and begins anew. */
#define CHECKPOINT_FRAMES 1000
/* 16 MB: then it is done at once, in the thread that commits, for the other one is not at it. */
#define LOG_FRAMES_MAX 4000

static int on_committed(void *user_data, sqlite3 *db, const char *schema, int frames)
{
	struct sync *s = user_data;

	s->log_frames = frames;
	s->is_due = true;
	return SQLITE_OK;
}

/* Its log is found by the path, at the first read. */
static int open_checkpointer(const char *path, sqlite3 **ret)
{
	int rc = sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(*ret, "PRAGMA schema_version", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0
			       : words_errno_of_sqlite(rc, *ret ? sqlite3_system_errno(*ret) : 0);
}

static int attach(struct sync *s, sqlite3 *db, const char *path)
{
	_cleanup_free_ char *log = NULL;

	if (!path) /* what is in memory is on no disk */
		return 0;
	if (asprintf(&log, "%s-wal", path) < 0) {
		log = NULL;
		return -ENOMEM;
	}
	s->log_fd = open(log, O_RDONLY | O_CLOEXEC);
	if (s->log_fd < 0)
		return -errno;
	sqlite3_wal_hook(db, on_committed, s);
	return open_checkpointer(path, &s->checkpointer);
}

static void detach(struct sync *s)
{
	sqlite3_close(TAKE_PTR(s->checkpointer));
	closep(&s->log_fd);
	s->log_fd = -1;
	s->log_frames = 0;
	s->error = 0;
	s->check_is_wanted = false;
	s->check_is_done = false;
}

int sync_init(struct sync *s, sqlite3 *db, const char *path)
{
	s->log_fd = -1;
	s->ready = true;
	pthread_mutex_init(&s->one, NULL);
	return attach(s, db, path);
}

void sync_suspend(struct sync *s)
{
	pthread_mutex_lock(&s->one);
	detach(s);
}

int sync_resume(struct sync *s, sqlite3 *db, const char *path)
{
	int error = attach(s, db, path);

	s->error = error;
	pthread_mutex_unlock(&s->one);
	return error;
}

void sync_deinit(struct sync *s)
{
	if (!s->ready)
		return;
	detach(s);
	pthread_mutex_destroy(&s->one);
	s->ready = false;
}

void sync_bound_log(struct sync *s, sqlite3 *db)
{
	if (s->log_frames >= LOG_FRAMES_MAX)
		sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/*
 * The kernel tells of a page that it could not write once, and takes it for written from then on:
 * to sync again proves nothing.  What the log has is copied into the file, and the log emptied.
 */
int sync_fault(struct sync *s, sqlite3 *db)
{
	if (s->error &&
	    sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
		    SQLITE_OK &&
	    fdatasync(s->log_fd) == 0)
		s->error = 0;
	return s->error;
}

void sync_want_check(struct sync *s)
{
	s->check_is_wanted = true;
}

bool sync_take_check(struct sync *s, struct sync_check *ret)
{
	if (!s->check_is_done)
		return false;
	*ret = s->check;
	s->check_is_done = false;
	return true;
}

bool sync_is_done(const struct sync *s)
{
	return !s->is_due && !s->check_is_wanted;
}

/* What was found before and nobody has taken stays. */
static void look_through(struct sync *s)
{
	uint64_t began_us = clock_us(CLOCK_MONOTONIC);
	struct sync_check check = { 0 };

	s->check_is_wanted = false;
	if (s->check_is_done || !s->checkpointer)
		return;
	check.error = mend_check(s->checkpointer, check.found);
	if (check.error == -EUCLEAN)
		check.error = 1;
	sqlite3_db_release_memory(s->checkpointer);
	check.took_us = clock_us(CLOCK_MONOTONIC) - began_us;
	s->check = check;
	s->check_is_done = true;
}

int sync_run(struct sync *s)
{
	int error;

	pthread_mutex_lock(&s->one);
	s->is_due = false;
	error = s->log_fd < 0 ? -EUCLEAN : fdatasync(s->log_fd) < 0 ? -errno : 0;
	if (error < 0)
		s->error = error;
	/* what fails here is tried again behind the next commit */
	else if (s->log_frames >= CHECKPOINT_FRAMES)
		sqlite3_wal_checkpoint_v2(s->checkpointer, "main", SQLITE_CHECKPOINT_PASSIVE, NULL,
					  NULL);
	if (s->check_is_wanted && !s->is_due)
		look_through(s);
	pthread_mutex_unlock(&s->one);
	return error;
}
