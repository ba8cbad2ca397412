/* SPDX-License-Identifier: MIT */
/*
 * The rung on BPF.  The object is loaded whole; where the kernel refuses that, each probe is tried
 * alone to find out which are refused and why, and the rest is loaded.  Then everything that was
 * attached has to prove itself.  What can be done without listeners' events is nothing: if
 * `set_state` does not work, neither does the rung.  If bound sockets or closes are not seen, the
 * poll rung's reasons for a resync are listened to as well.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "bpf/abi.h"
#include "portdaddy.skel.h"
#include "sentinel/bpf_load.h"
#include "sentinel/decode.h"
#include "sentinel/rung.h"

#define PROGRAMS_MAX   16
#define PROOF_WAIT_MS  500   /* events come within microseconds; a loaded machine gets this long */
#define DISPATCH_MAX   4096  /* events of one turn, so that a flood cannot starve the caller */
#define LOOK_BYTES     32768 /* what the kernel's iterator hands out at once */
#define STOP_CONSUMING (-ECANCELED)

enum probe {
	PROBE_BIND = 0,
	PROBE_LISTEN,
	PROBE_SET_STATE,
	PROBE_POST_BIND,
	PROBE_RELEASE,
	PROBE_PROCESS,
	PROBE_HOLDERS,
	PROBE_LOOK,
	_PROBE_MAX
};
_Static_assert((int)_PROBE_MAX < RUNG_PROBES_MAX, "room for the poll rung's own");

/* The programs of a probe stand and fall together. */
static const struct {
	const char *name, *attached, *blind;
	const char *programs[3];
} probe_rows[] = {
	[PROBE_BIND] = { "bind",
			 "tp/syscalls/sys_{enter,exit}_bind",
			 "refused binds",
			 { "enter_bind", "exit_bind" } },
	[PROBE_LISTEN] = { "listen",
			   "tp/syscalls/sys_{enter,exit}_listen",
			   "refused listens",
			   { "enter_listen", "exit_listen" } },
	[PROBE_SET_STATE] = { "set_state",
			      "tp_btf/inet_sock_set_state",
			      "listeners when they come and go",
			      { "set_state" } },
	[PROBE_POST_BIND] = { "post_bind",
			      "cgroup/post_bind4, post_bind6",
			      "sockets that are bound and do not listen, and UDP, when they come",
			      { "post_bind4", "post_bind6" } },
	[PROBE_RELEASE] = { "release",
			    "cgroup/sock_release",
			    "sockets that are bound and do not listen, and UDP, when they go",
			    { "release" } },
	[PROBE_PROCESS] = { "process",
			    "tp_btf/sched_process_{fork,exec,exit}",
			    "heirs, and ends, of the processes that hold sockets",
			    { "process_fork", "process_exec", "process_exit" } },
	[PROBE_HOLDERS] = { "holders",
			    "iter/task_file",
			    "which processes of other users hold a socket",
			    { "pass" } },
	[PROBE_LOOK] = { "look",
			 "iter/task_file of one process",
			 "which sockets one process holds, without asking all of them",
			 { NULL } },
};
_Static_assert(ARRAY_SIZE(probe_rows) == _PROBE_MAX, "a row for each probe");

struct bpf_rung {
	struct sentinel base;
	struct portdaddy_bpf *skel;
	struct bpf_link *links[PROGRAMS_MAX];
	int n_links;
	struct bpf_link *pass; /* borrowed from links */
	struct ring_buffer *ring;
	struct sentinel *companion; /* the poll rung, where BPF sees too little */
	int epoll_fd;		    /* over both; -1 without a companion */
	uint64_t ticks_per_s;

	/* of the dispatch that runs */
	sentinel_handler handler;
	void *user_data;
	int turn;
	bool port_unknown;
	struct sentinel_counters counters;
	uint64_t lost_before;

	/* of the proof at start */
	unsigned proved; /* bit for each enum probe */
	pid_t proof_child;
};

/* --- counters --- */

