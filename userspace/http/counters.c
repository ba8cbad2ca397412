/* SPDX-License-Identifier: MIT */
#include "http/counters.h"

#include <string.h>

#include "http/json.h"
#include "http/metrics.h"

#define US_PER_S 1e6

/* --- tables --- */

static uint64_t value_of(const struct counter *row, const void *counted)
{
	uint64_t value;

	memcpy(&value, (const char *)counted + row->offset, sizeof(value));
	return value;
}

void counters_add(struct json_object *o, const struct counter *table, const void *counted)
{
	for (const struct counter *row = table; row->json || row->name; row++) {
		uint64_t value = value_of(row, counted);

		if (row->json)
			json_add_int(o, row->json,
				     (int64_t)(row->unit == COUNTER_NS ? value / 1000 : value));
	}
}

void counters_write(FILE *to, const struct counter *table, const void *counted)
{
	static const double per[] = { [COUNTER_PLAIN] = 1, [COUNTER_US] = 1e6, [COUNTER_NS] = 1e9 };

	for (const struct counter *row = table; row->json || row->name; row++)
		if (row->name)
			family_value(to, row->name, row->type, row->help,
				     (double)value_of(row, counted) / per[row->unit]);
}

/* --- the format --- */

void family_begin(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP " COUNTERS_PREFIX "%s %s\n# TYPE " COUNTERS_PREFIX "%s %s\n", name,
		help, name, type);
}

/* A value may be any text: a backslash, a quote and a line's end are escaped. */
void family_label(FILE *to, const char *before, const char *key, const char *value)
{
	fprintf(to, "%s%s=\"", before, key);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", to);
		else if (*value == '\\' || *value == '"')
			fprintf(to, "\\%c", *value);
		else
			fputc(*value, to);
	}
	fputc('"', to);
}

void family_sample(FILE *to, const char *name, const char *key, const char *value, double number)
{
	fprintf(to, COUNTERS_PREFIX "%s", name);
	family_label(to, "{", key, value);
	fprintf(to, "} %.15g\n", number);
}

void family_value(FILE *to, const char *name, const char *type, const char *help, double number)
{
	family_begin(to, name, type, help);
	fprintf(to, COUNTERS_PREFIX "%s %.15g\n", name, number);
}

/* --- what this room counts --- */

#define ROW(member, unit, json, name, type, help) \
	COUNTER(struct metrics, member, unit, json, name, type, help)
const struct counter metrics_counters[] = {
	ROW(requests, COUNTER_PLAIN, "requests", NULL, NULL, NULL),
	ROW(errors, COUNTER_PLAIN, "errors", "errors_total", "counter",
	    "Answers with a status of 500 and above."),
	ROW(refused, COUNTER_PLAIN, "refused", "refused_total", "counter",
	    "Answers with another status than 200."),
	ROW(max_us, COUNTER_US, "maxUs", "request_duration_max_seconds", "gauge",
	    "The slowest answer since the start."),
	ROW(connections, COUNTER_PLAIN, "connections", "connections_total", "counter",
	    "Connections that were accepted."),
	ROW(refused_connections, COUNTER_PLAIN, "refusedConnections", "connections_refused_total",
	    "counter", "Of those, connections beyond what a user or all may have."),
	ROW(dropped_watchers, COUNTER_PLAIN, "droppedWatchers", "watchers_dropped_total", "counter",
	    "Watchers that read too slowly and were disconnected."),
	{ 0 },
};

static void write_answers(FILE *to, const struct metrics_row *row)
{
	for (int outcome = 0; outcome < _OUTCOME_MAX; outcome++) {
		if (!row->answers[outcome])
			continue;
		fputs(COUNTERS_PREFIX "requests_total", to);
		family_label(to, "{", "method", row->route ? route_method_name(row->route) : "");
		family_label(to, ",", "route", row->route ? row->route->path : "");
		family_label(to, ",", "outcome", outcome_row((enum outcome)outcome)->code);
		fprintf(to, "} %.15g\n", (double)row->answers[outcome]);
	}
}

static void write_latency(FILE *to, const struct metrics *m)
{
	const char *name = "request_duration_seconds";
	uint64_t sum = 0;

	family_begin(
		to, name, "histogram",
		"How long answers took; requests that wait by their client's wish are not in it.");
	for (size_t i = 0; i <= METRICS_BOUNDS; i++) {
		sum += m->buckets[i];
		fprintf(to, COUNTERS_PREFIX "%s_bucket{le=\"", name);
		if (i < METRICS_BOUNDS)
			fprintf(to, "%g", (double)metrics_bounds_us[i] / US_PER_S);
		else
			fputs("+Inf", to);
		fprintf(to, "\"} %.15g\n", (double)sum);
	}
	fprintf(to, COUNTERS_PREFIX "%s_sum %.15g\n" COUNTERS_PREFIX "%s_count %.15g\n", name,
		(double)m->total_us / US_PER_S, name, (double)m->timed);
}

void metrics_write(FILE *to, const struct metrics *m)
{
	counters_write(to, metrics_counters, m);
	family_begin(to, "requests_total", "counter", "Answers by route and outcome.");
	for (size_t i = 0; i < m->n_rows; i++)
		write_answers(to, &m->rows[i]);
	write_latency(to, m);
}

static struct json_object *add_route(struct json_object *list, const struct route *route,
				     enum outcome outcome)
{
	struct json_object *o = json_append_object(list);

	json_add_text(o, "method", route ? route_method_name(route) : NULL);
	json_add_text(o, "path", route ? route->path : NULL);
	json_add_text(o, "outcome", outcome_row(outcome)->code);
	return o;
}

void metrics_add_answers(const struct metrics *m, struct json_object *o)
{
	struct json_object *list = json_add_array(o, "routes");

	for (size_t i = 0; i < m->n_rows; i++)
		for (int outcome = 0; outcome < _OUTCOME_MAX; outcome++)
			if (m->rows[i].answers[outcome])
				json_add_int(
					add_route(list, m->rows[i].route, (enum outcome)outcome),
					"count", (int64_t)m->rows[i].answers[outcome]);
}

void metrics_add_slowest(const struct metrics *m, uint64_t over_us, struct json_object *o)
{
	struct json_object *slow = json_add_object(o, "slow"), *list;
	size_t found[METRICS_SLOWEST], n = metrics_slowest(m, over_us, found);

	json_add_int(slow, "overUs", (int64_t)over_us);
	/* below the fastest that is kept nothing is known */
	json_add_bool(slow, "complete", m->n_slowest < METRICS_SLOWEST || n < METRICS_SLOWEST);
	list = json_add_array(slow, "requests");
	for (size_t i = 0; i < n; i++) {
		const struct metrics_slow *s = &m->slowest[found[i]];
		struct json_object *item = add_route(list, s->route, s->outcome);

		json_add_text(item, "subject", s->subject);
		json_add_int(item, "at", s->at);
		json_add_int(item, "tookUs", (int64_t)s->took_us);
		json_add_int(item, "databaseUs", (int64_t)s->database_us);
		json_add_int(item, "queueUs", (int64_t)s->queue_us);
	}
}
