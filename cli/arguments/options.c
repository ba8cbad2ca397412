/* SPDX-License-Identifier: MIT */
#include "cli/arguments/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"

#define SUGGEST_NAME_MAX 64

enum global_option { GLOBAL_JSON, GLOBAL_QUIET, GLOBAL_COLOR, GLOBAL_HELP, GLOBAL_VERSION };

const struct command_option options_global[] = {
	[GLOBAL_JSON] = { "json", 'j', NULL, "print one JSON object" },
	[GLOBAL_QUIET] = { "quiet", 'q', NULL, "print the bare value" },
	[GLOBAL_COLOR] = { "color", 0, "WHEN", "auto, always or never" },
	[GLOBAL_HELP] = { "help", 'h', NULL, "explain the command" },
	[GLOBAL_VERSION] = { "version", 0, NULL, "print the version of pd" },
	{ NULL },
};

/* Commands of the daemon's: not a slip away from those of the services. */
static const char *const of_daemon[] = { "start", "restart" };

struct reader {
	int argc, next, n_operands;
	char **argv;
	const struct command *const *table;
	struct options *out;
	char *error;
	size_t size;
};

static int fail(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(struct reader *reader, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reader->error, reader->size, format, args);
	va_end(args);
	return -EINVAL;
}

const char *options_nearest_command(const struct command *const *table, const char *given)
{
	const char *name = NULL;

	for (; *table; table++)
		name = text_nearer(given, name, (*table)->name);
	return name;
}

static const char *nearest_option(const struct command *command, const char *given)
{
	const struct command_option *o;
	const char *name = NULL;

	for (o = options_global; o->name; o++)
		name = text_nearer(given, name, o->name);
	for (o = command ? command->options : NULL; o && o->name; o++)
		name = text_nearer(given, name, o->name);
	return name;
}

static int set_global(struct reader *reader, enum global_option which, const char *value)
{
	struct options *out = reader->out;

	switch (which) {
	case GLOBAL_JSON:
		out->line.json = true;
		return 0;
	case GLOBAL_QUIET:
		out->line.quiet = true;
		return 0;
	case GLOBAL_HELP:
		out->help = true;
		return 0;
	case GLOBAL_VERSION:
		out->version = true;
		return 0;
	case GLOBAL_COLOR:
		if (strcmp(value, "auto") != 0 && strcmp(value, "always") != 0 &&
		    strcmp(value, "never") != 0)
			return fail(reader, "--color is auto, always or never, not '%.100s'",
				    value);
		out->color = value;
		return 0;
	}
	return -EINVAL;
}

/* The option itself, in whichever of the two tables has it. */
struct found {
	const struct command_option *option;
	bool global;
};

static bool is_named(const struct command_option *o, const char *name, size_t length, char letter)
{
	if (letter)
		return o->letter == letter;
	return strlen(o->name) == length && memcmp(o->name, name, length) == 0;
}

static struct found find_option(const struct command *command, const char *name, size_t length,
				char letter)
{
	const struct command_option *o;

	for (o = command ? command->options : NULL; o && o->name; o++)
		if (is_named(o, name, length, letter))
			return (struct found){ o, false };
	for (o = options_global; o->name; o++)
		if (is_named(o, name, length, letter))
			return (struct found){ o, true };
	return (struct found){ NULL, false };
}

static int keep_repeat(struct reader *reader, const struct command_option *option,
		       const char *value)
{
	struct command_line *line = &reader->out->line;

	if (line->n_repeats == COMMAND_REPEATS_MAX)
		return fail(reader, "--%s is given more than %d times", option->name,
			    COMMAND_REPEATS_MAX);
	line->repeats[line->n_repeats].option = option;
	line->repeats[line->n_repeats++].value = value;
	return 0;
}

static int set_option(struct reader *reader, struct found f, const char *value)
{
	if (f.global)
		return set_global(reader, f.option - options_global, value);
	reader->out->line.values[f.option - reader->out->line.command->options] = value ? value
											: "";
	return f.option->repeats ? keep_repeat(reader, f.option, value) : 0;
}

/* The value that follows as a word of its own; NULL at the end of the line. */
static const char *take_word(struct reader *reader)
{
	return reader->next < reader->argc ? reader->argv[reader->next++] : NULL;
}

static bool needs_value(const struct command_option *o)
{
	return o->value && o->value[0] != '[';
}

/* One that only may have a value, a duration, gets it behind a '=', or as the next word where that
 * reads like one: else that is an operand. */
static const char *take_duration(struct reader *reader)
{
	int64_t us;

	if (reader->next == reader->argc ||
	    duration_parse_us(reader->argv[reader->next], &us, NULL) < 0)
		return NULL;
	return take_word(reader);
}

