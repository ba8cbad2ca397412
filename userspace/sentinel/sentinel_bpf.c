/* SPDX-License-Identifier: MIT */
/*
 * The backend on BPF.  What the kernel takes of the two objects is loaded (bpf_objects.h) and
 * attached (attach.h); then each probe has to prove itself.  Without the events of
 * listeners the backend is of no use: it fails where `set_state` does not work.  If bound sockets
 * or closes are not seen, the table is read anew when the poll backend says so, too.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfs.h"
#include "bpf/abi.h"
#include "sentinel/attach.h"
#include "sentinel/backend.h"
#include "sentinel/bpf_load.h"
#include "sentinel/bpf_objects.h"
#include "sentinel/decode.h"
#include "sentinel/file_ref_pass.h"
#include "sentinel/probes.h"
#include "sentinel/questions.h"
#include "sentinel/rules.h"

#define PROOF_TRIES    8   /* while events are lost; two where none is: others may close a socket */
#define PROOF_WAIT_MS  500 /* for an event that is not there at once, in each of them */
#define PROOF_LOOK_MS  5
#define STOP_CONSUMING (-ECANCELED)

/* Then nobody tells the kernel side what is tracked. */
#define NO_ORDERS \
	"before Linux 5.19 bpf() is refused without rights, and no cgroup v2 program takes orders"

struct bpf_backend {
	struct sentinel base;
	struct bpf_objects bpf;
	struct probe_links links;
	struct questions questions;
	struct ring_buffer *ring;
	struct sentinel *companion; /* the poll backend, where BPF sees too little */
	int epoll_fd;		    /* over both; -1 without a companion */
	uint64_t ticks_per_s;

	/* of the dispatch that runs */
	sentinel_handler handler;
	void *user_data;
	uint64_t until_ns;    /* of its slice; UINT64_MAX = no such end */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; likewise */
	bool port_unknown;
	struct sentinel_counters counters;
	uint64_t lost_before;

	/* of the proof at start */
	unsigned proved; /* bit for each enum probe */
	struct proof proof;
	pid_t proof_child;
};

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* --- counters --- */

static uint64_t lost(const struct bpf_backend *b)
{
	return b->bpf.listen->bss->lost_ring + b->bpf.listen->bss->lost_map;
}

static struct sentinel_counters bpf_counters(const struct sentinel *s)
{
	const struct bpf_backend *b = (const struct bpf_backend *)s;
	struct sentinel_counters c = b->counters;

