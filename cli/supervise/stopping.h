/* SPDX-License-Identifier: MIT */
/* Whom pd stop is to end: the holders of a port, and the members of a service's runs. */
#ifndef CLI_SUPERVISE_STOPPING_H
#define CLI_SUPERVISE_STOPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/identity.h"
#include "base/process.h"
#include "base/user.h"

struct command_line;
struct json_object;

struct stopping_process {
	struct process_id id;
	char comm[PROCESS_COMM_SIZE];
	uid_t uid;	/* PROCESS_UID_UNKNOWN = not known */
	int generation; /* below the others that are to be ended; 0 = a root */
	char why[64];	/* "listens on 127.0.0.1:3000" */
	/* Why it is not to be ended; NULL = it is.  Static storage or the target's. */
	const char *spared;
};

struct stopping {
	char name[IDENTITY_MAX + 16]; /* "port 3000", "shop:web" */
	char service[IDENTITY_MAX + 1];
	uint32_t run;	    /* that was named; 0 = those of the service */
	uint16_t port;	    /* 0 = it has none */
	bool udp;	    /* some of its sockets are */
	bool own;	    /* all that is to be ended is of the caller's own claim or run */
	const char *nobody; /* what to say where there is none */
	char near[IDENTITY_MAX + 1];	  /* the claim that was meant by a name that none has; "" */
	char hidden[USER_NAME_SIZE];	  /* whose process is not seen, and has it; "" = nobody's */
	struct json_object *restarted_by; /* NULL = nobody would */
	char way_out[512];		  /* the engine's or manager's own command; "" = none */

	struct stopping_process *list;
	size_t n, n_holders; /* the holders come first */
	uint32_t *runs;
	size_t n_runs;
	bool with_runs; /* of the port's service as well */
};

/* Reads "3000", ":3000", a service's name or a run's; as check_port(). */
int stopping_read(const struct command_line *line, const char *text, struct stopping *ret);
void stopping_deinit(struct stopping *s);

/* Looks, by the daemon and in /proc, who it is now.  0, or the exit code of what was said. */
int stopping_find(struct stopping *s, bool json);

/* Adds members that its runs have got since.  0, negative errno. */
int stopping_look_at_runs(struct stopping *s);

/* Is any holder of the port another than those that were found? */
bool stopping_has_changed(const struct stopping *s);
/*
 * Until the kernel has taken the last socket apart, two seconds at most.  A protected port that
 * nothing holds is free for whom it is kept.
 */
bool stopping_await_free(const struct stopping *s, bool *ret_protected);

/* Tells the daemon that pd ends its runs; whatever it says. */
void stopping_tell_runs(const struct stopping *s, const char *state);
/* On stderr: who would start it again, and the command that stops that instead. */
void stopping_tell_restarter(const struct stopping *s, bool json);
void stopping_tell_who_holds_it(const struct stopping *s);

#endif
