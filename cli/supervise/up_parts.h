/* SPDX-License-Identifier: MIT */
/* What the files of up.h share: its state, and the parts that it is made of. */
#ifndef CLI_SUPERVISE_UP_PARTS_H
#define CLI_SUPERVISE_UP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/process.h"
#include "cli/client/follow.h"
#include "cli/supervise/keeper.h"
#include "cli/supervise/lines.h"
#include "cli/supervise/needs.h"
#include "cli/supervise/own_run.h"
#include "cli/supervise/up.h"

struct json_object;

struct up_service {
	const struct config_service *config;
	struct needs_node *node;
	struct own_run own;
	struct keeper keeper; /* pid 0 = it has none of ours */
	struct line_splitter lines;
	bool registered;

	bool adopted;
	int pd_fd; /* of an adopted one: of the process that looks after it; -1 = nobody does */

	int64_t begun_ms, begun_unix_us;	 /* 0 = not yet */
	bool listens, was_ready, told_elsewhere; /* ready once, be it by a trial */
	int64_t ready_ms;     /* when its listen made it ready; 0 = something else did */
	char server[64];      /* "python3, pid 4711" */
	struct follow health; /* a check that is under way; c.fd -1 = none */
	bool is_healthy;
	int64_t health_due_ms, health_pause_ms; /* of the next one; 0 = none is due */
};

/* Lines that wait for whoever reads our output: nobody is read on before they are gone. */
struct up_output {
	int fd;
	int width; /* of the longest name */
	char *bytes;
	size_t n, at, size;
	bool is_gone; /* nobody reads it any more */
};

struct up {
	const struct up_options *o;
	struct needs needs;
	struct up_service *services;
	size_t n;
	struct up_output out;
	struct follow stream;
	bool stream_begun;   /* what happens from here on is told */
	bool looks_around;   /* it is not told: the daemon is asked each second */
	int64_t look_due_ms; /* 0 = not due */
	int64_t began_ms;
	bool told_waiting, told_ready;
	int signal_fd;
	bool asked_to_end;
	int n_asked;	/* how often */
	bool failed;	/* a service did not get ready, or ended with an error */
	size_t culprit; /* the one that ends the whole; n = none */
};

/* --- up_output.c --- */

void up_output_init(struct up *u);
void up_output_deinit(struct up *u);
/* Reads what a service wrote; false when nothing is there now, or earlier lines have to go first.
 */
bool up_output_read(struct up *u, struct up_service *s);
/* Writes what it can without waiting. */
void up_output_flush(struct up *u);
bool up_output_waits(const struct up *u);
/* The last lines of a service that failed, from its log, on stderr. */
void up_output_show_last(const struct up *u, const struct up_service *s);

/* --- up_ready.c --- */

/* Follows the events of all runs from here on.  Returns when the first of them may come. */
void up_ready_follow(struct up *u);
/* Reads events that have come. */
void up_ready_read_events(struct up *u);
/* Asks the daemon who listens: where events are not told, or one may have been lost. */
void up_ready_look_around(struct up *u);
/* When the next look is due: none while the stream is there, and nobody is awaited. */
void up_ready_look_later(struct up *u);
/* Nobody waits for others, or is still to get ready. */
bool up_ready_is_settled(const struct up *u);
/* When everybody who is ready has been so for long enough to rely on it; 0 = by now. */
int64_t up_ready_lasts_at_ms(const struct up *u);
void up_ready_note_listen(struct up *u, struct up_service *s, uint16_t port, const char *comm,
			  pid_t pid);
/* Begins the check that is due, reads one that is under way. */
void up_ready_check_health(struct up *u, struct up_service *s);

/* --- up_keepers.c --- */

/* Starts one for each service that waits.  0, or the exit code of what was said. */
int up_keepers_start(struct up *u);
/* What one has told, and its end. */
void up_keepers_read(struct up *u, struct up_service *s);
/* Who looked after an adopted one has ended. */
void up_keepers_note_adopted_end(struct up *u, struct up_service *s);

/* --- up_adopt.c --- */

/*
 * One pd up of a project at a time looks at what runs and begins what does not: of two that are
 * called at once the second adopts.  A descriptor whose flock() is to be given up; -1 = none could
 * be had, and then it goes on without.
 */
int up_adopt_lock(const struct up *u);
/* Finds those that run already.  0, or the exit code of what was said. */
int up_adopt(struct up *u);

#endif
