/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/follow.h"
#include "cli/command.h"
#include "cli/commands/claiming.h"
#include "cli/project/config.h"
#include "cli/project/config_start.h"
#include "cli/render/render.h"
#include "cli/supervise/ending.h"
#include "cli/supervise/own_run.h"
#include "cli/supervise/supervise.h"

#define EXIT_OF_PD	 125
#define GRACE_DEFAULT_US (5 * 1000000)
#define RECONNECT_MS	 1000 /* after the daemon has ended, until one is there again */
#define ENDING_TICK_MS	 50   /* once it was asked to end */

struct run {
	const struct command_line *line;
	struct own_run own;
	uint16_t typed[RUN_HARDCODED_MAX]; /* --hardcoded */
	size_t n_typed;
	bool told_beside[RUN_HARDCODED_MAX];
	int64_t grace_us;
	int64_t began_ms;
	struct follow stream;
	struct supervision s;

	int64_t listened_ms;	 /* of which nothing was said yet: it may be a trial; 0 = none */
	uint16_t elsewhere;	 /* where it listened last that is not its own; 0 = nowhere */
	int64_t asked_to_end_ms; /* by a signal, for the first time; 0 = not yet */
	bool told_serving, told_elsewhere;
	size_t n_ended, n_left; /* members that the end of the command left behind */
	bool detached;
};

/* --- what the daemon tells --- */

/* Once, however many sockets it has there. */
static bool was_told_beside(struct run *run, uint16_t port)
{
	bool told = false;

	for (size_t i = 0; i < run->own.n_hardcoded; i++) {
		if (run->own.hardcoded[i].port != port)
			continue;
		told = run->told_beside[i];
		run->told_beside[i] = true;
	}
	return told;
}

static void tell_serving(struct run *run, uint16_t port, const char *comm, pid_t pid)
{
	int64_t at_ms = run->listened_ms ? run->listened_ms : (int64_t)clock_ms(CLOCK_MONOTONIC);
	double after_s = (double)(at_ms - run->began_ms) / 1000;
	char asked[OWN_RUN_ASKED_SIZE], way[OWN_RUN_WAY_SIZE];

	if (port == run->own.port && !run->told_serving) {
		run->told_serving = true;
		was_told_beside(run, port);
		render_say(run->line->quiet,
			   "%s serves on http://localhost:%d (%s%.16s, pid %d, after %.1fs)",
			   run->own.service, port, own_run_asked_for(&run->own, port, asked), comm,
			   pid, after_s);
	} else if (*own_run_asked_for(&run->own, port, asked)) {
		if (!was_told_beside(run, port))
			render_say(run->line->quiet,
				   "%s also serves on http://localhost:%d (%s%.16s, pid %d)",
				   run->own.service, port, asked, comm, pid);
	} else if (port != run->own.port && !run->told_serving && !run->told_elsewhere) {
		run->told_elsewhere = true;
		render_say(
			run->line->quiet,
			"%s listens on port %d, its own is %d, in $PORT (%s, pid %d, after %.1fs); "
			"%s makes that of it",
			run->own.service, port, run->own.port, comm, pid, after_s,
			own_run_way(&run->own, port, way));
	}
}

/* That of its claim, or of one beside it. */
static bool is_own(const struct run *run, uint16_t port)
{
	char asked[OWN_RUN_ASKED_SIZE];

	return port == run->own.port || *own_run_asked_for(&run->own, port, asked);
}

/* It is told once it has lasted.  The last trial of a port counts; other ports put nothing off. */
static void note_listen(struct run *run, uint16_t port)
{
	bool own = is_own(run, port);
	bool told = run->told_serving && (!own || run->own.n_hardcoded < 2);

	if (told || run->asked_to_end_ms || (!own && run->told_elsewhere))
		return;
	if (!own)
		run->elsewhere = port;
	if (!own && run->listened_ms)
		return;
	run->listened_ms = clock_ms(CLOCK_MONOTONIC);
	run->s.every_ms = OWN_RUN_TRIAL_MS;
}

static void tell_refusal(struct run *run, struct json_object *event)
{
	char words[OWN_RUN_WORDS_SIZE];

	if (own_run_explain_refusal(&run->own, event, words))
		render_say(run->line->quiet, "%s", words);
}

