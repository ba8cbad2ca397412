/* SPDX-License-Identifier: MIT */
#include "cli/supervise/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/render/render.h"

#define EXIT_NOT_RUN   126
#define EXIT_NOT_FOUND 127
#define EXIT_SIGNALED  128

struct running {
	const struct supervision *s;
	pid_t pid;
	sigset_t handled, before; /* taken by sigtimedwait(), and the mask that we were given */
	struct sigaction child_before;
	bool told_to_end;
};

static const int forwarded[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void take_signals(struct running *r)
{
	/* a caller that ignores SIGCHLD would have the kernel reap our child */
	struct sigaction by_default = { .sa_handler = SIG_DFL };

	sigemptyset(&r->handled);
	sigaddset(&r->handled, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&r->handled, forwarded[i]);
	sigprocmask(SIG_BLOCK, &r->handled, &r->before);
	sigaction(SIGCHLD, &by_default, &r->child_before);
}

static void give_signals_back(const struct running *r)
{
	sigaction(SIGCHLD, &r->child_before, NULL);
	sigprocmask(SIG_SETMASK, &r->before, NULL);
}

static void __attribute__((noreturn)) become(const struct running *r, pid_t parent)
{
	int error;

	/* Killed with -9 we cannot end it any more: the kernel does.  It may have happened already.
	 */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_SIGNALED + SIGTERM);
	give_signals_back(r);
	execvp(r->s->argv[0], (char *const *)r->s->argv);
	error = errno;
	render_note("cannot run %s: %s", r->s->argv[0], strerror(error));
	_exit(error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_RUN);
}

/*
 * The kernel itself (si_code > 0) signals for the terminal, and then the whole foreground group; a
 * command that has left our group is not in it.  What the command sent to us it has got from
 * itself.
 */
static void forward(const struct running *r, const siginfo_t *info)
{
	bool from_terminal = info->si_code > 0 && getpgid(r->pid) == getpgrp();

	if (!from_terminal && info->si_pid != r->pid)
		kill(r->pid, info->si_signo);
}

static void tick(struct running *r)
{
	if (r->told_to_end || r->s->tick(r->s->user_data))
		return;
	r->told_to_end = true;
	kill(r->pid, SIGTERM);
}

/* Takes one signal, or none when the next tick is due. */
static void wait_for_signal(const struct running *r, int64_t until_ms)
{
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC);
	int64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
	const struct timespec wait = { left_ms / 1000, left_ms % 1000 * 1000000 };
	siginfo_t info;
	int number = sigtimedwait(&r->handled, &info, r->s->every_ms ? &wait : NULL);

	if (number > 0 && number != SIGCHLD)
		forward(r, &info);
}

static int wait_for_end(struct running *r)
{
	int64_t next_ms = clock_ms(CLOCK_MONOTONIC) + r->s->every_ms;
	int status;

	/* its end may have been noticed together with another signal: asked for in each turn */
	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		wait_for_signal(r, next_ms);
		if (!r->s->every_ms || clock_ms(CLOCK_MONOTONIC) < next_ms)
			continue;
		tick(r);
		next_ms = clock_ms(CLOCK_MONOTONIC) + r->s->every_ms;
	}
	return WIFSIGNALED(status) ? EXIT_SIGNALED + WTERMSIG(status) : WEXITSTATUS(status);
}

int supervise(const struct supervision *s)
{
	struct running r = { .s = s };
	pid_t self = getpid();
	int result;

	fflush(NULL);
	take_signals(&r);
	r.pid = fork();
	if (r.pid == 0)
		become(&r, self);
	result = r.pid < 0 ? -errno : wait_for_end(&r);
	give_signals_back(&r);
	return result;
}
