/* SPDX-License-Identifier: MIT */
/* What services write: cut into lines as it comes, and read back from the files that keep it. */
#include "cli/supervise/lines.h"
#include "fuzz/fuzz.h"

/* for files that are open */
#include "cli/supervise/log_reader.c"

#define LINES_KEPT_MAX 8192
#define REPEATS_MAX    64 /* a line may be longer than there is room for */

struct piece {
	const char *at;
	size_t n;
};

static struct piece wanted[LINES_KEPT_MAX];
static size_t n_wanted, n_seen;

static void want(const char *at, size_t n)
{
	must(n_wanted < LINES_KEPT_MAX);
	wanted[n_wanted++] = (struct piece){ at, n };
}

static void see(const char *line, size_t n, void *user_data)
{
	must(n_seen < n_wanted && n == wanted[n_seen].n);
	must(!n || memcmp(line, wanted[n_seen].at, n) == 0);
	n_seen++;
}

/* A line in pieces as large as there is room; an empty one is a line, too. */
static void want_line(const char *line, size_t n)
{
	do {
		size_t piece = n < LINES_MAX_BYTES ? n : LINES_MAX_BYTES;

		want(line, piece);
		line += piece;
		n -= piece;
	} while (n);
}

/* Whole lines of a text; the rest, where there is one, in *ret_rest. */
static void want_lines(const char *text, size_t n, void (*take)(const char *line, size_t n),
		       struct piece *ret_rest)
{
	const char *end;

	while (n && (end = memchr(text, '\n', n))) {
		take(text, (size_t)(end - text));
		n -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	*ret_rest = (struct piece){ text, n };
}

/* --- as it comes ----------------------------------------------------------------------------- */

static void split(const char *text, size_t n, size_t piece)
{
	struct line_splitter s = { 0 };
	struct piece rest;

	n_wanted = n_seen = 0;
	want_lines(text, n, want_line, &rest);
	if (rest.n)
		want_line(rest.at, rest.n);
	for (size_t at = 0; at < n; at += piece)
		must(lines_add(&s, text + at, n - at < piece ? n - at : piece, see, NULL) == 0);
	lines_finish(&s, see, NULL);
	lines_deinit(&s);
	must(n_seen == n_wanted);
}

static void check_splitter(struct fuzz_input in)
{
	size_t repeats = 1 + fuzz_take_byte(&in) % REPEATS_MAX, n;
	size_t piece = 1 + fuzz_take_byte(&in) * 17;
	char *text;

	if (memchr(in.bytes, '\n', in.size) && repeats > 2)
		repeats = 2;
	n = in.size * repeats;
	text = malloc(n + 1);
	must(text);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)in.bytes[i % in.size];
	split(text, n, piece);
	free(text);
}

/* --- what was kept --------------------------------------------------------------------------- */

static bool is_older(const struct piece *line, const char *since)
{
	char text[LOG_FILE_STAMP_SIZE];

	snprintf(text, sizeof(text), "%.*s", (int)line->n, line->at);
	return strncmp(text, since, strlen(since)) < 0;
}

static void check_reader(struct fuzz_input in)
{
	size_t last = fuzz_take_byte(&in) % 8, with_since = fuzz_take_byte(&in) & 1;
	size_t part = in.size / LOG_FILES, first;
	bool all = last == 0;
	struct log_reader r = { .path = "/nonexistent" };
	struct piece rest;

	n_wanted = n_seen = 0;
	for (int i = 0; i < LOG_FILES; i++) {
		const uint8_t *at = in.bytes + i * part;

		r.files[i] = fdopen(fuzz_file(at, part), "r");
		must(r.files[i]);
		want_lines((const char *)at, part, want, &rest);
	}
	seek_to_last(&r, all ? SIZE_MAX : last);
	first = all || last > n_wanted ? 0 : n_wanted - last;
	if (with_since)
		skip_older(&r, "2026");
	while (with_since && first < n_wanted && is_older(&wanted[first], "2026"))
		first++;
	must(count_lines(&r) == n_wanted - first);
	for (; log_reader_next(&r); first++) {
		must(first < n_wanted && r.n <= wanted[first].n);
		must((size_t)(r.line - r.stamp) + r.n == wanted[first].n);
		must(memcmp(r.stamp, wanted[first].at, wanted[first].n) == 0);
	}
	must(first == n_wanted);
	log_reader_close(&r);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct fuzz_input in = { bytes, size };

	if (size < 3)
		return 0;
	check_splitter(in);
	check_reader(in);
	return 0;
}
