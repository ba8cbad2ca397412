/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rules: what is not only watched.  A member of a run (runs.h) that binds a port which its run has
 * hard-coded is given the run's own port; a member of the same project that connects to that number
 * on a loopback address reaches the sibling, as long as one has it.  A protected port is bound by
 * members of the runs whose port it is and by nobody else.
 *
 * All of that in the daemon's network namespace alone: a port of another one is in nobody's way,
 * and its loopback device leads elsewhere.  User space writes the rules, this side only counts
 * which sockets have a port by them; where no rule is in force a bind or a connect costs one
 * comparison, and the end of a socket a look at its mark.
 */
#ifndef BPF_RULES_H
#define BPF_RULES_H

#include "abi.h"
#include "head.h"
#include "loopback.h"
#include "state.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RUNS_MAX);
	__type(key, __u32); /* a named run */
	__type(value, struct abi_run_rules);
} run_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RUNS_MAX *ABI_HARDCODED_MAX);
	__type(key, struct abi_sibling_key);
	__type(value, struct abi_siblings);
} siblings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROTECTED_MAX);
	__type(key, __u16); /* port */
	__type(value, __u8);
} protected_ports SEC(".maps");

/* By which number a member has asked for the sibling that a socket is connected to, and the port
 * that it was sent to: the socket may be connected elsewhere later. */
struct asked_peer {
	__u16 asked, port;
};

/* Of runs only whose members are to be told so. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct asked_peer);
} asked_peers SEC(".maps");

static __always_inline bool is_tcp(__u32 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
}

static __always_inline struct abi_run_rules *rules_of_run(__u32 run)
{
	return run ? bpf_map_lookup_elem(&run_rules, &run) : NULL;
}

/* What the run has for a port that its program asks for; NULL = it is not hard-coded. */
static __always_inline struct abi_hardcoded *find_asked(struct abi_run_rules *rules, __u16 port)
{
#pragma unroll
	for (int i = 0; i < ABI_HARDCODED_MAX; i++)
		if (i < rules->n && rules->ports[i].asked == port)
			return &rules->ports[i];
	return NULL;
}

/* The same of the port that is bound for it, and the place of that, counted from 1. */
static __always_inline struct abi_hardcoded *find_bound(struct abi_run_rules *rules, __u16 port,
							__u32 *place)
{
#pragma unroll
	for (int i = 0; i < ABI_HARDCODED_MAX; i++) {
		if (i < rules->n && rules->ports[i].port == port) {
			*place = i + 1;
			return &rules->ports[i];
		}
	}
	return NULL;
}

/* NULL for a place that is none. */
static __always_inline struct abi_hardcoded *hardcoded_at(struct abi_run_rules *rules, __u32 place)
{
	__u32 index = place - 1;

	/* the verifier sees the bound of what is used, not of what it was computed from */
	barrier_var(index);
	return index < ABI_HARDCODED_MAX ? &rules->ports[index] : NULL;
}

/* --- bind() --- */

static __always_inline bool may_bind(struct abi_run_rules *rules, __u16 port)
{
	__u32 place;

	if (!bpf_map_lookup_elem(&protected_ports, &port))
		return true;
	return rules && (rules->port == port || find_bound(rules, port, &place));
}

/*
 * The errno is the kernel's own word for a port that another has, for that is what makes a
 * development server try the next one; before 6.1 it is EPERM, which a program of a cgroup cannot
 * change there.
 */
static __always_inline int refuse_bind(struct call *call)
{
	if (may_see_answers)
		bpf_set_retval(-ABI_EADDRINUSE);
	if (call)
		call->stage = ABI_STAGE_PROTECTED;
	return 0;
}

/* What a bind hook answers.  Another program's refusal stands. */
static __always_inline int bind_by_rules(struct bpf_sock_addr *ctx, struct call *call)
{
	struct abi_run_rules *rules = rules_of_run(named_run_of(current_pid()));
	__u16 port = bpf_ntohs(ctx->user_port);
	struct abi_hardcoded *hardcoded;

	if (!port || bpf_get_netns_cookie(ctx) != own_netns)
		return 1;
	if (may_see_answers && bpf_get_retval() < 0)
		return 1;
	hardcoded = rules && is_tcp(ctx->protocol) ? find_asked(rules, port) : NULL;
	if (hardcoded) {
		port = hardcoded->port;
		ctx->user_port = bpf_htons(port);
		if (call)
			call->rule = ABI_RULE_HARDCODED;
	}
	return may_bind(rules, port) ? 1 : refuse_bind(call);
}

static __always_inline bool may_have_bound(struct bpf_sock *ctx)
{
	__u16 port = ctx->src_port;

	return bpf_get_netns_cookie(ctx) != own_netns ||
	       may_bind(rules_of_run(named_run_of(current_pid())), port);
}

