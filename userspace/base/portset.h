/* SPDX-License-Identifier: MIT */
/* A set of port numbers as a bitmap of 8 KiB.  All zero: empty. */
#ifndef BASE_PORTSET_H
#define BASE_PORTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct portset {
	uint64_t words[65536 / 64]; /* a bit for each port */
};

static inline void portset_clear(struct portset *s)
{
	memset(s, 0, sizeof(*s));
}

static inline void portset_add(struct portset *s, uint16_t port)
{
	s->words[port / 64] |= UINT64_C(1) << (port % 64);
}

static inline void portset_remove(struct portset *s, uint16_t port)
{
	s->words[port / 64] &= ~(UINT64_C(1) << (port % 64));
}

static inline bool portset_has(const struct portset *s, uint16_t port)
{
	return s->words[port / 64] >> (port % 64) & 1;
}

/* The first port of the set from `port` on; PORTSET_END when there is none. */
#define PORTSET_END 65536
static inline size_t portset_next(const struct portset *s, size_t port)
{
	while (port < PORTSET_END) {
		uint64_t left = s->words[port / 64] >> port % 64;

		if (left)
			return port + (size_t)__builtin_ctzll(left);
		port = (port / 64 + 1) * 64;
	}
	return PORTSET_END;
}

#endif
