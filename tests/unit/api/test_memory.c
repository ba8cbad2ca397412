/* SPDX-License-Identifier: MIT */
/*
 * An answer is whole, or it says that it is not: each allocation that it takes fails in turn.  The
 * allocations are those of the rooms, libevent's among them, and the objects of json-c, wrapped at
 * link time (see the Makefile).
 */
#include "http/reserve.h"
#include "registry/registry.h"
#include "world.h"

static bool counting;
static size_t n_allocations, failing; /* failing: the one that does, from 1 on; 0 = none */

static bool fails(void)
{
	return counting && ++n_allocations == failing;
}

#define WRAP(type, name, parameters, arguments, failure)            \
	type __real_##name parameters;                              \
	type __wrap_##name parameters;                              \
	type __wrap_##name parameters                               \
	{                                                           \
		return fails() ? failure : __real_##name arguments; \
	}

WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(void *, realloc, (void *p, size_t size), (p, size), NULL)
WRAP(char *, strdup, (const char *text), (text), NULL)
WRAP(struct json_object *, json_object_new_object, (void), (), NULL)
WRAP(struct json_object *, json_object_new_array, (void), (), NULL)
WRAP(struct json_object *, json_object_new_string, (const char *text), (text), NULL)
WRAP(struct json_object *, json_object_new_int64, (int64_t value), (value), NULL)
WRAP(struct json_object *, json_object_new_int, (int32_t value), (value), NULL)
WRAP(struct json_object *, json_object_new_boolean, (json_bool value), (value), NULL)
WRAP(int, json_object_array_add, (struct json_object * array, struct json_object *value),
     (array, value), -1)
WRAP(int, json_object_object_add,
     (struct json_object * o, const char *key, struct json_object *value), (o, key, value), -1)
WRAP(int, json_object_object_add_ex,
     (struct json_object * o, const char *const key, struct json_object *const value,
      const unsigned options),
     (o, key, value, options), -1)

/* Asks while the allocation fails; until there is an answer, or the end. */
static void ask_on(struct world *w, struct client *c, const char *path, size_t which)
{
	int64_t deadline = now_ms() + DEADLINE_MS;

	n_allocations = 0;
	failing = which;
	counting = true;
	client_get(w, c, path); /* which turns the loop */
	counting = false;
	while (!answer_size(c) && !c->ended) {
		assert_true(now_ms() < deadline);
		counting = true;
		world_turn(w);
		counting = false;
		client_read(c);
	}
	failing = 0;
}

/* The text of the answer, which is the caller's; NULL where there was no answer but the end. */
static char *ask(struct world *w, const char *path, size_t which, int *ret_status)
{
	_cleanup_client_ struct client c = client_new(w);
	const char *body;

	ask_on(w, &c, path, which);
	body = strstr(c.text, "\r\n\r\n");
	*ret_status = 0;
	sscanf(c.text, "HTTP/1.%*d %d", ret_status);
	return body ? strdup(body + 4) : NULL;
}

static bool is_json(const char *text)
{
	struct json_object *o = text ? json_tokener_parse(text) : NULL;

	json_object_put(o);
	return o;
}

static void fail_because_of_difference(const char *path, size_t i, const char *text,
				       const char *whole)
{
	size_t same = 0;

	while (text[same] == whole[same])
		same++;
	same = same < 100 ? 0 : same - 100;
	fail_msg("%s: allocation %zu failed, and the answer has\n%.200s\nwhole it has\n%.200s",
		 path, i, text + same, whole + same);
}

/* Whole is what was answered before, or is now: some answers have ages in them. */
static void assert_whole_or_refused(struct world *w, const char *path)
{
	int status;
	char *whole = ask(w, path, 0, &status);
	size_t all = n_allocations, refused = 0;

	assert_int_equal(status, 200);
	for (size_t i = 1; i <= all; i++) {
		char *text = ask(w, path, i, &status), *now;
		int now_status;

		if (status == 200 && strcmp(text, whole) != 0) {
			now = ask(w, path, 0, &now_status);
			if (is_json(text) && strcmp(text, now) != 0)
				fail_because_of_difference(path, i, text, now);
			free(whole);
			whole = now;
		}
		refused += status != 200;
		free(text);
	}
	assert_true(refused > 0);
	free(whole);
}

TEST_WITH(answer_for_which_memory_was_short_is_whole_or_an_error, struct world *w)
{
	char sockets[64], brief[64], why[64];
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	const struct answer *claimed =
		ask_post(w, "/v1/claims",
			 "{\"services\":[{\"id\":\"short:a\"},{\"id\":\"short:b\"}],\"range\":"
			 "\"20000-29999\"}");
	const char *questions[] = { sockets,
				    brief,
				    why,
				    "/v1/services?pattern=short:*",
				    "/v1/sessions",
				    "/v1/locks",
				    "/v1/log?filter=short:*" };

	assert_ok(claimed);
	world_resync(w);
	snprintf(sockets, sizeof(sockets), "/v1/sockets?port=%u", port);
	snprintf(brief, sizeof(brief), "/v1/sockets?port=%u&details=no", port);
	snprintf(why, sizeof(why), "/v1/why?port=%u", port);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		assert_whole_or_refused(w, questions[i]);
}

/* The reserve is needed for each of its requests: nobody else connects meanwhile. */
TEST_WITH(connection_is_kept_or_ended_however_often_memory_is_short, struct world *w)
{
	size_t all = 1, answered = 0;

	for (size_t i = 0; i <= all; i++) {
		_cleanup_client_ struct client c = client_new(w);

		client_get(w, &c, "/v1/locks");
		client_answer(w, &c);
		for (int k = 0; k < 3 && !c.ended; k++) {
			ask_on(w, &c, "/v1/locks", i);
			if (i == 0)
				all = n_allocations;
			if (answer_size(&c)) {
				client_answer(w, &c);
				answered++;
			}
		}
	}
	assert_true(answered > all);
}

int main(void)
{
	reserve_begin();
	return cmocka_run_group_tests_name(__BASE_FILE__, tests, world_open, world_close);
}
