/* SPDX-License-Identifier: MIT */
#include "sentinel/decode.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "bpf/abi.h"

#define ERRNO_MAX 4095 /* MAX_ERRNO of the kernel */

_Static_assert((int)EVENT_STAGE_ENTERED == ABI_STAGE_ENTERED &&
		       (int)EVENT_STAGE_DENIED == ABI_STAGE_DENIED &&
		       (int)EVENT_STAGE_PASSED == ABI_STAGE_PASSED &&
		       (int)EVENT_STAGE_BOUND == ABI_STAGE_BOUND &&
		       (int)EVENT_STAGE_PROTECTED == ABI_STAGE_PROTECTED &&
		       (int)_EVENT_STAGE_MAX == ABI_STAGE_PROTECTED + 1,
	       "stages");
_Static_assert(EVENT_OWNERS_MAX == ABI_FAILURE_OWNERS, "owners");

static void decode_head(const struct abi_head *head, uint64_t ticks_per_s, struct event *to)
{
	to->boot_ns = head->boot_ns;
	to->actor = process_id_decode(head->pid, head->start_ns, ticks_per_s);
	to->uid = head->uid;
	to->named_run = head->run;
	to->cgroup_id = head->cgroup_id;
	process_comm_decode(head->comm, to->comm);
}

static bool protocol_is_ours(uint16_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
	       protocol == NET_PROTOCOL_MPTCP;
}

static bool family_is_ours(uint8_t family)
{
	return family == AF_INET || family == AF_INET6;
}

static int decode_socket(const struct abi_socket *from, struct event *to)
{
	if (!family_is_ours(from->family) || !protocol_is_ours(from->protocol))
		return -EBADMSG;
	to->cookie = from->cookie;
	to->inode = from->inode;
	to->netns = from->netns;
	to->protocol = from->protocol;
	to->family = from->family;
	to->port = from->port;
	memcpy(to->addr.bytes, from->addr, from->family == AF_INET ? 4 : 16);
	return 0;
}

static int decode_socket_event(const void *bytes, uint64_t ticks_per_s, struct event *to)
{
	struct abi_socket_event record;

	memcpy(&record, bytes, sizeof(record));
	decode_head(&record.head, ticks_per_s, to);
	return decode_socket(&record.socket, to);
}

/* The kernel side reads without a lock: an owner that was freed meanwhile is nobody. */
static void decode_owners(const struct abi_failure *record, struct event *to)
{
	for (int i = 0; i < record->n_owners; i++)
		if (family_is_ours(record->owners[i].family))
			bind_owner_decode(&record->owners[i], &to->owners[to->n_owners++]);
	to->more_owners = record->more;
}

/* A refused bind() is about what was asked, unless a rule of our own has given the run's port for
 * that; the record's socket has what became of it. */
static int decode_asked(const struct abi_failure *record, struct event *to)
{
	to->given_addr = to->addr;
	to->given_port = to->port;
	if (record->call != ABI_CALL_BIND)
		return 0;
	if (record->asked_family != to->family)
		return -EBADMSG;
	if (record->rule == ABI_RULE_HARDCODED)
		to->asked_port = record->asked_port;
	else
		to->port = record->asked_port;
	memcpy(to->addr.bytes, record->asked_addr, to->family == AF_INET ? 4 : 16);
	return 0;
}

static struct process_rights decode_rights(uint32_t rights)
{
	return (struct process_rights){
		.known = rights & ABI_RIGHTS_KNOWN,
		.may_bind_low = rights & ABI_RIGHTS_BIND_LOW,
		.may_admin = rights & ABI_RIGHTS_ADMIN,
		.own_userns = rights & ABI_RIGHTS_OWN_USERNS,
		.seccomp = rights & ABI_RIGHTS_SECCOMP,
		.no_new_privs = rights & ABI_RIGHTS_NO_NEW_PRIVS,
	};
}

