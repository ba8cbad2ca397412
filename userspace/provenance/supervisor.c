/* SPDX-License-Identifier: MIT */
#include "provenance/supervisor.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "provenance/lineage.h"

#define PLACE_SIZE    256  /* of a directory or file in a command */
#define WORDS_MAX     64   /* arguments that are looked through */
#define CHILDREN_SIZE 4096 /* of a list of pids */
#define SERVICE_SIZE  64   /* of a directory that names a service */
#define ROOT	      ((uid_t)0)

/* A process as its names and arguments tell. */
struct program {
	struct process process;
	char arguments[PROCFS_CMDLINE_SIZE];
	const char *words[WORDS_MAX];
	size_t n;
};

static bool read_program(pid_t pid, struct program *ret)
{
	ssize_t size;

	ret->n = 0;
	if (pid <= 0 || procfs_describe_briefly(pid, &ret->process))
		return false;
	size = procfs_argv(&ret->process.id, ret->arguments, sizeof(ret->arguments));
	for (ssize_t i = 0; i < size && ret->n < WORDS_MAX;
	     i += (ssize_t)strlen(ret->arguments + i) + 1)
		ret->words[ret->n++] = ret->arguments + i;
	return size > 0;
}

/* The value of an option: "-c FILE", "-cFILE", "--configuration FILE", "--configuration=FILE". */
static const char *value_of(const struct program *p, const char *letter, const char *word)
{
	for (size_t i = 1; i < p->n; i++) {
		const char *at = p->words[i];

		if (!strcmp(at, letter) || !strcmp(at, word))
			return i + 1 < p->n ? p->words[i + 1] : NULL;
		if (text_begins_with(at, word) && at[strlen(word)] == '=')
			return at + strlen(word) + 1;
		if (text_begins_with(at, letter))
			return at + strlen(letter);
	}
	return NULL;
}

/* --- how one service of it is stopped -------------------------------------------------------- */

/* One that only shows which services there are: its user has to find the name. */
static void show_only(struct supervisor *ret, const char *how)
{
	ret->stops = 0;
	ret->how = how;
}

/* The directory in "PM2 v6.0.5: God Daemon (/home/ann/.pm2)". */
static bool find_pm2_home(const struct program *pm2, char *ret, size_t size)
{
	char directory[PLACE_SIZE];
	const char *title = pm2->n ? strstr(pm2->words[0], ": God Daemon (/") : NULL;
	size_t length;

	if (!title)
		return false;
	title = strchr(title, '/');
	length = strlen(title);
	if (length < 2 || length >= sizeof(directory) || title[length - 1] != ')')
		return false;
	snprintf(directory, sizeof(directory), "%.*s", (int)length - 1, title);
	return text_shell_quote(directory, ret, size);
}

/* A child of it, where all that it runs is one program in several instances; 0 = it is not. */
static pid_t only_app(const struct program *pm2)
{
	char name[48], text[CHILDREN_SIZE], *at = text, *end;
	_cleanup_free_ struct program *first = malloc(sizeof(*first)),
				      *other = malloc(sizeof(*other));
	pid_t pid;

	snprintf(name, sizeof(name), "task/%d/children", pm2->process.id.pid);
	if (!first || !other || procfs_read_of(pm2->process.id.pid, name, text, sizeof(text)) <= 0)
		return 0;
	if (!read_program((pid_t)strtol(at, &end, 10), first))
		return 0;
	for (at = end; (pid = (pid_t)strtol(at, &end, 10)) > 0; at = end)
		if (!read_program(pid, other) || strcmp(first->words[0], other->words[0]) != 0)
			return 0;
	return first->process.id.pid;
}

/* In cluster mode it listens itself, and all instances of the app have to be stopped. */
static void stop_in_pm2(const struct program *pm2, const struct program *child, uint16_t port,
			struct supervisor *ret)
{
	pid_t app = ret->listens ? only_app(pm2) : child->process.id.pid;
	const char *part = ret->listens ? ".*/\\(.*\\)-[0-9]*" : ".*-\\([0-9]*\\)";
	char home[PLACE_SIZE];

