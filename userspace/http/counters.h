/* SPDX-License-Identifier: MIT */
/*
 * What was counted, by tables: a row names a member of the struct that counts, as JSON and for
 * Prometheus, in its text format 0.0.4.  There a family is its HELP, its TYPE and its samples, in
 * one piece; names end in their unit, counters in _total.
 */
#ifndef HTTP_COUNTERS_H
#define HTTP_COUNTERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define COUNTERS_PREFIX	      "port_daddy_"
#define COUNTERS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct json_object;
struct metrics;

/* JSON has times in microseconds, Prometheus in seconds. */
enum counter_unit { COUNTER_PLAIN, COUNTER_US, COUNTER_NS };

struct counter {
	const char *json;		/* NULL = not there */
	const char *name, *type, *help; /* without the prefix; NULL = not there */
	size_t offset;			/* of a uint64_t in the struct that counts */
	enum counter_unit unit;
};
/* The end of a table is a row of zeroes. */
#define COUNTER(of, member, unit, json, name, type, help)                                          \
	{                                                                                          \
		json, name, type, help,                                                            \
			offsetof(of, member) + 0 * sizeof(((const of *)0)->member == (uint64_t)0), \
			unit                                                                       \
	}

void counters_add(struct json_object *o, const struct counter *table, const void *counted);
void counters_write(FILE *to, const struct counter *table, const void *counted);

/* Of the requests, connections and watchers; and those with labels, for Prometheus. */
extern const struct counter metrics_counters[];
void metrics_write(FILE *to, const struct metrics *m);
/* "routes": how often each answered with which outcome. */
void metrics_add_answers(const struct metrics *m, struct json_object *o);
/* "slow": requests that took longer, the slowest first. */
void metrics_add_slowest(const struct metrics *m, uint64_t over_us, struct json_object *o);

/* One family of which there is no table: its head, and a sample with a label or without one. */
void family_begin(FILE *to, const char *name, const char *type, const char *help);
void family_label(FILE *to, const char *before, const char *key, const char *value);
void family_sample(FILE *to, const char *name, const char *key, const char *value, double number);
void family_value(FILE *to, const char *name, const char *type, const char *help, double number);

#endif