static void take_line(struct json_object *line, void *user_data)
{
	const char *event = answer_text(line, "event");

	if (strcmp(event, "LISTEN") == 0)
		note_listen(user_data, (uint16_t)answer_int(line, "port"));
	else if (strcmp(event, "FAIL") == 0)
		tell_refusal(user_data, line);
}

/* --- registered with the daemon --- */

/* Without eBPF nobody tells of a listen. */
static bool is_looked_for(const struct run *run)
{
	return !run->own.followed && !run->told_serving;
}

/* The stream is asked for before the command begins: no event of it is missed. */
static int open_stream(struct run *run)
{
	char path[64], id[RUN_ID_SIZE];
	int r;

	snprintf(path, sizeof(path), "/v1/events?run=%s", run_id_format(run->own.number, id));
	r = follow_open(&run->stream, path);
	run->s.fd = run->stream.c.fd;
	/* nothing wakes pd up while all is well and events are told */
	run->s.every_ms = r || is_looked_for(run) ? RECONNECT_MS : 0;
	return r;
}

static void on_readable(void *user_data)
{
	struct run *run = user_data;

	if (!follow_read(&run->stream, take_line, run))
		return;
	run->s.fd = -1;
	run->s.every_ms = RECONNECT_MS;
}

static int register_run(struct run *run)
{
	int r = own_run_begin(&run->own, run->line->json);
	char words[OWN_RUN_WORDS_SIZE];

	if (!r && !run->own.followed)
		render_say(run->line->quiet,
			   "without eBPF a program that clears its environment and leaves its "
			   "parents is not seen; pd status says why there is none");
	if (!r && own_run_explain_unrewritten(&run->own, words))
		render_say(run->line->quiet, "%s", words);
	if (!r && run->own.rewritten)
		render_say(
			run->line->quiet,
			"port %u in its source becomes %u%s for TCP, not for UDP, not in another "
			"network namespace, and not for a socket that somebody else has bound",
			run->own.hardcoded[0].asked, run->own.hardcoded[0].port,
			run->own.n_hardcoded > 1 ? ", and each of the others one of its own," : "");
	return r;
}

/* --- when the command has ended --- */

static int look_again(struct ending *e, void *user_data)
{
	const struct run *run = user_data;

	return own_run_look(&run->own, e);
}

static void tell_ending(const struct ending_process *p, int signal, void *user_data)
{
	const struct run *run = user_data;
	const char *how = signal == SIGTERM   ? "is left: SIGTERM"
			  : signal == SIGKILL ? "did not end in its grace: SIGKILL"
			  : signal == 0	      ? "is left: it belongs to another user"
					      : "is left: it does not end";

	render_say(run->line->quiet, "%.16s (pid %d) %s", p->comm, p->id.pid, how);
}

static void end_members(struct run *run)
{
	struct ending e = {
		.grace_ms = run->grace_us / 1000,
		.look = look_again,
		.told = tell_ending,
		.user_data = run,
	};
	int r = ending_run(&e);

	run->n_ended += e.n - e.n_left;
	run->n_left = e.n_left;
	if (r < 0)
		render_note("what the command left behind could not be looked for: %s",
			    strerror(-r));
	ending_deinit(&e);
}

/*
 * Some programs live on Ctrl-C, such as a shell; a server that has got it does not, and neither
 * does who was told to end.  What hangs, because a child keeps a pipe of it open, is ended as what
 * outlives it is.
 */
static void note_asked_to_end(int signal, void *user_data)
{
	struct run *run = user_data;

	if (run->asked_to_end_ms ||
	    (signal == SIGINT && !run->told_serving && !run->told_elsewhere && !run->listened_ms))
		return;
	run->asked_to_end_ms = clock_ms(CLOCK_MONOTONIC);
	run->s.every_ms = ENDING_TICK_MS;
}

static void look_for_own_server(struct run *run, struct members *m)
{
	const struct member *server;

	if (members_add_from_proc(m, run->own.number))
		return;
	server = members_server(m, run->own.port);
	if (!server)
		return;
	tell_serving(run, run->own.port, server->comm, server->id.pid);
	members_tell(run->own.number, NULL, "ready", false);
}

/*
 * What members serve is UDP as well, and the ports are in no order: behind a listen, of those that
 * are not the run's own only the one that was listened on is told.
 */
