/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/outcome.h"
#include "base/procfs.h"
#include "cli/client/answer.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/supervise/log_file.h"
#include "cli/supervise/members.h"
#include "cli/supervise/up_parts.h"

#define ENVIRONMENT_BYTES (128 * 1024)
#define ENDING_PAUSE_MS	  20
#define ENDING_NOTE_MS	  1000 /* then it is said what is waited for */
#define ENDING_WAIT_MS	  5000 /* what a program may take that is asked to end */

/* --- what it was started as --- */

/* 0 = it does not say. */
static uint64_t hash_in(const char *environment, size_t n)
{
	static const char variable[] = KEEPER_HASH_VARIABLE "=";

	for (const char *entry = environment; entry < environment + n; entry += strlen(entry) + 1)
		if (strncmp(entry, variable, sizeof(variable) - 1) == 0)
			return strtoull(entry + sizeof(variable) - 1, NULL, 16);
	return 0;
}

static uint64_t hash_of(pid_t pid)
{
	_cleanup_free_ char *environment = malloc(ENVIRONMENT_BYTES);
	ssize_t n = environment ? procfs_read_of(pid, "environ", environment, ENVIRONMENT_BYTES)
				: -ENOMEM;

	return n > 0 ? hash_in(environment, (size_t)n) : 0;
}

static bool was_started_as(const struct members *m, const struct up_service *s)
{
	uint64_t hash = 0;

	for (size_t i = 0; !hash && i < m->n; i++)
		if (m->list[i].run == s->own.number)
			hash = hash_of(m->list[i].id.pid);
	return !hash || hash == config_start_hash(&s->config->start);
}

/* --- one of them --- */

static void watch_pd(struct up_service *s, const struct process_id *pd)
{
	if (!pd->pid)
		return;
	s->pd_fd = (int)syscall(SYS_pidfd_open, pd->pid, 0);
	if (s->pd_fd < 0 || procfs_alive(pd))
		return;
	close(s->pd_fd);
	s->pd_fd = -1;
}

static void adopt_hardcoded(struct own_run *own, struct json_object *pairs)
{
	for (size_t i = 0; i < answer_length(pairs) && i < RUN_HARDCODED_MAX; i++)
		own->hardcoded[own->n_hardcoded++] = (struct run_hardcoded){
			.asked = (uint16_t)answer_int(answer_at(pairs, i), "askedPort"),
			.port = (uint16_t)answer_int(answer_at(pairs, i), "port"),
		};
	own->rewritten = own->n_hardcoded > 0;
}

static void adopt(struct up *u, struct up_service *s, struct json_object *run,
		  const struct members *m)
{
	const char *state = answer_text(run, "state");
	const struct process_id pd = { (pid_t)answer_int(run, "pid"),
				       (uint64_t)answer_int(run, "startTicks") };
	char id[RUN_ID_SIZE], by[48] = "nobody looks after it", elsewhere[PROCESS_PATH_SIZE];

	s->own.number = run_id_parse(answer_text(run, "id"));
	s->own.port = (uint16_t)answer_int(run, "port");
	s->own.followed = answer_bool(m->answer, "followed");
	s->own.n_hardcoded = 0; /* of what runs, whatever the file says by now */
	adopt_hardcoded(&s->own, answer_member(run, "hardcoded"));
	s->adopted = true;
	s->node->state = NEEDS_BEGUN;
	watch_pd(s, &pd);
	if (s->pd_fd >= 0)
		snprintf(by, sizeof(by), "pd %d looks after it", pd.pid);
	render_say(u->o->quiet, "%s runs already (%s, %s; %s): adopted", s->config->name,
		   run_id_format(s->own.number, id), state, by);
	if (*members_begun_elsewhere(run, u->o->directory, elsewhere))
		render_say(
			u->o->quiet,
			"%s was started in %s, and serves what is there; pd down %s, then pd up, "
			"starts it here; for both at once \"project\" in one's " CONFIG_NAME
			" has to be another",
			s->config->name, elsewhere, s->config->name);
	if (!was_started_as(m, s))
		render_say(u->o->quiet,
			   "%s would start differently by now: " CONFIG_NAME
			   " has changed since; pd down %s, then pd up",
			   s->config->name, s->config->name);
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0;
		     m->list[i].run == s->own.number && j < answer_length(m->list[i].ports); j++)
			up_ready_note_listen(u, s, (uint16_t)answer_item_int(m->list[i].ports, j),
					     m->list[i].comm, m->list[i].id.pid);
}

