/* SPDX-License-Identifier: MIT */
/* What the activity says of runs, in entries of the action RUN. */
#ifndef RUNS_RUN_ENTRIES_H
#define RUNS_RUN_ENTRIES_H

struct activity_writer;
struct event;
struct run;

void run_entry_begun(struct activity_writer *w, const struct run *run);

/* The run is in another state now; `cause`: the listen that made it ready, NULL where none is
 * known. */
void run_entry_state(struct activity_writer *w, const struct run *run, const struct event *cause);

/* `last`: the end of its last process, with the exit code; NULL where nobody saw it. */
void run_entry_ended(struct activity_writer *w, const struct run *run, const struct event *last);

#endif
