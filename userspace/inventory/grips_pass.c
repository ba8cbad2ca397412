/* SPDX-License-Identifier: MIT */
#include "inventory/grips_pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define BUFFER_BYTES	(64 * 1024) /* the kernel hands out up to 8 pages at a time */
#define EMPTY_READS_MAX 1000	    /* an iterator gives EAGAIN after a million silent objects */
#define RECORDS_FIRST	64

/* --- reading --------------------------------------------------------------------------------- */

void grip_records_deinit(struct grip_records *records)
{
	free(records->records);
	*records = (struct grip_records){ 0 };
}

int grips_pass_decode(const void *bytes, size_t size, size_t n_targets, uint64_t ticks_per_s,
		      struct grip_record *ret)
{
	struct abi_grip grip;

	if (size < sizeof(grip))
		return -EBADMSG;
	memcpy(&grip, bytes, sizeof(grip));
	if (grip.head.kind != ABI_GRIP || grip.head.size != sizeof(grip) ||
	    grip.head.pid > INT32_MAX)
		return -EBADMSG;
	if (grip.kind < ABI_GRIP_FD || grip.kind > ABI_GRIP_MAPPING || grip.target >= n_targets)
		return -EBADMSG;
	if (!grip.head.pid && grip.kind != ABI_GRIP_IN_FLIGHT)
		return -EBADMSG;
	*ret = (struct grip_record){
		.target = grip.target,
		.kind = grip.kind,
		.where = grip.where,
		.fd = grip.fd,
		.references = grip.references,
		.id = { .pid = (pid_t)grip.head.pid,
			.start_ticks = grip.head.start_ns / (NS_PER_S / ticks_per_s) },
	};
	return 0;
}

