/* SPDX-License-Identifier: MIT */
/*
 * One situation in which bind() or listen() is refused (or must not be), played with real processes
 * and real sockets in a network namespace of its own.
 *
 * A case is a `scenario`: what stands on the port, the attempt of a victim, the refusal it gets,
 * and what `pd why` has to say.  main() below plays it, step by step as the runner (run.py) says on
 * stdin, and answers each step with one line of JSON on stdout:
 *
 *   NAME PORT FIRST_UID
 *   (start)  {"event":"ready", "port":…, "netns":PID, "verdict":…, "holders":[PID…], …}
 *            or {"event":"skip","reason":…}
 *   victim   {"event":"outcome","pid":…,"call":"bind","errno":"EADDRINUSE"}: a process bound
 *   remedy   {"event":"remedied"}: what the verdict promises to help has been done
 *   again    {"event":"outcome",…} of a new victim
 *   end      ends every process that it started, and exits
 *
 * With CASE_HASTY in the environment a victim ends as soon as it has its answer, as real ones do.
 * Nothing here asks pd why: whether the kernel really answers as expected is proved by the victim.
 * Only where pd itself is in the way does a case command it, as `pd`, which the runner puts first
 * in PATH.
 */
#ifndef CASES_CASE_H
#define CASES_CASE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASE_PIDS_MAX	 4
#define CASE_DEADLINE_MS 20000 /* for what the kernel does a moment later */

/* What a program asks of a socket. */
struct endpoint {
	int family;	  /* 0 = AF_INET */
	int type;	  /* 0 = SOCK_STREAM */
	int protocol;	  /* as for socket() */
	const char *addr; /* NULL = 0.0.0.0 */
	uint16_t port;	  /* 0 = the case's port */
	bool any_port;	  /* port 0: the kernel chooses */
	bool reuseaddr, reuseport, v6only;
	bool program;	    /* SO_ATTACH_REUSEPORT_CBPF before bind() */
	const char *device; /* SO_BINDTODEVICE */
	uint32_t scope;
	unsigned user; /* 0 = root; 1, 2: ordinary users, see case_uid() */
};

struct actor {
	pid_t pid;
	int to, from;
	int told; /* the last value that it told */
};

/* A case while it is played; actors have a copy, as fork() made it. */
struct scene {
	uint16_t port;
	struct endpoint holder, attempt; /* a remedy may change them */
	pid_t holders[CASE_PIDS_MAX];	 /* must be named */
	pid_t bystanders[CASE_PIDS_MAX]; /* may be named, none else */
	struct actor server, client;	 /* of case_sockets.h */
	struct actor first, second;	 /* of the case's own */
	struct actor victim;
	int fd;		      /* a socket that the victim prepared; -1 */
	bool remedied;	      /* for what a victim prepares */
	bool tried;	      /* there has been a victim */
	bool hasty;	      /* a victim ends as soon as it has its answer */
	int tell_fd, hear_fd; /* an actor's ends */
	char *arguments;      /* of this process, as others see them */
	size_t arguments_size;
};

enum call { CALL_BIND, CALL_LISTEN };

struct outcome {
	enum call call;
	int error;
};

struct scenario {
	const char *verdict; /* of the recorded refusal; NULL: there is none, the port is free */
	const char *live; /* of `pd why PORT`: words separated by |; NULL = verdict, "" = unasked */
	bool live_after;  /* asked after the attempt instead of before */
	int error;	  /* that the victim gets where there is a verdict; 0 = EADDRINUSE */
	enum call call;
	bool maybe_incomplete; /* not all of who is in the way can be named for sure */
	struct endpoint holder, attempt;
	const char *set_up_command; /* comes first */
	void (*set_up)(struct scene *s);
	void (*run_holder)(struct scene *s);	/* in the process on the port, see start_holder() */
	void (*run_server)(struct scene *s);	/* the same with a client, see start_connection() */
	void (*prepare)(struct scene *s);	/* in the victim, before anybody asks */
	void (*arm)(struct scene *s);		/* when the victim is prepared */
	void (*before)(struct scene *s);	/* when the victim is about to try */
	struct outcome (*try)(struct scene *s); /* in the victim; NULL: binds and listens */
	void (*after)(struct scene *s);		/* as soon as the victim has its answer */
	void (*remedy)(struct scene *s);
	const char *remedy_command;
	bool comes_back;	   /* what is stopped: pd's commands are not tried */
	bool in_the_daemons_netns; /* what pd does to ports, it does there alone */
};

