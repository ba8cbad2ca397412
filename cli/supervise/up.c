/* SPDX-License-Identifier: MIT */
#include "cli/supervise/up.h"

#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/outcome.h"
#include "cli/client/answer.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/supervise/project_end.h"
#include "cli/supervise/stopping.h"
#include "cli/supervise/up_parts.h"

#define WAITING_TOLD_MS 10000 /* then one line says what is still waited for */
#define REST_MS		2000  /* for what services that have ended wrote last */

/* What is waited for: of all, and of each service. */
enum { FD_SIGNAL, FD_STREAM, FD_OUTPUT, FDS_OF_ALL };
enum { FD_CONTROL, FD_SAYS, FD_HEALTH, FD_PD, FDS_OF_SERVICE };

static size_t count_in_state(const struct up *u, enum needs_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		n += u->services[i].node->state == state;
	return n;
}

/* --- waiting --- */

static void take_signals(struct up *u)
{
	struct signalfd_siginfo info;

	while (read(u->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
			continue;
		}
		u->asked_to_end = true;
		u->n_asked++;
	}
}

static int64_t sooner(int64_t one_ms, int64_t other_ms)
{
	return !one_ms || (other_ms && other_ms < one_ms) ? other_ms : one_ms;
}

/* Until something is due; -1 = nothing ever is. */
static int timeout_ms(const struct up *u)
{
	int64_t due_ms = sooner(u->look_due_ms, up_ready_lasts_at_ms(u)), left_ms;

	if (!u->told_waiting && !up_ready_is_settled(u))
		due_ms = sooner(due_ms, u->began_ms + WAITING_TOLD_MS);
	for (size_t i = 0; i < u->n; i++)
		if (u->services[i].node->state == NEEDS_BEGUN)
			due_ms = sooner(due_ms, u->services[i].health_due_ms);
	if (!due_ms)
		return -1;
	left_ms = due_ms - clock_ms(CLOCK_MONOTONIC);
	return left_ms > 0 ? (int)left_ms : 0;
}

static void fill(const struct up *u, struct pollfd *fds)
{
	bool is_full = up_output_waits(u);

	fds[FD_SIGNAL] = (struct pollfd){ .fd = u->signal_fd, .events = POLLIN };
	fds[FD_STREAM] = (struct pollfd){ .fd = u->stream.c.fd, .events = POLLIN };
	fds[FD_OUTPUT] = (struct pollfd){ .fd = is_full ? u->out.fd : -1, .events = POLLOUT };
	for (size_t i = 0; i < u->n; i++) {
		const struct up_service *s = &u->services[i];
		struct pollfd *own = &fds[FDS_OF_ALL + i * FDS_OF_SERVICE];

		own[FD_CONTROL] = (struct pollfd){ .fd = s->keeper.control_fd, .events = POLLIN };
		own[FD_SAYS] = (struct pollfd){ .fd = is_full ? -1 : s->keeper.output_fd,
						.events = POLLIN };
		own[FD_HEALTH] = (struct pollfd){ .fd = s->health.c.fd, .events = POLLIN };
		own[FD_PD] = (struct pollfd){ .fd = s->pd_fd, .events = POLLIN };
	}
}

/* What services need comes first: another one may be able to begin. */
static void wait_for_something(struct up *u, int for_ms)
{
	size_t n = FDS_OF_ALL + u->n * FDS_OF_SERVICE;
	_cleanup_free_ struct pollfd *fds = render_must(calloc(n, sizeof(*fds)));

	fill(u, fds);
	poll(fds, n, for_ms);
	if (fds[FD_SIGNAL].revents)
		take_signals(u);
	if (fds[FD_STREAM].revents)
		up_ready_read_events(u);
	for (size_t i = 0; i < u->n; i++) {
		const struct pollfd *own = &fds[FDS_OF_ALL + i * FDS_OF_SERVICE];
		struct up_service *s = &u->services[i];

		up_ready_check_health(u, s);
		if (own[FD_SAYS].revents)
			up_output_read(u, s);
		if (own[FD_CONTROL].revents)
			up_keepers_read(u, s);
		if (own[FD_PD].revents)
			up_keepers_note_adopted_end(u, s);
	}
	up_output_flush(u);
}

