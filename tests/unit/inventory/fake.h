/* SPDX-License-Identifier: MIT */
/*
 * A kernel source that answers from prepared records, and builders for those records and for
 * events. Its processes have pids above the kernel's largest, so that /proc never knows them.
 */
#ifndef TESTS_UNIT_INVENTORY_FAKE_H
#define TESTS_UNIT_INVENTORY_FAKE_H

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bpf/abi.h"
#include "inventory/inventory.h"

#define FAKE_NETNS    7 /* not the test's own */
#define FAKE_PID      5000000
#define FAKE_FDS_MAX  64
#define FAKE_PIDS_MAX 8
#define FAKE_PASS_MAX 65536

struct fake_fd {
	uint32_t pid;
	uint64_t start_ticks, cookie, inode;
	uint32_t fd, refs;
};

struct fake {
	struct fake_fd fds[FAKE_FDS_MAX]; /* what the kernel would find */
	size_t n_fds;
	uint32_t alive[FAKE_PIDS_MAX]; /* processes that hold nothing */
	size_t n_alive;
	struct process_id ending; /* on its way out */
	uint32_t netns;
	uint16_t port, protocol;
	uint8_t tcp_state;
	unsigned looks, passes, rechecks;
	unsigned tracked_sockets;
	int tracked[FAKE_PIDS_MAX];	  /* by pid - FAKE_PID: track minus untrack calls */
	unsigned exits_asked;		  /* calls of track_exit() */
	int exits_tracked[FAKE_PIDS_MAX]; /* the same of track_exit() */
};

static inline uint64_t fake_ns(uint64_t ticks)
{
	return ticks * (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

static inline struct process_id fake_id(unsigned n)
{
	return (struct process_id){ .pid = (pid_t)(FAKE_PID + n), .start_ticks = 1000 + 10 * n };
}

static inline void fake_hold(struct fake *f, struct process_id id, uint64_t cookie, uint32_t fd,
			     uint32_t refs)
{
	f->fds[f->n_fds++] = (struct fake_fd){
		(uint32_t)id.pid, id.start_ticks, cookie, cookie + 1000, fd, refs
	};
}

static inline int fake_look(void *user_data, struct abi_look *look)
{
	struct fake *f = user_data;
	bool alive = false;

	f->looks++;
	for (size_t i = 0; i < f->n_alive; i++)
		if (f->alive[i] == look->pid) {
			alive = true;
			look->start_ns = fake_ns(fake_id(look->pid - FAKE_PID).start_ticks);
		}
	for (size_t i = 0; i < f->n_fds; i++) {
		const struct fake_fd *fd = &f->fds[i];

		if (fd->pid != look->pid)
			continue;
		alive = true;
		look->start_ns = fake_ns(fd->start_ticks);
		look->fds[look->n_fds].cookie = fd->cookie;
		look->fds[look->n_fds].inode = fd->inode;
		look->fds[look->n_fds].fd = fd->fd;
		look->fds[look->n_fds++].file_refs = fd->refs;
	}
	return alive ? 0 : -ESRCH;
}

static inline int fake_recheck(void *user_data, struct abi_hold *holds, size_t n)
{
	struct fake *f = user_data;

	f->rechecks++;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < f->n_fds; k++) {
			const struct fake_fd *fd = &f->fds[k];

			if (fd->pid != holds[i].pid)
				continue;
			holds[i].start_ns = fake_ns(fd->start_ticks);
			if (fd->fd == holds[i].fd && fd->cookie == holds[i].cookie)
				holds[i].file_refs = fd->refs;
		}
	}
	return 0;
}

static inline struct abi_holder fake_holder(const struct fake *f, const struct fake_fd *fd)
{
	return (struct abi_holder){
		.head = { .kind = ABI_HOLDER,
			  .size = sizeof(struct abi_holder),
			  .pid = fd->pid,
			  .start_ns = fake_ns(fd->start_ticks),
			  .comm = "server" },
		.socket = { .cookie = fd->cookie,
			    .inode = fd->inode,
			    .netns = f->netns ? f->netns : FAKE_NETNS,
			    .protocol = f->protocol ? f->protocol : IPPROTO_TCP,
			    .port = f->port ? f->port : 3000,
			    .family = AF_INET,
			    .tcp_state = f->tcp_state ? f->tcp_state : 10,
			    .file_refs = fd->refs },
		.fd = fd->fd,
	};
}

