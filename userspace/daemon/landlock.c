/* SPDX-License-Identifier: MIT */
#include "daemon/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/sandbox.h"

/* linux/landlock.h, which is older than the kernel on most machines */
#define GET_VERSION	 (1u << 0)
#define RULE_PATH	 1
#define LOG_NOTHING	 (1u << 0) /* since version 7 */
#define EXECUTE		 (1ull << 0)
#define WRITE_FILE	 (1ull << 1)
#define READ_FILE	 (1ull << 2)
#define READ_DIR	 (1ull << 3)
#define REMOVE_FILE	 (1ull << 5)
#define MAKE_DIR	 (1ull << 7)
#define MAKE_REG	 (1ull << 8)
#define MAKE_SOCK	 (1ull << 9)
#define ALL_OF_VERSION_1 ((1ull << 13) - 1)
#define REFER		 (1ull << 13)
#define TRUNCATE	 (1ull << 14)
#define BIND_TCP	 (1ull << 0)
#define ABSTRACT_SOCKETS (1ull << 0)
#define SIGNALS		 (1ull << 1)

#define READ (READ_FILE | READ_DIR)
#define OWN  (READ | WRITE_FILE | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | TRUNCATE)

struct ruleset_attr {
	uint64_t files, ports, scoped; /* the kernel takes zeroes that it does not know */
};

struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct ruleset {
	uint64_t files; /* that it knows of */
	int fd;
	int error; /* the first */
};

/*
 * The system's, and what the kernel shows: libraries, the name service, time zones.  People's files
 * are elsewhere.  Where its own libraries lie those are that are loaded later, and what OpenSSL and
 * the linker are told of by their variables they are told of by whoever started the daemon.
 */
static const char *const readable[] = { "/bin", "/dev", "/etc",	 "/gnu", "/lib", "/lib32", "/lib64",
					"/nix", "/opt", "/proc", "/run", "/sys", "/usr",   "/var" };
static const char *const readable_by_variable[] = { "LD_LIBRARY_PATH", "TZDIR" };

/* --- rules --- */

/* What is not there needs no rule. */
static void allow(struct ruleset *rules, const char *path, uint64_t rights)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct path_rule rule = { .allowed = rights & rules->files, .fd = fd };
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return;
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= READ_FILE | WRITE_FILE | TRUNCATE;
	if (rule.allowed && syscall(SYS_landlock_add_rule, rules->fd, RULE_PATH, &rule, 0) &&
	    !rules->error)
		rules->error = -errno;
}

static int allow_library(struct dl_phdr_info *object, size_t size, void *user_data)
{
	char path[PATH_MAX];

	if (object->dlpi_name[0] == '/' &&
	    snprintf(path, sizeof(path), "%s", object->dlpi_name) < (int)sizeof(path))
		allow(user_data, dirname(path), READ);
	return 0;
}

static void allow_list(struct ruleset *rules, const char *paths)
{
	_cleanup_free_ char *copy = paths ? strdup(paths) : NULL;
	char *rest = copy, *path;

	while (rest && (path = strsep(&rest, ":")))
		if (*path == '/')
			allow(rules, path, READ);
}

static void allow_socket(struct ruleset *rules, const struct sandbox_config *config)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", config->socket);
	allow(rules, dirname(path),
	      config->socket_directory_is_own ? OWN : MAKE_SOCK | REMOVE_FILE);
}

static void allow_all(struct ruleset *rules, const struct sandbox_config *config)
{
	for (size_t i = 0; i < ARRAY_SIZE(readable); i++)
		allow(rules, readable[i], READ);
	for (size_t i = 0; i < ARRAY_SIZE(readable_by_variable); i++)
		allow_list(rules, getenv(readable_by_variable[i]));
	dl_iterate_phdr(allow_library, rules);
	allow(rules, config->directory, OWN);
	allow_socket(rules, config);
}

/* --- what this machine has --- */

/* Where /proc shows other processes to those alone who may look into them. */
static bool proc_hides(void)
{
	_cleanup_file_ FILE *mounts = fopen("/proc/self/mounts", "re");
	char line[1024];

	while (mounts && fgets(line, sizeof(line), mounts)) {
		const char *proc = strstr(line, " /proc proc "), *hide = strstr(line, "hidepid=");

		if (proc && hide && strncmp(hide, "hidepid=0", 9) &&
		    strncmp(hide, "hidepid=off", 11))
			return true;
	}
	return false;
}

/* A manager's socket may be an abstract one. */
static bool manager_is_abstract(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && *path == '@';
}

static struct ruleset_attr handled(int version)
{
	return (struct ruleset_attr){
		.files = ALL_OF_VERSION_1 | (version >= 2 ? REFER : 0) |
			 (version >= 3 ? TRUNCATE : 0),
		.ports = version >= 4 ? BIND_TCP : 0,
		.scoped = version < 6		  ? 0
			  : manager_is_abstract() ? SIGNALS
						  : SIGNALS | ABSTRACT_SOCKETS,
	};
}

static int restrict_self(int version, const struct sandbox_config *config)
{
	const struct ruleset_attr attr = handled(version);
	struct ruleset rules = { .files = attr.files };
	_cleanup_close_ int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int r = fd < 0 ? -errno : 0;

	if (r)
		return r;
	rules.fd = fd;
	allow_all(&rules, config);
	/* a rule that is missing would take something away that is needed */
	if (rules.error)
		return rules.error;
	/* what /proc does not show is met by each question, and would fill the audit log */
	return syscall(SYS_landlock_restrict_self, fd, version >= 7 ? LOG_NOTHING : 0) ? -errno : 0;
}

int landlock_enter(const struct sandbox_config *config, const char **ret_why)
{
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, GET_VERSION);
	int r = version < 0 ? -errno : 0;

	*ret_why = NULL;
	if (r == -EOPNOTSUPP)
		*ret_why = "Landlock is switched off in this kernel (lsm= at its start)";
	else if (r == -ENOSYS)
		*ret_why = "this kernel has no Landlock";
	else if (r)
		*ret_why = "what surrounds the daemon refuses Landlock";
	else if (config->reads_descriptors)
		*ret_why = "without eBPF it reads /proc/PID/fd, which Landlock shuts";
	else if (proc_hides())
		*ret_why = "/proc hides processes (hidepid), and would hide all with Landlock";
	else if (restrict_self(version, config))
		*ret_why = "Landlock was refused";
	return *ret_why ? 0 : version;
}
