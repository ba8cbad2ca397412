/* SPDX-License-Identifier: MIT */
/*
 * For whom a process holds a port: a container (engine.h), the programs of pm2's cluster mode, or
 * whoever started it through sudo.  What a process says of itself is a hint: whose word it is, its
 * user, is for the rule to weigh (reconcile/status.c).
 */
#ifndef PROVENANCE_BEHALF_H
#define PROVENANCE_BEHALF_H

#include <stdint.h>

#include "base/process.h"

/* Some reads of /proc, more where the process is pm2. */
void behalf_find(const struct process *process, uint16_t port, struct process_behalf *ret);

#endif