static int decode_failure(const void *bytes, uint64_t ticks_per_s, struct event *to)
{
	struct abi_failure record;
	int r;

	memcpy(&record, bytes, sizeof(record));
	if (record.error <= 0 || record.error > ERRNO_MAX || record.n_owners > ABI_FAILURE_OWNERS)
		return -EBADMSG;
	if (record.call != ABI_CALL_BIND && record.call != ABI_CALL_LISTEN)
		return -EBADMSG;
	if (record.stage >= _EVENT_STAGE_MAX)
		return -EBADMSG;
	decode_head(&record.head, ticks_per_s, to);
	to->call = record.call == ABI_CALL_BIND ? EVENT_CALL_BIND : EVENT_CALL_LISTEN;
	to->error = record.error;
	to->bound_port = record.bound_port;
	to->stage = (enum event_stage)record.stage;
	to->program_cgroup_id = record.program_cgroup;
	to->no_entry = record.no_entry;
	to->left_out = record.left_out;
	to->v6only = record.socket.v6only;
	to->reuseaddr = record.socket.reuse & ABI_REUSEADDR;
	to->reuseport = record.socket.reuse & ABI_REUSEPORT;
	/* inet_bind_conflict(): a group of its own forbids sharing, until a member of it closed */
	to->has_program = record.in_group && !record.group_closed;
	to->sk_uid = record.socket.sk_uid;
	to->dev = record.socket.dev;
	bind_netns_decode(&record.netns_settings, &to->netns_settings);
	to->rights = decode_rights(record.rights);
	to->arguments.hash = record.arguments.hash;
	to->arguments.bytes = record.arguments.bytes;
	decode_owners(&record, to);
	r = decode_socket(&record.socket, to);
	return r ? r : decode_asked(&record, to);
}

static int decode_task(const void *bytes, uint64_t ticks_per_s, struct event *to)
{
	struct abi_task_event record;

	memcpy(&record, bytes, sizeof(record));
	decode_head(&record.head, ticks_per_s, to);
	to->exit_code = record.exit_code;
	to->child = process_id_decode(record.child_pid, record.child_start_ns, ticks_per_s);
	return 0;
}

static int decode_run_end(const void *bytes, uint64_t ticks_per_s, struct event *to)
{
	struct abi_run_event record;

	memcpy(&record, bytes, sizeof(record));
	decode_head(&record.head, ticks_per_s, to);
	to->run = record.run;
	to->exit_code = record.exit_code;
	return 0;
}

static int decode_process(const void *bytes, uint64_t ticks_per_s, struct event *to)
{
	struct abi_process_event record;

	memcpy(&record, bytes, sizeof(record));
	decode_head(&record.head, ticks_per_s, to);
	return process_decode(&record, ticks_per_s, &to->process);
}

static const struct {
	enum event_kind kind;
	size_t size;
	int (*decode)(const void *bytes, uint64_t ticks_per_s, struct event *to);
} kinds[] = {
	[ABI_PROCESS] = { EVENT_PROCESS, sizeof(struct abi_process_event), decode_process },
	[ABI_BIND] = { EVENT_BIND, sizeof(struct abi_socket_event), decode_socket_event },
	[ABI_LISTEN] = { EVENT_LISTEN, sizeof(struct abi_socket_event), decode_socket_event },
	[ABI_UNLISTEN] = { EVENT_UNLISTEN, sizeof(struct abi_socket_event), decode_socket_event },
	[ABI_CLOSE] = { EVENT_CLOSE, sizeof(struct abi_socket_event), decode_socket_event },
	[ABI_FAIL] = { EVENT_FAIL, sizeof(struct abi_failure), decode_failure },
	[ABI_FORK] = { EVENT_FORK, sizeof(struct abi_task_event), decode_task },
	[ABI_EXEC] = { EVENT_EXEC, sizeof(struct abi_task_event), decode_task },
	[ABI_EXIT] = { EVENT_EXIT, sizeof(struct abi_task_event), decode_task },
	[ABI_TERM] = { EVENT_TERM, sizeof(struct abi_task_event), decode_task },
	[ABI_RUN_END] = { EVENT_RUN_END, sizeof(struct abi_run_event), decode_run_end },
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == ABI_HOLDER, "every kind of the ring");

int decode_event(const void *bytes, size_t size, uint64_t ticks_per_s, struct event *ret)
{
	struct abi_head head;
	struct event event;
	int r;

	if (size < sizeof(head) || !ticks_per_s || ticks_per_s > NS_PER_S)
		return -EBADMSG;
	memcpy(&head, bytes, sizeof(head));
	if (head.kind == 0 || head.kind >= ABI_HOLDER)
		return -EBADMSG;
	if (size != kinds[head.kind].size || head.size != size)
		return -EBADMSG;
	memset(&event, 0, sizeof(event));
	event.kind = kinds[head.kind].kind;
	r = kinds[head.kind].decode(bytes, ticks_per_s, &event);
	if (r < 0)
		return r;
	*ret = event;
	return 0;
}
