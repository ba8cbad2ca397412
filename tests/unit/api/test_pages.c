/* SPDX-License-Identifier: MIT */
/* Long lists come in pages: all rows, each once, and none longer than it may be. */
#include "http/page.h"
#include "registry/sessions.h"
#include "world.h"

#define CLAIMS 7

/* Rows of a list as they came, by one member of theirs. */
struct rows {
	char text[64 * 1024]; /* "a,b,c," */
	size_t n, pages;
};

static void add_rows(struct rows *rows, const struct answer *a, const char *list, const char *key)
{
	for (size_t i = 0; i < count_of(a, list); i++) {
		char path[128];
		size_t used = strlen(rows->text);

		snprintf(path, sizeof(path), "%s.%zu.%s", list, i, key);
		snprintf(rows->text + used, sizeof(rows->text) - used, "%.40s,", text_of(a, path));
		rows->n++;
	}
}

/* Asks on until there is no "next"; `between` (may be NULL) is called once, behind the first page.
 */
static struct rows walk(struct world *w, const char *path, const char *list, const char *key,
			void (*between)(struct world *w))
{
	struct rows rows = { 0 };
	char next[256] = "";

	do {
		const struct answer *a = get(w, "%s%s%s", path, *next ? "&after=" : "", next);

		assert_ok(a);
		add_rows(&rows, a, list, key);
		snprintf(next, sizeof(next), "%s",
			 member(a->body, "next") ? text_of(a, "next") : "");
		if (!rows.pages++ && between)
			between(w);
		assert_true(rows.pages < 500);
	} while (*next);
	return rows;
}

static struct rows whole(struct world *w, const char *path, const char *list, const char *key)
{
	struct rows rows = walk(w, path, list, key, NULL);

	assert_int_equal(rows.pages, 1);
	return rows;
}

static void claim_some(struct world *w)
{
	for (int i = 0; i < CLAIMS; i++) {
		char id[32];

		snprintf(id, sizeof(id), "page:%d", i);
		claim(w, id, 0);
	}
}

TEST_WITH(pages_of_services_have_each_once_in_the_same_order, struct world *w)
{
	struct rows all, paged;

	claim_some(w);
	all = whole(w, "/v1/services?pattern=page:*", "services", "id");
	paged = walk(w, "/v1/services?pattern=page:*&n=2", "services", "id", NULL);
	assert_int_equal(all.n, CLAIMS);
	assert_string_equal(paged.text, all.text);
	assert_int_equal(paged.pages, (CLAIMS + 1) / 2);
}

static void change_services(struct world *w)
{
	assert_ok(ask_post(w, "/v1/releases", "{\"match\":\"page:1\"}"));
	claim(w, "page:00", 0);
}

TEST_WITH(what_was_there_all_the_time_is_in_the_pages_once, struct world *w)
{
	struct rows paged;

	claim_some(w);
	/* the row at which the first page ended is gone, and one came before it */
	paged = walk(w, "/v1/services?pattern=page:*&n=2", "services", "id", change_services);
	assert_string_equal(paged.text, "page:0,page:1,page:2,page:3,page:4,page:5,page:6,");
}

