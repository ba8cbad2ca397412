/* SPDX-License-Identifier: MIT */
#include "cli/supervise/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/client/answer.h"
#include "cli/project/config_start.h"
#include "cli/render/render.h"
#include "cli/supervise/ending.h"
#include "cli/supervise/lines.h"
#include "cli/supervise/log_file.h"
#include "cli/supervise/own_run.h"

#define RESTARTS_MAX	 5
#define RESTARTS_WITHIN	 60000 /* ms */
#define RESTART_PAUSE_MS 100   /* the first; each next one is twice as long */
#define CHUNK_BYTES	 (64 * 1024)
#define EXIT_NOT_RUN	 126
#define EXIT_NOT_FOUND	 127
#define EXIT_SIGNALED	 128

/* The keeper's descriptors: it has no others of the pd that started it. */
enum { CONTROL_FD = 3, FORWARD_FD, OWN_FDS };

struct keeping {
	const struct keeper_plan *plan;
	struct own_run own;
	struct log_file log;
	struct line_splitter lines;
	int signal_fd, output_fd;
	bool has_pd; /* somebody reads what is forwarded */

	char chunk[CHUNK_BYTES]; /* read, and not forwarded yet: from `forwarded` to n_chunk */
	size_t n_chunk, forwarded;

	pid_t command; /* 0 = it has ended */
	int status;
	bool alone;	   /* no child of ours is left */
	bool asked_to_end; /* by SIGTERM */
	int64_t restarts[RESTARTS_MAX];
	size_t n_restarts;
};

static void tell(const struct keeping *k, struct keeper_message m)
{
	m.run = k->own.number;
	m.followed = k->own.followed;
	m.rewritten = k->own.rewritten;
	m.n_hardcoded = k->own.n_hardcoded;
	memcpy(m.hardcoded, k->own.hardcoded, sizeof(m.hardcoded));
	/* whoever asked for it may be gone; that it does not read is no reason to wait */
	send(CONTROL_FD, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* --- what the service writes --- */

static void add_line(const char *line, size_t n, void *user_data)
{
	struct keeping *k = user_data;

	log_file_add(&k->log, line, n);
}

static void flush_log(struct keeping *k)
{
	int r = log_file_flush(&k->log);

	if (r)
		tell(k, (struct keeper_message){ .event = KEEPER_LOG_LOST, .error = -r });
}

static void forward(struct keeping *k)
{
	ssize_t n;

	while (k->has_pd && k->forwarded < k->n_chunk) {
		n = write(FORWARD_FD, k->chunk + k->forwarded, k->n_chunk - k->forwarded);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			k->has_pd = false;
		if (n > 0)
			k->forwarded += (size_t)n;
	}
	k->forwarded = k->n_chunk = 0;
}

/* False when nothing is there, or what was read waits for its reader. */
static bool read_chunk(struct keeping *k)
{
	ssize_t n;

	forward(k);
	if (k->n_chunk || k->output_fd < 0)
		return false;
	n = read(k->output_fd, k->chunk, sizeof(k->chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		closep(&k->output_fd);
		k->output_fd = -1;
		lines_finish(&k->lines, add_line, k);
		flush_log(k);
		return false;
	}
	lines_add(&k->lines, k->chunk, (size_t)n, add_line, k);
	flush_log(k);
	k->n_chunk = (size_t)n;
	forward(k);
	return true;
}

/* Between what it wrote and what an earlier begin of the service did. */
static void mark_begin(struct keeping *k, const char *how)
{
	char line[RUN_ID_SIZE + 64], id[RUN_ID_SIZE];
	int n = snprintf(line, sizeof(line), "[pd: %s %s]", run_id_format(k->own.number, id), how);

	log_file_add(&k->log, line, (size_t)n);
	flush_log(k);
}

/* --- the command --- */

static void __attribute__((noreturn)) fail_to_start(const char *what, const char *name, int error)
{
	fprintf(stderr, "pd: %s %s: %s\n", what, name, strerror(error));
	fflush(stderr);
	_exit(error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_RUN);
}

static void __attribute__((noreturn)) become_command(const struct keeping *k, int output)
{
	const struct config_start *start = k->plan->start;
	const char *cwd = start->cwd ? start->cwd : ".";
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t none;
	char hash[32];

	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	syscall(SYS_close_range, CONTROL_FD, ~0U, 0);
	sigaction(SIGPIPE, &by_default, NULL);
	sigaction(SIGCHLD, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t i = 0; i < start->n_env; i++)
		putenv(start->env[i]);
	for (size_t i = 0; k->plan->variables[i]; i++)
		putenv(k->plan->variables[i]);
	own_run_set_environment(&k->own);
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)config_start_hash(start));
	setenv(KEEPER_HASH_VARIABLE, hash, 1);
	if (chdir(k->plan->directory))
		fail_to_start("cannot go to", k->plan->directory, errno);
	if (chdir(cwd))
		fail_to_start("cannot go to its cwd", cwd, errno);
	execl("/bin/sh", "sh", "-c", start->cmd, NULL);
	fail_to_start("cannot run", "/bin/sh", errno);
}

/* 0, negative errno. */
static int begin(struct keeping *k)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC))
		return -errno;
	k->command = fork();
	if (k->command == 0)
		become_command(k, pipe_fds[1]);
	close(pipe_fds[1]);
	if (k->command < 0) {
		close(pipe_fds[0]);
		return -errno;
	}
	closep(&k->output_fd);
	k->output_fd = pipe_fds[0];
	fcntl(k->output_fd, F_SETFL, O_NONBLOCK);
	k->alone = false;
	return 0;
}

