/* SPDX-License-Identifier: MIT */
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/procfs.h"
#include "base/user.h"
#include "daemon/notify.h"

#define ELSEWHERE      "choose another place with PORT_DADDY_HOME"
#define LOCK_WAIT_MS   3000 /* the end of a killed daemon takes tens of ms, emulated a second */
#define LOCK_POLL_MS   5
#define LISTEN_BACKLOG 511 /* many short-lived clients at once; the kernel caps it at somaxconn */

/* Writes the sentence, returns the error. */
static int fail(char *ret_error, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(char *ret_error, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error, STATE_ERROR_SIZE, format, args);
	va_end(args);
	return error;
}

/* The file at the path itself, no symbolic link followed: what unlink() would remove. */
/*
 * All zeroes where there is no such file.  Linux tells of a removal (IN_ATTRIB) before the name is
 * gone: whoever looks in between still finds the file, which has no link any more.
 */
static struct state_file look_at(const char *path)
{
	struct stat st;

	if (lstat(path, &st) || !st.st_nlink)
		return (struct state_file){ 0 };
	return (struct state_file){ st.st_dev, st.st_ino };
}

static bool is_still(const char *path, const struct state_file *own)
{
	struct state_file now = look_at(path);

	return own->inode && now.inode == own->inode && now.device == own->device;
}

static int make_system_directory(const char *path, mode_t mode,
				 const struct identity_target *target, char *ret_error)
{
	if (mkdir(path, mode) && errno != EEXIST)
		return fail(ret_error, -errno, "cannot make %s: %m", path);
	if (chown(path, target->uid, target->gid) || chmod(path, mode))
		return fail(ret_error, -errno, "cannot give %s to %s: %m", path, target->name);
	return 0;
}

/* Root makes the service's directories below /var/lib and /run, which only root can write to. */
static int make_system_directories(const struct identity_target *target, const struct state *s,
				   char *ret_error)
{
	char copy[sizeof(s->socket)];
	int r;

	if (!strcmp(s->directory, PATHS_SYSTEM_STATE)) {
		r = make_system_directory(PATHS_SYSTEM_STATE, 0711, target, ret_error);
		if (r)
			return r;
	}
	if (strcmp(s->socket, PATHS_SYSTEM_SOCKET))
		return 0;
	snprintf(copy, sizeof(copy), "%s", s->socket);
	return make_system_directory(dirname(copy), 0755, target, ret_error);
}

int state_find(bool service, const struct identity_target *target, struct state *ret,
	       char ret_error[static STATE_ERROR_SIZE])
{
	int r;

	*ret = (struct state){ .directory_fd = -1,
			       .lock_fd = -1,
			       .listen_fd = -1,
			       .for_everybody = service || target->started_by_root };
	r = paths_state_dir(service, target->uid, ret->directory, sizeof(ret->directory));
	if (r)
		return fail(ret_error, r, "no state directory for %s: %s (set PORT_DADDY_HOME)",
			    target->name, paths_state_dir_strerror(r));
	r = paths_listen_socket(service, ret->directory, ret->socket, sizeof(ret->socket));
	if (r)
		return fail(ret_error, r,
			    "the socket's path below %s is longer than the %zu bytes that the "
			    "kernel allows (set PORT_DADDY_SOCKET)",
			    ret->directory, sizeof(ret->socket) - 1);
	snprintf(ret->database, sizeof(ret->database), "%s/%s", ret->directory,
		 PATHS_DATABASE_NAME);
	snprintf(ret->lock, sizeof(ret->lock), "%s/%s", ret->directory, PATHS_LOCK_NAME);
	if (service && geteuid() == 0)
		return make_system_directories(target, ret, ret_error);
	return 0;
}

