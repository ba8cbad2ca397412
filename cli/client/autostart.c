/* SPDX-License-Identifier: MIT */
#include "cli/client/autostart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/own_pd.h"
#include "base/paths.h"
#include "base/run.h"
#include "base/text.h"
#include "base/user.h"
#include "cli/client/connection.h"
#include "cli/client/peer.h"

#define SERVICE_USER  "port-daddy" /* made by the package of the service */
#define DAEMON_NAME   "portdaddyd"
#define START_WAIT_MS 5000 /* loading the BPF object takes 40 ms, on an emulated CPU a second */
#define START_POLL_MS 5	   /* how soon after its start the daemon is noticed */
/*
 * When two pd start a daemon each, one of the daemons finds the state held and ends: the other one
 * may not answer yet.  So long is waited for it.
 */
#define START_RIVAL_MS 1500
#define LOG_TAIL_BYTES 2048 /* the last line is looked for in the log's end */

struct start {
	uid_t uid;	  /* whose daemon it is to be */
	bool service;	  /* started with --system */
	const char *user; /* started with --user; NULL = whom it finds by its own rule */
	bool restore;	  /* started with --restore */
	int reasons;	  /* read end of a pipe, where the daemon's log cannot be written */
	pid_t crashed;	  /* with eBPF; 0 = none */
	char state[PATH_MAX];
	char program[PATH_MAX];
	char *error;
	int size;
};

static void start_deinit(struct start *s)
{
	closep(&s->reasons);
}

static enum outcome fail(struct start *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static enum outcome fail(struct start *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->error, (size_t)s->size, format, args);
	va_end(args);
	return OUTCOME_NO_DAEMON;
}

/*
 * Whom the daemon will be, by its own rule: under sudo the invoking user; as plain root the
 * service's user where there is one, and then at the service's place, where clients look for it.
 * One that takes another's place stays that one's user.
 */
static void choose_owner(struct start *s, const struct peer *instead_of)
{
	const struct passwd *pw;

	s->uid = getuid();
	if (instead_of && geteuid() == 0 && instead_of->uid) {
		s->uid = instead_of->uid;
		s->service = !strcmp(instead_of->socket, PATHS_SYSTEM_SOCKET);
		pw = getpwuid(s->uid);
		s->user = pw ? pw->pw_name : NULL;
		return;
	}
	if (geteuid() != 0 || paths_sudo_user(&s->uid))
		return;
	pw = getpwnam(SERVICE_USER);
	if (pw) {
		s->uid = pw->pw_uid;
		s->service = true;
	}
}

/* Next to pd, as `make` builds it; in ../libexec, as `make install` may put it; else in PATH. */
static void find_program(struct start *s)
{
	static const char *const places[] = { "", "/../libexec" };
	char directory[PATH_MAX];

	if (own_directory(directory, sizeof(directory)) == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			int n = snprintf(s->program, sizeof(s->program), "%s%s/%s", directory,
					 places[i], DAEMON_NAME);

			if (n > 0 && (size_t)n < sizeof(s->program) &&
			    access(s->program, X_OK) == 0)
				return;
		}
	}
	strcpy(s->program, DAEMON_NAME);
}

/*
 * Opens the state directory, made with mode 0700 for its user.  The last component is not followed
 * when it is a symbolic link: root would then create files where another user points to.
 */
