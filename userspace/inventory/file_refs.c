/* SPDX-License-Identifier: MIT */
#include "inventory/file_refs.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "bpf/abi.h"
#include "inventory/file_refs_pass.h"
#include "inventory/holders_proc.h"
#include "inventory/internal.h"

/* Cheapest first: of the later ones, each is run only while something is left to be explained. */
static const enum abi_file_ref_pass passes[] = { ABI_FILE_REFS_TASKS, ABI_FILE_REFS_QUEUED,
						 ABI_FILE_REFS_MAPPED };
_Static_assert(ARRAY_SIZE(passes) == ABI_FILE_REF_PASSES, "every pass");

struct round {
	const struct bind_owner *owners;
	size_t n;
	uint64_t files[ABI_FILE_REF_FILES_MAX];
	struct file_ref_records records;
	struct file_ref *ret;
};

static int run_pass(struct inventory *inv, struct round *round, enum abi_file_ref_pass pass)
{
	_cleanup_close_ int fd = -1;

	fd = inv->kernel.open_reference_pass(inv->kernel.user_data, pass, round->files, round->n);
	if (fd < 0)
		return fd;
	return file_refs_pass_read(fd, round->n, &round->records);
}

static bool is_explained(const struct round *round)
{
	for (size_t i = 0; i < round->n; i++)
		if (round->owners[i].file_id && !round->ret[i].complete)
			return false;
	return true;
}

/* A pass that the kernel refuses leaves its kind unexplained; without the first there is none. */
static int run_passes(struct inventory *inv, struct round *round)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(passes); i++) {
		r = run_pass(inv, round, passes[i]);
		if (r && (r != -EOPNOTSUPP || i == 0))
			return r;
		file_refs_add_up(&round->records, round->owners, round->n, round->ret);
		if (is_explained(round))
			break;
	}
	return 0;
}

static void name_sleepers(struct round *round)
{
	for (size_t i = 0; i < round->n; i++) {
		struct file_ref *file_ref = &round->ret[i];

		if (file_ref->kind == FILE_REF_SYSCALL &&
		    procfs_identity(file_ref->process.pid, &file_ref->process))
			file_ref->process = (struct process_id){ 0 }; /* gone since */
	}
}

static void tell_rows(struct inventory *inv, const struct round *round)
{
	for (size_t i = 0; i < round->n; i++) {
		const struct bind_owner *owner = &round->owners[i];
		struct row *row = table_find_socket(inv->table, owner->cookie, owner->inode);

		if (!row || !owner->file_id)
			continue;
		row->referenced = round->ret[i].references;
		row->file_refs = owner->file_refs;
		row_count_refs(inv->table, row);
	}
}

/* n <= ABI_FILE_REF_FILES_MAX.  An owner without a file has no file references, and 0 is the file
 * of none. */
static int find_file_refs(struct inventory *inv, const struct bind_owner *owners, size_t n,
			  struct file_ref *ret)
{
	struct round round = { .owners = owners, .n = n, .ret = ret };
	int r;

	for (size_t i = 0; i < n; i++)
		round.files[i] = owners[i].file_id;
	r = run_passes(inv, &round);
	file_ref_records_deinit(&round.records);
	if (r)
		return r;
	name_sleepers(&round);
	tell_rows(inv, &round);
	return 0;
}

int inventory_find_file_refs(struct inventory *inv, const struct bind_owner *owners, size_t n,
			     struct file_ref *ret)
{
	size_t at, step;
	int r;

	if (!inv->kernel.open_reference_pass)
		return -EOPNOTSUPP;
	if (n > FILE_REFS_OWNERS_MAX)
		return -E2BIG;
	for (at = 0; at < n; at += step) {
		step = n - at < ABI_FILE_REF_FILES_MAX ? n - at : ABI_FILE_REF_FILES_MAX;
		r = find_file_refs(inv, owners + at, step, ret + at);
		if (r)
			return r;
	}
	return 0;
}

/* --- descriptors --- */

struct search {
	const struct bind_owner *owners;
	size_t n;
	file_refs_visit visit;
	void *user_data;
};

static int visit_records(const struct search *search, size_t at, struct file_ref_records *records)
{
	int r = 0;

	file_refs_sort(records);
	for (size_t i = 0; !r && i < records->n; i++) {
		const struct file_ref_record *record = &records->records[i];

		if (file_ref_record_is_descriptor(record))
			r = search->visit(at + record->target, &record->id, (int)record->fd,
					  search->user_data);
	}
	return r;
}

static int search_by_pass(struct inventory *inv, const struct search *search)
{
	size_t step;
	int r = 0;

	for (size_t at = 0; !r && at < search->n; at += step) {
		struct round round = { .owners = search->owners + at };

		step = search->n - at < ABI_FILE_REF_FILES_MAX ? search->n - at
							       : ABI_FILE_REF_FILES_MAX;
		round.n = step;
		for (size_t i = 0; i < step; i++)
			round.files[i] = round.owners[i].file_id;
		r = run_pass(inv, &round, ABI_FILE_REFS_TASKS);
		r = r ?: visit_records(search, at, &round.records);
		file_ref_records_deinit(&round.records);
	}
	return r;
}

static int visit_link(const struct process_id *id, int fd, uint64_t inode, void *user_data)
{
	const struct search *search = user_data;
	int r = 0;

	for (size_t i = 0; !r && i < search->n; i++)
		if (search->owners[i].inode == inode)
			r = search->visit(i, id, fd, search->user_data);
	return r;
}

int inventory_find_descriptors(struct inventory *inv, const struct bind_owner *owners, size_t n,
			       file_refs_visit visit, void *user_data)
{
	struct search search = { owners, n, visit, user_data };
	int r = -EOPNOTSUPP;

	if (n > FILE_REFS_OWNERS_MAX)
		return -E2BIG;
	if (inv->kernel.open_reference_pass)
		r = search_by_pass(inv, &search);
	/* said before anything is visited: every owner's pass is the same program's */
	return r == -EOPNOTSUPP ? holders_proc_walk(visit_link, &search) : r;
}