static int read_long(struct reader *reader, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : strlen(text);
	struct found f = find_option(reader->out->line.command, text, length, 0);
	const char *value = equals ? equals + 1 : NULL;

	if (!f.option) {
		char name[SUGGEST_NAME_MAX + 1];
		const char *near;

		snprintf(name, sizeof(name), "%.*s", (int)length, text);
		near = nearest_option(reader->out->line.command, name);
		if (near)
			return fail(reader, "unknown option --%s; did you mean --%s?", name, near);
		return fail(reader, "unknown option --%s", name);
	}
	if (!f.option->value && value)
		return fail(reader, "--%s takes no value", f.option->name);
	if (needs_value(f.option) && !value)
		value = take_word(reader);
	else if (f.option->value && !value)
		value = take_duration(reader);
	if (needs_value(f.option) && !value)
		return fail(reader, "--%s needs a value: --%s %s", f.option->name, f.option->name,
			    f.option->value);
	return set_option(reader, f, value);
}

/* -q, -jq, -p 3000, -p3000 */
static int read_letters(struct reader *reader, const char *letters)
{
	for (; *letters; letters++) {
		struct found f = find_option(reader->out->line.command, NULL, 0, *letters);
		const char *value = NULL;
		int r;

		if (!f.option)
			return fail(reader, "unknown option -%c", *letters);
		if (needs_value(f.option)) {
			value = letters[1] ? letters + 1 : take_word(reader);
			if (!value)
				return fail(reader, "-%c needs a value: -%c %s", *letters, *letters,
					    f.option->value);
		}
		r = set_option(reader, f, value);
		if (r < 0 || value)
			return r;
	}
	return 0;
}

static int read_operand(struct reader *reader, char *word)
{
	const char *near;

	if (reader->out->line.command) {
		reader->argv[reader->n_operands++] = word;
		return 0;
	}
	for (const struct command *const *c = reader->table; *c; c++) {
		if (strcmp((*c)->name, word) == 0) {
			reader->out->line.command = *c;
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(of_daemon); i++)
		if (strcmp(of_daemon[i], word) == 0)
			return fail(reader, "the daemon's %s is: pd daemon %s", word, word);
	near = options_nearest_command(reader->table, word);
	if (near)
		return fail(reader, "unknown command '%.100s'; did you mean: pd %s", word, near);
	return fail(reader, "unknown command '%.100s'; pd help lists them all", word);
}

static int read_word(struct reader *reader, char *word)
{
	if (word[0] != '-' || word[1] == '\0')
		return read_operand(reader, word);
	if (word[1] == '-')
		return read_long(reader, word + 2);
	return read_letters(reader, word + 1);
}

static int check_count(struct reader *reader)
{
	const struct command *c = reader->out->line.command;
	int n = reader->n_operands;

	if (!c || reader->out->help || reader->out->version)
		return 0;
	if (n < c->min_args)
		return fail(reader, "something is missing: pd %s %s", c->name, c->arguments);
	if (c->max_args >= 0 && n > c->max_args)
		return fail(reader,
			    c->max_args ? "'%.100s' is one argument too many: pd %s %s"
					: "'%.100s' is one argument too many: pd %s takes none%s",
			    reader->argv[c->max_args], c->name, c->max_args ? c->arguments : "");
	return 0;
}

int options_parse(int argc, char **argv, const struct command *const *table, struct options *ret,
		  char *ret_error, size_t size)
{
	struct reader reader = { argc, 1, 0, argv, table, ret, ret_error, size };
	bool options_end = false;

	*ret = (struct options){ .line.table = table, .line.n_before = -1 };
	while (reader.next < reader.argc) {
		char *word = argv[reader.next++];
		int r;

		if (!options_end && strcmp(word, "--") == 0) {
			options_end = true;
			ret->line.n_before = reader.n_operands;
			continue;
		}
		r = options_end ? read_operand(&reader, word) : read_word(&reader, word);
		if (r < 0)
			return r;
	}
	argv[reader.n_operands] = NULL;
	ret->line.n_args = reader.n_operands;
	ret->line.args = (const char *const *)argv;
	return check_count(&reader);
}

bool options_want_json(int argc, char *const *argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "-j") == 0 || strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

const char *command_value(const struct command_line *line, const char *name)
{
	const struct command_option *options = line->command->options;

	for (int i = 0; i < COMMAND_OPTIONS_MAX && options[i].name; i++)
		if (strcmp(options[i].name, name) == 0)
			return line->values[i];
	return NULL;
}

const char *command_value_at(const struct command_line *line, const char *name, int n)
{
	for (int i = 0; i < line->n_repeats; i++)
		if (strcmp(line->repeats[i].option->name, name) == 0 && n-- == 0)
			return line->repeats[i].value;
	return NULL;
}
