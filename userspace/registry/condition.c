/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/clock.h"
#include "registry/internal.h"

/*
 * A quick_check reads the whole file, 5 ms for each MB of it, and everybody else waits meanwhile:
 * made again after this, however often somebody asks, and after a thousand times as long as the
 * last one took, so that it holds the loop for a thousandth of the time at most.
 */
#define CHECK_EVERY_S	 5
#define CHECK_SHARE	 1000
#define CHECK_FAULT_SIZE 128 /* of what quick_check finds first */

static void check_when_due(struct registry *r, int64_t now)
{
	struct registry_checked *checked = &r->checked;
	uint64_t began_us = clock_us(CLOCK_MONOTONIC), took_us;
	char found[CHECK_FAULT_SIZE] = "";

	if (checked->at && now >= checked->at && now < checked->again_at)
		return;
	checked->error = registry_check(r, found, sizeof(found));
	if (checked->error < 0)
		snprintf(checked->detail, sizeof(checked->detail), "%s",
			 registry_strerror(r, checked->error));
	else
		snprintf(checked->detail, sizeof(checked->detail),
			 "%s; run `pd daemon stop`, then restore the file from a copy or remove it",
			 found);
	took_us = clock_us(CLOCK_MONOTONIC) - began_us;
	checked->at = now;
	checked->again_at = now + CHECK_EVERY_S + (int64_t)(took_us * CHECK_SHARE / 1000000);
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
