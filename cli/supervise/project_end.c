/* SPDX-License-Identifier: MIT */
#include "cli/supervise/project_end.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/outcome.h"
#include "base/procfs.h"
#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/supervise/ending.h"
#include "cli/supervise/members.h"
#include "cli/supervise/needs.h"
#include "cli/supervise/stopping.h"

#define DEPTH_MAX 64 /* of a tree, whose root is asked first, and of runs inside each other */

/* A run of the step that is being ended. */
struct ended_run {
	uint32_t number;
	size_t service;
	struct process_id pd;
};

struct step {
	struct project_end *e;
	const size_t *steps; /* of each service */
	size_t now;
	struct ended_run *runs;
	size_t n_runs;
	bool thorough; /* /proc is looked at as well */
};

static bool is_of_step(const struct step *s, size_t service)
{
	return s->e->services[service].wanted && s->steps[service] == s->now;
}

/* --- runs --- */

static struct ended_run *find_run(const struct step *s, uint32_t number)
{
	for (size_t i = 0; i < s->n_runs; i++)
		if (s->runs[i].number == number)
			return &s->runs[i];
	return NULL;
}

/* Of one whose directory is gone nobody else is left to end it. */
static bool is_anothers(const struct step *s, size_t service, struct json_object *run)
{
	char elsewhere[PROCESS_PATH_SIZE];

	if (!s->e->directory || !*members_begun_elsewhere(run, s->e->directory, elsewhere) ||
	    text_ends_with(elsewhere, " (deleted)"))
		return false;
	strcpy(s->e->services[service].elsewhere, elsewhere);
	return true;
}

