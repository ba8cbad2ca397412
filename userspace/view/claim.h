/* SPDX-License-Identifier: MIT */
/* What pd find shows: claims as they are now, and listeners that no claim accounts for. */
#ifndef VIEW_CLAIM_H
#define VIEW_CLAIM_H

#include <stdbool.h>
#include <sys/types.h>

struct found_claim;
struct found_orphan;
struct json_object;
struct written;

struct view_claim {
	const struct found_claim *found;
	const char *shown_id; /* as the viewer calls it */
	bool protection_lost; /* it is protected, and the kernel refuses it to nobody */
	uid_t viewer;
};

/* All that is known of it; owned by the caller. */
struct json_object *view_claim(const struct view_claim *c);

/*
 * What a line of a table shows, and of that only what is known: of 50,000 services few have a
 * process, and each member costs both sides more than finding its value.  0, -ENOMEM.
 */
int view_claim_briefly(struct written *w, const struct view_claim *c);

/* 0, -ENOMEM. */
int view_orphan(struct written *w, const struct found_orphan *orphan);

#endif
