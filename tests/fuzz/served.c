/* SPDX-License-Identifier: MIT */
/*
 * Whole requests to a daemon's rooms in this process: of every route, pipelined, cut anywhere, raw,
 * over connections that end whenever they like.  What they did stays: the next ones meet it.
 */
#include "fuzz/parameters.h"
#include "fuzz/world.h"

#define STEPS_MAX 16
#define TURNS_MAX 4 /* of the loop without anything that came: it is quiet */

enum step { STEP_REQUEST, STEP_RAW, STEP_CUT, STEP_TURN, STEP_ANOTHER, STEP_END, _STEP_MAX };

static struct world *world;

static struct evbuffer *take_request(struct fuzz_input *in)
{
	const struct route *route = take_route(in);
	uint8_t version = fuzz_take_byte(in) & 1;
	struct evbuffer *parameters = take_parameters(in, route), *text = evbuffer_new();
	bool query = route->method == ROUTE_GET;

	must(text);
	evbuffer_add_printf(text, "%s %s%s", route_method_name(route), route->path,
			    query ? "?" : "");
	if (query)
		evbuffer_add_buffer(text, parameters);
	evbuffer_add_printf(text, " HTTP/1.%u\r\nHost: pd\r\n", version);
	if (!query) {
		evbuffer_add_printf(text, "Content-Length: %zu\r\n\r\n",
				    evbuffer_get_length(parameters));
		evbuffer_add_buffer(text, parameters);
	} else {
		evbuffer_add_printf(text, "\r\n");
	}
	evbuffer_free(parameters);
	return text;
}

static void say(struct client *c, struct evbuffer *text, size_t n)
{
	size_t size = evbuffer_get_length(text);

	client_write(world, c, evbuffer_pullup(text, -1), n < size ? n : size);
}

/* Until nothing comes any more: an answer that waits for something is not waited for. */
static void turn(struct client *c)
{
	for (int quiet = 0; quiet < TURNS_MAX && !c->ended; quiet++) {
		size_t before = c->n;

		world_turn(world);
		client_read(c);
		if (c->n != before)
			quiet = 0;
	}
}

static void step(struct client *c, struct fuzz_input *in)
{
	enum step what = fuzz_take_byte(in) % _STEP_MAX;
	struct evbuffer *text = NULL;
	char *raw;

	switch (what) {
	case STEP_REQUEST:
		text = take_request(in);
		say(c, text, SIZE_MAX);
		break;
	case STEP_CUT:
		text = take_request(in);
		say(c, text, fuzz_take_byte(in));
		break;
	case STEP_RAW:
		raw = fuzz_take_line(in, in->size + 1);
		client_write(world, c, raw, strlen(raw));
		client_write(world, c, "\r\n", 2);
		free(raw);
		break;
	case STEP_ANOTHER:
		client_free(c);
		*c = client_new(world);
		break;
	case STEP_END:
		shutdown(c->fd, SHUT_WR);
		break;
	default:
		turn(c);
	}
	if (text)
		evbuffer_free(text);
}

/* What came begins like an answer. */
static void check(const struct client *c)
{
	if (c->n)
		must(!strncmp(c->text, "HTTP/1.", c->n < 7 ? c->n : 7));
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct fuzz_input in = { bytes, size };
	struct client c;

	world = fuzz_world();
	c = client_new(world);
	for (int i = 0; i < STEPS_MAX && in.size; i++)
		step(&c, &in);
	turn(&c);
	check(&c);
	client_free(&c);
	world_turn(world);
	return 0;
}
