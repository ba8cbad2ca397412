/* SPDX-License-Identifier: MIT */
/*
 * Protected ports: from the claim to its release only members of the claim's runs may bind them, in
 * the daemon's network namespace; the kernel refuses everybody else.  Which claims are protected
 * stands in the registry, and what the kernel is told follows it: a release, an end of the claim's
 * time and a move all lift it.  A daemon that is gone protects nothing, and the next one says so.
 */
#ifndef RUNS_PROTECTION_H
#define RUNS_PROTECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct coordination;
struct protection;
struct service;

#define PROTECTION_LEAST_PORT 1024
#define PROTECTION_USER_MAX   100 /* ports of one user: more are an obstacle, and no promise */

/* *c is borrowed.  0, -ENOMEM. */
int protection_new(const struct coordination *c, struct protection **ret);
/* Once claims can be read: protects what was, and says for how many nobody did meanwhile. */
void protection_start(struct protection *p);
void protection_free(struct protection *p);

enum protection_outcome {
	PROTECTION_DONE = 0,
	PROTECTION_NOT_HERE, /* this kernel refuses nothing for us */
	PROTECTION_LOW,	     /* below PROTECTION_LEAST_PORT */
	PROTECTION_LIMIT,    /* the user has PROTECTION_USER_MAX */
};

/*
 * The claim's port, from now on, in the open batch, or no more.  That nobody has it by then is seen
 * by whoever looks after this, and takes it back.  An enum protection_outcome, negative errno.
 */
int protection_set(struct protection *p, const struct service *service, bool on);

/* The kernel follows the registry: after a batch has ended, however it did. */
void protection_follow(struct protection *p);

/* Does the kernel refuse the port to strangers? */
bool protection_holds(const struct protection *p, uint16_t port);

/* … and to that process (0 = one that is not known), which is no member of a run that may have it?
 */
bool protection_refuses(const struct protection *p, uint16_t port, pid_t pid);

/* Is the port promised by its claim, and this daemon can have none refused?  1, 0, negative errno.
 */
int protection_is_lost(const struct protection *p, uint16_t port);

/* Ports that are protected by their claims, and those of them that anybody can bind.  0, negative
 * errno. */
int protection_count(const struct protection *p, size_t *ret_promised, size_t *ret_lost);

#endif
