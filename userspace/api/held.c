/* SPDX-License-Identifier: MIT */
#include "api/held.h"

#include "api/state.h"
#include "http/request.h"

static int64_t pid_of_holder(const void *list, size_t i)
{
	return ((const struct holder *)list)[i].id.pid;
}

void held_write(struct request *r, const struct socket_row *row)
{
	char comm[PROCESS_COMM_SIZE] = "";

	if (row->n_holders)
		inventory_process_name(r->api->config.inventory, &row->holders[0].id, comm);
	written_ints(r, "pids", row->n_holders, pid_of_holder, row->holders);
	written_text(r, "process", comm);
}