/* Whoever lost its parent is our child: without one, nobody of the run lives. */
static void reap(struct keeping *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != k->command)
			continue;
		k->command = 0;
		k->status = status;
	}
	k->alone = pid < 0 && errno == ECHILD;
}

/* --- an end --- */

static int look(struct ending *e, void *user_data)
{
	struct keeping *k = user_data;

	read_chunk(k);
	reap(k);
	return k->alone ? 0 : own_run_look(&k->own, e);
}

static void told(const struct ending_process *p, int signal, void *user_data)
{
}

static void end_members(struct keeping *k)
{
	struct ending e = {
		.ask_with = k->plan->start->stop_signal,
		.grace_ms = k->plan->start->stop_timeout_ms,
		.look = look,
		.told = told,
		.user_data = k,
	};

	ending_run(&e);
	ending_deinit(&e);
	reap(k);
}

static void take_signals(struct keeping *k)
{
	struct signalfd_siginfo info;

	while (read(k->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGTERM)
			k->asked_to_end = true;
}

/* Sleeps until something has come; for so long at most, -1 = for ever. */
static void wait_for_something(struct keeping *k, int for_ms)
{
	bool is_full = k->n_chunk != 0;
	struct pollfd fds[] = {
		{ .fd = k->signal_fd, .events = POLLIN },
		{ .fd = is_full ? -1 : k->output_fd, .events = POLLIN },
		{ .fd = is_full ? FORWARD_FD : -1, .events = POLLOUT },
	};

	poll(fds, ARRAY_SIZE(fds), for_ms);
	take_signals(k);
	read_chunk(k);
	reap(k);
}

/* What a service that has ended wrote last. */
static void read_rest(struct keeping *k)
{
	while (read_chunk(k) || (k->n_chunk && !k->asked_to_end))
		if (k->n_chunk)
			wait_for_something(k, -1);
	/* who was told to end waits for nobody who does not read */
	if (k->n_chunk)
		k->has_pd = false;
	while (read_chunk(k))
		;
	lines_finish(&k->lines, add_line, k);
	flush_log(k);
}

/* --- again? --- */

static bool has_failed(const struct keeping *k)
{
	return !WIFEXITED(k->status) || WEXITSTATUS(k->status);
}

/* Does somebody end this run?  Then its command has not failed. */
static bool is_being_ended(const struct keeping *k)
{
	_cleanup_(members_deinit) struct members m = { 0 };

	if (k->asked_to_end)
		return true;
	return members_look(k->own.number, &m) &&
	       strcmp(answer_text(members_run(&m, k->own.number), "state"), "ending") == 0;
}

/* Restarts of more than a minute ago are forgotten.  The pause before the next; -1 = no more. */
static int64_t next_pause(struct keeping *k)
{
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC);
	size_t kept = 0;

	for (size_t i = 0; i < k->n_restarts; i++)
		if (k->restarts[i] > now_ms - RESTARTS_WITHIN)
			k->restarts[kept++] = k->restarts[i];
	k->n_restarts = kept;
	if (kept == RESTARTS_MAX)
		return -1;
	k->restarts[k->n_restarts++] = now_ms;
	return (int64_t)RESTART_PAUSE_MS << kept;
}

static void pause_for(struct keeping *k, int64_t ms)
{
	int64_t until_ms = clock_ms(CLOCK_MONOTONIC) + ms, left_ms;

	while ((left_ms = until_ms - clock_ms(CLOCK_MONOTONIC)) > 0 && !k->asked_to_end)
		wait_for_something(k, (int)left_ms);
}

/* True when the command was begun again; else *ret_gave_up says whether it failed too often. */
static bool begin_again(struct keeping *k, bool *ret_gave_up)
{
	int64_t pause_ms;

	*ret_gave_up = false;
	if (!k->plan->start->restarts || !has_failed(k) || is_being_ended(k))
		return false;
	pause_ms = next_pause(k);
	*ret_gave_up = pause_ms < 0;
	if (*ret_gave_up)
		return false;
	tell(k, (struct keeper_message){
			.event = KEEPER_RESTARTS, .status = k->status, .pause_ms = pause_ms });
	members_tell(k->own.number, NULL, "starting", false);
	pause_for(k, pause_ms);
	if (is_being_ended(k))
		return false;
	mark_begin(k, "begins again");
	return !begin(k);
}

/* --- its life --- */

