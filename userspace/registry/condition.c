/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "database/words.h"
#include "registry/internal.h"

/* A commit takes a few pages of the log; with less than that the next one fails. */
#define ROOM_BYTES (16 * 4096)

/*
 * A quick_check reads the whole file, 5 ms for each MB of it: made again after this, however often
 * somebody asks, and after a thousand times as long as the last one took.  Where it takes longer
 * than others are to wait, the thread makes it that syncs, and what is said meanwhile is what the
 * last one found.
 */
#define CHECK_EVERY_S	  5
#define CHECK_SHARE	  1000
#define CHECK_HERE_FRAMES 256 /* of 4 kB: a MB */

static void note_check(struct registry *r, const struct sync_check *check, int64_t now)
{
	struct registry_checked *checked = &r->checked;

	checked->error = check->error;
	if (check->error < 0)
		words_of_error(r->files.paths[0], check->error, "", checked->detail,
			       sizeof(checked->detail));
	else
		snprintf(checked->detail, sizeof(checked->detail),
			 "%s; what can be read moves into a new file at the next question",
			 check->found);
	r->damaged = r->damaged || check->error > 0;
	checked->at = now;
	checked->again_at = now + CHECK_EVERY_S + (int64_t)(check->took_us * CHECK_SHARE / 1000000);
}

static bool is_large(const struct registry *r)
{
	struct stat st;

	return stat(r->files.paths[0], &st) < 0 ||
	       st.st_size / 4096 + r->sync.log_frames > CHECK_HERE_FRAMES;
}

static void check_when_due(struct registry *r, int64_t now)
{
	const struct registry_checked *checked = &r->checked;
	uint64_t began_us = clock_us(CLOCK_MONOTONIC);
	struct sync_check check = { 0 };

	if (sync_take_check(&r->sync, &check))
		note_check(r, &check, now);
	if (checked->at && now >= checked->at && now < checked->again_at)
		return;
	if (is_large(r)) {
		sync_want_check(&r->sync);
		return;
	}
	check.error = registry_check(r, check.found, sizeof(check.found));
	check.took_us = clock_us(CLOCK_MONOTONIC) - began_us;
	note_check(r, &check, now);
}

/*
 * Is there no room for the next commit?  A quota's end is only known from the last one; on a disk
 * that was full there may be room by now.
 */
static bool is_full(const struct registry *r, int error)
{
	struct statvfs fs;
	uint64_t blocks;

	if (error == -EDQUOT || r->full == -EDQUOT)
		return true;
	if (statvfs(r->path, &fs))
		return error == -ENOSPC;
	blocks = geteuid() == 0 ? fs.f_bfree : fs.f_bavail;
	return blocks * fs.f_frsize < ROOM_BYTES;
}

static const char *say(const char *state, const char *detail, const char **ret_detail)
{
	*ret_detail = detail;
	return state;
}

const char *registry_condition(struct registry *r, int error, int64_t now, const char **ret_detail)
{
	int lost = registry_files_check(r);

	if (*r->refused)
		return say("damaged", r->refused, ret_detail);
	check_when_due(r, now);
	if (lost)
		return say("lost", registry_strerror(r, lost), ret_detail);
	if (is_full(r, error)) {
		words_of_error(r->path, -ENOSPC, "", r->words, sizeof(r->words));
		return say("full", r->words, ret_detail);
	}
	if (error)
		return say("damaged", registry_strerror(r, error), ret_detail);
	if (r->checked.error)
		return say("damaged", r->checked.detail, ret_detail);
	return say("healthy", r->mended ? r->news : "", ret_detail);
}
