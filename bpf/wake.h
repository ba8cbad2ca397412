/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * When user space is woken to read the records.
 *
 * Waking it costs whoever makes the event two microseconds, in a virtual machine ten, and a daemon
 * that sleeps between two events of one loop is woken for each.  So what can wait does,
 * WAKE_AFTER_NS, and one timer serves all that came meanwhile; when that was a flood, the next
 * batch waits WAKE_IN_FLOOD_NS.  Refusals and the ends of processes cannot wait: who looks at once
 * finds more.
 *
 * The record is submitted first, then the timer is looked at: its callback says "not pending"
 * before it wakes, so a record that saw "pending" is in the ring when the wake-up comes.
 */
#ifndef BPF_WAKE_H
#define BPF_WAKE_H

#include "state.h"

#define WAKE_AFTER_NS	 100000
#define WAKE_IN_FLOOD_NS 1000000 /* half of what the slowest hundredth of events may take */
#define FLOOD_BYTES	 2048	 /* of one batch: some 16 sockets' events */
#define CLOCK_MONOTONIC	 1

struct alarm {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct alarm);
} alarms SEC(".maps");

#ifdef HELPERS_OF_5_10
#define KEPT __attribute__((used))
#else
#define KEPT
#endif

/* There in both objects, though only one of them has timers: user space knows one layout. */
static __u32 alarm_is_set KEPT;
static __u64 written_before KEPT; /* the ring's position at the last alarm */
static __u64 wake_after_ns KEPT = WAKE_AFTER_NS;

static __always_inline __u64 ring_bytes_waiting(void)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
}

static __always_inline void submit_at_once(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

/* What follows it in the ring wakes for both. */
static __always_inline void submit_with_next(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

#ifdef HELPERS_OF_5_10 /* there are no timers before 5.15 */

static __always_inline void submit_soon(void *record)
{
	submit_at_once(record);
}

static __always_inline void submit_along(void *record)
{
	submit_at_once(record);
}

#else

/* A record of nothing carries the wake-up. */
static __always_inline void wake_now(void)
{
	void *nothing = bpf_ringbuf_reserve(&ring, sizeof(__u64), 0);

	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

static int on_alarm(void *map, __u32 *key, struct alarm *alarm)
{
	__u64 written = bpf_ringbuf_query(&ring, BPF_RB_PROD_POS);

	wake_after_ns = written - written_before > FLOOD_BYTES ? WAKE_IN_FLOOD_NS : WAKE_AFTER_NS;
	written_before = written;
	__sync_lock_test_and_set(&alarm_is_set, 0);
	wake_now();
	return 0;
}

/* False when this kernel has no timer for us. */
static __always_inline bool set_alarm(void)
{
	__u32 zero = 0;
	struct alarm *alarm = bpf_map_lookup_elem(&alarms, &zero);

	if (!alarm)
		return false;
	/* is set up already but for the first time */
	if (!bpf_timer_init(&alarm->timer, &alarms, CLOCK_MONOTONIC) &&
	    bpf_timer_set_callback(&alarm->timer, on_alarm))
		return false;
	return !bpf_timer_start(&alarm->timer, wake_after_ns, 0);
}

/* For programs that may use timers. */
static __always_inline void submit_soon(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	if (alarm_is_set)
		return;
	if (!__sync_val_compare_and_swap(&alarm_is_set, 0, 1) && !set_alarm()) {
		alarm_is_set = 0;
		wake_now();
	}
}

/* For programs on tracepoints, which may not: rides along when an alarm is set. */
static __always_inline void submit_along(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	if (!__sync_fetch_and_add(&alarm_is_set, 0))
		wake_now();
}

#endif

#endif
