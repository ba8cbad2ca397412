/* SPDX-License-Identifier: MIT */
/*
 * What the log, the stream of events and lists of services say in one line, from the table of
 * sockets alone: nothing is asked of the kernel.
 */
#ifndef EXPLAIN_BRIEF_H
#define EXPLAIN_BRIEF_H

#include "base/event.h"
#include "inventory/inventory.h"
#include "reconcile/why.h"

#define WHY_DETAILS_SIZE 320

/* The question that a refused call was, as struct why_question has it of what happened. */
struct why_question why_question_of_event(const struct event *e);

/* The socket that was in the way of a refused call, and who has it open. */
struct why_obstacle {
	enum socket_state state;
	bool kernel;		  /* the kernel's own */
	bool searched;		  /* who has it open was looked for, as far as that goes */
	struct process_id holder; /* pid 0 = not known */
	char comm[PROCESS_COMM_SIZE];
};

/* Nobody is known to have it open, and a search may tell: connections are in no table of ours. */
bool why_obstacle_is_open(const struct why_obstacle *obstacle);

/*
 * By the rule of `pd why`: of the owners that were recorded with the refusal the one that it would
 * tell first, whoever is there by now; of the table's where the record has none, or of very many
 * owners has connections only.  False when nobody was: another errno, or answered by a program.
 */
bool why_in_the_way(const struct event *e, const struct inventory *inv, struct why_obstacle *ret);

/* "bind 0.0.0.0:3000: EADDRINUSE; held by node (94120)"; obstacle: NULL where nothing was in the
 * way; repeated: how often it came before that. */
void why_describe_refusal(const struct event *e, const struct why_obstacle *obstacle,
			  unsigned repeated, char ret[static WHY_DETAILS_SIZE]);

/* "listening on :::3000 since 2:47:23" */
#define WHY_SOCKET_SIZE (NET_ADDR_STR_SIZE + 80)
void why_describe_socket(const struct socket_row *row, int64_t now, char ret[WHY_SOCKET_SIZE]);

#endif
