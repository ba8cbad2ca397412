/* SPDX-License-Identifier: MIT */
#include "cli/render/orphan_rows.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/client/answer.h"
#include "cli/render/render.h"

#define PIDS_SIZE	 256
#define RANGES_SHOWN_MAX 3

/* A socket. */
struct orphan {
	struct json_object *row;
	char *holders; /* "4711,4712": those that have it; "" = nobody is seen to */
	int port;
	int leader; /* the lowest port of its process; ties of the sort */
	bool own, udp;
};

struct orphan_rows {
	struct orphan *orphans;
	size_t n, size;
};

struct orphan_rows *orphan_rows_new(void)
{
	return render_must(calloc(1, sizeof(struct orphan_rows)));
}

void orphan_rows_free(struct orphan_rows *rows)
{
	if (!rows)
		return;
	for (size_t i = 0; i < rows->n; i++) {
		json_object_put(rows->orphans[i].row);
		free(rows->orphans[i].holders);
	}
	free(rows->orphans);
	free(rows);
}

void orphan_rows_add(struct orphan_rows *rows, struct json_object *orphan, bool own)
{
	char pids[PIDS_SIZE];

	if (rows->n == rows->size) {
		rows->size = rows->size ? 2 * rows->size : 64;
		rows->orphans = render_must(
			reallocarray(rows->orphans, rows->size, sizeof(*rows->orphans)));
	}
	rows->orphans[rows->n++] = (struct orphan){
		.row = json_object_get(orphan),
		.holders = render_must(strdup(answer_pids(orphan, "pids", pids, sizeof(pids)))),
		.port = (int)answer_int(orphan, "port"),
		.own = own,
		.udp = strcmp(answer_text(orphan, "proto"), "udp") == 0,
	};
}

/* Who holds sockets that nobody is seen to hold may be several: each of their ports is a row. */
static bool are_one_row(const struct orphan *a, const struct orphan *b)
{
	if (!*a->holders && (a->port != b->port || a->udp != b->udp))
		return false;
	return a->own == b->own && strcmp(a->holders, b->holders) == 0;
}

static int by_port(const struct orphan *a, const struct orphan *b)
{
	return a->udp != b->udp ? a->udp - b->udp : a->port - b->port;
}

static int by_holder(const void *left, const void *right)
{
	const struct orphan *a = left, *b = right;
	int r = a->own != b->own ? b->own - a->own : strcmp(a->holders, b->holders);

	return r ? r : by_port(a, b);
}

static int by_row(const void *left, const void *right)
{
	const struct orphan *a = left, *b = right;

	if (a->own != b->own)
		return b->own - a->own;
	return a->leader != b->leader ? a->leader - b->leader : by_holder(a, b);
}

/* Sorts them into their rows, and those by their lowest ports. */
static void sort(struct orphan_rows *rows)
{
	struct orphan *o = rows->orphans;

	if (!rows->n)
		return;
	qsort(o, rows->n, sizeof(*o), by_holder);
	for (size_t i = 0; i < rows->n; i++)
		o[i].leader = i && are_one_row(&o[i - 1], &o[i]) ? o[i - 1].leader : o[i].port;
	qsort(o, rows->n, sizeof(*o), by_row);
}

/* Appends ", 4000–4079"; of many ranges the first ones, then a mark. */
static void add_range(char *text, const struct orphan *first, const struct orphan *last, int n)
{
	const char *proto = first->udp ? "/udp" : "", *comma = *text ? ", " : "";
	size_t used = strlen(text), room = ORPHAN_PORTS_SIZE - used;

	if (n > RANGES_SHOWN_MAX)
		return;
	if (n == RANGES_SHOWN_MAX)
		snprintf(text + used, room, "%s%s", comma, render_either("…", "..."));
	else if (first->port == last->port)
		snprintf(text + used, room, "%s%d%s", comma, first->port, proto);
	else
		snprintf(text + used, room, "%s%d%s%d%s", comma, first->port,
			 render_either("–", "-"), last->port, proto);
}

/* o[0] to o[n - 1] are of one row; a port may stand among them for each of its addresses. */
static void describe_ports(const struct orphan *o, size_t n, struct orphan_row *row)
{
	size_t first = 0;
	int n_ranges = 0;

	for (size_t i = 0; i < n; i++) {
		bool same_proto = i + 1 < n && o[i + 1].udp == o[i].udp;

		if (same_proto && o[i + 1].port == o[i].port)
			continue;
		row->n_ports++;
		if (same_proto && o[i + 1].port == o[i].port + 1)
			continue;
		add_range(row->ports, &o[first], &o[i], n_ranges++);
		first = i + 1;
	}
}

void orphan_rows_for_each(struct orphan_rows *rows,
			  void (*each)(const struct orphan_row *row, void *user_data),
			  void *user_data)
{
	size_t n;

	sort(rows);
	for (size_t i = 0; i < rows->n; i += n) {
		const struct orphan *o = &rows->orphans[i];
		struct orphan_row row = { .first = o->row };

		for (n = 1; i + n < rows->n && are_one_row(o, &o[n]); n++)
			;
		for (size_t k = 0; k < n; k++) {
			int64_t since = answer_int(o[k].row, "since");

			if (since && (!row.since || since < row.since))
				row.since = since;
		}
		describe_ports(o, n, &row);
		each(&row, user_data);
	}
}
