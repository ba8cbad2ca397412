/* SPDX-License-Identifier: MIT */
/*
 * Who holds the sockets that are in the way.  Of a question about now the kernel is asked.  Of a
 * refusal the table's memory comes first, for its holders may be gone by the time that anybody
 * looks: what a look and a search a moment later tell only corrects and completes that.
 */
#ifndef API_WHY_SEARCH_H
#define API_WHY_SEARCH_H

#include "api/why_facts.h"
#include "base/share.h"

/* Users whose searches are told apart; of more of them who searched least recently is forgotten. */
#define WHY_SEARCHERS_MAX 32

/*
 * How much time the searches of recorded refusals took lately (QUOTA_SEARCHES): a program that is
 * refused in a loop may not keep the daemon busy, nor use up what is left for others.  All zero to
 * begin with.
 */
struct why_searches {
	struct share machine;
	struct why_searcher {
		uint64_t turn; /* of its last search; 0 = free */
		uid_t uid;
		struct share share;
	} users[WHY_SEARCHERS_MAX];
	uint64_t turn;
	unsigned left_out; /* since the last search */
};

/* The owners of the question's port now; ret as bindtable_read() leaves it, and so is the result.
 */
int why_walk_now(struct api *api, const struct why_facts *f, struct bind_table *ret);

/* Copies the holders that f->rows borrow from the table, which is about to change.  0, -ENOMEM. */
int why_keep_holders(struct why_facts *f);

/* Finds the holders of these owners of f->owners.  0, negative errno. */
int why_search(struct api *api, struct why_facts *f, struct why_owner *const *owners, size_t n);

#endif
