/* SPDX-License-Identifier: MIT */
#include "cli/supervise/stopping.h"

#include <errno.h>
#include <json-c/json.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfs.h"
#include "base/user.h"
#include "cli/client/answer.h"
#include "cli/client/body.h"
#include "cli/command.h"
#include "cli/render/render.h"
#include "cli/supervise/members.h"
#include "cli/supervise/target.h"

#define GENERATIONS_MAX 64
#define FREE_WAIT_MS	2000
#define FREE_PAUSE_MS	10

int stopping_read(const struct command_line *line, const char *text, struct stopping *ret)
{
	struct target target;
	int r = target_read(line, text, &target);

	*ret = (struct stopping){ .run = target.run, .port = target.port };
	if (r)
		return r;
	strcpy(ret->name, target.name);
	strcpy(ret->service, target.service);
	ret->nobody = target.run    ? "there is no such run"
		      : target.port ? "nobody serves there"
				    : "nothing of it runs";
	return 0;
}

void stopping_deinit(struct stopping *s)
{
	free(s->list);
	free(s->runs);
	answer_free(s->restarted_by);
}

/* --- the list --- */

static const char *reason_to_spare(pid_t pid)
{
	struct process p;

	if (pid == 1)
		return "it is the first process of the system";
	for (pid_t own = getpid(); own > 0; own = p.ppid) {
		if (own == pid)
			return pid == getpid() ? "it is this pd"
					       : "this pd descends from it; end it yourself";
		if (own == 1 || procfs_describe_briefly(own, &p))
			return NULL;
	}
	return NULL;
}

static struct stopping_process *find(const struct stopping *s, const struct process_id *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (process_id_equal(&s->list[i].id, id))
			return &s->list[i];
	return NULL;
}

/* NULL without memory. */
static struct stopping_process *add(struct stopping *s, const struct process_id *id,
				    const char *comm)
{
	struct stopping_process *p = find(s, id), *grown;

	if (p)
		return p;
	if ((s->n & (s->n - 1)) == 0) {
		grown = reallocarray(s->list, s->n ? 2 * s->n : 1, sizeof(*grown));
		if (!grown)
			return NULL;
		s->list = grown;
	}
	p = &s->list[s->n++];
	*p = (struct stopping_process){ .id = *id, .uid = procfs_uid(id->pid) };
	snprintf(p->comm, sizeof(p->comm), "%s", comm);
	p->spared = reason_to_spare(id->pid);
	return p;
}

/* How many of the others are above it. */
static int generation_of(const struct stopping *s, const struct process_id *id)
{
	pid_t pid = id->pid;
	struct process p;
	int n = 0;

	for (int i = 0; i < GENERATIONS_MAX && !procfs_describe_briefly(pid, &p); i++) {
		pid = p.ppid;
		for (size_t j = 0; j < s->n; j++)
			n += s->list[j].id.pid == pid;
	}
	return n;
}

static void set_generations(struct stopping *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->list[i].generation = generation_of(s, &s->list[i].id);
}

/* --- holders of the port --- */

static int add_holders(struct stopping *s, struct json_object *socket)
{
	struct json_object *holders = answer_member(socket, "holders");

	for (size_t i = 0; i < answer_length(holders); i++) {
		struct json_object *h = answer_at(holders, i);
		const struct process_id id = { (pid_t)answer_int(h, "pid"),
					       (uint64_t)answer_int(h, "startTicks") };
		struct stopping_process *p = add(s, &id, answer_text(h, "comm"));

		if (!p)
			return -ENOMEM;
		s->udp = s->udp || strcmp(answer_text(socket, "proto"), "udp") == 0;
		snprintf(p->why, sizeof(p->why), "listens on %s:%d", answer_text(socket, "addr"),
			 (int)answer_int(socket, "port"));
	}
	return 0;
}