	if (!find_pm2_home(pm2, home, sizeof(home))) {
		show_only(ret, ": pm2 stop NAME, with the PM2_HOME that it was started with");
		return;
	}
	if (!app) {
		show_only(ret, ": find its name here, then stop NAME in place of list");
		snprintf(ret->command, sizeof(ret->command), "PM2_HOME=%s pm2 list", home);
		return;
	}
	ret->stops = app;
	snprintf(ret->command, sizeof(ret->command),
		 "PM2_HOME=%s pm2 stop \"$(grep -lx %d %s/pids/*.pid | sed 's,%s\\.pid$,\\1,')\"",
		 home, app, home, part);
}

/*
 * A file that was named in relation to its directory is found through that.  Each program is asked
 * for its pid: "status" tells none of one that has been started a moment ago.
 */
static void stop_in_supervisord(const struct program *supervisord, const struct program *child,
				uint16_t port, struct supervisor *ret)
{
	const char *file = value_of(supervisord, "-c", "--configuration");
	char path[PLACE_SIZE], quoted[PLACE_SIZE] = "", ctl[PLACE_SIZE + 32];

	if (file && *file == '/')
		snprintf(path, sizeof(path), "%s", file);
	else if (file)
		snprintf(path, sizeof(path), "/proc/%d/cwd/%s", supervisord->process.id.pid, file);
	if (file &&
	    (strlen(path) == sizeof(path) - 1 || !text_shell_quote(path, quoted, sizeof(quoted)))) {
		show_only(ret, ": supervisorctl -c FILE stop NAME, with the file that it was "
			       "started with");
		return;
	}
	snprintf(ctl, sizeof(ctl), "supervisorctl%s%s", file ? " -c " : "", quoted);
	ret->stops = child->process.id.pid;
	snprintf(ret->command, sizeof(ret->command),
		 "for n in $(%s status | awk '{print $1}'); do [ \"$(%s pid \"$n\")\" != %d ] || "
		 "%s stop \"$n\"; done",
		 ctl, ctl, child->process.id.pid, ctl);
}

/* The supervisor's first argument names the directory of the one service that it runs. */
static void stop_named(const char *format, const struct program *p, const struct program *child,
		       struct supervisor *ret)
{
	char name[SERVICE_SIZE];

	if (p->n < 2 || !text_shell_quote(p->words[1], name, sizeof(name))) {
		show_only(ret, ": by its own command");
		return;
	}
	ret->stops = child->process.id.pid;
	snprintf(ret->command, sizeof(ret->command), "%s%s", format, name);
}

static void stop_in_runit(const struct program *p, const struct program *child, uint16_t port,
			  struct supervisor *ret)
{
	stop_named("sv down ", p, child, ret);
}

static void stop_in_s6(const struct program *p, const struct program *child, uint16_t port,
		       struct supervisor *ret)
{
	stop_named("s6-svc -d /run/service/", p, child, ret);
}

static void stop_in_daemontools(const struct program *p, const struct program *child, uint16_t port,
				struct supervisor *ret)
{
	stop_named("svc -d /service/", p, child, ret);
}

static void stop_in_circus(const struct program *p, const struct program *child, uint16_t port,
			   struct supervisor *ret)
{
	show_only(ret, ": find its name here, then circusctl stop NAME");
	snprintf(ret->command, sizeof(ret->command), "circusctl status");
}

/*
 * It starts a program for each connection, and has many ports: the line of this one has to go.  A
 * service stands there by number or by name.
 */
static void stop_in_inetd(const struct program *inetd, const struct program *child, uint16_t port,
			  struct supervisor *ret)
{
	const char *file = inetd->n > 1 ? inetd->words[inetd->n - 1] : "";
	const struct servent *service = getservbyport(htons(port), "tcp");
	bool named = service && text_is_shell_word(service->s_name) &&
		     !strpbrk(service->s_name, "./+");
	char quoted[PLACE_SIZE];

	if (*file != '/' || !text_shell_quote(file, quoted, sizeof(quoted)))
		snprintf(quoted, sizeof(quoted), "/etc/inetd.conf");
	show_only(ret, ", by the line of its configuration that this takes out: its other services "
		       "go on");
	snprintf(ret->command, sizeof(ret->command),
		 "sed -i -E 's/^([^[:space:]#]*:)?(%u%s%s)[[:space:]]/#&/' %s && kill -HUP %d",
		 port, named ? "|" : "", named ? service->s_name : "", quoted,
		 inetd->process.id.pid);
}

/* --- the table ------------------------------------------------------------------------------- */