static uint64_t lost(const struct bpf_rung *b)
{
	return b->skel->bss->lost_ring + b->skel->bss->lost_map;
}

static struct sentinel_counters bpf_counters(const struct sentinel *s)
{
	const struct bpf_rung *b = (const struct bpf_rung *)s;
	struct sentinel_counters c = b->counters;

	c.lost = lost(b);
	c.failed_reads = b->skel->bss->failed_reads;
	return c;
}

/* --- events --- */

/*
 * A listener that no watched listen() made (io_uring, the kernel) and that was never bound: its
 * port is given to it only after the kernel told us.  The table has to be read.
 */
static bool port_is_unknown(const struct event *e)
{
	return e->kind == EVENT_LISTEN && e->port == 0;
}

static int receive(void *user_data, void *bytes, size_t size)
{
	struct bpf_rung *b = user_data;
	struct event event;

	if (decode_event(bytes, size, b->ticks_per_s, &event) < 0) {
		b->counters.malformed++;
	} else if (port_is_unknown(&event)) {
		b->port_unknown = true;
	} else {
		b->counters.events++;
		b->handler(&event, b->user_data);
	}
	return ++b->turn < DISPATCH_MAX ? 0 : STOP_CONSUMING;
}

static int consume(struct bpf_rung *b, sentinel_handler handler, void *user_data)
{
	int r;

	b->handler = handler;
	b->user_data = user_data;
	b->turn = 0;
	r = ring_buffer__consume(b->ring);
	return r < 0 && r != STOP_CONSUMING ? r : 0;
}

static int dispatch_companion(struct bpf_rung *b, sentinel_handler handler, void *user_data,
			      bool *ret_resync)
{
	*ret_resync = false;
	return b->companion ? sentinel_dispatch(b->companion, handler, user_data, ret_resync) : 0;
}

static int bpf_dispatch(struct sentinel *s, sentinel_handler handler, void *user_data,
			bool *ret_resync)
{
	struct bpf_rung *b = (struct bpf_rung *)s;
	bool resync = false;
	int r;

	b->port_unknown = false;
	r = consume(b, handler, user_data);
	if (r < 0)
		return r;
	r = dispatch_companion(b, handler, user_data, &resync);
	if (r < 0)
		return r;
	*ret_resync = resync || b->port_unknown || lost(b) != b->lost_before;
	b->lost_before = lost(b);
	return 0;
}

static int bpf_fd(const struct sentinel *s)
{
	const struct bpf_rung *b = (const struct bpf_rung *)s;

	return b->companion ? b->epoll_fd : ring_buffer__epoll_fd(b->ring);
}

/* --- holders --- */

static int bpf_open_holder_pass(struct sentinel *s)
{
	struct bpf_rung *b = (struct bpf_rung *)s;
	int fd;

	if (!b->pass)
		return -EOPNOTSUPP;
	fd = bpf_iter_create(bpf_link__fd(b->pass));
	return fd < 0 ? -errno : fd;
}

/* A pass over one process: kernels before 6.1 do not know the parameter. */
static int open_pass_over(struct bpf_rung *b, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = (__u32)pid };
	LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = &info,
		    .iter_info_len = sizeof(info));
	_cleanup_close_ int link = -1;
	int fd;

	if (!b->pass)
		return -EOPNOTSUPP;
	link = bpf_link_create(bpf_program__fd(b->skel->progs.pass), 0, BPF_TRACE_ITER, &options);
	if (link < 0)
		return errno == E2BIG || errno == EINVAL ? -EOPNOTSUPP : -errno;
	fd = bpf_iter_create(link);
	return fd < 0 ? -errno : fd;
}

static void look_at_holder(struct abi_look *look, const char *bytes)
{
	struct abi_holder holder;

	memcpy(&holder, bytes, sizeof(holder));
	look->start_ns = holder.head.start_ns;
	if (look->n_fds == ABI_LOOK_FDS_MAX) {
		look->more = 1;
		return;
	}
	look->fds[look->n_fds].cookie = holder.socket.cookie;
	look->fds[look->n_fds].inode = holder.socket.inode;
	look->fds[look->n_fds].fd = holder.fd;
	look->fds[look->n_fds].file_refs = holder.socket.file_refs;
	look->n_fds++;
}