static int open_state(struct start *s)
{
	bool made = mkdir(s->state, 0700) == 0;
	_cleanup_close_ int fd = -1;

	if (!made && errno != EEXIST)
		return -errno;
	fd = open(s->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (geteuid() ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return -errno;
	if (made && s->uid != geteuid() && fchown(fd, s->uid, (gid_t)-1) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int open_log(struct start *s)
{
	_cleanup_close_ int state = open_state(s);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (state < 0)
		return state;
	fd = openat(state, PATHS_LOG_NAME, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return -EINVAL;
	if (st.st_size == 0 && st.st_uid != s->uid && geteuid() == 0 &&
	    fchown(fd, s->uid, (gid_t)-1) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* The files of another user's daemon that is gone are in the way: whose, and how they become one's
 * own. */
static enum outcome fail_at_log(struct start *s, int error)
{
	char path[PATH_MAX + 32], me[USER_NAME_SIZE], owner[USER_NAME_SIZE];
	const char *name = user_name(s->uid);
	struct stat st;

	snprintf(me, sizeof(me), "%s", name ? name : "");
	snprintf(path, sizeof(path), "%s/%s", s->state, PATHS_LOG_NAME);
	if (stat(path, &st) && stat(s->state, &st))
		st.st_uid = s->uid;
	name = user_name(st.st_uid);
	snprintf(owner, sizeof(owner), "%s", name ? name : "another");
	if ((error == EACCES || error == EPERM) && st.st_uid != s->uid && text_is_shell_word(me) &&
	    text_is_shell_word(s->state))
		return fail(s,
			    "the daemon's log %s cannot be written: %s, it is user %s's (sudo "
			    "chown -R %s %s gives all there to you; or choose another place with "
			    "PORT_DADDY_HOME)",
			    path, strerror(error), owner, me, s->state);
	return fail(s,
		    "the daemon's log %s cannot be written: %s (choose another place with "
		    "PORT_DADDY_HOME)",
		    path, strerror(error));
}

/* The daemon leaves the caller's directory, so relative paths are made absolute first. */
static void make_absolute(const char *name)
{
	const char *value = getenv(name);
	char cwd[PATH_MAX];
	char path[2 * PATH_MAX];

	if (!value || !*value || *value == '/' || !getcwd(cwd, sizeof(cwd)))
		return;
	snprintf(path, sizeof(path), "%s/%s", cwd, value);
	setenv(name, path, 1);
}

/* What a service manager told our caller about itself is not said to the daemon. */
static const char *const not_ours[] = {
	"INVOCATION_ID", "JOURNAL_STREAM",    "LISTEN_FDS",   "LISTEN_FDNAMES", "LISTEN_PID",
	"NOTIFY_SOCKET", "RUNTIME_DIRECTORY", "WATCHDOG_PID", "WATCHDOG_USEC",	RUN_VARIABLE,
};

/* In the grandchild: becomes the daemon. */
static void __attribute__((noreturn)) become_daemon(const struct start *s, int log, int reasons)
{
	const char *argv[6] = { DAEMON_NAME };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), n = 1;
	sigset_t none;

	make_absolute("PORT_DADDY_HOME");
	make_absolute("PORT_DADDY_SOCKET");
	/* stderr last: what goes wrong before it is said where the caller looks. */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(reasons, STDOUT_FILENO) < 0 ||
	    dup2(log, STDERR_FILENO) < 0 || chdir("/") < 0) {
		dprintf(STDERR_FILENO, "cannot prepare the daemon: %s\n", strerror(errno));
		_exit(126);
	}
	/* descriptors of the caller, a lock's or a pipe's end, must not live as long as a daemon */
	closefrom(STDERR_FILENO + 1);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	/* pd with-lock keeps signals blocked, and a daemon of that kind could not be stopped */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(not_ours); i++)
		unsetenv(not_ours[i]);
	if (s->user)
		argv[n++] = "--user", argv[n++] = s->user;
	if (s->service)
		argv[n++] = "--system";
	if (s->restore)
		argv[n++] = "--restore";
	execvp(s->program, (char *const *)argv);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", s->program, strerror(errno));
	_exit(127);
}

/* In the child: a new session, and a second fork, so that the daemon is nobody's child. */
static void __attribute__((noreturn))
detach(const struct start *s, int log, int reasons, int pid_pipe)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (pid == 0)
		become_daemon(s, log, reasons);
	_exit(pid > 0 && write(pid_pipe, &pid, sizeof(pid)) == (ssize_t)sizeof(pid) ? 0 : 1);
}

/* The daemon's pid, or a negative errno. */
static pid_t spawn(struct start *s, int log)
{
	_cleanup_close_ int from_child = -1;
	_cleanup_close_ int to_parent = -1;
	_cleanup_close_ int reasons = -1;
	int ends[2];
	pid_t child, pid = -1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	from_child = ends[0];
	to_parent = ends[1];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	s->reasons = ends[0];
	reasons = ends[1];
	fflush(NULL);
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		detach(s, log, reasons, to_parent);
	closep(&to_parent);
	to_parent = -1;
	if (read(from_child, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		pid = -EAGAIN;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return pid;
}

/* A daemon with eBPF that had no time to say farewell has left that in its lock file. */
static void find_crashed(struct start *s)
{
	char path[PATH_MAX + 32], text[PATHS_LOCK_TEXT_SIZE] = "", kernel[8];
	_cleanup_close_ int fd = -1;
	int pid;

	snprintf(path, sizeof(path), "%s/%s", s->state, PATHS_LOCK_NAME);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && pread(fd, text, sizeof(text) - 1, 0) > 0 &&
	    sscanf(text, "%d %7s", &pid, kernel) == 2 && !strcmp(kernel, PATHS_LOCK_EBPF))
		s->crashed = pid;
}

static bool answers(void)
{
	_cleanup_(connection_close) struct connection c = { .fd = -1 };

	return connection_open_any(&c, NULL, 0) == 0;
}

/* Whether the state's daemon answers at its usual place, and not where $PORT_DADDY_SOCKET says. */
static bool lives_elsewhere(const struct start *s, char ret_socket[static 108])
{
	_cleanup_(connection_close) struct connection c = { .fd = -1 };
	const char *given = getenv("PORT_DADDY_SOCKET");
	const char *usual = s->service ? PATHS_SYSTEM_SOCKET : NULL;
	int n = snprintf(ret_socket, 108, usual ? "%s" : "%s/" PATHS_SOCKET_NAME,
			 usual ? usual : s->state);

	return given && *given && n < 108 && strcmp(given, ret_socket) != 0 &&
	       connection_open(&c, ret_socket) == 0;
}

/* Waits a moment; true when the process is gone.  pidfd is -1 where the kernel has none. */
static bool ended_meanwhile(int pidfd, pid_t pid)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	/* poll() skips a descriptor of -1 and just sleeps. */
	if (poll(&p, 1, START_POLL_MS) > 0)
		return true;
	return pidfd < 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

/*
 * True once a daemon answers, ours or a rival's; false when ours died and no other came, or after
 * START_WAIT_MS.  *ret_died tells whether ours died.
 */
static bool wait_until_it_answers(pid_t pid, bool *ret_died)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool gone = pidfd < 0 && errno == ESRCH;
	int64_t deadline = clock_ms(CLOCK_MONOTONIC) + START_WAIT_MS;

	*ret_died = false;
	while (clock_ms(CLOCK_MONOTONIC) < deadline) {
		if (answers())
			return true;
		if (*ret_died) {
			poll(NULL, 0, START_POLL_MS);
			continue;
		}
		if (gone || ended_meanwhile(pidfd, pid)) {
			*ret_died = true;
			deadline = clock_ms(CLOCK_MONOTONIC) + START_RIVAL_MS;
		}
	}
	return false;
}

/* The last line of what the daemon wrote, without its time and level. */
static void take_last_line(char *tail, ssize_t n, char *ret, size_t size)
{
	static const char level[] = "error: ";
	char *newline, *words;

	while (n > 0 && tail[n - 1] == '\n')
		n--;
	tail[n] = '\0';
	newline = strrchr(tail, '\n');
	newline = newline ? newline + 1 : tail;
	words = strstr(newline, level);
	snprintf(ret, size, "%s", words ? words + strlen(level) : newline);
}

/* It is in the log, behind `from`; or where that could not be written, on a full disk, in a pipe.
 */
static void last_line(const struct start *s, int log, off_t from, char *ret, size_t size)
{
	char tail[LOG_TAIL_BYTES + 1];
	off_t end = lseek(log, 0, SEEK_END);
	/* the daemon cuts a log that is full: what it wrote may lie before `from` */
	off_t start = end < from ? 0 : from;
	ssize_t n;

	if (end - start > LOG_TAIL_BYTES)
		start = end - LOG_TAIL_BYTES;
	ret[0] = '\0';
	n = read(s->reasons, tail, LOG_TAIL_BYTES);
	if (n <= 0)
		n = pread(log, tail, LOG_TAIL_BYTES, start);
	if (n > 0)
		take_last_line(tail, n, ret, size);
}

static enum outcome explain_failure(struct start *s, int log, off_t log_from, bool died)
{
	char line[LOG_TAIL_BYTES];

	last_line(s, log, log_from, line, sizeof(line));
	if (died && *line)
		return fail(s, "the daemon could not start: %s", line);
	if (died)
		return fail(s,
			    "the daemon ended at once and said nothing in %s/%s: run %s in a "
			    "terminal to see why",
			    s->state, PATHS_LOG_NAME, s->program);
	return fail(s, "the daemon does not answer within %d s (see %s/%s)", START_WAIT_MS / 1000,
		    s->state, PATHS_LOG_NAME);
}

enum outcome autostart(const struct autostart_request *request, struct autostarted *ret,
		       char *ret_error, int size)
{
	_cleanup_(start_deinit) struct start s = {
		.error = ret_error, .size = size, .restore = request->restore, .reasons = -1
	};
	_cleanup_close_ int log = -1;
	char elsewhere[108];
	bool died = false;
	off_t log_from;
	pid_t pid;
	int r;

	choose_owner(&s, request->instead_of);
	r = paths_state_dir(s.service, s.uid, s.state, sizeof(s.state));
	if (r < 0)
		return fail(&s,
			    "there is no place for the daemon's files: %s (set PORT_DADDY_HOME)",
			    paths_state_dir_strerror(r));
	if (lives_elsewhere(&s, elsewhere))
		return fail(&s,
			    "nothing listens on %.107s, which PORT_DADDY_SOCKET names; the daemon "
			    "of %s listens on %s: unset PORT_DADDY_SOCKET",
			    getenv("PORT_DADDY_SOCKET"), s.state, elsewhere);
	log = open_log(&s);
	if (log < 0)
		return fail_at_log(&s, -log);
	find_program(&s);
	find_crashed(&s);
	log_from = lseek(log, 0, SEEK_END);
	pid = spawn(&s, log);
	if (pid < 0)
		return fail(&s, "cannot start %s: %s", s.program, strerror(-pid));
	if (!wait_until_it_answers(pid, &died))
		return explain_failure(&s, log, log_from, died);
	/* when ours died, another pd's daemon has come first, and that pd tells of it */
	ret->pid = died ? 0 : pid;
	ret->crashed = s.crashed;
	snprintf(ret->log, sizeof(ret->log), "%s/%s", s.state, PATHS_LOG_NAME);
	return OUTCOME_OK;
}