/*
 * By the name of the process, or by what an interpreter runs: a word that ends so.  `then` is
 * another word behind that.  Of a row without `stop` the supervisor itself is ended, with whatever
 * else it runs.
 */
struct kind {
	const char *name;
	const char *comm; /* NULL = any; one that ends with a blank is what it begins with */
	const char *word; /* NULL = any */
	const char *then; /* NULL = none is needed; one that ends with "*" is what it begins with */
	bool listens;	  /* recognized where it holds the socket itself, too */
	bool of_root;	  /* anybody else's is none */
	bool hands_on;	  /* as in struct supervisor: by SIGTERM it starts its programs again */
	void (*stop)(const struct program *supervisor, const struct program *child, uint16_t port,
		     struct supervisor *ret);
};

static const struct kind kinds[] = {
	{ "pm2", "PM2 ", .listens = true, .stop = stop_in_pm2 },
	{ "supervisord", "supervisord", .stop = stop_in_supervisord },
	{ "supervisord", NULL, "/supervisord", .stop = stop_in_supervisord },
	{ "inetd", "inetd", .listens = true, .of_root = true, .stop = stop_in_inetd },
	{ "runit", "runsv", .stop = stop_in_runit },
	{ "s6", "s6-supervise", .stop = stop_in_s6 },
	{ "daemontools", "supervise", .stop = stop_in_daemontools },
	{ "circus", "circusd", .stop = stop_in_circus },
	{ "nodemon", "nodemon" },
	{ "nodemon", NULL, "/nodemon" },
	{ "nodemon", NULL, "/nodemon.js" },
	{ "node --watch", NULL, "node", "--watch*" },
	{ "tsx watch", NULL, "/tsx", "watch" },
	{ "tsx watch", NULL, "/tsx/dist/cli.mjs", "watch" },
	{ "concurrently", NULL, "/concurrently", "--restart-tries*", .hands_on = true },
	{ "concurrently", NULL, "/concurrently.js", "--restart-tries*", .hands_on = true },
	{ "forever", NULL, "/forever" },
	{ "forever", NULL, "/forever/bin/monitor" },
	{ "ts-node-dev", NULL, "/ts-node-dev" },
	{ "watchmedo", NULL, "/watchmedo", "auto-restart" },
	{ "watchexec", "watchexec" },
	{ "cargo watch", "cargo-watch" },
	{ "entr", "entr" },
	{ "reflex", "reflex" },
};

static bool is_word(const char *word, const char *wanted)
{
	size_t length = strlen(wanted);

	return wanted[length - 1] == '*' ? !strncmp(word, wanted, length - 1)
					 : !strcmp(word, wanted);
}

/* Of an interpreter only the options before its script are its own. */
static bool has_words(const struct program *p, const struct kind *kind)
{
	bool own = kind->word && *kind->word != '/';
	size_t i = 0;

	if (!kind->word)
		return true;
	if (own && (!p->n || strcmp(text_base_name(p->words[0]), kind->word) != 0))
		return false;
	while (!own && i < p->n && !text_ends_with(p->words[i], kind->word))
		i++;
	if (i >= p->n || !kind->then)
		return i < p->n;
	while (++i < p->n && (!own || *p->words[i] == '-'))
		if (is_word(p->words[i], kind->then))
			return true;
	return false;
}

static bool is_of_kind(const struct program *p, const struct kind *kind)
{
	const char *comm = kind->comm;

	if (comm && (text_ends_with(comm, " ") ? !text_begins_with(p->process.comm, comm)
					       : strcmp(p->process.comm, comm) != 0))
		return false;
	return (!kind->of_root || procfs_uid(p->process.id.pid) == ROOT) && has_words(p, kind);
}

static const char *const shells[] = { "sh", "bash", "dash", "zsh", "ksh", "ash", "busybox" };

static bool is_shell(const struct program *p)
{
	return text_is_one_of(p->process.comm, shells, ARRAY_SIZE(shells));
}

/* `sh -c 'while …'`; what a script or a terminal was told is not in its arguments. */
static bool is_loop(const struct program *p)
{
	const char *code = is_shell(p) ? value_of(p, "-c", "-c") : NULL;

	return code && (strstr(code, "while ") || strstr(code, "until ")) && strstr(code, "do");
}