static void tell_ports(struct run *run, const struct members *m, bool own)
{
	for (size_t i = 0; i < m->n; i++) {
		struct json_object *ports = m->list[i].run == run->own.number ? m->list[i].ports
									      : NULL;

		for (size_t j = 0; j < answer_length(ports); j++) {
			uint16_t port = (uint16_t)answer_item_int(ports, j);

			if (is_own(run, port) == own &&
			    (own || !run->listened_ms || port == run->elsewhere))
				tell_serving(run, port, m->list[i].comm, m->list[i].id.pid);
		}
	}
}

static void look_for_server(struct run *run)
{
	_cleanup_(members_deinit) struct members m = { 0 };

	if (!members_look(run->own.number, &m))
		return;
	tell_ports(run, &m, true);
	tell_ports(run, &m, false);
	if (!run->told_serving && !run->listened_ms)
		look_for_own_server(run, &m);
	run->listened_ms = 0;
	run->s.every_ms = run->s.fd < 0 || is_looked_for(run) ? RECONNECT_MS : 0;
}

/* A daemon that is there again has found the run by itself, but for what it could not read, and for
 * a run that was not stored yet.  Of what has begun to listen meanwhile no event comes. */
static void reconnect(struct run *run)
{
	if (run->s.fd >= 0 || open_stream(run))
		return;
	members_tell(run->own.number, run->own.service, NULL, true);
	if (!run->told_serving)
		look_for_server(run);
}

static bool tick(void *user_data)
{
	struct run *run = user_data;
	int64_t grace_ms = run->grace_us / 1000, now_ms = clock_ms(CLOCK_MONOTONIC);

	if (!run->asked_to_end_ms) {
		reconnect(run);
		if (run->listened_ms ? now_ms >= run->listened_ms + OWN_RUN_TRIAL_MS
				     : is_looked_for(run))
			look_for_server(run);
	} else if (now_ms >= run->asked_to_end_ms + grace_ms) {
		render_say(run->line->quiet, "%s was asked to end and has not", run->s.argv[0]);
		end_members(run);
		run->asked_to_end_ms = clock_ms(CLOCK_MONOTONIC);
	}
	return true;
}

static const struct member *first_server(const struct members *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (answer_length(m->list[i].ports))
			return &m->list[i];
	return NULL;
}

/* A server that made itself a daemon, or was put into the background: it stays, and is named. */
static void leave_members(struct run *run)
{
	_cleanup_(members_deinit) struct members m = { 0 };
	const struct member *server;

	if (own_run_members(&run->own, &m) || !m.n)
		return;
	if (run->s.fd >= 0)
		members_tell(run->own.number, NULL, "detached", false);
	run->detached = true;
	server = first_server(&m);
	if (server)
		render_say(run->line->quiet,
			   "%s has ended, and %.16s (pid %d) goes on to listen on port %" PRId64
			   "; pd stop %s ends it",
			   run->s.argv[0], server->comm, server->id.pid,
			   answer_item_int(server->ports, 0), run->own.service);
	else
		render_say(run->line->quiet,
			   "%s has ended, and %.16s (pid %d) goes on; pd stop %s ends it",
			   run->s.argv[0], m.list[0].comm, m.list[0].id.pid, run->own.service);
}

static void show_json(const struct run *run, int code)
{
	_cleanup_(answer_freep) struct json_object *o = render_json_new(true);
	char id[RUN_ID_SIZE];

	json_object_object_add(o, "id", json_object_new_string(run->own.service));
	json_object_object_add(o, "port", json_object_new_int(run->own.port));
	json_object_object_add(o, "run",
			       json_object_new_string(run_id_format(run->own.number, id)));
	json_object_object_add(o, "exitCode", json_object_new_int(code));
	json_object_object_add(o, "detached", json_object_new_boolean(run->detached));
	json_object_object_add(o, "ended", json_object_new_int64((int64_t)run->n_ended));
	json_object_object_add(o, "left", json_object_new_int64((int64_t)run->n_left));
	render_json(o);
}

