/* SPDX-License-Identifier: MIT */
/*
 * Arguments of processes, which any program can give itself, a word a line: what is read out of
 * them, and the commands that are made of them, which somebody may run.
 */
#include "fuzz/fuzz.h"

/* for what takes arguments that have been read */
#include "provenance/engine.c"
#include "provenance/program.c"
#undef WORDS_MAX
#include "provenance/supervisor.c"
#include "provenance/tunnel.c"

#define PORT	  3000
#define LINE_SIZE 4096

/* A supervisor, or a child of one, that nobody runs. */
static void take_program(struct fuzz_input *in, struct program *ret)
{
	size_t used = 0;

	memset(ret, 0, sizeof(*ret));
	fuzz_take(in, ret->process.comm, sizeof(ret->process.comm) - 1);
	ret->process.id.pid = 1 << 30; /* of no process */
	while (in->size && ret->n < WORDS_MAX) {
		char *word = fuzz_take_line(in, sizeof(ret->arguments) - used);

		ret->words[ret->n++] = strcpy(ret->arguments + used, word);
		used += strlen(word) + 1;
		free(word);
		if (used >= sizeof(ret->arguments) - 1)
			break;
	}
}

/* --- what a shell would do with a command ---------------------------------------------------- */

/* Signs that mean something to a shell, outside of single quotes; -1 where a quote stays open. */
static int count_signs(const char *command)
{
	bool quoted = false;
	int n = 0;

	for (; *command; command++) {
		if (*command == '\'')
			quoted = !quoted;
		else if (!quoted && strchr("$`\"();&|<>*?[]{}!#~\\\n\t ", *command))
			n += *command == '\\' && command[1] == '\'' ? (command++, 0) : 1;
	}
	return quoted ? -1 : n;
}

/* The same command of names that nobody would object to. */
static int count_of_harmless(const struct kind *kind, bool listens, const char *seen)
{
	static const char *const lines[][4] = {
		{ "PM2 v6: God Daemon (/a)", NULL },
		{ "x", "-c", "/a", NULL },
		{ "x", "/a", NULL },
		{ "x", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct program p = { .process.id.pid = 1 << 30 };
		struct supervisor s = { .listens = listens, .how = "" };

		for (; lines[i][p.n]; p.n++)
			p.words[p.n] = lines[i][p.n];
		kind->stop(&p, &p, PORT, &s);
		if (*s.command && count_signs(s.command) == count_signs(seen))
			return count_signs(s.command);
	}
	return -1;
}

static void check_supervisor(const struct program *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct supervisor s = { .listens = kinds[i].listens, .how = "" };

		has_words(p, &kinds[i]);
		if (!kinds[i].stop || !p->n)
			continue;
		kinds[i].stop(p, p, PORT, &s);
		must(fuzz_ends(s.command, sizeof(s.command)));
		must(strlen(s.command) < sizeof(s.command) - 1); /* whole */
		if (*s.command) {
			int signs = count_signs(s.command); /* -1: a quote is open */

			must(signs >= 0 &&
			     count_of_harmless(&kinds[i], s.listens, s.command) == signs);
		}
	}
	is_loop(p);
	ends_with_its_child(p);
	if (p->n) {
		struct supervisor s = { .how = "" };

		name_program(p, &s);
		must(fuzz_ends(s.name, sizeof(s.name)));
	}
}

/* --- texts ------------------------------------------------------------------------------------ */

static void check_line(const struct process *process, const char *line)
{
	char control[TUNNEL_PATH_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(forwarders); i++) {
		struct engine_forward forward = { .engine = forwarders[i].engine };

		if (forwarders[i].read)
			forwarders[i].read(process, line, PORT, &forward);
		must(strspn(forward.container, "0123456789abcdefABCDEF") ==
		     strlen(forward.container));
	}
	listens_on(line, PORT);
	if (read_control(line, control))
		must(fuzz_ends(control, sizeof(control)) && *control);
	is_editor(line);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct fuzz_input in = { bytes, size };
	char runs[PROGRAM_RUNS_SIZE], line[LINE_SIZE];
	static struct program p;
	size_t used = 0;

	take_program(&in, &p);
	check_supervisor(&p);
	if (program_name(p.words, p.n, runs))
		must(*runs && fuzz_ends(runs, sizeof(runs)));
	for (size_t i = 0; i < p.n && used < sizeof(line); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", i ? " " : "",
					 p.words[i]);
	if (p.n)
		check_line(&p.process, line);
	return 0;
}
