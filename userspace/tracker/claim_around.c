/* SPDX-License-Identifier: MIT */
#include "tracker/claim_around.h"

#include "base/cleanup.h"
#include "tracker/internal.h"
#include "tracker/judge.h"

#define PRIVILEGED_PORT \
	1024 /* below it the kernel asks for a right, unless a sysctl says otherwise */

int port_holder_find(struct tracker *t, uint16_t port, int64_t now, struct port_holder *ret)
{
	struct inventory *inv = t->config.inventory;
	_cleanup_free_ struct holding *holdings = NULL;
	const struct socket_row *row;
	const struct process *process;
	size_t n = 0;
	int r = judge_holdings(inv, port, &holdings, &n);

	*ret = (struct port_holder){ .uid = PROCESS_UID_UNKNOWN };
	if (r)
		return r;
	if (n) {
		const struct process_id *id = &holdings[0].holder->id;

		process = inventory_process(inv, id);
		ret->seen = true;
		ret->pid = id->pid;
		ret->uid = process ? process->uid : PROCESS_UID_UNKNOWN;
		inventory_process_name(inv, id, ret->comm);
		why_describe_socket(holdings[0].socket, now, ret->where);
	} else if (inventory_by_port(inv, inventory_own_netns(inv), port, &row, 1)) {
		ret->uid = row->uid;
	}
	return 0;
}

/* A new claim has a port on which there was nothing, but connections of a server that ended may
 * still be in the way. */
static int look_whether_refused(struct tracker *t, const struct claim_result *result,
				struct claim_around *ret)
{
	bool is_free = !result->existing || result->previous_port;
	int r = 0;

	if (result->use == PORT_SERVED)
		return 0;
	if (!is_free)
		r = inventory_port_is_free(t->config.inventory, result->port, &is_free);
	ret->may_be_refused = !is_free || result->port < PRIVILEGED_PORT;
	return r;
}

int claim_look_around(struct tracker *t, const struct claim_result *result, bool moved, int64_t now,
		      struct claim_around *ret)
{
	int r = 0;

	if (result->home != result->port)
		r = port_holder_find(t, result->home, now, &ret->home);
	if (!r && result->use == PORT_SERVED)
		r = port_holder_find(t, result->port, now, &ret->port);
	if (!r && moved)
		r = port_holder_find(t, result->previous_port, now, &ret->left);
	return r ? r : look_whether_refused(t, result, ret);
}
