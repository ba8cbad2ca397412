/* SPDX-License-Identifier: MIT */
#include "cli/commands/help.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments/options.h"
#include "cli/command.h"
#include "cli/render/render.h"

/* "  -p, --port PORT" is padded to this many columns. */
#define OPTION_COLUMN 24

static void print_options(FILE *to, const struct command_option *options)
{
	for (const struct command_option *o = options; o->name; o++) {
		char name[64];
		char letter[5] = "    ";

		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(name, sizeof(name), "%s--%s%s%s", letter, o->name,
			 o->value && o->value[0] != '[' ? " " : "", o->value ? o->value : "");
		fprintf(to, "  %-*s %s\n", OPTION_COLUMN, name, o->help);
	}
}

void help_command(const struct command *command)
{
	printf("usage: pd %s%s%s\n\n%s\n", command->name, *command->arguments ? " " : "",
	       command->arguments, command->summary);
	if (command->details)
		printf("\n%s", command->details);
	printf("\nOptions\n");
	print_options(stdout, command->options);
	print_options(stdout, options_global);
	if (command->examples)
		printf("\nExamples\n%s", command->examples);
}

void help_all(FILE *to, const struct command *const *table)
{
	fprintf(to, "pd: stable ports for development services, and who really holds them\n\n"
		    "usage: pd COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands\n");
	for (const struct command *const *c = table; *c; c++)
		fprintf(to, "  %-10s %s\n", (*c)->name, (*c)->summary);
	fprintf(to, "\nOptions of every command\n");
	print_options(to, options_global);
	fprintf(to, "\nExit codes\n"
		    "  0 done, yes   1 no   2 wrong command line   3 no daemon   4 conflict\n"
		    "  5 not allowed   6 failed inside\n"
		    "\npd help COMMAND explains one of them.\n");
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

static struct json_object *describe_options(const struct command_option *options)
{
	struct json_object *list = json_object_new_array();

	for (const struct command_option *o = options; o->name; o++) {
		struct json_object *row = json_object_new_object();

		add_text(row, "name", o->name);
		add_text(row, "letter", o->letter ? (const char[]){ o->letter, '\0' } : NULL);
		add_text(row, "value", o->value);
		add_text(row, "help", o->help);
		json_object_object_add(row, "repeats", json_object_new_boolean(o->repeats));
		json_object_array_add(list, row);
	}
	return list;
}

static struct json_object *describe(const struct command *command)
{
	struct json_object *row = json_object_new_object();

	add_text(row, "name", command->name);
	add_text(row, "arguments", command->arguments);
	add_text(row, "summary", command->summary);
	add_text(row, "details", command->details);
	add_text(row, "examples", command->examples);
	json_object_object_add(row, "options", describe_options(command->options));
	return row;
}

/* Of one command, or of all: the whole table, from which scripts/manual makes the pages. */
static void help_json(const struct command *const *table, const struct command *only)
{
	struct json_object *o = render_json_new(true);
	struct json_object *list = json_object_new_array();

	for (const struct command *const *c = table; *c; c++)
		if (!only || *c == only)
			json_object_array_add(list, describe(*c));
	json_object_object_add(o, "commands", list);
	json_object_object_add(o, "options", describe_options(options_global));
	render_json(o);
	json_object_put(o);
}

static const struct command *command_of(const struct command *const *table, const char *name)
{
	for (const struct command *const *c = table; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

static int refuse_unknown(const struct command_line *line, const char *name)
{
	const char *near = options_nearest_command(line->table, name);

	return render_usage_error(line, "there is no command '%.100s'%s%s", name,
				  near ? "; did you mean: pd help " : "", near ? near : "");
}

static int run(const struct command_line *line)
{
	const struct command *command = line->n_args ? command_of(line->table, line->args[0])
						     : NULL;

	if (line->n_args && !command)
		return refuse_unknown(line, line->args[0]);
	if (line->json)
		help_json(line->table, command);
	else if (command)
		help_command(command);
	else
		help_all(stdout, line->table);
	return 0;
}

const struct command cmd_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "explain pd, or one of its commands",
	.examples = "  pd help\n  pd help claim\n",
	.max_args = 1,
	.run = run,
};
