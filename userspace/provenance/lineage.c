/* SPDX-License-Identifier: MIT */
#include "provenance/lineage.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory/inventory.h"
#include "provenance/tunnel.h"

#define SETS	     32	   /* of ports that are remembered, by their number */
#define WAYS	     8	   /* ports in a set */
#define GENERATIONS  4	   /* of a port: two before the last say enough */
#define PATH_MAX_LEN 6	   /* a process and those above it; npm and two shells may stand between */
#define AT_ONCE_MS   3000  /* from the end of one to the next: nobody types so fast */
#define AGAIN_MS     10000 /* likewise from one attempt to the next, with the pause of a watchdog */

/* One that had the port, or wanted it. */
struct generation {
	struct process_id path[PATH_MAX_LEN]; /* itself first; pid 0 = no more is known */
	bool again;			      /* soon after the one before it */
	bool at_once;			      /* … had let go */
};

struct descent {
	uint32_t netns;
	uint16_t port;
	size_t n;
	int64_t tried_ms, closed_ms;	     /* 0 = never */
	struct generation list[GENERATIONS]; /* newest first */
	char forward[TUNNEL_FORWARD_SIZE];   /* of an ssh client that listens; "" = of nobody */
};

struct lineage {
	struct descent sets[SETS][WAYS];
};

struct lineage *lineage_new(void)
{
	return calloc(1, sizeof(struct lineage));
}

void lineage_free(struct lineage *l)
{
	free(l);
}

static size_t set_of(uint32_t netns, uint16_t port)
{
	return (port ^ netns * 2654435761u >> 16) % SETS;
}

/* NULL = it is not remembered. */
static struct descent *find(struct lineage *l, uint32_t netns, uint16_t port)
{
	struct descent *set = l->sets[set_of(netns, port)];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].n && set[i].port == port && set[i].netns == netns)
			return &set[i];
	return NULL;
}

static const struct descent *look_up(const struct lineage *l, uint32_t netns, uint16_t port)
{
	return find((struct lineage *)l, netns, port);
}

/*
 * A port that one process had goes before one that several wanted within the time that counts, and
 * the older first: who opens thousands of ports once makes nobody's supervisor forgotten.
 */
static struct descent *make_room(struct lineage *l, uint32_t netns, uint16_t port, int64_t now_ms)
{
	struct descent *set = l->sets[set_of(netns, port)], *oldest = NULL, *single = NULL;

	for (size_t i = 0; i < WAYS; i++) {
		struct descent *d = &set[i];

		if (!oldest || d->tried_ms < oldest->tried_ms)
			oldest = d;
		if (d->n <= 1 && (!single || d->tried_ms < single->tried_ms))
			single = d;
	}
	if (single && now_ms - oldest->tried_ms <= AGAIN_MS)
		oldest = single;
	*oldest = (struct descent){ .netns = netns, .port = port };
	return oldest;
}

/* Does it mean that somebody had the port, or wanted it? */
static bool is_attempt(const struct event *e)
{
	return e->kind == EVENT_LISTEN || (e->kind == EVENT_BIND && e->protocol == IPPROTO_UDP) ||
	       (e->kind == EVENT_FAIL && e->error == EADDRINUSE);
}

static void add_generation(struct descent *d, const struct process *process, int64_t now_ms)
{
	struct generation new = {
		.path[0] = process->id,
		.again = d->tried_ms && now_ms - d->tried_ms <= AGAIN_MS,
		.at_once = d->closed_ms && d->closed_ms >= d->tried_ms &&
			   now_ms - d->closed_ms <= AT_ONCE_MS,
	};

	d->tried_ms = now_ms;
	/* a server listens on several addresses */
	if (d->n && process_id_equal(&d->list[0].path[0], &process->id))
		return;
	for (size_t i = 0; i < process->n_ancestors && i + 1 < PATH_MAX_LEN; i++)
		new.path[i + 1] = process->ancestors[i].id;
	memmove(&d->list[1], &d->list[0], (GENERATIONS - 1) * sizeof(new));
	d->list[0] = new;
	d->n += d->n < GENERATIONS;
}

void lineage_note(struct lineage *l, const struct inventory *inv, const struct event *event,
		  int64_t now_ms)
{
	struct descent *d = find(l, event->netns, event->port);
	const struct process *process;

	if (event->kind == EVENT_CLOSE && d)
		d->closed_ms = now_ms;
	if (!event->port || !is_attempt(event))
		return;
	process = inventory_process(inv, &event->actor);
	if (!process)
		return;
	if (!d)
		d = make_room(l, event->netns, event->port, now_ms);
	add_generation(d, process, now_ms);
	if (event->kind == EVENT_LISTEN) {
		d->forward[0] = '\0';
		if (!strcmp(process->comm, "ssh"))
			tunnel_forward(&event->actor, event->port, d->forward);
	}
}

void lineage_forward(const struct lineage *l, uint32_t netns, uint16_t port,
		     char ret[static TUNNEL_FORWARD_SIZE])
{
	const struct descent *d = look_up(l, netns, port);

	strcpy(ret, d ? d->forward : "");
}

/* Whom of its own `parent` had on the way to it; NULL = it is not below that. */
static const struct process_id *child_on_path(const struct generation *g,
					      const struct process_id *parent)
{
	for (size_t i = 1; i < PATH_MAX_LEN && g->path[i].pid; i++)
		if (process_id_equal(&g->path[i], parent))
			return &g->path[i - 1];
	return NULL;
}

bool lineage_restarts(const struct lineage *l, uint32_t netns, uint16_t port,
		      const struct process_id *parent, const struct process_id *child)
{
	const struct descent *d = look_up(l, netns, port);
	const struct process_id *before = child, *other;
	size_t others = 0, last = 0;

	if (!d)
		return false;
	/* after it others may have been refused the port */
	while (last < d->n && (!(other = child_on_path(&d->list[last], parent)) ||
			       !process_id_equal(other, child)))
		last++;
	for (size_t i = last + 1; i < d->n && (d->list[i - 1].again || d->list[i - 1].at_once);
	     i++) {
		other = child_on_path(&d->list[i], parent);
		if (other && !process_id_equal(other, before))
			others++;
		before = other ? other : before;
	}
	return others >= 2 || (others == 1 && d->list[last].at_once);
}
