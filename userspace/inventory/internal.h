/* SPDX-License-Identifier: MIT */
/* What the files of this room share behind struct inventory. */
#ifndef INVENTORY_INTERNAL_H
#define INVENTORY_INTERNAL_H

#include "base/reserved.h"
#include "inventory/sockdiag.h"
#include "inventory/table.h"

struct reading;

struct inventory {
	struct table *table;
	struct sockdiag *diag;
	struct kernel_source kernel;
	uint64_t turn;	       /* of inventory_refresh(), from 1 */
	uint64_t listing_turn; /* the turn of the last question about many ports */
	uint32_t own_netns;
	uint64_t resyncs;
	/* CLOCK_BOOTTIME when the last whole resync began, and the last one, see reading.h; 0 =
	 * none yet */
	uint64_t read_ns, reading_ns;
	struct reading *reading; /* that is under way; NULL = none */
	void (*search_begun)(void *user_data);
	void *user_data;
	struct known_sysctl {
		struct sysctl_file file;
		bool is_known;
		uint64_t turn; /* when it was read */
	} local_range, reserved_list;
	bool behind;	  /* inventory_note_loss() since read_ns */
	bool lost_since;  /* the same since reading_ns */
	bool no_iterator; /* the kernel has none, or said -EOPNOTSUPP */
	bool no_look;
	bool no_recheck;
	bool lists_bound_inactive; /* sock_diag of this kernel does */
};

/* Looks at those that are wanted, at most *budget of them.  0, negative errno. */
#define LOOKS_MAX 64 /* in one call: some milliseconds */
int looks_run(struct inventory *inv, unsigned *budget, bool anew);

#define PASS_MIN_MS 250 /* between passes for the same row: a pass may take 20 ms */

/* inventory_recheck_ports(), also for the question about one port. */
int recheck_ports(struct inventory *inv, uint32_t netns, const uint16_t *ports, size_t n);

/* The process has ended, also where no event said so: it holds nothing, and is not tracked. */
void pass_forget_gone(struct table *t, struct proc *proc);

#endif