/* --- the end --- */

static bool while_ending(void *user_data)
{
	struct up *u = user_data;

	wait_for_something(u, 0);
	return u->n_asked > 1;
}

static void say_while_ending(const char *words, void *user_data)
{
	const struct up *u = user_data;

	render_say(u->o->quiet, "%s", words);
}

/* What was written last, once its keepers have ended. */
static void show_rest(struct up *u)
{
	int64_t until_ms = clock_ms(CLOCK_MONOTONIC) + REST_MS, left_ms;
	bool open = true;

	while (open && (left_ms = until_ms - clock_ms(CLOCK_MONOTONIC)) > 0) {
		open = up_output_waits(u);
		for (size_t i = 0; i < u->n; i++)
			open = open ||
			       (u->services[i].keeper.pid && u->services[i].keeper.output_fd >= 0);
		if (open)
			wait_for_something(u, (int)left_ms);
	}
}

static void tell_what_is_left(const struct up *u, const struct project_end_service *ended)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct stopping port = { .port = ended[i].port };

		if (!ended[i].wanted)
			continue;
		if (ended[i].n_left)
			render_note("%s: %zu of its processes are left; pd ps shows them",
				    u->services[i].config->name, ended[i].n_left);
		if (!ended[i].free)
			stopping_tell_who_holds_it(&port);
	}
}

static void tell_who_goes_on(const struct up *u)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct up_service *s = &u->services[i];

		if (s->adopted && s->node->state != NEEDS_OVER)
			render_say(u->o->quiet, "%s ran before and goes on; pd down %s ends it",
				   s->config->name, s->config->name);
	}
}

/* Those that were started here: what runs already is somebody else's.  The exit code. */
static int end_all(struct up *u)
{
	bool started_any = false;
	_cleanup_free_ struct project_end_service *ended =
		render_must(calloc(u->n + 1, sizeof(*ended)));
	struct project_end e = { .config = u->o->config,
				 .services = ended,
				 .grace_ms = -1,
				 .json = u->o->json,
				 .turn = while_ending,
				 .say = say_while_ending,
				 .user_data = u };
	int r;

	for (size_t i = 0; i < u->n; i++) {
		const struct up_service *s = &u->services[i];

		/* a keeper without a run ends by itself */
		ended[i].wanted = s->registered;
		ended[i].run = s->own.number;
		started_any = started_any || s->registered;
	}
	if (!u->n_asked)
		u->n_asked = 1;
	else if (started_any)
		render_say(u->o->quiet, "ending them; a second Ctrl-C kills them");
	r = project_end(&e);
	show_rest(u);
	if (r <= 1)
		tell_what_is_left(u, ended);
	if (!r && started_any)
		render_say(u->o->quiet, "all have ended, and their ports are free");
	tell_who_goes_on(u);
	return r;
}

/* --- the beginning --- */

/* Who was given another port than its own, and the like. */
static void tell_notices(const struct up *u)
{
	for (size_t i = 0; i < u->n; i++) {
		struct json_object *notices = answer_member(answer_at(u->o->claims, i), "notices");

		for (size_t j = 0; j < answer_length(notices); j++)
			if (u->services[i].node->state == NEEDS_WAITING)
				render_say(u->o->quiet, "%s", answer_item_text(notices, j));
	}
}

/* Until each keeper has its run, or has said why not. */
static void await_registered(struct up *u)
{
	bool missing = true;

	while (missing && !u->asked_to_end && u->culprit == u->n) {
		missing = false;
		for (size_t i = 0; i < u->n; i++)
			missing = missing ||
				  (u->services[i].keeper.pid && !u->services[i].registered &&
				   u->services[i].node->state != NEEDS_OVER);
		if (missing)
			wait_for_something(u, -1);
	}
}

