/* SPDX-License-Identifier: MIT */
/*
 * What makes pd's answers worse, as a table of checks: each row has an id that never changes, what
 * it looks at, and the function that looks.  A check says what it has read and nothing else; below
 * what is wrong stands the command that mends it, where one does.
 */
#ifndef CLI_DOCTOR_DOCTOR_H
#define CLI_DOCTOR_DOCTOR_H

#include "cli/doctor/finding.h"

/*
 * Their order is that of `pd doctor`: from what everything stands on to what is merely untidy.  D
 * are those that need a daemon's answer, and are skipped without one.
 */
#define DOCTOR_CHECKS(X, D)                                                                       \
	X(unix_sockets, "unix-sockets", "a sandbox that forbids Unix sockets")                    \
	X(socket_path, "socket-path", "a socket's path that is longer than the kernel takes")     \
	X(home, "home", "a home without a directory, or a state directory that is not writable")  \
	X(daemon, "daemon", "whether a daemon answers")                                           \
	D(build, "build", "a daemon of another build than this pd")                               \
	X(other_daemon, "other-daemon", "a daemon of your own beside the system service")         \
	D(sandbox, "sandbox", "a daemon that the kernel holds to less than it could")             \
	D(ebpf, "ebpf", "a daemon that only polls")                                               \
	D(probes, "probes", "probes that do not work, each as probe-NAME")                        \
	D(trace, "trace", "what refused binds are seen by, and what all other calls pay for it")  \
	D(losses, "losses", "events that the kernel could not hand over")                         \
	X(btf, "btf", "a kernel without type information (BTF)")                                  \
	X(lockdown, "lockdown", "a kernel in lockdown, whose memory no program reads")            \
	X(perf_paranoid, "perf-event-paranoid", "who may use the kernel's tracepoints")           \
	X(unprivileged_bpf, "unprivileged-bpf", "who may write eBPF maps after the start")        \
	X(tracefs, "tracefs", "whether the tracepoints' file system is mounted")                  \
	X(cgroup_v2, "cgroup-v2", "whether there is a cgroup v2, which shows bound sockets")      \
	X(net_cls, "net-cls", "cgroup v1's net_cls and net_prio, which hide a socket's cgroup")   \
	X(hidepid, "hidepid", "a /proc that hides other users' processes")                        \
	X(port_range, "port-range", "the range of services in the range of outgoing connections") \
	X(reserved_ports, "reserved-ports", "ports of the range that the kernel keeps back")      \
	D(database, "database", "whether the database is whole and can be written")               \
	D(database_size, "database-size", "a database that has grown large")                      \
	D(disk, "disk", "room on the disk of the database")                                       \
	D(clock, "clock", "a clock that was set while the daemon ran")                            \
	X(docker_proxy, "docker-proxy", "docker without its userland proxy")                      \
	D(unused_claims, "unused-claims", "claims that nobody has used for a week")               \
	D(leftovers, "leftovers", "what ended badly and is still there, each kind as leftover-NAME")

/* Runs every check.  No daemon is started and nothing is changed. */
void doctor_look(struct doctor *d);
void doctor_deinit(struct doctor *d);

#define DOCTOR_DECLARE(function, id, what) void doctor_check_##function(struct doctor *d);
DOCTOR_CHECKS(DOCTOR_DECLARE, DOCTOR_DECLARE)
#undef DOCTOR_DECLARE

#endif
