/* SPDX-License-Identifier: MIT */
/*
 * A port that is a way to another machine, or from one: an ssh client's forward, one that a client
 * asked sshd for, an editor's.  To end the process ends more than the port: the session in which
 * somebody works, or all that share a connection.
 */
#ifndef PROVENANCE_TUNNEL_H
#define PROVENANCE_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/process.h"

#define TUNNEL_FORWARD_SIZE 96	/* "-L 3000:localhost:80"; a longer one is not known */
#define TUNNEL_PATH_SIZE    256 /* of a control socket, likewise */

enum tunnel_kind {
	TUNNEL_NONE = 0,
	TUNNEL_SSH,	   /* ssh -L or -D, alone */
	TUNNEL_SSH_SHARED, /* the same in a connection that others share (ControlMaster) */
	TUNNEL_SSHD,	   /* of a client elsewhere: ssh -R */
	TUNNEL_EDITOR,	   /* VS Code and its kin */
};

struct tunnel {
	enum tunnel_kind kind;
	char forward[TUNNEL_FORWARD_SIZE]; /* "" = not known */
	char control[TUNNEL_PATH_SIZE];	   /* the socket of a shared one */
};

/*
 * What the process, which has the port, is of these.  `then`: the option that stood in the command
 * line when it began to listen, which ssh may have written over since; "" = not known.
 */
void tunnel_find(const struct process *process, uint16_t port, const char *then,
		 struct tunnel *ret);

/* The option of an ssh client's command line that has it listen on the port; false without one. */
bool tunnel_forward(const struct process_id *id, uint16_t port, char ret[TUNNEL_FORWARD_SIZE]);

#endif
