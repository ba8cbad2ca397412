/* SPDX-License-Identifier: MIT */
/*
 * What locks and sessions work with.  What they write is part of the registry's open batch, which
 * they open where there is none, and they ask for its commit (tracker_listener.commit_due): whoever
 * answers a client waits for that, and tells them when it has failed.
 */
#ifndef COORDINATION_COORDINATION_H
#define COORDINATION_COORDINATION_H

struct activity_writer;
struct event_base;
struct kernel_source;
struct process_watcher;
struct quota;
struct registry;

/* Everything is borrowed and outlives them. */
struct coordination {
	struct event_base *loop;
	struct registry *registry;
	struct activity_writer *activity; /* of the same registry */
	struct quota *quota;
	struct process_watcher *processes;
	const struct kernel_source *kernel; /* for runs */
};

#endif
