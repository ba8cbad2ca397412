/* SPDX-License-Identifier: MIT */
/*
 * Sockets, processes and their holders as JSON.
 *
 * The privacy rule: what a process was told (command line) and where it works (cwd, exe) is shown
 * to root and to the process's own user; pid, name and user are everybody's to see, as in ps.
 */
#ifndef API_VIEW_H
#define API_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/cgroup.h"
#include "api/json.h"
#include "inventory/inventory.h"
#include "sentinel/sentinel.h"

struct request;

/* The name of a user, digits where there is none, NULL for PROCESS_UID_UNKNOWN.  Static storage,
 * valid until the next call. */
const char *view_user_name(uid_t uid);
/* The user of a name, or of a number.  False when there is none. */
bool view_user_id(const char *name, uid_t *ret);

/* May `viewer` see what belongs to `owner`? */
bool view_may_see(uid_t viewer, uid_t owner);

/* One process on one of the sockets; everything borrowed from the inventory. */
struct holding {
	const struct holder *holder;
	const struct socket_row *socket; /* the first of its sockets */
	const char *via;		 /* how, where not by a descriptor of its own; else NULL */
};

/*
 * Every process that holds one of the sockets, once, oldest first.  serving: sockets that serve
 * only.  *ret is the caller's: free().  0, -ENOMEM.
 */
int view_holdings(const struct socket_row *const *rows, size_t n, bool serving,
		  struct holding **ret, size_t *ret_n);

/*
 * All rows of a port, netns 0 = of all namespaces, after the holders of each were looked at: what
 * is shown is alive.  *ret is the caller's: free(); the rows are borrowed until the inventory
 * changes. 0, negative errno.
 */
int view_rows_of_port(struct inventory *inv, uint32_t netns, uint16_t port,
		      const struct socket_row ***ret, size_t *ret_n);

/* What Node.js (24 and newer) names its main thread, and with it the process: no name for people.
 */
#define VIEW_NODE_THREAD "MainThread"

/* What is known of a process, from the inventory or else from /proc; false when nothing is.  Its
 * comm is that of its program where it is VIEW_NODE_THREAD. */
bool view_describe(const struct inventory *inv, const struct process_id *id, struct process *ret);

/* Where the process runs, from its cgroup. */
void view_cgroup(const struct process_id *id, struct cgroup_owner *ret);

/* Words for the state letter of /proc/PID/stat: "running", "stopped", …; NULL for 0 and unknown. */
const char *view_state_name(char state);

/* A probe as `pd status` names it. */
struct json_object *view_probe(const struct sentinel_probe *probe);

/* A socket's own members, those that a line about it shows first. */
struct json_object *view_socket(const struct inventory *inv, const struct socket_row *row);
/* A holder as `why` shows it. */
struct json_object *view_holder(const struct inventory *inv, const struct holding *h, uid_t viewer);
/* [pid, …], and the name of the oldest process (borrowed from `ret`, PROCESS_COMM_SIZE bytes; ""
 * when there is none). */
struct json_object *view_pids(const struct holding *holdings, size_t n);
int64_t view_pid_of_holding(const void *holdings, size_t i); /* for written_ints() */
/* The same two of one socket, as members of the object that is open. */
void view_write_holders(struct request *r, const struct socket_row *row);
const char *view_process_name(const struct inventory *inv, const struct process_id *id, char *ret);

#endif
