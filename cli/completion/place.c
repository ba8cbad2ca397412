/* SPDX-License-Identifier: MIT */
#include "cli/completion/place.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments/options.h"

#define OPERANDS_MAX 8 /* looked at; behind them every operand is like the last one */
#define TOKEN_SIZE   96

/* The line as it was typed, up to the word that is being typed. */
struct typed {
	const struct command *command;
	const char *operands[OPERANDS_MAX];
	int n_operands;
	int dashes;			    /* index of "--"; -1 = there is none */
	const struct command_option *waits; /* the option whose value comes next */
};

/* --- what was typed --- */

static bool needs_value(const struct command_option *o)
{
	return o->value && o->value[0] != '[';
}

static const struct command_option *option_in(const struct command_option *o, const char *word)
{
	size_t length = strcspn(word, "=");

	for (; o && o->name; o++) {
		if (word[1] != '-' ? o->letter && word[strlen(word) - 1] == o->letter
				   : strlen(o->name) == length - 2 &&
					     !memcmp(o->name, word + 2, length - 2))
			return o;
	}
	return NULL;
}

static const struct command_option *option_of(const struct command *c, const char *word)
{
	const struct command_option *o = c ? option_in(c->options, word) : NULL;

	return o ? o : option_in(options_global, word);
}

static void read_option(struct typed *t, const char *word, struct place *p)
{
	const struct command_option *o = option_of(t->command, word);

	if (!o)
		return;
	if (t->command && o >= t->command->options &&
	    o < t->command->options + COMMAND_OPTIONS_MAX && !o->repeats)
		p->given[o - t->command->options] = true;
	if (needs_value(o) && !strchr(word, '='))
		t->waits = o;
}

static void read_word(const struct command *const *table, struct typed *t, const char *word,
		      int index, struct place *p)
{
	if (t->waits) {
		t->waits = NULL;
	} else if (t->dashes < 0 && !strcmp(word, "--")) {
		t->dashes = index;
	} else if (t->dashes < 0 && word[0] == '-' && word[1]) {
		read_option(t, word, p);
	} else if (t->command) {
		if (t->n_operands < OPERANDS_MAX)
			t->operands[t->n_operands++] = word;
	} else {
		for (; *table; table++)
			if (!strcmp((*table)->name, word))
				t->command = *table;
	}
}

/* --- the words of `arguments` --- */

/* Goes through `arguments` operand by operand, one alternative after the other. */
struct usage {
	const struct command *command;
	const char *next; /* of the text */
	int depth;	  /* of brackets: a "|" inside of them is between options */
	bool ended;	  /* the alternative */
	char token[TOKEN_SIZE];
	bool repeats; /* the operand may come again: "[ARG]..." */
};

static bool read_token(struct usage *u)
{
	size_t used = 0;

	u->repeats = false;
	u->next += strspn(u->next, " ");
	for (; *u->next && *u->next != ' '; u->next++) {
		if (*u->next == '[') {
			u->depth++;
		} else if (*u->next == ']') {
			u->depth--;
		} else if (!strncmp(u->next, "...", 3)) {
			u->repeats = true;
			u->next += 2;
		} else if (used + 1 < sizeof(u->token)) {
			u->token[used++] = *u->next;
		}
	}
	u->token[used] = '\0';
	return used > 0;
}

/* With the value that is a word of its own. */
static void skip_option(struct usage *u)
{
	const struct command_option *o = option_of(u->command, u->token);

	if (o && needs_value(o))
		read_token(u);
}

/* The next operand of this alternative, or its "--"; false behind the last. */
static bool next_operand(struct usage *u)
{
	while (!u->ended && read_token(u)) {
		if (!strcmp(u->token, "|"))
			u->ended = u->depth == 0;
		else if (u->token[0] == '-' && strcmp(u->token, "--") != 0)
			skip_option(u);
		else if (isascii(u->token[0])) /* and no "…", which stands for more options */
			return true;
	}
	u->ended = true;
	return false;
}

/* Does a word of the table, "start|stop|ID", take what was typed? */
static bool takes(const char *token, const char *typed)
{
	size_t length = strlen(typed);

	for (const char *part = token; *part; part += strcspn(part, "|"), part += *part == '|') {
		size_t n = strcspn(part, "|");

		if (!islower((unsigned char)*part) || (n == length && !memcmp(part, typed, n)))
			return true;
	}
	return false;
}

static void add_kind(struct place *p, const char *token)
{
	size_t used = strlen(p->kinds);

	snprintf(p->kinds + used, sizeof(p->kinds) - used, "%s%s", used ? "|" : "", token);
}

/*
 * One alternative: what it has at the place of the operand behind those that were typed, where it
 * takes these.
 */
static void match_alternative(struct usage *u, const struct typed *t, struct place *p)
{
	char token[TOKEN_SIZE] = "";
	bool repeats = false;

	for (int i = 0; i <= t->n_operands; i++) {
		if (!repeats) {
			if (!next_operand(u) || !strcmp(u->token, "--"))
				return;
			snprintf(token, sizeof(token), "%s", u->token);
			repeats = u->repeats;
		}
		if (i < t->n_operands && !takes(token, t->operands[i]))
			return;
	}
	add_kind(p, token);
}

static void find_operand(const struct typed *t, struct place *p)
{
	struct usage u = { .command = t->command, .next = t->command->arguments };

	while (*u.next) {
		u.ended = false;
		match_alternative(&u, t, p);
		while (next_operand(&u))
			;
	}
}

/* Whose `arguments` have " -- CMD" run what stands behind it. */
static bool runs_program(const struct command *c)
{
	return strstr(c->arguments, "-- CMD") != NULL;
}

static void find_option(const struct typed *t, const char *word, struct place *p)
{
	const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
	const struct command_option *o = equals ? option_of(t->command, word) : NULL;

	p->options = !equals;
	if (equals)
		p->prefix = equals + 1;
	if (o && o->value)
		add_kind(p, o->value);
}

void place_find(const struct command *const *table, const char *const *words, int n,
		struct place *ret)
{
	const char *word = n ? words[n - 1] : "";
	struct typed t = { .dashes = -1 };

	*ret = (struct place){ .prefix = word };
	for (int i = 0; i < n - 1; i++)
		read_word(table, &t, words[i], i, ret);
	ret->command = t.command;
	if (t.waits)
		add_kind(ret, t.waits->value);
	else if (t.dashes < 0 && word[0] == '-')
		find_option(&t, word, ret);
	else if (!t.command)
		add_kind(ret, "COMMAND");
	else if (t.dashes >= 0 && runs_program(t.command))
		ret->program = t.dashes + 1;
	else
		find_operand(&t, ret);
}