extern const struct scenario scenario;

/* --- what must not fail --- */

static inline void __attribute__((noreturn, format(printf, 1, 2))) broken(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	_exit(1);
}

#define need(condition)                                                      \
	do {                                                                 \
		if (!(condition))                                            \
			broken("%s:%d: %s", __FILE__, __LINE__, #condition); \
	} while (0)

/* For the process that sets up, before it says ready. */
static inline void __attribute__((noreturn)) skip(const char *reason)
{
	printf("{\"event\":\"skip\",\"reason\":\"%s\"}\n", reason);
	exit(0);
}

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		broken("%s", path);
	close(fd);
}

static inline void __attribute__((format(printf, 1, 2))) command(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (system(line) != 0) /* NOLINT: the case's own words */
		broken("%s", line);
}

/* What the file of /proc or /sys says, up to `size`. */
static inline void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n <= 0)
		broken("%s", path);
	text[n] = '\0';
	close(fd);
}

/* Polls a condition of another process or of the kernel; there is nothing to wait on. */
static inline void await(bool (*condition)(struct scene *s), struct scene *s)
{
	for (int ms = 0; !condition(s); ms++) {
		if (ms > CASE_DEADLINE_MS)
			broken("not within %d ms", CASE_DEADLINE_MS);
		usleep(1000);
	}
}

/* --- actors: processes that do one step after the other --- */

/* In an actor: hands a value up, and waits for the next step. */
static inline void tell(struct scene *s, int value)
{
	char go;

	if (write(s->tell_fd, &value, sizeof(value)) != sizeof(value) ||
	    read(s->hear_fd, &go, 1) != 1)
		_exit(0);
}

static inline int actor_hear(struct actor *a)
{
	int value;

	if (read(a->from, &value, sizeof(value)) != sizeof(value))
		broken("process %d ended too early", a->pid);
	return a->told = value;
}

static inline void actor_go(struct actor *a)
{
	need(write(a->to, "", 1) == 1);
}

/* Lets it go on to its next tell(), and returns what that says. */
static inline int actor_step(struct actor *a)
{
	actor_go(a);
	return actor_hear(a);
}

/* Two programs that differ in nothing would be taken for one service. */
static inline void set_arguments(struct scene *s, const char *name)
{
	memset(s->arguments, 0, s->arguments_size);
	strncpy(s->arguments, name, s->arguments_size - 1);
	prctl(PR_SET_NAME, name);
}

/* Users that nobody else has, so that "the user's newest refusal" is one of this case. */
static uid_t first_uid;

static inline uid_t case_uid(unsigned user)
{
	return user ? first_uid + user : 0;
}

