/* SPDX-License-Identifier: MIT */
#include "base/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/procfs.h"

#define ID_PREFIX	 "run-"
#define ENVIRONMENT_SIZE (256 * 1024) /* what is behind that is not looked at */
#define GENERATIONS_MAX	 64	      /* of processes that cleared their environment */
#define FIRST_ROWS	 64

uint64_t run_project(const char *directory, uid_t uid)
{
	uint64_t number = *directory ? XXH64(directory, strlen(directory), uid) : 0;

	return *directory && !number ? 1 : number;
}

const char *run_port_format(uint16_t asked, uint16_t port, char ret[static RUN_PORT_SIZE])
{
	if (asked)
		snprintf(ret, RUN_PORT_SIZE, "%u\u2192%u", asked, port);
	else
		snprintf(ret, RUN_PORT_SIZE, "%u", port);
	return ret;
}

const char *run_id_format(uint32_t number, char ret[static RUN_ID_SIZE])
{
	snprintf(ret, RUN_ID_SIZE, ID_PREFIX "%08x", number);
	return ret;
}

uint32_t run_id_parse(const char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strlen(ID_PREFIX);

	if (!text || strncmp(text, ID_PREFIX, n) != 0 || strlen(text) != RUN_ID_SIZE - 1 ||
	    strspn(text + n, digits) != RUN_ID_SIZE - 1 - n)
		return 0;
	return (uint32_t)strtoul(text + n, NULL, 16);
}

/* --- the environment --- */

static uint32_t run_in(const char *environment, size_t size)
{
	static const char variable[] = RUN_VARIABLE "=";
	const char *end = environment + size;

	for (const char *entry = environment; entry < end; entry += strlen(entry) + 1)
		if (strncmp(entry, variable, sizeof(variable) - 1) == 0)
			return run_id_parse(entry + sizeof(variable) - 1);
	return 0;
}

/* The buffer has ENVIRONMENT_SIZE bytes. */
static uint32_t read_run(pid_t pid, char *buffer)
{
	char path[64];
	size_t used = 0;
	ssize_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (used < ENVIRONMENT_SIZE - 1 &&
	       (n = read(fd, buffer + used, ENVIRONMENT_SIZE - 1 - used)) > 0)
		used += (size_t)n;
	buffer[used] = '\0';
	return run_in(buffer, used);
}

uint32_t run_of_environment(pid_t pid)
{
	_cleanup_free_ char *buffer = malloc(ENVIRONMENT_SIZE);

	return buffer ? read_run(pid, buffer) : 0;
}

uint32_t run_by_environment(void *user_data, const struct process_id *id)
{
	return run_of_environment(id->pid);
}

/* --- all processes --- */

struct found {
	struct run_member member; /* run 0: of none so far */
	pid_t ppid;
};

struct process_list {
	struct found *rows; /* in order of pid */
	size_t n, size;
};

static void process_list_deinit(struct process_list *l)
{
	free(l->rows);
}

static int add_process(struct process_list *l, pid_t pid, char *buffer)
{
	struct process p;
	struct found *grown;

	if (procfs_describe_briefly(pid, &p))
		return 0; /* it has ended */
	if (l->n == l->size) {
		l->size = l->size ? 2 * l->size : FIRST_ROWS;
		grown = reallocarray(l->rows, l->size, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		l->rows = grown;
	}
	l->rows[l->n++] = (struct found){ .member = { .id = p.id, .run = read_run(pid, buffer) },
					  .ppid = p.ppid };
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return (x->member.id.pid > y->member.id.pid) - (x->member.id.pid < y->member.id.pid);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int list_processes(struct process_list *l)
{
	_cleanup_free_ char *buffer = malloc(ENVIRONMENT_SIZE);
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!buffer || !proc)
		return buffer ? -errno : -ENOMEM;
	while (!r && (entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid > 0)
			r = add_process(l, pid, buffer);
	}
	if (l->n)
		qsort(l->rows, l->n, sizeof(*l->rows), by_pid);
	return r;
}

/* A child without an environment that names a run is of its parent's; true when some were new. */
static bool inherit(struct process_list *l)
{
	bool any = false;

	for (size_t i = 0; i < l->n; i++) {
		struct found *row = &l->rows[i];
		const struct found key = { .member.id.pid = row->ppid };
		const struct found *parent;

		if (row->member.run)
			continue;
		parent = bsearch(&key, l->rows, l->n, sizeof(*l->rows), by_pid);
		row->member.run = parent ? parent->member.run : 0;
		any = any || row->member.run;
	}
	return any;
}

/* What the kernel knows is true, whatever the environment says. */
static void note_known(struct process_list *l, const struct run_member *known, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct found key = { .member = known[i] };
		struct found *row = bsearch(&key, l->rows, l->n, sizeof(*l->rows), by_pid);

		if (row && process_id_equal(&row->member.id, &known[i].id))
			row->member.run = known[i].run;
	}
}

int run_find_members(const struct run_member *known, size_t n, uint32_t run,
		     struct run_member **ret, size_t *ret_n)
{
	_cleanup_(process_list_deinit) struct process_list l = { 0 };
	struct run_member *members;
	int r = list_processes(&l);
	size_t found = 0;

	if (r)
		return r;
	if (l.n)
		note_known(&l, known, n);
	for (int i = 0; i < GENERATIONS_MAX && inherit(&l); i++)
		;
	members = calloc(l.n + 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < l.n; i++)
		if (l.rows[i].member.run && (!run || l.rows[i].member.run == run))
			members[found++] = l.rows[i].member;
	*ret = members;
	*ret_n = found;
	return 0;
}