static void begin_what_can(struct up *u)
{
	size_t i;

	while ((i = needs_next(&u->needs)) < u->n) {
		struct up_service *s = &u->services[i];

		s->node->state = NEEDS_BEGUN;
		s->begun_ms = clock_ms(CLOCK_MONOTONIC);
		s->begun_unix_us = (int64_t)clock_us(CLOCK_REALTIME);
		keeper_go(&s->keeper);
		up_ready_look_later(u);
	}
}

static void tell_waiting(struct up *u)
{
	u->told_waiting = true;
	for (size_t i = 0; i < u->n; i++) {
		const struct up_service *s = &u->services[i];

		if (s->node->state == NEEDS_BEGUN)
			render_say(u->o->quiet, "%s is not ready yet: %s %d", s->config->name,
				   s->listens ? "it does not answer well on port"
					      : "nothing of it listens on port",
				   s->own.port);
	}
}

static void tell_ready(struct up *u)
{
	size_t n = count_in_state(u, NEEDS_READY), started = 0;
	char whom[48] = "it";

	for (size_t i = 0; i < u->n; i++)
		started += u->services[i].node->state == NEEDS_READY && !u->services[i].adopted;
	if (started && started < n)
		snprintf(whom, sizeof(whom), "the %zu that it started", started);
	else if (n > 1)
		snprintf(whom, sizeof(whom), "them");
	u->told_ready = true;
	if (!u->o->detach && n)
		render_say(u->o->quiet, "%zu %s ready after %.1fs; Ctrl-C %s %s", n,
			   n == 1 ? "service is" : "services are",
			   (double)(clock_ms(CLOCK_MONOTONIC) - u->began_ms) / 1000,
			   started ? "ends" : "leaves", whom);
}

/* --- results --- */

static void show_json(const struct up *u)
{
	_cleanup_(answer_freep) struct json_object *o = render_json_new(!u->failed);
	struct json_object *list = json_object_new_array();

	json_object_object_add(o, "services", list);
	for (size_t i = 0; i < u->n; i++) {
		const struct up_service *s = &u->services[i];
		struct json_object *one = json_object_new_object();
		char id[RUN_ID_SIZE];

		if (s->node->state == NEEDS_LEFT_OUT) {
			json_object_put(one);
			continue;
		}
		json_object_object_add(one, "id", json_object_new_string(s->config->id));
		json_object_object_add(one, "port", json_object_new_int(s->own.port));
		json_object_object_add(one, "run",
				       json_object_new_string(run_id_format(s->own.number, id)));
		json_object_object_add(one, "adopted", json_object_new_boolean(s->adopted));
		json_object_object_add(one, "ready",
				       json_object_new_boolean(s->node->state == NEEDS_READY));
		json_object_array_add(list, one);
	}
	render_json(o);
	fflush(stdout);
}

static void show_table(const struct up *u)
{
	static const char *const headings[] = { "Service", "URL", "Run" };
	struct render_table *t = render_table_new(headings, ARRAY_SIZE(headings));

	for (size_t i = 0; i < u->n; i++) {
		const struct up_service *s = &u->services[i];
		char id[RUN_ID_SIZE];

		if (s->node->state != NEEDS_READY)
			continue;
		render_table_cell(t, TONE_PLAIN, "%s", s->config->id);
		render_table_cell(t, TONE_GOOD, "http://localhost:%u", s->own.port);
		render_table_cell(t, TONE_DIM, "%s%s", run_id_format(s->own.number, id),
				  s->adopted ? " (ran already)" : "");
	}
	render_table_print(t);
}

static int fail(struct up *u)
{
	const struct up_service *s = &u->services[u->culprit];

	if (s->begun_unix_us)
		up_output_show_last(u, s);
	end_all(u);
	if (u->o->json)
		return render_fail(true, OUTCOME_NO, "%s ended before it was ready", s->config->id);
	return outcome_row(OUTCOME_NO)->exit_code;
}

