/* SPDX-License-Identifier: MIT */
/*
 * A process that has a port for a container: killing it cuts the container off, and the engine has
 * to be asked, which may be a user's own.
 *
 * Like supervisors (supervisor.h) they are recognized by names and arguments, which any program can
 * give itself; so whose engine is asked is the process's own user: nobody names another's
 * container.
 */
#ifndef PROVENANCE_ENGINE_H
#define PROVENANCE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "base/process.h"

#define CONTAINER_HEX	  64 /* digits of a container's full id */
#define CONTAINER_ID_SIZE 13 /* the short form, 12 digits, that docker and podman print */

/* A port on which an engine listens for itself. */
struct engine_own_port {
	const char *what;  /* "API" */
	const char *close; /* how it is closed, as an advice */
};

struct engine_forward {
	const char *engine;		   /* "docker", "podman"; static */
	uid_t uid;			   /* whose engine it is */
	bool lists_by_port;		   /* its ps has --filter publish=PORT */
	const struct engine_own_port *own; /* the engine's own port, of no container; NULL = none */
	char container[CONTAINER_ID_SIZE]; /* "" = the command line does not tell */
	uint8_t family;			   /* of addr; 0 = … where it goes */
	struct net_addr addr;
	uint16_t port;
	uint8_t host_family; /* of host_addr; 0 = … on which it is published */
	struct net_addr host_addr;
};

/* True when the process has the port for a container, or is the engine: docker-proxy, conmon, … */
bool engine_forward_find(const struct process *process, uint16_t port, struct engine_forward *ret);

/* Reads "-container-ip A … -container-port N" of a command line; false where it is not there. */
bool engine_forward_parse(const char *cmdline, struct engine_forward *ret);

/* Does it begin with the 64 digits of a container's full id, and nothing more of that kind? */
bool engine_is_container_id(const char *s);

#endif
