/* SPDX-License-Identifier: MIT */
#include "inventory/file_refs_pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"

#define BUFFER_BYTES	(64 * 1024) /* the kernel hands out up to 8 pages at a time */
#define EMPTY_READS_MAX 1000	    /* an iterator gives EAGAIN after a million silent objects */
#define RECORDS_FIRST	64

/* --- reading --------------------------------------------------------------------------------- */

void file_ref_records_deinit(struct file_ref_records *records)
{
	free(records->records);
	*records = (struct file_ref_records){ 0 };
}

int file_refs_pass_decode(const void *bytes, size_t size, size_t n_targets, uint64_t ticks_per_s,
			  struct file_ref_record *ret)
{
	struct abi_file_ref file_ref;

	if (size < sizeof(file_ref))
		return -EBADMSG;
	memcpy(&file_ref, bytes, sizeof(file_ref));
	if (file_ref.head.kind != ABI_FILE_REF || file_ref.head.size != sizeof(file_ref) ||
	    file_ref.head.pid > INT32_MAX)
		return -EBADMSG;
	if (file_ref.kind < ABI_FILE_REF_FD || file_ref.kind > ABI_FILE_REF_MAPPING ||
	    file_ref.target >= n_targets)
		return -EBADMSG;
	if (!file_ref.head.pid && file_ref.kind != ABI_FILE_REF_IN_FLIGHT)
		return -EBADMSG;
	*ret = (struct file_ref_record){
		.target = file_ref.target,
		.kind = file_ref.kind,
		.where = file_ref.where,
		.fd = file_ref.fd,
		.references = file_ref.references,
		.id = process_id_decode(file_ref.head.pid, file_ref.head.start_ns, ticks_per_s),
	};
	return 0;
}

static int append(struct file_ref_records *to, const struct file_ref_record *record)
{
	int r = to->n == FILE_REFS_RECORDS_MAX ? -E2BIG : 0;

	r = r ?: array_reserve(to->records, to->size, to->n + 1, RECORDS_FIRST);
	if (!r)
		to->records[to->n++] = *record;
	return r;
}

/* Takes the whole records off the front; returns the bytes that are left, or negative errno. */
static ssize_t drain(char *bytes, size_t used, size_t n_targets, struct file_ref_records *records)
{
	uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
	struct file_ref_record record;
	size_t at = 0;
	int r;

	for (; used - at >= sizeof(struct abi_file_ref); at += sizeof(struct abi_file_ref)) {
		r = file_refs_pass_decode(bytes + at, used - at, n_targets, ticks_per_s, &record);
		r = r ?: append(records, &record);
		if (r)
			return r;
	}
	memmove(bytes, bytes + at, used - at);
	return (ssize_t)(used - at);
}

int file_refs_pass_read(int fd, size_t n_targets, struct file_ref_records *records)
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

/* Which file reference a kind of record is, and whether the owner's descriptors count it. */
static const struct {
	enum file_ref_kind kind;
	bool is_descriptor;
} kinds[] = {
	[ABI_FILE_REF_FD] = { FILE_REF_NONE, true },
	[ABI_FILE_REF_THREAD_FD] = { FILE_REF_THREAD, true },
	[ABI_FILE_REF_ZOMBIE_FD] = { FILE_REF_ZOMBIE_LEADER, true },
	[ABI_FILE_REF_RING_FILE] = { FILE_REF_IO_URING_FILE, false },
	[ABI_FILE_REF_RING_REQUEST] = { FILE_REF_IO_URING_REQUEST, false },
	[ABI_FILE_REF_IN_FLIGHT] = { FILE_REF_IN_FLIGHT, false },
	[ABI_FILE_REF_MAPPING] = { FILE_REF_MMAP, false },
};
_Static_assert(ARRAY_SIZE(kinds) == ABI_FILE_REF_MAPPING + 1, "a row for each kind");

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
	const struct file_ref_record *a = left, *b = right;

	COMPARE(a->target, b->target);
	COMPARE(a->kind, b->kind);
	COMPARE(a->where, b->where);
	COMPARE(a->fd, b->fd);
	COMPARE(!a->id.pid, !b->id.pid);
	COMPARE(a->id.start_ticks, b->id.start_ticks);
	COMPARE(a->id.pid, b->id.pid);
	return 0;
}

static bool is_same_thing(const struct file_ref_record *a, const struct file_ref_record *b)
{
	return a->target == b->target && a->kind == b->kind && a->where == b->where &&
	       a->fd == b->fd;
}