/* Until the command has ended, and all that it leaves behind has, or is to stay. */
static void attend(struct keeping *k)
{
	while (k->command && !k->asked_to_end)
		wait_for_something(k, -1);
	if (!k->alone && !k->asked_to_end && !has_failed(k)) {
		tell(k, (struct keeper_message){ .event = KEEPER_DETACHED });
		members_tell(k->own.number, NULL, "detached", false);
		while (!k->alone && !k->asked_to_end)
			wait_for_something(k, -1);
	}
	if (!k->alone)
		end_members(k);
	read_rest(k);
}

static bool is_let_begin(struct keeping *k)
{
	struct pollfd fds[] = { { .fd = CONTROL_FD, .events = POLLIN },
				{ .fd = k->signal_fd, .events = POLLIN } };
	char go;

	while (!fds[0].revents && !k->asked_to_end) {
		poll(fds, ARRAY_SIZE(fds), -1);
		take_signals(k);
	}
	return fds[0].revents && recv(CONTROL_FD, &go, 1, MSG_DONTWAIT) == 1;
}

static int keep(struct keeping *k)
{
	bool gave_up = false;
	int r = log_file_open(&k->log, k->plan->service);

	if (r)
		tell(k, (struct keeper_message){ .event = KEEPER_LOG_LOST, .error = -r });
	if (!is_let_begin(k))
		return 0;
	if (k->log.size)
		mark_begin(k, "begins");
	r = begin(k);
	if (r)
		k->status = EXIT_NOT_RUN << 8;
	else
		do
			attend(k);
		while (begin_again(k, &gave_up));
	tell(k, (struct keeper_message){ .event = KEEPER_ENDED,
					 .status = k->status,
					 .gave_up = gave_up,
					 .on_request = has_failed(k) && is_being_ended(k) });
	/* as pd run does: by it the daemon knows how the run has ended */
	return WIFSIGNALED(k->status) ? EXIT_SIGNALED + WTERMSIG(k->status)
				      : WEXITSTATUS(k->status);
}

/* A session without a terminal, and none of the descriptors of whoever started it. */
static int settle(struct keeping *k, int control, int forward_to)
{
	struct sigaction ignored = { .sa_handler = SIG_IGN };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), high[2];
	sigset_t all;

	setsid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	high[0] = fcntl(control, F_DUPFD_CLOEXEC, OWN_FDS);
	high[1] = fcntl(forward_to, F_DUPFD_CLOEXEC, OWN_FDS);
	if (null < 0 || high[0] < 0 || high[1] < 0)
		return -errno;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup3(high[0], CONTROL_FD, O_CLOEXEC);
	dup3(high[1], FORWARD_FD, O_CLOEXEC);
	syscall(SYS_close_range, OWN_FDS, ~0U, 0);
	fcntl(FORWARD_FD, F_SETFL, O_NONBLOCK);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigaction(SIGPIPE, &ignored, NULL);
	k->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return k->signal_fd < 0 ? -errno : 0;
}

static void __attribute__((noreturn))
become_keeper(const struct keeper_plan *plan, int control, int forward_to)
{
	static struct keeping k;
	char words[OWN_RUN_WORDS_SIZE];
	int r;

	k = (struct keeping){ .plan = plan, .output_fd = -1, .has_pd = true };
	own_run_init(&k.own, plan->service, plan->port, plan->start, plan->directory);
	r = settle(&k, control, forward_to);
	if (r)
		render_note("%s: no process could be started: %s", plan->service, strerror(-r));
	r = r ?: own_run_begin(&k.own, false);
	if (!r && own_run_explain_unrewritten(&k.own, words))
		render_note("%s", words);
	/* the terminal, or whoever reads our words, is not ours from here on */
	dup2(STDIN_FILENO, STDERR_FILENO);
	if (r)
		_exit(1);
	tell(&k, (struct keeper_message){ .event = KEEPER_REGISTERED });
	_exit(keep(&k));
}

/* --- the other side --- */

int keeper_new(const struct keeper_plan *plan, struct keeper *ret)
{
	int control[2], output[2];
	sigset_t all, before;
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control))
		return -errno;
	if (pipe2(output, O_CLOEXEC)) {
		close(control[0]);
		close(control[1]);
		return -errno;
	}
	fflush(NULL);
	/* a Ctrl-C between the fork and its own session is not meant for it */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	ret->pid = fork();
	if (ret->pid == 0)
		become_keeper(plan, control[1], output[1]);
	r = ret->pid < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(control[1]);
	close(output[1]);
	ret->control_fd = control[0];
	ret->output_fd = output[0];
	fcntl(ret->output_fd, F_SETFL, O_NONBLOCK);
	if (r)
		keeper_close(ret);
	return r;
}

void keeper_go(const struct keeper *k)
{
	send(k->control_fd, "", 1, MSG_NOSIGNAL);
}

int keeper_read(const struct keeper *k, struct keeper_message *ret)
{
	ssize_t n = recv(k->control_fd, ret, sizeof(*ret), MSG_DONTWAIT);

	if (n == (ssize_t)sizeof(*ret))
		return 1;
	return n < 0 && errno == EAGAIN ? -EAGAIN : 0;
}

void keeper_close(struct keeper *k)
{
	closep(&k->control_fd);
	closep(&k->output_fd);
	k->control_fd = k->output_fd = -1;
}