static inline struct abi_process_event fake_process(const struct fake_fd *fd)
{
	struct abi_process_event p = {
		.head = { .kind = ABI_PROCESS,
			  .size = sizeof(p),
			  .pid = fd->pid,
			  .start_ns = fake_ns(fd->start_ticks),
			  .uid = 1000,
			  .comm = "server" },
		.ppid = 1,
		.sid = 77,
		.exe_len = 15,
		.cwd_len = 9,
	};

	memcpy(p.exe, "server\0bin\0usr", 15);
	memcpy(p.cwd, "app\0home", 9);
	return p;
}

static inline int fake_open_pass(void *user_data)
{
	struct fake *f = user_data;
	int fd = memfd_create("pass", MFD_CLOEXEC);

	f->passes++;
	for (size_t i = 0; i < f->n_fds; i++) {
		struct abi_process_event p = fake_process(&f->fds[i]);
		struct abi_holder h = fake_holder(f, &f->fds[i]);

		if (write(fd, &p, sizeof(p)) < 0 || write(fd, &h, sizeof(h)) < 0)
			return -EIO;
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static inline int fake_track_socket(void *user_data, uint64_t cookie)
{
	((struct fake *)user_data)->tracked_sockets++;
	return 0;
}

static inline int fake_track_process(void *user_data, const struct process_id *id, bool track)
{
	struct fake *f = user_data;

	if (id->pid >= FAKE_PID && id->pid < FAKE_PID + FAKE_PIDS_MAX)
		f->tracked[id->pid - FAKE_PID] += track ? 1 : -1;
	return 0;
}

static inline int fake_track_exit(void *user_data, const struct process_id *id, bool track)
{
	struct fake *f = user_data;

	f->exits_asked++;
	if (id->pid >= FAKE_PID && id->pid < FAKE_PID + FAKE_PIDS_MAX)
		f->exits_tracked[id->pid - FAKE_PID] += track ? 1 : -1;
	return 0;
}

/* Those that hold something or are said to be alive run; all others are gone, but for one. */
static inline enum process_stage fake_stage(void *user_data, const struct process_id *id)
{
	const struct fake *f = user_data;

	if (process_id_equal(id, &f->ending))
		return PROCESS_ENDING;
	for (size_t i = 0; i < f->n_alive; i++)
		if (f->alive[i] == (uint32_t)id->pid)
			return PROCESS_RUNS;
	for (size_t i = 0; i < f->n_fds; i++)
		if (f->fds[i].pid == (uint32_t)id->pid && f->fds[i].start_ticks == id->start_ticks)
			return PROCESS_RUNS;
	return PROCESS_GONE;
}

static inline struct kernel_source fake_source(struct fake *f)
{
	return (struct kernel_source){ .open_holder_pass = fake_open_pass,
				       .look = fake_look,
				       .track_socket = fake_track_socket,
				       .track_process = fake_track_process,
				       .track_exit = fake_track_exit,
				       .stage = fake_stage,
				       .recheck_descriptors = fake_recheck,
				       .user_data = f };
}

/* --- events ---------------------------------------------------------------------------------- */

/* It happens now. */
static inline struct event event_of(enum event_kind kind, unsigned actor)
{
	struct event e = { .kind = kind,
			   .boot_ns = clock_ns(CLOCK_BOOTTIME),
			   .actor = fake_id(actor),
			   .uid = 1000,
			   .comm = "server" };

	return e;
}

/* A socket's inode is its cookie + 1000. */
static inline struct event socket_event(enum event_kind kind, unsigned actor, uint64_t cookie,
					uint16_t port)
{
	struct event e = event_of(kind, actor);

	e.cookie = cookie;
	e.inode = cookie + 1000;
	e.netns = FAKE_NETNS;
	e.protocol = IPPROTO_TCP;
	e.family = AF_INET;
	e.port = port;
	return e;
}

static inline struct event fork_event(unsigned parent, unsigned child)
{
	struct event e = event_of(EVENT_FORK, parent);

	e.child = fake_id(child);
	return e;
}

static inline struct event exit_event(unsigned actor, int code)
{
	struct event e = event_of(EVENT_EXIT, actor);

	e.exit_code = code;
	return e;
}

static inline struct event process_event(unsigned actor, const char *cwd)
{
	struct event e = event_of(EVENT_PROCESS, actor);

	e.process.id = e.actor;
	e.process.uid = 1000;
	e.process.sid = 42;
	e.process.ppid = 4242;
	strcpy(e.process.comm, "server");
	strcpy(e.process.exe, "/usr/bin/server");
	strcpy(e.process.cwd, cwd);
	e.process.n_ancestors = 2;
	e.process.ancestors[0] = (struct process_ancestor){ { 4242, 500 }, "bash" };
	e.process.ancestors[1] = (struct process_ancestor){ { 1, 1 }, "init" };
	return e;
}

#endif
