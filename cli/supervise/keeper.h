/* SPDX-License-Identifier: MIT */
/*
 * A keeper is a process of pd's that looks after one service: it registers the run, starts the
 * command when it is told to, writes what that says into the service's log, starts it again where
 * it is to be, and ends what it leaves behind.  It has a session of its own and does not need the
 * pd that started it: when that ends, the service goes on as after pd up -d.
 *
 * All that the service writes goes to the pd that started the keeper as well, as long as there is
 * one: when that does not read on, the service waits.
 *
 * Nothing wakes it while the service runs and says nothing.
 */
#ifndef CLI_SUPERVISE_KEEPER_H
#define CLI_SUPERVISE_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/run.h"

struct config_start;

#define KEEPER_HASH_VARIABLE "PORT_DADDY_START" /* of what a service was started as */

/* What it is to look after; borrowed. */
struct keeper_plan {
	const char *service;
	uint16_t port;
	const struct config_start *start;
	const char *directory;	/* of the file that the service is in */
	char *const *variables; /* "NAME=VALUE" of all services; ends with NULL */
};

enum keeper_event {
	KEEPER_REGISTERED = 1, /* `run`, `followed`, and the ports as own_run.h has them */
	KEEPER_RESTARTS,       /* it failed with `status`; it begins again after `pause_ms` */
	KEEPER_DETACHED,       /* it ended with success, and others of the run live on */
	KEEPER_LOG_LOST,       /* the log cannot be written: `error` */
	KEEPER_ENDED,	       /* with `status`, and nobody is left; the keeper's last word */
};

struct keeper_message {
	enum keeper_event event;
	uint32_t run;
	int status; /* as waitpid() has it */
	int error;
	int64_t pause_ms;
	bool followed;
	bool rewritten;
	size_t n_hardcoded;
	struct run_hardcoded hardcoded[RUN_HARDCODED_MAX];
	bool gave_up;	 /* KEEPER_ENDED: after too many restarts */
	bool on_request; /* KEEPER_ENDED: by pd down, or pd stop */
};

struct keeper {
	pid_t pid;	/* our child */
	int control_fd; /* messages; readable at its end as well */
	int output_fd;	/* what the service writes; does not block */
};

/* Starts one, which registers itself.  0, negative errno. */
int keeper_new(const struct keeper_plan *plan, struct keeper *ret);
/* Lets it begin. */
void keeper_go(const struct keeper *k);
/* The next message: 1; 0 when the keeper has ended; -EAGAIN while there is none. */
int keeper_read(const struct keeper *k, struct keeper_message *ret);
/* Lets go of it: it goes on by itself.  One that was not let begin ends. */
void keeper_close(struct keeper *k);

#endif
