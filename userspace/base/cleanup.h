/* SPDX-License-Identifier: MIT */
/*
 * Ownership by attribute: a variable marked with one of these frees what it owns at the end of its
 * scope, so a function's error paths can be checked without opening another file.  TAKE_PTR and
 * TAKE_FD hand ownership on and leave nothing behind.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn), unused)) /* held, not read: clang warns */

/* Defines `free_fnp(T **)` for use with _cleanup_ from a destructor that accepts NULL. */
#define DEFINE_CLEANUP(type, free_fn)          \
	static inline void free_fn##p(type *p) \
	{                                      \
		if (*p)                        \
			free_fn(*p);           \
	}                                      \
	_Static_assert(1, "")

static inline void freep(void *p)
{
	free(*(void **)p);
}

/* Closes a descriptor and leaves errno as it was; -1 is "none". */
static inline void closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

DEFINE_CLEANUP(FILE *, fclose);

#define _cleanup_free_	_cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_file_	_cleanup_(fclosep)

#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