static int run_command(struct run *run)
{
	char words[SUPERVISE_WORDS_SIZE];
	int code;

	open_stream(run); /* without it nothing is told, and all goes on */
	own_run_set_environment(&run->own);
	run->began_ms = clock_ms(CLOCK_MONOTONIC);
	code = supervise(&run->s);
	if (code < 0) {
		render_note("no process could be started: %s", strerror(-code));
		return EXIT_OF_PD;
	}
	if (run->s.fd >= 0)
		on_readable(run); /* what came with the end, such as a refusal */
	if (!run->asked_to_end_ms && supervise_explain_end(&run->s, words))
		render_say(run->line->quiet, "%s", words);
	if (code)
		end_members(run);
	else
		leave_members(run);
	if (run->line->json)
		show_json(run, code);
	return code;
}

/*
 * Another checkout of the project may have begun a run of the same service: the claim, and its
 * port, are one for both.
 */
static void tell_of_another_checkout(const struct run *run, const struct claiming *wanted)
{
	const char *directory = *run->own.project ? run->own.project : wanted->cwd;
	_cleanup_(answer_freep) struct json_object *error = NULL;
	_cleanup_(members_deinit) struct members m = { 0 };
	char elsewhere[PROCESS_PATH_SIZE];
	struct json_object *runs;

	if (members_ask(run->own.service, 0, &m, &error) != OUTCOME_OK)
		return;
	runs = answer_member(m.answer, "runs");
	for (size_t i = 0; i < answer_length(runs); i++) {
		struct json_object *other = answer_at(runs, i);

		if ((uid_t)answer_int(other, "uid") != geteuid() ||
		    !*members_begun_elsewhere(other, directory, elsewhere))
			continue;
		render_say(run->line->quiet,
			   "%s was started in %s, and serves what is there; pd stop %s "
			   "ends it; for both "
			   "at once %s",
			   run->own.service, elsewhere, run->own.service,
			   wanted->config ? "\"project\" in one's " CONFIG_NAME " has to be another"
					  : "one needs another name: pd run NAME -- CMD");
		return;
	}
}

/* --- the command line --- */

/* The ports of --hardcoded, each once. */
static int read_hardcoded(const struct command_line *line, struct run *run)
{
	const char *text;
	int r = 0;

	for (int i = 0; !r && (text = command_value_at(line, "hardcoded", i)); i++) {
		uint16_t *port = &run->typed[run->n_typed];

		if (run->n_typed == RUN_HARDCODED_MAX)
			return render_usage_error(line, "a run has at most %d hard-coded ports",
						  RUN_HARDCODED_MAX);
		r = check_port(line, text, port);
		for (size_t k = 0; !r && k < run->n_typed; k++)
			if (run->typed[k] == *port)
				return render_usage_error(line, "--hardcoded %u is there twice",
							  *port);
		run->n_typed++;
	}
	return r;
}

static int check_line(const struct command_line *line, struct run *run)
{
	const char *grace = command_value(line, "grace");
	int r = 0;

	if (line->n_before < 0)
		return render_usage_error(
			line,
			"\"--\" stands in front of the command: pd run %.100s -- CMD for the "
			"service of that name, pd run -- %.100s for the program",
			line->args[0], line->args[0]);
	if (line->n_before > 1)
		return render_usage_error(line, "'%.100s' is too much: pd run %s", line->args[1],
					  line->command->arguments);
	if (line->n_before == line->n_args)
		return render_usage_error(line,
					  "there is no command behind \"--\": pd run -- npm start");
	run->grace_us = GRACE_DEFAULT_US;
	if (grace)
		r = check_fine_duration(line, "grace", grace, &run->grace_us);
	return r ? r : read_hardcoded(line, run);
}

/* What is typed takes the place of what the file says. */
static int choose_hardcoded(struct run *run)
{
	struct own_run *own = &run->own;

	own->transparent |= command_value(run->line, "transparent") != NULL;
	if (run->n_typed)
		own->n_hardcoded = 0;
	for (size_t i = 0; i < run->n_typed; i++) {
		if (run->typed[i] == own->port)
			return render_usage_error(run->line,
						  "--hardcoded %u is the port of %s itself: there "
						  "is nothing to rewrite",
						  own->port, own->service);
		own->hardcoded[own->n_hardcoded++].asked = run->typed[i];
	}
	return 0;
}

static int check_transparent(const struct run *run, const struct config_start *of_file)
{
	if (!command_value(run->line, "transparent") || run->n_typed ||
	    (of_file && of_file->n_hardcoded))
		return 0;
	return render_usage_error(
		run->line, "--transparent is about the ports of --hardcoded, and there is none");
}

