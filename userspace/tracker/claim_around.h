/* SPDX-License-Identifier: MIT */
/* What stands around a claim that was made or refused, for what is said of it. */
#ifndef TRACKER_CLAIM_AROUND_H
#define TRACKER_CLAIM_AROUND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/process.h"
#include "explain/brief.h"
#include "registry/registry.h"

struct tracker;

/* Who is on a port of the own namespace. */
struct port_holder {
	bool seen; /* false: nobody is seen to hold it, and of what follows only the user may be
		      known */
	pid_t pid;
	char comm[PROCESS_COMM_SIZE];
	uid_t uid; /* of the process, else of a socket there; PROCESS_UID_UNKNOWN = not known */
	char where[WHY_SOCKET_SIZE]; /* as why_describe_socket() */
};

/* The oldest of those who hold it, each looked at now.  0, negative errno. */
int port_holder_find(struct tracker *t, uint16_t port, int64_t now, struct port_holder *ret);

/* A port that is not asked about is nobody's. */
struct claim_around {
	struct port_holder home; /* where the service got another port */
	struct port_holder port; /* where its server is on its port */
	struct port_holder left; /* on the port that it had, where it was moved to a named one */
	/* Whoever binds its port may be refused, by what is there or for want of a right: that is
	 * worth an explanation. */
	bool may_be_refused;
};

/* `moved`: to a port that was named.  0, negative errno. */
int claim_look_around(struct tracker *t, const struct claim_result *result, bool moved, int64_t now,
		      struct claim_around *ret);

#endif
