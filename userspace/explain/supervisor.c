/* SPDX-License-Identifier: MIT */
#include "explain/supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"

#define ANCESTORS_SEARCHED 3 /* npm and a shell may stand between it and its supervisor */

/*
 * By the name of the process or, for what an interpreter runs, by a word of its command line.
 * A command with %s takes the supervisor's first argument, which names the service.
 */
static const struct {
	const char *comm;     /* NULL = any; one that ends with a blank is what it begins with */
	const char *argument; /* a word of the command line ends with; NULL = any */
	const char *name;
	const char *command; /* NULL: end the supervisor itself */
	const char *remark;
} kinds[] = {
	{ "PM2 ", NULL, "pm2", "pm2 list", ": find its name here, then pm2 stop NAME" },
	{ "supervisord", NULL, "supervisord", "supervisorctl status",
	  ": find its name here, then supervisorctl stop NAME" },
	{ "runsv", NULL, "runit", "sv down %s", "" },
	{ "s6-supervise", NULL, "s6", "s6-svc -d /run/service/%s", "" },
	{ "supervise", NULL, "daemontools", "svc -d /service/%s", "" },
	{ "circusd", NULL, "circus", "circusctl status",
	  ": find its name here, then circusctl stop NAME" },
	{ "nodemon", NULL, "nodemon", NULL, "" },
	{ NULL, "/nodemon", "nodemon", NULL, "" },
	{ NULL, "/nodemon.js", "nodemon", NULL, "" },
	{ NULL, "/forever", "forever", NULL, "" },
	{ NULL, "/forever/bin/monitor", "forever", NULL, "" },
	{ NULL, "/ts-node-dev", "ts-node-dev", NULL, "" },
	{ "watchexec", NULL, "watchexec", NULL, "" },
	{ "cargo-watch", NULL, "cargo watch", NULL, "" },
	{ "entr", NULL, "entr", NULL, "" },
	{ "reflex", NULL, "reflex", NULL, "" },
};

static const char *const shells[] = { "sh", "bash", "dash", "zsh", "ksh", "ash", "busybox" };

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static bool any_word_ends_with(const char *line, const char *end)
{
	_cleanup_free_ char *copy = strdup(line);
	char *save = NULL;

	for (char *word = copy ? strtok_r(copy, " ", &save) : NULL; word;
	     word = strtok_r(NULL, " ", &save))
		if (ends_with(word, end))
			return true;
	return false;
}

/* The first argument, where it is a word that a shell takes without quotes; else "". */
static void first_argument(const char *line, char *ret, size_t size)
{
	const char *word = strchr(line, ' ');
	size_t n;

	ret[0] = '\0';
	word = word ? word + 1 : "";
	n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
	if (n && n < size && *word != '-' && (!word[n] || word[n] == ' '))
		snprintf(ret, size, "%.*s", (int)n, word);
}

static bool is_shell(const char *comm)
{
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (!strcmp(comm, shells[i]))
			return true;
	return false;
}

/* `sh -c 'while …'`; what a script or a terminal was told is not in its arguments. */
static bool is_loop(const char *comm, const char *line)
{
	const char *code = is_shell(comm) ? strstr(line, " -c ") : NULL;

	return code && (strstr(code, "while ") || strstr(code, "until ")) && strstr(code, "do");
}

static bool is_of_kind(size_t kind, const char *comm, const char *line)
{
	const char *wanted = kinds[kind].comm;

	if (!wanted)
		return any_word_ends_with(line, kinds[kind].argument);
	return ends_with(wanted, " ") ? !strncmp(comm, wanted, strlen(wanted))
				      : !strcmp(comm, wanted);
}

static bool recognize(const char *comm, const char *line, struct why_supervisor *ret)
{
	char argument[64];

	first_argument(line, argument, sizeof(argument));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *command = kinds[i].command ? kinds[i].command : "";

		if (!is_of_kind(i, comm, line))
			continue;
		ret->name = kinds[i].name;
		ret->remark = kinds[i].remark;
		ret->ends_it = !*command;
		if (!strstr(command, "%s"))
			snprintf(ret->command, sizeof(ret->command), "%s", command);
		else if (*argument)
			snprintf(ret->command, sizeof(ret->command), "%.*s%s",
				 (int)(strlen(command) - strlen("%s")), command, argument);
		return true;
	}
	if (!is_loop(comm, line))
		return false;
	ret->name = "a shell loop";
	ret->remark = "";
	ret->ends_it = true;
	return true;
}

bool why_supervisor_find(const struct process *process, struct why_supervisor *ret)
{
	for (int i = 0; i < process->n_ancestors && i < ANCESTORS_SEARCHED; i++) {
		const struct process_ancestor *a = &process->ancestors[i];
		char line[PROCFS_CMDLINE_SIZE];

		/* one that has ended starts nothing again */
		if (!procfs_alive(&a->id) || procfs_cmdline(&a->id, line, sizeof(line)))
			continue;
		*ret = (struct why_supervisor){ .id = a->id };
		if (recognize(a->comm, line, ret))
			return true;
	}
	return false;
}

/* --- containers --- */

static const struct {
	const char *comm, *engine;
	bool lists_by_port;
} forwarders[] = {
	{ "docker-proxy", "docker", true },
	{ "dockerd", "docker", true }, /* reserves the port where userland-proxy is off */
	{ "rootlesskit", "docker", true },
	{ "rootlessport", "podman", false },
	{ "conmon", "podman", false },
};

/* The word behind a name, in a copy that the caller may cut up; NULL = not there. */
static const char *word_behind(const char *line, const char *name, char *ret, size_t size)
{
	const char *at = line;
	size_t length = strlen(name), n;

	while ((at = strstr(at, name)) && (at == line || at[-1] != ' ' || at[length] != ' '))
		at += length;
	if (!at)
		return NULL;
	at += length + 1;
	n = strcspn(at, " ");
	if (!n || n >= size)
		return NULL;
	snprintf(ret, size, "%.*s", (int)n, at);
	return ret;
}

bool why_forward_parse(const char *cmdline, struct why_forward *ret)
{
	char addr[NET_ADDR_STR_SIZE], port[8], *end;
	unsigned long number;

	if (!word_behind(cmdline, "-container-ip", addr, sizeof(addr)) ||
	    !word_behind(cmdline, "-container-port", port, sizeof(port)) ||
	    net_addr_parse(addr, &ret->family, &ret->addr))
		return false;
	number = strtoul(port, &end, 10);
	if (*end || !number || number > UINT16_MAX) {
		ret->family = 0;
		return false;
	}
	ret->port = (uint16_t)number;
	return true;
}

bool why_forward_find(const struct process *process, struct why_forward *ret)
{
	char line[PROCFS_CMDLINE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(forwarders); i++) {
		if (strcmp(process->comm, forwarders[i].comm) != 0)
			continue;
		*ret = (struct why_forward){ .engine = forwarders[i].engine,
					     .lists_by_port = forwarders[i].lists_by_port };
		if (!procfs_cmdline(&process->id, line, sizeof(line)))
			why_forward_parse(line, ret);
		return true;
	}
	return false;
}