static int append(struct grip_records *to, const struct grip_record *record)
{
	size_t size = to->size ? 2 * to->size : RECORDS_FIRST;
	struct grip_record *grown;

	if (to->n == GRIPS_RECORDS_MAX)
		return -E2BIG;
	if (to->n == to->size) {
		grown = reallocarray(to->records, size, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		to->records = grown;
		to->size = size;
	}
	to->records[to->n++] = *record;
	return 0;
}

/* Takes the whole records off the front; returns the bytes that are left, or negative errno. */
static ssize_t drain(char *bytes, size_t used, size_t n_targets, struct grip_records *records)
{
	uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
	struct grip_record record;
	size_t at = 0;
	int r;

	for (; used - at >= sizeof(struct abi_grip); at += sizeof(struct abi_grip)) {
		r = grips_pass_decode(bytes + at, used - at, n_targets, ticks_per_s, &record);
		if (!r)
			r = append(records, &record);
		if (r)
			return r;
	}
	memmove(bytes, bytes + at, used - at);
	return (ssize_t)(used - at);
}

int grips_pass_read(int fd, size_t n_targets, struct grip_records *records)
{
	_cleanup_free_ char *bytes = malloc(BUFFER_BYTES);
	ssize_t used = 0, n;
	int empty = 0;

	if (!bytes)
		return -ENOMEM;
	for (;;) {
		n = read(fd, bytes + used, (size_t)(BUFFER_BYTES - used));
		if (n == 0)
			return used ? -EBADMSG : 0;
		if (n < 0 && (errno == EINTR || (errno == EAGAIN && ++empty < EMPTY_READS_MAX)))
			continue;
		if (n < 0)
			return -errno;
		used = drain(bytes, (size_t)(used + n), n_targets, records);
		if (used < 0)
			return (int)used;
	}
}

/* --- adding up ------------------------------------------------------------------------------- */

/* Which grip a kind of record is, and whether the owner's descriptors count it. */
static const struct {
	enum grip_kind kind;
	bool is_descriptor;
} kinds[] = {
	[ABI_GRIP_FD] = { GRIP_NONE, true },
	[ABI_GRIP_THREAD_FD] = { GRIP_THREAD, true },
	[ABI_GRIP_ZOMBIE_FD] = { GRIP_ZOMBIE_LEADER, true },
	[ABI_GRIP_RING_FILE] = { GRIP_IO_URING_FILE, false },
	[ABI_GRIP_RING_REQUEST] = { GRIP_IO_URING_REQUEST, false },
	[ABI_GRIP_IN_FLIGHT] = { GRIP_IN_FLIGHT, false },
	[ABI_GRIP_MAPPING] = { GRIP_MMAP, false },
};
_Static_assert(ARRAY_SIZE(kinds) == ABI_GRIP_MAPPING + 1, "a row for each kind");

#define COMPARE(a, b)                              \
	do {                                       \
		if ((a) != (b))                    \
			return (a) < (b) ? -1 : 1; \
	} while (0)

/*
 * Equal things next to each other, the one whose process is known and oldest first: a socket, ring
 * or table that several processes share is one.
 */
static int compare(const void *left, const void *right)
{
	const struct grip_record *a = left, *b = right;

	COMPARE(a->target, b->target);
	COMPARE(a->kind, b->kind);
	COMPARE(a->where, b->where);
	COMPARE(a->fd, b->fd);
	COMPARE(!a->id.pid, !b->id.pid);
	COMPARE(a->id.start_ticks, b->id.start_ticks);
	COMPARE(a->id.pid, b->id.pid);
	return 0;
}

static bool is_same_thing(const struct grip_record *a, const struct grip_record *b)
{
	return a->target == b->target && a->kind == b->kind && a->where == b->where &&
	       a->fd == b->fd;
}

static void drop_repeated(struct grip_records *records)
{
	size_t n = 0;

	for (size_t i = 0; i < records->n; i++)
		if (!n || !is_same_thing(&records->records[n - 1], &records->records[i]))
			records->records[n++] = records->records[i];
	records->n = n;
}

void grips_sort(struct grip_records *records)
{
	if (records->n)
		qsort(records->records, records->n, sizeof(*records->records), compare);
	drop_repeated(records);
}

bool grip_record_is_descriptor(const struct grip_record *record)
{
	return kinds[record->kind].is_descriptor;
}

static bool has_descriptor(const struct grip_record *records, size_t n, pid_t pid, bool ordinary)
{
	for (size_t i = 0; i < n; i++)
		if (kinds[records[i].kind].is_descriptor && records[i].id.pid == pid &&
		    (!ordinary || records[i].kind == ABI_GRIP_FD))
			return true;
	return false;
}

/* What the records of one file say of each kind of grip. */
struct tally {
	uint32_t references[GRIP_SYSCALL + 1];
	bool found[GRIP_SYSCALL + 1];
	struct process_id process[GRIP_SYSCALL + 1];
};

static void count_record(struct tally *tally, const struct grip_record *record)
{
	enum grip_kind kind = kinds[record->kind].kind;
	struct process_id *process = &tally->process[kind];

	tally->references[kind] += record->references;
	tally->found[kind] = true;
	if (!process->pid || (record->id.pid && record->id.start_ticks < process->start_ticks))
		*process = record->id;
}

/* What explains references that descriptors do not goes before a descriptor in an odd place. */
static enum grip_kind choose_kind(const struct tally *tally)
{
	enum grip_kind best = GRIP_NONE;

	for (enum grip_kind kind = GRIP_IO_URING_FILE; kind <= GRIP_MMAP; kind++)
		if (tally->references[kind] > tally->references[best])
			best = kind;
	if (best == GRIP_NONE && tally->found[GRIP_ZOMBIE_LEADER])
		return GRIP_ZOMBIE_LEADER;
	if (best == GRIP_NONE && tally->found[GRIP_THREAD])
		return GRIP_THREAD;
	return best;
}

/*
 * A call that sleeps, in a process without a descriptor.  The walk leaves its reference out where
 * the process has threads; a process that has lost them since is seen by what is left.
 */
static void add_sleeper(struct grip *to, const struct bind_owner *owner,
			const struct grip_record *records, size_t n)
{
	if (to->kind > GRIP_ZOMBIE_LEADER || owner->sleeper <= 0 ||
	    has_descriptor(records, n, owner->sleeper, false))
		return;
	to->kind = GRIP_SYSCALL;
	to->process = (struct process_id){ .pid = owner->sleeper };
	if (to->references + to->descriptors < owner->file_refs)
		to->references++;
}

static struct grip add_up(const struct bind_owner *owner, const struct grip_record *records,
			  size_t n)
{
	struct tally tally = { 0 };
	struct grip grip = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct grip_record *record = &records[i];

		if (!kinds[record->kind].is_descriptor)
			grip.references += record->references;
		else
			grip.descriptors += record->references;
		/* a process that has it in an ordinary way as well is no riddle */
		if (kinds[record->kind].is_descriptor &&
		    (record->kind == ABI_GRIP_FD ||
		     has_descriptor(records, n, record->id.pid, true)))
			continue;
		count_record(&tally, record);
	}
	grip.kind = choose_kind(&tally);
	grip.process = tally.process[grip.kind];
	add_sleeper(&grip, owner, records, n);
	grip.complete = owner->file_id && grip.references + grip.descriptors == owner->file_refs;
	return grip;
}

void grips_add_up(struct grip_records *records, const struct bind_owner *owners, size_t n,
		  struct grip *ret)
{
	size_t from = 0, to;

	grips_sort(records);
	for (size_t i = 0; i < n; i++) {
		for (to = from; to < records->n && records->records[to].target == i;)
			to++;
		ret[i] = add_up(&owners[i], records->n ? records->records + from : NULL, to - from);
		from = to;
	}
}