/* Sockets that serve, of the daemon's own namespace: clients are none of them. */
static int look_at_port(struct stopping *s, struct json_object **ret_answer)
{
	struct json_object *sockets;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/v1/sockets?port=%u", s->port);
	r = client_request("GET", path, NULL, ret_answer) == OUTCOME_OK ? 0 : -EIO;
	sockets = r ? NULL : answer_member(*ret_answer, "sockets");
	for (size_t i = 0; !r && i < answer_length(sockets); i++) {
		struct json_object *socket = answer_at(sockets, i);

		if (!answer_bool(socket, "ownNetns"))
			continue;
		r = add_holders(s, socket);
		if (!answer_length(answer_member(socket, "holders")))
			snprintf(s->hidden, sizeof(s->hidden), "%s", answer_text(socket, "user"));
	}
	return r;
}

static bool is_engine(struct json_object *restarted_by)
{
	return restarted_by && !answer_has(restarted_by, "pid") &&
	       strcmp(answer_text(restarted_by, "kind"), "systemd") != 0;
}

/* The holder of that pid, or each of them (0). */
static void spare_holders(struct stopping *s, pid_t pid)
{
	for (size_t i = 0; i < s->n_holders; i++)
		if (!s->list[i].spared && (!pid || s->list[i].id.pid == pid))
			s->list[i].spared = *s->way_out ? s->way_out
							: "it has the port for a container";
}

/* A proxy of a container's engine: its end would cut the container off and free nothing. */
static void spare_proxies(struct stopping *s, struct json_object *why)
{
	struct json_object *holders = answer_member(why, "holders");

	for (size_t i = 0; i < answer_length(holders); i++)
		if (*answer_text(answer_at(holders, i), "forwardsFor"))
			spare_holders(s, (pid_t)answer_int(answer_at(holders, i), "pid"));
}

/* The command of the first remedy that is not about taking another port. */
static void find_way_out(struct stopping *s, struct json_object *why)
{
	struct json_object *first = answer_at(answer_member(why, "remedies"), 0);
	const char *command = answer_text(first, "command");

	if (*command)
		snprintf(s->way_out, sizeof(s->way_out), "%s: %s", answer_text(first, "text"),
			 command);
	else
		snprintf(s->way_out, sizeof(s->way_out), "%s", answer_text(first, "text"));
}

static void look_at_restarter(struct stopping *s)
{
	_cleanup_(answer_freep) struct json_object *why = NULL;
	struct json_object *by;
	char path[64];

	snprintf(path, sizeof(path), "/v1/why?port=%u", s->port);
	if (client_request("GET", path, NULL, &why) != OUTCOME_OK)
		return;
	find_way_out(s, why);
	spare_proxies(s, why);
	by = answer_member(why, "restartedBy");
	if (!by)
		return;
	s->restarted_by = json_object_get(by);
	if (is_engine(by))
		spare_holders(s, 0);
}

/* --- the service, and its runs --- */

static bool is_me(const char *user)
{
	return strcmp(user, user_name(geteuid())) == 0;
}

static void take_service(struct stopping *s, struct json_object *service)
{
	const char *status = answer_text(service, "status");

	if (!s->port)
		s->port = (uint16_t)answer_int(service, "port");
	if (!*s->service)
		snprintf(s->service, sizeof(s->service), "%s", answer_text(service, "id"));
	s->own = is_me(answer_text(service, "user")) && strcmp(status, "squatted") != 0;
}

/* 0, or the exit code of what was said. */
static int look_at_service(struct stopping *s, bool json)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct client_param params[2];
	char path[512], port[8];
	struct json_object *list;
	int r;

	snprintf(port, sizeof(port), "%u", s->port);
	params[0] = (struct client_param){ "pattern", *s->service ? s->service : NULL };
	params[1] = (struct client_param){ "port", s->port ? port : NULL };
	client_path("/v1/services", params, 2, path, sizeof(path));
	r = answer_get(json, "GET", path, NULL, &answer);
	if (r)
		return r;
	list = answer_member(answer, "services");
	if (answer_length(list))
		take_service(s, answer_at(list, 0));
	snprintf(s->near, sizeof(s->near), "%s", answer_text(answer, "near"));
	return 0;
}