/* --- who has it --- */

/*
 * A TCP socket that a member has bound: does it have a port of the run's rules?  Then it counts
 * until it is released, wherever it has gone by then.
 */
static __always_inline void count_bound(void *sk, __u32 run, __u16 port)
{
	struct abi_run_rules *rules = rules_of_run(run);
	struct abi_hardcoded *hardcoded;
	struct mark *mark;
	__u32 place = 0;

	if (!rules)
		return;
	hardcoded = find_bound(rules, port, &place);
	mark = hardcoded ? mark_of(sk) : NULL;
	if (!mark || mark->run)
		return;
	mark->run = run;
	mark->place = place;
	__sync_fetch_and_add(&hardcoded->bound, 1);
}

/* The run for which it counted: of one that its process leaves behind when it ends, nothing else
 * tells that any more.  0 = none. */
static __always_inline __u32 count_released(struct mark *mark)
{
	struct abi_hardcoded *hardcoded;
	struct abi_run_rules *rules;
	__u32 run;

	if (!mark || !mark->run)
		return 0;
	run = mark->run;
	rules = rules_of_run(run);
	hardcoded = rules ? hardcoded_at(rules, mark->place) : NULL;
	mark->run = 0;
	if (hardcoded)
		__sync_fetch_and_add(&hardcoded->bound, -1);
	return run;
}

/* --- connect() --- */

/* The port under which that run has it; 0 = it has not. */
static __always_inline __u16 port_of_run(struct abi_run_rules *rules, __u16 asked)
{
	struct abi_hardcoded *hardcoded = find_asked(rules, asked);

	return hardcoded && hardcoded->bound ? hardcoded->port : 0;
}

/* One's own server first, then that of the sibling that began last. */
static __always_inline __u16 port_of_sibling(struct abi_run_rules *own, __u16 asked)
{
	struct abi_sibling_key key = { .project = own->project, .asked = asked };
	__u16 port = port_of_run(own, asked);
	const struct abi_siblings *all;

	if (port || !own->project)
		return port;
	all = bpf_map_lookup_elem(&siblings, &key);
	for (int i = 0; all && i < ABI_SIBLINGS_MAX && !port; i++) {
		struct abi_run_rules *rules = rules_of_run(all->runs[i]);

		port = rules ? port_of_run(rules, asked) : 0;
	}
	return port;
}

static __always_inline void note_asked_peer(struct bpf_sock_addr *ctx, __u16 asked, __u16 port)
{
	struct bpf_sock *sk = ctx->sk;
	struct asked_peer *peer = NULL;

	if (sk)
		peer = bpf_sk_storage_get(&asked_peers, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (peer)
		*peer = (struct asked_peer){ asked, port };
}

static __always_inline int connect_by_rules(struct bpf_sock_addr *ctx)
{
	struct abi_run_rules *own;
	__u16 asked, port;

	if (!is_tcp(ctx->protocol))
		return 1;
	own = rules_of_run(named_run_of(current_pid()));
	if (!own || bpf_get_netns_cookie(ctx) != own_netns)
		return 1;
	asked = bpf_ntohs(ctx->user_port);
	port = port_of_sibling(own, asked);
	if (!port)
		return 1;
	ctx->user_port = bpf_htons(port);
	if (own->transparent)
		note_asked_peer(ctx, asked, port);
	return 1;
}

/* --- getsockname() and getpeername() of a run that is told what it has asked for --- */

static __always_inline struct abi_run_rules *rules_of_names(struct bpf_sock_addr *ctx)
{
	struct abi_run_rules *rules;

	if (!rules_in_force || !is_tcp(ctx->protocol))
		return NULL;
	rules = rules_of_run(named_run_of(current_pid()));
	return rules && rules->transparent && bpf_get_netns_cookie(ctx) == own_netns ? rules : NULL;
}

/* Of a listener, and of each connection that it has accepted. */
static __always_inline void name_own_port(struct bpf_sock_addr *ctx)
{
	struct abi_run_rules *rules = rules_of_names(ctx);
	struct abi_hardcoded *hardcoded;
	__u32 place;

	hardcoded = rules ? find_bound(rules, bpf_ntohs(ctx->user_port), &place) : NULL;
	if (hardcoded)
		ctx->user_port = bpf_htons(hardcoded->asked);
}

static __always_inline void name_peer_port(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct asked_peer *peer;

	if (!rules_of_names(ctx) || !sk)
		return;
	peer = bpf_sk_storage_get(&asked_peers, sk, NULL, 0);
	if (peer && ctx->user_port == bpf_htons(peer->port))
		ctx->user_port = bpf_htons(peer->asked);
}

#endif
