/* SPDX-License-Identifier: MIT */
#include "database/wal.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "database/files.h"
#include "database/mend.h"

/* https://www.sqlite.org/fileformat.html section 4; all numbers are big-endian. */
enum {
	MAGIC = 0x377f0682, /* the lowest bit: checksums are made of big-endian words */
	HEADER_BYTES = 32,
	HEADER_PAGE_SIZE = 8,
	HEADER_SALT = 16,
	HEADER_CHECKSUM = 24,
	FRAME_BYTES = 24, /* in front of each page */
	FRAME_COMMIT = 4, /* pages of the database behind this commit; 0 = it is none */
	FRAME_SALT = 8,
	FRAME_CHECKSUM = 16,
	SUMMED_BYTES = 8,  /* of a frame's header */
	PAGE_BYTES = 4096, /* of ours, where the header does not tell */
	PAGE_MAX_BYTES = 65536,
	SALT_BYTES = 8,
	RESETS_MAX = 65536, /* since a frame was written that is still there */
	PATH_SIZE = 4300,
};

struct wal {
	int fd;
	bool header_holds, big_endian;
	size_t page_bytes;
	unsigned char salt[SALT_BYTES];
	uint32_t sum[2];
	unsigned char frame[FRAME_BYTES + PAGE_MAX_BYTES];
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t le32(const unsigned char *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void add_sum(struct wal *w, const unsigned char *bytes, size_t n)
{
	uint32_t (*read)(const unsigned char *) = w->big_endian ? be32 : le32;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		w->sum[0] += read(bytes + i) + w->sum[1];
		w->sum[1] += read(bytes + i + 4) + w->sum[0];
	}
}

static bool sum_is(const struct wal *w, const unsigned char *checksum)
{
	return w->sum[0] == be32(checksum) && w->sum[1] == be32(checksum + 4);
}

static bool read_frame(struct wal *w, off_t n)
{
	size_t size = FRAME_BYTES + w->page_bytes;

	return pread(w->fd, w->frame, size, HEADER_BYTES + n * (off_t)size) == (ssize_t)size;
}

/* False for a log that is empty.  Of one whose header is damaged the first frame tells the salt. */
static bool read_header(struct wal *w)
{
	unsigned char header[HEADER_BYTES];

	if (pread(w->fd, header, sizeof(header), 0) != sizeof(header))
		return false;
	w->big_endian = be32(header) & 1;
	w->page_bytes = be32(header + HEADER_PAGE_SIZE);
	add_sum(w, header, HEADER_CHECKSUM);
	w->header_holds = (be32(header) & ~1u) == MAGIC && sum_is(w, header + HEADER_CHECKSUM) &&
			  w->page_bytes >= 512 && w->page_bytes <= PAGE_MAX_BYTES;
	if (!w->header_holds)
		w->page_bytes = PAGE_BYTES;
	if (!read_frame(w, 0))
		return false;
	memcpy(w->salt, w->header_holds ? header + HEADER_SALT : w->frame + FRAME_SALT, SALT_BYTES);
	return true;
}

static bool is_of_this_log(const struct wal *w)
{
	return memcmp(w->frame + FRAME_SALT, w->salt, SALT_BYTES) == 0;
}

/*
 * What lies behind the last frame of a log is what an earlier one left there, whose salt began with
 * a lower number: SQLite counts it up whenever it begins the log anew.  Zeros were never written.
 */
static bool is_of_an_earlier_log(const struct wal *w)
{
	uint32_t began = be32(w->frame + FRAME_SALT), resets = be32(w->salt) - began;

	return (resets && resets < RESETS_MAX) || !(began | be32(w->frame + FRAME_SALT + 4));
}

/* Of the frame that was read, behind those before it. */
static bool holds(struct wal *w)
{
	add_sum(w, w->frame, SUMMED_BYTES);
	add_sum(w, w->frame + FRAME_BYTES, w->page_bytes);
	return is_of_this_log(w) && sum_is(w, w->frame + FRAME_CHECKSUM);
}

/* How many commits are behind the first frame that does not hold, itself included.  The last frame
 * of a log is always one, also when its own header is damaged. */
static int count_lost(struct wal *w, off_t *ret_frame)
{
	bool ended = !w->header_holds, last_is_damaged = false;
	int lost = 0;

	*ret_frame = 0;
	for (off_t n = 0; read_frame(w, n); n++) {
		if (!ended && !holds(w)) {
			ended = true;
			*ret_frame = n;
		}
		if (ended && is_of_this_log(w) && be32(w->frame + FRAME_COMMIT))
			lost++;
		if (is_of_this_log(w))
			last_is_damaged = false;
		else if (!is_of_an_earlier_log(w))
			last_is_damaged = true;
	}
	return lost + last_is_damaged;
}

void wal_check(const char *path, char *ret_said, size_t size)
{
	struct wal w = { .fd = -1 };
	_cleanup_close_ int fd = -1;
	char name[PATH_SIZE], aside[PATH_SIZE];
	off_t frame;
	int lost, error;

	*ret_said = '\0';
	if (snprintf(name, sizeof(name), "%s-wal", path) >= (int)sizeof(name))
		return;
	w.fd = fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || !read_header(&w))
		return;
	lost = count_lost(&w, &frame);
	if (!lost)
		return;
	snprintf(ret_said, size,
		 "%s was damaged, or cut by a loss of power, at byte %lld: %d commit%s from there "
		 "on %s lost",
		 name,
		 (long long)(w.header_holds
				     ? HEADER_BYTES + frame * (off_t)(FRAME_BYTES + w.page_bytes)
				     : 0),
		 lost, lost == 1 ? "" : "s", lost == 1 ? "is" : "are");
	error = mend_name_aside(name, aside, sizeof(aside));
	error = error ?: files_copy(name, aside);
	if (error == 0)
		snprintf(ret_said + strlen(ret_said), size - strlen(ret_said),
			 "; a copy of it is %s (remove it when nothing of it is needed)", aside);
	else
		snprintf(ret_said + strlen(ret_said), size - strlen(ret_said),
			 "; no copy of it was made: %s", strerror(-error));
}