static int add_run(struct stopping *s, uint32_t run)
{
	uint32_t *grown;

	for (size_t i = 0; i < s->n_runs; i++)
		if (s->runs[i] == run)
			return 0;
	grown = reallocarray(s->runs, s->n_runs + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->runs = grown;
	s->runs[s->n_runs++] = run;
	return 0;
}

/* Is it a run that is meant: named, of the service that was, or one that has the port? */
static bool is_meant(const struct stopping *s, struct json_object *run, const struct members *m)
{
	uint32_t number = run_id_parse(answer_text(run, "id"));

	if (s->run)
		return number == s->run;
	if (s->n_holders == 0 || !s->port)
		return *s->service && strcmp(answer_text(run, "service"), s->service) == 0;
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].run == number && find(s, &m->list[i].id))
			return true;
	for (size_t i = 0; i < s->n_holders; i++)
		if (run_of_environment(s->list[i].id.pid) == number)
			return true;
	return s->with_runs && strcmp(answer_text(run, "service"), s->service) == 0;
}

static int find_runs(struct stopping *s, bool json)
{
	_cleanup_(answer_freep) struct json_object *error = NULL;
	_cleanup_(members_deinit) struct members m = { 0 };
	enum outcome outcome = members_ask(NULL, 0, &m, &error);
	struct json_object *runs = answer_member(m.answer, "runs");

	if (outcome != OUTCOME_OK)
		return render_outcome(json, outcome, error);
	for (size_t i = 0; i < answer_length(runs); i++) {
		struct json_object *run = answer_at(runs, i);

		if (!is_meant(s, run, &m))
			continue;
		if (add_run(s, run_id_parse(answer_text(run, "id"))))
			return outcome_row(OUTCOME_FAILED)->exit_code;
		s->own = s->own || (uid_t)answer_int(run, "uid") == geteuid();
		if (!s->port)
			s->port = (uint16_t)answer_int(run, "port");
	}
	return 0;
}

/* By the daemon, and where it names nobody by a walk of /proc: nobody is left behind. */
static int look_at_run(struct stopping *s, uint32_t run, bool thorough)
{
	_cleanup_(answer_freep) struct json_object *error = NULL;
	_cleanup_(members_deinit) struct members m = { 0 };
	int r = 0;

	if (members_ask(NULL, run, &m, &error) != OUTCOME_OK || !m.n || thorough)
		r = members_add_from_proc(&m, run);
	for (size_t i = 0; !r && i < m.n; i++) {
		struct stopping_process *p = add(s, &m.list[i].id, m.list[i].comm);

		if (!p)
			return -ENOMEM;
		if (!*p->why)
			strcpy(p->why, "of its run");
	}
	if (!r && !thorough && m.gone.id.pid && !add(s, &m.gone.id, m.gone.comm))
		return -ENOMEM;
	return r;
}

static int look_at_all_runs(struct stopping *s, bool thorough)
{
	size_t known = s->n;
	int r = 0;

	for (size_t i = 0; !r && i < s->n_runs; i++)
		r = look_at_run(s, s->runs[i], thorough);
	if (s->n > known)
		set_generations(s);
	return r;
}

int stopping_look_at_runs(struct stopping *s)
{
	return look_at_all_runs(s, false);
}

/* Whoever is ended as well starts nobody again. */
static void forget_ended_restarter(struct stopping *s)
{
	int64_t pid = answer_int(s->restarted_by, "pid");

	for (size_t i = 0; pid && i < s->n; i++)
		if (s->list[i].id.pid == pid && !s->list[i].spared) {
			answer_free(TAKE_PTR(s->restarted_by));
			return;
		}
}

