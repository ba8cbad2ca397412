/* SPDX-License-Identifier: MIT */
#include "explain/holder.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "explain/process.h"

#define CONTAINER_HEX	   64 /* digits of a container's full id */
#define ANCESTORS_SEARCHED 3  /* npm and a shell may stand between it and its supervisor */
#define GROUPS_MAX	   64 /* of a user, looked through for the engine's */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* --- cgroups --------------------------------------------------------------------------------- */

/* What stands before the id in the name of the container's cgroup.  "" is the bare id below a
 * directory named after the engine, as the cgroupfs driver makes it. */
static const struct {
	const char *prefix, *parent, *engine;
} schemes[] = {
	{ "docker-", NULL, "docker" },
	{ "libpod-", NULL, "podman" },
	{ "cri-containerd-", NULL, "crictl" },
	{ "crio-", NULL, "crictl" },
	{ "", "docker", "docker" },
	{ "", "libpod_parent", "podman" },
};

static bool is_container_id(const char *s)
{
	int n = 0;

	while (isxdigit((unsigned char)s[n]))
		n++;
	return n == CONTAINER_HEX;
}

static bool parse_container(const char *name, const char *parent, bool of_user,
			    struct cgroup_owner *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t skip = strlen(schemes[i].prefix);

		if (strncmp(name, schemes[i].prefix, skip) != 0 || !is_container_id(name + skip))
			continue;
		if (schemes[i].parent && strcmp(schemes[i].parent, parent) != 0)
			continue;
		snprintf(ret->container, sizeof(ret->container), "%.12s", name + skip);
		ret->engine = schemes[i].engine;
		ret->of_user = of_user;
		return true;
	}
	return false;
}

void cgroup_parse(const char *path, struct cgroup_owner *ret)
{
	char copy[4096], *save = NULL, *name;
	const char *parent = "";
	bool below_user = false;

	*ret = (struct cgroup_owner){ .engine = NULL };
	snprintf(copy, sizeof(copy), "%s", path);
	for (name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		parse_container(name, parent, below_user, ret);
		parent = name;
		if (!strncmp(name, "user@", 5)) {
			below_user = true;
		} else if (ends_with(name, ".service")) {
			snprintf(ret->unit, sizeof(ret->unit), "%s", name);
			ret->of_user = below_user;
		} else if (ends_with(name, ".scope")) {
			/* a scope inside a service's tree is not that service any more */
			ret->unit[0] = 0;
		}
	}
}

/* --- supervisors ----------------------------------------------------------------------------- */

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

/* The group "docker" may talk to its daemon. */
static bool is_in_group(uid_t uid, const char *name)
{
	gid_t wanted, groups[GROUPS_MAX];
	const struct passwd *user = getpwuid(uid);
	const struct group *group = user ? getgrnam(name) : NULL;
	int n = GROUPS_MAX;

	if (!group)
		return false;
	wanted = group->gr_gid;
	if (getgrouplist(user->pw_name, user->pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

/* --- all of it ------------------------------------------------------------------------------- */

int why_holder_read(const struct inventory *inv, const struct holding *holding, uid_t viewer,
		    struct why_holder *ret)
{
	const struct process_id *id = &holding->holder->id;
	struct procfs_facts facts;
	const char *user;
	bool may;

	*ret = (struct why_holder){ .holding = *holding };
	ret->known = inventory_describe(inv, id, &ret->process);
	if (!ret->known)
		ret->process = (struct process){ .id = *id, .uid = PROCESS_UID_UNKNOWN };
	may = user_may_see(viewer, ret->process.uid);
	procfs_facts(id, may, &facts); /* of one that is gone: nothing */
	cgroup_parse(facts.cgroup, &ret->cgroup);
	ret->state = facts.state;
	user = user_name(ret->process.uid);
	snprintf(ret->user, sizeof(ret->user), "%s", user ? user : "");
	ret->cmdline = *facts.cmdline ? strdup(facts.cmdline) : NULL;
	return *facts.cmdline && !ret->cmdline ? -ENOMEM : 0;
}

void why_holder_deinit(struct why_holder *h)
{
	free(h->cmdline);
	free(h->freezer);
}

/* A unit whose name would be another word in a command is nobody to be asked. */
static bool has_unit_to_ask(const struct why_holder *h)
{
	return *h->cgroup.unit && !strchr(h->cgroup.unit, '\'');
}

void why_holder_read_backing(struct why_holder *h, uid_t viewer, bool first, unsigned *n_ended)
{
	bool may = user_may_see(viewer, h->process.uid);
	const char *engine = h->cgroup.engine;

	if (!engine && h->known)
		h->forwards = why_forward_find(&h->process, &h->forward);
	if (h->forwards)
		engine = h->forward.engine;
	h->runs_engine = engine && is_in_group(viewer, engine);
	if (!engine && !has_unit_to_ask(h) && h->known && (first || may))
		h->supervised = why_supervisor_find(&h->process, &h->supervisor);
	if (!engine && !has_unit_to_ask(h) && !h->supervised && may && h->process.id.pid != 1)
		++*n_ended;
	else if (!first && !h->cgroup.engine)
		return; /* nobody signals it: frozen or not makes no difference */
	if (*n_ended <= WHY_ENDED_MAX || first)
		h->freezer = why_process_freezer(&h->process.id, &h->thaw);
}
