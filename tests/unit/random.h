/* SPDX-License-Identifier: MIT */
/*
 * Random numbers for tests that can be repeated: the seed is printed, and PD_SEED sets it.
 */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct random_source {
	uint64_t state;
};

/* Starts a sequence of its own for each test: one test run alone sees what the whole run saw. */
static inline struct random_source random_start(const char *test)
{
	const char *given = getenv("PD_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : clock_ns(CLOCK_REALTIME);

	printf("# %s: PD_SEED=%llu\n", test, (unsigned long long)seed);
	return (struct random_source){ seed };
}

/* splitmix64 */
static inline uint64_t random_u64(struct random_source *r)
{
	uint64_t z = (r->state += 0x9E3779B97F4A7C15ULL);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

/* 0 … n - 1; n > 0. */
static inline unsigned random_below(struct random_source *r, unsigned n)
{
	return (unsigned)(random_u64(r) % n);
}

/* A string of fewer than `size` bytes out of an alphabet. */
static inline char *random_string(struct random_source *r, const char *alphabet, size_t n_alphabet,
				  char *ret, size_t size)
{
	size_t n = random_below(r, (unsigned)size);

	for (size_t i = 0; i < n; i++)
		ret[i] = alphabet[random_below(r, (unsigned)n_alphabet)];
	ret[n] = '\0';
	return ret;
}

/* A string of fewer than `size` bytes, each anything but NUL. */
static inline char *random_bytes(struct random_source *r, char *ret, size_t size)
{
	size_t n = random_below(r, (unsigned)size);

	for (size_t i = 0; i < n; i++)
		ret[i] = (char)(1 + random_below(r, 255));
	ret[n] = '\0';
	return ret;
}

#endif