/* Takes the whole records off the front; returns how many bytes that were, or -EBADMSG. */
static ssize_t look_at_records(struct abi_look *look, const char *bytes, size_t n)
{
	struct abi_head head;
	size_t at = 0;

	while (n - at >= sizeof(head)) {
		memcpy(&head, bytes + at, sizeof(head));
		if (head.kind == ABI_HOLDER && head.size != sizeof(struct abi_holder))
			return -EBADMSG;
		if (head.size < sizeof(head))
			return -EBADMSG;
		if (n - at < head.size)
			break;
		if (head.kind == ABI_HOLDER)
			look_at_holder(look, bytes + at);
		at += head.size;
	}
	return (ssize_t)at;
}

static int look_through(struct abi_look *look, int fd)
{
	char bytes[LOOK_BYTES];
	size_t have = 0;

	while (!look->more) {
		ssize_t n = read(fd, bytes + have, sizeof(bytes) - have), used;

		if (n == 0)
			return have ? -EBADMSG : 0;
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		have += (size_t)n;
		used = look_at_records(look, bytes, have);
		if (used < 0)
			return (int)used;
		have -= (size_t)used;
		memmove(bytes, bytes + used, have);
	}
	return 0;
}

/* A process without sockets leaves no record: is it there at all, and since when? */
static int look_for_start(struct bpf_rung *b, struct abi_look *look)
{
	struct process_id id;
	int r;

	if (look->start_ns)
		return 0;
	r = procfs_identity((pid_t)look->pid, &id);
	if (r < 0)
		return r;
	look->start_ns = id.start_ticks * (1000000000ULL / b->ticks_per_s);
	return 0;
}

static int bpf_look(struct sentinel *s, struct abi_look *look)
{
	struct bpf_rung *b = (struct bpf_rung *)s;
	_cleanup_close_ int fd = -1;
	int r;

	*look = (struct abi_look){ .pid = look->pid };
	if (look->pid == 0) /* the iterator would take it for all processes */
		return look->result = -ESRCH;
	fd = open_pass_over(b, (pid_t)look->pid);
	r = fd < 0 ? fd : look_through(look, fd);
	r = r ?: look_for_start(b, look);
	return look->result = r;
}

/* --- what the kernel side tracks --- */

static int bpf_track_socket(struct sentinel *s, uint64_t cookie)
{
	struct bpf_rung *b = (struct bpf_rung *)s;
	uint8_t yes = 1;

	if (!cookie)
		return -EINVAL;
	return bpf_map_update_elem(bpf_map__fd(b->skel->maps.tracked), &cookie, &yes, BPF_ANY) < 0
		       ? -errno
		       : 0;
}

static int bpf_track_process(struct sentinel *s, const struct process_id *id, bool track)
{
	struct bpf_rung *b = (struct bpf_rung *)s;
	uint64_t start_ns = id->start_ticks * (1000000000ULL / b->ticks_per_s);
	int map = bpf_map__fd(b->skel->maps.holders), r;
	uint32_t pid = (uint32_t)id->pid;

	r = track ? bpf_map_update_elem(map, &pid, &start_ns, BPF_ANY)
		  : bpf_map_delete_elem(map, &pid);
	return r < 0 && (track || errno != ENOENT) ? -errno : 0;
}

/* --- proof --- */

