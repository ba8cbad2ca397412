/* SPDX-License-Identifier: MIT */
#include "cli/client/stop_daemon.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/own_pd.h"
#include "base/procfs.h"
#include "base/text.h"
#include "cli/render/render.h"

#define SYSTEM_UNIT  "portdaddyd.service"
#define STOP_WAIT_MS 5000 /* the daemon commits, closes its database and goes: milliseconds */

static enum outcome fail(char *ret_error, enum outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static enum outcome fail(char *ret_error, enum outcome outcome, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error, STOP_DAEMON_ERROR_SIZE, format, args);
	va_end(args);
	return outcome;
}

/* True once the process has ended; false after STOP_WAIT_MS. */
static bool wait_for_end(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, STOP_WAIT_MS) > 0;
}

/* What it has promised is on disk, and the kernel takes its eBPF programs away with it. */
static bool kill_hung(const struct peer *daemon, int pidfd)
{
	render_note("the daemon (pid %d) has neither answered nor ended within %d s: SIGKILL",
		    daemon->pid, STOP_WAIT_MS / 1000);
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	return wait_for_end(pidfd);
}

static enum outcome refuse(const struct peer *daemon, const char *verb, char *ret_error)
{
	const struct passwd *user = getpwuid(daemon->uid);
	char pd[OWN_PD_SIZE], uid[16];

	snprintf(uid, sizeof(uid), "%u", daemon->uid);
	return fail(ret_error, OUTCOME_NOT_ALLOWED,
		    "the daemon (pid %d) belongs to user %.64s: %s daemon %s", daemon->pid,
		    user ? user->pw_name : uid, own_pd_sudo(pd), verb);
}

/*
 * One that systemd runs would be ended behind its back, and the next pd would start another one
 * beside the unit.
 */
static bool is_of_system_unit(pid_t pid)
{
	struct procfs_facts facts;
	struct process_id id;

	return !procfs_identity(pid, &id) && !procfs_facts(&id, false, &facts) &&
	       text_ends_with(facts.cgroup, "/system.slice/" SYSTEM_UNIT);
}

enum outcome stop_daemon(struct peer *daemon, const char *verb, bool hangs,
			 char ret_error[STOP_DAEMON_ERROR_SIZE])
{
	_cleanup_close_ int pidfd = -1;
	bool is_restore = !strcmp(verb, "restore"); /* which systemctl has not */
	const char *why;

	if (daemon->pid == 0)
		return fail(ret_error, OUTCOME_NOT_ALLOWED,
			    "the daemon runs outside of this container; %s it there", verb);
	/* systemd listens in the name of a service that it starts on demand. */
	if (daemon->pid == 1 || is_of_system_unit(daemon->pid))
		return fail(ret_error, OUTCOME_NOT_ALLOWED,
			    "the daemon is the service manager's; try: "
			    "systemctl %s portdaddyd.socket " SYSTEM_UNIT "%s",
			    is_restore ? "stop" : verb,
			    is_restore ? " && sudo pd daemon restore" : "");
	pidfd = peer_open(daemon, &why);
	if (pidfd < 0)
		return fail(ret_error, OUTCOME_FAILED, "nothing was stopped at %s (pid %d): %s",
			    daemon->socket, daemon->pid, why);
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0) {
		if (errno == EPERM)
			return refuse(daemon, verb, ret_error);
		if (errno != ESRCH)
			return fail(ret_error, OUTCOME_FAILED,
				    "the daemon (pid %d) could not be signalled: %s", daemon->pid,
				    strerror(errno));
	}
	if (wait_for_end(pidfd) || (hangs && kill_hung(daemon, pidfd)))
		return OUTCOME_OK;
	return fail(ret_error, OUTCOME_FAILED, "the daemon (pid %d) still runs after %d s%s",
		    daemon->pid, STOP_WAIT_MS / 1000, hangs ? ", and after SIGKILL as well" : "");
}
