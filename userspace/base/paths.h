/* SPDX-License-Identifier: MIT */
/* Where the product's files are; the contract's table "Programs and places" as code. */
#ifndef BASE_PATHS_H
#define BASE_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PATHS_SYSTEM_STATE  "/var/lib/port-daddy"
#define PATHS_SYSTEM_SOCKET "/run/port-daddy/pd.sock"
#define PATHS_DATABASE_NAME "port-registry.db"
#define PATHS_SOCKET_NAME   "pd.sock"
#define PATHS_LOG_NAME	    "daemon.log"
#define PATHS_SOCKETS_MAX   4

/*
 * Locked by the daemon.  Its text is the daemon's pid, and behind it the word below where it
 * listens with eBPF; empty where it has ended in order.
 */
#define PATHS_LOCK_NAME	     "daemon.lock"
#define PATHS_LOCK_EBPF	     "ebpf"
#define PATHS_LOCK_TEXT_SIZE 32

/* The user behind sudo, for whom a root shell acts; false where there is none. */
bool paths_sudo_user(uid_t *ret);

/* The home directory of uid from the user database (not $HOME); 0, -ENOENT, -ENAMETOOLONG. */
int paths_home_of(uid_t uid, char *ret, size_t size);

/*
 * The state directory for `uid`: $PORT_DADDY_HOME, else PATHS_SYSTEM_STATE for the service, else
 * ~/.port-daddy of that user ($HOME when uid is the caller's own).  0, negative errno: -EDOM where
 * $PORT_DADDY_HOME is relative.
 */
int paths_state_dir(bool service, uid_t uid, char *ret, size_t size);

/* Why there is none, in words. */
const char *paths_state_dir_strerror(int error);

/* Where a daemon with that state directory listens: $PORT_DADDY_SOCKET, else the service's socket
 * when `service` and no $PORT_DADDY_HOME, else <state>/pd.sock. */
int paths_listen_socket(bool service, const char *state_dir, char *ret, size_t size);

/*
 * The sockets that a client tries, in order: $PORT_DADDY_SOCKET alone when set, else
 * $PORT_DADDY_HOME/pd.sock alone when set, else the service's and then ~/.port-daddy/pd.sock.
 * Fills up to PATHS_SOCKETS_MAX entries of `size` bytes; returns how many.
 */
int paths_client_sockets(char ret[][108], int max);

#endif