	c.lost = lost(b);
	c.failed_reads = b->bpf.listen->bss->failed_reads;
	c.left_out = b->bpf.listen->bss->refusals_left_out;
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

/* One record that is told, or taken note of. */
static void receive_event(struct bpf_backend *b, const struct event *event)
{
	if (port_is_unknown(event)) {
		b->port_unknown = true;
		return;
	}
	b->counters.events++;
	b->handler(event, b->user_data);
}

static int receive(void *user_data, void *bytes, size_t size)
{
	struct bpf_backend *b = user_data;
	struct event event;

	if (decode_event(bytes, size, b->ticks_per_s, &event) < 0) {
		b->counters.malformed++;
		return 0;
	}
	receive_event(b, &event);
	return event.boot_ns > b->until_ns || now_ns() >= b->deadline_ns ? STOP_CONSUMING : 0;
}

static int consume(struct bpf_backend *b, const struct sentinel_slice *slice,
		   sentinel_handler handler, void *user_data)
{
	int r;

	b->handler = handler;
	b->user_data = user_data;
	b->until_ns = slice->until_ns ? slice->until_ns : UINT64_MAX;
	b->deadline_ns = slice->budget_ns ? now_ns() + slice->budget_ns : UINT64_MAX;
	r = ring_buffer__consume(b->ring);
	return r < 0 && r != STOP_CONSUMING ? r : 0;
}

static int dispatch_companion(struct bpf_backend *b, sentinel_handler handler, void *user_data,
			      bool *ret_resync)
{
	*ret_resync = false;
	return b->companion ? sentinel_dispatch(b->companion, NULL, handler, user_data, ret_resync)
			    : 0;
}

static int bpf_dispatch(struct sentinel *s, const struct sentinel_slice *slice,
			sentinel_handler handler, void *user_data, bool *ret_resync)
{
	struct bpf_backend *b = (struct bpf_backend *)s;
	uint64_t lost_now;
	bool resync = false;
	int r;

	b->port_unknown = false;
	r = consume(b, slice, handler, user_data);
	if (r < 0)
		return r;
	r = dispatch_companion(b, handler, user_data, &resync);
	if (r < 0)
		return r;
	/* read once: what is lost from here on asks for the next resync */
	lost_now = lost(b);
	*ret_resync = resync || b->port_unknown || lost_now != b->lost_before;
	b->lost_before = lost_now;
	return 0;
}

static int bpf_fd(const struct sentinel *s)
{
	const struct bpf_backend *b = (const struct bpf_backend *)s;

	return b->companion ? b->epoll_fd : ring_buffer__epoll_fd(b->ring);
}

/* --- proof --- */

/* A refused bind carries what the programs on the cgroups' bind hooks saw of it. */
static void note_refusal(struct bpf_backend *b, const struct event *e)
{
	if (!proof_is_refusal(&b->proof, e))
		return;
	b->proved |= 1U << (e->call == EVENT_CALL_BIND ? PROBE_BIND : PROBE_LISTEN);
	if (e->stage == EVENT_STAGE_PASSED)
		b->proved |= 1U << PROBE_PRE_BIND;
}

/* Which probe is the only one to send this event; other processes' events prove nothing. */
static void note_proof(const struct event *e, void *user_data)
{
	struct bpf_backend *b = user_data;

	if (e->kind == EVENT_EXIT && e->actor.pid == b->proof_child)
		b->proved |= 1U << PROBE_PROCESS;
	if (e->kind == EVENT_TERM && e->actor.pid == b->proof_child)
		b->proved |= 1U << PROBE_TERM;
	if (e->actor.pid != getpid())
		return;
	if (e->kind == EVENT_FAIL)
		note_refusal(b, e);
	else if (e->kind == EVENT_LISTEN)
		proof_note_listener(&b->proof, e);
	else if (e->kind == EVENT_UNLISTEN)
		b->proved |= 1U << PROBE_SET_STATE;
	else if (e->kind == EVENT_BIND)
		b->proved |= 1U << PROBE_POST_BIND;
	else if (e->kind == EVENT_CLOSE)
		b->proved |= 1U << PROBE_RELEASE;
}

/* Returns what the walk calls the file of the proof's listener; 0 without a walk. */
static uint64_t prove_walk(struct bpf_backend *b, const struct proof *proof)
{
	const struct abi_walk asked = { .protocol = IPPROTO_TCP, .port = proof->port };
	const struct abi_walk_answer *answer;

	if (question_walk(&b->questions, &asked, &answer) < 0 || answer->head.result)
		return 0;
	for (uint32_t i = 0; i < answer->head.n_owners; i++) {
		if (answer->owners[i].cookie != proof->cookie)
			continue;
		b->proved |= 1U << PROBE_WALK;
		return answer->owners[i].file;
	}
	return 0;
}

static void prove_recheck(struct bpf_backend *b, const struct proof *proof)
{
	struct abi_hold hold = { .cookie = proof->cookie,
				 .pid = (uint32_t)getpid(),
				 .fd = (uint32_t)proof->tcp };

	if (question_recheck_descriptors(&b->questions, &hold, 1) == 0 && hold.file_refs)
		b->proved |= 1U << PROBE_RECHECK;
}

/* What the walk does not name cannot be asked for. */
static void prove_file_refs(struct bpf_backend *b, const struct proof *proof, uint64_t file)
{
	for (int i = 0; i < ABI_FILE_REF_PASSES; i++) {
		struct sentinel_probe *probe = &b->base.probes[PROBE_FILE_REFS + i];

		if (probe->state == SENTINEL_PROBE_REFUSED)
			continue;
		if (!file)
			probe_refuse(probe, "there is no walk that names files", -EOPNOTSUPP);
		else if (file_ref_pass_prove(i, b->links.file_refs[i],
					     bpf_map__fd(b->bpf.ask->maps.file_ref_targets), file,
					     proof->tcp))
			b->proved |= 1U << (PROBE_FILE_REFS + i);
	}
}

/* A look is a pass over one process: it proves both. */
static void prove_holders(struct bpf_backend *b, uint64_t cookie)
{
	struct abi_look look = { .pid = (uint32_t)getpid() };
	_cleanup_close_ int pass = question_open_holder_pass(&b->questions);
	char bytes[sizeof(struct abi_process_event)];

	/* some process's record, if only our own */
	if (pass >= 0 && read(pass, bytes, sizeof(bytes)) > 0)
		b->proved |= 1U << PROBE_HOLDERS;
	look.result = question_look(&b->questions, &look);
	for (uint32_t i = 0; i < look.n_fds; i++)
		if (look.fds[i].cookie == cookie)
			b->proved |= 1U << PROBE_LOOK;
	if (look.result == -EOPNOTSUPP)
		b->base.probes[PROBE_LOOK].state = SENTINEL_PROBE_REFUSED;
}

static void prove_rules(struct bpf_backend *b, const struct process_id *self, enum probe which)
{
	struct sentinel_probe *probe = &b->base.probes[which];
	int r;

	if (probe->state == SENTINEL_PROBE_REFUSED || b->proved & 1U << which)
		return;
	r = rules_prove(&b->questions, self, which == PROBE_NAMES);
	if (r)
		probe_refuse(probe, r == -ENOTRECOVERABLE ? "attached, and without effect" : NULL,
			     r);
	else
		b->proved |= 1U << which;
}

static bool all_are_proved(const struct bpf_backend *b)
{
	for (int i = 0; i < _PROBE_MAX; i++)
		if (b->base.probes[i].state != SENTINEL_PROBE_REFUSED && !(b->proved & 1U << i))
			return false;
	return true;
}

/* All that is there by now, however long this process did not have its turn. */
static int read_proofs(struct bpf_backend *b)
{
	const struct sentinel_slice up_to_now = { .until_ns = clock_ns(CLOCK_BOOTTIME) };

	return consume(b, &up_to_now, note_proof, b);
}

/* What was lost does not come any more. */
static int await_proofs(struct bpf_backend *b, uint64_t lost_before)
{
	uint64_t until_ns = now_ns() + PROOF_WAIT_MS * NS_PER_MS;
	int r = read_proofs(b);

	while (!r && !all_are_proved(b) && lost(b) == lost_before && now_ns() < until_ns) {
		poll(NULL, 0, PROOF_LOOK_MS);
		r = read_proofs(b);
	}
	return r;
}

/* A flood of others' events leaves no room in the ring for ours: it is emptied before each few. */
static int cause_events(struct bpf_backend *b, const struct process_id *self)
{
	struct proof *proof = &b->proof;
	int r = read_proofs(b);

	r = r ?: proof_open_sockets(proof);
	r = r ?: question_track_socket(&b->questions, proof->cookie);
	if (r == 0)
		prove_holders(b, proof->cookie);
	if (r == 0)
		prove_recheck(b, proof);
	if (r == 0)
		prove_file_refs(b, proof, prove_walk(b, proof));
	if (r == 0)
		prove_rules(b, self, PROBE_RULES);
	if (r == 0)
		prove_rules(b, self, PROBE_NAMES);
	r = r ?: read_proofs(b);
	proof_close_sockets(proof);
	return r ?: proof_run_child(&b->proof_child);
}

static int prove_all(struct bpf_backend *b, const struct process_id *self)
{
	uint64_t lost_before = 0;
	int r = maps_choose(&b->questions.maps);

	b->base.report.orders = maps_are_ordered(&b->questions.maps);
	if (maps_bpf_is_refused(&b->questions.maps) && !b->base.report.orders)
		return probes_refuse_from(0, b->base.probes, NO_ORDERS, -EOPNOTSUPP);
	probes_refuse_dependents(b->base.probes, r);
	r = 0;
	for (int i = 0; !r && i < PROOF_TRIES && !all_are_proved(b); i++) {
		if (i > 1 && lost(b) == lost_before)
			break; /* it had its event twice */
		lost_before = lost(b);
		r = cause_events(b, self);
		r = r ?: await_proofs(b, lost_before);
	}
	return r;
}

/* From here on the daemon's own sockets are nobody's business. */
static int prove(struct bpf_backend *b)
{
	struct process_id self = { 0 };
	int r = procfs_identity(getpid(), &self);

	/* tracked by hand, so that no probe's proof hangs on another probe */
	r = r ?: question_track_process(&b->questions, &self, true);
	r = r ?: prove_all(b, &self);
	b->bpf.listen->bss->ignored_pid = (uint32_t)getpid();
	b->bpf.listen->bss->binds_are_seen = b->proved & 1U << PROBE_PRE_BIND;
	r = r ?: question_track_process(&b->questions, &self, false);
	r = r ?: read_proofs(b);
	probes_judge(b->base.probes, b->proved, maps_bpf_is_refused(&b->questions.maps));
	b->counters = (struct sentinel_counters){ 0 };
	b->lost_before = lost(b);
	return r;
}

/* --- life --- */

static void bpf_free(struct sentinel *s)
{
	struct bpf_backend *b = (struct bpf_backend *)s;

	sentinel_free(b->companion);
	closep(&b->epoll_fd);
	questions_unmap_answers(&b->questions);
	maps_deinit(&b->questions.maps);
	ring_buffer__free(b->ring);
	probes_detach(&b->links);
	bpf_objects_destroy(&b->bpf);
	free(b);
}

static void bpf_freep(struct bpf_backend **b)
{
	if (*b)
		bpf_free(&(*b)->base);
}

static const struct sentinel_ops bpf_ops = {
	.free = bpf_free,
	.fd = bpf_fd,
	.dispatch = bpf_dispatch,
	.counters = bpf_counters,
};

static bool works(const struct bpf_backend *b, enum probe probe)
{
	return b->base.probes[probe].state == SENTINEL_PROBE_WORKS;
}

static int add_companion(struct bpf_backend *b)
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

static int start(struct bpf_backend *b, enum sentinel_trace trace, struct backend_attempt *attempt)
{
	_cleanup_(tracepoints_close) struct tracepoints tracepoints;
	const char *types_refused = NULL;
	int r;

	tracepoints_start_opening(&tracepoints, trace == SENTINEL_TRACE_SYSCALLS);
	r = bpf_objects_load(trace, b->base.probes, &b->bpf, &types_refused);
	attempt->types_refused = attempt->types_refused ?: types_refused;
	tracepoints_await(&tracepoints);
	r = r ?: questions_map_answers(&b->questions);
	if (r == 0) {
		maps_init(&b->questions.maps, &b->bpf);
		probes_attach(&b->bpf, b->base.probes, &tracepoints, &b->links);
		b->ring = ring_buffer__new(bpf_map__fd(b->bpf.listen->maps.ring), receive, b, NULL);
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
	questions_fill(&b->questions, &b->base.kernel);
	r = r ?: add_companion(b);
	if (r == 0)
		bpf_objects_let_go(&b->bpf);
	return r;
}

int sentinel_bpf_new(enum sentinel_trace trace, struct backend_attempt *attempt,
		     struct sentinel **ret)
{
	_cleanup_(bpf_freep) struct bpf_backend *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->base.ops = &bpf_ops;
	b->base.report.mode = SENTINEL_MODE_BPF;
	b->base.report.trace = trace;
	b->base.report.probes = b->base.probes;
	b->base.report.n_probes = _PROBE_MAX;
	b->epoll_fd = -1;
	b->proof = PROOF_NONE;
	b->ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
	b->questions = (struct questions){ .bpf = &b->bpf,
					   .links = &b->links,
					   .probes = b->base.probes,
					   .ticks_per_s = b->ticks_per_s,
					   .maps.fd = -1 };
	probes_describe(trace, b->base.probes);
	bpf_load_capture_messages();
	r = start(b, trace, attempt);
	/* libbpf parsed the kernel's BTF: give those megabytes back */
	malloc_trim(0);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(b)->base;
	return 0;
}
