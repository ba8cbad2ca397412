/* SPDX-License-Identifier: MIT */
#include "provenance/lineage.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory/inventory.h"
#include "provenance/tunnel.h"

#define PORTS	     256   /* that are remembered; of two in one place the older is forgotten */
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
	struct descent ports[PORTS];
};

struct lineage *lineage_new(void)
{
	return calloc(1, sizeof(struct lineage));
}

void lineage_free(struct lineage *l)
{
	free(l);
}

static size_t place_of(uint32_t netns, uint16_t port)
{
	return (port ^ netns * 2654435761u >> 16) % PORTS;
}

static bool is_of(const struct descent *d, uint32_t netns, uint16_t port)
{
	return d->port == port && d->netns == netns;
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
	struct descent *d = &l->ports[place_of(event->netns, event->port)];
	const struct process *process;

	if (event->kind == EVENT_CLOSE && event->port && is_of(d, event->netns, event->port))
		d->closed_ms = now_ms;
	if (!event->port || !is_attempt(event))
		return;
	process = inventory_process(inv, &event->actor);
	if (!process)
		return;
	if (!is_of(d, event->netns, event->port))
		*d = (struct descent){ .netns = event->netns, .port = event->port };
	add_generation(d, process, now_ms);
	if (event->kind == EVENT_LISTEN) {
		d->forward[0] = '\0';
		if (!strcmp(process->comm, "ssh"))
			why_tunnel_forward(&event->actor, event->port, d->forward);
	}
}

void lineage_forward(const struct lineage *l, uint32_t netns, uint16_t port, char *ret)
{
	const struct descent *d = &l->ports[place_of(netns, port)];

	strcpy(ret, is_of(d, netns, port) ? d->forward : "");
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
	const struct descent *d = &l->ports[place_of(netns, port)];
	const struct process_id *before = child, *other;
	size_t others = 0, last = 0;

	if (!is_of(d, netns, port))
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