static int make_directory(const struct state *s, char *ret_error)
{
	/* Where everybody may connect the way to the socket is open; the database itself stays
	 * the owner's (umask 077). */
	mode_t mode = s->for_everybody ? 0711 : 0700;
	struct stat st;

	if (mkdir(s->directory, mode) && errno != EEXIST)
		return fail(ret_error, -errno,
			    "cannot make the state directory %s: %m (" ELSEWHERE ")", s->directory);
	if (stat(s->directory, &st))
		return fail(ret_error, -errno, "cannot look at %s: %m", s->directory);
	if (!S_ISDIR(st.st_mode))
		return fail(ret_error, -ENOTDIR, "%s is not a directory (" ELSEWHERE ")",
			    s->directory);
	if (st.st_uid == geteuid() && (st.st_mode & mode) != mode &&
	    chmod(s->directory, (st.st_mode & 07777) | mode))
		return fail(ret_error, -errno, "cannot open %s to its socket's users: %m",
			    s->directory);
	return 0;
}

/* The pid in the lock file; 0 when there is none. */
static pid_t read_holder(int fd)
{
	char text[PATHS_LOCK_TEXT_SIZE] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? (pid_t)atoi(text) : 0;
}

static bool is_ending(pid_t pid)
{
	struct process_id id;

	/* a killed daemon's other thread, which syncs, may be the last to go */
	return procfs_identity(pid, &id) < 0 || procfs_main_thread_ends(&id);
}

/*
 * A daemon that was killed keeps its lock for as long as the kernel takes its eBPF programs down:
 * that one is waited for, another is not.  0; -EWOULDBLOCK and *ret_holder; another errno.
 */
static int take_lock(int fd, pid_t *ret_holder)
{
	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB); ms += LOCK_POLL_MS) {
		if (errno != EWOULDBLOCK)
			return -errno;
		*ret_holder = read_holder(fd);
		if (ms >= LOCK_WAIT_MS || !is_ending(*ret_holder))
			return -EWOULDBLOCK;
		poll(NULL, 0, LOCK_POLL_MS);
	}
	return 0;
}

