/* SPDX-License-Identifier: MIT */
/* By what refused calls are seen: each way forced, and the one that is chosen. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "kernel/refusals.h"

/* A watcher that traces calls in this way; ended by the test. */
static struct watcher *watch_with_bpf_by(enum sentinel_trace trace)
{
	struct watcher *w = watch_by(trace);

	assert_int_equal(sentinel_report(w->sentinel)->mode, SENTINEL_MODE_BPF);
	return w;
}

static enum sentinel_probe_state state_of(const struct watcher *w, const char *name)
{
	return probe(w->sentinel, name)->state;
}

static bool sees_refusals(const struct watcher *w)
{
	return state_of(w, "bind") == SENTINEL_PROBE_WORKS &&
	       state_of(w, "listen") == SENTINEL_PROBE_WORKS;
}

/* The same; skips where it does not work. */
static struct watcher *watch_well_by(enum sentinel_trace trace)
{
	struct watcher *w = watch_with_bpf_by(trace);

	if (sees_refusals(w))
		return w;
	stop(w);
	skip();
	return NULL;
}

/* --- which one --- */

TEST(way_that_is_forced_is_the_one_in_use)
{
	for (int i = SENTINEL_TRACE_FEXIT; i < _SENTINEL_TRACE_MAX; i++) {
		struct watcher *w = watch_with_bpf_by(i);

		assert_int_equal(sentinel_report(w->sentinel)->trace, i);
		assert_null(sentinel_report(w->sentinel)->why_not_fexit);
		/* what went well is seen in any case */
		assert_int_equal(state_of(w, "set_state"), SENTINEL_PROBE_WORKS);
		stop(w);
	}
}

TEST(chosen_is_fexit_where_it_works_and_else_why_it_does_not_is_said)
{
	struct watcher *forced = watch_with_bpf_by(SENTINEL_TRACE_FEXIT), *chosen;
	bool works = sees_refusals(forced);
	const struct sentinel_report *report;

	stop(forced);
	chosen = watch_with_bpf_by(SENTINEL_TRACE_AUTO);
	report = sentinel_report(chosen->sentinel);
	assert_int_equal(report->trace, works ? SENTINEL_TRACE_FEXIT : SENTINEL_TRACE_SYSCALLS);
	if (works)
		assert_null(report->why_not_fexit);
	else
		assert_true(report->why_not_fexit && *report->why_not_fexit);
	stop(chosen);
}

/* --- what they see --- */

static void see_refusal_by(enum sentinel_trace trace)
{
	struct watcher *w = watch_well_by(trace);
	struct child child;
	const struct event *e = refusal_of(w, run_refused, &child);

	assert_int_equal(e->error, EADDRINUSE);
	assert_int_equal(e->call, EVENT_CALL_BIND);
	assert_int_equal(e->port, child.told.port);
	assert_false(e->no_entry);
	assert_listens(e, child.told.cookie);
	/* the success of before is child.told as one, and once */
	assert_int_equal(count_events(w, EVENT_LISTEN, child.pid), 1);
	assert_int_equal(count_events(w, EVENT_FAIL, child.pid), 1);
	stop(w);
}

TEST(refused_bind_is_seen_by_fexit)
{
	see_refusal_by(SENTINEL_TRACE_FEXIT);
}

TEST(refused_bind_is_seen_by_syscalls)
{
	see_refusal_by(SENTINEL_TRACE_SYSCALLS);
}

TEST(hooks_see_what_listens_and_say_that_they_see_no_refusal)
{
	struct watcher *w = watch_with_bpf_by(SENTINEL_TRACE_HOOKS);
	struct child child = start_and_hear_well(run_refused);

	assert_int_equal(state_of(w, "bind"), SENTINEL_PROBE_REFUSED);
	assert_int_equal(await_event(w, EVENT_LISTEN, child.pid)->port, child.told.port);
	end_child(&child);
	assert_int_equal(await_event(w, EVENT_CLOSE, child.pid)->cookie, child.told.cookie);
	assert_int_equal(count_events(w, EVENT_FAIL, child.pid), 0);
	stop(w);
}

/* --- programs of 32 bits --- */

#if defined(__x86_64__)
#define CALL32_BIND 361 /* arch/x86/entry/syscalls/syscall_32.tbl */

static int call32(int number, int first, uint32_t second, int third)
{
	int result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(third)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	return result;
}

#define CALL32_GETPID 20

/* Without CONFIG_IA32_EMULATION, or with ia32_emulation=0, the interrupt ends its caller. */
static bool has_calls_of_32_bits(void)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		struct rlimit no_core = { 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		_exit(call32(CALL32_GETPID, 0, 0, 0) == getpid() ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int run_refused32(struct act *act)
{
	struct told told = { 0 };
	struct sockaddr_in *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	open_listener(0, &told);
	if (a == MAP_FAILED)
		return 1;
	*a = (struct sockaddr_in){ .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(told.port) };
	told.error = refused_with(call32(CALL32_BIND, socket(AF_INET, SOCK_STREAM, 0),
					 (uint32_t)(uintptr_t)a, sizeof(*a)),
				  EADDRINUSE);
	return act_stay(act, &told);
}

TEST(refused_bind_of_a_32_bit_program_is_seen_by_fexit)
{
	struct watcher *w;
	struct child child;
	struct told told;
	const struct event *e;

	if (!has_calls_of_32_bits()) {
		print_message("# skipped: this kernel runs no programs of 32 bits\n");
		skip();
	}
	w = watch_well_by(SENTINEL_TRACE_FEXIT);
	child = start_child(run_refused32);
	told = hear_well(&child);
	e = await_event(w, EVENT_FAIL, child.pid);
	assert_int_equal(e->error, EADDRINUSE);
	assert_int_equal(e->port, told.port);
	assert_listens(e, told.cookie);
	stop(w);
}
#endif

EACH_TEST_MAIN(NULL, end_children)
