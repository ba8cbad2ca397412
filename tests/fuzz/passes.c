/* SPDX-License-Identifier: MIT */
/*
 * Passes over all processes as their iterators hand them out: descriptors of sockets, and all that
 * refers to a file (tables, rings, messages on their way), which is added up.
 */
#include <errno.h>

#include "fuzz/fuzz.h"
#include "inventory/file_refs_pass.h"
#include "inventory/holders_pass.h"

#define OWNERS 4

struct seen {
	size_t records;
	bool ended; /* by ourselves */
};

static int see(const struct pass_record *record, void *user_data)
{
	struct seen *seen = user_data;

	seen->records++;
	if (record->kind == PASS_HOLDER) {
		must(record->holder.fd >= 0 && record->holder.cookie && record->holder.id.pid > 0);
		must(fuzz_ends(record->holder.comm, sizeof(record->holder.comm)));
		must(record->holder.state < _SOCKET_STATE_MAX);
	} else {
		must(record->kind == PASS_PROCESS);
		must(fuzz_ends(record->process.exe, sizeof(record->process.exe)));
		must(fuzz_ends(record->process.cwd, sizeof(record->process.cwd)));
		must(record->process.n_ancestors <= PROCESS_ANCESTORS_MAX);
	}
	return 0;
}

/* Read as a stream, and decoded where they lie: the same number of records. */
static void check_holders(const uint8_t *bytes, size_t size)
{
	struct seen streamed = { 0 };
	struct pass_record record;
	struct holders_pass *pass;
	size_t used, at = 0, decoded = 0;
	bool more = true;
	int r = holders_pass_open(fuzz_file(bytes, size), &pass), d;

	while (!r && more)
		r = holders_pass_next(pass, see, &streamed, &more);
	holders_pass_close(pass);
	must(r == 0 || r == -EBADMSG);
	while (!(d = holders_pass_decode(bytes + at, size - at, 100, &record, &used)) && used) {
		at += used;
		decoded++;
	}
	must(decoded == streamed.records);
	must((r == 0) == (d == 0 && at == size));
}

static void check_file_refs(const uint8_t *bytes, size_t size)
{
	struct bind_owner owners[OWNERS] = { 0 };
	struct file_ref_records records = { 0 };
	struct file_ref found[OWNERS];
	_cleanup_close_ int fd = fuzz_file(bytes, size);
	int r = file_refs_pass_read(fd, OWNERS, &records);

	must(r == 0 || r == -EBADMSG);
	must(records.n <= size / sizeof(struct abi_file_ref));
	for (size_t i = 0; i < OWNERS; i++) {
		owners[i].file_id = i + 1;
		owners[i].file_refs = (uint32_t)i;
	}
	file_refs_add_up(&records, owners, OWNERS, found);
	for (size_t i = 0; i < OWNERS; i++)
		must(found[i].kind <= FILE_REF_SYSCALL);
	file_ref_records_deinit(&records);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	check_holders(bytes, size);
	check_file_refs(bytes, size);
	return 0;
}