static void drop_repeated(struct file_ref_records *records)
{
	size_t n = 0;

	for (size_t i = 0; i < records->n; i++)
		if (!n || !is_same_thing(&records->records[n - 1], &records->records[i]))
			records->records[n++] = records->records[i];
	records->n = n;
}

void file_refs_sort(struct file_ref_records *records)
{
	if (records->n)
		qsort(records->records, records->n, sizeof(*records->records), compare);
	drop_repeated(records);
}

bool file_ref_record_is_descriptor(const struct file_ref_record *record)
{
	return kinds[record->kind].is_descriptor;
}

static bool has_descriptor(const struct file_ref_record *records, size_t n, pid_t pid,
			   bool ordinary)
{
	for (size_t i = 0; i < n; i++)
		if (kinds[records[i].kind].is_descriptor && records[i].id.pid == pid &&
		    (!ordinary || records[i].kind == ABI_FILE_REF_FD))
			return true;
	return false;
}

/* What the records of one file say of each kind of file reference. */
struct tally {
	uint32_t references[FILE_REF_SYSCALL + 1];
	bool found[FILE_REF_SYSCALL + 1];
	struct process_id process[FILE_REF_SYSCALL + 1];
};

static void count_record(struct tally *tally, const struct file_ref_record *record)
{
	enum file_ref_kind kind = kinds[record->kind].kind;
	struct process_id *process = &tally->process[kind];

	tally->references[kind] += record->references;
	tally->found[kind] = true;
	if (!process->pid || (record->id.pid && record->id.start_ticks < process->start_ticks))
		*process = record->id;
}

/* What explains references that descriptors do not goes before a descriptor in an odd place. */
static enum file_ref_kind choose_kind(const struct tally *tally)
{
	enum file_ref_kind best = FILE_REF_NONE;

	for (enum file_ref_kind kind = FILE_REF_IO_URING_FILE; kind <= FILE_REF_MMAP; kind++)
		if (tally->references[kind] > tally->references[best])
			best = kind;
	if (best == FILE_REF_NONE && tally->found[FILE_REF_ZOMBIE_LEADER])
		return FILE_REF_ZOMBIE_LEADER;
	if (best == FILE_REF_NONE && tally->found[FILE_REF_THREAD])
		return FILE_REF_THREAD;
	return best;
}

/*
 * A call that sleeps, in a process without a descriptor.  The walk leaves its reference out where
 * the process has threads; a process that has lost them since is seen by what is left.
 */
static void add_sleeper(struct file_ref *to, const struct bind_owner *owner,
			const struct file_ref_record *records, size_t n)
{
	if (to->kind > FILE_REF_ZOMBIE_LEADER || owner->sleeper <= 0 ||
	    has_descriptor(records, n, owner->sleeper, false))
		return;
	to->kind = FILE_REF_SYSCALL;
	to->process = (struct process_id){ .pid = owner->sleeper };
	if (to->references + to->descriptors < owner->file_refs)
		to->references++;
}

static struct file_ref add_up(const struct bind_owner *owner, const struct file_ref_record *records,
			      size_t n)
{
	struct tally tally = { 0 };
	struct file_ref file_ref = { 0 };
	pid_t asked = 0;
	bool is_ordinary = false;

	for (size_t i = 0; i < n; i++) {
		const struct file_ref_record *record = &records[i];

		if (!kinds[record->kind].is_descriptor)
			file_ref.references += record->references;
		else
			file_ref.descriptors += record->references;
		if (record->kind == ABI_FILE_REF_FD)
			continue;
		/* asked once for a table, whose records stand next to each other */
		if (kinds[record->kind].is_descriptor && record->id.pid != asked) {
			asked = record->id.pid;
			is_ordinary = has_descriptor(records, n, asked, true);
		}
		/* a process that has it in an ordinary way as well needs no explanation */
		if (kinds[record->kind].is_descriptor && is_ordinary)
			continue;
		count_record(&tally, record);
	}
	file_ref.kind = choose_kind(&tally);
	file_ref.process = tally.process[file_ref.kind];
	add_sleeper(&file_ref, owner, records, n);
	file_ref.complete = owner->file_id &&
			    file_ref.references + file_ref.descriptors == owner->file_refs;
	return file_ref;
}

void file_refs_add_up(struct file_ref_records *records, const struct bind_owner *owners, size_t n,
		      struct file_ref *ret)
{
	size_t from = 0, to;

	file_refs_sort(records);
	for (size_t i = 0; i < n; i++) {
		for (to = from; to < records->n && records->records[to].target == i;)
			to++;
		ret[i] = add_up(&owners[i], records->n ? records->records + from : NULL, to - from);
		from = to;
	}
}