/* Which probe is the only one to send this event; other processes' events prove nothing. */
static void note_proof(const struct event *e, void *user_data)
{
	struct bpf_rung *b = user_data;

	if (e->kind == EVENT_EXIT && e->actor.pid == b->proof_child)
		b->proved |= 1U << PROBE_PROCESS;
	if (e->actor.pid != getpid())
		return;
	if (e->kind == EVENT_FAIL)
		b->proved |= 1U << (e->call == EVENT_CALL_BIND ? PROBE_BIND : PROBE_LISTEN);
	else if (e->kind == EVENT_UNLISTEN)
		b->proved |= 1U << PROBE_SET_STATE;
	else if (e->kind == EVENT_BIND)
		b->proved |= 1U << PROBE_POST_BIND;
	else if (e->kind == EVENT_CLOSE)
		b->proved |= 1U << PROBE_RELEASE;
}

/* A look is a pass over one process: it proves both. */
static void prove_holders(struct bpf_rung *b, uint64_t cookie)
{
	struct abi_look look = { .pid = (uint32_t)getpid() };
	_cleanup_close_ int pass = bpf_open_holder_pass(&b->base);
	char bytes[sizeof(struct abi_process_event)];

	/* some process's record, if only our own */
	if (pass >= 0 && read(pass, bytes, sizeof(bytes)) > 0)
		b->proved |= 1U << PROBE_HOLDERS;
	look.result = bpf_look(&b->base, &look);
	for (uint32_t i = 0; i < look.n_fds; i++)
		if (look.fds[i].cookie == cookie)
			b->proved |= 1U << PROBE_LOOK;
	if (look.result == -EOPNOTSUPP)
		b->base.probes[PROBE_LOOK].state = SENTINEL_PROBE_REFUSED;
}

static unsigned attached_probes(const struct bpf_rung *b)
{
	unsigned mask = 0;

	for (int i = 0; i < _PROBE_MAX; i++)
		if (b->base.probes[i].state != SENTINEL_PROBE_REFUSED)
			mask |= 1U << i;
	return mask;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int await_proofs(struct bpf_rung *b)
{
	int64_t deadline = now_ms() + PROOF_WAIT_MS, left;
	int r;

	b->handler = note_proof;
	b->user_data = b;
	while (attached_probes(b) & ~b->proved) {
		left = deadline - now_ms();
		if (left <= 0)
			break;
		b->turn = 0;
		r = ring_buffer__poll(b->ring, (int)left);
		if (r < 0 && r != -EINTR && r != STOP_CONSUMING)
			return r;
	}
	return 0;
}

static void judge_probes(struct bpf_rung *b)
{
	for (int i = 0; i < _PROBE_MAX; i++) {
		struct sentinel_probe *p = &b->base.probes[i];

		if (p->state == SENTINEL_PROBE_REFUSED)
			continue;
		p->state = b->proved & (1U << i) ? SENTINEL_PROBE_WORKS : SENTINEL_PROBE_SILENT;
		if (p->state == SENTINEL_PROBE_SILENT)
			snprintf(p->reason, sizeof(p->reason),
				 "attached, but its event never came");
	}
}

static int cause_events(struct bpf_rung *b, struct process_id *self)
{
	struct proof proof = PROOF_NONE;
	int r = procfs_identity(getpid(), self);

	/* tracked by hand, so that no probe's proof hangs on another probe */
	r = r ?: bpf_track_process(&b->base, self, true);
	r = r ?: proof_open_sockets(&proof);
	r = r ?: bpf_track_socket(&b->base, proof.cookie);
	if (r == 0)
		prove_holders(b, proof.cookie);
	proof_close_sockets(&proof);
	return r ?: proof_run_child(&b->proof_child);
}

static void ignore_event(const struct event *e, void *user_data)
{
}

/* From here on the daemon's own sockets are nobody's business. */
static int prove(struct bpf_rung *b)
{
	struct process_id self = { 0 };
	int r = cause_events(b, &self);

	r = r ?: await_proofs(b);
	b->skel->bss->ignored_pid = (uint32_t)getpid();
	r = r ?: bpf_track_process(&b->base, &self, false);
	r = r ?: consume(b, ignore_event, NULL);
	judge_probes(b);
	b->counters = (struct sentinel_counters){ 0 };
	b->lost_before = lost(b);
	return r;
}

/* --- loading and attaching --- */

static void describe_probes(struct sentinel_probe *probes)
{
	for (int i = 0; i < _PROBE_MAX; i++)
		probes[i] = (struct sentinel_probe){
			.name = probe_rows[i].name,
			.attached = probe_rows[i].attached,
			.blind = probe_rows[i].blind,
			.state = SENTINEL_PROBE_SILENT, /* until it is refused, or proved */
		};
}

static void refuse(struct sentinel_probe *probe, const char *reason, int error)
{
	probe->state = SENTINEL_PROBE_REFUSED;
	if (!reason || !*reason)
		reason = strerror(-error);
	snprintf(probe->reason, sizeof(probe->reason), "%s", reason);
}

static bool is_wanted(const struct sentinel_probe *probes, int probe, int only)
{
	return probes[probe].state != SENTINEL_PROBE_REFUSED && (only < 0 || only == probe);
}

/* Loads what the probes that are not refused need; `only` >= 0: that probe alone. */
static int load(const struct sentinel_probe *probes, int only, struct portdaddy_bpf **ret)
{
	struct portdaddy_bpf *skel;
	struct bpf_program *program;
	int r;

	bpf_load_reset_message();
	skel = portdaddy_bpf__open();
	if (!skel)
		return -errno;
	skel->rodata->may_probe = bpf_load_probing_is_allowed();
	bpf_object__for_each_program(program, skel->obj) bpf_program__set_autoload(program, false);
	for (int i = 0; i < _PROBE_MAX; i++) {
		for (int k = 0; k < 3 && probe_rows[i].programs[k]; k++) {
			program = bpf_object__find_program_by_name(skel->obj,
								   probe_rows[i].programs[k]);
			bpf_program__set_autoload(program, is_wanted(probes, i, only));
		}
	}
	r = skel->rodata->abi_version == ABI_VERSION ? portdaddy_bpf__load(skel) : -EPROTO;
	if (r < 0) {
		portdaddy_bpf__destroy(skel);
		return r;
	}
	*ret = skel;
	return 0;
}

/* Who may not even create a map need not try program by program.  0, negative errno. */
static int try_to_create_a_map(void)
{
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);

	return fd < 0 ? -errno : 0;
}