int state_lock(struct state *s, char ret_error[static STATE_ERROR_SIZE])
{
	char who[32] = "";
	_cleanup_close_ int fd = -1;
	pid_t holder = 0;
	struct stat st;
	int r;

	r = make_directory(s, ret_error);
	if (r)
		return r;
	s->directory_fd = open(s->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = open(s->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return fail(ret_error, -errno, "cannot open %s: %m (" ELSEWHERE ")", s->lock);
	r = take_lock(fd, &holder);
	if (holder)
		snprintf(who, sizeof(who), " (pid %d)", holder);
	if (r == -EWOULDBLOCK)
		return fail(ret_error, -EBUSY,
			    "%s is in use by another portdaddyd%s: `pd daemon stop` ends it, "
			    "or " ELSEWHERE,
			    s->directory, who);
	if (r)
		return fail(ret_error, r, "cannot lock %s: %s (" ELSEWHERE ")", s->lock,
			    strerror(-r));
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", getpid()) < 0)
		return fail(ret_error, -errno, "cannot write %s: %m (" ELSEWHERE ")", s->lock);
	if (fstat(fd, &st))
		return fail(ret_error, -errno, "cannot look at %s: %m", s->lock);
	s->own_lock = (struct state_file){ st.st_dev, st.st_ino };
	s->lock_fd = TAKE_FD(fd);
	return 0;
}

/*
 * Removes what a daemon that was killed has left at the socket's path, and nothing else.  Only a
 * refused connection says that nobody has the socket: a server that is too busy (EAGAIN) and one of
 * another kind (EPROTOTYPE) are somebody.
 */
static int clear_socket_path(const struct sockaddr_un *address, char *ret_error)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *path = address->sun_path, *owner;
	struct stat st;
	int r;

	if (fd < 0)
		return fail(ret_error, -errno, "no Unix socket: %m");
	if (lstat(path, &st))
		return errno == ENOENT ? 0 : fail(ret_error, -errno, "cannot look at %s: %m", path);
	if (!S_ISSOCK(st.st_mode))
		return fail(
			ret_error, -EEXIST,
			"%s is not a socket; it stays as it is: move it away, or choose another "
			"place with PORT_DADDY_SOCKET",
			path);
	if (!connect(fd, (const void *)address, sizeof(*address)) || errno != ECONNREFUSED)
		return fail(
			ret_error, -EADDRINUSE,
			"another program has the socket %s: end it (`pd daemon stop` if it is a "
			"daemon), or choose another place with PORT_DADDY_SOCKET",
			path);
	r = unlink(path) && errno != ENOENT ? -errno : 0;
	owner = r ? user_name(st.st_uid) : NULL;
	if (r)
		return fail(ret_error, r,
			    "cannot replace %s, which a daemon of user %s has left: %s (sudo rm %s "
			    "removes it; or choose another place with PORT_DADDY_SOCKET)",
			    path, owner ? owner : "unknown", strerror(-r), path);
	return 0;
}

/*
 * The manager's socket, which it has bound before us and keeps beyond us.  It is listened on once
 * more: whoever connects from now on is told (SO_PEERCRED) that it is us who listen.
 */
static int take_handed(struct state *s, int fd, char *ret_error)
{
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof(address) - 1;

	if (getsockname(fd, (void *)&address, &size) || address.sun_family != AF_UNIX ||
	    listen(fd, LISTEN_BACKLOG) || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return fail(ret_error, -EINVAL,
			    "what the service manager handed over is no stream socket of Unix's");
	s->own_socket = look_at(address.sun_path);
	if (!s->own_socket.inode)
		return fail(ret_error, -ESTALE,
			    "the service manager's socket %s was removed: restart its socket unit",
			    address.sun_path);
	memcpy(s->socket, address.sun_path, sizeof(s->socket));
	s->handed = true;
	s->listen_fd = fd;
	return 0;
}

int state_listen(struct state *s, char ret_error[static STATE_ERROR_SIZE])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	mode_t mode = s->for_everybody ? 0666 : 0600;
	int handed = notify_take_socket();
	int r;

	if (handed >= 0)
		return take_handed(s, handed, ret_error);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->socket);
	r = clear_socket_path(&address, ret_error);
	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(ret_error, -errno, "no Unix socket: %m");
	/* umask 077 is in force: the file is private until chmod opens it */
	if (bind(fd, (void *)&address, sizeof(address)) || chmod(s->socket, mode) ||
	    listen(fd, LISTEN_BACKLOG))
		return fail(ret_error, -errno,
			    "cannot listen on %s: %m (choose another place with PORT_DADDY_SOCKET)",
			    s->socket);
	/* by its path: fstat() of a socket tells of sockfs, not of the file */
	s->own_socket = look_at(s->socket);
	s->listen_fd = TAKE_FD(fd);
	return 0;
}

int state_check(const struct state *s, char ret_error[static STATE_ERROR_SIZE])
{
	if (!is_still(s->lock, &s->own_lock))
		return fail(ret_error, -ESTALE,
			    "%s was removed or replaced: another daemon can take this one's place",
			    s->lock);
	if (!is_still(s->socket, &s->own_socket))
		return fail(ret_error, -ESTALE,
			    "%s was removed or replaced: nobody reaches this daemon any more",
			    s->socket);
	return 0;
}

void state_note_ebpf(const struct state *s)
{
	char text[PATHS_LOCK_TEXT_SIZE];
	int n = snprintf(text, sizeof(text), "%d " PATHS_LOCK_EBPF "\n", getpid());

	if (pwrite(s->lock_fd, text, (size_t)n, 0) < 0)
		log_warning("%s was not written: %s", s->lock, strerror(errno));
}

void state_deinit(struct state *s)
{
	char why[STATE_ERROR_SIZE];

	if (s->lock_fd >= 0 && ftruncate(s->lock_fd, 0))
		log_warning("%s was not emptied: %s", s->lock, strerror(errno));
	/* with the lock still ours nobody else has bound the path since */
	if (s->own_socket.inode && !s->handed && !state_check(s, why))
		unlink(s->socket);
	closep(&s->listen_fd);
	closep(&s->lock_fd);
	closep(&s->directory_fd);
	*s = (struct state){ .directory_fd = -1, .lock_fd = -1, .listen_fd = -1 };
}
