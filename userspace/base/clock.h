/* SPDX-License-Identifier: MIT */
/* The kernel's clocks as one number. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

/* CLOCK_MONOTONIC, CLOCK_BOOTTIME (the clock of events), the CPU time of the own thread: those
 * cannot fail. */
static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_us(clockid_t clock)
{
	return clock_ns(clock) / NS_PER_US;
}

/* Signed, because it is what deadlines are made of: what is left until one may be less than 0. */
static inline int64_t clock_ms(clockid_t clock)
{
	return (int64_t)(clock_ns(clock) / NS_PER_MS);
}

#endif
