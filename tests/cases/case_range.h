/* SPDX-License-Identifier: MIT */
/* A range of four ports for outgoing connections, and somebody who has them all. */
#ifndef CASES_CASE_RANGE_H
#define CASES_CASE_RANGE_H

#include "case.h"

#define FIRST 40000
#define LAST  40003

static inline void run_greedy(struct scene *s)
{
	for (s->holder.port = FIRST; s->holder.port <= LAST; s->holder.port++)
		holder_bind(s);
	tell(s, 0);
}

static inline void take_all(struct scene *s)
{
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003");
	s->first = actor_start(s, "holder", run_greedy);
	may_be_named(s, s->first.pid);
}

static inline void widen_range(struct scene *s)
{
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40100");
}

#endif
