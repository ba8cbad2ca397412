/* SPDX-License-Identifier: MIT */
#include "cli/supervise/supervise.h"

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
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/render/render.h"

#define EXIT_NOT_RUN   126
#define EXIT_NOT_FOUND 127
#define EXIT_SIGNALED  128

struct running {
	struct supervision *s;
	int signal_fd;
	sigset_t before; /* the mask that we were given */
	struct sigaction child_before;
	bool told_to_end;
};

static const int forwarded[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };

static int take_signals(struct running *r)
{
	/* a caller that ignores SIGCHLD would have the kernel reap our child */
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t handled;

	sigemptyset(&handled);
	sigaddset(&handled, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&handled, forwarded[i]);
	r->signal_fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &handled, &r->before);
	sigaction(SIGCHLD, &by_default, &r->child_before);
	return 0;
}

static void give_signals_back(struct running *r)
{
	sigaction(SIGCHLD, &r->child_before, NULL);
	sigprocmask(SIG_SETMASK, &r->before, NULL);
}

/* Has a directory of $PATH, or the path that it is, a file of that name? */
static bool is_there(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];
	struct stat st;

	if (!path || strchr(name, '/'))
		return true;
	for (;; path++) {
		size_t n = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%s", n ? (int)n : 1, n ? path : ".", name);
		if (n < sizeof(file) && stat(file, &st) == 0 && !S_ISDIR(st.st_mode))
			return true;
		path += n;
		if (!*path)
			return false;
	}
}

/* As a shell says it: that a directory of $PATH may not be looked into is not the command's. */
static int exec_error(const char *name, int error)
{
	return error == EACCES && !is_there(name) ? ENOENT : error;
}

static void __attribute__((noreturn)) become(struct running *r, pid_t parent)
{
	int error;

	/* Killed with -9 we cannot end it any more: the kernel does.  It may have happened already.
	 */
	if (!r->s->outlives_us)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (!r->s->outlives_us && getppid() != parent)
		_exit(EXIT_SIGNALED + SIGTERM);
	give_signals_back(r);
	execvp(r->s->argv[0], (char *const *)r->s->argv);
	error = exec_error(r->s->argv[0], errno);
	render_note("cannot run %s: %s", r->s->argv[0], strerror(error));
	_exit(error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_RUN);
}

/*
 * The kernel itself (ssi_code > 0) signals for the terminal, and then the whole foreground group; a
 * command that has left our group is not in it.  Of a terminal that is gone it tells the leader of
 * the session alone.  What the command sent to us it has got from itself.
 */
static void forward(const struct running *r, const struct signalfd_siginfo *info)
{
	pid_t pid = r->s->pid;
	int number = (int)info->ssi_signo;
	bool for_leader = number == SIGHUP && getsid(0) == getpid();
	bool from_terminal = info->ssi_code > 0 && !for_leader && getpgid(pid) == getpgrp();

	r->s->asked_by |= 1ULL << number;
	if (!from_terminal && (pid_t)info->ssi_pid != pid)
		kill(pid, number);
	if (r->s->asked_to_end && number != SIGUSR1 && number != SIGUSR2 && number != SIGWINCH)
		r->s->asked_to_end(number, r->s->user_data);
}

static void take_signal(const struct running *r)
{
	struct signalfd_siginfo info;

	while (read(r->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			forward(r, &info);
}

/* Are we what a shell with job control has in the foreground of the terminal? */
static bool is_foreground_job(void)
{
	_cleanup_close_ int tty = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return tty >= 0 && tcgetpgrp(tty) == getpgrp() && getsid(0) != getpgrp();
}

/*
 * The terminal's SIGTSTP has stopped us as well; of a stop that concerns the command alone nobody
 * but us would hear.
 */
static void stop_with_it(const struct running *r)
{
	if (getpgid(r->s->pid) != getpgrp() || !is_foreground_job())
		return;
	raise(SIGSTOP);
	kill(r->s->pid, SIGCONT);
}

/* True when the command has ended, with its status. */
static bool reap(const struct running *r, int *ret_status)
{
	int status;
	pid_t pid;

	/* its end may have been noticed together with another signal: asked for in each turn */
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != r->s->pid)
			continue;
		if (!WIFSTOPPED(status)) {
			*ret_status = status;
			return true;
		}
		stop_with_it(r);
	}
	return false;
}

static void tick(struct running *r)
{
	if (r->told_to_end || r->s->tick(r->s->user_data))
		return;
	r->told_to_end = true;
	kill(r->s->pid, SIGTERM);
}

/* Sleeps until a signal, the descriptor, or the next tick. */
static void wait_for_something(struct running *r, int64_t until_ms)
{
	struct supervision *s = r->s;
	struct pollfd fds[] = { { .fd = r->signal_fd, .events = POLLIN },
				{ .fd = s->readable ? s->fd : -1, .events = POLLIN } };
	int64_t left_ms = until_ms - clock_ms(CLOCK_MONOTONIC);

	if (poll(fds, ARRAY_SIZE(fds), s->every_ms ? (int)(left_ms > 0 ? left_ms : 0) : -1) <= 0)
		return;
	if (fds[0].revents)
		take_signal(r);
	if (fds[1].revents)
		s->readable(s->user_data);
}

static int wait_for_end(struct running *r)
{
	int64_t last_ms = clock_ms(CLOCK_MONOTONIC);

	while (!reap(r, &r->s->status)) {
		wait_for_something(r, last_ms + r->s->every_ms);
		if (!r->s->every_ms || clock_ms(CLOCK_MONOTONIC) < last_ms + r->s->every_ms)
			continue;
		tick(r);
		last_ms = clock_ms(CLOCK_MONOTONIC);
	}
	if (WIFSIGNALED(r->s->status))
		return EXIT_SIGNALED + WTERMSIG(r->s->status);
	return WEXITSTATUS(r->s->status);
}

int supervise(struct supervision *s)
{
	struct running r = { .s = s };
	pid_t self = getpid();
	int result = take_signals(&r);

	if (result)
		return result;
	fflush(NULL);
	s->pid = fork();
	if (s->pid == 0)
		become(&r, self);
	result = s->pid < 0 ? -errno : wait_for_end(&r);
	give_signals_back(&r);
	close(r.signal_fd);
	return result;
}

bool supervise_explain_end(const struct supervision *s, char ret[static SUPERVISE_WORDS_SIZE])
{
	int number = WIFSIGNALED(s->status) ? WTERMSIG(s->status) : 0;

	/* a shell says nothing of these two either: they end what a terminal, or a pipe, is for */
	if (!number || number == SIGINT || number == SIGPIPE ||
	    (number < 64 && s->asked_by & 1ULL << number))
		return false;
	snprintf(ret, SUPERVISE_WORDS_SIZE, "%.64s (pid %d): %s%s", text_base_name(s->argv[0]),
		 s->pid, strsignal(number), WCOREDUMP(s->status) ? " (core dumped)" : "");
	return true;
}
