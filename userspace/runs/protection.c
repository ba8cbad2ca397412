/* SPDX-License-Identifier: MIT */
#include "runs/protection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/kernel_source.h"
#include "base/log.h"
#include "base/outcome.h"
#include "base/portset.h"
#include "base/procfs.h"
#include "coordination/coordination.h"
#include "registry/registry.h"
#include "registry/runs.h"
#include "tracker/activity.h"

struct protection {
	struct coordination c;
	struct portset held; /* what the kernel was told */
	bool may_differ;     /* from the registry */
};

int protection_new(const struct coordination *c, struct protection **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->c = *c;
	return 0;
}

void protection_free(struct protection *p)
{
	free(p);
}

bool protection_holds(const struct protection *p, uint16_t port)
{
	return portset_has(&p->held, port);
}

bool protection_refuses(const struct protection *p, uint16_t port, pid_t pid)
{
	const struct kernel_source *kernel = p->c.kernel;
	const struct run *run;
	struct process_id id;

	if (!protection_holds(p, port))
		return false;
	if (!pid || procfs_identity(pid, &id) || !kernel->run_of)
		return true;
	run = registry_run(p->c.registry, kernel->run_of(kernel->user_data, &id));
	return !run || (run->port != port && !run_asked_port(run, port));
}

/* Can this daemon have a port refused at all?  A claim may be protected since an earlier one. */
static bool is_possible(const struct protection *p)
{
	return p->c.kernel->protect_port != NULL;
}

static int tell_kernel(struct protection *p, uint16_t port, bool on)
{
	const struct kernel_source *kernel = p->c.kernel;
	int r = kernel->protect_port(kernel->user_data, port, on);

	if (!r && on)
		portset_add(&p->held, port);
	if (!r && !on)
		portset_remove(&p->held, port);
	return r;
}

/* --- what the registry says --- */

struct listing {
	struct portset ports;
	uid_t uid; /* whose are counted */
	size_t n;
};

static bool note(const struct service *s, void *user_data)
{
	struct listing *l = user_data;

	portset_add(&l->ports, s->port);
	l->n += s->uid == l->uid;
	return true;
}

void protection_follow(struct protection *p)
{
	struct listing l = { .uid = 0 };
	int r;

	if (!p->may_differ || !is_possible(p))
		return;
	r = registry_for_each_protected(p->c.registry, note, &l);
	if (r) {
		log_error("which ports are protected cannot be read: %s",
			  registry_strerror(p->c.registry, r));
		return;
	}
	for (size_t port = 0; (port = portset_next(&p->held, port)) < PORTSET_END; port++)
		if (!portset_has(&l.ports, (uint16_t)port))
			r = tell_kernel(p, (uint16_t)port, false) ?: r;
	for (size_t port = 0; (port = portset_next(&l.ports, port)) < PORTSET_END; port++)
		if (!protection_holds(p, (uint16_t)port))
			r = tell_kernel(p, (uint16_t)port, true) ?: r;
	if (r)
		log_error("the kernel protects other ports than those that are claimed so: %s",
			  strerror(-r));
	/* a later batch may end one of them, or do what has failed */
	p->may_differ = r || portset_next(&l.ports, 0) < PORTSET_END;
}

int protection_is_lost(const struct protection *p, uint16_t port)
{
	struct listing l = { .uid = 0 };
	int r = is_possible(p) ? 0 : registry_for_each_protected(p->c.registry, note, &l);

	return r ? r : portset_has(&l.ports, port);
}

int protection_count(const struct protection *p, size_t *ret_promised, size_t *ret_lost)
{
	struct listing l = { .uid = 0 };
	int r = registry_for_each_protected(p->c.registry, note, &l);

	*ret_promised = *ret_lost = 0;
	for (size_t port = 0; !r && (port = portset_next(&l.ports, port)) < PORTSET_END; port++) {
		++*ret_promised;
		*ret_lost += !protection_holds(p, (uint16_t)port);
	}
	return r;
}

void protection_start(struct protection *p)
{
	char words[160];
	size_t n, lost;

	p->may_differ = true;
	protection_follow(p);
	if (protection_count(p, &n, &lost) || !n)
		return;
	snprintf(words, sizeof(words),
		 is_possible(p) ? "%zu protected port%s nobody protected while no daemon ran"
				: "%zu protected port%s anybody can bind: this kernel, or a daemon "
				  "without eBPF, refuses nothing",
		 n, n > 1 ? "s" : "");
	activity_note(p->c.activity, ACTIVITY_DAEMON, words, time(NULL));
}

/* --- a claim --- */

static int check(const struct protection *p, const struct service *service)
{
	struct listing l = { .uid = service->uid };
	int r;

	if (service->port < PROTECTION_LEAST_PORT)
		return PROTECTION_LOW;
	r = registry_for_each_protected(p->c.registry, note, &l);
	return r ? r : l.n >= PROTECTION_USER_MAX ? PROTECTION_LIMIT : 0;
}

int protection_set(struct protection *p, const struct service *service, bool on)
{
	int r = 0;

	if (on && !is_possible(p))
		r = PROTECTION_NOT_HERE;
	else if (on && !service->is_protected)
		r = check(p, service);
	if (r)
		return r;
	p->may_differ = true;
	if (on)
		r = tell_kernel(p, service->port, true);
	r = r ?: registry_set_protected(p->c.registry, service->id, on);
	return r == OUTCOME_NO ? -ENOENT : r;
}
