/* SPDX-License-Identifier: MIT */
/* Room in SQLite's write-ahead log ahead of what is written there.  Private to the room. */
#ifndef REGISTRY_WAL_H
#define REGISTRY_WAL_H

#include <stdbool.h>

#include <sqlite3.h>

/* Frames after which the log's pages go into the database, and the log begins anew. */
#define WAL_CHECKPOINT_PAGES "1000"
/* The log keeps its blocks up to here: the frames above, and a large commit beyond them. */
#define WAL_KEEP_BYTES "4456448"

/*
 * Makes the log a step longer, with zeros, until it is as long as it may stay.  A sync of what lies
 * in blocks that the file has already writes these blocks; one that makes the file longer writes
 * the inode and the block map as well, and takes two to five times as long.
 *
 * Only inside of a write transaction: nobody else writes the log then.  False when there is nothing
 * more to do: it is long enough, or there is no room on the disk.
 */
bool wal_extend(sqlite3 *db);

#endif
