/* SPDX-License-Identifier: MIT */
/* A question by a path that is put together. */
#ifndef TESTS_UNIT_API_ANSWERS_H
#define TESTS_UNIT_API_ANSWERS_H

#include <signal.h>

#include "world.h"

static inline struct answer get(struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static inline struct answer get(struct world *w, const char *format, ...)
{
	char path[128];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return ask_get(w, path);
}

#endif
