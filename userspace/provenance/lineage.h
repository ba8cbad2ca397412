/* SPDX-License-Identifier: MIT */
/*
 * Who started the last holders of a port, and those who were refused it.  Somebody who does that
 * again and again, and at once, is a supervisor, whatever it is called: a watchdog script, a loop
 * in Python.  Known by the kernel's events alone; where there are none, nobody is.
 *
 * It is a memory of bounded size: a port that was in use long ago makes room for others, and is
 * then as if it had never been seen.
 */
#ifndef PROVENANCE_LINEAGE_H
#define PROVENANCE_LINEAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/event.h"
#include "provenance/tunnel.h"

struct inventory;
struct lineage;

/* NULL without memory. */
struct lineage *lineage_new(void);
/* NULL is allowed. */
void lineage_free(struct lineage *l);

/*
 * Takes an event, after the inventory has: a socket that listens or is bound, a refusal because the
 * port is taken, a socket that was closed.  Others are nothing to it.
 */
void lineage_note(struct lineage *l, const struct inventory *inv, const struct event *event,
		  int64_t now_ms);

/*
 * True when `parent` is seen to start somebody again and again for this port, of whom `child`, one
 * of its own, is the last: it has started two others before, or one whose end it answered at once.
 */
bool lineage_restarts(const struct lineage *l, uint32_t netns, uint16_t port,
		      const struct process_id *parent, const struct process_id *child);

/*
 * The option by which an ssh client came to listen on the port, as it stood in its command line
 * then: in the background it writes a title over that.  "" = not known.
 */
void lineage_forward(const struct lineage *l, uint32_t netns, uint16_t port,
		     char ret[static TUNNEL_FORWARD_SIZE]);

#endif