/* --- all of them --- */

static struct json_object *run_of(const struct up_service *s, struct json_object *runs)
{
	for (size_t i = 0; i < answer_length(runs); i++) {
		struct json_object *run = answer_at(runs, i);

		if ((uid_t)answer_int(run, "uid") == geteuid() &&
		    strcmp(s->config->id, answer_text(run, "service")) == 0)
			return run;
	}
	return NULL;
}

int up_adopt_lock(const struct up *u)
{
	char directory[PATH_MAX], path[PATH_MAX + IDENTITY_PART_MAX + 8];
	int fd;

	if (log_file_make_directory(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/%s.lock", directory, u->o->config->project);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		flock(fd, LOCK_EX);
	return fd;
}

/* The first that is to run and whose run is being ended; NULL = none is. */
static const struct up_service *find_ending(const struct up *u, struct json_object *runs)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct up_service *s = &u->services[i];
		struct json_object *run = s->node->state == NEEDS_WAITING ? run_of(s, runs) : NULL;

		if (run && strcmp(answer_text(run, "state"), "ending") == 0)
			return s;
	}
	return NULL;
}

/*
 * The runs, when none of ours is being ended any more: its processes are gone a moment before the
 * daemon is told of it, and who types `pd up` behind `pd stop` means to start it again.
 * *ret_ending is one that takes longer; NULL.
 */
static enum outcome ask_of_settled(const struct up *u, struct members *ret,
				   const struct up_service **ret_ending,
				   struct json_object **ret_error)
{
	int64_t began_ms = clock_ms(CLOCK_MONOTONIC), waited_ms;
	struct pollfd signals = { .fd = u->signal_fd, .events = POLLIN };
	bool noted = false;

	while (true) {
		enum outcome outcome = members_ask(NULL, 0, ret, ret_error);

		if (outcome != OUTCOME_OK)
			return outcome;
		*ret_ending = find_ending(u, answer_member(ret->answer, "runs"));
		waited_ms = clock_ms(CLOCK_MONOTONIC) - began_ms;
		if (!*ret_ending || waited_ms >= ENDING_WAIT_MS)
			return OUTCOME_OK;
		if (waited_ms >= ENDING_NOTE_MS && !noted) {
			render_note("waiting for %s, which is being ended",
				    (*ret_ending)->config->id);
			noted = true;
		}
		if (poll(&signals, 1, ENDING_PAUSE_MS) > 0)
			return OUTCOME_OK; /* who gives up is told what was waited for */
		members_deinit(ret);
		*ret = (struct members){ 0 };
	}
}

int up_adopt(struct up *u)
{
	_cleanup_(answer_freep) struct json_object *error = NULL;
	_cleanup_(members_deinit) struct members m = { 0 };
	const struct up_service *ending = NULL;
	enum outcome outcome = ask_of_settled(u, &m, &ending, &error);
	struct json_object *runs = answer_member(m.answer, "runs");

	if (outcome != OUTCOME_OK)
		return render_outcome(u->o->json, outcome, error);
	if (ending)
		return render_fail(u->o->json, OUTCOME_CONFLICT,
				   "%s is being ended; wait until it is, or pd down %s",
				   ending->config->id, ending->config->name);
	for (size_t i = 0; i < u->n; i++) {
		struct up_service *s = &u->services[i];
		struct json_object *run = s->node->state == NEEDS_WAITING ? run_of(s, runs) : NULL;

		if (run)
			adopt(u, s, run, &m);
	}
	return 0;
}
