/* SPDX-License-Identifier: MIT */
/*
 * The ports whose rows a call changed, reported once each when it is done: a callback that looks at
 * the table must not find it half changed.
 */
#ifndef INVENTORY_CHANGES_H
#define INVENTORY_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inventory/inventory.h"

struct changes {
	struct change {
		uint32_t netns;
		uint16_t port;
	} * items;
	size_t n, size;
	bool no_memory; /* something could not be noted: changes_flush() says so */
};

void changes_deinit(struct changes *c);
void changes_add(struct changes *c, uint32_t netns, uint16_t port);

/*
 * Calls `changed` (may be NULL) once for each port noted and forgets them.  0, or -ENOMEM when one
 * could not be noted: the caller passes it on and its user knows to look at everything.
 */
int changes_flush(struct changes *c, inventory_changed changed, void *user_data);

#endif
