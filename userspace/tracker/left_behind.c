/* SPDX-License-Identifier: MIT */
/*
 * Servers whose launcher is gone, beyond the end of this daemon.  What nobody saw is not guessed:
 * of a launcher that ended while no daemon ran it is not known whether that was with success.
 */
#include "base/log.h"
#include "registry/launchers.h"
#include "tracker/internal.h"

static int store(struct registry *registry, const struct process_id *server,
		 const struct process *process)
{
	const struct process_ancestor *launcher = process ? process_left_behind_by(process) : NULL;

	if (launcher)
		return registry_launcher_store(registry, server, launcher);
	return registry_launcher_remove(registry, server);
}

void left_behind_store(struct tracker *t, int64_t until_ms)
{
	const struct process *process;
	struct process_id server;

	if (!inventory_launcher_ends_wait(t->config.inventory))
		return;
	while (clock_ms(CLOCK_MONOTONIC) < until_ms &&
	       inventory_next_launcher_end(t->config.inventory, &server, &process)) {
		int r = registry_begin(t->config.registry);

		if (!r)
			r = store(t->config.registry, &server, process);
		if (r)
			log_error("how the launcher of process %d ended was not stored: %s",
				  server.pid, registry_strerror(t->config.registry, r));
	}
	activity_commit_due(&t->activity, false);
}

static void recall(const struct process_id *server, const struct process_ancestor *launcher,
		   void *user_data)
{
	struct tracker *t = user_data;

	inventory_recall_launcher(t->config.inventory, server, launcher);
}

void left_behind_recall(struct tracker *t)
{
	struct registry *registry = t->config.registry;
	int r = registry_for_each_launcher(registry, recall, t);

	if (!r)
		r = registry_begin(registry);
	if (!r)
		r = registry_launchers_clear(registry);
	if (r)
		log_error("which servers were left behind is not known: %s",
			  registry_strerror(registry, r));
	left_behind_store(t, INT64_MAX);
}