static void find_refused_probes(struct sentinel_probe *probes)
{
	for (int i = 0; i < _PROBE_MAX; i++) {
		struct portdaddy_bpf *skel;
		int r = probe_rows[i].programs[0] ? load(probes, i, &skel) : 1;

		if (r == 0)
			portdaddy_bpf__destroy(skel);
		else if (r < 0)
			refuse(&probes[i], bpf_load_message(), r);
	}
}

static int load_what_can_be(struct sentinel_probe *probes, struct portdaddy_bpf **ret)
{
	int r = load(probes, -1, ret);

	if (r == 0)
		return 0;
	r = try_to_create_a_map();
	if (r < 0) {
		for (int i = 0; i < _PROBE_MAX; i++)
			refuse(&probes[i], r == -EPERM ? "no permission to use BPF" : NULL, r);
		return r;
	}
	find_refused_probes(probes);
	return load(probes, -1, ret);
}

static struct bpf_link *attach_program(struct bpf_program *program, int cgroup_fd)
{
	if (bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SOCK)
		return bpf_program__attach_cgroup(program, cgroup_fd);
	return bpf_program__attach(program);
}

static int attach_probe(struct bpf_rung *b, int probe, int cgroup_fd)
{
	for (int k = 0; k < 3 && probe_rows[probe].programs[k]; k++) {
		struct bpf_program *program = bpf_object__find_program_by_name(
			b->skel->obj, probe_rows[probe].programs[k]);
		struct bpf_link *link = attach_program(program, cgroup_fd);

		if (!link)
			return -errno;
		b->links[b->n_links++] = link;
		if (program == b->skel->progs.pass)
			b->pass = link;
	}
	return 0;
}

static void detach_since(struct bpf_rung *b, int n_links)
{
	while (b->n_links > n_links)
		bpf_link__destroy(b->links[--b->n_links]);
}