static inline void become_user(unsigned user)
{
	uid_t uid = case_uid(user);

	if (user)
		need(setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
}

/* Starts `run` in a process of its own, and returns when that has told something. */
static inline struct actor actor_start(struct scene *s, const char *name,
				       void (*run)(struct scene *s))
{
	struct actor a;
	int down[2], up[2];

	need(pipe2(down, O_CLOEXEC) == 0 && pipe2(up, O_CLOEXEC) == 0);
	fflush(stdout);
	a.pid = fork();
	need(a.pid >= 0);
	if (!a.pid) {
		close(down[1]);
		close(up[0]);
		s->tell_fd = up[1];
		s->hear_fd = down[0];
		set_arguments(s, name);
		run(s);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	a.to = down[1];
	a.from = up[0];
	actor_hear(&a);
	return a;
}

static inline void actor_close(struct actor *a)
{
	close(a->to);
	close(a->from);
	*a = (struct actor){ 0 };
}

static inline void actor_signal(struct actor *a, int number)
{
	need(kill(a->pid, number) == 0);
}

static inline void actor_wait(struct actor *a)
{
	need(waitpid(a->pid, NULL, 0) == a->pid);
	actor_close(a);
}

static inline void actor_kill(struct actor *a)
{
	actor_signal(a, SIGKILL);
	actor_wait(a);
}

/* Of a process whose parent has ended: it is a child of this one now. */
static inline void kill_stray(pid_t pid)
{
	kill(pid, SIGKILL);
	need(waitpid(pid, NULL, 0) == pid);
}

/* Everything that has no parent any more has become a child of this process. */
static inline void end_descendants(void)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

		close(fd);
		text[n > 0 ? n : 0] = '\0';
		for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
			kill(atoi(word), SIGKILL);
	} while (wait(NULL) > 0 || errno == EINTR);
}

/* Does this thread of this process sleep in the call of this number? */
static inline bool sleeps_in(pid_t tid, int call)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	read_file(path, text, sizeof(text));
	return text[0] != 'r' && atoi(text) == call; /* r: "running" */
}

/* --- who must be named --- */

static inline void add_pid(pid_t *list, pid_t pid)
{
	for (int i = 0; i < CASE_PIDS_MAX; i++) {
		if (list[i])
			continue;
		list[i] = pid;
		return;
	}
	broken("more than %d processes", CASE_PIDS_MAX);
}

static inline void must_be_named(struct scene *s, pid_t pid)
{
	add_pid(s->holders, pid);
}

static inline void may_be_named(struct scene *s, pid_t pid)
{
	add_pid(s->bystanders, pid);
}

/* Must, where there is a refusal to explain. */
static inline void name_holder(struct scene *s, pid_t pid)
{
	add_pid(scenario.verdict ? s->holders : s->bystanders, pid);
}

/* arm: it is in its own way. */
static inline void name_victim(struct scene *s)
{
	must_be_named(s, s->victim.pid);
}

/* remedy: the next victim does not what its `prepare` did before. */
static inline void change_victim(struct scene *s)
{
	(void)s;
}

#include "case_sockets.h"

/* --- the play --- */

static inline void run_victim(struct scene *s)
{
	struct outcome o;

	become_user(s->attempt.user);
	s->fd = -1;
	if (scenario.prepare)
		scenario.prepare(s);
	tell(s, 0);
	o = scenario.try ? scenario.try(s) : try_endpoint(s);
	if (s->hasty)
		close(s->hear_fd); /* nobody tells it to go on, and it waits for nothing */
	tell(s, (int)o.call << 16 | o.error);
}

static inline void print_pids(const char *name, const pid_t *list)
{
	printf(",\"%s\":[", name);
	for (int i = 0; i < CASE_PIDS_MAX && list[i]; i++)
		printf("%s%d", i ? "," : "", list[i]);
	printf("]");
}

static inline const char *error_name(int error)
{
	return error ? strerrorname_np(error) : "";
}

static inline const char *call_name(enum call call)
{
	return call == CALL_LISTEN ? "listen" : "bind";
}

static inline int expected_error(void)
{
	return scenario.error ?: scenario.verdict ? EADDRINUSE : 0;
}

/* The options of `pd why PORT` that ask what the victim asks. */
static inline void print_flags(const struct endpoint *e)
{
	printf(",\"flags\":[\"--addr\",\"%s\"", endpoint_addr(e));
	if (e->type == SOCK_DGRAM)
		printf(",\"--udp\"");
	printf(",\"%s\"", e->reuseaddr ? "--reuseaddr" : "--no-reuseaddr");
	if (e->reuseport)
		printf(",\"--reuseport\"");
	if (e->v6only)
		printf(",\"--v6only\"");
	if (e->device)
		printf(",\"--dev\",\"%s\"", e->device);
	if (e->user)
		printf(",\"--uid\",\"%u\"", case_uid(e->user));
	printf("]");
}