/* A group of sockets on one port: the page ends within it. */
TEST_WITH(pages_of_sockets_end_within_a_port, struct world *w)
{
	int fds[5], one = 1;
	uint16_t port = free_port();
	struct rows all, paged;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct sockaddr_in name = { .sin_family = AF_INET,
					    .sin_port = htons(port),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fds[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		assert_int_equal(bind(fds[i], (struct sockaddr *)&name, sizeof(name)), 0);
		assert_int_equal(listen(fds[i], 1), 0);
	}
	world_resync(w);
	all = whole(w, "/v1/sockets", "sockets", "inode");
	paged = walk(w, "/v1/sockets?n=2", "sockets", "inode", NULL);
	assert_true(all.n >= ARRAY_SIZE(fds));
	assert_string_equal(paged.text, all.text);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	world_resync(w);
}

TEST_WITH(pages_of_orphans_follow_those_of_claims, struct world *w)
{
	int fds[5];
	uint16_t port;
	struct rows all, paged, claims;

	claim_some(w);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = listen_in_range(&port);
	world_resync(w);
	all = whole(w, "/v1/services", "orphans", "port");
	assert_true(all.n >= ARRAY_SIZE(fds));
	paged = walk(w, "/v1/services?n=3", "orphans", "port", NULL);
	assert_string_equal(paged.text, all.text);
	all = whole(w, "/v1/services", "services", "id");
	claims = walk(w, "/v1/services?n=3", "services", "id", NULL);
	assert_string_equal(claims.text, all.text);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	world_resync(w);
}

TEST_WITH(pages_of_the_log_go_from_the_newest_to_the_oldest, struct world *w)
{
	struct rows all, paged;

	claim_some(w);
	all = whole(w, "/v1/log?n=400", "entries", "id");
	paged = walk(w, "/v1/log?n=3", "entries", "id", NULL);
	assert_true(all.n >= CLAIMS);
	assert_string_equal(paged.text, all.text);
}

static void start_session(struct world *w, char *ret, size_t size)
{
	const struct answer *a = ask_post(w, "/v1/sessions", "{\"purpose\":\"pages\"}");

	assert_ok(a);
	snprintf(ret, size, "%s", text_of(a, "id"));
}

/* As many of the longest that a note may be as make up a page and a half. */
TEST_WITH(a_page_of_long_notes_ends_with_its_bytes, struct world *w)
{
	size_t n = 3 * PAGE_MAX_BYTES / NOTE_MAX_BYTES / 2;
	char id[128], path[256], text[NOTE_MAX_BYTES + 1];
	struct note note = { .session = id, .timestamp = 1, .text = text };
	struct rows paged, newest;
	_cleanup_client_ struct client c = client_new(w);

	start_session(w, id, sizeof(id));
	assert_int_equal(registry_begin(w->registry), 0);
	for (size_t i = 0; i < n; i++) {
		memset(text, 'x', NOTE_MAX_BYTES);
		text[NOTE_MAX_BYTES] = '\0';
		memcpy(text,
		       (char[]){ (char)('0' + i / 100), (char)('0' + i / 10 % 10),
				 (char)('0' + i % 10) },
		       3);
		assert_int_equal(registry_note_add(w->registry, &note, NULL), 0);
	}
	assert_int_equal(registry_commit(w->registry), 0);
	snprintf(path, sizeof(path), "/v1/notes?session=%s&n=2000", id);
	paged = walk(w, path, "notes", "id", NULL);
	assert_int_equal(paged.n, n);
	assert_int_equal(paged.pages, 2);
	snprintf(path, sizeof(path), "/v1/notes?session=%s&n=3", id);
	newest = walk(w, path, "notes", "id", NULL);
	assert_int_equal(newest.n, 3);
	assert_string_equal(newest.text, paged.text + strlen(paged.text) - strlen(newest.text));
}

TEST_WITH(pages_of_sessions_have_open_ones_before_those_that_are_over, struct world *w)
{
	struct rows all, paged;

	for (int i = 0; i < 7; i++) {
		char id[128];

		start_session(w, id, sizeof(id));
		if (i % 2)
			continue;
		assert_ok(post(w, "/v1/sessions/end", "{\"session\":\"%s\"}", id));
	}
	all = whole(w, "/v1/sessions?all=1", "sessions", "id");
	paged = walk(w, "/v1/sessions?all=1&n=2", "sessions", "id", NULL);
	assert_true(all.n >= 7);
	assert_string_equal(paged.text, all.text);
}

TEST_WITH(a_cursor_that_nobody_gave_is_refused, struct world *w)
{
	static const struct bad_request rows[] = {
		{ "/v1/services?after=:3000", "\"next\"" },
		{ "/v1/services?after=:x.1", "\"next\"" },
		{ "/v1/sockets?after=3000", "\"next\"" },
		{ "/v1/sockets?after=70000.1", "\"next\"" },
		{ "/v1/sockets?after=3000.-1", "\"next\"" },
		{ "/v1/log?after=x", "\"next\"" },
		{ "/v1/log?after=9999999999999999999", "\"next\"" },
		{ "/v1/services?n=0", "from 1 to 500" },
		{ "/v1/sockets?n=501", "from 1 to 500" },
		{ "/v1/sessions?n=x", "from 1 to 500" },
	};

	assert_bad_paths(w, rows, ARRAY_SIZE(rows));
}

TEST_MAIN(world_open, world_close)
