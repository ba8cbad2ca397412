/* SPDX-License-Identifier: MIT */
#include "database/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
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

#define PATH_SIZE  4300
#define STEP_PAGES 8 /* 32 KiB: 0.1 ms, and a write of as much */

struct backup_copy {
	sqlite3 *to;
	sqlite3_backup *pages; /* NULL: all of them are there */
	char path[];	       /* of the database */
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

bool backup_is_there(const char *path)
{
	return made_at(path) != 0;
}

bool backup_is_due(const char *path)
{
	time_t at = made_at(path), now = time(NULL);

	/* one from the future was made by a clock that was wrong */
	return !at || at > now || now - at >= BACKUP_AGE_S;
}

void backup_words(const char *path, const char *fault, char *ret, size_t size)
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

void backup_abandon(struct backup_copy *b)
{
	char name[PATH_SIZE];

	if (!b)
		return;
	sqlite3_backup_finish(b->pages);
	sqlite3_close(b->to);
	name_of(b->path, ".new", name);
	unlink(name);
	free(b);
}

struct backup_copy *backup_begin(const char *path, sqlite3 *db)
{
	struct backup_copy *b = calloc(1, sizeof(*b) + strlen(path) + 1);
	char name[PATH_SIZE];
	int rc;

	if (!b)
		return NULL;
	strcpy(b->path, path);
	name_of(path, ".new", name);
	unlink(name);
	rc = sqlite3_open_v2(name, &b->to,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			     NULL);
	/* whether it is on the disk is settled at the end; pages are written as they come */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(b->to, "PRAGMA synchronous = OFF; PRAGMA cache_size = 16", NULL,
				  NULL, NULL);
	if (rc == SQLITE_OK)
		b->pages = sqlite3_backup_init(b->to, "main", db, "main");
	if (b->pages)
		return b;
	backup_abandon(b);
	return NULL;
}

bool backup_is_copied(const struct backup_copy *b)
{
	return !b->pages;
}

/* The pages are all there: they are on their way to the disk before they are waited for. */
static void settle(struct backup_copy *b)
{
	_cleanup_close_ int fd = -1;
	char name[PATH_SIZE];

	sqlite3_backup_finish(TAKE_PTR(b->pages));
	sqlite3_close(TAKE_PTR(b->to));
	name_of(b->path, ".new", name);
	fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int backup_copy_some(struct backup_copy *b)
{
	int rc = sqlite3_backup_step(b->pages, STEP_PAGES);

	if (rc == SQLITE_DONE)
		settle(b);
	return rc == SQLITE_DONE || rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED
		       ? 0
		       : -EIO;
}

void backup_finish(struct backup_copy *b)
{
	char name[PATH_SIZE], new_name[PATH_SIZE];
	_cleanup_close_ int fd = -1;

	name_of(b->path, "", name);
	name_of(b->path, ".new", new_name);
	fd = open(new_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && fdatasync(fd) == 0)
		rename(new_name, name);
	backup_abandon(b);
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

int backup_restore(const char *path, char *ret_said, size_t size)
{
	char backup[PATH_SIZE], copy[PATH_SIZE], aside[PATH_SIZE];
	int error;

	name_of(path, "", backup);
	name_of(path, ".restored", copy);
	if (!backup_is_there(path)) {
		snprintf(ret_said, size, "there is no backup: %s is missing", backup);
		return -ENOENT;
	}
	unlink(copy);
	error = files_copy(backup, copy);
	error = error ?: mend_name_aside(path, aside, sizeof(aside));
	error = error ?: set_aside(path, aside);
	if (error == 0 && rename(copy, path) < 0)
		error = -errno;
	if (error < 0)
		return words_of_error(path, error, "", ret_said, size);
	snprintf(ret_said, size, "%s is restored from its backup; what was there is %s", path,
		 aside);
	return 0;
}
