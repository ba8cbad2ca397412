/* SPDX-License-Identifier: MIT */
/*
 * The table is read from the kernel while it lives: in slices, between which events are applied and
 * questions answered.  The rule by which both hold true:
 *
 * - What is read is applied in the slice in which the kernel showed it.  So it is newer than every
 *   event that was applied before, and events that are applied later come in their order: one that
 *   is younger than it says what became of it since, one that is older only repeats how it came to
 *   be what was read.
 * - The reading began at reading_ns.  Whatever happens from then on is told by an event, or counted
 *   as lost, and then the next reading is due.  What was lost before is not told any more: so an
 *   event that is older than the reading that showed a row (row.read_ns) changes nothing of it but
 *   who did it, and one that is older than the last whole reading (read_ns) brings no row back.
 * - A row goes at the end, when everything was read: if neither the reading nor an event that is
 *   younger than its beginning has shown the socket.
 * - Nothing ends unseen: a pass tracks each socket while it holds its file, and what only the list
 *   shows is tracked and asked for once more (listing.h).
 *
 * A reading that fails leaves what it has read, and drops nothing.
 */
#ifndef INVENTORY_READING_H
#define INVENTORY_READING_H

#include "inventory/internal.h"

enum reading_kind {
	READING_PASS,	/* the holders of the rows that there are */
	READING_RESYNC, /* all: rows as well */
};

/* Begins one.  A pass that is under way gives way to a resync; else there is none yet.  0, negative
 * errno. */
int reading_begin(struct inventory *inv, enum reading_kind kind, int64_t now);

/* Goes on until that moment (CLOCK_MONOTONIC), or to its end: then there is none any more.  0,
 * negative errno: it has failed, and is ended as well. */
int reading_go_on(struct inventory *inv, uint64_t until_ns);

void reading_end(struct inventory *inv);

#endif
