/* SPDX-License-Identifier: MIT */
/* The victim is in a Landlock sandbox that allows no port. */
#include <sys/syscall.h>

#include "case.h"

/* Of linux/landlock.h since Linux 6.7; distributions have older headers. */
struct ruleset {
	uint64_t handled_access_fs, handled_access_net;
};
struct port_rule {
	uint64_t allowed_access, port;
};
#define BIND_TCP	 (1ULL << 0)
#define RULE_NET_PORT	 2
#define GET_VERSION	 1
#define VERSION_WITH_NET 4

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule	    445
#define SYS_landlock_restrict_self  446
#endif

/* Which of several it was nobody can tell: the verdict is denied_by_lsm then. */
static void skip_beside_other_modules(void)
{
	static const char *const others[] = { "selinux", "apparmor", "smack", "tomoyo", "bpf" };
	FILE *file = fopen("/sys/kernel/security/lsm", "re");
	char modules[256] = "";

	if (!file)
		return;
	need(fgets(modules, sizeof(modules), file));
	fclose(file);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strstr(modules, others[i]))
			skip("other security modules could have refused it as well");
}

static void check_version(struct scene *s)
{
	skip_beside_other_modules();
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, GET_VERSION) < VERSION_WITH_NET)
		skip("no Landlock for ports here");
}

static void restrict_self(struct scene *s)
{
	struct ruleset rules = { .handled_access_net = BIND_TCP };
	struct port_rule port = { .allowed_access = BIND_TCP, .port = s->port };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

	need(fd >= 0);
	if (s->remedied)
		need(syscall(SYS_landlock_add_rule, fd, RULE_NET_PORT, &port, 0) == 0);
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	need(syscall(SYS_landlock_restrict_self, fd, 0) == 0);
	close(fd);
}

const struct scenario scenario = {
	.verdict = "denied_by_landlock",
	.live = "free",
	.error = EACCES,
	.attempt = { .addr = "127.0.0.1" },
	.set_up = check_version,
	.prepare = restrict_self,
	.remedy = change_victim,
};
