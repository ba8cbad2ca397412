/* SPDX-License-Identifier: MIT */
/*
 * Ways of holding a socket that are not a descriptor in a process's own table.  They keep a port
 * taken when every descriptor is gone; none of the usual tools shows them.
 */
#ifndef INVENTORY_FILE_REFS_H
#define INVENTORY_FILE_REFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bind.h"
#include "base/process.h"

struct inventory;

#define FILE_REFS_OWNERS_MAX \
	256 /* looked for at once: four times every pass, some 100 ms at worst */

enum file_ref_kind {
	FILE_REF_NONE = 0,
	FILE_REF_THREAD,	   /* a descriptor table private to one thread */
	FILE_REF_ZOMBIE_LEADER,	   /* the main thread has exited, others live */
	FILE_REF_IO_URING_FILE,	   /* a registered file of a ring */
	FILE_REF_IO_URING_REQUEST, /* a pending request of a ring */
	FILE_REF_IN_FLIGHT,	   /* a message in a Unix socket that nobody has received */
	FILE_REF_MMAP,		   /* a memory mapping */
	FILE_REF_SYSCALL,	   /* a thread blocked in a call on a closed descriptor */
};

/* What was found for one owner. */
struct file_ref {
	/* of several the one that explains most; FILE_REF_NONE: descriptors explain it all, or
	 * nothing does */
	enum file_ref_kind kind;
	/*
	 * Whose it is; of several, the oldest.  In flight: who has the receiving socket open.  pid
	 * 0 = nobody's: that socket is not accepted yet, or is in flight itself.
	 */
	struct process_id process;
	uint32_t references; /* of owner.file_refs, by all file references, beyond descriptors in
				any table */
	/*
	 * The same pass counts descriptors too: in tables of processes and of threads, each table
	 * once however many share it.
	 */
	uint32_t descriptors;
	bool complete; /* a proof: references and descriptors are all of owner.file_refs */
};

/*
 * Looks for file references on each of the n <= FILE_REFS_OWNERS_MAX owners (one pass of each kind
 * over all processes, for 64 of them together).  Worth its time for owners whose file has more
 * references than descriptors were found, and for those that have a sleeper and no descriptor: the
 * walk does not count the reference of a call that sleeps.  Messages in Unix sockets that no
 * process has open are found in the reader's network namespace only; all processes are those of its
 * PID namespace. The table's rows learn what was found: `complete` counts it in. ret: n entries. 0;
 * -EOPNOTSUPP where the kernel cannot be asked; -E2BIG; negative errno.
 */
int inventory_find_file_refs(struct inventory *inv, const struct bind_owner *owners, size_t n,
			     struct file_ref *ret);

/*
 * Calls visit for each descriptor of the owners' files, also for owners that the table has no row
 * for (connections): `owner` is the index, `id` the process, also where only a thread's table has
 * it.  Where the kernel cannot be asked, /proc is walked, which shows what the reader may see.
 * visit returns 0, or a negative errno that ends the search and is passed on.  0, -E2BIG as above,
 * negative errno.
 */
typedef int (*file_refs_visit)(size_t owner, const struct process_id *id, int fd, void *user_data);
int inventory_find_descriptors(struct inventory *inv, const struct bind_owner *owners, size_t n,
			       file_refs_visit visit, void *user_data);

#endif
