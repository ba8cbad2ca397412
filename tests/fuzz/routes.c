/* SPDX-License-Identifier: MIT */
/* Parameters of every route of the table: what a row accepts is of its kind. */
#include "fuzz/parameters.h"

#include <event2/http_struct.h>
#include <limits.h>

#include "base/text.h"
#include "fuzz/world.h"
#include "http/parse.h"

#define NOW 1709150400

static const char *const agents[] = {
	NULL,
	"curl/8",
	"pd/9.9.9 (0123456; 1)",
	"pd/0.0.1",
};

/* NULL where evhttp itself refuses it. */
static struct evhttp_request *make_request(struct fuzz_input *in, const struct route *route)
{
	struct evhttp_request *http = evhttp_request_new(NULL, NULL);
	const char *agent = agents[fuzz_take_byte(in) % ARRAY_SIZE(agents)];
	struct evbuffer *parameters = take_parameters(in, route);
	struct evbuffer *uri = evbuffer_new();

	must(http && uri);
	evbuffer_add_printf(uri, "%s", route->path);
	if (route->method == ROUTE_GET)
		evbuffer_add_printf(uri, "?");
	evbuffer_add_buffer(route->method == ROUTE_GET ? uri : http->input_buffer, parameters);
	evbuffer_add(uri, "", 1);
	http->uri_elems = evhttp_uri_parse_with_flags((const char *)evbuffer_pullup(uri, -1),
						      EVHTTP_URI_NONCONFORMANT);
	if (agent)
		evhttp_add_header(http->input_headers, "User-Agent", agent);
	evbuffer_free(parameters);
	evbuffer_free(uri);
	if (http->uri_elems)
		return http;
	evhttp_request_free(http);
	return NULL;
}

/* --- what was read --- */

static void check_text(const struct param *p, const char *text)
{
	if (!text)
		return;
	must(text_is_utf8(text, strlen(text)));
	must(!p->max || strlen(text) <= (size_t)p->max);
	must(!p->check || p->check(text, NULL) == 0);
}

static void check_value(const struct param *p, const void *value, bool given)
{
	int64_t number = 0;

	if (p->read == param_text || p->read == param_path)
		check_text(p, *(const char *const *)value);
	if (p->read == param_path && given)
		must(**(const char *const *)value == '/' &&
		     strlen(*(const char *const *)value) < PATH_MAX);
	if (p->read == param_port)
		must(!given == !*(const uint16_t *)value);
	if (p->read != param_number && p->read != param_duration && p->read != param_count)
		return;
	memcpy(&number, value, sizeof(number));
	if (!given)
		must(number == p->otherwise);
	else if (p->max)
		must(number >= p->min && number <= p->max);
	else
		must(number >= 0);
}

static void check(const struct request *r, const struct route *route, int fault)
{
	must(fault == 0 || fault == OUTCOME_BAD_REQUEST || fault == OUTCOME_TOO_LARGE);
	must(text_is_utf8(r->message, strlen(r->message)));
	must(text_is_utf8(r->trace.subject, strlen(r->trace.subject)));
	if (fault) {
		must(*r->message);
		return;
	}
	for (size_t i = 0; i < ROUTE_PARAMS_MAX && route->params[i].name; i++) {
		const struct param *p = &route->params[i];
		bool given = parse_was_given(r, p->name);

		must(given || !p->missing);
		check_value(p, (const char *)r->params + p->offset, given);
	}
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct fuzz_input in = { bytes, size };
	const struct route *route = take_route(&in);
	/* some rows ask which of a user's names is meant */
	struct request r = { .now = NOW, .api = fuzz_world()->api, .uid = OTHER_UID };

	r.http = make_request(&in, route);
	if (!r.http)
		return 0;
	check(&r, route, parse_request(&r, route));
	request_deinit(&r);
	evhttp_request_free(r.http);
	return 0;
}