static void name_kind(struct supervisor *ret)
{
	snprintf(ret->name, sizeof(ret->name), "%s", ret->kind);
}

static bool recognize(const struct program *p, const struct program *child, uint16_t port,
		      struct supervisor *ret)
{
	bool itself = p == child;

	*ret = (struct supervisor){
		.id = p->process.id, .listens = itself, .ends_it = true, .how = ""
	};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if ((itself && !kinds[i].listens) || !is_of_kind(p, &kinds[i]))
			continue;
		ret->kind = kinds[i].name;
		name_kind(ret);
		ret->ends_it = !kinds[i].stop;
		ret->hands_on = kinds[i].hands_on;
		if (kinds[i].stop)
			kinds[i].stop(p, child, port, ret);
		return true;
	}
	ret->kind = "a shell loop";
	if (itself || !is_loop(p))
		return false;
	name_kind(ret);
	return true;
}

/* Programs that end when what they started ends, so that whoever started them sees that. */
static const char *const launchers[] = {
	"npm",	"npx",	"yarn",	  "pnpm", "make",  "env",    "timeout", "nice",	  "stdbuf",
	"sudo", "time", "script", "uv",	  "cargo", "poetry", "go",	"strace",
};
static const char *const launcher_scripts[] = {
	"npm-cli.js", "npx-cli.js", "npm",	 "npx",	   "yarn",  "yarn.js",
	"pnpm",	      "pnpm.cjs",   "cross-env", "dotenv", "turbo",
};

/* A shell that somebody types into does not end with what it runs. */
static bool ends_with_its_child(const struct program *p)
{
	if (is_shell(p))
		return p->n > 1 && (value_of(p, "-c", "-c") || *p->words[p->n - 1] != '-');
	if (text_is_one_of(p->process.comm, launchers, ARRAY_SIZE(launchers)))
		return true;
	for (size_t i = 0; i < p->n && i < 3; i++)
		/* npm calls itself "npm start" */
		if (text_begins_with(p->words[i], "npm ") ||
		    text_is_one_of(text_base_name(p->words[i]), launcher_scripts,
				   ARRAY_SIZE(launcher_scripts)))
			return true;
	return false;
}

/* "bash watchdog.sh": what is run, and by what. */
static void name_program(const struct program *p, struct supervisor *ret)
{
	size_t i = 1;

	while (i < p->n && *p->words[i] == '-')
		i++;
	snprintf(ret->name, sizeof(ret->name), "%s%s%s", text_base_name(p->words[0]),
		 i < p->n ? " " : "", i < p->n ? text_base_name(p->words[i]) : "");
}

/* Nobody knows its name, but it was seen to do so. */
static bool is_observed(const struct program *p, const struct program *child,
			const struct supervisor_watched *watched, struct supervisor *ret)
{
	if (!watched->lineage || ancestry_has(watched->asker, &p->process.id) ||
	    (is_shell(p) && !ends_with_its_child(p)) || p->process.id.pid == 1 ||
	    !lineage_restarts(watched->lineage, watched->netns, watched->port, &p->process.id,
			      &child->process.id))
		return false;
	ret->kind = "observed";
	name_program(p, ret);
	return true;
}

/* --- from the process upwards ---------------------------------------------------------------- */

static bool climb(const struct process *process, const struct supervisor_watched *watched,
		  struct supervisor *ret)
{
	_cleanup_free_ struct program *programs = calloc(2, sizeof(*programs));
	struct program *child = programs, *parent;
	int which = 0;

	if (!programs || !read_program(process->id.pid, child) ||
	    !process_id_equal(&child->process.id, &process->id))
		return false;
	if (recognize(child, child, watched->port, ret))
		return true;
	for (int climbed = 0; climbed < WHY_SUPERVISOR_CLIMB; climbed++, child = parent) {
		parent = &programs[which = !which];
		if (!read_program(child->process.ppid, parent))
			return false;
		if (recognize(parent, child, watched->port, ret) ||
		    is_observed(parent, child, watched, ret))
			return true;
		if (!ends_with_its_child(parent))
			return false;
	}
	return false;
}

bool supervisor_find(const struct process *process, const struct supervisor_watched *watched,
		     struct supervisor *ret)
{
	if (!climb(process, watched, ret))
		return false;
	ret->uid = procfs_uid(ret->id.pid);
	return true;
}
