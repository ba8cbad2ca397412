/* SPDX-License-Identifier: MIT */
/* Command lines of pd, a word a line, as they are run and as they are completed. */
#include "cli/arguments/options.h"
#include "cli/completion/place.h"
#include "fuzz/fuzz.h"

#define WORDS_MAX  40
#define ERROR_SIZE 512

static void check_place(const char *const *words, int n)
{
	struct place place;

	place_find(commands, words, n, &place);
	must(place.prefix && fuzz_ends(place.kinds, sizeof(place.kinds)));
	must(place.program >= 0 && place.program <= n);
}

static void check_line(int argc, char **argv)
{
	struct options options;
	char error[ERROR_SIZE] = "";
	int r = options_parse(argc, argv, commands, &options, error, sizeof(error));

	if (r < 0) {
		must(*error && fuzz_ends(error, sizeof(error)));
		return;
	}
	must(options.line.n_args >= 0 && options.line.n_args < argc);
	must(options.line.n_before <= options.line.n_args);
	must(options.line.n_repeats <= COMMAND_REPEATS_MAX);
	if (!options.line.command || options.help || options.version)
		return;
	must(options.line.n_args >= options.line.command->min_args);
	must(options.line.command->max_args < 0 ||
	     options.line.n_args <= options.line.command->max_args);
	for (int i = 0; i < COMMAND_OPTIONS_MAX && options.line.command->options[i].name; i++)
		command_value_at(&options.line, options.line.command->options[i].name, 0);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct fuzz_input in = { bytes, size };
	char *words[WORDS_MAX + 2] = { (char[]){ "pd" } }, *argv[WORDS_MAX + 2];
	int n = 1;

	while (in.size && n <= WORDS_MAX)
		words[n++] = fuzz_take_line(&in, in.size + 1);
	check_place((const char *const *)words + 1, n - 1);
	memcpy(argv, words, sizeof(argv)); /* operands move within it */
	options_want_json(n, argv);
	check_line(n, argv);
	while (n > 1)
		free(words[--n]);
	return 0;
}