static void attach(struct bpf_rung *b)
{
	int tracefs = bpf_load_mount_tracefs();
	_cleanup_close_ int cgroup_fd = bpf_load_open_cgroup_root();

	for (int i = 0; i < _PROBE_MAX; i++) {
		struct sentinel_probe *p = &b->base.probes[i];
		int before = b->n_links, r;

		if (p->state == SENTINEL_PROBE_REFUSED)
			continue;
		bpf_load_reset_message();
		r = attach_probe(b, i, cgroup_fd);
		if (r == 0)
			continue;
		detach_since(b, before);
		if (tracefs < 0 && (i == PROBE_BIND || i == PROBE_LISTEN))
			refuse(p, "tracefs is not mounted and may not be mounted", r);
		else if (cgroup_fd < 0 && (i == PROBE_POST_BIND || i == PROBE_RELEASE))
			refuse(p, "no cgroup v2 hierarchy is mounted", r);
		else
			refuse(p, bpf_load_message(), r);
	}
}

/* --- life --- */

static void bpf_free(struct sentinel *s)
{
	struct bpf_rung *b = (struct bpf_rung *)s;

	sentinel_free(b->companion);
	closep(&b->epoll_fd);
	ring_buffer__free(b->ring);
	detach_since(b, 0);
	portdaddy_bpf__destroy(b->skel);
	free(b);
}

static void bpf_freep(struct bpf_rung **b)
{
	if (*b)
		bpf_free(&(*b)->base);
}

static const struct sentinel_ops bpf_ops = {
	.free = bpf_free,
	.fd = bpf_fd,
	.dispatch = bpf_dispatch,
	.counters = bpf_counters,
	.open_holder_pass = bpf_open_holder_pass,
	.look = bpf_look,
	.track_socket = bpf_track_socket,
	.track_process = bpf_track_process,
};

static bool works(const struct bpf_rung *b, enum probe probe)
{
	return b->base.probes[probe].state == SENTINEL_PROBE_WORKS;
}

static int add_companion(struct bpf_rung *b)
{
	struct epoll_event e = { .events = EPOLLIN };
	int r;

	if (works(b, PROBE_POST_BIND) && works(b, PROBE_RELEASE))
		return 0;
	r = sentinel_poll_new(&b->companion);
	if (r < 0)
		return r;
	b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll_fd < 0 ||
	    epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, sentinel_fd(b->companion), &e) < 0 ||
	    epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(b->ring), &e) < 0)
		return -errno;
	return 0;
}

static int start(struct bpf_rung *b, struct rung_attempt *attempt)
{
	int r = load_what_can_be(b->base.probes, &b->skel);

	if (r == 0) {
		attach(b);
		b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.ring), receive, b, NULL);
		r = b->ring ? prove(b) : -errno;
	}
	memcpy(attempt->probes, b->base.probes, sizeof(attempt->probes));
	attempt->n_probes = _PROBE_MAX;
	if (r == 0 && !works(b, PROBE_SET_STATE))
		r = -EOPNOTSUPP;
	if (r < 0) {
		const char *reason = b->base.probes[PROBE_SET_STATE].reason;

		snprintf(attempt->why, sizeof(attempt->why), "%s", *reason ? reason : strerror(-r));
	}
	return r ?: add_companion(b);
}

int sentinel_bpf_new(struct rung_attempt *attempt, struct sentinel **ret)
{
	_cleanup_(bpf_freep) struct bpf_rung *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->base.ops = &bpf_ops;
	b->base.report.mode = SENTINEL_MODE_BPF;
	b->base.report.probes = b->base.probes;
	b->base.report.n_probes = _PROBE_MAX;
	b->epoll_fd = -1;
	b->ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
	describe_probes(b->base.probes);
	bpf_load_capture_messages();
	r = start(b, attempt);
	/* libbpf parsed the kernel's whole BTF: give those megabytes back */
	malloc_trim(0);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(b)->base;
	return 0;
}
