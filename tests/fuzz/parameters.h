/* SPDX-License-Identifier: MIT */
/*
 * What a route takes, made of an input: queries and bodies of the names that its row has, and of
 * values that come near to one kind or another, or raw.  A new route, and a new parameter, is
 * fuzzed because it stands in the table.
 */
#ifndef FUZZ_PARAMETERS_H
#define FUZZ_PARAMETERS_H

#include <event2/buffer.h>
#include <event2/http.h>

#include "api/routes.h"
#include "fuzz/fuzz.h"

#define PARAMETER_VALUE_SIZE 200

#define REFER_TO_ROUTE(name) &name,
static const struct route *const parameter_routes[] = { ROUTES(REFER_TO_ROUTE) };

static inline const struct route *take_route(struct fuzz_input *in)
{
	return parameter_routes[fuzz_take_byte(in) % ARRAY_SIZE(parameter_routes)];
}

static const struct {
	const char *query, *body;
} parameter_values[] = {
	{ "shop:web", "\"shop:web\"" },
	{ "3000", "3000" },
	{ "65536", "\"65536\"" },
	{ "1", "true" },
	{ "yes", "false" },
	{ "30s", "\"30s\"" },
	{ "9999999999999999999", "9999999999999999999" },
	{ "1709150400", "1e999" },
	{ "%2Fhome%2Fme", "\"/home/me\"" },
	{ "%00", "\"\\u0000\"" },
	{ "%c3%28", "\"\\ud800\"" },
	{ "yesterday+9pm", "-1" },
	{ "shop%3A*", "{\"id\":\"a\",\"health\":\"/\"}" },
	{ "3000.17", "[{\"id\":\"a:b\"},{\"id\":\"c\",\"health\":\"/h\"}]" },
	{ "", "[[[[[[[[[[1]]]]]]]]]]" },
	{ "127.0.0.1", "null" },
};

static inline void add_query_value(struct fuzz_input *in, struct evbuffer *text)
{
	uint8_t what = fuzz_take_byte(in);
	_cleanup_free_ char *raw = NULL, *encoded = NULL;

	if (what < 128) {
		evbuffer_add_printf(text, "%s",
				    parameter_values[what % ARRAY_SIZE(parameter_values)].query);
		return;
	}
	raw = fuzz_take_line(in, PARAMETER_VALUE_SIZE);
	encoded = evhttp_uriencode(raw, -1, what & 1);
	evbuffer_add_printf(text, "%s", encoded);
}

static inline void add_body_value(struct fuzz_input *in, struct evbuffer *text)
{
	uint8_t what = fuzz_take_byte(in);
	_cleanup_free_ char *raw = NULL;
	struct json_object *o;

	if (what < 128) {
		evbuffer_add_printf(text, "%s",
				    parameter_values[what % ARRAY_SIZE(parameter_values)].body);
		return;
	}
	raw = fuzz_take_line(in, PARAMETER_VALUE_SIZE);
	if (what & 1) {
		evbuffer_add_printf(text, "%s", raw);
		return;
	}
	o = json_object_new_string(raw);
	evbuffer_add_printf(text, "%s", json_object_to_json_string(o));
	json_object_put(o);
}

/*
 * "name=value&…", or {"name": value, …}, of some rows of the route; or the next line of the input
 * as it is.  The caller's.
 */
static inline struct evbuffer *take_parameters(struct fuzz_input *in, const struct route *route)
{
	struct evbuffer *text = evbuffer_new();
	bool query = route->method == ROUTE_GET;
	uint16_t chosen;
	size_t n = 0;

	must(text);
	fuzz_take(in, &chosen, sizeof(chosen));
	if (chosen & 1 << 15) {
		_cleanup_free_ char *raw = fuzz_take_line(in, in->size + 1);

		evbuffer_add_printf(text, "%s", raw);
		return text;
	}
	evbuffer_add_printf(text, "%s", query ? "" : "{");
	for (size_t i = 0; i < ROUTE_PARAMS_MAX && route->params[i].name; i++) {
		if (!(chosen & 1 << i))
			continue;
		evbuffer_add_printf(text,
				    query ? "%s%s=" : "%s\"%s\":", n++ ? (query ? "&" : ",") : "",
				    route->params[i].name);
		if (query)
			add_query_value(in, text);
		else
			add_body_value(in, text);
	}
	evbuffer_add_printf(text, "%s", query ? "" : "}");
	return text;
}

#endif