static int add_run(struct step *s, size_t service, struct json_object *run)
{
	uint32_t number = run_id_parse(answer_text(run, "id")), only = s->e->services[service].run;
	struct ended_run *grown;

	if ((only && number != only) || is_anothers(s, service, run))
		return 0;
	s->e->services[service].ran = true;
	if (answer_int(run, "port"))
		s->e->services[service].port = (uint16_t)answer_int(run, "port");
	if (find_run(s, number))
		return 0;
	grown = reallocarray(s->runs, s->n_runs + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->runs = grown;
	s->runs[s->n_runs++] = (struct ended_run){
		.number = number,
		.service = service,
		.pd = { (pid_t)answer_int(run, "pid"), (uint64_t)answer_int(run, "startTicks") },
	};
	s->thorough = true;
	/* so that nobody takes the end for a failure and starts it again */
	members_tell(number, NULL, "ending", false);
	return 0;
}

static int add_runs(struct step *s, const struct members *m)
{
	struct json_object *runs = answer_member(m->answer, "runs");
	const struct config *config = s->e->config;
	int r = 0;

	for (size_t i = 0; !r && i < answer_length(runs); i++) {
		struct json_object *run = answer_at(runs, i);

		for (size_t j = 0; !r && j < config->n; j++)
			if (is_of_step(s, j) &&
			    strcmp(config->services[j].id, answer_text(run, "service")) == 0 &&
			    (uid_t)answer_int(run, "uid") == geteuid())
				r = add_run(s, j, run);
	}
	return r;
}

/* --- members --- */

/* The run of the step that a member is ended with: its own, or the one that its own was begun
 * inside. */
static const struct ended_run *run_around(const struct step *s, const struct members *m,
					  uint32_t number)
{
	const struct ended_run *run = find_run(s, number);

	for (int depth = 0; !run && number && depth < DEPTH_MAX; depth++) {
		number = run_id_parse(answer_text(members_run(m, number), "outer"));
		run = find_run(s, number);
	}
	return run;
}

static int depth_of(const struct members *m, const struct member *one)
{
	int depth = 0;

	while (one && depth < DEPTH_MAX) {
		const struct member *parent = NULL;

		for (size_t i = 0; !parent && i < m->n; i++)
			if (m->list[i].run == one->run && m->list[i].id.pid == one->ppid)
				parent = &m->list[i];
		depth += parent != NULL;
		one = parent;
	}
	return depth;
}

static int add_member(struct step *s, struct ending *e, const struct members *m,
		      const struct member *one)
{
	const struct ended_run *run = run_around(s, m, one->run);
	const struct config_start *start;

	if (!run || one->id.pid == getpid() || process_id_equal(&one->id, &run->pd))
		return 0;
	start = &s->e->config->services[run->service].start;
	e->owner = run->service;
	e->ask_with = start->stop_signal;
	e->grace_ms = s->e->grace_ms < 0 ? start->stop_timeout_ms : s->e->grace_ms;
	return ending_add(e, &one->id, one->comm, depth_of(m, one));
}

static int add_members(struct step *s, struct ending *e, const struct members *m)
{
	int r = m->gone.id.pid ? add_member(s, e, m, &m->gone) : 0;

	for (size_t i = 0; !r && i < m->n; i++)
		r = add_member(s, e, m, &m->list[i]);
	return r;
}

/* By the daemon, and for a run that was just found by a walk of /proc: nobody is left behind. */
static int look(struct ending *e, void *user_data)
{
	struct step *s = user_data;
	_cleanup_(members_deinit) struct members m = { 0 };
	int r = 0;

	if (s->e->turn && s->e->turn(s->e->user_data))
		e->kill_at_once = true;
	if (members_look(0, &m)) {
		r = add_runs(s, &m);
		s->thorough = s->thorough || !answer_bool(m.answer, "followed");
	} else {
		s->thorough = true;
	}
	for (size_t i = 0; !r && s->thorough && i < s->n_runs; i++)
		r = members_add_from_proc(&m, s->runs[i].number);
	s->thorough = false;
	return r ? r : add_members(s, e, &m);
}

static void told(const struct ending_process *p, int signal, void *user_data)
{
	const struct step *s = user_data;
	char words[160];

	if (signal > 0 && (signal != SIGKILL || p->asked_with == SIGKILL || !p->signal))
		return;
	snprintf(words, sizeof(words), "%.16s (pid %d) %s", p->comm, p->id.pid,
		 signal == SIGKILL ? "did not end within its time: SIGKILL"
		 : signal == 0	   ? "belongs to another user and was not signalled"
				   : "does not end");
	s->e->say(words, s->e->user_data);
}

/* --- who looked after them --- */

static int end_keeper(const struct ended_run *run)
{
	_cleanup_close_ int pidfd = -1;
	struct pollfd fd = { .events = POLLIN };

	if (!run->pd.pid || run->pd.pid == getpid())
		return 0;
	pidfd = (int)syscall(SYS_pidfd_open, run->pd.pid, 0);
	if (pidfd < 0 || !procfs_alive(&run->pd))
		return 0;
	syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
	fd.fd = pidfd;
	return poll(&fd, 1, ENDING_KILLED_MS) == 1 ? 0 : 1;
}

static void count(struct step *s, const struct ending *e)
{
	for (size_t i = 0; i < e->n; i++) {
		struct project_end_service *service = &s->e->services[e->list[i].owner];

		if (e->list[i].fate == ENDING_ENDED)
			service->n_ended++;
		else
			service->n_left++;
	}
	for (size_t i = 0; i < s->n_runs; i++)
		s->e->services[s->runs[i].service].n_left += end_keeper(&s->runs[i]);
}

static int end_step(struct step *s)
{
	struct ending e = { .look = look, .told = told, .user_data = s };
	int r = ending_run(&e);

	if (r < 0)
		render_fail(s->e->json, OUTCOME_FAILED, "%s", strerror(-r));
	count(s, &e);
	ending_deinit(&e);
	free(s->runs);
	s->runs = NULL;
	s->n_runs = 0;
	return r < 0 ? outcome_row(OUTCOME_FAILED)->exit_code : 0;
}

/* --- ports --- */

/* What was claimed and did not run may be held by somebody else. */
static int find_ports(struct project_end *e)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	char path[512], pattern[IDENTITY_MAX + 3];
	const struct client_param params[] = { { "pattern", pattern } };
	struct json_object *services;
	int r;

	snprintf(pattern, sizeof(pattern), "%s:*", e->config->project);
	client_path("/v1/services", params, ARRAY_SIZE(params), path, sizeof(path));
	r = answer_get_list(e->json, path, 0, &answer);
	services = r ? NULL : answer_member(answer, "services");
	for (size_t i = 0; i < answer_length(services); i++)
		for (size_t j = 0; j < e->config->n; j++)
			if (strcmp(answer_text(answer_at(services, i), "id"),
				   e->config->services[j].id) == 0)
				e->services[j].port = (uint16_t)answer_int(answer_at(services, i),
									   "port");
	return r;
}

/* How many ports are still taken. */
static size_t look_at_ports(struct project_end *e)
{
	size_t taken = 0;

	for (size_t i = 0; i < e->config->n; i++) {
		struct project_end_service *service = &e->services[i];
		const struct stopping port = { .port = service->port };
		bool is_protected;

		if (!service->wanted)
			continue;
		service->free = !*service->elsewhere && stopping_await_free(&port, &is_protected);
		taken += !service->free;
	}
	return taken;
}

int project_end(struct project_end *e)
{
	_cleanup_free_ size_t *steps = calloc(e->config->n + 1, sizeof(*steps));
	struct step s = { .e = e, .steps = steps };
	struct needs needs;
	char error[512];
	size_t n_steps, left;
	int r;

	if (!steps || needs_new(e->config, &needs, error, sizeof(error)))
		return render_fail(e->json, OUTCOME_BAD_REQUEST, "%s",
				   steps ? error : strerror(ENOMEM));
	n_steps = needs_order_of_end(&needs, steps);
	needs_deinit(&needs);
	r = find_ports(e);
	for (s.now = 0; !r && s.now < n_steps; s.now++)
		r = end_step(&s);
	if (r)
		return r;
	left = look_at_ports(e);
	for (size_t i = 0; i < e->config->n; i++)
		left += e->services[i].n_left;
	return left ? 1 : 0;
}
