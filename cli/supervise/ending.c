/* SPDX-License-Identifier: MIT */
#include "cli/supervise/ending.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfs.h"

/* A member that is being forked while we look is found in the next turn. */
#define TURN_MS	 50
#define LIST_MIN 16
/* The kernel's map of members is read while they fork: who comes may miss one look. */
#define QUIET_LOOKS 2

int ending_add(struct ending *e, const struct process_id *id, const char *comm, int generation)
{
	struct ending_process *grown;

	for (size_t i = 0; i < e->n; i++)
		if (process_id_equal(&e->list[i].id, id))
			return 0;
	if (e->n == 0 || (e->n >= LIST_MIN && (e->n & (e->n - 1)) == 0)) {
		grown = reallocarray(e->list, e->n ? 2 * e->n : LIST_MIN, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		e->list = grown;
	}
	e->list[e->n] = (struct ending_process){ .id = *id,
						 .owner = e->owner,
						 .generation = generation,
						 .pidfd = -1,
						 .asked_with = e->ask_with ? e->ask_with : SIGTERM,
						 .grace_ms = e->grace_ms };
	if (e->grace_ms > e->last_grace_ms)
		e->last_grace_ms = e->grace_ms;
	memcpy(e->list[e->n++].comm, comm, PROCESS_COMM_SIZE);
	return 0;
}

void ending_deinit(struct ending *e)
{
	for (size_t i = 0; i < e->n; i++)
		closep(&e->list[i].pidfd);
	free(e->list);
	e->list = NULL;
	e->n = 0;
}

/* The look comes after the opening: the pid is this process's, and stays so while it is open. */
static bool open_process(struct ending_process *p)
{
	if (p->pidfd < 0)
		p->pidfd = (int)syscall(SYS_pidfd_open, p->id.pid, 0);
	if (p->pidfd >= 0 && procfs_alive(&p->id))
		return true;
	if (p->pidfd < 0 && errno != ESRCH && procfs_alive(&p->id))
		p->fate = ENDING_LEFT;
	else
		p->fate = ENDING_ENDED;
	return false;
}

static void signal_process(struct ending *e, struct ending_process *p, int number)
{
	if (p->fate != ENDING_WAITED_FOR || p->signal == number || !open_process(p))
		return;
	e->told(p, number, e->user_data);
	p->signal = number;
	if (number == SIGKILL)
		p->killed_ms = clock_ms(CLOCK_MONOTONIC);
	if (!syscall(SYS_pidfd_send_signal, p->pidfd, number, NULL, 0)) {
		/* what was stopped would keep the signal until it goes on */
		syscall(SYS_pidfd_send_signal, p->pidfd, SIGCONT, NULL, 0);
		return;
	}
	p->fate = errno == ESRCH ? ENDING_ENDED : errno == EPERM ? ENDING_NOT_ALLOWED : ENDING_LEFT;
	if (p->fate == ENDING_NOT_ALLOWED)
		e->told(p, 0, e->user_data);
}

static int by_generation(const void *a, const void *b)
{
	const struct ending_process *x = a, *y = b;

	if (x->generation != y->generation)
		return x->generation < y->generation ? -1 : 1;
	return (x->id.pid > y->id.pid) - (x->id.pid < y->id.pid);
}

static void signal_all(struct ending *e, int64_t now_ms)
{
	if (e->n)
		qsort(e->list, e->n, sizeof(*e->list), by_generation);
	for (size_t i = 0; i < e->n; i++) {
		struct ending_process *p = &e->list[i];
		bool kills = e->kill_at_once || now_ms >= e->began_ms + p->grace_ms;

		signal_process(e, p, kills || p->signal == SIGKILL ? SIGKILL : p->asked_with);
	}
}

static size_t count_waited_for(struct ending *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++) {
		struct ending_process *p = &e->list[i];

		if (p->fate == ENDING_WAITED_FOR && !procfs_alive(&p->id))
			p->fate = ENDING_ENDED;
		n += p->fate == ENDING_WAITED_FOR;
	}
	return n;
}

/* Until one of them has ended, or somebody else may have come. */
static void wait_for_one(const struct ending *e)
{
	_cleanup_free_ struct pollfd *fds = calloc(e->n + 1, sizeof(*fds));
	nfds_t n = 0;

	for (size_t i = 0; fds && i < e->n; i++)
		if (e->list[i].fate == ENDING_WAITED_FOR)
			fds[n++] = (struct pollfd){ .fd = e->list[i].pidfd, .events = POLLIN };
	poll(fds, n, TURN_MS);
}

/* Somebody starts new ones faster than they end. */
static bool is_out_of_time(const struct ending *e, int64_t now_ms)
{
	return now_ms >= e->began_ms + e->last_grace_ms + 2 * (int64_t)ENDING_KILLED_MS;
}

/* All who are left were killed long ago. */
static bool is_hopeless(const struct ending *e, int64_t now_ms)
{
	for (size_t i = 0; i < e->n; i++) {
		const struct ending_process *p = &e->list[i];

		if (p->fate == ENDING_WAITED_FOR &&
		    (!p->killed_ms || now_ms < p->killed_ms + ENDING_KILLED_MS))
			return false;
	}
	return true;
}

/* Signals everybody who is there, and whoever comes; 0 when nobody is waited for any more and the
 * last looks found nobody new. */
static int end_all(struct ending *e)
{
	size_t known = 0;
	int quiet = 0;

	for (;;) {
		int64_t now_ms;
		int r = e->look(e, e->user_data);

		if (r)
			return r;
		quiet = e->n == known && !count_waited_for(e) ? quiet + 1 : 0;
		if (quiet == QUIET_LOOKS)
			return 0;
		known = e->n;
		now_ms = clock_ms(CLOCK_MONOTONIC);
		signal_all(e, now_ms);
		if (is_out_of_time(e, now_ms))
			return 1;
		if (!count_waited_for(e))
			continue;
		if (is_hopeless(e, now_ms))
			return 1;
		wait_for_one(e);
	}
}

/* Each that was found has ended, and by then has started another one: that lives. */
static void leave_newest(struct ending *e)
{
	struct ending_process *newest = NULL;

	for (size_t i = 0; i < e->n; i++)
		if (!newest || e->list[i].id.start_ticks > newest->id.start_ticks)
			newest = &e->list[i];
	if (newest)
		newest->fate = ENDING_WAITED_FOR;
}

int ending_run(struct ending *e)
{
	int r;

	e->began_ms = clock_ms(CLOCK_MONOTONIC);
	r = end_all(e);
	if (r < 0)
		return r;
	if (r && !count_waited_for(e))
		leave_newest(e);
	e->n_left = 0;
	for (size_t i = 0; i < e->n; i++) {
		struct ending_process *p = &e->list[i];

		if (p->fate == ENDING_WAITED_FOR) {
			p->fate = ENDING_LEFT;
			e->told(p, -1, e->user_data);
		}
		e->n_left += p->fate != ENDING_ENDED;
	}
	return e->n_left ? 1 : 0;
}
