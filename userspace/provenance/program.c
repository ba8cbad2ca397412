/* SPDX-License-Identifier: MIT */
#include "provenance/program.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"

#define WORDS_MAX	 32
#define SUBCOMMAND_MAX	 16 /* letters; a longer word is a name of the user's */
#define ARGUMENTS_OF_NPM 2  /* "npm run dev" */

/*
 * Interpreters, by what their names begin with.  `module`: the option that names what to run in
 * place of a file; `code`: those that are followed by code, and leave nothing to be named;
 * `valued`: those that are followed by a value.  A list is of words between blanks.
 */
static const struct interpreter {
	const char *name, *module, *code, *valued;
} interpreters[] = {
	{ "node", NULL, " -e -p --eval --print ",
	  " -r --require --import --loader --experimental-loader -C --conditions " },
	{ "python", " -m ", " -c ", " -W -X " },
	{ "ruby", NULL, " -e ", " -I -r -C " },
	{ "perl", NULL, " -e -E ", " -I -M " },
	{ "php", NULL, " -r ", " -S -t -c -d " },
	{ "bun", NULL, " -e ", " " },
	{ "deno", NULL, " eval ", " " },
	{ "bash", NULL, " -c ", " -o -O --rcfile --init-file " },
	{ "sh", NULL, " -c ", " -o " },
	{ "dash", NULL, " -c ", " -o " },
};

static bool is_in(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list ? strstr(list, word) : NULL; length && at;
	     at = strstr(at + 1, word))
		if (at[-1] == ' ' && at[length] == ' ')
			return true;
	return false;
}

/* "python3.11" is one of "python", "bashful" none of "bash". */
static const struct interpreter *find_interpreter(const char *program)
{
	const char *name = text_base_name(program);

	for (size_t i = 0; i < ARRAY_SIZE(interpreters); i++) {
		size_t length = strlen(interpreters[i].name);

		if (!strncmp(name, interpreters[i].name, length) &&
		    !name[length + strspn(name + length, "0123456789.")])
			return &interpreters[i];
	}
	return NULL;
}

/*
 * A file of a package is called by that: ".../node_modules/vite/bin/vite.js" and
 * ".../node_modules/@nestjs/cli/bin/nest.js"; in ".bin" its name is the command's.
 */
static void name_file(const char *path, char *ret)
{
	static const char modules[] = "/node_modules/";
	const char *package = NULL;

	for (const char *at = strstr(path, modules); at; at = strstr(at + 1, modules))
		package = at + strlen(modules);
	if (package && strncmp(package, ".bin/", strlen(".bin/")) != 0) {
		size_t length = strcspn(package, "/");

		if (*package == '@' && package[length])
			length += 1 + strcspn(package + length + 1, "/");
		snprintf(ret, PROGRAM_RUNS_SIZE, "%.*s", (int)length, package);
		return;
	}
	snprintf(ret, PROGRAM_RUNS_SIZE, "%s", text_base_name(path));
}

/* "dev" of "next dev": a word that is no file, option or value. */
static bool is_subcommand(const char *word)
{
	size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyz:-");

	return length && !word[length] && length <= SUBCOMMAND_MAX && islower((unsigned char)*word);
}

static void add_subcommands(const char *const *words, size_t n, char *ret)
{
	size_t most = !strcmp(ret, "npm") || !strcmp(ret, "yarn") || !strcmp(ret, "pnpm")
			      ? ARGUMENTS_OF_NPM
			      : 1;

	for (size_t i = 0; *ret && i < n && i < most && is_subcommand(words[i]); i++) {
		size_t used = strlen(ret);

		snprintf(ret + used, PROGRAM_RUNS_SIZE - used, " %s", words[i]);
	}
}

bool program_name(const char *const *words, size_t n, char ret[PROGRAM_RUNS_SIZE])
{
	const struct interpreter *interpreter = n ? find_interpreter(words[0]) : NULL;
	size_t i = 1;

	ret[0] = '\0';
	/* npm writes what it runs over its arguments */
	if (n && !strncmp(words[0], "npm ", strlen("npm "))) {
		snprintf(ret, PROGRAM_RUNS_SIZE, "%s", words[0]);
		return true;
	}
	if (!interpreter)
		return false;
	for (; i < n && *words[i] == '-'; i++) {
		if (is_in(interpreter->code, words[i]))
			return false;
		if (is_in(interpreter->module, words[i]) && i + 1 < n) {
			snprintf(ret, PROGRAM_RUNS_SIZE, "%s", words[i + 1]);
			add_subcommands(words + i + 2, n - i - 2, ret);
			return *ret;
		}
		i += is_in(interpreter->valued, words[i]);
	}
	if (i >= n)
		return false;
	name_file(words[i], ret);
	add_subcommands(words + i + 1, n - i - 1, ret);
	return *ret;
}

bool program_runs(const struct process_id *id, char ret[PROGRAM_RUNS_SIZE])
{
	char line[PROCFS_CMDLINE_SIZE];
	const char *words[WORDS_MAX];
	ssize_t size = procfs_argv(id, line, sizeof(line));
	size_t n = 0;

	for (ssize_t i = 0; i < size && n < WORDS_MAX; i += (ssize_t)strlen(line + i) + 1)
		words[n++] = line + i;
	return program_name(words, n, ret);
}
