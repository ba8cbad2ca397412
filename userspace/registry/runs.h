/* SPDX-License-Identifier: MIT */
/*
 * Runs as they are stored: so that a daemon that comes after this one finds their members again.
 * Those that have not ended are in memory as well, newest first, and a service that is read has the
 * list of its own (struct service), for a member of one of them always fits its claim.
 *
 * What is in memory is what is: where a batch is undone, a run is there all the same, and the next
 * daemon does not know it.
 */
#ifndef REGISTRY_RUNS_H
#define REGISTRY_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/identity.h"
#include "base/process.h"
#include "base/run.h"

struct registry;

enum run_state {
	RUN_STARTING = 0, /* nothing of it has listened yet */
	RUN_READY,	  /* a member listens */
	RUN_DETACHED,	/* its command has ended with success and left a server behind on purpose */
	RUN_UNATTENDED, /* the pd that started it has ended and said nothing */
	RUN_ENDING,	/* pd ends its members */
	_RUN_STATE_MAX
};

/* "starting", … static storage. */
const char *run_state_name(enum run_state state);
/* The state of a name, or -1. */
int run_state_of_name(const char *name);

struct run {
	struct run *next;		/* older */
	uint32_t number;		/* base/run.h */
	uint32_t outer;			/* the run that its pd is a member of; 0 = none */
	char service[IDENTITY_MAX + 1]; /* "" = of none */
	uint16_t port;			/* that was claimed for it; 0 = none */
	uid_t uid;
	struct process_id pd; /* that started it; pid 0: of an earlier boot */
	int64_t since;
	enum run_state state;
	uint64_t project; /* run_project(); 0 = of none */
	bool has_rules;	  /* the kernel side knows them: not stored */
	bool transparent; /* its program is told the ports that it has asked for; by this kernel */
	size_t n_hardcoded;
	struct run_hardcoded hardcoded[RUN_HARDCODED_MAX];
};

/* The port that the program of a run has asked for where it has this one; 0 = the same, also where
 * this kernel rewrites none. */
uint16_t run_asked_port(const struct run *run, uint16_t port);
/* The other way round: the port that it is given for one that it asks for; 0 = it is not. */
uint16_t run_port_for(const struct run *run, uint16_t asked);
/* Is it ready when it listens on this port?  Another one may be a debugger's, or what its program
 * chose by itself; of a run without a claim any will do. */
bool run_is_served_by(const struct run *run, uint16_t port);

/* Reads those of this boot into memory; 0, negative errno. */
int registry_runs_load(struct registry *r);

/* The newest, NULL = there is none.  Borrowed until one is added or removed. */
struct run *registry_runs(const struct registry *r);
/* The run of a number; NULL. */
struct run *registry_run(const struct registry *r, uint32_t number);
/* run_asked_port() for a member of the run of that number, 0 = of none; UDP is never given another.
 */
uint16_t registry_asked_port(const struct registry *r, uint32_t run, uint16_t protocol,
			     uint16_t port);
/* Is it a run of that service, or does it have its port for a hard-coded one? */
bool run_is_of(const struct run *run, const char *service, uint16_t port);
/* The newest that has not ended of a service that has this port, as run_is_of() says; NULL. */
const struct run *registry_run_of_service(const struct registry *r, const char *service,
					  uint16_t port);

/* Adds a copy, in the open batch.  0, negative errno. */
int registry_run_add(struct registry *r, const struct run *run);
int registry_run_set_state(struct registry *r, uint32_t number, enum run_state state);
int registry_run_remove(struct registry *r, uint32_t number);

#endif