/* --- all of it --- */

static bool is_over(const struct up *u)
{
	if (u->asked_to_end || u->culprit < u->n)
		return true;
	if (!up_ready_is_settled(u))
		return false;
	return u->o->detach ? !up_ready_lasts_at_ms(u) : !count_in_state(u, NEEDS_READY);
}

static int watch(struct up *u)
{
	while (!is_over(u)) {
		begin_what_can(u);
		if (up_ready_is_settled(u) && !u->told_ready) {
			tell_ready(u);
			if (u->o->json && !u->o->detach)
				show_json(u);
		}
		wait_for_something(u, timeout_ms(u));
		if (u->look_due_ms && clock_ms(CLOCK_MONOTONIC) >= u->look_due_ms)
			up_ready_look_around(u);
		if (!u->told_waiting && clock_ms(CLOCK_MONOTONIC) >= u->began_ms + WAITING_TOLD_MS)
			tell_waiting(u);
	}
	if (u->culprit < u->n)
		return fail(u);
	if (u->asked_to_end)
		return end_all(u);
	if (!u->o->detach)
		show_rest(u);
	if (u->o->detach && u->o->json)
		show_json(u);
	else if (u->o->detach && !u->o->quiet)
		show_table(u);
	return u->failed ? outcome_row(OUTCOME_NO)->exit_code : 0;
}

static void take_signals_over(struct up *u, sigset_t *ret_before)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
	struct sigaction ignored = { .sa_handler = SIG_IGN };
	sigset_t handled;

	sigemptyset(&handled);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaddset(&handled, numbers[i]);
	sigprocmask(SIG_BLOCK, &handled, ret_before);
	sigaction(SIGPIPE, &ignored, NULL);
	u->signal_fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* 0, or the exit code of what was said. */
static int begin_project(struct up *u)
{
	_cleanup_close_ int lock = up_adopt_lock(u);
	int r = up_adopt(u);

	if (r)
		return r;
	tell_notices(u);
	r = up_keepers_start(u);
	if (!r)
		await_registered(u);
	/* keepers had it, too, until they settled */
	if (lock >= 0)
		flock(lock, LOCK_UN);
	return r;
}

static int run_all(struct up *u)
{
	int r = begin_project(u);

	if (r)
		return r;
	up_ready_follow(u);
	if (u->looks_around)
		up_ready_look_around(u);
	return watch(u);
}

static void init(struct up *u)
{
	for (size_t i = 0; i < u->n; i++) {
		struct up_service *s = &u->services[i];

		s->config = &u->o->config->services[i];
		s->node = &u->needs.nodes[i];
		s->own = (struct own_run){ .of_file = true,
					   .service = s->config->id,
					   .port = (uint16_t)answer_int(answer_at(u->o->claims, i),
									"port") };
		s->keeper.control_fd = s->keeper.output_fd = s->pd_fd = s->health.c.fd = -1;
		if (u->o->wanted[i])
			needs_want(&u->needs, i);
	}
	u->culprit = u->n;
	u->stream.c.fd = -1;
	u->began_ms = clock_ms(CLOCK_MONOTONIC);
}

int up(const struct up_options *options)
{
	struct up u = { .o = options, .n = options->config->n };
	char error[1024];
	sigset_t before;
	int r;

	if (needs_new(options->config, &u.needs, error, sizeof(error)))
		return render_fail(options->json, OUTCOME_BAD_REQUEST, "%s", error);
	u.services = render_must(calloc(u.n + 1, sizeof(*u.services)));
	init(&u);
	up_output_init(&u);
	take_signals_over(&u, &before);
	r = run_all(&u);
	for (size_t i = 0; i < u.n; i++) {
		keeper_close(&u.services[i].keeper);
		follow_close(&u.services[i].health);
	}
	follow_close(&u.stream);
	up_output_deinit(&u);
	needs_deinit(&u.needs);
	free(u.services);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
