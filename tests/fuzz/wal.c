/* SPDX-License-Identifier: MIT */
/* SQLite's log, as whoever owns the database has left it. */
#include "fuzz/fuzz.h"

/* for a log that is open */
#include "database/wal.c"

int fuzz(const uint8_t *bytes, size_t size)
{
	static struct wal w; /* 64 kB */
	off_t frame = 0, frames;
	int lost;

	memset(&w, 0, sizeof(w));
	w.fd = fuzz_file(bytes, size);
	if (read_header(&w)) {
		must(w.page_bytes >= 512 && w.page_bytes <= PAGE_MAX_BYTES);
		frames = ((off_t)size - HEADER_BYTES) / (FRAME_BYTES + (off_t)w.page_bytes);
		lost = count_lost(&w, &frame);
		must(lost >= 0 && lost <= frames + 1 && frame >= 0 && frame <= frames);
	}
	close(w.fd);
	return 0;
}
