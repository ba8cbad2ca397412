/* SPDX-License-Identifier: MIT */
/*
 * Keeps the registry in step with the kernel: every event changes the table of sockets, every
 * changed port has its claim judged anew, every new status is written, logged and published.
 *
 *   sentinel ─event─► inventory ─changed port─► reconcile ─status─► registry, activity, watchers
 *
 * Nothing here polls.  Timers exist only while something is pending: a table to settle, a claim
 * that turns stale or expires.
 */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H

#include <stdint.h>

#include "inventory/inventory.h"
#include "registry/registry.h"
#include "sentinel/sentinel.h"

struct api;
struct event_base;
struct keeper;

struct keeper_config {
	struct event_base *loop;
	struct sentinel *sentinel;
	struct inventory *inventory;
	struct registry *registry;
};

/* Everything in the configuration is borrowed and outlives the keeper.  0, negative errno. */
int keeper_new(const struct keeper_config *config, struct keeper **ret);
void keeper_free(struct keeper *k);

/* Whom to tell; before keeper_start().  Borrowed. */
void keeper_set_api(struct keeper *k, struct api *api);

/*
 * Reads the whole table, brings every claim up to date, writes down what changed since the last
 * daemon ran, and begins to listen.  0, negative errno.
 */
int keeper_start(struct keeper *k);

/* Writes down the end: the last moment at which the registry is known to be true. */
void keeper_stop(struct keeper *k);

/* An entry was added to the audit trail (api_config.entry_written). */
void keeper_entry_written(void *keeper);

/* A claim on this port was made, moved or released (api_config.claims_changed). */
int keeper_claims_changed(uint16_t port, void *keeper);

/* Explains refusals that are asked about before their turn (api_config.explain_waiting). */
size_t keeper_explain_waiting(const struct failure_filter *asked, void *keeper);

/* Judges what is due by the clock now (api_config.clock_changed). */
void keeper_clock_changed(void *keeper);

/* Applies the events that wait in the ring (api_config.catch_up). */
void keeper_catch_up(void *keeper);

#endif
