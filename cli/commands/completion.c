/* SPDX-License-Identifier: MIT */
/*
 * What Tab shows.  The script of a shell asks for each Tab what may stand at the place of the last
 * word: so it never is older than the commands that it completes.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/arguments/options.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/completion/place.h"
#include "cli/completion/scripts.h"
#include "cli/completion/values.h"
#include "cli/render/render.h"

/* A daemon that does not answer is not waited for: who presses Tab has a line to type. */
#define PATIENCE_US 500000

/* --- the candidates: the whole word, and what it is --- */

struct printer {
	const char *word;	   /* that is being typed */
	int kept;		   /* bytes of it in front of the value: "--port=" */
	struct json_object *words; /* where they go; NULL: one a line, with a tab between */
};

static void print_word(const struct printer *p, const char *word, const char *about)
{
	struct json_object *o;

	if (!p->words) {
		printf("%s\t%s\n", word, about);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "word", json_object_new_string(word));
	json_object_object_add(o, "about", json_object_new_string(about));
	json_object_array_add(p->words, o);
}

static void print_value(const char *value, const char *about, void *user_data)
{
	const struct printer *p = user_data;
	_cleanup_free_ char *word = NULL;

	if (asprintf(&word, "%.*s%s", p->kept, p->word, value) >= 0)
		print_word(p, word, about);
}

static void print_options(const struct printer *p, const struct command_option *options,
			  const char *given)
{
	for (int i = 0; options[i].name; i++) {
		char name[64];

		snprintf(name, sizeof(name), "--%s", options[i].name);
		if (!(given && given[i]) && text_begins_with(name, p->word))
			print_word(p, name, options[i].help);
	}
}

static void print_candidates(const struct command_line *line, const struct place *place,
			     struct printer *p)
{
	if (place->options && place->command)
		print_options(p, place->command->options, place->given);
	if (place->options)
		print_options(p, options_global, NULL);
	p->kept = (int)(place->prefix - p->word);
	values_find(line->table, place->kinds, place->prefix, print_value, p);
}

static int complete(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *o = line->json ? render_json_new(true) : NULL;
	const char *const *words = line->args + 1;
	int n = line->n_args - 1;
	struct printer printer = { .word = n ? words[n - 1] : "" };
	struct place place;

	setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = PATIENCE_US }, NULL);
	place_find(line->table, words, n, &place);
	if (line->json)
		printer.words = json_object_new_array();
	if (!place.program)
		print_candidates(line, &place, &printer);
	else if (!line->json)
		printf("-- %d\n", place.program + 1);
	if (!line->json)
		return 0;
	json_object_object_add(o, "words", printer.words);
	json_object_object_add(o, "program",
			       place.program ? json_object_new_int(place.program + 1) : NULL);
	render_json(o);
	return 0;
}

/* --- the script --- */

static int print_script(const struct command_line *line, const char *script)
{
	_cleanup_(answer_freep) struct json_object *o = NULL;

	if (!line->json)
		return fputs(script, stdout) < 0;
	o = render_json_new(true);
	json_object_object_add(o, "code", json_object_new_string(script));
	render_json(o);
	return 0;
}

static int run(const struct command_line *line)
{
	const char *script = scripts_of(line->args[0]);

	if (!script)
		return render_usage_error(
			line, "'%.100s' is no shell that is known here: bash, zsh, fish",
			line->args[0]);
	if (line->n_before < 0)
		return print_script(line, script);
	if (line->n_before != 1)
		return render_usage_error(line, "in front of -- stands the shell alone");
	return complete(line);
}

const struct command cmd_completion = {
	.name = "completion",
	.arguments = "bash|zsh|fish [-- WORD...]",
	.summary = "what Tab shows: a script for the shell",
	.details = "Completes commands, options, and the values that there are now: names of "
		   "services,\n"
		   "ports in use, locks, sessions, runs.  A package installs the scripts where "
		   "each shell\n"
		   "looks for them; without one, load them in the shell's own file.\n"
		   "\n"
		   "With the words behind pd of a line that is being typed, prints what may stand "
		   "at the\n"
		   "place of the last: the word, a tab, and what it is; or `-- N`, where the rest "
		   "of the\n"
		   "line behind N words is another program's.  No daemon is started for it.\n",
	.examples = "  eval \"$(pd completion bash)\"                             in ~/.bashrc\n"
		    "  eval \"$(pd completion zsh)\"                behind compinit in ~/.zshrc\n"
		    "  pd completion fish | source         in ~/.config/fish/config.fish\n",
	.min_args = 1,
	.max_args = -1,
	.leaves_daemons = true,
	.run = run,
};
