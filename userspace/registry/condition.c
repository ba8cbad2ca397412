/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "registry/internal.h"
#include "registry/words.h"

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
			 "%s; run `pd daemon stop`, then restore the file from a copy or remove it",
			 check->found);
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

	if (sync_take_check(r, &check))
		note_check(r, &check, now);
	if (checked->at && now >= checked->at && now < checked->again_at)
		return;
	if (is_large(r)) {
		sync_want_check(r);
		return;
	}
	check.error = registry_check(r, check.found, sizeof(check.found));
	check.took_us = clock_us(CLOCK_MONOTONIC) - began_us;
	note_check(r, &check, now);
}

const char *registry_condition(struct registry *r, int error, int64_t now, const char **ret_detail)
{
	int lost = registry_files_check(r);

	check_when_due(r, now);
	if (lost || error) {
		*ret_detail = registry_strerror(r, lost ? lost : error);
		return lost ? "lost" : "damaged";
	}
	*ret_detail = r->checked.error ? r->checked.detail : "";
	return r->checked.error ? "damaged" : "healthy";
}