int stopping_find(struct stopping *s, bool json)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	int r = s->run ? 0 : look_at_service(s, json);

	s->with_runs = *s->service && strncmp(s->name, "port ", 5) != 0;
	if (!r && s->port && look_at_port(s, &answer))
		return render_outcome(json, OUTCOME_FAILED, answer);
	s->n_holders = s->n;
	r = r ?: find_runs(s, json);
	if (r)
		return r;
	if (s->n_holders)
		look_at_restarter(s);
	if (look_at_all_runs(s, true))
		return outcome_row(OUTCOME_FAILED)->exit_code;
	forget_ended_restarter(s);
	set_generations(s);
	return 0;
}

/* --- later looks --- */

bool stopping_has_changed(const struct stopping *s)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct stopping now = { .port = s->port };
	bool changed = s->port && look_at_port(&now, &answer);

	for (size_t i = 0; i < now.n; i++)
		changed = changed || !find(s, &now.list[i].id);
	stopping_deinit(&now);
	return changed;
}

/* Would a server get it, on every address?  It is bound for a moment, and not listened on. */
static bool can_be_bound(uint16_t port, int type)
{
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	_cleanup_close_ int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
	const void *addr = fd < 0 ? (const void *)&four : &six;
	socklen_t size = fd < 0 ? sizeof(four) : sizeof(six);
	int yes = 1, no = 0;

	if (fd < 0)
		fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	return !bind(fd, addr, size);
}

/* What is left of connections hides from a daemon without eBPF whether it is in anybody's way. */
static bool is_free(const struct stopping *s, const char *protocol, bool *ret_protected)
{
	_cleanup_(answer_freep) struct json_object *why = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/v1/why?port=%u&proto=%s", s->port, protocol);
	if (client_request("GET", path, NULL, &why) != OUTCOME_OK)
		return false;
	if (strcmp(answer_text(why, "verdict"), "unknown") == 0)
		return can_be_bound(s->port, *protocol == 't' ? SOCK_STREAM : SOCK_DGRAM);
	/* nothing is in the way of those that it is kept for */
	*ret_protected = strcmp(answer_text(why, "verdict"), "protected") == 0;
	return *ret_protected || answer_bool(why, "free");
}

static bool port_is_free(const struct stopping *s, bool *ret_protected)
{
	return !s->port ||
	       (is_free(s, "tcp", ret_protected) && (!s->udp || is_free(s, "udp", ret_protected)));
}

bool stopping_await_free(const struct stopping *s, bool *ret_protected)
{
	int64_t until_ms = clock_ms(CLOCK_MONOTONIC) + FREE_WAIT_MS;
	bool free;

	*ret_protected = false;
	while (!(free = port_is_free(s, ret_protected)) && clock_ms(CLOCK_MONOTONIC) < until_ms)
		poll(NULL, 0, FREE_PAUSE_MS);
	return free;
}

void stopping_tell_runs(const struct stopping *s, const char *state)
{
	char id[RUN_ID_SIZE];

	for (size_t i = 0; i < s->n_runs; i++) {
		_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
		_cleanup_(answer_freep) struct json_object *answer = NULL;

		body_add_text(body, "run", run_id_format(s->runs[i], id));
		body_add_text(body, "state", state);
		client_request("POST", "/v1/runs", body, &answer);
	}
}

void stopping_tell_restarter(const struct stopping *s, bool json)
{
	struct json_object *by = s->restarted_by;

	if (json || !by || is_engine(by))
		return;
	if (answer_has(by, "pid"))
		render_note("%s (pid %d) may start it again; %s", answer_text(by, "comm"),
			    (int)answer_int(by, "pid"), s->way_out);
	else
		render_note("%s may start it again; %s", answer_text(by, "comm"), s->way_out);
}

void stopping_tell_who_holds_it(const struct stopping *s)
{
	_cleanup_(answer_freep) struct json_object *why = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/v1/why?port=%u", s->port);
	if (client_request("GET", path, NULL, &why) == OUTCOME_OK)
		render_note("%s", answer_text(why, "summary"));
}
