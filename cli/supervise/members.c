/* SPDX-License-Identifier: MIT */
#include "cli/supervise/members.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "cli/client/answer.h"
#include "cli/client/body.h"

DEFINE_CLEANUP(DIR *, closedir);

/* False when it has ended. */
static bool describe(struct member *m)
{
	struct process p;

	if (procfs_describe_briefly(m->id.pid, &p) || !process_id_equal(&p.id, &m->id) ||
	    !procfs_alive(&m->id))
		return false;
	m->ppid = p.ppid;
	memcpy(m->comm, p.comm, sizeof(m->comm));
	return true;
}

static bool has(const struct members *m, const struct process_id *id)
{
	for (size_t i = 0; i < m->n; i++)
		if (process_id_equal(&m->list[i].id, id))
			return true;
	return false;
}

static void path_of(const char *pattern, uint32_t run, char *ret, int size)
{
	char id[RUN_ID_SIZE];
	const struct client_param params[] = {
		{ "pattern", pattern },
		{ "run", run ? run_id_format(run, id) : NULL },
	};

	client_path("/v1/runs", params, ARRAY_SIZE(params), ret, size);
}

static void read_members(struct members *m)
{
	struct json_object *list = answer_member(m->answer, "members");

	m->list = calloc(answer_length(list) + 1, sizeof(*m->list));
	for (size_t i = 0; m->list && i < answer_length(list); i++) {
		struct json_object *o = answer_at(list, i);
		struct member *one = &m->list[m->n];

		*one = (struct member){
			.id = { .pid = (pid_t)answer_int(o, "pid"),
				.start_ticks = (uint64_t)answer_int(o, "startTicks") },
			.run = run_id_parse(answer_text(o, "run")),
			.ports = answer_member(o, "ports"),
		};
		if (describe(one))
			m->n++;
		else
			m->gone = *one;
	}
	strcpy(m->gone.comm, "a process");
}

enum outcome members_ask(const char *pattern, uint32_t run, struct members *ret,
			 struct json_object **ret_error)
{
	char path[512];
	enum outcome outcome;

	*ret = (struct members){ 0 };
	path_of(pattern, run, path, sizeof(path));
	outcome = client_request("GET", path, NULL, &ret->answer);
	if (outcome == OUTCOME_OK)
		read_members(ret);
	else
		*ret_error = TAKE_PTR(ret->answer);
	return outcome;
}

bool members_look(uint32_t run, struct members *ret)
{
	char path[512];

	path_of(NULL, run, path, sizeof(path));
	*ret = (struct members){ .answer = client_ask_running(path) };
	if (ret->answer)
		read_members(ret);
	return ret->answer != NULL;
}

struct json_object *members_run(const struct members *m, uint32_t run)
{
	struct json_object *runs = answer_member(m->answer, "runs");

	for (size_t i = 0; i < answer_length(runs); i++)
		if (run_id_parse(answer_text(answer_at(runs, i), "id")) == run)
			return answer_at(runs, i);
	return NULL;
}

/* Of the run itself, or of a claim beside it that a port of its source became. */
static bool is_port_of(struct json_object *run, int64_t port)
{
	struct json_object *hardcoded = answer_member(run, "hardcoded");
	bool is = port == answer_int(run, "port");

	for (size_t i = 0; !is && i < answer_length(hardcoded); i++)
		is = port == answer_int(answer_at(hardcoded, i), "port");
	return is;
}

const char *members_begun_elsewhere(struct json_object *run, const char *directory,
				    char ret[static PROCESS_PATH_SIZE])
{
	const struct process_id pd = { (pid_t)answer_int(run, "pid"),
				       (uint64_t)answer_int(run, "startTicks") };
	size_t n = strlen(directory);
	char link[32], cwd[PATH_MAX];
	ssize_t length;

	ret[0] = '\0';
	snprintf(link, sizeof(link), "/proc/%d/cwd", pd.pid);
	length = pd.pid ? readlink(link, cwd, sizeof(cwd) - 1) : -1;
	if (length < 0 || !procfs_alive(&pd))
		return ret;
	cwd[length] = '\0';
	if (strncmp(cwd, directory, n) || (n > 1 && cwd[n] && cwd[n] != '/'))
		procfs_link(pd.pid, "cwd", ret); /* shortened where it is long */
	return ret;
}

int members_elsewhere(const struct members *m, struct json_object *run)
{
	uint32_t number = run_id_parse(answer_text(run, "id"));
	int64_t elsewhere = 0;

	for (size_t i = 0; i < m->n && answer_int(run, "port"); i++) {
		struct json_object *ports = m->list[i].run == number ? m->list[i].ports : NULL;

		for (size_t j = 0; j < answer_length(ports); j++) {
			if (is_port_of(run, answer_item_int(ports, j)))
				return 0;
			elsewhere = elsewhere ? elsewhere : answer_item_int(ports, j);
		}
	}
	return (int)elsewhere;
}

int members_add_from_proc(struct members *m, uint32_t run)
{
	_cleanup_free_ struct run_member *found = NULL;
	struct member *grown;
	size_t n = 0;
	int r = run_find_members(NULL, 0, run, &found, &n);

	if (r)
		return r;
	grown = reallocarray(m->list, m->n + n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	m->list = grown;
	for (size_t i = 0; i < n; i++) {
		struct member *new = &m->list[m->n];

		*new = (struct member){ .id = found[i].id, .run = found[i].run };
		if (!has(m, &new->id))
			m->n += describe(new);
	}
	return 0;
}

static bool holds(const struct process_id *id, uint64_t inode)
{
	_cleanup_(closedirp) DIR *fds = NULL;
	char path[32], wanted[64], target[64];
	struct dirent *entry;

	snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
	snprintf(path, sizeof(path), "/proc/%d/fd", id->pid);
	fds = opendir(path);
	while (fds && (entry = readdir(fds))) {
		ssize_t n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		if (strcmp(target, wanted) == 0)
			return procfs_alive(id);
	}
	return false;
}

static const struct member *holder_of(const struct members *m, struct json_object *socket)
{
	uint64_t inode = (uint64_t)answer_int(socket, "inode");

	for (size_t i = 0; inode && answer_bool(socket, "ownNetns") && i < m->n; i++)
		if (holds(&m->list[i].id, inode))
			return &m->list[i];
	return NULL;
}

const struct member *members_server(const struct members *m, uint16_t port)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	const struct member *found = NULL;
	struct json_object *sockets;
	char path[64];

	snprintf(path, sizeof(path), "/v1/sockets?port=%u", port);
	answer = client_ask_running(path);
	sockets = answer_member(answer, "sockets");
	for (size_t i = 0; !found && i < answer_length(sockets); i++)
		found = holder_of(m, answer_at(sockets, i));
	return found;
}

enum outcome members_tell(uint32_t run, const char *service, const char *state, bool found)
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	_cleanup_(members_deinit) struct members m = { 0 };
	struct json_object *pids;
	char id[RUN_ID_SIZE];

	body_add_text(body, "id", service);
	body_add_text(body, "run", run_id_format(run, id));
	body_add_text(body, "state", state);
	if (found && !members_add_from_proc(&m, run)) {
		pids = json_object_new_array();
		for (size_t i = 0; i < m.n; i++)
			json_object_array_add(pids, json_object_new_int(m.list[i].id.pid));
		json_object_object_add(body, "members", pids);
	}
	return client_request("POST", "/v1/runs", body, &answer);
}

void members_deinit(struct members *m)
{
	answer_free(m->answer);
	free(m->list);
	*m = (struct members){ 0 };
}
