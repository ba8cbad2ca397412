/* SPDX-License-Identifier: MIT */
#include "tracker/socket_walk.h"

static bool is_wanted(const struct socket_row *row, void *user_data)
{
	const struct socket_walk *walk = user_data;

	if (walk->netns && row->netns != walk->netns)
		return false;
	return walk->idle_too || socket_serves(row);
}

static int ask(struct socket_walk *walk)
{
	if (walk->asked > 0 || walk->port)
		return 0;
	walk->asked = SOCKET_WALK_ROWS;
	return inventory_recheck(walk->inv, walk->place, SOCKET_WALK_ROWS, is_wanted, walk);
}

int socket_walk_next(struct socket_walk *walk, const struct socket_row **ret)
{
	struct inventory_place place;
	const struct socket_row *row;
	int r;

	if (walk->port && !walk->place.port)
		walk->place.port = walk->port;
	for (;;) {
		r = ask(walk);
		if (r)
			return r;
		place = walk->place;
		row = inventory_next(walk->inv, &place);
		if (!row || (walk->port && row->port != walk->port))
			break;
		if (is_wanted(row, walk) && walk->verified != row->port) {
			/* a search may have changed the rows: this one is fetched again */
			walk->verified = row->port;
			r = inventory_verify_port(walk->inv, walk->netns, row->port);
			if (r)
				return r;
			continue;
		}
		walk->place = place;
		walk->asked -= walk->asked > 0;
		if (is_wanted(row, walk)) {
			*ret = row;
			return 0;
		}
	}
	*ret = NULL;
	return 0;
}
