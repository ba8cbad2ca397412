/* SPDX-License-Identifier: MIT */
/*
 * Listeners that no claim accounts for, one row for each process: a program with 80 ports is one
 * thing to somebody who looks for what is in the way.
 */
#ifndef CLI_RENDER_ORPHAN_ROWS_H
#define CLI_RENDER_ORPHAN_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;
struct orphan_rows;

struct orphan_rows *orphan_rows_new(void);
void orphan_rows_free(struct orphan_rows *rows);

/* Adds an element of orphans[] of /v1/services; `own` says whether it is the caller's. */
void orphan_rows_add(struct orphan_rows *rows, struct json_object *orphan, bool own);

#define ORPHAN_PORTS_SIZE 96

struct orphan_row {
	size_t n_ports;
	char ports[ORPHAN_PORTS_SIZE]; /* "53/udp", "4000–4079", "4000, 4002, 53/udp, …" */
	struct json_object *first;     /* who holds them; borrowed */
	int64_t since;		       /* of the oldest; 0 = not known of any */
};

/* The rows by their lowest port, the caller's own first. */
void orphan_rows_for_each(struct orphan_rows *rows,
			  void (*each)(const struct orphan_row *row, void *user_data),
			  void *user_data);

#endif