static inline void print_ready(struct scene *s)
{
	const char *verdict = scenario.verdict;
	int error = expected_error();
	bool complete = error == EADDRINUSE && !scenario.maybe_incomplete;

	printf("{\"event\":\"ready\",\"port\":%u,\"netns\":%d,\"uid\":%u", asked_port(s), getpid(),
	       case_uid(s->attempt.user));
	printf(",\"verdict\":\"%s\",\"live\":\"%s\",\"liveAfter\":%s", verdict ?: "",
	       scenario.live ?: verdict ?: "free", scenario.live_after ? "true" : "false");
	printf(",\"errno\":\"%s\",\"call\":\"%s\"", error_name(error), call_name(scenario.call));
	printf(",\"complete\":%s,\"remedy\":%s", complete ? "true" : "null",
	       scenario.remedy || scenario.remedy_command ? "true" : "false");
	printf(",\"command\":%s", scenario.comes_back ? "false" : "true");
	print_pids("holders", s->holders);
	print_pids("bystanders", s->bystanders);
	print_flags(&s->attempt);
	printf("}\n");
}

static inline void play_victim(struct scene *s)
{
	int told;
	pid_t pid;

	if (scenario.before && !s->tried)
		scenario.before(s);
	told = actor_step(&s->victim);
	if (scenario.after && !s->tried)
		scenario.after(s);
	s->tried = true;
	pid = s->victim.pid;
	if (s->hasty)
		actor_wait(&s->victim);
	printf("{\"event\":\"outcome\",\"pid\":%d,\"call\":\"%s\",\"errno\":\"%s\"}\n", pid,
	       call_name((enum call)(told >> 16)), error_name(told & 0xffff));
}

static inline void play_again(struct scene *s)
{
	if (!s->hasty)
		actor_kill(&s->victim);
	s->victim = actor_start(s, "victim", run_victim);
	play_victim(s);
}

static inline void play_remedy(struct scene *s)
{
	s->remedied = true;
	if (scenario.remedy_command)
		command("%s", scenario.remedy_command);
	if (scenario.remedy)
		scenario.remedy(s);
	printf("{\"event\":\"remedied\"}\n");
}

static const struct {
	const char *word;
	void (*play)(struct scene *s);
} steps[] = {
	{ "victim\n", play_victim },
	{ "remedy\n", play_remedy },
	{ "again\n", play_again },
};

static inline bool play_step(struct scene *s, const char *line)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		if (strcmp(line, steps[i].word) != 0)
			continue;
		steps[i].play(s);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct scene s = { .holder = scenario.holder, .attempt = scenario.attempt, .fd = -1 };
	char line[64];

	if (argc != 3)
		return 2;
	s.port = (uint16_t)atoi(argv[1]);
	first_uid = (uid_t)atoi(argv[2]);
	s.arguments = argv[0];
	s.arguments_size = (size_t)(argv[2] + strlen(argv[2]) + 1 - argv[0]);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	signal(SIGPIPE, SIG_IGN);
	s.hasty = getenv("CASE_HASTY") != NULL;
	need(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	atexit(end_descendants);
	if (geteuid() != 0)
		skip("needs root");
	if (!scenario.in_the_daemons_netns) {
		need(unshare(CLONE_NEWNET) == 0);
		command("ip link set lo up");
	}
	if (scenario.set_up_command)
		command("%s", scenario.set_up_command);
	if (scenario.set_up)
		scenario.set_up(&s);
	if (scenario.run_holder)
		start_holder(&s, scenario.run_holder);
	if (scenario.run_server)
		start_server(&s, scenario.run_server);
	s.victim = actor_start(&s, "victim", run_victim);
	if (scenario.arm)
		scenario.arm(&s);
	print_ready(&s);
	while (fgets(line, sizeof(line), stdin) && play_step(&s, line))
		;
	return 0;
}

#endif
