/* SPDX-License-Identifier: MIT */
#include "api/search.h"

#include "api/state.h"
#include "base/clock.h"
#include "http/parts.h"
#include "http/request.h"

int search_port(struct request *r, uint16_t port, bool *ret_more)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + PARTS_SLICE_US * NS_PER_US;

	return inventory_verify_in_parts(r->api->config.inventory, port, until_ns, ret_more);
}
