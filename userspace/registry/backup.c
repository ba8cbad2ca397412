/* SPDX-License-Identifier: MIT */
#include "registry/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/own_pd.h"
#include "database/files.h"
#include "database/mend.h"
#include "database/words.h"
#include "registry/internal.h"

#define PATH_SIZE  4300
#define STEP_PAGES 8	  /* 32 KiB: 0.1 ms, and a write of as much */
#define STEP_MS	   20	  /* 1.6 MB a second: nobody notices */
#define LOOK_MS	   600000 /* whether the next one is due */
#define SETTLE_MS  5000	  /* the disk writes it meanwhile: a sync of all would hold the loop */

struct registry_backup {
	sqlite3 *to;
	sqlite3_backup *copy; /* NULL: all pages are there */
};

/* "…/port-registry.backup.db" for "…/port-registry.db", with `more` behind it. */
static void name_of(const char *path, const char *more, char ret[PATH_SIZE])
{
	size_t n = strlen(path);

	if (n > 3 && !strcmp(path + n - 3, ".db"))
		n -= 3;
	snprintf(ret, PATH_SIZE, "%.*s.backup.db%s", (int)n, path, more);
}

/* When it was made; 0 = there is none. */
static time_t made_at(const char *path)
{
	char name[PATH_SIZE];
	struct stat st;

	name_of(path, "", name);
	return stat(name, &st) == 0 && S_ISREG(st.st_mode) && st.st_size ? st.st_mtime : 0;
}

bool registry_has_backup(const char *path)
{
	return made_at(path) != 0;
}

void registry_backup_words(const char *path, const char *fault, char *ret, size_t size)
{
	time_t at = made_at(path);
	char pd[OWN_PD_SIZE], when[32];
	struct tm tm;

	if (!at) {
		snprintf(ret, size,
			 "%s, and no backup is there yet, so claims are refused: stop the daemon "
			 "(`pd daemon stop`), then restore the file from a copy or move it away",
			 fault);
		return;
	}
	localtime_r(&at, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	snprintf(ret, size,
		 "%s, so claims are refused: `%.120s daemon restore` goes back to the backup of %s",
		 fault, own_pd(pd), when);
}

/* --- making one --- */

void registry_backup_abandon(struct registry *r)
{
	char name[PATH_SIZE];

	if (!r->backup)
		return;
	sqlite3_backup_finish(r->backup->copy);
	sqlite3_close(r->backup->to);
	free(TAKE_PTR(r->backup));
	name_of(r->path, ".new", name);
	unlink(name);
}

static int begin(struct registry *r)
{
	char name[PATH_SIZE];
	int rc;

	name_of(r->path, ".new", name);
	unlink(name);
	r->backup = calloc(1, sizeof(*r->backup));
	if (!r->backup)
		return -ENOMEM;
	rc = sqlite3_open_v2(name, &r->backup->to,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			     NULL);
	/* whether it is on the disk is settled at the end; pages are written as they come */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(r->backup->to, "PRAGMA synchronous = OFF; PRAGMA cache_size = 16",
				  NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		r->backup->copy = sqlite3_backup_init(r->backup->to, "main", r->db, "main");
	return r->backup->copy ? 0 : -EIO;
}

/* The pages are all there: they are on their way to the disk before they are waited for. */
static void settle(struct registry *r)
{
	_cleanup_close_ int fd = -1;
	char name[PATH_SIZE];

	sqlite3_backup_finish(TAKE_PTR(r->backup->copy));
	sqlite3_close(TAKE_PTR(r->backup->to));
	name_of(r->path, ".new", name);
	fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* Takes the place of the last one, unless the original has turned out to be damaged. */
static void finish(struct registry *r)
{
	char name[PATH_SIZE], new_name[PATH_SIZE];
	_cleanup_close_ int fd = -1;

	name_of(r->path, "", name);
	name_of(r->path, ".new", new_name);
	fd = open(new_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && !r->damaged && !r->checked.error && fdatasync(fd) == 0)
		rename(new_name, name);
	registry_backup_abandon(r);
}

static int copy_some(struct registry *r)
{
	int rc;

	/* what is not committed yet is no part of it */
	if (r->batch != BATCH_NONE || r->reading)
		return STEP_MS;
	rc = sqlite3_backup_step(r->backup->copy, STEP_PAGES);
	if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return STEP_MS;
	if (rc == SQLITE_DONE) {
		settle(r);
		return SETTLE_MS;
	}
	registry_backup_abandon(r); /* a full disk: later */
	return LOOK_MS;
}

int registry_backup_step(struct registry *r)
{
	time_t at = made_at(r->path), now = time(NULL);

	if (*r->refused || r->damaged)
		return LOOK_MS;
	if (r->backup && r->backup->copy)
		return copy_some(r);
	if (r->backup) {
		finish(r);
		return LOOK_MS;
	}
	/* one from the future was made by a clock that was wrong */
	if (at && at <= now && now - at < REGISTRY_BACKUP_AGE_S)
		return LOOK_MS;
	if (begin(r) < 0) {
		registry_backup_abandon(r);
		return LOOK_MS;
	}
	return STEP_MS;
}

/* --- going back to it --- */

/* Whatever is left at the path, and its log, which would be taken for the backup's. */
static int set_aside(const char *path, const char *aside)
{
	static const char *const suffixes[] = { "-wal", "-shm", "" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		char from[PATH_SIZE], to[PATH_SIZE];

		snprintf(from, sizeof(from), "%s%s", path, suffixes[i]);
		snprintf(to, sizeof(to), "%s%s", aside, suffixes[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

int registry_restore(const char *path, char *ret_said, size_t size)
{
	char backup[PATH_SIZE], copy[PATH_SIZE], aside[PATH_SIZE];
	int error;

	name_of(path, "", backup);
	name_of(path, ".restored", copy);
	if (!registry_has_backup(path)) {
		snprintf(ret_said, size, "there is no backup: %s is missing", backup);
		return -ENOENT;
	}
	unlink(copy);
	error = files_copy(backup, copy);
	if (error == 0)
		error = mend_name_aside(path, aside, sizeof(aside));
	if (error == 0)
		error = set_aside(path, aside);
	if (error == 0 && rename(copy, path) < 0)
		error = -errno;
	if (error < 0)
		return words_of_error(path, error, "", ret_said, size);
	snprintf(ret_said, size, "%s is restored from its backup; what was there is %s", path,
		 aside);
	return 0;
}
