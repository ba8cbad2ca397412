/* SPDX-License-Identifier: MIT */
/*
 * Ways of holding a socket that are not a descriptor in a process's own table.  They keep a port
 * taken when every descriptor is gone; none of the usual tools shows them.
 */
#ifndef INVENTORY_GRIPS_H
#define INVENTORY_GRIPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bind.h"
#include "base/process.h"

struct inventory;

enum grip_kind {
	GRIP_NONE = 0,
	GRIP_THREAD,	       /* a descriptor table private to one thread */
	GRIP_ZOMBIE_LEADER,    /* the main thread has exited, others live */
	GRIP_IO_URING_FILE,    /* a registered file of a ring */
	GRIP_IO_URING_REQUEST, /* a pending request of a ring */
	GRIP_IN_FLIGHT,	       /* a message in a Unix socket that nobody has received */
	GRIP_MMAP,	       /* a memory mapping */
	GRIP_SYSCALL,	       /* a thread blocked in a call on a closed descriptor */
};

/* What was found for one owner. */
struct grip {
	enum grip_kind kind;
	struct process_id process; /* whose it is; pid 0 = nobody's (in flight) or not found */
	uint32_t references;	   /* of the file that this explains */
};

/*
 * Looks for grips on each of the n owners (one pass of each kind over all processes, for all of
 * them together): only for owners whose file has more references than descriptors were found.
 * ret: n entries.  0; -EOPNOTSUPP where the kernel cannot be asked; negative errno.
 */
int inventory_find_grips(struct inventory *inv, const struct bind_owner *owners, size_t n,
			 struct grip *ret);

#endif