static int run(const struct command_line *line)
{
	struct run run = { .line = line, .stream = { .c = { .fd = -1 } } };
	_cleanup_(answer_freep) struct json_object *claim = NULL;
	_cleanup_(claiming_deinit) struct claiming wanted = { 0 };
	int r = check_line(line, &run);

	if (r)
		return r;
	if (claiming_find(line, line->n_before ? line->args[0] : NULL, &wanted))
		return EXIT_OF_PD;
	r = check_transparent(&run, wanted.start);
	if (r)
		return r;
	if (claiming_claim(line, &wanted, &claim, &run.own))
		return EXIT_OF_PD;
	r = choose_hardcoded(&run);
	if (r)
		return r;
	if (answer_bool(claim, "existing"))
		tell_of_another_checkout(&run, &wanted);
	run.s = (struct supervision){ .argv = line->args + line->n_before,
				      .outlives_us = true,
				      .tick = tick,
				      .asked_to_end = note_asked_to_end,
				      .fd = -1,
				      .readable = on_readable,
				      .user_data = &run };
	if (register_run(&run))
		return EXIT_OF_PD;
	r = run_command(&run);
	follow_close(&run.stream);
	return r;
}

const struct command cmd_run = {
	.name = "run",
	.arguments = "[ID] [--hardcoded PORT]... [--transparent] [--protect] [--grace DUR] [-q] "
		     "-- CMD [ARG]...",
	.summary = "run a service on its port, and leave nobody behind",
	.details =
		"Claims a port as pd claim does, for ID, for the one service of the nearest\n"
		".portdaddyrc, or for the current directory, and starts CMD in this terminal with\n"
		"PORT, PORT_DADDY_ID and PORT_DADDY_URL set.  One line on stderr tells when it first\n"
		"listens, and one who holds a port that it was refused; -q says neither.\n"
		"\n"
		"Every process that descends from CMD belongs to the run, however it left its parent:\n"
		"pd ps shows them.  When CMD ends by a signal or with an error, the others get SIGTERM\n"
		"and, after the grace, SIGKILL.  When it ends with success and leaves a server, that\n"
		"stays, and pd says how to end it.  When pd itself is killed with -9 the run goes on\n"
		"unattended: pd find shows it as orphaned, and pd stop ID ends it.\n"
		"\n"
		"--hardcoded PORT is for a program that has PORT in its source: where it binds that\n"
		"over TCP, the kernel gives it the run's own port, and whoever is of the same project\n"
		"(runs below one .portdaddyrc, or in one working tree) and connects to localhost:PORT\n"
		"reaches it for as long as it has it.  So two checkouts run side by side.  A second\n"
		"one gets a port of its own, the claim ID-PORT.  Not covered are UDP, a socket that\n"
		"somebody else has bound for it, and what runs in another network namespace, such as\n"
		"a container.\n"
		"\n"
		"The program itself is told its real port, so that it prints a URL that works.\n"
		"--transparent is for one that insists on what it has asked for: getsockname(2) tells\n"
		"it PORT, of a listener and of each connection, and getpeername(2) the number by which\n"
		"it reached a sibling.  It still sees the real port in /proc/net and by netlink(7), and\n"
		"accept(2) tells the real port of whoever connects, for that is nobody's PORT.\n"
		"\n"
		"--protect: until the claim is released nobody else gets the port (pd help claim).\n"
		"\n"
		"The exit code is that of CMD, or 128 + N when signal N ended it; 127 when it was not\n"
		"found, 126 when it could not be run; 125 when pd itself failed and nothing ran.\n",
	.examples = "  pd run -- npm start\n"
		    "  pd run shop:web -- sh -c 'exec vite --port $PORT'\n"
		    "  pd run shop:api --grace 30s -- gunicorn app:app\n"
		    "  pd run shop:old --hardcoded 3000 -- node server.js\n",
	.min_args = 1,
	.max_args = -1,
	.options = {
		{ "hardcoded", 0, "PORT", "a port in CMD's source, which becomes the run's own",
		  .repeats = true },
		{ "transparent", 0, NULL, "CMD is told the ports of --hardcoded, not its own" },
		{ "protect", 0, NULL, "nobody else gets the port until the claim is released" },
		{ "grace", 0, "DUR", "between SIGTERM and SIGKILL, for what outlives CMD (5s)" },
		{ NULL },
	},
	.run = run,
};
