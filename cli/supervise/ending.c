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
	e->list[e->n] = (struct ending_process){ .id = *id, .generation = generation, .pidfd = -1 };
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

static void signal_all(struct ending *e, int number)
{
	if (e->n)
		qsort(e->list, e->n, sizeof(*e->list), by_generation);
	for (size_t i = 0; i < e->n; i++)
		signal_process(e, &e->list[i], number);
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

/* Until one of them has ended, or for so long. */
static void wait_for_one(struct ending *e, int64_t left_ms)
{
	_cleanup_free_ struct pollfd *fds = calloc(e->n + 1, sizeof(*fds));
	nfds_t n = 0;

	for (size_t i = 0; fds && i < e->n; i++)
		if (e->list[i].fate == ENDING_WAITED_FOR)
			fds[n++] = (struct pollfd){ .fd = e->list[i].pidfd, .events = POLLIN };
	poll(fds, n, left_ms < TURN_MS ? (int)(left_ms > 0 ? left_ms : 0) : TURN_MS);
}

/* Signals everybody who is there, and whoever comes, until none is left or the time is over. */
static int end_with(struct ending *e, int number, int64_t for_ms)
{
	int64_t until_ms = clock_ms(CLOCK_MONOTONIC) + for_ms;

	for (;;) {
		int r = e->look(e, e->user_data);

		if (r)
			return r;
		signal_all(e, number);
		if (!count_waited_for(e))
			return 0;
		if (clock_ms(CLOCK_MONOTONIC) >= until_ms)
			return 1;
		wait_for_one(e, until_ms - clock_ms(CLOCK_MONOTONIC));
	}
}

/* Nobody is waited for any more, and a last look finds nobody new. */
static int end_all(struct ending *e, int number, int64_t for_ms)
{
	size_t known;
	int r;

	do {
		r = end_with(e, number, for_ms);
		known = e->n;
		if (!r)
			r = e->look(e, e->user_data);
	} while (!r && e->n > known);
	return r;
}

int ending_run(struct ending *e)
{
	int r = e->kill_at_once ? 1 : end_all(e, SIGTERM, e->grace_ms);

	if (r == 1)
		r = end_all(e, SIGKILL, ENDING_KILLED_MS);
	if (r < 0)
		return r;
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
