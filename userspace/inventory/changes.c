/* SPDX-License-Identifier: MIT */
#include "inventory/changes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"

#define CHANGES_FIRST 16 /* entries: an event touches one port, an exit seldom more than a few */

void changes_deinit(struct changes *c)
{
	free(c->items);
	*c = (struct changes){ 0 };
}

void changes_add(struct changes *c, uint32_t netns, uint16_t port)
{
	/* A process that ends with many sockets on one port notes them in a row. */
	if (c->n > 0 && c->items[c->n - 1].netns == netns && c->items[c->n - 1].port == port)
		return;
	if (array_reserve(c->items, c->size, c->n + 1, CHANGES_FIRST))
		c->no_memory = true;
	else
		c->items[c->n++] = (struct change){ .netns = netns, .port = port };
}

static int compare(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->netns != y->netns)
		return x->netns < y->netns ? -1 : 1;
	return (int)x->port - (int)y->port;
}

int changes_flush(struct changes *c, inventory_changed changed, void *user_data)
{
	int r = c->no_memory ? -ENOMEM : 0;

	if (c->n > 1)
		qsort(c->items, c->n, sizeof(*c->items), compare);
	for (size_t i = 0; i < c->n && changed; i++)
		if (i == 0 || compare(&c->items[i - 1], &c->items[i]) != 0)
			changed(c->items[i].netns, c->items[i].port, user_data);
	c->n = 0;
	c->no_memory = false;
	return r;
}
